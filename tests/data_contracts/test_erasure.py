"""After an erasure, archive and warehouse are those of a service that never heard of the person; later deliveries change nothing of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from data_contracts.archive import Archive, Kept
from data_contracts.catalogue import TABLES
from data_contracts.erased import MARK
from data_contracts.erasure import clear_landing, empty, found_in
from data_contracts.ingest import DELIVERIES, Reception, ingest
from data_contracts.rebuild import in_step, rebuild
from tests.data_contracts.received import NOW, Desk
from vigie.erasures import Erasures, Supposed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = "a key of thirty-two characters, or more"
ON = dt.date(2026, 3, 1)
GONE = "L1"
THEIRS = ("E1", "E1b")
HEADERS = {
    "learners": "learner_id,prescriber,birth_year",
    "learner_identities": "learner_id,given_name,family_name",
    "enrolments": "enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date,known_on",
    "exits": "enrolment_id,exit_date,reason,known_on",
    "contacts": "contact_id,learner_id,occurred_at,channel,direction,outcome,known_on",
}


def named(line: str) -> bool:
    return bool({GONE, *THEIRS} & set(line.split(",")))


def put(desk: Desk, files: Mapping[str, str], *, without: bool = False) -> None:
    for name, text in files.items():
        head, *lines = text.splitlines()
        desk.put(name, "\n".join([head, *(line for line in lines if not (without and named(line)))]) + "\n")


def remembered(home: Path) -> Erasures:
    erased = Erasures(home / "erased.jsonl", KEY)
    erased.remember({"enrolment": THEIRS}, ON, "asked")
    erased.remember({"learner": [GONE]}, ON, "asked")
    return erased


def erase(desk: Desk) -> None:
    empty(desk.home / "w.duckdb", Archive(desk.home / "archive"), remembered(desk.home), 1, lambda _: None)


def content(desk: Desk) -> dict[str, pl.DataFrame]:
    """Every table but for lines, which move up when those before are gone, and what names a file by its bytes."""
    with desk.warehouse() as warehouse:
        assert warehouse.faults() == []
        tables = {name: warehouse.whole(name) for name in warehouse.tables() if name != "witness"}
    found = {name: rows.drop("line", "delivery_id", "note", "received_at", strict=False) for name, rows in tables.items() if rows.height}
    return {name: rows.drop("known_on", strict=False).sort(pl.all()) for name, rows in found.items()}


def assert_alike(first: Desk, second: Desk) -> None:
    ours, others = content(first), content(second)
    assert ours.keys() == others.keys()
    for name, rows in ours.items():
        assert_frame_equal(rows, others[name])


instants = st.sampled_from([f"2026-02-{day:02}T08:00:00Z" for day in range(1, 6)])
people = st.sampled_from(["L1,E1", "L1,E1b", "L2,E2", "L3,E3"])


@st.composite
def deliveries(draw: st.DrawFn) -> dict[str, str]:
    """A few files each for enrolments, exits and contacts: new, repeated, corrected, of somebody else before."""
    files = {}
    for number in range(draw(st.integers(1, 3))):
        one, both, when = st.integers(1, 2), st.sampled_from(["dropout", "job", "moved"]), instants
        who = draw(st.lists(people, min_size=1, max_size=5, unique=True))
        exits = [f"{pair.split(',')[1]},2026-02-0{draw(one)},{draw(both)},{draw(when)}" for pair in who]
        contacts = [
            f"C{draw(one)}{pair[3:]},{pair.split(',')[0]},2026-01-0{draw(one)}T08:00:00Z,phone,outbound,reached,{draw(when)}"
            for pair in who
        ]
        files[f"exits/{number}.csv"] = "\n".join([HEADERS["exits"], *exits, f"E9{number},2026-02-01,other,2026-02-01T08:00:00Z"])
        files[f"contacts/{number}.csv"] = "\n".join(
            [HEADERS["contacts"], *dict.fromkeys(contacts), f"C9{number},L9,2026-01-01T08:00:00Z,sms,outbound,sent,"]
        )
    return files


@settings(max_examples=max(settings().max_examples // 2, 1), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=deliveries())
def test_an_erasure_leaves_what_a_service_has_that_never_heard_of_them(
    files: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("erasure")
    heard, never, warned = Desk(folder / "heard"), Desk(folder / "never"), Desk(folder / "warned")
    put(heard, files)
    heard.take()
    erase(heard)
    put(never, files, without=True)
    never.take()
    put(warned, files)
    take_warned(warned)

    assert_alike(heard, never)
    assert_alike(warned, never)
    # What is kept makes the same warehouse again.
    rebuild(heard.home / "w.duckdb", Archive(heard.home / "archive"), 1, lambda _: None)
    assert_alike(heard, never)


def take_warned(desk: Desk) -> None:
    """Take deliveries as a service does that erased the person before."""
    erased = remembered(desk.home)
    with desk.warehouse() as warehouse:
        ingest(
            desk.landing,
            desk.refused,
            warehouse,
            lambda *part: desk.private.append(part),
            NOW,
            reception=Reception(desk.sources, erased=erased),
        )


FILES = {
    "learners/1.csv": f"{HEADERS['learners']}\nL1,self,1990\nL2,self,1991\n",
    "learner_identities/1.csv": f"{HEADERS['learner_identities']}\nL1,Zoé,Marchand\nL2,Ali,Ben\n",
    "enrolments/1.csv": f"{HEADERS['enrolments']}\nE1,L1,S1,2026-01-01,2026-01-05,2026-06-01,\nE2,L2,S1,2026-01-01,,2026-06-01,\n",
    "exits/1.csv": f"{HEADERS['exits']}\nE1,2026-02-01,job,\nE2,2026-02-01,job,\nE7,soon,job,\nE1,2026-02-01,one,too,many\n",
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    put(made, FILES)
    made.take()
    return made


def everything(home: Path) -> bytes:
    """All bytes of a home folder, tables read."""
    said = [
        pl.read_parquet(path).write_csv().encode() if path.suffix == ".parquet" else path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file()
    ]
    return b"\n".join(said)


def test_no_byte_of_theirs_is_left_and_others_are_as_they_were(desk: Desk) -> None:
    before = desk.known("exits").filter(enrolment_id="E2")
    archive = Archive(desk.home / "archive")
    assert found_in(archive, Supposed({"learner": [GONE], "enrolment": THEIRS}), lambda _: None) == found_in(
        archive, remembered(desk.home), lambda _: None
    )
    erase(desk)
    with desk.warehouse() as warehouse:
        gone = clear_landing(desk.landing, warehouse, {}, remembered(desk.home), NOW)
        notes = warehouse.read(DELIVERIES)["note"]
    assert sorted(gone) == sorted(FILES)
    assert all(MARK in note for note in notes)
    said = everything(desk.home)
    for word in (b"L1,", b"L1\x00", b"E1", "Zoé".encode(), b"Marchand", b"1990"):
        assert word not in said, word
    assert_frame_equal(desk.known("exits").filter(enrolment_id="E2"), before)
    # The line at fault, of nobody known, stays reported.
    assert desk.quarantine()["value"].to_list() == ["soon"]
    assert found_in(archive, remembered(desk.home), lambda _: None).rows == 0


def test_a_file_that_names_them_in_rows_set_aside_alone_does_not_stay(desk: Desk) -> None:
    desk.put("exits/2.csv", f"{HEADERS['exits']}\nE1,never,job,\nE3,2026-02-01,job,\n")
    cut = desk.put("exits/3.csv.gz", b"\x1f\x8b not whole")
    kept = desk.put("exits/4.csv", f"{HEADERS['exits']}\nE4,2026-02-01,job,\n")
    desk.take()
    erase(desk)
    with desk.warehouse() as warehouse:
        gone = clear_landing(desk.landing, warehouse, {}, remembered(desk.home), NOW)
    assert "exits/2.csv" in gone
    assert kept.exists()
    assert not cut.exists()  # refused: it lies elsewhere


def test_a_file_that_was_taken_and_can_be_read_no_more_does_not_stay(desk: Desk) -> None:
    desk.mapping("outil", MAPPING)
    file = desk.put("outil/exits/1.csv", "id;fin\nE3;2026-02-01\n")
    desk.take()
    assert desk.known("exits").filter(enrolment_id="E3").height == 1
    nobody = Supposed({"learner": ["L9"]})
    with desk.warehouse() as warehouse:
        assert clear_landing(desk.landing, warehouse, desk.sources, nobody, NOW) == []
        desk.mapping("outil", MAPPING.replace('"fin"', '"date de fin"'))
        assert clear_landing(desk.landing, warehouse, desk.sources, nobody, NOW) == ["outil/exits/1.csv"]
        desk.put("outil/exits/1.csv", "id;fin\nE3;2026-02-01\n")
        assert clear_landing(desk.landing, warehouse, {}, nobody, NOW) == ["outil/exits/1.csv"]
    assert not file.exists()


MAPPING = """title = "Outil"
[files.exits]
delimiter = ";"
dates = ["%Y-%m-%d"]
[[files.exits.rows]]
table = "exits"
[files.exits.rows.columns]
enrolment_id = "id"
exit_date = "fin"
reason = { value = "job" }
"""


def test_a_fact_of_theirs_that_a_full_export_withdrew_is_no_row_of_its_file(desk: Desk) -> None:
    desk.mapping("outil", MAPPING.replace('table = "exits"', 'table = "exits"\ndelivers = "full"'))
    everybody = ["E1;2026-01-31", *(f"E{number};2026-01-31" for number in range(10, 20))]
    for name, rows in (("1", everybody), ("2", everybody[1:])):
        desk.put(f"outil/exits/{name}.csv", "\n".join(["id;fin", *rows]) + "\n")
        desk.take()

    def entry() -> tuple[int, ...]:
        with desk.warehouse() as warehouse:
            row = warehouse.read(DELIVERIES).filter(file="outil/exits/2.csv").row(0, named=True)
        return tuple(row[name] for name in ("rows_read", "loaded", "unchanged", "quarantined", "withdrawn"))

    read, *_, withdrawn = entry()
    assert (read, withdrawn) == (10, 1)
    erase(desk)
    assert entry() == (10, 0, 10, 0, 0)
    assert b"E1;" not in everything(desk.home / "archive")
    assert "E1" not in desk.known("exits")["enrolment_id"]


def test_a_line_that_fits_no_header_names_them_all_the_same(desk: Desk) -> None:
    desk.mapping("outil", MAPPING)
    mapped = desk.put("outil/exits/1.csv", "id;fin\nE3;2026-02-01\nE1;2026-02-01;one too many\n")
    ours = desk.put("exits/2.csv", f"{HEADERS['exits']}\nE1b,2026-02-01,one,too,many\nE3,2026-02-01,one,too,many\n")
    desk.take()
    erase(desk)
    with desk.warehouse() as warehouse:
        gone = clear_landing(desk.landing, warehouse, desk.sources, remembered(desk.home), NOW)
    assert {"outil/exits/1.csv", "exits/2.csv"} <= set(gone)
    assert not mapped.exists()
    assert not ours.exists()
    assert sorted(desk.quarantine().filter(pl.col("value") != "soon")["value"]) == ["(withheld)", "E3,2026-02-01,one,too,many"]
    desk.put("exits/3.csv", f"{HEADERS['exits']}\nE1b,2026-02-02,one,too,many\nE3,2026-02-02,one,too,many\n")
    take_warned(desk)
    with desk.warehouse() as warehouse:
        entry = warehouse.read(DELIVERIES).filter(file="exits/3.csv").row(0, named=True)
    assert (entry["rows_read"], entry["quarantined"], entry["note"]) == (1, 1, f"1 row {MARK} left out")
    assert b"E1" not in everything(desk.home)


@pytest.mark.parametrize("step", ["entered", "written", "moved", "swapped"])
def test_killed_anywhere_it_is_run_again(desk: Desk, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Desk(desk.home.with_name("whole"))
    put(whole, FILES)
    whole.take()
    erase(whole)
    kill(step, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        erase(desk)
    monkeypatch.undo()

    erase(desk)

    assert_alike(desk, whole)
    archive = Archive(desk.home / "archive")
    assert archive.names() == Archive(whole.home / "archive").names()
    assert not [path for path in archive.root.iterdir() if path.name.startswith(".")]
    assert not list(desk.home.glob("w.duckdb.*"))
    assert b"E1" not in everything(desk.home / "archive")
    with desk.warehouse() as warehouse:
        in_step(warehouse, archive, lambda _: None)


def kill(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the process where the third delivery is exchanged."""
    calls, exchange = [], Archive.exchange

    def third(self: Archive, name: str, delivery: Kept) -> None:
        calls.append(name)
        if len(calls) < 3:
            exchange(self, name, delivery)
            return
        new, old = self.root / f".{name}.new", self.root / f".{name}.old"
        if step != "entered":
            self._write(new, delivery)
        if step in {"moved", "swapped"}:
            (self.root / name).rename(old)
        if step == "swapped":
            new.rename(self.root / name)
        raise KeyboardInterrupt

    monkeypatch.setattr(Archive, "exchange", third)


