"""Deliveries put into a home of their own, for the tests of what becomes of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from data_contracts.catalogue import TABLES
from data_contracts.ingest import QUARANTINE, Intake, Reception, ingest, layout
from data_contracts.quarantine import released
from data_contracts.sources.mapping import read_source, read_sources
from vigie.settings import ROOT
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from vigie.rules import DeliveryLimits

FIXTURES = ROOT / "tests" / "fixtures" / "sources"
SHIPPED, _ = read_sources(ROOT / "config" / "sources")
NOW = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)


class Desk:
    """A landing folder, a warehouse, and what came of the last intake."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.landing = home / "landing"
        self.refused = home / "refused"
        self.decisions = home / "quarantine"
        self.sources = dict(SHIPPED)
        self.limits: DeliveryLimits | None = None
        self.private: list[tuple[str, pl.DataFrame]] = []

    def put(self, name: str, content: str | bytes) -> Path:
        path = self.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def mapping(self, name: str, toml: str) -> None:
        path = self.home / "sources" / f"{name}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(toml, encoding="utf-8")
        self.sources[name] = read_source(path)

    def reception(self) -> Reception:
        options = {"limits": self.limits} if self.limits else {}
        return Reception(sources=self.sources, released=released(self.decisions), **options)  # type: ignore[arg-type]

    def take(self, now: dt.datetime = NOW) -> Intake:
        self.landing.mkdir(exist_ok=True)
        with self.warehouse() as warehouse:
            return ingest(self.landing, self.refused, warehouse, lambda *part: self.private.append(part), now, reception=self.reception())

    def warehouse(self) -> Warehouse:
        return Warehouse(self.home / "w.duckdb")

    def known(self, table: str, instant: dt.datetime = NOW) -> pl.DataFrame:
        with self.warehouse() as warehouse:
            return warehouse.as_known_at(layout(TABLES[table]), instant).sort(TABLES[table].key)

    def quarantine(self) -> pl.DataFrame:
        with self.warehouse() as warehouse:
            return warehouse.read(QUARANTINE).sort("file", "line", "column")


def counts(intake: Intake) -> dict[str, tuple[int, int, int, int]]:
    """Read, loaded, unchanged, quarantined, by table."""
    return {row[0]: row[1:] for row in intake.by_table().rows()}
