"""Where a source fell silent: what is not sent must never raise a risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.tables.outputs import Scores
from models.scoring import Scored, score

if TYPE_CHECKING:
    import datetime as dt

    import dataframely as dy

    from models.learner import Model
    from vigie.rules import Invariants
    from vigie.store import Warehouse

KEYS = ("as_of", "enrolment_id")
NOT_OF_A_NIGHT = ("learner_id", "session_id", "territory_id", "low_confidence")
"""What is tonight's, whichever night the estimate is of: a correction since holds."""


def score_unraised(
    warehouse: Warehouse, model: Model, as_of: dt.date, heard: pl.DataFrame, rules: Invariants, time_zone: str, threads: int = 2
) -> Scored:
    """The scores of one night, by `not_raised`, and its features.

    Args:
        warehouse: open.
        model: that serves the night.
        as_of: the night.
        heard: enrolment_id, heard_on of those in training whose source is silent.
        rules: invariants of the service.
        time_zone: in which as-of dates end.
        threads: how many may be used.
    """
    earlier = heard.select(pl.col("heard_on").alias("as_of"), "enrolment_id")
    scored = score(warehouse, model, [as_of], rules, time_zone, threads, also=earlier if earlier.height else None)
    return Scored(not_raised(scored.scores, heard, as_of), scored.features.filter(pl.col("as_of") == as_of))


def not_raised(scores: pl.DataFrame, heard: pl.DataFrame, as_of: dt.date) -> dy.DataFrame[Scores]:
    """The scores of `as_of`, less sure where a source is silent, and there no higher than on the last night that heard of the person.

    The whole estimate is then that night's: risk, margin, reasons and the fingerprint of the features it came from.

    Args:
        scores: contract `Scores`, of `as_of` and of the nights of `heard`.
        heard: enrolment_id, heard_on.
        as_of: the night.
    """
    tonight = scores.filter(pl.col("as_of") == as_of)
    estimate = [name for name in scores.columns if name not in {*KEYS, *NOT_OF_A_NIGHT}]
    before = heard.join(scores, left_on=["heard_on", "enrolment_id"], right_on=["as_of", "enrolment_id"])
    before = before.select("enrolment_id", pl.col(estimate).name.suffix("_heard"))
    both = tonight.join(before, on="enrolment_id", how="left", maintain_order="left")
    lower = (pl.col("risk_heard") < pl.col("risk")).fill_null(value=False)
    both = both.with_columns(
        pl.when(lower).then(f"{name}_heard").otherwise(name).alias(name) for name in estimate if name != "rule_flag"
    ).with_columns(
        # Days without news count for a rule as well: it holds only if it held when news still came.
        rule_flag=pl.col("rule_flag") & pl.col("rule_flag_heard").fill_null(value=True),
        low_confidence=pl.col("low_confidence") | pl.col("enrolment_id").is_in(heard["enrolment_id"].implode()),
    )
    return Scores.validate(both.select(scores.columns))
