from __future__ import annotations

import datetime as dt

import pytest

from vigie.working_days import ends_week, is_worked, public_holidays


def test_the_year_has_the_eleven_holidays_of_the_whole_country() -> None:
    days = public_holidays(2026, 2026)

    assert [f"{day:%d/%m}" for day in days] == [
        *("01/01", "06/04", "01/05", "08/05", "14/05", "25/05", "14/07", "15/08", "01/11", "11/11", "25/12"),
    ]
    assert len(public_holidays(2025, 2027)) == 3 * 11


@pytest.mark.parametrize(
    ("day", "worked", "last"),
    [
        (dt.date(2026, 5, 21), True, False),
        (dt.date(2026, 5, 22), True, True),
        (dt.date(2026, 5, 24), False, True),
        (dt.date(2026, 5, 25), False, False),
        # A Friday that is a holiday ends the week the day before; a Thursday does not.
        (dt.date(2026, 4, 30), True, True),
        (dt.date(2026, 5, 1), False, True),
        (dt.date(2026, 5, 13), True, False),
    ],
)
def test_a_week_ends_with_its_last_day_that_is_worked(day: dt.date, *, worked: bool, last: bool) -> None:
    assert (is_worked(day), ends_week(day)) == (worked, last)
