"""What the score of a person says of itself."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from models.scoring import low_confidence
from models.unheard import not_raised
from tests.conftest import NIGHT
from vigie.rules import read_rules
from vigie.settings import ROOT

if TYPE_CHECKING:
    from pipelines.service import Service

RULES = read_rules(ROOT / "config").invariants
KNOWN = {
    "course_day": 40.0,
    "not_recorded_28": 0,
    "recorded_28": 40,
    "days_since_presence": 1.0,
    "days_since_activity": None,
    "days_off_sheets": None,
}


@pytest.mark.parametrize(
    ("facts", "weak"),
    [
        ({}, False),
        ({"course_day": 13.0}, True),
        ({"course_day": 14.0}, False),
        ({"days_off_sheets": 0.0}, False),
        ({"days_off_sheets": 8.0}, True),
        ({"not_recorded_28": 21, "recorded_28": 19}, True),
        ({"not_recorded_28": 20, "recorded_28": 20}, False),
        ({"days_since_presence": float(RULES.silence_days - 1)}, False),
        ({"days_since_presence": float(RULES.silence_days)}, True),
        ({"days_since_presence": float(RULES.silence_days), "days_since_activity": 2.0}, False),
        ({"days_since_presence": None, "course_day": float(RULES.silence_days - 1)}, False),
        # Never seen: silent since the entry.
        ({"days_since_presence": None, "course_day": float(RULES.silence_days)}, True),
    ],
)
def test_a_score_is_weak_where_the_course_begins_sheets_are_missing_or_no_trace_was_left_for_long(
    facts: dict[str, float | None], *, weak: bool
) -> None:
    schema = {name: pl.Int32 if name.endswith("_28") else pl.Float64 for name in KNOWN}
    row = pl.DataFrame([KNOWN | facts], schema=schema)

    assert row.select(low_confidence(RULES)).item() is weak


def test_an_estimate_of_an_earlier_night_undoes_no_correction_since(served: Service) -> None:
    tonight = pl.read_parquet(served.home.out(NIGHT) / "scores.parquet")
    week = dt.timedelta(days=7)
    before = tonight.with_columns(pl.col("as_of") - week, pl.col("risk") / 2, territory_id=pl.lit("before"), session_id=pl.lit("before"))
    heard = tonight.select("enrolment_id", heard_on=pl.col("as_of") - week)

    found = not_raised(pl.concat([before, tonight]), heard, NIGHT)

    assert (found["risk"] - tonight["risk"] / 2).abs().max() == 0
    for name in ("learner_id", "session_id", "territory_id"):
        assert found[name].equals(tonight[name]), name
