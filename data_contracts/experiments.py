"""Where arms and plans are kept, and what an arm means for an enrolment on a night. Read by alerts and impact alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout, ledger_layout
from data_contracts.tables.experiments import Arms, Plans
from data_contracts.vocabulary import UNIT
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt

    from vigie.store import Warehouse

PLANS = ledger_layout("plans", Plans)
ARMS = ledger_layout("arms", Arms)


def treatments(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """What arms ask for on the night of `as_of`: one row for each enrolment and experiment that changes its place on the list.

    An arm holds from the night of its draw on, never before: a night run again after later ones decides the same.

    Returns:
        experiment_id, enrolment_id, treatment (text: held_out or first).
    """
    none = pl.DataFrame(schema={"experiment_id": pl.String, "enrolment_id": pl.String, "treatment": pl.String})
    arms = warehouse.read(ARMS).filter(
        pl.lit(as_of) >= pl.col("applies_from"),
        pl.col("applies_until").is_null() | (pl.col("applies_until") >= as_of),
        pl.col("treatment") != "usual",
    )
    if arms.is_empty():
        return none
    units = units_of(warehouse, as_of, time_zone).select("enrolment_id", "unit", "unit_id")
    found = arms.with_columns(pl.col("unit", "treatment").cast(pl.String)).join(units, on=["unit", "unit_id"])
    return found.select(none.columns).sort(none.columns)


def units_of(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """What each enrolment may be randomised as, as known at the end of `as_of`.

    Returns:
        enrolment_id, entry_date, planned_exit_date, unit (learner, session, provider, territory), unit_id: four rows an enrolment.
    """
    instant = end_of_day(as_of, time_zone)
    columns = ["enrolment_id", "learner_id", "session_id", "entry_date", "planned_exit_date"]
    enrolments = warehouse.as_known_at(layout(TABLES["enrolments"]), instant, columns=columns)
    sessions = warehouse.as_known_at(layout(TABLES["sessions"]), instant, columns=["session_id", "provider_id", "territory_id"])
    people = enrolments.join(sessions, on="session_id", how="left")
    kept = ("enrolment_id", "entry_date", "planned_exit_date")
    return pl.concat(people.select(*kept, unit=pl.lit(unit), unit_id=f"{unit}_id") for unit in UNIT)
