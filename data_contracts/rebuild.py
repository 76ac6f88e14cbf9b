"""The warehouse follows from the archive: brought up to date with it, or made again from nothing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_contracts.archive import REMEDY, Archive, Kept, expected
from data_contracts.catalogue import TABLES
from data_contracts.ingest import DELIVERIES, QUARANTINE, enter, layout
from data_contracts.tables.ledger import Deliveries
from vigie.errors import DamagedArchiveError, DamagedWarehouseError
from vigie.store import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Say = Callable[[str], None]
    """Told how far a long work is."""


def in_step(warehouse: Warehouse, archive: Archive, say: Say) -> None:
    """Bring a whole warehouse and its archive to the same deliveries, in whichever direction one is behind.

    A night killed between the two leaves the archive ahead; a restored or older warehouse file too. An archive that lost something gets
    it back from the warehouse: the layers a delivery left are all that a rebuild needs of it.

    Args:
        warehouse: open, without faults.
        archive: its archive.
        say: told at each delivery.

    Raises:
        DamagedArchiveError: they do not belong together, or an entry that is needed is damaged.
    """
    for ledger in (DELIVERIES, QUARANTINE):
        warehouse.create_ledger(ledger)
    there, kept = expected(warehouse.read(DELIVERIES)), archive.names()
    for place, name in enumerate(lost := [name for name in there if name not in set(kept)], 1):
        say(f"writing the archive again: {place} of {len(lost)}")
        archive.keep(_from_warehouse(warehouse, int(name.partition("-")[0])))
    ahead = sorted(set(kept) - set(there))
    for place, name in enumerate(ahead, 1):
        say(f"taking deliveries from the archive: {place} of {len(ahead)}")
        take(warehouse, archive.read(name), len(there) + place)


def rebuild(path: Path, archive: Archive, threads: int, say: Say) -> int:
    """Make the warehouse again from the archive and put the former file aside as `<name>.damaged`; how many deliveries it holds.

    Killed in the middle, it leaves the former file where it was.

    Raises:
        DamagedArchiveError: nothing is archived, or an entry is damaged or missing.
    """
    names = archive.names()
    if not names:
        remedy = "Put the file aside and run: vigie ingest. What still lies in landing/ is taken again."
        raise DamagedArchiveError(f"There is no archive in {archive.root} to make {path} from.", remedy)
    with made_whole(path, threads) as warehouse:
        in_step(warehouse, archive, say)
    return len(names)


@contextmanager
def made_whole(path: Path, threads: int, *, keep_former: bool = True) -> Iterator[Warehouse]:
    """A new warehouse to fill in the block, which then takes the place of `path`; the former is put aside, or deleted.

    Raises:
        DamagedWarehouseError: what was just written is not whole; the former stays.
    """
    new, aside = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.damaged")
    for left in (new, _log(new)):
        left.unlink(missing_ok=True)
    with Warehouse(new, threads) as warehouse:
        yield warehouse
        faults = warehouse.faults()
    if faults:
        raise DamagedWarehouseError(f"The warehouse just made is not whole: {faults[0]}.", "Check the disk, then run: vigie rebuild.")
    for old, kept in ((path, aside), (_log(path), _log(aside))):
        kept.unlink(missing_ok=True)
        if old.exists():
            old.rename(kept)
    new.rename(path)
    if not keep_former:
        for former in (aside, _log(aside)):
            former.unlink(missing_ok=True)


def _log(path: Path) -> Path:
    """DuckDB's log beside a file: what was committed and not yet folded in."""
    return path.with_name(f"{path.name}.wal")


def take(warehouse: Warehouse, taken: Kept, number: int) -> None:
    """Enter an archived delivery as the next one.

    Raises:
        DamagedArchiveError: it is not the next, or gives other rows than its receipt says.
    """
    receipt = taken.receipt.row(0, named=True)
    if receipt["number"] != number:
        what = f"The archive goes on with delivery {receipt['number']} where the warehouse needs delivery {number}."
        raise DamagedArchiveError(what, REMEDY)
    table = TABLES[receipt["table"]]
    with warehouse.transaction():
        loaded = receipt["loaded"]
        if table.in_warehouse:
            loaded = warehouse.append_layers(layout(table), taken.rows, number) - receipt["withdrawn"]
        if loaded != receipt["loaded"]:
            what = f"Delivery {number} ({receipt['file']}) gives {loaded} new rows where its receipt says {receipt['loaded']}."
            raise DamagedArchiveError(what, REMEDY)
        enter(taken, warehouse)


def _from_warehouse(warehouse: Warehouse, number: int) -> Kept:
    receipt = warehouse.read(DELIVERIES).filter(number=number)
    quarantine = warehouse.read(QUARANTINE).join(receipt, on="delivery_id", how="semi", maintain_order="left")
    rows = warehouse.delivered(layout(TABLES[receipt["table"][0]]), number)
    return Kept(Deliveries.validate(receipt), rows, quarantine)
