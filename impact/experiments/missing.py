"""What is left to say when outcomes are missing: bounds that hold whatever the missing ones would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from vigie.arrays import Flags, Floats


def manski(y: Floats, treated: Flags, seen: Flags, low: float = 0.0, high: float = 1.0) -> tuple[Floats, Floats]:
    """Smallest and largest effect, the missing set to one end in one arm and to the other in the other (Manski 1990).

    Args:
        y: replications x learners; ignored where unseen.
        treated: same shape.
        seen: same shape: the outcome is known.
        low: least possible outcome.
        high: largest possible outcome.
    """

    def mean(arm: Flags, filled: float) -> Floats:
        return np.asarray(np.where(arm, np.where(seen, y, filled), 0.0).sum(axis=1) / arm.sum(axis=1))

    return mean(treated, low) - mean(~treated, high), mean(treated, high) - mean(~treated, low)


def lee(y: Floats, treated: Flags, seen: Flags) -> tuple[Floats, Floats]:
    """Bounds for those seen in either arm, if the arm moves everybody's response the same way (Lee 2009).

    The arm with more answers loses its highest, then its lowest outcomes, until the shares are equal. Shapes as in `manski`.
    """
    lowest, highest = np.empty(len(y)), np.empty(len(y))
    for row in range(len(y)):
        shares = [seen[row][treated[row] == side].mean() for side in (False, True)]
        control, chosen = (np.sort(y[row][(treated[row] == side) & seen[row]]) for side in (False, True))
        cut = abs(shares[1] - shares[0]) / max(shares) if max(shares) else 0.0
        if shares[1] >= shares[0]:
            ends = _trimmed(chosen, cut)
            lowest[row], highest[row] = ends[0] - control.mean(), ends[1] - control.mean()
        else:
            ends = _trimmed(control, cut)
            lowest[row], highest[row] = chosen.mean() - ends[1], chosen.mean() - ends[0]
    return lowest, highest


def _trimmed(ordered: Floats, cut: float) -> tuple[float, float]:
    """Mean without the highest, then without the lowest share `cut`; a fraction of one observation counts as that fraction."""
    n = len(ordered)
    kept = n * (1 - cut)
    weights = np.clip(kept - np.arange(n), 0, 1)
    return float(weights @ ordered / kept), float(weights[::-1] @ ordered / kept)
