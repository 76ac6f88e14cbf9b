"""The territory's own past as the experiment would have met it: who could have entered, how they ended, how groups differ."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from data_contracts.endings import decided_after, endings
from impact.experiments.baseline import at_entry
from impact.experiments.outcomes import covariates, follow_up
from impact.experiments.plan import ExperimentError
from impact.experiments.population import enrolments_at
from impact.experiments.power import Situation
from vigie.errors import NoDataError

if TYPE_CHECKING:
    from impact.experiments.plan import Plan
    from vigie.store import Warehouse

ENOUGH: Final = 100
"""People of the past below which nothing is said of the future."""
YEAR: Final = 365
"""What is looked at of a permanent hold-out."""
WEEK: Final = 7
LEAST_DAYS: Final = 182
"""A short plan too is told by half a year of the past."""


@dataclass(frozen=True)
class Past:
    """What the past tells."""

    situation: Situation
    first: dt.date
    last: dt.date
    people: int
    take_up: float
    """Share who had a two-way contact within the plan's uptake_days."""


def past_of(
    warehouse: Warehouse,
    plan: Plan,
    as_of: dt.date,
    scores: pl.DataFrame,
    silence_days: int,
    time_zone: str,
    *,
    served_from: dt.date | None,
) -> Past:
    """The past of the plan's population: as long as the plan, half a year at least, or as far back as is known.

    Args:
        warehouse: open.
        plan: as read.
        as_of: what was known at the end of this day counts.
        scores: as_of, enrolment_id, risk of past nights; needed for population at_risk.
        silence_days: of the rules.
        time_zone: in which as-of dates end.
        served_from: the oldest night that a model may score; None where none serves.

    Raises:
        NoDataError: too few people could have entered.
    """
    length = ((plan.end - plan.start).days + 1) if plan.end else YEAR
    last = as_of - dt.timedelta(days=plan.horizon_days + plan.wait_days)
    first = asked = last - dt.timedelta(days=max(length, LEAST_DAYS) - 1)
    then = plan.model_copy(update={"start": first})
    enrolments = enrolments_at(warehouse, then, as_of, time_zone)
    known_from = (scores["as_of"] if plan.population == "at_risk" else enrolments["entry_date"]).min()
    if isinstance(known_from, dt.date):
        first = max(first, known_from)
    entered = _entered(enrolments, plan, scores, first, last)
    people = at_entry(warehouse, entered, as_of, silence_days=silence_days, time_zone=time_zone, hindsight=True)
    people = people.filter(~pl.col("gone")).unique("learner_id", keep="first", maintain_order=True)
    if people.height < ENOUGH:
        what = f"{people.height} people could have entered {plan.experiment_id} between {asked} and {last}: too few to learn from."
        known_from = known_from if isinstance(known_from, dt.date) else None
        raise NoDataError(what, _remedy(plan, asked, last, known_from, served_from))
    rows = follow_up(warehouse, people, as_of, plan, silence_days=silence_days, time_zone=time_zone)
    rows = rows.filter(pl.col(plan.primary).is_not_null(), pl.col("insertion_due") | (plan.primary != "in_work_6_months"))
    group = rows["unit_id"] if plan.unit != "learner" else rows["session_id"]
    # Those there on the first day enter at once, the others as they come: both are counted over as many days as the plan has.
    days = (last - first).days + 1
    soon = (rows["from"] < first + dt.timedelta(days=length)).to_numpy().mean()
    factor = float(soon) if days >= length else length / max(days, 1)
    situation = Situation.from_history(
        rows[plan.primary].to_numpy(),
        np.unique(group.to_numpy(), return_inverse=True)[1],
        _log_odds(rows) if plan.adjust else np.full(rows.height, np.nan),
        sizes=_sizes(plan, group, factor),
        take_up=plan.expected_take_up,
        attrition=plan.expected_attrition,
    )
    return Past(situation, first, last, rows.height, float(rows["spoken_with"].to_numpy().mean()))


