"""An experiment as its nights live it: drawn before the list, followed by it, told by nobody, analysed as planned."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sqlite3
from typing import TYPE_CHECKING

import polars as pl
import pytest
from markupsafe import escape
from typer.testing import CliRunner

from data_contracts.endings import MATURITY_DAYS
from data_contracts.experiments import units_of
from data_contracts.tables.experiments import TrainingWeights
from data_contracts.vocabulary import LISTED
from impact.experiments.history import LEAST_DAYS
from impact.experiments.plan import ExperimentError
from impact.experiments.priority import FILE
from impact.experiments.register import arms_of
from impact.experiments.support import held_out_weights
from pipelines.cli import app
from pipelines.experiments import analyse_experiment, folder, freeze_plan, look_ahead, plan_of, rank_by_effect, rank_by_risk, status_of
from pipelines.past import score_past
from pipelines.service import Service, open_service
from pipelines.serving import train_model
from pipelines.steps import Directly, alert_night, run_night
from tests.printing import needs_pdf
from tests.services import copy_of
from vigie.errors import NoDataError
from vigie.settings import ROOT, Settings

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = dt.date(2025, 11, 20)
EARLIER, LATER = NIGHT - dt.timedelta(days=2), NIGHT + dt.timedelta(days=1)
KNOWN = dt.date(2025, 12, 30)
CONTROL = "Témoin-Bras-Caché"
PLAN = f"""
title = "Essai"
question = "La liste aide-t-elle ?"
decided_by = "comité"
unit = "learner"
design = "individual"
population = "at_risk"
minimum_risk = 0.02
block_size = 2
strata = ["territory_id"]
seed = 11
start = 2025-11-18
end = 2025-11-21
secondary = ["spoken_with"]
horizon_days = 28
expected_effect = -0.03
arms = [{{name = "{CONTROL}", treatment = "held_out", share = 0.5}}, {{name = "liste", treatment = "usual", share = 0.5}}]
"""


@pytest.fixture(scope="module")
def served(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The service after a plan was frozen as a rehearsal and two of its nights."""
    root = tmp_path_factory.mktemp("experiment")
    shutil.copytree(ROOT / "config", root / "config")
    (root / "config" / "experiments" / "essai.toml").write_text(PLAN, encoding="utf-8")
    shutil.copytree(service.home.root, root / "home")
    made = open_service(Settings(home=root / "home", config=root / "config"))
    freeze_plan(made, "essai", rehearsal=True)
    for night in (EARLIER, NIGHT):
        run_night(made, night, Directly())
    return made


@pytest.fixture(scope="module")
def arms(served: Service) -> pl.DataFrame:
    with served.warehouse() as warehouse:
        return arms_of(warehouse, "essai")


def alerts(service: Service, night: dt.date) -> pl.DataFrame:
    return pl.read_parquet(service.home.out(night) / "alerts.parquet").with_columns(pl.col("kind", "state").cast(pl.String))


def held_out(arms: pl.DataFrame) -> pl.DataFrame:
    return arms.filter(pl.col("arm") == CONTROL).select("allocated_on", learner_id="unit_id")


def test_everybody_at_risk_is_drawn_before_the_list_and_half_are_put_off(served: Service, arms: pl.DataFrame) -> None:
    scores = pl.read_parquet(served.home.out(EARLIER) / "scores.parquet").filter(pl.col("risk") >= 0.02)
    first = arms.filter(pl.col("allocated_on") == EARLIER)

    assert set(first["unit_id"]) == set(scores["learner_id"])
    assert first.height > 50
    assert (first["arm"] == CONTROL).mean() == pytest.approx(0.5, abs=0.05)
    assert first.join(scores, left_on=["unit_id", "risk"], right_on=["learner_id", "risk"], how="anti").is_empty()
    assert arms.filter(pl.col("allocated_on") == NIGHT).height > 0


@pytest.mark.parametrize("night", [EARLIER, NIGHT])
def test_nobody_put_off_stands_on_a_list_for_their_risk(served: Service, arms: pl.DataFrame, night: dt.date) -> None:
    theirs = alerts(served, night).join(held_out(arms).filter(pl.col("allocated_on") <= night), on="learner_id", how="semi")
    risks = theirs.filter(pl.col("kind") == "dropout_risk")
    others = alerts(served, night).filter(pl.col("kind") == "dropout_risk", pl.col("state").is_in(LISTED))

    assert risks.height > 0
    assert set(risks["state"]) == {"held_out"}
    assert others.height > 0
    # Promises to them are kept like those to anybody.
    assert theirs.filter(pl.col("kind") != "dropout_risk", pl.col("state").is_in(LISTED)).height > 0


