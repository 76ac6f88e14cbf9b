"""Those who do not answer: weights bring the rate back where answering goes by what is known, bounds hold the truth in any case."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from impact.indicators.measures import everything_counted
from impact.indicators.table import tabulate
from impact.insertion import insertion
from tests.impact.made import enrolled, facts
from tests.impact.test_indicators import RULES

SCHOOLED = ("2", "6")


def cohort(rng: np.random.Generator, people: int, answer: tuple[float, float], hidden_bias: float = 0.0) -> tuple[pl.DataFrame, float]:
    """Insertion of a cohort in which the less schooled find less work and answer at these rates, and the true share in work."""
    low = rng.random(people) < 0.5
    works = rng.random(people) < np.where(low, 0.35, 0.75)
    answers = rng.random(people) < np.where(low, *answer) - hidden_bias * ~works
    rows = [
        enrolled(f"e{n}", "2025-03-01", "2025-08-01", "2025-08-01", "completed", education_level=SCHOOLED[0 if low[n] else 1])
        for n in range(people)
    ]
    asked = dt.date(2026, 2, 3)
    followups = [
        {"enrolment_id": f"e{n}", "observed_on": asked, "months_after_exit": 6, "situation": "long_job" if works[n] else "inactive"}
        for n in np.flatnonzero(answers)
    ]
    found = facts(rows, followups=followups)
    table = insertion(found, tabulate(everything_counted(found, RULES)))
    return table.filter(pl.col("definition_id") == "in_work_6", pl.col("unit") == "all"), float(works.mean())


def test_weights_undo_an_uneven_response() -> None:
    off = []
    for seed in range(12):
        table, truth = cohort(np.random.default_rng(seed), 800, (0.3, 0.8))
        (row,) = table.to_dicts()
        off.append((row["observed"] - truth, row["weighted"] - truth, row["weighted_low"] <= truth <= row["weighted_high"]))
    observed, weighted, held = np.array(off, dtype=float).mean(axis=0)

    assert observed > 0.06
    assert abs(weighted) < 0.02
    assert held > 0.8


@pytest.mark.parametrize("hidden_bias", [0.0, 0.25])
def test_bounds_hold_the_truth_even_where_weights_do_not(hidden_bias: float) -> None:
    table, truth = cohort(np.random.default_rng(1), 1_500, (0.5, 0.7), hidden_bias)
    (row,) = table.to_dicts()

    assert row["worst"] <= truth <= row["best"]
    assert row["best"] - row["worst"] == pytest.approx(row["missing"])
    assert (abs(row["weighted"] - truth) > 0.05) == (hidden_bias > 0)


def test_few_answers_are_hidden() -> None:
    table, _ = cohort(np.random.default_rng(2), 30, (0.4, 0.4))

    assert table.drop("definition_id", "unit").null_count().sum_horizontal().item() == table.width - 2
