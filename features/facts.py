"""What the matrix reads from the warehouse: layers of each table, as the service knew them between two as-of dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from features.catalogue import FAMILIES
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt

    import polars as pl

    from vigie.store import Warehouse

ENROLMENT_COLUMNS = ("enrolment_id", "learner_id", "session_id", "enrolled_on", "entry_date", "planned_exit_date")
SESSION_COLUMNS = ("session_id", "provider_id", "programme_id", "territory_id", "start_date", "mode", "entry", "objective")
EXIT_COLUMNS = ("enrolment_id", "exit_date", "reason")


@dataclass(frozen=True)
class Facts:
    """Layers of the tables features are drawn from, each with known_on and visible_until."""

    tables: dict[str, pl.DataFrame]
    time_zone: str


def read_facts(warehouse: Warehouse, first: dt.date, last: dt.date, time_zone: str) -> Facts:
    """Every layer that was the newest on some as-of date from `first` to `last`, and nothing known after the end of `last`."""
    wanted = {"enrolments": ENROLMENT_COLUMNS, "sessions": SESSION_COLUMNS, "exits": EXIT_COLUMNS}
    wanted |= {family.table: (family.key, *family.columns) for family in FAMILIES if family.columns}
    since, instant = end_of_day(first, time_zone), end_of_day(last, time_zone)
    tables = {
        name: warehouse.as_known_at(layout(TABLES[name]), instant, since=since, columns=[*columns, "known_on"])
        for name, columns in wanted.items()
    }
    return Facts(tables, time_zone)
