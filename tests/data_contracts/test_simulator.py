from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from data_contracts.catalogue import TABLES
from data_contracts.simulator import Simulation, simulate, write_deliveries, write_truth
from data_contracts.simulator.working_days import make_calendar
from data_contracts.vocabulary import ATTENDANCE_STATUS, ATTENDED, EXIT_REASON, TWO_WAY
from vigie.clock import end_of_day
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

FIRST, LAST = dt.date(2025, 1, 6), dt.date(2025, 12, 31)
DROPPED = pl.col("reason") == "dropout"


@pytest.fixture(scope="module")
def large() -> Simulation:
    return simulate(12_000, 11, dt.date(2025, 1, 6), dt.date(2026, 6, 30))


def ended(simulation: Simulation, until: dt.date = dt.date(2026, 5, 31)) -> pl.DataFrame:
    """One row per entrant whose course is over: how it ended, with and without contacts, age and level."""
    entered = simulation.tables["enrolments"].filter(pl.col("entry_date").is_not_null(), pl.col("planned_exit_date") <= until)
    learners = simulation.tables["learners"].select("learner_id", age=2025 - pl.col("birth_year"), level="education_level")
    audit = simulation.tables["learner_audit"].select("learner_id", "sex")
    people = entered.select("enrolment_id", "learner_id", "entry_date", "planned_exit_date").join(learners, on="learner_id")
    return people.join(audit, on="learner_id").join(simulation.truth["counterfactual"], on="enrolment_id")


def share(rows: pl.DataFrame, what: pl.Expr) -> float:
    return float(rows.select(what.mean()).item())


def layers(simulation: Simulation) -> pl.DataFrame:
    """Statuses of each half-day, oldest first, and the days until each was known."""
    lag = (local_day(pl.col("known_on")) - pl.col("date")).dt.total_days()
    sheets = simulation.tables["attendance"].with_columns(lag=lag).sort("known_on")
    return sheets.group_by("enrolment_id", "date", "half_day").agg(pl.col("status").cast(pl.String), "lag")


def local_day(instant: pl.Expr) -> pl.Expr:
    return instant.dt.convert_time_zone("Europe/Paris").dt.date()


def auc(score: pl.Expr, rows: pl.DataFrame) -> float:
    """Chance that one who drops out (`y`) has a higher score than one who does not."""
    ranked = rows.select("y", rank=score.rank())
    hits = int(ranked["y"].sum())
    return float((ranked.filter("y")["rank"].sum() - hits * (hits + 1) / 2) / (hits * (rows.height - hits)))


def test_every_table_keeps_its_contract(simulation: Simulation) -> None:
    for name, table in simulation.tables.items():
        whole = table.with_columns(known_on_assumed=pl.lit(value=False), withdrawn=pl.lit(value=False)).select(
            TABLES[name].schema.column_names()
        )
        TABLES[name].schema.validate(whole)
        assert table.height, name


def test_rows_refer_to_rows_that_exist(simulation: Simulation) -> None:
    tables = simulation.tables
    references = (
        ("sessions", "provider_id", "providers"),
        ("enrolments", "learner_id", "learners"),
        ("enrolments", "session_id", "sessions"),
        ("exits", "enrolment_id", "enrolments"),
        ("attendance", "enrolment_id", "enrolments"),
        ("activity", "enrolment_id", "enrolments"),
        ("assessments", "enrolment_id", "enrolments"),
        ("contacts", "learner_id", "learners"),
        ("contacts", "advisor_id", "advisors"),
        ("assignments", "advisor_id", "advisors"),
    )
    for child, key, parent in references:
        orphans = tables[child].filter(pl.col(key).is_not_null()).join(tables[parent], on=key, how="anti")
        assert orphans.is_empty(), (child, key)
    silent = tables["followups"].join(tables["exits"], on="enrolment_id", how="anti")
    assert silent.height < 0.05 * tables["followups"].height


def test_the_same_arguments_give_the_same_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        made = simulate(300, 5, FIRST, LAST)
        write_deliveries(made, tmp_path / name / "landing")
        write_truth(made, tmp_path / name / "truth")

    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 50
    for path in files:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    other = simulate(300, 6, FIRST, LAST)
    assert not other.tables["attendance"].equals(simulate(300, 5, FIRST, LAST).tables["attendance"])


