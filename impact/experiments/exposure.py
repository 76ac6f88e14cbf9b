"""A stepped wedge by time since each group crossed over: support that is learnt takes time, and enthusiasm fades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from impact.experiments import estimators
from impact.experiments.inference import randomisation_p
from impact.experiments.outcomes import covariates
from vigie.disclosure import FEWEST_FOR_RATE

if TYPE_CHECKING:
    import polars as pl

    from impact.experiments.estimators import Estimate
    from impact.experiments.plan import Plan
    from vigie.arrays import Floats, Ints

FEWEST_GROUPS: Final = 3
"""A step that fewer groups, or too few people, have reached is told together with the one before: a jackknife cannot spare one of two."""


@dataclass(frozen=True)
class Exposed:
    """Effect on those who entered so many steps after their group crossed over; or the plain mean over these."""

    steps: tuple[int, int]
    """First and last step, 1 for the step of crossing; all of them for the mean."""
    groups: int
    people: int
    effect: float
    low: float
    high: float
    p: float
    p_draws: float | None = None
    """Of the mean alone."""


def by_exposure(plan: Plan, rows: pl.DataFrame, exposure: Floats, redrawn: Floats) -> list[Exposed]:
    """The primary outcome by steps since crossing over, and last the mean over them; nothing where there is only one step to tell of.

    Args:
        plan: a stepped wedge.
        rows: people whose primary outcome is known.
        exposure: 1 x learners, 0 before the group crossed over.
        redrawn: the same under other draws: draws x learners.
    """
    _, cluster = np.unique(rows["unit_id"].to_numpy(), return_inverse=True)
    reached = [cluster[exposure[0] == step] for step in range(1, int(exposure.max()) + 1)]
    enough = [len(np.unique(there)) >= FEWEST_GROUPS and len(there) >= FEWEST_FOR_RATE for there in reached]
    told = max((step for step, some in enumerate(enough, 1) if some), default=0)
    if told < 2:  # noqa: PLR2004 - one step has no course
        return []
    y, z = rows[plan.primary].to_numpy()[None], covariates(rows)[None] if plan.adjust else None

    def estimates(exposed: Floats) -> list[Estimate]:
        return estimators.stepped_by_exposure(y, np.minimum(exposed, told), cluster, rows["period"].to_numpy(), z)

    *each, mean = estimates(exposure)
    found = []
    for first, one in enumerate(each, 1):
        last = first if first < told else len(reached)
        there = (exposure[0] >= first) & (exposure[0] <= last)
        found.append(_exposed((first, last), cluster[there], one, plan.level))
    p_draws = randomisation_p(lambda exposed: estimates(exposed)[-1], exposure, redrawn)
    return [*found, _exposed((1, len(reached)), cluster[exposure[0] > 0], mean, plan.level, p_draws)]


def _exposed(steps: tuple[int, int], cluster: Ints, one: Estimate, level: float, p: float | None = None) -> Exposed:
    low, high = one.interval(level)
    numbers = float(one.effect[0]), float(low[0]), float(high[0]), float(one.p_value()[0])
    return Exposed(steps, len(np.unique(cluster)), len(cluster), *numbers, p)
