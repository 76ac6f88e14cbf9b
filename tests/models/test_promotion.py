"""A promotion is a decision: refused, given with a reason, taken back, and never forgotten."""

from __future__ import annotations

import datetime as dt
import json
import os
import pwd
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import polars as pl
import pytest
from typer.testing import CliRunner

from features.catalogue import FEATURES
from models import language, registry
from models.card import CARD_FILE, CARD_FILES, PLOTS, UNSEEN_FILE, of_very_few, tell_decisions, write_card
from models.comparison import keep, weigh_beside_champion
from models.gate import Check, Verdict, decide
from models.language import written
from models.promotion import HELD, HELD_AS, decisions, promote, refused_before, rollback
from models.unseen import Unseen
from pipelines.cli import app
from pipelines.made_with import made_with
from pipelines.serving import cards_of, compare_models, promote_model, roll_back, train_model
from tests.conftest import LAST
from tests.services import copy_of
from vigie.errors import ConfigurationError, NoDataError, NoModelError

if TYPE_CHECKING:
    from pathlib import Path

    from models.judging import Evidence
    from pipelines.service import Service
    from pipelines.serving import Outcome

NOW = dt.datetime(2025, 12, 1, 3, 0, tzinfo=dt.UTC)
LATER = dt.date(2025, 11, 14)
EARLIER = dt.date(2025, 10, 24)
RED, GREEN = (Verdict((Check("calibrated", passed, "slope 3.1"),)) for passed in (False, True))


@pytest.fixture(scope="module")
def trained(service: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, Outcome]:
    """The service with a champion, and a second model trained in it."""
    made = copy_of(service, tmp_path_factory.mktemp("two"))
    return made, train_model(made, LATER)


@pytest.fixture(scope="module")
def two(trained: tuple[Service, Outcome]) -> tuple[Service, str, str]:
    """The service with a champion and a second model that does not serve."""
    made, outcome = trained
    first = min(registry.versions(made.home))
    if outcome.champion == outcome.version:
        rollback(made.home, NOW)
    assert registry.champion(made.home) == first
    return made, first, outcome.version


