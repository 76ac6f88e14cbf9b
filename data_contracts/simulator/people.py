"""Who is there: learners, providers, sessions, advisors and their cases. Arrays by position; identifiers come last."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_contracts.simulator import world

if TYPE_CHECKING:
    from numpy.typing import NDArray

MONTH_DAYS = 30


@dataclass(frozen=True)
class People:
    """One enrolment a learner; days are counted from the first simulated day, and may be negative."""

    age: NDArray[np.int64]
    level: NDArray[np.int64]
    own_initiative: NDArray[np.bool_]
    commute: NDArray[np.int64]
    session: NDArray[np.int64]
    enrolled: NDArray[np.int64]
    entry: NDArray[np.int64]
    end: NDArray[np.int64]
    comes: NDArray[np.bool_]
    frailty: NDArray[np.float64]
    """Lasting tendency to be absent, log-odds."""
    pull: NDArray[np.float64]
    """What is known at entry of the tendency to disengage, log scale."""
    effect: NDArray[np.float64]
    """Hazard ratio of a two-way contact on the day itself."""


@dataclass(frozen=True)
class Places:
    """Providers and sessions."""

    provider_territory: NDArray[np.int64]
    provider_quality: NDArray[np.float64]
    """Log-hazard of disengaging: positive is worse."""
    provider: NDArray[np.int64]
    """Of each session."""
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    objective: NDArray[np.int64]
    mode: NDArray[np.int64]
    """0 onsite, 1 mixed, 2 remote."""
    rolling: NDArray[np.bool_]
    timetable: NDArray[np.bool_]
    """sessions x 5 weekdays x 2 half-days."""
    whole_day: NDArray[np.bool_]
    """Sheets cover the whole day."""


def make_places(rng: np.random.Generator, learners: int, days: int) -> Places:
    """Providers of unequal quality, sessions that start on Mondays over the whole period."""
    providers = max(8, learners // world.LEARNERS_PER_PROVIDER)
    sessions = max(12, learners // world.LEARNERS_PER_SESSION)
    provider = rng.integers(0, providers, sessions)
    length = rng.choice(world.COURSE_MONTHS, sessions, p=world.COURSE_SHARES) * MONTH_DAYS
    start = rng.integers(0, max(1, days - MONTH_DAYS), sessions)
    mode = rng.choice(3, sessions, p=(0.70, 0.18, 0.12))
    timetable = np.ones((sessions, 5, 2), dtype=np.bool_)
    kind = rng.choice(4, sessions, p=(0.6, 0.15, 0.15, 0.1))
    timetable[kind == 1, :, 1] = False
    timetable[kind == 2, 3:, :] = False
    timetable[kind == 3, 4, 1] = False
    rolling = rng.random(sessions) < 0.35
    return Places(
        rng.integers(0, len(world.TERRITORIES), providers),
        rng.normal(0, 0.35, providers),
        provider,
        start,
        start + np.where(rolling, length + 2 * MONTH_DAYS, length),
        rng.choice(5, sessions, p=world.OBJECTIVE_SHARES),
        mode,
        rolling,
        timetable,
        (kind == 0) & (rng.random(sessions) < 0.12),
    )


def make_people(rng: np.random.Generator, learners: int, places: Places) -> People:
    """Learners and their enrolments, with what makes them more or less likely to leave (Dares 2021: age, level, own initiative, travel)."""
    young = rng.random(learners) < world.YOUNG_SHARE
    age = np.where(young, rng.integers(17, 26, learners), rng.integers(26, 62, learners))
    level = rng.choice(8, learners, p=(0.03, 0.05, 0.14, 0.33, 0.25, 0.1, 0.07, 0.03))
    own = rng.random(learners) < 0.62
    commute = np.minimum(rng.gamma(2.0, 16.0, learners).astype(np.int64) + 3, 180)
    session = rng.integers(0, len(places.start), learners)
    shift = np.where(places.rolling[session], rng.integers(0, 2 * MONTH_DAYS, learners), 0)
    entry = places.start[session] + shift
    length = (places.end - places.start - np.where(places.rolling, 2 * MONTH_DAYS, 0))[session]
    pull = (
        0.75 * young
        + 0.30 * (level <= 3)
        - 0.35 * own
        + 0.25 * (commute > 60)
        + places.provider_quality[places.provider[session]]
        + rng.normal(0, 0.25, len(places.start))[session]
    )
    return People(
        age,
        level,
        own,
        commute,
        session,
        entry - 1 - rng.exponential(world.WAIT_DAYS, learners).astype(np.int64),
        entry,
        entry + length,
        rng.random(learners) >= world.NO_SHOW,
        rng.normal(0, 0.6, learners),
        pull,
        np.clip(rng.normal(world.EFFECT, 0.12, learners), 0.25, 1.0),
    )


@dataclass(frozen=True)
class Cases:
    """Who looks after whom: one row an ownership."""

    learner: NDArray[np.int64]
    advisor: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    """Last day; -1 when it goes on."""
    advisor_territory: NDArray[np.int64]
    advisor_operator: NDArray[np.int64]
    advisor_capacity: NDArray[np.int64]
    advisor_leaves: NDArray[np.int64]
    """Last day of service; -1 when still there."""

    def owned_on(self, learners: int, day: int) -> NDArray[np.int64]:
        """Advisor of each learner on a day, -1 for nobody."""
        valid = (self.start <= day) & ((self.end < 0) | (self.end >= day))
        gone = (self.advisor_leaves >= 0) & (self.advisor_leaves < day)
        valid &= ~gone[self.advisor]
        owner = np.full(learners, -1, dtype=np.int64)
        owner[self.learner[valid]] = self.advisor[valid]
        return owner


def make_cases(rng: np.random.Generator, people: People, places: Places, days: int) -> Cases:
    """Six learners in ten have an owner at enrolment; one in five of those loses them in training, one in ten is handed over.

    In training people leave their advisor's active portfolio: the gap the service is for.
    """
    learners = len(people.age)
    advisors = max(8, learners // world.LEARNERS_PER_ADVISOR)
    territory = np.arange(advisors) % len(world.TERRITORIES)
    order = np.argsort(territory, kind="stable")
    counts = np.bincount(territory, minlength=len(world.TERRITORIES))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    home = places.provider_territory[places.provider[people.session]]

    def pick() -> NDArray[np.int64]:
        return np.asarray(order[first[home] + (rng.random(learners) * counts[home]).astype(np.int64)], dtype=np.int64)

    one, two = pick(), pick()
    fate = rng.random(learners)
    turn = people.entry + rng.integers(-5, 40, learners)
    owned = fate < 0.60
    loses = fate < 0.12
    handed = (fate >= 0.12) & (fate < 0.18)
    late = (fate >= 0.60) & (fate < 0.72)
    who = np.arange(learners)
    parts = [
        (who[owned], one[owned], people.enrolled[owned], np.where(loses | handed, np.maximum(turn, people.enrolled + 1), -1)[owned]),
        (who[handed], two[handed], np.maximum(turn, people.enrolled + 1)[handed] + 1, np.full(int(handed.sum()), -1)),
        (who[late], two[late], np.maximum(turn, people.enrolled + 1)[late], np.full(int(late.sum()), -1)),
    ]
    leaves = np.where(rng.random(advisors) < 0.05, rng.integers(0, max(1, days), advisors), -1)
    learner, advisor, start, end = (np.concatenate([part[column] for part in parts]).astype(np.int64) for column in range(4))
    return Cases(
        learner,
        advisor,
        start,
        end,
        territory,
        rng.choice(len(world.OPERATORS), advisors, p=world.OPERATOR_SHARES),
        rng.integers(3, 9, advisors),
        leaves,
    )


def working_days(first: dt.date, days: int) -> NDArray[np.bool_]:
    """True for days on which courses take place: neither weekends nor French public holidays."""
    dates = [first + dt.timedelta(days=day) for day in range(days)]
    free = {holiday for year in {date.year for date in dates} for holiday in _holidays(year)}
    return np.array([date.weekday() < 5 and date not in free for date in dates])


def _holidays(year: int) -> list[dt.date]:
    fixed = [(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)]
    easter = _easter(year)
    return [dt.date(year, month, day) for month, day in fixed] + [easter + dt.timedelta(days=days) for days in (1, 39, 50)]


def _easter(year: int) -> dt.date:
    """Easter Sunday, Gregorian calendar (Meeus, Jones and Butcher)."""
    a, b, c = year % 19, year // 100, year % 100
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * k) // 451
    month, day = divmod(h + k - 7 * m + 114, 31)
    return dt.date(year, month, day + 1)
