"""What happened after a landmark, as known on the day of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.endings import endings
from data_contracts.known import known_at
from data_contracts.vocabulary import NEVER_STARTED, POSITIVE_EXITS

if TYPE_CHECKING:
    import datetime as dt

    from vigie.store import Warehouse

DROPOUT: Final = "dropout"
HORIZONS: Final = (14, 28, 56)
"""Horizons told beside each other, in days: soon enough to call, usual, and time to plan."""


def known_endings(warehouse: Warehouse, as_of: dt.date, silence_days: int, time_zone: str) -> pl.DataFrame:
    """How each enrolment ended, as known at the end of `as_of`: enrolment_id, exit_date, reason, dropped (bool); see `endings`."""
    return endings(warehouse, as_of, silence_days, time_zone).with_columns(dropped=pl.col("reason") == DROPOUT)


def labelled(pairs: pl.DataFrame, endings: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    """Add what became of enrolments still there on the landmark: the exits that compete, and the label of one horizon.

    Rows of people who had left by the landmark, as is known now, are taken out: scoring leavers flatters a model by .15 of AUC. So are
    enrolments that ended as never started (see also `begun`): they are another matter. Exits other than dropout end the follow-up
    without one.

    Args:
        pairs: as_of, enrolment_id and whatever else; the horizon must be over, see `models.landmarks`.
        endings: as from `known_endings`.
        horizon_days: length of the horizon.

    Returns:
        The rows, with `label` (1.0: dropout within the horizon), `positive` (1.0: a job or another course within it), `days_to_exit` and
        `exit_reason` (null: no exit known), from which `within` makes the labels of other horizons.
    """
    ended = pairs.join(endings, on="enrolment_id", how="left", maintain_order="left")
    still_there = pl.col("exit_date").is_null() | (pl.col("exit_date") > pl.col("as_of"))
    started = pl.col("reason").ne_missing(NEVER_STARTED)
    days = (pl.col("exit_date") - pl.col("as_of")).dt.total_days().cast(pl.Int32)
    told = ended.filter(still_there & started).with_columns(days_to_exit=days, exit_reason=pl.col("reason"))
    told = told.with_columns(label=within(horizon_days), positive=within(horizon_days, *POSITIVE_EXITS))
    return told.drop("exit_date", "dropped", "reason")


def begun(rows: pl.DataFrame, warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """The rows of enrolments that had begun by their own date as is known at the end of `as_of`.

    An entry that was taken back, put off, or withdrawn since was none: whoever never came would pass for somebody who stayed.

    Args:
        rows: as_of, enrolment_id and whatever else.
        warehouse: open.
        as_of: what became known later is not used.
        time_zone: in which as-of dates end.
    """
    known = known_at(warehouse, as_of, time_zone)("enrolments", "enrolment_id", "entry_date")
    entered = rows.join(known.rename({"entry_date": "entered"}), on="enrolment_id", maintain_order="left")
    return entered.filter(pl.col("entered") <= pl.col("as_of")).drop("entered")


def within(horizon_days: int, *reasons: str) -> pl.Expr:
    """1.0 where the first exit came within the horizon and for one of these reasons; dropout by default."""
    chosen = pl.col("exit_reason").is_in(reasons or (DROPOUT,)) & (pl.col("days_to_exit") <= horizon_days)
    return chosen.fill_null(value=False).cast(pl.Float64)
