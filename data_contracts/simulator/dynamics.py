"""Day after day: who disengages, who looks for a job, who leaves. A loop over days, vectors over learners.

A learner has a mood that moves slowly (an AR process), and is calm or disengaging. Both show in absences, lateness, missed work and
unanswered calls, and carry the dropout hazard; spells of absence that mean nothing show in the same way and carry none. Looking for a job
is a state of its own: it shows in contacts about jobs, and a job found in a few days of absence. A two-way contact lowers the hazard of
dropout, and nothing else, so that the same random numbers tell what would have happened without any contact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_contracts.simulator import world
from data_contracts.simulator.traces import Log, log_activity, log_contacts, log_follow_up, log_sheets
from data_contracts.vocabulary import EXIT_REASON

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from data_contracts.simulator.cases import Cases
    from data_contracts.simulator.people import People, Places
    from data_contracts.simulator.working_days import Calendar

REASON = {name: code for code, name in enumerate(EXIT_REASON)}
NEUTRAL_REASONS = np.array([REASON[name] for name in ("health", "moved", "excluded", "cancelled_by_provider", "other")])
NEVER = -1


@dataclass
class Lives:
    """The end of each enrolment: day and reason code, `NEVER` while it goes on; with contacts, and had there been none."""

    exit_day: NDArray[np.int64]
    exit_reason: NDArray[np.int64]
    alone_day: NDArray[np.int64]
    alone_reason: NDArray[np.int64]
    silent: NDArray[np.bool_]
    """Dropouts of which no exit row ever comes."""
    disengaging: NDArray[np.bool_]
    """learners x days."""
    log: Log


@dataclass
class State:
    """What is true of each learner today and no delivery tells."""

    mood: NDArray[np.float64]
    """Positive is worse: log-hazard of disengaging."""
    away: NDArray[np.bool_]
    """Disengaging."""
    searching: NDArray[np.bool_]
    """Looking for a job."""
    found: NDArray[np.bool_]
    """Has found one, and is about to leave."""
    spell: NDArray[np.int64]
    """Days left of a spell of absence that means nothing."""
    recent: NDArray[np.float64]
    """Unjustified absences of late, as an advisor would feel them."""
    last_spoken: NDArray[np.int64]
    wrong_details: NDArray[np.bool_]


def live(
    rng: np.random.Generator,
    people: People,
    places: Places,
    cases: Cases,
    calendar: Calendar,
    at_night: Callable[[int, Lives, State], None] = lambda *_: None,
) -> Lives:
    """Run the world over the period of `calendar`; `at_night` looks at the end of each day and changes nothing."""
    n = len(people.age)
    lives = begun(rng.random(n) < world.SILENT, calendar.days)
    state = _first_state(rng, n)
    for day in range(calendar.days):
        here = live_day(rng, lives, state, people, places, cases, calendar, day)
        if len(here):
            lives.disengaging[here, day] = state.away[here]
            if calendar.is_working(day):
                gone = np.flatnonzero((lives.exit_day != NEVER) & (lives.exit_day < day) & (lives.exit_day > day - 60))
                log_follow_up(rng, lives.log, cases.owned_on(n, day), gone, day)
            log_activity(rng, lives.log, people, places, state, here[lives.exit_day[here] == NEVER], day)
        at_night(day, lives, state)
    return lives


def live_day(
    rng: np.random.Generator, lives: Lives, state: State, people: People, places: Places, cases: Cases, calendar: Calendar, day: int
) -> NDArray[np.int64]:
    """All of one day that may bear on the days after; who was in training that morning."""
    here = np.flatnonzero(people.comes & (people.entry <= day) & (people.end >= day) & (lives.exit_day == NEVER))
    if not len(here):
        return here
    _move_on(rng, state, people, here, day)
    _leave(rng, lives, state, people, here, day)
    if calendar.is_working(day):
        today = here[(lives.exit_day[here] == NEVER) | (lives.exit_reason[here] == REASON["completed"])]
        staying = here[lives.exit_day[here] == NEVER]
        ghosts = np.flatnonzero(lives.silent & (lives.exit_reason == REASON["dropout"]) & (lives.exit_day < day) & (people.end >= day))
        state.recent *= 0.8
        log_sheets(rng, lives.log, people, places, state, today, ghosts, day, calendar.weekday(day))
        log_contacts(rng, lives.log, people, state, cases.owned_on(len(people.age), day), staying, day)
    return here


def begun(silent: NDArray[np.bool_], days: int) -> Lives:
    """Lives of which no end is known yet."""
    n = len(silent)
    return Lives(_never(n), _never(n), _never(n), _never(n), silent, np.zeros((n, days), np.bool_), Log())


def _never(n: int) -> NDArray[np.int64]:
    return np.full(n, NEVER, dtype=np.int64)


def _first_state(rng: np.random.Generator, n: int) -> State:
    return State(
        mood=rng.normal(0, world.MOOD_SPREAD, n),
        away=np.zeros(n, np.bool_),
        searching=np.zeros(n, np.bool_),
        found=np.zeros(n, np.bool_),
        spell=np.zeros(n, np.int64),
        recent=np.zeros(n),
        last_spoken=np.full(n, -10_000, np.int64),
        wrong_details=rng.random(n) < 0.02,
    )


def _move_on(rng: np.random.Generator, state: State, people: People, here: NDArray[np.int64], day: int) -> None:
    """One day of the hidden states, which contacts do not touch."""
    n, since = len(state.mood), day - people.entry[here]
    jolt = world.MOOD_SPREAD * np.sqrt(1 - world.MOOD_MEMORY**2)
    state.mood = world.MOOD_MEMORY * state.mood + rng.normal(0, jolt, n)
    mood = state.mood[here]
    drawn = np.exp(people.pull[here] + mood)
    begins = np.where(since == 0, world.STARTS_AWAY, world.DISENGAGES * (1 + world.FRONT_LOADED * np.exp(-since / 30))) * drawn
    change = rng.random(len(here))
    state.away[here] = np.where(state.away[here], change >= world.RECOVERS * np.exp(-0.5 * mood), change < begins)
    search = rng.random(len(here))
    begins_search = world.SEARCHES * (1 + 2 * _elapsed(people, here, day))
    state.searching[here] = np.where(state.searching[here], search >= world.STOPS_SEARCHING, search < begins_search)
    falls = (rng.random(n) < world.SPELL) & (state.spell == 0)
    state.spell = np.where(falls, 1 + rng.exponential(world.SPELL_DAYS, n).astype(np.int64), np.maximum(state.spell - 1, 0))


def _elapsed(people: People, who: NDArray[np.int64], day: int) -> NDArray[np.float64]:
    """Share of the course that is over, 0 to 1."""
    return np.asarray((day - people.entry[who]) / np.maximum(1, people.end[who] - people.entry[who]), dtype=np.float64)


def _leave(rng: np.random.Generator, lives: Lives, state: State, people: People, here: NDArray[np.int64], day: int) -> None:
    """Draw who leaves today, and why, twice from the same numbers: with the contacts there were, and with none."""
    mood, found = state.mood[here], state.found[here]
    calm = world.DROPOUT_CALM * np.exp(people.pull[here] + mood)
    alone = np.where(state.away[here], world.DROPOUT_DISENGAGING * np.exp(0.4 * mood), calm) * np.where(found, 0.2, 1.0)
    fade = np.exp(-(day - state.last_spoken[here]) / world.EFFECT_DAYS)
    dropout = alone * (1 - (1 - people.effect[here]) * fade)
    finds = np.where(state.searching[here], world.FINDS, world.FINDS_UNSOUGHT) * np.exp(0.12 * (people.level[here] - 3))
    job = world.LEAVES_FOR_JOB * np.where(found, 1.0, finds)
    lives.log.hazards.append((here, np.full(len(here), day), dropout.astype(np.float32), job.astype(np.float32)))
    state.found[here] = found | (rng.random(len(here)) < finds)

    draw, other = rng.random(len(here)), rng.random(len(here))
    elsewhere = _elsewhere(rng, other, state.found[here])
    elsewhere = np.where((elsewhere == NEVER) & (people.end[here] == day), REASON["completed"], elsewhere)
    reason = np.where(draw < dropout, REASON["dropout"], elsewhere)
    without = np.where(draw < alone, REASON["dropout"], elsewhere)
    # The world without contacts can only end earlier: its hazard is never lower, and the draws are the same.
    first = (lives.alone_day[here] == NEVER) & (without != NEVER)
    lives.alone_day[here[first]], lives.alone_reason[here[first]] = day, without[first]
    left = reason != NEVER
    lives.exit_day[here[left]], lives.exit_reason[here[left]] = day, reason[left]


def _elsewhere(rng: np.random.Generator, draw: NDArray[np.float64], found: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Ends that compete with dropout, by one draw each: a job, another course, a neutral reason, or `NEVER`."""
    neutral = NEUTRAL_REASONS[rng.choice(len(NEUTRAL_REASONS), len(draw), p=world.NEUTRAL_SHARES)]
    to_job = np.where(found, world.LEAVES_FOR_JOB, 0.0)
    to_course = to_job + world.OTHER_TRAINING
    taken = [draw < to_job, draw < to_course, draw < to_course + world.NEUTRAL]
    return np.asarray(np.select(taken, [REASON["job"], REASON["other_training"], neutral], NEVER), dtype=np.int64)
