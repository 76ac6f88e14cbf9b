"""A person taken out of the case store: names, alerts, answers, moves, calls to other software, and the log's link to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from sqlalchemy import String, bindparam, delete, select, text, update

from alerts.cases.audit import NOBODY
from alerts.cases.schema import ACTIONS, ALERTS, AUDIT, FILES, GONE_LEARNERS, LEARNERS, MOVES, OUTBOX, PEOPLE
from data_contracts.erased import IDS, theirs

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

    from vigie.erasures import Whom

ABOUT_PEOPLE: Final = (LEARNERS, GONE_LEARNERS, ALERTS, PEOPLE, FILES, ACTIONS, MOVES)
OF_NOBODY: Final = ("reassign", "absence", "indicators", "export", "log_in", "ask_link", "send_link")
"""Verbs of lines about advisors, pages or addresses: an advisor may bear the identifier of a learner."""
_PAGE_OF_A_CASE: Final = r"^/(?:cas|file)/(.+?)(?:/(?:confier|reponse|prendre|orienter))?$"
"""What the log holds of a refusal is the address that was asked for; an identifier may hold slashes of its own."""


def erase(engine: Engine, erased: Whom, *, dry_run: bool = False) -> dict[str, int]:
    """Take everybody of `erased` out; run again, it changes nothing.

    Of whom the names alone are gone, names and the notes that advisors wrote go. Calls to other software are rewritten without them.

    Args:
        engine: of the case store.
        erased: who.
        dry_run: only count.

    Returns:
        Rows by table, where there are any: deleted or, of `notes`, `outbox` and `audit`, rewritten.
    """
    with engine.begin() as connection:
        done = {table.name: _delete(connection, table, erased, dry_run=dry_run) for table in ABOUT_PEOPLE}
        done["notes"] = _notes(connection, erased, dry_run=dry_run)
        done["outbox"] = _calls(connection, erased, dry_run=dry_run)
        done["audit"] = _log(connection, erased, dry_run=dry_run)
    done = {name: rows for name, rows in done.items() if rows}
    if not dry_run:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            # What was deleted is still in the file until its room is given up, by this run or by one that was killed before it did.
            connection.execute(text("VACUUM"))
            if engine.dialect.name == "sqlite":
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    return done


def _delete(connection: Connection, table: Table, erased: Whom, *, dry_run: bool) -> int:
    names = [name for name in IDS if name in table.c]
    gone = _of_theirs(connection, table, names, erased)
    if not dry_run:
        key = [column.name for column in table.primary_key.columns]
        _each(connection, delete(table).where(*(table.c[name] == bindparam(f"its_{name}") for name in key)), gone.select(key))
    return gone.height


def _notes(connection: Connection, erased: Whom, *, dry_run: bool) -> int:
    rows = _frame(connection, ACTIONS, ["action_id", "learner_id", "note"]).filter(pl.col("note").is_not_null())
    named = rows.filter(erased.holds("names", rows["learner_id"]))
    if not dry_run:
        wiped = update(ACTIONS).where(ACTIONS.c.action_id == bindparam("its_action_id")).values(note=None)
        _each(connection, wiped, named.select("action_id"))
    return named.height


def _calls(connection: Connection, erased: Whom, *, dry_run: bool) -> int:
    """Bodies of calls, those that left included: they are kept as long as the outbox is."""
    changed = 0
    for item, body in connection.execute(select(OUTBOX.c.item, OUTBOX.c.text).where(OUTBOX.c.channel == "webhook")).all():
        call = json.loads(body)
        records = pl.DataFrame({name: [record.get(name) for record in call["records"]] for name in IDS})
        left = [record for record, gone in zip(call["records"], theirs(records, erased), strict=True) if not gone]
        if len(left) < len(call["records"]):
            changed += 1
            if not dry_run:
                rest = json.dumps(call | {"records": left}, ensure_ascii=False)
                connection.execute(update(OUTBOX).where(OUTBOX.c.item == item).values(text=rest))
    return changed


def _log(connection: Connection, erased: Whom, *, dry_run: bool) -> int:
    rows = _frame(connection, AUDIT, ["entry", "verb", "object_id"]).filter(~pl.col("verb").is_in(OF_NOBODY))
    who = pl.coalesce(pl.col("object_id").str.extract(_PAGE_OF_A_CASE), "object_id")
    named = rows.with_columns(learner_id=who, enrolment_id=who)
    gone = named.filter(theirs(named, erased)).select("entry")
    if not dry_run:
        unnamed = update(AUDIT).where(AUDIT.c.entry == bindparam("its_entry")).values(object_id=NOBODY)
        _each(connection, unnamed, gone)
    return gone.height


def _of_theirs(connection: Connection, table: Table, names: list[str], erased: Whom) -> pl.DataFrame:
    key = [column.name for column in table.primary_key.columns]
    rows = _frame(connection, table, list(dict.fromkeys([*key, *names])))
    return rows.filter(theirs(rows, erased, names=table is LEARNERS))


def _frame(connection: Connection, table: Table, names: list[str]) -> pl.DataFrame:
    rows = [tuple(row) for row in connection.execute(select(*(table.c[name] for name in names)))]
    texts = {name: pl.String for name in names if isinstance(table.c[name].type, String)}
    return pl.DataFrame(rows, schema=names, schema_overrides=texts, orient="row", infer_schema_length=None)


def _each(connection: Connection, statement: Any, keys: pl.DataFrame) -> None:  # noqa: ANN401 - a delete or an update
    if keys.height:
        connection.execute(statement, [{f"its_{name}": value for name, value in row.items()} for row in keys.to_dicts()])
