"""How surprising the estimate is if the arms did nothing: the draw is made again, by the plan's own rule, with other seeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from impact.experiments.estimators import Estimate
    from vigie.arrays import Floats, Ints


def redrawn(units: pl.DataFrame, labels: Ints, times: int, seed: int) -> Ints:
    """Labels of units shuffled within strata: as likely as the draw that was made, whatever the shares.

    Args:
        units: stratum, one row a unit.
        labels: arm or step of each unit.
        times: how many draws.
        seed: of the shuffling, which is no part of the allocation.

    Returns:
        times x units.
    """
    rng = np.random.default_rng(seed)
    _, stratum = np.unique(units["stratum"].to_numpy(), return_inverse=True)
    home = np.argsort(stratum, kind="stable")
    made = np.empty((times, len(labels)), np.int64)
    # Sorting by stratum, then by chance, gives each stratum its own labels in a new order.
    shuffled = np.lexsort((rng.random(made.shape), np.broadcast_to(stratum, made.shape)), axis=1)
    made[:, home] = labels[shuffled]
    return made


def randomisation_p(estimate: Callable[[Floats], Estimate], actual: Floats, redrawn_treated: Floats) -> float:
    """Share of draws, the one made included, with a t as large as the one found.

    Args:
        estimate: from treated (replications x learners) to estimates.
        actual: treated, 1 x learners.
        redrawn_treated: draws x learners.
    """

    def t(one: Estimate) -> Floats:
        return np.abs(np.divide(one.effect, one.error, out=np.zeros_like(one.effect), where=one.error > 0))

    found, others = t(estimate(actual))[0], t(estimate(redrawn_treated))
    return float((1 + (others >= found - 1e-12).sum()) / (1 + len(others)))
