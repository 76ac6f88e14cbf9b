"""Shared by all tests: a small simulated service, made once."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
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
    from collections.abc import Callable, Iterator
    from pathlib import Path

os.environ.setdefault("VIGIE_THREADS", "1")  # test processes keep the cores busy: more threads only wait for each other
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

    def make(home: Path) -> None:
        from pipelines.serving import train_model

        made = open_service(Settings(home=home))
        write_deliveries(simulation, made.home.landing)
        by_quarter(made.home.landing)
        take_deliveries(made)
        train_model(made, TRAINED, reason="A small service made for tests.")

    return made_once("service", make, tmp_path_factory)


@pytest.fixture(scope="session")
def served(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The same service after its first night; tests that write take a copy of their own."""
    return made_once("served", lambda home: run_night(copy_of(service, home), NIGHT, Directly()), tmp_path_factory)


def made_once(name: str, make: Callable[[Path], object], folders: pytest.TempPathFactory) -> Service:
    """A service made by the first test process that asks; each process has a copy of its own, since one writer holds a warehouse."""
    ours, shared = folders.mktemp(name), folders.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    there = shared / f"{name}-made-once"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not there.exists():
            made = ours / "made"
            make(made)
            made.rename(there)
    shutil.copytree(there, ours / "home")
    return open_service(Settings(home=ours / "home"))


@pytest.fixture(autouse=True)
def one_home_at_a_time() -> Iterator[None]:
    """MLflow remembers by run, in one process, where files lie; a copy of a service has the same runs elsewhere."""
    yield
    if remembered := sys.modules.get("mlflow.tracking._tracking_service.utils"):
        remembered._artifact_repos_cache.clear()