def test_promises_that_went_before_an_arm_are_recorded(served: Service, arms: pl.DataFrame) -> None:
    recorded = pl.read_parquet(served.home.out(NIGHT) / "overrides.parquet").with_columns(pl.col("kind").cast(pl.String))
    listed = alerts(served, NIGHT).filter(pl.col("kind") != "dropout_risk", pl.col("state").is_in(LISTED))

    expected = listed.join(held_out(arms), on="learner_id", how="semi").select("enrolment_id", "kind")
    assert recorded.select("enrolment_id", "kind").sort("enrolment_id", "kind").equals(expected.unique().sort("enrolment_id", "kind"))
    assert recorded.height > 0


def test_no_file_of_an_advisor_and_no_row_of_the_page_tells_of_an_arm(served: Service) -> None:
    words = [CONTROL, "essai", "held_out"]
    for path in (served.home.out(NIGHT) / "lists").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in words if word in text], path.name
    with sqlite3.connect(served.home.cases) as connection:
        dump = "\n".join(connection.iterdump())
    # The state is kept for the page, which words it as waiting; the arm and the experiment are nowhere.
    assert CONTROL not in dump
    assert "'essai'" not in dump


def test_a_night_run_again_after_a_later_one_draws_and_lists_the_same(served: Service, arms: pl.DataFrame) -> None:
    before = {name: (served.home.out(NIGHT) / name).read_bytes() for name in ("alerts.parquet", "overrides.parquet")}
    run_night(served, LATER, Directly())

    run_night(served, NIGHT, Directly())

    assert before == {name: (served.home.out(NIGHT) / name).read_bytes() for name in before}
    with served.warehouse() as warehouse:
        again = arms_of(warehouse, "essai").filter(pl.col("allocated_on") <= NIGHT)
    assert again.sort("unit_id").equals(arms.sort("unit_id"))


def test_a_seed_changed_after_the_freeze_is_refused_and_nights_go_on_as_frozen(served: Service, arms: pl.DataFrame, tmp_path: Path) -> None:
    shutil.copytree(served.settings.config, tmp_path / "config")
    (tmp_path / "config" / "experiments" / "essai.toml").write_text(PLAN.replace("seed = 11", "seed = 12"), encoding="utf-8")
    changed = open_service(Settings(home=served.home.root, config=tmp_path / "config"))

    with pytest.raises(ExperimentError, match="now changes: seed"):
        analyse_experiment(changed, "essai", KNOWN, interim=True)
    assert status_of(changed, "essai").changed == ["seed"]
    run_night(changed, NIGHT, Directly())

    assert status_of(served, "essai").altered == 0
    assert set(alerts(changed, NIGHT).filter(pl.col("state") == "held_out")["learner_id"]) <= set(held_out(arms)["learner_id"])


def test_the_past_tells_what_the_plan_can_detect(served: Service) -> None:
    score_past(served, [dt.date(2025, 11, 3) + dt.timedelta(days=7 * n) for n in range(2)], None)

    found, page = look_ahead(served, "essai", KNOWN)

    assert 0 < found.past.situation.base < 0.3
    assert found.past.people > 100
    assert found.verdict.startswith(("Ce plan ne peut pas détecter", "L'effet espéré est impossible"))
    assert "données simulées" in page.read_text(encoding="utf-8").lower()
    assert found.by_size[-1].learners > 6 * found.by_size[0].learners
    assert found.by_size[-1].power >= found.by_size[0].power


def test_a_past_that_is_too_short_is_told_with_a_remedy_that_can_be_run(served: Service, tmp_path: Path) -> None:
    trained = dt.date(2025, 10, 31)  # as in tests/conftest.py
    delay = dt.timedelta(days=28 + MATURITY_DAYS)
    apart = copy_of(served, tmp_path / "home")
    apart = open_service(Settings(home=apart.home.root, config=served.settings.config))
    shutil.rmtree(apart.home.root / "out")

    with pytest.raises(NoDataError) as early:
        look_ahead(apart, "essai", trained + delay - dt.timedelta(days=1))
    with pytest.raises(NoDataError) as unscored:
        look_ahead(apart, "essai", trained + delay + dt.timedelta(days=7))
    apart.home.mlflow_db.unlink()
    shutil.rmtree(apart.home.models)
    with pytest.raises(NoDataError) as untrained:
        look_ahead(apart, "essai", KNOWN)

    assert f"Ask with --as-of {trained + delay} or later." in early.value.remedy
    assert f"vigie backfill --from {trained} --to {trained + dt.timedelta(days=7)} --every 7d --scores-only" in unscored.value.remedy
    asked, last = KNOWN - delay - dt.timedelta(days=LEAST_DAYS - 1), KNOWN - delay
    assert f"vigie train --as-of {asked}. Score past nights: vigie backfill --from {asked} --to {last}" in untrained.value.remedy


