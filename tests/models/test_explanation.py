"""Reasons are those of the model, hold while the facts hold, and tell of nothing that nobody can act on."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from data_contracts.tables.outputs import REASON
from features.catalogue import FEATURES
from features.declaration import BANNED
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.explanation import CONTEXT, protective, reasons
from models.faithfulness import CLOCKS, TOTALS, agreement, by_subject, deletion, kept
from models.registry import champion, load

if TYPE_CHECKING:
    from models.learner import Model
    from pipelines.service import Service

NIGHT = dt.date(2025, 11, 20)


@pytest.fixture(scope="module")
def model(service: Service) -> Model:
    version = champion(service.home)
    assert version is not None
    return load(service.home, version)


@pytest.fixture(scope="module")
def night(service: Service) -> pl.DataFrame:
    with service.warehouse() as warehouse:
        facts = read_facts(warehouse, NIGHT, NIGHT, service.time_zone)
    return matrix(facts, cohort(facts, [NIGHT]))


def told(model: Model, rows: pl.DataFrame) -> pl.DataFrame:
    found = reasons(model.contributions(rows), model.margins(rows), model.columns, rows, rows.clear(), 3)
    return rows.select("enrolment_id", reasons=found)


def named(model: Model, rows: pl.DataFrame) -> pl.DataFrame:
    return told(model, rows).explode("reasons").unnest("reasons").filter(pl.col("code") != "rest")


def test_taking_the_top_reason_away_lowers_the_score_more_than_taking_another(model: Model, night: pl.DataFrame) -> None:
    falls = deletion(model, night, "as_of")

    assert falls.height == night.height
    assert falls["top"].mean() > 2 * abs(falls["random"].mean())  # type: ignore[arg-type, operator]
    assert (falls["top"] >= falls["random"]).mean() > 0.85  # type: ignore[operator]


def test_reasons_stay_while_the_facts_stay(model: Model, night: pl.DataFrame) -> None:
    """Other people come and go between two nights, and rows come in another order: whose facts are the same keeps the same reasons."""
    fewer = night.sample(fraction=0.9, seed=1, shuffle=True)

    before, after = named(model, night), named(model, fewer)
    top = [rows.group_by("enrolment_id", maintain_order=True).agg(pl.col("code").head(3)) for rows in (before, after)]
    both = top[0].join(top[1], on="enrolment_id", suffix="_after")

    assert both.height > 100
    same = (both["code"] == both["code_after"]).mean()
    assert same is not None
    assert same > 0.95


def test_the_same_facts_give_the_same_reasons_to_the_bit(model: Model, night: pl.DataFrame) -> None:
    assert told(model, night).equals(told(model, night.sort("enrolment_id", descending=True)).sort("enrolment_id"))


def test_no_reason_names_what_nobody_can_act_on(model: Model, night: pl.DataFrame) -> None:
    found = named(model, night)

    assert found.height > 50
    assert not set(found["code"]) & CONTEXT
    assert not set(found["feature"]) & BANNED


def test_subjects_add_up_to_the_change_of_the_score(model: Model, night: pl.DataFrame) -> None:
    sums, names = by_subject(model.contributions(night), model.columns)

    change = sums[1:].sum(axis=1) - sums[:-1].sum(axis=1)

    assert len(names) == sums.shape[1]
    assert np.abs(change - np.diff(model.margins(night))).max() < 1e-9


def test_whoever_was_never_there_is_told_so_and_not_that_others_did_more(model: Model, night: pl.DataFrame) -> None:
    here = night.filter(pl.col("never_active") == 0).head(40)
    assert here.height == 40
    gone = pl.col("enrolment_id").rank("dense") % 2 == 0
    silent = [name for name in here.columns if name.startswith(("activity_", "active_", "days_since_activity"))]
    silenced = here.with_columns(
        *(pl.when(gone).then(None).otherwise(pl.col(name)).alias(name) for name in silent),
        never_active=pl.when(gone).then(1.0).otherwise(0.0),
        course_day=pl.lit(60.0),
    )
    contributions = np.zeros((40, len(model.columns) + 1))
    compared = model.columns.index("lms_against_session_14")
    contributions[:, compared] = 0.8
    rows = silenced.with_columns(lms_against_session_14=pl.lit(-3.0))
    ordinary = night.with_columns(lms_against_session_14=pl.lit(0.0), never_active=pl.lit(0.0))

    found = reasons(contributions, contributions.sum(axis=1), model.columns, rows, rows.clear(), 3, ordinary)
    leading = rows.select("never_active", feature=found.list.first().struct.field("feature"))

    assert set(leading.filter(pl.col("never_active") == 1)["feature"]) == {"never_active"}
    assert "never_active" not in set(leading.filter(pl.col("never_active") == 0)["feature"])


def test_agreement_counts_shared_places() -> None:
    first = np.array([[3.0, 2.0, 1.0, 0.0]])

    assert agreement(first, first, 3) == 1
    assert agreement(first, first[:, ::-1], 2) == 0
    assert agreement(first, np.array([[3.0, 0.0, 2.0, 1.0]]), 2) == 0.5


def test_reasons_of_two_nights_are_compared_where_nothing_new_was_known() -> None:
    def reason(*codes: str) -> list[dict[str, object]]:
        return [{"code": code, "feature": None, "value": None, "contribution": 1.0, "previous_value": None} for code in codes]

    people = ["same", "other order", "one gone", "none before", "came to class", "worked"]
    totals = {name: [0.0] * len(people) for name in TOTALS} | {name: [3.0] * len(people) for name in CLOCKS}
    first = pl.DataFrame({"as_of": dt.date(2026, 3, 7), "enrolment_id": people, **totals})
    then = first.with_columns(pl.col("as_of") + dt.timedelta(days=1), pl.col(CLOCKS) + 1).with_columns(
        days_since_presence=pl.when(pl.col("enrolment_id") == "came to class").then(0.0).otherwise("days_since_presence"),
        work_handed_in=pl.when(pl.col("enrolment_id") == "worked").then(1.0).otherwise("work_handed_in"),
    )
    a, b, c = "attendance", "activity", "trend"
    beside = reason(a)[0] | {"contribution": 0.0}
    before = [[*reason(a, b, "rest"), beside], reason(a, b, c), reason(a, b, c, "rest"), reason("rest"), reason(a), reason(a)]
    after = [reason(a, b, "rest"), reason(b, a, c), reason(a, b, "rest"), reason(a, "rest"), reason(b), reason(a)]

    pairs = kept(pl.concat([first, then]), pl.Series([*before, *after], dtype=pl.List(REASON.dtype)))

    assert pairs["as_of"].unique().to_list() == [dt.date(2026, 3, 8)]
    assert pairs.select("enrolment_id", "shared", "first").rows() == [
        ("same", 1.0, 1.0),
        ("other order", 1.0, 0.0),
        ("one gone", pytest.approx(2 / 3), 1.0),
    ]


def test_what_lowers_the_risk_is_told_apart_through_a_fact_on_the_better_side(model: Model, night: pl.DataFrame) -> None:
    found = protective(model.contributions(night), model.columns, night, night.clear())
    named = pl.DataFrame({"row": np.arange(night.height), "told": found}).explode("told").drop_nulls().unnest("told")
    medians = {name: night[name].median() for name in named["feature"].unique()}

    assert len(found) == night.height
    assert found.list.len().max() <= 2
    assert named.height > 100
    assert named["contribution"].max() < 0
    for feature, value in named.select("feature", "value").unique().rows():
        assert (value - medians[feature]) * FEATURES[feature].direction < 0, feature


def test_no_reason_of_a_night_says_the_opposite_of_its_fact(model: Model, night: pl.DataFrame) -> None:
    found = named(model, night)
    compared = {name: feature for name, feature in FEATURES.items() if feature.against is not None}

    said = found.filter(pl.col("feature").is_in(list(compared))).select("feature", "value").rows()

    assert len(said) > 5
    assert all((value - (compared[name].against or 0)) * compared[name].direction > 0 for name, value in said)
