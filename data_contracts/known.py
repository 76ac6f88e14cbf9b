"""Tables as they were known at the end of a day: what whoever asks about one day alone reads them through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    import polars as pl

    from vigie.store import Warehouse


def known_at(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> Callable[..., pl.DataFrame]:
    """Reader of tables as known at the end of `as_of`: takes a table's name and its columns, and `among` as `Warehouse.as_known_at`."""
    instant = end_of_day(as_of, time_zone)

    def known(table: str, *columns: str, among: pl.DataFrame | None = None) -> pl.DataFrame:
        return warehouse.as_known_at(layout(TABLES[table]), instant, columns=columns, among=among)

    return known
