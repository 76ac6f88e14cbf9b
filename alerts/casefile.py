"""What a case page shows of one learner: sheets, traces, work and contacts, when each became known, and what protects."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.facts import local_day
from data_contracts.catalogue import TABLES
from data_contracts.known import known_at
from vigie.store import ORIGIN

if TYPE_CHECKING:
    from vigie.store import Warehouse

WEEKS: Final = 8
"""How far back a page looks: what an advisor needs to start a conversation, and no more."""


def case_files(warehouse: Warehouse, as_of: dt.date, enrolments: pl.DataFrame, time_zone: str, scores: pl.DataFrame) -> pl.DataFrame:
    """The case pages of some enrolments, as known at the end of `as_of`.

    Args:
        warehouse: open.
        as_of: the night.
        enrolments: enrolment_id, learner_id; one row each.
        time_zone: in which as-of dates end.
        scores: of the night, contract `Scores`; no rows on a night without a model.

    Returns:
        enrolment_id, content: JSON with attendance, activity, assessments and contacts of the last `WEEKS` weeks, oldest first; each
        fact with `known` (the day it became known), `delivery` and `line` (where it came from). From the scores, `protective`,
        `positive_exit`, `alike`, `risk_14` and `risk_56`: the subjects that lower the risk, the probability of a job or another course
        within the horizon, what became of people whose risk was alike, and the risk within other horizons; null where the model tells none.
    """
    read = known_at(warehouse, as_of, time_zone)
    first = as_of - dt.timedelta(weeks=WEEKS)

    def known(table: str, key: str, day: str, *columns: str) -> pl.DataFrame:
        wanted = enrolments.select(key).unique()
        # A correction may move a contact to another person, never a fact to another key: only a key may narrow what is read.
        rows = read(table, key, *columns, "known_on", *ORIGIN, among=wanted if key in TABLES[table].key else None)
        on = local_day(day, time_zone) if day == "occurred_at" else pl.col(day)
        rows = rows.join(wanted, on=key, how="semi").filter(on.is_between(first, as_of))
        return rows.with_columns(known=local_day("known_on", time_zone).dt.to_string("iso")).drop("known_on").sort(key, *columns)

    parts = {
        "attendance": known("attendance", "enrolment_id", "date", "date", "half_day", "status"),
        "activity": _by_week(known("activity", "enrolment_id", "date", "date", "kind", "count")),
        "assessments": known("assessments", "enrolment_id", "due_date", "assessment_id", "kind", "due_date", "submitted_on", "score"),
        "contacts": known(
            "contacts", "learner_id", "occurred_at", "occurred_at", "channel", "direction", "outcome", "purpose", "barrier"
        ).with_columns(pl.col("occurred_at").dt.convert_time_zone(time_zone).dt.strftime("%Y-%m-%dT%H:%M")),
    }
    pages = enrolments.select("enrolment_id", "learner_id").unique("enrolment_id").sort("enrolment_id")
    for name, rows in parts.items():
        key = rows.columns[0]
        texts = rows.with_columns(pl.col(pl.Enum).cast(pl.String), pl.col(pl.Date).dt.to_string("iso"))
        gathered = texts.group_by(key, maintain_order=True).agg(pl.struct(pl.exclude(key)).alias(name))
        pages = pages.join(gathered, on=key, how="left", maintain_order="left").with_columns(pl.col(name).fill_null([]))
    told = scores.select("enrolment_id", "protective", *_TOLD, positive_exit="positive_exit_risk")
    pages = pages.join(told, on="enrolment_id", how="left", maintain_order="left")
    return pages.select("enrolment_id", content=pl.struct(*parts, "protective", "positive_exit", *_TOLD).struct.json_encode())


_TOLD: Final = ("alike", "risk_14", "risk_56")


def _by_week(traces: pl.DataFrame) -> pl.DataFrame:
    """Traces of distance work by week and kind: a page needs no more, and the newest row says where they come from."""
    weeks = traces.with_columns(monday=pl.col("date").dt.truncate("1w")).sort("enrolment_id", "date", "delivery", "line")
    counted = weeks.group_by("enrolment_id", "monday", "kind", maintain_order=True).agg(
        pl.col("count").sum(),
        days=pl.col("date").n_unique(),
        last=pl.col("date").max(),
        known=pl.col("known").max(),
        delivery=pl.col("delivery").last(),
        line=pl.col("line").last(),
    )
    return counted.sort("enrolment_id", "monday", "kind")
