"""The way in and out: a link by mail, spent once, for a session."""

from __future__ import annotations

import hmac
import re
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter, BackgroundTasks, Depends, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from alerts.cases import access, audit
from alerts.inbox import walls
from alerts.inbox.context import REFUSALS, Anyone, Here, Inbox, Text, page, session_of
from alerts.inbox.oidc import LoginError
from alerts.language import LANGUAGES
from vigie.errors import VigieError

HOST_ATTEMPTS: Final = 100
"""Links asked from one network address in a quarter of an hour: a whole agency may share it."""

STATE: Final = "vigie-oidc"

routes = APIRouter()


@routes.get("/")
def start(request: Request) -> Response:
    """The page each role begins with."""
    session = session_of(request)
    home = {"advisor": "/liste", "lead": "/equipe", "dpo": "/journal", "evaluator": "/indicateurs"}
    return RedirectResponse(home.get(session.user.role, "/accueil") if session else "/connexion", 303)


@routes.get("/connexion")
def ask_link(request: Request, inbox: Here) -> Response:
    """Where a stranger asks for a link."""
    return page(request, "login", provider=inbox.provider.name if inbox.provider else "")


@routes.post("/connexion", dependencies=[Depends(walls.same_origin)])
def send_link(request: Request, inbox: Here, later: BackgroundTasks, email: Text) -> Response:
    """Send a one-time link, if the address may come in; the answer is the same if not, and comes as soon."""
    now = inbox.now()
    host = request.client.host if request.client else "?"
    for_address = access.too_many(inbox.engine, f"address {email.strip().lower()}", now)
    if access.too_many(inbox.engine, f"host {host}", now, HOST_ATTEMPTS) or for_address:
        raise HTTPException(429, REFUSALS[429])
    token = access.new_link(inbox.engine, email, now)
    audit.note(inbox.engine, now, None, "ask_link", None, "allowed" if token else "refused")
    if token:
        # After the answer: neither the time a mail takes nor one that fails may tell that the address is known.
        later.add_task(_send, inbox, email.strip(), f"{inbox.address}/entrer?jeton={token}")
    return page(
        request,
        "message",
        title="Courriel envoyé",
        text="Si cette adresse est connue, un lien valable 15 minutes vient d'y être envoyé. Rien reçu ? Prévenez l'exploitant du service.",
    )


def _send(inbox: Inbox, email: str, link: str) -> None:
    try:
        inbox.send_link(email, link)
    except VigieError as error:
        audit.note(inbox.engine, inbox.now(), None, "send_link", error.what, "refused")


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
    return _inside(inbox, secret)


@routes.get("/oidc")
def ask_provider(request: Request, inbox: Here) -> Response:
    """Off to the identity provider; the state is tied to this browser, so that nobody is logged in as somebody else."""
    if inbox.provider is None:
        raise HTTPException(404, REFUSALS[404])
    now = inbox.now()
    if access.too_many(inbox.engine, f"host {request.client.host if request.client else '?'}", now, HOST_ATTEMPTS):
        raise HTTPException(429, REFUSALS[429])
    login = access.start_login(inbox.engine, now)
    try:
        address = inbox.provider.address(_callback(inbox), login.state, login.nonce, login.verifier)
    except LoginError as error:
        return _not_vouched(request, inbox, error)
    answer = RedirectResponse(address, 303)
    answer.set_cookie(
        STATE, login.state, max_age=access.LINK_MINUTES * 60, httponly=True, secure=inbox.secure, samesite="lax", path="/oidc"
    )
    return answer


@routes.get("/oidc/retour")
def come_back(request: Request, inbox: Here, state: str = "", code: str = "") -> Response:
    """Back from the identity provider, with a code to be spent once."""
    same = hmac.compare_digest(request.cookies.get(STATE, "").encode(), state.encode())
    login = access.end_login(inbox.engine, state, inbox.now()) if state and same else None
    try:
        secret = _vouched(inbox, login, code)
    except LoginError as error:
        return _not_vouched(request, inbox, error)
    audit.note(inbox.engine, inbox.now(), None, "log_in", "oidc")
    answer = _inside(inbox, secret)
    answer.delete_cookie(STATE, path="/oidc", secure=inbox.secure, httponly=True, samesite="lax")
    return answer


def _vouched(inbox: Inbox, login: access.Login | None, code: str) -> str:
    if inbox.provider is None or login is None or not code:
        raise LoginError("This log-in did not begin here, or is over.", "Log in again.")
    identity = inbox.provider.identity(_callback(inbox), code, login.nonce, login.verifier, inbox.now())
    secret = access.log_in_as(inbox.engine, identity.email, identity.operator, inbox.now())
    if secret is None:
        raise LoginError("Nobody of this organisation has that address here.", "Ask whoever runs the service.")
    return secret


def _callback(inbox: Inbox) -> str:
    return f"{inbox.address}/oidc/retour"


def _not_vouched(request: Request, inbox: Inbox, error: LoginError) -> Response:
    audit.note(inbox.engine, inbox.now(), None, "log_in", f"oidc: {error.what}", "refused")
    return page(
        request, "message", 403, title="Connexion refusée", text="Le fournisseur d'identité n'a pas permis de vous reconnaître ici."
    )


def _inside(inbox: Inbox, secret: str) -> RedirectResponse:
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


@routes.get("/langue/{code}")
def choose_language(inbox: Here, code: str, page: str = "/") -> Response:
    """Speak another language, and back to the same page: one of ours, never another site's."""
    back = page if re.fullmatch(r"/[\w\-./:%@]*(\?[\w\-.~:%@=&+*/]*)?", page) and not page.startswith("//") else "/"
    answer = RedirectResponse(quote(back, safe="/:%@?=&+*"), 303)
    if code in LANGUAGES:
        answer.set_cookie(walls.LANGUAGE, code, max_age=365 * 86400, httponly=True, secure=inbox.secure, samesite="lax", path="/")
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
