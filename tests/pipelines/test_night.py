"""A night as its operator knows it: on a simulated service, end to end."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from typing import TYPE_CHECKING

import fastexcel
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from alerts.night import courses, in_words
from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.simulator import Simulation, write_deliveries
from data_contracts.vocabulary import LISTED
from features.catalogue import FEATURES
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.card import CARD_FILES
from models.landmarks import training_rows
from models.learner import Model
from models.registry import champion, load, model_for
from models.scoring import score
from pipelines.past import score_past
from pipelines.service import Service, open_service
from pipelines.serving import train_model
from pipelines.steps import Directly, run_night, take_deliveries
from tests.services import by_quarter, copy_of
from vigie.clock import end_of_day
from vigie.errors import AlreadyRunningError, NoModelError
from vigie.lock import only_writer
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

TRAINED, NIGHT = dt.date(2025, 10, 31), dt.date(2025, 11, 20)
SERVED = ("scores.parquet", "alerts.parquet")


@pytest.fixture(scope="module")
def served(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """The service after two nights."""
    made = copy_of(service, tmp_path_factory.mktemp("served"))
    run_night(made, NIGHT - dt.timedelta(days=2), Directly())
    run_night(made, NIGHT, Directly())
    return made


def scores(service: Service) -> pl.DataFrame:
    return pl.read_parquet(service.home.out(NIGHT) / "scores.parquet")


def test_facts_known_later_change_not_a_byte(served: Service, simulation: Simulation, tmp_path: Path) -> None:
    """Deliveries are cut where the training, then the night, could know no more; no tree, weight, figure or score differs for it."""
    trained, night = end_of_day(TRAINED, served.time_zone), end_of_day(NIGHT, served.time_zone)

    def known(since: dt.datetime | None, until: dt.datetime) -> Simulation:
        told = pl.lit(value=True) if since is None else pl.col("known_on") > since
        return Simulation({name: rows.filter(told, pl.col("known_on") <= until) for name, rows in simulation.tables.items()}, {})

    first, then = known(None, trained), known(trained, night)
    for name in ("attendance", "exits", "contacts", "learner_audit"):
        assert 0 < then.tables[name].height < simulation.tables[name].height - first.tables[name].height
    rebuilt = open_service(Settings(home=tmp_path))
    write_deliveries(first, rebuilt.home.landing)
    by_quarter(rebuilt.home.landing)
    take_deliveries(rebuilt)

    version = train_model(rebuilt, TRAINED, reason="A small service made for tests.").version

    assert version == champion(served.home)
    folders = [home.models / version for home in (rebuilt.home, served.home)]
    # The card says when it was decided; every figure on it is in the other files.
    every = {path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()}
    names = every - set(CARD_FILES.values())
    assert {"booster.txt", "model.json", "twin/booster.txt", "evidence.json", "figures.json", "reference.parquet"} <= names
    assert {name for name in names if len({(folder / name).read_bytes() for folder in folders}) > 1} == set()

    shutil.rmtree(rebuilt.home.landing)
    write_deliveries(then, rebuilt.home.landing)
    take_deliveries(rebuilt)
    run_night(rebuilt, NIGHT - dt.timedelta(days=2), Directly())
    run_night(rebuilt, NIGHT, Directly())

    for name in SERVED:
        assert (rebuilt.home.out(NIGHT) / name).read_bytes() == (served.home.out(NIGHT) / name).read_bytes(), name


def test_a_night_run_again_leaves_identical_files_even_after_a_later_night(served: Service, tmp_path: Path) -> None:
    again = copy_of(served, tmp_path)
    run_night(again, NIGHT + dt.timedelta(days=1), Directly())

    run_night(again, NIGHT, Directly())

    first, second = served.home.out(NIGHT), again.home.out(NIGHT)
    names = sorted(path.relative_to(first).as_posix() for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second).as_posix() for path in second.rglob("*") if path.is_file())
    for name in names:
        if name == "night.json":
            accounts = [json.loads((folder / name).read_text()) for folder in (first, second)]
            assert accounts[0] | {"seconds": 0} == accounts[1] | {"seconds": 0}
        else:
            assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_stored_features_equal_training_features(served: Service) -> None:
    stored = pl.read_parquet(served.home.out(NIGHT) / "features.parquet")
    horizon = served.rules.invariants.horizon_days
    with served.warehouse() as warehouse:
        rows = training_rows(warehouse, NIGHT + dt.timedelta(days=horizon + 7), served.rules.invariants, served.time_zone)
    trained = rows.filter(pl.col("as_of") == NIGHT).select(stored.columns)

    same = stored.join(trained.select("enrolment_id"), on="enrolment_id", how="semi", maintain_order="left")

    assert trained.height > 100
    assert same.equals(trained)


def test_base_value_and_contributions_add_up_to_the_margin_for_everyone(served: Service) -> None:
    night = scores(served)
    total = night.select(pl.col("base_value") + pl.col("reasons").list.eval(pl.element().struct.field("contribution")).list.sum())

    assert (total.to_series() - night["margin"]).abs().max() < 1e-6
    # Four subjects at most and the rest weigh; what stands beside them does not, and comes after them.
    weighs = night["reasons"].list.eval(pl.element().struct.field("contribution") != 0)
    assert 4 <= weighs.list.sum().max() <= 5
    assert night["reasons"].list.eval(pl.element().struct.field("code")).list.last().unique().to_list() == ["rest"]
    assert (weighs.list.len() > weighs.list.sum()).any()


def test_contributions_are_exact(served: Service) -> None:
    model = model_for(served.home, NIGHT)
    features = pl.read_parquet(served.home.out(NIGHT) / "features.parquet")

    contributions = model.contributions(features)
    own = model.booster.predict(features.select(model.columns).to_numpy(), pred_contrib=True)

    assert np.abs(contributions - own).max() < 1e-5
    assert np.abs(contributions.sum(axis=1) - model.margins(features)).max() < 1e-5


def test_each_score_is_told_what_became_of_the_band_its_risk_lies_in(served: Service) -> None:
    told = model_for(served.home, NIGHT).beside.bands
    night = scores(served).sort("risk").unnest("alike")

    assert len(told) >= 3
    assert night["situations"].null_count() == 0
    assert night.filter(pl.col("risk").is_between("low", "high")).height == night.height
    assert set(night["situations"]) <= {int(band["rows"]) for band in told}
    for row in night.sample(50, seed=1).to_dicts():
        (window,) = (one for one in told if one["rows"] == row["situations"] and one["dropouts"] == row["dropouts"])
        apart = [abs(np.log(one["expected"] / row["risk"])) for one in told]
        assert abs(np.log(window["expected"] / row["risk"])) == pytest.approx(min(apart))


def test_reasons_are_known_facts_on_the_worse_side_that_raise_the_risk(served: Service) -> None:
    named = scores(served).select("enrolment_id", pl.col("reasons")).explode("reasons").unnest("reasons").filter(pl.col("code") != "rest")

    assert named.height > 100
    alone = pl.col("feature").is_in([name for name, feature in FEATURES.items() if feature.alone])
    beside = pl.col("feature").is_in([name for name, feature in FEATURES.items() if feature.beside])
    # The last week of class beside the one before is no reason either.
    weeks = (pl.col("feature") == "attendance_share_7") & (pl.col("contribution") == 0)
    assert named.filter(~beside & ~alone & ~weeks)["contribution"].min() > 0
    assert named.filter(weeks)["previous_value"].null_count() == 0
    assert named.filter(alone)["contribution"].min() >= 0
    # What a reason would be unfair without explains nothing itself, and stands beside one of its subject.
    assert named.filter(beside)["contribution"].unique().to_list() == [0.0]
    assert named.filter(beside).join(named.filter(~beside), on=["enrolment_id", "code"], how="anti").is_empty()
    assert named["value"].null_count() == 0
    assert {FEATURES[name].direction for name in named["feature"].unique()} <= {1, -1}
    assert not set(named["code"].unique()) & {"course", "session", "learner"}


def test_a_previous_value_is_the_same_feature_seven_days_before_by_what_is_known_now(served: Service) -> None:
    week = dt.timedelta(days=7)
    with served.warehouse() as warehouse:
        facts = read_facts(warehouse, NIGHT - week, NIGHT, served.time_zone)
    then = matrix(facts, cohort(facts, [NIGHT - week], known_days_later=7))
    # Of a week that began before the entry nothing is told.
    every = then.unpivot(on=list(FEATURES), index="enrolment_id", variable_name="feature", value_name="expected")
    earlier = every.join(then.filter(pl.col("course_day") >= 6), on="enrolment_id", how="semi")
    assert then.filter(pl.col("course_day") < 6).height
    named = scores(served).select("enrolment_id", "reasons").explode("reasons").unnest("reasons").filter(pl.col("code") != "rest")

    # But of what was held of it: two weeks of class are compared from the first days on.
    apart = (pl.col("feature") == "attendance_share_7") & (pl.col("contribution") == 0)
    weeks = named.filter(apart).join(every, on=["enrolment_id", "feature"], how="left")
    assert weeks.filter(pl.col("previous_value").ne_missing(pl.col("expected"))).is_empty()
    told = named.filter(~apart).join(earlier, on=["enrolment_id", "feature"], how="left")

    assert told["previous_value"].count() > 50
    other = told.filter(pl.col("previous_value").ne_missing(pl.col("expected")))
    # A count of half-days that no week before measures is compared with none; nor is what only stands beside a reason.
    assert other["previous_value"].is_null().all()
    assert all(FEATURES[name].among or FEATURES[name].beside or FEATURES[name].alone for name in other["feature"])
    assert other.height < told.height / 2


def test_two_learners_with_the_same_risk_and_different_facts_get_different_reasons(served: Service) -> None:
    night = scores(served).filter(pl.col("reasons").list.len() > 1).sort("risk")
    pairs = night.with_columns(gap=(pl.col("risk") - pl.col("risk").shift()).abs(), other=pl.col("feature_hash").shift())
    near = pairs.with_row_index().filter((pl.col("gap") < 1e-4) & (pl.col("feature_hash") != pl.col("other")))["index"].to_list()

    different = sum(night["reasons"][place].to_list() != night["reasons"][place - 1].to_list() for place in near)

    assert len(near) > 20
    assert different == len(near)


def test_columns_in_another_order_give_the_same_scores(served: Service) -> None:
    model = model_for(served.home, NIGHT)
    features = pl.read_parquet(served.home.out(NIGHT) / "features.parquet")

    assert np.array_equal(model.margins(features), model.margins(features.select(reversed(features.columns))))


def test_of_whom_has_left_early_the_day_is_told_beside_the_course(served: Service) -> None:
    alerts, scored = (pl.read_parquet(served.home.out(NIGHT) / f"{name}.parquet") for name in ("alerts", "scores"))
    with served.warehouse() as warehouse:
        told = in_words(alerts, scored, courses(warehouse, NIGHT, served.time_zone))
        moment, where = end_of_day(NIGHT, served.time_zone), courses(warehouse, NIGHT, served.time_zone)
        exits = warehouse.as_known_at(layout(TABLES["exits"]), moment, columns=["enrolment_id", "exit_date"])

    assert told.height == alerts.height
    over = told.join(exits, on="enrolment_id").join(where.select("enrolment_id", "planned_exit_date"), on="enrolment_id")
    left = over.filter(pl.col("exit_date") <= NIGHT, pl.col("exit_date") < pl.col("planned_exit_date"))
    # Whoever left on the planned day is told that day once.
    assert over.filter(pl.col("exit_date") == pl.col("planned_exit_date")).height
    day = pl.format("(sortie le {})", pl.col("exit_date").dt.strftime("%d/%m/%Y"))
    assert left.height >= 10
    assert left.filter(pl.col("course").str.contains(day, literal=True)).height == left.height
    assert told.filter(pl.col("course").str.contains("sortie le", literal=True)).height == left.height


def test_names_gone_from_the_sheets_are_counted_by_provider_and_mostly_people_who_left(served: Service, simulation: Simulation) -> None:
    out = served.home.out(NIGHT)
    gone = pl.read_parquet(out / "features.parquet").filter(pl.col("days_off_sheets") > 0)
    night = json.loads((out / "night.json").read_text())

    assert night["off_sheets"] == dict(gone.group_by("provider_id").len().sort("provider_id").rows())
    (said,) = [warning for warning in night["warnings"] if "attendance sheet" in warning]
    assert said.startswith(f"{gone.height} people are named by no attendance sheet")
    assert all(f"{provider} ({people})" in said for provider, people in night["off_sheets"].items())
    left = gone.join(simulation.truth["counterfactual"], on="enrolment_id").filter(pl.col("exit_date") <= NIGHT)
    assert left.height >= 0.7 * gone.height > 0


def test_a_second_night_while_one_runs_is_refused_and_changes_nothing(served: Service) -> None:
    with only_writer(served.home.lock, "The night of 2025-11-19"), pytest.raises(AlreadyRunningError, match="The night of 2025-11-19"):
        run_night(served, NIGHT, Directly())


def test_a_model_that_saw_later_facts_serves_no_night_before_it(service: Service) -> None:
    with pytest.raises(NoModelError, match="vigie train --as-of 2025-10-01"):
        model_for(service.home, dt.date(2025, 10, 1))


def test_an_evaluation_lies_apart_and_a_past_night_scores_as_it_did(served: Service, tmp_path: Path) -> None:
    home = copy_of(served, tmp_path)
    version = model_for(home.home, NIGHT).version
    before = dt.date(2025, 9, 15)

    done = score_past(home, [before, NIGHT], version)

    assert [date for date, _ in done] == [before, NIGHT]
    assert not home.home.out(before).exists()
    assert_frame_equal(pl.read_parquet(home.home.evaluation(NIGHT, version) / "scores.parquet"), scores(served), check_exact=True)


def test_a_night_scored_with_a_later_one_knows_nothing_of_it_and_nor_does_its_week_before(served: Service) -> None:
    earlier, model = NIGHT - dt.timedelta(days=3), model_for(served.home, NIGHT)
    with served.warehouse() as warehouse:
        together, alone = (
            score(warehouse, model, dates, served.rules.invariants, served.time_zone).scores for dates in ([earlier, NIGHT], [earlier])
        )

    assert alone.height > 100
    assert_frame_equal(together.filter(as_of=earlier), alone, check_exact=True)


def test_a_model_file_that_was_touched_is_refused(service: Service, tmp_path: Path) -> None:
    home = copy_of(service, tmp_path)
    version = model_for(home.home, NIGHT).version
    meta = home.home.models / version / "model.json"
    meta.write_text(meta.read_text().replace('"horizon_days": 28', '"horizon_days": 27'))

    with pytest.raises(NoModelError, match="not those registered"):
        load(home.home, version)


def test_a_lost_model_folder_is_fetched_whole_from_mlflow(service: Service, tmp_path: Path) -> None:
    home = copy_of(service, tmp_path).home
    version = model_for(home, NIGHT).version
    folder = home.models / version
    before = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {"evidence.json", "reference.parquet"} <= {path.name for path in before}
    shutil.rmtree(folder)

    assert isinstance(load(home, version), Model)
    assert {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()} == before


def test_a_model_folder_whose_fetching_was_stopped_is_fetched_again(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_of(service, tmp_path).home
    version = model_for(home, NIGHT).version
    shutil.rmtree(home.models / version)

    def stopped(kept: Path, part: Path, **_: object) -> None:
        shutil.copy(kept / "booster.txt", part)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", stopped)
        with pytest.raises(KeyboardInterrupt):
            load(home, version)

    assert isinstance(load(home, version), Model)


def test_lists_hold_the_alerts_of_their_advisor_and_nobody_elses(served: Service) -> None:
    out = served.home.out(NIGHT)
    alerts = pl.read_parquet(out / "alerts.parquet").filter(pl.col("state").cast(pl.String).is_in(LISTED))
    per_advisor = alerts.filter(pl.col("advisor_id").is_not_null()).group_by("advisor_id").agg(pl.col("learner_id").n_unique())
    assert per_advisor.height > 5
    for advisor, people in per_advisor.rows():
        sheet = fastexcel.read_excel(out / "lists" / f"{advisor}.xlsx").load_sheet(0, header_row=None).to_polars()
        numbered = sheet.filter(sheet.to_series(0).str.contains(r"^\d+$"))
        assert numbered.height == people
        assert (out / "lists" / f"{advisor}.html").read_text().count('<li class="person">') == people


def test_the_account_adds_up(served: Service) -> None:
    account = json.loads((served.home.out(NIGHT) / "night.json").read_text())
    alerts = pl.read_parquet(served.home.out(NIGHT) / "alerts.parquet")

    assert account["enrolments_scored"] == scores(served).height
    assert sum(account["alerts"]["state"].values()) == alerts.height
    assert set(account["seconds"]) == {"ingest", "score", "alert", "watch"}


def test_no_name_reaches_the_warehouse_or_the_files_of_the_night_but_the_lists(served: Service, simulation: Simulation) -> None:
    canaries = [name.encode() for name in simulation.tables["learner_identities"]["family_name"].unique() if len(name) > 5]
    out = served.home.out(NIGHT)
    for path in (served.home.warehouse, *(out / name for name in (*SERVED, "features.parquet", "night.json"))):
        content = path.read_bytes()
        assert not [name for name in canaries if name in content], path.name
