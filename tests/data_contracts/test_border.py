from __future__ import annotations

import datetime as dt
import gzip
import io
import os
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.cases.store import CaseStore
from data_contracts.catalogue import TABLES
from data_contracts.ingest import DELIVERIES, QUARANTINE, Intake, Reception, ingest, layout
from data_contracts.readers import parquet
from data_contracts.sources.mapping import read_source
from vigie.errors import RefusedFileError
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
HEADER = "enrolment_id,exit_date,reason,known_on\n"


def put(home: Path, name: str, content: str | bytes) -> None:
    path = home / "landing" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def take(home: Path, **options: dt.timedelta) -> tuple[Intake, pl.DataFrame, list[tuple[str, pl.DataFrame]]]:
    private: list[tuple[str, pl.DataFrame]] = []
    (home / "landing").mkdir(exist_ok=True)
    with Warehouse(home / "w.duckdb") as warehouse:
        intake = ingest(home / "landing", home / "refused", warehouse, lambda *part: private.append(part), NOW, **options)
        return intake, warehouse.read(QUARANTINE), private


def exits(home: Path) -> pl.DataFrame:
    with Warehouse(home / "w.duckdb") as warehouse:
        return warehouse.as_known_at(layout(TABLES["exits"]), NOW)


@pytest.mark.parametrize(
    ("row", "column", "value", "reason"),
    [
        ("e1,02/01/2026,dropout,", "exit_date", "02/01/2026", "expected a date"),
        ("e1,0026-01-02,dropout,", "exit_date", "0026-01-02", "expected a date"),
        ("e1,2026-01-02,droput,", "reason", "droput", "nearest: dropout"),
        (",2026-01-02,dropout,", "enrolment_id", None, "required"),
        ("e1,2026-01-02,dropout,2026-01-02 10:00", "known_on", "2026-01-02 10:00", "offset"),
        ("e1,2026-01-02,dropout", "row", "e1,2026-01-02,dropout", "3 fields where the header has 4"),
        ("e1,2026-01-02,dropout,,", "row", "e1,2026-01-02,dropout,,", "5 fields"),
        (f"{'x' * 65},2026-01-02,dropout,", "enrolment_id", "x" * 65, "too long"),
        ("184057512345678,2026-01-02,dropout,", "enrolment_id", "(withheld)", "social security"),
    ],
)
def test_a_bad_row_is_named_by_line_column_value_and_reason_and_good_rows_are_loaded(
    tmp_path: Path, row: str, column: str, value: str | None, reason: str
) -> None:
    put(tmp_path, "exits/a.csv", HEADER + "good,2026-01-02,job,\n" + row + "\nfine,2026-01-03,job,\n")

    intake, quarantine, _ = take(tmp_path)

    fault = quarantine.row(0, named=True)
    assert (fault["line"], fault["column"], fault["value"]) == (3, column, value)
    assert reason in fault["reason"]
    assert intake.by_table().row(0) == ("exits", 3, 2, 0, 1)
    assert set(exits(tmp_path)["enrolment_id"]) == {"good", "fine"}


def test_lines_are_counted_through_quoted_line_breaks(tmp_path: Path) -> None:
    put(tmp_path, "learner_identities/a.csv", 'learner_id,given_name,family_name\nL1,"Zoé\nAnne",D\'Ange\nL2,,Roux\n')

    _, quarantine, private = take(tmp_path)

    assert quarantine["line"].to_list() == [4]
    assert private[0][1]["given_name"].to_list() == ["Zoé\nAnne"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("exits/a.csv", "enrolment_id,exit_dat,reason\ne,2026-01-01,job\n", "did you mean exit_date"),
        ("exits/a.csv", "enrolment_id,exit_date\ne,2026-01-01\n", "missing column reason"),
        ("exits/a.csv", "enrolment_id,exit_date,reason,reason\n", "more than once"),
        ("exits/a.csv", "", "no header"),
        ("exits/a.csv", b"enrolment_id,exit_date,reason\n\xe9,2026-01-01,job\n", "line 2: byte 0xe9 is not UTF-8"),
        ("exits/a.csv", 'enrolment_id,exit_date,reason\n"e,2026-01-01,job\n', "unexpected end"),
        ("exits/a.csv.gz", gzip.compress(HEADER.encode(), mtime=0)[:-12], "archive is broken"),
        ("exits/a.parquet", b"PAR1 no more", "not a readable parquet"),
        ("exits/a.pdf", b"%PDF", "kind of file"),
        ("leavers/a.csv", HEADER, "not a table of the contract"),
        ("exits/deeper/a.csv", HEADER, "not a table of the contract"),
    ],
)
def test_a_bad_file_is_refused_whole_with_its_reason_and_the_others_are_taken(
    tmp_path: Path, name: str, content: str | bytes, reason: str
) -> None:
    put(tmp_path, name, content)
    put(tmp_path, "exits/good.csv", HEADER + "e1,2026-01-02,job,\n")

    intake, _, _ = take(tmp_path)

    assert [receipt.file for receipt in intake.refused] == [name]
    assert reason in str(intake.refused[0].refused)
    assert not (tmp_path / "landing" / name).exists()
    assert (tmp_path / "refused" / name).exists()
    assert reason in (tmp_path / "refused" / f"{name}.reason.txt").read_text()
    assert exits(tmp_path)["enrolment_id"].to_list() == ["e1"]


