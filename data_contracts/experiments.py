"""Where arms and plans are kept, and what an arm means for an enrolment on a night. Read by alerts and impact alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.ingest import ledger_layout
from data_contracts.known import known_at
from data_contracts.tables.experiments import Arms, Plans
from data_contracts.vocabulary import UNIT

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
    units = units_of(warehouse, as_of, time_zone)
    found = arms.with_columns(pl.col("unit", "treatment").cast(pl.String)).join(units, on=["unit", "unit_id"])
    return found.select(none.columns).sort(none.columns)


def practices(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """Practices under trial on the night of `as_of`: what a list asks of whom, for a reason, in place of the usual.

    Returns:
        experiment_id, enrolment_id, reason, action; one row for each enrolment and reason.
    """
    tried = [
        (row["experiment_id"], arm["name"], arm["practice"]["reason"], arm["practice"]["action"])
        for row in warehouse.read(PLANS).to_dicts()
        for arm in json.loads(row["plan"])["arms"]
        if "practice" in arm
    ]
    schema = dict.fromkeys(("experiment_id", "arm", "reason", "action"), pl.String)
    arms = warehouse.read(ARMS).join(pl.DataFrame(tried, schema=schema, orient="row"), on=["experiment_id", "arm"])
    until = pl.col("applies_until").fill_null(as_of)
    arms = arms.filter(pl.lit(as_of).is_between("applies_from", until)).with_columns(pl.col("unit").cast(pl.String))
    columns = ["experiment_id", "enrolment_id", "reason", "action"]
    if arms.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    found = arms.join(units_of(warehouse, as_of, time_zone), on=["unit", "unit_id"]).select(columns).sort(columns)
    return found.unique(["enrolment_id", "reason"], keep="first", maintain_order=True)


def units_of(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """What each enrolment may be randomised as, as known at the end of `as_of`.

    Returns:
        enrolment_id, unit (learner, session, provider, territory), unit_id: four rows an enrolment.
    """
    known = known_at(warehouse, as_of, time_zone)
    sessions = known("sessions", "session_id", "provider_id", "territory_id")
    people = known("enrolments", "enrolment_id", "learner_id", "session_id").join(sessions, on="session_id", how="left")
    return pl.concat(people.select("enrolment_id", unit=pl.lit(unit), unit_id=f"{unit}_id") for unit in UNIT)
