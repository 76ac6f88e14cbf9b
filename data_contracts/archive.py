"""The deliveries are the truth: each one that was accepted is kept as it was understood, and never written again, but to erase a person.

`archive/<number>-<table>-<start of its fingerprint>/` holds `rows.parquet` (accepted rows, columns for the warehouse, with their lines),
`quarantine.parquet` (what was set aside) and `receipt.json` (the line of the ledger, and the fingerprint of the other files); where rows
kept the contract and were not believed, also `doubted.parquet`: their file may be written over. Names of people are not in it: they go to
the case store, which backups cover.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from data_contracts.tables.ledger import Deliveries
from vigie.errors import DamagedArchiveError
from vigie.files import write_whole_folder

if TYPE_CHECKING:
    from pathlib import Path

    import dataframely as dy

ROWS: Final = "rows.parquet"
QUARANTINE: Final = "quarantine.parquet"
DOUBTED: Final = "doubted.parquet"
RECEIPT: Final = "receipt.json"
_SHOWN: Final = 16
_NEW: Final = ".new"
_OLD: Final = ".old"
REMEDY: Final = "Restore the archive from a backup (vigie restore), or deliver the files again into an empty home folder."


@dataclass(frozen=True)
class Kept:
    """One delivery as the archive holds it."""

    receipt: dy.DataFrame[Deliveries]
    """One row."""
    rows: pl.DataFrame
    """Accepted rows: columns of the table that the warehouse keeps, and `line`."""
    quarantine: pl.DataFrame
    """Rows of the contract `Quarantine`."""
    doubted: pl.DataFrame | None = None
    """Columns as `rows`: those that only the guards set aside; None where there are none."""

    @property
    def number(self) -> int:
        """Its place in the order of receipt."""
        return int(self.receipt["number"][0])


class Archive:
    """The folder in which accepted deliveries are kept, in the order of receipt."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, delivery: Kept) -> None:
        """Put a delivery away, whole or not at all; the same one a second time changes nothing."""
        folder = self.root / _name(delivery.receipt)
        if not folder.exists():
            self._write(folder, delivery)

    def exchange(self, name: str, delivery: Kept) -> None:
        """Put another content in the place of one kept, without people who were erased; `settle` ends what is killed half-way."""
        new, old = self.root / f".{name}{_NEW}", self.root / f".{name}{_OLD}"
        self._write(new, delivery)
        (self.root / name).rename(old)
        new.rename(self.root / name)
        shutil.rmtree(old)

    def settle(self) -> None:
        """End an exchange that was killed: the new content where the former had made room for it, else the former."""
        for new in sorted(self.root.glob(f".*{_NEW}")):
            place = self.root / new.name.removeprefix(".").removesuffix(_NEW)
            if place.exists():
                shutil.rmtree(new)
            else:
                new.rename(place)
        for old in sorted(self.root.glob(f".*{_OLD}")):
            shutil.rmtree(old)

    def _write(self, folder: Path, delivery: Kept) -> None:
        def write(part: Path) -> None:
            tables = {ROWS: delivery.rows, QUARANTINE: delivery.quarantine, DOUBTED: delivery.doubted}
            prints = {}
            for name, table in tables.items():
                if table is not None:
                    table.write_parquet(part / name)
                    prints[name] = _fingerprint((part / name).read_bytes())
            receipt = json.loads(delivery.receipt.write_json())[0]
            content = {"receipt": receipt, "sha256": prints | {RECEIPT: _fingerprint(_canonical(receipt))}}
            (part / RECEIPT).write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")

        write_whole_folder(folder, write)

    def names(self) -> list[str]:
        """Names of what is kept, in the order of receipt."""
        return sorted(path.name for path in self.root.glob("[0-9]*")) if self.root.is_dir() else []

    def read(self, name: str) -> Kept:
        """A delivery, with every byte checked against its receipt.

        Raises:
            DamagedArchiveError: something of it is missing, or is not what was kept.
        """
        folder = self.root / name
        try:
            content = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
            whole = {part: (folder / part).read_bytes() for part in (ROWS, QUARANTINE, *({DOUBTED} & {*content["sha256"]}))}
            whole[RECEIPT] = _canonical(content["receipt"])
            touched = [part for part, inside in whole.items() if content["sha256"][part] != _fingerprint(inside)]
            if touched:
                raise DamagedArchiveError(f"{folder}: {', '.join(touched)} is not what was kept.", REMEDY)
            receipt = pl.read_json(
                json.dumps([content["receipt"]]).encode(), schema={name: column.dtype for name, column in Deliveries.columns().items()}
            )
            rows, quarantine = (pl.read_parquet(whole[part]) for part in (ROWS, QUARANTINE))
            doubted = pl.read_parquet(whole[DOUBTED]) if DOUBTED in whole else None
            return Kept(Deliveries.validate(receipt), rows, quarantine, doubted)
        except (OSError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
            raise DamagedArchiveError(f"{folder} cannot be read: {str(error).splitlines()[0]}", REMEDY) from error


def expected(ledger: pl.DataFrame) -> list[str]:
    """Names under which the archive keeps the deliveries of a ledger (contract `Deliveries`), in the order of receipt."""
    return [_named(row) for row in ledger.sort("number").to_dicts()]


def _name(receipt: pl.DataFrame) -> str:
    return _named(receipt.row(0, named=True))


def _named(row: dict[str, Any]) -> str:
    return f"{row['number']:06}-{row['table']}-{row['delivery_id'][:_SHOWN]}"


def _canonical(receipt: dict[str, Any]) -> bytes:
    return json.dumps(receipt, sort_keys=True).encode()


def _fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