def test_the_same_file_twice_changes_nothing_under_any_name(tmp_path: Path) -> None:
    content = HEADER + "e1,2026-01-02,job,\n"
    put(tmp_path, "exits/a.csv", content)
    take(tmp_path)
    put(tmp_path, "exits/b.csv", content)

    intake, _, _ = take(tmp_path)

    assert intake.known_before == 2
    assert not intake.receipts


def test_the_same_rows_in_another_file_are_unchanged(tmp_path: Path) -> None:
    put(tmp_path, "exits/a.csv", HEADER + "e1,2026-01-02,job,\n")
    take(tmp_path)
    put(tmp_path, "exits/b.csv", HEADER + "e1,2026-01-02,job,\ne2,2026-01-02,job,\n")

    intake, _, _ = take(tmp_path)

    assert intake.by_table().row(0) == ("exits", 2, 1, 1, 0)


def test_a_row_repeated_in_a_file_is_unchanged_and_a_contradiction_goes_to_quarantine(tmp_path: Path) -> None:
    put(tmp_path, "exits/a.csv", HEADER + "e1,2026-01-02,job,\ne1,2026-01-02,job,\ne2,2026-01-02,job,\ne2,2026-01-09,job,\n")

    intake, quarantine, _ = take(tmp_path)

    assert intake.by_table().row(0) == ("exits", 4, 1, 1, 2)
    assert quarantine["line"].to_list() == [4, 5]


def test_semicolons_byte_order_mark_and_carriage_returns_are_read(tmp_path: Path) -> None:
    put(tmp_path, "exits/a.csv", "\ufeffenrolment_id;exit_date;reason\r\ne1;2026-01-02;job\r\n")

    take(tmp_path)

    assert exits(tmp_path)["enrolment_id"].to_list() == ["e1"]


def test_names_never_enter_the_warehouse_nor_its_quarantine(tmp_path: Path) -> None:
    put(tmp_path, "learner_identities/a.csv", "learner_id,given_name,family_name,phone\nL1,Canarie,Serin,0600\nL2,,Canarie,x\nL3,Canarie\n")
    put(
        tmp_path,
        "advisors/a.csv",
        "advisor_id,name,email,operator,territory_id,weekly_capacity,active_from\nA1,Canarie Serin,canarie@example.org,o,t,5,2026-01-01\n",
    )

    _, _, private = take(tmp_path)

    assert {name for name, _ in private} == {"learner_identities", "advisors"}
    assert b"anarie" not in (tmp_path / "w.duckdb").read_bytes()


def test_who_is_withdrawn_leaves_the_case_store(tmp_path: Path) -> None:
    put(tmp_path, "learner_identities/a.csv", "learner_id,given_name,family_name\nL1,Zoé,Martin\nL2,Léa,Roux\n")
    put(tmp_path, "learner_identities/b.csv", "learner_id,given_name,family_name,withdrawn\nL1,Zoé,Martin,true\n")

    _, _, private = take(tmp_path)

    with CaseStore(f"sqlite:///{tmp_path / 'cases.sqlite'}") as cases:
        for table, rows in private:
            cases.save_private(table, rows)
        assert cases.names(["L1", "L2"])["learner_id"].to_list() == ["L2"]
        older = private[1][1].with_columns(known_on=pl.lit(dt.datetime(2020, 1, 1, tzinfo=dt.UTC)), learner_id=pl.lit("L2"))
        cases.save_private("learner_identities", older)
        assert cases.names(["L1", "L2"])["learner_id"].to_list() == ["L2"], "known since then"


