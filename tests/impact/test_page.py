"""What the page says in words of the figures it shows."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from impact import page, wording
from impact.experiments.words import points
from impact.practice import practices
from tests.impact.made import alert, day, enrolled, facts


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        ([0.1, 0.3], [0.2, 0.4], "davantage jointes"),
        ([0.3, 0.1], [0.4, 0.2], "moins jointes"),
        ([0.1, 0.15], [0.2, 0.3], "tient dans le hasard"),
    ],
)
def test_the_ends_of_risk_are_compared_with_their_intervals(low: list[float], high: list[float], said: str) -> None:
    assert said in page._read(np.array([0.2, 0.2]), np.array(low), np.array(high))
    assert "Trop peu de dixièmes" in page._read(np.array([0.2]), np.array(low[:1]), np.array(high[:1]))


def test_what_rounds_to_nothing_has_no_sign() -> None:
    shown = pl.select(wording.points(pl.Series([-0.0004, 0.0004, -0.0006, 0.021, None]))).to_series().to_list()

    assert shown == ["0,0", "0,0", "\N{MINUS SIGN}0,1", "+2,1", None]
    assert [points(value) for value in (-0.0004, 0.0004, -0.0006, 0.021)] == ["0,0", "0,0", "\N{MINUS SIGN}0,1", "+2,1"]


def test_practices_that_are_not_published_are_counted() -> None:
    keys = [f"reached{n:02d}" for n in range(30)] + [f"mediation{n}" for n in range(4)]
    people = [enrolled(key, "2025-12-01", "06-30") for key in keys]
    answers = [{"enrolment_id": key, "code": key.rstrip("0123456789"), "on": day("02-02"), "reason": "attendance"} for key in keys]
    told = practices(facts(people, as_of=dt.date(2026, 4, 10), answers=answers, alerts=[alert(keys[0], "02-18", "02-02", "sent")]), 30)

    made = page._practices(SimpleNamespace(practices=told), pl.col("unit"))  # type: ignore[arg-type]

    assert [name for name, _, _ in made] == ["practice_off_list", "practice_stayed"]
    for _, table, hidden in made:
        assert "Absences : échange" in table
        assert "médiation" not in table
        assert hidden == told.filter(~pl.col("shown")).height / 2 > 0
