"""What stands beside the planned analysis: the comparison that proves nothing, and the effect by person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from impact.experiments.estimators import individual
from impact.experiments.outcomes import effect_covariates
from impact.experiments.uplift import judge
from vigie.disclosure import FEWEST_FOR_RATE

if TYPE_CHECKING:
    from impact.experiments.estimators import Estimate
    from impact.experiments.plan import Plan
    from impact.experiments.uplift import Uplift


def contacted_or_not(rows: pl.DataFrame) -> Estimate | None:
    """Dropout of those spoken with minus dropout of the others, arms ignored; None when one of the two groups is small."""
    seen = rows.filter("observed")
    taken = seen["spoken_with"].to_numpy()
    if min(taken.sum(), len(taken) - taken.sum()) < FEWEST_FOR_RATE:
        return None
    return individual(seen["dropout"].to_numpy()[None], taken[None])


def effect_by_person(plan: Plan, rows: pl.DataFrame) -> Uplift | None:
    """Whether ranking by effect beats ranking by risk; asked only where learners were drawn and the risk of each was known."""
    seen = rows.filter("observed", pl.col("risk").is_not_null())
    if plan.unit != "learner" or seen.is_empty():
        return None
    x = effect_covariates(seen)
    return judge(seen["dropout"].to_numpy(), seen["treated"].cast(pl.Float64).to_numpy(), x[:, 0], x, seed=plan.seed)
