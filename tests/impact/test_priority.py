"""Ranking by effect is decided by somebody, on proof alone, and can be taken back; no night before the decision changes."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from impact.experiments.plan import Arm, ExperimentError
from impact.experiments.preanalysis import preanalysis
from impact.experiments.priority import adopt, in_force, withdraw
from impact.experiments.register import Frozen
from impact.experiments.uplift import Effect, fitted
from tests.impact.plans import plan

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.date(2026, 9, 2)
EFFECT = Effect((-2.0, 0.5), (0.8, 0.3), (0.03, 0.02, -0.01))


def frozen(*, rehearsal: bool = False) -> Frozen:
    chosen = plan()
    return Frozen(chosen, preanalysis(chosen), "a" * 64, dt.datetime(2025, 12, 1, tzinfo=dt.UTC), rehearsal)


def results(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - as JSON is
    told = {"use": True, "effect": asdict(EFFECT)}
    return {"plan_hash": plan().fingerprint, "interim": False, "altered": 0, "ranking_by_effect": told} | changes


def test_what_was_decided_holds_from_that_night_until_it_is_taken_back(tmp_path: Path) -> None:
    assert in_force(tmp_path, DAY) is None

    adopt(tmp_path, frozen(), results(), DAY, "Comité du 2 septembre")
    withdraw(tmp_path, DAY + dt.timedelta(days=30), "Le public a changé")

    assert in_force(tmp_path, DAY - dt.timedelta(days=1)) is None
    assert in_force(tmp_path, DAY) == EFFECT
    assert in_force(tmp_path, DAY + dt.timedelta(days=29)) == EFFECT
    assert in_force(tmp_path, DAY + dt.timedelta(days=30)) is None
    assert (tmp_path / "priority.jsonl").read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"ranking_by_effect": {"use": False, "effect": None}}, "not shown to avoid more"),
        ({"ranking_by_effect": None}, "not shown to avoid more"),
        ({"interim": True}, "before its day"),
        ({"altered": 37}, "draw was changed"),
        ({"plan_hash": "b" * 64}, "another plan"),
    ],
)
def test_without_proof_the_risk_ranks(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=why):
        adopt(tmp_path, frozen(), results(**changes), DAY, "Parce que")
    assert in_force(tmp_path, DAY) is None


def test_a_permanent_hold_out_ranks_nobody_by_effect(tmp_path: Path) -> None:
    held = plan(
        design="holdout", end=None, arms=(Arm(name="t", treatment="held_out", share=0.1), Arm(name="l", treatment="usual", share=0.9))
    )
    kept = Frozen(held, preanalysis(held), "a" * 64, dt.datetime(2025, 12, 1, tzinfo=dt.UTC), rehearsal=False)

    with pytest.raises(ExperimentError, match="until chance favours it"):
        adopt(tmp_path, kept, results(plan_hash=held.fingerprint), DAY, "Parce que")


def test_results_that_do_not_say_whether_the_draw_was_changed_are_no_proof(tmp_path: Path) -> None:
    told = results()
    del told["altered"]

    with pytest.raises(ExperimentError, match="analyse it once more"):
        adopt(tmp_path, frozen(), told, DAY, "Parce que")


def test_a_rehearsal_and_a_decision_without_reason_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="rehearsal"):
        adopt(tmp_path, frozen(rehearsal=True), results(), DAY, "Parce que")
    with pytest.raises(ExperimentError, match="written reason"):
        adopt(tmp_path, frozen(), results(), DAY, " ")
    assert in_force(tmp_path, DAY) is None


def test_the_effect_fitted_is_the_difference_of_two_regressions() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(-2, 1, 3_000), rng.random(3_000), np.ones(3_000)])
    treated = (rng.random(3_000) < 0.5).astype(float)
    y = 0.2 + 0.05 * x[:, 0] - treated * (0.1 + 0.03 * x[:, 0] - 0.2 * x[:, 1]) + 0.01 * rng.normal(size=3_000)

    found = fitted(y, treated, x)

    ones = np.column_stack([np.ones(3_000), x[:, :2]])
    control, listed = (np.linalg.lstsq(ones[treated == arm], y[treated == arm], rcond=None)[0] for arm in (0, 1))
    assert found.of(x) == pytest.approx(ones @ (control - listed), abs=1e-9)
