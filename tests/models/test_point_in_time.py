"""Nothing learnt later may reach a model trained as of a day: not its trees, its calibration, its weights, nor one figure of its card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.simulator import Simulation, write_deliveries
from models import registry
from pipelines.service import Service, open_service
from pipelines.serving import train_model
from pipelines.steps import take_deliveries
from tests.conftest import TRAINED
from vigie.clock import end_of_day
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_model_is_the_same_to_the_byte_whether_or_not_later_deliveries_are_there(
    service: Service, simulation: Simulation, tmp_path: Path
) -> None:
    until = end_of_day(TRAINED, service.time_zone)
    known = {name: rows.filter(pl.col("known_on") <= until) for name, rows in simulation.tables.items()}
    assert all(known[name].height < simulation.tables[name].height for name in ("attendance", "exits", "contacts", "learner_audit"))
    then = open_service(Settings(home=tmp_path))
    write_deliveries(replace(simulation, tables=known), then.home.landing)
    take_deliveries(then)

    version = train_model(then, TRAINED, reason="A small service made for tests.").version

    assert version == registry.champion(service.home)
    folders = [home.models / version for home in (then.home, service.home)]
    # The card says when it was decided; every figure on it is in the other files.
    names = {path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()} - {"card.html"}
    assert {"booster.txt", "model.json", "twin/booster.txt", "evidence.json", "figures.json", "reference.parquet"} <= names
    differ = {name for name in names if len({(folder / name).read_bytes() for folder in folders}) > 1}
    assert not differ
