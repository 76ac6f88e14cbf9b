"""Who has which case, worked from the page: take, assign, refer, hand over, be away; and the team lead's view."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from alerts import sessions
from alerts.cases import acts, desk
from alerts.cases.team import team_of
from alerts.inbox import walls, words
from alerts.inbox.context import Advisor, Here, Lead, Team, Text, page
from alerts.inbox.pages import acted, day_of, missing, seen

routes = APIRouter(dependencies=[Depends(walls.same_origin)])


@routes.post("/file/{enrolment_id:path}/prendre")
def take(inbox: Here, session: Advisor, enrolment_id: str, csrf: Text) -> Response:
    """Take a case out of the queue."""
    walls.check_form(session, csrf)
    acted(inbox, session, "take", enrolment_id, done=acts.take(inbox.engine, session.user, enrolment_id, inbox.now()))
    return RedirectResponse(f"/cas/{quote(enrolment_id)}", 303)


@routes.post("/file/{enrolment_id:path}/confier")
def assign(inbox: Here, session: Lead, enrolment_id: str, csrf: Text, advisor: Text) -> Response:
    """Give a case of the queue to somebody of the team."""
    walls.check_form(session, csrf)
    acted(inbox, session, "assign", enrolment_id, done=acts.assign(inbox.engine, session.user, enrolment_id, advisor, inbox.now()))
    return RedirectResponse("/file", 303)


@routes.post("/file/{enrolment_id:path}/orienter")
def refer(inbox: Here, session: Team, enrolment_id: str, csrf: Text, operator: Text) -> Response:
    """Point a case of the queue out to another operator."""
    walls.check_form(session, csrf)
    acted(inbox, session, "refer", enrolment_id, done=acts.refer(inbox.engine, session.user, enrolment_id, operator, inbox.now()))
    return RedirectResponse("/file", 303)


@routes.post("/cas/{enrolment_id:path}/confier")
def hand_over(inbox: Here, session: Team, enrolment_id: str, csrf: Text, advisor: Text) -> Response:
    """Hand a case over to a colleague."""
    walls.check_form(session, csrf)
    acted(inbox, session, "hand_over", enrolment_id, done=acts.hand_over(inbox.engine, session.user, enrolment_id, advisor, inbox.now()))
    return RedirectResponse("/", 303)


@routes.get("/equipe")
def my_team(request: Request, inbox: Here, session: Lead) -> Response:
    """Loads, ageing, overflow, queues."""
    seen(inbox, session, "team")
    return _team_page(request, inbox, session)


@routes.post("/equipe/reaffecter")
def reassign(
    request: Request,
    inbox: Here,
    session: Lead,
    csrf: Text,
    from_advisor: Text,
    to_advisor: Text,
    step: Annotated[Literal["count", "do"], Form()] = "count",
) -> Response:
    """Hand over every case of one advisor; counted before it is done."""
    walls.check_form(session, csrf)
    moved = acts.reassign(inbox.engine, session.user, from_advisor, to_advisor, inbox.now(), dry_run=step == "count")
    if moved is None:
        raise missing(inbox, session, "reassign", from_advisor)
    if step == "do":
        seen(inbox, session, "reassign", f"{from_advisor} {to_advisor}")
        return RedirectResponse("/equipe", 303)
    return _team_page(request, inbox, session, (from_advisor, to_advisor, moved))


@routes.get("/absences")
def absences(request: Request, inbox: Here, session: Team) -> Response:
    """Announced absences: one's own, or the team's."""
    team = desk.colleagues(inbox.engine, session.user, inbox.today)
    names = {one.advisor_id: one.name for one in team}
    found = acts.absences(inbox.engine, session.user, inbox.today)
    seen(inbox, session, "absences")
    shortest = inbox.rules.default.backup_after_days
    colleagues = team if session.user.role == "lead" else []
    return page(request, "absences", session=session, found=found, names=names, colleagues=colleagues, shortest=shortest)


@routes.post("/absences")
def announce(inbox: Here, session: Team, csrf: Text, first: Text, last: Text, advisor: Text = "") -> Response:
    """Say that somebody is away."""
    walls.check_form(session, csrf)
    whose = advisor if session.user.role == "lead" else session.user.advisor_id or ""
    begins, ends = day_of(first), day_of(last)
    if ends < begins or ends < inbox.today:
        raise HTTPException(422, "Une absence finit le jour où elle commence ou plus tard, et pas dans le passé.")
    acted(inbox, session, "absence", whose, done=acts.announce_absence(inbox.engine, session.user, whose, begins, ends, inbox.now()))
    return RedirectResponse("/absences", 303)


@routes.post("/absences/{absence_id}/annuler")
def withdraw(inbox: Here, session: Team, absence_id: str, csrf: Text) -> Response:
    """Take back an announced absence."""
    walls.check_form(session, csrf)
    acted(inbox, session, "absence", absence_id, done=acts.withdraw_absence(inbox.engine, session.user, absence_id, inbox.now()))
    return RedirectResponse("/absences", 303)


def _team_page(request: Request, inbox: Here, session: Lead, plan: tuple[str, str, int] | None = None) -> Response:
    found = team_of(inbox.engine, session.user, inbox.today)
    colleagues = desk.colleagues(inbox.engine, session.user, inbox.today)
    names = {one.advisor_id: one.name for one in found.advisors}
    planned = None
    if plan:
        planned = {"from": plan[0], "to": plan[1], "n": plan[2], "a": names.get(plan[0], plan[0]), "b": names.get(plan[1], plan[1])}
    groups = words.groups(found.sessions, sessions.TEAM)
    return page(request, "team", session=session, team=found, groups=groups, colleagues=colleagues, planned=planned)
