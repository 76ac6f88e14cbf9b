"""What the score of a person says of itself."""

from __future__ import annotations

import polars as pl
import pytest

from models.scoring import low_confidence
from vigie.rules import read_rules
from vigie.settings import ROOT

RULES = read_rules(ROOT / "config").invariants
KNOWN = {"course_day": 40.0, "not_recorded_28": 0, "recorded_28": 40, "days_since_presence": 1.0, "days_since_activity": None}


@pytest.mark.parametrize(
    ("facts", "weak"),
    [
        ({}, False),
        ({"course_day": 13.0}, True),
        ({"course_day": 14.0}, False),
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
