"""Every design, many times over, on simulated territories: how far off estimates are, and how often they say what is not so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Final

import numpy as np

from impact.experiments import estimators
from impact.experiments.missing import manski
from impact.experiments.power import Situation, planned_power
from impact.experiments.simulated import World, expected, live

if TYPE_CHECKING:
    from impact.experiments.estimators import Estimate
    from impact.experiments.simulated import Lived
    from vigie.arrays import Floats, Ints

ALPHA: Final = 0.05
AT_ONCE: Final = 500
"""Replications held in memory together."""


@dataclass(frozen=True)
class Setting:
    """A design with its size."""

    name: str
    clusters: int
    learners: int
    """In each group (and each period of a stepped wedge)."""
    share: float = 0.5
    """Treated."""
    periods: int = 1

    @property
    def cluster(self) -> Ints:
        """Group of each learner."""
        return np.repeat(np.arange(self.clusters), self.learners * self.periods)

    @property
    def period(self) -> Ints:
        """Period of each learner."""
        return np.tile(np.repeat(np.arange(self.periods), self.learners), self.clusters)


SETTINGS: Final = (
    Setting("individual", 40, 40),
    Setting("cluster", 80, 25),
    Setting("stepped_wedge", 24, 40, periods=5),
    Setting("encouragement", 40, 75),
    Setting("holdout", 40, 120, share=0.9),
)
_BASE: Final = World()
SCENARIOS: Final = {
    "known effect": _BASE,
    "no effect": replace(_BASE, hazard_ratio=1.0),
    "effect on half of them": replace(_BASE, hazard_ratio=0.35, responders=0.5),
    "take-up 40 %": replace(_BASE, hazard_ratio=0.3, take_up=(0.0, 0.4)),
    "contamination 20 %": replace(_BASE, take_up=(0.2, 1.0)),
    "attrition 20 %": _BASE,
    "no effect, attrition 20 %": replace(_BASE, hazard_ratio=1.0),
}


def world_of(setting: Setting, scenario: str) -> World:
    """The scenario's world, with what a design changes: an invitation never reaches all, and calendar time matters to a stepped wedge."""
    world = SCENARIOS[scenario]
    if setting.name == "encouragement":
        world = replace(world, take_up={"take-up 40 %": (0.1, 0.5), "contamination 20 %": (0.35, 0.85)}.get(scenario, (0.15, 0.75)))
    if setting.name == "stepped_wedge":
        world = replace(world, season=0.06)
    return world


@dataclass(frozen=True)
class Outcome:
    """What a design does in a scenario, over all replications."""

    setting: str
    scenario: str
    replications: int
    truth: float
    mean: float
    error: float
    """Mean of the errors that estimates give themselves."""
    spread: float
    """Standard deviation of the estimates: what the errors should be."""
    coverage: float
    """Share of 95 % intervals that hold the truth."""
    rejected: float
    """Share of replications with p < .05: power, or false positives where there is no effect."""

    @property
    def bias(self) -> float:
        """Mean estimate minus truth."""
        return self.mean - self.truth


def replicate(setting: Setting, scenario: str, replications: int, seed: int = 1) -> Outcome:
    """Run a design in a scenario and judge its primary estimator against the truth."""
    world = world_of(setting, scenario)
    rng = np.random.default_rng([seed, *setting.name.encode(), *scenario.encode()])
    parts = []
    for done in range(0, replications, AT_ONCE):
        treated = draw(setting, rng, min(AT_ONCE, replications - done))
        lived = live(world, rng, treated, setting.cluster, setting.period)
        weights = _attrition(lived, treated, rng) if "attrition" in scenario else None
        parts.append(estimate_of(setting, lived, treated, weights))
    return _judged(setting.name, scenario, estimators.joined(parts), true_effect(setting, world))


def _judged(setting: str, scenario: str, estimate: Estimate, truth: float) -> Outcome:
    low, high = estimate.interval()
    return Outcome(
        setting,
        scenario,
        len(estimate.effect),
        truth,
        float(estimate.effect.mean()),
        float(estimate.error.mean()),
        float(estimate.effect.std(ddof=1)),
        float(((low <= truth) & (truth <= high)).mean()),
        float((estimate.p_value() < ALPHA).mean()),
    )


def draw(setting: Setting, rng: np.random.Generator, replications: int) -> Floats:
    """Treated or not: replications x learners; shares are kept exactly, as blocks and ordered steps do."""
    if setting.name == "cluster":
        order = rng.random((replications, setting.clusters)).argsort(axis=1).argsort(axis=1)
        return np.asarray(order[:, setting.cluster] < setting.clusters * setting.share, dtype=np.float64)
    if setting.name == "stepped_wedge":
        steps = setting.periods - 1
        order = rng.random((replications, setting.clusters)).argsort(axis=1).argsort(axis=1) % steps + 1
        return np.asarray(setting.period >= order[:, setting.cluster], dtype=np.float64)
    learners = setting.clusters * setting.learners
    order = rng.random((replications, learners)).argsort(axis=1).argsort(axis=1)
    return np.asarray(order < learners * setting.share, dtype=np.float64)