def test_a_file_that_names_them_again_is_taken_without_them_and_does_not_stay(desk: Desk) -> None:
    erase(desk)
    again = desk.put("exits/2.csv", f"{HEADERS['exits']}\nE1,2026-02-02,moved,\nE2,2026-02-02,moved,\n")
    other = desk.put("exits/3.csv", f"{HEADERS['exits']}\nE3,2026-02-02,moved,\n")
    take_warned(desk)
    assert desk.known("exits")["enrolment_id"].to_list() == ["E2", "E3"]
    assert not again.exists()
    assert other.exists()
    with desk.warehouse() as warehouse:
        entry = warehouse.read(DELIVERIES).filter(file="exits/2.csv").row(0, named=True)
    assert (entry["rows_read"], entry["loaded"], entry["note"]) == (1, 1, f"1 row {MARK} left out")
    # The same bytes once more, after a kill between the taking and the deleting: known, and deleted all the same.
    desk.put("exits/2.csv", f"{HEADERS['exits']}\nE1,2026-02-02,moved,\nE2,2026-02-02,moved,\n")
    take_warned(desk)
    assert not again.exists()
    assert b"E1" not in everything(desk.home)


def test_a_course_they_enter_afterwards_is_kept_out_with_all_that_is_told_of_it(desk: Desk) -> None:
    erase(desk)
    desk.put("enrolments/2.csv", f"{HEADERS['enrolments']}\nE8,L1,S1,2026-05-01,2026-05-05,2026-09-01,\n")
    desk.put("exits/2.csv", f"{HEADERS['exits']}\nE8,2026-06-02,job,\nE2,2026-06-02,moved,\n")
    take_warned(desk)
    assert desk.known("enrolments")["enrolment_id"].to_list() == ["E2"]
    assert desk.known("exits")["enrolment_id"].to_list() == ["E2"]


