"""Whom a file that the guards hold back, or rows they set aside, tell of: what is not believed must not be read as silence either."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import polars as pl

from data_contracts.archive import Archive, expected
from data_contracts.catalogue import TABLES
from data_contracts.deliveries import Delivery, Part, delivery_at, read_parts
from data_contracts.guards import NOBODY_CAME
from data_contracts.ingest import ARCHIVE, DELIVERIES, HELD, QUARANTINE, layout
from data_contracts.quarantine import held_files
from vigie.clock import end_of_day
from vigie.errors import DamagedArchiveError, RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from data_contracts.catalogue import DeliveredTable
    from data_contracts.sources.mapping import Source
    from vigie.store import Warehouse

LOOK_BACK: Final = dt.timedelta(days=30)
"""A file held for longer is a matter for the rhythm of its source (`data_contracts.rhythm`)."""
DAILY: Final = ("attendance", "activity")
"""Tables whose missing facts could be read as absence; both have enrolment_id and date."""
_EVER: Final = dt.datetime.max.replace(tzinfo=dt.UTC)
SCHEMA: Final = {"enrolment_id": pl.String, "heard_on": pl.Date}


@dataclass(frozen=True)
class _Doubted:
    """What a file tells of one table, and is not believed."""

    table: DeliveredTable
    received_at: dt.datetime
    told: pl.DataFrame
    """enrolment_id and date, as received."""


def concerned(refused: Path, warehouse: Warehouse, sources: Mapping[str, Source], as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """People of files that were held back when the night of `as_of` ended, or of rows set aside, until facts as recent are known of them.

    Args:
        refused: folder beside `held/` and `archive/`.
        warehouse: open.
        sources: mappings by source.
        as_of: the night.
        time_zone: in which as-of dates end.

    Returns:
        enrolment_id, and heard_on: the last night before the file landed.
    """
    end = end_of_day(as_of, time_zone)
    found = [pl.DataFrame(schema=SCHEMA)]
    for doubted in (*_held(refused, sources, end), *_set_aside(Archive(refused.with_name(ARCHIVE)), warehouse, end)):
        landed_on = doubted.received_at.astimezone(ZoneInfo(time_zone)).date()
        people = _last_told(doubted.told, landed_on)
        known = warehouse.as_known_at(layout(doubted.table), end, columns=list(people.columns), among=people.select("enrolment_id"))
        # Each beside their own last day: who stopped before the others of the file is told no more by a corrected one.
        heard_since = known.join(people, on="enrolment_id", suffix="_told").filter(pl.col("date") >= pl.col("date_told"))
        waiting = people.select("enrolment_id").join(heard_since, on="enrolment_id", how="anti")
        found.append(waiting.with_columns(heard_on=pl.lit(landed_on - dt.timedelta(days=1), pl.Date)))
    return pl.concat(found).group_by("enrolment_id").agg(pl.col("heard_on").min()).sort("enrolment_id")


def _last_told(told: pl.DataFrame, landed_on: dt.date) -> pl.DataFrame:
    """enrolment_id, and the last date up to the landing that a file tells of each: that of all of them where none can be read."""
    day = pl.col("date").cast(pl.String).str.strip_chars().str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    rows = told.select(pl.col("enrolment_id").cast(pl.String).str.strip_chars(), day).drop_nulls("enrolment_id")
    lasts = rows.group_by("enrolment_id").agg(pl.col("date").filter(pl.col("date") <= landed_on).max())
    return lasts.with_columns(pl.col("date").fill_null(pl.col("date").max()).fill_null(landed_on))


def _held(refused: Path, sources: Mapping[str, Source], end: dt.datetime) -> Iterator[_Doubted]:
    folder = refused.with_name(HELD)
    for name, _ in held_files(refused):
        if (folder / name).is_file():
            delivery = delivery_at(folder / name, folder, _EVER, sources)
            if end - LOOK_BACK <= delivery.received_at <= end:
                yield from (_Doubted(part.table, delivery.received_at, part.received.rows) for part in _parts(delivery, sources))


def _set_aside(archive: Archive, warehouse: Warehouse, end: dt.datetime) -> Iterator[_Doubted]:
    """Out of the archive: the file they came in may be written over by the next one of its name."""
    ledger = warehouse.read(DELIVERIES).filter(pl.col("received_at").is_between(end - LOOK_BACK, end), pl.col("table").is_in(DAILY))
    for name in expected(ledger.join(warehouse.read(QUARANTINE).filter(reason=NOBODY_CAME), on="delivery_id", how="semi")):
        try:
            kept = archive.read(name)
        except DamagedArchiveError:
            continue  # The doctor names it; a night goes on.
        if kept.doubted is not None:
            receipt = kept.receipt.row(0, named=True)
            yield _Doubted(TABLES[receipt["table"]], receipt["received_at"], kept.doubted)


def _parts(delivery: Delivery, sources: Mapping[str, Source]) -> list[Part]:
    try:
        return [part for part in read_parts(delivery, sources) if part.table.name in DAILY]
    except RefusedFileError:
        return []  # Its mapping has changed since; the night's account names the file all the same.
