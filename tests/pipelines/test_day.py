"""A night, the day after it, and the next night: what advisors write down by day is known to the night that follows."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from alerts.cases import CaseStore, acts
from alerts.cases.access import User
from alerts.outbox import waiting
from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.vocabulary import LISTED
from pipelines.past import score_past
from pipelines.steps import Directly, run_night
from tests.services import copy_of
from vigie.clock import end_of_day

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.service import Service
    from pipelines.steps import T

NIGHT = dt.date(2025, 11, 20)
NEXT = NIGHT + dt.timedelta(days=1)
MORNING = dt.datetime(2025, 11, 21, 9, tzinfo=dt.UTC)


@pytest.fixture
def served(served: Service, tmp_path: Path) -> Service:
    return copy_of(served, tmp_path / "home")


def listed(service: Service, night: dt.date) -> pl.DataFrame:
    alerts = pl.read_parquet(service.home.out(night) / "alerts.parquet").with_columns(pl.col("kind", "state").cast(pl.String))
    return alerts.filter(pl.col("state").is_in(LISTED))


def advisor(advisor_id: str, territory: str = "exemple-est") -> User:
    return User("u1", "a@example.org", "A", "advisor", advisor_id, "cep", territory)


def known(service: Service, table: str, night: dt.date) -> pl.DataFrame:
    with service.warehouse() as warehouse:
        return warehouse.as_known_at(layout(TABLES[table]), end_of_day(night, service.time_zone))


def test_a_conversation_is_known_the_next_night_and_takes_the_person_off_the_list(served: Service) -> None:
    called = listed(served, NIGHT).filter(pl.col("kind") == "dropout_risk", pl.col("advisor_id").is_not_null()).row(0, named=True)
    with CaseStore(served.cases_url) as cases:
        assert acts.act(cases.engine, advisor(called["advisor_id"]), called["enrolment_id"], acts.Answer("reached"), MORNING)

    run_night(served, NEXT, Directly())

    (contact,) = known(served, "contacts", NEXT).filter(pl.col("contact_id").str.starts_with("vigie-")).to_dicts()
    assert (contact["learner_id"], contact["advisor_id"], contact["outcome"]) == (called["learner_id"], called["advisor_id"], "reached")
    assert contact["occurred_at"] == contact["known_on"] == MORNING
    assert known(served, "contacts", NIGHT).filter(pl.col("contact_id").str.starts_with("vigie-")).is_empty()
    risks = listed(served, NEXT).filter(pl.col("kind") == "dropout_risk")
    assert called["enrolment_id"] not in risks["enrolment_id"].to_list()
    features = pl.read_parquet(served.home.out(NEXT) / "features.parquet").filter(pl.col("enrolment_id") == called["enrolment_id"])
    assert features["days_since_two_way_contact"].to_list() in ([0.0], [])


def test_a_case_taken_from_the_queue_has_an_owner_the_next_night(served: Service) -> None:
    waiting = listed(served, NIGHT).filter(pl.col("kind") == "no_owner").row(0, named=True)
    people = pl.read_parquet(served.home.out(NIGHT) / "scores.parquet").filter(pl.col("enrolment_id") == waiting["enrolment_id"])
    territory = people["territory_id"][0]
    day = pl.lit(NIGHT)
    posts = known(served, "advisors", NIGHT).filter(pl.col("active_to").is_null() | (pl.col("active_to") > day))
    taker = posts.filter(pl.col("territory_id") == territory)["advisor_id"][0]
    with CaseStore(served.cases_url) as cases:
        assert acts.take(cases.engine, advisor(taker, territory), waiting["enrolment_id"], MORNING)

    run_night(served, NEXT, Directly())

    owner = known(served, "assignments", NEXT).filter(pl.col("learner_id") == waiting["learner_id"], pl.col("valid_from") == NEXT)
    assert owner["advisor_id"].to_list() == [taker]
    again = listed(served, NEXT).filter(pl.col("learner_id") == waiting["learner_id"], pl.col("kind") == "no_owner")
    assert again.is_empty()


def test_the_night_after_run_again_takes_up_the_same_and_writes_the_same(served: Service) -> None:
    called = listed(served, NIGHT).filter(pl.col("advisor_id").is_not_null()).row(0, named=True)
    with CaseStore(served.cases_url) as cases:
        acts.act(cases.engine, advisor(called["advisor_id"]), called["enrolment_id"], acts.Answer("no_answer"), MORNING)
    run_night(served, NEXT, Directly())
    files = [*served.home.out(NEXT).glob("*.parquet"), *served.home.landing.glob(f"*/vigie-{NEXT}.parquet")]
    first = {path: path.read_bytes() for path in files}
    with CaseStore(served.cases_url) as cases:
        acts.act(
            cases.engine, advisor(called["advisor_id"]), called["enrolment_id"], acts.Answer("reached"), MORNING + dt.timedelta(days=1)
        )

    run_night(served, NEXT, Directly())

    names = {path.name for path in files}
    assert names >= {"alerts.parquet", "features.parquet", "held.parquet", "scores.parquet", f"vigie-{NEXT}.parquet"}
    assert {path: path.read_bytes() for path in files} == first


def test_an_answer_written_after_a_night_ran_early_joins_those_it_had(served: Service) -> None:
    """A night run by hand in the middle of its own day, then again: what landed tells of both answers."""
    called = listed(served, NIGHT).filter(pl.col("advisor_id").is_not_null()).row(0, named=True)
    for hour, code in enumerate(("no_answer", "reached")):
        with CaseStore(served.cases_url) as cases:
            at = MORNING + dt.timedelta(hours=hour)
            acts.act(cases.engine, advisor(called["advisor_id"]), called["enrolment_id"], acts.Answer(code), at)
        run_night(served, NEXT, Directly())

    delivered = pl.read_parquet(served.home.landing / "contacts" / f"vigie-{NEXT}.parquet")
    assert delivered.sort("occurred_at")["outcome"].cast(pl.String).to_list() == ["no_answer", "reached"]


def test_somebody_who_objects_is_not_estimated_from_the_next_night_on(served: Service) -> None:
    called = listed(served, NIGHT).filter(pl.col("kind") == "dropout_risk", pl.col("advisor_id").is_not_null()).row(0, named=True)
    with CaseStore(served.cases_url) as cases:
        assert acts.act(cases.engine, advisor(called["advisor_id"]), called["enrolment_id"], acts.Answer("opposed"), MORNING)

    run_night(served, NEXT, Directly())

    for name in ("scores", "features"):
        kept = pl.read_parquet(served.home.out(NEXT) / f"{name}.parquet")
        assert called["learner_id"] not in kept["learner_id"].to_list()
        assert kept.height > 100
    assert called["enrolment_id"] not in listed(served, NEXT).filter(pl.col("kind") == "dropout_risk")["enrolment_id"].to_list()
    # Nor on a past night that is scored now.
    past = NIGHT - dt.timedelta(days=3)
    ((_, people),) = score_past(served, [past], None)
    kept = pl.read_parquet(served.home.out(past) / "scores.parquet")
    assert people == kept.height > 100
    assert called["learner_id"] not in kept["learner_id"].to_list()


def test_a_night_that_was_served_keeps_its_files_when_past_nights_are_scored(served: Service) -> None:
    file = served.home.out(NIGHT) / "scores.parquet"
    file.write_bytes(b"as it was served")
    past = NIGHT - dt.timedelta(days=3)

    assert [night for night, _ in score_past(served, [past, NIGHT], None)] == [past]
    assert file.read_bytes() == b"as it was served"


def test_what_was_written_by_day_is_given_back_as_a_file_the_same_each_time(served: Service) -> None:
    called = listed(served, NIGHT).filter(pl.col("advisor_id").is_not_null()).row(0, named=True)
    with CaseStore(served.cases_url) as cases:
        acts.act(cases.engine, advisor(called["advisor_id"]), called["enrolment_id"], acts.Answer("reached", note="secret"), MORNING)

    given = []
    for _ in range(2):
        run_night(served, NEXT, Directly())
        given.append((served.home.out(NEXT) / "actions.csv").read_bytes())

    assert given[0] == given[1]
    assert pl.read_csv(given[0]).select("enrolment_id", "code", "outcome").rows() == [(called["enrolment_id"], "reached", "reached")]
    assert b"secret" not in given[0]


class Dies(Directly):
    """A night that dies once it has taken its deliveries."""

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        if name == "score":
            raise RuntimeError(name)
        return super().__call__(name, step)


@pytest.mark.parametrize("how", ["dies", "is not published"])
def test_what_a_night_took_up_and_did_not_give_back_the_next_one_gives_once(served: Service, how: str) -> None:
    settings = served.settings.model_copy(update={"webhook_url": "https://elsewhere.example/in"})
    served = replace(served, settings=settings)
    called = listed(served, NIGHT).filter(pl.col("advisor_id").is_not_null()).row(0, named=True)
    with CaseStore(served.cases_url) as cases:
        acts.act(cases.engine, advisor(called["advisor_id"]), called["enrolment_id"], acts.Answer("reached"), MORNING)
    if how == "dies":
        with pytest.raises(RuntimeError):
            run_night(served, NEXT, Dies())
    else:
        run_night(served, NEXT, Directly(), notify=False)

    last, given = NEXT + dt.timedelta(days=1), []
    for night in (last, NEXT, last):
        run_night(served, night, Directly())
        given.append(pl.read_csv(served.home.out(night) / "actions.csv", infer_schema=False)["enrolment_id"].to_list())

    assert given == [[called["enrolment_id"]], [], [called["enrolment_id"]]]
    with CaseStore(served.cases_url) as cases:
        assert [row.key.split("/")[:2] for row in waiting(cases.engine)] == [["writeback", str(last)]]
