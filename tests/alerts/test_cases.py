from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import DBAPIError

from alerts.cases import CaseStore
from alerts.cases.schema import ALERTS, AUDIT, METADATA, PEOPLE
from alerts.cases.store import Published
from data_contracts.catalogue import TABLES
from tests.alerts.made import risk_alerts
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

AT = dt.datetime(2026, 3, 3, 3, tzinfo=dt.UTC)


def identity(name: str, day_known: int, learner: str = "L1") -> pl.DataFrame:
    table_ = TABLES["learner_identities"]
    row = {"learner_id": learner, "known_on": dt.datetime(2026, 1, day_known, tzinfo=dt.UTC), "given_name": "A", "family_name": name}
    return (
        pl.DataFrame([row])
        .with_columns(pl.lit(None, pl.String).alias(column) for column in ("phone", "email", "language"))
        .select(*table_.key, "known_on", *table_.private)
    )


def test_the_newest_known_name_wins_whatever_the_order_of_deliveries(cases: CaseStore) -> None:
    for name, known in (("Old", 2), ("New", 5), ("Older", 1)):
        cases.save_private("learner_identities", identity(name, known))

    assert cases.names(["L1", "L2"])["family_name"].to_list() == ["New"]


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


def test_migrations_make_the_tables_the_code_knows(cases: CaseStore) -> None:
    with cases.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


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


def test_the_audit_log_can_only_grow(cases: CaseStore) -> None:
    with cases.engine.begin() as connection:
        connection.execute(insert(AUDIT), [{"at": AT, "verb": "read", "object_id": "E1", "outcome": "allowed"}])

    for statement in (update(AUDIT).values(verb="other"), delete(AUDIT)):
        with pytest.raises(DBAPIError, match="append-only"), cases.engine.begin() as connection:
            connection.execute(statement)
    with cases.engine.connect() as connection:
        assert connection.execute(select(AUDIT.c.verb)).scalars().all() == ["read"]
