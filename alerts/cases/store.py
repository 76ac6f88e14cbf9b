"""The night's side of the case store: names kept, lists published, answers taken up."""

from __future__ import annotations

import datetime as dt
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl
from sqlalchemy import Boolean, Date, Float, Integer, String, Text, and_, delete, func, insert, or_, select, update

from alerts.cases.bulk import fill
from alerts.cases.database import open_database
from alerts.cases.desk import newest_night
from alerts.cases.schema import (
    ABSENCES,
    ACTIONS,
    ADVISORS,
    ALERTS,
    AUDIT,
    FILES,
    GONE_ADVISORS,
    GONE_LEARNERS,
    LEARNERS,
    MOVES,
    NIGHTS,
    PEOPLE,
    POSTS,
    PRACTICE,
    SESSION_ALERTS,
    Instant,
)
from alerts.facts import ABSENCE_COLUMNS, ANSWER_COLUMNS, PAST_COLUMNS, local_day
from data_contracts.practice import KEPT_DAYS
from data_contracts.vocabulary import LISTED
from vigie import clock
from vigie.clock import end_of_day
from vigie.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Select, Table

_PRIVATE: Final = {"learner_identities": (LEARNERS, GONE_LEARNERS), "advisors": (ADVISORS, GONE_ADVISORS)}
"""Names, and who was withdrawn: nobody is in both."""
_POLARS: Final[dict[type, pl.DataType]] = {
    Instant: pl.Datetime("us", "UTC"),
    Date: pl.Date(),
    Boolean: pl.Boolean(),
    Integer: pl.Int64(),
    Float: pl.Float64(),
    String: pl.String(),
    Text: pl.String(),
}
AT_A_TIME: Final = 1_000
"""Rows written in one go ahead of a night: some ten milliseconds."""
SHORTEST_PAUSE: Final = 0.01
"""Between two goes, in seconds; whoever waits for SQLite's pen asks for it again every tenth of a second at the latest."""
AT_WORK: Final = dt.timedelta(minutes=5)
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
    practice: pl.DataFrame = field(default_factory=lambda: _empty(PRACTICE))
    """What became of situations after each kind of answer: columns of the table `practice`."""
    sessions: pl.DataFrame = field(default_factory=lambda: _empty(SESSION_ALERTS))
    """Sessions to look at as a whole: columns of the table `session_alerts`, and any others."""


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

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.engine.dispose()
        said = str(getattr(error, "orig", None) or "").lower()
        if "disk is full" in said or "disk i/o error" in said:
            raise StorageError("The disk of the case store is full.", "Free some room, then run the command again.") from error
        if "malformed" in said or "not a database" in said:
            raise StorageError("The case store is damaged.", "Restore it from a backup: vigie restore.") from error
        if "readonly" in said or "unable to open" in said:
            raise StorageError("The case store may not be written to.", "Give this account the right to write to its folder.") from error

    def save_private(self, table: str, rows: pl.DataFrame) -> None:
        """Keep the newest known layer of each person, withdrawals included; of layers as new, the last delivered.

        Of who is withdrawn, key and instant are kept, so that an older delivery that comes later changes nothing.

        Args:
            table: learner_identities or advisors.
            rows: key, known_on, withdrawn and the private columns of that contract; without withdrawn, nobody is.
        """
        names, gone = _PRIVATE[table]
        key = next(iter(names.primary_key.columns)).name
        newest = rows.sort("known_on", maintain_order=True).unique(key, keep="last", maintain_order=True)
        withdrawn = newest.filter("withdrawn") if "withdrawn" in newest.columns else newest.clear()
        kept = newest.join(withdrawn, on=key, how="anti", maintain_order="left").drop("withdrawn", strict=False)
        with self.engine.begin() as connection:
            _outdate(connection, names, gone, kept)
            _outdate(connection, gone, names, withdrawn.select(key, "known_on"))

    def publish(self, night: Published) -> None:
        """Replace what the night of `night.as_of` published: a reader sees the former list whole, or the new one.

        What belongs to a night that nobody sees yet is written ahead, a little at a time, so that the day's writers never wait long for
        SQLite's one pen; one short transaction then shows it. A night that was shown already is replaced in one transaction.

        Cases taken or handed over by day and not yet known to a night stay where the day put them.
        """
        alerts = night.alerts.with_columns(
            pl.col("kind", "queue", "state").cast(pl.String), reasons=pl.struct("reasons").struct.json_encode()
        ).select(column.name for column in ALERTS.columns)
        files = night.files.with_columns(as_of=pl.lit(night.as_of)).select(column.name for column in FILES.columns)
        newest = self._newest()
        today = clock.now().date()
        # As `newest_night` chooses: a night whose day has come goes before one whose has not.
        ahead = newest is None or (newest <= today, newest) < (night.as_of <= today, night.as_of)
        if ahead:
            self._clear_ahead(night.as_of)
            for table, rows in ((ALERTS, alerts), (FILES, files)):
                self._fill_slowly(table, rows)
        people = self._changed(night.people)
        with self.engine.begin() as connection:
            if not ahead:
                for table in (ALERTS, FILES):
                    connection.execute(delete(table).where(table.c.as_of == night.as_of))
                fill(connection, ALERTS, alerts)
            # Ahead too: a wrong clock may have left one of that date.
            connection.execute(delete(NIGHTS).where(NIGHTS.c.as_of == night.as_of))
            head = {"as_of": night.as_of, "published_at": night.at, "model_version": night.model_version, "notice": night.notice}
            connection.execute(insert(NIGHTS), [head])
            if ahead or newest == night.as_of:
                if not ahead:
                    fill(connection, FILES, files)
                _replace_people(connection, *people)
                sessions = night.sessions.select(column.name for column in SESSION_ALERTS.columns)
                for table, rows in ((POSTS, night.posts), (PRACTICE, night.practice), (SESSION_ALERTS, sessions)):
                    connection.execute(delete(table))
                    fill(connection, table, rows)
                _move_again(connection, night.as_of)
        self._forget_files(night.as_of)

    def _newest(self) -> dt.date | None:
        with self.engine.connect() as connection:
            night = newest_night(connection)
            return night.as_of if night else None

    def _clear_ahead(self, as_of: dt.date) -> None:
        """Take away what a night that died before it was shown wrote ahead."""
        with self.engine.begin() as connection:
            for table in (ALERTS, FILES):
                connection.execute(delete(table).where(table.c.as_of == as_of))

    def _fill_slowly(self, table: Table, rows: pl.DataFrame) -> None:
        # Only SQLite has one pen.
        size = AT_A_TIME if self.engine.dialect.name == "sqlite" else max(1, rows.height)
        for part in rows.iter_slices(size):
            with self._short_go() as connection:
                fill(connection, table, part)

    @contextmanager
    def _short_go(self) -> Iterator[Connection]:
        """A transaction after which SQLite's pen is left to others for as long as it was held, while somebody is at work."""
        start = time.perf_counter()
        with self.engine.begin() as connection:
            yield connection
            # Every page leaves a line in the log: a silent log is an empty office.
            read = connection.execute(select(func.max(AUDIT.c.at))).scalar_one()
        if self.engine.dialect.name == "sqlite" and read is not None and clock.now() - read < AT_WORK:
            time.sleep(max(SHORTEST_PAUSE, time.perf_counter() - start))

    def _changed(self, people: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
        """Rows of `people` that differ from those shown now, and the enrolments that are gone: by far the most stay as they are."""
        shown = self._frame(select(PEOPLE))
        given = people.with_columns(pl.lit(None, kind).alias(name) for name, kind in shown.schema.items() if name not in people.columns)
        given = given.select(pl.col(name).cast(kind) for name, kind in shown.schema.items())
        changed = given.join(shown, on=shown.columns, how="anti", nulls_equal=True)
        gone = shown.join(given, on="enrolment_id", how="anti")["enrolment_id"].to_list()
        return changed, gone

    def _forget_files(self, as_of: dt.date) -> None:
        """Case files are those of the newest night; the others go, a little at a time."""
        with self.engine.connect() as connection:
            older = connection.execute(select(FILES.c.as_of).where(FILES.c.as_of < as_of).distinct()).scalars().all()
        for day in older:
            left = True
            while left:
                with self._short_go() as connection:
                    theirs = FILES.c.as_of == day
                    # By the order of the key, so that each go touches its own rows alone.
                    end = select(FILES.c.enrolment_id).where(theirs).order_by(FILES.c.enrolment_id).limit(1).offset(AT_A_TIME)
                    last = connection.execute(end).scalar_one_or_none()
                    connection.execute(delete(FILES).where(theirs if last is None else theirs & (FILES.c.enrolment_id < last)))
                left = last is not None

    def past(self, before: dt.date) -> pl.DataFrame:
        """Alerts of the nights before `before`, columns `alerts.facts.PAST_COLUMNS`: all of the last one, of earlier ones those listed.

        What waited on an older night says nothing to a new one, and by far the most wait.
        """
        columns = [ALERTS.c[name] for name in PAST_COLUMNS]
        earlier = and_(
            ALERTS.c.as_of < before, ALERTS.c.as_of >= before - dt.timedelta(days=KEPT_DAYS), ALERTS.c.as_of.in_(select(NIGHTS.c.as_of))
        )
        with self.engine.connect() as connection:
            last = connection.execute(select(func.max(ALERTS.c.as_of)).where(earlier)).scalar_one()
        query = select(*columns).where(earlier, or_(ALERTS.c.state.in_(LISTED), ALERTS.c.as_of == last))
        return self._frame(query.order_by(ALERTS.c.as_of, ALERTS.c.alert_id))

    def names(self, learner_ids: Sequence[str]) -> pl.DataFrame:
        """learner_id, given_name, family_name, phone, email, language of these learners."""
        query = select(*(column for column in LEARNERS.columns if column.name != "known_on"))
        starts = range(0, len(learner_ids) or 1, _MANY)
        return pl.concat(self._frame(query.where(LEARNERS.c.learner_id.in_(learner_ids[start : start + _MANY]))) for start in starts)

    def kept_people(self) -> pl.DataFrame:
        """Everybody it tells of: learner_id, named (a name or a note is kept), noted_on (day of the last answer), named_on."""
        names = self._frame(select(LEARNERS.c.learner_id, LEARNERS.c.known_on.label("since")))
        noted = select(ACTIONS.c.learner_id, func.max(ACTIONS.c.at).label("at"), func.count(ACTIONS.c.note).label("notes"))
        both = names.join(self._frame(noted.group_by(ACTIONS.c.learner_id)), on="learner_id", how="full", coalesce=True)
        return both.select(
            "learner_id",
            named=pl.col("since").is_not_null() | (pl.col("notes") > 0).fill_null(value=False),
            noted_on=pl.col("at").dt.date(),
            named_on=pl.col("since").dt.date(),
        )

    def advisors(self) -> pl.DataFrame:
        """advisor_id, name, email of every advisor."""
        return self._frame(select(ADVISORS.c.advisor_id, ADVISORS.c.name, ADVISORS.c.email))

    def answers(self, as_of: dt.date, before: dt.datetime) -> pl.DataFrame:
        """What advisors wrote down by `before` that no other night has taken up, oldest first: every column of the table `actions`."""
        return self._fresh(ACTIONS, as_of, before)

    def moves(self, as_of: dt.date, before: dt.datetime) -> pl.DataFrame:
        """Cases taken or handed over by `before` that no other night has taken up: every column of the table `moves`."""
        return self._fresh(MOVES, as_of, before)

    def answered(self, as_of: dt.date, time_zone: str) -> pl.DataFrame:
        """Every answer written by the end of `as_of`, oldest first: `alerts.facts.ANSWER_COLUMNS`."""
        columns = [ACTIONS.c[name] for name in ("enrolment_id", "learner_id", "code", "at", "remind_on", "reason", "kind")]
        query = select(*columns).where(ACTIONS.c.at <= end_of_day(as_of, time_zone)).order_by(ACTIONS.c.at, ACTIONS.c.action_id)
        return self._frame(query).with_columns(on=local_day("at", time_zone)).select(list(ANSWER_COLUMNS))

    def opinions(self, first: dt.date, as_of: dt.date, time_zone: str) -> pl.DataFrame:
        """What advisors said of risk alerts from the day of `first` to the end of `as_of`: code, reason (leading subject), why, useful."""
        since = end_of_day(first - dt.timedelta(days=1), time_zone)
        # Promises are the service's own: what is said of them tells nothing of the model.
        asked = (ACTIONS.c.kind == "dropout_risk", ACTIONS.c.at > since, ACTIONS.c.at <= end_of_day(as_of, time_zone))
        query = select(*(ACTIONS.c[name] for name in ("code", "reason", "why", "useful"))).where(*asked)
        return self._frame(query.order_by(ACTIONS.c.at, ACTIONS.c.action_id))

    def absences(self, as_of: dt.date, time_zone: str) -> pl.DataFrame:
        """Absences announced by the end of `as_of` and not withdrawn by then: `alerts.facts.ABSENCE_COLUMNS`."""
        end = end_of_day(as_of, time_zone)
        stands = (ABSENCES.c.at <= end) & (ABSENCES.c.withdrawn_at.is_(None) | (ABSENCES.c.withdrawn_at > end))
        query = select(*(ABSENCES.c[name] for name in ABSENCE_COLUMNS)).where(stands)
        return self._frame(query.order_by(ABSENCES.c.first_day, ABSENCES.c.absence_id))

    def taken_up(self, as_of: dt.date, before: dt.datetime) -> None:
        """Note that the night of `as_of` has the day's actions and moves; those a night had already are left alone."""
        with self.engine.begin() as connection:
            for table in (ACTIONS, MOVES):
                fresh = (table.c.at <= before) & table.c.taken_for.is_(None)
                connection.execute(update(table).where(fresh).values(taken_for=as_of))

    def to_give_back(self, as_of: dt.date) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Actions and moves that nights up to `as_of` took up and no other night gave back, oldest first: every column of both tables.

        A night that died, or was not published, leaves its own to the next.
        """
        actions, moves = (self._rows(table, _not_given(table, as_of) | (table.c.given_for == as_of)) for table in (ACTIONS, MOVES))
        return actions, moves

    def given_back(self, as_of: dt.date) -> None:
        """Note that the night of `as_of` gave back what was left to give."""
        with self.engine.begin() as connection:
            for table in (ACTIONS, MOVES):
                connection.execute(update(table).where(_not_given(table, as_of)).values(given_for=as_of))

    def _fresh(self, table: Table, as_of: dt.date, before: dt.datetime) -> pl.DataFrame:
        # The same night run again takes up the same: its files stay byte for byte what they were.
        fresh = table.c.taken_for.is_(None) | (table.c.taken_for == as_of)
        return self._rows(table, (table.c.at <= before) & fresh)

    def _rows(self, table: Table, which: ColumnElement[bool]) -> pl.DataFrame:
        return self._frame(select(table).where(which).order_by(table.c.at, *table.primary_key.columns))

    def _frame(self, query: Select[Any]) -> pl.DataFrame:
        schema = {column.name: _POLARS[type(column.type)] for column in query.selected_columns}
        with self.engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=schema, orient="row")


def _outdate(connection: Connection, told: Table, other: Table, rows: pl.DataFrame) -> None:
    """Put rows into `told`; of whoever then is in both tables only the newer row stays, that of `told` where they are as new."""
    if rows.is_empty():
        return
    fill(connection, told, rows, newest_by="known_on")
    key = next(iter(told.primary_key.columns))
    same = key == other.c[key.name]
    connection.execute(delete(other).where(select(told).where(same, told.c.known_on >= other.c.known_on).exists()))
    connection.execute(delete(told).where(key.in_(select(other.c[key.name]))))


def _not_given(table: Table, as_of: dt.date) -> ColumnElement[bool]:
    return (table.c.taken_for <= as_of) & table.c.given_for.is_(None)


def _replace_people(connection: Connection, changed: pl.DataFrame, gone: list[str]) -> None:
    ids = [*changed["enrolment_id"].to_list(), *gone]
    for start in range(0, len(ids), _MANY):
        connection.execute(delete(PEOPLE).where(PEOPLE.c.enrolment_id.in_(ids[start : start + _MANY])))
    fill(connection, PEOPLE, changed)


def _move_again(connection: Connection, as_of: dt.date) -> None:
    """Put back what the day moved since this night was decided, and to whom cases that still wait were referred."""
    late = select(MOVES).where(MOVES.c.taken_for.is_(None) | (MOVES.c.taken_for > as_of), MOVES.c.to_operator.is_(None))
    for move in connection.execute(late.order_by(MOVES.c.at, MOVES.c.move_id)).all():
        apply_move(connection, as_of, move.learner_id, move.to_advisor_id)
    newest = func.max(MOVES.c.at).over(partition_by=MOVES.c.learner_id)
    last = select(MOVES.c.learner_id, MOVES.c.to_operator, MOVES.c.at, newest.label("newest")).subquery()
    sent_on = select(last.c.learner_id, last.c.to_operator).where(last.c.at == last.c.newest, last.c.to_operator.is_not(None))
    for learner_id, operator in connection.execute(sent_on).all():
        waiting = (PEOPLE.c.learner_id == learner_id) & PEOPLE.c.waiting_since.is_not(None)
        connection.execute(update(PEOPLE).where(waiting).values(referred_to=operator))


def apply_move(connection: Connection, as_of: dt.date, learner_id: str, to_advisor_id: str | None) -> None:
    """Let a learner's case and its open tasks lie with another advisor, or with the territory's queue."""
    queue = "owner" if to_advisor_id else "territory"
    where = {"advisor_id": to_advisor_id, "queue": queue}
    theirs = PEOPLE.c.learner_id == learner_id
    connection.execute(update(PEOPLE).where(theirs).values(**where, waiting_since=None, referred_to=None))
    connection.execute(update(ALERTS).where(ALERTS.c.as_of == as_of, ALERTS.c.learner_id == learner_id).values(**where))
