"""What training is taught of a landmark does not change with what becomes known later."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.simulator import simulate, write_deliveries
from models.labels import begun
from models.landmarks import last_told, training_rows
from pipelines.service import Service, open_service
from pipelines.steps import take_deliveries
from tests.conftest import LAST
from tests.services import by_quarter
from vigie.errors import NoDataError
from vigie.rules import read_rules
from vigie.settings import ROOT, Settings
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

TRAINED = dt.date(2025, 9, 30)
MONDAY = dt.date(2025, 3, 3)
DELIVERIES = itertools.count(1)
INVARIANTS = read_rules(ROOT / "config").invariants


def test_labels_wait_for_silence_where_no_provider_tells_who_dropped_out(tmp_path: Path) -> None:
    service = open_service(Settings(home=tmp_path))
    write_deliveries(simulate(1_500, 5, dt.date(2025, 1, 6), dt.date(2025, 12, 31)), service.home.landing)
    by_quarter(service.home.landing)
    for file in (service.home.landing / "exits").iterdir():
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if "dropout" not in line), encoding="utf-8")
    take_deliveries(service)

    with service.warehouse() as warehouse:
        then, later = (
            training_rows(warehouse, day, service.rules.invariants, service.time_zone).select("as_of", "enrolment_id", "label")
            for day in (TRAINED, TRAINED + dt.timedelta(weeks=12))
        )

    newest = then.filter(pl.col("as_of") > then["as_of"].max() - dt.timedelta(days=28))
    both = newest.join(later, on=["as_of", "enrolment_id"], suffix="_later")
    assert both["label_later"].sum() >= 10
    assert both["label"].sum() >= 0.9 * both["label_later"].sum()


def left(rows: pl.DataFrame) -> pl.DataFrame:
    """enrolment_id and day of the exits that rows know of."""
    return rows.select("enrolment_id", left=pl.col("as_of") + pl.duration(days="days_to_exit")).drop_nulls().unique()


def test_days_of_which_nothing_was_told_are_not_taken_for_days_on_which_nobody_left(service: Service) -> None:
    with service.warehouse() as warehouse:

        def rows(day: dt.date) -> pl.DataFrame:
            return training_rows(warehouse, day, service.rules.invariants, service.time_zone)

        # The last delivery tells of 31 December: a month of silence may be a holiday, more is a source that stopped.
        whole = rows(LAST)
        for days in (4, 14, 30):
            asked = rows(LAST + dt.timedelta(days=days))
            # Landmarks follow the day that was asked for; none is judged by days of which nothing was told.
            assert {(LAST + dt.timedelta(days=days) - day).days % 7 for day in asked["as_of"].unique()} == {0}
            newest = asked.filter(pl.col("days_left") >= 28)["as_of"].max()
            assert newest is not None
            assert newest + dt.timedelta(days=28 + 7) <= LAST + dt.timedelta(days=3)
            # Nor does anybody pass for silent because nobody tells.
            assert left(asked).join(left(whole), on=["enrolment_id", "left"], how="anti").is_empty()
        with pytest.raises(NoDataError, match="after 2025-12-31 is known at 2026-02-15") as refused:
            rows(LAST + dt.timedelta(days=46))
    assert "--as-of 2025-12-31" in refused.value.remedy


def test_sheets_that_nobody_filled_in_tell_of_no_day(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb", threads=1) as warehouse:
        layers(warehouse, "sessions", {"session_id": "S", "provider_id": "P", "territory_id": "T", "objective": "other", "mode": "onsite"})
        course = {"learner_id": "L", "session_id": "S", "entry_date": MONDAY, "planned_exit_date": MONDAY + dt.timedelta(days=300)}
        layers(warehouse, "enrolments", *(course | {"enrolment_id": who} for who in "AB"))
        sheet = {"half_day": "day", "status": "present"}
        layers(
            warehouse,
            "attendance",
            *(sheet | {"enrolment_id": who, "date": MONDAY + dt.timedelta(days=n)} for who in "AB" for n in range(60)),
        )
        empty = sheet | {"status": "not_recorded"}
        layers(
            warehouse,
            "attendance",
            *(empty | {"enrolment_id": who, "date": MONDAY + dt.timedelta(days=n)} for who in "AB" for n in range(60, 110)),
        )

        with pytest.raises(NoDataError, match="No presence, activity or exit after"):
            training_rows(warehouse, MONDAY + dt.timedelta(days=110), INVARIANTS, "Europe/Paris")


def test_an_end_announced_ahead_tells_of_no_day_after_the_announcement(tmp_path: Path) -> None:
    with Warehouse(tmp_path / "w.duckdb", threads=1) as warehouse:
        layers(warehouse, "sessions", {"session_id": "S", "provider_id": "P", "territory_id": "T", "objective": "other", "mode": "onsite"})
        course = {"learner_id": "L", "session_id": "S", "entry_date": MONDAY, "planned_exit_date": MONDAY + dt.timedelta(days=300)}
        layers(warehouse, "enrolments", *(course | {"enrolment_id": who} for who in "AB"))
        sheets = ({"enrolment_id": who, "date": MONDAY + dt.timedelta(days=n)} for who in "AB" for n in range(60))
        layers(warehouse, "attendance", *(one | {"half_day": "day", "status": "present"} for one in sheets))
        announced = {"exit_date": MONDAY + dt.timedelta(days=105), "reason": "completed", "known_on": MONDAY + dt.timedelta(days=59)}
        layers(warehouse, "exits", {"enrolment_id": "A"} | announced)

        assert last_told(warehouse, MONDAY + dt.timedelta(days=110), "Europe/Paris") == MONDAY + dt.timedelta(days=59)
        with pytest.raises(NoDataError, match="No presence, activity or exit after"):
            training_rows(warehouse, MONDAY + dt.timedelta(days=110), INVARIANTS, "Europe/Paris")


def test_an_entry_taken_back_put_off_or_withdrawn_teaches_nobody_to_stay(tmp_path: Path) -> None:
    course = {"learner_id": "L", "session_id": "S", "entry_date": MONDAY, "planned_exit_date": MONDAY + dt.timedelta(days=300)}
    with Warehouse(tmp_path / "w.duckdb", threads=1) as warehouse:
        layers(warehouse, "enrolments", *(course | {"enrolment_id": who} for who in ("came", "never", "later", "withdrawn")))
        known = {"known_on": MONDAY + dt.timedelta(days=20)}
        layers(warehouse, "enrolments", course | known | {"enrolment_id": "never", "entry_date": None})
        layers(warehouse, "enrolments", course | known | {"enrolment_id": "later", "entry_date": MONDAY + dt.timedelta(days=14)})
        layers(warehouse, "enrolments", course | known | {"enrolment_id": "withdrawn", "withdrawn": True})
        landmarks = [MONDAY + dt.timedelta(days=days) for days in (7, 14)]
        rows = pl.DataFrame({"enrolment_id": ["came", "later", "never", "withdrawn"]}).join(pl.DataFrame({"as_of": landmarks}), how="cross")

        found, before = (begun(rows, warehouse, MONDAY + dt.timedelta(days=days), "Europe/Paris") for days in (30, 19))

    assert found.rows() == [("came", landmarks[0]), ("came", landmarks[1]), ("later", landmarks[1])]
    assert before.equals(rows)


def layers(warehouse: Warehouse, table: str, *rows: dict[str, Any]) -> None:
    """Rows of a table, known on their day, or on the first one, unless they say otherwise."""
    stored = layout(TABLES[table])
    own = {"known_on_assumed": False, "withdrawn": False, "known_on": MONDAY}
    told = [own | {"known_on": row.get("date", MONDAY)} | row for row in rows]
    moments = [row | {"known_on": dt.datetime.combine(row["known_on"], dt.time(6), dt.UTC)} for row in told]
    frame = pl.DataFrame(moments, schema=dict(stored.columns)).with_row_index("line", 1).cast({"line": pl.Int64})
    warehouse.append_layers(stored, frame, next(DELIVERIES))


def test_whose_course_had_ended_needs_no_deliveries_after_it(tmp_path: Path) -> None:
    """As on the data of one school: long after the last course, nothing more is told and nothing is missing."""
    service = open_service(Settings(home=tmp_path))
    write_deliveries(simulate(300, 5, dt.date(2025, 1, 6), LAST), service.home.landing)
    by_quarter(service.home.landing)
    for file in (service.home.landing / "enrolments").iterdir():
        told = pl.read_csv(file, infer_schema=False)
        told.filter(pl.col("planned_exit_date") <= LAST.isoformat()).write_csv(file)
    take_deliveries(service)

    with service.warehouse() as warehouse:
        rows = training_rows(warehouse, LAST + dt.timedelta(days=46), service.rules.invariants, service.time_zone)

    assert rows.filter(pl.col("as_of") > LAST - dt.timedelta(days=28)).height
