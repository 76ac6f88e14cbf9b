"""Protected attributes, for a fair comparison and for equity: read here and nowhere else in the evaluation, and by no alert model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.known import known_at
from impact.indicators.table import ALL, figures, protected

if TYPE_CHECKING:
    import datetime as dt

    from impact.facts import Facts
    from vigie.store import Warehouse

ATTRIBUTES: Final = ("sex", "age_band", "priority_area", "income_support")
HEALTH: Final = "disability"
"""Health data: only with a legal basis of its own (GDPR, art. 9), else left out and said so."""
WATCHED: Final = ("owner_in_time", "contacted_14", "dropped", "completed", "in_work_6")
"""Indicators shown by attribute."""


def attributes(warehouse: Warehouse, as_of: dt.date, time_zone: str, *, health: bool = False) -> pl.DataFrame:
    """learner_id and attributes as text, as known at the end of `as_of`; `disability` only with `health`."""
    names = [*ATTRIBUTES, *([HEALTH] if health else [])]
    found = known_at(warehouse, as_of, time_zone)("learner_audit", "learner_id", *names)
    return found.with_columns(pl.col(names).cast(pl.String))


def equity(rows: pl.DataFrame, facts: Facts, protected_attributes: pl.DataFrame) -> pl.DataFrame:
    """Watched indicators by attribute over the whole period, small groups hidden with companions.

    Args:
        rows: as `impact.indicators.counted` makes them.
        facts: the same cut-off.
        protected_attributes: from `attributes`.

    Returns:
        Columns of `impact.indicators.table.tabulate`; kind is the attribute, unit its value, such as sex:female.
    """
    watched = rows.filter(pl.col("definition_id").is_in(WATCHED))
    people = facts.enrolments.select("learner_id", person="enrolment_id").join(protected_attributes, on="learner_id", how="left")
    told = watched.join(people, on="person", how="left").with_columns(month=pl.lit(None, pl.String))
    parts = [figures(told.with_columns(kind=pl.lit(ALL), unit=pl.lit(ALL)))]
    within: dict[str, tuple[str, ...]] = {}
    for name in protected_attributes.columns[1:]:
        said = pl.col(name).fill_null("inconnu")
        parts.append(figures(told.with_columns(kind=pl.lit(name), unit=pl.format("{}:{}", pl.lit(name), said))))
        within |= dict.fromkeys(parts[-1]["unit"].to_list(), (ALL,))
    return protected(pl.concat(parts).sort("definition_id", "unit"), within)