def test_files_come_by_month_of_knowledge_and_tell_no_truth(simulation: Simulation, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    files = write_deliveries(simulation, landing)

    assert {path.parent.name for path in files} == set(TABLES)
    assert {path.suffix for path in files if path.parent.name in {"attendance", "activity"}} == {".parquet"}
    contacts = pl.read_csv(landing / "contacts" / "2025-06.csv", infer_schema=False)
    assert set(contacts.columns) == set(TABLES["contacts"].schema.column_names()) - {"known_on_assumed", "withdrawn"}
    assert contacts["known_on"].str.contains(r"^2025-06-\d\dT\d\d:\d\d:\d\dZ$").all()
    assert contacts["barrier"].null_count() > 0
    told = {column for path in files if path.suffix == ".csv" for column in path.read_text(encoding="utf-8").split("\n", 1)[0].split(",")}
    assert not told & {"hazard_dropout", "hazard_job", "hazard_ratio", "quality", "reason_without_contact", "known_on_assumed"}


def test_leaving_follows_the_french_base_rates(large: Simulation) -> None:
    """Dares Focus, November 2021: 8 % leave early, 12 % under 26, 15 % of those below the baccalauréat; a fifth of leavers for a job."""
    people = ended(large)
    early = people.filter(pl.col("reason") != "completed")
    young = people.filter(pl.col("age") < 26)

    assert 0.07 < share(people, DROPPED) < 0.09
    assert 0.10 < share(young, DROPPED) < 0.14
    assert 0.12 < share(young.filter(pl.col("level") <= 3), DROPPED) < 0.18
    assert 0.05 < share(people.filter(pl.col("age") >= 26), DROPPED) < 0.075
    assert share(people.filter(pl.col("sex") == "female"), DROPPED) > share(people.filter(pl.col("sex") == "male"), DROPPED)
    assert 0.17 < share(early, pl.col("reason") == "job") < 0.27
    assert 0.03 < share(early, pl.col("reason") == "other_training") < 0.09
    assert set(people["reason"].unique()) | {"no_show"} == set(EXIT_REASON)


def test_some_never_come_and_some_leave_without_a_word(large: Simulation) -> None:
    exits, enrolments = large.tables["exits"], large.tables["enrolments"]
    dropouts = ended(large).filter(DROPPED)
    silent = dropouts.join(exits, on="enrolment_id", how="anti")
    after = large.tables["attendance"].join(silent.select("enrolment_id", "exit_date"), on="enrolment_id")
    after = after.filter(pl.col("date") > pl.col("exit_date"))

    assert 0.03 < exits.filter(pl.col("reason") == "no_show").height / enrolments["enrolment_id"].n_unique() < 0.05
    assert 0.03 < silent.height / dropouts.height < 0.08
    assert not after["status"].cast(pl.String).is_in(ATTENDED).any()
    assert set(exits.filter(pl.col("dropout_motive").is_not_null())["reason"].unique()) == {"dropout"}


def test_leaving_comes_early_in_the_course(large: Simulation) -> None:
    planned = (pl.col("planned_exit_date") - pl.col("entry_date")).dt.total_days()
    elapsed = (pl.col("exit_date") - pl.col("entry_date")).dt.total_days() / planned

    assert share(ended(large).filter(DROPPED), elapsed < 1 / 3) > 0.35


def test_absences_tell_of_dropout_and_the_hazard_tells_more_than_the_session(large: Simulation) -> None:
    night = dt.date(2025, 9, 1)
    end = end_of_day(night, "Europe/Paris")
    lives = large.truth["counterfactual"].select("enrolment_id", "exit_date", "reason")
    here = large.truth["hazard"].filter(pl.col("date") == night).drop("date").join(lives, on="enrolment_id")
    here = here.filter((pl.col("exit_date") > night).fill_null(value=True))
    here = here.with_columns(y=(DROPPED & (pl.col("exit_date") <= night + dt.timedelta(days=28))).fill_null(value=False))
    known = large.tables["attendance"].filter(pl.col("known_on") <= end, pl.col("date") > night - dt.timedelta(days=28))
    known = known.sort("known_on").group_by("enrolment_id", "date", "half_day").last()
    absences = known.group_by("enrolment_id").agg(absences=(pl.col("status").cast(pl.String) == "absent_unjustified").sum())
    session = large.tables["enrolments"].group_by("enrolment_id").agg(pl.col("session_id").first())
    rows = here.join(absences, on="enrolment_id").join(session, on="enrolment_id")
    session_rate = pl.col("hazard_dropout").mean().over("session_id")

    assert auc(pl.col("absences"), rows) > 0.65
    assert auc(pl.col("hazard_dropout"), rows) > 0.82
    assert auc(pl.col("hazard_dropout"), rows) > auc(session_rate, rows) + 0.05


def test_contacts_help_and_the_world_without_them_is_told(large: Simulation) -> None:
    people = ended(large)
    spoken = large.tables["contacts"].filter(pl.col("outcome").cast(pl.String).is_in(TWO_WAY)).select("contact_id")
    effects = large.truth["contact_effects"]

    with_contacts = people.select(DROPPED.sum()).item()
    without = people.select((pl.col("reason_without_contact") == "dropout").sum()).item()
    assert without > 1.02 * with_contacts
    assert effects["hazard_ratio"].is_between(0.25, 1).all()
    assert effects["hazard_ratio"].std() > 0.05
    assert 0.5 < effects["hazard_ratio"].mean() < 0.7
    known = effects.join(large.tables["contacts"], on="contact_id", how="semi")
    assert known.join(spoken, on="contact_id", how="anti").is_empty()
    assert people.select((pl.col("exit_date_without_contact") <= pl.col("exit_date")).all()).item()


def test_the_hazard_falls_after_a_conversation_and_not_after_an_unanswered_call(large: Simulation) -> None:
    hazard = large.truth["hazard"].select("enrolment_id", "date", after="hazard_dropout")
    before = large.truth["hazard"].select("enrolment_id", "date", before="hazard_dropout")
    who = large.tables["enrolments"].group_by("learner_id").agg(pl.col("enrolment_id").first())
    contacts = large.tables["contacts"].select("contact_id", "learner_id", "outcome", "occurred_at", date=local_day(pl.col("occurred_at")))
    first = contacts.sort("occurred_at").group_by("learner_id", maintain_order=True).first().join(who, on="learner_id")
    days = first.join(before, on=["enrolment_id", "date"]).with_columns(date=pl.col("date").dt.offset_by("1d"))
    change = days.join(hazard, on=["enrolment_id", "date"]).with_columns(ratio=pl.col("after") / pl.col("before"))

    def usual(outcome: str) -> float:
        return float(change.filter(pl.col("outcome") == outcome).select(pl.col("ratio").median()).item())

    assert 0.5 < usual("reached") < 0.75
    assert 0.9 < usual("no_answer") < 1.1


def test_people_who_leave_for_a_job_spoke_of_jobs_more_than_others(large: Simulation) -> None:
    who = large.tables["enrolments"].group_by("learner_id").agg(pl.col("enrolment_id").first())
    spoke = large.tables["contacts"].group_by("learner_id").agg(jobs=(pl.col("purpose") == "job_search").any()).join(who, on="learner_id")
    people = ended(large).join(spoke, on="enrolment_id", how="left").with_columns(pl.col("jobs").fill_null(value=False))

    assert share(people.filter(pl.col("reason") == "job"), pl.col("jobs")) > 1.2 * share(people.filter(DROPPED), pl.col("jobs"))


def test_nothing_is_known_before_it_happens_nor_after_the_last_day(simulation: Simulation) -> None:
    end = end_of_day(LAST, "Europe/Paris")
    known = local_day(pl.col("known_on"))
    facts = (
        ("attendance", "date"),
        ("activity", "date"),
        ("exits", "exit_date"),
        ("followups", "observed_on"),
        ("enrolments", "enrolled_on"),
        ("enrolments", "entry_date"),
        ("assessments", "submitted_on"),
        ("assignments", "valid_from"),
        ("assignments", "valid_to"),
        ("advisors", "active_from"),
        ("advisors", "active_to"),
        ("learners", "jobseeker_since"),
    )

    for name, table in simulation.tables.items():
        assert table["known_on"].max() <= end, name
    for name, column in facts:
        assert simulation.tables[name].filter(known < pl.col(column)).is_empty(), (name, column)
        assert simulation.tables[name].filter(pl.col(column) > LAST).is_empty(), (name, column)
    assert (simulation.tables["contacts"]["known_on"] >= simulation.tables["contacts"]["occurred_at"]).all()


def test_sheets_come_late_and_justifications_later(simulation: Simulation) -> None:
    sheets = layers(simulation)
    first_lag = sheets["lag"].list.first()
    corrected = sheets.filter(pl.col("status").list.len() > 1)
    justified = sheets.filter(pl.col("status").list.last() == "absent_justified")

    assert 0.07 < (first_lag > 0).mean() < 0.13
    assert first_lag.max() <= 7
    assert set(corrected["status"].list.join(">").unique()) == {"absent_unjustified>absent_justified"}
    assert corrected["lag"].list.last().is_between(1, 12).all()
    assert 0.25 < corrected.height / justified.height < 0.40
    assert set(simulation.tables["attendance"]["status"].cast(pl.String).unique()) == set(ATTENDANCE_STATUS)


def test_minutes_follow_from_the_status(simulation: Simulation) -> None:
    sheets = simulation.tables["attendance"].with_columns(pl.col("status").cast(pl.String))
    planned, attended, status = pl.col("planned_minutes"), pl.col("attended_minutes"), pl.col("status")

    assert sheets.filter(status == "present", attended != planned).is_empty()
    assert sheets.filter(status.is_in(["late", "left_early"]), ~attended.is_between(1, planned - 1)).is_empty()
    assert sheets.filter(status.is_in(["absent_unjustified", "absent_justified", "exempt"]), attended != 0).is_empty()
    assert sheets.filter(status == "not_expected", planned != 0).is_empty()
    assert sheets.filter(status == "not_recorded", attended.is_not_null()).is_empty()


def test_courses_rest_on_weekends_and_public_holidays(simulation: Simulation) -> None:
    calendar = make_calendar(FIRST, 365)
    days = simulation.tables["attendance"]["date"].unique()
    sessions = simulation.tables["sessions"]

    assert all(calendar.is_working((day - FIRST).days) for day in days.to_list())
    assert not calendar.is_working((dt.date(2025, 4, 21) - FIRST).days)
    assert not calendar.is_working((dt.date(2025, 5, 29) - FIRST).days)
    assert not calendar.is_working((dt.date(2025, 7, 14) - FIRST).days)
    assert (sessions["start_date"].dt.weekday() == 1).mean() > 0.9


def test_remote_sessions_leave_activity_and_no_sheet(simulation: Simulation) -> None:
    mode = simulation.tables["enrolments"].group_by("enrolment_id").agg(pl.col("session_id").first())
    mode = mode.join(simulation.tables["sessions"].select("session_id", pl.col("mode").cast(pl.String)), on="session_id")
    seen = {name: set(simulation.tables[name].join(mode, on="enrolment_id")["mode"].unique()) for name in ("attendance", "activity")}

    assert seen == {"attendance": {"onsite", "mixed"}, "activity": {"remote", "mixed"}}


def test_nobody_attends_after_leaving(simulation: Simulation) -> None:
    left = simulation.tables["exits"].select("enrolment_id", "exit_date")
    for table in ("attendance", "activity"):
        after = simulation.tables[table].join(left, on="enrolment_id").filter(pl.col("date") > pl.col("exit_date"))
        assert after.is_empty(), table


def test_the_hazard_is_told_for_every_day_in_training(simulation: Simulation) -> None:
    hazard, lives = simulation.truth["hazard"], simulation.truth["counterfactual"]
    days = simulation.tables["enrolments"].filter(pl.col("entry_date").is_not_null()).join(lives, on="enrolment_id")
    last = pl.min_horizontal(pl.col("exit_date").fill_null(LAST), "planned_exit_date", pl.lit(LAST))
    expected = days.select(((last - pl.col("entry_date")).dt.total_days() + 1).sum()).item()

    assert hazard.height == expected
    assert hazard.schema["hazard_dropout"] == hazard.schema["hazard_job"] == pl.Float32
    assert hazard["hazard_dropout"].is_between(0, 1).all()
    assert hazard["hazard_job"].is_between(0, 1).all()


def test_many_learners_have_nobody(simulation: Simulation) -> None:
    """About four in ten never had an owner or lose theirs."""
    learners, assignments = simulation.tables["learners"], simulation.tables["assignments"]
    last = assignments.sort("known_on").group_by("learner_id", "valid_from").last()
    open_now = last.filter(pl.col("valid_to").is_null())["learner_id"].n_unique()
    owners = last.group_by("learner_id").len()

    assert 0.3 < 1 - open_now / learners.height < 0.5
    assert (owners["len"] > 1).sum() > 20


def test_advisors_who_left_are_known_to_be_there_until_they_leave(large: Simulation) -> None:
    advisors = large.tables["advisors"].sort("known_on").group_by("advisor_id", maintain_order=True).agg("active_to")
    ends = advisors["active_to"].list

    assert ends.first().null_count() == advisors.height
    assert 0 < ends.last().drop_nulls().len() < 0.2 * advisors.height
    assert large.tables["advisors"]["weekly_capacity"].is_between(3, 8).all()


def test_identities_can_belong_to_nobody(simulation: Simulation) -> None:
    identities = simulation.tables["learner_identities"]

    assert identities["phone"].drop_nulls().str.contains(r"^(06 39 98|01 99 00) \d\d \d\d$").all()
    assert identities["email"].drop_nulls().str.ends_with("@example.org").all()
    assert simulation.tables["advisors"]["email"].str.ends_with("@example.org").all()
    assert simulation.tables["advisors"]["operator"].str.starts_with("simulation-").all()


def test_a_period_too_short_for_a_course_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="60 days or more"):
        simulate(100, 1, FIRST, FIRST + dt.timedelta(days=30))
