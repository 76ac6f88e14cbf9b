"""Shared by all tests: a small simulated service, made once."""

from __future__ import annotations

import datetime as dt
import os
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from data_contracts.simulator import Simulation, simulate, write_deliveries
from pipelines.service import Service, open_service
from pipelines.steps import Directly, run_night, take_deliveries
from tests.services import by_quarter, copy_of
from vigie.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

os.environ.setdefault("VIGIE_THREADS", "1")  # two test processes on two cores: more threads only wait for each other
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when numpy loads: the test processes inherit it
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

settings.register_profile("short", max_examples=15, deadline=None)
settings.register_profile("long", max_examples=300, deadline=None)  # pytest --hypothesis-profile=long
settings.load_profile("short")

FIRST, LAST = dt.date(2025, 1, 6), dt.date(2025, 12, 31)
TRAINED = dt.date(2025, 10, 31)
NIGHT = dt.date(2025, 11, 20)


@pytest.fixture(scope="session")
def simulation() -> Simulation:
    return simulate(2_500, 7, FIRST, LAST)


@pytest.fixture(scope="session")
def service(simulation: Simulation, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A service that took all deliveries and was trained; tests that write take a copy of their own."""
    from pipelines.serving import train_model

    made = open_service(Settings(home=tmp_path_factory.mktemp("service")))
    write_deliveries(simulation, made.home.landing)
    by_quarter(made.home.landing)
    take_deliveries(made)
    train_model(made, TRAINED, reason="A small service made for tests.")
    return made


@pytest.fixture(scope="session")
def served(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The same service after its first night; tests that write take a copy of their own."""
    made = copy_of(service, tmp_path_factory.mktemp("served"))
    run_night(made, NIGHT, Directly())
    return made


@pytest.fixture(autouse=True)
def one_home_at_a_time() -> Iterator[None]:
    """MLflow remembers by run, in one process, where files lie; a copy of a service has the same runs elsewhere."""
    yield
    if remembered := sys.modules.get("mlflow.tracking._tracking_service.utils"):
        remembered._artifact_repos_cache.clear()
