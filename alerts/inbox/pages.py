"""The pages of cases: the list, the queue, a case, what came of a call, the search; and the audit log."""

from __future__ import annotations

import datetime as dt
import io
from typing import Final

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from alerts import likelihood, sessions, wording
from alerts.cases import access, acts, audit, desk
from alerts.inbox import walls, words
from alerts.inbox.context import REFUSALS, Advisor, Here, Inbox, Officer, Team, Text, page
from alerts.language import say
from alerts.lists import xlsx
from alerts.lists.page import AdvisorList, Line
from alerts.silence import PUT_OFF_AT_MOST
from data_contracts.vocabulary import LISTED

NOTE_AT_MOST: Final = 500
SPREADSHEET: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

routes = APIRouter()


def seen(inbox: Inbox, session: access.Session, verb: str, what: str | None = None) -> None:
    """One line in the audit log."""
    audit.note(inbox.engine, inbox.now(), session.user, verb, what)


def missing(inbox: Inbox, session: access.Session, verb: str, what: str) -> HTTPException:
    """Not there and not yours look the same; the audit log knows that it was asked."""
    audit.note(inbox.engine, inbox.now(), session.user, verb, what, "refused")
    return HTTPException(404, REFUSALS[404])


def acted(inbox: Inbox, session: access.Session, verb: str, what: str, *, done: bool) -> None:
    """One line in the audit log for an act.

    Raises:
        HTTPException: 404, when it was not this person's to do.
    """
    if not done:
        raise missing(inbox, session, verb, what)
    seen(inbox, session, verb, what)


@routes.get("/liste")
def my_list(request: Request, inbox: Here, session: Advisor) -> Response:
    """The advisor's list of today."""
    found = desk.today(inbox.engine, session.user, inbox.today)
    seen(inbox, session, "list")
    return _list_page(request, inbox, session, found, "À contacter cette semaine", queue=False)


@routes.get("/liste.xlsx")
def export_list(inbox: Here, session: Advisor) -> Response:
    """The same list as a spreadsheet; every cell is text."""
    found = desk.today(inbox.engine, session.user, inbox.today)
    seen(inbox, session, "export", "list")
    if found.night is None:
        raise HTTPException(404, REFUSALS[404])
    rows = [people for people in found.people if people[0].enrolment_id not in found.done]
    lines = [
        Line(
            rank=place,
            who=words.who(people[0]),
            phone=people[0].phone or "",
            email=people[0].email or "",
            course=people[0].course or "",
            **vars(words.told(people, inbox.phrases, inbox.rules)),
        )
        for place, people in enumerate(rows, 1)
    ]
    title = inbox.rules.of(session.user.territory_id or "").list_title
    groups = words.groups(found.sessions, sessions.ADVISOR)
    made = AdvisorList("liste", session.user.name, title, found.night.as_of, lines, found.waiting, found.night.notice, groups)
    book = io.BytesIO()
    xlsx.write(made, book)
    name = f"attachment; filename=liste-{found.night.as_of}.xlsx"
    return Response(book.getvalue(), media_type=SPREADSHEET, headers={"Content-Disposition": name})


@routes.get("/file")
def my_queue(request: Request, inbox: Here, session: Team) -> Response:
    """People of the territory whom nobody follows."""
    found = desk.queue(inbox.engine, session.user)
    seen(inbox, session, "queue")
    return _list_page(request, inbox, session, found, "File sans conseiller référent", queue=True)


