"""What sessions have in common is set apart while trees learn who of their people leaves."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.learner import LEARNT, fit
from models.strata import SPREAD, STRATUM, Levels


def nights(seed: int, strata: int = 40, people: int = 100) -> pl.DataFrame:
    """Strata that lose people for a reason no column tells; in those that lose most, everybody has more of the first column."""
    luck = np.random.default_rng(seed)
    level = np.repeat(luck.normal(0, 1.5, strata), people)
    own = luck.normal(0, 1, strata * people)
    risk = 1 / (1 + np.exp(-(level - 0.5 * own - 2)))
    table = pl.DataFrame({name: np.zeros(strata * people) for name in LEARNT})
    stratum = np.repeat(np.arange(strata), people)
    columns = {"activity_count_7": own + 2 * level, "label": (luck.random(len(risk)) < risk).astype(float)}
    return table.with_columns(**{name: pl.Series(value) for name, value in columns.items()}, session_id=pl.Series(stratum), as_of=pl.lit(0))


def test_within_a_stratum_the_order_is_that_of_its_people_whatever_sessions_differ_by() -> None:
    """Over all rows who has more of the column leaves more often, within a stratum less often: learnt in one go, it is taken for a risk."""
    rows = nights(1, people=200)
    settings = {"monotone_constraints": [0] * len(LEARNT), "feature_fraction": 1.0}

    def order(label: str, trees: int) -> float:
        booster = fit(rows.with_columns(another="label"), rounds=180, label=label, parameters=settings)
        margin = pl.Series(booster.predict(rows.select(LEARNT).to_numpy(), raw_score=True, num_iteration=trees))
        inside = rows.with_columns(margin=margin).group_by("session_id").agg(order=pl.corr("activity_count_7", "margin", method="spearman"))
        return float(np.nanmean(inside["order"].to_numpy()))

    assert rows.select(pl.corr("activity_count_7", "label")).item() > 0.1
    assert order("another", 180) > 0.3
    assert order("label", 60) < -0.3


def test_the_levels_are_those_of_the_penalised_likelihood() -> None:
    rows = nights(2, strata=8)
    levels = Levels.of(rows)
    margin = np.linspace(-1, 1, rows.height)
    for _ in range(50):
        levels(margin, None)

    risk = 1 / (1 + np.exp(-(margin + levels.overall + levels.level[levels.stratum])))
    missing = rows.select(pl.struct(STRATUM).alias("s"), gap=pl.col("label") - pl.Series(risk)).group_by("s").agg(pl.col("gap").sum())
    assert missing.sort("s")["gap"].to_numpy() == pytest.approx(levels.level / SPREAD, abs=1e-8)


@given(weight=st.floats(0.5, 8), seed=st.integers(0, 50))
def test_a_row_that_weighs_as_many_times_counts_as_that_many_rows(weight: float, seed: int) -> None:
    rows = nights(seed, strata=3, people=30)
    times = 1 + int(weight)
    once, often = Levels.of(rows.with_columns(weight=float(times))), Levels.of(pl.concat([rows] * times))
    margin = np.random.default_rng(seed).normal(size=rows.height)

    gradient, curvature = once(margin, None)
    repeated, curved = often(np.tile(margin, times), None)

    assert once.level == pytest.approx(often.level)
    assert gradient == pytest.approx(repeated.reshape(times, -1).sum(axis=0))
    assert curvature == pytest.approx(curved.reshape(times, -1).sum(axis=0))


def test_margins_are_log_odds_of_the_whole_once_all_trees_are_grown() -> None:
    rows = nights(3)
    booster = fit(rows, rounds=200, parameters={"feature_fraction": 1.0})

    risk = booster.predict(rows.select(LEARNT).to_numpy())

    assert risk.mean() == pytest.approx(rows["label"].mean(), rel=0.05)


def test_there_are_as_many_trees_as_learn_best_in_one_go() -> None:
    rows = nights(4)
    luck = np.random.default_rng(5).normal(size=(2, rows.height))
    taught, later = (rows.with_columns(activity_count_7=pl.Series(column)) for column in luck)

    # What is learnt tells nothing of the later rows, and one tree is as good as many; of the very rows more are better.
    assert fit(taught, later=later, rounds=90).num_trees() < 45
    stopped = fit(taught, later=taught, rounds=90)
    assert stopped.num_trees() > 80
    # They are those of a fit of as many, which is how the model that serves is fitted.
    assert stopped.model_to_string() == fit(taught, rounds=stopped.num_trees()).model_to_string()
