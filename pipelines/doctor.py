"""What is wrong with a service, and what to do about it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from vigie import clock
from vigie.errors import VigieError
from vigie.lock import only_writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.service import Service
    from vigie.settings import Settings

FREE_GIB: Final = 2
OLD_MODEL_DAYS: Final = 60


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    level: Literal["ok", "note", "wrong"]
    what: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at settings, folder, lock, warehouse, deliveries and model, in that order; stops where nothing further can be read."""
    from pipelines.service import open_service

    try:
        service = open_service(settings)
    except VigieError as error:
        return [Finding("wrong", error.what, error.remedy)]
    findings = [
        Finding("ok", f"Home folder {service.home.root}, rules of {len(service.rules.territories)} territories, {service.time_zone}")
    ]
    looks = (_disk, _lock, _warehouse, _landing, _refused, _model, _outbox)
    return [*findings, *(_guarded(look, service) for look in looks)]


def _guarded(look: Callable[[Service], Finding], service: Service) -> Finding:
    try:
        return look(service)
    except VigieError as error:
        return Finding("wrong", error.what, error.remedy)


def _disk(service: Service) -> Finding:
    free = shutil.disk_usage(service.home.root).free / 2**30
    if free < FREE_GIB:
        return Finding("wrong", f"Only {free:.1f} GiB are free.", f"Free at least {FREE_GIB} GiB before the next night.")
    return Finding("ok", f"{free:.0f} GiB free")


def _lock(service: Service) -> Finding:
    with only_writer(service.home.lock, "vigie doctor"):
        return Finding("ok", "Nothing else is at work here")


def _warehouse(service: Service) -> Finding:
    from data_contracts.ingest import DELIVERIES

    if not service.home.warehouse.exists():
        return Finding("note", "No warehouse yet.", "Put deliveries in landing/<table>/ and run: vigie ingest.")
    with service.warehouse() as warehouse:
        deliveries = warehouse.read(DELIVERIES)
    rows, held = int(deliveries["loaded"].sum()), int(deliveries["quarantined"].sum())
    what = f"Warehouse opens: {deliveries.height} deliveries, {rows:,} rows, {held:,} in quarantine"
    return Finding("ok", what)


def _landing(service: Service) -> Finding:
    from data_contracts.deliveries import landed
    from data_contracts.ingest import DELIVERIES

    files = landed(service.home.landing, clock.now())
    if not service.home.warehouse.exists():
        return Finding(
            "note" if files else "wrong",
            f"{len(files)} files in {service.home.landing}",
            "Run: vigie ingest." if files else "Nothing was delivered.",
        )
    with service.warehouse() as warehouse:
        taken = set(warehouse.read(DELIVERIES)["file"])
    waiting = [file.name for file in files if file.name not in taken]
    if waiting:
        return Finding(
            "note", f"{len(waiting)} files wait in landing, the first {waiting[0]}.", "The next night takes them, or: vigie ingest."
        )
    return Finding("ok", f"All {len(files)} files in landing were taken")


def _refused(service: Service) -> Finding:
    reasons = sorted(service.home.refused.rglob("*.reason.txt"))
    if not reasons:
        return Finding("ok", "No file was refused")
    what, _, remedy = reasons[-1].read_text(encoding="utf-8").strip().partition("\n")
    return Finding("wrong", f"{len(reasons)} files were refused; the last: {what}", remedy)


def _model(service: Service) -> Finding:
    from models.registry import model_for

    today = clock.now().date()
    model = model_for(service.home, today)
    import datetime as dt

    age = (today - dt.date.fromisoformat(model.trained_as_of)).days
    if age > OLD_MODEL_DAYS:
        return Finding("note", f"Champion {model.version} was trained {age} days ago.", "Run: vigie train, or: vigie schedule.")
    return Finding("ok", f"Champion {model.version}")


def _outbox(service: Service) -> Finding:
    from alerts.cases import CaseStore
    from alerts.outbox import waiting

    with CaseStore(service.cases_url) as cases:
        rows = waiting(cases.engine)
    stuck = [row for row in rows if row.next_at is None and row.fault != "too late"]
    if stuck:
        what = f"{len(stuck)} mails or calls were given up, the last one: {stuck[-1].fault}"
        return Finding("wrong", what, "Mend the cause, then: vigie outbox retry && vigie outbox send. See them with: vigie outbox list.")
    return Finding("ok", f"{sum(row.next_at is not None for row in rows)} mails or calls wait to leave")
