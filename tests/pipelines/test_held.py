"""A file held back: whoever it tells of is less sure and raised by nothing, it is named, and a replay knows it was held."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from alerts.cases import CaseStore
from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.quarantine import release
from models.registry import model_for
from models.scoring import score
from pipelines.replay import replay
from pipelines.service import Service, open_service
from pipelines.steps import Directly, take_deliveries, told_night
from vigie.clock import end_of_day
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = dt.date(2025, 11, 20)
BEFORE = NIGHT - dt.timedelta(days=1)
FILE = "attendance/provider.csv"


def in_training(service: Service) -> pl.DataFrame:
    """enrolment_id of those of the provider with most people on the night."""
    with service.warehouse() as warehouse:
        known = [warehouse.as_known_at(layout(TABLES[name]), end_of_day(NIGHT, "Europe/Paris")) for name in ("enrolments", "sessions")]
    rows = known[0].filter(pl.col("entry_date") <= BEFORE, pl.col("planned_exit_date") >= NIGHT).join(known[1], on="session_id")
    provider = rows.group_by("provider_id").len().sort("len", "provider_id")["provider_id"][-1]
    return rows.filter(provider_id=provider).select("enrolment_id").sort("enrolment_id")


@pytest.fixture(scope="module")
def held(service: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, dict[str, Any]]:
    """The service, whose largest provider's export of the day marks everybody absent, and its night."""
    folder = tmp_path_factory.mktemp("held") / "home"
    shutil.copytree(service.home.root, folder)
    made = open_service(Settings(home=folder, smtp_host="localhost", operator_mail="exploitation@example.org"))
    halves = pl.DataFrame({"half_day": ["am", "pm"]})
    rows = in_training(service).with_columns(date=pl.lit(NIGHT), status=pl.lit("absent_unjustified")).join(halves, how="cross")
    path = folder / "landing" / FILE
    rows.write_csv(path)
    landed = dt.datetime(2025, 11, 20, 16, tzinfo=dt.UTC).timestamp()
    os.utime(path, (landed, landed))
    return made, told_night(made, NIGHT, Directly())


def test_nobody_it_tells_of_is_raised_and_their_scores_say_that_little_is_known(held: tuple[Service, dict[str, Any]]) -> None:
    service, _ = held
    with service.warehouse() as warehouse:
        bare = score(warehouse, model_for(service.home, NIGHT), [BEFORE, NIGHT], service.rules.invariants, service.time_zone).scores
    concerned = pl.read_parquet(service.home.out(NIGHT) / "held.parquet")
    served = pl.read_parquet(service.home.out(NIGHT) / "scores.parquet")
    before = bare.filter(pl.col("as_of") == BEFORE).select("enrolment_id", before="risk")
    theirs = served.join(concerned, on="enrolment_id").join(before, on="enrolment_id")
    without = bare.filter(pl.col("as_of") == NIGHT).join(theirs.select("enrolment_id", "before"), on="enrolment_id")

    with service.warehouse() as warehouse:
        sheets = warehouse.as_known_at(layout(TABLES["attendance"]), end_of_day(NIGHT, service.time_zone), columns=["enrolment_id", "date"])
    heard = sheets.filter(pl.col("date") >= NIGHT)
    told = in_training(service).join(heard, on="enrolment_id", how="anti")
    assert concerned["enrolment_id"].to_list() == told["enrolment_id"].to_list()
    assert theirs.height > 10
    assert without.filter(pl.col("risk") > pl.col("before")).height > 0
    assert theirs.filter(pl.col("risk") > pl.col("before")).is_empty()
    assert theirs["low_confidence"].all()
    others = served.join(concerned, on="enrolment_id", how="anti")
    assert others.equals(bare.filter(pl.col("as_of") == NIGHT).join(concerned, on="enrolment_id", how="anti"))


def test_the_account_and_the_operators_mail_name_it(held: tuple[Service, dict[str, Any]]) -> None:
    service, account = held

    assert account["set_aside"] == [f"held/{FILE}"]
    assert any("is marked absent" in warning or "are marked absent" in warning for warning in account["warnings"])
    assert any(warning.startswith("Files held back or rows set aside tell of ") for warning in account["warnings"])
    with CaseStore(service.cases_url) as cases, cases.engine.connect() as connection:
        (text,) = connection.exec_driver_sql("SELECT text FROM outbox WHERE key LIKE 'degraded/%'").scalars()
    assert f"Look first: held/{FILE}" in text


def test_a_replay_knows_what_was_held_then(held: tuple[Service, dict[str, Any]], tmp_path: Path) -> None:
    shutil.copytree(held[0].home.root, tmp_path / "home")
    later = open_service(Settings(home=tmp_path / "home"))
    now = dt.datetime(2025, 11, 25, tzinfo=dt.UTC)
    release(later.home.landing, later.home.decisions, later.home.refused, FILE, "they were on strike", now, {})
    take_deliveries(later)

    assert replay(later, NIGHT).differences == []
