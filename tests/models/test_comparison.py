"""What a version's evidence says of the places where it was not proven above the session rate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from models.comparison import EVIDENCE_FILE, behind

if TYPE_CHECKING:
    from pathlib import Path


def test_a_place_is_behind_where_nothing_was_proven_or_could_be(tmp_path: Path) -> None:
    lows = {"ahead": 0.01, "equal": 0.0, "below": -0.2, "unknown": None, "undefined": float("nan")}
    places = [{"level": "provider", "place": name, "low": low, "rows": 40} for name, low in lows.items()]
    (tmp_path / EVIDENCE_FILE).write_text(json.dumps({"places": places}), encoding="utf-8")

    assert behind(tmp_path).rows() == [("provider", name) for name in ("equal", "below", "unknown", "undefined")]


@pytest.mark.parametrize("text", [None, "", "{", "{}", '{"places": [{"level": "provider"}]}'])
def test_evidence_that_is_lost_or_damaged_holds_no_place_behind(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / EVIDENCE_FILE).write_text(text, encoding="utf-8")

    assert behind(tmp_path).rows() == []
    assert behind(tmp_path).columns == ["level", "place"]
