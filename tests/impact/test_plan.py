"""A plan is fixed before its data, and nothing of it changes after."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from data_contracts.experiments import ARMS
from data_contracts.tables.experiments import Arms
from impact.experiments.allocation import allocate
from impact.experiments.plan import Arm, ExperimentError, Practice, plan_from, read_plan, sha256
from impact.experiments.preanalysis import preanalysis
from impact.experiments.register import freeze, frozen_plans, in_step, unchanged
from tests.impact.plans import CONTROL, START, TREATED, plan, units
from vigie.settings import ROOT
from vigie.store import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BEFORE = dt.datetime(2025, 12, 1, 9, tzinfo=dt.UTC)
AFTER = dt.datetime(2026, 2, 1, 9, tzinfo=dt.UTC)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "w.duckdb", threads=1) as opened:
        yield opened


def test_the_example_of_the_repository_stands() -> None:
    for path in (ROOT / "config" / "experiments").glob("*.toml"):
        assert read_plan(ROOT / "config", path.stem).experiment_id == path.stem


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms": (CONTROL, Arm(name="b", treatment="usual", share=0.6))}, "add up to 1"),
        ({"arms": (CONTROL, Arm(name="b", treatment="held_out", share=0.5))}, "do the same"),
        ({"unit": "session"}, "choose cluster or stepped_wedge"),
        ({"design": "cluster"}, "not learners"),
        ({"end": None}, "no end"),
        ({"end": dt.date(2026, 1, 1)}, "before start"),
        ({"population": "at_risk"}, "minimum_risk"),
        ({"design": "holdout"}, "at most 10%"),
        ({"design": "encouragement"}, "compares usual with first"),
        ({"design": "stepped_wedge", "unit": "provider", "steps": 4, "step_days": 20}, "shorter than the horizon"),
        ({"block_size": 3}, "blocks of this size"),
        ({"secondary": ("dropout",)}, "among the secondary"),
    ],
)
def test_a_plan_that_cannot_stand_is_refused_with_the_reason(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plan(**changes)


def test_a_file_at_fault_names_key_and_file(tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "essai.toml").write_text('title = "x"\nseeds = 3\n', encoding="utf-8")

    with pytest.raises(ExperimentError, match=r"essai\.toml: .*seeds: Extra inputs") as wrong:
        read_plan(tmp_path, "essai")
    with pytest.raises(ExperimentError) as missing:
        read_plan(tmp_path, "autre")

    assert "seed: Field required" in wrong.value.what
    assert missing.value.remedy == "Known: essai."


def test_the_fingerprint_is_the_same_everywhere() -> None:
    """Written down once: another machine, another version of anything, must give it again."""
    assert plan().fingerprint == "bbb5666df27ff699ce380ba56ca867ff000593738c5b950813fec89d8543ee7d"
    assert plan_from(plan().canonical) == plan()
    assert '"experiment_id":"essai"' in plan().canonical


def test_freezing_keeps_plan_hash_date_and_the_published_analysis(warehouse: Warehouse) -> None:
    freeze(warehouse, plan(), BEFORE)

    kept = frozen_plans(warehouse)["essai"]
    assert kept.plan == plan()
    assert kept.frozen_at == BEFORE
    assert kept.analysis == preanalysis(plan())
    assert kept.analysis_hash == sha256(preanalysis(plan()))
    assert plan().fingerprint in kept.analysis
    assert not kept.rehearsal


def test_freezing_twice_changes_nothing(warehouse: Warehouse) -> None:
    freeze(warehouse, plan(), BEFORE)

    assert freeze(warehouse, plan(), AFTER).frozen_at == BEFORE
    assert warehouse.count("plans") == 1


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"seed": 8}, "seed"),
        ({"expected_effect": -0.01}, "expected_effect"),
        ({"horizon_days": 60}, "horizon"),
        ({"wait_days": 35}, "wait_days"),
    ],
)
def test_a_changed_seed_or_anything_else_is_refused_after_the_freeze(warehouse: Warehouse, changes: dict[str, object], key: str) -> None:
    frozen = freeze(warehouse, plan(), BEFORE)

    with pytest.raises(ExperimentError, match=f"now changes: {key}"):
        freeze(warehouse, plan(**changes), BEFORE)
    with pytest.raises(ExperimentError, match=f"now changes: {key}"):
        unchanged(frozen, plan(**changes))

    assert frozen_plans(warehouse)["essai"].plan.seed == 7


def test_a_plan_waits_as_it_was_frozen_and_says_from_when_it_is_analysed(warehouse: Warehouse) -> None:
    """Plans frozen before waits were said have none in their JSON: they go on waiting a week, under the hash they had."""
    assert "wait_days" not in plan().canonical
    assert plan_from(plan().canonical).due == dt.date(2026, 6, 30) + dt.timedelta(days=28 + 7)
    frozen = freeze(warehouse, plan(wait_days=35), BEFORE)

    kept = frozen_plans(warehouse)["essai"]
    assert kept.plan.wait_days == 35
    assert kept.plan.due == dt.date(2026, 9, 1)
    assert "35 jours après la fin de son suivi, le temps de savoir qui est parti. Analyse à partir du 01/09/2026." in kept.analysis
    with pytest.raises(ExperimentError, match="now changes: wait_days"):
        unchanged(frozen, plan())
    asked = preanalysis(plan(secondary=("in_work_6_months",)))
    assert "Analyse à partir du 04/08/2026, et pas avant sept mois après la dernière fin prévue." in asked
    forever = plan(design="holdout", end=None, arms=(CONTROL.model_copy(update={"share": 0.1}), TREATED.model_copy(update={"share": 0.9})))
    assert forever.due is None
    assert "7 jours après la fin de son suivi, le temps de savoir qui est parti. Il en va ainsi à chaque regard." in preanalysis(forever)


def test_a_plan_is_frozen_before_its_first_day_or_as_a_rehearsal(warehouse: Warehouse) -> None:
    with pytest.raises(ExperimentError, match="not ahead"):
        freeze(warehouse, plan(), dt.datetime.combine(START, dt.time(8), tzinfo=dt.UTC))

    assert freeze(warehouse, plan(), AFTER, rehearsal=True).rehearsal


def test_a_plan_changed_in_the_warehouse_is_found_out(warehouse: Warehouse) -> None:
    freeze(warehouse, plan(), BEFORE)
    warehouse._run("UPDATE plans SET plan = replace(plan, '\"seed\":7', '\"seed\":9')")

    with pytest.raises(ExperimentError, match="no longer has the hash"):
        frozen_plans(warehouse)


def test_the_published_analysis_says_what_will_be_done() -> None:
    text = preanalysis(plan(arms=(CONTROL, TREATED), secondary=("attended_share",)))

    for said in ("graine 7", "28 jours", "HC2", "Aalen-Johansen", "Holm", "Manski", "jamais l'accès à l'aide", "\N{MINUS SIGN}3,0 points"):
        assert said in text


def test_a_warehouse_made_anew_from_deliveries_gets_its_plans_and_arms_back(warehouse: Warehouse, tmp_path: Path) -> None:
    freeze(warehouse, plan(), BEFORE)
    warehouse.append(ARMS.name, allocate(plan(), units(20), Arms.create_empty(), START))
    in_step(tmp_path / "kept", warehouse)

    with Warehouse(tmp_path / "anew.duckdb", threads=1) as anew:
        in_step(tmp_path / "kept", anew)
        in_step(tmp_path / "kept", anew)
        assert frozen_plans(anew) == frozen_plans(warehouse)
        assert anew.read(ARMS).equals(warehouse.read(ARMS))


def test_an_arm_told_in_two_ways_is_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    freeze(warehouse, plan(), BEFORE)
    warehouse.append(ARMS.name, allocate(plan(), units(20), Arms.create_empty(), START))
    in_step(tmp_path, warehouse)
    warehouse._run("UPDATE arms SET arm = 'autre' WHERE unit_id = 'L00003'")

    with pytest.raises(ExperimentError, match="in two ways"):
        in_step(tmp_path, warehouse)


PRACTICE = Practice(reason="attendance", action="reach_by_other_means")
USUAL, TRIED = Arm(name="a", treatment="usual", share=0.5), Arm(name="b", treatment="usual", share=0.5, practice=PRACTICE)


def test_a_practice_may_be_tried_as_an_arm_and_is_part_of_what_is_frozen(warehouse: Warehouse) -> None:
    chosen = plan(arms=(USUAL, TRIED))
    frozen = freeze(warehouse, chosen, BEFORE)

    assert frozen_plans(warehouse)["essai"].plan.arms[1].practice == PRACTICE
    assert "propose l'action « reach_by_other_means » quand la première raison est « absences »" in frozen.analysis
    other = TRIED.model_copy(update={"practice": Practice(reason="attendance", action="take_stock")})
    with pytest.raises(ExperimentError, match="now changes: arms"):
        unchanged(frozen, plan(arms=(USUAL, other)))


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ((TRIED, USUAL), "the control arm tries no practice"),
        ((USUAL, TRIED.model_copy(update={"treatment": "first"})), "whom the list names as usual"),
        ((TRIED.model_copy(update={"name": "c"}), TRIED), "the two arms do the same"),
    ],
)
def test_a_practice_is_compared_with_the_usual_list_alone(arms: tuple[Arm, Arm], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        plan(arms=arms)
