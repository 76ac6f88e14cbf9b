"""Take what landed, outside a night."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from pipelines.flows.tasks import as_task
from pipelines.service import open_service
from pipelines.steps import take_deliveries
from vigie.lock import only_writer
from vigie.settings import Settings


@flow(name="ingest", log_prints=False)
def ingest(home: str) -> dict[str, int]:
    """Ingest the deliveries of the service in `home`; rows loaded by table."""
    service = open_service(Settings(home=Path(home)))
    with only_writer(service.home.lock, "An ingest"):
        intake = as_task("ingest", lambda: take_deliveries(service))
    return dict(intake.by_table().select("table", "loaded").iter_rows())
