"""What is written by day: answers, hand-overs, cases taken, assigned or referred, absences. Every act is in the name of somebody.

Each returns whether it was done; it is not when the case, the advisor or the operator is not this person's to touch.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, select, update

from alerts.cases.desk import borrowed, in_post, newest_night, owns, team
from alerts.cases.schema import ABSENCES, ACTIONS, ALERTS, MOVES, PEOPLE, POSTS
from alerts.cases.store import apply_move
from alerts.wording import raising
from data_contracts.vocabulary import LISTED

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy import ColumnElement, Connection, Engine, Row

    from alerts.cases.access import User


@dataclass(frozen=True)
class Answer:
    """What an advisor writes down of one call."""

    code: str
    channel: str = "phone"
    barrier: str | None = None
    note: str | None = None
    useful: bool | None = None
    why: str | None = None
    """Why an alert was without object."""
    remind_on: dt.date | None = None
    """Come back to it then; no alert for this case until that day."""


def act(engine: Engine, user: User, enrolment_id: str, answer: Answer, now: dt.datetime) -> bool:
    """Write down what came of a call. Only an advisor answers."""
    if user.role != "advisor":
        return False
    with engine.begin() as connection:
        person = _theirs(connection, user, enrolment_id)
        night = newest_night(connection)
        if person is None or night is None:
            return False
        ours = and_(ALERTS.c.as_of == night.as_of, ALERTS.c.enrolment_id == enrolment_id, ALERTS.c.state.in_(LISTED))
        columns = (ALERTS.c.alert_id, ALERTS.c.kind, ALERTS.c.reasons)
        alert = connection.execute(select(*columns).where(ours).order_by(ALERTS.c.rank).limit(1)).one_or_none()
        row = {
            "action_id": str(uuid.uuid4()),
            "at": now,
            "by_user": user.user_id,
            "advisor_id": user.advisor_id,
            "learner_id": person.learner_id,
            "enrolment_id": enrolment_id,
            "alert_id": alert.alert_id if alert else None,
            "kind": alert.kind if alert else None,
            "reason": next(iter(subjects_of(alert.reasons)), None) if alert and alert.kind == "dropout_risk" else None,
            **vars(answer),
        }
        connection.execute(insert(ACTIONS), [row])
    return True


def subjects_of(reasons: str) -> list[str]:
    """Codes of the reasons that raise the risk, of the JSON of an alert's reasons."""
    return [reason["code"] for reason in raising(json.loads(reasons)["reasons"])]


def take(engine: Engine, user: User, enrolment_id: str, now: dt.datetime) -> bool:
    """Take a case out of the territory's queue: from now on it is this advisor's. Not done when somebody else already did."""
    if user.role != "advisor" or user.advisor_id is None:
        return False
    return _from_queue(engine, user, enrolment_id, user.advisor_id, "take", now)


def assign(engine: Engine, user: User, enrolment_id: str, to_advisor_id: str, now: dt.datetime) -> bool:
    """Give a case of the queue to an advisor of one's team. Only a team lead assigns."""
    if user.role != "lead" or not _in_team(engine, user, to_advisor_id, now):
        return False
    return _from_queue(engine, user, enrolment_id, to_advisor_id, "assign", now)


def refer(engine: Engine, user: User, enrolment_id: str, operator: str, now: dt.datetime) -> bool:
    """Point a case of the queue out to another operator of the territory: it stays in the queue until one of theirs takes it."""
    if user.role not in {"advisor", "lead"}:
        return False
    with engine.begin() as connection:
        there = select(POSTS.c.advisor_id).where(POSTS.c.territory_id == user.territory_id, POSTS.c.operator == operator)
        person = connection.execute(select(PEOPLE).where(_queued(user, enrolment_id), there.exists())).one_or_none()
        if person is None:
            return False
        connection.execute(update(PEOPLE).where(PEOPLE.c.learner_id == person.learner_id).values(referred_to=operator))
        _note_move(connection, user, "refer", person.learner_id, now, to_operator=operator)
    return True


def hand_over(engine: Engine, user: User, enrolment_id: str, to_advisor_id: str, now: dt.datetime) -> bool:
    """Hand one's case over to a colleague; a team lead hands over any case of the team. The former owner reads on for a while.

    A case whose owner is away is not the stand-in's to give: only a lead decides that for them.
    """
    if user.role not in {"advisor", "lead"} or not _in_team(engine, user, to_advisor_id, now):
        return False
    with engine.begin() as connection:
        person = _theirs(connection, user, enrolment_id)
        night = newest_night(connection)
        if person is None or night is None or person.advisor_id is None or person.advisor_id == to_advisor_id:
            return False
        if user.role == "advisor" and borrowed(connection, person, night.as_of):
            return False
        _move(connection, user, person, to_advisor_id, "hand_over", now)
    return True


