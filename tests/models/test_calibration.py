"""Shapes of calibration: chosen by test, increasing, centred; groups are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from models.calibration import METHODS, by_group, calibrate, centred, chosen

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 4


def drawn(true_log_odds: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    return (np.random.default_rng(seed).random(len(true_log_odds)) < 1 / (1 + np.exp(-true_log_odds))).astype(float)


def fold(margin: NDArray[np.float64], label: NDArray[np.float64], number: int = 0) -> pl.DataFrame:
    return pl.DataFrame({"enrolment_id": [f"E{number}-{row}" for row in range(len(margin))], "margin": margin, "label": label})


def folds(bend: float, size: int = 20_000, at: float = 0.0) -> list[pl.DataFrame]:
    margins = [np.random.default_rng(seed).normal(-2, 1.5, size) for seed in range(FOLDS)]
    odds = [0.7 * margin + bend * np.logaddexp(0, margin - at) - 1 for margin in margins]
    return [fold(margin, drawn(told, 10 + seed), seed) for seed, (margin, told) in enumerate(zip(margins, odds, strict=True))]


def test_a_straight_truth_keeps_the_straight_line_and_a_bent_one_does_not() -> None:
    straight, figures = chosen(folds(bend=0))
    bent, _ = chosen(folds(bend=1.5))
    flat, _ = chosen(folds(bend=-0.6, at=-1.0))

    assert straight.bend == 0
    assert not straight.knots
    assert straight.slope == pytest.approx(0.7, abs=0.03)
    assert set(figures["method"]) == set(METHODS)
    assert bent.bend == pytest.approx(1.5, abs=0.5)
    # The risks of those who fill the lists rise less: a straight line would tell them too high.
    assert flat.bend < -0.3
    for told, true in ((straight, folds(bend=0)), (flat, folds(bend=-0.6, at=-1.0))):
        margin, label = (np.concatenate([part[name].to_numpy() for part in true]) for name in ("margin", "label"))
        top = margin > np.quantile(margin, 0.98)
        assert told.risk(margin)[top].mean() == pytest.approx(label[top].mean(), rel=0.06)


def test_a_shape_that_is_better_on_every_fold_is_not_taken_for_proven_better() -> None:
    found, figures = chosen(folds(bend=-0.3, at=-1.0, size=8_000))

    losses = {name: figures.filter(method=name)["log_loss"] for name in ("sigmoid", "bent")}
    assert (losses["bent"] < losses["sigmoid"]).all()
    assert found.bend == 0


def test_where_the_highest_margins_tell_too_much_they_keep_their_order_and_hardly_rise() -> None:
    part = folds(bend=0)[0]
    margins, labels = (part[name].to_numpy() for name in ("margin", "label"))
    level = np.where(margins > 0, drawn(np.full(len(margins), -1.6), 7), labels)

    shape = METHODS["bent"](margins, level)

    assert shape.slope + shape.bend == pytest.approx(0.1 * shape.slope)
    rising = shape.risk(np.linspace(-6, 6, 500))
    assert (np.diff(rising) > 0).all()
    high, plain = margins > 0, METHODS["sigmoid"](margins, level)
    off = {name: abs(told.risk(margins)[high].mean() - level[high].mean()) for name, told in (("bent", shape), ("sigmoid", plain))}
    assert off["bent"] < off["sigmoid"]


def test_isotonic_is_not_even_tried_on_few_dropouts() -> None:
    _, figures = chosen(folds(bend=0, size=1_000))

    assert set(figures["method"]) == {"sigmoid", "bent"}


@pytest.mark.parametrize("method", METHODS)
def test_every_shape_keeps_the_order_of_risks_and_can_be_centred(method: str) -> None:
    margins, labels = (folds(bend=1)[0][name].to_numpy() for name in ("margin", "label"))
    shape = METHODS[method](margins, labels)

    risk = centred(margins, labels, shape).risk(np.linspace(-12, 8, 1_000))

    assert (np.diff(risk) > 0).all()
    assert centred(margins, labels, shape).risk(margins).mean() == pytest.approx(labels.mean(), abs=1e-6)


def rows(people: int = 2_000, each: int = 8) -> pl.DataFrame:
    margin = np.random.default_rng(3).normal(-3, 1.2, people * each)
    return pl.DataFrame(
        {
            "enrolment_id": [f"E{number // each:05d}" for number in range(people * each)],
            "provider_id": [f"P{number // each % 30}" for number in range(people * each)],
            "course_day": [float(number % each * 7) for number in range(people * each)],
            "risk": 1 / (1 + np.exp(-margin)),
            "label": drawn(margin, 4),
        }
    )


def test_a_group_that_is_badly_told_lies_outside_its_interval() -> None:
    wrong = rows().with_columns(risk=pl.when(pl.col("course_day") >= 28).then(pl.col("risk") * 2).otherwise("risk"))
    weeks = {row["value"]: row for row in by_group(wrong).filter(pl.col("group") == "week of course").to_dicts()}

    assert weeks["0 to 3"]["low"] <= weeks["0 to 3"]["expected"] <= weeks["0 to 3"]["high"]
    assert weeks["4 to 7"]["expected"] > weeks["4 to 7"]["high"]
    assert set(by_group(wrong).filter(pl.col("group") == "size of provider")["value"]) == {"50 to 249 enrolments"}


def test_where_nobody_left_the_interval_has_a_width_that_people_make_and_not_their_rows() -> None:
    few = rows(people=40).filter(pl.col("course_day") < 28).with_columns(label=pl.lit(0.0))
    of_few, of_many = (
        by_group(told).filter(pl.col("group") == "week of course").row(0, named=True) for told in (few, pl.concat([few, few]))
    )

    # Of forty people that nobody left, between none and one in eleven may leave (Wilson), however many rows they have.
    assert (of_few["low"], of_few["rows"]) == (0.0, 160)
    assert of_few["high"] == pytest.approx(1.96**2 / (40 + 1.96**2))
    assert of_many["high"] == of_few["high"]


def test_an_interval_of_few_leavers_holds_the_truth_as_often_as_it_says() -> None:
    held = []
    for seed in range(300):
        luck = np.random.default_rng(seed)
        told = rows(people=139, each=1).with_columns(course_day=pl.lit(0.0), label=pl.Series((luck.random(139) < 0.0124).astype(float)))
        week = by_group(told).filter(pl.col("group") == "week of course").row(0, named=True)
        held.append(week["low"] <= 0.0124 <= week["high"])

    assert np.mean(held) >= 0.93


def test_groups_come_from_small_to_large_and_horizons_beside_them() -> None:
    longer = rows().select("enrolment_id", risk=pl.col("risk") * 2, label=pl.col("label"))
    table = by_group(rows(), {28: rows().select("enrolment_id", "risk", "label"), 56: longer})

    assert table.filter(pl.col("group") == "week of course")["value"].to_list() == ["0 to 3", "4 to 7"]
    told = {row["value"]: row for row in table.filter(pl.col("group") == "horizon").to_dicts()}
    assert told["28 days"]["low"] <= told["28 days"]["expected"] <= told["28 days"]["high"]
    assert told["56 days"]["expected"] == pytest.approx(2 * told["28 days"]["expected"])
    assert told["56 days"]["dropouts"] == rows()["label"].sum()


def test_those_an_arm_held_out_are_told_apart() -> None:
    held = pl.col("enrolment_id").str.slice(1).cast(pl.Int64) % 3 == 0
    random = np.random.default_rng(5).random(rows().height)
    # Without support as many again leave.
    label = pl.when(held).then((pl.lit(random) < 2 * pl.col("risk")).cast(pl.Float64)).otherwise("label")
    table = by_group(rows().with_columns(weight=pl.when(held).then(2.0).otherwise(1.0), label=label))

    usual, out = table.filter(pl.col("group") == "support").to_dicts()
    assert (usual["value"], out["value"]) == ("usual", "held out")
    assert usual["low"] <= usual["expected"] <= usual["high"]
    assert out["expected"] < out["low"]
    assert "support" not in set(by_group(rows())["group"])


def test_a_shape_that_cannot_be_tried_without_one_fold_ends_no_training() -> None:
    luck = np.random.default_rng(3)
    margin = luck.normal(-2, 1, 4_000)
    label = (luck.random(4_000) < 1 / (1 + np.exp(-margin))).astype(float)
    upside_down = fold(margin[:400], (luck.random(400) < 1 / (1 + np.exp(margin[:400] + 4))).astype(float), 1)

    found, tried = chosen([fold(margin, label), upside_down])

    assert found.slope > 0
    assert "sigmoid" not in tried["method"].to_list()


def test_ranking_the_wrong_way_round_is_refused() -> None:
    margins, labels = (folds(bend=0)[0][name].to_numpy() for name in ("margin", "label"))

    with pytest.raises(Exception, match="no better than chance"):
        calibrate(-margins, labels)
