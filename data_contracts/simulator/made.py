"""The simulated world once lived, and how its arrays become columns: identifiers, dates, names, the moment a fact becomes known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data_contracts.simulator.cases import Cases
    from data_contracts.simulator.dynamics import Lives
    from data_contracts.simulator.people import People, Places
    from data_contracts.simulator.working_days import Calendar

NEVER = -1
EVENING_HOURS = 17
"""Hour of the day, UTC, at which facts become known: evening in France all year round."""


@dataclass(frozen=True)
class Made:
    """All that was simulated."""

    rng: np.random.Generator
    calendar: Calendar
    people: People
    places: Places
    cases: Cases
    lives: Lives
    ahead: Sequence[tuple[NDArray[Any], ...]] = ()
    """Looks ahead, see `ahead.Ahead.found`."""

    def date(self, days: NDArray[np.int64]) -> pl.Series:
        """Calendar dates of day numbers; `NEVER` has no meaning here."""
        return pl.Series(np.datetime64(self.calendar.first, "D") + days.astype("timedelta64[D]"))

    def date_or_null(self, days: NDArray[np.int64]) -> pl.Series:
        """Calendar dates of day numbers, null for `NEVER`."""
        return only(days != NEVER, self.date(np.maximum(days, 0)))

    def evening(self, days: NDArray[np.int64], minutes: int = 0) -> pl.Series:
        """The instant facts of these days become known; nothing is known before the first evening."""
        late = np.maximum(days, 0)
        hours = np.timedelta64(EVENING_HOURS * 60 + minutes, "m")
        instants = np.datetime64(self.calendar.first, "us") + late.astype("timedelta64[D]") + hours
        return pl.Series(instants.astype("datetime64[us]")).dt.replace_time_zone("UTC")


def ids(prefix: str, numbers: NDArray[np.int64], width: int = 7) -> pl.Series:
    """Opaque identifiers such as L0000123; each text is made once."""
    distinct, places = np.unique(numbers, return_inverse=True)
    names = pl.Series([f"{prefix}{number:0{width}d}" for number in distinct.tolist()], dtype=pl.String)
    return names.gather(places)


def named(values: tuple[str, ...], codes: NDArray[np.int64]) -> pl.Series:
    """The words at these positions; null at `NEVER`."""
    return only(codes != NEVER, pl.Series(values, dtype=pl.String).gather(np.maximum(codes, 0)))


def only(keep: NDArray[np.bool_], values: pl.Series) -> pl.Series:
    """The values, null where `keep` is false."""
    return pl.select(pl.when(pl.Series(keep)).then(values)).to_series()


def joined(parts: Sequence[tuple[NDArray[Any], ...]], columns: int) -> list[NDArray[Any]]:
    """Columns of a log, end to end."""
    if not parts:
        return [np.empty(0, np.int64) for _ in range(columns)]
    return [np.concatenate([part[column] for part in parts]) for column in range(columns)]