def test_an_advisor_whom_a_full_export_leaves_out_leaves_the_case_store(tmp_path: Path) -> None:
    names = ("advisor_id", "name", "email", "operator", "territory_id", "weekly_capacity", "active_from")
    columns = "".join(f'{name} = "{name}"\n' for name in names)
    (tmp_path / "annuaire.toml").write_text(
        f'title = "Annuaire"\n[files.advisors]\ndelimiter = ","\ndates = ["%Y-%m-%d"]\n'
        f'[[files.advisors.rows]]\ntable = "advisors"\ndelivers = "full"\n[files.advisors.rows.columns]\n{columns}'
    )
    reception = Reception({"annuaire": read_source(tmp_path / "annuaire.toml")})
    staff = [f"A{number},Nom {number},a{number}@example.org,o,t,5,2026-01-01\n" for number in range(9)]
    with CaseStore(f"sqlite:///{tmp_path / 'cases.sqlite'}") as cases:
        for name, told in (("a", staff), ("b", staff[1:])):
            put(tmp_path, f"annuaire/advisors/{name}.csv", ",".join(names) + "\n" + "".join(told))
            with Warehouse(tmp_path / "w.duckdb") as warehouse:
                ingest(tmp_path / "landing", tmp_path / "refused", warehouse, cases.save_private, NOW, reception=reception)

        assert sorted(cases.advisors()["advisor_id"]) == [f"A{number}" for number in range(1, 9)]


def test_history_without_known_on_is_known_from_its_own_date_plus_the_declared_lag_and_says_so(tmp_path: Path) -> None:
    put(tmp_path, "exits/a.csv", HEADER + "e1,2020-01-02,job,\ne2,2020-01-02,job,2021-01-01T00:00:00Z\n")

    take(tmp_path, assumed_lag=dt.timedelta(days=3))

    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        early = warehouse.as_known_at(layout(TABLES["exits"]), dt.datetime(2020, 1, 6, tzinfo=dt.UTC))
    assert early.select("enrolment_id", "known_on_assumed").rows() == [("e1", True)]
    assert exits(tmp_path).filter(enrolment_id="e2")["known_on_assumed"].to_list() == [False]


def test_what_a_first_load_of_history_tells_of_days_to_come_is_known_from_its_delivery_and_can_be_corrected(tmp_path: Path) -> None:
    names = "enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date\n"
    loaded, corrected = (dt.datetime(2026, 3, day, tzinfo=dt.UTC) for day in (20, 30))
    put(tmp_path, "enrolments/a.csv", f"{names}e1,l1,s1,2026-03-01,2026-04-01,2026-06-01\ne2,l2,s1,2026-03-01,2026-03-16,2026-06-01\n")
    os.utime(tmp_path / "landing/enrolments/a.csv", (loaded.timestamp(), loaded.timestamp()))
    take(tmp_path, assumed_lag=dt.timedelta(days=1))
    put(tmp_path, "enrolments/b.csv", f"{names}e1,l1,s1,2026-03-01,2026-04-15,2026-06-15\n")
    os.utime(tmp_path / "landing/enrolments/b.csv", (corrected.timestamp(), corrected.timestamp()))
    take(tmp_path)

    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        at_load, later = (warehouse.as_known_at(layout(TABLES["enrolments"]), instant).sort("enrolment_id") for instant in (loaded, NOW))
    assert at_load.select("enrolment_id", "known_on", "known_on_assumed").rows() == [
        ("e1", loaded, False),
        ("e2", dt.datetime(2026, 3, 17, tzinfo=dt.UTC), True),
    ]
    assert later["entry_date"][0] == dt.date(2026, 4, 15)


text = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
row = st.lists(st.one_of(text, st.sampled_from(["e1", "2026-01-02", "dropout", "2026-01-05T10:00:00Z", '"', "\n"])), max_size=6).map(
    ",".join
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(row, max_size=8))
def test_whatever_comes_every_row_is_accounted_for(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    home = tmp_path_factory.mktemp("any")
    put(home, "exits/a.csv", HEADER + "\n".join(lines))

    intake, _, _ = take(home)

    assert len(intake.receipts) == 1
    with Warehouse(home / "w.duckdb") as warehouse:
        for entry in warehouse.read(DELIVERIES).to_dicts():
            assert entry["rows_read"] == entry["loaded"] + entry["unchanged"] + entry["quarantined"]
        TABLES["exits"].schema.validate(warehouse.as_known_at(layout(TABLES["exits"]), NOW))


def test_a_row_at_fault_that_stands_twice_is_at_fault_twice(tmp_path: Path) -> None:
    put(tmp_path, "exits/a.csv", HEADER + "e1,,job,\ne1,,job,\ne2,2026-01-02,job,\n")

    intake, quarantine, _ = take(tmp_path)

    assert intake.by_table().row(0) == ("exits", 3, 1, 0, 2)
    assert set(quarantine["line"]) == {2, 3}


def test_parquet_is_never_rounded_nor_believed_when_its_columns_are_of_another_kind(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {
            "enrolment_id": [1, 2, 3],
            "date": [dt.date(2026, 1, 2)] * 3,
            "half_day": ["am", "am", "AM"],
            "status": ["present"] * 3,
            "planned_minutes": [210.0, 2.5, 210.0],
            "known_on": [NOW] * 3,
        }
    )
    packed, lists = io.BytesIO(), io.BytesIO()
    rows.write_parquet(packed)
    rows.with_columns(status=pl.lit([1])).write_parquet(lists)
    put(tmp_path, "attendance/a.parquet", packed.getvalue())
    put(tmp_path, "attendance/b.parquet", lists.getvalue())

    intake, quarantine, _ = take(tmp_path)

    assert intake.by_table().row(0) == ("attendance", 3, 1, 0, 2)
    assert quarantine.select("line", "column", "value").sort("line").rows() == [(2, "planned_minutes", "2.5"), (3, "half_day", "AM")]
    assert "column status holds no plain values" in str(intake.refused[0].refused)


def test_a_moment_in_parquet_is_a_day_only_at_midnight_and_an_instant_of_utc_without_a_zone(tmp_path: Path) -> None:
    sheet = {"half_day": "am", "status": "present"}
    days = {"paris": (dt.datetime(2026, 3, 4), "Europe/Paris"), "utc": (dt.datetime(2026, 3, 3, 23), "UTC")}  # noqa: DTZ001 - zone beside
    days |= {"naive": (dt.datetime(2026, 3, 4), None), "afternoon": (dt.datetime(2026, 3, 4, 15, 30), None)}  # noqa: DTZ001 - none, on purpose
    call = {"learner_id": "l", "channel": "phone", "direction": "outbound", "outcome": "reached"}
    for name, (moment, zone) in days.items():
        packed = io.BytesIO()
        moments = pl.Series([moment]).dt.replace_time_zone(zone)
        pl.DataFrame([{"enrolment_id": name, **sheet}]).with_columns(date=moments).write_parquet(packed)
        put(tmp_path, f"attendance/{name}.parquet", packed.getvalue())
        packed = io.BytesIO()
        pl.DataFrame([{"contact_id": name, **call}]).with_columns(occurred_at=moments).write_parquet(packed)
        put(tmp_path, f"contacts/{name}.parquet", packed.getvalue())

    _, quarantine, _ = take(tmp_path)

    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        sheets, calls = (warehouse.as_known_at(layout(TABLES[table]), NOW) for table in ("attendance", "contacts"))
    assert sorted(sheets.select("enrolment_id", "date").rows()) == [("naive", dt.date(2026, 3, 4)), ("paris", dt.date(2026, 3, 4))]
    assert dict(calls.select("contact_id", "occurred_at").rows()) == {
        "paris": dt.datetime(2026, 3, 3, 23, tzinfo=dt.UTC),
        "utc": dt.datetime(2026, 3, 3, 23, tzinfo=dt.UTC),
        "naive": dt.datetime(2026, 3, 4, tzinfo=dt.UTC),
        "afternoon": dt.datetime(2026, 3, 4, 15, 30, tzinfo=dt.UTC),
    }
    assert sorted(quarantine.select("file", "reason").rows()) == [
        ("attendance/afternoon.parquet", "expected a date such as 2026-03-04"),
        ("attendance/utc.parquet", "expected a date such as 2026-03-04"),
    ]


def test_parquet_with_bytes_turned_over_is_refused_or_read_and_never_ends_the_process(tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"enrolment_id": ["e1", None] * 40, "exit_date": [dt.date(2026, 1, 2)] * 80, "reason": ["job"] * 80, "x": [True, None] * 40}
    )
    packed = io.BytesIO()
    rows.write_parquet(packed)
    data = packed.getvalue()
    path = tmp_path / "a.parquet"
    outcomes = set()
    for place in range(4, len(data), 7):
        for value in (0, 0x7F, 0xFF):
            path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
            try:
                outcomes.add(type(parquet.read(path, "a.parquet")).__name__)
            except RefusedFileError as error:
                outcomes.add(type(error).__name__)

    assert outcomes == {"Received", "RefusedFileError"}
