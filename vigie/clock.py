"""The only place that reads the clock, and the one definition of an as-of date.

As-of date D means: everything known before the midnight that ends day D in the service's time zone.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo


def now() -> dt.datetime:
    """The present instant, in UTC."""
    return dt.datetime.now(dt.UTC)


def end_of_day(as_of: dt.date, time_zone: str) -> dt.datetime:
    """Last microsecond of `as_of` in `time_zone`, in UTC: the instant a night of that date knows."""
    midnight = dt.datetime.combine(as_of + dt.timedelta(days=1), dt.time(), tzinfo=ZoneInfo(time_zone))
    return midnight.astimezone(dt.UTC) - dt.timedelta(microseconds=1)


def last_finished_day(instant: dt.datetime, time_zone: str) -> dt.date:
    """As-of date of a night started at `instant`: the day before, in the service's time zone."""
    return instant.astimezone(ZoneInfo(time_zone)).date() - dt.timedelta(days=1)
