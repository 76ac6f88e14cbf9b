"""Past scores, judged by what came: nights that are over, people who were there, whatever the day on which it is asked."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from models.hindsight import look_back
from models.registry import EXPERIMENT, champion, client_of
from pipelines.cli import app
from pipelines.made_with import made_with
from pipelines.past import hollow, known_since, score_past, without_files
from tests.conftest import LAST, TRAINED
from tests.services import copy_of
from vigie.errors import ConfigurationError, NoDataError

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.simulator import Simulation
    from models.hindsight import Hindsight
    from pipelines.service import Service

NIGHTS = [TRAINED + dt.timedelta(days=7 * week) for week in range(-4, 9)]
"""The last five are not over, or hardly, when deliveries stop."""


@pytest.fixture(scope="module")
def scored(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    made = copy_of(service, tmp_path_factory.mktemp("hindsight"))
    score_past(made, NIGHTS, _version(made))
    return made


def _version(service: Service) -> str:
    version = champion(service.home)
    assert version
    return version


def _scores(service: Service) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(service.home.evaluation(night, _version(service)) / "scores.parquet") for night in NIGHTS])


def _look(service: Service, scores: pl.DataFrame, as_of: dt.date = LAST) -> Hindsight:
    with service.warehouse() as warehouse:
        return look_back(scores, warehouse, as_of, service.rules.invariants, service.time_zone, times=20)


def test_only_nights_that_are_over_are_judged_and_a_later_question_has_the_same_answer(scored: Service) -> None:
    scores = _scores(scored)

    found = _look(scored, scores)

    assert found.first == NIGHTS[0]
    assert found.last == max(night for night in NIGHTS if night + dt.timedelta(days=28 + 7) <= LAST)
    # Long after deliveries stopped everybody would pass for somebody who fell silent.
    later = _look(scored, scores, LAST + dt.timedelta(days=300))
    assert (later.nights, later.rows, later.dropouts) == (found.nights, found.rows, found.dropouts)
    assert_frame_equal(later.figures, found.figures)
    # Asked sooner, fewer nights are over.
    assert _look(scored, scores, LAST - dt.timedelta(days=14)).last == found.last - dt.timedelta(days=14)


def test_whoever_had_left_is_not_judged_and_who_leaves_is_who_left(scored: Service, simulation: Simulation) -> None:
    scores = _scores(scored)
    truth = simulation.truth["counterfactual"].select("enrolment_id", "exit_date", "reason")
    told = scores.join(truth, on="enrolment_id", how="left", maintain_order="left")
    gone = told.filter(pl.col("exit_date") <= pl.col("as_of"))
    left = (pl.col("reason").cast(pl.String) == "dropout") & ((pl.col("exit_date") - pl.col("as_of")).dt.total_days().is_between(1, 28))
    omniscient = scores.with_columns(risk=pl.Series(told.select(left.fill_null(value=False).cast(pl.Float64)).to_series()))
    assert gone.height

    found = _look(scored, scores)
    knowing = _look(scored, omniscient)

    over = told.filter(pl.col("as_of") <= found.last)
    assert over.height - over.filter(pl.col("exit_date") <= pl.col("as_of")).height == pytest.approx(found.rows, rel=0.02)
    assert over.filter(left).height == pytest.approx(found.dropouts, rel=0.15)
    assert _figure(knowing, "model") > 0.95 > _figure(found, "model") > _figure(found, "session_rate")
    assert set(found.differences["rival"]) == {"session_rate"}
    assert 0 < found.leavers < found.dropouts


def _figure(found: Hindsight, contender: str) -> float:
    return float(found.figures.filter(contender=contender, metric="auc_within_night")["value"][0])


def test_nights_that_tell_too_little_are_not_judged(scored: Service) -> None:
    with pytest.raises(NoDataError, match="0 dropouts are known among 0 rows of nights up to 2025-11-26"):
        _look(scored, _scores(scored).filter(pl.col("as_of") == NIGHTS[-1]))
    with pytest.raises(NoDataError, match="no scores"):
        _look(scored, _scores(scored).clear())


def test_an_evaluation_shows_its_figures_apart_for_nights_the_model_may_have_learnt(scored: Service, tmp_path: Path) -> None:
    service, version = copy_of(scored, tmp_path), _version(scored)
    first, last = NIGHTS[0], NIGHTS[7]
    asked = ["backfill", "--from", str(first), "--to", str(last), "--every", "7d", "--scores-only", "--model", version]

    said = CliRunner().invoke(app, [*asked, "--home", str(service.home.root)], catch_exceptions=False)

    assert said.exit_code == 0
    told = " ".join(said.output.split())
    parts = known_since(service, NIGHTS[:8], version)
    assert list(parts) == [f"before {version} was trained", f"after {version} was trained"]
    for (what, found), nights in zip(parts.items(), (NIGHTS[:4], NIGHTS[4:8]), strict=True):
        assert not isinstance(found, NoDataError)
        assert (found.nights, found.first, found.last) == (4, nights[0], nights[-1])
        assert f"Nights {what}: 4 whose outcomes are known on {found.known_at}, {found.first} to {found.last}" in told
        assert f"{found.rows:,} rows, {found.dropouts} of them of {found.leavers} people who left" in told
        assert f"{_figure(found, 'model'):.3f} [" in told
    assert "its figures flatter it" in told
    client = client_of(service.home)
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    kept = client.search_runs([experiment], f"tags.looked_back = '{version}'")
    # Once by the command, once by the test itself.
    assert sorted(run.data.tags["nights"] for run in kept) == sorted([*parts, *parts])
    for run in kept:
        found = parts[run.data.tags["nights"]]
        assert not isinstance(found, NoDataError)
        # Figures on nights it may have learnt from stand beside no honest ones.
        place = "learnt/" if found.first < TRAINED else ""
        assert run.data.metrics[f"{place}model/auc_within_night"] == pytest.approx(_figure(found, "model"))
        assert f"{place}difference from session_rate/average_precision/low" in run.data.metrics
        assert "model/auc_within_night" in run.data.metrics or place
        assert run.data.params["as_of"] == str(LAST) == str(found.known_at)
        assert run.data.params["nights"] == f"{found.nights}, {found.first} to {found.last}"
        assert set(made_with(service.settings.config)) <= set(run.data.tags)


def test_a_backfill_says_which_nights_tell_little(scored: Service, tmp_path: Path) -> None:
    service, version = copy_of(scored, tmp_path), _version(scored)
    asked = ["backfill", "--from", "2020-01-04", "--to", "2020-01-04", "--scores-only", "--model", version]

    said = " ".join(CliRunner().invoke(app, [*asked, "--home", str(service.home.root)], catch_exceptions=False).output.split())

    assert "Nobody was in training on 2020-01-04, by what was known then" in said
    assert hollow(service, [(night, 1) for night in NIGHTS[:3]]) == []
    later = [LAST + dt.timedelta(days=days) for days in (30, 60)]
    (stopped,) = hollow(service, [(NIGHTS[0], 1), *((night, 1) for night in later)])
    assert re.fullmatch(rf"Deliveries tell of nobody after [\d-]+: on 2 nights from {later[0]} to {later[1]} the scores know .*", stopped)


def test_a_backfill_goes_on_where_it_stopped(scored: Service, tmp_path: Path) -> None:
    service, version = copy_of(scored, tmp_path), _version(scored)
    place = {night: service.home.evaluation(night, version) / "scores.parquet" for night in NIGHTS[:3]}
    place[NIGHTS[1]].unlink()
    before = {night: path.stat().st_mtime_ns for night, path in place.items() if path.exists()}
    asked = ["backfill", "--from", str(NIGHTS[0]), "--to", str(NIGHTS[2]), "--every", "7d", "--missing"]

    def run(*more: str) -> str:
        return " ".join(CliRunner().invoke(app, [*asked, *more, "--home", str(service.home.root)], catch_exceptions=False).output.split())

    assert "2 nights have files already." in run("--scores-only", "--model", version)
    assert place[NIGHTS[1]].exists()
    assert {night: place[night].stat().st_mtime_ns for night in before} == before
    # Nights that are served are another matter: these have only scores of an evaluation.
    assert without_files(service, NIGHTS[:3], None, scores_only=False) == NIGHTS[:3]


def test_an_evaluation_needs_a_version(service: Service) -> None:
    asked = ["backfill", "--from", str(NIGHTS[0]), "--to", str(NIGHTS[0]), "--scores-only", "--model", ""]

    said = CliRunner().invoke(app, [*asked, "--home", str(service.home.root)])

    assert isinstance(said.exception, ConfigurationError)
