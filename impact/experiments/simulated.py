"""Simulated territories whose truth is known: what the estimators are judged on.

A learner leaves week by week, for dropout or for another exit that competes with it. The hazard of dropout depends on a risk that is
known, on one that only advisors sense, on the group and on the season; a contact multiplies it by a known factor from its week on, and can
only happen to somebody who is still there. Advisors call whom they sense to be at risk. All replications are drawn at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vigie.arrays import Floats, Ints

_TRUTH_SAMPLE = 400_000


@dataclass(frozen=True)
class World:
    """A territory. Rates are of learners who enter an experiment (simulated)."""

    hazard_ratio: float = 0.55
    """What a contact multiplies the weekly hazard of dropout by."""
    responders: float = 1.0
    """Share of learners on whom a contact has this effect; none on the others."""
    take_up: tuple[float, float] = (0.0, 1.0)
    """Share reached, control and treated arm."""
    when: tuple[float, ...] = (0.7, 0.3, 0.0, 0.0)
    """Share of contacts planned in each week; the number of weeks is the horizon."""
    base: float = 0.15
    """Dropout within the horizon when nobody is contacted."""
    known_spread: float = 0.7
    hidden_spread: float = 0.5
    group_spread: float = 0.35
    """Standard deviations of the log-hazard."""
    targeting: float = 0.8
    """Log-odds of being reached per unit of (known + hidden) log-hazard."""
    season: float = 0.0
    """Log-hazard added by each period."""
    other_exits: float = 0.02
    """Weekly hazard of exits that are no dropout."""
    builds_up: tuple[float, ...] = ()
    """Share of the effect (of its logarithm) that is there in the first, second, ... step after a group crosses over; all of it at once
    when left out."""

    def at(self, exposure: int) -> World:
        """This world as it is for those so many steps after crossing over, whose effect stays what it then is."""
        if not self.builds_up or not exposure:
            return self
        return replace(self, hazard_ratio=self.hazard_ratio ** self.builds_up[exposure - 1], builds_up=())


@dataclass(frozen=True)
class Lived:
    """What happened; replications x learners."""

    risk: Floats
    """Known log-hazard at the draw: the covariate."""
    dropped: Floats
    """1 when the learner dropped out within the horizon."""
    week: Ints
    """Week of the exit, 1 to the horizon, or the horizon."""
    cause: Ints
    """1 dropout, 2 another exit, 0 still there."""
    contacted: Floats


def live(world: World, rng: np.random.Generator, treated: Floats, cluster: Ints, period: Ints | None = None) -> Lived:
    """Let every replication happen.

    Args:
        world: with what effect.
        rng: of every random number.
        treated: replications x learners; 0 or, where the effect builds up, steps since the group crossed over.
        cluster: group of each learner.
        period: of each learner, for the season; 0 for all when left out.
    """
    shape = treated.shape
    season = world.season * (np.zeros(shape[1]) if period is None else period)
    level = _level(world)
    groups = rng.normal(0, world.group_spread, (shape[0], int(cluster.max()) + 1))[:, cluster]
    risk, hidden = rng.normal(0, world.known_spread, shape), rng.normal(0, world.hidden_spread, shape)
    hazard = np.exp(level + season + risk + hidden + groups)
    strength = np.array([0.0, *world.builds_up])[treated.astype(np.int64)] if world.builds_up else 1.0
    ratio = np.where(rng.random(shape) < world.responders, world.hazard_ratio**strength, 1.0)
    chance = np.where(treated > 0, _reach(world, risk + hidden, 1), _reach(world, risk + hidden, 0))
    weeks = len(world.when)
    planned = np.where(rng.random(shape) < chance, np.searchsorted(np.cumsum(world.when), rng.random(shape)).clip(0, weeks - 1), weeks)
    there, contacted = np.ones(shape, np.bool_), np.zeros(shape, np.bool_)
    cause, week = np.zeros(shape, np.int64), np.full(shape, weeks, np.int64)
    for now in range(weeks):
        contacted |= there & (planned == now)
        drops = np.minimum(hazard * np.where(contacted, ratio, 1.0), 0.9)
        luck = rng.random(shape)
        for code, leaves in ((1, luck < drops), (2, (luck >= drops) & (luck < drops + world.other_exits))):
            gone = there & leaves
            cause[gone], week[gone] = code, now + 1
        there &= cause == 0
    return Lived(risk, (cause == 1).astype(np.float64), week, cause, contacted.astype(np.float64))


def expected(world: World, season: float = 0.0) -> dict[str, float]:
    """Means of the whole population, by integration over a large sample: dropout and contact, control (0) and treated (1).

    Returns:
        dropped_0, dropped_1, contacted_0, contacted_1.
    """
    rng = np.random.default_rng(20_260_101)
    spreads = (world.known_spread, world.hidden_spread, world.group_spread)
    risk, hidden, group = (rng.normal(0, spread, _TRUTH_SAMPLE) for spread in spreads)
    hazard = np.exp(_level(world) + season + risk + hidden + group)
    found: dict[str, float] = {}
    for arm in (0, 1):
        chance = _reach(world, risk + hidden, arm)
        never, _ = _dropped(world, hazard, len(world.when), 1.0)
        dropped, contacted = (1 - chance) * never, np.zeros_like(hazard)
        for week, share in enumerate(world.when):
            helped, there = _dropped(world, hazard, week, world.hazard_ratio)
            alone, _ = _dropped(world, hazard, week, 1.0)
            dropped += chance * share * (world.responders * helped + (1 - world.responders) * alone)
            contacted += chance * share * there
        found |= {f"dropped_{arm}": float(dropped.mean()), f"contacted_{arm}": float(contacted.mean())}
    return found


def _dropped(world: World, hazard: Floats, contact: int, ratio: float) -> tuple[Floats, Floats]:
    """Chance of dropping out within the horizon with a contact in week `contact`, and of being there for it."""
    staying, dropped, there = np.ones_like(hazard), np.zeros_like(hazard), np.ones_like(hazard)
    for week in range(len(world.when)):
        if week == contact:
            there = staying.copy()
        drops = np.minimum(hazard * (ratio if week >= contact else 1.0), 0.9)
        dropped += staying * drops
        staying = staying * (1 - np.minimum(drops + world.other_exits, 1.0))
    return dropped, there


def _reach(world: World, sensed: Floats, arm: int) -> Floats:
    """Chance to be reached: higher for those sensed to be at risk, with the arm's share on average."""
    share = world.take_up[arm]
    if share in {0.0, 1.0}:
        return np.full_like(sensed, share)
    spread = world.targeting * np.hypot(world.known_spread, world.hidden_spread)
    # Logistic of a normal: its mean stays close to `share` when the location grows with the spread (probit approximation).
    location = np.log(share / (1 - share)) * np.sqrt(1 + np.pi * spread**2 / 8)
    return np.asarray(1 / (1 + np.exp(-(location + world.targeting * sensed))))


def _level(world: World) -> float:
    """Weekly log-hazard of an average learner that gives `base` when nobody is contacted and no season is on."""
    rng = np.random.default_rng(20_260_102)
    spread = np.sqrt(world.known_spread**2 + world.hidden_spread**2 + world.group_spread**2)
    relative = np.exp(rng.normal(0, spread, 50_000))
    low, high = -8.0, 0.0
    for _ in range(30):
        middle = (low + high) / 2
        dropped, _there = _dropped(world, np.exp(middle) * relative, len(world.when), 1.0)
        low, high = (middle, high) if dropped.mean() < world.base else (low, middle)
    return (low + high) / 2
