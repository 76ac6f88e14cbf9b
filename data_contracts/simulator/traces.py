"""What a day leaves behind: sheets, contacts, traces of distance learning. Codes are positions in the vocabularies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from data_contracts.simulator import world
from data_contracts.simulator.people import MIXED, NONE, REMOTE
from data_contracts.vocabulary import ATTENDANCE_STATUS, BARRIER, CONTACT_OUTCOME, PURPOSE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_contracts.simulator.dynamics import State
    from data_contracts.simulator.people import People, Places

STATUS = {name: code for code, name in enumerate(ATTENDANCE_STATUS)}
OUTCOME = {name: code for code, name in enumerate(CONTACT_OUTCOME)}
WHY = {name: code for code, name in enumerate(PURPOSE)}
AM, PM, DAY = 0, 1, 2
CALL, VISIT, INBOUND, MESSAGE = 0, 1, 2, 3
"""Kinds of contact; a message is a text or an e-mail, which nobody answers on the spot."""
LMS, QUIZ = 0, 1
_WORRYING = 1.5
"""Unjustified absences of late from which an advisor calls."""
RELATIONS = world.BARRIERS.index("relations")


@dataclass
class Log:
    """What happened, as lists of arrays that are joined at the end: by kind, columns in a fixed order."""

    sheets: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    """learner, day, half_day, status, days until known."""
    activity: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    """learner, day, kind, count."""
    contacts: list[tuple[NDArray[np.int64], ...]] = field(default_factory=list)
    """learner, day, advisor, kind, outcome, purpose, barrier."""
    hazards: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]] = field(default_factory=list)
    """learner, day, hazard of dropout, hazard of leaving for a job."""


def log_sheets(
    rng: np.random.Generator,
    log: Log,
    people: People,
    places: Places,
    state: State,
    present: NDArray[np.int64],
    ghosts: NDArray[np.int64],
    day: int,
    weekday: int,
) -> None:
    """Half-day sheets of those in training and of those who left without a word; late, lost or corrected ones as such."""
    sessions = len(places.start)
    lag_of_session = np.where(rng.random(sessions) < world.LATE_SHEET, rng.integers(1, 8, sessions), 0)
    lost_session = rng.random(sessions) < world.NO_SHEET
    everyone = np.concatenate([present, ghosts])
    vanished = np.arange(len(everyone)) >= len(present)
    session = people.session[everyone]
    sheeted = places.timetable[session, weekday] & (places.mode[session] != REMOTE)[:, None]
    sheeted[:, PM] &= ~(places.whole_day[session] & sheeted[:, AM])
    for half in (AM, PM):
        due = sheeted[:, half]
        who = everyone[due]
        if not len(who):
            continue
        session = people.session[who]
        lag, lost = lag_of_session[session], lost_session[session]
        label = np.where(places.whole_day[session], DAY, half)
        status = _status(rng, people, state, who, vanished[due], day)
        lost &= status != STATUS["not_expected"]
        later = (status == STATUS["absent_justified"]) & ~lost & (rng.random(len(who)) < world.JUSTIFIED_LATER)
        written = np.select([lost, later], [STATUS["not_recorded"], STATUS["absent_unjustified"]], status)
        kept = ~lost | (rng.random(len(who)) < 0.5)
        log.sheets.append((who[kept], np.full(int(kept.sum()), day), label[kept], written[kept], lag[kept]))
        delay = np.maximum(lag + 1, rng.integers(1, 13, len(who)))
        log.sheets.append((who[later], np.full(int(later.sum()), day), label[later], status[later], delay[later]))
        felt = (status == STATUS["absent_unjustified"]) & ~lost
        state.recent[who[felt]] += 1.0


def _status(
    rng: np.random.Generator, people: People, state: State, who: NDArray[np.int64], vanished: NDArray[np.bool_], day: int
) -> NDArray[np.int64]:
    away, found, spell = state.away[who], state.found[who], state.spell[who] > 0
    odds = np.log(world.ABSENT_CALM / (1 - world.ABSENT_CALM)) + people.frailty[who] + world.MOOD_SHOWS * state.mood[who]
    chance = np.select([spell, found, away], [0.85, world.ABSENT_FOR_JOB, world.ABSENT_DISENGAGING], 1 / (1 + np.exp(-odds)))
    excused = np.select([vanished, away, spell], [0.0, world.JUSTIFIED_DISENGAGING, world.JUSTIFIED_SPELL], world.JUSTIFIED)
    absent = vanished | (rng.random(len(who)) < chance)
    justified = absent & (rng.random(len(who)) < excused)
    manner = rng.random(len(who)) / np.where(away, world.DISENGAGING_LATE, np.exp(0.4 * state.mood[who]))
    placed = (people.away_from[who] <= day) & (day < people.away_until[who])
    exempt = rng.random(len(who)) < world.EXEMPT
    drawn = np.select(
        [placed, exempt & ~vanished, justified, absent, manner < world.LATE, manner < world.LATE + world.LEFT_EARLY],
        [STATUS[name] for name in ("not_expected", "exempt", "absent_justified", "absent_unjustified", "late", "left_early")],
        STATUS["present"],
    )
    return np.asarray(drawn, dtype=np.int64)


def log_contacts(
    rng: np.random.Generator, log: Log, people: People, state: State, owners: NDArray[np.int64], staying: NDArray[np.int64], day: int
) -> None:
    """Contacts of the day: more for those who have an owner, on entry, halfway, and after absences; the disengaging answer less."""
    owner, since, recent = owners[staying], day - people.entry[staying], state.recent[staying]
    elapsed = since / np.maximum(1, people.end[staying] - people.entry[staying])
    halfway = (elapsed > 0.45) & (elapsed < 0.6)
    due = np.where(since < 15, 0.08, 0.022) + np.where(recent > _WORRYING, 0.12, 0.0) + np.where(halfway, 0.02, 0.0)
    due = np.where(owner >= 0, due + np.where(state.searching[staying], 0.03, 0.0), 0.006)
    draw = rng.random(len(staying))
    asks = due + np.where(state.searching[staying], 0.008, 0.004)
    kind = np.select([draw < due * 0.75, draw < due, draw < asks, draw < asks + 0.3 * due], [CALL, VISIT, INBOUND, MESSAGE], NONE)
    chosen = kind != NONE
    who, kind = staying[chosen], kind[chosen]
    if not len(who):
        return
    outcome = _outcome(rng, state, who, kind)
    spoke = (outcome == OUTCOME["reached"]) | (outcome == OUTCOME["kept"])
    state.last_spoken[who[spoke]] = day
    hindrance = people.barrier[who]
    about_job = rng.random(len(who)) < np.where(state.searching[who], 0.6, np.where(elapsed[chosen] > 0.75, 0.35, 0.05))
    worried = recent[chosen] > _WORRYING
    purpose = np.select(
        [since[chosen] < 15, about_job, worried & (hindrance == RELATIONS), worried & (hindrance != NONE)],
        [WHY["entry"], WHY["job_search"], WHY["mediation"], WHY["barrier"]],
        WHY["motivation"],
    )
    codes = np.array([BARRIER.index(name) for name in world.BARRIERS])
    named = spoke & (hindrance != NONE) & (rng.random(len(who)) < np.where(purpose == WHY["barrier"], 0.9, 0.35))
    barrier = np.where(named, codes[np.maximum(hindrance, 0)], NONE)
    log.contacts.append((who, np.full(len(who), day), owner[chosen], kind, outcome, purpose, barrier))


def _outcome(rng: np.random.Generator, state: State, who: NDArray[np.int64], kind: NDArray[np.int64]) -> NDArray[np.int64]:
    answers, away, wrong = rng.random(len(who)), state.away[who], state.wrong_details[who]
    reached = np.where(away, 0.30, 0.55)
    call = np.select(
        [wrong, answers < reached, answers < reached + 0.2],
        [OUTCOME["wrong_details"], OUTCOME["reached"], OUTCOME["left_message"]],
        OUTCOME["no_answer"],
    )
    kept = np.where(away, 0.45, 0.75)
    visit = np.select(
        [answers < kept, answers < kept + 0.12, answers < kept + 0.17],
        [OUTCOME["kept"], OUTCOME["excused"], OUTCOME["cancelled_by_service"]],
        OUTCOME["no_show"],
    )
    drawn = np.select([kind == CALL, kind == VISIT, kind == MESSAGE], [call, visit, OUTCOME["sent"]], OUTCOME["reached"])
    return np.asarray(drawn, dtype=np.int64)


def log_follow_up(rng: np.random.Generator, log: Log, owners: NDArray[np.int64], gone: NDArray[np.int64], day: int) -> None:
    """Calls of owners in the two months after the end."""
    who = gone[(owners[gone] >= 0) & (rng.random(len(gone)) < 0.02)]
    if not len(who):
        return
    outcome = np.where(rng.random(len(who)) < 0.5, OUTCOME["reached"], OUTCOME["no_answer"])
    same = (np.full(len(who), code) for code in (WHY["follow_up"], NONE))
    same = (np.full(len(who), code) for code in (WHY["follow_up"], NONE))
    log.contacts.append((who, np.full(len(who), day), owners[who], np.full(len(who), CALL), outcome, *same))


def log_activity(
    rng: np.random.Generator, log: Log, people: People, places: Places, state: State, staying: NDArray[np.int64], day: int
) -> None:
    """Traces of distance learning in remote and mixed sessions, weekends included; few from the disengaging."""
    mode = places.mode[people.session[staying]]
    chance = np.select([mode == REMOTE, mode == MIXED], [0.6, 0.3], 0.0)
    chance = chance * np.exp(-0.3 * np.maximum(0, people.frailty[staying] + world.MOOD_SHOWS * state.mood[staying]))
    chance = np.where(state.away[staying], 0.25 * chance, chance)
    active = staying[rng.random(len(staying)) < chance]
    if not len(active):
        return
    count = 1 + rng.poisson(np.where(state.away[active], 4, 12))
    quiz = rng.random(len(active)) < 0.3
    log.activity.append((active, np.full(len(active), day), np.full(len(active), LMS), count))
    log.activity.append((active[quiz], np.full(int(quiz.sum()), day), np.full(int(quiz.sum()), QUIZ), 1 + count[quiz] // 5))
