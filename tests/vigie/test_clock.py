from __future__ import annotations

import datetime as dt

from vigie.clock import end_of_day, last_finished_day


def test_a_day_ends_at_midnight_in_paris_in_winter_and_in_summer() -> None:
    second = dt.timedelta(microseconds=1)

    assert end_of_day(dt.date(2026, 1, 15), "Europe/Paris") + second == dt.datetime(2026, 1, 15, 23, tzinfo=dt.UTC)
    assert end_of_day(dt.date(2026, 7, 15), "Europe/Paris") + second == dt.datetime(2026, 7, 15, 22, tzinfo=dt.UTC)


def test_the_night_that_starts_at_two_has_the_day_before_as_its_date() -> None:
    start = dt.datetime(2026, 3, 5, 1, 0, tzinfo=dt.UTC)

    assert last_finished_day(start, "Europe/Paris") == dt.date(2026, 3, 4)
