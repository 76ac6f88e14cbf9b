"""Exits that succeeded, a job or another course: their own probability, told beside the risk, and how far it can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from models.blocks import MIN_DROPOUTS
from models.calibration import Calibration, calibrate, centred
from models.evaluation.bootstrap import with_intervals
from models.evaluation.measures import CHANCE, codes, measure
from models.language import Said
from models.learner import LEARNT, fit
from vigie.errors import NoModelError

if TYPE_CHECKING:
    import lightgbm as lgb

    from models.blocks import Blocks
    from vigie.arrays import Floats

ROUNDS: Final = 200
PARAMETERS: Final = {"num_leaves": 8, "max_depth": 4, "learning_rate": 0.05}
"""Exits that succeeded are rare: a smaller booster, told by the side and never explained."""


@dataclass(frozen=True)
class Positive:
    """What was taught of exits that succeeded; nothing where too few are known, or nothing is proven to foretell them."""

    booster: lgb.Booster | None = None
    calibration: Calibration | None = None
    judged: pl.DataFrame | None = None
    """as_of, learner_id, label, risk on the test block, by the recipe on the two blocks before; none where it holds too few."""
    why_not: str = ""
    """Why no probability, or no figure of it, is told."""


def taught(blocks: Blocks, rows: pl.DataFrame, threads: int) -> Positive:
    """A booster of the exits that succeeded, fitted on all rows, and what the same recipe said of the test block.

    Args:
        blocks: of the landmark rows, with `positive`.
        rows: all of them.
        threads: how many LightGBM may use.
    """
    known = min(blocks.train["positive"].sum(), blocks.calibration["positive"].sum())
    if known < MIN_DROPOUTS:
        return Positive(
            why_not=Said(
                "Of a job or another course within the horizon a block knows {known:.0f} rows; {least} are needed.",
                known=known,
                least=MIN_DROPOUTS,
            )
        )
    early = _fitted(blocks.train, threads)
    try:
        calibration = calibrate(_margins(early, blocks.calibration, threads), blocks.calibration["positive"].to_numpy())
    except NoModelError:
        return Positive(
            why_not=Said("Nothing known on the night foretells a job or another course on later rows: no probability of it is told.")
        )
    booster = _fitted(rows, threads)
    final = centred(_margins(booster, rows, threads), rows["positive"].to_numpy(), calibration.slope)
    if (later := blocks.test["positive"].sum()) < MIN_DROPOUTS:
        few = Said("The judged rows hold {later:.0f} of a job or another course: too few to judge its probability.", later=later)
        return Positive(booster, final, why_not=few)
    risk = calibration.risk(_margins(early, blocks.test, threads))
    judged = blocks.test.select("as_of", "learner_id", label="positive", risk=pl.Series(risk))
    found, _ = with_intervals({"": measure(judged, risk, probability=False)}, codes(judged["learner_id"]))
    auc, low, high = found.filter(metric="auc_within_night").select("value", "low", "high").row(0)
    if not low > CHANCE:
        template = (
            "On the judged rows its AUC within the night is {auc:.3f} [{low:.3f}, {high:.3f}], not proven above chance: nobody is told it."
        )
        return Positive(judged=judged, why_not=Said(template, auc=auc, low=low, high=high))
    return Positive(booster, final, judged)


def _fitted(past: pl.DataFrame, threads: int) -> lgb.Booster:
    return fit(past, rounds=ROUNDS, threads=threads, label="positive", parameters=PARAMETERS)


def _margins(booster: lgb.Booster, of: pl.DataFrame, threads: int) -> Floats:
    inputs = of.select(LEARNT).to_numpy(order="c")
    return np.asarray(booster.predict(inputs, raw_score=True, num_threads=threads), dtype=np.float64)
