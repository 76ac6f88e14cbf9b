"""Figures of one score on landmark rows, for any weights: a bootstrap of learners is a matter of weights, never of copied rows.

A row that counts twice gives what the row written twice would give, ties and bins included (a test holds it). All that sorts is done
once; each set of weights then costs a few passes over the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl
    from numpy.typing import NDArray

    from vigie.arrays import Flags, Floats, Ints

    Measure = Callable[[Floats], dict[str, float]]

NAMES: Final = {
    "auc": "AUC",
    "auc_within_night": "AUC within the night",
    "average_precision": "average precision",
    "precision_at_top": "precision in the top tenth",
    "recall_at_top": "recall in the top tenth",
    "ece": "ECE",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
    "expected_over_observed": "expected over observed",
    "brier": "Brier score",
    "net_benefit_5": "net benefit at 5 %, by 1,000 rows",
}
"""Figures that are shown to people, and what they are called there."""
TOP: Final = 0.10
"""Share of each night's learners that advisors can contact: the list judged."""
CHANCE: Final = 0.5
"""AUC of a score that tells nobody from anybody."""
BINS: Final = 10
THRESHOLDS: Final = (0.02, 0.03, 0.05, 0.08, 0.10)
"""Risks from which a call is worth its cost: net benefit is read at each."""
STEPS: Final = 25
"""Newton steps at most for two coefficients; six do."""
LONG_STEP: Final = 0.5
"""A step that moves a coefficient by more is looked at before it is taken."""


def figures(rows: pl.DataFrame, score: Floats, *, probability: bool, within: str = "as_of") -> dict[str, float]:
    """Figures of a score on landmark rows, each row counted once; see `measure`."""
    return measure(rows, score, probability=probability, within=within)(np.ones(rows.height))


def measure(rows: pl.DataFrame, score: Floats, *, probability: bool, within: str = "as_of") -> Measure:
    """A function from row weights to figures.

    Args:
        rows: label, and the column `within`.
        score: higher means contact first.
        probability: True when the score is meant as a probability; calibration and net benefit are then measured.
        within: what a list is drawn from: a night, or a presentation and week.

    Returns:
        auc; auc_within_night (mean over nights weighted by dropouts: the only AUC free of the calendar); average_precision;
        precision_at_top and recall_at_top for the top tenth of each night, ties counted against the score, and the same at best;
        and, for probabilities, ece (ten bins of equal size), expected_over_observed, brier, calibration_slope and
        calibration_intercept (Cox 1958), and net_benefit_<percent>: true calls less false ones at the odds of the threshold, by 1,000 rows
        (Vickers and Elkin 2006).
    """
    label = np.asarray(rows["label"].to_numpy(), dtype=np.float64)
    group = codes(rows[within])
    pooled, inside = _auc(score, label, np.zeros_like(group)), _auc(score, label, group)
    precise = _average_precision(score, label)
    worst, best = _top(score, label, group, label), _top(score, label, group, -label)
    honest = _probability(score, label) if probability else None

    def of(weights: Floats) -> dict[str, float]:
        found = {"auc": pooled(weights), "auc_within_night": inside(weights), "average_precision": precise(weights)}
        found["precision_at_top"], found["recall_at_top"] = worst(weights)
        found["precision_at_top_ties_best"], found["recall_at_top_ties_best"] = best(weights)
        return found | (honest(weights) if honest else {})

    return of


def codes(column: pl.Series) -> Ints:
    """Values as numbers from 0, in their order."""
    return column.rank("dense").to_numpy().astype(np.int64) - 1


def listed(score: Floats, group: Ints, ties: Floats) -> Flags:
    """True for the top tenth of each group; among equal scores the lower `ties` come first."""
    taken = np.zeros(len(score), dtype=np.bool_)
    order, weights = np.lexsort((ties, -score, group)), np.ones(len(score))
    taken[order] = _taken(group[order], weights) > 0
    return taken


def _starts(*sorted_keys: NDArray[np.generic]) -> NDArray[np.intp]:
    changed = np.any([key[1:] != key[:-1] for key in sorted_keys], axis=0)
    return np.flatnonzero(np.concatenate([[True], changed])) if len(sorted_keys[0]) else np.empty(0, dtype=np.intp)


def auc_by_group(score: Floats, label: Floats, group: Ints) -> Callable[[Floats], Floats]:
    """A function from row weights to the AUC inside each group, groups numbered from 0; nan where nobody leaves or everybody does."""
    pairs = _pairs(score, label, group)

    def of(weights: Floats) -> Floats:
        won, leavers, others = pairs(weights)
        auc: Floats = np.divide(won, leavers * others, out=np.full(len(won), np.nan), where=(leavers > 0) & (others > 0))
        return auc

    return of


def _auc(score: Floats, label: Floats, group: Ints) -> Callable[[Floats], float]:
    pairs = _pairs(score, label, group)

    def of(weights: Floats) -> float:
        won, leavers, others = pairs(weights)
        told = (leavers > 0) & (others > 0)
        return float((won[told] / others[told]).sum() / leavers[told].sum()) if told.any() else float("nan")

    return of


