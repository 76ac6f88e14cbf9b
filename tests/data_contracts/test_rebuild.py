"""The archive and the warehouse that follows from it, on deliveries of every kind: new, repeated, corrected, at fault, private."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from typing import TYPE_CHECKING

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from data_contracts.archive import QUARANTINE as SET_ASIDE
from data_contracts.archive import RECEIPT, ROWS, Archive
from data_contracts.catalogue import TABLES
from data_contracts.ingest import ingest, layout
from data_contracts.rebuild import in_step, rebuild
from vigie.errors import DamagedArchiveError, DamagedWarehouseError
from vigie.settings import Home
from vigie.store import Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = dt.datetime(2026, 3, 10, 2, tzinfo=dt.UTC)
EXITS = "enrolment_id,exit_date,reason,known_on"
FILES = {
    "exits/1.csv": f"{EXITS}\nE1,2026-03-01,dropout,2026-03-02T08:00:00Z\nE2,2026-03-01,job,2026-03-02T08:00:00Z\n",
    "exits/2.csv": f"{EXITS}\nE1,2026-03-01,job,2026-03-05T08:00:00Z\nE2,2026-03-01,job,2026-03-05T08:00:00Z\n",
    "exits/3.csv": f"{EXITS}\nE1,2026-03-01,moved,2026-03-03T08:00:00Z\nE3,soon,job,\nE4,2026-03-04,bad,\n",
    "learner_identities/1.csv": "learner_id,given_name,family_name\nL1,Zoé,Marchand-Secret\n",
    "attendance/1.csv": "enrolment_id,date,half_day,status\nE1,2026-02-02,am,present\nE1,2026-02-02,pm,absent_unjustified\n",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path).make()
    for name, content in FILES.items():
        path = made.landing / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    take(made)
    return made


def take(home: Home, now: dt.datetime = NOW, **options: dt.datetime) -> None:
    with Warehouse(home.warehouse) as warehouse:
        in_step(warehouse, Archive(home.archive), lambda _: None)
        ingest(home.landing, home.refused, warehouse, lambda *_: None, now, **options)


def content(path: Path) -> dict[str, pl.DataFrame]:
    """Every table, every column of the service's own included, row for row."""
    with Warehouse(path) as warehouse:
        assert warehouse.faults() == []
        return {name: warehouse.whole(name) for name in warehouse.tables()}


def assert_same(first: dict[str, pl.DataFrame], second: dict[str, pl.DataFrame]) -> None:
    assert first.keys() == second.keys()
    for name, table in first.items():
        assert_frame_equal(table, second[name], check_exact=True)


def delete(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(4_096, len(data), 50_000):
        data[place] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [delete, truncate, flip])
def test_a_warehouse_made_again_from_the_archive_is_equal_row_for_row(home: Home, harm: Callable[[Path], None]) -> None:
    before = content(home.warehouse)
    assert before["quarantine"].height == 2
    assert before["exits"].height == 5
    harm(home.warehouse)

    assert rebuild(home.warehouse, Archive(home.archive), 2, lambda _: None) == len(FILES)

    assert_same(content(home.warehouse), before)


@pytest.mark.parametrize("harm", [truncate, flip])
def test_a_damaged_file_is_seen_before_anything_is_read_from_it(home: Home, harm: Callable[[Path], None]) -> None:
    harm(home.warehouse)

    with pytest.raises(DamagedWarehouseError, match="vigie rebuild"), Warehouse(home.warehouse) as warehouse:
        warehouse.faults()


def test_rows_changed_or_taken_away_by_other_hands_are_seen(home: Home) -> None:
    with Warehouse(home.warehouse) as warehouse:
        warehouse._run("UPDATE exits SET reason = 'dropout' WHERE enrolment_id = 'E2'")
        warehouse._run("DELETE FROM quarantine WHERE line = 3")

        told = sorted(warehouse.faults())

    assert [fault.partition(":")[0] for fault in told] == ["exits", "quarantine"]


def test_a_delivery_archived_by_a_night_that_died_is_taken_by_the_next_run(home: Home) -> None:
    """As killed between the archive and the warehouse: the file may even be gone from landing."""
    whole = content(home.warehouse)
    home.warehouse.unlink()
    with Warehouse(home.warehouse) as warehouse:
        archive = Archive(home.archive)
        behind = Archive(home.root / "part")
        for name in archive.names()[:2]:
            shutil.copytree(home.archive / name, behind.root / name)
        in_step(warehouse, behind, lambda _: None)
        assert warehouse.count("deliveries") == 2
    shutil.rmtree(home.landing)

    take(home.make())

    assert_same(content(home.warehouse), whole)


