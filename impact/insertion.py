"""Insertion with those who did not answer: as observed, weighted for non-response, and at worst and at best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from impact.catalogue import HORIZONS
from impact.design import design
from impact.facts import CHARACTERISTICS
from impact.indicators.after import SITUATIONS, situations
from impact.indicators.table import ALL, Z, only_shown, wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from impact.facts import Facts

FEWEST_ANSWERS: Final = 60
"""Below this many answers no response model is fitted."""
FIGURES: Final = (
    "people",
    "answers",
    "missing",
    "observed",
    "low",
    "high",
    "weighted",
    "weighted_low",
    "weighted_high",
    "worst",
    "best",
)
HEAVIEST: Final = 5.0
"""No answer stands for more than this many times the mean weight."""


def insertion(facts: Facts, shown: pl.DataFrame) -> pl.DataFrame:
    """One row for each definition and territory, and for all of them.

    Weights are the inverse of the chance to answer given characteristics, territory and how the course ended: right when those who answer
    are like those who do not, given these. The bounds need no such belief: all who did not answer failed, or all succeeded.

    Args:
        facts: as known.
        shown: from `tabulate`: a unit hidden there is hidden here.

    Returns:
        definition_id, unit, people, answers, missing, observed, low, high, weighted, weighted_low, weighted_high, worst, best.
    """
    found = [_by_unit(weighted_for_answers(situations(facts, months)), months) for months in HORIZONS]
    table = pl.concat(found).sort("definition_id", "unit").select("definition_id", "unit", *FIGURES)
    return only_shown(table, shown, FIGURES)


def weighted_for_answers(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `weight`: the inverse of the chance to answer; 1 for everybody where too few answered, or all did."""
    answered = rows["situation"].is_not_null()
    if not FEWEST_ANSWERS <= answered.sum() < rows.height:
        return rows.with_columns(weight=pl.lit(1.0))
    from sklearn.linear_model import LogisticRegression

    columns = design(rows, [*CHARACTERISTICS, "territory_id", "reason"])[:, 1:]
    chance = LogisticRegression(max_iter=500).fit(columns, answered.to_numpy()).predict_proba(columns)[:, 1]
    weight: NDArray[np.float64] = 1 / chance
    mean = weight[answered.to_numpy()].mean()
    return rows.with_columns(weight=pl.Series(np.minimum(weight / mean, HEAVIEST)))


def _by_unit(rows: pl.DataFrame, months: int) -> pl.DataFrame:
    units = pl.concat([rows.with_columns(unit=pl.lit(ALL)), rows.with_columns(unit=pl.format("territory:{}", "territory_id"))])
    return pl.concat([_one(units, name, f"{name}_{months}") for name in SITUATIONS])


def _one(units: pl.DataFrame, name: str, definition_id: str) -> pl.DataFrame:
    outcome, weight = pl.col(name).cast(pl.Float64), pl.col("weight")
    known = outcome.is_not_null()
    mean = (weight * outcome).sum() / weight.filter(known).sum()
    off = (weight * (outcome - mean)).pow(2).sum().sqrt() / weight.filter(known).sum()
    made = units.group_by("unit").agg(
        people=pl.len().cast(pl.Int64), answers=known.sum().cast(pl.Int64), yes=outcome.sum(), weighted=mean, error=off
    )
    people, yes, half = pl.col("people"), pl.col("yes"), Z * pl.col("error")
    low, high = wilson(yes, pl.col("answers"))
    return made.select(
        "unit",
        "people",
        "answers",
        pl.col("weighted").fill_nan(None),
        definition_id=pl.lit(definition_id),
        missing=1 - pl.col("answers") / people,
        observed=(yes / pl.col("answers")).fill_nan(None),
        low=low.fill_nan(None),
        high=high.fill_nan(None),
        weighted_low=(pl.col("weighted") - half).clip(0, 1).fill_nan(None),
        weighted_high=(pl.col("weighted") + half).clip(0, 1).fill_nan(None),
        worst=yes / people,
        best=(yes + people - pl.col("answers")) / people,
    )
