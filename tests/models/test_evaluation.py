"""Figures against libraries and against rows written out; alerts against what a person would count by hand."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from models.blocks import expanding
from models.evaluation.bootstrap import draws, medians, shares, with_intervals
from models.evaluation.load import advisors, leavers_of, reached, replay
from models.evaluation.measures import auc_by_group, codes, figures, listed, measure
from models.evaluation.weeks import FEWEST, by_week
from models.folds import leaving_out
from models.judging import LOAD, at_equal_load
from models.plots import half_width

DAY = dt.date(2026, 1, 5)


def scored(n: int = 3_000, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    luck = np.random.default_rng(seed)
    label = (luck.random(n) < 0.08).astype(float)
    score = np.round(np.clip(luck.beta(2, 30, n) + label * 0.03, 0.001, 0.999), 2)
    return pl.DataFrame({"as_of": luck.integers(0, 12, n), "label": label}), score


def test_figures_equal_those_of_scikit_learn() -> None:
    rows, score = scored()

    found = figures(rows, score, probability=True)

    assert found["auc"] == pytest.approx(roc_auc_score(rows["label"], score))
    assert found["average_precision"] == pytest.approx(average_precision_score(rows["label"], score))
    nights = rows.with_columns(s=pl.Series(score)).partition_by("as_of")
    by_hand = np.average([roc_auc_score(part["label"], part["s"]) for part in nights], weights=[part["label"].sum() for part in nights])
    assert found["auc_within_night"] == pytest.approx(by_hand)


def test_a_row_that_counts_twice_is_a_row_written_twice() -> None:
    rows, score = scored()
    weights = np.random.default_rng(1).integers(0, 4, rows.height)
    twice = np.repeat(np.arange(rows.height), weights)

    weighed = measure(rows, score, probability=True)(weights.astype(float))

    assert weighed == pytest.approx(figures(rows[twice], score[twice], probability=True), abs=1e-9)


def test_each_week_of_the_course_has_the_auc_of_its_own_rows_and_few_leavers_have_none() -> None:
    rows, score = scored(6_000)
    rows = rows.with_columns(course_day=pl.col("as_of") * 7 + 3, learner_id=pl.Series(np.arange(rows.height) // 4))
    few = (pl.col("as_of") != 5) | (pl.int_range(pl.len()).over("as_of", "label") < FEWEST - 1) | (pl.col("label") == 0)
    chosen = rows.select(few).to_series()
    rows, score = rows.filter(chosen), score[chosen.to_numpy()]
    luck = np.random.default_rng(4).random(rows.height)

    found = by_week(rows, {"model": score, "same": score, "luck": luck}, times=60)

    mine = found.filter(contender="model")
    assert mine["week"].to_list() == [week for week in range(12) if week != 5]
    for row in mine.iter_rows(named=True):
        here = (rows["as_of"] == row["week"]).to_numpy()
        assert row["auc"] == pytest.approx(roc_auc_score(rows["label"].to_numpy()[here], score[here]))
        assert (row["rows"], row["dropouts"]) == (here.sum(), rows["label"].to_numpy()[here].sum())
        assert row["auc_low"] < row["auc"] < row["auc_high"]
    assert found.filter(contender="same").select(pl.col("above", "above_low", "above_high").abs().max()).row(0) == (0, 0, 0)
    beside = found.filter(contender="luck")
    assert (beside["above"] - (mine["auc"] - beside["auc"])).abs().max() == pytest.approx(0)
    assert (beside["above_low"] > 0).mean() > 0.5
    assert by_week(rows.clear(), {"model": score[:0]}).columns == found.columns


def test_an_auc_by_group_counts_a_row_twice_as_a_row_written_twice() -> None:
    rows, score = scored()
    weights = np.random.default_rng(1).integers(0, 4, rows.height)
    twice, label, group = np.repeat(np.arange(rows.height), weights), rows["label"].to_numpy(), codes(rows["as_of"])

    weighed = auc_by_group(score, label, group)(weights.astype(float))

    assert weighed == pytest.approx(auc_by_group(score[twice], label[twice], group[twice])(np.ones(len(twice))))
    assert np.isnan(auc_by_group(score, label * 0, group)(np.ones(rows.height))).all()


def test_a_true_probability_has_slope_one_and_a_doubled_one_does_not() -> None:
    luck = np.random.default_rng(2)
    risk = luck.beta(1, 12, 60_000)
    rows = pl.DataFrame({"as_of": 0, "label": (luck.random(60_000) < risk).astype(float)})

    right, doubled = figures(rows, risk, probability=True), figures(rows, np.clip(2 * risk, 0, 0.99), probability=True)

    assert right["calibration_slope"] == pytest.approx(1, abs=0.05)
    assert right["ece"] < 0.005 < doubled["ece"]
    assert doubled["expected_over_observed"] == pytest.approx(2, abs=0.1)
    assert right["net_benefit_5"] > doubled["net_benefit_5"]


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 3.0), (2.0, 0.0), (0.2, -4.0), (1.0, -6.0)])
def test_a_probability_that_is_far_off_has_the_slope_of_a_regression_all_the_same(slope: float, intercept: float) -> None:
    luck = np.random.default_rng(5)
    margin = luck.normal(-4, 1, 20_000)
    label = (luck.random(20_000) < 1 / (1 + np.exp(-margin))).astype(float)
    told = slope * margin + intercept
    rows = pl.DataFrame({"as_of": np.zeros(20_000), "label": label})

    found = figures(rows, 1 / (1 + np.exp(-told)), probability=True)

    usual = LogisticRegression(C=np.inf, max_iter=1_000).fit(told.reshape(-1, 1), label)
    assert found["calibration_slope"] == pytest.approx(usual.coef_[0, 0], rel=1e-2)
    assert found["calibration_intercept"] == pytest.approx(usual.intercept_[0], rel=1e-2, abs=0.02)


def test_an_interval_holds_the_truth_and_a_score_never_differs_from_itself() -> None:
    rows, score = scored()
    person = np.arange(rows.height) // 3
    other = np.random.default_rng(4).random(rows.height)
    contenders = {name: measure(rows, one, probability=False) for name, one in (("a", score), ("same", score), ("luck", other))}

    found, differences = with_intervals(contenders, person, times=60)

    auc = found.filter(contender="a", metric="auc").row(0, named=True)
    assert auc["low"] < auc["value"] < auc["high"]
    assert differences.filter(rival="same")["high"].abs().max() == 0
    assert differences.filter(rival="luck", metric="auc")["low"].item() > 0


def test_draws_keep_all_rows_of_a_person_together() -> None:
    counts = draws(50, times=20)
    assert (counts.sum(axis=1) == 50).all()
    part, whole = np.array([[1.0], [0.0], [1.0]]), np.ones((3, 1))

    value, drawn = shares(part, whole, np.array([0, 0, 1]), times=200)

    assert value[0] == pytest.approx(2 / 3)
    # Two people: only one, both, or only the other; never a single row of the first.
    assert set(np.round(drawn[:, 0], 3)) == {0.5, 0.667, 1.0}


def test_a_median_leaves_out_who_has_no_value_and_draws_people_whole() -> None:
    lead = np.array([[3.0, np.nan], [5.0, np.nan], [20.0, np.nan], [np.nan, np.nan]])

    value, drawn = medians(lead, np.array([0, 0, 1, 2]), times=200)

    assert value[0] == 5
    assert np.isnan(value[1])
    # Never one row of the first person without the other; where only the third is drawn there is no median.
    assert set(drawn[~np.isnan(drawn[:, 0]), 0]) == {4.0, 5.0, 12.5, 20.0}
    assert np.isnan(drawn[:, 0]).any()
    assert np.isnan(drawn[:, 1]).all()


def test_at_equal_load_every_figure_has_an_interval_and_a_score_is_not_above_itself() -> None:
    people, luck = 400, np.random.default_rng(7)
    left = luck.random(people) < 0.2
    weeks = pl.DataFrame({"as_of": [DAY + dt.timedelta(days=7 * week) for week in range(4)]})
    who = pl.DataFrame({"enrolment_id": [f"E{n}" for n in range(people)], "learner_id": [f"L{n}" for n in range(people)], "left": left})
    rows = (
        who.join(weeks, how="cross")
        .sort("as_of", "enrolment_id")
        .with_columns(territory_id=pl.lit("T"), label=pl.col("left").cast(pl.Float64))
    )
    leavers = who.filter("left").select("enrolment_id", "learner_id", exit_date=pl.lit(DAY + dt.timedelta(days=30)))
    score = rows["label"].to_numpy() + luck.random(rows.height)

    found = at_equal_load(rows, {"model": score, "same": score, "luck": luck.random(rows.height)}, leavers, "territory_id", times=60)

    for what in LOAD:
        told = found.filter(contender="luck").select(what, f"{what}_low", f"{what}_high")
        assert all(low <= value <= high for value, low, high in told.rows()), what
    assert found.filter(contender="same").select(pl.col("above", "above_low", "above_high").abs().max()).row(0) == (0, 0, 0)
    assert (found.filter(contender="luck")["above_low"] > 0).all()
    model, chance = (found.filter(contender=name, budget=1).row(0, named=True) for name in ("model", "luck"))
    assert model["precision_low"] > chance["precision_high"]
    assert model["in_time"] >= model["early"] > chance["early"]
    assert at_equal_load(rows, {"model": score}, leavers.clear(), "territory_id").is_empty()


def test_repeating_a_learners_rows_makes_no_interval_of_the_calibration_plot_narrower() -> None:
    label, person = np.array([1, 0, 0, 0] * 25), np.arange(100)

    once = half_width(label, person)

    assert once == pytest.approx(1.96 * (0.25 * 0.75 / 100) ** 0.5)
    assert half_width(np.tile(label, 4), np.tile(person, 4)) == pytest.approx(once)


def test_a_list_holds_a_tenth_of_each_night() -> None:
    group = np.repeat([0, 1], [30, 15])
    chosen = listed(np.arange(45.0), group, np.zeros(45))

    assert np.flatnonzero(chosen).tolist() == [27, 28, 29, 43, 44]


def weekly(people: int, weeks: int) -> pl.DataFrame:
    dates = pl.DataFrame({"as_of": [DAY + dt.timedelta(weeks=week) for week in range(weeks)]})
    who = pl.DataFrame({"enrolment_id": [f"e{n:03}" for n in range(people)]})
    rows = dates.join(who, how="cross").with_columns(learner_id=pl.col("enrolment_id"), session_id=pl.lit("s"))
    return rows.sort("as_of", "enrolment_id")


def test_no_advisor_gets_more_than_the_budget_and_nobody_twice_within_the_cool_down() -> None:
    rows = weekly(60, 8)
    advisor = advisors(rows, "session_id")
    score = np.tile(np.arange(60.0), 8)

    alerts = rows.with_columns(advisor=pl.Series(advisor)).filter(replay(rows, advisor, score, budget=2))

    assert pl.Series(advisor).n_unique() == 3
    assert alerts.group_by("advisor", "as_of").len()["len"].max() == 2
    apart = alerts.sort("as_of").select((pl.col("as_of") - pl.col("as_of").shift().over("enrolment_id")).dt.total_days()).to_series()
    assert apart.min() == 14
    first = alerts.filter(pl.col("as_of") == DAY)
    expected = rows.with_columns(advisor=pl.Series(advisor), score=pl.Series(score)).filter(pl.col("as_of") == DAY)
    best = expected.filter(pl.col("score").rank("ordinal", descending=True).over("advisor") <= 2)
    assert set(first["enrolment_id"]) == set(best["enrolment_id"])


def test_reached_in_time_is_counted_in_days_before_the_exit() -> None:
    rows = weekly(4, 3)
    alerted = (rows["as_of"] == DAY + dt.timedelta(weeks=1)).to_numpy()
    last = DAY + dt.timedelta(weeks=1)
    leavers = pl.DataFrame(
        {
            "enrolment_id": ["e000", "e001", "e002", "e003"],
            "learner_id": ["e000", "e001", "e002", "e003"],
            "exit_date": [last, last + dt.timedelta(days=3), last + dt.timedelta(days=7), last + dt.timedelta(days=43)],
        }
    )

    worth = reached(rows, alerted, leavers)

    assert worth["in_time"].to_list() == [False, True, True, False]
    assert worth["early"].to_list() == [False, False, True, False]
    assert worth["lead"].to_list() == [None, 3, 7, None]


def test_leavers_are_dropouts_the_landmarks_could_have_announced() -> None:
    rows = weekly(4, 2)
    endings = pl.DataFrame(
        {
            "enrolment_id": ["e000", "e001", "e002", "e003"],
            "exit_date": [DAY, DAY + dt.timedelta(days=5), DAY + dt.timedelta(days=5), DAY + dt.timedelta(days=60)],
            "dropped": [True, True, False, True],
        }
    )

    assert leavers_of(rows, endings, 28)["enrolment_id"].to_list() == ["e001"]


def test_no_label_of_training_reaches_into_what_is_judged() -> None:
    rows = weekly(40, 60).with_columns(label=(pl.int_range(pl.len()) % 9 == 0).cast(pl.Float64))

    folds = expanding(rows, 28)

    assert len(folds) > 1
    for past, later in folds:
        assert past["as_of"].max() + dt.timedelta(days=28) < later["as_of"].min()


def test_who_is_in_two_programmes_is_not_learnt_from_when_one_is_left_out() -> None:
    rows = weekly(60, 4).with_columns(
        label=(pl.int_range(pl.len()) % 3 == 0).cast(pl.Float64),
        programme_id=pl.when(pl.col("enrolment_id") < "e030").then(pl.lit("a")).otherwise(pl.lit("b")),
        learner_id=pl.when(pl.col("enrolment_id") == "e031").then(pl.lit("e001")).otherwise("learner_id"),
    )

    folds = {name: (others, theirs) for name, others, theirs in leaving_out(rows, "programme_id")}

    assert set(folds) == {"a", "b"}
    for others, theirs in folds.values():
        assert not set(others["learner_id"]) & set(theirs["learner_id"])
    assert "e031" not in folds["a"][0]["enrolment_id"]
