"""The day's side of the case store: what an advisor reads and writes down. Every question is asked in the name of somebody."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, insert, or_, select, update

from alerts.cases.schema import ACTIONS, ADVISORS, ALERTS, FILES, LEARNERS, MOVES, NIGHTS, PEOPLE, POSTS
from alerts.cases.store import apply_move
from alerts.policy import LISTED

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy import ColumnElement, Connection, Engine, Row

    from alerts.cases.access import User

FOUND_AT_MOST: Final = 50


@dataclass(frozen=True)
class Answer:
    """What an advisor writes down of one call."""

    code: str
    channel: str = "phone"
    barrier: str | None = None
    note: str | None = None
    useful: bool | None = None


@dataclass(frozen=True)
class Case:
    """A case page: who, the alerts of this night and before, what was done, and what the night knew."""

    person: Row[Any]
    alerts: list[Row[Any]]
    """Of the newest night."""
    history: list[Row[Any]]
    """as_of, kind, state, risk of every night, oldest first."""
    actions: list[Row[Any]]
    content: dict[str, list[dict[str, Any]]]
    """As from `alerts.casefile`; empty for somebody who is on no list."""


@dataclass(frozen=True)
class Today:
    """An advisor's list: alerts by person, best first, with what was already written down today."""

    night: Row[Any] | None
    people: list[list[Row[Any]]] = field(default_factory=list)
    done: dict[str, Row[Any]] = field(default_factory=dict)
    """By enrolment, the latest answer that this night does not know yet."""
    waiting: int = 0


def newest_night(connection: Connection) -> Row[Any] | None:
    """The night whose lists are shown."""
    return connection.execute(select(NIGHTS).order_by(NIGHTS.c.as_of.desc()).limit(1)).one_or_none()


def notice(engine: Engine) -> str:
    """What must be said of made-up data on every page; empty for real data."""
    with engine.connect() as connection:
        night = newest_night(connection)
        return night.notice if night else ""


def today(engine: Engine, user: User) -> Today:
    """The list of an advisor; nothing for any other role."""
    with engine.connect() as connection:
        night = newest_night(connection)
        if night is None or user.role != "advisor":
            return Today(night)
        mine = and_(ALERTS.c.as_of == night.as_of, ALERTS.c.advisor_id == user.advisor_id)
        return _listed(connection, night, mine)


def queue(engine: Engine, user: User) -> Today:
    """The territory's queue: people whom nobody follows. For its advisors and its team lead."""
    with engine.connect() as connection:
        night = newest_night(connection)
        if night is None or user.role not in {"advisor", "lead"}:
            return Today(night)
        here = and_(ALERTS.c.as_of == night.as_of, ALERTS.c.queue == "territory", ALERTS.c.territory_id == user.territory_id)
        return _listed(connection, night, here)


def _listed(connection: Connection, night: Row[Any], which: ColumnElement[bool]) -> Today:
    query = _with_names(select(ALERTS, PEOPLE.c.course, *_NAMES).join(PEOPLE, PEOPLE.c.enrolment_id == ALERTS.c.enrolment_id), ALERTS)
    people: dict[str, list[Row[Any]]] = {}
    for row in connection.execute(query.where(which, ALERTS.c.state.in_(LISTED)).order_by(ALERTS.c.rank)):
        people.setdefault(row.learner_id, []).append(row)
    waiting = connection.execute(
        select(func.count(func.distinct(ALERTS.c.learner_id))).where(which, ALERTS.c.state == "over_capacity")
    ).scalar_one()
    # What no night up to this one has taken up: also when the night is published again in the middle of the day.
    fresh = or_(ACTIONS.c.taken_for.is_(None), ACTIONS.c.taken_for > night.as_of)
    theirs = ACTIONS.c.enrolment_id.in_([row.enrolment_id for rows in people.values() for row in rows])
    answers = connection.execute(select(ACTIONS).where(fresh, theirs).order_by(ACTIONS.c.at, ACTIONS.c.action_id))
    done = {row.enrolment_id: row for row in answers}
    return Today(night, list(people.values()), done, int(waiting))


def case(engine: Engine, user: User, enrolment_id: str) -> Case | None:
    """A case page, or nothing when it does not exist or is not this person's to read: the two look the same from outside."""
    with engine.connect() as connection:
        query = _with_names(select(PEOPLE, ADVISORS.c.name.label("owner_name"), *_NAMES), PEOPLE).outerjoin(
            ADVISORS, ADVISORS.c.advisor_id == PEOPLE.c.advisor_id
        )
        person = connection.execute(query.where(PEOPLE.c.enrolment_id == enrolment_id, may_read(user))).one_or_none()
        night = newest_night(connection)
        if person is None or night is None:
            return None
        ours = ALERTS.c.enrolment_id == enrolment_id
        alerts = connection.execute(select(ALERTS).where(ours, ALERTS.c.as_of == night.as_of).order_by(ALERTS.c.rank)).all()
        columns = (ALERTS.c.as_of, ALERTS.c.kind, ALERTS.c.state, ALERTS.c.risk)
        history = connection.execute(select(*columns).where(ours).order_by(ALERTS.c.as_of, ALERTS.c.kind)).all()
        done = select(ACTIONS).where(ACTIONS.c.enrolment_id == enrolment_id).order_by(ACTIONS.c.at.desc(), ACTIONS.c.action_id)
        content = connection.execute(select(FILES.c.content).where(FILES.c.enrolment_id == enrolment_id)).scalar_one_or_none()
        return Case(person, list(alerts), list(history), list(connection.execute(done).all()), json.loads(content) if content else {})


