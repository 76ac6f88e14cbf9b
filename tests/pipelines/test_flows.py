"""The flows under Prefect itself: a server of its own, real deployments, a schedule that fires."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import warnings
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TRAINED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.service import Service

pytestmark = pytest.mark.filterwarnings("ignore")  # Prefect's own deprecations are not ours to mend
NIGHT = dt.date(2025, 11, 20)


@pytest.fixture(scope="module")
def prefect() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            yield


@pytest.fixture
def home(service: Service, tmp_path: Path) -> Path:
    shutil.copytree(service.home.root, tmp_path / "home")
    return tmp_path / "home"


@pytest.mark.usefixtures("prefect")
def test_the_night_flow_leaves_what_a_direct_night_leaves_and_a_table_artifact(served: Service, home: Path) -> None:
    from prefect.artifacts import Artifact

    from pipelines.flows.night import night

    account = night(str(home), NIGHT)

    assert set(account["seconds"]) == {"ingest", "score", "alert", "watch"}
    for name in ("scores.parquet", "alerts.parquet"):
        assert (home / "out" / NIGHT.isoformat() / name).read_bytes() == (served.home.out(NIGHT) / name).read_bytes()
    artifact = asyncio.run(Artifact.aget("night"))
    assert artifact is not None
    assert "enrolments scored" in str(artifact.data)


@pytest.mark.usefixtures("prefect")
def test_a_flow_that_fails_puts_down_a_mail_to_the_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alerts.cases import CaseStore
    from alerts.outbox import waiting
    from pipelines.flows.night import night
    from pipelines.service import open_service
    from vigie.errors import NoModelError
    from vigie.settings import Settings

    monkeypatch.setenv("VIGIE_SMTP_HOST", "localhost")
    monkeypatch.setenv("VIGIE_OPERATOR_MAIL", "exploitation@example.org")

    with pytest.raises(NoModelError):
        night(str(tmp_path), NIGHT)

    with CaseStore(open_service(Settings(home=tmp_path)).cases_url) as cases:
        (mail,) = waiting(cases.engine)
        with cases.engine.connect() as connection:
            text = connection.exec_driver_sql("SELECT text FROM outbox").scalar_one()
    assert mail.key.startswith(f"failed/{NIGHT}/")
    assert "No model was trained" in text
    assert f"Look first: Run: vigie train --as-of {NIGHT}" in text


@pytest.mark.usefixtures("prefect")
def test_flows_refuse_a_day_that_is_not_over_in_production(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.flows.alert import alert
    from pipelines.flows.night import night
    from pipelines.flows.score import score
    from pipelines.flows.train import train
    from vigie import clock
    from vigie.errors import ConfigurationError

    monkeypatch.setenv("VIGIE_PRODUCTION", "true")
    for flow in (night, train, score, alert):
        with pytest.raises(ConfigurationError, match="is not over"):
            flow(str(home), clock.now().date() + dt.timedelta(days=1))


@pytest.mark.usefixtures("prefect")
def test_the_other_flows_run_alone(service: Service, home: Path) -> None:
    from models.registry import champion
    from pipelines.flows.alert import alert
    from pipelines.flows.ingest import ingest
    from pipelines.flows.score import score
    from pipelines.flows.train import train

    assert ingest(str(home)) == {}
    # The same facts, as of the same day, trained once more: the same version.
    assert train(str(home), TRAINED) == champion(service.home)
    scored = score(str(home), NIGHT)
    assert scored > 100
    assert alert(str(home), NIGHT) > 0


@pytest.mark.usefixtures("prefect")
def test_schedules_are_deployed_and_fire(tmp_path: Path) -> None:
    """Runs are created from the schedules by Prefect's own scheduler: SQLAlchemy 2.1 breaks this without a word."""
    from prefect.client.orchestration import get_client
    from prefect.server.services.scheduler import schedule_deployments

    from pipelines.deployments import deployments

    made = deployments(tmp_path)
    names = {deployment.name: deployment.apply() for deployment in made}
    assert set(names) == {"night", "weekly training", "outbox"}

    async def scheduled() -> set[str]:
        await schedule_deployments()
        async with get_client() as client:
            runs = await client.read_flow_runs()
        return {
            run.expected_start_time.strftime("%H:%M %Z") for run in runs if run.deployment_id == names["night"] and run.expected_start_time
        }

    starts = asyncio.run(scheduled())
    assert starts
    assert starts <= {"00:00 UTC", "01:00 UTC"}
