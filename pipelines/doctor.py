"""What is wrong with a service, and what to do about it."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from vigie import clock
from vigie.errors import StorageError, VigieError
from vigie.files import explained, read_whole_json
from vigie.lock import only_writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.service import Service
    from vigie.settings import Settings

FREE_GIB: Final = 2
OLD_MODEL_DAYS: Final = 60
PATIENCE_SECONDS: Final = 3


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    level: Literal["ok", "note", "wrong"]
    what: str
    remedy: str = ""


def examine(settings: Settings) -> list[Finding]:
    """Look at settings, folder, lock, clock, warehouse and archive (every byte), deliveries, model, case store, nights, mail and Prefect.

    Each look stands alone: what one cannot read keeps no other from looking.
    """
    from pipelines.service import open_service

    try:
        service = open_service(settings)
    except VigieError as error:
        return [Finding("wrong", error.what, error.remedy)]
    findings = [
        Finding("ok", f"Home folder {service.home.root}, rules of {len(service.rules.territories)} territories, {service.time_zone}")
    ]
    looks = (
        _disk,
        _lock,
        _clock,
        _warehouse,
        _rebuilt,
        _erasing,
        _landing,
        _told,
        _refused,
        _model,
        _cases,
        _nights,
        _outbox,
        _operator,
        _words,
        _prefect,
    )
    return [*findings, *(_guarded(look, service) for look in looks)]


def _guarded(look: Callable[[Service], Finding], service: Service) -> Finding:
    try:
        with explained():
            return look(service)
    except VigieError as error:
        return Finding("wrong", error.what, error.remedy)
    except Exception as error:  # noqa: BLE001 - what one look stumbles over hides no other
        subject = look.__name__.strip("_")
        return Finding(
            "wrong", f"Looking at {subject} ended in an error: {error}.", "Look for a damaged file there; restore it from a backup."
        )


def _disk(service: Service) -> Finding:
    free = shutil.disk_usage(service.home.root).free / 2**30
    if free < FREE_GIB:
        return Finding("wrong", f"Only {free:.1f} GiB are free.", f"Free at least {FREE_GIB} GiB before the next night.")
    return Finding("ok", f"{free:.0f} GiB free")


def _lock(service: Service) -> Finding:
    with only_writer(service.home.lock, "vigie doctor"):
        return Finding("ok", "Nothing else is at work here")


def _warehouse(service: Service) -> Finding:
    from data_contracts.archive import Archive
    from data_contracts.ingest import DELIVERIES
    from pipelines.rebuild import faults

    if not service.home.warehouse.exists() and not Archive(service.home.archive).names():
        return Finding("note", "No warehouse yet.", "Put deliveries in landing/<table>/ and run: vigie ingest.")
    found = faults(service, lambda _: None)
    if found:
        remedy = "The next night makes it again from the archive; so does: vigie rebuild. A damaged archive needs a backup: vigie restore."
        return Finding("wrong", "; ".join(found), remedy)
    with service.warehouse() as warehouse:
        deliveries = warehouse.read(DELIVERIES)
    rows, held = int(deliveries["loaded"].sum()), int(deliveries["quarantined"].sum())
    what = f"Warehouse and archive are whole: {deliveries.height} deliveries, {rows:,} rows, {held:,} in quarantine"
    return Finding("ok", what)


def _erasing(service: Service) -> Finding:
    from data_contracts.erased import naming
    from data_contracts.ingest import DELIVERIES

    if service.home.erasing.exists():
        return Finding("wrong", "An erasure was stopped half-way.", "The next night ends it; so does: vigie people resume.")
    erased = service.erasures()
    if not erased and service.home.warehouse.exists():
        with service.warehouse() as warehouse:
            told_of_erased = naming(warehouse.read(DELIVERIES))
        if told_of_erased:
            what = f"People were erased, and {service.home.erased.name} is gone: the next full export would bring them back."
            return Finding("wrong", what, "Put back the copy that lies with the backups.")
    return Finding("ok", f"{len(erased)} people were erased and are kept out")


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


def _told(service: Service) -> Finding:
    from models.landmarks import QUIET_DAYS, last_told

    yesterday, told = clock.last_finished_day(clock.now(), service.time_zone), None
    if service.home.warehouse.exists():
        with service.warehouse() as warehouse:
            told = last_told(warehouse, yesterday, service.time_zone)
    if told is None:
        return Finding("note", "No presence, activity or exit is known yet.", "Put deliveries in landing/<table>/ and run: vigie ingest.")
    if (yesterday - told).days > QUIET_DAYS:
        remedy = f"Ask the operators what is missing. To train, compare or judge on what is known: --as-of {told}."
        return Finding("note", f"No presence, activity or exit is told after {told}, {(yesterday - told).days} days ago.", remedy)
    return Finding("ok", f"Deliveries tell of people until {told}")


def _refused(service: Service) -> Finding:
    reasons = sorted(service.home.refused.rglob("*.reason.txt"))
    if not reasons:
        return Finding("ok", "No file was refused")
    what, _, remedy = reasons[-1].read_text(encoding="utf-8").strip().partition("\n")
    return Finding("wrong", f"{len(reasons)} files were refused; the last: {what}", remedy)


def _model(service: Service) -> Finding:
    from models.registry import model_for

    night = service.finished_day()  # What the next night is, and what its model may have seen.
    model = model_for(service.home, night)
    age = (night - dt.date.fromisoformat(model.trained_as_of)).days
    if age > OLD_MODEL_DAYS:
        return Finding("note", f"Champion {model.version} was trained {age} days ago.", "Run: vigie train, or: vigie schedule.")
    return Finding("ok", f"Champion {model.version}")


def _clock(service: Service) -> Finding:
    """A clock that was wrong leaves nights or deliveries of a day that has not come."""
    tomorrow = clock.now().date() + dt.timedelta(days=1)
    ahead = [night for night in _served(service) if night > tomorrow.isoformat()]
    if ahead:
        what = f"The night of {ahead[-1]} was run, and it is {tomorrow - dt.timedelta(days=1)} by this machine's clock."
        remedy = "Set the clock (timedatectl), then run a backfill up to yesterday: the page shows the latest night whose day has come."
        return Finding("wrong", what, remedy)
    return Finding("ok", f"The clock says {clock.now():%Y-%m-%d %H:%M} UTC")


def _rebuilt(service: Service) -> Finding:
    if service.home.rebuilt.exists():
        remedy = f"Look at the disk and its cables, then delete {service.home.rebuilt} and warehouse.duckdb.damaged."
        return Finding("note", service.home.rebuilt.read_text(encoding="utf-8").strip(), remedy)
    return Finding("ok", "The warehouse was never made again")


def _cases(service: Service) -> Finding:
    from alerts.cases import CaseStore

    with CaseStore(service.cases_url) as cases:
        if cases.engine.dialect.name != "sqlite":
            return Finding("ok", "The case store answers")
        with cases.engine.connect() as connection:
            said = str(connection.exec_driver_sql("PRAGMA quick_check").scalar_one())
    if said != "ok":
        return Finding("wrong", f"The case store is damaged: {said.splitlines()[0]}", "Restore it from a backup: vigie restore.")
    return Finding("ok", "The case store is whole")


def _served(service: Service) -> list[str]:
    return sorted(path.parent.name for path in service.home.root.glob("out/*/night.json"))


def _nights(service: Service) -> Finding:
    nights = _served(service)
    if not nights:
        return Finding("note", "No night was run yet.", "Run: vigie night.")
    path = service.home.out(dt.date.fromisoformat(nights[-1])) / "night.json"
    try:
        account = read_whole_json(path)
    except StorageError:
        return Finding("wrong", f"{path} is damaged.", f"Run the night again: vigie night --as-of {nights[-1]}")
    if account.get("not_estimated"):
        what = f"The last night, {nights[-1]}, had no estimate: {account['not_estimated']}"
        return Finding("wrong", what, "Mend the cause and run it again: vigie night --as-of " + nights[-1])
    late = (service.finished_day() - dt.date.fromisoformat(nights[-1])).days
    if late > 0:
        return Finding("note", f"The last night was {nights[-1]}, {late} days behind.", "Look at: vigie schedule, and the operator's mail.")
    return Finding("ok", f"The last night was {nights[-1]}")


def _operator(service: Service) -> Finding:
    settings = service.settings
    if not settings.smtp_host or not settings.operator_mail:
        return Finding("note", "Nobody is told by mail of a night that fails.", "Set VIGIE_SMTP_HOST and VIGIE_OPERATOR_MAIL.")
    return Finding("ok", "A night that fails is told by mail")


def _words(service: Service) -> Finding:
    from alerts.actions import ACTIONS

    rules = service.rules
    without = sorted({code for code in ACTIONS for free in (rules.default, *rules.territories.values()) if code not in free.actions})
    if without:
        what = f"Lists may ask for what the rules have no sentence for, and show its code instead: {', '.join(without)}."
        return Finding("wrong", what, "Word them in national.toml, section free.actions; the file that comes with Vigie has them all.")
    return Finding("ok", "Every action that a list may ask for has its sentence")


def _prefect(_: Service) -> Finding:
    address = os.environ.get("PREFECT_API_URL", "")
    if not address.startswith(("http://", "https://")):
        return Finding("ok", "No Prefect server is used: vigie night runs by itself")
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=PATIENCE_SECONDS):  # noqa: S310 - http alone, checked above
            return Finding("ok", f"The Prefect server answers at {address}")
    except (OSError, ValueError) as error:
        remedy = "Start it (make server), or unset PREFECT_API_URL: vigie night then runs by itself."
        return Finding("wrong", f"The Prefect server at {address} does not answer: {error}.", remedy)


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
