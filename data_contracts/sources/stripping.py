"""Columns that may not even lie in a folder: their content is removed from the file before anything else looks at it."""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import gzip
import io
import os
import zipfile
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.readers import parquet, text, workbook
from data_contracts.readers.received import is_ours_to_explain
from vigie.errors import RefusedFileError
from vigie.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from openpyxl import Workbook

    from data_contracts.deliveries import Delivery
    from data_contracts.sources.mapping import FileMapping, Source


_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The first that an archive can tell."""


def strip(delivery: Delivery, source: Source | None) -> bool:
    """Empty the columns that Vigie never takes, in the file itself; whether that changed it. Its lines and time stay as they were.

    The same file delivered again is emptied to the same bytes. One without such a column, or with nothing in it, is not touched.

    Raises:
        RefusedFileError: the file cannot be read.
    """
    mapping = source.files.get(delivery.table) if source else None
    if mapping is None or not mapping.never:
        return False
    never = {*mapping.never, *(other for other, name in mapping.aliases.items() if name in mapping.never)}
    before = delivery.path.stat()
    name = delivery.path.name.lower()
    changed = False
    if name.endswith((".csv", ".csv.gz", ".txt")):
        changed = _text(delivery, mapping, never)
    elif name.endswith(".parquet"):
        changed = _parquet(delivery.path, never)
    elif name.endswith(".xlsx"):
        changed = _workbook(delivery, mapping, never)
    if changed:
        os.utime(delivery.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return changed


def _text(delivery: Delivery, mapping: FileMapping, never: set[str]) -> bool:
    data = text.unpacked(delivery.path, delivery.name)
    content = text.decoded(data, delivery.name, mapping.shape)
    header, separator = text.header_of(content, delivery.name, mapping.shape)
    places = [place for place, column in enumerate(header) if column in never]
    if not places:
        return False
    lines, changed = [], False
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator)
    try:
        for fields in reader:
            past_header = reader.line_num > mapping.header_line
            # A line with too few or too many fields may hold it in any of them: the line is at fault anyway, and nothing of it is kept.
            emptied = (
                fields
                if not past_header
                else [""] * len(fields)
                if len(fields) not in {0, len(header)}
                else ["" if place in places else field for place, field in enumerate(fields)]
            )
            changed |= emptied != fields
            lines.append(emptied)
    except csv.Error as error:
        raise RefusedFileError(
            f"{delivery.name}, line {reader.line_num}: {error}.", "Close every quotation mark that is opened."
        ) from error
    if not changed:
        return False
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator="\n").writerows(lines)
    # With the mark it came with: without, it would be read in the encoding of the mapping.
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    clean = mark + out.getvalue().encode(text.encoding_of(data, mapping.shape))
    packed = gzip.compress(clean, mtime=0) if delivery.path.name.lower().endswith(".gz") else clean
    write_whole(delivery.path, lambda part: part.write_bytes(packed))
    return True


def _parquet(path: Path, never: set[str]) -> bool:
    try:
        rows = parquet.plain_rows(path)
    except BaseException as error:
        if is_ours_to_explain(error):
            return False  # the reader says why
        raise
    found = sorted(never & {*rows.columns})
    if not found or rows.select(pl.all_horizontal(pl.col(found).is_null().all())).item():
        return False
    write_whole(path, rows.with_columns(pl.lit(None, pl.String).alias(name) for name in found).write_parquet)
    return True


def _workbook(delivery: Delivery, mapping: FileMapping, never: set[str]) -> bool:
    header = workbook.read(delivery.path, delivery.name, mapping.shape).rows.columns
    if not never & {*header}:
        return False
    from openpyxl import load_workbook

    # Values in place of formulas: openpyxl saves a formula without its result, and nobody would calculate it again.
    book, formulas = (load_workbook(delivery.path, data_only=plain) for plain in (True, False))
    changed = False
    for sheet in book.worksheets:
        for row in formulas[sheet.title].iter_rows():
            for cell in row:
                if cell.data_type == "f" and sheet[cell.coordinate].value is None:
                    sheet[cell.coordinate].value = cell.value  # never calculated: its row says so
        titles = {cell.column: str(cell.value or "").strip() for cell in sheet[mapping.header_line]}
        for column in (place for place, title in titles.items() if title in never):
            for (cell,) in sheet.iter_rows(min_row=mapping.header_line + 1, min_col=column, max_col=column):
                changed |= cell.value is not None
                cell.value = None
    if changed:
        write_whole(delivery.path, lambda part: _save(book, part))
    return changed


def _save(book: Workbook, path: Path) -> None:
    """Save a workbook to bytes that follow from its content alone; by itself openpyxl notes when it was saved."""
    from openpyxl.xml.constants import ARC_CORE
    from openpyxl.xml.functions import tostring

    saved = io.BytesIO()
    book.save(saved)
    # Both: where the sender told none, openpyxl makes them up when it reads.
    book.properties.created = book.properties.modified = dt.datetime(*_NO_TIME, tzinfo=dt.UTC)
    with zipfile.ZipFile(saved) as dated, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as plain:
        for name in dated.namelist():
            content = tostring(book.properties.to_tree()) if name == ARC_CORE else dated.read(name)
            plain.writestr(zipfile.ZipInfo(name, _NO_TIME), content, zipfile.ZIP_DEFLATED)
