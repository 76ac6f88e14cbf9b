"""Spreadsheets (.xlsx): one sheet, a header, values as their cells hold them."""

from __future__ import annotations

import re
import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.readers.received import FAULTS, LARGEST, LINE, Received, Shape, empty_as_null, is_ours_to_explain, no_faults
from data_contracts.readers.text import check_names
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    from pathlib import Path

_CONTAINER: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Compound file: an old .xls, or the envelope of a workbook with a password (MS-OFFCRYPTO)."""
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_WORTH_A_LOOK: Final = re.compile(rb'\bt="e"|<f[ >/]')
"""A formula, or a cell that holds an error."""


def read(path: Path, name: str, shape: Shape) -> Received:
    """The sheet as rows of text: dates as 2026-03-04 00:00:00, numbers with a point, truth as true and false.

    Blank rows are no rows. A cell that holds an error, or a formula nobody ever calculated, is a fault of its row.

    Raises:
        RefusedFileError: a password, an old format, a broken archive, several sheets to choose from, no header or merged header cells.
    """
    if path.stat().st_size < len(_CONTAINER):
        raise RefusedFileError(f"{name}: the workbook is empty.", "Ask for the file again: it was cut on its way.")
    with path.open("rb") as file:
        if file.read(len(_CONTAINER)) == _CONTAINER:
            raise _not_openable(name, locked=_ENCRYPTED in path.read_bytes())
    suspicious = _worth_a_look(path, name)
    sheet, cells = _cells(path, name, shape)
    above = shape.header_line - 1
    header = [(value or "").strip() for value in cells.row(above)] if cells.height > above else []
    while header and not header[-1] and cells[:, len(header) - 1].slice(above + 1).is_null().all():
        header.pop()
    check_names(header, name, shape.header_line, blank=not any(header))
    rows = cells[:, : len(header)].rename(dict(zip(cells.columns, header, strict=False))).with_row_index(LINE, 1)
    rows = empty_as_null(rows.slice(above + 1).with_columns(pl.col(LINE).cast(pl.Int64)))
    faults = _unusable(path, name, sheet, header, shape.header_line) if suspicious else no_faults()
    blank = pl.all_horizontal(pl.col(header).is_null()) & ~pl.col(LINE).is_in(faults[LINE].implode())
    return Received(rows.filter(~blank), faults)


def _cells(path: Path, name: str, shape: Shape) -> tuple[str, pl.DataFrame]:
    import fastexcel

    try:
        book = fastexcel.read_excel(path)
        names = book.sheet_names
        wanted = [title for title in names if not shape.sheet or title == shape.sheet]
        seen = {title: book.load_sheet(title, header_row=None, dtypes="string", skip_rows=0) for title in wanted}
        filled = {title: sheet.to_polars() for title, sheet in seen.items() if sheet.visible == "visible" and sheet.total_height}
    except BaseException as error:
        if is_ours_to_explain(error):
            raise _broken(name, error) from error
        raise
    if shape.sheet and shape.sheet not in seen:
        raise RefusedFileError(f"{name}: there is no sheet '{shape.sheet}'.", f"Name it as before. The workbook has: {', '.join(names)}.")
    if len(filled) != 1:
        what = f"sheets {', '.join(filled)} all hold something" if filled else "no sheet holds anything"
        raise RefusedFileError(f"{name}: {what}.", 'Send one sheet a file, or name it in the mapping: sheet = "…".')
    return filled.popitem()


def _worth_a_look(path: Path, name: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            sheets = [entry for entry in archive.namelist() if entry.startswith("xl/worksheets/")] if size <= LARGEST else []
            found = any(_WORTH_A_LOOK.search(archive.read(sheet)) for sheet in sheets)
    except Exception as error:
        raise _broken(name, error) from error
    if size > LARGEST:
        raise RefusedFileError(f"{name}: the workbook holds more than {LARGEST >> 30} GiB.", "Ask for the file in several parts.")
    return found


def _unusable(path: Path, name: str, sheet: str, header: list[str], above: int) -> pl.DataFrame:
    """Cells that read as empty and are not: errors, and formulas without a value."""
    from openpyxl import load_workbook

    try:
        with ExitStack() as open_books:
            books = [load_workbook(path, read_only=True, data_only=plain) for plain in (True, False)]
            for book in books:
                open_books.callback(book.close)
            values, formulas = (book[sheet] for book in books)
            found = [
                (value.row, header[value.column - 1], str(value.value) if value.data_type == "e" else str(formula.value))
                for row, twin in zip(values.iter_rows(min_row=above + 1), formulas.iter_rows(min_row=above + 1), strict=True)
                for value, formula in zip(row, twin, strict=False)
                if (value.data_type == "e" or (value.value is None and formula.data_type == "f")) and value.column <= len(header)
            ]
    except Exception as error:
        raise _broken(name, error) from error
    faults = pl.DataFrame(found, schema={LINE: pl.Int64, "column": pl.String, "value": pl.String}, orient="row")
    reason = pl.when(pl.col("value").str.starts_with("=")).then(pl.lit(UNCALCULATED)).otherwise(pl.lit(ERROR))
    return faults.with_columns(reason=reason).select(list(FAULTS))


UNCALCULATED: Final = "a formula that was never calculated"
ERROR: Final = "the cell holds an error"


def _not_openable(name: str, *, locked: bool) -> RefusedFileError:
    if locked:
        return RefusedFileError(f"{name}: the workbook is protected by a password.", "Send it without a password, by a safe channel.")
    return RefusedFileError(f"{name}: this is an old workbook (.xls), whatever its name says.", "Save it as .xlsx or as csv.")


def _broken(name: str, error: BaseException) -> RefusedFileError:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return RefusedFileError(f"{name}: not a readable workbook ({said}).", "Ask for the file again: it may be truncated.")
