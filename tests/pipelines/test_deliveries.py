"""Sources and quarantine as operators type them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from pipelines import console
from pipelines.cli import app
from vigie.errors import VigieError
from vigie.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FIXTURES = ROOT / "tests" / "fixtures" / "sources"
SHEETS = "emargement/attendance/presences_20260304.csv"
CALLS = "journal_contacts/contacts/contacts.csv"


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The console took its width when it was first imported, by whichever test came first."""
    monkeypatch.setattr(console.out, "_width", 200)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in (SHEETS, CALLS):
        path = tmp_path / "landing" / name
        path.parent.mkdir(parents=True)
        path.write_bytes((FIXTURES / name).read_bytes())
    return tmp_path


def vigie(home: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--home", str(home)])
    if isinstance(done.exception, VigieError):
        return f"{done.exception.what}\n{done.exception.remedy}"
    assert done.exit_code == code, done.output
    return done.output


def test_a_first_mapping_is_guessed_checked_completed_and_used(home: Path) -> None:
    sample = str(FIXTURES / SHEETS)
    made = vigie(home, "source", "new", "mon_outil", sample, "--table", "attendance")
    mapping = home / "sources" / "mon_outil.toml"
    assert "half_day <- Demi-journée" in made
    assert "For you to say what is meant by: Demi-journée: AM" in made
    assert "exists" in vigie(home, "source", "new", "mon_outil", sample, "--table", "attendance")

    first = vigie(home, "source", "check", "mon_outil", sample, code=1)
    assert "attendance: 48 rows read, 41 good, 0 repeated, 7 at fault" in first
    assert "line 10, Demi-journée 'AM'" in first
    assert "Statut: a value is required" in first, "what a blank means is not guessed either"
    completed = mapping.read_text(encoding="utf-8").replace("[codes.half_day]", '[codes.half_day]\n"AM" = "am"')
    mapping.write_text(completed.replace('codes = "status"', 'codes = "status", empty = "not_recorded"'), encoding="utf-8")
    assert "48 good" in vigie(home, "source", "check", "mon_outil", sample)
    assert "mon_outil" in vigie(home, "source", "list")

    shown = vigie(home, "source", "preview", "mon_outil", sample, "--rows", "2")
    assert "111111/S17AVJE93001NR" in shown
    assert "absent_unjustified" in shown

    mapping.write_text("title = 1", encoding="utf-8")
    assert "files: Field required" in vigie(home, "source", "check", "mon_outil")
    assert "cannot stand" in vigie(home, "source", "list")


def test_a_source_of_several_folders_is_checked_by_the_folder_named(home: Path) -> None:
    sample = str(FIXTURES / "gestion_notes/activity/connexions.csv")

    assert "Add --table, one of assessments, activity" in vigie(home, "source", "check", "gestion_notes", sample)
    assert "activity: 20 rows read, 19 good" in vigie(home, "source", "check", "gestion_notes", sample, "--table", "activity", code=1)


def test_a_preview_shows_no_name_of_a_person(home: Path) -> None:
    shown = vigie(home, "source", "preview", "extranet_regional", str(FIXTURES / "extranet_regional/enrolments/stagiaires.csv"))

    assert "111111" in shown
    assert "Exemple" not in shown
    assert "06 00" not in shown


def test_rows_are_listed_reported_exported_fixed_and_closed(home: Path) -> None:
    taken = vigie(home, "ingest")
    assert "attendance" in taken
    listed = vigie(home, "quarantine", "list")
    assert "3 open rows" in listed
    assert "Demi-journée" in vigie(home, "quarantine", "list", "--file", SHEETS)

    report = home / "erreurs.xlsx"
    assert "2 rows, 2 faults" in vigie(home, "quarantine", "report", CALLS, "--out", str(report))
    assert report.stat().st_size > 1_000

    vigie(home, "quarantine", "export", SHEETS, "--out", str(home / "fix"))
    mended = home / "fix" / "attendance.csv"
    mended.write_text(mended.read_text(encoding="utf-8").replace(",AM,", ",am,"), encoding="utf-8")
    refused = vigie(home, "quarantine", "export", SHEETS, "--out", str(home / "fix"))
    assert "attendance.csv exists" in refused
    assert "--table attendance) and delete it" in refused
    assert ",am," in mended.read_text(encoding="utf-8")
    assert "1 row back in landing/" in vigie(home, "quarantine", "fix", str(mended), "--table", "attendance")
    assert "not an open row" in vigie(home, "quarantine", "fix", str(mended), "--table", "attendance")
    vigie(home, "ingest")
    assert "line 7, date_heure" in vigie(home, "quarantine", "replay", CALLS, code=1)
    assert "2 rows closed" in vigie(home, "quarantine", "close", CALLS, "--because", "the service will not correct them")
    assert "0 open rows" in vigie(home, "quarantine", "list")
    assert "has nothing open" in vigie(home, "quarantine", "close", CALLS, "--because", "again")
    assert {json.loads(path.read_text(encoding="utf-8"))["how"] for path in (home / "quarantine").glob("*.json")} == {"mended", "closed"}


def test_a_file_that_is_held_back_is_shown_and_let_pass(home: Path) -> None:
    name = "exits/a.csv"
    path = home / "landing" / name
    path.parent.mkdir(parents=True)
    path.write_text(
        "enrolment_id,exit_date,reason\n" + "".join(f"e{n},2026-01-02,{'gone' if n < 9 else 'job'}\n" for n in range(30)), "utf-8"
    )

    assert "Held back exits/a.csv: 9 of 30 rows of exits are at fault" in vigie(home, "ingest")
    assert "Held back: exits/a.csv" in vigie(home, "quarantine", "list")
    assert "9 rows, 9 faults" in vigie(home, "quarantine", "report", name, "--out", str(home / "erreurs.csv"))
    assert "2;reason;gone;valeurs admises : completed, dropout" in (home / "erreurs.csv").read_text(encoding="utf-8-sig")
    assert "back in landing/" in vigie(home, "quarantine", "release", name, "--because", "checked")
    assert "Held back" not in vigie(home, "ingest")
    assert "12 open rows" in vigie(home, "quarantine", "list")
