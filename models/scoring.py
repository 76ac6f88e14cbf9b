"""The scores of nights, as the contract `Scores`."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.tables.outputs import Scores
from features.catalogue import FEATURES
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.bands import alike
from models.baselines import days_silent, rule_flag, session_risk
from models.explanation import protective, reasons

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dataframely as dy

    from models.learner import Model
    from vigie.arrays import Floats
    from vigie.rules import Invariants
    from vigie.store import Warehouse

CHANGE_DAYS: Final = 7
"""What changed is told against the same matrix this many days before, by what is known on the night."""
FIRST_DAYS: Final = 14
"""Nights 0 to 13 of a course: few facts yet, so the score is marked as weak (modelling notes, cold start)."""
MISSING_SHEETS: Final = 0.5
"""Above this share of half-days without a sheet in 28 days, the score is marked as weak."""


@dataclass(frozen=True)
class Scored:
    """Scores, and the matrix they came from: the same rows in the same order."""

    scores: dy.DataFrame[Scores]
    features: pl.DataFrame

    def without(self, people: pl.DataFrame) -> Scored:
        """The same, less some people: learner_id."""
        scores = self.scores.join(people, on="learner_id", how="anti", maintain_order="left")
        return Scored(Scores.cast(scores), self.features.join(people, on="learner_id", how="anti", maintain_order="left"))


def score(
    warehouse: Warehouse,
    model: Model,
    dates: Sequence[dt.date],
    rules: Invariants,
    time_zone: str,
    threads: int = 2,
    *,
    also: pl.DataFrame | None = None,
) -> Scored:
    """Score and explain every enrolment in training at the end of each date, from nothing but what was known then.

    A night is the case of one date; many past nights are scored in one go. `also` (as_of, enrolment_id) names single
    scores of other dates to add.
    """
    change = dt.timedelta(days=CHANGE_DAYS)
    every = sorted({*dates, *(also["as_of"].to_list() if also is not None else ())})
    facts = read_facts(warehouse, every[0] - change, every[-1], time_zone)
    everybody = matrix(facts, cohort(facts, every))
    rows = everybody.filter(pl.col("as_of").is_in(dates))
    if also is not None:
        others = everybody.filter(~pl.col("as_of").is_in(dates))
        rows = pl.concat([rows, others.join(also, on=["as_of", "enrolment_id"], how="semi", maintain_order="left")])
    # As known on the night itself: beside the facts of the page, what a week before knew of late sheets would read as a mistake.
    earlier = matrix(facts, cohort(facts, [date - change for date in every], known_days_later=CHANGE_DAYS))
    earlier = earlier.with_columns(pl.col("as_of") + change)
    # A week that began before the entry is no week to compare with, but for what was attended of its classes.
    before = earlier.filter(pl.col("course_day") >= CHANGE_DAYS - 1)
    margin = model.margins(rows, threads)
    contributions = model.contributions(rows, margin)
    risks = model.risks(margin)
    positive = model.positive_risk(rows, threads)
    scores = rows.select(
        "as_of",
        "enrolment_id",
        "learner_id",
        "session_id",
        "territory_id",
        horizon_days=pl.lit(model.horizon_days, pl.Int32),
        risk=pl.Series(risks[model.horizon_days], dtype=pl.Float64),
        risk_14=_told(risks.get(14)),
        risk_56=_told(risks.get(56)),
        positive_exit_risk=_told(positive),
        alike=alike(model.beside.bands, risks[model.horizon_days]),
        session_risk=session_risk(model.horizon_days),
        rule_flag=rule_flag(rules),
        low_confidence=low_confidence(rules),
        base_value=pl.Series(contributions[:, -1], dtype=pl.Float64),
        margin=pl.Series(margin, dtype=pl.Float64),
        # Beside all who were in training those nights, also where a few of them alone are scored.
        reasons=reasons(contributions, margin, model.columns, rows, before, rules.reasons_shown, everybody, earlier),
        protective=protective(contributions, model.columns, rows, before, everybody=everybody),
        model_version=pl.lit(model.version),
        feature_hash=feature_hash(rows),
    )
    return Scored(Scores.validate(scores, cast=True), rows)


def unscored(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> Scored:
    """Everybody in training at the end of `as_of`, with their features and without a score: no model is needed."""
    facts = read_facts(warehouse, as_of, as_of, time_zone)
    return Scored(Scores.create_empty(), matrix(facts, cohort(facts, [as_of])))


def _told(values: Floats | None) -> pl.Expr:
    return pl.lit(None, pl.Float64) if values is None else pl.lit(pl.Series(values, dtype=pl.Float64))


def low_confidence(rules: Invariants) -> pl.Expr:
    """True when too little is known for the score to weigh much: just begun, sheets missing, no trace for long, or off the sheets.

    Who shows no trace for `silence_days` counts as a silent dropout in training, and whose name is gone from the sheets of a session that
    goes on has often left: the model never learnt what becomes of them.
    """
    sheets = pl.col("not_recorded_28") + pl.col("recorded_28")
    missing = (sheets > 0) & (pl.col("not_recorded_28") > MISSING_SHEETS * sheets)
    off = (pl.col("days_off_sheets") > 0).fill_null(value=False)
    return (pl.col("course_day") < FIRST_DAYS) | missing | (days_silent() >= rules.silence_days) | off


def feature_hash(rows: pl.DataFrame) -> pl.Series:
    """Fingerprint of each row's features: 16 hexadecimal digits, the same on every machine and version."""
    values = rows.select(list(FEATURES)).to_numpy(order="c")
    return pl.Series([hashlib.blake2b(row.tobytes(), digest_size=8).hexdigest() for row in values], dtype=pl.String)
