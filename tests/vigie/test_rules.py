from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from vigie.errors import ConfigurationError
from vigie.rules import read_rules
from vigie.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path / "config"


def test_a_territory_changes_what_is_free_and_keeps_the_rest(config: Path) -> None:
    (config / "territories" / "nord.toml").write_text('queue_capacity = 7\n[actions]\nfind_owner = "Voir avec le pôle."\n')

    rules = read_rules(config)

    assert rules.of("nord").queue_capacity == 7
    assert rules.of("nord").actions["find_owner"] == "Voir avec le pôle."
    assert rules.of("nord").actions["take_stock"] == rules.default.actions["take_stock"]
    assert rules.of("unknown") == rules.default


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("cool_down_days = 1", "same in the whole country"),
        ("queue_capacity = -1", "queue_capacity"),
        ("colour = 'red'", "colour"),
        ("queue_capacity = ", "not valid TOML"),
    ],
)
def test_a_territory_cannot_change_an_invariant_or_invent_a_key(config: Path, line: str, message: str) -> None:
    (config / "territories" / "nord.toml").write_text(line)

    with pytest.raises(ConfigurationError, match=message):
        read_rules(config)


@pytest.mark.parametrize(("rule", "usual", "other"), [("attendance_rule_days", 30, 21), ("horizon_days", 28, 42)])
def test_days_that_no_column_counts_or_no_screen_words_are_refused_before_the_night(
    config: Path, rule: str, usual: int, other: int
) -> None:
    national = config / "national.toml"
    national.write_text(national.read_text().replace(f"{rule} = {usual}", f"{rule} = {other}"))

    with pytest.raises(ConfigurationError, match=rule):
        read_rules(config)


def test_a_missing_national_file_says_where_it_should_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"national\.toml is missing") as told:
        read_rules(tmp_path)

    assert told.value.remedy == "Set VIGIE_CONFIG to the folder that holds national.toml."