@routes.get("/cas/{enrolment_id:path}")
def show_case(request: Request, inbox: Here, session: Team, enrolment_id: str) -> Response:
    """One case: why, what to do, and the facts behind it."""
    found = desk.case(inbox.engine, session.user, enrolment_id)
    if found is None:
        raise missing(inbox, session, "read", enrolment_id)
    seen(inbox, session, "read", enrolment_id)
    listed = [alert for alert in found.alerts if alert.state in LISTED]
    told_of = words.subjects(listed)
    sheets = found.content.get("attendance", [])
    shown = {"presence": say("présence"), "activite": say("activité à distance"), "travaux": say("travaux"), "echanges": say("échanges")}
    behind = dict.fromkeys(words.SECTION_OF[subject] for subject in told_of if subject in words.SECTION_OF)
    texts = inbox.rules.of(found.person.territory_id).scripts
    return page(
        request,
        "case",
        session=session,
        case=found,
        listed=listed,
        said=words.told(listed, inbox.phrases, inbox.rules) if listed else None,
        protecting=[wording.better(fact, inbox.phrases) for fact in wording.lowering(found.content.get("protective") or [])],
        spread=likelihood.spread(found.content.get("alike")),
        behind_it=words.behind(found.content),
        ends=words.ends(found.person.planned_exit_date, found.night.as_of, inbox.rules.invariants.horizon_days)
        if any(one.risk is not None for one in listed)
        else "",
        positive=likelihood.positive_exit(found.content.get("positive_exit"), listed[0].risk if listed else None),
        sections=[(name, shown[name]) for name in behind],
        scripts=words.scripts(told_of, found.content.get("contacts", []), texts) if listed else [],
        practice=desk.practice(inbox.engine, found.person.territory_id, told_of),
        opposed=found.opposed,
        weeks=words.weeks(sheets),
        absences=[sheet for sheet in reversed(sheets) if sheet["status"].startswith("absent")],
        curve=words.curve(found.history),
        as_of=found.night.as_of,
        colleagues=desk.colleagues(inbox.engine, session.user, inbox.today),
        overlap=inbox.rules.invariants.hand_over_days,
        tomorrow=inbox.today + dt.timedelta(days=1),
        farthest=inbox.today + dt.timedelta(days=PUT_OFF_AT_MOST),
        put_off_at_most=PUT_OFF_AT_MOST,
    )


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
    why: Text = "",
    remind_on: Text = "",
    note: Text = "",
) -> Response:
    """Write down what came of a call."""
    walls.check_form(session, csrf)
    if (
        code not in words.ANSWERS
        or channel not in words.CHANNELS
        or barrier not in {"", *words.BARRIERS}
        or useful not in {"", "oui", "non"}
        or why not in {"", *words.WHYS}
    ):
        raise HTTPException(422, "Réponse inconnue : revenez à la page et choisissez dans la liste.")
    # A browser counts a line break as one sign and sends it as two.
    written = note.replace("\r\n", "\n").strip()
    if len(written) > NOTE_AT_MOST:
        raise HTTPException(422, "Note trop longue : 500 signes au plus.")
    later = day_of(remind_on) if remind_on else None
    if later is not None and not inbox.today < later <= inbox.today + dt.timedelta(days=PUT_OFF_AT_MOST):
        raise HTTPException(422, "Un rappel se note pour un jour à venir, dans les 90 jours.")
    if later is not None and desk.in_queue(inbox.engine, session.user, enrolment_id):
        raise HTTPException(422, "Personne ne suit cette situation : prenez-la en charge pour noter un rappel.")
    said = acts.Answer(
        code, channel, barrier or None, written or None, {"oui": True, "non": False}.get(useful), why=why or None, remind_on=later
    )
    acted(inbox, session, "answer", enrolment_id, done=acts.act(inbox.engine, session.user, enrolment_id, said, inbox.now()))
    return RedirectResponse("/liste", 303)


@routes.get("/recherche")
def find(request: Request, inbox: Here, session: Team, nom: str = "") -> Response:
    """Search by name among one's own."""
    found = desk.search(inbox.engine, session.user, nom) if nom.strip() else []
    seen(inbox, session, "search")
    return page(request, "search", session=session, asked=nom, found=found)


@routes.get("/journal")
def log(request: Request, inbox: Here, session: Officer, objet: str = "") -> Response:
    """The audit log, for the data-protection officer; of one case when it is named."""
    wanted = objet.strip()
    seen(inbox, session, "audit", wanted or None)
    return page(request, "audit", session=session, asked=wanted, lines=audit.latest(inbox.engine, wanted))


def day_of(text: str) -> dt.date:
    """A day from a form.

    Raises:
        HTTPException: 422.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(422, "Cette date ne se lit pas : année, mois, jour, comme 2026-03-04.") from error


def _list_page(request: Request, inbox: Inbox, session: access.Session, found: desk.Today, title: str, *, queue: bool) -> HTMLResponse:
    people = [(rows[0], words.told(rows, inbox.phrases, inbox.rules)) for rows in found.people]
    waiting = [(row, told) for row, told in people if row.enrolment_id not in found.done]
    done = [(row, found.done[row.enrolment_id]) for row, _ in people if row.enrolment_id in found.done]
    return page(
        request,
        "list",
        session=session,
        title=say(title),
        today=found,
        waiting=waiting,
        done=done,
        queue=queue,
        groups=words.groups(found.sessions, sessions.QUEUE if queue else sessions.ADVISOR),
        colleagues=desk.colleagues(inbox.engine, session.user, inbox.today) if queue and session.user.role == "lead" else [],
        operators=desk.operators(inbox.engine, session.user) if queue else [],
    )
