"""The draw can be made again by anybody, and keeps its shares."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data_contracts.tables.experiments import Arms
from impact.experiments.allocation import allocate, draw, drawn_again
from impact.experiments.plan import Arm
from tests.impact.plans import CONTROL, START, TREATED, plan, units
from vigie.settings import ROOT

NONE = Arms.create_empty()
WEEK = dt.timedelta(days=7)
PARALLEL = {"by hash": plan(), "in blocks": plan(block_size=4)}
WEDGE = plan(design="stepped_wedge", unit="provider", steps=3, step_days=42, end=START + dt.timedelta(days=4 * 42 - 1), strata=())


def test_a_number_of_the_draw_is_plain_blake2_that_any_language_has() -> None:
    key = (7).to_bytes(16, "big")
    digest = hashlib.blake2b(b"essai\x1funit\x1fL00001", key=key, digest_size=8).digest()

    assert draw(plan(), "unit", "L00001") == (int.from_bytes(digest, "big") >> 11) / 2**53
    # Written down once: it must never change, on no machine.
    assert draw(plan(), "unit", "L00001") == pytest.approx(0.41478137744544163, abs=1e-15)


@pytest.mark.parametrize("design", PARALLEL)
def test_another_machine_draws_the_same(design: str) -> None:
    """Another process, with other hash seeds and the units in another order."""
    here = allocate(PARALLEL[design], units(200), NONE, START)
    program = (
        "import sys; from impact.experiments.allocation import allocate; from impact.experiments.plan import plan_from; "
        "from data_contracts.tables.experiments import Arms; from tests.impact.plans import START, units; "
        "made = allocate(plan_from(sys.argv[1]), units(200).reverse(), Arms.create_empty(), START); "
        "sys.stdout.write(made.sort('unit_id').write_csv())"
    )
    command = [sys.executable, "-c", program, PARALLEL[design].canonical]
    there = subprocess.run(command, cwd=ROOT, env={"PYTHONHASHSEED": "42"}, capture_output=True, text=True, check=True).stdout

    assert there == here.sort("unit_id").write_csv()


def test_another_seed_draws_otherwise() -> None:
    one, other = (allocate(plan(seed=seed), units(200), NONE, START)["arm"].to_list() for seed in (7, 8))

    assert one != other


@pytest.mark.parametrize("design", PARALLEL)
def test_newcomers_are_drawn_as_they_come_and_nobody_twice(design: str) -> None:
    first = allocate(PARALLEL[design], units(100), NONE, START)
    later = allocate(PARALLEL[design], units(150), first, START + WEEK)

    assert later.height == 50
    assert later["unit_id"].is_in(first["unit_id"].implode()).sum() == 0
    assert (later["allocated_on"] == START + WEEK).all()
    assert allocate(PARALLEL[design], units(150), pl.concat([first, later]), START + 2 * WEEK).is_empty()


def test_blocks_keep_the_shares_in_every_stratum_at_every_moment() -> None:
    chosen = plan(block_size=10, arms=(CONTROL.model_copy(update={"share": 0.3}), TREATED.model_copy(update={"share": 0.7})))
    first = allocate(chosen, units(30), NONE, START)
    arms = pl.concat([first, allocate(chosen, units(60), first, START + WEEK)])

    assert dict(arms.group_by("stratum").agg((pl.col("arm") == CONTROL.name).sum()).rows()) == {"est": 9, "nord": 9}


def test_a_hash_for_each_unit_keeps_the_shares_in_the_long_run() -> None:
    chosen = plan(arms=(CONTROL.model_copy(update={"share": 0.1}), TREATED.model_copy(update={"share": 0.9})))

    share = (allocate(chosen, units(4_000), NONE, START)["arm"] == CONTROL.name).mean()

    assert share == pytest.approx(0.1, abs=0.02)


def test_a_learner_is_put_off_for_one_horizon_a_hold_out_stays() -> None:
    hold = plan(
        design="holdout", end=None, arms=(Arm(name="t", treatment="held_out", share=0.1), Arm(name="l", treatment="usual", share=0.9))
    )

    assert set(allocate(plan(), units(10), NONE, START + WEEK)["applies_until"]) == {START + WEEK + dt.timedelta(days=28)}
    assert set(allocate(hold, units(10), NONE, START)["applies_until"]) == {None}


def test_steps_are_shared_out_and_each_crosses_on_its_day() -> None:
    arms = allocate(WEDGE, units(12, strata=("",)), NONE, START)

    assert dict(arms.group_by("arm").len().rows()) == {"step 1": 4, "step 2": 4, "step 3": 4}
    crossing = {row["arm"]: row["applies_until"] for row in arms.to_dicts()}
    assert crossing == {f"step {n}": START + dt.timedelta(days=42 * n - 1) for n in (1, 2, 3)}
    assert set(arms["treatment"].cast(pl.String)) == {"held_out"}


@pytest.mark.parametrize("chosen", [*PARALLEL.values(), WEDGE], ids=[*PARALLEL, "steps"])
def test_the_draw_made_again_equals_the_table_and_shows_what_was_changed(chosen: object) -> None:
    frozen = chosen if chosen is WEDGE else plan(block_size=4)
    first = allocate(frozen, units(40, strata=("",)), NONE, START)
    arms = first if frozen is WEDGE else pl.concat([first, allocate(frozen, units(60, strata=("",)), first, START + WEEK)])
    assert drawn_again(frozen, arms.sample(fraction=1, shuffle=True, seed=1)).is_empty()

    flipped = arms.with_columns(arm=pl.when(pl.col("unit_id") == "L00003").then(pl.lit("step 9")).otherwise("arm"))

    assert_frame_equal(drawn_again(frozen, flipped).select("unit_id"), pl.DataFrame({"unit_id": ["L00003"]}))
