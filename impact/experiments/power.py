"""What a plan can detect: the experiment is played many times in a territory like the one the past shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from impact.experiments import estimators

if TYPE_CHECKING:
    from impact.experiments.estimators import Estimate
    from vigie.arrays import Floats, Ints

    Whole = Ints

_HIGHEST: Final = 0.95


@dataclass(frozen=True)
class Situation:
    """What the past tells of a territory, and how large the experiment would be."""

    base: float
    """Mean of the outcome without the treatment."""
    icc: float
    """Share of its variance that lies between groups."""
    r2: float
    """Share that the risk known beforehand explains: what adjustment gains."""
    sizes: Whole
    """Learners in each group of the experiment, all periods together."""
    take_up: tuple[float, float] | None = None
    attrition: float = 0.0
    values: Floats | None = None
    """Past outcomes in order, where they are shares and not yes or no: what a share varies is not what a yes or no of its mean does."""

    @property
    def learners(self) -> int:
        """In the whole experiment."""
        return int(self.sizes.sum())

    @classmethod
    def from_history(
        cls,
        y: Floats,
        cluster: Whole,
        risk: Floats,
        *,
        sizes: Whole,
        take_up: tuple[float, float] | None = None,
        attrition: float = 0.0,
    ) -> Situation:
        """Estimate it from outcomes of people who could have entered in the past.

        Args:
            y: outcome, 0 to 1.
            cluster: group of each.
            risk: log-odds known beforehand; NaN where there is none.
            sizes: of the groups of the experiment.
            take_up: expected, without and with an invitation.
            attrition: expected share of missing outcomes.
        """
        known = np.isfinite(risk)
        varied = known.sum() > 2 and np.std(risk[known]) > 0 and np.std(y[known]) > 0  # noqa: PLR2004 - a line needs three points
        r2 = float(np.corrcoef(y[known], risk[known])[0, 1] ** 2) if varied else 0.0
        values = None if np.isin(y, (0.0, 1.0)).all() else np.sort(y)
        return cls(float(y.mean()), icc(y, cluster), r2, sizes, take_up, attrition, values)

    def of_size(self, factor: float) -> Situation:
        """The same territory with so many times the groups."""
        number = max(4, round(len(self.sizes) * factor))
        return replace(self, sizes=np.resize(self.sizes, number))


def icc(y: Floats, cluster: Whole) -> float:
    """Intra-class correlation by analysis of variance (Donner 1986), not below 0."""
    _, place, size = np.unique(cluster, return_inverse=True, return_counts=True)
    groups, n = len(size), len(y)
    if groups < 2 or n <= groups:  # noqa: PLR2004 - two groups to differ
        return 0.0
    mean = np.bincount(place, weights=y) / size
    between = (size * (mean - y.mean()) ** 2).sum() / (groups - 1)
    within = ((y - mean[place]) ** 2).sum() / (n - groups)
    usual = (n - (size**2).sum() / n) / (groups - 1)
    return float(max(0.0, (between - within) / (between + (usual - 1) * within))) if between + within > 0 else 0.0


@dataclass(frozen=True)
class Power:
    """How often the plan would find its effect."""

    effect: float
    learners: int
    power: float
    error: float
    """Mean standard error of the estimate."""


def planned_power(  # noqa: PLR0913 - what a plan is made of
    design: str,
    situation: Situation,
    effect: float,
    *,
    treated_share: float = 0.5,
    steps: int = 0,
    replications: int = 500,
    alpha: float = 0.05,
    seed: int = 1,
    scale: float | None = None,
) -> Power:
    """Play the experiment `replications` times with the estimator that will analyse it.

    Args:
        design: of `plan.Design`.
        situation: of the territory.
        effect: of the assignment: treated minus control.
        treated_share: share of treated units.
        steps: of a stepped wedge.
        replications: how many.
        alpha: two-sided.
        seed: same seed, same answer.
        scale: the effect that the plan hopes for, where it is judged at any look (a permanent hold-out).
    """
    rng = np.random.default_rng(seed)
    groups = len(situation.sizes)
    cluster = np.repeat(np.arange(groups), situation.sizes)
    period = np.zeros(len(cluster), np.int64)
    if design == "stepped_wedge":
        # People of a group come spread over its periods.
        place = np.arange(len(cluster)) - np.repeat(np.cumsum(situation.sizes) - situation.sizes, situation.sizes)
        period = place * (steps + 1) // np.repeat(situation.sizes, situation.sizes)
    treated = _draw(design, rng, replications, cluster, period, treated_share, steps)
    y, taken, z = _outcomes(rng, situation, effect, treated, cluster)
    seen = rng.random(y.shape) >= situation.attrition if situation.attrition else None
    weights = None if seen is None else seen.astype(np.float64)
    estimate = _estimate(design, y, taken, treated, cluster, period, z, weights)
    p = estimate.p_value() if scale is None else estimate.at_any_look(scale, alpha)[2]
    return Power(effect, len(cluster), float((p < alpha).mean()), float(estimate.error.mean()))


def _draw(design: str, rng: np.random.Generator, replications: int, cluster: Whole, period: Whole, share: float, steps: int) -> Floats:
    by_group = design in {"cluster", "stepped_wedge"}
    number = int(cluster.max()) + 1 if by_group else len(cluster)
    place = rng.random((replications, number)).argsort(axis=1).argsort(axis=1)
    if design == "stepped_wedge":
        return np.asarray(period >= (place % steps + 1)[:, cluster], dtype=np.float64)
    chosen = place < round(number * share)
    return np.asarray(chosen[:, cluster] if by_group else chosen, dtype=np.float64)


def _outcomes(rng: np.random.Generator, s: Situation, effect: float, treated: Floats, cluster: Whole) -> tuple[Floats, Floats, Floats]:
    groups = _groups(rng, s, len(treated))
    z = rng.normal(size=treated.shape)
    taken = treated
    moved = treated * effect
    if s.take_up:
        without, with_it = s.take_up
        kind = rng.random(treated.shape)
        brought = (kind >= without) & (kind < with_it)
        taken = ((kind < without) | (brought & (treated > 0))).astype(np.float64)
        moved = taken * brought * effect / (with_it - without)
    alike = groups[:, cluster]
    found = _yes_or_no(rng, s, moved, z, alike) if s.values is None else _shares(rng, s, s.values, moved, z, alike)
    return found, taken, z[..., None]


def _groups(rng: np.random.Generator, s: Situation, replications: int) -> Floats:
    """The chance of each group; of shares, how far it stands from the others, in standard deviations."""
    shape, base = (replications, len(s.sizes)), _base(s)
    if s.values is not None:
        return rng.normal(size=shape)
    if s.icc > 0:
        scale = (1 - s.icc) / s.icc
        return rng.beta(base * scale, (1 - base) * scale, shape)
    return np.full(shape, base)


def _base(s: Situation) -> float:
    return min(max(s.base, 1e-4), 1 - 1e-4)


def _yes_or_no(rng: np.random.Generator, s: Situation, moved: Floats, z: Floats, alike: Floats) -> Floats:
    base = _base(s)
    pull = np.sqrt(s.r2 * (1 - base) / base)
    chance = alike * np.exp(pull * z - pull**2 / 2)
    # In proportion to each one's own chance, so that no chance falls below zero.
    chance = np.clip(chance * (1 + moved / base), 0, _HIGHEST)
    return np.asarray(rng.random(z.shape) < chance, dtype=np.float64)


def _shares(rng: np.random.Generator, s: Situation, values: Floats, moved: Floats, z: Floats, alike: Floats) -> Floats:
    """Past values drawn again, alike within groups and by risk as they were."""
    from scipy.special import ndtr

    shared = min(s.icc + s.r2, 1.0)
    rank = ndtr(np.sqrt(s.icc) * alike + np.sqrt(shared - s.icc) * z + np.sqrt(1 - shared) * rng.normal(size=z.shape))
    y = values[np.minimum((rank * len(values)).astype(np.int64), len(values) - 1)]
    # In proportion to what is left up to one, or down to zero: no share leaves them.
    room = np.where(moved > 0, (1 - y) / (1 - _base(s)), y / _base(s))
    return np.asarray(np.clip(y + moved * room, 0, 1), dtype=np.float64)


def _estimate(
    design: str, y: Floats, taken: Floats, treated: Floats, cluster: Whole, period: Whole, z: Floats, weights: Floats | None
) -> Estimate:
    if design == "cluster":
        return estimators.clustered(y, treated, cluster, z, weights)
    if design == "stepped_wedge":
        return estimators.stepped(y, treated, cluster, period, z, weights)
    if design == "encouragement":
        return estimators.encouraged(y, taken, treated, z, weights)
    return estimators.individual(y, treated, z, weights)


def detectable(curve: list[Power], target: float) -> float | None:
    """Smallest effect of the curve found with at least `target` power, in between two points by a straight line; None: none."""
    ordered = sorted(curve, key=lambda one: abs(one.effect))
    for low, high in pairwise(ordered):
        if low.power < target <= high.power:
            part = (target - low.power) / (high.power - low.power)
            return low.effect + part * (high.effect - low.effect)
    return ordered[0].effect if ordered and ordered[0].power >= target else None
