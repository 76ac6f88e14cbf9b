"""What the night's decisions rest on, read from a warehouse."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from alerts.facts import Facts, Said, read_facts
from alerts.silence import silenced
from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from tests.alerts.world import DAY, NO_PAST, RULES, people, said
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

ZONE = "Europe/Paris"


def known(folder: Path, table: str, *rows: dict[str, object]) -> Facts:
    """Facts of a warehouse that holds these rows alone."""
    stored = layout(TABLES[table])
    own = {"known_on_assumed": False, "withdrawn": False}
    frame = pl.DataFrame([own | row for row in rows], schema=dict(stored.columns)).with_row_index("line", 1).cast({"line": pl.Int64})
    with Warehouse(folder / "warehouse.duckdb") as warehouse:
        warehouse.append_layers(stored, frame, 1)
        return read_facts(warehouse, DAY, people([]).scores, NO_PAST, Said(), RULES, ZONE)


def test_a_contact_after_midnight_is_of_that_day_where_the_service_is(tmp_path: Path) -> None:
    # Asked to be left alone on the 3rd; wrote at half past midnight on the 4th, in Paris: still the 3rd in UTC.
    wrote = dt.datetime(2026, 3, 3, 23, 30, tzinfo=dt.UTC)
    contact = {
        "contact_id": "c",
        "learner_id": "L000",
        "occurred_at": wrote,
        "channel": "email",
        "direction": "inbound",
        "outcome": "unknown",
    }
    facts = known(tmp_path, "contacts", contact | {"known_on": wrote})
    row = pl.DataFrame({"kind": ["post_exit_contact_due"], "learner_id": ["L000"], "enrolment_id": ["000"]})

    alone = replace(facts, said=said(("000", "left_alone", dt.date(2026, 3, 3))))

    assert facts.contacts["on"].to_list() == [dt.date(2026, 3, 4)]
    assert row.select(silenced(alone, RULES.invariants)).item() is False
    before = replace(alone, said=said(("000", "left_alone", dt.date(2026, 3, 4))))
    assert row.select(silenced(before, RULES.invariants)).item() is True


def test_an_advisor_joins_an_operator_on_the_day_it_is_where_the_service_is(tmp_path: Path) -> None:
    advisor = {"advisor_id": "A", "territory_id": "T", "active_from": dt.date(2020, 1, 1)}
    moved = dt.datetime(2026, 2, 1, 23, 30, tzinfo=dt.UTC)

    facts = known(
        tmp_path,
        "advisors",
        advisor | {"operator": "one", "known_on": moved - dt.timedelta(days=30)},
        advisor | {"operator": "other", "known_on": moved},
    )

    assert facts.advisors["joined_on"].to_list() == [dt.date(2026, 2, 2)]
