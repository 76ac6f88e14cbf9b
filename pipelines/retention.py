"""Who has been kept long enough: names some months after the last course, everything some months after the last sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.endings import endings
from data_contracts.ingest import layout
from data_contracts.vocabulary import ATTENDED
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt

    from alerts.cases import CaseStore
    from pipelines.service import Service
    from vigie.rules import Retention
    from vigie.store import Warehouse


def due(service: Service, warehouse: Warehouse, cases: CaseStore, as_of: dt.date) -> pl.DataFrame:
    """Learners whose names, or all of whom, are past their time at the end of `as_of`.

    Returns:
        learner_id, what (all or names), last_end, last_sign (dates; null where there is none); those whose names are gone already
        are not told again.
    """
    kept = cases.kept_people()
    people = signs(warehouse, as_of, service.rules.invariants.silence_days, service.time_zone)
    people = people.join(kept, on="learner_id", how="full", coalesce=True).with_columns(
        last_sign=pl.coalesce(pl.max_horizontal("last_sign", "noted_on"), "named_on")
    )
    return past_their_time(people, service.rules.retention, as_of)


def signs(warehouse: Warehouse, as_of: dt.date, silence_days: int, time_zone: str) -> pl.DataFrame:
    """The last sign of each learner, and the end of their last course, as known at the end of `as_of`.

    Returns:
        learner_id, last_end (where no end is known, the planned one or the last presence, whichever is later; may lie ahead), last_sign
        (contact, presence, trace, work, answer after the course, entry, end; else when they became known). Who was withdrawn since is
        told too: what was delivered of them is still kept.
    """
    instant = end_of_day(as_of, time_zone)

    def known(table: str, *columns: str) -> pl.DataFrame:
        return warehouse.as_known_at(layout(TABLES[table]), instant, columns=columns, withdrawn=True)

    ended = endings(warehouse, as_of, silence_days, time_zone).select("enrolment_id", "exit_date")
    enrolments = known("enrolments", "enrolment_id", "learner_id", "enrolled_on", "entry_date", "planned_exit_date")
    present = known("attendance", "enrolment_id", "date", "status").filter(
        pl.col("status").cast(pl.String).is_in(ATTENDED), pl.col("date") <= as_of
    )
    came = present.group_by("enrolment_id").agg(came=pl.col("date").max())
    enrolments = enrolments.join(ended, on="enrolment_id", how="left").join(came, on="enrolment_id", how="left")
    enrolments = enrolments.with_columns(end=pl.coalesce("exit_date", pl.max_horizontal("planned_exit_date", "came")))
    active = known("activity", "enrolment_id", "date", "count").filter(pl.col("count") > 0)
    handed_in = known("assessments", "enrolment_id", "submitted_on").select("enrolment_id", date="submitted_on")
    answered = known("followups", "enrolment_id", "observed_on").select("enrolment_id", date="observed_on")
    traces = pl.concat([present.select("enrolment_id", "date"), active.select("enrolment_id", "date"), handed_in, answered])
    traces = traces.filter(pl.col("date") <= as_of).group_by("enrolment_id").agg(pl.col("date").max())
    courses = enrolments.join(traces, on="enrolment_id", how="left").select(
        "learner_id", "end", sign=pl.max_horizontal("enrolled_on", "entry_date", "end", "date")
    )
    contacts = known("contacts", "learner_id", "occurred_at").select(
        "learner_id", end=pl.lit(None, pl.Date), sign=pl.col("occurred_at").dt.convert_time_zone(time_zone).dt.date()
    )
    first = pl.concat([known(table, "learner_id", "known_on") for table in ("learners", "learner_audit", "assignments")])
    first = first.group_by("learner_id").agg(end=pl.lit(None, pl.Date), sign=pl.col("known_on").max().dt.date())
    # A mistyped year keeps nobody's data for decades; a planned end may lie ahead.
    contacts = contacts.filter(pl.col("sign") <= as_of)
    told = pl.concat([courses, contacts]).group_by("learner_id").agg(last_end=pl.col("end").max(), last_sign=pl.col("sign").max())
    silent = first.join(told, on="learner_id", how="anti").select("learner_id", last_end="end", last_sign="sign")
    return pl.concat([told, silent]).sort("learner_id")


def past_their_time(people: pl.DataFrame, rules: Retention, as_of: dt.date) -> pl.DataFrame:
    """Of `people` (learner_id, last_end, last_sign, named), those past their time.

    Returns:
        learner_id, what, last_end, last_sign; sorted.
    """
    everything = pl.col("last_sign").dt.offset_by(f"{rules.all_months_after_sign}mo") <= as_of
    names = pl.col("named").fill_null(value=False) & (pl.col("last_end").dt.offset_by(f"{rules.names_months_after_end}mo") <= as_of)
    what = pl.when(everything).then(pl.lit("all")).when(names).then(pl.lit("names"))
    found = people.with_columns(what=what).filter(pl.col("what").is_not_null())
    return found.select("learner_id", "what", "last_end", "last_sign").sort("what", "learner_id")
