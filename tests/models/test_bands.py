"""What became of people whose risk was alike: every row counted, the truth held, sessions that differ told to differ."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from models.bands import FEWEST_SESSIONS, STEPS, alike, bands, between_sessions, windows

SESSIONS = 60


def rows(differ: float = 0.0, people: int = 3_000, each: int = 8, sessions: int = SESSIONS) -> pl.DataFrame:
    """Weekly rows whose true risk is the one told, but for a factor of their session whose logarithm varies by `differ`."""
    random = np.random.default_rng(3)
    person = np.repeat(np.arange(people), each)
    margin = random.normal(-3, 1.0, people)[person] + random.normal(0, 0.3, people * each)
    risk = 1 / (1 + np.exp(-margin))
    factor = np.exp(random.normal(-(differ**2) / 2, differ, sessions))[person % sessions]
    return pl.DataFrame(
        {
            "enrolment_id": [f"E{number:05d}" for number in person],
            "session_id": [f"S{number % sessions}" for number in person],
            "fold": 0,
            "risk": risk,
            "label": (random.random(people * each) < np.minimum(1, risk * factor)).astype(float),
        }
    )


@pytest.mark.parametrize("alike_in", ["rows", "dropouts"])
def test_bands_count_every_row_once_and_hold_the_truth(alike_in: str) -> None:
    table = bands(rows(), alike_in)  # type: ignore[arg-type] - a Literal by parametrize

    assert table.height == 10
    assert table["rows"].sum() == rows().height
    assert table["dropouts"].sum() == rows()["label"].sum()
    assert table["from_risk"].is_sorted()
    assert table.filter(pl.col("expected").is_between("low", "high")).height >= 8
    assert table.equals(bands(rows().sample(fraction=1, shuffle=True, seed=1), alike_in))  # type: ignore[arg-type] - as above


def test_bands_of_as_many_dropouts_are_finer_where_risks_are_high() -> None:
    by_rows, by_dropouts = bands(rows(), "rows"), bands(rows())

    assert by_rows["rows"].max() - by_rows["rows"].min() <= 1  # type: ignore[operator] - counts
    assert by_dropouts["dropouts"].max() < 1.5 * by_dropouts["dropouts"].min()  # type: ignore[operator] - counts
    assert by_dropouts["rows"][-1] < 0.3 * by_rows["rows"][-1]


def test_few_dropouts_make_few_bands_and_none_is_never_told_as_impossible() -> None:
    few = rows(people=150)
    none = bands(few.with_columns(label=pl.lit(0.0)))

    assert bands(few).height == few["label"].sum() // 20
    assert none.height == 1
    assert none["observed"][0] == 0
    assert none["session_low"].is_null().all() or none["session_high"][0] > 0


@pytest.mark.parametrize("number", [1, 10])
@pytest.mark.parametrize("differ", [0.0, 0.3, 0.6])
def test_how_far_sessions_differ_is_found_again(differ: float, number: int) -> None:
    """However many bands: a session of the demo foresees less than one dropout in each."""
    table = rows(differ, people=9_000).with_columns(band=(pl.col("risk").rank("ordinal") - 1) * number // pl.len())

    found = between_sessions(table)

    assert found is not None
    assert found == pytest.approx(differ, abs=0.08)


def test_the_range_holds_ninety_five_sessions_in_a_hundred_and_the_interval_of_the_mean_does_not() -> None:
    table = rows(0.5, people=20_000, sessions=200)
    band = bands(table.with_columns(risk=pl.lit(0.07))).row(0, named=True)
    seen = table.group_by("session_id").agg(true=pl.col("risk").mean(), share=pl.col("label").mean())

    held = seen.select(pl.col("share").is_between(band["session_low"], band["session_high"]).mean()).item()
    mean_alone = seen.select(pl.col("share").is_between(band["low"], band["high"]).mean()).item()

    assert 0.9 <= held <= 0.99
    assert mean_alone < 0.5


def test_a_session_that_differs_from_itself_over_the_year_counts_as_two() -> None:
    steady = rows(people=9_000)
    late = pl.int_range(pl.len()) % 8 >= 4
    turning = steady.with_columns(fold=late.cast(pl.Int64), risk=pl.when(late).then(pl.col("risk") / 2).otherwise("risk"), band=0)

    assert between_sessions(steady.with_columns(band=0)) == pytest.approx(0, abs=0.08)
    assert between_sessions(turning) == pytest.approx(1 / 3, abs=0.1)


def test_few_sessions_say_nothing_of_how_they_differ() -> None:
    table = bands(rows(sessions=FEWEST_SESSIONS - 1))

    assert table["session_low"].is_null().all()
    assert alike(table.to_dicts(), np.array([0.1])).null_count() == 1


def test_windows_overlap_hold_as_many_expected_dropouts_and_start_and_end_where_bands_do() -> None:
    table, apart = windows(rows(0.3)), bands(rows(0.3))

    assert table.height == 9 * STEPS + 1
    assert table["expected"].is_sorted()
    sums = table["expected"] * table["rows"]
    assert sums.max() < 1.1 * sums.min()  # type: ignore[operator] - sums of floats
    assert abs(table["dropouts"][0] - apart["dropouts"][0]) <= 3
    assert abs(table["dropouts"][-1] - apart["dropouts"][-1]) <= 3
    assert (table["from_risk"][STEPS:] >= table["to_risk"][:-STEPS] * 0.99).all()
    assert windows(rows(people=40)).height == 1
    assert table.equals(windows(rows(0.3).sample(fraction=1, shuffle=True, seed=2)))


def test_each_risk_is_told_of_those_whose_risks_were_like_it_on_average() -> None:
    table = windows(rows(0.3))
    risks = np.array([0.0, *np.geomspace(0.01, table["expected"][-1], 40), 0.99])

    told = alike(table.to_dicts(), risks).struct.unnest()

    inner = told.with_columns(risk=pl.Series(risks), share=pl.col("expected") / pl.col("situations"))[1:-1]
    near = inner.filter(pl.col("risk") > table["expected"][0])
    assert ((near["share"] / near["risk"]).log().abs() < 0.25).all()
    assert told["situations"][0] == table["rows"][0]
    assert told["situations"][-1] == table["rows"][-1]
    assert (told["low"] <= risks).all()
    assert (told["high"] >= risks).all()
    assert (told["high"] <= 1).all()
    assert alike([], risks).null_count() == len(risks)
    # Bands of a model trained before sessions were told apart.
    assert alike([{"to_risk": 1.0, "rows": 5, "observed": 0.1}], risks).null_count() == len(risks)


@pytest.mark.parametrize(("session_low", "session_high"), [(0.2, 0.3), (0.02, 0.05)])
def test_a_range_holds_the_risk_itself_where_far_more_or_far_fewer_came(session_low: float, session_high: float) -> None:
    window = {"rows": 100.0, "dropouts": 25.0, "expected": 0.1, "session_low": session_low, "session_high": session_high}

    (told,) = alike([window], np.array([0.1])).to_list()

    assert told["low"] == pytest.approx(min(session_low, 0.1))
    assert told["high"] == pytest.approx(max(session_high, 0.1))
