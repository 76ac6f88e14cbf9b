"""Take what landed: accepted rows to the warehouse as layers, bad rows to quarantine, bad files to `refused/`, doubtful ones to `held/`."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from data_contracts import guards
from data_contracts.archive import Archive, Kept
from data_contracts.border import Checked, check
from data_contracts.deliveries import Delivery, Part, landed, read_parts
from data_contracts.erased import MARK, leave_out, naming
from data_contracts.readers.received import LINE, refusing
from data_contracts.sources.stripping import strip
from data_contracts.tables.ledger import Deliveries, Quarantine
from vigie.errors import RefusedFileError
from vigie.files import write_whole_text
from vigie.rules import DeliveryLimits
from vigie.store import Layout, Warehouse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    import dataframely as dy

    from data_contracts.catalogue import DeliveredTable
    from data_contracts.sources.mapping import Source
    from vigie.erasures import Erasures

    PrivateSink = Callable[[str, pl.DataFrame], None]
    """Takes a table's name and its rows: key, known_on, withdrawn and the columns that name a person."""


def ledger_layout(name: str, schema: type[dy.Schema]) -> Layout:
    """How a plain table of the service itself is stored."""
    return Layout(name, {column: definition.dtype for column, definition in schema.columns().items()})


DELIVERIES = ledger_layout("deliveries", Deliveries)
QUARANTINE = ledger_layout("quarantine", Quarantine)
ARCHIVE = "archive"
"""Folder beside `refused` in which each accepted delivery is kept."""
HELD = "held"
"""Folder beside `refused` for files that the guards hold back, each with its reason."""


def layout(table: DeliveredTable) -> Layout:
    """How a delivered table is stored: its public columns, in layers."""
    columns = table.schema.columns()
    return Layout(table.name, {name: columns[name].dtype for name in table.public}, table.key)


@dataclass(frozen=True)
class Receipt:
    """What became of one file, for one of the tables it feeds."""

    table: str
    file: str
    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    quarantined: int = 0
    refused: str | None = None
    """Why the whole file was refused, with the remedy."""
    held: str | None = None
    """Why the whole file was held back, with the remedy."""
    withdrawn: int = 0
    """Facts that a full export told before and tells no more."""
    note: str | None = None
    """What about it deserves a look."""
    delivery_id: str = ""
    """In the ledger, of what was taken."""


@dataclass
class Intake:
    """What became of all that landed. For every file: read = loaded + unchanged + quarantined."""

    receipts: list[Receipt] = field(default_factory=list)
    known_before: int = 0
    """Files whose very bytes were taken already."""

    def by_table(self) -> pl.DataFrame:
        """Rows read, loaded, unchanged and quarantined, by table."""
        schema = {"table": pl.String, "read": pl.Int64, "loaded": pl.Int64, "unchanged": pl.Int64, "quarantined": pl.Int64}
        rows = [(r.table, r.read, r.loaded, r.unchanged, r.quarantined) for r in self.receipts if r.refused is None]
        return pl.DataFrame(rows, schema=schema, orient="row").group_by("table", maintain_order=True).sum()

    @property
    def refused(self) -> list[Receipt]:
        """Files refused whole."""
        return [receipt for receipt in self.receipts if receipt.refused is not None]

    @property
    def held(self) -> list[Receipt]:
        """Files held back."""
        return [receipt for receipt in self.receipts if receipt.held is not None]


@dataclass(frozen=True)
class Reception:
    """How deliveries are read and judged."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    """Mappings by source."""
    limits: DeliveryLimits = field(default_factory=DeliveryLimits)
    """What a delivery may look like before it is held back."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Sources whose mapping cannot stand, with why: their files wait."""
    released: Collection[str] = ()
    """Fingerprints of files that somebody let pass after they were held back."""
    erased: Erasures | None = None
    """People who are left out of every delivery; a file that named one does not stay in the landing folder."""


@dataclass(frozen=True)
class Arrival:
    """A file that could be read, with what it says of each table."""

    delivery: Delivery
    fingerprint: str
    parts: list[Part]
    checked: list[Checked]
    taken_for: dt.date | None
    source: Source | None

    def identity(self, place: int) -> str:
        """Of what it says of one table: that of the file for the first."""
        return identity(self.fingerprint, place)


def identity(fingerprint: str, place: int) -> str:
    """Of what a file says of one table: that of the file for the first."""
    return hashlib.sha256(f"{fingerprint}/{place}".encode()).hexdigest() if place else fingerprint


