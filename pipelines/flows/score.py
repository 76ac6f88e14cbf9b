"""Score one night, without alerts."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from prefect import flow

from pipelines.flows.tasks import as_task
from pipelines.service import open_service
from pipelines.steps import score_night
from vigie.lock import only_writer
from vigie.settings import Settings


@flow(name="score", log_prints=False)
def score(home: str, as_of: dt.date) -> int:
    """Score the night of `as_of` in `home`; how many enrolments."""
    service = open_service(Settings(home=Path(home)))
    service.finished_day(as_of)
    with only_writer(service.home.lock, f"Scoring {as_of}"):
        return as_task("score", lambda: score_night(service, as_of)).enrolments
