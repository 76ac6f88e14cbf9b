"""What a person may ask of a whole service, and what age asks: export, erasure, expiry."""

from __future__ import annotations

import datetime as dt
import gzip
import hashlib
import json
import re
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from sqlalchemy import insert, update
from typer.testing import CliRunner

import pipelines.erasure
from alerts.cases import CaseStore, audit
from alerts.cases.audit import NOBODY
from alerts.cases.schema import ALERTS, LEARNERS
from alerts.wording import CAUTION, CAUTION_NEW
from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.tables.experiments import Arms
from impact.experiments.register import ERASED, without
from pipelines.access import held_about, write_access
from pipelines.backup import backup, restore
from pipelines.cli import app
from pipelines.doctor import examine
from pipelines.erasure import EVER, erase, sweep, would_erase
from pipelines.replay import replay
from pipelines.retention import due, past_their_time, signs
from pipelines.service import Service, open_service
from pipelines.steps import Directly, run_night, take_deliveries
from tests.services import copy_of
from vigie import clock
from vigie.erasures import Supposed
from vigie.errors import ConfigurationError, NoDataError, ReplayRefusedError
from vigie.rules import Retention
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = dt.date(2025, 11, 20)
KEY = "a key of thirty-two characters, or more"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_ERASURE_KEY", KEY)


def listed(service: Service) -> tuple[str, str]:
    """Learner and enrolment of somebody on a list."""
    rows = pl.read_parquet(service.home.out(NIGHT) / "alerts.parquet").filter(pl.col("state").cast(pl.String) == "new")
    who = rows.filter(pl.col("advisor_id").is_not_null()).sort("rank", "learner_id").row(0, named=True)
    return who["learner_id"], who["enrolment_id"]


def said(path: Path) -> bytes:
    if path.suffix == ".parquet":
        return pl.read_parquet(path).write_ndjson().encode()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as book:
            return b"".join(book.read(name) for name in book.namelist())
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def naming(service: Service, *words: str) -> list[str]:
    """Files of the home folder in which one of these words stands, compressed ones and tables read."""
    asked = re.compile("|".join(re.escape(word) for word in words).encode())
    files = [path for path in sorted(service.home.root.rglob("*")) if path.is_file()]
    return [path.relative_to(service.home.root).as_posix() for path in files if asked.search(said(path))]


def prints(service: Service) -> dict[str, str]:
    root = service.home.root
    files = [path for path in root.rglob("*") if path.is_file() and not path.name.startswith(("cases.sqlite", "night.", "warehouse"))]
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def words_of(service: Service, learner: str, enrolment: str) -> tuple[str, ...]:
    with CaseStore(service.cases_url) as cases:
        name = cases.names([learner]).row(0, named=True)
    return learner, enrolment, *(name[one] for one in ("email", "phone") if name[one])


def wrong(service: Service) -> list[str]:
    expected = ("No model", "Mail", "mail", "operator", "Prefect", "refused")
    found = [finding.what for finding in examine(service.settings) if finding.level == "wrong"]
    return [what for what in found if not any(word in what for word in expected)]


