"""Deliveries broken at random: bytes, fields, rows, headers, encodings and archives of every fixture.

`python tests/data_contracts/fuzz.py 20000 1` breaks twenty thousand from seed 1 and prints what became of them; `make fuzz` calls it. A
short run is part of the tests.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import polars as pl
from openpyxl import load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, MergedCell

from data_contracts.catalogue import TABLES
from data_contracts.ingest import DELIVERIES, QUARANTINE, Reception, ingest, layout
from data_contracts.sources.mapping import read_sources
from vigie.settings import ROOT
from vigie.store import Warehouse

if TYPE_CHECKING:
    from data_contracts.ingest import Receipt

FIXTURES = ROOT / "tests" / "fixtures" / "sources"
SOURCES, _ = read_sources(ROOT / "config" / "sources")
NOW = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
BATCH, ROUND = 50, 500
NASTY = (
    "", " ", "NULL", '"', '""', ";", "|", "\n", "\r", "\r\n", "\0", "\ufeff", "=1+1", "@x", "AM", "PM", "am", "0", "-1", "1e999", "nan",
    "inf", "9" * 40, "99999999999999999999", "31/02/2026", "00/00/0000", "2026-13-01", "01/01/0001", "99999", "é" * 70, "\U0001f600",
    "x" * 5000, "184057512345678", "1 84 05 75 123 456 78", "3,5,5", "1.234,5", "oui", "true", "None", "\u202e", "\x1a",
    "'; DROP TABLE x", "3:99",
)  # fmt: skip


def originals() -> list[tuple[str, bytes]]:
    """Every fixture, and what the mapped ones say in canonical names: name below landing, bytes."""
    mapped = [(path.relative_to(FIXTURES).as_posix(), path.read_bytes()) for path in sorted(FIXTURES.rglob("*")) if path.is_file()]
    canonical = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        receive(home, mapped)
        with Warehouse(home / "w.duckdb") as warehouse:
            for table in TABLES.values():
                rows = warehouse.as_known_at(layout(table), NOW).sort(table.key) if table.in_warehouse else pl.DataFrame()
                if rows.height and not table.private:
                    text = rows.with_columns(pl.col("known_on").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv().encode()
                    packed = io.BytesIO()
                    rows.write_parquet(packed)
                    canonical += [
                        (f"{table.name}/made.csv", text),
                        (f"{table.name}/made.csv.gz", gzip.compress(text, mtime=0)),
                        (f"{table.name}/made.parquet", packed.getvalue()),
                    ]
    return mapped + canonical


def mutated(random: Random, name: str, data: bytes) -> bytes:
    """The same file with one to three things wrong with it: in its bytes one time in four, else in what it says."""
    how = _BYTES if random.random() < _BYTES_SHARE else _INSIDE[name.rpartition(".")[2]]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        data = random.choice(how)(random, name, data)
    return data


def _unpacked(random: Random, name: str, data: bytes) -> bytes:
    return gzip.compress(random.choice(_FIELDS)(random, name, gzip.decompress(data)), mtime=0)


def _parquet(random: Random, _: str, data: bytes) -> bytes:
    rows = pl.read_parquet(data)
    column = random.choice(rows.columns)
    words = [random.choice(NASTY) if random.random() < _EVERY_OTHER else None for _ in range(rows.height)]
    change = random.choice(("words", "drop", "numbers", "rename", "rows"))
    if change == "words":
        plain = not (rows[column].dtype.is_nested() or rows[column].dtype == pl.Binary)
        text = pl.col(column).cast(pl.String) if plain else pl.lit(None, pl.String)
        rows = rows.with_columns(pl.coalesce(pl.Series(words, dtype=pl.String), text).alias(column))
    elif change == "numbers":
        rows = rows.with_columns(pl.lit(random.choice((1, -1, 2.5, float("nan"), True, b"x", [1], dt.date(1, 1, 1)))).alias(column))
    elif change == "rename":
        rows = rows.rename({column: f"{column}{random.choice(('', 's', ' ', '_date'))}"})
    else:
        rows = rows.drop(column) if change == "drop" else pl.concat([rows, rows.sample(random.randint(1, 3), seed=1)])
    packed = io.BytesIO()
    rows.write_parquet(packed)
    return packed.getvalue()


def _workbook(random: Random, _: str, data: bytes) -> bytes:
    book = load_workbook(io.BytesIO(data))
    sheet = book.worksheets[0]
    cell = sheet.cell(random.randint(1, sheet.max_row + 1), random.randint(1, sheet.max_column + 1))
    change = random.choice(("value", "value", "delete", "merge", "sheet"))
    if change == "value" and not isinstance(cell, MergedCell):  # Of merged cells only the first has a value.
        word = random.choice(NASTY)
        cell.value = random.choice(
            (46085, 46085.5, -1, True, dt.date(2026, 3, 4), dt.time(9, 5), ILLEGAL_CHARACTERS_RE.sub("", word)[:32_000])
        )
    elif change == "delete":
        sheet.delete_cols(cell.column) if random.random() < _EVERY_OTHER else sheet.delete_rows(cell.row)
    elif change == "merge":
        sheet.merge_cells(start_row=1, end_row=random.randint(1, 2), start_column=cell.column, end_column=cell.column + 1)
    else:
        book.create_sheet().append([random.choice((None, "x"))])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def _flip(random: Random, _: str, data: bytes) -> bytes:
    place = random.randrange(len(data) or 1)
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


def _cut(random: Random, _: str, data: bytes) -> bytes:
    return data[: random.randrange(len(data) or 1)]


def _cut_out(random: Random, _: str, data: bytes) -> bytes:
    start = random.randrange(len(data) or 1)
    return data[:start] + data[start + random.randrange(40) :]


def _repeat(random: Random, _: str, data: bytes) -> bytes:
    start = random.randrange(len(data) or 1)
    end = start + random.randrange(200)
    return data[:end] + data[start:end] + data[end:]


def _noise(random: Random, _: str, data: bytes) -> bytes:
    place = random.randrange(len(data) or 1)
    return data[:place] + random.randbytes(random.randrange(20)) + data[place:]


def _archive(random: Random, _: str, data: bytes) -> bytes:
    packed = gzip.compress(data, mtime=0)
    return packed[: len(packed) - random.randrange(20)]


def _encoding(random: Random, _: str, data: bytes) -> bytes:
    old, new = random.sample(("utf-8", "cp1252", "mac_roman", "utf-16", "latin-1", "utf-8-sig"), 2)
    return data.decode(old, errors="replace").encode(new, errors="replace")


def _ends(random: Random, _: str, data: bytes) -> bytes:
    return data.replace(random.choice((b"\r\n", b"\r", b"\n")), random.choice((b"\r\n", b"\r", b"\n", b"\n\n", b"")))


def _field(random: Random, _: str, data: bytes) -> bytes:
    def change(table: list[list[bytes]]) -> None:
        row = random.choice(table)
        row[random.randrange(len(row))] = random.choice(NASTY).encode("utf-8", errors="replace")

    return _on_fields(data, change)


def _many_fields(random: Random, _: str, data: bytes) -> bytes:
    def change(table: list[list[bytes]]) -> None:
        place, value = random.randrange(len(table[0])), random.choice(NASTY).encode()
        for row in table[1:]:
            if place < len(row) and random.random() < _EVERY_OTHER:
                row[place] = value

    return _on_fields(data, change)


def _swap(random: Random, _: str, data: bytes) -> bytes:
    def change(table: list[list[bytes]]) -> None:
        here, there = random.choice(table), random.choice(table)
        first, second = random.randrange(len(here)), random.randrange(len(there))
        here[first], there[second] = there[second], here[first]

    return _on_fields(data, change)


def _column(random: Random, _: str, data: bytes) -> bytes:
    def change(table: list[list[bytes]]) -> None:
        place = random.randrange(len(table[0]))
        new = random.choice(("drop", "double", "rename", "shift"))
        for number, row in enumerate(table):
            if new == "drop":
                del row[place : place + 1]
            elif new == "double":
                row.insert(place, row[min(place, len(row) - 1)])
            elif new == "shift" and number:
                row.insert(place, b"")
            elif new == "rename" and not number:
                row[place] = row[place].swapcase() + random.choice((b"", b" ", b"s"))

    return _on_fields(data, change)


def _rows(random: Random, _: str, data: bytes) -> bytes:
    def change(table: list[list[bytes]]) -> None:
        place = random.randrange(len(table))
        if random.random() < _EVERY_OTHER:
            table.insert(random.randrange(len(table)), [*table[place]])
        elif len(table) > 1:
            del table[place]

    return _on_fields(data, change)


def _on_fields(data: bytes, change: object) -> bytes:
    end = b"\r\n" if b"\r\n" in data else b"\n" if b"\n" in data else b"\r"
    lines = data.split(end)
    separator = max((b";", b"|", b","), key=lines[0].count)
    table = [line.split(separator) for line in lines if line]
    if table:
        change(table)  # type: ignore[operator]
    return end.join(separator.join(row) for row in table) + end


_BYTES = (_flip, _cut, _cut_out, _repeat, _noise)
_FIELDS = (_field, _field, _field, _many_fields, _swap, _column, _rows, _ends)
_INSIDE = {"csv": (*_FIELDS, *_FIELDS, _encoding, _archive), "gz": (_unpacked,), "parquet": (_parquet,), "xlsx": (_workbook,)}
_BYTES_SHARE, _EVERY_OTHER = 0.25, 0.5


def receive(home: Path, files: list[tuple[str, bytes]]) -> list[Receipt]:
    """Deliver files into a service of its own, and check what must hold whatever they are.

    Raises:
        AssertionError: a file or a row is unaccounted for, or something was loaded that breaks its contract.
    """
    for name, data in files:
        path = home / "landing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    with Warehouse(home / "w.duckdb") as warehouse:
        intake = ingest(home / "landing", home / "refused", warehouse, lambda *_: None, NOW, reception=Reception(SOURCES))
        ledger, quarantine = warehouse.read(DELIVERIES), warehouse.read(QUARANTINE)
        known = {table.name: warehouse.as_known_at(layout(table), NOW) for table in TABLES.values() if table.in_warehouse}
        layers = sum(warehouse.count(name) for name in known)
    told = {receipt.file for receipt in intake.receipts}
    assert len(told) + intake.known_before == len(files), sorted({name for name, _ in files} - told)
    for receipt in intake.receipts:
        assert receipt.read == receipt.loaded + receipt.unchanged + receipt.quarantined, receipt
        assert receipt.held or receipt.refused or receipt.file in set(ledger["file"]), receipt
    counted = {(row["file"], row["table"]): row["quarantined"] for row in ledger.to_dicts()}
    set_aside = quarantine.group_by("file", "table").agg(pl.col("line").n_unique()).rows()
    assert {(file, table): lines for file, table, lines in set_aside} == {key: number for key, number in counted.items() if number}
    private = {table.name for table in TABLES.values() if not table.in_warehouse}
    assert layers >= sum(row["loaded"] for row in ledger.to_dicts() if row["table"] not in private)
    for name, rows in known.items():
        contract = TABLES[name]
        if not contract.private:
            contract.schema.validate(rows)
    _rows_of_the_file(home, intake.receipts)
    return intake.receipts


def _rows_of_the_file(home: Path, receipts: list[Receipt]) -> None:
    """Counted apart, with the csv module alone: every line of a text file stands in the account of its own table."""
    for receipt in receipts:
        path = home / "landing" / receipt.file
        parts = receipt.file.split("/")
        if not path.exists() or not receipt.file.endswith(".csv") or receipt.table != parts[-2]:
            continue
        mapping = SOURCES[parts[0]].files[parts[1]] if parts[0] in SOURCES else None
        data = path.read_bytes()
        marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
        encoding = next((name for mark, name in marks.items() if data.startswith(mark)), mapping.encoding if mapping else "utf-8")
        text = data.decode(encoding)
        text = text if "\n" in text else text.replace("\r", "\n")
        _, _, body = text.partition("\n")
        if '"' in body:
            separator = mapping.delimiter if mapping else max(",;", key=text.partition("\n")[0].count)
            # A line that holds nothing but the end of a line is no row, the last one neither.
            ended = re.sub(r"(?<=\n)\r+$", "", re.sub(r"\r+\n", "\r\n", body))
            whole_lines = re.sub(r"\r(?!\n)", " ", ended)
            rows = sum(1 for row in csv.reader(io.StringIO(whole_lines, newline=""), delimiter=separator) if row)
        else:
            rows = sum(1 for line in body.split("\n") if line.rstrip("\r"))
        assert receipt.read == rows, (receipt, rows)


def run(number: int, seed: int) -> Counter[str]:
    """Break so many deliveries and receive them, fifty to a service; what became of files and rows."""
    random, known = Random(seed), originals()  # noqa: S311 - the same seed, the same files
    became: Counter[str] = Counter()
    for first in range(0, number, BATCH):
        files = []
        for place in range(first, min(first + BATCH, number)):
            name, data = random.choice(known)
            folder, _, file = name.rpartition("/")
            files.append((f"{folder}/{place}-{file}", mutated(random, name, data)))
        with tempfile.TemporaryDirectory() as folder:
            receipts = receive(Path(folder), files)
        became["deliveries"] += len(files)
        became["refused"] += sum(receipt.refused is not None for receipt in receipts)
        became["held back"] += len({receipt.file for receipt in receipts if receipt.held})
        for count in ("read", "loaded", "unchanged", "quarantined"):
            became[f"rows {count}"] += sum(getattr(receipt, count) for receipt in receipts)
    return became


if __name__ == "__main__":
    asked, seed, total = int(sys.argv[1]), int(sys.argv[2]), Counter[str]()
    for first in range(0, asked, ROUND):
        total += run(min(ROUND, asked - first), seed + first)
        print(", ".join(f"{count:,} {what}" for what, count in total.items()), flush=True)  # noqa: T201 - its figures, as it goes
