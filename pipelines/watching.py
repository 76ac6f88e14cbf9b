"""The watch over the model that serves: read what nights left behind, ask `models.watch`, keep the answer beside the night."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from data_contracts.vocabulary import LISTED
from pipelines.steps import SESSIONS_FILE
from vigie.errors import StorageError
from vigie.files import read_whole, read_whole_json, write_whole_text

if TYPE_CHECKING:
    from pathlib import Path

    from models.watch import Reading
    from pipelines.service import Service

WATCH_FILE: Final = "watch.json"
ANSWERED_DAYS: Final = 28
WEEKS_BACK: Final = 8
SUNDAY: Final = 6
"""Outcomes are looked at once a week, after Sunday: reading every ending each night would cost as much as the night."""
NIGHTS_SHOWN: Final = 60
SHIFTS_TOLD: Final = 3
SESSIONS_TOLD: Final = 3


def watch_night(service: Service, as_of: dt.date) -> list[str]:
    """Look at the night of `as_of`, write watch.json beside it; a night without estimates has nothing to watch.

    Returns:
        What deserves a warning; the same for the same night however often it is run.
    """
    from alerts.night import notice
    from models import watch

    home, out = service.home, service.home.out(as_of)
    scores, alerts = read_whole(out / "scores.parquet"), read_whole(out / "alerts.parquet")
    if scores.is_empty():
        return []
    version = scores["model_version"][0]
    readings: list[Reading] = []
    learnt = home.models / version / watch.REFERENCE_FILE
    if learnt.exists():
        features = read_whole(out / "features.parquet")
        readings += watch.drift(read_whole(learnt), features, scores["risk"].to_numpy())
    weeks = [as_of - dt.timedelta(weeks=week) for week in range(1, WEEKS_BACK + 1)]
    earlier = [home.out(day) / "alerts.parquet" for day in weeks]
    readings.append(watch.volume(_opened(alerts), [_opened(read_whole(path)) for path in earlier if path.exists()]))
    opinions = _opinions(service, as_of)
    readings += [watch.overrides(opinions), watch.usefulness(opinions)]
    if as_of.weekday() == SUNDAY:
        readings += _outcomes(service, as_of)
    with service.warehouse() as warehouse:
        said = notice(warehouse, as_of, service.time_zone)
    told_of = {"model_version": version, "notice": said, "readings": [reading.as_dict() for reading in readings]}
    write_whole_text(out / WATCH_FILE, json.dumps(told_of, ensure_ascii=False, indent=1) + "\n")
    alarms = [reading for reading in readings if reading.alarm]
    shifts = [reading for reading in alarms if reading.subject.startswith("drift")]
    told = [reading.says for reading in (*(one for one in alarms if one not in shifts), *shifts[:SHIFTS_TOLD])]
    if len(shifts) > SHIFTS_TOLD:
        told.append(f"{len(shifts) - SHIFTS_TOLD} columns more have shifted: vigie watch shows them.")
    return [*told, *_sessions_first(read_whole(out / SESSIONS_FILE))]


def _opened(alerts: pl.DataFrame) -> int:
    return alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk", pl.col("state").cast(pl.String) == "new").height


def _opinions(service: Service, as_of: dt.date) -> pl.DataFrame:
    from alerts.cases import CaseStore

    with CaseStore(service.cases_url) as cases:
        return cases.opinions(as_of - dt.timedelta(days=ANSWERED_DAYS - 1), as_of, service.time_zone)


def _outcomes(service: Service, as_of: dt.date) -> list[Reading]:
    """Of the newest night whose horizon is over and whose exits have had time to be told."""
    from data_contracts.endings import decided_after
    from models.labels import begun, known_endings
    from models.watch import matured

    rules = service.rules.invariants
    with service.warehouse() as warehouse:
        endings = known_endings(warehouse, as_of, rules.silence_days, service.time_zone)
        wait = rules.horizon_days + decided_after(warehouse, endings, as_of, rules.silence_days, service.time_zone)
        nights = [service.home.out(as_of - dt.timedelta(days=wait + days)) for days in range(7)]
        night = next((path for path in nights if (path / "scores.parquet").exists() and (path / "alerts.parquet").exists()), None)
        if night is None:
            return []
        scores = begun(read_whole(night / "scores.parquet"), warehouse, as_of, service.time_zone)
    alerts = read_whole(night / "alerts.parquet")
    called = alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk", pl.col("state").cast(pl.String).is_in(LISTED))
    return matured(scores, called, endings)


def _sessions_first(told: pl.DataFrame) -> list[str]:
    """Where the score was not proven to beat the session rate: the sessions of those places, as lists and team pages tell them.

    Args:
        told: contract `SessionAlerts`, of the night.
    """
    sessions = told.unique("session_id").sort("session_risk", "session_id", descending=[True, False])
    by_place = sessions.with_columns(pl.col("level").cast(pl.String)).group_by("level", "place", maintain_order=True)
    places = []
    for (level, place), theirs in sorted(by_place):
        first = theirs.head(SESSIONS_TOLD).to_dicts()
        names = ", ".join(f"{row['session_id']} ({row['people']} people, {row['session_risk']:.0%})" for row in first)
        more = f" and {theirs.height - SESSIONS_TOLD} more" if theirs.height > SESSIONS_TOLD else ""
        places.append(f"{level} {place}: {names}{more}")
    return [f"Where the score is not proven to beat the session rate, look at sessions first. {'; '.join(places)}."] if places else []


def watch_page(service: Service) -> tuple[Path, list[str], list[str], list[str]]:
    """Write the page that shows the last nights: every alarm, and how each reading went.

    Returns:
        Where it lies, its nights, the alarms of each subject as last read (columns and outcomes are looked at once a week), and what was
        never read, with why: nights whose watch is damaged, then subjects.
    """
    from models.registry import champion
    from models.watch_page import last_read, never_read, render

    nights: dict[str, dict[str, Any]] = {}
    damaged: list[str] = []
    for path in sorted((service.home.root / "out").glob(f"*/{WATCH_FILE}"))[-NIGHTS_SHOWN:]:
        try:
            nights[path.parent.name] = read_whole_json(path)
        except StorageError as error:
            damaged.append(f"{error.what} Run that night again: vigie night --as-of {path.parent.name}")
    serving = champion(service.home) or (nights[max(nights)]["model_version"] if nights else "")
    compared_on = _landmarks_on(service, serving)
    unread = never_read(nights, serving, compared_on)
    last = last_read(nights, serving if compared_on else "")
    page = write_whole_text(service.home.root / "out" / "watch.html", render(nights, serving, last, unread))
    alarms = [f"{reading['night']}: {reading['says']}" for reading in last.values() if reading["alarm"]]
    return page, list(nights), alarms, [*damaged, *(f"{subject}: {why}." for subject, why in unread.items())]


def _landmarks_on(service: Service, version: str) -> int | None:
    """Weekday on which columns are compared with what this version learnt from; none where it left nothing to compare with."""
    from models.watch import REFERENCE_FILE, landmarks_on

    path = service.home.models / version / REFERENCE_FILE
    return landmarks_on(read_whole(path)) if path.exists() else None
