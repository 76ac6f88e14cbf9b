from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from data_contracts.catalogue import TABLES
from data_contracts.simulator import Simulation, simulate, write_deliveries
from data_contracts.vocabulary import EXIT_REASON
from vigie.clock import end_of_day
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = dt.date(2025, 1, 6), dt.date(2025, 12, 31)


@pytest.fixture(scope="module")
def large() -> Simulation:
    return simulate(12_000, 11, dt.date(2025, 1, 6), dt.date(2026, 6, 30))


def shares(simulation: Simulation) -> pl.DataFrame:
    """One row per entrant whose course is over: reason, age, level."""
    entered = simulation.tables["enrolments"].filter(pl.col("entry_date").is_not_null())
    over = entered.filter(pl.col("planned_exit_date") <= dt.date(2026, 5, 31)).select("enrolment_id", "learner_id")
    learners = simulation.tables["learners"].select("learner_id", age=2025 - pl.col("birth_year"), level="education_level")
    return over.join(simulation.truth["counterfactual"], on="enrolment_id").join(learners, on="learner_id")


def test_every_table_keeps_its_contract(simulation: Simulation) -> None:
    for name, table in simulation.tables.items():
        whole = table.with_columns(known_on_assumed=pl.lit(value=False)).select(TABLES[name].schema.column_names())
        TABLES[name].schema.validate(whole)
        assert table.height, name


def test_the_same_arguments_give_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_deliveries(simulate(300, 5, FIRST, LAST), tmp_path / name)

    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 50
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    other = simulate(300, 6, FIRST, LAST)
    assert not other.tables["attendance"].equals(simulate(300, 5, FIRST, LAST).tables["attendance"])


def test_leaving_follows_the_french_base_rates(large: Simulation) -> None:
    """Dares Focus, November 2021: 8 % leave early, 12 % under 26, 15 % of those below the baccalauréat; a fifth of leavers for a job."""
    people = shares(large)
    dropped = pl.col("reason") == "dropout"
    early = people.filter(pl.col("reason") != "completed")

    assert 0.065 < people.select(dropped.mean()).item() < 0.10
    assert 0.10 < people.filter(pl.col("age") < 26).select(dropped.mean()).item() < 0.15
    assert 0.11 < people.filter(pl.col("age") < 26, pl.col("level") <= 3).select(dropped.mean()).item() < 0.18
    assert 0.15 < early.select((pl.col("reason") == "job").mean()).item() < 0.27
    assert set(people["reason"].unique()) | {"no_show"} == set(EXIT_REASON)


def test_contacts_help_and_the_world_without_them_is_told(large: Simulation) -> None:
    people = shares(large)
    with_contacts = people.select((pl.col("reason") == "dropout").sum()).item()
    without = people.select((pl.col("reason_without_contact") == "dropout").sum()).item()

    assert without > 1.03 * with_contacts
    assert large.truth["contact_effects"]["hazard_ratio"].max() <= 1
    earlier = people.select((pl.col("exit_date_without_contact") <= pl.col("exit_date")).all()).item()
    assert earlier


def test_nothing_is_known_before_it_happens_nor_after_the_last_day(simulation: Simulation) -> None:
    end = end_of_day(LAST, "Europe/Paris")
    for name, table in simulation.tables.items():
        assert table["known_on"].max() <= end, name
    for name, column in (("attendance", "date"), ("activity", "date"), ("exits", "exit_date"), ("followups", "observed_on")):
        table = simulation.tables[name]
        assert (table["known_on"].dt.date() >= table[column]).all(), name


def test_sheets_come_late_and_justifications_later(simulation: Simulation) -> None:
    sheets = simulation.tables["attendance"].with_columns(lag=(pl.col("known_on").dt.date() - pl.col("date")).dt.total_days())
    layers = sheets.sort("known_on").group_by("enrolment_id", "date", "half_day").agg(pl.col("status").cast(pl.String))

    assert 0.05 < (sheets["lag"] > 0).mean() < 0.2
    corrected = layers.filter(pl.col("status").list.len() > 1)
    assert corrected.height > 100
    assert set(corrected["status"].list.join(">").unique()) == {"absent_unjustified>absent_justified"}
    assert (sheets["status"].cast(pl.String) == "not_recorded").any()


def test_nobody_attends_after_leaving(simulation: Simulation) -> None:
    left = simulation.tables["exits"].select("enrolment_id", "exit_date")
    after = simulation.tables["attendance"].join(left, on="enrolment_id").filter(pl.col("date") > pl.col("exit_date"))

    assert after.is_empty()


def test_the_hazard_is_told_for_every_day_in_training(simulation: Simulation) -> None:
    hazard, lives = simulation.truth["hazard"], simulation.truth["counterfactual"]
    days = simulation.tables["enrolments"].filter(pl.col("entry_date").is_not_null()).join(lives, on="enrolment_id")
    last = pl.min_horizontal(pl.col("exit_date").fill_null(LAST), "planned_exit_date", pl.lit(LAST))
    expected = days.select(((last - pl.col("entry_date")).dt.total_days() + 1).sum()).item()

    assert hazard.height == expected
    assert hazard["hazard_dropout"].is_between(0, 1).all()


def test_many_learners_have_nobody(simulation: Simulation) -> None:
    owned = simulation.tables["assignments"]["learner_id"].n_unique() / simulation.tables["learners"].height

    assert 0.5 < owned < 0.8


def test_a_period_too_short_for_a_course_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="60 days or more"):
        simulate(100, 1, FIRST, FIRST + dt.timedelta(days=30))
