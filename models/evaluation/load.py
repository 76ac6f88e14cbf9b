"""Alerts at equal load: each score fills the same weekly places of the same advisors, and is judged on who was reached in time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from models.evaluation.measures import codes

if TYPE_CHECKING:
    from vigie.arrays import Flags, Floats, Ints

LEARNERS_PER_ADVISOR: Final = 25
COOL_DOWN_DAYS: Final = 14
LEAD_DAYS: Final = 7
"""An alert this long before the exit leaves time to act."""
LONGEST_LEAD_DAYS: Final = 42
"""An alert that came earlier told of something else."""
SEED: Final = 20_260_403
INTAKE_DAYS: Final = 91


def advisors(rows: pl.DataFrame, unit: str) -> Ints:
    """A made-up advisor of 25 learners for each row: learners of one `unit` who came within the same quarter, dealt at random.

    Args:
        rows: as_of, enrolment_id and the column `unit`.
        unit: within which advisors work, such as session_id or territory_id.
    """
    first = rows.group_by("enrolment_id").agg(pl.col("as_of").min(), pl.col(unit).first()).sort("enrolment_id")
    dealt = first.with_columns(
        quarter=(pl.col("as_of") - pl.col("as_of").min()).dt.total_days() // INTAKE_DAYS,
        luck=pl.Series(np.random.default_rng(SEED).random(first.height)),
    )
    place = (pl.col("luck").rank("ordinal").over(unit, "quarter") - 1) // LEARNERS_PER_ADVISOR
    named = dealt.with_columns(place=place).with_columns(advisor=pl.struct(unit, "quarter", "place").rank("dense").cast(pl.Int64) - 1)
    return rows.join(named.select("enrolment_id", "advisor"), on="enrolment_id", how="left", maintain_order="left")["advisor"].to_numpy()


def replay(rows: pl.DataFrame, advisor: Ints, score: Floats, budget: int | None) -> Flags:
    """Which rows become alerts when each advisor calls the `budget` highest scores each landmark week, nobody twice within the cool-down.

    Landmarks are gone through in order, since a cool-down depends on what came before; all advisors at once. Equal scores are drawn by
    lot, the same lot for every score, so that a rule with few values is not punished for its ties.

    Args:
        rows: as_of, enrolment_id.
        advisor: number of the advisor of each row.
        score: higher is called first.
        budget: places by advisor and landmark; None for no limit.
    """
    who = codes(rows["enrolment_id"])
    day = rows["as_of"].to_physical().to_numpy()
    luck = np.random.default_rng(SEED).random(rows.height)
    last = np.full(int(who.max()) + 1 if len(who) else 0, -(10**6))
    alerted = np.zeros(rows.height, dtype=np.bool_)
    order = np.lexsort((luck, -score, advisor, day))
    for here in np.split(order, np.flatnonzero(np.diff(day[order])) + 1):
        free = here[day[here] - last[who[here]] >= COOL_DOWN_DAYS]
        starts = np.flatnonzero(np.concatenate([[True], np.diff(advisor[free]) != 0])) if len(free) else free
        place = np.arange(len(free)) - np.repeat(starts, np.diff(np.append(starts, len(free))))
        called = free if budget is None else free[place < budget]
        alerted[called] = True
        last[who[called]] = day[called]
    return alerted


def reached(rows: pl.DataFrame, alerted: Flags, leavers: pl.DataFrame) -> pl.DataFrame:
    """What the alerts were worth to each leaver.

    Args:
        rows: as_of, enrolment_id.
        alerted: from `replay`.
        leavers: enrolment_id, learner_id, exit_date of dropouts.

    Returns:
        learner_id, enrolment_id, in_time (alerted 1 to 42 days before), early (7 to 42 days before), lead (days from the first of these
        alerts to the exit; null without).
    """
    lead = (pl.col("exit_date") - pl.col("as_of")).dt.total_days()
    alerts = rows.select("as_of", "enrolment_id").filter(alerted).join(leavers.select("enrolment_id", "exit_date"), on="enrolment_id")
    useful = alerts.with_columns(lead=lead).filter(pl.col("lead").is_between(1, LONGEST_LEAD_DAYS))
    best = useful.group_by("enrolment_id").agg(pl.col("lead").max())
    told = leavers.select("learner_id", "enrolment_id").join(best, on="enrolment_id", how="left", maintain_order="left")
    return told.with_columns(in_time=pl.col("lead").is_not_null(), early=(pl.col("lead") >= LEAD_DAYS).fill_null(value=False))


def leavers_of(rows: pl.DataFrame, endings: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    """Dropouts that the landmarks of `rows` could have announced: enrolment_id, learner_id, exit_date.

    Args:
        rows: as_of, enrolment_id, learner_id.
        endings: as from `models.labels.known_endings`.
        horizon_days: an exit longer after the last landmark is not yet in sight.
    """
    seen = rows.group_by("enrolment_id", "learner_id").agg(first=pl.col("as_of").min())
    last = rows["as_of"].max()
    ended = seen.join(endings.filter("dropped"), on="enrolment_id").filter(pl.col("exit_date") > pl.col("first"))
    if isinstance(last, dt.date):
        ended = ended.filter(pl.col("exit_date") <= last + dt.timedelta(days=horizon_days))
    return ended.select("enrolment_id", "learner_id", "exit_date").sort("enrolment_id")
