"""What became of situations after each kind of answer: a practice to talk about, never a proof that it helped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from alerts.facts import Facts

LATER_DAYS: Final = 14
"""The list is looked at again on the nights from this many days after the answer, for a week."""
KEPT_DAYS: Final = 365
FEWEST: Final = 11
"""Smaller groups are told to nobody (domain facts, R21: aggregates from 11 people on)."""


def practice(facts: Facts, listed: pl.DataFrame) -> pl.DataFrame:
    """For each territory, subject of the reason and answer, how many people were no longer on a risk list two weeks later.

    Only answers given long enough ago are counted, and only groups of `FEWEST` people or more.

    Args:
        facts: as known; earlier nights in `past`.
        listed: enrolment_id, territory_id.

    Returns:
        Columns of the table `practice`.
    """
    age = (pl.lit(facts.as_of) - pl.col("on")).dt.total_days()
    told = facts.said.answers.filter(pl.col("reason").is_not_null(), age.is_between(LATER_DAYS + 7, KEPT_DAYS))
    told = told.unique(["enrolment_id", "reason", "code"], keep="first", maintain_order=True).join(listed, on="enrolment_id")
    nights = facts.past.filter(pl.col("kind") == "dropout_risk", pl.col("state").is_in(("new", "sent"))).select("enrolment_id", "as_of")
    since = (pl.col("as_of") - pl.col("on")).dt.total_days()
    again = told.join(nights, on="enrolment_id").filter(since.is_between(LATER_DAYS, LATER_DAYS + 6))
    told = told.join(
        again.select("enrolment_id", "reason", "code", again=pl.lit(value=True)).unique(), on=["enrolment_id", "reason", "code"], how="left"
    )
    counted = told.group_by("territory_id", "reason", "code").agg(
        people=pl.len().cast(pl.Int64), off_list=pl.col("again").is_null().sum().cast(pl.Int64)
    )
    return counted.filter(pl.col("people") >= FEWEST).sort("territory_id", "reason", "code")
