"""Which nights made lists and which did not: a figure on lists is read beside the nights that made them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

NAMED: Final = 6
"""Gaps named one by one; the rest is counted."""


def missed(nights: Collection[dt.date], first: dt.date, last: dt.date) -> list[dt.date]:
    """Days from first to last on which no night ran."""
    days = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day not in nights]


def named(days: list[dt.date]) -> str:
    """Days in French, those that follow each other as one stretch: `10/02/2026, du 14/02/2026 au 16/02/2026`."""
    stretches: list[list[dt.date]] = []
    for day in days:
        if stretches and day - stretches[-1][-1] == dt.timedelta(days=1):
            stretches[-1].append(day)
        else:
            stretches.append([day])
    said = [f"{one[0]:%d/%m/%Y}" if len(one) == 1 else f"du {one[0]:%d/%m/%Y} au {one[-1]:%d/%m/%Y}" for one in stretches[:NAMED]]
    more = sum(map(len, stretches[NAMED:]))
    return ", ".join(said) + (f", et {more} autres" if more else "")
