"""What a list is, whatever it is printed on. Imports nothing dear: the processes that write lists start with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from alerts.wording import Told

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, kw_only=True)
class Line(Told):
    """One learner on a list."""

    rank: int
    who: str
    phone: str
    email: str
    course: str


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
    sessions: list[str] = field(default_factory=list)
    """Those to look at as a whole, see `alerts.sessions`."""
