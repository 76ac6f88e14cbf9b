"""The simulated tables as files, as they would land month by month; the truth apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from vigie.files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.simulator.territory import Simulation

LARGE: Final = ("attendance", "activity")
"""Tables delivered as parquet; the others as csv."""


def write_deliveries(simulation: Simulation, landing: Path) -> list[Path]:
    """One file per table and month in which its rows became known: `landing/<table>/2026-03.csv` or `.parquet`."""
    files = []
    for name, table in simulation.tables.items():
        months = table.with_columns(month=pl.col("known_on").dt.strftime("%Y-%m")).sort("month", "known_on", maintain_order=True)
        for (month,), rows in months.partition_by("month", as_dict=True, include_key=False, maintain_order=True).items():
            folder = landing / name
            if name in LARGE:
                files.append(write_whole(folder / f"{month}.parquet", rows.write_parquet))
            else:
                files.append(write_whole(folder / f"{month}.csv", _as_text(rows).write_csv))
    return files


def write_truth(simulation: Simulation, folder: Path) -> list[Path]:
    """The truth as parquet under `folder`, outside the landing folder: nothing ever ingests it."""
    return [write_whole(folder / f"{name}.parquet", table.write_parquet) for name, table in simulation.truth.items()]


def _as_text(rows: pl.DataFrame) -> pl.DataFrame:
    instants = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.Datetime)]
    return rows.with_columns(pl.col(name).dt.strftime("%Y-%m-%dT%H:%M:%SZ") for name in instants)