@needs_pdf
def test_the_analysis_waits_for_its_day_and_leaves_report_figures_and_weights(served: Service) -> None:
    with pytest.raises(ExperimentError, match="too early"):
        analyse_experiment(served, "essai", dt.date(2025, 12, 20), interim=False)

    said, page = analyse_experiment(served, "essai", KNOWN, interim=False)

    assert said.startswith("Abandon dans l'horizon")
    assert "il ne prouve rien" in page.read_text(encoding="utf-8")
    assert (page.parent / "report.pdf").read_bytes().startswith(b"%PDF")
    weights = TrainingWeights.validate(pl.read_parquet(page.parent / "weights.parquet"))
    assert weights["held_out"].any()
    assert weights.filter("held_out")["weight"].min() == 1.0
    assert (weights["weight"] == 0).any()
    assert folder(served, "essai") in page.parents


def test_a_night_after_the_decision_ranks_by_effect_and_one_before_does_not(served: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    before = alerts(served, NIGHT)
    # The less they are at risk, the more a call does.
    effect = {"mean": [0.0, 0.0], "spread": [1.0, 1.0], "coefficients": [0.0, -0.01, 0.0]}
    lines = [{"on": day.isoformat(), "reason": "essai", "effect": told} for day, told in ((NIGHT, effect), (LATER, None))]
    (served.home.experiments / FILE).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr("pipelines.steps.write_whole", lambda path, _write: path)

    ranked = alert_night(served, NIGHT, notify=False, at_most=None)
    earlier = alert_night(served, EARLIER, notify=False)

    risks = ranked.filter(pl.col("kind").cast(pl.String) == "dropout_risk", pl.col("risk") > 0.05).sort("risk")
    held = before.filter(pl.col("kind") == "dropout_risk", pl.col("risk") > 0.05).sort("risk")
    assert pl.Series(risks["priority"]).head(40).mean() > pl.Series(risks["priority"]).tail(40).mean()
    assert pl.Series(held["priority"]).head(40).mean() < pl.Series(held["priority"]).tail(40).mean()
    same = alerts(served, EARLIER)
    assert earlier.with_columns(pl.col("kind", "state", "queue").cast(pl.String)).equals(same.with_columns(pl.col("queue").cast(pl.String)))
    (served.home.experiments / FILE).unlink()


def test_a_practice_that_no_list_can_word_is_not_frozen(served: Service) -> None:
    arms = [
        '{name = "a", treatment = "usual", share = 0.5}',
        '{name = "b", treatment = "usual", share = 0.5, practice = {reason = "attendance", action = "sing"}}',
    ]
    plan = PLAN[: PLAN.index("arms =")].format() + f"arms = [{', '.join(arms)}]\n"
    (served.settings.config / "experiments" / "pratique.toml").write_text(plan, encoding="utf-8")

    with pytest.raises(ExperimentError, match="no list can word: sing"):
        freeze_plan(served, "pratique", rehearsal=True)
    words = plan.replace('"sing"', '"reach_by_other_means"')
    (served.settings.config / "experiments" / "pratique.toml").write_text(words, encoding="utf-8")
    assert plan_of(served, "pratique").arms[1].practice is not None


def test_where_silence_tells_the_dropouts_a_plan_waits_for_it_or_is_not_frozen(
    served: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = copy_of(served, tmp_path / "home")
    shutil.copytree(served.settings.config, tmp_path / "config")
    apart = open_service(Settings(home=apart.home.root, config=tmp_path / "config"))
    with apart.warehouse() as warehouse:
        warehouse._run("DELETE FROM exits")
    written = apart.settings.config / "experiments" / "patient.toml"
    written.write_text(PLAN, encoding="utf-8")

    for asked in (lambda: freeze_plan(apart, "patient", rehearsal=True), lambda: look_ahead(apart, "patient", KNOWN)):
        with pytest.raises(ExperimentError) as short:
            asked()
        assert short.value.remedy == "Set wait_days = 35 in its file."
    written.write_text(PLAN + "wait_days = 35\n", encoding="utf-8")
    frozen, paper = freeze_plan(apart, "patient", rehearsal=True)

    due = dt.date(2025, 11, 21) + dt.timedelta(days=28 + 35)
    assert frozen.plan.due == due
    assert f"{due:%d/%m/%Y}" in paper.read_text(encoding="utf-8")
    with pytest.raises(ExperimentError, match=f"announces its analysis from {due} on"):
        analyse_experiment(apart, "patient", due - dt.timedelta(days=1), interim=False)
    monkeypatch.setenv("VIGIE_CONFIG", str(apart.settings.config))
    for words in (["status", "patient"], ["freeze", "patient", "--rehearsal"]):
        said = CliRunner().invoke(app, ["experiment", *words, "--home", str(apart.home.root)])
        assert f"Analysis not before {due}" in said.output
    # What was frozen before goes on with the wait it was frozen with.
    assert freeze_plan(apart, "essai", rehearsal=True)[0].plan.wait_days == MATURITY_DAYS
    score_past(apart, [dt.date(2025, 11, 3)], None)
    assert look_ahead(apart, "essai", KNOWN)[0].plan.wait_days == MATURITY_DAYS


def test_ranking_by_effect_asks_for_an_analysis_that_allows_it(served: Service) -> None:
    with pytest.raises(ExperimentError, match="not analysed as of"):
        rank_by_effect(served, "essai", dt.date(2025, 6, 1), "essai")
    analyse_experiment(served, "essai", KNOWN, interim=False)
    with pytest.raises(ExperimentError, match="rehearsal"):
        rank_by_effect(served, "essai", KNOWN, "essai")
    rank_by_risk(served, "essai")
    assert (served.home.experiments / FILE).exists()
    (served.home.experiments / FILE).unlink()


def test_training_gives_the_held_out_arm_the_weight_of_its_design_and_says_so(served: Service) -> None:
    with served.warehouse() as warehouse:
        # A rehearsal frozen since held nobody out of what past data tell; one frozen before holds people out of lists as any other plan.
        assert held_out_weights(warehouse, KNOWN, served.time_zone).is_empty()
        warehouse._run("UPDATE plans SET frozen_at = frozen_at - INTERVAL 3 YEARS")
        drawn = arms_of(warehouse, "essai")
        none = held_out_weights(warehouse, EARLIER - dt.timedelta(days=1), served.time_zone)
        ours = held_out_weights(warehouse, KNOWN, served.time_zone)
        whose = units_of(warehouse, KNOWN, served.time_zone).filter(pl.col("unit") == "learner")
    held = set(drawn.filter(pl.col("arm") == CONTROL)["unit_id"])
    assert none.is_empty()
    assert set(ours.join(whose, on="enrolment_id")["unit_id"]) == held

    outcome = train_model(served, KNOWN)

    rows = outcome.trained.rows
    heavy = rows.filter(pl.col("weight") == 2)
    assert set(heavy["learner_id"]) <= held
    assert heavy["enrolment_id"].n_unique() > 20
    # Days before the draw weigh as anybody's: who had left by then was never drawn.
    theirs = rows.join(drawn.filter(pl.col("arm") == CONTROL), left_on="learner_id", right_on="unit_id")
    on = theirs.filter(pl.col("as_of").is_between("applies_from", "applies_until"))
    assert theirs.height > 3 * on.height
    assert on.select("as_of", "enrolment_id").sort(pl.all()).equals(heavy.select("as_of", "enrolment_id").sort(pl.all()))
    assert rows.filter(pl.col("weight") != 2)["weight"].unique().to_list() == [1.0]
    (line,) = outcome.weighed
    people = heavy["enrolment_id"].n_unique()
    assert line.startswith(f"Held-out arm of essai: {people} enrolments, {heavy.height:,} of {rows.height:,} rows, weigh 2.0 each")
    card = (served.home.models / outcome.version / "card.en.html").read_text(encoding="utf-8")
    assert str(escape(line)) in card
    assert "Every row counts alike" not in card
    arms = outcome.trained.groups.filter(pl.col("group") == "support")
    assert arms["value"].to_list() == ["usual", "held out"]
    assert "<td>held out</td>" in card
