"""Files of a home folder that name people: those the service made, half written or whole, and those nobody could read."""

from __future__ import annotations

import gzip
import re
import zipfile
import zlib
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl
import polars.selectors as cs

from data_contracts.deliveries import MENDED
from data_contracts.erased import IDS, theirs
from vigie.files import read_whole, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from vigie.erasures import Whom
    from vigie.settings import Home

MADE: Final = ("out", "evaluation", "replay", "experiments", "indicators")
"""Folders with what the service made: a folder for each night, report or analysis."""


def made_files(root: Path, whom: Whom) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Files the service made that name these people, each with what takes them out: rows go, lists and pages of examples go whole."""
    for folder in MADE:
        for night in sorted({path.parent for path in (root / folder).rglob("*.parquet")}):
            yield from _pages(night, whom)
            for path in sorted((*night.glob("*.parquet"), *night.glob("*.csv"))):
                mask = theirs(_table(path, *IDS), whom)
                if mask.any():
                    yield path, partial(_write, path, ~mask)


def unfinished(root: Path) -> list[Path]:
    """What a killed process left half written: nobody reads it, it may name anybody. Not what is just being put where deliveries land."""
    coming = {path for path in (root / "landing").rglob(".*.part") if not path.is_relative_to(root / "landing" / MENDED)}
    return [path for path in sorted(root.rglob(".*.part"), reverse=True) if path not in coming]


def _pages(night: Path, whom: Whom) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Before the tables that tell whom they name: killed in between, these still do."""
    for table, pages in (("alerts.parquet", _lists), ("scores.parquet", _examples)):
        path = night / table
        rows = read_whole(path) if path.exists() else pl.DataFrame()
        for page in pages(night, rows.filter(theirs(rows, whom, names=pages is _lists))):
            yield page, page.unlink


def _lists(night: Path, gone: pl.DataFrame) -> list[Path]:
    from alerts.lists.files import file_name

    if gone.is_empty():
        return []
    named = [file_name(one) for one in gone["advisor_id"].drop_nulls().unique()]
    queues = "file-*" if gone["advisor_id"].has_nulls() else ""
    patterns = [*(f"{one}.*" for one in named), *([queues] if queues else [])]
    return sorted({path for pattern in patterns for path in (night / "lists").glob(pattern)})


def _examples(night: Path, gone: pl.DataFrame) -> list[Path]:
    return [] if gone.is_empty() else sorted(night.glob("examples.html"))


def _table(path: Path, *columns: str) -> pl.DataFrame:
    """A file of a night, whole, or those of its columns that it has: years of nights are looked through."""
    parquet = path.suffix == ".parquet"
    rows = pl.scan_parquet(path) if parquet else pl.scan_csv(path, infer_schema=False)
    return rows.select(cs.by_name(*columns, require_all=False) if columns else pl.all()).collect()


def _write(path: Path, stays: pl.Series) -> None:
    rows = _table(path).filter(stays)
    write_whole(path, rows.write_parquet if path.suffix == ".parquet" else rows.write_csv)


def unreadable(home: Home, ids: Sequence[str]) -> list[Path]:
    """Files refused or held back in which one of these identifiers stands as a word of its own."""
    words = re.compile(rb"(?<![A-Za-z0-9])(" + b"|".join(re.escape(one.encode()) for one in ids) + rb")(?![A-Za-z0-9])")
    files = [path for folder in (home.refused, home.held) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in files if ids and words.search(_bytes_of(path))]


def _bytes_of(path: Path) -> bytes:
    """What a file says, out of a workbook, a compressed file or one of two bytes a letter; as it is where it cannot be opened."""
    content = path.read_bytes()
    with suppress(OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, pl.exceptions.PolarsError):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as book:
                return b"\n".join(book.read(name) for name in book.namelist())
        if path.suffix == ".gz":
            return gzip.decompress(content)
        if path.suffix == ".parquet":
            return pl.read_parquet(path).write_csv().encode()
    return content.replace(b"\0", b"")
