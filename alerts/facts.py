"""What the night's decisions rest on, all of it as known at the as-of date."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt

    from vigie.store import Warehouse

PAST_COLUMNS = {
    "as_of": pl.Date,
    "kind": pl.String,
    "enrolment_id": pl.String,
    "learner_id": pl.String,
    "advisor_id": pl.String,
    "opened_on": pl.Date,
    "state": pl.String,
}
"""Columns of earlier nights' alerts that a new night looks at."""


@dataclass(frozen=True)
class Facts:
    """Tables as known at the end of `as_of`; frames of the contracts of the same name."""

    as_of: dt.date
    scores: pl.DataFrame
    enrolments: pl.DataFrame
    sessions: pl.DataFrame
    exits: pl.DataFrame
    assignments: pl.DataFrame
    advisors: pl.DataFrame
    contacts: pl.DataFrame
    past: pl.DataFrame
    """Alerts of earlier nights, `PAST_COLUMNS`."""
    held_out: pl.DataFrame
    """enrolment_id of those whom an experiment keeps off the risk list; may be empty."""


def read_facts(warehouse: Warehouse, as_of: dt.date, scores: pl.DataFrame, past: pl.DataFrame, time_zone: str) -> Facts:
    """Read what is known at the end of `as_of`."""
    instant = end_of_day(as_of, time_zone)

    def known(table: str, *columns: str) -> pl.DataFrame:
        return warehouse.as_known_at(layout(TABLES[table]), instant, columns=columns or None)

    return Facts(
        as_of=as_of,
        scores=scores,
        enrolments=known("enrolments", "enrolment_id", "learner_id", "session_id", "enrolled_on", "entry_date", "planned_exit_date"),
        sessions=known("sessions", "session_id", "territory_id"),
        exits=known("exits", "enrolment_id", "exit_date"),
        assignments=known("assignments", "learner_id", "valid_from", "valid_to", "advisor_id"),
        advisors=known("advisors", "advisor_id", "weekly_capacity", "active_from", "active_to", "backup_advisor_id"),
        contacts=known("contacts", "learner_id", "occurred_at", "outcome"),
        past=past,
        held_out=pl.DataFrame(schema={"enrolment_id": pl.String}),
    )
