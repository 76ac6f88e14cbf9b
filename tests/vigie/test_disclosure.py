"""Nobody is found again in a published table: not in a small cell, not by subtraction, not by solving the sums."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigie.disclosure import FEWEST_FOR_RATE, hidden, marked


def attack(people: np.ndarray, sums: list, away: np.ndarray) -> list[int]:
    """Every hidden cell that follows from what is shown: shift each by one and see whether the sums can still be kept."""
    found = []
    unknown = np.flatnonzero(away)
    rows = np.array([[(cell in parts) - (cell == total) for cell in range(len(people))] for total, parts in sums], dtype=float)
    for cell in unknown:
        free = [other for other in unknown if other != cell]
        wanted = -rows[:, cell]
        best = np.linalg.lstsq(rows[:, free], wanted, rcond=None)[0] if free else np.zeros(0)
        if np.abs(rows[:, free] @ best - wanted).max() > 1e-6:
            found.append(int(cell))
    return found


def grid(table: np.ndarray) -> tuple[np.ndarray, list]:
    """A table with its margins and grand total, as cells and sums."""
    rows, columns = table.shape
    full = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    full[:rows, :columns] = table
    full[:rows, columns] = table.sum(axis=1)
    full[rows] = full[:rows].sum(axis=0)
    at = np.arange(full.size).reshape(full.shape)
    sums = [(int(at[row, columns]), at[row, :columns].tolist()) for row in range(rows + 1)]
    sums += [(int(at[rows, column]), at[:rows, column].tolist()) for column in range(columns + 1)]
    return full.ravel(), sums


def few_together(people: np.ndarray, sums: list, away: np.ndarray) -> list[tuple[int, ...]]:
    """Every two or three hidden cells of too few people together whose sum follows from what is shown."""
    cells = np.flatnonzero(away)
    rows = np.array([[(cell in parts) - (cell == total) for cell in cells.tolist()] for total, parts in sums], dtype=float)
    space = np.linalg.pinv(rows) @ rows
    sets = [found for size in (2, 3) for found in combinations(range(len(cells)), size) if people[cells[[*found]]].sum() < FEWEST_FOR_RATE]
    ones = np.zeros((len(cells), len(sets)))
    for column, found in enumerate(sets):
        ones[[*found], column] = 1
    return [sets[column] for column in np.flatnonzero(np.abs(space @ ones - ones).max(axis=0, initial=0) < 1e-7)] if sets else []


def test_the_attack_finds_a_lone_hidden_cell_and_its_companion_stops_it() -> None:
    people, sums = np.array([7, 40, 60, 107]), [(3, [0, 1, 2])]
    alone = people < FEWEST_FOR_RATE

    assert attack(people, sums, alone) == [0]
    away = hidden(people, sums)
    assert away.tolist() == [True, True, False, False]
    assert attack(people, sums, away) == []


def test_two_hidden_cells_that_are_few_together_take_a_third_with_them() -> None:
    assert hidden(np.array([3, 4, 40, 50, 97]), [(4, [0, 1, 2, 3])]).tolist() == [True, True, True, False, False]


def test_a_cell_that_hangs_between_two_blocks_is_found_out_and_hidden_deeper() -> None:
    """Two hidden in every row and column is not enough: a bridge between two blocks follows from the sums."""
    table = np.full((4, 4), 100)
    table[:2, :2] = table[2:, 2:] = table[1, 2] = 15
    people, sums = grid(table)
    rows_and_columns_with_two = people < FEWEST_FOR_RATE

    assert len(attack(people, sums, rows_and_columns_with_two)) == 1
    assert attack(people, sums, hidden(people, sums)) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(2, 5), st.data())
def test_no_table_with_margins_gives_a_hidden_cell_away(rows: int, columns: int, data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.integers(0, 70), min_size=rows * columns, max_size=rows * columns))
    people, sums = grid(np.array(cells).reshape(rows, columns))

    away = hidden(people, sums)

    assert not np.any(~away & (people > 0) & (people < FEWEST_FOR_RATE))
    assert attack(people, sums, away) == []
    assert few_together(people, sums, away) == []


def test_three_hidden_cells_whose_sum_follows_through_other_sums_are_hidden_deeper() -> None:
    """No single sum tells of 2 + 5 + 1 people, and each row in which they stand is hidden whole; the other sums together tell."""
    people, sums = grid(np.array([[60, 2, 5], [19, 1, 0], [0, 60, 20]]))
    row_by_row = np.array([True, True, True, True, True, True, False, True, False, True, True, False, False, True, True, False])

    assert attack(people, sums, row_by_row) == []
    assert (1, 2, 5) in few_together(people, sums, row_by_row)
    assert few_together(people, sums, hidden(people, sums)) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(2, 4), st.data())
def test_margins_alone_give_no_small_cell_of_the_table_away(rows: int, columns: int, data: st.DataObject) -> None:
    """Providers by territories: only the margins are published, and what is inside must not follow from them."""
    sizes = st.sampled_from([0, 0, 0, 5, 12, 60])
    people, sums = grid(np.array(data.draw(st.lists(sizes, min_size=rows * columns, max_size=rows * columns))).reshape(rows, columns))
    at = np.arange(people.size).reshape(rows + 1, columns + 1)
    inside = np.isin(np.arange(people.size), at[:rows, :columns])
    # An empty cell is no secret: its provider is not at work there.
    silent = inside & (people > 0)

    away = hidden(people, sums) | silent

    small = (people > 0) & (people < FEWEST_FOR_RATE)
    assert not np.any(~away & small)
    assert not [cell for cell in attack(people, sums, away) if small[cell]]


def test_nothing_is_hidden_without_need() -> None:
    people, sums = grid(np.array([[30, 40], [50, 0]]))

    assert not hidden(people, sums).any()


@pytest.mark.parametrize("month", ["2026-01", None])
def test_units_within_units_and_months_within_the_period_are_sums_too(month: str | None) -> None:
    within = {"territory:a": ("all",), "territory:b": ("all",)}
    within |= {"provider:1": ("territory:a",), "provider:2": ("territory:a",), "provider:3": ("territory:b",)}
    months = {"2026-01": (40, 8, 60), "2026-02": (40, 40, 70)}
    rows = [(f"provider:{n + 1}", name, people) for name, counts in months.items() for n, people in enumerate(counts)]
    cells = pl.DataFrame(rows, schema=["unit", "month", "people"], orient="row")
    territories = cells.with_columns(unit=pl.col("unit").replace_strict({unit: whole[0] for unit, whole in within.items()}))
    cells = pl.concat([cells, territories, cells.with_columns(unit=pl.lit("all"))])
    whole = cells.with_columns(month=pl.lit(None, pl.String))
    cells = pl.concat([cells, whole]).group_by("unit", "month", maintain_order=True).agg(pl.col("people").sum())

    shown = {(unit, when): seen for unit, when, _, seen in marked(cells, within).iter_rows()}

    assert not shown["provider:2", "2026-01"]
    # The territory less the other provider, or the period less the other month, would give it away.
    assert not shown["provider:1", "2026-01"]
    assert not shown["provider:2", "2026-02"]
    assert shown["all", month]
    assert shown["territory:b", month]
