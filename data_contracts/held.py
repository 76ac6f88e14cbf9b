"""Whom a file that the guards hold back tells of: what is not believed must not be read as silence either."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from data_contracts.border import check
from data_contracts.deliveries import Delivery, Part, delivery_at, read_parts
from data_contracts.ingest import HELD, layout
from data_contracts.quarantine import held_files
from vigie.clock import end_of_day
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from data_contracts.sources.mapping import Source
    from vigie.store import Warehouse

LOOK_BACK: Final = dt.timedelta(days=30)
"""A file held for longer is a matter for the rhythm of its source (`data_contracts.rhythm`)."""
DAILY: Final = ("attendance", "activity")
"""Tables whose missing facts could be read as absence; both have enrolment_id and date."""
SCHEMA: Final = {"enrolment_id": pl.String, "heard_on": pl.Date}


def concerned(refused: Path, warehouse: Warehouse, sources: Mapping[str, Source], as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """People of files that were held back when the night of `as_of` ended, until facts as recent are known of them otherwise.

    Args:
        refused: folder beside `held/`.
        warehouse: open.
        sources: mappings by source.
        as_of: the night.
        time_zone: in which as-of dates end.

    Returns:
        enrolment_id, and heard_on: the last night before the file landed.
    """
    end = end_of_day(as_of, time_zone)
    found = [pl.DataFrame(schema=SCHEMA)]
    for delivery, part in _parts(refused, sources, end):
        landed_on = delivery.received_at.astimezone(ZoneInfo(time_zone)).date()
        told = check(part.table, part.received, delivery.received_at, headers=part.headers).rows
        last = told["date"].max() or landed_on
        people = part.received.rows.select(pl.col("enrolment_id").cast(pl.String).drop_nulls().unique())
        known = warehouse.as_known_at(layout(part.table), end, columns=["enrolment_id", "date"], among=people)
        heard_since = known.filter(pl.col("date") >= last)
        people = people.join(heard_since, on="enrolment_id", how="anti")
        found.append(people.with_columns(heard_on=pl.lit(landed_on - dt.timedelta(days=1), pl.Date)))
    return pl.concat(found).group_by("enrolment_id").agg(pl.col("heard_on").min()).sort("enrolment_id")


def _parts(refused: Path, sources: Mapping[str, Source], end: dt.datetime) -> Iterator[tuple[Delivery, Part]]:
    folder = refused.with_name(HELD)
    for name, _ in held_files(refused):
        path = folder / name
        if not path.is_file():
            continue
        delivery = delivery_at(path, folder, dt.datetime.max.replace(tzinfo=dt.UTC), sources)
        if not end - LOOK_BACK <= delivery.received_at <= end:
            continue
        try:
            parts = read_parts(delivery, sources)
        except RefusedFileError:
            continue  # Its mapping has changed since; the night's account names the file all the same.
        yield from ((delivery, part) for part in parts if part.table.name in DAILY)
