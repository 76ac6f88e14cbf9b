"""Scheduled visits, kept and missed, with their reasons: attendance tables of clinical trials, through a mapping of its own.

The real ones (CTN-0094, MIT licence, de-identified health data) are read where `VIGIE_VISITS` says they are, and never kept here; a made-up
look-alike always runs. They show that attendance is handled as it should be, and nothing about learners.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl
import pytest

from tests.data_contracts.received import counts
from vigie.rules import DeliveryLimits

if TYPE_CHECKING:
    from tests.data_contracts.received import Desk

FOLDER: Final = os.environ.get("VIGIE_VISITS", "")
DAY_ZERO: Final = dt.date(2020, 1, 6)
"""Ours: the trials publish days relative to a person's own first day."""
REASONS: Final = (
    "no_show",
    "forgot",
    "in_jail",
    "in_hospital",
    "illness",
    "on_vacation",
    "unable",
    "moved",
    "no_funding",
    "left_study",
    "dead",
)
MAPPING: Final = """
title = "Visits of a clinical trial"

[files.attendance]
dates = ["%Y-%m-%d"]
ignored = ["visit"]

[[files.attendance.rows]]
table = "attendance"
[files.attendance.rows.columns]
enrolment_id = "who"
date = "day"
half_day = { value = "day" }
status = { from = "what", codes = "what", empty = "not_recorded" }

[codes.what]
"visit" = "present"
"final" = "present"
"MISSING" = "not_recorded"
"no visit" = "absent_unjustified"
"no visit, no_show" = "absent_unjustified"
"no visit, forgot" = "absent_unjustified"
"no visit, unable" = "absent_unjustified"
"no visit, in_jail" = "absent_justified"
"no visit, in_hospital" = "absent_justified"
"no visit, illness" = "absent_justified"
"no visit, on_vacation" = "absent_justified"
"no visit, moved" = "absent_justified"
"no visit, no_funding" = "absent_justified"
"no visit, left_study" = "not_expected"
"no visit, dead" = "not_expected"
"""


def look_alike() -> pl.DataFrame:
    """Forty made-up people over twelve weeks in the columns of the real table: kept, missed for a reason, missing, twice on a day."""
    rows = []
    for who in range(1, 41):
        for week in range(12):
            missed = (who * 7 + week * 3) % 10
            what = "no visit" if missed == 0 else "MISSING" if missed == 1 else "" if (who, week) == (3, 3) else "visit"
            reason = f"is_{REASONS[(who + week) % len(REASONS)]}" if what == "no visit" and who % 3 else None
            rows.append(
                {"who": who, "visit": f"WK{week}", "what": what, "when": 7 * week if what != "no visit" else None, "reason": reason}
            )
    rows += [
        {"who": 1, "visit": "M1F", "what": "no visit", "when": None, "reason": None},
        {"who": 2, "visit": "WK1", "what": "visit", "when": 7, "reason": None},
        {"who": 5, "visit": "UNSCHEDULED", "what": "no visit", "when": 7, "reason": "is_no_show"},
    ]
    made = pl.DataFrame(rows, schema_overrides={"who": pl.Int32, "when": pl.Int32})
    flags = [pl.when(pl.col("reason") == f"is_{name}").then(pl.lit("1")).alias(f"is_{name}") for name in (*REASONS, "no_note", "other")]
    return made.with_columns(flags).drop("reason")


def as_delivered(visits: pl.DataFrame) -> pl.DataFrame:
    """One column for what happened and why; the day of a visit, or, where it was missed and has none, that of its week if it is free."""
    why = pl.coalesce(*(pl.when(pl.col(f"is_{name}") == "1").then(pl.lit(f", {name}")) for name in REASONS), pl.lit(""))
    what = pl.when(pl.col("what") == "no visit").then(pl.col("what") + why).otherwise("what")
    week = pl.col("visit").str.extract(r"^WK(\d+)$", 1).cast(pl.Int32) * 7
    placed = visits.with_columns(what=what, day=pl.coalesce("when", week), placed=pl.col("when").is_null())
    taken = placed.filter(~pl.col("placed")).select("who", "day").unique()
    free = placed.join(taken, on=["who", "day"], how="left", coalesce=True).with_columns(
        busy=pl.col("placed") & pl.struct("who", "day").is_in(taken.select(pl.struct("who", "day")).to_series().implode())
    )
    day = pl.when(~pl.col("busy")).then(pl.lit(DAY_ZERO) + pl.duration(days=pl.col("day"))).cast(pl.Date)
    return free.select("who", "visit", "what", day=day)


def account(desk: Desk, visits: pl.DataFrame) -> pl.DataFrame:
    """Deliver them, and check that every visit is counted once; the rows as they are known."""
    delivered = as_delivered(visits)
    assert delivered.height == visits.height
    desk.mapping("visits", MAPPING)
    desk.limits = DeliveryLimits(rejected_share=0.5)
    desk.put("visits/attendance/visits.csv", delivered.write_csv(separator=";"))

    read, loaded, unchanged, quarantined = counts(desk.take())["attendance"]
    known = desk.known("attendance")

    assert read == visits.height == loaded + unchanged + quarantined
    assert loaded == known.height
    reasons = set(desk.quarantine()["reason"])
    assert reasons <= {"a value is required", "another row of the file says otherwise of the same fact"}
    assert desk.quarantine().filter(reason="a value is required")["line"].n_unique() == delivered["day"].null_count()
    told = known.join(
        delivered.unique().select(pl.col("who").cast(pl.String).alias("enrolment_id"), pl.col("day").alias("date"), "what"),
        on=["enrolment_id", "date"],
    )
    unrecorded = told.filter(pl.col("what").is_in(["MISSING", ""]) | pl.col("what").is_null())
    assert set(unrecorded["status"]) == {"not_recorded"}, "no sheet is never an absence"
    assert not told.filter(
        pl.col("status").is_in(["absent_unjustified", "absent_justified"]) & ~pl.col("what").str.starts_with("no visit")
    ).height
    return known


def test_visits_of_a_look_alike_are_counted_one_by_one(desk: Desk) -> None:
    known = account(desk, look_alike())

    assert set(known["status"]) == {"present", "not_recorded", "absent_unjustified", "absent_justified", "not_expected"}


def test_too_many_without_a_date_hold_the_delivery_back(desk: Desk) -> None:
    desk.mapping("visits", MAPPING)
    delivered = as_delivered(look_alike()).with_columns(day=pl.when(pl.col("what").str.starts_with("visit")).then("day"))
    desk.put("visits/attendance/visits.csv", delivered.write_csv(separator=";"))

    assert "rows of attendance are at fault" in str(desk.take().held[0].held)


@pytest.mark.skipif(not FOLDER, reason="VIGIE_VISITS names no folder with the attendance tables of CTN-0094")
def test_visits_of_the_trials_are_counted_one_by_one(desk: Desk) -> None:
    known = account(desk, pl.read_parquet(Path(FOLDER) / "visit.parquet"))

    shares = known["status"].cast(pl.String).value_counts(normalize=True)
    assert shares.filter(status="present")["proportion"].item() > 0.7
