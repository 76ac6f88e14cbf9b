"""Who looks after whom: advisors and their cases, with the gaps the service is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from data_contracts.simulator import world

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_contracts.simulator.people import People, Places
    from data_contracts.simulator.working_days import Calendar


@dataclass(frozen=True)
class Cases:
    """Ownerships, one row each, and the advisors."""

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


def make_cases(rng: np.random.Generator, people: People, places: Places, calendar: Calendar) -> Cases:
    """Six learners in ten have an owner at enrolment; one in five of those loses them in training, one in ten is handed over.

    In training people leave their advisor's active portfolio: the gap the service is for. An advisor who leaves the service leaves their
    cases without anybody.
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
    turn = np.maximum(calendar.next_working(people.entry + rng.integers(-5, 40, learners)), people.enrolled + 1)
    owned = fate < 0.60
    loses = fate < 0.12
    handed = (fate >= 0.12) & (fate < 0.18)
    late = (fate >= 0.60) & (fate < 0.72)
    who, goes_on = np.arange(learners), np.full(learners, -1)
    parts = [
        (who[owned], one[owned], people.enrolled[owned], np.where(loses | handed, turn, goes_on)[owned]),
        (who[handed], two[handed], turn[handed] + 1, goes_on[handed]),
        (who[late], two[late], turn[late], goes_on[late]),
    ]
    leaver = rng.permutation(advisors) < max(1, round(advisors * world.ADVISOR_LEAVES))
    leaving_day = calendar.last_working(rng.integers(5, max(6, calendar.days), advisors))
    learner, advisor, start, end = (np.concatenate([part[column] for part in parts]).astype(np.int64) for column in range(4))
    return Cases(
        learner=learner,
        advisor=advisor,
        start=start,
        end=end,
        advisor_territory=territory,
        advisor_operator=rng.choice(len(world.OPERATORS), advisors, p=world.OPERATOR_SHARES),
        advisor_capacity=rng.integers(3, 9, advisors),
        advisor_leaves=np.where(leaver, np.maximum(leaving_day, 0), -1),
    )
