"""Levels of strata: what people of one session on one night have in common, set apart while trees learn who of them leaves.

A random intercept in boosting (Sigrist 2022, Gaussian process boosting): each stratum has a level in log-odds, drawn from a normal
distribution around none, found beside the trees by penalised quasi-likelihood (Breslow and Clayton 1993), one Newton step a tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from models.evaluation.measures import codes

if TYPE_CHECKING:
    from vigie.arrays import Floats, Ints

STRATUM: Final = ("session_id", "as_of")
"""People of one session on one night: a list compares them, and what they have in common tells none of them apart."""
SPREAD: Final = 1.0
"""Variance of the levels, in log-odds: with less they leave more of what sessions differ by to the trees."""


@dataclass(eq=False)
class Levels:
    """Rows with their label and stratum, and the level of each stratum as last found."""

    label: Floats
    weight: Floats
    stratum: Ints
    overall: float = field(init=False)
    """Log-odds of the label over all rows, which every margin begins from."""
    level: Floats = field(init=False)
    """By stratum, how far it lies from what the margins say of its people."""

    def __post_init__(self) -> None:
        """Begin with no difference between strata."""
        share = float(np.average(self.label, weights=self.weight))
        self.overall = float(np.log(share / (1 - share)))
        self.level = np.zeros(int(self.stratum.max()) + 1)

    @classmethod
    def of(cls, rows: pl.DataFrame) -> Levels:
        """Levels of landmark rows.

        Args:
            rows: with `label`, some of them people who leave and some not, the columns of `STRATUM` and, where rows weigh more or less,
                `weight`.
        """
        weight = rows["weight"].to_numpy() if "weight" in rows.columns else np.ones(rows.height)
        return cls(rows["label"].to_numpy().astype(np.float64), weight, codes(rows.select(pl.struct(STRATUM)).to_series()))

    def __call__(self, margin: Floats, _: Any) -> tuple[Floats, Floats]:  # noqa: ANN401 - LightGBM's dataset, not read
        """Gradient and curvature of the loss at margins above `overall`, as LightGBM asks for, after one step of the levels."""
        self._step(margin)
        risk = self._risk(margin)
        return self.weight * (risk - self.label), self.weight * risk * (1 - risk)

    def _step(self, margin: Floats) -> None:
        risk, strata = self._risk(margin), len(self.level)
        slope = np.bincount(self.stratum, self.weight * (risk - self.label), strata) + self.level / SPREAD
        curvature = np.bincount(self.stratum, self.weight * risk * (1 - risk), strata) + 1 / SPREAD
        self.level -= slope / curvature

    def _risk(self, margin: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(margin + self.overall + self.level[self.stratum]))), dtype=np.float64)
