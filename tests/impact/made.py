"""Facts written by hand, a few rows at a time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl

from impact.facts import CHARACTERISTICS, Facts, Nights

CUT_OFF = dt.date(2026, 3, 31)
_SCHEMAS: dict[str, dict[str, Any]] = {
    "owners": {"learner_id": pl.String, "advisor_id": pl.String, "operator": pl.String, "valid_from": pl.Date, "valid_to": pl.Date},
    "advisors": {
        "advisor_id": pl.String,
        "operator": pl.String,
        "territory_id": pl.String,
        "active_from": pl.Date,
        "active_to": pl.Date,
    },
    "contacts": {
        "learner_id": pl.String,
        "advisor_id": pl.String,
        "at": pl.Datetime("us", "UTC"),
        "on": pl.Date,
        "outcome": pl.String,
        "purpose": pl.String,
        "two_way": pl.Boolean,
    },
    "sheets": {
        "enrolment_id": pl.String,
        "date": pl.Date,
        "due": pl.UInt32,
        "came": pl.UInt32,
        "expected": pl.UInt32,
        "in_time": pl.UInt32,
    },
    "followups": {"enrolment_id": pl.String, "observed_on": pl.Date, "months_after_exit": pl.Int32, "situation": pl.String},
}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(f"2026-{text}") if len(text) == 5 else dt.date.fromisoformat(text)


def enrolled(key: str, entry: str, planned: str, exit_on: str | None = None, reason: str | None = None, **more: str) -> dict[str, Any]:
    row = {"enrolment_id": key, "learner_id": key, "provider_id": "P1", "territory_id": "T", "operator": "cep"}
    dates = {"entry_date": day(entry), "planned_exit_date": day(planned), "exit_date": day(exit_on) if exit_on else None}
    return row | dates | {"reason": reason} | dict.fromkeys(CHARACTERISTICS) | more


def spoke(who: str, on: str, outcome: str = "reached", purpose: str = "motivation", hour: int = 10) -> dict[str, Any]:
    at = dt.datetime.combine(day(on), dt.time(hour), dt.UTC)
    told = {"outcome": outcome, "purpose": purpose, "two_way": outcome in {"reached", "kept"}}
    return {"learner_id": who, "advisor_id": "A", "at": at, "on": day(on)} | told


def alert(who: str, on: str, opened: str | None = None, state: str = "new", kind: str = "dropout_risk") -> dict[str, Any]:
    whose = {"enrolment_id": who, "learner_id": who, "advisor_id": "A", "queue": "owner"}
    return whose | {"as_of": day(on), "opened_on": day(opened or on), "state": state, "kind": kind}


def facts(enrolments: list[dict[str, Any]], as_of: dt.date = CUT_OFF, **tables: list[dict[str, Any]]) -> Facts:
    """Facts with these rows; scores, alerts and answers are those of the nights."""
    none = Nights.none()
    nights = {name: pl.DataFrame(tables.pop(name, []), schema=getattr(none, name).schema) for name in ("scores", "alerts", "answers")}
    frames = {name: pl.DataFrame(tables.pop(name, []), schema=schema) for name, schema in _SCHEMAS.items()}
    assert not tables
    texts = dict.fromkeys(("exit_date",), pl.Date) | dict.fromkeys(("reason", *CHARACTERISTICS), pl.String)
    return Facts(
        as_of=as_of,
        time_zone="Europe/Paris",
        enrolments=pl.DataFrame(enrolments, schema_overrides=texts),
        nights=Nights(**nights),
        providers={"P1": "Organisme 1"},
        notice="",
        **frames,
    )
