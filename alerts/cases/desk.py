"""What is read by day: today's list, the queue, a case. Every question is asked in the name of somebody; `acts` writes."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Date, and_, func, literal, or_, select, union_all

from alerts.cases.schema import ACTIONS, ADVISORS, ALERTS, FILES, LEARNERS, MOVES, NIGHTS, PEOPLE, POSTS, PRACTICE, SESSION_ALERTS
from data_contracts.vocabulary import LISTED
from vigie import clock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Row

    from alerts.cases.access import User

FOUND_AT_MOST: Final = 50


@dataclass(frozen=True)
class Case:
    """A case page: who, the alerts of this night and before, what was done, and what the night knew."""

    person: Row[Any]
    alerts: list[Row[Any]]
    """Of the newest night."""
    history: list[Row[Any]]
    """as_of, kind, state, risk of every night, oldest first."""
    actions: list[Row[Any]]
    content: dict[str, Any]
    """As from `alerts.casefile`; empty for somebody who is on no list."""
    night: Row[Any]
    mine: bool
    """False for a team lead, and for a former owner who reads on for a while."""
    borrowed: bool
    """Its owner is away: as from `borrowed`."""
    opposed: bool
    """The person objects to the estimate, in this enrolment or another."""


@dataclass(frozen=True)
class Today:
    """An advisor's list: alerts by person, best first, with what was already written down today."""

    night: Row[Any] | None
    people: list[list[Row[Any]]] = field(default_factory=list)
    done: dict[str, Row[Any]] = field(default_factory=dict)
    """By enrolment, the latest answer that this night does not know yet."""
    waiting: int = 0
    reminders: list[Row[Any]] = field(default_factory=list)
    """Cases to come back to by now: the answers that say so, with names."""
    sessions: list[Row[Any]] = field(default_factory=list)
    """Those to look at as a whole: course, people, theirs, session_risk; the highest rate first."""


def newest_night(connection: Connection) -> Row[Any] | None:
    """The night whose lists are shown: the newest whose day has come, so that one run under a wrong clock hides no true one."""
    ahead = NIGHTS.c.as_of > clock.now().date()
    return connection.execute(select(NIGHTS).order_by(ahead, NIGHTS.c.as_of.desc()).limit(1)).one_or_none()


def notice(engine: Engine) -> str:
    """What must be said of made-up data on every page; empty for real data."""
    with engine.connect() as connection:
        night = newest_night(connection)
        return night.notice if night else ""


def today(engine: Engine, user: User, day: dt.date) -> Today:
    """The list of an advisor on `day`, and what they asked to be reminded of; nothing for any other role."""
    with engine.connect() as connection:
        night = newest_night(connection)
        if night is None or user.role != "advisor":
            return Today(night)
        mine = and_(ALERTS.c.as_of == night.as_of, ALERTS.c.advisor_id == user.advisor_id)
        groups = sessions_told(connection, SESSION_ALERTS.c.advisor_id == user.advisor_id)
        return replace(_listed(connection, night, mine), reminders=_reminders(connection, user, day), sessions=groups)


def queue(engine: Engine, user: User) -> Today:
    """The territory's queue: people whom nobody follows. For its advisors and its team lead."""
    with engine.connect() as connection:
        night = newest_night(connection)
        if night is None or user.role not in {"advisor", "lead"}:
            return Today(night)
        here = and_(ALERTS.c.as_of == night.as_of, ALERTS.c.queue == "territory", ALERTS.c.territory_id == user.territory_id)
        found = _listed(connection, night, here)
        # Whom another operator pointed out to this one comes first.
        people = sorted(found.people, key=lambda rows: rows[0].referred_to != user.operator)
        return replace(found, people=people, sessions=sessions_told(connection, without_advisor(user)))


def without_advisor(user: User) -> ColumnElement[bool]:
    """Rows of `session_alerts` of those whom nobody follows on this person's territory."""
    return and_(SESSION_ALERTS.c.advisor_id.is_(None), SESSION_ALERTS.c.territory_id == user.territory_id)


