"""Cream-skimming and parking: are those whom the estimate puts higher spoken with less, and by whom?"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from impact.indicators.counted import counted
from impact.indicators.process import first_contact
from impact.indicators.table import ALL, figures, protected

if TYPE_CHECKING:
    from impact.facts import Facts

WITHIN_DAYS: Final = 7


def contact_by_risk(facts: Facts) -> pl.DataFrame:
    """Share spoken with in the week after, by tenth of the estimated risk of that night and by operator that owns the case.

    One night a week is looked at, so that nobody counts twice in one week.

    Returns:
        Columns of `impact.indicators.table.tabulate`; the tenth of risk (01 lowest, 10 highest) stands in the place of month.
    """
    scores = facts.nights.scores.filter(pl.col("as_of").is_between(facts.first, facts.as_of - dt.timedelta(days=WITHIN_DAYS)))
    weekly = scores.filter(pl.col("as_of") == pl.col("as_of").min().over(pl.col("as_of").dt.truncate("1w")))
    place = (pl.col("risk").rank("ordinal").over("as_of") - 1) * 10 // pl.len().over("as_of") + 1
    people = weekly.with_columns(month=place.cast(pl.String).str.zfill(2)).join(facts.enrolments, on="enrolment_id")
    spoken = first_contact(facts, people, "as_of")
    soon = ((pl.col("spoken_on") - pl.col("as_of")).dt.total_days() <= WITHIN_DAYS).fill_null(value=False)
    rows = counted(spoken, "contact_by_risk", "as_of", soon).with_columns(month=spoken["month"])
    whole = rows.with_columns(month=pl.lit(None, pl.String))
    table = pl.concat(
        [
            figures(part.with_columns(kind=pl.lit(kind), unit=unit))
            for part in (rows, whole)
            for kind, unit in ((ALL, pl.lit(ALL)), ("operator", pl.format("operator:{}", "operator")))
        ]
    ).sort("unit", "month")
    return protected(table, dict.fromkeys(table.filter(pl.col("kind") != ALL)["unit"].unique(), (ALL,)))