def estimate_of(setting: Setting, lived: Lived, treated: Floats, weights: Floats | None = None) -> Estimate:
    """The primary estimator of the design, adjusted for the known risk."""
    z = lived.risk[..., None]
    if setting.name == "cluster":
        return estimators.clustered(lived.dropped, treated, setting.cluster, z, weights)
    if setting.name == "stepped_wedge":
        return estimators.stepped(lived.dropped, treated, setting.cluster, setting.period, z, weights)
    if setting.name == "encouragement":
        return estimators.encouraged(lived.dropped, lived.contacted, treated, z, weights)
    return estimators.individual(lived.dropped, treated, z, weights)


@cache
def true_effect(setting: Setting, world: World) -> float:
    """What the design estimates: of the assignment; of the contact on those an invitation brings; by step, as a wedge weighs them."""
    if setting.name == "stepped_wedge":
        treated = draw(setting, np.random.default_rng(0), 1)
        y = _expected_at(world, setting, treated)
        return float(estimators.stepped(y, treated, setting.cluster, setting.period).effect[0])
    mean = expected(world)
    gap = mean["dropped_1"] - mean["dropped_0"]
    return gap / (mean["contacted_1"] - mean["contacted_0"]) if setting.name == "encouragement" else gap


def _attrition(lived: Lived, treated: Floats, rng: np.random.Generator) -> Floats:
    """Those at risk answer less, those helped answer more; weights by arm and quarter of risk bring the missing back."""
    odds = 1.5 - 0.6 * lived.risk + 0.3 * treated
    seen = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    quarter = np.searchsorted(np.quantile(lived.risk, np.linspace(0, 1, 9)[1:-1]), lived.risk)
    return estimators.response_weights(seen, quarter * 2 + treated.astype(np.int64))


GROWING: Final = (0.25, 0.5, 0.75, 1.0)
"""Share of the effect that is there in each step after crossing over: support that is learnt takes time."""


def by_exposure(builds_up: tuple[float, ...], hazard_ratio: float, replications: int, seed: int = 5) -> list[Outcome]:
    """A stepped wedge whose effect may build up, judged exposure by exposure; and what one coefficient says of the mean.

    Returns:
        Each exposure, their mean, and the single coefficient held to the truth of that mean.
    """
    setting = next(one for one in SETTINGS if one.name == "stepped_wedge")
    world = replace(_BASE, hazard_ratio=hazard_ratio, season=0.06, builds_up=builds_up)
    rng = np.random.default_rng([seed, int(100 * hazard_ratio), len(builds_up)])
    cluster, period, parts = setting.cluster, setting.period, []
    for done in range(0, replications, AT_ONCE):
        exposure = since_crossing(setting, draw(setting, rng, min(AT_ONCE, replications - done)))
        lived = live(world, rng, exposure, cluster, period)
        z = lived.risk[..., None]
        each = estimators.stepped_by_exposure(lived.dropped, exposure, cluster, period, z)
        parts.append([*each, estimators.stepped(lived.dropped, (exposure > 0).astype(np.float64), cluster, period, z)])
    exposure = since_crossing(setting, draw(setting, np.random.default_rng(0), 1))
    chances = _expected_at(world, setting, exposure)
    truths = [float(one.effect[0]) for one in estimators.stepped_by_exposure(chances, exposure, cluster, period)]
    names = [*(f"step {number + 1} after crossing" for number in range(len(truths) - 1)), "mean of these", "one coefficient, as that mean"]
    return [
        _judged(setting.name, name, estimators.joined(list(estimates)), truth)
        for name, estimates, truth in zip(names, zip(*parts, strict=True), [*truths, truths[-1]], strict=True)
    ]


def since_crossing(setting: Setting, treated: Floats) -> Floats:
    """Steps since each learner's group crossed over, the step of crossing counted; 0 before: replications x learners."""
    by_group = treated.reshape(len(treated), setting.clusters, setting.periods, setting.learners)
    return np.asarray((by_group.cumsum(axis=2) * by_group).reshape(treated.shape))


def _expected_at(world: World, setting: Setting, exposure: Floats) -> Floats:
    """Chance of dropping out of each learner: 1 x learners."""
    lengths = range(int(exposure.max()) + 1)
    chance = np.array(
        [
            [expected(world.at(length), world.season * period)["dropped_1" if length else "dropped_0"] for length in lengths]
            for period in range(setting.periods)
        ]
    )
    return np.asarray(chance[setting.period, exposure[0].astype(np.int64)][None])


