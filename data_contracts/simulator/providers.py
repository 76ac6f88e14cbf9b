"""Made-up providers of known quality with unequal publics: what value added is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EFFECTS: Final = {"young": -0.5, "low_level": -0.7, "long_unemployed": -0.6, "own_initiative": 0.4}
"""Log-odds of success that the person brings (ours; signs as in Dares Focus, November 2021)."""
SHARES: Final = (0.30, 0.45, 0.40, 0.62)
BASE: Final = 0.9


@dataclass(frozen=True)
class UnequalProviders:
    """People with their outcome, and what no delivery tells of their providers."""

    people: pl.DataFrame
    """unit, the columns of `EFFECTS` (bool), success (bool, null where nobody knows)."""
    truth: pl.DataFrame
    """unit, size, quality (log-odds), value_added (share of its own people, above what they would have at a middling provider)."""


def unequal_providers(
    rng: np.random.Generator,
    sizes: Sequence[int],
    *,
    spread: float = 0.4,
    selection: float = 0.8,
    sorting: float = 0.0,
    missing: float = 0.0,
) -> UnequalProviders:
    """Draw one cohort.

    Args:
        rng: source of randomness.
        sizes: entrants of each provider.
        spread: standard deviation of quality between providers, log-odds.
        selection: standard deviation between providers of how easy their public is, log-odds of each characteristic.
        sorting: correlation of quality with an easy public: 0 is none, 1 whole.
        missing: share of outcomes that are not known, more of them among those who did not succeed.
    """
    units = len(sizes)
    quality = rng.normal(0, spread, units)
    ease = selection * (sorting * quality / max(spread, 1e-9) + np.sqrt(1 - sorting**2) * rng.normal(size=units))
    at = np.repeat(np.arange(units), sizes)
    share = np.log(np.array(SHARES) / (1 - np.array(SHARES)))
    weights = np.array(list(EFFECTS.values()))
    traits = rng.random((len(at), len(weights))) < _logistic(share + np.sign(weights) * ease[at, None])
    margin = BASE + traits @ weights
    usual, here = _logistic(margin), _logistic(margin + quality[at])
    success = rng.random(len(at)) < here
    unknown = rng.random(len(at)) < missing * np.where(success, 0.8, 1.2)
    names = np.array([f"unit-{unit:04d}" for unit in range(units)])
    people = pl.DataFrame({"unit": names[at], **{name: traits[:, place] for place, name in enumerate(EFFECTS)}, "success": success})
    people = people.with_columns(success=pl.when(pl.Series(~unknown)).then("success"))
    truth = (
        pl.DataFrame({"unit": names[at], "value_added": here - usual})
        .group_by("unit", maintain_order=True)
        .agg(pl.col("value_added").mean(), size=pl.len())
    )
    return UnequalProviders(people, truth.with_columns(quality=pl.Series(quality)))


def _logistic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)), dtype=np.float64)
