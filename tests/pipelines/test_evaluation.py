"""The evaluation of a whole service: what was known then and no more, nobody to be found in it, and nothing of it in an alert model."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from data_contracts.simulator import Simulation, write_deliveries
from impact.indicators.table import tabulate
from impact.page import body
from impact.report import typeset
from models.landmarks import training_rows
from pipelines.cli import app
from pipelines.evaluation import evaluate_service
from pipelines.service import Service, open_service
from pipelines.steps import score_night, take_deliveries
from tests.conftest import NIGHT, TRAINED
from tests.printing import needs_pdf
from tests.services import by_quarter, copy_of
from vigie.clock import end_of_day
from vigie.settings import ROOT, Settings
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from impact.evaluation import Evaluation

CUT_OFF = NIGHT


@pytest.fixture(scope="module")
def copy(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    made = copy_of(service, tmp_path_factory.mktemp("evaluated"))
    score_night(made, CUT_OFF)
    return made


@pytest.fixture(scope="module")
def found(copy: Service) -> Evaluation:
    return evaluate_service(copy, CUT_OFF, health=False)


def test_nothing_known_after_the_cut_off_changes_a_figure(simulation: Simulation, found: Evaluation, tmp_path: Path) -> None:
    end = end_of_day(CUT_OFF, "Europe/Paris")
    then = Simulation({name: table.filter(pl.col("known_on") <= end) for name, table in simulation.tables.items()}, {})
    past = open_service(Settings(home=tmp_path))
    write_deliveries(then, past.home.landing)
    by_quarter(past.home.landing)
    take_deliveries(past)
    again = evaluate_service(past, CUT_OFF, health=False)

    for name in ("indicators", "insertion", "value_added", "equity"):
        assert_frame_equal(getattr(found, name), getattr(again, name), check_exact=False)


def test_figures_are_there_and_like_the_world_they_come_from(found: Evaluation) -> None:
    whole = found.indicators.filter(pl.col("unit") == "all", pl.col("month").is_null())
    value = dict(whole.select("definition_id", "value").iter_rows())

    assert 0.05 < value["dropped"] < 0.12
    assert 0.55 < value["owner_in_time"] < 0.75
    assert 0.85 < value["sheets_in_time"] < 0.95
    assert 0.4 < value["in_work_3"] < 0.7
    assert found.contact_by_risk.height == 0 or found.contact_by_risk["people"].drop_nulls().min() >= 20


def test_no_hidden_figure_follows_from_the_published_sums(found: Evaluation) -> None:
    """The simplest attack, on the export itself: a total less its other parts."""
    homes = found.facts.enrolments.select(
        unit=pl.format("provider:{}", "provider_id"), parent=pl.format("territory:{}", "territory_id")
    ).unique()
    parents = {unit: parent for unit, parent in homes.iter_rows() if homes.filter(pl.col("unit") == unit).height == 1}
    table = found.indicators.with_columns(
        parent=pl.when(pl.col("kind") != "all").then(pl.col("unit").replace_strict(parents, default="all", return_dtype=pl.String))
    )
    key = ["definition_id", "month"]
    # Nobody's outcome known: nobody to protect.
    assert table.filter("shown", pl.col("people") > 0)["people"].min() >= 20
    assert table.filter(~pl.col("shown")).height > 50
    totals = table.filter("shown").select(*key, parent="unit")
    # Cells of nobody have no row: a hidden one is a row without people.
    parts = table.filter(pl.col("kind") != "all").group_by(*key, "parent", "kind").agg(hidden=(~pl.col("shown")).sum())
    assert parts.join(totals, on=[*key, "parent"], nulls_equal=True).filter(pl.col("hidden") == 1).is_empty()
    months = table.filter(pl.col("month").is_not_null()).group_by("definition_id", "unit").agg(hidden=(~pl.col("shown")).sum())
    periods = table.filter(pl.col("month").is_null(), "shown").select("definition_id", "unit")
    assert months.join(periods, on=["definition_id", "unit"]).filter(pl.col("hidden") == 1).is_empty()


def test_neither_page_nor_tables_tell_of_a_person(found: Evaluation) -> None:
    texts = [body(found), *(table.write_csv() for table in found.tables.values())]

    for text in texts:
        assert not re.search(r"\b[LEC]\d{7,8}\b|\badv-\d", text)


def test_the_page_holds_no_script_and_no_inline_style(found: Evaluation) -> None:
    page = body(found)

    assert not re.search(r"<script|\sstyle=|\son[a-z]+=|<style", page)
    assert page.count("<caption>") == page.count("<table>") > 10
    assert page.count('role="img" aria-label="') == page.count("<svg") >= 3
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_the_page_names_nights_that_did_not_run_and_tells_of_experiments(copy: Service, found: Evaluation) -> None:
    for day, said in (("2025-11-01", "Tout premier chiffre."), ("2025-11-10", "Chiffre récent."), ("2025-12-24", "Chiffre d'après.")):
        path = copy.home.experiments / "essai" / day / "results.json"
        path.parent.mkdir(parents=True)
        told = {"title": "Essai", "headline": said, "rehearsal": True, "interim": False, "as_of": day}
        path.write_text(json.dumps(told), encoding="utf-8")

    page = body(evaluate_service(copy, CUT_OFF, health=False))

    assert "Chiffre récent." in page
    assert "connu au 10/11/2025" in page.lower()
    assert "Répétition\u00a0: ne prouve rien" in typeset(page)
    assert "Tout premier chiffre." not in page
    assert "Chiffre d'après." not in unescape(page)
    assert "repose sur la nuit du 20/11/2025. Aucune n'a manqué." in unescape(page)
    nights = replace(found.facts.nights, scores=found.facts.nights.scores.with_columns(as_of=pl.lit(CUT_OFF - dt.timedelta(days=3))))
    gap = body(replace(found, facts=replace(found.facts, nights=nights)))
    assert "3 nuits n'ont pas tourné : du 18/11/2025 au 20/11/2025." in unescape(gap)
    assert "Aucune expérience n'a été analysée" in unescape(gap)
    shutil.rmtree(copy.home.experiments / "essai")


def test_disability_is_read_only_when_asked_for(copy: Service, found: Evaluation) -> None:
    assert "disability" not in found.equity["kind"].unique()
    with_health = evaluate_service(copy, CUT_OFF, health=True)

    assert "disability" in with_health.equity["kind"].unique()
    assert "demande une base légale propre" in body(found)
    assert "demande une base légale propre" not in body(with_health)


def test_training_and_scoring_never_read_what_only_the_evaluation_may(copy: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    real = Warehouse.as_known_at

    def noted(self: Warehouse, layout, *args, **kwargs):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN002, ANN003, ANN202 - passed on
        read.add(layout.name)
        return real(self, layout, *args, **kwargs)

    monkeypatch.setattr(Warehouse, "as_known_at", noted)
    with copy.warehouse() as warehouse:
        training_rows(warehouse, TRAINED, copy.rules.invariants, copy.time_zone)
    score_night(copy, CUT_OFF)
    assert "attendance" in read
    assert "learner_audit" not in read

    evaluate_service(copy, CUT_OFF, health=False)
    assert "learner_audit" in read


def test_features_and_alerts_do_not_name_the_audit_table() -> None:
    refuses = ROOT / "features" / "declaration.py"
    for path in {*(ROOT / "features").rglob("*.py"), *(ROOT / "alerts").rglob("*.py")} - {refuses}:
        assert "learner_audit" not in path.read_text(encoding="utf-8"), path


@needs_pdf
def test_the_commands_write_publish_and_explain(copy: Service, tmp_path: Path) -> None:
    home, run = str(copy.home.root), CliRunner().invoke
    done = run(app, ["indicators", "--home", home, "--as-of", CUT_OFF.isoformat()])
    assert done.exit_code == 0, done.output
    folder = copy.home.indicators / CUT_OFF.isoformat()
    assert {path.name for path in folder.iterdir()} == {"indicators.html", "indicators.pdf", "body.html", "tables.xlsx", "tables"}
    assert "Données simulées" in (folder / "indicators.html").read_text(encoding="utf-8")
    assert (
        pl.read_excel(folder / "tables.xlsx", sheet_name="indicators").height
        == pl.read_parquet(folder / "tables" / "indicators.parquet").height
    )

    told = run(
        app, ["value-added", "--home", home, "--as-of", CUT_OFF.isoformat(), "--outcome", "completed", "--out", str(tmp_path / "va")]
    )
    assert told.exit_code == 0, told.output
    assert "completed" in told.output
    assert (tmp_path / "va" / "tables" / "value_added.csv").exists()


def test_tabulate_without_anything_counted_is_empty_and_typed(found: Evaluation) -> None:
    from impact.indicators.counted import COLUMNS

    empty = pl.DataFrame(schema=dict(zip(COLUMNS, (pl.String,) * 5 + (pl.Date, pl.Float64, pl.Float64), strict=True)))

    assert tabulate(empty).schema == found.indicators.schema