@dataclass(frozen=True)
class Announced:
    """Power that plans announce, each from a past of its own, beside the power found over replications."""

    powers: list[float]
    found: float

    @property
    def mean(self) -> float:
        """Over the pasts."""
        return float(np.mean(self.powers))


def power_as_planned(setting: Setting, scenario: str, replications: int, pasts: int = 8, seed: int = 2) -> Announced:
    """Plan in several territories of the same kind, each with a past of 150 groups of 60 people, then experiment.

    The past is as uncertain as a real one: its correlation within groups, above all, is told by 150 groups only.
    """
    world = world_of(setting, scenario)
    mean = expected(world)
    # What the design estimates; an invitation is planned by what it does to all who are invited.
    effect = mean["dropped_1"] - mean["dropped_0"] if setting.name == "encouragement" else true_effect(setting, world)
    past = Setting("past", 150, 60)
    powers = []
    for number in range(pasts):
        rng = np.random.default_rng([seed, number, *setting.name.encode()])
        # Nobody held out or invited beyond the usual.
        usual = live(replace(world, take_up=(world.take_up[0], world.take_up[0])), rng, np.zeros((1, 9_000)), past.cluster)
        situation = Situation.from_history(
            usual.dropped[0],
            past.cluster,
            usual.risk[0],
            sizes=np.full(setting.clusters, setting.learners * setting.periods),
            take_up=(mean["contacted_0"], mean["contacted_1"]) if setting.name == "encouragement" else None,
            attrition=0.2 if "attrition" in scenario else 0.0,
        )
        planned = planned_power(
            setting.name, situation, effect, treated_share=setting.share, steps=setting.periods - 1, replications=500, seed=seed + number
        )
        powers.append(planned.power)
    return Announced(powers, replicate(setting, scenario, replications, seed).rejected)


def bounds_hold(replications: int, seed: int = 3) -> dict[str, float]:
    """Outcomes missing because of the outcome itself: how far off the observed cases are, and how often bounds hold the truth."""
    setting, world = SETTINGS[0], _BASE
    rng = np.random.default_rng(seed)
    treated = draw(setting, rng, replications)
    lived = live(world, rng, treated, setting.cluster)
    lost = np.where(lived.dropped > 0, np.where(treated > 0, 0.1, 0.45), 0.03)
    seen = rng.random(lost.shape) >= lost
    naive = estimators.individual(lived.dropped, treated, None, seen.astype(np.float64))
    truth = true_effect(setting, world)
    low, high = manski(lived.dropped, treated > 0, seen)
    inside, (lower, upper) = (low <= truth) & (truth <= high), naive.interval()
    return {
        "truth": truth,
        "observed cases": float(naive.effect.mean()),
        "coverage of observed cases": float(((lower <= truth) & (truth <= upper)).mean()),
        "bounds hold the truth": float(inside.mean()),
        "width of bounds": float((high - low).mean()),
    }


def naive(hazard_ratio: float, when: tuple[float, ...], replications: int, seed: int = 4) -> dict[str, tuple[float, float]]:
    """What comparisons without a draw say on the very data of an experiment: mean estimate, and share of replications with p < .05.

    Those sensed to be at risk are reached more. The year before, the season was milder and nobody was called.

    Args:
        hazard_ratio: true effect of a contact on the weekly hazard.
        when: share of contacts planned in each week; spread out, only those who stay long enough can be reached.
        replications: how many.
        seed: of every random number.
    """
    setting = SETTINGS[0]
    world = replace(_BASE, hazard_ratio=hazard_ratio, take_up=(0.1, 0.6), when=when)
    rng = np.random.default_rng([seed, int(100 * hazard_ratio)])
    treated = draw(setting, rng, replications)
    lived = live(world, rng, treated, setting.cluster)
    ago = live(replace(world, take_up=(0.0, 0.0), season=-0.25), rng, np.zeros_like(treated), setting.cluster, np.ones_like(setting.period))
    z = lived.risk[..., None]
    both = np.concatenate([lived.dropped, ago.dropped], axis=1)
    now = np.concatenate([np.ones_like(treated), np.zeros_like(treated)], axis=1)
    first = (lived.contacted > 0) & (treated > 0)
    found = {
        "as drawn (intention to treat)": estimators.individual(lived.dropped, treated, z),
        "before and after": estimators.individual(both, now),
        "contacted or not": estimators.individual(lived.dropped, lived.contacted),
        "contacted or not, same known risk": estimators.individual(lived.dropped, lived.contacted, z),
        "contacted or not, among those on lists": estimators.individual(
            lived.dropped, first.astype(np.float64), None, (treated > 0).astype(np.float64)
        ),
    }
    truth = true_effect(setting, world)
    return {"truth": (truth, float("nan"))} | {
        name: (float(one.effect.mean()), float((one.p_value() < ALPHA).mean())) for name, one in found.items()
    }
