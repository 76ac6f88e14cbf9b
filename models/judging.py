"""All that speaks for or against a model, measured on later rows that neither it nor the present champion has seen.

A version that serves is refitted on everything. What is judged is its twin: the same recipe, fitted and calibrated on the older blocks
alone. Each version keeps its twin, so that two versions can be compared on rows both twins came before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from features.catalogue import FEATURES
from models.baselines import days_silent, logistic, rule_score, scored, session_risk
from models.blocks import MIN_DROPOUTS
from models.evaluation.bootstrap import DRAWS, interval, medians, shares, with_intervals
from models.evaluation.load import advisors, leavers_of, reached, replay
from models.evaluation.measures import CHANCE, codes, listed, measure
from models.evaluation.weeks import by_week
from models.fairness import by_group, proxies

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.learner import Model
    from vigie.arrays import Flags, Floats

MODEL: Final = "model"
CHAMPION: Final = "champion"
RULES: Final = ("attendance_rule", "days_silent")
PROBABILITIES: Final = (MODEL, CHAMPION, "session_rate", "logistic")
BUDGETS: Final = (1, 2)
"""Alerts by advisor and week."""
LOAD: Final = ("precision", "in_time", "early", "lead", "above")
LEAK_ROWS: Final = 20_000
"""Enough to see a column that tells the outcome."""
NIGHT_APART_DAYS: Final = 7


@dataclass(frozen=True)
class Evidence:
    """What a decision to promote rests on; plain tables and numbers, kept with the version."""

    version: str
    champion: str
    first: str
    last: str
    rows: int
    dropouts: int
    """Rows of people who leave within the horizon."""
    leavers_kept: int
    """Rows of people who had already left: must be none."""
    order_kept: float
    """Rank correlation of the risks of the same people a week apart, median over weeks."""
    top_kept: float
    """Share of the top tenth that is in it on both of two nights a week apart (intersection over union), median over weeks."""
    figures: pl.DataFrame
    """contender, metric, value, low, high."""
    differences: pl.DataFrame
    """rival, metric, difference (model less rival), low, high."""
    load: pl.DataFrame
    """contender, budget, alerts, and each of `LOAD` with its _low and _high."""
    weeks: pl.DataFrame
    """contender, week, rows, dropouts, auc, above, both with _low and _high: by week of the course."""
    places: pl.DataFrame
    """level, place, rows, dropouts, recall, session_recall, difference, low, high."""
    groups: pl.DataFrame
    proxies: pl.DataFrame
    columns: pl.DataFrame
    """feature, auc, low, high: each column alone, within the night; the interval of the best one alone."""
    told: pl.DataFrame
    """as_of, label, risk, week: for plots and drift."""
    apart: str = ""
    """Why the champion is not among the contenders, where there is one and it cannot be."""
    outrun: str = ""
    """The champion, where it has learnt from the very rows there are to compare on: then it is not among the contenders either."""

    def to_json(self) -> str:
        """As text; tables as lists of rows."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return json.dumps({k: v.to_dicts() if isinstance(v, pl.DataFrame) else v for k, v in plain.items() if k != "told"}, indent=1) + "\n"

    def behind(self) -> pl.DataFrame:
        """Places where the score is not proven to beat the session rate at the same budget: there the session is what to look at."""
        return not_proven(self.places)

    def value(self, metric: str, contender: str = MODEL) -> tuple[float, float, float]:
        """A figure with its interval."""
        row = self.figures.filter(contender=contender, metric=metric)
        return tuple(row.select("value", "low", "high").row(0)) if row.height else (float("nan"),) * 3


def not_proven(places: pl.DataFrame) -> pl.DataFrame:
    """Those whose interval does not lie above zero, or that have none: low, and any other columns."""
    return places.filter(~(pl.col("low").fill_nan(None) > 0).fill_null(value=False))


