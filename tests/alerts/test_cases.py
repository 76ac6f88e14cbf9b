from __future__ import annotations

import datetime as dt
import os
import threading
import time
from itertools import permutations
from typing import TYPE_CHECKING

import polars as pl
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from alerts.cases import CaseStore, audit
from alerts.cases.database import MIGRATIONS
from alerts.cases.desk import newest_night
from alerts.cases.schema import ACTIONS, ALERTS, AUDIT, FILES, METADATA, PEOPLE
from alerts.cases.store import Published
from data_contracts.catalogue import TABLES
from data_contracts.ingest import ingest
from tests.alerts.made import risk_alerts
from vigie import clock
from vigie.errors import ConfigurationError
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from data_contracts.ingest import Intake, PrivateSink

AT = dt.datetime(2026, 3, 3, 3, tzinfo=dt.UTC)


def identity(name: str, day_known: int, learner: str = "L1", *, withdrawn: bool = False) -> pl.DataFrame:
    table_ = TABLES["learner_identities"]
    row = {"learner_id": learner, "known_on": dt.datetime(2026, 1, day_known, tzinfo=dt.UTC), "given_name": "A", "family_name": name}
    return (
        pl.DataFrame([row])
        .with_columns(pl.lit(None, pl.String).alias(column) for column in ("phone", "email", "language"))
        .with_columns(withdrawn=pl.lit(withdrawn))
        .select(*table_.key, "known_on", "withdrawn", *table_.private)
    )


def test_the_newest_known_name_wins_whatever_the_order_of_deliveries(cases: CaseStore) -> None:
    for name, known in (("Old", 2), ("New", 5), ("Older", 1)):
        cases.save_private("learner_identities", identity(name, known))

    assert cases.names(["L1", "L2"])["family_name"].to_list() == ["New"]


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_the_newest_known_layer_wins_withdrawals_included_in_any_order_of_deliveries(cases: CaseStore, order: tuple[int, ...]) -> None:
    gone = (identity("Old", 2), identity("Old", 5, withdrawn=True), identity("Late", 3))
    back = (identity("Old", 2, "L2", withdrawn=True), identity("Older", 1, "L2"), identity("New", 5, "L2"))
    for place in order:
        for layers in (gone, back):
            cases.save_private("learner_identities", layers[place])

    assert cases.names(["L1", "L2"]).select("learner_id", "family_name").rows() == [("L2", "New")]


def test_of_layers_known_at_the_same_instant_the_last_delivered_wins(cases: CaseStore) -> None:
    told = []
    for withdrawn in (False, True, False):
        cases.save_private("learner_identities", identity("A", 2, withdrawn=withdrawn))
        told.append(cases.names(["L1"]).height)

    assert told == [1, 0, 1]


def test_a_withdrawn_name_stays_away_also_when_the_intake_died_before_its_delivery_was_noted(cases: CaseStore, tmp_path: Path) -> None:
    def deliver(name: str, row: str) -> None:
        path = tmp_path / "landing/learner_identities" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"learner_id,given_name,family_name,known_on,withdrawn\n{row}\n")
        os.utime(path, (AT.timestamp(), AT.timestamp()))  # then by name

    def die(table: str, rows: pl.DataFrame) -> None:
        cases.save_private(table, rows)
        raise KeyboardInterrupt

    def take(private: PrivateSink) -> Intake:
        with Warehouse(tmp_path / "w.duckdb") as warehouse:
            return ingest(tmp_path / "landing", tmp_path / "refused", warehouse, private, AT)

    cases.save_private("learner_identities", identity("Martin", 2))
    deliver("a.csv", "L1,A,Martin,2026-01-05T00:00:00Z,true")
    with pytest.raises(KeyboardInterrupt):
        take(die)
    deliver("b.csv", "L1,A,Martin,2026-01-03T00:00:00Z,false")
    taken = take(cases.save_private)

    assert len(taken.receipts) == 2, "the first as if never interrupted"
    assert cases.names(["L1"]).is_empty()


def test_hundreds_of_names_are_saved_and_found(cases: CaseStore) -> None:
    many = pl.concat([identity(f"N{n}", 1, f"L{n}") for n in range(1_200)])
    cases.save_private("learner_identities", many)
    cases.save_private("learner_identities", many)

    assert cases.names([f"L{n}" for n in range(1_200)]).height == 1_200


def publish(cases: CaseStore, as_of: dt.date, *names: str, advisor: str | None = "A", twice: bool = False) -> None:
    made = risk_alerts(as_of, *names).with_columns(territory_id=pl.lit("T"), low_confidence=pl.lit(value=False))
    people = pl.DataFrame(
        {"enrolment_id": names, "learner_id": names}, schema={"enrolment_id": pl.String, "learner_id": pl.String}
    ).with_columns(
        advisor_id=pl.lit(advisor, pl.String),
        queue=pl.lit("owner"),
        territory_id=pl.lit("T"),
        course=pl.lit("Course"),
        entry_date=pl.lit(None, pl.Date),
        planned_exit_date=pl.lit(as_of),
    )
    cases.publish(Published(as_of, AT, made, people=pl.concat([people] * (1 + twice))))


