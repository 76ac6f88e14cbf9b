"""A night without a model: the list comes from the rule and the promises."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from alerts.facts import RULED_COLUMNS
from alerts.policy import decide
from tests.alerts.world import RULES, next_night, people, states


def ruled(*rows: tuple[str, float]) -> pl.DataFrame:
    reason = {"code": "attendance", "feature": "unjustified_half_days_30", "value": 6.0, "contribution": 1.0, "previous_value": None}
    data = [(enrolment, [reason], strength) for enrolment, strength in rows]
    return pl.DataFrame(data, schema=RULED_COLUMNS, orient="row")


def test_whom_the_rule_calls_is_listed_without_a_risk_the_strongest_first() -> None:
    facts = people([0.9, 0.0, 0.0])
    blind = replace(facts, scores=facts.scores.clear(), by_rule=ruled(("001", 1.0), ("002", 2.0)))

    alerts = decide(blind, RULES).filter(pl.col("kind").cast(pl.String) == "dropout_risk")

    assert alerts.sort("rank")["enrolment_id"].to_list() == ["002", "001"]
    assert alerts["risk"].null_count() == 2
    assert set(alerts["suggested_action"]) == {"call_about_absences"}


def test_who_stood_on_the_risk_list_stays_there_and_is_not_cooled_down_for_it() -> None:
    facts = people([0.9, 0.0])
    first = decide(facts, RULES)
    second = next_night(facts, first)
    blind = decide(replace(second, scores=facts.scores.clear(), by_rule=ruled()), RULES)
    third = decide(next_night(second, blind), RULES)

    assert states(first) == {"000": "new"}
    assert states(blind) == states(third) == {"000": "sent"}


def test_without_a_rule_that_holds_promises_alone_are_listed() -> None:
    facts = people([0.9], owners=[None])

    alerts = decide(replace(facts, scores=facts.scores.clear(), by_rule=ruled()), RULES)

    assert set(alerts["kind"].cast(pl.String)) >= {"no_owner"}
    assert states(alerts) == {}