def judge(  # noqa: PLR0913 - what is judged, on what, beside whom
    twin: Model,
    past: pl.DataFrame,
    later: pl.DataFrame,
    *,
    version: str,
    endings: pl.DataFrame,
    audit: pl.DataFrame,
    horizon_days: int,
    champion: tuple[str, Model] | None = None,
    times: int = DRAWS,
) -> Evidence:
    """Judge a twin on rows later than all it learnt from.

    Args:
        twin: fitted and calibrated on the past alone.
        past: rows the logistic rival learns from.
        later: the matrix with label, later than both.
        version: of the model whose twin it is.
        endings: as from `models.labels.known_endings`.
        audit: as from `models.fairness.read_audit`.
        horizon_days: of the service.
        champion: version and twin of the present champion, which came before `later` too.
        times: bootstraps of learners.
    """
    scores: dict[str, Floats] = {MODEL: twin.calibration.risk(twin.margins(later))}
    if champion:
        scores[CHAMPION] = champion[1].calibration.risk(champion[1].margins(later))
    scores |= {
        "attendance_rule": scored(later, rule_score()),
        "days_silent": scored(later, days_silent()),
        "session_rate": scored(later, session_risk(horizon_days)),
        "logistic": logistic(past, later),
    }
    person = codes(later["learner_id"])
    contenders = {name: measure(later, score, probability=name in PROBABILITIES) for name, score in scores.items()}
    figures, differences = with_intervals(contenders, person, times)
    risk = scores[MODEL]
    night, luck = codes(later["as_of"]), np.random.default_rng(0).random(later.height)
    called = listed(risk, night, luck)
    order_kept, top_kept = steadiness(later, risk, called)
    gone = later.join(endings, on="enrolment_id").filter(pl.col("exit_date") <= pl.col("as_of"))
    return Evidence(
        version=version,
        champion=champion[0] if champion else "",
        first=str(later["as_of"].min()),
        last=str(later["as_of"].max()),
        rows=later.height,
        dropouts=int(later["label"].sum()),
        leavers_kept=gone.height,
        order_kept=order_kept,
        top_kept=top_kept,
        figures=figures,
        differences=differences,
        load=at_equal_load(later, scores, leavers_of(later, endings, horizon_days), "territory_id", times),
        weeks=by_week(later, scores, times),
        places=by_place(later, risk, scores["session_rate"], times),
        groups=by_group(later, risk, called, audit),
        proxies=proxies(later, audit, risk),
        columns=alone(later, times),
        told=later.select("as_of", "label", week=(pl.col("course_day") // 7).cast(pl.Int64), risk=pl.Series(risk)),
    )


def at_equal_load(rows: pl.DataFrame, scores: dict[str, Floats], leavers: pl.DataFrame, unit: str, times: int = DRAWS) -> pl.DataFrame:
    """Every score given the same places of the same advisors: who was reached in time, and how much more often than by each rival.

    Intervals draw learners again with the alerts as they were given: a list cannot be drawn again without its other people.

    Returns:
        contender, budget, alerts (by advisor and week); and, each with its _low and _high: precision (alerts of people who leave within the
        horizon), in_time and early (shares of leavers alerted 1 to 42 and 7 to 42 days before), lead (median days from the first of these
        alerts to the exit), above (early of the first score less this one). No rows where nobody left.
    """
    if leavers.is_empty():
        return pl.DataFrame()
    advisor = advisors(rows, unit)
    weeks = pl.DataFrame({"advisor": advisor, "as_of": rows["as_of"]}).unique().height
    label, everybody, person = rows["label"].to_numpy(), codes(rows["learner_id"]), codes(leavers["learner_id"])
    names, table = list(scores), []
    for budget in BUDGETS:
        given = np.stack([replay(rows, advisor, score, budget) for score in scores.values()], axis=1)
        worth = [reached(rows, alerted, leavers) for alerted in given.T]
        of_leavers = {name: np.stack([one[name].to_numpy() for one in worth], axis=1).astype(np.float64) for name in ("in_time", "early")}
        told = {name: shares(found, np.ones_like(found), person, times) for name, found in of_leavers.items()}
        told["precision"] = shares(given * label[:, None], given.astype(np.float64), everybody, times)
        told["lead"] = medians(np.stack([one["lead"].cast(pl.Float64).to_numpy() for one in worth], axis=1), person, times)
        early, drawn_early = told["early"]
        told["above"] = early[0] - early, drawn_early[:, :1] - drawn_early
        for place, name in enumerate(names):
            row: dict[str, object] = {"contender": name, "budget": budget, "alerts": float(given[:, place].sum() / max(weeks, 1))}
            for what in LOAD:
                values, drawn = told[what]
                row |= dict(zip((what, f"{what}_low", f"{what}_high"), (float(values[place]), *interval(drawn[:, place])), strict=True))
            table.append(row)
    return pl.DataFrame(table)


def by_place(rows: pl.DataFrame, risk: Floats, session: Floats, times: int = DRAWS) -> pl.DataFrame:
    """In each provider and programme, its own top tenth of each night by the score and by the session rate: who finds more.

    Returns:
        level, place, rows, dropouts, recall, session_recall, difference, low, high; places with fewer than `MIN_DROPOUTS` dropouts are
        left out.
    """
    label, person, luck = rows["label"].to_numpy(), codes(rows["learner_id"]), np.random.default_rng(0).random(rows.height)
    table: list[dict[str, object]] = []
    for level in ("provider_id", "programme_id"):
        group = codes(rows.select(pl.struct(level, "as_of")).to_series())
        counted = rows.group_by(level).agg(rows=pl.len(), dropouts=pl.col("label").sum().cast(pl.Int64)).sort(level)
        counted = counted.filter(pl.col("dropouts") >= MIN_DROPOUTS)
        if counted.is_empty():
            continue
        here = np.stack([(rows[level] == name).to_numpy() for name in counted[level]], axis=1)
        found = np.hstack([here * (listed(score, group, luck) * label)[:, None] for score in (risk, session)])
        values, drawn = shares(found, np.hstack([here * label[:, None]] * 2), person, times)
        places = counted.height
        for number, (name, size, dropouts) in enumerate(counted.rows()):
            low, high = interval(drawn[:, number] - drawn[:, places + number])
            mine, theirs = float(values[number]), float(values[places + number])
            table.append(
                {"level": level.removesuffix("_id"), "place": name, "rows": size, "dropouts": dropouts}
                | {"recall": mine, "session_recall": theirs, "difference": mine - theirs, "low": low, "high": high}
            )
    names = ("recall", "session_recall", "difference", "low", "high")
    schema = {"level": pl.String, "place": pl.String, "rows": pl.Int64, "dropouts": pl.Int64, **dict.fromkeys(names, pl.Float64)}
    return pl.DataFrame(table, schema=schema)


def steadiness(rows: pl.DataFrame, risk: Floats, called: Flags, days: int = NIGHT_APART_DAYS) -> tuple[float, float]:
    """Rank correlation of the risks of the same people `days` apart, and overlap of the top tenths; medians over nights."""
    now = rows.select("as_of", "enrolment_id", risk=pl.Series(risk), called=pl.Series(called))
    before = now.with_columns(pl.col("as_of") + pl.duration(days=days))
    both = (
        now.join(before, on=["as_of", "enrolment_id"], suffix="_before")
        .group_by("as_of")
        .agg(
            order=pl.corr("risk", "risk_before", method="spearman"),
            top=(pl.col("called") & pl.col("called_before")).sum() / (pl.col("called") | pl.col("called_before")).sum(),
        )
    )
    medians = both.select(pl.col("order", "top").fill_nan(None).median()).row(0)
    return tuple(float("nan") if value is None else float(value) for value in medians)  # type: ignore[return-value]


def alone(rows: pl.DataFrame, times: int = DRAWS) -> pl.DataFrame:
    """How well each column alone tells the outcome within a night, whichever way it points: feature, auc, low, high; the best first.

    The interval is that of the best column; the others have none.
    """
    few = rows.sample(min(rows.height, LEAK_ROWS), seed=0)
    if not 0 < few["label"].sum() < few.height:
        return pl.DataFrame(schema={"feature": pl.String, "auc": pl.Float64, "low": pl.Float64, "high": pl.Float64})

    def of(name: str) -> Callable[[Floats], dict[str, float]]:
        return measure(few, few[name].fill_null(-1e12).to_numpy(), probability=False)

    once = np.ones(few.height)
    raw = {name: of(name)(once)["auc_within_night"] for name in FEATURES}
    best = max(raw, key=lambda name: abs(raw[name] - CHANCE))
    figures, _ = with_intervals({best: of(best)}, codes(few["learner_id"]), times)
    low, high = figures.filter(metric="auc_within_night").select("low", "high").row(0)
    bounds = (low, high) if raw[best] > CHANCE else (1 - high, 1 - low)
    found = [(name, max(auc, 1 - auc), *(bounds if name == best else (None, None))) for name, auc in raw.items()]
    schema = {"feature": pl.String, "auc": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(found, schema=schema, orient="row").sort("auc", "feature", descending=[True, False])
