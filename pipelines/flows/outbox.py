"""Mails and calls that are due."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from pipelines.service import open_service
from pipelines.steps import send_outbox
from vigie.settings import Settings


@flow(name="outbox", log_prints=False)
def outbox(home: str) -> int:
    """Send what is due in `home`; how many left."""
    return send_outbox(open_service(Settings(home=Path(home)))).sent