def sessions_told(connection: Connection, whose: ColumnElement[bool]) -> list[Row[Any]]:
    """Sessions to look at as a whole: course, people, theirs (of all these recipients), session_risk; the highest rate first."""
    told = SESSION_ALERTS.c
    columns = (told.session_id, told.course, told.people, told.session_risk)
    query = select(*columns, func.sum(told.theirs).label("theirs")).where(whose).group_by(*columns)
    return list(connection.execute(query.order_by(told.session_risk.desc(), told.session_id)).all())


def _listed(connection: Connection, night: Row[Any], which: ColumnElement[bool]) -> Today:
    columns = select(
        ALERTS, PEOPLE.c.course, PEOPLE.c.entry_date, PEOPLE.c.planned_exit_date, PEOPLE.c.waiting_since, PEOPLE.c.referred_to, *NAMES
    )
    query = with_names(columns.join(PEOPLE, PEOPLE.c.enrolment_id == ALERTS.c.enrolment_id), ALERTS)
    # Somebody taken this morning has an owner: that task is done, whatever the night still says.
    done_today = and_(ALERTS.c.kind == "no_owner", PEOPLE.c.queue == "owner")
    people: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query.where(which, ALERTS.c.state.in_(LISTED), ~done_today).order_by(ALERTS.c.rank)):
        people.setdefault(row.learner_id, []).append(row)
    waiting = connection.execute(
        select(func.count(func.distinct(ALERTS.c.learner_id))).where(which, ALERTS.c.state == "over_capacity")
    ).scalar_one()
    theirs = ACTIONS.c.enrolment_id.in_([row.enrolment_id for rows in people.values() for row in rows])
    answers = connection.execute(select(ACTIONS).where(fresh(night), theirs).order_by(ACTIONS.c.at, ACTIONS.c.action_id))
    done = {row.enrolment_id: row for row in answers}
    # Who objected this morning in one enrolment is estimated in no other, whatever the night still says.
    objects = _opposed(connection, list(people))
    left = ([row for row in rows if not _estimated_still(row, objects, done)] for rows in people.values())
    return Today(night, [rows for rows in left if rows], done, int(waiting))


def _estimated_still(row: Row[Any], objects: set[str], done: Collection[str]) -> bool:
    return row.kind == "dropout_risk" and row.learner_id in objects and row.enrolment_id not in done


def _opposed(connection: Connection, learners: Sequence[str]) -> set[str]:
    """Those of these learners who object to the estimate and did not take it back since, as `alerts.silence.opposed`."""
    said = select(ACTIONS.c.learner_id, ACTIONS.c.code).where(
        ACTIONS.c.code.in_(("opposed", "unopposed")), ACTIONS.c.learner_id.in_(learners)
    )
    last = dict(connection.execute(said.order_by(ACTIONS.c.at, ACTIONS.c.action_id)).tuples().all())
    return {learner for learner, code in last.items() if code == "opposed"}


def _reminders(connection: Connection, user: User, day: dt.date) -> list[Row[Any]]:
    later = ACTIONS.alias()
    newer = select(later.c.action_id).where(later.c.enrolment_id == ACTIONS.c.enrolment_id, later.c.at > ACTIONS.c.at)
    mine = select(ACTIONS, PEOPLE.c.course, *NAMES).join(PEOPLE, PEOPLE.c.enrolment_id == ACTIONS.c.enrolment_id)
    due = and_(ACTIONS.c.remind_on <= day, PEOPLE.c.advisor_id == user.advisor_id, ~newer.exists())
    return list(connection.execute(with_names(mine, ACTIONS).where(due).order_by(ACTIONS.c.remind_on, ACTIONS.c.enrolment_id)).all())


