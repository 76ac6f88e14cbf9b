"""Take what landed into the warehouse: accepted rows as layers, bad rows to quarantine, bad files to `refused/`."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.archive import Archive, Kept
from data_contracts.border import Checked, check
from data_contracts.catalogue import TABLES, DeliveredTable
from data_contracts.deliveries import LINE, Delivery, landed, read_delivery
from data_contracts.tables.ledger import Deliveries, Quarantine
from vigie.errors import RefusedFileError
from vigie.files import write_whole
from vigie.store import Layout, Warehouse

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    import dataframely as dy

    from vigie.settings import Home

    PrivateSink = Callable[[str, pl.DataFrame], None]
    """Takes a table's name and its rows: key, known_on and the columns that name a person."""


def ledger_layout(name: str, schema: type[dy.Schema]) -> Layout:
    """How a plain table of the service itself is stored."""
    return Layout(name, {column: definition.dtype for column, definition in schema.columns().items()})


DELIVERIES = ledger_layout("deliveries", Deliveries)
QUARANTINE = ledger_layout("quarantine", Quarantine)


def layout(table: DeliveredTable) -> Layout:
    """How a delivered table is stored: its public columns, in layers."""
    columns = table.schema.columns()
    return Layout(table.name, {name: columns[name].dtype for name in table.public}, table.key)


@dataclass(frozen=True)
class Receipt:
    """What became of one file."""

    table: str
    file: str
    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    quarantined: int = 0
    refused: str | None = None
    """Why the whole file was refused, with the remedy."""


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


def ingest(
    home: Home,
    warehouse: Warehouse,
    private: PrivateSink,
    now: dt.datetime,
    *,
    not_before: dt.datetime | None = None,
    taken_for: dt.date | None = None,
    assumed_lag: dt.timedelta | None = None,
    on_receipt: Callable[[Receipt], None] | None = None,
) -> Intake:
    """Take every file of `landing/` that was not taken before; files stay where they are, refused ones move to `refused/`.

    Each file is one transaction: a night killed in the middle takes the rest when it runs again.

    Args:
        home: `landing/<table>/<file>`; `refused/`, where unreadable files go with a `.reason.txt` beside each; and `archive/`, which has
            each accepted delivery before the warehouse does.
        warehouse: open for writing, in step with the archive (`data_contracts.rebuild`).
        private: where columns that name a person go; they never enter the warehouse.
        now: no delivery is dated later than this, unless the clock went back since the last one.
        not_before: no delivery is dated earlier, whatever its file says: nights before did not know it.
        taken_for: as-of date of the night that takes them.
        assumed_lag: see `data_contracts.border.check`.
        on_receipt: called after each file, to show progress.
    """
    warehouse.create_ledger(DELIVERIES)
    warehouse.create_ledger(QUARANTINE)
    ledger = warehouse.read(DELIVERIES)
    taken, number = set(ledger["delivery_id"]), ledger.height
    now = max([now, *ledger.select(pl.col("received_at").max()).to_series().drop_nulls()])
    intake, archive = Intake(), Archive(home.archive)
    for found in landed(home.landing, now):
        delivery = replace(found, received_at=max(found.received_at, not_before or found.received_at))
        fingerprint = delivery.fingerprint()
        if fingerprint in taken:
            intake.known_before += 1
            continue
        try:
            received = read_delivery(delivery)
        except RefusedFileError as error:
            _refuse(delivery, home.refused, error)
            receipt = Receipt(delivery.table, delivery.name, refused=str(error))
        else:
            number += 1
            checked = check(TABLES[delivery.table], received, delivery.received_at, assumed_lag)
            receipt = _load(_Entry(delivery, fingerprint, number, taken_for), checked, warehouse, archive, private)
            taken.add(fingerprint)
        intake.receipts.append(receipt)
        if on_receipt:
            on_receipt(receipt)
    return intake


@dataclass(frozen=True)
class _Entry:
    delivery: Delivery
    fingerprint: str
    number: int
    taken_for: dt.date | None


def _load(entry: _Entry, checked: Checked, warehouse: Warehouse, archive: Archive, private: PrivateSink) -> Receipt:
    delivery = entry.delivery
    table = TABLES[delivery.table]
    if table.private:
        # Before the warehouse: killed in between, the file is taken again, and the sink keeps one row for one fact.
        private(table.name, checked.rows.select(*table.key, "known_on", *table.private))
    quarantined = checked.quarantine["line"].n_unique()
    with warehouse.transaction():
        kept = warehouse.append_layers(layout(table), checked.rows, entry.number) if table.in_warehouse else checked.rows.height
        unchanged = checked.rows.height - kept + checked.repeated
        receipt = Receipt(table.name, delivery.name, kept + unchanged + quarantined, kept, unchanged, quarantined)
        origin = {"delivery_id": entry.fingerprint, "table": table.name, "file": delivery.name}
        counts = {"rows_read": receipt.read, "loaded": kept, "unchanged": unchanged, "quarantined": quarantined}
        when = {"received_at": delivery.received_at, "taken_for": entry.taken_for}
        line = pl.DataFrame([{"number": entry.number} | origin | when | counts], schema=dict(DELIVERIES.columns))
        faults = checked.quarantine.with_columns(pl.lit(value).alias(name) for name, value in origin.items())
        rows = checked.rows.select(*table.public, LINE)
        taken = Kept(Deliveries.validate(line), rows, Quarantine.validate(faults.select(list(QUARANTINE.columns))))
        # Before the warehouse says that it has it: killed in between, the next run takes it from the archive.
        archive.keep(taken)
        enter(taken, warehouse)
    return receipt


def enter(taken: Kept, warehouse: Warehouse) -> None:
    """Write a delivery's lines in the warehouse's own tables; its rows are appended before, in the same transaction."""
    warehouse.append(DELIVERIES.name, taken.receipt)
    warehouse.append(QUARANTINE.name, taken.quarantine)


def _refuse(delivery: Delivery, refused: Path, error: RefusedFileError) -> None:
    target = refused / delivery.name
    write_whole(target.with_name(target.name + ".reason.txt"), lambda part: part.write_text(f"{error}\n", encoding="utf-8"))
    shutil.move(delivery.path, target)
