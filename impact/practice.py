"""Practice exchange: what became of situations by reason, answer and territory, so that what seems to work can be tried elsewhere.

A comparison of what advisors chose to do, not of what would have happened otherwise: a practice that stands out is a candidate for an arm
of an experiment, nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.endings import SHEETS_COME_DAYS
from data_contracts.practice import followed_up
from impact.indicators.counted import counted
from impact.indicators.table import ALL, figures, protected

if TYPE_CHECKING:
    from impact.facts import Facts

STAYS_DAYS: Final = 28
"""Nobody who dropped out within this long after the answer stayed."""
BETWEEN: Final = " | "


def practices(facts: Facts, silence_days: int) -> pl.DataFrame:
    """Off the list two weeks later, and still not dropped out four weeks later, for each territory and for all.

    The second is told of answers old enough for silence to have spoken: sooner, whoever fell silent would count as having stayed.

    Args:
        facts: as known at the cut-off.
        silence_days: of the rules.

    Returns:
        Columns of `impact.indicators.table.tabulate`, with reason and code in the place of month.
    """
    told = followed_up(facts.nights.answers, facts.nights.alerts, facts.as_of).join(facts.enrolments, on="enrolment_id", suffix="_exit")
    told = told.with_columns(person="learner_id")
    dropped = (pl.col("reason_exit") == "dropout") & ((pl.col("exit_date") - pl.col("on")).dt.total_days() <= STAYS_DAYS)
    told = told.with_columns(stayed=~dropped.fill_null(value=False), month=pl.format("{}{}{}", "reason", pl.lit(BETWEEN), "code"))
    over = told.filter((pl.lit(facts.as_of) - pl.col("on")).dt.total_days() >= STAYS_DAYS + silence_days + SHEETS_COME_DAYS)
    parts = []
    for name, rows, value in (("practice_off_list", told, "off_list"), ("practice_stayed", over, "stayed")):
        units = counted(rows, name, "on", pl.col(value)).with_columns(month=rows["month"])
        table = pl.concat(
            [
                figures(units.with_columns(kind=pl.lit(ALL), unit=pl.lit(ALL))),
                figures(units.with_columns(kind=pl.lit("territory"), unit=pl.format("territory:{}", "territory_id"))),
            ]
        ).sort("month", "unit")
        parts.append(protected(table, dict.fromkeys(table.filter(pl.col("kind") != ALL)["unit"].unique(), (ALL,))))
    found = pl.concat(parts)
    return found.with_columns(
        reason=pl.col("month").str.split(BETWEEN).list.first(), code=pl.col("month").str.split(BETWEEN).list.last()
    ).drop("month")
