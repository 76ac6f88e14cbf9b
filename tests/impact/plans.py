"""Plans that tests start from."""

from __future__ import annotations

import datetime as dt

import polars as pl

from impact.experiments.plan import Arm, Plan

START = dt.date(2026, 1, 5)
CONTROL, TREATED = Arm(name="liste différée", treatment="held_out", share=0.5), Arm(name="liste habituelle", treatment="usual", share=0.5)


def plan(**changes: object) -> Plan:
    """A plan that stands, with some keys changed."""
    keys: dict[str, object] = {
        "experiment_id": "essai",
        "title": "Essai",
        "question": "La liste aide-t-elle ?",
        "decided_by": "comité",
        "unit": "learner",
        "design": "individual",
        "arms": (CONTROL, TREATED),
        "strata": ("territory_id",),
        "seed": 7,
        "start": START,
        "end": dt.date(2026, 6, 30),
        "horizon_days": 28,
        "expected_effect": -0.03,
    }
    return Plan.model_validate(keys | changes)


def units(number: int, strata: tuple[str, ...] = ("est", "nord"), first: int = 0) -> pl.DataFrame:
    rows = [(f"L{n:05d}", strata[n % len(strata)], 0.1) for n in range(first, first + number)]
    return pl.DataFrame(rows, schema={"unit_id": pl.String, "stratum": pl.String, "risk": pl.Float64}, orient="row")
