"""Who has come back to class after having been away."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from data_contracts.vocabulary import ATTENDED

BACK_DAYS: Final = 10
"""Back for longer than this, somebody is there again: nobody greets them."""
LOOKED_BACK_DAYS: Final = 56
"""Enough to see an absence before a placement of several weeks."""
MISSED: Final = ("absent_unjustified", "absent_justified")
AWAY_DAYS: Final = 2
"""Days of class in a row, nothing of which was attended: whoever missed less did not go away."""


def returned(sheets: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """enrolment_id of those there on the last day that sheets (enrolment_id, date, status) tell of them, after `AWAY_DAYS` without.

    Whoever came back more than `BACK_DAYS` ago has been there since.
    """
    status, day = pl.col("status"), pl.col("date")
    near = sheets.filter(day.is_between(as_of - dt.timedelta(days=LOOKED_BACK_DAYS), as_of), status.is_in((*ATTENDED, *MISSED)))
    days = near.group_by("enrolment_id", "date").agg(came=status.is_in(ATTENDED).any())
    missed = days.filter(~pl.col("came")).group_by("enrolment_id").agg(last_missed=day.max())
    came = days.filter("came").join(missed, on="enrolment_id")
    back = came.filter(day > pl.col("last_missed")).group_by("enrolment_id").agg(since=day.min())
    before = came.filter(day < pl.col("last_missed")).group_by("enrolment_id").agg(there_until=day.max())
    back = back.filter(pl.col("since") > as_of - dt.timedelta(days=BACK_DAYS)).join(before, on="enrolment_id", how="left")
    away = days.filter(~pl.col("came")).join(back, on="enrolment_id").filter((day > pl.col("there_until")).fill_null(value=True))
    return away.group_by("enrolment_id").len().filter(pl.col("len") >= AWAY_DAYS).select("enrolment_id")
