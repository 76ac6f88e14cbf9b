"""What the night's decisions rest on, all of it as known at the as-of date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.returns import returned
from data_contracts.catalogue import TABLES
from data_contracts.experiments import practices, treatments
from data_contracts.ingest import layout
from data_contracts.known import known_at
from data_contracts.tables.outputs import REASON
from vigie.clock import end_of_day
from vigie.working_days import worked_from

if TYPE_CHECKING:
    from vigie.rules import Rules
    from vigie.store import Warehouse

PAST_COLUMNS: Final = {
    "as_of": pl.Date,
    "kind": pl.String,
    "enrolment_id": pl.String,
    "learner_id": pl.String,
    "advisor_id": pl.String,
    "opened_on": pl.Date,
    "state": pl.String,
}
"""Columns of earlier nights' alerts that a new night looks at."""
ANSWER_COLUMNS: Final = {
    "enrolment_id": pl.String,
    "learner_id": pl.String,
    "code": pl.String,
    "on": pl.Date,
    "remind_on": pl.Date,
    "reason": pl.String,
    "kind": pl.String,
}
"""Columns of what advisors answered; `on` is the day, in the service's time zone, `kind` that of the alert it was given to."""
RULED_COLUMNS: Final = {"enrolment_id": pl.String, "reasons": pl.List(REASON.dtype), "strength": pl.Float64}
"""Columns of those whom a rule alone would call: reasons as in the scores, and how many times over the rule holds."""
SUGGESTED_COLUMNS: Final = dict.fromkeys(("enrolment_id", "reason", "action"), pl.String)
AVOIDED_COLUMNS: Final = {"enrolment_id": pl.String, "avoided": pl.Float64}
ABSENCE_COLUMNS: Final = {"advisor_id": pl.String, "first_day": pl.Date, "last_day": pl.Date}
"""Columns of advisors' announced absences."""


@dataclass(frozen=True)
class Said:
    """What people wrote in the case store until the end of the as-of date: `ANSWER_COLUMNS` and `ABSENCE_COLUMNS`."""

    answers: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ANSWER_COLUMNS))
    absences: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=ABSENCE_COLUMNS))


@dataclass(frozen=True)
class Facts:
    """Tables as known at the end of `as_of`; frames of the contracts of the same name."""

    as_of: dt.date
    scores: pl.DataFrame
    by_rule: pl.DataFrame | None
    """On a night without scores, those whom a rule alone would call: `RULED_COLUMNS`."""
    enrolments: pl.DataFrame
    sessions: pl.DataFrame
    exits: pl.DataFrame
    assignments: pl.DataFrame
    advisors: pl.DataFrame
    """With `joined_on`: since when they work for their present operator; null when it never changed."""
    contacts: pl.DataFrame
    """With `on`: the day, in the service's time zone."""
    followups: pl.DataFrame
    attendance: pl.DataFrame
    """Half-days of the last excused_days, of those whose risk could put them on a list."""
    past: pl.DataFrame
    """Alerts of earlier nights, `PAST_COLUMNS`."""
    said: Said
    held_out: pl.DataFrame
    """enrolment_id of those whom an experiment keeps off the risk list; may be empty."""
    put_first: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"enrolment_id": pl.String}))
    """enrolment_id of those whose risk alerts an experiment puts higher on the list; may be empty."""
    returned: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"enrolment_id": pl.String}))
    """enrolment_id of those of `attendance` who have come back to class, see `alerts.returns`."""
    suggested: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=SUGGESTED_COLUMNS))
    """What an experiment asks of whom, for a reason, in place of the usual action; may be empty."""
    avoided: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=AVOIDED_COLUMNS))
    """What a call takes away from the risk of each, where an experiment showed that ranking by it does better; else empty."""

    @property
    def list_day(self) -> dt.date:
        """The day on which the list is used."""
        return self.as_of + dt.timedelta(days=1)

    @property
    def read_on(self) -> dt.date:
        """The first working day from then on."""
        return worked_from(self.list_day)


def read_facts(
    warehouse: Warehouse,
    as_of: dt.date,
    scores: pl.DataFrame,
    past: pl.DataFrame,
    said: Said,
    rules: Rules,
    time_zone: str,
    by_rule: pl.DataFrame | None = None,
) -> Facts:
    """Read what is known at the end of `as_of`."""
    known = known_at(warehouse, as_of, time_zone)
    limits = [free.minimum_risk for free in (rules.default, *rules.territories.values())]
    near = scores.filter(pl.col("risk") >= min(limits) * rules.invariants.keep_share).select("enrolment_id")
    if by_rule is not None:
        open_risks = past.filter(pl.col("kind") == "dropout_risk", pl.col("as_of") == pl.col("as_of").max())
        near = pl.concat([near, by_rule.select("enrolment_id"), open_risks.select("enrolment_id")])
    sheets = known("attendance", "enrolment_id", "date", "status", among=near)
    first = as_of - dt.timedelta(days=rules.invariants.excused_days - 1)
    asked = treatments(warehouse, as_of, time_zone)
    return Facts(
        as_of=as_of,
        scores=scores,
        by_rule=by_rule,
        enrolments=known("enrolments", "enrolment_id", "learner_id", "session_id", "enrolled_on", "entry_date", "planned_exit_date"),
        sessions=known("sessions", "session_id", "territory_id", "provider_id", "programme_id"),
        exits=known("exits", "enrolment_id", "exit_date", "reason"),
        assignments=known("assignments", "learner_id", "valid_from", "valid_to", "advisor_id"),
        advisors=_advisors(warehouse, end_of_day(as_of, time_zone), time_zone),
        # A mistyped year is no talk that was held.
        contacts=known("contacts", "learner_id", "occurred_at", "direction", "outcome", "purpose", "barrier")
        .with_columns(on=local_day("occurred_at", time_zone))
        .filter(pl.col("on") <= as_of),
        followups=known("followups", "enrolment_id", "observed_on").filter(pl.col("observed_on") <= as_of),
        attendance=sheets.filter(pl.col("date").is_between(first, as_of)),
        returned=returned(sheets, as_of),
        past=past,
        said=said,
        held_out=asked.filter(pl.col("treatment") == "held_out").select("enrolment_id").unique(),
        put_first=asked.filter(pl.col("treatment") == "first").select("enrolment_id").unique(),
        suggested=practices(warehouse, as_of, time_zone).select(list(SUGGESTED_COLUMNS)),
    )


def local_day(instant: str, time_zone: str) -> pl.Expr:
    """The day of an instant where the service is."""
    return pl.col(instant).dt.convert_time_zone(time_zone).dt.date()


def _advisors(warehouse: Warehouse, instant: dt.datetime, time_zone: str) -> pl.DataFrame:
    """Advisors with `joined_on`, the day their present operator was first told of after another one."""
    columns = ["advisor_id", "weekly_capacity", "active_from", "active_to", "backup_advisor_id", "operator"]
    layers = warehouse.as_known_at(
        layout(TABLES["advisors"]), instant, since=dt.datetime.min.replace(year=1900, tzinfo=dt.UTC), columns=[*columns, "known_on"]
    )
    newest = layers.filter(pl.col("visible_until").is_null())
    before = layers.join(newest.select("advisor_id", present="operator"), on="advisor_id").filter(pl.col("operator") != pl.col("present"))
    joined = before.group_by("advisor_id").agg(joined_on=local_day("visible_until", time_zone).max())
    return newest.select(columns).join(joined, on="advisor_id", how="left")