def reassign(engine: Engine, user: User, from_advisor_id: str, to_advisor_id: str, now: dt.datetime, *, dry_run: bool) -> int | None:
    """Hand over every case of one advisor of the team to another; with `dry_run`, only count them. None when it may not be done.

    Cases that this advisor only stands in for stay with their owner, who comes back to them.
    """
    same = from_advisor_id == to_advisor_id
    if user.role != "lead" or same or not _in_team(engine, user, to_advisor_id, now):
        return None
    with engine.begin() as connection:
        theirs = and_(PEOPLE.c.advisor_id == from_advisor_id, PEOPLE.c.queue == "owner", PEOPLE.c.advisor_id.in_(team(user)))
        people = connection.execute(select(PEOPLE).where(theirs).order_by(PEOPLE.c.enrolment_id)).all()
        one_each = {person.learner_id: person for person in people}
        if not dry_run:
            for person in one_each.values():
                _move(connection, user, person, to_advisor_id, "reassign", now)
        return len(one_each)


def announce_absence(engine: Engine, user: User, advisor_id: str, first: dt.date, last: dt.date, now: dt.datetime) -> bool:
    """Say that an advisor is away from `first` to `last`: their backup takes the calls. For oneself, or one's team."""
    if last < first or not _speaks_for(engine, user, advisor_id, now):
        return False
    row = {"absence_id": str(uuid.uuid4()), "at": now, "by_user": user.user_id, "advisor_id": advisor_id}
    with engine.begin() as connection:
        connection.execute(insert(ABSENCES), [row | {"first_day": first, "last_day": last}])
    return True


def withdraw_absence(engine: Engine, user: User, absence_id: str, now: dt.datetime) -> bool:
    """Take back an announced absence."""
    if user.role not in {"advisor", "lead"}:
        return False
    stands = and_(ABSENCES.c.absence_id == absence_id, _standing(user))
    with engine.begin() as connection:
        return bool(connection.execute(update(ABSENCES).where(stands).values(withdrawn_at=now)).rowcount)


def absences(engine: Engine, user: User, day: dt.date) -> list[Row[Any]]:
    """Absences that are not over on `day`: one's own, or the team's."""
    query = select(ABSENCES).where(_standing(user), ABSENCES.c.last_day >= day)
    with engine.connect() as connection:
        return list(connection.execute(query.order_by(ABSENCES.c.first_day, ABSENCES.c.absence_id)).all())


def _standing(user: User) -> ColumnElement[bool]:
    """Absences that were not taken back: one's own, or the team's."""
    mine = ABSENCES.c.advisor_id == user.advisor_id if user.role == "advisor" else ABSENCES.c.advisor_id.in_(team(user))
    return and_(mine, ABSENCES.c.withdrawn_at.is_(None))


def _from_queue(engine: Engine, user: User, enrolment_id: str, to_advisor_id: str, how: str, now: dt.datetime) -> bool:
    with engine.begin() as connection:
        person = connection.execute(select(PEOPLE).where(_queued(user, enrolment_id))).one_or_none()
        # Two hands at once: only one of them changes the row.
        taken = connection.execute(update(PEOPLE).where(_queued(user, enrolment_id)).values(advisor_id=to_advisor_id, waiting_since=None))
        if person is None or not taken.rowcount:
            return False
        _move(connection, user, person, to_advisor_id, how, now)
    return True


def _move(connection: Connection, user: User, person: Row[Any], to_advisor_id: str, how: str, now: dt.datetime) -> None:
    night = newest_night(connection)
    if night is not None:
        apply_move(connection, night.as_of, person.learner_id, to_advisor_id)
    _note_move(connection, user, how, person.learner_id, now, to_advisor_id=to_advisor_id, from_advisor_id=person.advisor_id)


def _note_move(connection: Connection, user: User, how: str, learner_id: str, now: dt.datetime, **where: str | None) -> None:
    row = {"move_id": str(uuid.uuid4()), "at": now, "by_user": user.user_id, "how": how, "learner_id": learner_id}
    empty = {"to_advisor_id": None, "from_advisor_id": None, "to_operator": None}
    connection.execute(insert(MOVES), [row | empty | where])


def _queued(user: User, enrolment_id: str) -> ColumnElement[bool]:
    """A case that nobody has, whoever takes its calls: owners who are away keep theirs."""
    return and_(PEOPLE.c.enrolment_id == enrolment_id, PEOPLE.c.waiting_since.is_not(None), PEOPLE.c.territory_id == user.territory_id)


def _theirs(connection: Connection, user: User, enrolment_id: str) -> Row[Any] | None:
    return connection.execute(select(PEOPLE).where(PEOPLE.c.enrolment_id == enrolment_id, owns(user))).one_or_none()


def _in_team(engine: Engine, user: User, advisor_id: str, now: dt.datetime) -> bool:
    there = select(POSTS).where(POSTS.c.advisor_id == advisor_id, POSTS.c.advisor_id.in_(team(user)), in_post(now.date()))
    with engine.connect() as connection:
        return connection.execute(there).first() is not None


def _speaks_for(engine: Engine, user: User, advisor_id: str, now: dt.datetime) -> bool:
    if user.role == "advisor":
        return user.advisor_id == advisor_id
    return user.role == "lead" and _in_team(engine, user, advisor_id, now)
