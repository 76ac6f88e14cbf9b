"""What a team lead sees: loads, ageing, overflow, and those who should be contacted and whom nobody is on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, or_, select

from alerts.cases.desk import NAMES, fresh, in_post, newest_night, owns, plain, sessions_told, team, with_names, without_advisor
from alerts.cases.schema import ABSENCES, ACTIONS, ADVISORS, ALERTS, PEOPLE, POSTS, SESSION_ALERTS
from data_contracts.vocabulary import LISTED

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy import Engine, Row

    from alerts.cases.access import User

SHOWN_AT_MOST = 100


@dataclass(frozen=True)
class Team:
    """One team on one day."""

    night: Row[Any] | None
    advisors: list[Row[Any]] = field(default_factory=list)
    """advisor_id, name, weekly_capacity, active_to, cases, listed, overflow, late, oldest (opened_on), away_until, answered."""
    queue: Row[Any] | None = None
    """people, oldest (waiting_since), referred."""
    nobody_on: list[Row[Any]] = field(default_factory=list)
    """Risk alerts whose deadline is over without any answer, or that wait in the queue; oldest first, with names."""
    sessions: list[Row[Any]] = field(default_factory=list)
    """Those to look at as a whole, as from `alerts.cases.desk.sessions_told`."""


def team_of(engine: Engine, user: User, day: dt.date) -> Team:
    """The team of a lead; nothing for any other role."""
    with engine.connect() as connection:
        night = newest_night(connection)
        if night is None or user.role != "lead":
            return Team(night)
        listed = ALERTS.c.state.in_(LISTED)
        theirs = (
            select(
                ALERTS.c.advisor_id,
                func.count(func.distinct(case((listed, ALERTS.c.learner_id)))).label("listed"),
                func.count(func.distinct(case((ALERTS.c.state == "over_capacity", ALERTS.c.learner_id)))).label("overflow"),
                func.count(func.distinct(case((and_(listed, ALERTS.c.due_on < day), ALERTS.c.learner_id)))).label("late"),
                func.min(case((listed, ALERTS.c.opened_on))).label("oldest"),
            )
            .where(ALERTS.c.as_of == night.as_of, ALERTS.c.advisor_id.in_(team(user)))
            .group_by(ALERTS.c.advisor_id)
            .subquery()
        )
        cases = select(PEOPLE.c.advisor_id, func.count().label("cases")).group_by(PEOPLE.c.advisor_id).subquery()
        answered = (
            select(ACTIONS.c.advisor_id, func.count(func.distinct(ACTIONS.c.enrolment_id)).label("answered"))
            .where(fresh(night))
            .group_by(ACTIONS.c.advisor_id)
            .subquery()
        )
        stands = and_(ABSENCES.c.withdrawn_at.is_(None), ABSENCES.c.first_day <= day, ABSENCES.c.last_day >= day)
        away = select(ABSENCES.c.advisor_id, func.max(ABSENCES.c.last_day).label("away_until")).where(stands)
        away_now = away.group_by(ABSENCES.c.advisor_id).subquery()
        columns = [
            POSTS.c.advisor_id,
            func.coalesce(ADVISORS.c.name, POSTS.c.advisor_id).label("name"),
            POSTS.c.weekly_capacity,
            POSTS.c.active_to,
            *(func.coalesce(part.c[name], 0).label(name) for part, name in ((cases, "cases"), (answered, "answered"))),
            *(func.coalesce(theirs.c[name], 0).label(name) for name in ("listed", "overflow", "late")),
            theirs.c.oldest,
            away_now.c.away_until,
        ]
        query = select(*columns).outerjoin(ADVISORS, ADVISORS.c.advisor_id == POSTS.c.advisor_id)
        for part in (cases, answered, theirs, away_now):
            query = query.outerjoin(part, part.c.advisor_id == POSTS.c.advisor_id)
        present = or_(in_post(day), cases.c.cases > 0)
        advisors = connection.execute(query.where(POSTS.c.advisor_id.in_(team(user)), present).order_by(POSTS.c.advisor_id)).all()
        waiting = and_(PEOPLE.c.queue == "territory", PEOPLE.c.territory_id == user.territory_id)
        queue = connection.execute(
            select(
                func.count().label("people"),
                func.min(PEOPLE.c.waiting_since).label("oldest"),
                func.count(PEOPLE.c.referred_to).label("referred"),
            ).where(waiting)
        ).one()
        # What was answered before the night that opened it, it knew.
        later = or_(ACTIONS.c.taken_for.is_(None), ACTIONS.c.taken_for > ALERTS.c.opened_on)
        since = select(ACTIONS.c.action_id).where(ACTIONS.c.enrolment_id == ALERTS.c.enrolment_id, later)
        alone = and_(
            ALERTS.c.as_of == night.as_of,
            ALERTS.c.kind == "dropout_risk",
            listed,
            or_(ALERTS.c.due_on < day, ALERTS.c.queue == "territory"),
            ~since.exists(),
        )
        rows = select(ALERTS, PEOPLE.c.course, PEOPLE.c.waiting_since, ADVISORS.c.name.label("owner_name"), *NAMES)
        rows = rows.join(PEOPLE, PEOPLE.c.enrolment_id == ALERTS.c.enrolment_id)
        rows = with_names(rows.outerjoin(ADVISORS, ADVISORS.c.advisor_id == ALERTS.c.advisor_id), ALERTS)
        found = connection.execute(rows.where(alone, owns(user)).order_by(ALERTS.c.opened_on, ALERTS.c.alert_id).limit(SHOWN_AT_MOST))
        groups = sessions_told(connection, or_(SESSION_ALERTS.c.advisor_id.in_(team(user)), without_advisor(user)))
        return Team(night, sorted(advisors, key=lambda one: plain(one.name)), queue, list(found.all()), groups)
