"""What is told of whether somebody still comes: expressions over the reasons of a night's scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.wording import LAST_SIGNS, OFF_THE_SHEETS

if TYPE_CHECKING:
    import datetime as dt

FACTS: Final = pl.col("reasons").list.eval(pl.element().struct.field("feature"))
"""Names of the facts that the reasons tell."""
FIRST: Final = pl.col("reasons").list.first()
FIRST_FACT: Final = FIRST.struct.field("feature")
LONG_AWAY_DAYS: Final = 21
"""Of those away so long while there was class, all had left in two simulated territories (18 and 58 people and nights); of those away for
two weeks seven in eight."""
NEVER_SEEN: Final = frozenset({"never_present", "never_active"})


def days_off_sheets() -> pl.Expr:
    """Of rows with reasons: for how many days the name has been off the sheets, as they tell; null where it is not."""
    reason = pl.element().struct
    return pl.col("reasons").list.eval(reason.field("value").filter(reason.field("feature") == OFF_THE_SHEETS)).list.first()


def gone(silence_days: int) -> pl.Expr:
    """True of whom a fact tells off the sheets, or the first one gone for as long as training takes for a silent dropout.

    The estimate is then one of little confidence (`low_confidence`): of whom the other sign is younger, it is not.
    """
    long_ago = FIRST_FACT.is_in(LAST_SIGNS) & (FIRST.struct.field("value") >= silence_days)
    return (long_ago | FACTS.list.contains(OFF_THE_SHEETS)) & pl.col("low_confidence").fill_null(value=False)


def long_away() -> pl.Expr:
    """True of whom the first reason tells away from class for three weeks: whether they still come is asked before anything else."""
    away = (FIRST_FACT == "days_since_presence") & (FIRST.struct.field("value") >= LONG_AWAY_DAYS)
    return away.fill_null(value=False)


def never_came(since: pl.Expr, first_days: int) -> pl.Expr:
    """True of whom the first days have not brought to class: nobody meets them there.

    Args:
        since: from `days_since_entry`.
        first_days: of a course, after which this is told.
    """
    return FACTS.list.contains("never_present").fill_null(value=False) & (since > first_days)


def days_since_entry(as_of: dt.date) -> pl.Expr:
    """Days in the course on the as-of date, over entry_date."""
    return (pl.lit(as_of) - pl.col("entry_date")).dt.total_days()
