"""The score without support: what each past score weighs for a model of the risk when nobody acts on the alert.

An alert that was followed by a contact hides what would have happened. Those rows are left out, and the rest is weighted by one over the
chance of no contact given what was known that night, cut at the 1st and 99th percentile: censoring without weights would assume that
contacts come by chance. People whom an arm kept off the risk list were never called for their risk: their labels are clean.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.experiments import ARMS, units_of
from data_contracts.ingest import layout
from data_contracts.tables.experiments import TrainingWeights
from data_contracts.vocabulary import LISTED, TWO_WAY
from impact.experiments.register import frozen_plans
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import dataframely as dy

    from vigie.arrays import Flags, Floats
    from vigie.store import Warehouse

CUT: Final = (0.01, 0.99)
HEAVIEST: Final = 10.0
"""A held-out person stands for ten at most: an arm smaller than a tenth tells too little to weigh as much as all who could enter."""


def held_out_weights(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """What enrolments weigh in training while an arm holds them out: one over the arm's share among those who could enter, by design.

    So a held-out arm weighs as much as all who were drawn, and what the model ranks by leans towards what happens when no list acts.
    Their days before the draw weigh as anybody's: only those who stayed were drawn, and staying is what is foretold.
    Stepped wedges are left out: there every group is held out for a while, and none stands for the others. So are arms of a
    rehearsal drawn for nights before it was frozen: nobody was held out then.

    Args:
        warehouse: open.
        as_of: arms drawn by the end of this day count.
        time_zone: in which as-of dates end.

    Returns:
        experiment_id, enrolment_id, share (of the arm, as planned), weight, since, until (first and last as-of date that weighs so).
    """
    rows = [
        (name, arm.name, arm.share, min(1 / arm.share, HEAVIEST), frozen.frozen_at.date() if frozen.rehearsal else None)
        for name, frozen in frozen_plans(warehouse).items()
        for arm in frozen.plan.arms
        if arm.treatment == "held_out" and frozen.plan.design != "stepped_wedge"
    ]
    schema = {"experiment_id": pl.String, "arm": pl.String, "share": pl.Float64, "weight": pl.Float64, "frozen": pl.Date}
    planned = pl.DataFrame(rows, schema=schema, orient="row")
    held = warehouse.read(ARMS).filter(pl.col("allocated_on") <= as_of).join(planned, on=["experiment_id", "arm"])
    held = held.with_columns(pl.col("unit").cast(pl.String), since="applies_from", until=pl.col("applies_until").fill_null(as_of))
    held = held.filter((pl.col("since") > pl.col("frozen")).fill_null(value=True))
    found = held.join(units_of(warehouse, as_of, time_zone), on=["unit", "unit_id"])
    return found.select("experiment_id", "enrolment_id", "share", "weight", "since", "until").sort("experiment_id", "enrolment_id")


def training_weights(
    warehouse: Warehouse, scores: pl.DataFrame, alerts: pl.DataFrame, as_of: dt.date, time_zone: str
) -> dy.DataFrame[TrainingWeights]:
    """Weights of past scores whose horizon was over at `as_of`.

    Args:
        warehouse: open.
        scores: as_of, enrolment_id, learner_id, risk, horizon_days of past nights (`Scores`).
        alerts: as_of, enrolment_id, kind, state of the same nights (`Alerts`).
        as_of: what was known at the end of this day counts.
        time_zone: in which as-of dates end.
    """
    rows = scores.filter(pl.col("as_of") + pl.duration(days=pl.col("horizon_days")) <= as_of)
    if rows.is_empty():
        return TrainingWeights.create_empty()
    risks = alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk").with_columns(pl.col("state").cast(pl.String))
    named = risks.filter(pl.col("state").is_in(LISTED)).select("as_of", "enrolment_id", listed=pl.lit(value=True))
    held = _held_out(warehouse, rows, risks)
    contacts = warehouse.as_known_at(
        layout(TABLES["contacts"]), end_of_day(as_of, time_zone), columns=["learner_id", "occurred_at", "outcome", "direction"]
    )
    theirs = contacts.filter(pl.col("outcome").cast(pl.String).is_in(TWO_WAY), pl.col("direction").cast(pl.String) == "outbound").select(
        "learner_id", on=pl.col("occurred_at").dt.convert_time_zone(time_zone).dt.date()
    )
    after = (pl.col("on") - pl.col("as_of")).dt.total_days()
    followed = (
        rows.select("as_of", "learner_id", "horizon_days")
        .unique()
        .join(theirs, on="learner_id")
        .filter(after >= 1, after <= pl.col("horizon_days"))
        .select("as_of", "learner_id", contacted=pl.lit(value=True))
        .unique()
    )
    rows = (
        rows.join(named, on=["as_of", "enrolment_id"], how="left")
        .join(held, on=["as_of", "enrolment_id"], how="left")
        .join(followed, on=["as_of", "learner_id"], how="left")
        .with_columns(pl.col("listed", "held_out", "contacted").fill_null(value=False))
    )
    acted = (rows["listed"] & rows["contacted"]).to_numpy()
    weight = np.where(acted, 0.0, 1 / (1 - contact_chance(rows["risk"].to_numpy(), rows["listed"].to_numpy(), acted)))
    kept = weight > 0
    if kept.any():
        weight[kept] = np.clip(weight[kept], *np.quantile(weight[kept], CUT))
    made = rows.select("as_of", "enrolment_id", "held_out").with_columns(weight=pl.Series(weight))
    return TrainingWeights.validate(made.select("as_of", "enrolment_id", "weight", "held_out").sort("as_of", "enrolment_id"))


def _held_out(warehouse: Warehouse, rows: pl.DataFrame, risks: pl.DataFrame) -> pl.DataFrame:
    """as_of, enrolment_id of those whom an arm kept off: those whose alert says so, and all others whom an arm would have kept off."""
    said = risks.filter(pl.col("state") == "held_out").select("as_of", "enrolment_id")
    arms = warehouse.read(ARMS).filter(pl.col("treatment") == "held_out", pl.col("unit") == "learner")
    theirs = rows.select("as_of", "enrolment_id", unit_id="learner_id").join(
        arms.select("unit_id", "applies_from", "applies_until"), on="unit_id"
    )
    until = pl.col("applies_until").fill_null(dt.date.max)
    covered = theirs.filter(pl.col("as_of").is_between("applies_from", until)).select("as_of", "enrolment_id")
    return pl.concat([said, covered]).unique().with_columns(held_out=pl.lit(value=True))


def contact_chance(risk: Floats, listed: Flags, acted: Flags) -> Floats:
    """Chance that an alert was followed by a contact, from the risk of that night alone; 0 for those on no list.

    A logistic regression on the log-odds of the risk and their square; the plain share where too few were, or were not, contacted.
    """
    import statsmodels.api as sm

    chance = np.zeros(len(risk))
    if not listed.any():
        return chance
    odds = np.log(np.clip(risk, 1e-4, 1 - 1e-4) / (1 - np.clip(risk, 1e-4, 1 - 1e-4)))[listed]
    x = np.column_stack([np.ones_like(odds), odds, odds**2])
    happened = acted[listed].astype(np.float64)
    rarest = min(happened.sum(), len(happened) - happened.sum())
    few = rarest < 10 * x.shape[1] or np.std(odds) < 1e-6  # noqa: PLR2004 - ten events for each coefficient
    chance[listed] = np.full(len(odds), happened.mean()) if few else sm.GLM(happened, x, family=sm.families.Binomial()).fit().predict(x)
    # Nobody is surely called: without a ceiling one row could weigh as much as all others.
    return np.minimum(chance, 0.95)