def test_ctrl_c_while_mlflow_is_told_leaves_a_run_that_says_so_and_no_version(
    trained: tuple[Service, Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, model = copy_of(trained[0], tmp_path / "home"), trained[1].trained
    known = registry.versions(made.home)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mlflow.MlflowClient.log_artifacts", stopped)
        patched.setattr(registry, "versions", lambda _: {})
        with pytest.raises(KeyboardInterrupt):
            registry.register(made.home, model)

    client = registry.client_of(made.home)
    experiment = client.get_experiment_by_name(registry.EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.status for run in runs} == {"FINISHED", "KILLED"}
    assert registry.versions(made.home) == known


def test_a_card_written_again_keeps_what_was_judged_on_unseen_places(trained: tuple[Service, Outcome], tmp_path: Path) -> None:
    made, outcome = copy_of(trained[0], tmp_path / "home"), trained[1]
    folder = made.home.models / outcome.version
    none = pl.DataFrame({"level": []}, schema={"level": pl.String})
    levels = pl.DataFrame({"level": ["provider"], "places": [0], "rows": [0], "dropouts": [0], "why_not": ["There is one provider alone."]})
    # As an older version of Vigie wrote it: without French.
    unseen = Unseen(outcome.version, "2025-01-04", "2025-02-01", levels, none, none, none)
    (folder / UNSEEN_FILE).write_text(unseen.to_json(), encoding="utf-8")

    write_card(made.home, outcome.trained, outcome.evidence, outcome.verdict)

    french, english = ((folder / name).read_text(encoding="utf-8") for name in CARD_FILES.values())
    assert "Not judged for this version" not in english
    assert french.count("There is one provider alone.") == english.count("There is one provider alone.") == 1
    assert "Par organisme" in french


def test_what_the_gate_decides_after_a_training_names_no_account_and_a_held_version_no_writer(
    two: tuple[Service, str, str], tmp_path: Path
) -> None:
    home, first, second = copy_of(two[0], tmp_path / "home").home, two[1], two[2]
    assert promote(home, second, GREEN, NOW)
    rollback(home, NOW, "Too many alerts.")
    assert not promote(home, second, GREEN, NOW, by_itself=True)
    assert [entry["by"] for entry in decisions(home)[-3:]] == [pwd.getpwuid(os.getuid()).pw_name] * 2 + [""]
    log = home.models / registry.DECISIONS_FILE
    # As an older version of Vigie wrote it.
    log.write_text(log.read_text(encoding="utf-8").replace(HELD, HELD_AS[1]), encoding="utf-8")
    assert decisions(home)[-1]["reason"] == HELD_AS[1]

    tell_decisions(home, second, first)

    french, english = (unescape((home.models / second / name).read_text(encoding="utf-8")) for name in CARD_FILES.values())
    assert "une version n'est mise en service que sur décision d'une personne" in french
    assert HELD in english
    assert f"“{HELD}" not in english
    assert HELD_AS[1] not in english + french


def test_counts_of_very_few_people_are_not_on_the_card() -> None:
    def shown(*dropouts: int) -> list[int | None]:
        groups = pl.DataFrame({"attribute": ["sex"] * len(dropouts), "dropouts": dropouts})
        return groups.with_columns(pl.when(~of_very_few(groups)).then("dropouts").alias("told"))["told"].to_list()

    assert shown(40, 12) == [40, 12]
    # One alone could be worked out from the other.
    assert shown(40, 8) == [None, None]
    assert shown(40, 30, 8).count(None) == 2


def test_a_card_of_before_takes_sections_too(two: tuple[Service, str, str], tmp_path: Path) -> None:
    made = copy_of(two[0], tmp_path / "home")
    for name in CARD_FILES.values():
        (made.home.models / two[2] / name).write_text("<html><body><h2>Groups</h2>\n</body>\n</html>", encoding="utf-8")

    tell_decisions(made.home, two[2])

    page = (made.home.models / two[2] / CARD_FILE).read_text(encoding="utf-8")
    assert page.index('<section id="decisions" lang="fr">') < page.index("</body>")


def test_a_champion_that_the_gate_refuses_when_asked_again_is_said_to_go_on(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home, serving = copy_of(two[0], tmp_path / "home").home, two[1]
    assert registry.champion(home) == serving

    assert not promote(home, serving, RED, NOW)
    tell_decisions(home, serving)

    french, english = ((home.models / serving / name).read_text(encoding="utf-8") for name in CARD_FILES.values())
    assert "il reste en service malgré ce refus" in french
    assert "it goes on serving all the same" in english


def test_the_gate_compared_the_new_model_with_the_champion(two: tuple[Service, str, str]) -> None:
    made, first, second = two
    entry = next(entry for entry in decisions(made.home) if entry["version"] == second)

    assert set(entry["checks"]) >= {"no worse than the champion", "calibrated"}
    assert first in entry["checks"]["no worse than the champion"]["says"]


def test_a_champion_whose_columns_are_gone_does_not_stop_a_training(two: tuple[Service, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    made, first, second = two

    def told() -> tuple[Evidence, Check]:
        with made.warehouse() as warehouse:
            evidence = weigh_beside_champion(made.home, warehouse, second, dt.date(2025, 12, 15), made.rules.invariants, made.time_zone)
        return evidence, next(check for check in decide(evidence).checks if check.name == "no worse than the champion")

    evidence, check = told()
    assert (evidence.champion, evidence.apart) == (first, "")
    assert not check.says.startswith("Not compared")

    monkeypatch.setattr("models.registry.FEATURES", {name: feature for name, feature in FEATURES.items() if name != "work_missed"})
    evidence, check = told()

    assert evidence.champion == ""
    assert "champion" not in evidence.figures["contender"]
    assert check == Check(
        "no worse than the champion",
        passed=True,
        says=f"Not compared: {first} reads work_missed, which this version of Vigie does not compute.",
    )


def test_a_champion_whose_twin_is_lost_is_not_replaced_without_being_held_against(two: tuple[Service, str, str], tmp_path: Path) -> None:
    made, first, second = copy_of(two[0], tmp_path / "home"), two[1], two[2]
    twin = made.home.models / first / registry.TWIN
    twin.rename(tmp_path / "elsewhere")

    with made.warehouse() as warehouse, pytest.raises(NoModelError, match="damaged or altered") as told:
        weigh_beside_champion(made.home, warehouse, second, dt.date(2025, 12, 15), made.rules.invariants, made.time_zone)

    assert "fetched again from MLflow" in told.value.remedy
    shutil.rmtree(made.home.models / first)
    assert registry.twin_of(made.home, first)


def test_a_database_that_somebody_holds_is_not_taken_for_a_service_without_a_champion(
    two: tuple[Service, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_of(two[0], tmp_path / "home").home
    monkeypatch.setattr(registry, "LOCKED_SECONDS", 0.1)
    with closing(sqlite3.connect(home.mlflow_db)) as held:
        held.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NoModelError, match="database is locked"):
            registry.champion(home)
    assert registry.champion(home) == two[1]


def test_a_database_that_is_gone_is_not_taken_for_a_service_that_never_had_a_model(two: tuple[Service, str, str], tmp_path: Path) -> None:
    made = copy_of(two[0], tmp_path / "home")
    made.home.mlflow_db.unlink()

    with pytest.raises(NoModelError, match="is gone, though models were decided on here") as told:
        train_model(made, LATER)

    assert "vigie restore" in told.value.remedy
    assert not made.home.mlflow_db.exists()


def test_a_champion_that_the_gate_refuses_today_is_said_to_go_on_serving(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home = copy_of(two[0], tmp_path / "home").home
    promote(home, two[1], Verdict((Check("sex X", passed=False, says="gap"),)), NOW, "The steering group read the card.")

    said = CliRunner().invoke(app, ["models", "promote", two[1], "--home", str(home.root), "--as-of", "2025-12-15"])

    assert said.exit_code == 1
    assert f"{two[1]} goes on serving, though the gate now refuses it." in said.output
    assert "does not serve" not in said.output


def test_after_a_rollback_a_green_gate_is_not_enough_for_a_training(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home = copy_of(two[0], tmp_path / "home").home
    promote(home, two[2], GREEN, NOW)
    rollback(home, NOW, "Too many alerts on Monday.")

    assert not promote(home, two[2], GREEN, NOW, by_itself=True)
    assert registry.champion(home) == two[1]
    assert (decisions(home)[-1]["gate"], decisions(home)[-1]["reason"]) == ("green", HELD)
    # Somebody asks for it; from then on trainings promote again.
    assert promote(home, two[2], GREEN, NOW)
    assert promote(home, two[1], GREEN, NOW, by_itself=True)


def test_a_version_is_judged_on_no_day_before_its_training(two: tuple[Service, str, str], tmp_path: Path) -> None:
    made = copy_of(two[0], tmp_path / "home")

    with pytest.raises(NoDataError, match="was trained on"):
        promote_model(made, two[2], LATER - dt.timedelta(days=14), "")
    assert decisions(made.home) == decisions(two[0].home)
    # Long after the last delivery, its day decides: it knows more outcomes than the day of training.
    assert promote_model(made, two[2], dt.date(2026, 6, 1), "")[2] == LAST


def test_no_service_is_given_back_to_a_version_that_can_serve_no_night(
    two: tuple[Service, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_of(two[0], tmp_path / "home").home
    promote(home, two[2], GREEN, NOW)
    monkeypatch.setattr("models.registry.FEATURES", {name: feature for name, feature in FEATURES.items() if name != "work_missed"})

    with pytest.raises(NoModelError, match="reads work_missed"):
        rollback(home, NOW)

    assert registry.champion(home) == two[2]


def test_a_refused_model_serves_no_night_and_a_reason_makes_it_serve(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home, first, second = copy_of(two[0], tmp_path / "home").home, two[1], two[2]
    before = len(decisions(home))

    assert not promote(home, second, RED, NOW)
    assert registry.champion(home) == first
    with pytest.raises(ConfigurationError, match="too short"):
        promote(home, second, RED, NOW, "because")
    assert promote(home, second, RED, NOW, "The steering group read the card and accepts it.")

    assert registry.champion(home) == second
    kept = decisions(home)[before:]
    assert [entry["action"] for entry in kept] == ["refused", "promoted"]
    assert kept[1]["reason"] == "The steering group read the card and accepts it."
    assert kept[1]["checks"]["calibrated"] == {"passed": False, "says": "slope 3.1", "fr": "calibré\N{NO-BREAK SPACE}: slope 3.1"}
    assert kept[1]["by"] == pwd.getpwuid(os.getuid()).pw_name
    tags = registry.client_of(home).get_model_version(registry.NAME, registry.known(home, second)).tags
    assert tags["promotion"] == "against the gate: The steering group read the card and accepts it."

    with pytest.raises(ConfigurationError, match="too short"):
        rollback(home, NOW, "x")
    assert rollback(home, NOW, "Too many alerts.") == first
    assert registry.champion(home) == first
    told = {
        version: registry.client_of(home).get_model_version(registry.NAME, registry.known(home, version)).tags
        for version in (first, second)
    }
    assert told[second]["promotion"] == f"taken back for {first}: Too many alerts."
    assert told[first]["promoted_at"] == told[second]["taken_back_at"] == NOW.isoformat()
    said = CliRunner().invoke(app, ["models", "list", "--home", str(home.root)], catch_exceptions=False).output
    assert f"given back to {first}, in place of {second} by {pwd.getpwuid(os.getuid()).pw_name}: Too many alerts." in said
    assert f"promoted {second}, in place of {first} by {pwd.getpwuid(os.getuid()).pw_name}, against the gate" in said
    with pytest.raises(NoModelError, match="no earlier champion"):
        rollback(home, NOW)
    assert decisions(home)[-1]["reason"] == "Too many alerts."


def test_a_green_gate_promotes_and_rollbacks_walk_back(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home, first, second = copy_of(two[0], tmp_path / "home").home, two[1], two[2]

    assert promote(home, second, GREEN, NOW)
    assert registry.model_for(home, LATER).version == second
    # A night before it was trained goes on with the champion of that time.
    assert registry.model_for(home, LATER - dt.timedelta(days=1)).version == first


def test_rollbacks_walk_back_through_a_champion_that_came_back_by_promotion(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home, first, second = copy_of(two[0], tmp_path / "home").home, two[1], two[2]
    for version in (second, first, second):
        promote(home, version, GREEN, NOW)

    # First, second, first, second: each time to the one before.
    assert [rollback(home, NOW) for _ in range(3)] == [first, second, first]
    with pytest.raises(NoModelError, match="no earlier champion"):
        rollback(home, NOW)


def test_of_two_champions_of_one_training_day_the_one_registered_last_serves_its_nights(
    two: tuple[Service, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, first, second = two[0].home, two[1], two[2]
    older, newer = f"{LATER}-ffffffffff", f"{LATER}-aaaaaaaaaa"
    monkeypatch.setattr(registry, "champion", lambda _: "2026-01-01-0123456789")
    monkeypatch.setattr(registry, "versions", lambda _: {first: "1", second: "2", older: "9", newer: "10"})
    monkeypatch.setattr(registry, "promoted", lambda _: {first, older, newer})
    monkeypatch.setattr(registry, "load", lambda _, version: version)

    assert registry.model_for(home, LATER) == newer


def test_a_promotion_that_died_before_its_crown_is_never_gone_back_to(
    two: tuple[Service, str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, first, second = copy_of(two[0], tmp_path / "home").home, two[1], two[2]

    def dies(*_: object) -> None:
        raise OSError

    with monkeypatch.context() as broken:
        broken.setattr("models.promotion.crown", dies)
        with pytest.raises(OSError):  # noqa: PT011 - the one raised above
            promote(home, second, GREEN, NOW)

    assert registry.champion(home) == first
    with pytest.raises(NoModelError, match="no earlier champion"):
        rollback(home, NOW)
    # Done again, it is a champion like any other, and can be taken back.
    assert promote(home, second, GREEN, NOW)
    assert rollback(home, NOW) == first


def test_the_card_is_in_one_language_each(two: tuple[Service, str, str]) -> None:
    made, _, second = two
    french, english = (path.read_text(encoding="utf-8") for path in cards_of(made, second))
    words = {text: said for text, said in language.french().items() if text != said}

    told = {unescape(text.strip()) for text in re.findall(r">([^<>]+)<", french)}
    assert told & set(words) - set(words.values()) == set()
    headers = {unescape(text) for text in re.findall(r'<th scope="col">([^<]*)</th>', french)}
    assert headers - set(language.french().values()) == set()
    assert len(headers) > 40
    assert re.findall(r"\d\.\d", re.sub(r'src="[^"]*"|<style>.*?</style>|href="[^"]*"', "", french, flags=re.DOTALL)) == []
    assert len(re.findall("<caption>[^<]+</caption>", french)) == french.count("<table>") == english.count("<table>") >= 10
    assert french.count("<img") == english.count("<img") == len(PLOTS)
    assert f'href="{CARD_FILES["en"]}"' in french
    assert f'href="{CARD_FILES["fr"]}"' in english


def test_a_later_judgement_leaves_the_first_evidence_and_is_told_in_the_card(two: tuple[Service, str, str], tmp_path: Path) -> None:
    made, first, second = copy_of(two[0], tmp_path / "home"), two[1], two[2]
    folder, reason = made.home.models / second, "The steering group read the card <again>."
    before = (folder / "evidence.json").read_bytes()

    assert promote_model(made, second, dt.date(2025, 12, 15), reason)[1]

    assert (folder / "evidence.json").read_bytes() == before
    entry = decisions(made.home)[-1]
    judged = json.loads((folder / entry["evidence"]["file"]).read_text(encoding="utf-8"))
    assert judged["rows"] == entry["evidence"]["rows"] > json.loads(before)["rows"]
    page = cards_of(made, second)[0].read_text(encoding="utf-8")
    assert page.count('<section id="decisions"') == 1
    assert f"Jugé sur {written(judged['rows'], ',', 'fr')} lignes" in page
    assert f"Judged on {judged['rows']:,} rows" in (folder / CARD_FILES["en"]).read_text(encoding="utf-8")
    assert "read the card &lt;again&gt;." in page
    assert f"remplacé par {second}" in cards_of(made, first)[0].read_text(encoding="utf-8")

    text = folder.with_name(first) / "booster.txt"
    whole = text.read_bytes()
    text.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NoModelError, match="damaged or altered"):
        roll_back(made, "Too many alerts.")
    assert registry.champion(made.home) == second
    assert decisions(made.home)[-1]["version"] == second
    text.write_bytes(whole)
    assert roll_back(made, "Too many alerts.") == first

    assert f"retiré, {first} est remis en service" in cards_of(made, second)[0].read_text(encoding="utf-8")
    assert f"remis en service à la place de {second}" in cards_of(made, first)[0].read_text(encoding="utf-8")


def test_a_model_that_was_never_promoted_serves_no_past_night_either(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home = copy_of(two[0], tmp_path / "home").home
    client = registry.client_of(home)
    client.delete_registered_model_alias(registry.NAME, registry.CHAMPION)
    assert registry.promoted(home) == {two[1]}
    registry.uncrown(home, two[1], {})

    with pytest.raises(NoModelError, match="none may serve"):
        registry.model_for(home, LATER)


def test_two_versions_are_compared_on_rows_both_twins_came_before(two: tuple[Service, str, str]) -> None:
    made, first, second = two

    evidence, _ = compare_models(made, second, first, dt.date(2025, 12, 15))

    seen = max(registry.twin_of(made.home, version)[1] for version in (first, second))
    assert dt.date.fromisoformat(evidence.first) > seen + dt.timedelta(days=28)
    assert set(evidence.figures["contender"]) >= {"model", "champion", "session_rate", "logistic"}
    client = registry.client_of(made.home)
    experiment = client.get_experiment_by_name(registry.EXPERIMENT)
    runs = client.search_runs([experiment.experiment_id], f"tags.compared = '{second}'")
    assert runs[0].data.metrics["model/auc"] == pytest.approx(evidence.value("auc")[0])
    above = evidence.value("auc")[0] - evidence.value("auc", "champion")[0]
    assert runs[0].data.metrics["difference from rival/auc"] == pytest.approx(above)
    assert runs[0].data.params["as_of"] == "2025-12-15"
    assert int(runs[0].data.params["rows"]) == evidence.rows
    assert set(made_with(made.settings.config)) <= set(runs[0].data.tags)


def test_a_comparison_calls_champion_only_who_is(two: tuple[Service, str, str]) -> None:
    made, first, second = two

    beside = {of: {check.name for check in compare_models(made, *of, LATER)[1].checks} for of in ((second, first), (first, second))}

    assert "no worse than the champion" in beside[second, first]
    assert "no worse than the rival" in beside[first, second]
    assert "no worse than the champion" not in beside[first, second]


def test_a_group_that_a_version_was_refused_for_is_remembered_when_the_gate_is_asked_again(
    two: tuple[Service, str, str], tmp_path: Path
) -> None:
    made, _, second = copy_of(two[0], tmp_path / "home"), two[1], two[2]
    assert "sex X" not in {name for entry in decisions(made.home) for name in entry.get("checks", {})}
    promote(made.home, second, Verdict((Check("sex X", passed=False, says="gap"), Check("calibrated", passed=True, says=""))), NOW)
    assert refused_before(made.home, second) >= {"sex X"}
    assert "calibrated" not in refused_before(made.home, second)

    verdict, served, _ = promote_model(made, second, dt.date(2025, 12, 15), "")

    assert not served
    assert "which has too few leavers here to take that back" in next(check.says for check in verdict.checks if check.name == "sex X")


def test_what_the_gate_was_told_of_groups_is_in_mlflow_whatever_they_are_called(trained: tuple[Service, Outcome], tmp_path: Path) -> None:
    home, outcome = copy_of(trained[0], tmp_path / "home").home, trained[1]
    told = {f"{name}{end}": [0.9] for name in ("recall", "recall_ratio", "expected_ratio") for end in ("", "_low", "_high")}
    groups = pl.DataFrame({"attribute": ["operator"], "group": ["Mission locale d'Évreux / nord"], "too_few": [False]} | told)

    keep(home, replace(outcome.evidence, groups=groups), NOW)

    client = registry.client_of(home)
    run = client.get_model_version(registry.NAME, registry.known(home, outcome.version)).run_id
    named = f"judged/{NOW:%Y%m%dT%H%M%SZ}/groups/operator Mission locale d_Évreux _ nord/recall_ratio"
    assert client.get_run(run).data.metrics[named] == pytest.approx(0.9)


def test_the_card_says_what_it_is_for_and_what_it_is_not_for(two: tuple[Service, str, str]) -> None:
    made, _, second = two

    page = cards_of(made, second)[1].read_text(encoding="utf-8")

    assert second in page
    assert "under usual support" in page
    assert "avec l'accompagnement habituel" in cards_of(made, second)[0].read_text(encoding="utf-8")
    assert "Données simulées" in page
    assert page.count("data:image/png;base64,") == 5
    client = registry.client_of(made.home)
    run = client.get_model_version(registry.NAME, registry.known(made.home, second)).run_id
    assert len(client.list_artifacts(run, "plots")) == 5
    judged, evidence = client.get_run(run).data, json.loads((made.home.models / second / "evidence.json").read_text(encoding="utf-8"))
    assert judged.tags["judged_on"].startswith(f"{evidence['rows']}, {evidence['dropouts']} of leavers, {evidence['first']} to ")
    assert judged.tags["judged_beside"] == evidence["champion"]
    below = next(row for row in evidence["differences"] if (row["rival"], row["metric"]) == ("logistic", "auc"))
    assert judged.metrics["judged/difference from logistic/auc/low"] == pytest.approx(below["low"])
    figures = json.loads((made.home.models / second / "figures.json").read_text(encoding="utf-8"))
    assert client.get_run(run).data.metrics["test_block/without_contacts/auc"] == pytest.approx(figures["without_contacts"]["auc"])
    cells = re.findall(
        r"<t[dh][^>]*>([^<]*)</t[dh]>", page.partition("The recipe with and without contacts</caption>")[2].partition("<tbody>")[2]
    )
    added = [figures[who]["average_precision"] for who in ("model", "without_contacts")]
    low, high = map(float, cells[10:12])
    assert cells[6:10] == ["average precision", *(f"{value:.3f}" for value in (*added, added[0] - added[1]))]
    assert low <= added[0] - added[1] <= high
    counts = page.partition("Do the risks mean what they say?")[2]
    # The first and the last window that screens tell are the first and the last band of the card, but for a row at their edge.
    told = registry.load(made.home, second).beside.bands
    shown = [int(text.replace(",", "")) for text in re.findall(r"<td>([\d,]+)</td><td>[\d,]+</td>", counts)]
    assert abs(shown[0] - told[0]["rows"]) <= 2
    for said in ("job or another course", "session high"):
        assert said in counts
    for row in ("28 days", "0-3", "size of provider"):
        assert f">{row}</t" in counts, row
    first_week = json.loads((made.home.models / second / "evidence.json").read_text(encoding="utf-8"))["weeks"][0]
    weekly = page.partition("AUC week by week")[2].partition("<tbody>")[2]
    week, _, _, mine = re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", weekly)[:4]
    assert int(week) == first_week["week"]
    assert [float(text) for text in re.findall(r"[\d.]+", mine)] == pytest.approx(
        [first_week[name] for name in ("auc", "auc_low", "auc_high")], abs=6e-4
    )
    for said in ("No sanction", "session rate", "The gate", "Decisions", "Fewer than 20 people who drop out in the group"):
        assert said in page.replace("session_rate", "session rate"), said


def test_a_training_as_of_an_earlier_day_is_judged_and_does_not_take_the_champions_place(
    two: tuple[Service, str, str], tmp_path: Path
) -> None:
    made = copy_of(two[0], tmp_path / "home")
    assert promote(made.home, two[2], GREEN, NOW)

    outcome = train_model(made, EARLIER)

    assert outcome.champion == two[2]
    assert (outcome.evidence.champion, outcome.evidence.outrun) == ("", two[2])
    assert "older model" in next(check.says for check in outcome.verdict.checks if check.name == "no worse than the champion")
    assert cards_of(made, outcome.version)[0].exists()
    assert decisions(made.home)[-1]["action"] == "refused"


def test_the_champion_trained_once_more_keeps_the_card_that_shows_whom_it_was_judged_beside(
    two: tuple[Service, str, str], tmp_path: Path
) -> None:
    made, first, second = copy_of(two[0], tmp_path / "home"), two[1], two[2]
    assert promote(made.home, second, GREEN, NOW)
    tell_decisions(made.home, second, first)
    pages = cards_of(made, second)
    before = [page.read_bytes() for page in pages]
    assert json.loads((pages[0].parent / "evidence.json").read_text(encoding="utf-8"))["champion"] == first

    outcome = train_model(made, LATER)

    assert (outcome.version, outcome.champion, outcome.evidence.champion) == (second, second, "")
    assert [page.read_bytes() for page in pages] == before

    # As a Ctrl-C before the card leaves it: the advice is to train again, and that writes it.
    for page in pages:
        page.unlink()
    with pytest.raises(NoDataError, match="stopped before") as told:
        cards_of(made, second)
    assert told.value.remedy.startswith(f"Run: vigie train --as-of {LATER}.")
    train_model(made, LATER)
    assert cards_of(made, second) == pages


def test_a_version_is_not_compared_with_itself(two: tuple[Service, str, str]) -> None:
    with pytest.raises(NoModelError, match="named twice"):
        compare_models(two[0], two[1], two[1], LATER)


def test_a_decision_that_a_power_cut_left_half_written_never_was(two: tuple[Service, str, str], tmp_path: Path) -> None:
    home = copy_of(two[0], tmp_path / "home").home
    log, before = home.models / "decisions.jsonl", decisions(home)
    promote(home, two[2], RED, NOW, "The steering group read\u2028the card.")
    whole = log.read_bytes()
    assert decisions(home)[-1]["reason"] == "The steering group read\u2028the card."

    log.write_bytes(whole[:-1])
    assert len(decisions(home)) == len(before) + 1
    log.write_bytes(whole[:-40])
    assert decisions(home) == before
    promote(home, two[2], RED, NOW)
    assert [entry["action"] for entry in decisions(home)[len(before) :]] == ["refused"]

    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join([lines[0][:50] + b"\n", *lines[1:]]))
    with pytest.raises(ConfigurationError, match=r"Line 1 of .* cannot be read"):
        decisions(home)
