"""How enrolments ended, as known on a day: delivered exits, and silent dropouts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.known import known_at
from data_contracts.vocabulary import ATTENDED

if TYPE_CHECKING:
    import datetime as dt

    from vigie.store import Warehouse

MATURITY_DAYS: Final = 7
"""Exits reach the service days late: a horizon counts as observed only this long after its end (modelling notes, section 3)."""
SHEETS_COME_DAYS: Final = 3
"""Sheets and exits come days late: a window is looked at this long after its end."""
SILENT_SHARE: Final = 0.2
"""Of all dropouts, how many may be known by silence alone before outcomes wait for silence to have spoken."""


def endings(warehouse: Warehouse, as_of: dt.date, silence_days: int, time_zone: str) -> pl.DataFrame:
    """How each enrolment ended, as known at the end of `as_of`.

    A silent dropout has no exit row, and shows no presence, no activity and no work handed in for `silence_days` up to the end of what is
    known or of the course, while others of the same session still do: a provider that sends nothing makes nobody drop out. It is dated on
    the day after the last trace, never before the day after the entry.

    Returns:
        enrolment_id, exit_date, reason (text, as in the contract `Exits`).
    """
    read = known_at(warehouse, as_of, time_zone)

    def known(table: str, *columns: str) -> pl.LazyFrame:
        return read(table, *columns).lazy()

    exits = known("exits", "enrolment_id", "exit_date", "reason")
    delivered = exits.select("enrolment_id", "exit_date", pl.col("reason").cast(pl.String))
    presence = known("attendance", "enrolment_id", "date", "status").filter(pl.col("status").is_in(ATTENDED))
    activity = known("activity", "enrolment_id", "date", "count").filter(pl.col("count") > 0)
    # Nobody who hands work in has left, whatever else is not told of them.
    handed_in = known("assessments", "enrolment_id", "submitted_on").drop_nulls().rename({"submitted_on": "date"})
    traces = pl.concat([presence.select("enrolment_id", "date"), activity.select("enrolment_id", "date"), handed_in])
    last_trace = traces.filter(pl.col("date") <= as_of).group_by("enrolment_id").agg(pl.col("date").max().alias("last_trace"))
    enrolments = known("enrolments", "enrolment_id", "session_id", "entry_date", "planned_exit_date")
    people = enrolments.filter(pl.col("entry_date") <= as_of).join(last_trace, on="enrolment_id", how="left")
    end = pl.min_horizontal("planned_exit_date", pl.lit(as_of))
    # A platform opened before the course tells nothing of it: silence counts from the entry on.
    trace = pl.max_horizontal("last_trace", "entry_date")
    silent = people.with_columns(session_last=pl.col("last_trace").max().over("session_id")).filter(
        (end - trace).dt.total_days() >= silence_days, (pl.col("session_last") - trace).dt.total_days() >= silence_days
    )
    silent = silent.join(exits, on="enrolment_id", how="anti").select(
        "enrolment_id", exit_date=trace + pl.duration(days=1), reason=pl.lit("dropout")
    )
    return pl.concat([delivered, silent]).collect()


def decided_after(warehouse: Warehouse, ended: pl.DataFrame, as_of: dt.date, silence_days: int, time_zone: str) -> int:
    """Days after the end of a horizon until who left within it is known.

    A week, for exits told late. Where providers tell few dropouts and silence tells the others, as long as a silence lasts: sooner,
    whoever fell silent late in the horizon would be taught and judged as somebody who stayed.

    Args:
        warehouse: open.
        ended: as from `endings` of the same day, of all or of those asked about.
        as_of: what became known later is not used.
        silence_days: of the rules.
        time_zone: in which as-of dates end.
    """
    told = known_at(warehouse, as_of, time_zone)("exits", "enrolment_id")
    dropped = ended.filter(pl.col("reason") == "dropout")
    silent = dropped.join(told, on="enrolment_id", how="anti").height
    if silent <= SILENT_SHARE * dropped.height:
        return MATURITY_DAYS
    # Whole weeks, so that landmarks keep their weekday.
    return math.ceil((silence_days + SHEETS_COME_DAYS) / MATURITY_DAYS) * MATURITY_DAYS
