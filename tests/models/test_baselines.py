"""Rules that stand in for a model call those who fell silent, and nobody who came to class."""

from __future__ import annotations

import polars as pl

from models.baselines import by_rule, rule_flag, rule_score
from vigie.rules import read_rules
from vigie.settings import ROOT

RULES = read_rules(ROOT / "config").invariants
NAMES = (
    "enrolment_id",
    "unjustified_half_days_30",
    "last_work_missed",
    "days_since_presence",
    "days_since_activity",
    "course_day",
)


def night(*people: tuple[str, int | None, int, int | None, int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [(*one, 60) for one in people],
        schema={name: pl.String if name == "enrolment_id" else pl.Float64 for name in NAMES},
        orient="row",
    )


def test_missed_work_calls_nobody_who_was_seen_in_class_or_online() -> None:
    rows = night(
        ("came yesterday, no platform", 0, 1, 1, None),
        ("online yesterday, no sheets", None, 1, None, 1),
        ("in class long ago, online since", 0, 1, 30, 2),
        ("no work missed", 0, 0, 30, 30),
        ("silent on both", 0, 1, 14, 20),
        ("last seen online", 0, 1, 25, 21),
        ("never seen", None, 1, None, None),
        ("absent", 6, 0, 12, None),
    )

    assert rows.filter(rule_flag(RULES))["enrolment_id"].to_list() == ["silent on both", "last seen online", "never seen", "absent"]

    called = by_rule(rows, RULES).with_columns(fact=pl.col("reasons").list.first())
    assert called.select(
        "enrolment_id", pl.col("fact").struct.field("feature"), pl.col("fact").struct.field("value"), "strength"
    ).rows() == [
        ("silent on both", "days_since_presence", 14.0, 2.0),
        ("last seen online", "days_since_activity", 21.0, 3.0),
        ("never seen", "last_work_missed", 1.0, 4.0),
        ("absent", "unjustified_half_days_30", 6.0, 2.0),
    ]
    ranks = dict(rows.select("enrolment_id", rule_score()).rows())
    assert ranks["silent on both"] > ranks["came yesterday, no platform"]
