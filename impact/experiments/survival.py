"""Dropout in time beside the exits that compete with it: Aalen-Johansen on days, for the sample and for its bootstraps at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vigie.arrays import Floats, Ints


def cumulative_incidence(day: Ints, cause: Ints, horizon: int, weights: Floats) -> Floats:
    """Share who have left for cause 1 by each day, others still able to leave for cause 2 (Aalen and Johansen 1978).

    Args:
        day: of the exit or of the end of follow-up, 1 to horizon.
        cause: 1 dropout, 2 any other exit, 0 still there at the end of follow-up.
        horizon: last day.
        weights: replications x learners: how often each counts.

    Returns:
        replications x (horizon + 1) days, day 0 first.
    """
    tables = [np.zeros((len(day), horizon + 1)) for _ in range(3)]
    for code, table in enumerate(tables):
        table[np.flatnonzero(cause == code), day[cause == code]] = 1.0
    still, dropped, other = (weights @ table for table in tables)
    leaving = still + dropped + other
    at_risk = leaving.sum(axis=1, keepdims=True) - np.cumsum(leaving, axis=1) + leaving
    with np.errstate(invalid="ignore", divide="ignore"):
        hazard = np.where(at_risk > 0, dropped / at_risk, 0.0)
        staying = np.where(at_risk > 0, 1 - (dropped + other) / at_risk, 1.0)
    before = np.cumprod(np.concatenate([np.ones((len(weights), 1)), staying[:, :-1]], axis=1), axis=1)
    return np.asarray(np.cumsum(before * hazard, axis=1))


def bootstrap_weights(cluster: Ints, replications: int, seed: int) -> Floats:
    """How often each learner counts when groups are drawn again with replacement: replications x learners."""
    rng = np.random.default_rng(seed)
    _, place = np.unique(cluster, return_inverse=True)
    groups = int(place.max()) + 1
    return np.asarray(rng.multinomial(groups, np.full(groups, 1 / groups), replications)[:, place], dtype=np.float64)
