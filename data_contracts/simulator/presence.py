"""Tables about what learners do: half-days, traces of distance learning, work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_contracts.simulator import world
from data_contracts.simulator.made import NEVER, ids, joined, named
from data_contracts.simulator.traces import DAY, STATUS
from data_contracts.vocabulary import ATTENDANCE_STATUS, HALF_DAY

if TYPE_CHECKING:
    from data_contracts.simulator.made import Made

ASSESSMENT_EVERY_DAYS = 21
ASSESSED_SESSIONS = 0.4
MARKED_AFTER_DAYS = 7


def attendance(w: Made) -> pl.DataFrame:
    """Half-days, with corrections as later layers; minutes follow from the status."""
    who, day, half, status, lag = joined(w.lives.log.sheets, 5)
    planned = np.where(half == DAY, 2, 1) * world.HALF_DAY_MINUTES
    planned = np.where(status == STATUS["not_expected"], 0, planned).astype(np.int32)
    minutes, told = pl.col("planned_minutes"), pl.col("status")
    attended = (
        pl.when(told == "present")
        .then(minutes)
        .when(told == "late")
        .then(minutes - 20)
        .when(told == "left_early")
        .then(minutes - 60)
        .when(told != "not_recorded")
        .then(0)
    )
    frame = pl.DataFrame(
        {
            "enrolment_id": ids("E", who),
            "date": w.date(day),
            "half_day": pl.Series(half).cast(pl.UInt8).cat.to(pl.Enum(HALF_DAY)),
            "status": pl.Series(status).cast(pl.UInt8).cat.to(pl.Enum(ATTENDANCE_STATUS)),
            "planned_minutes": planned,
            "known_on": w.evening(day + lag),
        }
    )
    return frame.with_columns(attended_minutes=attended)


def activity(w: Made) -> pl.DataFrame:
    """Traces by day and kind, known the same evening."""
    who, day, kind, count = joined(w.lives.log.activity, 4)
    return pl.DataFrame(
        {
            "enrolment_id": ids("E", who),
            "date": w.date(day),
            "kind": named(("lms", "quiz"), kind),
            "count": count,
            "minutes": np.minimum(count * 4, 600),
            "known_on": w.evening(day),
        }
    )


def assessments(w: Made) -> pl.DataFrame:
    """Work every three weeks in some sessions: planned at entry, handed in about the deadline, marked a week later."""
    people, rng, lives = w.people, w.rng, w.lives
    days = w.calendar.days
    assessed = rng.random(len(w.places.start)) < ASSESSED_SESSIONS
    learner = np.flatnonzero(people.comes & assessed[people.session] & (people.entry < days))
    times = np.maximum(0, (people.end - people.entry)[learner] // ASSESSMENT_EVERY_DAYS)
    who = np.repeat(learner, times)
    number = np.arange(len(who)) - np.repeat(np.cumsum(times) - times, times) + 1
    due = w.calendar.last_working(people.entry[who] + number * ASSESSMENT_EVERY_DAYS)
    submitted = np.maximum(due + rng.integers(-4, 3, len(who)), people.entry[who])
    seen = np.minimum(due, days - 1)
    troubled = lives.disengaging[who, seen]
    there = (lives.exit_day[who] == NEVER) | (lives.exit_day[who] >= submitted)
    handed = there & (submitted < days) & (rng.random(len(who)) < np.where(troubled, 0.35, 0.9))
    score = np.clip(rng.normal(np.where(troubled, 0.5, 0.62) - 0.04 * people.frailty[who], 0.16), 0, 1).round(2)
    base = pl.DataFrame(
        {
            "enrolment_id": ids("E", who),
            "assessment_id": ids("A", number, 2),
            "kind": named(("work", "test"), (number % 3 == 0).astype(np.int64)),
            "due_date": w.date(due),
            "weight": 1 / np.maximum(1, np.repeat(times, times)),
            "submitted": w.date(submitted),
            "mark": score,
            "entered": w.evening(people.entry[who], 10),
            "sent": w.evening(submitted, 15),
            "marked": w.evening(submitted + MARKED_AFTER_DAYS, 15),
            "handed": handed,
        }
    )
    facts = ["enrolment_id", "assessment_id", "kind", "due_date", "weight"]
    nothing, no_mark = pl.lit(None, pl.Date).alias("submitted_on"), pl.lit(None, pl.Float64).alias("score")
    sent = base.filter("handed")
    return pl.concat(
        [
            base.select(*facts, nothing, no_mark, known_on="entered"),
            sent.select(*facts, submitted_on="submitted", score=no_mark, known_on="sent"),
            sent.select(*facts, submitted_on="submitted", score="mark", known_on="marked"),
        ]
    )
