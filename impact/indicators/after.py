"""After the course: job search begun before its end, and situations months later by definition."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.vocabulary import IN_WORK
from impact.catalogue import HORIZONS
from impact.facts import PERIOD_DAYS
from impact.indicators.counted import counted
from impact.indicators.course import ended

if TYPE_CHECKING:
    from impact.facts import Facts

SITUATIONS: Final = {
    "in_work": IN_WORK,
    "lasting": ("permanent_job", "long_job"),
    "positive": (*IN_WORK, "qualifying_training"),
}
"""Which situations count, by definition."""
NEAR_MONTHS: Final = 1
"""A situation observed this many months off still tells of its horizon."""
WAIT_DAYS: Final = 30
"""Answers are waited for this long after the horizon."""


def after(facts: Facts) -> pl.DataFrame:
    """Rows as `counted` makes them."""
    found = [_searched(facts)]
    for months in HORIZONS:
        rows = situations(facts, months)
        found += [counted(rows, f"{name}_{months}", "exit_date", pl.col(name)) for name in SITUATIONS]
    return pl.concat(found)


def situations(facts: Facts, months: int) -> pl.DataFrame:
    """Everybody who left in the last twelve months that can be known at this horizon.

    Adds a column for each of `SITUATIONS`: bool, null where nobody answered or the answer was `unknown`.
    """
    last = facts.as_of - dt.timedelta(days=round(months * 30.44) + WAIT_DAYS)
    left = facts.enrolments.filter(pl.col("exit_date").is_between(last - dt.timedelta(days=PERIOD_DAYS - 1), last))
    off = (pl.col("months_after_exit") - months).abs()
    near = facts.followups.filter(off <= NEAR_MONTHS, pl.col("situation") != "unknown").with_columns(off=off)
    told = near.sort("enrolment_id", "off", "observed_on").unique("enrolment_id", keep="first", maintain_order=True)
    known = told.select("enrolment_id", "situation")
    flags = [pl.col("situation").is_in(which).alias(name) for name, which in SITUATIONS.items()]
    return left.join(known, on="enrolment_id", how="left").with_columns(flags)


def _searched(facts: Facts) -> pl.DataFrame:
    over = ended(facts)
    spoke = facts.contacts.filter("two_way", pl.col("purpose") == "job_search").select("learner_id", "on")
    before = over.join(spoke, on="learner_id").filter(pl.col("on").is_between("entry_date", pl.coalesce("exit_date", "planned_exit_date")))
    return counted(over, "searched", "ends_on", pl.col("enrolment_id").is_in(before["enrolment_id"].unique().implode()))
