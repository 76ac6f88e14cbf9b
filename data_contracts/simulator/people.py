"""Who is there, and where: learners, providers, sessions. Arrays by position; identifiers come last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_contracts.simulator import world

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_contracts.simulator.working_days import Calendar

MONTH_DAYS = 30
MIXED, REMOTE = 1, 2
NONE = -1


@dataclass(frozen=True)
class Places:
    """Providers and sessions; days are counted from the first simulated day."""

    provider_territory: NDArray[np.int64]
    provider_quality: NDArray[np.float64]
    """Log-hazard of disengaging: positive is worse."""
    provider: NDArray[np.int64]
    """Of each session."""
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    length: NDArray[np.int64]
    """Days of the course of one person; shorter than the session when entry is rolling."""
    objective: NDArray[np.int64]
    mode: NDArray[np.int64]
    """0 onsite, `MIXED`, `REMOTE`."""
    rolling: NDArray[np.bool_]
    timetable: NDArray[np.bool_]
    """sessions x 5 weekdays x 2 half-days."""
    whole_day: NDArray[np.bool_]
    """Sheets cover the whole day."""
    placement: NDArray[np.int64]
    """Weeks in a company, halfway through the course of each person; 0 for none."""
    quality: NDArray[np.float64]
    """Of the session, its provider included, log-hazard of disengaging."""


@dataclass(frozen=True)
class People:
    """One enrolment a learner; days are counted from the first simulated day, and may be negative."""

    age: NDArray[np.int64]
    woman: NDArray[np.bool_]
    level: NDArray[np.int64]
    own_initiative: NDArray[np.bool_]
    commute: NDArray[np.int64]
    barrier: NDArray[np.int64]
    """Lasting difficulty, position in `world.BARRIERS`; `NONE` for none."""
    session: NDArray[np.int64]
    enrolled: NDArray[np.int64]
    entry: NDArray[np.int64]
    end: NDArray[np.int64]
    comes: NDArray[np.bool_]
    away_from: NDArray[np.int64]
    """First day of the weeks in a company."""
    away_until: NDArray[np.int64]
    """The day after the last one in a company; equal to `away_from` for none."""
    frailty: NDArray[np.float64]
    """Lasting tendency to be absent, log-odds."""
    pull: NDArray[np.float64]
    """What is known at entry of the tendency to disengage, log scale."""
    effect: NDArray[np.float64]
    """Hazard ratio of a two-way contact on the day itself."""


def make_places(rng: np.random.Generator, learners: int, calendar: Calendar) -> Places:
    """Providers of unequal quality, sessions that start on Mondays (or the day after, if it is a holiday) over the whole period."""
    providers = max(8, learners // world.LEARNERS_PER_PROVIDER)
    sessions = max(12, learners // world.LEARNERS_PER_SESSION)
    provider = rng.integers(0, providers, sessions)
    quality = rng.normal(0, world.PROVIDER_SPREAD, providers)
    length = rng.choice(world.COURSE_MONTHS, sessions, p=world.COURSE_SHARES) * MONTH_DAYS
    start = rng.integers(0, max(1, calendar.days - MONTH_DAYS), sessions)
    start = calendar.next_working(np.maximum(calendar.monday_of(start), 0))
    rolling = rng.random(sessions) < 0.35
    kind = rng.choice(4, sessions, p=(0.6, 0.15, 0.15, 0.1))
    mode = rng.choice(3, sessions, p=(0.70, 0.18, 0.12))
    objective = rng.choice(5, sessions, p=world.OBJECTIVE_SHARES)
    placed = (objective <= 1) & (mode != REMOTE) & (length >= 3 * MONTH_DAYS) & (rng.random(sessions) < world.PLACEMENT)
    return Places(
        provider_territory=rng.integers(0, len(world.TERRITORIES), providers),
        provider_quality=quality,
        provider=provider,
        start=start,
        end=calendar.last_working(start + np.where(rolling, length + 2 * MONTH_DAYS, length)),
        length=length,
        objective=objective,
        mode=mode,
        rolling=rolling,
        timetable=_timetables(kind),
        whole_day=(kind == 0) & (rng.random(sessions) < 0.12),
        placement=np.where(placed, rng.integers(2, 4, sessions), 0),
        quality=quality[provider] + rng.normal(0, world.SESSION_SPREAD, sessions),
    )


def _timetables(kind: NDArray[np.int64]) -> NDArray[np.bool_]:
    """0 all week, 1 mornings only, 2 three days a week, 3 all week but Friday afternoon."""
    timetable = np.ones((len(kind), 5, 2), dtype=np.bool_)
    timetable[kind == 1, :, 1] = False
    timetable[kind == 2, 3:, :] = False
    timetable[kind == 3, 4, 1] = False
    return timetable


def make_people(rng: np.random.Generator, learners: int, places: Places, calendar: Calendar) -> People:
    """Learners and their enrolments, with what makes them more or less likely to leave (Dares Focus, November 2021)."""
    young = rng.random(learners) < world.YOUNG_SHARE
    age = np.where(young, rng.integers(17, 26, learners), rng.integers(26, 62, learners))
    woman = rng.random(learners) < world.WOMEN_SHARE
    level = rng.choice(8, learners, p=world.LEVEL_SHARES)
    own = rng.random(learners) < 0.62
    commute = np.minimum(rng.gamma(2.0, 16.0, learners).astype(np.int64) + 3, 180)
    hindered = rng.random(learners) < world.BARRIER_SHARE
    barrier = np.where(hindered, rng.integers(0, len(world.BARRIERS), learners), NONE)
    session = rng.integers(0, len(places.start), learners)
    shift = np.where(places.rolling[session], rng.integers(0, 2 * MONTH_DAYS - 4, learners), 0)
    entry = calendar.next_working(places.start[session] + shift)
    length = places.length[session]
    end = np.minimum(calendar.last_working(entry + length), places.end[session])
    halfway = calendar.monday_of(entry + length // 2)
    pull = (
        world.PULL_YOUNG * young
        + world.PULL_OVER_50 * (age > 50)
        + world.PULL_BELOW_BAC * (level <= 3)
        + world.PULL_WOMAN * woman
        + world.PULL_OWN_INITIATIVE * own
        + world.PULL_REMOTE * (places.mode[session] == REMOTE)
        + world.PULL_LONG_COMMUTE * (commute > world.LONG_COMMUTE)
        + world.PULL_BARRIER * hindered
        + places.quality[session]
    )
    return People(
        age=age,
        woman=woman,
        level=level,
        own_initiative=own,
        commute=commute,
        barrier=barrier,
        session=session,
        enrolled=calendar.last_working(entry - 1 - rng.exponential(world.WAIT_DAYS, learners).astype(np.int64)),
        entry=entry,
        end=end,
        comes=rng.random(learners) >= world.NO_SHOW,
        away_from=halfway,
        away_until=halfway + 7 * places.placement[session],
        frailty=rng.normal(0, 0.45, learners),
        pull=pull,
        effect=np.clip(rng.normal(world.EFFECT, 0.12, learners), 0.25, 1.0),
    )
