"""People who were erased, taken out of the deliveries that are kept: archive, warehouse, landing folder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.archive import Kept
from data_contracts.catalogue import TABLES
from data_contracts.deliveries import landed, read_parts, read_rows
from data_contracts.erased import lines_of_theirs, naming, noted, theirs
from data_contracts.ingest import DELIVERIES, QUARANTINE, enter, layout
from data_contracts.readers.received import LINE, Shape
from data_contracts.rebuild import made_whole, take
from data_contracts.tables.ledger import Deliveries, Quarantine
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from data_contracts.archive import Archive
    from data_contracts.deliveries import Delivery
    from data_contracts.rebuild import Say
    from data_contracts.sources.mapping import Source
    from vigie.erasures import Whom
    from vigie.store import Warehouse


@dataclass(frozen=True)
class Emptied:
    """What was taken out of what is kept of deliveries."""

    deliveries: int = 0
    rows: int = 0


def found_in(archive: Archive, erased: Whom, say: Say) -> Emptied:
    """What `empty` would take out, nothing being changed."""
    names = archive.names()
    say(f"looking through the archive: {len(names)} deliveries")
    counts = [_theirs_in(archive.read(name), erased) for name in names]
    return Emptied(sum(count > 0 for count in counts), sum(counts))


def empty(path: Path, archive: Archive, erased: Whom, threads: int, say: Say) -> Emptied:
    """Take people out of the archive, and make the warehouse again from it; the former file is deleted.

    Killed anywhere, it is run again: deliveries that are done are passed over. In between, archive and warehouse do not belong together.

    Args:
        path: the warehouse.
        archive: whole, and in step with the warehouse before the first time.
        erased: who.
        threads: DuckDB may use.
        say: told how far it is.

    Raises:
        DamagedArchiveError: an entry is damaged.
    """
    archive.settle()
    touched = rows = 0
    names = archive.names()
    say(f"going through the archive: {len(names)} deliveries")
    with made_whole(path, threads, keep_former=False) as warehouse:
        for ledger in (DELIVERIES, QUARANTINE):
            warehouse.create_ledger(ledger)
        for number, name in enumerate(names, 1):
            kept = archive.read(name)
            count = _theirs_in(kept, erased)
            if not count:
                take(warehouse, kept, number)
                continue
            with warehouse.transaction():
                rest = _entered(warehouse, _without(kept, erased), number)
            archive.exchange(name, rest)
            touched, rows = touched + 1, rows + count
    return Emptied(touched, rows)


def clear_landing(landing: Path, warehouse: Warehouse, sources: Mapping[str, Source], erased: Whom, now: dt.datetime) -> list[str]:
    """Delete files that were taken and name people who were erased, the archive having the others' rows; their paths below the folder.

    Each is read again: in rows that were set aside they are named as well. What waits to be taken is left to the intake.
    """
    ledger = warehouse.read(DELIVERIES)
    taken, told_of_erased = set(ledger["delivery_id"]), naming(ledger)

    def names_them(file: Delivery) -> bool:
        fingerprint = file.fingerprint()
        return fingerprint in told_of_erased or (fingerprint in taken and _names(file, sources, erased))

    # Also of a source whose mapping is gone, or cannot stand: its files were taken under its name.
    known = {*sources, *(folder.name for folder in landing.iterdir() if folder.is_dir())}
    gone = [file for file in landed(landing, now, known) if names_them(file)]
    for file in gone:
        file.path.unlink()
    return [file.name for file in gone]


def _names(file: Delivery, sources: Mapping[str, Source], erased: Whom) -> bool:
    try:
        parts = read_parts(file, sources)
    except RefusedFileError:
        # Its mapping is gone: nobody can say that it does not.
        return True
    if any(theirs(part.received.rows, erased, names=bool(part.table.private)).any() for part in parts):
        return True
    if all(part.received.faults.is_empty() for part in parts):
        return False
    # As received: a mapping withholds what does not fit.
    source = sources.get(file.source or "")
    raw = read_rows(file.path, file.name, source.files[file.table].shape if source else Shape())
    return lines_of_theirs(raw.faults, erased, names=any(part.table.private for part in parts)).len() > 0


def _mask(rows: pl.DataFrame, kept: Kept, erased: Whom) -> pl.Series:
    return theirs(rows, erased, names=bool(TABLES[kept.receipt["table"][0]].private))


def _theirs_in(kept: Kept, erased: Whom) -> int:
    tables = (kept.rows, kept.doubted)
    return sum(int(_mask(rows, kept, erased).sum()) for rows in tables if rows is not None) + _ragged(kept, erased).len()


def _ragged(kept: Kept, erased: Whom) -> pl.Series:
    return lines_of_theirs(kept.quarantine, erased)


def _without(kept: Kept, erased: Whom) -> Kept:
    """The delivery as if its file had not named them: its receipt counts what is left, but for `loaded` and `unchanged`, see `_entered`."""
    receipt = kept.receipt.row(0, named=True)
    mask = _mask(kept.rows, kept, erased)
    # Facts that a full export tells no more stand last, and are no rows of the file.
    told = pl.int_range(kept.rows.height, eager=True) < kept.rows.height - receipt["withdrawn"]
    ragged = _ragged(kept, erased)
    lines, doubted = int((mask & told).sum()), kept.doubted
    quarantine = kept.quarantine.filter(~pl.col(LINE).is_in(ragged.implode()))
    withdrawn = receipt["withdrawn"] - int((mask & ~told).sum())
    set_aside = ragged.len()
    if doubted is not None:
        doubtful = _mask(doubted, kept, erased)
        gone = doubted.filter(doubtful)[LINE].unique()
        set_aside += gone.len()
        quarantine = quarantine.filter(~pl.col(LINE).is_in(gone.implode()))
        doubted = doubted.filter(~doubtful)
    counts = {
        "rows_read": receipt["rows_read"] - lines - set_aside,
        "quarantined": receipt["quarantined"] - set_aside,
        "unchanged": receipt["unchanged"] + receipt["loaded"] - lines,
        "loaded": 0,
        "withdrawn": withdrawn,
        "note": "; ".join(filter(None, (receipt["note"], noted(lines + set_aside)))),
    }
    entry = kept.receipt.with_columns(pl.lit(value, kept.receipt.schema[name]).alias(name) for name, value in counts.items())
    return Kept(Deliveries.validate(entry), kept.rows.filter(~mask), Quarantine.validate(quarantine), doubted)


def _entered(warehouse: Warehouse, kept: Kept, number: int) -> Kept:
    """Enter what is left, and say in its receipt how many rows of it are new: a row that repeated an erased one may be."""
    receipt = kept.receipt.row(0, named=True)
    table = TABLES[receipt["table"]]
    rows = kept.rows.height - receipt["withdrawn"]
    loaded = warehouse.append_layers(layout(table), kept.rows, number) - receipt["withdrawn"] if table.in_warehouse else rows
    entry = kept.receipt.with_columns(loaded=pl.lit(loaded, pl.Int64), unchanged=pl.lit(receipt["unchanged"] - loaded, pl.Int64))
    rest = replace(kept, receipt=Deliveries.validate(entry))
    enter(rest, warehouse)
    return rest
