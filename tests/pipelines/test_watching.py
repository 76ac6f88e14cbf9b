"""The watch over nights that ran: what is read, kept, told and drawn."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import polars as pl
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from alerts.cases import CaseStore
from alerts.cases.schema import SESSION_ALERTS
from features.catalogue import FEATURES
from models.registry import champion
from pipelines.cli import app
from pipelines.commands.models import examples
from pipelines.examples import examples_page
from pipelines.steps import Directly, alert_night, run_night
from pipelines.watching import _sessions_first, watch_night, watch_page
from tests.services import copy_of
from vigie.errors import NoModelError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from data_contracts.simulator import Simulation
    from pipelines.service import Service

SCORED, SUNDAY = dt.date(2025, 11, 7), dt.date(2025, 12, 14)
"""The first on a weekday of the landmarks, Friday."""


@pytest.fixture(scope="module")
def watched(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    """A night, and the Sunday by which its horizon is over."""
    made = copy_of(service, tmp_path_factory.mktemp("watched"))
    for night in (SCORED, SUNDAY):
        run_night(made, night, Directly())
    return made


def readings(service: Service, night: dt.date) -> dict[str, dict[str, float]]:
    kept = json.loads((service.home.out(night) / "watch.json").read_text())
    return {reading["subject"]: reading for reading in kept["readings"]}


def test_the_volume_and_the_answers_are_read_each_night_columns_and_risk_on_the_weekday_of_the_landmarks(watched: Service) -> None:
    version = champion(watched.home)
    assert version is not None
    trained = dt.date.fromisoformat(version[:10]).weekday()
    found = {night: readings(watched, night) for night in (SCORED, SUNDAY)}

    drifts = {f"drift of {name}" for name in (*FEATURES, "risk")}
    assert {night.weekday() == trained for night in found} == {True, False}
    for night, read in found.items():
        assert {"new risk alerts", "alerts without object", "alerts called useful"} <= set(read)
        assert drifts & set(read) == (drifts if night.weekday() == trained else set())
    assert "expected over observed" not in found[SCORED]


def test_outcomes_are_read_once_the_horizon_is_over(watched: Service) -> None:
    found = readings(watched, SUNDAY)
    scores = pl.read_parquet(watched.home.out(SCORED) / "scores.parquet")

    level = found["expected over observed"]
    assert 0.8 * scores.height < level["people"] <= scores.height
    assert level["low"] < level["value"] < level["high"]
    assert 0 <= found["precision of the lists"]["value"] <= 1


def test_a_shift_is_a_warning_of_the_night_and_an_alarm_of_the_page(watched: Service, tmp_path: Path) -> None:
    made = copy_of(watched, tmp_path / "home")
    path = made.home.out(SCORED) / "features.parquet"
    features = pl.read_parquet(path)
    features.with_columns(attendance_share_28=pl.lit(None, pl.Float64)).write_parquet(path)

    told = watch_night(made, SCORED)

    assert any("attendance_share_28" in text for text in told)
    path, nights, alarms, _ = watch_page(made)
    page = path.read_text()
    assert nights == [SCORED.isoformat(), SUNDAY.isoformat()]
    # Columns are compared once a week: what was read before the last night counts until it is read again.
    assert any(text.startswith(f"{SCORED}: ") and "attendance_share_28" in text for text in alarms)
    assert "attendance_share_28" in page
    assert page.count("data:image/png") == 1
    assert "Données simulées" in page
    assert f"These nights were served by {champion(made.home)} ({SCORED} to {SUNDAY})." in page
    assert "0 of 0 opinions of the last four weeks call the alert useful." in page
    assert readings(made, SUNDAY)["expected over observed"]["says"] in unescape(page)


def test_a_drift_from_what_an_older_version_kept_is_not_told_as_one_of_today(watched: Service, tmp_path: Path) -> None:
    made = copy_of(watched, tmp_path / "home")
    path, learnt = made.home.out(SCORED) / "features.parquet", next(made.home.models.glob("*/reference.parquet"))
    pl.read_parquet(path).with_columns(attendance_share_28=pl.lit(None, pl.Float64)).write_parquet(path)
    watch_night(made, SCORED)
    assert any("attendance_share_28" in alarm for alarm in watch_page(made)[2])

    pl.read_parquet(learnt).rename({"together": "alike"}).write_parquet(learnt)
    _, _, alarms, unread = watch_page(made)

    assert not any("attendance_share_28" in alarm for alarm in alarms)
    assert f"drift: not read, {champion(made.home)} left nothing that this version of Vigie compares with: train again." in unread


def test_no_alarm_of_what_was_never_read_is_said_to_be_that(watched: Service, tmp_path: Path) -> None:
    made = copy_of(watched, tmp_path / "home")
    lasting = "alerts called useful: never judged, no four weeks had 20 answers."
    drifts = f"drift: never read, no night of a Friday was watched while {champion(made.home)} served."
    outcomes = "outcomes: never read, no night of a Sunday was watched."

    for lost, unread, read in ((SCORED, drifts, outcomes), (SUNDAY, outcomes, drifts)):
        for night in (SCORED, SUNDAY):
            watch_night(made, night)
        (made.home.out(lost) / "watch.json").unlink()
        done = CliRunner().invoke(app, ["watch", "--home", str(made.home.root)])
        page = (made.home.root / "out" / "watch.html").read_text()

        assert done.exit_code == 0
        assert f"? {unread}" in done.output
        assert f"? {lasting}" in done.output
        assert read not in done.output
        assert "each subject as last read, but for those that were not." in " ".join(done.output.split())
        assert unread.split(": ")[1][1:] in page
        assert read.split(": ")[1][1:] not in page


def test_a_damaged_watch_of_one_night_hides_no_other_and_a_new_champion_is_the_one_that_serves(watched: Service, tmp_path: Path) -> None:
    made = copy_of(watched, tmp_path / "home")
    path = made.home.out(SCORED) / "watch.json"
    path.write_bytes(path.read_bytes()[:40])

    page, nights, _, unread = watch_page(made)

    assert nights == [SUNDAY.isoformat()]
    assert f"{path} cannot be read" in unread[0]
    assert f"vigie night --as-of {SCORED}" in unread[0]
    version = champion(made.home)
    assert f"{version} serves now." in page.read_text()
    # Promoted since the last night: of what it learnt from, nothing was read.
    kept = made.home.out(SUNDAY) / "watch.json"
    kept.write_text(kept.read_text().replace(str(version), "2025-01-01-0123456789"))
    assert any(subject.startswith("drift: never read") and f"while {version} served" in subject for subject in watch_page(made)[3])


def test_where_the_session_tells_as_much_lists_and_the_night_name_sessions(watched: Service, tmp_path: Path) -> None:
    """The limit is lowered: no session of this small service reaches that of the country."""
    made = copy_of(watched, tmp_path / "home")
    low = made.rules.model_copy(update={"default": made.rules.default.model_copy(update={"minimum_risk": 0.005}), "territories": {}})
    made = replace(made, rules=low)
    version = champion(made.home)
    assert version is not None
    evidence = made.home.models / version / "evidence.json"
    kept = json.loads(evidence.read_text())
    night = pl.read_parquet(made.home.out(SUNDAY) / "scores.parquet").join(
        pl.read_parquet(made.home.out(SUNDAY) / "features.parquet", columns=["enrolment_id", "programme_id"]), on="enrolment_id"
    )
    rates = night.group_by("programme_id", "session_id").agg(pl.col("session_risk").first()).sort("session_risk", "session_id")
    # The programme whose worst session is the best of all: the highest rates of the service are elsewhere.
    calm = rates.group_by("programme_id").agg(pl.col("session_risk").max()).sort("session_risk", "programme_id")["programme_id"][0]
    theirs, others = rates.filter(pl.col("programme_id") == calm), rates.filter(pl.col("programme_id") != calm)
    assert theirs["session_risk"][-1] < others["session_risk"][-1]
    kept["last"] = "2025-10-01"
    kept["places"] = [
        {"level": "programme", "place": calm, "low": -0.1},
        {"level": "programme", "place": others["programme_id"][-1], "low": 0.2},
        {"level": "programme", "place": "nobody there tonight", "low": -0.1},
    ]
    evidence.write_text(json.dumps(kept))

    alert_night(made, SUNDAY)
    told = watch_night(made, SUNDAY)

    (sentence,) = (text for text in told if "session rate" in text)
    assert f"programme {calm}: " in sentence
    assert "nobody there tonight" not in sentence
    assert theirs["session_id"][-1] in sentence
    assert not [session for session in others["session_id"] if f"{session} (" in sentence]
    groups = pl.read_parquet(made.home.out(SUNDAY) / "session_alerts.parquet")
    assert set(groups["session_id"]) <= set(theirs["session_id"])
    lists = {path.stem: path.read_text() for path in (made.home.out(SUNDAY) / "lists").glob("*.html")}
    naming = {name for name, page in lists.items() if "Sessions à regarder" in page}
    assert naming
    assert naming == set(groups["recipient"]) & set(lists)
    # The page tells the same, and tells sessions of one title apart by their dates.
    with CaseStore(made.cases_url) as cases, cases.engine.connect() as connection:
        shown = connection.execute(select(SESSION_ALERTS)).all()
    assert {(row.session_id, row.recipient) for row in shown} == set(groups.select("session_id", "recipient").rows())
    assert all(re.search(r"\(du \d\d/\d\d/\d{4} au \d\d/\d\d/\d{4}\)$", row.course) for row in shown)


def test_the_night_names_each_session_once_the_highest_rate_first_and_counts_the_others() -> None:
    rates = {"S1": 0.06, "S2": 0.2, "S3": 0.1, "S4": 0.05}
    rows = [
        {"session_id": session, "level": "provider", "place": "P", "people": 12, "session_risk": rate, "recipient": recipient}
        for recipient in ("A", "B")
        for session, rate in rates.items()
    ]
    other = {"session_id": "S5", "level": "programme", "place": "F", "people": 3, "session_risk": 0.07, "recipient": "A"}

    (said,) = _sessions_first(pl.DataFrame([*rows, other]))

    assert said.endswith(
        "programme F: S5 (3 people, 7%); provider P: S2 (12 people, 20%), S3 (12 people, 10%), S1 (12 people, 6%) and 1 more."
    )
    (without,) = _sessions_first(pl.DataFrame(rows[:3]))
    assert "more" not in without
    assert _sessions_first(pl.DataFrame([other]).clear()) == []


def test_examples_of_a_model_that_nobody_registered_say_so(watched: Service) -> None:
    with pytest.raises(NoModelError, match="There is no model nope"):
        examples(str(SCORED), str(watched.home.root), "nope")


def test_a_cut_file_of_scores_is_named_with_what_to_do(watched: Service, tmp_path: Path) -> None:
    cut = tmp_path / "scores.parquet"
    cut.write_bytes((watched.home.out(SCORED) / "scores.parquet").read_bytes()[:500])

    with pytest.raises(StorageError, match="cannot be read: it is damaged") as told:
        examples_page(watched, cut, SCORED)

    assert str(cut) in told.value.what
    assert told.value.remedy.startswith("Restore it from a backup, or delete it")


def test_twenty_examples_show_reasons_and_facts_and_no_name(watched: Service, simulation: Simulation) -> None:
    page = examples_page(watched, watched.home.out(SCORED) / "scores.parquet", SCORED).read_text()

    assert page.count("<section>") == 20
    # Of who may have left no number is told, nor what it rests on.
    assert page.count("situations passées de ce niveau") + page.count("Pas d&#39;estimation utile") == 20
    assert "Données simulées" in page
    assert page.count("Ce qui s'est passé ensuite") == 20
    names = simulation.tables["learner_identities"]["family_name"].unique()
    assert not [name for name in names if len(name) > 5 and name in page]


def test_an_example_says_what_stands_beside_its_reasons_and_how_the_course_stands(watched: Service, tmp_path: Path) -> None:
    scores = pl.read_parquet(watched.home.out(SCORED) / "scores.parquet")
    absent = {"code": "attendance", "feature": "unjustified_half_days_14", "value": 6.0, "contribution": 0.4, "previous_value": None}
    excused = absent | {"feature": "justified_half_days_14", "value": 4.0, "contribution": 0.0}
    told = pl.Series("reasons", [[absent, excused]] * scores.height, dtype=scores.schema["reasons"])
    scores.with_columns(told).write_parquet(tmp_path / "scores.parquet")

    page = examples_page(watched, tmp_path / "scores.parquet", SCORED).read_text()

    # Of whoever entered within the window it is all their days.
    assert "4 demi-journées d&#39;absence justifiée depuis l&#39;entrée." in page
    assert len(re.findall("4 demi-journées d&#39;absence justifiée (sur les 14 derniers jours|depuis l&#39;entrée)\\.", page)) == 20
    assert page.count("Formation : fin prévue le ") == 20


def test_of_who_is_new_on_a_list_an_example_does_not_say_that_nothing_moved(watched: Service, tmp_path: Path) -> None:
    """As the list: something brought them there."""
    out = watched.home.out(SCORED)
    scores, alerts = pl.read_parquet(out / "scores.parquet"), pl.read_parquet(out / "alerts.parquet")
    still = {"code": "attendance", "feature": "unjustified_half_days_14", "value": 6.0, "contribution": 0.4, "previous_value": 6.0}
    scores.with_columns(pl.Series("reasons", [[still]] * scores.height, dtype=scores.schema["reasons"])).write_parquet(
        tmp_path / "scores.parquet"
    )
    risks = pl.concat([alerts.head(1)] * scores.height).with_columns(
        scores["enrolment_id"], kind=pl.lit("dropout_risk", alerts.schema["kind"])
    )
    said = {}
    for state in ("sent", "new"):
        risks.with_columns(state=pl.lit(state, alerts.schema["state"])).write_parquet(tmp_path / "alerts.parquet")
        page = examples_page(watched, tmp_path / "scores.parquet", SCORED).read_text()
        said[state] = page.count("Ce chiffre n&#39;a pas bougé")

    assert said == {"sent": 20, "new": 0}


@pytest.mark.parametrize(("weak", "pages"), [(True, 0), (False, 20)])
def test_of_who_may_have_left_an_example_tells_no_change(watched: Service, tmp_path: Path, *, weak: bool, pages: int) -> None:
    scores = pl.read_parquet(watched.home.out(SCORED) / "scores.parquet")
    off = {"code": "attendance", "feature": "days_off_sheets", "value": 9.0, "contribution": 0.4, "previous_value": None}
    late = off | {"code": "punctuality", "feature": "late_half_days_28", "value": 8.0, "previous_value": 3.0}
    told = pl.Series("reasons", [[off, late]] * scores.height, dtype=scores.schema["reasons"])
    scores.with_columns(told, low_confidence=pl.lit(weak)).write_parquet(tmp_path / "scores.parquet")

    page = examples_page(watched, tmp_path / "scores.parquet", SCORED).read_text()

    assert page.count("Ce qui a changé") == pages
    assert "À prendre avec prudence" not in page


def test_a_night_pays_for_no_library_it_does_not_need(watched: Service) -> None:
    code = (
        "import sys; from pipelines.cli import app; "
        f"app(['night', '--home', {str(watched.home.root)!r}, '--as-of', {SUNDAY.isoformat()!r}], standalone_mode=False); "
        "print('heavy:', sorted({'mlflow', 'shap', 'matplotlib', 'prefect'} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)

    assert "heavy: []" in done.stdout
