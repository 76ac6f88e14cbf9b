"""A person taken out of the case store, on either database: no row, no call, no line of the log leads to them any more."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import polars as pl
import pytest
from sqlalchemy import delete, event, insert, select, update
from sqlalchemy.exc import DBAPIError

from alerts.cases import CaseStore, audit
from alerts.cases.audit import NOBODY
from alerts.cases.erasure import ABOUT_PEOPLE, erase
from alerts.cases.schema import ACTIONS, AUDIT, LEARNERS, METADATA, MOVES
from alerts.cases.store import Published
from alerts.outbox import Item, put
from tests.alerts.made import risk_alerts
from tests.alerts.served import people
from tests.alerts.test_cases import identity
from vigie.erasures import Supposed

if TYPE_CHECKING:
    from pathlib import Path

AT = dt.datetime(2026, 3, 3, 3, tzinfo=dt.UTC)
NIGHT = dt.date(2026, 3, 2)
BOTH = ("anne", "bob")
# In this store enrolments bear their learner's name.
WHOM = Supposed({"learner": ["anne"], "enrolment": ["anne"]})


@pytest.fixture
def filled(cases: CaseStore) -> CaseStore:
    for learner in BOTH:
        cases.save_private("learner_identities", identity(f"Name-of-{learner}", 5, learner))
    alerts = risk_alerts(NIGHT, *BOTH).with_columns(territory_id=pl.lit("T"), low_confidence=pl.lit(value=False))
    cases.publish(Published(NIGHT, AT, alerts, people=people(("anne", "A"), ("bob", "A"))))
    act = {"at": AT, "by_user": "U", "code": "reached", "channel": "phone"}
    with cases.engine.begin() as connection:
        rows = [{"action_id": f"a-{who}", "learner_id": who, "enrolment_id": who, "note": f"note on {who}"} | act for who in BOTH]
        connection.execute(insert(ACTIONS), rows)
        connection.execute(insert(MOVES), [{"move_id": "m", "at": AT, "by_user": "U", "how": "take", "learner_id": "anne"}])
    for what in ("anne", "/cas/anne", "/file/anne/prendre", "bob", "/cas/ann/e", "", None):
        audit.note(cases.engine, AT, None, "read", what)
    records = [{"learner_id": who, "enrolment_id": who, "code": "reached"} for who in BOTH]
    body = json.dumps({"type": "vigie.actions", "records": records})
    put(cases.engine, [Item(key="w/1", channel="webhook", to="https://example.org", subject="actions", text=body)], AT)
    put(cases.engine, [Item(key="d/1", channel="mail", to="a@example.org", subject="s", text="Not JSON")], AT)
    return cases


def everything(cases: CaseStore) -> str:
    with cases.engine.connect() as connection:
        return "\n".join(str(tuple(row)) for table in METADATA.sorted_tables for row in connection.execute(select(table)))


def test_nothing_leads_to_them_any_more_and_others_are_as_they_were(filled: CaseStore) -> None:
    before = [line for line in everything(filled).splitlines() if "bob" in line and "anne" not in line]
    told = erase(filled.engine, WHOM, dry_run=True)
    assert "anne" in everything(filled)

    done = erase(filled.engine, WHOM)

    assert done == told == {"learner_identities": 1, "alerts": 1, "people": 1, "actions": 1, "moves": 1, "outbox": 1, "audit": 3}
    after = everything(filled)
    assert "anne" not in after
    assert set(before) <= set(after.splitlines())
    with filled.engine.connect() as connection:
        objects = connection.execute(select(AUDIT.c.object_id).order_by(AUDIT.c.entry)).scalars().all()
    assert objects == [NOBODY, NOBODY, NOBODY, "bob", "/cas/ann/e", "", ""]
    assert erase(filled.engine, WHOM) == {}


def test_of_whom_the_names_alone_are_gone_tasks_and_answers_stay_without_their_notes(filled: CaseStore) -> None:
    assert erase(filled.engine, Supposed({"names": ["anne"]})) == {"learner_identities": 1, "notes": 1}
    with filled.engine.connect() as connection:
        notes = dict(connection.execute(select(ACTIONS.c.learner_id, ACTIONS.c.note)).tuples().all())
    assert notes == {"anne": None, "bob": "note on bob"}
    assert filled.names(["anne", "bob"])["learner_id"].to_list() == ["bob"]


def test_the_log_lets_nothing_else_be_changed(filled: CaseStore) -> None:
    for change in ({"object_id": "other"}, {"object_id": NOBODY, "verb": "list"}, {"object_id": NOBODY, "at": AT + dt.timedelta(1)}):
        with pytest.raises(DBAPIError, match="append-only"), filled.engine.begin() as connection:
            connection.execute(update(AUDIT).values(**change))
    with pytest.raises(DBAPIError, match="append-only"), filled.engine.begin() as connection:
        connection.execute(delete(AUDIT))


def test_identifiers_may_hold_a_slash_and_be_those_of_an_advisor_too(cases: CaseStore) -> None:
    about = {"read": "a/1", "answer": "/cas/a/1/reponse", "get": "/cas/a/1"}
    others = {"take": "/cas/a/12", "list": "/cas/a", "reassign": "1", "absence": "a/1", "export": "1"}
    for verb, what in (about | others).items():
        audit.note(cases.engine, AT, None, verb, what)
    assert erase(cases.engine, Supposed({"enrolment": ["a/1"], "learner": ["1"]})) == {"audit": 3}
    with cases.engine.connect() as connection:
        objects = dict(connection.execute(select(AUDIT.c.verb, AUDIT.c.object_id)).tuples().all())
    assert objects == others | dict.fromkeys(about, NOBODY)


def test_that_a_name_was_withdrawn_goes_as_well(cases: CaseStore) -> None:
    cases.save_private("learner_identities", identity("Name", 5, "anne").with_columns(withdrawn=pl.lit(value=True)))
    assert erase(cases.engine, Supposed({"names": ["anne"]})) == {}
    assert erase(cases.engine, WHOM) == {"withdrawn_learners": 1}


def test_every_table_that_names_a_learner_is_gone_through() -> None:
    about = {table for table in METADATA.sorted_tables if {"learner_id", "enrolment_id"} & {*table.c.keys()}}
    assert about == set(ABOUT_PEOPLE)


def test_an_empty_store_has_nobody_to_take_out(cases: CaseStore) -> None:
    assert erase(cases.engine, WHOM) == {}


def test_no_byte_of_theirs_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cases.sqlite"
    with CaseStore(f"sqlite:///{path}") as cases:
        # Some builds of SQLite wipe what is deleted by themselves; not all do.
        cases.engine.dispose()
        event.listen(cases.engine, "connect", lambda connection, _: connection.execute("PRAGMA secure_delete = OFF"))
        cases.save_private("learner_identities", identity("Marchand-Secret", 5, "anne"))
        with cases.engine.begin() as connection:  # killed before the room is given up
            connection.execute(delete(LEARNERS))
        erase(cases.engine, WHOM)
        assert all(b"Marchand-Secret" not in part.read_bytes() for part in tmp_path.iterdir())
    assert b"Marchand-Secret" not in path.read_bytes()
