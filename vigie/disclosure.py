"""How few people a published figure may stand for, and which other figures must go so that no hidden one can be worked out.

Small cells are hidden, then companions: figures next to them in a sum, until from what is shown follows neither a hidden figure, nor the
sum of two or three hidden ones that together stand for too few, nor that of all hidden parts of one published sum. That stops exact
recovery from the published sums; it does not promise wide bounds, nor guard against what a reader knows from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

FEWEST_PEOPLE: Final = 11
"""A count of people below this is told to nobody."""
FEWEST_FOR_RATE: Final = 20
"""No rate on fewer people."""
FEWEST_FOR_JUDGEMENT: Final = 60
"""On fewer people no unit is said to differ from what is expected."""

_ZERO: Final = 1e-6
_DIGITS: Final = 7
_DRAWS: Final = 3
_AT_A_TIME: Final = 1_000_000
"""Pairs of cells looked at in one go."""

Sum = tuple[int, "Sequence[int]"]
"""A total and its parts, as positions of cells."""


def hidden(people: NDArray[np.int64], sums: Sequence[Sum], fewest: int = FEWEST_FOR_RATE) -> NDArray[np.bool_]:
    """Which of these cells may not be shown. A cell that no table shows anyway is treated alike: who subtracts may arrive at it.

    Args:
        people: how many each cell stands for, totals included.
        sums: the sums a reader can form: a total and its parts.
        fewest: smaller cells are hidden for their own sake; an empty cell tells of nobody and stays.

    Returns:
        True for each cell to hide. A total is hidden as well where nothing else is left to protect a part.
    """
    equations = np.zeros((len(sums), len(people)))
    for row, (total, parts) in enumerate(sums):
        equations[row, list(parts)] = 1.0
        equations[row, total] = -1.0
    away = (people > 0) & (people < fewest)
    if not away.any():
        return away
    while True:
        beside, through = _exposed(equations, people, away, fewest)
        shown = ~away & (people > 0)
        companions = {_smallest(people, (equations[row] != 0) & shown) for row in beside} - {-1}
        # Where nothing is left beside them, a figure by which they are worked out goes.
        companions = companions or {_smallest(people, (equations[through] != 0).any(axis=0) & shown)} - {-1}
        if not companions:
            return away
        away[list(companions)] = True


def _exposed(
    equations: NDArray[np.float64], people: NDArray[np.int64], away: NDArray[np.bool_], fewest: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums in which hidden cells stand that can be worked out, or whose sum can and is of too few; and those by which they can."""
    unknown = equations[:, away]
    together = np.where(unknown > 0, people[away], 0).sum(axis=1)
    only_parts = (unknown != 0).any(axis=1) & ~(unknown < 0).any(axis=1)
    few = only_parts & (together < fewest)
    # Where a lone hidden cell stands in a sum, a companion there may be enough for the others as well.
    alone = (unknown != 0).sum(axis=1) == 1
    if few.any() or alone.any():
        return np.flatnonzero(few | alone), np.flatnonzero(few | alone)
    solver = np.linalg.pinv(unknown @ unknown.T, hermitian=True) @ unknown
    # Hidden figures are moved at random in ways that keep every published sum: what never moves is known.
    drawn = np.random.default_rng(0).standard_normal((unknown.shape[1], _DRAWS))
    moves = drawn - unknown.T @ (solver @ drawn)
    known = np.flatnonzero((np.abs(moves) < _ZERO).all(axis=1))[:, None]
    known = known if known.size else _few_together(moves, people[away], fewest)
    worked_out = np.zeros((unknown.shape[1], len(known)))
    np.put_along_axis(worked_out, known.T, 1.0, axis=0)
    beside = (unknown[:, known.ravel()] != 0).any(axis=1)
    return np.flatnonzero(beside), np.flatnonzero((np.abs(solver @ worked_out) > _ZERO).any(axis=1))


def _few_together(moves: NDArray[np.float64], people: NDArray[np.int64], fewest: int) -> NDArray[np.int64]:
    """Sets of two or three hidden cells, of fewer than `fewest` people together, whose sum never moves.

    Args:
        moves: by hidden cell, moves that keep every published sum.
        people: how many each hidden cell stands for.
        fewest: see `hidden`.

    Returns:
        A row a set; one of two cells names one of them twice.
    """
    small = np.flatnonzero(people < fewest)
    # A cell of nobody that never moves stands in for the third of a set of two. Of cells that move alike the smallest comes first.
    moves, count, cell = np.vstack([moves[small], np.zeros(_DRAWS)]), np.append(people[small], 0), np.append(small, -1)
    order = np.lexsort((count, moves[:, 0].round(_DIGITS)))
    moves, count, cell = moves[order], count[order], cell[order]
    sorted_moves, places = moves[:, 0].round(_DIGITS), np.arange(len(order))
    found = []
    for rows in np.array_split(places, len(order) ** 2 // _AT_A_TIME + 1):
        first, second = np.nonzero((rows[:, None] < places) & (count[rows, None] + count < fewest))
        first = rows[first]
        needed = -(moves[first] + moves[second])
        third = np.searchsorted(sorted_moves, needed[:, 0] - _ZERO).clip(max=len(order) - 1)
        still = (np.abs(moves[third] - needed) < 2 * _ZERO).all(axis=1) & (third != first) & (third != second)
        still &= count[first] + count[second] + count[third] < fewest
        found.append(cell[np.column_stack([first, second, third])[still]])
    sets = np.vstack(found)
    return np.where(sets < 0, sets.max(axis=1, keepdims=True, initial=0), sets)


def _smallest(people: NDArray[np.int64], among: NDArray[np.bool_]) -> int:
    found = np.flatnonzero(among)
    return int(found[np.argmin(people[found])]) if found.size else -1


def marked(cells: pl.DataFrame, within: Mapping[str, tuple[str, ...]], fewest: int = FEWEST_FOR_RATE) -> pl.DataFrame:
    """Add `shown` to a table of units by period.

    Args:
        cells: unit, month (null: the whole period), people; one row for each published figure, and one for each total.
        within: the units that each unit is part of; units that are part of the same one and of the same kind add up to it.
        fewest: see `hidden`.
    """
    rows = cells.with_row_index("cell")
    place = {(unit, month): cell for cell, unit, month in rows.select("cell", "unit", "month").iter_rows()}
    sums: list[Sum] = []
    for unit, months in rows.filter(pl.col("month").is_not_null()).group_by("unit", maintain_order=True).agg("cell").iter_rows():
        if (unit, None) in place:
            sums.append((place[unit, None], months))
    parents = pl.DataFrame(
        {"unit": list(within), "parent": [list(whole) for whole in within.values()]},
        schema={"unit": pl.String, "parent": pl.List(pl.String)},
    )
    parts = rows.join(parents.explode("parent"), on="unit").group_by(
        "parent", "month", pl.col("unit").str.extract(r"^([^:]*):"), maintain_order=True
    )
    sums += [(place[parent, month], inside) for parent, month, _, inside in parts.agg("cell").iter_rows() if (parent, month) in place]
    return cells.with_columns(shown=pl.Series(~hidden(cells["people"].to_numpy(), sums, fewest)))
