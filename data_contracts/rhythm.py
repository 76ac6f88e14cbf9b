"""Who usually sends and has fallen silent: providers and sessions, by the days on which their facts became known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.known import known_at
from vigie.clock import end_of_day

if TYPE_CHECKING:
    from vigie.store import Warehouse

LOOK_BACK_DAYS: Final = 180
FEWEST_DAYS: Final = 4
"""Days of arrival below which nobody has a rhythm yet."""
FEWEST_PEOPLE: Final = 5
"""In training. Of fewer, silence may be theirs and not the source's: it must go on counting as such."""
USUAL_GAP: Final = 0.9
"""Quantile of the days between two arrivals: weekends are usual, the yearly closure is not."""
SHORTEST_DAYS: Final = 6
"""A long weekend and the day after it are no silence, whatever the rhythm."""
SCHEMA: Final = {
    "source": pl.String,
    "id": pl.String,
    "name": pl.String,
    "table": pl.String,
    "heard_on": pl.Date,
    "usual_days": pl.Int64,
    "silent_days": pl.Int64,
    "people": pl.Int64,
}


@dataclass(frozen=True)
class Silences:
    """Sources that are silent, and whom it concerns."""

    told: pl.DataFrame
    """Columns of `SCHEMA`: source (provider or session), id, name of the provider, table, heard_on (the last day something came),
    usual_days and silent_days, people (in training)."""
    concerned: pl.DataFrame
    """enrolment_id, heard_on: those in training who depend on such a source."""
    people: int
    """All those in training."""

    @property
    def share(self) -> float:
        """Of people in training whose source is silent."""
        return self.concerned.height / self.people if self.people else 0.0


def silences(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> Silences:
    """Sources that people in training depend on and that are silent for longer than twice their usual gap, at the end of `as_of`.

    A session is told of only where its provider still sends.
    """
    everybody = _enrolments(warehouse, as_of, time_zone)
    attendance, activity = (_arrivals(warehouse, everybody, table, as_of, time_zone) for table in ("attendance", "activity"))
    by_provider = [_silent(*attendance, "provider", "attendance", as_of), _silent(*activity, "provider", "activity", as_of)]
    rows, days = attendance
    still_sent = rows.join(by_provider[0], left_on="provider_id", right_on="id", how="anti")
    by_session = _silent(still_sent, days, "session", "attendance", as_of)
    concerned = pl.concat(
        [
            *(
                rows.join(silent, left_on="provider_id", right_on="id")
                for (rows, _), silent in zip((attendance, activity), by_provider, strict=True)
            ),
            rows.join(by_session, left_on="session_id", right_on="id"),
        ],
        how="diagonal",
    )
    concerned = concerned.filter("here").group_by("enrolment_id").agg(pl.col("heard_on").min()).sort("enrolment_id")
    return Silences(pl.concat([*by_provider, by_session]).sort("source", "id", "table"), concerned, int(everybody["here"].sum()))


def _arrivals(
    warehouse: Warehouse, everybody: pl.DataFrame, table: str, as_of: dt.date, time_zone: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The enrolments of sessions that send such facts (of the others none are missing), and session_id, provider_id, day of arrival."""
    end = end_of_day(as_of, time_zone)
    groups = everybody.select("enrolment_id", group="session_id")
    days = warehouse.arrivals(layout(TABLES[table]), groups, end - dt.timedelta(days=LOOK_BACK_DAYS), end, time_zone)
    days = days.select("day", session_id="group")
    rows = everybody.join(days, on="session_id", how="semi")
    return rows, days.join(rows.select("session_id", "provider_id").unique(), on="session_id")


def _enrolments(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    known = known_at(warehouse, as_of, time_zone)
    left = known("exits", "enrolment_id", "exit_date").filter(pl.col("exit_date") <= as_of).select("enrolment_id", gone=pl.lit(value=True))
    sessions = known("sessions", "session_id", "provider_id").join(known("providers", "provider_id", "name"), on="provider_id", how="left")
    rows = known("enrolments", "enrolment_id", "session_id", "entry_date", "planned_exit_date").join(sessions, on="session_id")
    rows = rows.join(left, on="enrolment_id", how="left")
    here = (pl.col("entry_date") <= as_of) & (pl.col("planned_exit_date") >= as_of) & pl.col("gone").is_null()
    return rows.select("enrolment_id", "session_id", "provider_id", "name", here=here.fill_null(value=False))


def _silent(rows: pl.DataFrame, days: pl.DataFrame, source: str, table: str, as_of: dt.date) -> pl.DataFrame:
    key = f"{source}_id"
    here = rows.filter("here").group_by(id=key).agg(pl.col("name").first(), people=pl.len()).filter(pl.col("people") >= FEWEST_PEOPLE)
    rhythm = (
        days.select(key, "day")
        .unique()
        .sort(key, "day")
        .with_columns(gap=pl.col("day").diff().dt.total_days().over(key))
        .group_by(id=key)
        .agg(heard_on=pl.col("day").max(), usual_days=pl.col("gap").quantile(USUAL_GAP, "higher"), arrivals=pl.len())
        .with_columns(silent_days=(pl.lit(as_of) - pl.col("heard_on")).dt.total_days())
    )
    broken = pl.col("silent_days") > pl.max_horizontal(2 * pl.col("usual_days"), pl.lit(SHORTEST_DAYS))
    silent = here.join(rhythm.filter(pl.col("arrivals") >= FEWEST_DAYS, broken), on="id")
    return silent.with_columns(source=pl.lit(source), table=pl.lit(table)).select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
