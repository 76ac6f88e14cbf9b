"""What a list is, whatever it is printed on. Imports nothing dear: the processes that write lists start with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True)
class Line:
    """One learner on a list."""

    rank: int
    who: str
    phone: str
    email: str
    course: str
    kinds: list[str]
    why: list[str]
    changed: list[str]
    likelihood: str
    weak: bool
    """Too little is known for the estimate to weigh much."""
    actions: list[str]
    since: str
    until: str
    is_new: bool


@dataclass(frozen=True)
class AdvisorList:
    """One recipient's list of one night."""

    key: str
    """File name without its ending."""
    recipient: str
    title: str
    as_of: dt.date
    lines: list[Line]
    waiting: int
    """People left out by this week's budget."""
    notice: str
    """What must be said of made-up data; empty for real data."""
