"""Who was erased is known again by a keyed hash, and by nothing else."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING

import polars as pl
import pytest

from vigie.erasures import Erasures, Supposed
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a key of thirty-two characters, or more"
ON = dt.date(2026, 3, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "erased.jsonl"


def held(erased: Erasures | Supposed, *ids: str | None) -> list[bool]:
    return erased.holds("learner", pl.Series(ids, dtype=pl.String)).to_list()


def test_whoever_was_erased_is_known_again_by_another_process_with_the_key(path: Path) -> None:
    assert Erasures(path, KEY).remember({"learner": ["L1", "L2", "L1"]}, ON, "asked") == 2
    again = Erasures(path, KEY)
    assert held(again, "L1", " L2 ", "L3", None) == [True, True, False, False]
    assert again.holds("enrolment", pl.Series(["L1"])).to_list() == [False]
    assert (len(again), bool(again), again.since(ON), again.since(ON - dt.timedelta(days=1))) == (2, True, 0, 2)
    assert again.remember({"learner": ["L2"]}, ON, "age") == 0


def test_nothing_in_the_file_tells_who_without_the_key(path: Path) -> None:
    Erasures(path, KEY).remember({"learner": ["L1"]}, ON, "asked")
    text = path.read_text(encoding="utf-8")
    assert "L1" not in text
    assert hashlib.sha256(b"learner:L1").hexdigest() not in text
    assert KEY not in text


@pytest.mark.parametrize(("key", "said"), [("", "is not set"), ("another key of thirty-two characters..", "is not the key")])
def test_another_key_or_none_would_let_them_come_back_and_is_refused(path: Path, key: str, said: str) -> None:
    Erasures(path, KEY).remember({"learner": ["L1"]}, ON, "asked")
    with pytest.raises(ConfigurationError, match=said):
        Erasures(path, key)


@pytest.mark.parametrize("key", ["", "x" * 31])
def test_nobody_is_remembered_by_a_key_that_can_be_guessed(path: Path, key: str) -> None:
    erased = Erasures(path, key)
    assert not erased
    with pytest.raises(ConfigurationError, match="32 characters"):
        erased.remember({"learner": ["L1"]}, ON, "asked")
    assert not path.exists()


def test_a_service_that_erased_nobody_needs_no_key(path: Path) -> None:
    assert held(Erasures(path), "L1") == [False]
    assert Erasures(path, KEY).remember({"learner": []}, ON, "asked") == 0
    assert not path.exists()


def test_a_backup_learns_who_was_erased_since(path: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.jsonl"
    Erasures(path, KEY).remember({"learner": ["L1"]}, ON, "asked")
    Erasures(newer, KEY).remember({"learner": ["L1", "L2"]}, ON, "asked")
    older = Erasures(path, KEY)
    older.take_over(newer)
    assert held(older, "L1", "L2", "L3") == [True, True, False]
    assert len(Erasures(path, KEY)) == 2


def test_somebody_who_comes_back_is_forgotten_among_the_erased_but_not_their_former_courses(path: Path) -> None:
    erased = Erasures(path, KEY)
    erased.remember({"enrolment": ["L1"]}, ON, "asked")
    erased.remember({"learner": ["L1", "L2"]}, ON, "asked")
    erased.remember({"names": ["L1"]}, ON, "age")
    assert erased.forget("L1")
    assert not erased.forget("L1")
    again = Erasures(path, KEY)
    assert held(again, "L1", "L2") == [False, True]
    assert again.holds("names", pl.Series(["L1"])).to_list() == [False]
    assert again.holds("enrolment", pl.Series(["L1"])).to_list() == [True]


def test_a_dry_run_supposes_them(path: Path) -> None:
    assert held(Supposed({"learner": ["L1"]}), "L1", "L2", None) == [True, False, False]
    assert not path.exists()


def test_whose_names_went_by_age_is_named_again_once_they_enrol_after_that_day_and_nobody_else(path: Path) -> None:
    Erasures(path, KEY).remember({"names": ["L1", "L2", "L3"], "learner": ["L4"]}, ON, "age")
    Erasures(path, KEY).remember({"names": ["L5"]}, ON + dt.timedelta(days=9), "age")
    rows = [
        ("L1", ON),
        (" L1 ", ON + dt.timedelta(days=1)),
        ("L2", ON),
        ("L3", None),
        *((who, ON + dt.timedelta(days=9)) for who in ("L4", "L5")),
    ]
    courses = pl.DataFrame(rows, schema={"learner_id": pl.String, "on": pl.Date}, orient="row")

    assert Erasures(path, KEY).enrol_anew(courses) == 1

    again = Erasures(path, KEY)
    assert again.holds("names", pl.Series(["L1", "L2", "L3", "L5"])).to_list() == [False, True, True, True]
    assert held(again, "L4") == [True]
    assert again.enrol_anew(courses) == 0
