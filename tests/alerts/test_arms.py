"""What an arm changes on the lists, and what goes before it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from alerts.inbox.words import STATES
from alerts.policy import decide
from data_contracts.experiments import ARMS, PLANS, practices, treatments
from data_contracts.tables.experiments import Arms, Plans
from tests.alerts.world import DAY, RULES, contacts, people, states
from vigie.store import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE = pl.DataFrame({"enrolment_id": ["000"]})
YESTERDAY = DAY - dt.timedelta(days=1)


def test_somebody_held_out_who_asks_is_called_back() -> None:
    facts = replace(people([0.5]), held_out=ONE, contacts=contacts(("L000", YESTERDAY, "inbound", "left_message", "other")))

    alerts = decide(facts, RULES)

    assert states(alerts) == {"000": "held_out"}
    assert states(alerts, "learner_request") == {"000": "new"}


def test_whom_an_arm_puts_first_stands_before_a_higher_risk_and_shows_nothing_of_it() -> None:
    facts = people([0.10, 0.20])

    usual, first = decide(facts, RULES), decide(replace(facts, put_first=ONE), RULES)

    def order(alerts: pl.DataFrame) -> list[str]:
        return alerts.filter(pl.col("kind") == "dropout_risk").sort("rank")["enrolment_id"].to_list()

    assert (order(usual), order(first)) == (["001", "000"], ["000", "001"])
    assert (
        first.sort("enrolment_id")
        .select("risk", "state", "suggested_action")
        .equals(usual.sort("enrolment_id").select("risk", "state", "suggested_action"))
    )


def test_being_put_first_goes_before_no_request() -> None:
    asked = contacts(("L001", YESTERDAY, "inbound", "left_message", "other"))

    alerts = decide(replace(people([0.9, 0.1]), put_first=ONE, contacts=asked), RULES)

    assert alerts.sort("rank").row(0, named=True)["kind"] == "learner_request"


def test_the_page_tells_those_held_out_like_those_who_wait() -> None:
    assert STATES["held_out"] == STATES["over_capacity"] == STATES["repeat_suppressed"]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "w.duckdb", threads=1) as opened:
        yield opened


def arm(unit: str, unit_id: str, treatment: str, first: dt.date, until: dt.date | None) -> dict[str, object]:
    return {
        "experiment_id": "essai",
        "unit_id": unit_id,
        "unit": unit,
        "stratum": "",
        "arm": "x",
        "treatment": treatment,
        "allocated_on": first,
        "applies_from": first,
        "applies_until": until,
        "risk": None,
        "plan_hash": "0" * 64,
    }


def test_an_arm_reaches_enrolments_through_its_unit_on_its_days_and_only_once_drawn(warehouse: Warehouse) -> None:
    from data_contracts.catalogue import TABLES
    from data_contracts.ingest import layout

    known = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    places = {"S1": ("P1", "T1"), "S2": ("P2", "T1"), "S3": ("P3", "T2")}
    for table, rows in (
        ("enrolments", [{"enrolment_id": f"E{n}", "learner_id": f"L{n}", "session_id": f"S{n}"} for n in (1, 2, 3)]),
        ("sessions", [{"session_id": s, "provider_id": p, "territory_id": t} for s, (p, t) in places.items()]),
    ):
        shape = layout(TABLES[table])
        frame = pl.DataFrame(rows).with_columns(known_on=pl.lit(known), line=pl.int_range(1, pl.len() + 1))
        whole = frame.with_columns(withdrawn=pl.lit(value=False)).with_columns(
            pl.lit(None, dtype=dtype).alias(name) for name, dtype in shape.columns.items() if name not in {*frame.columns, "withdrawn"}
        )
        warehouse.append_layers(shape, whole.with_columns(pl.col("known_on").cast(pl.Datetime("us", "UTC"))), 1)
    day = dt.date(2026, 3, 4)
    week = dt.timedelta(days=7)
    warehouse.create_ledger(ARMS)
    rows = [
        arm("learner", "L1", "held_out", day, day + week),
        arm("provider", "P2", "first", day, None),
        arm("territory", "T2", "held_out", day + week, day + 2 * week),
        arm("session", "S1", "usual", day, None),
        arm("learner", "L2", "held_out", day + week, None),
    ]
    warehouse.append(ARMS.name, Arms.validate(pl.DataFrame(rows, schema=dict(ARMS.columns)), cast=True))

    def said(on: dt.date) -> list[tuple[str, str]]:
        return treatments(warehouse, on, "Europe/Paris").select("enrolment_id", "treatment").rows()

    arms = [{"name": "x", "practice": {"reason": "attendance", "action": "take_stock"}}, {"name": "y"}]
    frozen = {"experiment_id": "essai", "plan": json.dumps({"arms": arms}), "plan_hash": "0" * 64, "analysis_hash": "0" * 64}
    frozen |= {"analysis": "a", "frozen_at": known, "rehearsal": True}
    warehouse.create_ledger(PLANS)
    warehouse.append(PLANS.name, Plans.validate(pl.DataFrame([frozen], schema=dict(PLANS.columns))))

    def tried(on: dt.date) -> list[tuple[str, ...]]:
        return practices(warehouse, on, "Europe/Paris").rows()

    assert tried(day - dt.timedelta(days=1)) == []
    # Through the learner and the session at once: told once.
    assert tried(day) == [("essai", name, "attendance", "take_stock") for name in ("E1", "E2")]
    assert said(day - dt.timedelta(days=1)) == []
    assert said(day) == [("E1", "held_out"), ("E2", "first")]
    assert said(day + week) == [("E1", "held_out"), ("E2", "first"), ("E2", "held_out"), ("E3", "held_out")]
    assert said(day + 3 * week) == [("E2", "first"), ("E2", "held_out")]


def test_where_it_was_so_decided_the_effect_of_a_call_ranks_on_the_scale_of_the_risk() -> None:
    facts = people([0.4, 0.2, 0.3, 0.1])
    effect = pl.DataFrame({"enrolment_id": ["000", "001", "002", "003"], "avoided": [0.0, 0.06, 0.03, 0.01]})

    usual, ranked = decide(facts, RULES), decide(replace(facts, avoided=effect), RULES)

    first, last = (told.sort("priority", descending=True)["enrolment_id"].to_list() for told in (ranked, usual))
    assert (first, last) == (["001", "002", "003", "000"], ["000", "002", "001", "003"])
    # As much weight in all as the risks had, so that promises stand where they stood.
    assert ranked["priority"].sum() == pytest.approx(usual["priority"].sum())
    # Nobody would be helped: the risk ranks, and nothing is divided by zero.
    nothing = effect.with_columns(avoided=pl.lit(0.0))
    assert decide(replace(facts, avoided=nothing), RULES).equals(usual)


def test_somebody_without_an_estimated_effect_is_ranked_by_risk() -> None:
    facts = people([0.4, 0.2])
    effect = pl.DataFrame({"enrolment_id": ["001"], "avoided": [0.05]})

    ranked = decide(replace(facts, avoided=effect), RULES)

    assert ranked.equals(decide(facts, RULES))


def test_a_practice_under_trial_changes_what_is_asked_for_that_reason_and_nothing_else() -> None:
    facts = people([0.4, 0.3])
    subject = facts.scores["reasons"][0][0]["code"]
    usual = decide(facts, RULES)

    def tried(reason: str) -> pl.DataFrame:
        return decide(
            replace(facts, suggested=pl.DataFrame({"enrolment_id": ["000"], "reason": [reason], "action": ["take_stock"]})), RULES
        )

    assert tried(subject)["suggested_action"].to_list() == ["take_stock", usual["suggested_action"][1]]
    assert tried(subject).drop("suggested_action").equals(usual.drop("suggested_action"))
    assert tried("some other reason").equals(usual)