def test_of_whom_the_names_alone_are_gone_the_rest_stays(desk: Desk) -> None:
    erased = Erasures(desk.home / "erased.jsonl", KEY)
    erased.remember({"names": [GONE]}, ON, "age")
    done = empty(desk.home / "w.duckdb", Archive(desk.home / "archive"), erased, 1, lambda _: None)
    assert (done.deliveries, done.rows) == (1, 1)
    assert desk.known("learners")["learner_id"].to_list() == ["L1", "L2"]
    assert desk.known("exits")["enrolment_id"].to_list() == ["E1", "E2"]
    with desk.warehouse() as warehouse:
        assert clear_landing(desk.landing, warehouse, {}, erased, NOW) == ["learner_identities/1.csv"]
    assert b"Marchand" not in everything(desk.home)
    desk.put("learner_identities/2.csv", f"{HEADERS['learner_identities']}\nL1,Zoé,Marchand\nL2,Alain,Ben\n")
    desk.private.clear()
    with desk.warehouse() as warehouse:
        ingest(desk.landing, desk.refused, warehouse, lambda *p: desk.private.append(p), NOW, reception=Reception(erased=erased))
    assert [rows["learner_id"].to_list() for _, rows in desk.private] == [["L2"]]


def test_whose_names_went_by_age_is_named_again_on_the_night_of_a_new_course(desk: Desk) -> None:
    erased = Erasures(desk.home / "erased.jsonl", KEY)
    erased.remember({"names": ["L1", "L2"]}, ON, "age")
    after, head = ON + dt.timedelta(days=20), HEADERS["enrolments"]
    # L2's old course is told again, corrected; L1 enters another one.
    desk.put("enrolments/2.csv", f"{head}\nE2,L2,S1,2026-01-02,2026-01-05,2026-12-01,\nE8,L1,S1,2026-02-25,{after},2027-09-01,\n")
    desk.put("learner_identities/2.csv", f"{HEADERS['learner_identities']}\nL1,Zoé,Marchand\nL2,Alain,Ben\n")
    desk.private.clear()

    with desk.warehouse() as warehouse:
        ingest(desk.landing, desk.refused, warehouse, lambda *p: desk.private.append(p), NOW, reception=Reception(erased=erased))

    assert [rows["learner_id"].to_list() for _, rows in desk.private] == [["L1"]]
    assert Erasures(desk.home / "erased.jsonl", KEY).holds("names", pl.Series(["L1", "L2"])).to_list() == [False, True]


def test_every_table_about_people_names_them_by_a_column_that_is_looked_at() -> None:
    about = {name for name, table in TABLES.items() if {"learner_id", "enrolment_id"} & set(table.public)}
    assert set(TABLES) - about == {"providers", "sessions", "advisors"}
