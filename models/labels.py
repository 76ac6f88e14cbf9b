"""What happened after a landmark, as known on the day of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.vocabulary import ATTENDED, NEVER_STARTED, POSITIVE_EXITS
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt

    from vigie.store import Warehouse

MATURITY_DAYS: Final = 7
"""Exits reach the service days late: a horizon counts as observed only this long after its end (modelling notes, section 3)."""
DROPOUT: Final = "dropout"
HORIZONS: Final = (14, 28, 56)
"""Horizons told beside each other, in days: soon enough to call, usual, and time to plan."""


def known_endings(warehouse: Warehouse, as_of: dt.date, silence_days: int, time_zone: str) -> pl.DataFrame:
    """How each enrolment ended, as known at the end of `as_of`: delivered exits, and silent dropouts.

    A silent dropout has no exit row and shows no presence and no activity for `silence_days` up to the end of what is known or of the
    course, while others of the same session still do: a provider that sends nothing makes nobody drop out. It is dated on the day after
    the last trace.

    Returns:
        enrolment_id, exit_date, dropped (bool), reason (as delivered; `dropout` for silent ones).
    """
    instant = end_of_day(as_of, time_zone)

    def known(table: str, *columns: str) -> pl.LazyFrame:
        return warehouse.as_known_at(layout(TABLES[table]), instant, columns=columns).lazy()

    exits = known("exits", "enrolment_id", "exit_date", "reason")
    delivered = exits.select("enrolment_id", "exit_date", dropped=pl.col("reason") == DROPOUT, reason=pl.col("reason").cast(pl.String))
    presence = known("attendance", "enrolment_id", "date", "status").filter(pl.col("status").is_in(ATTENDED))
    activity = known("activity", "enrolment_id", "date", "count").filter(pl.col("count") > 0)
    traces = pl.concat([presence.select("enrolment_id", "date"), activity.select("enrolment_id", "date")])
    last_trace = traces.filter(pl.col("date") <= as_of).group_by("enrolment_id").agg(pl.col("date").max().alias("last_trace"))
    enrolments = known("enrolments", "enrolment_id", "session_id", "entry_date", "planned_exit_date")
    people = enrolments.filter(pl.col("entry_date") <= as_of).join(last_trace, on="enrolment_id", how="left")
    end = pl.min_horizontal("planned_exit_date", pl.lit(as_of))
    trace = pl.col("last_trace").fill_null(pl.col("entry_date"))
    silent = people.with_columns(session_last=pl.col("last_trace").max().over("session_id")).filter(
        (end - trace).dt.total_days() >= silence_days, (pl.col("session_last") - trace).dt.total_days() >= silence_days
    )
    silent = silent.join(exits, on="enrolment_id", how="anti").select(
        "enrolment_id", exit_date=trace + pl.duration(days=1), dropped=pl.lit(value=True), reason=pl.lit(DROPOUT)
    )
    return pl.concat([delivered, silent]).collect()


def labelled(pairs: pl.DataFrame, endings: pl.DataFrame, horizon_days: int) -> pl.DataFrame:
    """Add what became of enrolments still there on the landmark: the exits that compete, and the label of one horizon.

    Rows of people who had left by the landmark, as is known now, are taken out: scoring leavers flatters a model by .15 of AUC. So are
    enrolments that proved never to have started: they are another matter. Exits other than dropout end the follow-up without one.

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


def within(horizon_days: int, *reasons: str) -> pl.Expr:
    """1.0 where the first exit came within the horizon and for one of these reasons; dropout by default."""
    chosen = pl.col("exit_reason").is_in(reasons or (DROPOUT,)) & (pl.col("days_to_exit") <= horizon_days)
    return chosen.fill_null(value=False).cast(pl.Float64)
