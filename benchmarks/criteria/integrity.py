"""Criteria 1, 2, 3, 14 and 18: nothing of the future, no ghosts, no leak, no perverse reward, and reasons that hold."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import polars as pl
from line import Line
from world import HORIZON, START

from alerts.candidates import WITHOUT_A_FACT
from alerts.wording import HIGH_RISK
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.evaluation.load import advisors, replay
from models.evaluation.measures import figures
from models.explanation import CONTEXT, reasons
from models.gate import TELLTALE_AUC
from models.judging import alone
from vigie.clock import end_of_day

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from world import World

PEOPLE, NIGHTS = 200, 10
SCRAMBLED = {
    "activity": "count = 1 + (line % 97)",
    "assessments": "score = 0.01 * (line % 100), submitted_on = due_date",
    "exits": "exit_date = exit_date - 20",
}


def no_future(world: World) -> list[Line]:
    """1: what was recorded after a night is scrambled, then deleted, in the stored tables themselves."""
    dates = [START + dt.timedelta(days=20 + 20 * n) for n in range(NIGHTS)]
    people = world.rows["enrolment_id"].unique().sort().sample(PEOPLE, seed=0)
    path = world.service.home.warehouse

    def scores(date: dt.date) -> pl.DataFrame:
        with world.service.warehouse() as warehouse:
            facts = read_facts(warehouse, date, date, world.service.time_zone)
            rows = matrix(facts, cohort(facts, [date])).filter(pl.col("enrolment_id").is_in(people.implode()))
        return rows.select("enrolment_id", risk=pl.Series(world.model.calibration.risk(world.model.margins(rows))))

    whole = {date: scores(date) for date in dates}
    differ = {"scrambled": 0, "deleted": 0}
    for way in differ:
        kept = path.with_suffix(".kept")
        shutil.copy(path, kept)
        # From the latest night back: what is taken away for one night stays away for the nights before it.
        for date in reversed(dates):
            instant = end_of_day(date, world.service.time_zone).isoformat()
            with duckdb.connect(str(path)) as connection:
                for table, change in SCRAMBLED.items():
                    order = f"UPDATE {table} SET {change}" if way == "scrambled" else f"DELETE FROM {table}"
                    connection.execute(f"{order} WHERE known_on > TIMESTAMPTZ '{instant}'").fetchall()
            differ[way] += int(not scores(date).equals(whole[date]))
        kept.replace(path)
    compared = sum(part.height for part in whole.values())
    return [
        Line(
            1,
            "No future",
            f"activity, work and exits recorded after the night scrambled, then deleted, in the warehouse; {PEOPLE} learners x {NIGHTS} nights",
            f"{compared} scores compared twice; nights that differ: {differ['scrambled']} scrambled, {differ['deleted']} deleted",
            compared > 0 and not any(differ.values()),
        )
    ]


def no_ghosts(world: World) -> list[Line]:
    """2 and 3: nobody gone is scored, a column of the future is refused, and leavers kept in raise an alarm."""
    rows = world.rows
    gone = rows.join(world.endings, on="enrolment_id").filter(pl.col("exit_date") <= pl.col("as_of")).height
    with world.service.warehouse() as warehouse:
        facts = read_facts(warehouse, START, rows["as_of"].max(), world.service.time_zone)  # type: ignore[arg-type]
    enrolments = facts.tables["enrolments"].filter(pl.col("visible_until").is_null())
    early = (
        rows.join(enrolments.select("enrolment_id", "enrolled_on"), on="enrolment_id")
        .filter(pl.col("enrolled_on") > pl.col("as_of"))
        .height
    )
    traces = facts.tables["activity"].group_by("enrolment_id").agg(last=pl.col("date").max())
    after = traces.join(world.endings.filter("dropped"), on="enrolment_id").filter(pl.col("last") > pl.col("exit_date")).height
    planted = rows.join(traces, on="enrolment_id", how="left", maintain_order="left").with_columns(
        days_since_activity=(pl.col("last") - pl.col("as_of")).dt.total_days().cast(pl.Float64)
    )
    best = alone(planted.select(rows.columns)).row(0, named=True)
    # People who had left stay in, counted as leavers: the mistake of which the literature is full.
    facts.tables["exits"] = facts.tables["exits"].clear()
    dates = rows["as_of"].unique().sort().to_list()
    everybody = matrix(facts, cohort(facts, dates)).filter(pl.col("session_id").str.ends_with("2014B"))
    ended = everybody.join(world.endings, on="enrolment_id", how="left", maintain_order="left")
    soon = (pl.col("exit_date") - pl.col("as_of")).dt.total_days() <= HORIZON
    kept = ended.with_columns(label=(pl.col("dropped") & soon).fill_null(value=False).cast(pl.Float64))
    kept = kept.with_columns(list=pl.format("{} {}", "session_id", "as_of"))
    honest = figures(rows, world.risk, probability=False, within="list")["auc_within_night"]
    flattered = figures(kept, world.model.margins(kept), probability=False, within="list")["auc_within_night"]
    seen = kept.filter(pl.col("exit_date") <= pl.col("as_of")).height
    return [
        Line(
            2,
            "No ghosts",
            "rows after exit or before registration on P-dev; a planted column, days to the last trace ever",
            f"{gone} and {early} rows; {after} leavers have traces after their exit and none is scored; planted column alone AUC {best['auc']:.3f}, "
            f"at least {best['low']:.3f}: refused past {TELLTALE_AUC}",
            gone == early == 0 and best["feature"] == "days_since_activity" and best["low"] > TELLTALE_AUC,
        ),
        Line(
            3,
            "Leak alarm",
            "the same model and nights with leavers kept in",
            f"AUC inside presentation-week {honest:.3f} to {flattered:.3f} ({flattered - honest:+.3f}); {seen:,} rows of people gone: the gate refuses any",
            flattered - honest > 0.05 and seen > 0,
        ),
    ]


def monotone(world: World) -> list[Line]:
    """14: one day with traces taken away from one learner of each session at a time, through the feature code."""
    date = START + dt.timedelta(days=70)
    with world.service.warehouse() as warehouse:
        facts = read_facts(warehouse, date, date, world.service.time_zone)
    pairs = cohort(facts, [date])
    before = matrix(facts, pairs)
    risk = world.model.margins(before)
    recent = facts.tables["activity"].filter((pl.lit(date) - pl.col("date")).dt.total_days() < 14)
    people = before.select("enrolment_id", "session_id", risk=pl.Series(risk)).join(
        recent.select("enrolment_id").unique(), on="enrolment_id", how="semi"
    )
    people = people.with_columns(turn=pl.int_range(pl.len()).shuffle(seed=1).over("session_id"))
    tried, fell, worst = 0, 0, 0.0
    for turn in range(8):
        chosen = people.filter(pl.col("turn") == turn)
        day = recent.join(chosen, on="enrolment_id", how="semi").group_by("enrolment_id").agg(pl.col("date").max())
        tables = facts.tables | {"activity": facts.tables["activity"].join(day, on=["enrolment_id", "date"], how="anti")}
        after = matrix(
            type(facts)(tables, facts.time_zone),
            pairs.join(people.filter(pl.col("turn") == turn).select("session_id").unique(), on="session_id", how="semi")
            .drop("pair")
            .with_row_index("pair"),
        )
        changed = after.select("enrolment_id", after=pl.Series(world.model.margins(after))).join(chosen, on="enrolment_id")
        drop = (changed["risk"] - changed["after"]).to_numpy()
        tried, fell, worst = tried + len(drop), fell + int((drop > 1e-9).sum()), max(worst, float(drop.max(initial=0.0)))
    return [
        Line(
            14,
            "Monotone",
            f"the latest day with traces of one learner a session taken away through the feature code, night of {date} (OULAD has no half-days)",
            f"{tried} learner-nights, the risk fell in {fell} ({fell / max(tried, 1):.1%}), by {worst:.3f} of log-odds at most",
            tried > 0 and fell == 0,
        )
    ]


def reason_codes(world: World) -> list[Line]:
    """18: every alert of the weekly replay tells of something, on a known fact; also where places must be filled whatever the risk.

    As on a night, a risk that no fact explains opens an alert from `WITHOUT_A_FACT` times the limit on.
    """
    rows = world.rows
    limit = world.service.rules.default.minimum_risk
    opened = world.risk >= limit
    enough = min(limit * WITHOUT_A_FACT, HIGH_RISK)
    near = opened & (world.risk < enough)
    named = _reasons(world, near)["row"].unique().to_numpy()
    waits = np.delete(np.flatnonzero(near), named)
    opened[waits] = False
    opened &= replay(rows, advisors(rows, "session_id"), np.where(opened, world.risk, -1), budget=None)
    filled = replay(rows, advisors(rows, "session_id"), world.risk, budget=2)
    alerts, without, immutable, wrong = _told(world, opened)
    forced, silent, *_ = _told(world, filled)
    return [
        Line(
            18,
            "Reason codes",
            f"weekly replay of 2014B, every alert that the policy opens (risk {limit:.2f}, or {enough:.2f} without a nameable fact); "
            "the value told is the matrix's, whose source rows the case page lists with delivery and line",
            f"{alerts:,} alerts, {without} without a nameable reason, {immutable} immutable, {wrong} values not in the matrix; {len(waits)} people "
            f"and nights wait for a fact, {int(rows['label'].to_numpy()[waits].sum())} of them of leavers; two places a week and advisor filled whatever the risk, which no night does: {silent} of {forced:,} without ({silent / forced:.2%})",
            alerts > 0 and without == immutable == wrong == 0,
        )
    ]


def _told(world: World, alerted: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Alerts, those without a nameable reason, reasons nobody can act on, and values told that are not the matrix's."""
    few, named = world.rows.filter(alerted), _reasons(world, alerted)
    # A fact that speaks for its subject need not be one that trees read: any column of the matrix may be told.
    told_of = named["feature"].unique().sort().to_list()
    values = few.with_row_index("row").unpivot(on=told_of, index="row", variable_name="feature", value_name="known")
    wrong = (
        named.with_columns(pl.col("row").cast(pl.UInt32))
        .join(values, on=["row", "feature"], how="left")
        .filter(pl.col("value").ne_missing(pl.col("known")))
    )
    immutable = named.filter(pl.col("code").is_in(list(CONTEXT)))
    return few.height, few.height - named["row"].n_unique(), immutable.height, wrong.height


def _reasons(world: World, asked: NDArray[np.bool_]) -> pl.DataFrame:
    """The named reasons of the rows asked for, `row` counted among these, and their fields."""
    few, model = world.rows.filter(asked), world.model
    told = reasons(model.contributions(few), model.margins(few), model.columns, few, few.clear(), 4, world.rows)
    named = pl.DataFrame({"row": np.arange(few.height), "reason": told}).explode("reason").unnest("reason")
    return named.filter(pl.col("code") != "rest")
