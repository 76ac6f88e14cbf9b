"""What was known of people on the day they entered: nothing learnt later may decide who counts, since the arm may have moved it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.vocabulary import ATTENDED
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt

    from vigie.store import Warehouse

_VISIBLE = pl.col("visible_until").is_null() | (pl.col("visible_until") >= pl.col("then"))
_STANDS = (pl.col("known_on") < pl.col("then")) & _VISIBLE


def at_entry(
    warehouse: Warehouse, people: pl.DataFrame, as_of: dt.date, *, silence_days: int, time_zone: str, hindsight: bool = False
) -> pl.DataFrame:
    """Tell who had left by the end of `from`, as was known then, and where the course was to end.

    Args:
        warehouse: open.
        people: enrolment_id, session_id, from, entry_date, planned_exit_date and whatever else.
        as_of: `from` is no later.
        silence_days: of the rules: see `data_contracts.endings`.
        time_zone: in which days end.
        hindsight: go by what is known at `as_of` of what had happened by `from`: for a past in which nobody was drawn and which may have
            been loaded at once.

    Returns:
        `people`; planned_exit_date as known then (as first told, where it was told later), and gone (bool): an exit dated `from` or
        before was known, or a silence was complete.
    """
    if people.is_empty():
        return people.with_columns(gone=pl.lit(value=False))
    instant = end_of_day(as_of, time_zone)
    midnight = (pl.col("from") + pl.duration(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone(time_zone).dt.convert_time_zone("UTC")
    rows = people.with_columns(then=pl.lit(instant).dt.offset_by("1us") if hindsight else midnight)
    first = rows.select(pl.col("then").min()).item()

    def layers(table: str, *columns: str, among: pl.DataFrame | None = None) -> pl.DataFrame:
        return warehouse.as_known_at(layout(TABLES[table]), instant, since=min(first, instant), columns=[*columns, "known_on"], among=among)

    def traces(enrolments: pl.DataFrame) -> pl.DataFrame:
        came = layers("attendance", "enrolment_id", "date", "status", among=enrolments).filter(pl.col("status").is_in(ATTENDED))
        active = layers("activity", "enrolment_id", "date", "count", among=enrolments).filter(pl.col("count") > 0)
        return pl.concat([found.select("enrolment_id", "date", "known_on", "visible_until") for found in (came, active)])

    planned = layers("enrolments", "enrolment_id", "planned_exit_date").join(rows.select("enrolment_id", "from", "then"), on="enrolment_id")
    planned = planned.filter(_VISIBLE).sort("known_on").unique(["enrolment_id", "from"], keep="first", maintain_order=True)
    rows = rows.drop("planned_exit_date").join(
        planned.select("enrolment_id", "from", "planned_exit_date"), on=["enrolment_id", "from"], how="left", maintain_order="left"
    )
    exits = layers("exits", "enrolment_id", "exit_date").join(rows.select("enrolment_id", "from", "then"), on="enrolment_id")
    left = exits.filter(_STANDS, pl.col("exit_date") <= pl.col("from")).select("enrolment_id", "from")

    end = pl.min_horizontal("planned_exit_date", "from")
    old = rows.filter((end - pl.col("entry_date")).dt.total_days() >= silence_days)
    own = _last(traces(old.select("enrolment_id")), old, "enrolment_id")
    quiet = old.join(own, on=["enrolment_id", "then"], how="left").with_columns(trace=pl.coalesce("last", "entry_date")).drop("last")
    quiet = quiet.filter((end - pl.col("trace")).dt.total_days() >= silence_days)
    sessions = warehouse.as_known_at(layout(TABLES["enrolments"]), instant, columns=["enrolment_id", "session_id"])
    mates = sessions.join(quiet.select("session_id"), on="session_id", how="semi")
    others = _last(traces(mates.select("enrolment_id")).join(mates, on="enrolment_id"), quiet, "session_id")
    silent = quiet.join(others, on=["session_id", "then"]).filter((pl.col("last") - pl.col("trace")).dt.total_days() >= silence_days)

    gone = pl.concat([left, silent.select("enrolment_id", "from")]).unique().with_columns(gone=pl.lit(value=True))
    return (
        rows.join(gone, on=["enrolment_id", "from"], how="left", maintain_order="left")
        .with_columns(pl.col("gone").fill_null(value=False))
        .drop("then")
    )


def _last(traces: pl.DataFrame, moments: pl.DataFrame, by: str) -> pl.DataFrame:
    """Last trace of each person or session, as known at each of these moments: `by`, then, last."""
    known = traces.join(moments.select(by, "from", "then").unique(), on=by).filter(_STANDS, pl.col("date") <= pl.col("from"))
    return known.group_by(by, "then").agg(last=pl.col("date").max())
