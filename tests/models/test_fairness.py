"""Groups of those judged are those they belonged to then, not those that their exit put them in."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from models.fairness import read_audit
from tests.models.test_landmarks import layers
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

MONDAY = dt.date(2025, 3, 3)


def test_an_owner_who_came_after_the_exit_makes_no_group(tmp_path: Path) -> None:
    after, later = MONDAY + dt.timedelta(days=30), MONDAY + dt.timedelta(days=90)
    with Warehouse(tmp_path / "w.duckdb", threads=1) as warehouse:
        post = {"name": "N", "email": "n@example.org", "territory_id": "T", "weekly_capacity": 10, "active_from": MONDAY}
        layers(warehouse, "advisors", *(post | {"advisor_id": who, "operator": who} for who in ("before", "aftercare")))
        before = {"valid_from": MONDAY, "valid_to": after, "advisor_id": "before"}
        layers(warehouse, "assignments", *(before | {"learner_id": who} for who in ("left", "moved")))
        layers(
            warehouse,
            "assignments",
            *(({"learner_id": who, "valid_from": after + dt.timedelta(days=1), "advisor_id": "aftercare"}) for who in ("left", "moved")),
        )
        judged = pl.DataFrame({"learner_id": ["left", "left", "moved"], "as_of": [MONDAY, MONDAY + dt.timedelta(days=7), later]})

        found = read_audit(warehouse, later, "Europe/Paris", judged)

    assert dict(found.select("learner_id", "operator").rows()) == {"left": "before", "moved": "aftercare"}
