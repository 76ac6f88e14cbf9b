"""Value added: what became of a unit's entrants, less what becomes of comparable people elsewhere.

A two-level logit with a random term for each unit (modelling notes, section 4; domain facts, 3.1). What is expected of a unit's entrants
comes from a model that never saw the unit, with the random term at zero. The unit's own term is then found by integrating over it, over
the spread between units and over the error of the expectation, so that intervals hold sampling error: the flaw Nunez-Regueiro and Bressoux
(2022) found in the published indicators of French schools. All entrants count, leavers as well; means given to the unit are not
controlled for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from scipy.special import expit

from impact.design import design
from vigie.disclosure import FEWEST_FOR_JUDGEMENT, FEWEST_FOR_RATE
from vigie.errors import NoDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vigie.arrays import Floats, Ints

FEWEST_UNITS: Final = 4
"""With fewer there is no elsewhere to compare with."""
SPREADS: Final = np.linspace(0.02, 1.5, 25)
"""Standard deviations between units that are weighed, log-odds; a flat prior over them."""
_GRID: Final = np.linspace(-5, 5, 201)
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
_RIDGE: Final = 1.0
"""Precision of a normal prior on each coefficient but the level: hardly felt among thousands, and it keeps few people with many
characteristics from saying anything."""
_STEPS: Final = 60
_STOP: Final = 1e-6

BELOW, ABOVE, SAME, FEW = "below", "above", "not_distinguishable", "too_few"


@dataclass(frozen=True)
class _Fit:
    """Coefficients with their covariance, and the spread between units."""

    beta: Floats
    covariance: Floats
    spread: float


def value_added(people: pl.DataFrame, outcome: str, characteristics: Sequence[str]) -> pl.DataFrame:
    """Observed, expected and value added of each unit.

    Args:
        people: one row for each entrant: unit, `outcome` (bool; null where nobody knows), and the characteristics: bool, text or number,
            nulls allowed (a null is a category of its own).
        outcome: name of the outcome.
        characteristics: what the unit did not choose, known at entry.

    Returns:
        One row a unit, by name, never by rank: unit, entrants, known, missing (share of outcomes nobody knows), observed, expected,
        raw (observed less expected), value_added (shrunken), low, high (95 %), worst, best (lower bound had every outcome that nobody
        knows failed, upper bound had every one succeeded: they suppose nothing of who answers), verdict (`above`, `below`,
        `not_distinguishable`, `too_few`). Rates are shares; null below `FEWEST_FOR_RATE` known outcomes.

    Raises:
        NoDataError: fewer units than can be compared, or an outcome that never varies.
    """
    known = people.filter(pl.col(outcome).is_not_null())
    counted = people.group_by("unit").agg(entrants=pl.len(), known=pl.col(outcome).count())
    if known["unit"].n_unique() < FEWEST_UNITS or known[outcome].n_unique() < 2:  # noqa: PLR2004 - yes and no
        raise NoDataError(
            f"Value added on {outcome} needs {FEWEST_UNITS} units and an outcome that varies.",
            "Choose larger units or a longer period, or wait for outcomes.",
        )
    # Grouped: people alike in one unit are one row with a weight, which is most of the speed.
    alike = (
        people.filter(pl.col("unit").is_in(known["unit"].unique().implode()))
        .group_by("unit", *characteristics, maintain_order=True)
        .agg(n=pl.col(outcome).count(), yes=pl.col(outcome).sum(), unknown=pl.col(outcome).null_count())
        .sort("unit", maintain_order=True)
    )
    columns = design(alike, characteristics)
    names, unit = np.unique(alike["unit"].to_numpy(), return_inverse=True)
    n, yes, unknown = (alike[name].to_numpy().astype(np.float64) for name in ("n", "yes", "unknown"))
    elsewhere = _Expected(*_expected_elsewhere(columns, unit, n, yes, len(names)), unit, len(names))
    figures = _posterior(elsewhere, n, yes)
    # Shrunken by how different units then look: what the known outcomes say of that would suppose something after all.
    figures["worst"] = _posterior(elsewhere, n + unknown, yes)["low"]
    figures["best"] = _posterior(elsewhere, n + unknown, yes + unknown)["high"]
    found = pl.DataFrame({"unit": names, **figures})
    table = counted.join(found, on="unit", how="left").with_columns(missing=1 - pl.col("known") / pl.col("entrants"))
    rates = ("observed", "expected", "raw", "value_added", "low", "high", "worst", "best")
    enough = pl.col("known") >= FEWEST_FOR_RATE
    apart = (pl.col("known") >= FEWEST_FOR_JUDGEMENT) & ((pl.col("low") > 0) | (pl.col("high") < 0))
    verdict = pl.when(~enough).then(pl.lit(FEW)).when(~apart).then(pl.lit(SAME)).when(pl.col("low") > 0).then(pl.lit(ABOVE))
    table = table.with_columns(verdict=verdict.otherwise(pl.lit(BELOW))).with_columns(pl.when(enough).then(rate) for rate in rates)
    return table.select("unit", "entrants", "known", "missing", *rates, "verdict").sort("unit")


@dataclass(frozen=True)
class _Expected:
    """What is expected of each row of people alike, and how sure that is."""

    margin: Floats
    error: Floats
    """Variance of the margin: units x `SPREADS`."""
    unit: Ints
    units: int


def _expected_elsewhere(columns: Floats, unit: Ints, n: Floats, yes: Floats, units: int) -> tuple[Floats, Floats]:
    """Margin of each row under the model that leaves its unit out, and the variance of that margin: units x `SPREADS`.

    The level of the other units is known no better than they differ from each other, which weighs most where they are few: that part of
    the variance goes with the spread.
    """
    whole = _fit(columns, unit, n, yes, units)
    margin, variance = np.empty(len(n)), np.empty(units)
    for one in range(units):
        inside = unit == one
        fit = _fit(columns[~inside], unit[~inside], n[~inside], yes[~inside], units, start=whole)
        margin[inside] = columns[inside] @ fit.beta
        pull = n[inside] * _slope(margin[inside])
        leaning = pull @ columns[inside] / pull.sum()
        variance[one] = leaning @ fit.covariance @ leaning
    # At the smallest spread nothing is left of it: never below what the people themselves leave uncertain.
    least = variance - whole.spread**2 / (units - 1)
    return margin, np.maximum(least, variance / units)[:, None] + SPREADS**2 / (units - 1)


def _fit(columns: Floats, unit: Ints, n: Floats, yes: Floats, units: int, start: _Fit | None = None) -> _Fit:
    """Fixed part of the two-level logit by penalised quasi-likelihood (Breslow and Clayton, 1993).

    With `start`, the spread between units is taken as found there: leaving one unit out hardly moves it, and it is integrated over later.
    """
    beta = np.zeros(columns.shape[1]) if start is None else start.beta.copy()
    spread = 0.3 if start is None else start.spread
    term = np.zeros(units)
    ridge = np.full(len(beta), _RIDGE)
    ridge[0] = 1e-6
    for _ in range(_STEPS):
        chance = expit(columns @ beta + term[unit])
        weight = np.maximum(n * chance * (1 - chance), 1e-9)
        pull = yes - n * chance
        # Newton on (beta, terms), the terms eliminated: their block is diagonal.
        inner = np.bincount(unit, weight, units) + spread**-2
        cross = np.column_stack([np.bincount(unit, weight * column, units) for column in columns.T])
        own = np.bincount(unit, pull, units) - term / spread**2
        hessian = columns.T @ (weight[:, None] * columns) + np.diag(ridge) - cross.T @ (cross / inner[:, None])
        covariance = np.linalg.inv(hessian)
        step = covariance @ (columns.T @ pull - ridge * beta - cross.T @ (own / inner))
        beta = beta + np.clip(step, -2, 2)
        term = term + np.clip((own - cross @ step) / inner, -2, 2)
        if start is None:
            # The terms' second moment, their own error included (EM).
            spread = float(np.clip(np.sqrt(np.mean(term**2 + 1 / inner)), SPREADS[0], SPREADS[-1]))
        if np.abs(step).max() < (_STOP if start is None else 1e-3):
            break
    return _Fit(beta, covariance, spread)


def _slope(margin: Floats) -> Floats:
    chance = expit(margin)
    return np.asarray(chance * (1 - chance))


def _posterior(elsewhere: _Expected, n: Floats, yes: Floats) -> dict[str, Floats]:
    """Integrate over each unit's term, the spread between units, and the error of the expectation.

    With s the shift of a unit's margin from its expectation, s = u + d: u is the unit's own term, d the error of the expectation. Data tell
    of s alone; given s, d is normal.
    """
    margin, error, unit, units = elsewhere.margin, elsewhere.error, elsewhere.unit, elsewhere.units
    size = np.bincount(unit, n, units)
    chance = expit(margin[:, None] + _GRID)
    reached = np.stack([np.bincount(unit, n * column, units) for column in chance.T], axis=1) / size[:, None]
    told = yes[:, None] * np.log(chance) + (n - yes)[:, None] * np.log1p(-chance)
    told = np.stack([np.bincount(unit, column, units) for column in told.T], axis=1)
    observed, expected = np.bincount(unit, yes, units) / size, reached[:, len(_GRID) // 2]

    # units x spreads x grid: how likely each shift is.
    variance = (SPREADS**2 + error)[:, :, None]
    prior = np.exp(-0.5 * _GRID**2 / variance) / np.sqrt(variance)
    likelihood = np.exp(told - told.max(axis=1, keepdims=True))[:, None, :] * prior
    evidence = np.maximum(likelihood.sum(axis=2), np.finfo(np.float64).tiny)
    together = np.log(evidence).sum(axis=0)
    spread_weight = np.exp(together - together.max())
    weight = likelihood / evidence[:, :, None] * (spread_weight / spread_weight.sum())[None, :, None]
    share = error / (SPREADS**2 + error)
    found = np.array([_gained(reached[one], weight[one], share[one]) for one in range(units)]).T
    rates = {"observed": observed, "expected": expected, "raw": observed - expected}
    return rates | dict(zip(("value_added", "low", "high"), found, strict=True))


def _gained(reached: Floats, weight: Floats, share: Floats) -> tuple[float, float, float]:
    """Mean and 95 % interval of one unit's value added: over its shift, the spread between units, and d given the shift."""
    off = share[:, None, None] * _GRID[:, None] + (np.sqrt(share) * SPREADS)[:, None, None] * _NODES
    gained = (reached[:, None] - np.interp(off, _GRID, reached)).ravel()
    mass = (weight[..., None] * (_WEIGHTS / _WEIGHTS.sum())).ravel()
    order = np.argsort(gained)
    low, high = np.interp((0.025, 0.975), mass[order].cumsum(), gained[order])
    # No product of vectors: of this many numbers the algebra library makes several threads, which wait for each other ten times as long.
    return float((gained * mass).sum()), float(low), float(high)