def _pairs(score: Floats, label: Floats, group: Ints) -> Callable[[Floats], tuple[Floats, Floats, Floats]]:
    """From row weights, of each group: pairs of a leaver and another that the score has in order (half where equal), leavers, others."""
    order = np.lexsort((score, group))
    y, g = label[order], group[order]
    ties = _starts(g, score[order])
    groups = _starts(g[ties])

    def of(weights: Floats) -> tuple[Floats, Floats, Floats]:
        w = weights[order]
        positive, negative = np.add.reduceat(w * y, ties), np.add.reduceat(w * (1 - y), ties)
        below = np.cumsum(negative) - negative
        members = np.diff(np.append(groups, len(ties)))
        below -= np.repeat(below[groups], members)
        won = np.add.reduceat(positive * (below + negative / 2), groups)
        return won, np.add.reduceat(positive, groups), np.add.reduceat(negative, groups)

    return of


def _average_precision(score: Floats, label: Floats) -> Callable[[Floats], float]:
    order = np.argsort(-score, kind="stable")
    y, ties = label[order], _starts(score[order])

    def of(weights: Floats) -> float:
        w = weights[order]
        positive, everybody = np.add.reduceat(w * y, ties), np.add.reduceat(w, ties)
        reached = np.maximum(np.cumsum(everybody), 1e-12)
        return float((positive * np.cumsum(positive) / reached).sum() / max(positive.sum(), 1e-12))

    return of


def _taken(group: Ints, weights: Floats) -> Floats:
    """How much of each row is within the top tenth of its group; rows sorted by group, best first."""
    starts = _starts(group)
    sizes = np.add.reduceat(weights, starts)
    members = np.diff(np.append(starts, len(group)))
    before = np.cumsum(weights) - weights
    before -= np.repeat(before[starts], members)
    places = np.repeat(np.ceil(sizes * TOP), members)
    return np.clip(places - before, 0, weights)


def _top(score: Floats, label: Floats, group: Ints, ties: Floats) -> Callable[[Floats], tuple[float, float]]:
    order = np.lexsort((ties, -score, group))
    y, g = label[order], group[order]

    def of(weights: Floats) -> tuple[float, float]:
        w = weights[order]
        taken = _taken(g, w)
        found = float((taken * y).sum())
        return found / max(float(taken.sum()), 1.0), found / max(float((w * y).sum()), 1.0)

    return of


def _probability(score: Floats, label: Floats) -> Measure:
    order = np.argsort(score, kind="stable")
    risk, y = score[order], label[order]
    inside = np.clip(risk, 1e-9, 1 - 1e-9)
    margin = np.log(inside / (1 - inside))
    settled = _line(margin, y, np.ones(len(y)), (1.0, 0.0))

    def of(weights: Floats) -> dict[str, float]:
        w = weights[order]
        reached, left, expected = np.cumsum(w), np.cumsum(w * y), np.cumsum(w * risk)
        total = reached[-1]
        edges = np.array([0, *np.cumsum([len(part) for part in np.array_split(np.arange(round(total)), BINS)])])

        def between(sums: Floats) -> Floats:
            return np.diff(np.interp(edges, np.append(0, reached), np.append(0, sums)))

        slope, intercept = _line(margin, y, w, settled)
        found = {
            "ece": float(np.abs(between(left) - between(expected)).sum() / total),
            "expected_over_observed": float(expected[-1] / max(1.0, left[-1])),
            "brier": float((w * (risk - y) ** 2).sum() / total),
            "calibration_slope": slope,
            "calibration_intercept": intercept,
        }
        for threshold in THRESHOLDS:
            called = w * (risk >= threshold)
            benefit = (called * y).sum() - (called * (1 - y)).sum() * threshold / (1 - threshold)
            found[f"net_benefit_{threshold * 100:.0f}"] = float(1_000 * benefit / total)
        return found

    return of


def _line(margin: Floats, label: Floats, weights: Floats, near: tuple[float, float]) -> tuple[float, float]:
    """Slope and intercept of a weighted logistic regression on the log-odds; a perfect score has 1 and 0."""

    def loss(at: Floats) -> float:
        log_odds = at[0] * margin + at[1]
        return float((weights * (np.logaddexp(0, log_odds) - label * log_odds)).sum())

    line = np.array(near, dtype=np.float64)
    for _ in range(STEPS):
        risk = 1 / (1 + np.exp(-np.clip(line[0] * margin + line[1], -30, 30)))
        off, curve = weights * (label - risk), weights * risk * (1 - risk)
        gradient = np.array([(off * margin).sum(), off.sum()])
        across = (curve * margin).sum()
        hessian = np.array([[(curve * margin**2).sum(), across], [across, curve.sum()]])
        # A score with one value has no slope, nor has one that tells the few leavers drawn from everybody else without a fault.
        if not np.isfinite(hessian).all() or abs(np.linalg.det(hessian)) < 1e-9:  # noqa: PLR2004 - no way to go on
            return float("nan"), float("nan")
        step = np.linalg.solve(hessian, gradient)
        # From far off Newton's step overshoots, and would go on doing so.
        while np.abs(step).max() > LONG_STEP and loss(line + step) > loss(line):
            step = step / 2
        line = line + step
        if np.abs(step).max() < 1e-6:  # noqa: PLR2004 - settled
            break
    return float(line[0]), float(line[1])
