"""Where the learner stands in the course. Context, not a reason to act by itself."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.declaration import Family, Feature, Unit, ratio


def _days(later: str, earlier: str) -> pl.Expr:
    return (pl.col(later) - pl.col(earlier)).dt.total_days()


def _context(name: str, expr: pl.Expr, unit: Unit, meaning: str) -> Feature:
    return Feature(name, expr, unit=unit, meaning=meaning, null_means="never null", group="course")


COURSE: Final = Family(
    name="course",
    table="sessions",
    columns=(),
    derived=[
        _context("course_day", _days("as_of", "entry_date"), "days", "Days since entry"),
        _context(
            "days_left",
            _days("planned_exit_date", "as_of"),
            "days",
            "Days to the planned end",
        ),
        _context(
            "share_elapsed",
            ratio(_days("as_of", "entry_date"), _days("planned_exit_date", "entry_date")),
            "share",
            "Share of the course elapsed",
        ),
        _context(
            "planned_days",
            _days("planned_exit_date", "entry_date"),
            "days",
            "Planned length of the course",
        ),
        _context(
            "entry_delay_days",
            _days("entry_date", "start_date"),
            "days",
            "Days between the session's start and this learner's entry",
        ),
        _context(
            "waiting_days",
            _days("entry_date", "enrolled_on"),
            "days",
            "Days between enrolment and entry",
        ),
        _context(
            "remote",
            pl.col("mode").replace_strict({"onsite": 0.0, "mixed": 0.5, "remote": 1.0}, return_dtype=pl.Float64),
            "level",
            "0 on site, 0.5 mixed, 1 remote",
        ),
        _context(
            "rolling_entry",
            pl.col("entry") == "rolling",
            "flag",
            "1 when each learner enters on a day of their own",
        ),
        _context(
            "certifying",
            pl.col("objective") == "certification",
            "flag",
            "1 when the course leads to a certification",
        ),
        _context(
            "preparatory",
            pl.col("objective").is_in(("basic_skills", "remobilisation")),
            "flag",
            "1 when the course prepares for another (basic skills, remobilisation)",
        ),
    ],
)
