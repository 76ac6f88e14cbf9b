"""Days that are worked in France: neither weekends nor public holidays."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache

SATURDAY = 5
SUNDAY = 6
"""As `datetime` counts weekdays, from Monday, 0."""


@lru_cache(64)
def public_holidays(first_year: int, last_year: int) -> tuple[dt.date, ...]:
    """The eleven of the whole country, in order; those of a few departments alone are worked elsewhere and not among them."""
    # It takes a while to load, and hardly any command needs it.
    import holidays

    return tuple(sorted(holidays.country_holidays("FR", years=range(first_year, last_year + 1))))


def is_worked(day: dt.date) -> bool:
    """True of a weekday that is no public holiday."""
    return day.weekday() < SATURDAY and day not in public_holidays(day.year, day.year)


def worked_from(day: dt.date) -> dt.date:
    """The day itself, or the next that is worked."""
    while not is_worked(day):
        day += dt.timedelta(days=1)
    return day


def ends_week(day: dt.date) -> bool:
    """True where nobody works any more between `day` and the Monday after."""
    return not any(is_worked(day + dt.timedelta(days=later)) for later in range(1, SUNDAY - day.weekday() + 1))
