"""The draw: from a plan and a unit's identifier to its arm, the same on any machine.

Every random number is BLAKE2b of (seed, experiment, words), keyed by nothing else: no state, no library's generator, nothing that a new
version could change. Whoever has the plan and the identifiers can make the draw again, in any language.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.tables.experiments import Arms

if TYPE_CHECKING:
    import dataframely as dy

    from impact.experiments.plan import Plan

_BYTES = 8


def draw(plan: Plan, *words: str) -> float:
    """A number in [0, 1) for these words: the first 53 of 64 bits of BLAKE2b, big-endian, over 2^53."""
    text = "\x1f".join((plan.experiment_id, *words))
    key = plan.seed.to_bytes(16, "big")
    number = int.from_bytes(hashlib.blake2b(text.encode(), key=key, digest_size=_BYTES).digest(), "big")
    return (number >> 11) / float(1 << 53)


def allocate(plan: Plan, units: pl.DataFrame, before: pl.DataFrame, as_of: dt.date) -> dy.DataFrame[Arms]:
    """Arms of units that have none yet.

    A hash for each unit, or permuted blocks within strata, dealt in the order of the draw's date and then of each unit's hash; for a
    stepped wedge, units of a stratum in the order of their hash are dealt out over the steps.

    Args:
        plan: frozen.
        units: unit_id, stratum, risk (null where there is none); one row a unit.
        before: `Arms` of this experiment so far; units among them are left as they are.
        as_of: the night before whose list the draw is made.
    """
    # A cryptographic hash has no vectorised form; each unit is drawn once in its life.
    new = (
        units.join(before.select("unit_id"), on="unit_id", how="anti")
        .with_columns(draw=pl.col("unit_id").map_elements(lambda unit: draw(plan, "unit", unit), return_dtype=pl.Float64))
        .sort("stratum", "draw", "unit_id")
    )
    deal = _stepped if plan.design == "stepped_wedge" else _parallel
    arms = deal(plan, new, before, as_of)
    columns = {name: column.dtype for name, column in Arms.columns().items()}
    rows = arms.with_columns(
        pl.col("risk").cast(pl.Float64), experiment_id=pl.lit(plan.experiment_id), unit=pl.lit(plan.unit), allocated_on=pl.lit(as_of)
    )
    rows = rows.with_columns(plan_hash=pl.lit(plan.fingerprint))
    return Arms.validate(rows.select(pl.col(name).cast(dtype) for name, dtype in columns.items()))


def _parallel(plan: Plan, new: pl.DataFrame, before: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    control, treated = plan.arms
    chosen = _in_blocks(plan, new, before) if plan.block_size else new.with_columns(is_control=pl.col("draw") < control.share)
    return chosen.with_columns(
        arm=pl.when("is_control").then(pl.lit(control.name)).otherwise(pl.lit(treated.name)),
        treatment=pl.when("is_control").then(pl.lit(control.treatment)).otherwise(pl.lit(treated.treatment)),
        applies_from=pl.lit(max(as_of, plan.start)),
        applies_until=pl.lit(_until(plan, as_of), dtype=pl.Date),
    )


def _until(plan: Plan, as_of: dt.date) -> dt.date | None:
    """A learner's turn on the list is put off for one horizon, no longer; a group follows its arm until the last horizon is over."""
    if plan.design == "holdout":
        return plan.end
    last = as_of if plan.unit == "learner" else plan.last_entry
    return last + dt.timedelta(days=plan.horizon_days)


def _in_blocks(plan: Plan, new: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    seen = before.group_by("stratum").agg(seen=pl.len())
    placed = new.join(seen, on="stratum", how="left", maintain_order="left").with_columns(
        place=pl.int_range(pl.len()).over("stratum") + pl.col("seen").fill_null(0)
    )
    placed = placed.with_columns(block=pl.col("place") // plan.block_size, slot=pl.col("place") % plan.block_size)
    controls = round(plan.block_size * plan.arms[0].share)
    order = pl.DataFrame(
        [
            (stratum, block, slot, place < controls)
            for stratum, block in placed.select("stratum", "block").unique().sort("stratum", "block").rows()
            for place, slot in enumerate(sorted(range(plan.block_size), key=lambda s: draw(plan, "block", stratum, str(block), str(s))))
        ],
        schema={"stratum": pl.String, "block": pl.Int64, "slot": pl.Int64, "is_control": pl.Boolean},
        orient="row",
    )
    return placed.join(order, on=["stratum", "block", "slot"], how="left", maintain_order="left")


def _stepped(plan: Plan, new: pl.DataFrame, before: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    seen = before.group_by("stratum").agg(seen=pl.len())
    placed = new.join(seen, on="stratum", how="left", maintain_order="left")
    # Strata begin at different steps, so that many small ones do not all fill the first step.
    first = pl.col("stratum").map_elements(lambda name: int(draw(plan, "stratum", name) * plan.steps), return_dtype=pl.Int64)
    step = (pl.int_range(pl.len()).over("stratum") + pl.col("seen").fill_null(0) + first) % plan.steps + 1
    crossing = pl.lit(plan.start) + pl.duration(days=step * plan.step_days)
    return placed.with_columns(
        arm=pl.format("step {}", step),
        treatment=pl.lit(plan.arms[0].treatment),
        applies_from=pl.lit(max(as_of, plan.start)),
        applies_until=crossing.cast(pl.Date) - pl.duration(days=1),
    )


def drawn_again(plan: Plan, arms: pl.DataFrame) -> pl.DataFrame:
    """The whole allocation made again from the plan, the identifiers and the dates of the draws: must equal `arms`.

    Returns:
        Rows of `arms` whose arm, treatment or dates the plan does not give; none when all is well.
    """
    made = arms.clear()
    for (as_of,), units in arms.sort("allocated_on").group_by("allocated_on", maintain_order=True):
        if isinstance(as_of, dt.date):
            made = pl.concat([made, allocate(plan, units.select("unit_id", "stratum", "risk"), made, as_of)])
    names = ["unit_id", "stratum", "arm", "treatment", "allocated_on", "applies_from", "applies_until", "plan_hash"]
    return arms.join(made.select(names), on=names, how="anti", nulls_equal=True)
