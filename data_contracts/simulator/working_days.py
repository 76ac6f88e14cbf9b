"""Days on which courses take place in France: neither weekends nor public holidays."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vigie.working_days import is_worked

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MARGIN = 1_200
"""Days kept before the first day and after the last: enrolments precede, planned ends follow."""


@dataclass(frozen=True)
class Calendar:
    """Working days around a period; days are counted from its first day, and may be negative."""

    first: dt.date
    days: int
    """Length of the period."""
    works: NDArray[np.bool_]
    """From `_MARGIN` days before the first day to `_MARGIN` days after the last."""
    following: NDArray[np.int64]
    """For each of these days, the next working day, itself included."""
    preceding: NDArray[np.int64]
    """For each of these days, the last working day, itself included."""

    def is_working(self, day: int) -> bool:
        """True when courses take place on that day."""
        return bool(self.works[day + _MARGIN])

    def weekday(self, day: int) -> int:
        """Monday is 0."""
        return (self.first.weekday() + day) % 7

    def monday_of(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """Monday of the week of each day."""
        return days - (self.first.weekday() + days) % 7

    def next_working(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each day, or the next one that is worked."""
        return self.following[np.clip(days, -_MARGIN, self.days + _MARGIN - 30) + _MARGIN]

    def last_working(self, days: NDArray[np.int64]) -> NDArray[np.int64]:
        """Each day, or the last one before it that is worked."""
        return self.preceding[np.clip(days, 30 - _MARGIN, self.days + _MARGIN - 1) + _MARGIN]


def make_calendar(first: dt.date, days: int) -> Calendar:
    """The calendar of `days` days from `first`."""
    numbers = np.arange(-_MARGIN, days + _MARGIN)
    dates = [first + dt.timedelta(days=day) for day in numbers.tolist()]
    works = np.array([is_worked(date) for date in dates])
    following = np.minimum.accumulate(np.where(works, numbers, numbers[-1])[::-1])[::-1]
    preceding = np.maximum.accumulate(np.where(works, numbers, numbers[0]))
    return Calendar(first, days, works, following, preceding)
