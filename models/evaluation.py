"""How good a ranking and its probabilities are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOP: Final = 0.10
"""Share of each night's learners that advisors can contact: the list judged."""
BINS: Final = 10


def figures(rows: pl.DataFrame, score: NDArray[np.float64], *, probability: bool) -> dict[str, float]:
    """Figures of a score on landmark rows.

    Args:
        rows: as_of, label.
        score: higher means contact first.
        probability: True when the score is meant as a probability; calibration is then measured.

    Returns:
        auc; auc_within_night (mean over nights weighted by dropouts: the only AUC free of the calendar); average_precision;
        precision_at_top and recall_at_top for the top tenth of each night, ties counted against the score, and the same at best;
        and, for probabilities, ece (ten bins of equal size), expected_over_observed, brier.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    label = rows["label"].to_numpy()
    judged = rows.select("as_of", "label").with_columns(score=pl.Series(score))
    worst, best = _top(judged, pl.col("label")), _top(judged, -pl.col("label"))
    result = {
        "auc": float(roc_auc_score(label, score)),
        "auc_within_night": within_night(judged),
        "average_precision": float(average_precision_score(label, score)),
        "precision_at_top": worst[0],
        "recall_at_top": worst[1],
        "precision_at_top_ties_best": best[0],
        "recall_at_top_ties_best": best[1],
    }
    if probability:
        bins = np.array_split(np.argsort(score, kind="stable"), BINS)
        result["ece"] = float(sum(len(rank) * abs(label[rank].mean() - score[rank].mean()) for rank in bins) / len(label))
        result["expected_over_observed"] = float(score.sum() / max(1.0, label.sum()))
        result["brier"] = float(np.mean((score - label) ** 2))
    return result


def within_night(judged: pl.DataFrame) -> float:
    """Mean AUC over nights, weighted by dropouts; columns as_of, label, score. Nan where no night has both outcomes."""
    nights = judged.with_columns(pl.col("score").rank("average").over("as_of").alias("rank")).group_by("as_of", maintain_order=True)
    sums = nights.agg(
        pl.col("label").sum().alias("dropouts"), pl.len().alias("n"), pl.col("rank").filter(pl.col("label") == 1).sum().alias("ranks")
    ).filter((pl.col("dropouts") > 0) & (pl.col("dropouts") < pl.col("n")))
    dropouts, others = pl.col("dropouts"), pl.col("n") - pl.col("dropouts")
    auc = sums.select((pl.col("ranks") - dropouts * (dropouts + 1) / 2) / (dropouts * others)).to_series().to_numpy()
    return float(np.average(auc, weights=sums["dropouts"].to_numpy())) if len(auc) else float("nan")


def _top(judged: pl.DataFrame, ties: pl.Expr) -> tuple[float, float]:
    rank = pl.struct(-pl.col("score"), ties).rank("ordinal").over("as_of")
    listed = judged.filter(rank <= (pl.len().over("as_of") * TOP).ceil())
    found = listed["label"].to_numpy()
    return float(found.mean()), float(found.sum() / max(1.0, judged["label"].to_numpy().sum()))
