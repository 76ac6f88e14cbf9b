"""The true risk of a night: it comes true, and to look at it changes nothing."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from sklearn.metrics import average_precision_score

from data_contracts.simulator import Simulation, simulate

FIRST, LAST = dt.date(2025, 1, 6), dt.date(2025, 12, 31)
HORIZON = 28
NIGHTS = [dt.date(2025, 3, 14) + dt.timedelta(days=HORIZON * n) for n in range(10)]
"""Their horizons do not overlap, so that what comes of each night is a draw of its own."""


@pytest.fixture(scope="module")
def looked_at() -> Simulation:
    return simulate(4_000, 5, FIRST, LAST, nights=NIGHTS, horizon_days=HORIZON, copies=40)


@pytest.fixture(scope="module")
def rows(looked_at: Simulation) -> pl.DataFrame:
    """One row a person and night: the risks, the hazard of the day, and what became of them."""
    ends = looked_at.truth["counterfactual"].select("enrolment_id", "exit_date", "reason")
    hazard = looked_at.truth["hazard"].rename({"date": "as_of"})
    rows = looked_at.truth["risk"].join(ends, on="enrolment_id").join(hazard, on=["as_of", "enrolment_id"])
    soon = (pl.col("exit_date") - pl.col("as_of")).dt.total_days().is_between(1, HORIZON)
    outcomes = {name: (soon & (pl.col("reason") == name)).fill_null(value=False).cast(pl.Float64) for name in ("dropout", "job")}
    return rows.with_columns(**outcomes)


def surprise(rows: pl.DataFrame, risk: str, outcome: str) -> float:
    """Standard deviations between what was expected and what came."""
    p = rows[risk]
    return float((rows[outcome] - p).sum() / (p * (1 - p)).sum() ** 0.5)


def test_looking_ahead_changes_nothing(looked_at: Simulation) -> None:
    plain = simulate(4_000, 5, FIRST, LAST)

    assert "risk" not in plain.truth
    for name, table in plain.tables.items():
        assert looked_at.tables[name].equals(table), name
    assert looked_at.truth["hazard"].equals(plain.truth["hazard"])


def test_true_risks_come_true_overall_and_in_every_part(rows: pl.DataFrame) -> None:
    assert rows["dropout"].sum() > 100
    assert abs(surprise(rows, "risk", "dropout")) < 3.5
    assert abs(surprise(rows, "risk_job", "job")) < 3.5
    # By what is true, not by the risk itself: among the lowest of many estimates most are too low.
    parts = [*rows.partition_by("disengaging"), rows.filter(pl.col("as_of") < NIGHTS[5]), rows.filter(pl.col("as_of") >= NIGHTS[5])]
    assert all(abs(surprise(part, "risk", "dropout")) < 3.5 for part in parts)


def test_the_true_risk_ranks_at_least_as_well_as_the_hazard_of_the_day(rows: pl.DataFrame) -> None:
    ahead, today = (average_precision_score(rows["dropout"], rows[name]) for name in ("risk", "hazard_dropout"))

    assert ahead > today - 0.01
    assert ahead > 5 * rows["dropout"].mean()


def test_nobody_has_a_risk_after_leaving(rows: pl.DataFrame) -> None:
    assert rows.filter(pl.col("exit_date") <= pl.col("as_of")).is_empty()


def test_a_horizon_of_one_day_holds_the_day_after_and_no_other() -> None:
    two = {days: simulate(1_000, 5, FIRST, LAST, nights=NIGHTS[5:6], horizon_days=days, copies=20).truth["risk"] for days in (1, 2)}
    day, both = (two[days]["risk"].mean() for days in (1, 2))

    assert 0 < day < both < 4 * day
