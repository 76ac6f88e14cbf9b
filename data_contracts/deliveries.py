"""From a file in the landing folder to rows of the tables it feeds; a file that cannot be read is refused whole."""

from __future__ import annotations

import datetime as dt
import difflib
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from data_contracts.catalogue import OWN_COLUMNS, TABLES, DeliveredTable
from data_contracts.readers import parquet, text, workbook
from data_contracts.readers.received import LINE, Received, Shape
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from data_contracts.sources.mapping import Source

ENDINGS = (".csv", ".csv.gz", ".parquet", ".xlsx")
MENDED: Final = "quarantine"
"""In the place of a source: rows that come back out of the quarantine, `landing/quarantine/<table>/<delivery>.csv`."""
_CANONICAL, _MAPPED = 2, 3
"""Parts of a path below the landing folder: `<table>/<file>`, `<source>/<table>/<file>`."""


@dataclass(frozen=True)
class Delivery:
    """One file that landed: where it lies, which table it claims to hold, whose it is, when it came."""

    path: Path
    name: str
    """Path below the landing folder, as shown to people."""
    table: str
    received_at: dt.datetime
    source: str | None = None
    """Whose mapping reads it; None in canonical names."""

    def fingerprint(self) -> str:
        """SHA-256 of the source's and table's names and the file's bytes: the same file delivered twice has the same."""
        digest = hashlib.sha256(f"{self.source}/{self.table}\n".encode() if self.source else f"{self.table}\n".encode())
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True)
class Part:
    """What a delivery says of one table."""

    table: DeliveredTable
    received: Received
    """In the columns of the table."""
    headers: Mapping[str, str]
    """Under which name the sender knows a column, where it is another."""
    full: bool = False
    """True when what it does not tell is no longer so."""
    note: str = ""
    """What about the file deserves a look."""


def landed(landing: Path, now: dt.datetime, sources: Collection[str] = ()) -> list[Delivery]:
    """Files waiting in `landing/<table>/` and `landing/<source>/<table>/`: by table, then the oldest first, then by name.

    By name alone, 01-03-2026 would come before the 28-02-2026 that it corrects, and lose to it where both are dated after a night that ran.
    A delivery's own time is the file's modification time, never later than `now`. Hidden and partial files are left alone.
    """
    order = {name: place for place, name in enumerate(TABLES)}
    files = (path for path in landing.rglob("*") if path.is_file() and not path.name.startswith((".", "~")) and path.suffix != ".part")
    deliveries = [delivery_at(path, landing, now, sources) for path in files]
    return sorted(deliveries, key=lambda delivery: (order.get(delivery.table, len(order)), delivery.received_at, delivery.name))


def delivery_at(path: Path, landing: Path, now: dt.datetime, sources: Collection[str] = ()) -> Delivery:
    """The delivery that a file below `landing` is."""
    parts = path.relative_to(landing).parts
    mapped = len(parts) == _MAPPED and (parts[0] in sources or parts[0] == MENDED)
    received_at = min(now, dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC))
    return Delivery(path, "/".join(parts), parts[1] if mapped else parts[0], received_at, parts[0] if mapped else None)


def stream(delivery_name: str) -> str:
    """What stays the same from one delivery of a sender to the next: the path without its digits."""
    return re.sub(r"\d+", "", delivery_name)


def read_parts(delivery: Delivery, sources: Mapping[str, Source]) -> list[Part]:
    """Read a file as it is, without believing it: one part for a canonical table, one for each that a mapping makes of it.

    Raises:
        RefusedFileError: unknown table or ending, undecodable bytes, truncated archive, missing, unknown or repeated column.
    """
    source = sources.get(delivery.source or "")
    if source:
        from data_contracts.sources.conversion import parts_of

        return parts_of(delivery, source)
    table = TABLES.get(delivery.table)
    if table is None or delivery.name.count("/") + 1 != (_MAPPED if delivery.source else _CANONICAL):
        known = f" A source with a mapping has landing/<source>/<table>/; known: {', '.join(sorted(sources))}." if sources else ""
        raise RefusedFileError(
            f"{delivery.name}: '{delivery.table}' is not a table of the contract.",
            f"Put the file in landing/<table>/, where <table> is one of {', '.join(TABLES)}.{known}",
        )
    received = read_rows(delivery.path, delivery.name, Shape())
    if delivery.source == MENDED and ORIGIN_LINE in received.rows.columns:
        received = _as_lines_of_origin(received)
    _check_header(delivery, table, [column for column in received.rows.columns if column != LINE])
    return [Part(table, received, {})]


ORIGIN_LINE: Final = "origin_line"
"""In a file that comes back out of the quarantine: the line of the file it was set aside from."""


def _as_lines_of_origin(received: Received) -> Received:
    import polars as pl

    rows = received.rows.with_columns(pl.col(ORIGIN_LINE).cast(pl.Int64, strict=False).fill_null(pl.col(LINE)).alias(LINE))
    return Received(rows.drop(ORIGIN_LINE), received.faults)


def read_rows(path: Path, name: str, shape: Shape) -> Received:
    """A file's rows in its own columns, whatever kind of file it is.

    Raises:
        RefusedFileError: it cannot be read.
    """
    ending = path.name.lower()
    if ending.endswith(".parquet"):
        return parquet.read(path, name)
    if ending.endswith(".xlsx"):
        return workbook.read(path, name, shape)
    if ending.endswith((".csv", ".csv.gz", ".txt")):
        return text.read(path, name, shape)
    raise RefusedFileError(f"{name}: this kind of file is not read.", f"Deliver one of {', '.join(ENDINGS)}.")


def _check_header(delivery: Delivery, table: DeliveredTable, columns: list[str]) -> None:
    contract = table.schema.columns()
    missing = [name for name, column in contract.items() if name not in columns and not column.nullable and name not in OWN_COLUMNS]
    unknown = [name for name in columns if name not in contract]
    complain_of_header(delivery.name, 1, missing, unknown, list(contract), f"Columns of {table.name}: {', '.join(contract)}.")


def complain_of_header(name: str, line: int, missing: list[str], unknown: list[str], known: list[str], remedy: str) -> None:
    """Refuse a header with columns missing or unknown, with the nearest known name of each.

    Raises:
        RefusedFileError: where one is.
    """
    if not missing and not unknown:
        return
    faults = []
    if missing:
        faults.append(f"missing column {', '.join(missing)}")
    if unknown:
        near = {column: difflib.get_close_matches(column, known, n=1) for column in unknown}
        faults.append(
            "unknown column " + ", ".join(f"{column} (did you mean {match[0]}?)" if match else column for column, match in near.items())
        )
    raise RefusedFileError(f"{name}, line {line}: {'; '.join(faults)}.", remedy)