def ingest(  # noqa: PLR0913 - folders, stores and what the caller wants of them
    landing: Path,
    refused: Path,
    warehouse: Warehouse,
    private: PrivateSink,
    now: dt.datetime,
    *,
    not_before: dt.datetime | None = None,
    taken_for: dt.date | None = None,
    assumed_lag: dt.timedelta | None = None,
    on_receipt: Callable[[Receipt], None] | None = None,
    reception: Reception | None = None,
) -> Intake:
    """Take every file of `landing` that was not taken before; files stay where they are, refused ones move to `refused`.

    Each file is one transaction: a night killed in the middle takes the rest when it runs again. A file that the guards hold back moves to
    `held/`, beside `refused`.

    Args:
        landing: `landing/<table>/<file>` and `landing/<source>/<table>/<file>`.
        refused: where unreadable files go, with a `.reason.txt` beside each.
        warehouse: open for writing, in step with `archive/` (`data_contracts.rebuild`), which has each accepted delivery before it does.
        private: where columns that name a person go; they never enter the warehouse.
        now: no delivery is dated later than this, unless the clock went back since the last one.
        not_before: no delivery is dated earlier, whatever its file says: nights before did not know it.
        taken_for: as-of date of the night that takes them.
        assumed_lag: see `data_contracts.border.check`.
        on_receipt: called after each file, to show progress.
        reception: how deliveries are read and judged; canonical names alone and the usual limits when None.
    """
    for kept in (DELIVERIES, QUARANTINE):
        warehouse.create_ledger(kept)
    ledger = warehouse.read(DELIVERIES)
    taken, number = set(ledger["delivery_id"]), ledger.height
    told_of_erased = naming(ledger)
    past = ledger.select(guards.PAST)
    reception = reception or Reception()
    sources = reception.sources
    intake, archive = Intake(), Archive(refused.with_name(ARCHIVE))
    now = max([now, *ledger["received_at"]])
    for found in landed(landing, now, {*sources, *reception.broken}):
        delivery = replace(found, received_at=max(found.received_at, not_before or found.received_at))
        if why := reception.broken.get(delivery.source or ""):
            intake.receipts.append(Receipt(delivery.table, delivery.name, refused=why))
            continue
        source = sources.get(delivery.source or "")
        try:
            with refusing(delivery.name):
                fingerprint = delivery.fingerprint()
                if fingerprint not in taken and strip(delivery, source):
                    fingerprint = delivery.fingerprint()
                if fingerprint in taken:
                    intake.known_before += 1
                    _clear(delivery, naming=fingerprint in told_of_erased)
                    continue
                parts = leave_out(read_parts(delivery, sources), reception.erased, now.date())
                checked = _checked(delivery, parts, source, assumed_lag)
        except RefusedFileError as error:
            set_aside(delivery.path, delivery.name, refused, str(error))
            receipts = [Receipt(delivery.table, delivery.name, refused=str(error))]
        else:
            arrival = Arrival(delivery, fingerprint, parts, checked, taken_for, source)
            verdict = guards.Verdict() if fingerprint in reception.released else guards.judge(arrival, warehouse, reception.limits, past)
            if verdict.held is None:
                receipts = _take(arrival, verdict, (warehouse, archive), private, taken, number)
                past = pl.concat([past, _entries(receipts, number, past)])
                number += len(receipts)
                _clear(delivery, naming=any(MARK in part.note for part in parts))
            else:
                set_aside(delivery.path, delivery.name, refused.with_name(HELD), verdict.held)
                receipts = [_held(part, delivery, verdict.held) for part in parts]
        intake.receipts += receipts
        _tell(receipts, on_receipt)
    return intake


def _tell(receipts: list[Receipt], on_receipt: Callable[[Receipt], None] | None) -> None:
    for receipt in receipts:
        if on_receipt:
            on_receipt(receipt)


def _clear(delivery: Delivery, *, naming: bool) -> None:
    """A file that was taken and names people who were erased does not stay: the archive has the others' rows."""
    if naming:
        delivery.path.unlink()


def _checked(delivery: Delivery, parts: list[Part], source: Source | None, assumed_lag: dt.timedelta | None) -> list[Checked]:
    lag, until = source.history_of(delivery.table, assumed_lag) if source else (assumed_lag, None)
    return [check(part.table, part.received, delivery.received_at, lag, until, part.headers) for part in parts]


def _entries(receipts: list[Receipt], number: int, past: pl.DataFrame) -> pl.DataFrame:
    """What the guards will know of deliveries just taken, without reading the ledger again."""
    rows = [(number + place, one.delivery_id, one.table, one.file, one.read) for place, one in enumerate(reversed(receipts), 1)]
    return pl.DataFrame(rows, schema=past.schema, orient="row")


