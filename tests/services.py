"""A service of one's own, for tests that write."""

from __future__ import annotations

import shutil
from itertools import groupby
from typing import TYPE_CHECKING

import polars as pl

from pipelines.service import Service, open_service
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def copy_of(service: Service, folder: Path) -> Service:
    """The same service in another folder."""
    shutil.copytree(service.home.root, folder, dirs_exist_ok=True)
    return open_service(Settings(home=folder))


def by_quarter(landing: Path) -> None:
    """Months of each table joined to quarters: all that goes through deliveries, above all a rebuild, has a third of them to go through."""
    for folder in landing.iterdir():
        for (year, quarter), months in groupby(sorted(folder.iterdir()), lambda path: (path.stem[:4], (int(path.stem[5:]) + 2) // 3)):
            first, *others = months
            parquet = first.suffix == ".parquet"
            read = pl.read_parquet if parquet else lambda path: pl.read_csv(path, infer_schema=False)
            rows = pl.concat([read(path) for path in (first, *others)])
            for path in (first, *others):
                path.unlink()
            target = folder / f"{year}-q{quarter}{first.suffix}"
            rows.write_parquet(target) if parquet else rows.write_csv(target)