def case(engine: Engine, user: User, enrolment_id: str) -> Case | None:
    """A case page, or nothing when it does not exist or is not this person's to read: the two look the same from outside."""
    with engine.connect() as connection:
        query = with_names(select(PEOPLE, ADVISORS.c.name.label("owner_name"), *NAMES), PEOPLE).outerjoin(
            ADVISORS, ADVISORS.c.advisor_id == PEOPLE.c.advisor_id
        )
        person = connection.execute(query.where(PEOPLE.c.enrolment_id == enrolment_id, may_read(user))).one_or_none()
        night = newest_night(connection)
        if person is None or night is None:
            return None
        ours = ALERTS.c.enrolment_id == enrolment_id
        entered = literal(person.entry_date, Date).label("entry_date")
        alerts = connection.execute(select(ALERTS, entered).where(ours, ALERTS.c.as_of == night.as_of).order_by(ALERTS.c.rank)).all()
        columns = (ALERTS.c.as_of, ALERTS.c.kind, ALERTS.c.state, ALERTS.c.risk, ALERTS.c.reasons)
        history = connection.execute(
            select(*columns).where(ours, ALERTS.c.as_of <= night.as_of).order_by(ALERTS.c.as_of, ALERTS.c.kind)
        ).all()
        done = select(ACTIONS).where(ACTIONS.c.enrolment_id == enrolment_id).order_by(ACTIONS.c.at.desc(), ACTIONS.c.action_id)
        content = connection.execute(
            select(FILES.c.content).where(FILES.c.as_of == night.as_of, FILES.c.enrolment_id == enrolment_id)
        ).scalar_one_or_none()
        return Case(
            person,
            list(alerts),
            list(history),
            list(connection.execute(done).all()),
            json.loads(content) if content else {},
            night,
            mine=user.role == "advisor" and (person.advisor_id == user.advisor_id or person.queue == "territory"),
            borrowed=borrowed(connection, person, night.as_of),
            opposed=bool(_opposed(connection, [person.learner_id])),
        )


def in_queue(engine: Engine, user: User, enrolment_id: str) -> bool:
    """Whether a case that this person may work on has nobody who follows it."""
    waits = select(PEOPLE.c.enrolment_id).where(PEOPLE.c.enrolment_id == enrolment_id, PEOPLE.c.queue == "territory", owns(user))
    with engine.connect() as connection:
        return connection.execute(waits).first() is not None


def borrowed(connection: Connection, person: Row[Any], as_of: dt.date) -> bool:
    """Whether a stand-in has the calls of a case whose owner comes back; an owner who left is missed, and that night says so."""
    missed = and_(ALERTS.c.as_of == as_of, ALERTS.c.learner_id == person.learner_id, ALERTS.c.kind == "no_owner")
    return person.queue == "backup" and not connection.execute(select(select(ALERTS.c.alert_id).where(missed).exists())).scalar_one()


def owns(user: User) -> ColumnElement[bool]:
    """Whose case it is to work on: an advisor's own, or the team's for a lead, and their territory's queue."""
    return or_(*_own(user))


def may_read(user: User) -> ColumnElement[bool]:
    """Whose case it is to read: those one works on, and for an advisor those handed over since `user.reads_since`."""
    return or_(*_ways(user))


def _own(user: User) -> list[ColumnElement[bool]]:
    waiting = and_(PEOPLE.c.queue == "territory", PEOPLE.c.territory_id == user.territory_id)
    if user.role == "advisor":
        return [PEOPLE.c.advisor_id == user.advisor_id, waiting]
    if user.role == "lead":
        return [PEOPLE.c.advisor_id.in_(team(user)), waiting]
    return [PEOPLE.c.enrolment_id.is_(None)]


def _ways(user: User) -> list[ColumnElement[bool]]:
    if user.role != "advisor" or not user.reads_since:
        return _own(user)
    handed = select(MOVES.c.learner_id).where(MOVES.c.from_advisor_id == user.advisor_id, MOVES.c.at >= user.reads_since)
    return [*_own(user), PEOPLE.c.learner_id.in_(handed)]


def team(user: User) -> Any:  # noqa: ANN401 - a select
    """advisor_id of those who work for the same operator in the same territory."""
    return select(POSTS.c.advisor_id).where(POSTS.c.operator == user.operator, POSTS.c.territory_id == user.territory_id)