def test_a_night_published_again_replaces_its_own_rows_also_when_it_is_empty(cases: CaseStore) -> None:
    monday, tuesday = dt.date(2026, 3, 2), dt.date(2026, 3, 3)
    publish(cases, monday, "a", "b")
    publish(cases, tuesday, "c")

    publish(cases, monday, "b")
    assert cases.past(dt.date(2026, 3, 9))["enrolment_id"].to_list() == ["b", "c"]
    publish(cases, monday)
    assert cases.past(dt.date(2026, 3, 9))["enrolment_id"].to_list() == ["c"]
    assert cases.past(tuesday).is_empty()


def test_what_waited_on_older_nights_and_what_is_older_than_a_year_is_not_read_again(cases: CaseStore) -> None:
    days = [dt.date(2025, 3, 1), dt.date(2026, 3, 2), dt.date(2026, 3, 3)]
    for day in days:
        publish(cases, day, "listed", "waits")
    with cases.engine.begin() as connection:
        connection.execute(update(ALERTS).where(ALERTS.c.enrolment_id == "waits").values(state="over_capacity"))

    past = cases.past(dt.date(2026, 3, 4)).select("as_of", "enrolment_id").rows()

    assert past == [(days[1], "listed"), (days[2], "listed"), (days[2], "waits")]


def test_a_reader_sees_the_last_night_whole_and_an_older_one_published_again_changes_nothing_of_it(cases: CaseStore) -> None:
    monday, tuesday = dt.date(2026, 3, 2), dt.date(2026, 3, 3)
    publish(cases, tuesday, "a", "b")
    publish(cases, monday, "c")

    with cases.engine.connect() as connection:
        assert sorted(connection.execute(select(PEOPLE.c.enrolment_id)).scalars()) == ["a", "b"]


def test_what_cannot_be_published_leaves_the_former_list(cases: CaseStore) -> None:
    monday = dt.date(2026, 3, 2)
    publish(cases, monday, "a")
    with pytest.raises(DBAPIError):
        publish(cases, monday, "b", twice=True)

    with cases.engine.connect() as connection:
        assert connection.execute(select(ALERTS.c.enrolment_id)).scalars().all() == ["a"]


def test_a_night_that_dies_before_it_is_shown_is_seen_by_nobody_and_then_done_again(
    cases: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monday, tuesday = dt.date(2026, 3, 2), dt.date(2026, 3, 3)
    publish(cases, monday, "a")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cases, "_changed", die)
        with pytest.raises(KeyboardInterrupt):
            publish(cases, tuesday, "b", "c")

    assert cases.past(dt.date(2026, 3, 9))["enrolment_id"].to_list() == ["a"]
    with cases.engine.connect() as connection:
        assert connection.execute(select(PEOPLE.c.enrolment_id)).scalars().all() == ["a"]
    publish(cases, tuesday, "b")
    assert cases.past(dt.date(2026, 3, 9))["enrolment_id"].to_list() == ["a", "b"]


def test_people_and_case_files_are_those_of_the_newest_night(cases: CaseStore) -> None:
    monday, tuesday = dt.date(2026, 3, 2), dt.date(2026, 3, 3)
    for night, names in ((monday, ("a", "b")), (tuesday, ("b", "c")), (tuesday, ("c", "d"))):
        made = risk_alerts(night, *names).with_columns(territory_id=pl.lit("T"), low_confidence=pl.lit(value=False))
        people = pl.DataFrame({"enrolment_id": names, "learner_id": names}).with_columns(
            advisor_id=pl.lit("A"),
            queue=pl.lit("owner"),
            territory_id=pl.lit("T"),
            course=pl.lit(f"Course of {night}"),
            entry_date=pl.lit(None, pl.Date),
            planned_exit_date=pl.lit(tuesday),
        )
        files = pl.DataFrame({"enrolment_id": names}).with_columns(content=pl.lit(f"{night}"))
        cases.publish(Published(night, AT, made, people=people, files=files))

    with cases.engine.connect() as connection:
        rows = connection.execute(select(PEOPLE.c.enrolment_id, PEOPLE.c.course).order_by(PEOPLE.c.enrolment_id)).tuples().all()
        kept = connection.execute(select(FILES.c.enrolment_id, FILES.c.content).order_by(FILES.c.enrolment_id)).tuples().all()
    assert rows == [("c", f"Course of {tuesday}"), ("d", f"Course of {tuesday}")]
    assert kept == [("c", str(tuesday)), ("d", str(tuesday))]


