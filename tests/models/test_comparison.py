"""What a version's evidence says of the places where it was not proven above the session rate."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from models.comparison import EVIDENCE_FILE, behind

if TYPE_CHECKING:
    from pathlib import Path


def test_a_place_is_behind_where_nothing_was_proven_or_could_be(tmp_path: Path) -> None:
    lows = {"ahead": 0.01, "equal": 0.0, "below": -0.2, "unknown": None, "undefined": float("nan")}
    places = [{"level": "provider", "place": name, "low": low, "rows": 40} for name, low in lows.items()]
    (tmp_path / EVIDENCE_FILE).write_text(json.dumps({"last": "2026-02-01", "places": places}), encoding="utf-8")

    found = behind(tmp_path, dt.date(2026, 3, 1), 28)

    assert found.rows() == [("provider", name) for name in ("equal", "below", "unknown", "undefined")]
    # What became of people was not known the night before.
    assert behind(tmp_path, dt.date(2026, 2, 28), 28).is_empty()


BROKEN = ("null", "[]", "3", "x", '["x"]', '{"a": 1}', '[{"level": "provider"}]', '[{"level": "provider", "place": "P", "low": "x"}]')


@pytest.mark.parametrize(
    "text", [None, "", "{", "null", "[]", "{}", "[" * 100_000, *(f'{{"last": "2026-02-01", "places": {places}}}' for places in BROKEN)]
)
def test_evidence_that_is_lost_or_damaged_holds_no_place_behind(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / EVIDENCE_FILE).write_text(text, encoding="utf-8")

    found = behind(tmp_path, dt.date(2026, 3, 1), 28)

    assert found.rows() == []
    assert found.columns == ["level", "place"]
