from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

import polars as pl
import pytest

from data_contracts.catalogue import TABLES
from data_contracts.sources.oulad import MARKING_DAYS, account, read_oulad, write_oulad
from vigie.errors import NoDataError
from vigie.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = ROOT / "data" / "oulad"


@pytest.fixture(scope="module")
def tables() -> dict[str, pl.DataFrame]:
    return read_oulad(SOURCE)


def test_every_table_keeps_its_contract_and_says_that_known_on_is_assumed(tables: dict[str, pl.DataFrame]) -> None:
    for name, table in tables.items():
        TABLES[name].schema.validate(table)
        assert table["known_on_assumed"].all(), name


def test_what_goes_in_comes_out(tables: dict[str, pl.DataFrame]) -> None:
    counts = account(SOURCE, tables, None, None)

    assert counts["rows_in"].to_list() == counts["rows_out"].to_list()
    assert counts.filter(counted="clicks")["rows_in"].item() > 1_000_000


def test_enrolments_are_named_as_the_ruler_names_them(tables: dict[str, pl.DataFrame]) -> None:
    assert tables["enrolments"]["enrolment_id"].str.contains(r"^[A-G]{3}-201[34][BJ]-\d+$").all()


def test_nobody_has_entered_before_the_day_they_enter(tables: dict[str, pl.DataFrame]) -> None:
    entered = tables["enrolments"].filter(pl.col("entry_date").is_not_null())

    assert (entered["known_on"].dt.date() == entered["entry_date"]).all()
    assert tables["enrolments"].group_by("enrolment_id").agg(pl.col("known_on").is_unique().all())["known_on"].all()


def test_no_exit_and_no_trace_is_known_before_it_happened(tables: dict[str, pl.DataFrame]) -> None:
    assert (tables["exits"]["known_on"].dt.date() >= tables["exits"]["exit_date"]).all()
    assert (tables["activity"]["known_on"].dt.date() == tables["activity"]["date"]).all()


def test_a_tutors_mark_is_known_only_once_there_was_time_to_mark(tables: dict[str, pl.DataFrame]) -> None:
    marked = tables["assessments"].filter(pl.col("score").is_not_null(), pl.col("kind") == "TMA")
    late = (marked["known_on"].dt.date() - marked["submitted_on"]).dt.total_days()

    assert (late >= MARKING_DAYS).mean() > 0.9  # the rest was carried over from an earlier presentation, already marked
    assert late.min() >= 0


def test_who_left_before_the_start_never_entered(tables: dict[str, pl.DataFrame]) -> None:
    absent = tables["exits"].filter(pl.col("reason").cast(pl.String) == "no_show")
    entered = tables["enrolments"].filter(pl.col("entry_date").is_not_null())

    assert absent.height > 100
    assert absent.join(entered, on="enrolment_id", how="semi").is_empty()


def test_presentations_imported_apart_write_the_files_they_write_together(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    write_oulad(tables, tmp_path / "together")
    write_oulad(read_oulad(SOURCE, ["2013B"]), tmp_path / "apart")

    apart = sorted((tmp_path / "apart" / "activity").iterdir())
    assert [path.name for path in apart] == [f"oulad-{module}-2013B.parquet" for module in ("BBB", "DDD", "FFF")]
    for path in apart:
        assert path.read_bytes() == (tmp_path / "together" / "activity" / path.name).read_bytes()


def test_modules_imported_apart_lose_nothing(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    for module in ("BBB", "DDD"):
        write_oulad(read_oulad(SOURCE, ["2013B"], [module]), tmp_path)
    kept = tables["enrolments"].filter(pl.col("enrolment_id").str.contains("^(BBB|DDD)-2013B"))

    learners = pl.read_parquet(tmp_path / "learners" / "*.parquet")
    assert set(learners["learner_id"]) == set(kept["learner_id"])
    assert sorted(path.name for path in (tmp_path / "learners").iterdir()) == ["oulad-BBB_2013B.parquet", "oulad-DDD_2013B.parquet"]


def test_nobody_leaves_before_enrolling_or_entering(tables: dict[str, pl.DataFrame]) -> None:
    last = tables["enrolments"].group_by("enrolment_id").agg(pl.col("enrolled_on").first(), pl.col("entry_date").max())
    exits = tables["exits"].join(last, on="enrolment_id")

    assert exits.height == last.height
    assert exits.filter(pl.col("exit_date") < pl.col("enrolled_on")).is_empty()
    assert exits.filter(pl.col("exit_date") < pl.col("entry_date")).is_empty()


def test_an_unregistration_dated_before_its_registration_took_place_that_day(tmp_path: Path) -> None:
    shutil.copytree(SOURCE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "studentRegistration.parquet"
    rows = pl.read_parquet(path)
    chosen = rows.filter(pl.col("date_registration") > -30).row(0, named=True)
    wrong = (pl.col("id_student") == chosen["id_student"]) & (pl.col("code_presentation") == chosen["code_presentation"])
    early = pl.col("date_registration") - 5
    rows.with_columns(date_unregistration=pl.when(wrong).then(early).otherwise("date_unregistration")).write_parquet(path)

    tables = read_oulad(tmp_path)

    ids = pl.col("enrolment_id").str.ends_with(f"{chosen['code_presentation']}-{chosen['id_student']}")
    exits, enrolments = tables["exits"].filter(ids), tables["enrolments"].filter(ids)
    assert exits["reason"].cast(pl.String).unique().to_list() == ["no_show"]
    assert exits["exit_date"][0] == enrolments["enrolled_on"][0]


def test_without_made_up_advisors_there_are_none() -> None:
    assert not {"advisors", "assignments"} & set(read_oulad(SOURCE, ["2013B"], ["BBB"], advisors=False))


def test_columns_of_a_csv_are_typed_by_all_its_rows(tables: dict[str, pl.DataFrame], tmp_path: Path) -> None:
    for path in SOURCE.glob("*.parquet"):
        rows = pl.read_parquet(path)
        # Hundreds of rows that tell nothing of a column's type come first.
        rows.sort(rows.columns[-1], nulls_last=False).write_csv(tmp_path / f"{path.stem}.csv", null_value="?")

    for name, table in read_oulad(tmp_path).items():
        assert table.equals(tables[name]), name


def test_what_does_not_exist_is_named_with_what_does(tmp_path: Path) -> None:
    with pytest.raises(NoDataError, match="2013B, 2013J, 2014B"):
        read_oulad(SOURCE, ["2015B"])
    with pytest.raises(NoDataError, match="no presentation 2013B of EEE"):
        read_oulad(SOURCE, ["2013B"], ["EEE"])
    with pytest.raises(NoDataError, match=r"no courses\.parquet"):
        read_oulad(tmp_path)


def test_made_up_advisors_say_that_they_are(tables: dict[str, pl.DataFrame]) -> None:
    assert tables["advisors"]["name"].str.contains("simulé").all()
    assert tables["advisors"]["active_from"].max() < dt.date(2013, 1, 1)