def test_an_erasure_leaves_no_byte_of_a_person_and_the_service_goes_on(served: Service, tmp_path: Path) -> None:
    ours = copy_of(served, tmp_path / "home")
    learner, enrolment = listed(ours)
    for left in (ours.home.out(NIGHT) / ".scores.parquet.part", ours.home.archive / ".000001-x.part" / "rows.parquet"):
        left.parent.mkdir(exist_ok=True)
        pl.DataFrame({"learner_id": [learner]}).write_parquet(left)
    coming = ours.home.landing / "learners" / ".new.csv.part"
    coming.write_text("learner_id", encoding="utf-8")
    with CaseStore(ours.cases_url) as cases:
        audit.note(cases.engine, clock.now(), None, "read", enrolment)
    words = words_of(ours, learner, enrolment)
    assert len(naming(ours, *words)) > 10
    others = pl.read_parquet(ours.home.out(NIGHT) / "scores.parquet").filter(pl.col("learner_id") != learner)

    told = would_erase(ours, [learner], lambda _: None)
    done = erase(ours, [learner], lambda _: None)

    assert replace(told, landed=[], files=sorted(told.files)) == replace(done, landed=[], files=sorted(done.files))
    assert done.landed
    assert coming.exists()
    assert done.cases["audit"] == 1
    with CaseStore(ours.cases_url) as cases:
        assert [(line.verb, line.object_id) for line in audit.latest(cases.engine)[:2]] == [("erase", NOBODY), ("read", NOBODY)]
    assert naming(ours, *words) == []
    assert pl.read_parquet(ours.home.out(NIGHT) / "scores.parquet").equals(others)
    assert wrong(ours) == wrong(served)
    run_night(ours, NIGHT + dt.timedelta(days=1), Directly())
    assert naming(ours, *words) == []
    assert sweep(ours, lambda _: None).nothing
    with pytest.raises(ReplayRefusedError, match="1 people were erased since"):
        replay(ours, NIGHT)
    assert "1 people were erased and are kept out" in str(examine(ours.settings))
    ours.home.erased.unlink()
    assert "erased.jsonl is gone" in str(wrong(ours))


