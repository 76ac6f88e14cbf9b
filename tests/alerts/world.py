"""A small world for the policy: one learner for each risk, three advisors, one territory."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl

from alerts.facts import ABSENCE_COLUMNS, ANSWER_COLUMNS, PAST_COLUMNS, Facts, Said
from data_contracts.tables.outputs import REASON
from vigie.rules import Rules, read_rules
from vigie.settings import ROOT

NATIONAL = read_rules(ROOT / "config")
DAY = dt.date(2026, 3, 4)
NO_PAST = pl.DataFrame(schema=PAST_COLUMNS)
REASONS = pl.List(REASON.dtype)


def ruled(*, default: dict[str, object] | None = None, **invariants: object) -> Rules:
    """The national rules with some of them changed."""
    return NATIONAL.model_copy(
        update={
            "invariants": NATIONAL.invariants.model_copy(update=invariants),
            "default": NATIONAL.default.model_copy(update=default or {}),
        }
    )


# Promises within the course have tests of their own; elsewhere they would only add lines.
RULES = ruled(mid_course_from_days=10_000)


def ago(days: int) -> dt.date:
    return DAY - dt.timedelta(days=days)


def instant(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC)


def people(risks: list[float], *, owners: list[str | None] | None = None, entered_days: int = 60) -> Facts:
    """One learner for each risk; owned by advisor A unless said otherwise. Advisor B has left; C stands in for B."""
    ids = [f"{n:03d}" for n in range(len(risks))]
    owned = owners if owners is not None else ["A"] * len(risks)
    entry = DAY - dt.timedelta(days=entered_days)
    n = len(risks)
    return Facts(
        as_of=DAY,
        scores=pl.DataFrame(
            {
                "enrolment_id": ids,
                "risk": risks,
                "reasons": [[{"code": "attendance", "feature": "x", "value": 2.0, "contribution": 0.4, "previous_value": 0.0}]] * n,
                "low_confidence": [False] * n,
            },
            schema={"enrolment_id": pl.String, "risk": pl.Float64, "reasons": REASONS, "low_confidence": pl.Boolean},
        ),
        by_rule=None,
        enrolments=pl.DataFrame(
            {
                "enrolment_id": ids,
                "learner_id": [f"L{name}" for name in ids],
                "session_id": ["S"] * n,
                "enrolled_on": [entry] * n,
                "entry_date": [entry] * n,
                "planned_exit_date": [DAY + dt.timedelta(days=60)] * n,
            },
            schema_overrides={"enrolment_id": pl.String, "learner_id": pl.String},
        ),
        sessions=pl.DataFrame({"session_id": ["S"], "territory_id": ["T"]}),
        exits=pl.DataFrame(schema={"enrolment_id": pl.String, "exit_date": pl.Date, "reason": pl.String}),
        assignments=pl.DataFrame(
            [(f"L{name}", entry, None, owner) for name, owner in zip(ids, owned, strict=True) if owner],
            schema={"learner_id": pl.String, "valid_from": pl.Date, "valid_to": pl.Date, "advisor_id": pl.String},
            orient="row",
        ),
        advisors=pl.DataFrame(
            [
                ("A", 3, dt.date(2020, 1, 1), None, "C", None),
                ("B", 3, dt.date(2020, 1, 1), DAY - dt.timedelta(days=1), "C", None),
                ("C", 3, dt.date(2020, 1, 1), None, None, None),
            ],
            schema={
                "advisor_id": pl.String,
                "weekly_capacity": pl.Int32,
                "active_from": pl.Date,
                "active_to": pl.Date,
                "backup_advisor_id": pl.String,
                "joined_on": pl.Date,
            },
            orient="row",
        ),
        contacts=spoken(),
        followups=pl.DataFrame(schema={"enrolment_id": pl.String, "observed_on": pl.Date}),
        attendance=pl.DataFrame(schema={"enrolment_id": pl.String, "date": pl.Date, "status": pl.String}),
        past=NO_PAST,
        said=Said(),
        held_out=pl.DataFrame(schema={"enrolment_id": pl.String}),
    )


def spoken(*who: tuple[str, dt.date]) -> pl.DataFrame:
    return contacts(*((learner, day, "outbound", "reached", "motivation") for learner, day in who))


def contacts(*rows: tuple[str, dt.date, str, str, str]) -> pl.DataFrame:
    names = ("learner_id", "occurred_at", "direction", "outcome", "purpose")
    schema = dict.fromkeys(names, pl.String()) | {"occurred_at": pl.Datetime("us", "UTC")}
    made = pl.DataFrame([(row[0], instant(row[1]), *row[2:]) for row in rows], schema=schema, orient="row")
    return made.with_columns(on=pl.col("occurred_at").dt.date(), barrier=pl.lit(None, pl.String))


def next_night(facts: Facts, alerts: pl.DataFrame, days: int = 1) -> Facts:
    past = pl.concat([facts.past, alerts.select(pl.col(name).cast(dtype) for name, dtype in PAST_COLUMNS.items())])
    return replace(facts, as_of=facts.as_of + dt.timedelta(days=days), past=past)


def states(alerts: pl.DataFrame, kind: str = "dropout_risk") -> dict[str, str]:
    chosen = alerts.filter(pl.col("kind").cast(pl.String) == kind)
    return dict(chosen.select("enrolment_id", pl.col("state").cast(pl.String)).rows())


def said(
    *answers: tuple[str, str, dt.date],
    remind_on: dt.date | None = None,
    kind: str | None = None,
    away: tuple[str, dt.date, dt.date] | None = None,
) -> Said:
    """Answers as (enrolment, code, day), given to alerts of that kind."""
    rows = [(name, f"L{name}", code, day, remind_on, None, kind) for name, code, day in answers]
    absent = [away] if away else []
    return Said(
        pl.DataFrame(rows, schema=ANSWER_COLUMNS, orient="row"),
        pl.DataFrame(absent, schema=ABSENCE_COLUMNS, orient="row"),
    )
