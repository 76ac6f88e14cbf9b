"""Value added finds what providers add, says how sure it is, and stays silent on few people. `make value-added` has the long version."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from data_contracts.simulator.providers import EFFECTS, unequal_providers
from impact.value_added import value_added
from vigie.errors import NoDataError
from vigie.settings import ROOT

if TYPE_CHECKING:
    from types import ModuleType

TRAITS = list(EFFECTS)


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("value_added_bench", ROOT / "benchmarks" / "value_added.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_intervals_hold_the_truth_and_the_raw_rate_ranks_worse(bench: ModuleType) -> None:
    found = {row["size"]: row for row in bench.summary(bench.run(24)).iter_rows(named=True)}

    assert found[12]["coverage"] is None
    assert found[12]["apart"] == 0
    for size in (30, 100, 1_000):
        assert 0.90 < found[size]["coverage"] < 0.99
        assert abs(found[size]["bias"]) < 0.015
        assert found[size]["rank_correlation"] > found[size]["raw_rank_correlation"] + 0.05
    assert found[1_000]["correlation"] > 0.93
    assert found[30]["apart"] == 0
    assert found[1_000]["apart"] > 0.4
    assert found[1_000]["wrong_side"] < 0.02


def test_four_territories_are_told_with_wide_intervals_that_hold(bench: ModuleType) -> None:
    found = bench.summary(bench.run(40, sizes=(1_000,) * 4)).row(0, named=True)

    assert found["coverage"] > 0.92
    assert found["width"] > 0.15


def test_where_failures_answer_less_the_bounds_hold_the_truth(bench: ModuleType) -> None:
    found = bench.summary(bench.run(5, sizes=(60,) * 8 + (300,) * 8, missing=0.4))

    assert found["bounds_hold"].min() == 1
    assert (found["bounds_width"] > found["width"] + 0.1).all()


def test_nothing_unknown_leaves_nothing_to_bound() -> None:
    table = value_added(people(), "success", TRAITS)
    some = value_added(people().with_columns(success=pl.when(pl.int_range(pl.len()) % 150 >= 15).then("success")), "success", TRAITS)

    assert table["worst"].to_list() == pytest.approx(table["low"].to_list())
    assert table["best"].to_list() == pytest.approx(table["high"].to_list())
    # A tenth unknown, about half of whom fail: some points either way.
    assert 0.03 < (some["low"] - some["worst"]).mean() < 0.10
    assert 0.03 < (some["best"] - some["high"]).mean() < 0.10


def test_no_unit_stands_out_where_none_differs(bench: ModuleType) -> None:
    found = bench.summary(bench.run(10, spread=0.0))

    assert found["apart"].max() == 0


def people(seed: int = 3) -> pl.DataFrame:
    return unequal_providers(np.random.default_rng(seed), [150] * 12).people


def test_what_is_expected_of_a_unit_never_saw_it() -> None:
    before = people()
    after = before.with_columns(success=pl.when(pl.col("unit") == "unit-0000").then(~pl.col("success")).otherwise("success"))

    old, new = (value_added(rows, "success", TRAITS) for rows in (before, after))

    changed = (old["expected"] - new["expected"]).abs()
    assert changed[0] < 1e-3
    assert changed[1:].min() > 1e-4
    assert old["observed"][0] + new["observed"][0] == pytest.approx(1)


def test_units_stand_by_name_and_the_unknown_are_told() -> None:
    rows = people().with_columns(success=pl.when(pl.int_range(pl.len()) % 5 > 0).then("success"))

    table = value_added(rows.reverse(), "success", TRAITS)

    assert table["unit"].to_list() == sorted(table["unit"].to_list())
    assert table["missing"].round(2).to_list() == [0.2] * 12
    assert (table["known"] + 30 == table["entrants"]).all()


def test_a_harder_public_lowers_what_is_expected() -> None:
    rows = people()
    harder = rows.with_columns(
        low_level=pl.when(pl.col("unit") == "unit-0004").then(pl.lit(value=True)).otherwise("low_level"),
    )

    usual, hard = (value_added(frame, "success", TRAITS)["expected"][4] for frame in (rows, harder))

    assert hard < usual - 0.03


@pytest.mark.parametrize(("known", "verdict"), [(19, "too_few"), (59, "not_distinguishable"), (60, "above")])
def test_few_people_are_not_judged(known: int, verdict: str) -> None:
    small = pl.DataFrame({"unit": "small", "success": [True] * known}).with_columns(pl.lit(value=False).alias(name) for name in TRAITS)
    spread = unequal_providers(np.random.default_rng(1), [400] * 12, spread=1.2).people
    rows = pl.concat([spread, small.select(spread.columns)])

    (row,) = value_added(rows, "success", TRAITS).filter(pl.col("unit") == "small").to_dicts()

    assert row["verdict"] == verdict
    assert (row["value_added"] is None) == (known < 20)


@pytest.mark.parametrize("rows", [people().filter(pl.col("unit") < "unit-0003"), people().with_columns(success=pl.lit(value=True))])
def test_nothing_to_compare_is_said(rows: pl.DataFrame) -> None:
    with pytest.raises(NoDataError, match="4 units"):
        value_added(rows, "success", TRAITS)
