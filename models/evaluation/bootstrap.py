"""Intervals: learners are drawn again with replacement, all their rows with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vigie.arrays import Floats, Ints

    Measure = Callable[[Floats], dict[str, float]]

DRAWS: Final = 200
SEED: Final = 20_260_402
BOUNDS: Final = (2.5, 97.5)
"""Percentiles of a 95 % interval."""


def draws(people: int, times: int = DRAWS) -> Floats:
    """How often each person is drawn: `times` rows of counts that sum to `people`."""
    generator = np.random.default_rng(SEED)
    return generator.multinomial(people, np.full(people, 1 / max(people, 1)), size=times).astype(np.float64)


def interval(drawn: Floats) -> tuple[float, float]:
    """95 % interval of bootstrapped values; nan where none can be had."""
    kept = drawn[np.isfinite(drawn)]
    low, high = np.percentile(kept, BOUNDS) if len(kept) else (np.nan, np.nan)
    return float(low), float(high)


def with_intervals(contenders: Mapping[str, Measure], person: Ints, times: int = DRAWS) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Figures of several contenders, and by how much the first is above each other, on the same draws.

    Args:
        contenders: from name to function of row weights, such as `models.evaluation.measures.measure`; the first is the one judged.
        person: number of the learner of each row.
        times: draws.

    Returns:
        figures: contender, metric, value, low, high; differences: rival, metric, difference, low, high (paired).
    """
    counts = draws(int(person.max()) + 1 if len(person) else 0, times)
    once = np.ones(len(person))
    found = {name: of(once) for name, of in contenders.items()}
    drawn = {name: [of(row[person]) for row in counts] for name, of in contenders.items()}
    by_metric = {name: {metric: np.array([one[metric] for one in drawn[name]]) for metric in found[name]} for name in contenders}
    figures = [(name, metric, value, *interval(by_metric[name][metric])) for name in contenders for metric, value in found[name].items()]
    first, *rivals = contenders
    differences = [
        (rival, metric, found[first][metric] - found[rival][metric], *interval(by_metric[first][metric] - by_metric[rival][metric]))
        for rival in rivals
        for metric in found[rival]
        if metric in found[first]
    ]
    return _frame("contender", "value", figures), _frame("rival", "difference", differences)


def _frame(who: str, what: str, rows: list[tuple[str, str, float, float, float]]) -> pl.DataFrame:
    schema = {who: pl.String, "metric": pl.String, what: pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def shares(parts: Floats, wholes: Floats, person: Ints, times: int = DRAWS) -> tuple[Floats, Floats]:
    """Ratios of sums over rows, and their draws: one share a column of `parts` and `wholes` (rows x shares).

    Returns:
        values (shares), drawn (times x shares); nan where nothing is to be divided by.
    """
    order = np.argsort(person, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(person[order]) != 0]))
    above, below = (np.add.reduceat(sums[order], starts, axis=0) for sums in (parts, wholes))
    counts = draws(len(starts), times)
    with np.errstate(invalid="ignore", divide="ignore"):
        return above.sum(axis=0) / below.sum(axis=0), (counts @ above) / (counts @ below)


def medians(values: Floats, person: Ints, times: int = DRAWS) -> tuple[Floats, Floats]:
    """Medians of each column over the rows that have a value, and their draws (times x columns); nan where no row has any."""
    counts = draws(int(person.max()) + 1 if len(person) else 0, times)[:, person].astype(np.int64)

    def of(column: Floats, weights: Ints) -> float:
        drawn = np.repeat(column, weights)
        return float(np.median(known)) if len(known := drawn[~np.isnan(drawn)]) else float("nan")

    once = np.ones(len(person), dtype=np.int64)
    return np.array([of(column, once) for column in values.T]), np.array([[of(column, row) for column in values.T] for row in counts])
