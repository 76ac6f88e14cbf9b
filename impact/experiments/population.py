"""Who can enter an experiment, and when each of them does: the day of the draw is time zero, whatever happens later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.known import known_at

if TYPE_CHECKING:
    import datetime as dt

    from impact.experiments.plan import Plan
    from vigie.store import Warehouse

UNIT_COLUMN = {"learner": "learner_id", "session": "session_id", "provider": "provider_id", "territory": "territory_id"}


def enrolments_at(warehouse: Warehouse, plan: Plan, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """Enrolments of the plan's territories as known at the end of `as_of`, entered by then.

    Returns:
        enrolment_id, learner_id, session_id, provider_id, territory_id, objective, mode, entry_date, planned_exit_date, exit_date
        (null while none is known), unit_id.
    """
    known = known_at(warehouse, as_of, time_zone)
    people = known("enrolments", "enrolment_id", "learner_id", "session_id", "entry_date", "planned_exit_date")
    courses = known("sessions", "session_id", "provider_id", "territory_id", "objective", "mode")
    rows = (
        people.filter(pl.col("entry_date") <= as_of)
        .join(courses, on="session_id")
        .join(known("exits", "enrolment_id", "exit_date"), on="enrolment_id", how="left")
    )
    if plan.territories:
        rows = rows.filter(pl.col("territory_id").is_in(plan.territories))
    if plan.population == "entrants":
        rows = rows.filter(pl.col("entry_date") >= plan.start)
    return rows.with_columns(pl.col("objective", "mode").cast(pl.String), unit_id=UNIT_COLUMN[plan.unit]).sort("entry_date", "enrolment_id")


def eligible(enrolments: pl.DataFrame, plan: Plan, as_of: dt.date, scores: pl.DataFrame) -> pl.DataFrame:
    """Units that could enter on the night of `as_of`: one row each.

    Args:
        enrolments: from `enrolments_at`.
        plan: read or frozen.
        as_of: the night.
        scores: enrolment_id, risk of that night.

    Returns:
        unit_id, stratum, risk (of a learner; null for a group, or where there is no score).
    """
    there = enrolments.filter(pl.col("planned_exit_date") >= as_of, pl.col("exit_date").is_null() | (pl.col("exit_date") > as_of)).join(
        scores.select("enrolment_id", "risk"), on="enrolment_id", how="left", maintain_order="left"
    )
    if plan.population == "at_risk":
        there = there.filter(pl.col("risk") >= plan.minimum_risk)
    names = [pl.col(name).cast(pl.String) for name in plan.strata]
    stratum = pl.concat_str(names, separator="/") if names else pl.lit("")
    risk = pl.col("risk") if plan.unit == "learner" else pl.lit(None, dtype=pl.Float64)
    # A learner on two courses enters once, with the one that began first.
    return there.unique("unit_id", keep="first", maintain_order=True).select("unit_id", stratum=stratum, risk=risk)


def drawn(enrolments: pl.DataFrame, arms: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Every course of those drawn, with the day from which they would be followed in it: the draw, or the entry, if later.

    Args:
        enrolments: from `enrolments_at`.
        arms: `Arms` of the experiment.
        plan: as frozen.

    Returns:
        `enrolments` but exit_date, with stratum, arm, allocated_on, applies_until, risk and from.
    """
    theirs = arms.select("unit_id", "stratum", "arm", "allocated_on", "applies_until", "risk")
    rows = enrolments.drop("exit_date").join(theirs, on="unit_id", maintain_order="left")
    rows = rows.with_columns(pl.max_horizontal("allocated_on", "entry_date").alias("from")).filter(
        pl.col("from") <= pl.lit(plan.last_entry)
    )
    return rows.filter(pl.col("entry_date") <= pl.col("allocated_on")) if plan.unit == "learner" else rows


def observed(rows: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """One row for each learner of the experiment, with the day from which they are followed.

    A learner drawn for themselves is followed from the draw. In a group, from the draw or from their own entry, if later: both are known
    before anything the arm can change. Who has two courses is followed in the first that they were not known to have left by then.
    Stepped wedge: only those whose horizon ends within the step they entered in, a rule of the
    calendar that is the same for every group.

    Args:
        rows: from `drawn`, then `baseline.at_entry`.
        plan: as frozen.

    Returns:
        enrolment_id, learner_id, unit_id, cluster, stratum, arm, treated (the treated arm's rule holds from `from` on), period (step,
        0 but in a stepped wedge), from, entry_date, planned_exit_date, risk, allocated_on.
    """
    rows = rows.filter(~pl.col("gone"), pl.col("planned_exit_date") >= pl.col("from"))
    days = (pl.col("from") - pl.lit(plan.start)).dt.total_days()
    if plan.design == "stepped_wedge":
        rows = rows.with_columns(period=days // plan.step_days, treated=pl.col("from") > pl.col("applies_until"))
        rows = rows.filter(days % plan.step_days + plan.horizon_days <= plan.step_days)
    else:
        rows = rows.with_columns(period=pl.lit(0, pl.Int64), treated=pl.col("arm") == plan.arms[1].name)
    return rows.unique("learner_id", keep="first", maintain_order=True).select(
        "enrolment_id",
        "learner_id",
        "unit_id",
        "session_id",
        "stratum",
        "arm",
        "treated",
        "period",
        "from",
        "entry_date",
        "planned_exit_date",
        "risk",
        "allocated_on",
    )
