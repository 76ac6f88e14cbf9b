"""The true risk of a night: the world goes on many times from what is true that evening, each time with other luck.

A hazard path after the night depends on luck after it, so that no score could know it. This is what can be known on the night, by one who
sees every hidden state and every rate: no other score has a larger expected average precision.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from data_contracts.simulator.dynamics import NEVER, begun, live_day
from data_contracts.simulator.traces import Log

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from data_contracts.simulator.cases import Cases
    from data_contracts.simulator.dynamics import Lives, State
    from data_contracts.simulator.people import People, Places
    from data_contracts.simulator.working_days import Calendar

Arrays = TypeVar("Arrays", "People", "State")
AT_ONCE: Final = 200_000
"""Lives run side by side: bounds memory."""


@dataclass
class Ahead:
    """Looks ahead from the evenings of `nights`; hand `look` to `live`."""

    seed: int
    people: People
    places: Places
    cases: Cases
    calendar: Calendar
    nights: Collection[int]
    horizon_days: int
    copies: int
    """How many times the world goes on from each night."""
    found: list[tuple[NDArray[Any], ...]] = field(default_factory=list)
    """learner, night, risk of dropout, risk of leaving for a job, disengaging, has found a job."""

    def look(self, day: int, lives: Lives, state: State) -> None:
        """The risks of an evening, with random numbers of their own: the world itself goes on as if nobody had looked."""
        if day not in self.nights:
            return
        people = self.people
        who = np.flatnonzero(people.comes & (people.entry <= day) & (people.end > day) & (lives.exit_day == NEVER))
        rng = np.random.default_rng([self.seed, day])
        many = max(1, min(self.copies, AT_ONCE // max(1, len(who))))
        rounds = -(-self.copies // many)
        sums = sum((self._onward(rng, state, who, day, many) for _ in range(rounds)), np.zeros((2, len(who))))
        # Sums of chances pass one here and there, by luck.
        risk, job = np.minimum(sums / (rounds * many), 1.0)
        self.found.append((who, np.full(len(who), day), risk, job, state.away[who].copy(), state.found[who].copy()))

    def _onward(self, rng: np.random.Generator, state: State, who: NDArray[np.int64], day: int, many: int) -> NDArray[np.float64]:
        """Sums over `many` copies of each learner; adding up daily hazards while there is steadier than counting who left."""
        people, then, cases = _copies(self.people, who, many), _copies(state, who, many), self._ownerships(who, many)
        lives = begun(np.zeros(len(people.age), np.bool_), 0)
        sums = np.zeros((2, len(people.age)))
        for later in range(day + 1, day + self.horizon_days + 1):
            lives.log = Log()
            live_day(rng, lives, then, people, self.places, cases, self.calendar, later)
            for here, _, dropout, job in lives.log.hazards:
                sums[:, here] += (dropout, job * (1 - dropout))
        return np.asarray(sums.reshape(2, many, len(who)).sum(axis=1), dtype=np.float64)

    def _ownerships(self, who: NDArray[np.int64], many: int) -> Cases:
        place = np.full(len(self.people.age), NEVER)
        place[who] = np.arange(len(who))
        kept = np.flatnonzero(place[self.cases.learner] != NEVER)
        learner = place[self.cases.learner[kept]] + len(who) * np.arange(many)[:, None]
        same = {name: np.tile(getattr(self.cases, name)[kept], many) for name in ("advisor", "start", "end")}
        return replace(self.cases, learner=learner.ravel(), **same)


def _copies(of: Arrays, who: NDArray[np.int64], many: int) -> Arrays:
    return replace(of, **{column.name: np.tile(getattr(of, column.name)[who], many) for column in fields(of)})