def test_a_night_run_under_a_wrong_clock_hides_no_true_one(cases: CaseStore) -> None:
    today = clock.now().date()
    yesterday, ahead = today - dt.timedelta(days=1), today + dt.timedelta(days=15)
    publish(cases, ahead, "x")
    publish(cases, yesterday, "a")

    with cases.engine.connect() as connection:
        night = newest_night(connection)
        people = connection.execute(select(PEOPLE.c.enrolment_id)).scalars().all()
    assert night is not None
    assert (night.as_of, people) == (yesterday, ["a"])
    # Once that day is over it is run like any other.
    publish(cases, ahead, "y", "z")
    assert cases.past(ahead + dt.timedelta(days=1))["enrolment_id"].to_list() == ["a", "y", "z"]


def test_the_day_goes_on_while_a_night_is_written(cases: CaseStore) -> None:
    """Whoever reads a page leaves a line in the log: many are written before the night is there, none of them refused."""
    publish(cases, dt.date(2026, 3, 2), "a")
    names = tuple(f"{n:05d}" for n in range(20_000))
    night = threading.Thread(target=publish, args=(cases, dt.date(2026, 3, 3), *names))
    night.start()
    written = 0
    while night.is_alive():
        audit.note(cases.engine, clock.now(), None, "read", str(written))
        written += 1
        time.sleep(0.005)
    night.join()

    assert written > 10
    assert cases.past(dt.date(2026, 3, 9)).height == 20_001


def test_migrations_make_the_tables_the_code_knows(cases: CaseStore) -> None:
    with cases.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def back_to(revision: str, connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


def test_what_was_taken_up_before_the_upgrade_is_not_given_back_again(cases_url: str) -> None:
    taken, later = dt.date(2026, 3, 2), dt.date(2026, 3, 3)
    act = {"at": AT, "by_user": "u", "learner_id": "l", "enrolment_id": "e", "code": "reached", "channel": "phone"}
    with CaseStore(cases_url) as store, store.engine.begin() as connection:
        connection.execute(insert(ACTIONS), [act | {"action_id": name, "taken_for": day} for name, day in (("a", taken), ("b", None))])
        back_to("0002", connection)

    with CaseStore(cases_url) as store:
        assert store.to_give_back(later)[0].is_empty()
        store.taken_up(later, AT)
        assert store.to_give_back(later)[0]["action_id"].to_list() == ["b"]
        store.given_back(later)
        assert store.to_give_back(later)[0]["action_id"].to_list() == ["b"]
        assert store.to_give_back(later + dt.timedelta(days=1))[0].is_empty()


def test_a_store_is_opened_again_as_it_was(cases_url: str) -> None:
    with CaseStore(cases_url) as first:
        publish(first, dt.date(2026, 3, 2), "a")
    with CaseStore(cases_url) as again:
        assert again.past(dt.date(2026, 3, 9)).height == 1


def test_a_store_of_a_newer_version_is_refused(cases_url: str) -> None:
    with CaseStore(cases_url) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(ConfigurationError, match="another version"):
        CaseStore(cases_url)


def test_an_address_that_cannot_be_opened_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        CaseStore("postgresql+psycopg://vigie:s3cret@127.0.0.1:1/cases")
    assert "s3cret" not in str(refused.value)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        CaseStore(f"sqlite:///{tmp_path / 'nowhere' / 'cases.sqlite'}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://vigie:p@ss:S3cret@127.0.0.1/cases",
        "postgresql+psycopg://vigie:p@S3cret@127.0.0.1/cases",
        "postgresql+psycopg2://vigie:S3cret@127.0.0.1/cases",
        "mysql+S3cret://vigie@127.0.0.1/cases",
        "S3cret",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_and_nothing_of_it_shown(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address") as refused:
        CaseStore(url)

    assert "S3cret" not in str(refused.value)
    assert refused.value.__context__ is None
    assert "%40" in refused.value.remedy


def test_an_ordinary_address_of_postgresql_will_do(postgresql: str) -> None:
    with CaseStore(postgresql.format(database="postgres").replace("postgresql+psycopg:", "postgresql:")) as cases:
        assert cases.engine.driver == "psycopg"


def test_the_audit_log_can_only_grow(cases: CaseStore) -> None:
    with cases.engine.begin() as connection:
        connection.execute(insert(AUDIT), [{"at": AT, "verb": "read", "object_id": "E1", "outcome": "allowed"}])

    for statement in (update(AUDIT).values(verb="other"), delete(AUDIT)):
        with pytest.raises(DBAPIError, match="append-only"), cases.engine.begin() as connection:
            connection.execute(statement)
    with cases.engine.connect() as connection:
        assert connection.execute(select(AUDIT.c.verb)).scalars().all() == ["read"]
