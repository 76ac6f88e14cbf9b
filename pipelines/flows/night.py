"""The night: ingest, score, alert, account."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import Flow, State, flow
from prefect.artifacts import create_table_artifact

from pipelines.flows.tasks import as_task
from pipelines.notice import tell_degraded, tell_failure
from pipelines.service import open_service
from pipelines.steps import run_night
from vigie import clock
from vigie.settings import Settings

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun


def tell_operator(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """State hook: a night that failed or crashed, wherever it died, is told by mail."""
    given = flow_run.parameters
    service = open_service(Settings(home=Path(given["home"])))
    as_of = dt.date.fromisoformat(str(given["as_of"])[:10]) if given.get("as_of") else None
    day = as_of or clock.last_finished_day(clock.now(), service.time_zone)
    what, _, first = (state.message or f"The {flow.name} flow ended as {state.name}.").partition("\n")
    tell_failure(service, day, what, first or "vigie doctor")


@flow(name="night", log_prints=False, on_failure=[tell_operator], on_crashed=[tell_operator])
def night(home: str, as_of: dt.date | None = None, *, notify: bool = True) -> dict[str, Any]:
    """Run the night of `as_of` (default: yesterday) in `home`; its account, also kept as a table artifact."""
    service = open_service(Settings(home=Path(home)))
    day = service.finished_day(as_of)
    account = run_night(service, day, as_task, notify=notify)
    if notify:
        tell_degraded(service, account)
    create_table_artifact(key="night", table=lines(account), description=f"Night of {day}, model {account['model_version']}")
    return account


def lines(account: dict[str, Any]) -> list[dict[str, str]]:
    """The account as rows of a table: what, and how many."""
    counts = {
        "enrolments scored": account["enrolments_scored"],
        **{f"rows of {table}": row["rows_read"] for table, row in account["rows"].items()},
        **{f"alerts {state}": number for state, number in account["alerts"]["state"].items()},
        **{f"seconds of {step}": seconds for step, seconds in account["seconds"].items()},
        "warnings": len(account["warnings"]),
    }
    return [{"what": what, "how many": str(number)} for what, number in counts.items()]
