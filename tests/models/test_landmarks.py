"""What training is taught of a landmark does not change with what becomes known later."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from data_contracts.simulator import simulate, write_deliveries
from models.landmarks import training_rows
from pipelines.service import Service, open_service
from pipelines.steps import take_deliveries
from tests.conftest import LAST
from tests.services import by_quarter
from vigie.errors import NoDataError
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

TRAINED = dt.date(2025, 9, 30)


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


def test_days_of_which_nothing_was_told_are_not_taken_for_days_on_which_nobody_left(service: Service) -> None:
    with service.warehouse() as warehouse:

        def rows(day: dt.date) -> pl.DataFrame:
            return training_rows(warehouse, day, service.rules.invariants, service.time_zone)

        # The last delivery tells of 31 December: a month of silence may be a holiday, more is a source that stopped.
        assert rows(LAST + dt.timedelta(days=30)).height
        with pytest.raises(NoDataError, match="after 2025-12-31 is known at 2026-02-15") as refused:
            rows(LAST + dt.timedelta(days=46))
    assert "--as-of 2025-12-31" in refused.value.remedy


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