def held_to_silence(warehouse: Warehouse, plan: Plan, as_of: dt.date, silence_days: int, time_zone: str) -> None:
    """Hold the wait that a plan states to what its territories' past asks for, before it is frozen: later would be after looking.

    Raises:
        ExperimentError: silence alone tells many of the dropouts, and the plan does not wait for it.
    """
    everybody = plan.model_copy(update={"start": dt.date.min})
    theirs = enrolments_at(warehouse, everybody, as_of, time_zone)
    ended = endings(warehouse, as_of, silence_days, time_zone).join(theirs, on="enrolment_id", how="semi")
    asked = decided_after(warehouse, ended, as_of, silence_days, time_zone)
    if plan.wait_days < asked:
        what = (
            f"{plan.experiment_id} reads outcomes {plan.wait_days} days after a horizon. In its territories silence alone tells more than "
            f"one dropout in five, and only after {asked}: whoever falls silent late would count as having stayed, in both arms."
        )
        raise ExperimentError(what, f"Set wait_days = {asked} in its file.")


def _remedy(plan: Plan, first: dt.date, last: dt.date, known_from: dt.date | None, served_from: dt.date | None) -> str:
    """What brings more people between `first` and `last`, and can be run: no model scores a night before its own training."""
    widen = "Widen territories and population, or ask again once more is known."
    begins, delay = (served_from if plan.population == "at_risk" else known_from), plan.horizon_days + plan.wait_days
    if begins and begins > last:
        why = "no model that served is older" if plan.population == "at_risk" else "nobody is known to have entered before"
        return f"Nothing can be told of days before {begins}: {why}. Ask with --as-of {begins + dt.timedelta(days=delay)} or later."
    if plan.population != "at_risk":
        return f"Ingest older deliveries. {widen}"
    start = max(first, served_from or first)
    train = "" if served_from else f"Train on what was known then: vigie train --as-of {first}. "
    if known_from is None or known_from > min(start + dt.timedelta(days=WEEK), last):
        return f"{train}Score past nights: vigie backfill --from {start} --to {last} --every 7d --scores-only."
    return f"Nights since {known_from} have scores. Lower minimum_risk. {widen}"


def _entered(enrolments: pl.DataFrame, plan: Plan, scores: pl.DataFrame, first: dt.date, last: dt.date) -> pl.DataFrame:
    if plan.population == "at_risk":
        high = scores.filter(pl.col("as_of").is_between(first, last), pl.col("risk") >= plan.minimum_risk)
        entered = high.sort("as_of").unique("enrolment_id", keep="first", maintain_order=True)
        rows = enrolments.join(entered.select("enrolment_id", "risk", pl.col("as_of").alias("from")), on="enrolment_id")
    else:
        day = pl.max_horizontal("entry_date", pl.lit(first))
        rows = enrolments.with_columns(day.alias("from")).filter(pl.col("from") <= last, pl.col("planned_exit_date") >= pl.col("from"))
        known = scores.select("enrolment_id", "risk", pl.col("as_of").alias("from"))
        rows = rows.join(known, on=["enrolment_id", "from"], how="left")
    return rows.drop("exit_date")


def _log_odds(rows: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if rows["risk"].null_count() == rows.height:
        return np.full(rows.height, np.nan)
    return np.asarray(np.where(rows["risk"].is_null().to_numpy(), np.nan, covariates(rows)[:, 0]), dtype=np.float64)


def _sizes(plan: Plan, group: pl.Series, factor: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Groups of the experiment: as many sessions as the time brings, but no more providers or territories than there are."""
    sizes = np.sort(np.unique(group.to_numpy(), return_counts=True)[1])
    if plan.unit in {"learner", "session"}:
        spread = np.linspace(0, len(sizes) - 1, max(4, round(len(sizes) * factor))).round().astype(np.int64)
        return np.asarray(sizes[spread], dtype=np.int64)
    share = factor
    if plan.design == "stepped_wedge":
        share *= (plan.step_days - plan.horizon_days + 1) / plan.step_days
    return np.asarray(np.maximum(1, np.round(sizes * share)), dtype=np.int64)
