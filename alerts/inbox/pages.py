"""The pages of cases: the list, the queue, a case, what came of a call, the search; and the audit log."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts.cases import access, audit, desk
from alerts.inbox import walls, words
from alerts.inbox.context import REFUSALS, Advisor, Here, Inbox, Officer, Team, Text, page
from alerts.policy import LISTED

NOTE_AT_MOST: Final = 500

routes = APIRouter()


def _seen(inbox: Inbox, session: access.Session, verb: str, what: str | None = None) -> None:
    audit.note(inbox.engine, inbox.now(), session.user, verb, what)


def _missing(inbox: Inbox, session: access.Session, verb: str, what: str) -> HTTPException:
    # Not there and not yours look the same; the audit log knows that it was asked.
    audit.note(inbox.engine, inbox.now(), session.user, verb, what, "refused")
    return HTTPException(404, REFUSALS[404])


@routes.get("/liste")
def my_list(request: Request, inbox: Here, session: Advisor) -> Response:
    """The advisor's list of today."""
    found = desk.today(inbox.engine, session.user)
    _seen(inbox, session, "list")
    return _list_page(request, inbox, session, found, "À contacter cette semaine", queue=False)


@routes.get("/file")
def my_queue(request: Request, inbox: Here, session: Team) -> Response:
    """People of the territory whom nobody follows."""
    found = desk.queue(inbox.engine, session.user)
    _seen(inbox, session, "queue")
    return _list_page(request, inbox, session, found, "File sans conseiller référent", queue=True)


@routes.post("/file/{enrolment_id:path}/prendre", dependencies=[Depends(walls.same_origin)])
def take(inbox: Here, session: Advisor, enrolment_id: str, csrf: Text) -> Response:
    """Take a case out of the queue."""
    walls.check_form(session, csrf)
    if not desk.take(inbox.engine, session.user, enrolment_id, inbox.now()):
        raise _missing(inbox, session, "take", enrolment_id)
    _seen(inbox, session, "take", enrolment_id)
    return RedirectResponse(f"/cas/{quote(enrolment_id)}", 303)


@routes.get("/cas/{enrolment_id:path}")
def show_case(request: Request, inbox: Here, session: Team, enrolment_id: str) -> Response:
    """One case: why, what to do, and the facts behind it."""
    found = desk.case(inbox.engine, session.user, enrolment_id)
    if found is None:
        raise _missing(inbox, session, "read", enrolment_id)
    _seen(inbox, session, "read", enrolment_id)
    listed = [alert for alert in found.alerts if alert.state in LISTED]
    said = words.told(listed, inbox.phrases, inbox.rules) if listed else None
    local = ZoneInfo(inbox.time_zone)
    return page(request, "case", session=session, case=found, said=said, weeks=words.weeks(found.content.get("attendance", [])), zone=local)


@routes.post("/cas/{enrolment_id:path}/reponse", dependencies=[Depends(walls.same_origin)])
def answer(  # noqa: PLR0917, PLR0913 - the fields of the form
    inbox: Here,
    session: Advisor,
    enrolment_id: str,
    csrf: Text,
    code: Text,
    channel: Text = "phone",
    barrier: Text = "",
    useful: Text = "",
    note: Annotated[str, Form(max_length=NOTE_AT_MOST)] = "",
) -> Response:
    """Write down what came of a call."""
    walls.check_form(session, csrf)
    if (
        code not in words.ANSWERS
        or channel not in words.CHANNELS
        or barrier not in {"", *words.BARRIERS}
        or useful not in {"", "oui", "non"}
    ):
        raise HTTPException(422, "Réponse inconnue : revenez à la page et choisissez dans la liste.")
    said = desk.Answer(code, channel, barrier or None, note=note.strip() or None, useful={"oui": True, "non": False}.get(useful))
    if not desk.act(inbox.engine, session.user, enrolment_id, said, inbox.now()):
        raise _missing(inbox, session, "answer", enrolment_id)
    _seen(inbox, session, "answer", enrolment_id)
    return RedirectResponse("/liste", 303)


@routes.get("/recherche")
def find(request: Request, inbox: Here, session: Team, nom: str = "") -> Response:
    """Search by name among one's own."""
    found = desk.search(inbox.engine, session.user, nom) if nom.strip() else []
    _seen(inbox, session, "search")
    return page(request, "search", session=session, asked=nom, found=found)


@routes.get("/journal")
def log(request: Request, inbox: Here, session: Officer) -> Response:
    """The audit log, for the data-protection officer."""
    _seen(inbox, session, "audit")
    return page(request, "audit", session=session, lines=audit.latest(inbox.engine), zone=ZoneInfo(inbox.time_zone))


def _list_page(request: Request, inbox: Inbox, session: access.Session, found: desk.Today, title: str, *, queue: bool) -> HTMLResponse:
    people = [(rows[0], words.told(rows, inbox.phrases, inbox.rules)) for rows in found.people]
    waiting = [(row, said) for row, said in people if row.enrolment_id not in found.done]
    done = [(row, found.done[row.enrolment_id]) for row, _ in people if row.enrolment_id in found.done]
    return page(request, "list", session=session, title=title, today=found, waiting=waiting, done=done, queue=queue)
