"""Day after day: who disengages, who comes, who is called, who leaves. A loop over days, vectors over learners.

The state of a learner is calm or disengaging. Disengaging shows (absences, unanswered calls) and carries nearly all the dropout hazard;
spells of absence that mean nothing show in the same way and carry none. A two-way contact lowers the hazard of dropout, and nothing else,
so that the same random numbers tell what would have happened without any contact.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from data_contracts.simulator import world
from data_contracts.vocabulary import ATTENDANCE_STATUS, EXIT_REASON

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_contracts.simulator.people import Cases, People, Places

STATUS = {name: code for code, name in enumerate(ATTENDANCE_STATUS)}
REASON = {name: code for code, name in enumerate(EXIT_REASON)}
NEUTRAL_REASONS = np.array([REASON[name] for name in ("health", "moved", "excluded", "cancelled_by_provider", "other")])
AM, PM, DAY = 0, 1, 2
NEVER = -1

# What a contact was: channel, direction, outcome, by position in the vocabulary.
CALL, VISIT, INBOUND = 0, 1, 2
REACHED, MESSAGE, NO_ANSWER, WRONG, KEPT, NO_SHOW, EXCUSED, CANCELLED = 0, 1, 2, 3, 5, 6, 7, 8


@dataclass
class Log:
    """What happened, as lists of arrays that are joined at the end: by kind, columns in a fixed order."""

    sheets: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    """learner, day, half_day, status, days until known."""
    traces: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    """learner, day, kind, count."""
    contacts: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    """learner, day, advisor, type, outcome."""
    hazards: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=list)
    """learner, day, hazard of dropout, hazard of leaving for a job."""


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


def live(rng: np.random.Generator, people: People, places: Places, cases: Cases, working: NDArray[np.bool_], weekday: int) -> Lives:
    """Run the world for as many days as `working` has; `weekday` is that of the first day, Monday is 0."""
    n, days = len(people.age), len(working)
    silent = rng.random(n) < world.SILENT
    lives = Lives(_never(n), _never(n), _never(n), _never(n), silent, np.zeros((n, days), np.bool_), Log())
    state = np.zeros(n, np.bool_)
    mood = rng.normal(0, 0.5, n)
    spell_left = np.zeros(n, dtype=np.int64)
    last_spoken = np.full(n, -10_000, dtype=np.int64)
    recent = np.zeros(n)
    lasting_wrong = rng.random(n) < 0.02
    for day in range(days):
        there = people.comes & (people.entry <= day) & (people.end >= day) & (lives.exit_day == NEVER)
        here = np.flatnonzero(there)
        if not len(here):
            continue
        mood = 0.96 * mood + rng.normal(0, 0.14, n)
        since = day - people.entry[here]
        front = 1 + world.FRONT_LOADED * np.exp(-since / 30)
        begins = world.DISENGAGES * front * np.exp(people.pull[here] + mood[here])
        change = rng.random(len(here))
        state[here] = np.where(state[here], change >= world.RECOVERS, change < begins)
        lives.disengaging[here, day] = state[here]
        alone = np.where(state[here], world.DROPOUT_DISENGAGING, world.DROPOUT_CALM) * np.exp(0.3 * mood[here])
        fade = np.exp(-(day - last_spoken[here]) / world.EFFECT_DAYS)
        dropout = alone * (1 - (1 - people.effect[here]) * fade)
        elapsed = since / np.maximum(1, people.end[here] - people.entry[here])
        job = world.JOB * (0.5 + elapsed) * np.exp(0.12 * (people.level[here] - 3))
        lives.log.hazards.append((here, np.full(len(here), day), dropout.astype(np.float32), job.astype(np.float32)))
        _leave(rng, lives, people, here, day, alone, dropout, job)
        staying = here[lives.exit_day[here] == NEVER]
        starts = (rng.random(n) < world.SPELL) & (spell_left == 0)
        spell_left = np.where(starts, 1 + rng.exponential(world.SPELL_DAYS, n).astype(np.int64), np.maximum(spell_left - 1, 0))
        if working[day]:
            ghosts = np.flatnonzero(lives.silent & (lives.exit_reason == REASON["dropout"]) & (people.end >= day))
            recent *= 0.8
            _sheets(rng, lives.log, people, places, staying, ghosts, day, (weekday + day) % 7, state, spell_left, recent)
            _contacts(rng, lives.log, people, cases, staying, day, state, recent, lasting_wrong, last_spoken)
        _traces(rng, lives.log, places, people, staying, day, state)
    return lives


def _never(n: int) -> NDArray[np.int64]:
    return np.full(n, NEVER, dtype=np.int64)


def _leave(
    rng: np.random.Generator,
    lives: Lives,
    people: People,
    here: NDArray[np.int64],
    day: int,
    alone: NDArray[np.float64],
    dropout: NDArray[np.float64],
    job: NDArray[np.float64],
) -> None:
    draw, other = rng.random(len(here)), rng.random(len(here))
    neutral = NEUTRAL_REASONS[rng.choice(len(NEUTRAL_REASONS), len(here), p=(0.4, 0.2, 0.15, 0.1, 0.15))]
    steps = np.cumsum([job, np.full(len(here), world.OTHER_TRAINING), np.full(len(here), world.NEUTRAL)], axis=0)
    elsewhere = np.select([other < steps[0], other < steps[1], other < steps[2]], [REASON["job"], REASON["other_training"], neutral], NEVER)
    ends = people.end[here] == day
    reason = np.where(
        draw < dropout, REASON["dropout"], np.where(elsewhere != NEVER, elsewhere, np.where(ends, REASON["completed"], NEVER))
    )
    without = np.where(draw < alone, REASON["dropout"], np.where(elsewhere != NEVER, elsewhere, np.where(ends, REASON["completed"], NEVER)))
    # The world without contacts can only end earlier: its hazard is never lower, and the draws are the same.
    undecided = lives.alone_day[here] == NEVER
    gone = here[undecided & (without != NEVER)]
    lives.alone_day[gone], lives.alone_reason[gone] = day, without[undecided & (without != NEVER)]
    left = here[reason != NEVER]
    lives.exit_day[left], lives.exit_reason[left] = day, reason[reason != NEVER]


def _sheets(
    rng: np.random.Generator,
    log: Log,
    people: People,
    places: Places,
    staying: NDArray[np.int64],
    silent: NDArray[np.int64],
    day: int,
    weekday: int,
    state: NDArray[np.bool_],
    spell_left: NDArray[np.int64],
    recent: NDArray[np.float64],
) -> None:
    lag_of_session = np.where(rng.random(len(places.start)) < world.LATE_SHEET, rng.integers(1, 8, len(places.start)), 0)
    lost_session = rng.random(len(places.start)) < world.NO_SHEET
    everyone = np.concatenate([staying, silent])
    gone = np.concatenate([np.zeros(len(staying), np.bool_), np.ones(len(silent), np.bool_)])
    remote = places.mode[people.session[everyone]] == 2
    for half in (AM, PM):
        due = places.timetable[people.session[everyone], weekday, half] & ~remote
        whole = places.whole_day[people.session[everyone]]
        due &= ~(whole & (half == PM))
        who, left = everyone[due], gone[due]
        if not len(who):
            continue
        odds = np.log(world.ABSENT_CALM / (1 - world.ABSENT_CALM)) + people.frailty[who]
        chance = np.where(state[who], world.ABSENT_DISENGAGING, 1 / (1 + np.exp(-odds)))
        chance = np.where(spell_left[who] > 0, 0.85, chance)
        absent = left | (rng.random(len(who)) < chance)
        justified = absent & ~left & (rng.random(len(who)) < np.where(state[who], 0.12, world.JUSTIFIED))
        manner = rng.random(len(who)) / np.where(state[who], 3.0, 1.0)
        status = np.select(
            [justified, absent, manner < world.LATE, manner < world.LATE + world.LEFT_EARLY],
            [STATUS["absent_justified"], STATUS["absent_unjustified"], STATUS["late"], STATUS["left_early"]],
            STATUS["present"],
        )
        session = people.session[who]
        lag = lag_of_session[session]
        lost = lost_session[session]
        written = np.where(lost, STATUS["not_recorded"], status)
        later = justified & ~lost & (rng.random(len(who)) < world.JUSTIFIED_LATER)
        written = np.where(later, STATUS["absent_unjustified"], written)
        kept = ~lost | (rng.random(len(who)) < 0.5)
        label = np.where(places.whole_day[session], DAY, half)
        log.sheets.append((who[kept], np.full(int(kept.sum()), day), label[kept], written[kept], lag[kept]))
        delay = lag + rng.integers(1, 13, len(who))
        log.sheets.append((who[later], np.full(int(later.sum()), day), label[later], status[later], delay[later]))
        np.add.at(recent, who, (absent & ~justified & ~lost).astype(np.float64))


def _contacts(
    rng: np.random.Generator,
    log: Log,
    people: People,
    cases: Cases,
    staying: NDArray[np.int64],
    day: int,
    state: NDArray[np.bool_],
    recent: NDArray[np.float64],
    lasting_wrong: NDArray[np.bool_],
    last_spoken: NDArray[np.int64],
) -> None:
    owner = cases.owned_on(len(people.age), day)[staying]
    owned = owner >= 0
    since = day - people.entry[staying]
    due = np.where(since < 15, 0.08, 0.025) + np.where(recent[staying] > 1.5, 0.12, 0.0)
    due = np.where(owned, due, 0.006)
    draw = rng.random(len(staying))
    kind = np.select([draw < due * 0.75, draw < due, draw < due + 0.004], [CALL, VISIT, INBOUND], NEVER)
    chosen = kind != NEVER
    who, kind = staying[chosen], kind[chosen]
    if not len(who):
        return
    answers = rng.random(len(who))
    shy = state[who]
    reached = np.where(shy, 0.30, 0.55)
    call = np.select([lasting_wrong[who], answers < reached, answers < reached + 0.2], [WRONG, REACHED, MESSAGE], NO_ANSWER)
    kept = np.where(shy, 0.45, 0.75)
    visit = np.select([answers < kept, answers < kept + 0.12, answers < kept + 0.17], [KEPT, EXCUSED, CANCELLED], NO_SHOW)
    outcome = np.select([kind == CALL, kind == VISIT], [call, visit], REACHED)
    spoke = (outcome == REACHED) | (outcome == KEPT)
    last_spoken[who[spoke]] = day
    log.contacts.append((who, np.full(len(who), day), owner[chosen], kind, outcome))


def _traces(
    rng: np.random.Generator,
    log: Log,
    places: Places,
    people: People,
    staying: NDArray[np.int64],
    day: int,
    state: NDArray[np.bool_],
) -> None:
    mode = places.mode[people.session[staying]]
    chance = np.select([mode == 2, mode == 1], [0.6, 0.3], 0.0) * np.exp(-0.3 * np.maximum(0, people.frailty[staying]))
    chance = np.where(state[staying], 0.25 * chance, chance)
    active = staying[rng.random(len(staying)) < chance]
    if not len(active):
        return
    count = 1 + rng.poisson(np.where(state[active], 4, 12))
    quiz = rng.random(len(active)) < 0.3
    log.traces.append((active, np.full(len(active), day), np.zeros(len(active), np.int64), count))
    log.traces.append((active[quiz], np.full(int(quiz.sum()), day), np.ones(int(quiz.sum()), np.int64), 1 + count[quiz] // 5))
