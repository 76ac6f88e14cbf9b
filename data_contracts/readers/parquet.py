"""Parquet: typed columns, lines counted from 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.readers.received import LINE, Received, is_ours_to_explain, no_faults
from data_contracts.readers.text import check_names
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, name: str) -> Received:
    """The whole file.

    Raises:
        RefusedFileError: it is none, or it is truncated.
    """
    try:
        rows = plain_rows(path)
    except BaseException as error:
        if not is_ours_to_explain(error):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise RefusedFileError(f"{name}: not a readable parquet file ({said}).", "Ask for the file again: it may be truncated.") from error
    check_names(rows.columns, name, 1)
    if strange := [column for column, dtype in rows.schema.items() if not _plain(dtype)]:
        raise RefusedFileError(f"{name}: column {', '.join(strange)} holds no plain values.", "Write text, numbers, dates, true and false.")
    return Received(rows.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(LINE), *rows.columns), no_faults())


def plain_rows(path: Path) -> pl.DataFrame:
    """The table of a parquet file.

    Arrow reads it, not polars: of bytes that promise an absurd length polars asks for the memory, which ends the process and not the file.
    """
    from pyarrow import parquet

    table = parquet.ParquetFile(path).read()
    table.validate(full=True)
    rows = pl.from_arrow(table)
    return rows if isinstance(rows, pl.DataFrame) else rows.to_frame()


def _plain(dtype: pl.DataType) -> bool:
    # A tuple, not a set: a type with a unit or categories equals its class and does not hash like it.
    return dtype.is_numeric() or dtype in (pl.String, pl.Boolean, pl.Date, pl.Datetime, pl.Categorical, pl.Enum, pl.Null)
