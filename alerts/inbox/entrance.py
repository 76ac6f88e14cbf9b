"""The way in and out: a link by mail, spent once, for a session."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from alerts.cases import access, audit
from alerts.inbox import walls
from alerts.inbox.context import REFUSALS, Anyone, Here, Text, page, session_of

HOST_ATTEMPTS: Final = 100
"""Links asked from one network address in a quarter of an hour: a whole agency may share it."""

routes = APIRouter()


@routes.get("/")
def start(request: Request) -> Response:
    """The page each role begins with."""
    session = session_of(request)
    home = {"advisor": "/liste", "lead": "/file", "dpo": "/journal"}
    return RedirectResponse(home.get(session.user.role, "/accueil") if session else "/connexion", 303)


@routes.get("/connexion")
def ask_link(request: Request) -> Response:
    """Where a stranger asks for a link."""
    return page(request, "login")


@routes.post("/connexion", dependencies=[Depends(walls.same_origin)])
def send_link(request: Request, inbox: Here, email: Text) -> Response:
    """Send a one-time link, if the address may come in; the answer is the same if not."""
    now = inbox.now()
    host = request.client.host if request.client else "?"
    for_address = access.too_many(inbox.engine, f"address {email.strip().lower()}", now)
    if access.too_many(inbox.engine, f"host {host}", now, HOST_ATTEMPTS) or for_address:
        raise HTTPException(429, REFUSALS[429])
    token = access.new_link(inbox.engine, email, now)
    audit.note(inbox.engine, now, None, "ask_link", None, "allowed" if token else "refused")
    if token:
        inbox.send_link(email.strip(), f"{inbox.address}/entrer?jeton={token}")
    # The same words whether the address is known or not.
    return page(
        request,
        "message",
        title="Courriel envoyé",
        text="Si cette adresse est connue, un lien valable 15 minutes vient d'y être envoyé.",
    )


@routes.get("/entrer")
def confirm(request: Request, jeton: str = "") -> Response:
    """Where the link leads: a button, since mail filters open links."""
    return page(request, "enter", token=jeton)


@routes.post("/entrer", dependencies=[Depends(walls.same_origin)])
def enter(request: Request, inbox: Here, jeton: Text) -> Response:
    """Spend the link for a session."""
    secret = access.log_in(inbox.engine, jeton, inbox.now())
    audit.note(inbox.engine, inbox.now(), None, "log_in", None, "allowed" if secret else "refused")
    if secret is None:
        return page(request, "message", 403, title="Lien périmé", text="Ce lien a déjà servi ou n'est plus valable. Demandez-en un autre.")
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        walls.cookie_name(secure=inbox.secure),
        secret,
        max_age=access.SESSION_HOURS * 3600,
        httponly=True,
        secure=inbox.secure,
        samesite="lax",
        path="/",
    )
    return answer


@routes.post("/sortir", dependencies=[Depends(walls.same_origin)])
def leave(request: Request, inbox: Here, session: Anyone, csrf: Text) -> Response:
    """End the session."""
    walls.check_form(session, csrf)
    name = walls.cookie_name(secure=inbox.secure)
    access.log_out(inbox.engine, request.cookies[name])
    answer = RedirectResponse("/connexion", 303)
    answer.delete_cookie(name, path="/", secure=inbox.secure, httponly=True, samesite="lax")
    return answer


@routes.get("/accueil")
def nothing_here(request: Request, session: Anyone) -> Response:
    """For roles that no page of cases is open to."""
    return page(request, "message", session=session, title="Vigie", text="Aucune page de cas n'est ouverte à votre rôle.")
