"""Files as French software writes them, through the mappings that are shipped."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import os
import re
import zipfile
from typing import TYPE_CHECKING

import openpyxl
import polars as pl
import pytest
import xlsxwriter

from data_contracts.sources.guess import guess
from data_contracts.sources.mapping import read_source, read_sources
from tests.data_contracts.received import FIXTURES, NOW, SHIPPED, Desk, counts
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

NATIONAL = "operateur_national/enrolments/stagiaires_20260302.csv"
REGIONAL = "extranet_regional/enrolments/stagiaires.csv"
EXPORT = "tableau_de_bord/learners/export.csv"
UPLOAD = "tableau_de_bord/learners/depot.xlsx"
MAC = "catalogue_formacode/sessions/sessions.csv"
MARKS = "gestion_notes/assessments/notes_2026-03.csv"
TRACES = "gestion_notes/activity/connexions.csv"
SHEETS = "emargement/attendance/presences_20260304.csv"
CALLS = "journal_contacts/contacts/contacts.csv"
LOCKED = (FIXTURES.parent / "locked.xlsx").read_bytes()
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024)

EXPECTED = {
    NATIONAL: {
        "enrolments": (9, 8, 0, 1),
        "learners": (9, 9, 0, 0),
        "learner_identities": (9, 9, 0, 0),
        "providers": (9, 2, 7, 0),
        "sessions": (9, 2, 7, 0),
        "exits": (2, 2, 0, 0),
    },
    REGIONAL: {
        "enrolments": (8, 7, 0, 1),
        "learners": (8, 8, 0, 0),
        "learner_identities": (8, 8, 0, 0),
        "providers": (8, 1, 7, 0),
        "sessions": (8, 3, 5, 0),
        "exits": (3, 2, 0, 1),
    },
    EXPORT: {"learners": (8, 7, 0, 1), "learner_audit": (8, 8, 0, 0), "learner_identities": (8, 8, 0, 0)},
    UPLOAD: {"learners": (8, 7, 0, 1), "learner_audit": (8, 8, 0, 0), "learner_identities": (8, 8, 0, 0)},
    MAC: {"sessions": (6, 5, 0, 1)},
    MARKS: {"assessments": (15, 14, 0, 1)},
    TRACES: {"activity": (20, 19, 0, 1)},
    SHEETS: {"attendance": (48, 47, 0, 1)},
    CALLS: {"contacts": (10, 8, 0, 2)},
}
FAULTS = {
    NATIONAL: [(10, "date_entree", "05/01/2026", "expected a date such as 2026-03-04")],
    REGIONAL: [
        (5, "Date Inscription", "15/13/2025", "expected a date such as 04/03/2026"),
        (8, "Motif Sortie", "Parti sans rien dire", "expected one of Fin de formation"),
    ],
    EXPORT: [(9, "Démarche personnelle", "peut-être", "expected one of 1, oui")],
    UPLOAD: [(7, "Demandeur d'emploi depuis", "le 3 mai", "expected a date such as 46085")],
    MAC: [(7, "Formacode", "4265", "not of the form expected")],
    MARKS: [(6, "Note /20", "10.5", "expected a number such as 3,5")],
    TRACES: [(4, "Espace", "Vidéothèque", "expected one of Cours en ligne")],
    SHEETS: [(10, "Demi-journée", "AM", "expected one of matin")],
    CALLS: [(7, "date_heure", "29/03/2026 02:30", "expected a date"), (8, "canal", "PIGEON", "expected one of TELEPHONE")],
}


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


@pytest.mark.parametrize("name", EXPECTED)
def test_each_shape_goes_from_its_file_to_canonical_rows_and_every_row_is_counted(desk: Desk, name: str) -> None:
    desk.put(name, fixture(name))

    assert counts(desk.take()) == EXPECTED[name]

    told = desk.quarantine().select("line", "column", "value", "reason").rows()
    assert [row[:3] for row in told] == [row[:3] for row in FAULTS[name]]
    for row, expected in zip(told, FAULTS[name], strict=True):
        assert row[3].startswith(expected[3])


def test_all_shipped_shapes_have_a_fixture() -> None:
    folders = {(source.name, table) for source in SHIPPED.values() for table in source.files}

    assert folders == {tuple(name.split("/")[:2]) for name in EXPECTED}


def test_what_the_rows_say(desk: Desk) -> None:
    for name in EXPECTED:
        desk.put(name, fixture(name))
    desk.take()

    def first(table: str, *columns: str, **where: object) -> tuple[object, ...]:
        return desk.known(table).filter(**where).select(columns).row(0)

    sheet = {"enrolment_id": "111111/S17AVJE93001NR", "date": dt.date(2026, 3, 3)}
    assert first("attendance", "half_day", "status", "planned_minutes", "attended_minutes", **sheet) == ("am", "late", 210, 195)
    assert first("contacts", "occurred_at", "outcome", contact_id="c-004") == (
        dt.datetime(2026, 3, 9, 13, 0, tzinfo=dt.UTC),
        "cancelled_by_service",
    )
    assert first("contacts", "occurred_at", contact_id="c-005") == (dt.datetime(2026, 3, 10, 11, 0, tzinfo=dt.UTC),)  # a day alone: noon
    assert first("assessments", "score", "weight", enrolment_id="D1", assessment_id="E0") == (pytest.approx(9.5 / 20), 0.5)
    assert first("activity", "kind", "count", "minutes", enrolment_id="D1", date=dt.date(2026, 3, 3)) == ("forum", 4, 105)
    assert first("sessions", "title", "planned_minutes", "mode", session_id="MAC-1") == (
        "Employé·e d'étage à l'hôtel",
        351 * 60 + 30,
        "remote",
    )
    assert first("sessions", "title", "domain", session_id="S26AVJE93001NR") == (
        "Aide soignant|e, session 1",
        "43436",
    )
    assert first("providers", "name", "siret", provider_id="00000000000000") == ("Organisme fictif 0", "00000000000000")
    assert first("exits", "exit_date", "reason", enrolment_id="0167942363Z/S26AVJE93001NR") == (dt.date(2026, 2, 13), "job")
    assert first("learners", "birth_year", "own_initiative", learner_id="tdb-3") == (1995, True)
    # Serial day, a cell that is a date, ISO text, dd/mm/yyyy and dd/mm/yy: all of 1995.
    assert set(desk.known("learners").filter(pl.col("learner_id").str.starts_with("tdx"))["birth_year"]) == {1995}
    assert desk.known("enrolments").filter(enrolment_id="111118/S17AVJE93002NR")["entry_date"].to_list() == [None]
    assert {name for name, _ in desk.private} == {"learner_identities"}
    assert b"Maquette" not in (desk.home / "w.duckdb").read_bytes()


def renamed(data: bytes, _: str) -> bytes:
    for old, new in ((b"Statut", b"Etat"), (b"date_entree", b"entree"), (b"Date Entree", b"Entree le"), (b"Niveau d", b"Diplome d")):
        data = data.replace(old, new, 1)
    for old, new in ((b"Formacode", b"Code"), (b"Note /20", b"Note"), (b"Espace", b"Lieu"), (b"canal", b"moyen")):
        data = data.replace(old, new, 1)
    return data


def without_a_column(data: bytes, name: str) -> bytes:
    source, table, _ = name.split("/")
    mapping = SHIPPED[source].files[table]
    end = b"\r\n" if b"\r\n" in data else b"\n" if b"\n" in data else b"\r"
    mark = mapping.delimiter.encode()
    return end.join(line.split(mark, 1)[-1] for line in data.split(end))


def cut(data: bytes, _: str) -> bytes:
    return gzip.compress(data, mtime=0)[:-12]


@pytest.mark.parametrize("name", [name for name in EXPECTED if name.endswith(".csv")])
@pytest.mark.parametrize(
    ("fault", "said"),
    [(renamed, "missing column"), (without_a_column, "missing column"), (cut, "the archive is broken")],
)
def test_a_broken_file_is_refused_whole_and_says_what_to_do(desk: Desk, name: str, fault: object, said: str) -> None:
    desk.put(name + (".gz" if fault is cut else ""), fault(fixture(name), name))  # type: ignore[operator]

    (receipt,) = desk.take().receipts

    assert receipt.refused is not None
    what, _, remedy = receipt.refused.partition("\n")
    assert what.startswith(name)
    assert said in what
    assert remedy
    assert (desk.refused / f"{receipt.file}.reason.txt").read_text(encoding="utf-8").strip() == receipt.refused


@pytest.mark.parametrize(
    ("name", "encoding", "said"),
    [
        (SHEETS, "utf-8", "the file is in UTF-8, and the mapping says cp1252"),
        (MAC, "utf-8", "the file is in UTF-8, and the mapping says mac_roman"),
        (MAC, "cp1252", "Read as cp1252 instead of mac_roman, the header holds every column."),
        (SHEETS, "mac_roman", "byte 0x8f is not CP1252; it looks like mac_roman"),
        (MARKS, "mac_roman", "Read as mac_roman instead of cp1252, the header holds every column."),
        (REGIONAL, "cp1252", "byte 0xe9 is not UTF-8; it looks like cp1252"),
        (REGIONAL, "mac_roman", "byte 0x8e is not UTF-8; it looks like mac_roman"),
        (EXPORT, "utf-16-le", "it looks like UTF-16"),
    ],
)
def test_a_file_in_another_encoding_is_refused_and_the_likely_one_is_named(desk: Desk, name: str, encoding: str, said: str) -> None:
    written = SHIPPED[(parts := name.split("/"))[0]].files[parts[1]].encoding
    desk.put(name, fixture(name).removeprefix(b"\xef\xbb\xbf").decode(written).encode(encoding))

    (receipt,) = desk.take().receipts

    assert said in str(receipt.refused)


@pytest.mark.parametrize("name", ["UTF-8", "utf8", "utf-8-sig"])
def test_an_encoding_may_be_written_in_any_of_its_names(desk: Desk, name: str) -> None:
    shipped = (FIXTURES.parents[2] / "config/sources/extranet_regional.toml").read_text(encoding="utf-8")
    desk.mapping("extranet_regional", shipped.replace('encoding = "utf-8"', f'encoding = "{name}"'))
    desk.put(REGIONAL, fixture(REGIONAL))

    assert counts(desk.take()) == EXPECTED[REGIONAL]


def test_utf16_with_its_mark_is_read_whatever_the_mapping_says(desk: Desk) -> None:
    desk.put(REGIONAL, fixture(REGIONAL).decode().encode("utf-16"))

    assert counts(desk.take()) == EXPECTED[REGIONAL]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LOCKED, "protected by a password"),
        (OLD, "old workbook (.xls)"),
        (fixture(UPLOAD)[:3000], "not a readable workbook"),
        (b"PK", "the workbook is empty"),
        (b"Nom;Statut\r\na;b\r\n", "not a readable workbook"),
    ],
)
def test_a_workbook_that_cannot_be_opened_says_why(desk: Desk, content: bytes, said: str) -> None:
    desk.put(UPLOAD, content)

    assert said in str(desk.take().receipts[0].refused)


def workbook(change: object) -> bytes:
    book = openpyxl.load_workbook(FIXTURES / UPLOAD)
    change(book)  # type: ignore[operator]
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def test_a_sheet_too_many_and_a_merged_header_are_refused(desk: Desk) -> None:
    desk.put(UPLOAD, workbook(lambda book: book.create_sheet("Notes").append(["x"])))
    desk.put(UPLOAD.replace("depot", "fusion"), workbook(lambda book: book["Effectifs"].merge_cells("B1:C1")))

    refused = {receipt.file: str(receipt.refused) for receipt in desk.take().receipts}

    assert "sheets Effectifs, Notes all hold something" in refused[UPLOAD]
    assert "column 3 has no name" in refused[UPLOAD.replace("depot", "fusion")]


def test_formulas_never_calculated_and_errors_in_cells_are_faults_of_their_rows(desk: Desk) -> None:
    def change(book: openpyxl.Workbook) -> None:
        sheet = book["Effectifs"]
        sheet["I3"] = "=1+1"
        sheet["K4"], sheet["K4"].data_type = "#N/A", "e"

    desk.put(UPLOAD, workbook(change))
    desk.take()

    told = desk.quarantine().filter(table="learners").select("line", "column", "value", "reason").rows()
    assert (3, "RQTH", "=1+1", "a formula that was never calculated") in told
    assert (4, "Temps de trajet (min)", "#N/A", "the cell holds an error") in told


def test_canonical_workbooks_are_read_with_their_dates_and_numbers(desk: Desk) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["enrolment_id", "exit_date", "reason"], [12, dt.date(2026, 1, 2), "job"], ["0012", "2026-01-03", "dropout"]):
        book.active.append(row)
    path = desk.put("exits/a.xlsx", b"")
    book.save(path)
    desk.take()

    assert desk.known("exits").select("enrolment_id", "exit_date").rows() == [("0012", dt.date(2026, 1, 3)), ("12", dt.date(2026, 1, 2))]


def test_a_cell_that_holds_a_day_alone_is_an_instant_at_the_hour_the_mapping_says(desk: Desk) -> None:
    header, first = (line.split(";") for line in fixture(CALLS).decode("utf-8-sig").splitlines()[:2])
    place = header.index("date_heure")
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(header)
    for number, moment in enumerate((dt.date(2026, 3, 4), dt.datetime(2026, 3, 4, 0, 30), "04/03/2026 00:00")):  # noqa: DTZ001 - as cells are
        book.active.append([f"x{number}", *first[1:place], moment, *first[place + 1 :]])
    book.save(desk.put(CALLS.replace(".csv", ".xlsx"), b""))

    desk.take()

    moments = (
        desk.known("contacts").sort("contact_id")["occurred_at"].dt.convert_time_zone("Europe/Paris").dt.strftime("%d %H:%M").to_list()
    )
    assert moments == ["04 12:00", "04 00:30", "04 00:00"]


def test_social_security_numbers_are_emptied_in_the_file_itself_before_anything_reads_it(desk: Desk) -> None:
    path = desk.put(REGIONAL, fixture(REGIONAL))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    desk.take()
    desk.put(REGIONAL.replace("stagiaires", "encore"), fixture(REGIONAL))
    again = desk.take()

    assert b"1 84 05 75" in fixture(REGIONAL)
    assert b"1 84 05 75" not in path.read_bytes()
    assert path.stat().st_mtime == 1_700_000_000
    assert path.read_bytes().count(b"\n") == fixture(REGIONAL).count(b"\n")
    assert again.known_before == 2, "the same file again is emptied to the same bytes"


def test_social_security_numbers_leave_workbooks_parquet_and_lines_that_do_not_fit(desk: Desk) -> None:
    header = fixture(EXPORT).split(b"\r\n")[0].split(b";")
    head = b";".join(name for name in header if name not in {b"Sexe", b"Code UAI", "Année scolaire".encode()})
    mapped = desk.put(EXPORT, head + b"\na;184057512345678\nb;;184057512345678;x;y;01/02/1990;;Autre;oui;non\n")

    def add(book: openpyxl.Workbook) -> None:
        for row, value in enumerate(("INE", "184057512345678"), 1):
            book["Effectifs"].cell(row, 12, value)

    book = desk.put(UPLOAD, workbook(add))
    desk.take()

    assert b"a;184057512345678" not in mapped.read_bytes()
    with zipfile.ZipFile(book) as archive:
        assert not any(b"184057512345678" in archive.read(name) for name in archive.namelist())
    assert b"184057512345678" not in (desk.home / "w.duckdb").read_bytes()


def test_a_workbook_that_was_emptied_of_a_column_is_known_when_it_comes_again(desk: Desk) -> None:
    def add(book: openpyxl.Workbook) -> None:
        for row, value in enumerate(("INE", "1234567890A"), 1):
            book["Effectifs"].cell(row, 12, value)

    content = workbook(add)
    path = desk.put(UPLOAD, content)
    desk.take()
    desk.put(UPLOAD.replace("depot", "encore"), content)
    again = desk.take()

    assert (again.known_before, again.receipts) == (2, [])
    assert path.read_bytes() != content
    with zipfile.ZipFile(path) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}, "not when it was saved"
    told = openpyxl.load_workbook(path).properties
    assert told.created == told.modified == dt.datetime(1980, 1, 1)  # noqa: DTZ001 - as openpyxl has it


def test_a_file_that_a_library_cannot_make_sense_of_is_refused_and_the_night_goes_on(desk: Desk) -> None:
    path = desk.put(UPLOAD, workbook(lambda book: book["Effectifs"].cell(1, 12, "INE")))
    with zipfile.ZipFile(path) as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in inside.items():
            # calamine reads a fill that says nothing; openpyxl, which empties the column, does not.
            archive.writestr(name, re.sub(rb"<fill>.*?</fill>|<fill ?/>", b"<fill/>", content, count=1))
    desk.put(SHEETS, fixture(SHEETS))

    intake = desk.take()

    assert counts(intake) == EXPECTED[SHEETS]
    (refused,) = intake.refused
    assert refused.file == UPLOAD
    assert "it cannot be understood (TypeError, " in str(refused.refused)
    assert not path.exists()
    assert not desk.take().refused


def test_a_column_under_both_of_its_names_is_refused_by_name(desk: Desk) -> None:
    lines = fixture(NATIONAL).decode().splitlines()
    desk.put(NATIONAL, "\n".join([f"{lines[0]}|dat_debut_session", *(f"{line}|x" for line in lines[1:])]))

    (receipt,) = desk.take().receipts

    assert "columns date_debut_session, dat_debut_session are all date_debut_session to the mapping" in str(receipt.refused)


def test_a_marked_file_is_emptied_in_the_encoding_it_is_read_in(desk: Desk) -> None:
    shipped = (FIXTURES.parents[2] / "config/sources/extranet_regional.toml").read_text(encoding="utf-8")
    desk.mapping("extranet_regional", shipped.replace('encoding = "utf-8"', 'encoding = "cp1252"'))
    assert desk.sources["extranet_regional"].files["enrolments"].encoding == "cp1252"
    path = desk.put(REGIONAL, b"\xef\xbb\xbf" + fixture(REGIONAL).replace(b"Maquette", "Łukasz".encode(), 1))

    intake = desk.take()

    assert counts(intake) == EXPECTED[REGIONAL]
    assert "Łukasz" in path.read_text(encoding="utf-8-sig")
    assert b"1 84 05 75" not in path.read_bytes()


def test_a_workbook_keeps_what_its_formulas_give_when_a_column_is_emptied(desk: Desk) -> None:
    rows = [[cell.value for cell in row] for row in openpyxl.load_workbook(FIXTURES / UPLOAD)["Effectifs"].iter_rows()]
    place = rows[0].index("Courriel")
    path = desk.put(UPLOAD, b"")
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Effectifs")
        for line, row in enumerate(rows):
            sheet.write_row(line, 0, [str(value or "") if isinstance(value, dt.date) else value for value in row])
            sheet.write(line, len(row), "1234567890A" if line else "INE")
            if line:
                sheet.write_formula(line, place, f'=LOWER("A{line}@B.FR")', None, f"a{line}@b.fr" if line < 8 else "")
    desk.take()

    cells = openpyxl.load_workbook(path, data_only=True)["Effectifs"]
    assert {cell.value for cell in cells["L"][1:]} == {None}
    assert [row[1]["email"].to_list() for row in desk.private] == [[f"a{line}@b.fr" for line in range(1, 8)]]
    assert set(desk.quarantine().filter(pl.col("reason").str.contains("never calculated"))["line"]) == {9}


def test_a_year_of_two_digits_is_never_the_first_century(desk: Desk) -> None:
    desk.put(SHEETS, fixture(SHEETS).replace(b";02/03/2026;matin", b";02/03/26;matin", 1))
    desk.take()

    assert (2, "Date", "02/03/26") in desk.quarantine().select("line", "column", "value").rows()


def test_a_column_on_top_is_left_out_and_told(desk: Desk) -> None:
    data = fixture(SHEETS).replace(b"Date saisie\r\n", b"Date saisie;Salle\r\n").replace(b"/2026\r\n", b"/2026;B12\r\n")
    desk.put(SHEETS, data)

    intake = desk.take()

    assert counts(intake) == EXPECTED[SHEETS]
    assert "Salle" in str(intake.receipts[0].note)


def test_a_first_load_of_history_is_known_from_its_own_dates_and_what_comes_after_is_not(desk: Desk) -> None:
    shipped = (FIXTURES.parents[2] / "config/sources/emargement.toml").read_text(encoding="utf-8")
    lag = 'assumed_lag_days = 2\nhistory_until = "2026-03-02"\nencoding = "cp1252"'
    desk.mapping("emargement", shipped.replace('encoding = "cp1252"', lag))
    desk.put(SHEETS, fixture(SHEETS))
    desk.take()

    rows = desk.known("attendance").select("date", "known_on", "known_on_assumed").unique()
    early, late = rows.filter(date=dt.date(2026, 3, 2)), rows.filter(pl.col("date") > dt.date(2026, 3, 2))
    assert early.rows() == [(dt.date(2026, 3, 2), dt.datetime(2026, 3, 4, tzinfo=dt.UTC), True)]
    assert not late["known_on_assumed"].any()


def test_a_full_export_withdraws_what_it_tells_no_more_and_nights_before_still_know_it(desk: Desk) -> None:
    lines = fixture(MAC).decode("mac_roman").replace("4265;", "42654;").split("\r")[:-1]
    first, second, third = (NOW - dt.timedelta(days=days) for days in (30, 20, 10))
    for number, (moment, kept) in enumerate(((first, lines), (second, lines[:-1]), (third, lines))):
        text = "\r".join([*kept[:-1], kept[-1].replace("Région", f"Région {number}")])
        path = desk.put(f"catalogue_formacode/sessions/{number}.csv", text.encode("mac_roman"))
        os.utime(path, (moment.timestamp(), moment.timestamp()))
    intake = desk.take()

    assert [receipt.withdrawn for receipt in intake.receipts] == [0, 1, 0]
    assert all(receipt.read == receipt.loaded + receipt.unchanged + receipt.quarantined for receipt in intake.receipts)
    known = [desk.known("sessions", moment).height for moment in (first, second, third)]
    assert known == [6, 5, 6]


def test_half_a_full_export_is_held_back(desk: Desk) -> None:
    lines = fixture(MAC).decode("mac_roman").replace("4265;", "42654;").split("\r")[:-1]
    desk.put("catalogue_formacode/sessions/1.csv", "\r".join(lines).encode("mac_roman"))
    desk.take()
    desk.put("catalogue_formacode/sessions/2.csv", "\r".join(lines[:3]).encode("mac_roman"))

    (held,) = desk.take().held

    assert "leaves out 4 of the 6 facts" in str(held.held)
    assert desk.known("sessions").height == 6


def test_a_withdrawn_row_can_be_delivered_in_canonical_names(desk: Desk) -> None:
    desk.put("exits/a.csv", "enrolment_id,exit_date,reason\ne1,2026-01-02,job\ne2,2026-01-02,job\n")
    desk.take()
    desk.put("exits/b.csv", "enrolment_id,exit_date,reason,withdrawn\ne1,2026-01-02,job,true\n")
    desk.take()

    assert desk.known("exits")["enrolment_id"].to_list() == ["e2"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"matin" = "am"', '"matin" = "morning"', "morning is not allowed; one of am, pm, day"),
        (', codes = "demi_journee"', "", "AM is often après-midi"),
        ('codes = "statut"', 'codes = "statuts"', "there is no list codes.statuts"),
        ('dates = ["%d/%m/%Y"]', 'dates = ["%d/%m/%Y", "%m/%d/%Y"]', "04/03 would be two days"),
        ('dates = ["%d/%m/%Y"]', 'dates = ["%B %Y"]', "is none; made of"),
        ('encoding = "cp1252"', 'encoding = "ansi-fr"', "'ansi-fr' is not known"),
        ('date = "Date"', "", "date of attendance is required and not mapped"),
        ('date = "Date"', 'day = "Date"', "day: no column of attendance"),
        ('date = "Date"', 'date = { from = "Date", value = "x" }', "exactly one of from"),
        ('delimiter = ";"', 'delimiter = ";"\nquote = "x"', "Extra inputs are not permitted"),
        ('"Formateur"]', '"Formateur", "Statut"]', "both read and left out"),
        ("[[files.attendance.rows]]", '[[files.attendance.rows]]\nwhen = "Date"', "so that every line is accounted for"),
        ('delimiter = ";"', 'delimiter = ";"\ntime_zone = "Paris"', "'Paris' is not known"),
        ('delimiter = ";"', 'delimiter = ";"\nassumed_lag_days = 1', "go together"),
        ("title = ", "title ", "is not valid TOML"),
    ],
)
def test_a_mapping_that_cannot_stand_is_explained_key_by_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (FIXTURES.parents[2] / "config/sources/emargement.toml").read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"Correct") as told:
        read_source(path)
    assert said in told.value.what


def test_files_of_a_mapping_that_cannot_stand_wait_where_they_are(desk: Desk) -> None:
    folder = desk.home / "sources"
    folder.mkdir()
    (folder / "emargement.toml").write_text("title = 1", encoding="utf-8")
    path = desk.put(SHEETS, fixture(SHEETS))
    sources, broken = read_sources(folder)
    reception = desk.reception()
    desk.sources = sources

    from dataclasses import replace

    from data_contracts.ingest import ingest

    with desk.warehouse() as warehouse:
        intake = ingest(
            desk.landing, desk.refused, warehouse, lambda *_: None, NOW, reception=replace(reception, sources=sources, broken=broken)
        )

    assert "emargement.toml" in str(intake.receipts[0].refused)
    assert path.exists()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mapping_guessed_from_the_file_alone_finds_most_of_it(name: str) -> None:
    source, table, _ = name.split("/")
    shipped = next(rows for rows in SHIPPED[source].files[table].rows if rows.table == table)

    made = guess(FIXTURES / name, table, "x")

    aliases = {new: old for old, new in SHIPPED[source].files[table].aliases.items()} if name.endswith(".xlsx") else {}
    there = {*made.mapped.values(), *made.unmapped}
    wanted = {
        column: headers
        for column, spec in shipped.columns.items()
        if (headers := " + ".join(aliases.get(header, header) for header in spec.headers)) in there
    }
    right = [column for column, headers in wanted.items() if made.mapped.get(column) == headers]
    assert len(right) >= 0.75 * len(wanted), ({*wanted} - {*right}, made.toml)
    assert not made.missing
    assert f'encoding = "{SHIPPED[source].files[table].encoding}"' in made.toml or name.endswith(".xlsx")


def test_a_guess_never_says_what_am_means(tmp_path: Path) -> None:
    made = guess(FIXTURES / SHEETS, "attendance", "x")
    path = tmp_path / "guessed.toml"
    path.write_text(made.toml, encoding="utf-8")

    assert "Demi-journée: AM" in made.doubts
    assert "am" not in read_source(path).codes["half_day"]
    assert guess(FIXTURES / REGIONAL, "enrolments", "x").toml.count("Numéro Sécurité Sociale") == 1


WIDE = """
title = "Both half-days on one line, under a title"
[files.attendance]
header_line = 3
sheet = "Feuille"
optional = ["Salle"]
ignored = ["Remarque"]
[[files.attendance.rows]]
table = "attendance"
[files.attendance.rows.columns]
enrolment_id = "Dossier"
date = "Jour"
half_day = { value = "am" }
status = { from = "Matin", codes = "statut" }
[[files.attendance.rows]]
table = "attendance"
[files.attendance.rows.columns]
enrolment_id = "Dossier"
date = "Jour"
half_day = { value = "pm" }
status = { from = "Après-midi", codes = "statut" }
[codes.statut]
P = "present"
A = "absent_unjustified"
"""


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_line_may_make_several_rows_of_one_table_and_its_header_need_not_be_the_first(desk: Desk, kind: str) -> None:
    desk.mapping("large", WIDE)
    lines = [
        ["Feuilles de présence"],
        ["mars 2026"],
        ["Dossier", "Jour", "Matin", "Après-midi", "Remarque"],
        ["d1", "02/03/2026", "P", "A", ""],
        ["d2", "02/03/2026", "X", "P", "x"],
    ]
    if kind == "csv":
        desk.put("large/attendance/a.csv", "\n".join(";".join(line) for line in lines))
    else:
        book = openpyxl.Workbook()
        book.create_sheet("Autre").append(["x"])
        sheet = book.create_sheet("Feuille")
        for line in lines:
            sheet.append(line)
        book.save(desk.put("large/attendance/a.xlsx", b""))

    intake = desk.take()

    assert [(one.read, one.loaded, one.quarantined) for one in intake.receipts] == [(2, 1, 1), (2, 2, 0)]
    assert desk.known("attendance").select("enrolment_id", "half_day", "status").rows() == [
        ("d1", "am", "present"),
        ("d1", "pm", "absent_unjustified"),
        ("d2", "pm", "present"),
    ]
    assert desk.quarantine().select("line", "column", "value").rows() == [(5, "Matin", "X")]
    desk.put("large/attendance/b.csv", "\n\nDossier;Jour;Matin;Apres-midi\nd1;02/03/2026;P;A\n")
    assert "missing column Après-midi; unknown column Apres-midi (did you mean Après-midi?)" in str(desk.take().refused[0].refused)
