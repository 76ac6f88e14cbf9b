"""Landmark rows: enrolments in training every seventh day of the past, with their features then and their label now."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, cast

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.endings import decided_after
from data_contracts.ingest import layout
from data_contracts.known import known_at
from data_contracts.vocabulary import ATTENDED
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.labels import begun, known_endings, labelled
from vigie.clock import end_of_day
from vigie.errors import NoDataError

if TYPE_CHECKING:
    from vigie.rules import Invariants
    from vigie.store import Warehouse

STEP_DAYS: Final = 7
QUIET_DAYS: Final = 3
"""Days without presence, activity or exit, such as a long weekend, that say nothing of deliveries."""


def landmark_dates(first: dt.date, as_of: dt.date, wait_days: int) -> list[dt.date]:
    """Every seventh day from `first` on, counted back from the newest day `wait_days` before `as_of`, whose outcomes are known."""
    last = as_of - dt.timedelta(days=wait_days)
    return [last - dt.timedelta(days=days) for days in range((last - first).days // STEP_DAYS * STEP_DAYS, -1, -STEP_DAYS)]


def training_rows(warehouse: Warehouse, as_of: dt.date, rules: Invariants, time_zone: str) -> pl.DataFrame:
    """The matrix at every landmark, with `label`, from nothing but what was known at the end of `as_of`.

    Where deliveries stopped before, what became of people is as was known on the last day they tell of, and landmarks whose outcomes were
    not decided by then are left out: whoever left since would pass for somebody who stayed, and whoever stayed for one who fell silent.

    Raises:
        NoDataError: no enrolment was in training long enough ago, or deliveries stopped: who left since would pass for somebody who stayed.
    """
    first = cast("dt.date | None", known_at(warehouse, as_of, time_zone)("enrolments", "entry_date")["entry_date"].min())
    told = last_told(warehouse, as_of, time_zone) or as_of
    until = told if (as_of - told).days > QUIET_DAYS else as_of
    endings = known_endings(warehouse, until, rules.silence_days, time_zone)
    wait = rules.horizon_days + decided_after(warehouse, endings, until, rules.silence_days, time_zone)
    dates = landmark_dates(first, as_of, wait) if first else []
    if not dates:
        what = f"No enrolment known at {as_of} entered {wait} days before or earlier."
        raise NoDataError(what, "Ingest older deliveries, or train at a later date.")
    facts = read_facts(warehouse, dates[0], dates[-1], time_zone)
    # The whole cohort first, as a night sees it: people who had left unnoticed are among the session each learner is compared with.
    rows = labelled(matrix(facts, cohort(facts, dates)), endings, rules.horizon_days)
    rows = begun(rows, warehouse, as_of, time_zone)
    # A course that ended before deliveries did needs no more of them.
    ends = pl.col("days_left") < rules.horizon_days
    over, decided = (pl.when(ends).then("days_left").otherwise(days) for days in (rules.horizon_days, wait - QUIET_DAYS))
    untold = rows.filter(pl.col("as_of") + pl.duration(days=over) > told)
    if (as_of - told).days > rules.silence_days and untold.height:
        what = f"No presence, activity or exit after {told} is known at {as_of}: nothing tells who left since."
        raise NoDataError(what, f"Deliver what is missing, or name an earlier date: --as-of {told}.")
    return rows.filter(pl.col("as_of") + pl.duration(days=decided) <= told)


def last_told(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> dt.date | None:
    """The last day of which anything known at the end of `as_of` tells who is still there."""
    instant = end_of_day(as_of, time_zone)
    days = [warehouse.newest(layout(TABLES[table]), column, instant, where) for table, column, where in _TELLS]
    return max(filter(None, days), default=None)


_TELLS: Final = (
    ("attendance", "date", f"status IN {ATTENDED}"),
    ("activity", "date", "count > 0"),
    ("exits", "exit_date", "TRUE"),
)
"""Where it is told that somebody is still there, or left: a sheet that nobody filled in tells neither."""
