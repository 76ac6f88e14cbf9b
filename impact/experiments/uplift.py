"""Whom a contact helps most: an estimate of the effect for each person, and whether it ranks better than the risk on people it never saw.

Priority is risk x what an hour can do, the effect taken as the same for all. That may change only on held-out evidence: enough randomised
alerts, and a Qini curve above the risk's by more than its uncertainty; then somebody decides (`impact.experiments.priority`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from impact.experiments.words import count

if TYPE_CHECKING:
    from vigie.arrays import Floats

ENOUGH: Final = 2_000
"""Randomised alerts below which no effect by person is told (modelling notes, section 4)."""
FOLDS: Final = 5
BOOTSTRAPS: Final = 500


@dataclass(frozen=True)
class Effect:
    """Dropouts avoided by treating a person, linear in covariates: plain numbers, kept as JSON."""

    mean: tuple[float, ...]
    spread: tuple[float, ...]
    coefficients: tuple[float, ...]
    """Level, then one for each covariate in standard deviations."""

    def of(self, x: Floats) -> Floats:
        """Of people x covariates, in the order of `impact.experiments.outcomes.effect_covariates`."""
        scaled = (x - np.array(self.mean)) / np.array(self.spread)
        return np.asarray(self.coefficients[0] + scaled @ np.array(self.coefficients[1:]), dtype=np.float64)


@dataclass(frozen=True)
class Uplift:
    """What the evidence says of ranking by effect instead of by risk."""

    alerts: int
    use: bool
    why: str
    """In French, for the report."""
    qini: tuple[float, float, float] | None = None
    """Ranking by effect: area, lower and upper bound; dropouts avoided per person, over all shares that could be called."""
    qini_of_risk: tuple[float, float, float] | None = None
    gain: tuple[float, float, float] | None = None
    """By effect minus by risk."""
    effect: Effect | None = None
    """Fitted on everybody, where it may be used."""


def judge(y: Floats, treated: Floats, risk: Floats, x: Floats, seed: int = 1) -> Uplift:
    """Compare both rankings on folds that the effect's model never saw.

    Args:
        y: 1 where the person dropped out.
        treated: 1 where the list named them, as drawn.
        risk: log-odds on the day of the draw.
        x: people x covariates that may change the effect.
        seed: of folds and bootstraps.
    """
    n = len(y)
    if n < ENOUGH:
        why = (
            f"{count(n)} alertes tirées au sort : il en faut {count(ENOUGH)} pour estimer un effet par personne. "
            "La priorité reste fondée sur le risque."
        )
        return Uplift(n, use=False, why=why)
    effect = crossfitted(y, treated, x, seed)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), BOOTSTRAPS)
    every = np.concatenate([np.ones((1, n)), weights])
    by_effect, by_risk = (qini(y, treated, score, every) for score in (effect, risk))
    gain = _with_interval(by_effect - by_risk)
    use = gain[1] > 0
    why = (
        "Classer selon l'effet estimé évite plus d'abandons que classer selon le risque, sur des personnes que le modèle n'a pas vues."
        if use
        else "Classer selon l'effet estimé ne fait pas mieux que classer selon le risque : la priorité reste fondée sur le risque."
    )
    return Uplift(n, use, why, _with_interval(by_effect), _with_interval(by_risk), gain, fitted(y, treated, x) if use else None)


def _with_interval(values: Floats) -> tuple[float, float, float]:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return float(values[0]), float(low), float(high)


def crossfitted(y: Floats, treated: Floats, x: Floats, seed: int) -> Floats:
    """Dropouts avoided by treating each person, as `fitted` on the other folds says."""
    fold = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    effect = np.empty(len(y))
    for number in range(FOLDS):
        train, test = fold != number, fold == number
        effect[test] = fitted(y[train], treated[train], x[train]).of(x[test])
    return effect


def fitted(y: Floats, treated: Floats, x: Floats) -> Effect:
    """Least squares with every covariate crossed with the arm."""
    spread = x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    base = np.column_stack([np.ones(len(y)), (x - x.mean(axis=0)) / spread])
    beta = np.linalg.lstsq(np.column_stack([base, base * treated[:, None]]), y, rcond=None)[0]
    numbers = x.mean(axis=0), spread, -beta[base.shape[1] :]
    return Effect(*(tuple(float(value) for value in part) for part in numbers))


def qini(y: Floats, treated: Floats, score: Floats, weights: Floats) -> Floats:
    """Area between the curve of dropouts avoided when those with the highest score are called first and the line of calling at random.

    Radcliffe (2007), by shares of people: at each share the difference of dropout between arms, times the people called.

    Args:
        y: 1 where the person dropped out.
        treated: as drawn.
        score: highest first.
        weights: replications x people.

    Returns:
        One area for each replication, in dropouts avoided per person.
    """
    order = np.argsort(-score, kind="stable")
    w, t, out = weights[:, order], treated[order], y[order]
    people, in_arm, in_other = (np.cumsum(part, axis=1) for part in (w, w * t, w * (1 - t)))
    dropped_arm, dropped_other = np.cumsum(w * t * out, axis=1), np.cumsum(w * (1 - t) * out, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        avoided = np.where((in_arm > 0) & (in_other > 0), dropped_other / in_other - dropped_arm / in_arm, 0.0) * people
    total = people[:, -1:]
    share, curve = people / total, avoided / total
    return np.asarray(((curve - share * curve[:, -1:]) * np.diff(share, axis=1, prepend=0.0)).sum(axis=1))
