"""Train, register, ask the gate."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from prefect import flow

from pipelines.flows.tasks import as_task
from pipelines.service import open_service
from pipelines.serving import train_model
from vigie.lock import only_writer
from vigie.settings import Settings


@flow(name="train", log_prints=False)
def train(home: str, as_of: dt.date | None = None) -> str:
    """Train the service in `home` on what was known at the end of `as_of` (default: yesterday); the new version."""
    service = open_service(Settings(home=Path(home)))
    day = service.finished_day(as_of)
    with only_writer(service.home.lock, f"Training as of {day}"):
        return as_task("train", lambda: train_model(service, day)).version
