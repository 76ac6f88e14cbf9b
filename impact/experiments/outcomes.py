"""What became of the people of an experiment, from the day they entered it: the same rule for every arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from data_contracts.endings import decided_after, endings
from data_contracts.known import known_at
from data_contracts.vocabulary import ATTENDED, IN_WORK, TWO_WAY

if TYPE_CHECKING:
    import datetime as dt

    from impact.experiments.plan import Plan
    from vigie.arrays import Floats
    from vigie.store import Warehouse

DUE: Final = (*ATTENDED, "absent_unjustified", "absent_justified")
"""Half-days on which the person was expected and somebody wrote down whether they came."""
INSERTION_DAYS: Final = 213
"""Seven months: six, and one to answer."""


def follow_up(warehouse: Warehouse, people: pl.DataFrame, as_of: dt.date, plan: Plan, *, silence_days: int, time_zone: str) -> pl.DataFrame:
    """Add outcomes to people followed from a day of their own.

    Nobody is taken out. An ending dated by that day counts on day 1: it became known after the draw, and somebody absent then whom a call
    brought back has none; without those who stayed away, an arm that calls would lose its successes to the other.

    Args:
        warehouse: open.
        people: from `population.observed`: enrolment_id, learner_id, from, entry_date, planned_exit_date and whatever else.
        as_of: what was known at the end of this day counts.
        plan: says how many days after `from` are looked at, how many more until that is known, and in which of them a two-way contact is
            take-up.
        silence_days: of the rules.
        time_zone: in which as-of dates end.

    Returns:
        `people` with observed (horizon and wait are over), settled (so is the wait that these people's endings ask for), dropout,
        attended_share, spoken_with, in_work_6_months (0 to 1; null when not known), insertion_due (the planned end is long enough past to
        ask whether they are in work), day (of exit or of the end of follow-up, 1 to horizon), cause (1 dropout, 2 other exit, 0 none),
        elapsed (share of the course that was over on `from`).
    """
    known = known_at(warehouse, as_of, time_zone)
    ended = endings(warehouse, as_of, silence_days, time_zone).join(people, on="enrolment_id", how="semi")
    horizon_days, asked = plan.horizon_days, decided_after(warehouse, ended, as_of, silence_days, time_zone)
    rows = people.join(ended, on="enrolment_id", how="left", maintain_order="left")
    left = (pl.col("exit_date") - pl.col("from")).dt.total_days().clip(1)
    within = (left <= horizon_days).fill_null(value=False)
    dropped = within & (pl.col("reason") == "dropout").fill_null(value=False)
    rows = rows.with_columns(
        observed=pl.col("from") + pl.duration(days=horizon_days + plan.wait_days) <= as_of,
        settled=pl.col("from") + pl.duration(days=horizon_days + asked) <= as_of,
        dropout=dropped.cast(pl.Float64),
        day=pl.when(within).then(left).otherwise(horizon_days),
        cause=pl.when(dropped).then(1).when(within).then(2).otherwise(0),
        elapsed=elapsed(pl.col("from")),
    )
    rows = rows.join(_attended(known("attendance", "enrolment_id", "date", "status"), rows, horizon_days), on="enrolment_id", how="left")
    spoken = _spoken(known("contacts", "learner_id", "occurred_at", "outcome"), rows, plan.uptake_days, time_zone)
    rows = rows.with_columns(spoken_with=pl.col("learner_id").is_in(spoken["learner_id"].implode()).cast(pl.Float64))
    working = _in_work(known("followups", "enrolment_id", "months_after_exit", "situation"))
    rows = rows.join(working, on="enrolment_id", how="left")
    # The planned end as known at the draw, in both arms: by the real one, early leavers alone would be due on the first day.
    due = pl.col("planned_exit_date") + pl.duration(days=INSERTION_DAYS) <= as_of
    return rows.with_columns(insertion_due=due).drop("exit_date", "reason").sort("enrolment_id")


def _attended(sheets: pl.DataFrame, people: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    status = pl.col("status").cast(pl.String)
    theirs = sheets.join(people.select("enrolment_id", "from"), on="enrolment_id").filter(
        pl.col("date") > pl.col("from"), (pl.col("date") - pl.col("from")).dt.total_days() <= horizon_days, status.is_in(DUE)
    )
    return theirs.group_by("enrolment_id").agg(attended_share=status.is_in(ATTENDED).mean())


def _spoken(contacts: pl.DataFrame, people: pl.DataFrame, days: int, time_zone: str) -> pl.DataFrame:
    on = pl.col("occurred_at").dt.convert_time_zone(time_zone).dt.date()
    both = contacts.filter(pl.col("outcome").cast(pl.String).is_in(TWO_WAY)).select("learner_id", on=on)
    theirs = both.join(people.select("learner_id", "from"), on="learner_id")
    since = (pl.col("on") - pl.col("from")).dt.total_days()
    return theirs.filter(since >= 1, since <= days).select("learner_id").unique()


def _in_work(followups: pl.DataFrame) -> pl.DataFrame:
    asked = followups.filter(pl.col("months_after_exit").is_between(5, 7), pl.col("situation").cast(pl.String) != "unknown")
    nearest = asked.sort((pl.col("months_after_exit") - 6).abs()).unique("enrolment_id", keep="first", maintain_order=True)
    return nearest.select("enrolment_id", in_work_6_months=pl.col("situation").cast(pl.String).is_in(IN_WORK).cast(pl.Float64))


def elapsed(day: pl.Expr) -> pl.Expr:
    """Share of the course (entry_date to planned_exit_date) that is over on this day."""
    length = (pl.col("planned_exit_date") - pl.col("entry_date")).dt.total_days()
    return ((day - pl.col("entry_date")).dt.total_days() / pl.max_horizontal(length, 1)).clip(0, 1)


def effect_covariates(rows: pl.DataFrame) -> Floats:
    """What may change the effect of a call: log-odds of the risk and elapsed share; learners x 2, the risk of each being known."""
    risk = rows["risk"].cast(pl.Float64).clip(1e-4, 1 - 1e-4).to_numpy()
    return np.column_stack([np.log(risk / (1 - risk)), rows["elapsed"].to_numpy()])


def covariates(rows: pl.DataFrame) -> Floats:
    """Log-odds of the risk on the day of the draw, whether there was one, and elapsed share: learners x covariates that vary."""
    risk = rows["risk"].cast(pl.Float64).fill_null(float("nan")).clip(1e-4, 1 - 1e-4).to_numpy()
    with np.errstate(invalid="ignore"):
        odds = np.log(risk / (1 - risk))
    known = np.isfinite(odds)
    filled = np.where(known, odds, odds[known].mean() if known.any() else 0.0)
    columns = np.column_stack([filled, known.astype(np.float64), rows["elapsed"].to_numpy()])
    return np.asarray(columns[:, columns.std(axis=0) > 0], dtype=np.float64)
