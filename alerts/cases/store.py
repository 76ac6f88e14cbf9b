"""The night's side of the case store: names kept, lists published, answers taken up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl
from sqlalchemy import Boolean, Date, delete, insert, select, update

from alerts.cases.bulk import fill
from alerts.cases.database import open_database
from alerts.cases.schema import ACTIONS, ADVISORS, ALERTS, FILES, LEARNERS, MOVES, NIGHTS, PEOPLE, POSTS, Instant
from alerts.facts import PAST_COLUMNS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from sqlalchemy import Connection, Table

_PRIVATE: Final = {"learner_identities": LEARNERS, "advisors": ADVISORS}
_POLARS: Final = {Instant: pl.Datetime("us", "UTC"), Date: pl.Date, Boolean: pl.Boolean}
"""Column types that are not text."""
_MANY: Final = 500
"""Values in one IN list: below every database's limit."""


@dataclass(frozen=True)
class Published:
    """What a night hands to the page."""

    as_of: dt.date
    at: dt.datetime
    alerts: pl.DataFrame
    """Contract `Alerts`, with territory_id and low_confidence."""
    model_version: str = ""
    notice: str = ""
    """What must be said of made-up data; empty for real data."""
    people: pl.DataFrame = field(default_factory=lambda: _empty(PEOPLE))
    """Everybody who is followed: columns of the table `people`."""
    posts: pl.DataFrame = field(default_factory=lambda: _empty(POSTS))
    """Advisors in post: columns of the table `posts`."""
    files: pl.DataFrame = field(default_factory=lambda: _empty(FILES))
    """enrolment_id, content (JSON): the case page of those who stand on a list."""


def _empty(table: Table) -> pl.DataFrame:
    return pl.DataFrame(schema=[column.name for column in table.columns])


class CaseStore:
    """What people touch by day, behind one address (SQLAlchemy). Use as a context manager."""

    def __init__(self, url: str) -> None:
        """Open the store and bring its tables up to date.

        Raises:
            ConfigurationError: the address cannot be opened.
        """
        self.engine = open_database(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.dispose()

    def save_private(self, table: str, rows: pl.DataFrame) -> None:
        """Keep the newest known layer of each person: an older delivery that comes later changes nothing.

        Args:
            table: learner_identities or advisors.
            rows: key, known_on and the private columns of that contract.
        """
        target = _PRIVATE[table]
        key = next(iter(target.primary_key.columns))
        newest = rows.sort("known_on").unique(key.name, keep="last", maintain_order=True)
        with self.engine.begin() as connection:
            fill(connection, target, newest, newest_by="known_on")

    def publish(self, night: Published) -> None:
        """Replace what the night of `night.as_of` published, in one transaction: a reader sees the former list whole, or the new one.

        Cases taken or handed over by day and not yet known to a night stay where the day put them.
        """
        alerts = night.alerts.with_columns(
            pl.col("kind", "queue", "state").cast(pl.String), reasons=pl.struct("reasons").struct.json_encode()
        ).select(column.name for column in ALERTS.columns)
        with self.engine.begin() as connection:
            for table in (ALERTS, NIGHTS):
                connection.execute(delete(table).where(table.c.as_of == night.as_of))
            head = {"as_of": night.as_of, "published_at": night.at, "model_version": night.model_version, "notice": night.notice}
            connection.execute(insert(NIGHTS), [head])
            fill(connection, ALERTS, alerts)
            newest = connection.execute(select(NIGHTS.c.as_of).order_by(NIGHTS.c.as_of.desc()).limit(1)).scalar_one()
            if newest == night.as_of:
                for table, rows in ((PEOPLE, night.people), (POSTS, night.posts), (FILES, night.files)):
                    connection.execute(delete(table))
                    fill(connection, table, rows)
                _move_again(connection, night.as_of)

    def past(self, before: dt.date) -> pl.DataFrame:
        """Alerts of the nights before `before`, columns `alerts.facts.PAST_COLUMNS`."""
        columns = [ALERTS.c[name] for name in PAST_COLUMNS]
        query = select(*columns).where(ALERTS.c.as_of < before).order_by(ALERTS.c.as_of, ALERTS.c.alert_id)
        return self._frame(query, PAST_COLUMNS)

    def names(self, learner_ids: Sequence[str]) -> pl.DataFrame:
        """learner_id, given_name, family_name, phone, email, language of these learners."""
        schema = {column.name: pl.String for column in LEARNERS.columns if column.name != "known_on"}
        columns = [LEARNERS.c[name] for name in schema]
        parts = [
            self._frame(select(*columns).where(LEARNERS.c.learner_id.in_(learner_ids[start : start + _MANY])), schema)
            for start in range(0, len(learner_ids), _MANY)
        ]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    def advisors(self) -> pl.DataFrame:
        """advisor_id, name, email of every advisor."""
        schema = {"advisor_id": pl.String, "name": pl.String, "email": pl.String}
        return self._frame(select(*(ADVISORS.c[name] for name in schema)), schema)

    def answers(self, as_of: dt.date, before: dt.datetime) -> pl.DataFrame:
        """What advisors wrote down by `before` that no other night has taken up, oldest first: every column of the table `actions`."""
        return self._fresh(ACTIONS, as_of, before)

    def moves(self, as_of: dt.date, before: dt.datetime) -> pl.DataFrame:
        """Cases taken or handed over by `before` that no other night has taken up: every column of the table `moves`."""
        return self._fresh(MOVES, as_of, before)

    def taken_up(self, as_of: dt.date, before: dt.datetime) -> None:
        """Note that the night of `as_of` has the day's actions and moves; those a night had already are left alone."""
        with self.engine.begin() as connection:
            for table in (ACTIONS, MOVES):
                fresh = (table.c.at <= before) & table.c.taken_for.is_(None)
                connection.execute(update(table).where(fresh).values(taken_for=as_of))

    def _fresh(self, table: Table, as_of: dt.date, before: dt.datetime) -> pl.DataFrame:
        schema = {column.name: _POLARS.get(type(column.type), pl.String) for column in table.columns}
        key = next(iter(table.primary_key.columns))
        # The same night run again takes up the same: its files stay byte for byte what they were.
        fresh = table.c.taken_for.is_(None) | (table.c.taken_for == as_of)
        return self._frame(select(table).where(table.c.at <= before, fresh).order_by(table.c.at, key), schema)

    def _frame(self, query: Any, schema: dict[str, Any]) -> pl.DataFrame:  # noqa: ANN401 - a select
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=schema, orient="row")


def _move_again(connection: Connection, as_of: dt.date) -> None:
    """Put back what the day moved since this night was decided."""
    late = select(MOVES).where(MOVES.c.taken_for.is_(None) | (MOVES.c.taken_for > as_of)).order_by(MOVES.c.at, MOVES.c.move_id)
    for move in connection.execute(late).all():
        apply_move(connection, as_of, move.learner_id, move.to_advisor_id)


def apply_move(connection: Connection, as_of: dt.date, learner_id: str, to_advisor_id: str | None) -> None:
    """Let a learner's case and its open tasks lie with another advisor, or with the territory's queue."""
    queue = "owner" if to_advisor_id else "territory"
    where = {"advisor_id": to_advisor_id, "queue": queue}
    connection.execute(update(PEOPLE).where(PEOPLE.c.learner_id == learner_id).values(**where))
    connection.execute(update(ALERTS).where(ALERTS.c.as_of == as_of, ALERTS.c.learner_id == learner_id).values(**where))
