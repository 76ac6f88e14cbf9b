"""A provider that sends nothing for a week: named, its scores less sure, and nobody's risk raised by it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.rhythm import Silences, silences
from models.registry import model_for
from models.scoring import score
from pipelines.account import account
from pipelines.steps import ScoredNight, alert_night, score_night
from tests.services import copy_of
from vigie.clock import end_of_day

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.service import Service

NIGHT = dt.date(2025, 11, 20)
HEARD = NIGHT - dt.timedelta(days=7)
SENT = ("attendance", "activity", "assessments", "exits")


def enrolments(service: Service, day: dt.date) -> pl.DataFrame:
    with service.warehouse() as warehouse:
        known = [warehouse.as_known_at(layout(TABLES[name]), end_of_day(day, "Europe/Paris")) for name in ("enrolments", "sessions")]
    return known[0].join(known[1].select("session_id", "provider_id"), on="session_id")


def told(service: Service, day: dt.date) -> Silences:
    with service.warehouse() as warehouse:
        return silences(warehouse, day, "Europe/Paris")


def fall_silent(service: Service, folder: Path, column: str, value: str) -> Service:
    """A copy in which a provider or a session sent nothing after the night of HEARD."""
    made = copy_of(service, folder)
    theirs = enrolments(service, dt.date(2025, 12, 31)).filter(pl.col(column) == value)["enrolment_id"].to_list()
    after = end_of_day(HEARD, "Europe/Paris").isoformat()
    with made.warehouse() as warehouse:
        for table in SENT:
            among = ", ".join(f"'{name}'" for name in theirs)
            warehouse._run(f"DELETE FROM {table} WHERE known_on > TIMESTAMPTZ '{after}' AND enrolment_id IN ({among})")  # noqa: S608 - ours
    return made


@pytest.fixture(scope="module")
def provider(service: Service) -> str:
    """The one with most people in training."""
    rows = pl.concat(
        [pl.DataFrame({"provider_id": []}, schema={"provider_id": pl.String}), enrolments(service, NIGHT).select("provider_id")]
    )
    return str(rows.group_by("provider_id").len().sort("len", "provider_id")["provider_id"][-1])


@pytest.fixture(scope="module")
def silent(service: Service, provider: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, ScoredNight]:
    made = fall_silent(service, tmp_path_factory.mktemp("silent") / "home", "provider_id", provider)
    return made, score_night(made, NIGHT)


def test_nobodys_risk_rises_and_every_score_concerned_says_that_it_is_less_sure(silent: tuple[Service, ScoredNight], provider: str) -> None:
    service, _ = silent
    with service.warehouse() as warehouse:
        both = score(warehouse, model_for(service.home, NIGHT), [HEARD, NIGHT], service.rules.invariants, service.time_zone).scores
    theirs = enrolments(service, NIGHT).filter(pl.col("provider_id") == provider).select("enrolment_id")
    before = both.filter(pl.col("as_of") == HEARD).join(theirs, on="enrolment_id").select("enrolment_id", "risk", "rule_flag")
    bare = both.filter(pl.col("as_of") == NIGHT).join(before, on="enrolment_id", suffix="_before")
    served = pl.read_parquet(service.home.out(NIGHT) / "scores.parquet").join(before, on="enrolment_id", suffix="_before")

    assert bare.height == served.height > 30
    # Without the guard the model would read silence as absence from somebody.
    assert bare.filter(pl.col("risk") > pl.col("risk_before")).height > 3
    assert served.filter(pl.col("risk") > pl.col("risk_before")).is_empty()
    assert served.filter(pl.col("rule_flag") & ~pl.col("rule_flag_before")).is_empty()
    assert served["low_confidence"].all()
    total = served.select(pl.col("base_value") + pl.col("reasons").list.eval(pl.element().struct.field("contribution")).list.sum())
    assert (total.to_series() - served["margin"]).abs().max() < 1e-6


def test_an_estimate_of_the_last_night_heard_of_keeps_the_reasons_it_had_that_night(silent: tuple[Service, ScoredNight]) -> None:
    service, _ = silent
    with service.warehouse() as warehouse:
        then = score(warehouse, model_for(service.home, NIGHT), [HEARD], service.rules.invariants, service.time_zone).scores
    told = ["reasons", "protective"]
    served = pl.read_parquet(service.home.out(NIGHT) / "scores.parquet").join(then, on=["enrolment_id", "feature_hash"], suffix="_then")

    assert served.height > 10
    assert served.select(told).equals(served.select(pl.col(f"{name}_then").alias(name) for name in told))


def test_people_of_other_providers_are_estimated_as_ever(silent: tuple[Service, ScoredNight], provider: str) -> None:
    service, _ = silent
    with service.warehouse() as warehouse:
        bare = score(warehouse, model_for(service.home, NIGHT), [NIGHT], service.rules.invariants, service.time_zone).scores
    others = enrolments(service, NIGHT).filter(pl.col("provider_id") != provider).select("enrolment_id")
    served = pl.read_parquet(service.home.out(NIGHT) / "scores.parquet").join(others, on="enrolment_id", how="semi")

    assert served.height > 100
    assert served.equals(bare.join(others, on="enrolment_id", how="semi"))


def test_the_account_names_the_provider_and_the_lists_say_that_little_is_known(silent: tuple[Service, ScoredNight], provider: str) -> None:
    service, scored = silent
    alerts = alert_night(service, NIGHT)
    with service.warehouse() as warehouse:
        night = account(warehouse, NIGHT, scored, alerts, service.home, service.time_zone)

    (named,) = [silence for silence in night["silences"] if silence["source"] == "provider" and silence["table"] == "attendance"]
    assert (named["id"], named["heard_on"], named["silent_days"]) == (provider, HEARD.isoformat(), 7)
    assert any(f"provider {provider} ({named['name']}): no attendance since" in warning for warning in night["warnings"])
    theirs = enrolments(service, NIGHT).filter(pl.col("provider_id") == provider).select("enrolment_id")
    listed = alerts.filter(pl.col("state").cast(pl.String) == "new", pl.col("risk").is_not_null()).join(theirs, on="enrolment_id")
    recipients = listed["advisor_id"].drop_nulls().unique()
    assert recipients.len()
    for advisor in recipients:
        page = (service.home.out(NIGHT) / "lists" / f"{advisor}.html").read_text()
        assert "À prendre avec prudence" in page


def test_a_session_alone_without_sheets_is_named_where_its_provider_still_sends(service: Service, tmp_path: Path) -> None:
    on = enrolments(service, NIGHT).filter(pl.col("entry_date") <= HEARD - dt.timedelta(days=60), pl.col("planned_exit_date") > NIGHT)
    session = on.group_by("session_id").len().sort("len", "session_id")["session_id"][-1]
    made = fall_silent(service, tmp_path / "home", "session_id", session)

    found = told(made, NIGHT)

    assert [(row["source"], row["id"]) for row in found.told.to_dicts()] == [("session", session)]
    assert found.concerned.height == found.told["people"][0]


def test_usual_weeks_are_no_silence(service: Service) -> None:
    told_of = [told(service, dt.date(2025, 9, 1) + dt.timedelta(days=n)).concerned.height for n in range(0, 100, 9)]

    assert told_of == [0] * len(told_of)