def test_an_archive_that_lost_a_delivery_gets_back_what_a_rebuild_needs_of_it(home: Home) -> None:
    whole = content(home.warehouse)
    for name in Archive(home.archive).names()[1:3]:
        shutil.rmtree(home.archive / name)

    take(home)
    rebuild(home.warehouse, Archive(home.archive), 2, lambda _: None)

    assert_same(content(home.warehouse), whole)


@pytest.mark.parametrize("part", [ROWS, SET_ASIDE, RECEIPT])
def test_a_byte_that_changed_in_the_archive_stops_a_rebuild_and_keeps_the_file(home: Home, part: str) -> None:
    (name,) = [name for name in Archive(home.archive).names() if name.startswith("000003")]
    path = home.archive / name / part
    data = bytearray(path.read_bytes())
    place = data.find(b"2026") if part == RECEIPT else len(data) // 2
    data[place] = data[place] ^ 0x01
    path.write_bytes(data)
    before = home.warehouse.read_bytes()

    with pytest.raises(DamagedArchiveError, match=name):
        rebuild(home.warehouse, Archive(home.archive), 2, lambda _: None)

    assert home.warehouse.read_bytes() == before


def test_without_an_archive_nothing_is_made_from_nothing(home: Home) -> None:
    shutil.rmtree(home.archive)

    with pytest.raises(DamagedArchiveError, match="landing"):
        rebuild(home.warehouse, Archive(home.archive), 2, lambda _: None)


def test_no_name_is_in_the_archive(home: Home) -> None:
    assert not [path for path in home.archive.rglob("*") if path.is_file() and b"Secret" in path.read_bytes()]


def test_a_clock_that_went_back_dates_no_delivery_before_the_last_one(home: Home) -> None:
    (home.landing / "exits" / "4.csv").write_text("enrolment_id,exit_date,reason\nE9,2026-03-01,job\n", encoding="utf-8")

    take(home, now=NOW - dt.timedelta(days=400))

    received = content(home.warehouse)["deliveries"].sort("number")["received_at"]
    assert received[-1] == received[:-1].max() == NOW


@pytest.mark.parametrize("copied", [False, True])
def test_files_that_land_late_are_taken_in_the_order_they_were_written_and_then_by_name(home: Home, copied: bool) -> None:  # noqa: FBT001
    head = "enrolment_id,date,half_day,status"
    for name, status, day in (("28-02-2026", "absent_unjustified", 28), ("01-03-2026", "present", 29)):
        path = home.landing / "attendance" / f"sheets_{name}.csv"
        path.write_text(f"{head}\nE1,2026-02-27,am,{status}\n", encoding="utf-8")
        written = dt.datetime(2026, 2, 1, 18, tzinfo=dt.UTC) + dt.timedelta(days=0 if copied else day)
        os.utime(path, (written.timestamp(), written.timestamp()))

    take(home, not_before=dt.datetime(2026, 3, 9, 23, tzinfo=dt.UTC))

    before = content(home.warehouse)
    taken = before["deliveries"].filter(pl.col("file").str.contains("sheets")).sort("number")["file"].str.slice(18, 2).to_list()
    assert taken == (["01", "28"] if copied else ["28", "01"])
    with Warehouse(home.warehouse) as warehouse:
        known = warehouse.as_known_at(layout(TABLES["attendance"]), NOW)
    newest = known.filter(pl.col("date") == dt.date(2026, 2, 27))["status"].to_list()
    assert newest == ["absent_unjustified" if copied else "present"]
    rebuild(home.warehouse, Archive(home.archive), 2, lambda _: None)
    assert_same(content(home.warehouse), before)


def test_an_old_file_that_lands_late_is_not_known_to_nights_that_ran_without_it(home: Home) -> None:
    path = home.landing / "exits" / "4.csv"
    path.write_text("enrolment_id,exit_date,reason\nE9,2026-01-01,job\n", encoding="utf-8")
    os.utime(path, (1_767_225_600, 1_767_225_600))
    floor = dt.datetime(2026, 3, 9, 23, tzinfo=dt.UTC)

    take(home, not_before=floor)

    exits = content(home.warehouse)["exits"]
    assert exits.filter(pl.col("enrolment_id") == "E9")["known_on"].to_list() == [floor]
