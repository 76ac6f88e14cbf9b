"""One mail a day at most for an advisor, only if there is something: counts and a link, never a name. On Mondays, a lead's recap."""

from __future__ import annotations

import datetime as dt
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from sqlalchemy import and_, case, func, select

from alerts.cases.access import User
from alerts.cases.desk import in_post, newest_night
from alerts.cases.schema import ACTIONS, ADVISORS, ALERTS, POSTS, USERS
from alerts.cases.team import team_of
from alerts.language import day as in_words
from alerts.outbox import Item
from data_contracts.vocabulary import LISTED

if TYPE_CHECKING:
    from sqlalchemy import Engine

MORNING: Final = dt.time(7)
"""No mail leaves before, in the service's time zone."""
EVENING: Final = dt.time(20)
"""A digest that could not leave by then is not sent any more."""
MONDAY: Final = 0
WEEK: Final = dt.timedelta(days=7)


def digests(engine: Engine, address: str, time_zone: str) -> list[Item]:
    """Mails of the morning after the newest night: one for each advisor in post who has somebody to contact, recaps on Mondays.

    Args:
        engine: of the case store.
        address: where the inbox is.
        time_zone: in which mornings are counted.
    """
    with engine.connect() as connection:
        night = newest_night(connection)
        if night is None:
            return []
        day = night.as_of + dt.timedelta(days=1)
        listed = ALERTS.c.state.in_(LISTED)
        # Who stands on the list for days is not new, whatever else is owed to them since.
        counts = {
            "people": case((listed, ALERTS.c.learner_id)),
            "known": case((ALERTS.c.state == "sent", ALERTS.c.learner_id)),
            "asked": case((and_(listed, ALERTS.c.kind == "learner_request"), ALERTS.c.learner_id)),
            "waiting": case((ALERTS.c.state == "over_capacity", ALERTS.c.learner_id)),
        }
        query = (
            select(ALERTS.c.advisor_id, ADVISORS.c.email, *(func.count(func.distinct(what)).label(name) for name, what in counts.items()))
            .join(ADVISORS, ADVISORS.c.advisor_id == ALERTS.c.advisor_id)
            .join(POSTS, POSTS.c.advisor_id == ALERTS.c.advisor_id)
            .where(ALERTS.c.as_of == night.as_of, in_post(day))
            .group_by(ALERTS.c.advisor_id, ADVISORS.c.email)
            .order_by(ALERTS.c.advisor_id)
        )
        rows = [row for row in connection.execute(query) if row.people]
        leads = connection.execute(select(USERS).where(USERS.c.role == "lead", USERS.c.active).order_by(USERS.c.email)).all()
    notice = night.notice
    mails = [
        _mail("digest", row.advisor_id, row.email, "Vigie : à contacter", day, time_zone, row=row, address=address, notice=notice)
        for row in rows
    ]
    if day.weekday() == MONDAY:
        mails += [_recap(engine, User.of(lead), day, address, notice, time_zone) for lead in leads]
    return mails


def _recap(engine: Engine, lead: User, day: dt.date, address: str, notice: str, time_zone: str) -> Item:
    team = team_of(engine, lead, day)
    since = dt.datetime.combine(day, dt.time(), tzinfo=ZoneInfo(time_zone)) - WEEK
    theirs = ACTIONS.c.advisor_id.in_([one.advisor_id for one in team.advisors])
    with engine.connect() as connection:
        answers = connection.execute(select(func.count()).select_from(ACTIONS).where(theirs, ACTIONS.c.at >= since)).scalar_one()
    totals = {name: sum(getattr(one, name) for one in team.advisors) for name in ("cases", "listed", "late", "overflow")}
    away = sum(one.away_until is not None for one in team.advisors)
    shown = {"totals": totals, "answers": answers, "away": away, "queue": team.queue, "address": address, "notice": notice}
    return _mail("recap", lead.user_id, lead.email, "Vigie : la semaine de votre équipe", day, time_zone, day=day, **shown)


def _mail(name: str, whose: str, to: str, subject: str, on: dt.date, time_zone: str, **shown: Any) -> Item:  # noqa: ANN401 - of a template
    zone = ZoneInfo(time_zone)
    return Item(
        key=f"{name}/{whose}/{on}",
        channel="mail",
        to=to,
        subject=subject,
        text=_template(f"{name}.txt").render(date=in_words(on), **shown),
        html=_template(f"{name}.html").render(date=in_words(on), **shown),
        next_at=dt.datetime.combine(on, MORNING, tzinfo=zone),
        until=dt.datetime.combine(on, EVENING, tzinfo=zone),
    )


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("alerts", "mails"),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
