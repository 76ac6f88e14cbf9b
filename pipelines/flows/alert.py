"""Decide and publish the alerts of a night that is scored."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from prefect import flow

from pipelines.flows.tasks import as_task
from pipelines.service import open_service
from pipelines.steps import alert_night
from vigie.lock import only_writer
from vigie.settings import Settings


@flow(name="alert", log_prints=False)
def alert(home: str, as_of: dt.date, *, notify: bool = True) -> int:
    """Alert for the night of `as_of` in `home`; how many alerts, listed or not."""
    service = open_service(Settings(home=Path(home)))
    service.finished_day(as_of)
    with only_writer(service.home.lock, f"Alerting for {as_of}"):
        return as_task("alert", lambda: alert_night(service, as_of, notify=notify)).height