def in_post(day: dt.date) -> ColumnElement[bool]:
    """Rows of `posts` of those who are at work on `day`."""
    return or_(POSTS.c.active_to.is_(None), POSTS.c.active_to >= day)


def fresh(night: Row[Any]) -> ColumnElement[bool]:
    """Actions that no night up to this one has taken up: also when it is published again in the middle of the day."""
    return or_(ACTIONS.c.taken_for.is_(None), ACTIONS.c.taken_for > night.as_of)


def colleagues(engine: Engine, user: User, day: dt.date) -> list[Row[Any]]:
    """advisor_id and name of the team's advisors in post on `day`, by name; for an advisor, without themselves."""
    query = select(POSTS.c.advisor_id, func.coalesce(ADVISORS.c.name, POSTS.c.advisor_id).label("name"))
    query = query.outerjoin(ADVISORS, ADVISORS.c.advisor_id == POSTS.c.advisor_id).where(POSTS.c.advisor_id.in_(team(user)), in_post(day))
    if user.advisor_id:
        query = query.where(POSTS.c.advisor_id != user.advisor_id)
    with engine.connect() as connection:
        return sorted(connection.execute(query.order_by(POSTS.c.advisor_id)).all(), key=lambda one: plain(one.name))


def operators(engine: Engine, user: User) -> list[str]:
    """Other operators at work in the same territory."""
    query = select(POSTS.c.operator).where(POSTS.c.territory_id == user.territory_id, POSTS.c.operator != user.operator)
    with engine.connect() as connection:
        return list(connection.execute(query.distinct().order_by(POSTS.c.operator)).scalars().all())


def practice(engine: Engine, territory_id: str, reasons: Sequence[str]) -> list[Row[Any]]:
    """What became of situations with these reasons on this territory, by answer: rows of the table `practice`."""
    query = select(PRACTICE).where(PRACTICE.c.territory_id == territory_id, PRACTICE.c.reason.in_(reasons))
    with engine.connect() as connection:
        return list(connection.execute(query.order_by(PRACTICE.c.reason, PRACTICE.c.people.desc(), PRACTICE.c.code)).all())


def search(engine: Engine, user: User, text: str) -> list[Row[Any]]:
    """People whose name, first or last, starts so, among those this person may read; capitals and accents do not count."""
    start = plain(text.strip())
    # One select for each way to have a case: an OR over them would read everybody.
    ways = [select(PEOPLE.c.enrolment_id).where(way) for way in _ways(user)]
    query = select(PEOPLE.c.enrolment_id, PEOPLE.c.learner_id, PEOPLE.c.course, LEARNERS.c.given_name, LEARNERS.c.family_name)
    named = query.join(LEARNERS, LEARNERS.c.learner_id == PEOPLE.c.learner_id).where(PEOPLE.c.enrolment_id.in_(union_all(*ways)))
    with engine.connect() as connection:
        rows = connection.execute(named.order_by(PEOPLE.c.enrolment_id)).all()
    # Here and not in the query: SQLite knows no capital but those without accent, and no database folds accents by itself.
    found = [row for row in rows if any(name.startswith(start) for name in _both_ways(row))]
    return sorted(found, key=lambda row: _both_ways(row)[1])[:FOUND_AT_MOST]


def _both_ways(row: Row[Any]) -> tuple[str, str]:
    return plain(f"{row.given_name} {row.family_name}"), plain(f"{row.family_name} {row.given_name}")


def plain(text: str) -> str:
    """A name as it is looked for and sorted: capitals, accents and kinds of apostrophe do not count."""
    apart = unicodedata.normalize("NFKD", text.casefold().replace("\u2019", "'"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


NAMES: Final = (
    LEARNERS.c.given_name,
    LEARNERS.c.family_name,
    LEARNERS.c.phone,
    LEARNERS.c.email,
    LEARNERS.c.language,
)


def with_names(query: Any, of: Any) -> Any:  # noqa: ANN401 - a select, whose rows change
    """The query with the learner's row of identities, where there is one."""
    return query.outerjoin(LEARNERS, LEARNERS.c.learner_id == of.c.learner_id)