def may_read(user: User) -> ColumnElement[bool]:
    """Whose case it is: an advisor's own and their territory's queue; for a team lead, those of their operator's advisors and the queue."""
    waiting = and_(PEOPLE.c.queue == "territory", PEOPLE.c.territory_id == user.territory_id)
    if user.role == "advisor":
        return or_(PEOPLE.c.advisor_id == user.advisor_id, waiting)
    if user.role == "lead":
        team = select(POSTS.c.advisor_id).where(POSTS.c.operator == user.operator, POSTS.c.territory_id == user.territory_id)
        return or_(PEOPLE.c.advisor_id.in_(team), waiting)
    return PEOPLE.c.enrolment_id.is_(None)


def search(engine: Engine, user: User, text: str) -> list[Row[Any]]:
    """People whose name starts so, among those this person may read."""
    start = text.strip().lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    named = or_(func.lower(LEARNERS.c.family_name).like(start, escape="\\"), func.lower(LEARNERS.c.given_name).like(start, escape="\\"))
    query = _with_names(select(PEOPLE, *_NAMES), PEOPLE).where(may_read(user), named)
    with engine.connect() as connection:
        return list(connection.execute(query.order_by(LEARNERS.c.family_name, LEARNERS.c.given_name).limit(FOUND_AT_MOST)).all())


def act(engine: Engine, user: User, enrolment_id: str, answer: Answer, now: dt.datetime) -> bool:
    """Write down what came of a call; False when the case is not this person's. Only an advisor answers."""
    if user.role != "advisor":
        return False
    with engine.begin() as connection:
        person = connection.execute(select(PEOPLE).where(PEOPLE.c.enrolment_id == enrolment_id, may_read(user))).one_or_none()
        night = newest_night(connection)
        if person is None or night is None:
            return False
        ours = and_(ALERTS.c.as_of == night.as_of, ALERTS.c.enrolment_id == enrolment_id, ALERTS.c.state.in_(LISTED))
        alert = connection.execute(select(ALERTS.c.alert_id, ALERTS.c.kind).where(ours).order_by(ALERTS.c.rank).limit(1)).one_or_none()
        row = {
            "action_id": str(uuid.uuid4()),
            "at": now,
            "by_user": user.user_id,
            "advisor_id": user.advisor_id,
            "learner_id": person.learner_id,
            "enrolment_id": enrolment_id,
            "alert_id": alert.alert_id if alert else None,
            "kind": alert.kind if alert else None,
            "code": answer.code,
            "channel": answer.channel,
            "barrier": answer.barrier,
            "note": answer.note,
            "useful": answer.useful,
        }
        connection.execute(insert(ACTIONS), [row])
    return True


def take(engine: Engine, user: User, enrolment_id: str, now: dt.datetime) -> bool:
    """Take a case out of the territory's queue: from now on it is this advisor's. False when somebody else already did."""
    if user.role != "advisor":
        return False
    with engine.begin() as connection:
        waiting = and_(PEOPLE.c.enrolment_id == enrolment_id, PEOPLE.c.queue == "territory", PEOPLE.c.territory_id == user.territory_id)
        # Two hands at once: only one of them changes the row.
        taken = connection.execute(update(PEOPLE).where(waiting).values(advisor_id=user.advisor_id, queue="owner")).rowcount
        night = newest_night(connection)
        if not taken or night is None:
            return False
        person = connection.execute(select(PEOPLE).where(PEOPLE.c.enrolment_id == enrolment_id)).one()
        move = {"move_id": str(uuid.uuid4()), "at": now, "by_user": user.user_id, "how": "take", "learner_id": person.learner_id}
        connection.execute(insert(MOVES), [move | {"to_advisor_id": user.advisor_id}])
        apply_move(connection, night.as_of, person.learner_id, user.advisor_id)
    return True


_NAMES: Final = (
    LEARNERS.c.given_name,
    LEARNERS.c.family_name,
    LEARNERS.c.phone,
    LEARNERS.c.email,
    LEARNERS.c.language,
)


def _with_names(query: Any, of: Any) -> Any:  # noqa: ANN401 - a select, whose rows change
    return query.outerjoin(LEARNERS, LEARNERS.c.learner_id == of.c.learner_id)
