"""The decision to rank people by what a call would change, where an experiment showed that it avoids more dropouts than ranking by risk.

An experiment only tells that it may be done; somebody decides, with a written reason, and may take it back. Every decision is kept, and
the last one made by a night's date holds for that night, so that a night run again decides the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from impact.experiments.outcomes import effect_covariates, elapsed
from impact.experiments.plan import ExperimentError
from impact.experiments.uplift import Effect
from vigie.clock import end_of_day
from vigie.files import write_whole_text

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from impact.experiments.register import Frozen
    from vigie.store import Warehouse

FILE: Final = "priority.jsonl"
"""A decision a line, oldest first."""


def adopt(folder: Path, frozen: Frozen, results: Mapping[str, Any], today: dt.date, reason: str) -> None:
    """Rank by effect from the night of `today` on, as an analysis of this experiment allows.

    Args:
        folder: where the papers of all experiments lie.
        frozen: the experiment.
        results: `results.json` of its analysis.
        today: of the decision.
        reason: written, kept for ever.

    Raises:
        ExperimentError: a rehearsal, an early look, another plan, a changed draw, a permanent hold-out, or no proof that ranking by
            effect does better.
    """
    told, name = results["ranking_by_effect"], frozen.plan.experiment_id
    faults = {
        "it was a rehearsal, which proves nothing": frozen.rehearsal,
        "these results are of another plan": results["plan_hash"] != frozen.plan.fingerprint,
        "it was looked at before its day": results["interim"],
        "a permanent hold-out may be looked at until chance favours it": frozen.plan.design == "holdout",
        "its draw was changed, or was not made again: analyse it once more": results.get("altered") != 0,
        "ranking by effect was not shown to avoid more dropouts than ranking by risk": not (told and told["use"]),
    }
    found = [fault for fault, holds in faults.items() if holds]
    if found:
        raise ExperimentError(f"{name} does not allow ranking by effect: {'; '.join(found)}.", "The priority stays that of the risk.")
    _decide(folder, today, reason, {"experiment_id": name, "plan_hash": results["plan_hash"], "effect": told["effect"]})


def withdraw(folder: Path, today: dt.date, reason: str) -> None:
    """Rank by risk again from the night of `today` on."""
    _decide(folder, today, reason, {"effect": None})


def _decide(folder: Path, today: dt.date, reason: str, what: dict[str, Any]) -> None:
    if not reason.strip():
        raise ExperimentError("A change of the priority needs a written reason.", 'Add --reason "…".')
    line = json.dumps({"on": today.isoformat(), "reason": reason, **what}, ensure_ascii=False) + "\n"
    path = folder / FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_whole_text(path, before + line)


def in_force(folder: Path, as_of: dt.date) -> Effect | None:
    """The effect that ranks the night of `as_of`; None where the risk does."""
    path = folder / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    made = [decision for decision in map(json.loads, lines) if decision["on"] <= as_of.isoformat()]
    effect = made[-1]["effect"] if made else None
    return Effect(**{key: tuple(values) for key, values in effect.items()}) if effect else None


def avoided(warehouse: Warehouse, effect: Effect, scores: pl.DataFrame, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """Chance of a dropout that being on the list takes away, for everybody scored: enrolment_id, avoided (0 where it would not help)."""
    courses = warehouse.as_known_at(
        layout(TABLES["enrolments"]), end_of_day(as_of, time_zone), columns=["enrolment_id", "entry_date", "planned_exit_date"]
    )
    rows = scores.select("enrolment_id", "risk").join(courses, on="enrolment_id", maintain_order="left")
    rows = rows.with_columns(elapsed=elapsed(pl.lit(as_of)))
    return rows.select("enrolment_id", avoided=pl.Series(np.maximum(effect.of(effect_covariates(rows)), 0.0)))
