"""Every schedule and every concurrency limit, in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from prefect import serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

from pipelines.flows.night import night
from pipelines.flows.outbox import outbox
from pipelines.flows.train import train

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.deployments.runner import RunnerDeployment

TIME_ZONE = "Europe/Paris"
ONE_AT_A_TIME = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)


def deployments(home: Path, time_zone: str = TIME_ZONE) -> list[RunnerDeployment]:
    """The night at 02:00 every day, training at 03:30 on Sundays, the outbox every ten minutes, for the service in `home`."""
    from prefect.schedules import Cron

    parameters = {"home": str(home.resolve())}
    made = [
        night.to_deployment(
            name="night",
            schedule=Cron("0 2 * * *", timezone=time_zone),
            parameters=parameters,
            concurrency_limit=ONE_AT_A_TIME,
            description="Reads what came, scores, alerts.",
        ),
        train.to_deployment(
            name="weekly training",
            schedule=Cron("30 3 * * 0", timezone=time_zone),
            parameters=parameters,
            concurrency_limit=ONE_AT_A_TIME,
            description="Trains on what was known the day before; the model serves if the gate is green.",
        ),
        outbox.to_deployment(
            name="outbox",
            schedule=Cron("*/10 * * * *", timezone=time_zone),
            parameters=parameters,
            concurrency_limit=ONE_AT_A_TIME,
            description="Sends mails and calls that are due.",
        ),
    ]
    return cast("list[RunnerDeployment]", made)


def run_schedules(home: Path, time_zone: str = TIME_ZONE) -> None:
    """Serve the deployments until stopped."""
    # A serve process that stops would pause the deployments of its successor too.
    serve(*deployments(home, time_zone), pause_on_shutdown=False)