def test_a_dry_run_changes_nothing_and_needs_no_key(served: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIE_ERASURE_KEY")
    ours = copy_of(served, tmp_path / "home")
    learner, _ = listed(ours)
    before = prints(ours)
    home = str(ours.home.root)

    dry = CliRunner().invoke(app, ["people", "erase", learner, "--home", home])
    refused = CliRunner().invoke(app, ["people", "erase", learner, "--home", home, "--yes"])
    nobody = CliRunner().invoke(app, ["people", "erase", "L-nobody", "--home", home])

    assert dry.exit_code == 0
    assert "add --yes" in dry.output
    assert isinstance(refused.exception, ConfigurationError)
    assert "VIGIE_ERASURE_KEY" in refused.exception.remedy
    assert not ours.home.erasing.exists()
    assert isinstance(nobody.exception, NoDataError)
    assert prints(ours) == before


@pytest.mark.parametrize("step", ["sweep", "empty", "clear_landing"])
def test_an_erasure_stopped_anywhere_is_ended_by_the_next_intake(
    served: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    ours = copy_of(served, tmp_path / "home")
    learner, enrolment = listed(ours)
    words = words_of(ours, learner, enrolment)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipelines.erasure, step, killed)
        with pytest.raises(KeyboardInterrupt):
            erase(ours, [learner], lambda _: None)
    assert naming(ours, *words)
    assert "An erasure was stopped half-way" in str(examine(ours.settings))
    take_deliveries(ours)

    assert naming(ours, *words) == []
    assert not ours.home.erasing.exists()


def test_an_older_backup_does_not_bring_them_back(served: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = copy_of(served, tmp_path / "home")
    learner, enrolment = listed(ours)
    words = words_of(ours, learner, enrolment)
    older = backup(ours, tmp_path / "backups", lambda _: None)
    erase(ours, [learner], lambda _: None)

    again = open_service(Settings(home=tmp_path / "again"), restoring=True)
    restore(again, older, lambda _: None, ours.home.erased)
    assert naming(again, *words) == []
    assert wrong(again) == wrong(served)

    newer = backup(ours, tmp_path / "later", lambda _: None)
    monkeypatch.setenv("VIGIE_ERASURE_KEY", "another key of thirty-two characters..")
    with pytest.raises(ConfigurationError, match="not the key"):
        restore(open_service(Settings(home=tmp_path / "third"), restoring=True), newer, lambda _: None)


def test_whoever_comes_back_is_taken_again_by_name(served: Service, tmp_path: Path) -> None:
    ours = copy_of(served, tmp_path / "home")
    learner, enrolment = listed(ours)
    erase(ours, [learner], lambda _: None)
    head = "enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date\n"
    session = pl.read_parquet(ours.home.out(NIGHT) / "scores.parquet")["session_id"][0]

    def enrolments() -> list[str]:
        with ours.warehouse() as warehouse:
            known = warehouse.as_known_at(layout(TABLES["enrolments"]), EVER, columns=["enrolment_id", "learner_id"])
        return known.filter(learner_id=learner)["enrolment_id"].to_list()

    refused = CliRunner().invoke(app, ["people", "readmit", "L-nobody", "--home", str(ours.home.root)])
    taken = CliRunner().invoke(app, ["people", "readmit", learner, "--home", str(ours.home.root)])
    rows = f"E-anew,{learner},{session},2026-01-02,,2026-05-01\n{enrolment},{learner},{session},2025-01-02,,2026-05-01\n"
    (ours.home.landing / "enrolments" / "anew.csv").write_text(head + rows, encoding="utf-8")
    take_deliveries(ours)

    assert (refused.exit_code, taken.exit_code) == (1, 0)
    assert enrolments() == ["E-anew"]


def test_the_draw_of_an_experiment_keeps_its_counts_and_not_the_person(tmp_path: Path) -> None:
    row = {"experiment_id": "essai", "unit": "learner", "stratum": "", "arm": "témoin", "treatment": "held_out", "risk": 0.2}
    dates = {"allocated_on": NIGHT, "applies_from": NIGHT, "applies_until": None, "plan_hash": "a" * 64}
    other = {"unit_id": "L1", "unit": "session", "experiment_id": "b"}
    arms = [*(row | dates | {"unit_id": name} for name in ("L1", "L2")), row | dates | other]
    schema = {name: column.dtype for name, column in Arms.columns().items()}
    Arms.validate(pl.DataFrame(arms, schema=schema, orient="row"), cast=True).write_parquet(tmp_path / "arms.parquet")

    assert without(tmp_path, Supposed({"learner": ["L1"]})) == 1

    left = Arms.validate(pl.read_parquet(tmp_path / "arms.parquet"))
    assert left.filter(experiment_id="b")["unit_id"].to_list() == ["L1"]  # a session that has the same name
    learners = left.filter(experiment_id="essai").select(pl.col("unit_id").str.head(len(ERASED)), "arm", "risk").sort("unit_id")
    assert learners.rows() == [("L2", "témoin", 0.2), (ERASED, "témoin", None)]
    assert without(tmp_path / "none", Supposed({"learner": ["L1"]})) == 0


def _with_reasons(ours: Service, enrolment: str) -> None:
    """Puts into the scores of every night what an export must tell: a strength, absences, and others with a reason beside them."""
    for path in (ours.home.root / "out").glob("*/scores.parquet"):
        night = pl.read_parquet(path)
        protects = night.filter(pl.col("protective").list.len() > 0)["protective"][:1]
        theirs = pl.when(pl.col("enrolment_id") == enrolment).then(pl.lit(protects).first()).otherwise("protective")
        absent = {"code": "attendance", "feature": "unjustified_half_days_14", "value": 6.0, "contribution": 0.4, "previous_value": None}
        excused = absent | {"feature": "justified_half_days_14", "value": 4.0, "contribution": 0.0}
        reasons = pl.Series([[absent, excused]], dtype=night.schema["reasons"])
        why = pl.when(pl.col("enrolment_id") == enrolment).then(pl.lit(reasons).first()).otherwise("reasons")
        night.with_columns(protective=theirs, reasons=why).write_parquet(path)


@pytest.mark.parametrize(("days", "weak", "said"), [(13, True, CAUTION_NEW), (14, True, CAUTION), (13, False, "")])
def test_an_export_says_why_an_estimate_weighs_little(served: Service, tmp_path: Path, days: int, said: str, *, weak: bool) -> None:
    ours = copy_of(served, tmp_path / "home")
    learner, enrolment = listed(ours)
    entry = held_about(ours, learner).facts["enrolments"][-1]["entry_date"]
    (path, *others) = sorted((ours.home.root / "out").glob("*/scores.parquet"))
    for other in others:
        other.unlink()
    night = pl.read_parquet(path).filter(enrolment_id=enrolment)
    night.with_columns(as_of=pl.lit(entry + dt.timedelta(days=days)), low_confidence=pl.lit(weak)).write_parquet(path)

    assert [one["caution"] for one in held_about(ours, learner).estimates] == [said]


def test_an_export_tells_the_person_everything_and_no_rank(served: Service, tmp_path: Path) -> None:
    ours = copy_of(served, tmp_path / "home")
    learner, enrolment = listed(ours)
    with CaseStore(ours.cases_url) as cases:
        with cases.engine.begin() as connection:
            connection.execute(update(ALERTS).where(ALERTS.c.learner_id == learner).values(rank=777, priority=0.123456))
        for what in (enrolment, f"/cas/{enrolment}/reponse", f"/cas/{enrolment}0"):
            audit.note(cases.engine, clock.now(), None, "read", what)
        audit.note(cases.engine, clock.now(), None, "absence", learner)  # an advisor who bears the same identifier
        name = cases.names([learner]).row(0, named=True)

    _with_reasons(ours, enrolment)
    held = held_about(ours, learner)
    page, data = write_access(ours, held, tmp_path / "request")

    text, told = page.read_text(encoding="utf-8"), json.loads(data.read_text(encoding="utf-8"))
    assert {oct(path.stat().st_mode & 0o777) for path in (page, data)} == {"0o600"}
    assert name["family_name"] in text
    assert "Données simulées" in text
    assert "777" not in text
    estimate = told["estimates"][0]
    assert {"risk_14", "risk_56", "positive_exit_risk", "protective", "alike", "session_id"} <= set(estimate)
    assert not {"margin", "base_value", "feature_hash"} & set(estimate)
    assert "Dans les 2 semaines : environ" in text or estimate["risk_14"] is None or estimate["risk_56"] is None
    assert all(one["better"] for one in told["estimates"])
    assert estimate["said"] == [
        "6 demi-journées d'absence non justifiée sur les 14 derniers jours.",
        "4 demi-journées d'absence justifiée sur les 14 derniers jours.",
    ]
    assert "Ce qui protège" in text
    assert not {"rank", "priority"} & set(told["alerts"][0])
    with pytest.raises(ConfigurationError, match="inside the home folder"):
        write_access(ours, held, ours.home.root / "requests")
    assert "situation lue" in text
    assert "permis" in text
    assert "allowed" not in text
    assert f"au {held.made_at.astimezone(ZoneInfo('Europe/Paris')):%d/%m/%Y}" in text
    assert [row["verb"] for row in told["readings"]] == ["read", "read"]
    assert {"user_id", "by_user"} & set(told["readings"][0]) == set()
    with ours.warehouse() as warehouse:
        for table, rows in told["facts"].items():
            column = "learner_id" if "learner_id" in TABLES[table].public else "enrolment_id"
            theirs = warehouse.about(layout(TABLES[table]), column, [learner if column == "learner_id" else enrolment])
            assert len(rows) == theirs.height, table
            assert all(row["file"] and row["line"] for row in rows)
    assert {"learners", "enrolments", "attendance"} <= set(told["facts"])
    scores = pl.read_parquet(ours.home.out(NIGHT) / "scores.parquet").filter(enrolment_id=enrolment)
    assert [row["risk"] for row in told["estimates"]] == scores["risk"].to_list()
    assert told["alerts"]
    assert {"purpose", "logic", "recipients", "rights"} <= set(told["about"])
    with pytest.raises(NoDataError, match="L-nobody"):
        held_about(ours, "L-nobody")
    printed = CliRunner().invoke(app, ["people", "export", learner, "--to", str(tmp_path / "cli"), "--home", str(ours.home.root)])
    assert printed.exit_code == 0
    assert len(list((tmp_path / "cli").iterdir())) == 2


SMALL = {
    "learners": "learner_id,prescriber,known_on\n{who},self,2024-01-02T08:00:00Z\n",
    "enrolments": "enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date,known_on\n"
    "{course},{who},S1,2024-01-02,2024-01-03,2024-02-01,2024-01-02T08:00:00Z\n",
    "attendance": "enrolment_id,date,half_day,status,planned_minutes,known_on\n{course},2024-01-03,am,present,210,2024-01-04T08:00:00Z\n",
}


def deliver(service: Service, name: str, *tables: str, who: str = "WHO-01", course: str = "ENROL-01", withdrawn: bool = False) -> None:
    """Take one row of each of these tables."""
    for table in tables:
        text = SMALL[table].format(who=who, course=course)
        if withdrawn:
            head, row = text.splitlines()
            text = f"{head},withdrawn\n{row},true\n"
        folder = service.home.landing / table
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    take_deliveries(service)


@pytest.fixture
def small(tmp_path: Path) -> Service:
    made = open_service(Settings(home=tmp_path / "small"))
    deliver(made, "1", *SMALL)
    return made


def test_whom_a_supplier_withdrew_is_still_kept_and_so_still_expires_and_is_erased(small: Service) -> None:
    deliver(small, "2", "learners", "enrolments", withdrawn=True)
    with small.warehouse() as warehouse, CaseStore(small.cases_url) as cases:
        assert due(small, warehouse, cases, dt.date(2026, 1, 31)).is_empty()
        found = due(small, warehouse, cases, dt.date(2026, 2, 1))
    assert found.rows() == [("WHO-01", "all", dt.date(2024, 2, 1), dt.date(2024, 2, 1))]
    erase(small, ["WHO-01"], lambda _: None)
    assert naming(small, "WHO-01", "ENROL-01") == []


def test_of_whom_only_the_name_is_known_the_day_it_came_counts(small: Service) -> None:
    with CaseStore(small.cases_url) as cases:
        row = {"learner_id": "N1", "known_on": dt.datetime(2024, 1, 2, tzinfo=dt.UTC), "given_name": "Zoé", "family_name": "Marchand"}
        with cases.engine.begin() as connection:
            connection.execute(insert(LEARNERS), [row])
        with small.warehouse() as warehouse:
            found = due(small, warehouse, cases, dt.date(2026, 1, 2))
    assert found.rows() == [("N1", "all", None, dt.date(2024, 1, 2))]


def test_a_course_that_goes_on_past_its_planned_end_has_not_ended(small: Service) -> None:
    path = small.home.landing / "attendance" / "2.csv"
    path.write_text(SMALL["attendance"].format(course="ENROL-01").replace("2024-01-03", "2024-12-20"), encoding="utf-8")
    traces = small.home.landing / "activity" / "1.csv"  # a platform that goes on counting nothing is no sign
    traces.parent.mkdir()
    lines = ["enrolment_id,date,kind,count,known_on", "ENROL-01,2025-02-01,login,0,2025-02-02T08:00:00Z"]
    lines.append("ENROL-01,2062-02-01,login,3,2025-02-02T08:00:00Z")  # nor is a year that was mistyped
    traces.write_text("\n".join(lines), encoding="utf-8")
    take_deliveries(small)
    with small.warehouse() as warehouse:
        found = signs(warehouse, dt.date(2025, 3, 1), 21, "Europe/Paris")
    assert found.rows() == [("WHO-01", dt.date(2024, 12, 20), dt.date(2024, 12, 20))]


def test_a_course_that_turned_out_to_be_of_another_is_theirs_alone(small: Service) -> None:
    deliver(small, "2", "learners", who="WHO-02")
    corrected = SMALL["enrolments"].format(who="WHO-02", course="ENROL-01").replace("08:00", "09:00")
    (small.home.landing / "enrolments" / "2.csv").write_text(corrected, encoding="utf-8")
    take_deliveries(small)

    assert set(held_about(small, "WHO-01").facts) == {"learners", "enrolments"}
    assert set(held_about(small, "WHO-02").facts) == {"learners", "enrolments", "attendance"}
    erase(small, ["WHO-01"], lambda _: None)
    assert set(held_about(small, "WHO-02").facts) == {"learners", "enrolments", "attendance"}
    assert naming(small, "WHO-01") == []


def test_what_came_of_a_course_before_it_was_said_to_be_of_somebody_erased_goes_too(small: Service) -> None:
    erase(small, ["WHO-01"], lambda _: None)
    deliver(small, "2", "attendance", course="ENROL-02")
    assert naming(small, "ENROL-02")
    deliver(small, "3", "enrolments", course="ENROL-02")
    assert naming(small, "WHO-01", "ENROL-01", "ENROL-02") == []


def test_blanks_around_an_identifier_hide_nobody(small: Service) -> None:
    deliver(small, "2", "learners", "enrolments", who='"WHO-01 "', course='"ENROL-02 "')
    deliver(small, "3", "attendance", course="ENROL-02")
    erase(small, ["WHO-01"], lambda _: None)
    assert naming(small, "WHO-01", "ENROL-01", "ENROL-02") == []


@pytest.mark.parametrize("who", ["1", "a/b", 'l"x', "Zoë-ß", "L'1", "a b", "%", "x" * 64])
def test_any_identifier_can_be_exported_and_erased(small: Service, tmp_path: Path, who: str) -> None:
    quoted = '"' + who.replace('"', '""') + '"'
    course = '"E' + who[:62].replace('"', '""') + '"'
    deliver(small, "2", *SMALL, who=quoted, course=course)
    pages = write_access(small, held_about(small, who), tmp_path / "request")
    assert all(page.parent == tmp_path / "request" for page in pages)
    others = held_about(small, "WHO-01").facts
    done = erase(small, [who], lambda _: None)
    assert done.archive == 3
    with pytest.raises(NoDataError):
        held_about(small, who)
    assert held_about(small, "WHO-01").facts == others


PEOPLE = pl.DataFrame(
    {
        "learner_id": ["kept", "names", "unnamed", "all", "never-entered", "ahead"],
        "last_end": [dt.date(2026, 1, 31), dt.date(2025, 3, 1), dt.date(2025, 3, 1), dt.date(2024, 2, 1), None, dt.date(2027, 1, 1)],
        "last_sign": [
            dt.date(2026, 1, 31),
            dt.date(2025, 3, 20),
            dt.date(2025, 3, 20),
            dt.date(2024, 3, 1),
            dt.date(2024, 2, 29),
            dt.date(2027, 1, 1),
        ],
        "named": [True, True, False, True, None, True],
    }
)


def test_names_go_a_year_after_the_last_course_and_everything_two_years_after_the_last_sign() -> None:
    found = past_their_time(PEOPLE, Retention(), dt.date(2026, 3, 1))
    assert dict(found.select("learner_id", "what").rows()) == {"all": "all", "never-entered": "all", "names": "names"}
    day_before = past_their_time(PEOPLE, Retention(), dt.date(2026, 2, 28))
    assert dict(day_before.select("learner_id", "what").rows()) == {"all": "names", "never-entered": "all"}
    earlier = past_their_time(PEOPLE, Retention(), dt.date(2025, 2, 28))
    assert dict(earlier.select("learner_id", "what").rows()) == {"all": "names"}


def test_whom_was_kept_long_enough_goes_by_command(served: Service, tmp_path: Path) -> None:
    ours = copy_of(served, tmp_path / "home")
    day = dt.date(2027, 3, 1)
    with ours.warehouse() as warehouse, CaseStore(ours.cases_url) as cases:
        found = due(ours, warehouse, cases, day)
        everybody = cases.kept_people().height
    whom = {what: found.filter(what=what)["learner_id"].to_list() for what in ("all", "names")}
    assert whom["all"]
    assert whom["names"]
    assert found.height < everybody
    alerts = pl.read_parquet(ours.home.out(NIGHT) / "alerts.parquet").filter(pl.col("learner_id").is_in(whom["names"]))
    lists = {ours.home.out(NIGHT) / "lists" / f"{one}.html" for one in alerts["advisor_id"].drop_nulls()}
    assert any(path.exists() for path in lists)
    home = str(ours.home.root)

    dry = CliRunner().invoke(app, ["people", "expire", "--home", home, "--as-of", day.isoformat()])
    assert f"{len(whom['all'])} learners without any sign" in dry.output
    assert "add --yes" in dry.output
    done = CliRunner().invoke(app, ["people", "expire", "--home", home, "--as-of", day.isoformat(), "--yes"])

    assert done.exit_code == 0, done.output
    with CaseStore(ours.cases_url) as cases:
        left = cases.names([*whom["all"], *whom["names"]])
    assert left.is_empty()
    assert not any(path.exists() for path in lists)
    with ours.warehouse() as warehouse, CaseStore(ours.cases_url) as cases:
        known = set(warehouse.as_known_at(layout(TABLES["learners"]), EVER, columns=["learner_id"])["learner_id"])
        assert due(ours, warehouse, cases, day).is_empty()
    assert set(whom["names"]) <= known
    assert not set(whom["all"]) & known
    again = CliRunner().invoke(app, ["people", "expire", "--home", home, "--as-of", day.isoformat(), "--yes"])
    assert "0 learners without any sign" in again.output


def test_files_that_nobody_could_read_are_named_where_they_may_tell_of_them(served: Service, tmp_path: Path) -> None:
    ours = copy_of(served, tmp_path / "home")
    learner, enrolment = listed(ours)
    folder = ours.home.refused / "exits"
    folder.mkdir(parents=True)
    (folder / "plain.csv").write_text(f"id;fin\n{enrolment};2026-02-01\n", encoding="utf-8")
    (folder / "plain.csv.reason.txt").write_text("why\n", encoding="utf-8")
    (folder / "longer.csv").write_text(f"id\n{enrolment}0\nx{learner}\n", encoding="utf-8")
    (folder / "two-bytes.csv").write_text(f"id\n{learner}\n", encoding="utf-16")
    with gzip.open(folder / "packed.csv.gz", "wb") as packed:
        packed.write(f"id\n{learner}\n".encode())
    (folder / "cut.csv.gz").write_bytes((folder / "packed.csv.gz").read_bytes()[:15])
    pl.DataFrame({"id": [learner]}).write_parquet(folder / "table.parquet", compression="zstd")
    (folder / "no.parquet").write_bytes(b"PAR1")
    with zipfile.ZipFile(folder / "book.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/sharedStrings.xml", f"<t>{enrolment}</t>" * 50)
    expected = [f"refused/exits/{name}" for name in ("book.xlsx", "packed.csv.gz", "plain.csv", "table.parquet", "two-bytes.csv")]
    home = str(ours.home.root)

    assert would_erase(ours, [learner], lambda _: None).left == expected
    done = CliRunner().invoke(app, ["people", "erase", learner, "--home", home, "--yes"])
    again = CliRunner().invoke(app, ["people", "resume", "--home", home])

    assert done.exit_code == again.exit_code == 0, done.output
    assert re.findall(r"look (\S+) may name them", done.output) == expected
    assert "Case store: nothing taken out" in again.output
    assert all((ours.home.root / name).exists() for name in expected)