def _held(part: Part, delivery: Delivery, why: str) -> Receipt:
    read = part.received.read
    return Receipt(part.table.name, delivery.name, read, 0, 0, read, held=why)


def _take(
    arrival: Arrival, verdict: guards.Verdict, stores: tuple[Warehouse, Archive], private: PrivateSink, taken: set[str], number: int
) -> list[Receipt]:
    """Load every part; the file's own fingerprint comes last, so that a file of which some parts are missing is taken again."""
    receipts: list[Receipt] = []
    for place, part in reversed(list(enumerate(arrival.parts))):
        if part.table.private:
            # Before the warehouse: killed in between, the file is taken again, and the sink keeps one row for one fact.
            rows = arrival.checked[place].rows
            rows = pl.concat([rows, verdict.withdrawn.get(place, rows.clear())], how="diagonal")
            private(part.table.name, rows.select(*part.table.key, "known_on", "withdrawn", *part.table.private))
    with stores[0].transaction():
        for place in reversed(range(len(arrival.parts))):
            if arrival.identity(place) not in taken:
                receipts.append(_load(arrival, place, verdict, *stores, number + len(receipts) + 1))
    taken |= {arrival.identity(place) for place in range(len(arrival.parts))}
    return receipts[::-1]


def _load(arrival: Arrival, place: int, verdict: guards.Verdict, warehouse: Warehouse, archive: Archive, number: int) -> Receipt:
    part, delivery = arrival.parts[place], arrival.delivery
    table, doubts = part.table, verdict.set_aside.get(place)
    checked = _without(arrival.checked[place], doubts)
    doubted = None if doubts is None else arrival.checked[place].rows.join(doubts, on=LINE, how="semi").select(*table.public, LINE)
    gone = verdict.withdrawn.get(place, checked.rows.clear())
    rows = pl.concat([checked.rows.select(*table.public, LINE), gone.select(*table.public, LINE)])
    kept = warehouse.append_layers(layout(table), rows, number) - gone.height if table.in_warehouse else checked.rows.height
    unchanged = checked.rows.height - kept + checked.repeated
    receipt = Receipt(
        table.name,
        delivery.name,
        part.received.read,
        kept,
        unchanged,
        checked.quarantine[LINE].n_unique(),
        withdrawn=gone.height,
        note=verdict.note,
        delivery_id=arrival.identity(place),
    )
    origin = {"delivery_id": receipt.delivery_id, "table": table.name, "file": delivery.name}
    counts = {"rows_read": receipt.read, "loaded": kept, "unchanged": unchanged, "quarantined": receipt.quarantined}
    how = {"source": delivery.source, "mapping": arrival.source.version if arrival.source else None, "note": verdict.note}
    when = {"number": number, "received_at": delivery.received_at, "taken_for": arrival.taken_for, "withdrawn": gone.height}
    entry = pl.DataFrame([origin | counts | how | when], schema=dict(DELIVERIES.columns))
    faults = checked.quarantine.with_columns(pl.lit(value).alias(name) for name, value in origin.items())
    taken = Kept(Deliveries.validate(entry), rows, Quarantine.validate(faults.select(list(QUARANTINE.columns))), doubted)
    # Before the warehouse says that it has it: killed in between, the next run takes it from the archive.
    archive.keep(taken)
    enter(taken, warehouse)
    return receipt


def enter(taken: Kept, warehouse: Warehouse) -> None:
    """Write a delivery's lines in the warehouse's own tables; its rows are appended before, in the same transaction."""
    warehouse.append(DELIVERIES.name, taken.receipt)
    warehouse.append(QUARANTINE.name, taken.quarantine)


def _without(checked: Checked, doubted: pl.DataFrame | None) -> Checked:
    """The same, with rows that are not believed in the quarantine."""
    if doubted is None:
        return checked
    return replace(checked, rows=checked.rows.join(doubted, on=LINE, how="anti"), quarantine=pl.concat([checked.quarantine, doubted]))


def set_aside(path: Path, name: str, folder: Path, why: str) -> Path:
    """Move a file to a folder, with the reason beside it; where to.

    Args:
        path: the file.
        name: its path below the folder it comes from.
        folder: `refused/` or `held/`.
        why: the reason.
    """
    target = free_place(path, folder / name)
    write_whole_text(target.with_name(f"{target.name}.reason.txt"), f"{why}\n")
    shutil.move(path, target)
    return target


def free_place(path: Path, wanted: Path) -> Path:
    """Where a file may be moved without writing over another of the name: `2~name`, `3~name` if need be."""
    target, number = wanted, 1
    while target.exists() and target.read_bytes() != path.read_bytes():
        number += 1
        target = wanted.with_name(f"{number}~{wanted.name}")
    return target
