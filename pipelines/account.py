"""The night's account: what was read, scored and asked for, and what deserves a look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import DELIVERIES, QUARANTINE, layout
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from pipelines.steps import ScoredNight
    from vigie.settings import Home
    from vigie.store import Warehouse

QUARANTINED_SHARE: Final = 0.05
STALE_DAYS: Final = 7
REASON: Final = ".reason.txt"
"""Ends the name of the file that says why another was set aside."""


def account(warehouse: Warehouse, as_of: dt.date, scored: ScoredNight, alerts: pl.DataFrame, home: Home, time_zone: str) -> dict[str, Any]:
    """The content of night.json, without seconds; the same for the same night however often it is run.

    Args:
        warehouse: after the night's ingest.
        as_of: the night.
        scored: what scoring left behind.
        alerts: contract `Alerts`.
        home: of the service.
        time_zone: in which as-of dates end.
    """
    ledger = warehouse.read(DELIVERIES)
    deliveries = ledger.filter(pl.col("taken_for") == as_of)
    counts = ["rows_read", "loaded", "unchanged", "quarantined"]
    by_table = deliveries.group_by("table").agg(pl.col(counts).sum(), files=pl.len()).sort("table")
    return {
        "as_of": as_of.isoformat(),
        "model_version": scored.model_version,
        "rows": {row.pop("table"): row for row in by_table.to_dicts()},
        "enrolments_scored": scored.enrolments,
        "not_estimated": scored.not_estimated,
        "low_confidence": scored.low_confidence,
        "off_sheets": dict(scored.off_sheets),
        "silences": [row | {"heard_on": row["heard_on"].isoformat()} for row in scored.silences.to_dicts()],
        "set_aside": [name for folder in (home.refused, home.held) for name in _names(folder)],
        "alerts": {name: _counts(alerts, name) for name in ("kind", "queue", "state")},
        "made_with": {"deliveries": ledger["number"].max() or 0},
        "warnings": [
            *_not_estimated(scored),
            *_rebuilt(home),
            *_silent(scored.silences),
            *_off_sheets(scored),
            *_refused(home.refused),
            *_refused(home.held),
            *_held_back(scored),
            *_noted(deliveries),
            *_quarantined(by_table, warehouse.read(QUARANTINE).join(deliveries, on="delivery_id", how="semi", maintain_order="left")),
            *_stale(warehouse, as_of, time_zone),
        ],
    }


def _not_estimated(scored: ScoredNight) -> list[str]:
    why = scored.not_estimated
    return [f"No estimate this night: {why} The lists come from the rules and the promises alone."] if why else []


def _rebuilt(home: Home) -> list[str]:
    if not home.rebuilt.exists():
        return []
    return [f"{home.rebuilt.read_text(encoding='utf-8').strip()} Check the disk, then delete {home.rebuilt.name}."]


def _silent(silences: pl.DataFrame) -> list[str]:
    return [
        f"{row['source']} {row['id']} ({row['name']}): no {row['table']} since {row['heard_on']}, {row['silent_days']} days where "
        f"{row['usual_days']} are usual; {row['people']} people in training. No risk is raised by it, and their scores say so."
        for row in silences.to_dicts()
    ]


def _off_sheets(scored: ScoredNight) -> list[str]:
    people, providers = sum(scored.off_sheets.values()), ", ".join(f"{name} ({number})" for name, number in scored.off_sheets.items())
    who = f"{people} people are named by no attendance sheet for two class days or a week while their session goes on"
    return [f"{who}: {providers}. Ask whether they have left: an exit may not have been told."] if people else []


def _counts(alerts: pl.DataFrame, name: str) -> dict[str, int]:
    rows = alerts.group_by(pl.col(name).cast(pl.String)).len().sort(name).rows()
    return {str(value): int(number) for value, number in rows}


def _refused(refused: Path) -> list[str]:
    reasons = sorted(refused.rglob(f"*{REASON}"))
    return [path.read_text(encoding="utf-8").splitlines()[0] for path in reasons]


def _names(folder: Path) -> list[str]:
    return sorted(f"{folder.name}/{path.relative_to(folder).as_posix().removesuffix(REASON)}" for path in folder.rglob(f"*{REASON}"))


def _held_back(scored: ScoredNight) -> list[str]:
    who = f"Files held back or rows set aside tell of {scored.held_back} people in training."
    return [f"{who} No risk is raised by it, and their scores say so."] if scored.held_back else []


def _noted(deliveries: pl.DataFrame) -> list[str]:
    told = deliveries.filter(pl.col("note").is_not_null()).sort("number").unique("file", keep="first", maintain_order=True)
    return [f"{row['file']}: {row['note']}." for row in told.to_dicts()]


def _quarantined(by_table: pl.DataFrame, quarantine: pl.DataFrame) -> list[str]:
    heavy = by_table.filter(pl.col("quarantined") > pl.col("rows_read") * QUARANTINED_SHARE)
    warnings = []
    for row in heavy.to_dicts():
        first = quarantine.filter(pl.col("table") == row["table"]).row(0, named=True)
        example = f"{first['file']}, line {first['line']}, {first['column']}: {first['reason']}"
        warnings.append(f"{row['table']}: {row['quarantined']} of {row['rows_read']} rows in quarantine, such as {example}.")
    return warnings


def _stale(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> list[str]:
    instant = end_of_day(as_of, time_zone)
    warnings = []
    for name, date in (("attendance", "date"), ("activity", "date"), ("contacts", "occurred_at")):
        newest = warehouse.newest(layout(TABLES[name]), date, instant)
        if newest and (as_of - newest).days > STALE_DAYS:
            warnings.append(f"{name}: nothing newer than {newest.isoformat()} is known.")
    return warnings
