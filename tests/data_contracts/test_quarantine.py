"""What was set aside, to its end; counts add up at every moment."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import openpyxl
import polars as pl
import pytest

from alerts.cases import CaseStore
from data_contracts.ingest import DELIVERIES
from data_contracts.quarantine import close, export, fix, replay, rows_set_aside
from data_contracts.quarantine import counts as counted
from data_contracts.report import in_french, write
from tests.data_contracts.received import FIXTURES, NOW, Desk, counts
from vigie.errors import NoDataError, RefusedFileError

if TYPE_CHECKING:
    from pathlib import Path

SHEETS = "emargement/attendance/presences_20260304.csv"
FULL = "catalogue_formacode/sessions/sessions.csv"
EARLY = dt.datetime(2026, 3, 5, tzinfo=dt.UTC)


def received(desk: Desk, name: str = SHEETS) -> None:
    path = desk.put(name, (FIXTURES / name).read_bytes())
    os.utime(path, (EARLY.timestamp(), EARLY.timestamp()))
    desk.take()


def states(desk: Desk) -> dict[str, int]:
    with desk.warehouse() as warehouse:
        rows = rows_set_aside(warehouse, desk.decisions)
        ledger = warehouse.read(DELIVERIES)
    totals = counted(rows).select(pl.exclude("file", "table").sum()).row(0, named=True)
    named = {state: number for state, number in totals.items() if state != "quarantined"}
    originals = ledger.filter(~pl.col("file").str.starts_with("quarantine/"))
    assert totals["quarantined"] == sum(named.values()) == originals["quarantined"].sum()
    return {state: number for state, number in named.items() if number}


def exported(desk: Desk, name: str = SHEETS) -> dict[str, pl.DataFrame]:
    with desk.warehouse() as warehouse:
        return export(warehouse, desk.landing, desk.decisions, name, desk.reception(), NOW)


def mend(desk: Desk, table: str, rows: pl.DataFrame, *, anyway: bool = False) -> tuple[int, pl.DataFrame]:
    path = desk.home / "mended.csv"
    rows.write_csv(path)
    with desk.warehouse() as warehouse:
        done = fix(warehouse, desk.landing, desk.decisions, table, path, NOW, anyway=anyway)
    return done.rows, done.faults


def test_a_row_is_exported_corrected_and_taken_once_by_the_ordinary_road(desk: Desk) -> None:
    received(desk)
    rows = exported(desk)["attendance"]
    assert rows.select("origin_line", "half_day", "status", "planned_minutes").rows() == [(10, "AM", "absent_justified", "210")]
    assert states(desk) == {"open": 1}

    mended = rows.with_columns(half_day=pl.lit("am"))
    assert mend(desk, "attendance", mended)[0] == 1
    assert states(desk) == {"waiting": 1}
    with pytest.raises(NoDataError, match="line 2: not an open row"):
        mend(desk, "attendance", mended)

    assert counts(desk.take()) == {"attendance": (1, 1, 0, 0)}
    assert states(desk) == {"mended": 1}
    assert desk.known("attendance").height == 48
    assert desk.known("attendance", EARLY).height == 47, "nights before did not know it"
    assert not desk.take().receipts
    with pytest.raises(NoDataError, match="no open row"):
        exported(desk)
    assert len(list(desk.decisions.glob("*-mended.json"))) == 1


def test_a_row_that_takes_a_fact_back_still_does_once_it_is_mended(desk: Desk) -> None:
    head = "enrolment_id,date,half_day,status"
    for name, content in (("a", f"{head}\ne1,2026-03-02,am,present\n"), ("b", f"{head},planned_minutes\ne1,2026-03-02,am,present,3h30\n")):
        desk.put(f"attendance/{name}.csv", content)
    desk.put("attendance/c.csv", f"{head},planned_minutes,withdrawn\ne1,2026-03-02,am,present,3h30,true\n")
    desk.take()
    assert "withdrawn" not in exported(desk, "attendance/b.csv")["attendance"].columns
    assert desk.known("attendance").height == 1

    mend(desk, "attendance", exported(desk, "attendance/c.csv")["attendance"].with_columns(planned_minutes=pl.lit("210")))
    desk.take()

    assert desk.known("attendance").is_empty()


def test_a_fact_that_was_mended_is_withdrawn_by_the_next_full_export_without_it(desk: Desk) -> None:
    lines = (FIXTURES / FULL).read_bytes().decode("mac_roman").split("\r")[:-1]
    received(desk, FULL)
    mend(desk, "sessions", exported(desk, FULL)["sessions"].with_columns(domain=pl.lit("42654")))
    desk.take()
    assert desk.known("sessions").height == 6

    desk.put(FULL.replace("sessions.csv", "2.csv"), "\r".join(line for line in lines if "4265;" not in line).encode("mac_roman"))
    (receipt,) = desk.take().receipts

    assert receipt.withdrawn == 1
    assert desk.known("sessions").height == 5


def test_a_mended_row_wins_over_a_later_correction_of_its_sender_only_when_asked_to(desk: Desk) -> None:
    head = "enrolment_id,date,half_day,status,planned_minutes\n"
    desk.put("attendance/a.csv", f"{head}e1,2026-03-02,am,absent_unjustified,3h30\ne2,2026-03-02,am,present,3h30\n")
    desk.take()
    desk.put("attendance/b.csv", f"{head}e1,2026-03-02,am,absent_justified,210\ne2,2026-03-02,am,present,210\n")
    desk.take()
    rows = exported(desk, "attendance/a.csv")["attendance"].with_columns(planned_minutes=pl.lit("210"))

    done, faults = mend(desk, "attendance", rows)
    desk.take()

    assert done == 1, "the other says the same"
    assert faults.select("line", "column").rows() == [(2, "row")]
    assert "told otherwise since" in faults["reason"][0]
    assert states(desk) == {"open": 1, "mended": 1}
    assert desk.known("attendance")["status"].to_list() == ["absent_justified", "present"]

    assert mend(desk, "attendance", rows.filter(origin_line=2), anyway=True)[0] == 1
    desk.take()
    assert desk.known("attendance")["status"].to_list() == ["absent_unjustified", "present"]


def test_a_mended_row_brings_back_no_fact_that_a_later_full_export_withdrew(desk: Desk) -> None:
    lines = (FIXTURES / FULL).read_bytes().decode("mac_roman").split("\r")[:-1]
    right = [line.replace("4265;", "42654;") for line in lines]
    for number, told in enumerate((right, lines, [line for line in lines if "4265;" not in line])):
        desk.put(FULL.replace("sessions.csv", f"{number}.csv"), "\r".join(told).encode("mac_roman"))
        (receipt,) = desk.take().receipts
    assert receipt.withdrawn == 1
    rows = exported(desk, FULL.replace("sessions.csv", "1.csv"))["sessions"].with_columns(domain=pl.lit("42654"))

    done, faults = mend(desk, "sessions", rows)
    desk.take()

    assert done == 0
    assert "told otherwise since" in faults["reason"][0]
    assert desk.known("sessions").height == 5
    assert mend(desk, "sessions", rows, anyway=True)[0] == 1
    desk.take()
    assert desk.known("sessions").height == 6


def test_nor_one_that_is_known_by_its_withdrawal_alone_while_a_mended_withdrawal_says_the_same(desk: Desk) -> None:
    head = "enrolment_id,date,half_day,status,planned_minutes,withdrawn\n"
    told = [f"e{n},2026-03-02,am,present,{{}},{gone}\n" for n, gone in enumerate(("false", "true"))]
    desk.put("attendance/a.csv", head + "".join(row.format("3h30") for row in told))
    desk.take()
    desk.put("attendance/b.csv", head + "".join(row.format("200").replace("false", "true") for row in told))
    desk.take()

    rows = exported(desk, "attendance/a.csv")["attendance"].with_columns(planned_minutes=pl.lit("210"))
    done, faults = mend(desk, "attendance", rows)
    desk.take()

    assert (done, faults["line"].to_list()) == (1, [2])
    assert desk.known("attendance").is_empty()


def test_a_mended_name_counts_from_the_file_it_came_in_and_wins_over_nothing_told_since_unless_asked_to(desk: Desk) -> None:
    head, long = "learner_id,given_name,family_name,withdrawn\n", "x" * 201
    told = {"a": f"L1,Zoé,{long},\nL2,Léa,{long},\nL3,Max,{long},\n", "b": "L1,Zoé,Martin,true\nL2,Léa,Petit,\n"}
    for name, at in (("a", EARLY), ("b", EARLY + dt.timedelta(days=1))):
        path = desk.put(f"learner_identities/{name}.csv", head + told[name])
        os.utime(path, (at.timestamp(), at.timestamp()))
    desk.take()
    rows = exported(desk, "learner_identities/a.csv")["learner_identities"].with_columns(family_name=pl.lit("Roux"))

    with CaseStore(f"sqlite:///{desk.home / 'cases.sqlite'}") as cases:

        def names() -> list[tuple[str, str]]:
            desk.take()
            while desk.private:
                cases.save_private(*desk.private.pop(0))
            return cases.names(["L1", "L2", "L3"]).select("learner_id", "family_name").sort("learner_id").rows()

        assert names() == [("L2", "Petit")]
        assert mend(desk, "learner_identities", rows.filter(origin_line=4))[0] == 1
        assert names() == [("L2", "Petit"), ("L3", "Roux")]
        assert mend(desk, "learner_identities", rows.filter(origin_line=2))[0] == 1
        assert names() == [("L2", "Petit"), ("L3", "Roux")]
        assert mend(desk, "learner_identities", rows.filter(origin_line=3), anyway=True)[0] == 1
        assert names() == [("L2", "Roux"), ("L3", "Roux")]


def test_a_mended_advisor_wins_over_no_address_told_since(desk: Desk) -> None:
    head = "advisor_id,name,email,operator,territory_id,weekly_capacity,active_from\n"
    for name, address, capacity in (("a", "old", "five"), ("b", "new", "5")):
        desk.put(f"advisors/{name}.csv", f"{head}A1,Zoé Martin,{address}@example.org,o,t,{capacity},2026-01-01\n")
        desk.take()
    rows = exported(desk, "advisors/a.csv")["advisors"].with_columns(weekly_capacity=pl.lit("5"))

    done, faults = mend(desk, "advisors", rows)

    assert done == 0
    assert "told otherwise since" in faults["reason"][0]


def test_what_is_still_wrong_stays_and_is_named(desk: Desk) -> None:
    received(desk)
    rows = exported(desk)["attendance"]

    done, faults = mend(desk, "attendance", rows.with_columns(half_day=pl.lit("matinee")))

    assert done == 0
    assert faults.select("line", "column", "value").rows() == [(10, "half_day", "matinee")]
    assert states(desk) == {"open": 1}


def test_a_correction_that_contradicts_nothing_new_is_unchanged_and_leaves_all_the_same(desk: Desk) -> None:
    received(desk)
    rows = exported(desk)["attendance"]
    other = desk.known("attendance").row(0, named=True)
    same = {
        name: pl.lit(str(other[name])) for name in ("enrolment_id", "date", "half_day", "status", "planned_minutes", "attended_minutes")
    }
    mend(desk, "attendance", rows.with_columns(**same))

    assert counts(desk.take())["attendance"][0] == 1
    assert states(desk) == {"mended": 1}


def test_after_a_mapping_is_completed_its_rows_are_read_once_more(desk: Desk) -> None:
    received(desk)
    shipped = (FIXTURES.parents[2] / "config/sources/emargement.toml").read_text(encoding="utf-8")
    with desk.warehouse() as warehouse:
        before = replay(warehouse, desk.landing, desk.decisions, SHEETS, desk.reception(), NOW)
    desk.mapping("emargement", shipped.replace('"matin" = "am"', '"matin" = "am"\n"AM" = "am"'))
    with desk.warehouse() as warehouse:
        after = replay(warehouse, desk.landing, desk.decisions, SHEETS, desk.reception(), NOW)
    desk.take()

    assert (before.rows, before.faults.height) == (0, 1)
    assert (after.rows, after.faults.height) == (1, 0)
    assert states(desk) == {"mended": 1}


def test_every_part_of_a_file_has_its_own_open_rows(desk: Desk) -> None:
    name = "extranet_regional/enrolments/stagiaires.csv"
    received(desk, name)
    tables = exported(desk, name)

    assert {table: rows["origin_line"].to_list() for table, rows in tables.items()} == {"enrolments": [5], "exits": [8]}
    assert tables["exits"].select("reason", "exit_date").row(0) == ("Parti sans rien dire", "2026-02-20")
    mend(desk, "exits", tables["exits"].with_columns(reason=pl.lit("other")))
    desk.take()
    assert states(desk) == {"open": 1, "mended": 1}
    with desk.warehouse() as warehouse:
        assert close(warehouse, desk.decisions, desk.refused, name, "the region will not correct it", NOW) == 1
    assert states(desk) == {"closed": 1, "mended": 1}


def test_a_line_with_the_wrong_number_of_fields_can_be_filled_in_by_hand(desk: Desk) -> None:
    desk.put("exits/a.csv", "enrolment_id,exit_date,reason\ne1,2026-01-02\ne2,2026-01-02,job\n")
    desk.take()
    rows = exported(desk, "exits/a.csv")["exits"]
    mend(desk, "exits", rows.with_columns(enrolment_id=pl.lit("e1"), exit_date=pl.lit("2026-01-02"), reason=pl.lit("job")))
    desk.take()

    assert desk.known("exits")["enrolment_id"].to_list() == ["e1", "e2"]
    assert states(desk) == {"mended": 1}


def test_a_file_that_is_gone_or_changed_is_said_so(desk: Desk) -> None:
    received(desk)
    desk.put(SHEETS, b"something else")
    with pytest.raises(RefusedFileError):
        exported(desk)
    (desk.landing / SHEETS).unlink()
    with pytest.raises(NoDataError, match="no longer lies"):
        exported(desk)


def test_killed_between_the_decision_and_the_delivery_the_row_is_open_once_more(desk: Desk) -> None:
    received(desk)
    mend(desk, "attendance", exported(desk)["attendance"].with_columns(half_day=pl.lit("am")))
    staged = next((desk.landing / "quarantine").rglob("*.parquet"))
    staged.unlink()

    assert states(desk) == {"open": 1}
    mend(desk, "attendance", exported(desk)["attendance"].with_columns(half_day=pl.lit("am")))
    desk.take()
    assert states(desk) == {"mended": 1}


NASTY = pl.DataFrame(
    {
        "line": [4, 3, 2],
        "column": ["Statut", "row", "Nom"],
        "value": ["=HYPERLINK(1)", "-1+1", "(withheld)"],
        "reason": ["expected one of P, ANJ; nearest: ANJ", "3 fields where the header has 4", "a value is required"],
    }
)


def test_the_suppliers_report_is_french_by_line_and_no_cell_is_a_formula(tmp_path: Path) -> None:
    write(NASTY, tmp_path / "erreurs.csv")
    write(NASTY, tmp_path / "erreurs.xlsx")

    text = (tmp_path / "erreurs.csv").read_bytes().decode("utf-8-sig").splitlines()
    assert text == [
        "Ligne;Colonne;Valeur reçue;Raison;Valeur admise la plus proche",
        '2;Nom;(non reproduite);valeur obligatoire;""',
        "3;toute la ligne;'-1+1;3 champs, alors que l'en-tête en a 4;\"\"",
        "4;Statut;'=HYPERLINK(1);valeurs admises : P, ANJ;ANJ",
    ]
    sheet = openpyxl.load_workbook(tmp_path / "erreurs.xlsx").active
    assert sheet is not None
    assert [cell.value for cell in sheet["C"]] == ["Valeur reçue", "(non reproduite)", "-1+1", "=HYPERLINK(1)"]
    assert {cell.data_type for cell in sheet["C"]} == {"s"}


def test_every_reason_of_the_quarantine_has_its_french(desk: Desk) -> None:
    for path in FIXTURES.rglob("*.*"):
        desk.put(path.relative_to(FIXTURES).as_posix(), path.read_bytes())
    desk.put("exits/a.csv", "enrolment_id,exit_date,reason\n,x,y\na\na,2026-01-02,job\na,2026-01-03,job\n184057512345678,2026-01-02,job\n")
    desk.put("learners/a.csv", f"learner_id,prescriber,birth_year,education_level\n{'x' * 70},self,1700,12\na,self,x,3\n")
    desk.put("providers/a.csv", "provider_id,name,siret,territory_id\na,b,12,t\n")
    desk.put("contacts/a.csv", "contact_id,learner_id,occurred_at,channel,direction,outcome\na,b,2026-01-02,phone,outbound,reached\n")
    desk.put("assessments/a.csv", "enrolment_id,assessment_id,due_date,score\na,b,2026-01-02,0.5\na,c,2026-01-02,x\na,d,2026-01-02,nan\n")
    names = "session_id,provider_id,programme_id,title,territory_id,start_date,end_date,planned_minutes,mode,entry,objective"
    desk.put("sessions/a.csv", f"{names}\ns,p,q,t,u,2026-02-02,2026-01-01,5,onsite,fixed,other\n")
    names = "enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date"
    desk.put("enrolments/a.csv", f"{names}\na,b,c,2026-01-01,2026-02-02,2026-01-02\n")
    desk.put("assignments/a.csv", "learner_id,valid_from,advisor_id,valid_to\na,2026-01-02,b,2026-01-01\n")
    desk.put("learner_audit/a.csv", "learner_id,disability\na,perhaps\n")
    desk.take()
    reasons = desk.quarantine()["reason"].unique().to_list()

    assert len(reasons) > 25
    untold = [reason for reason in reasons if in_french(reason) == reason.partition("; nearest")[0]]
    assert not untold
