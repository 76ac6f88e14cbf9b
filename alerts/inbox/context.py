"""What every page is given, how it is drawn, and who may open it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from fastapi import Depends, Form, HTTPException, Request
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, PackageLoader, StrictUndefined

from alerts import language, sessions
from alerts.cases import access, audit, desk
from alerts.inbox import walls, words
from alerts.lists.html import address, dialled
from alerts.wording import KINDS, SUBJECTS
from vigie import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from fastapi.responses import HTMLResponse
    from fastapi.routing import APIRoute
    from sqlalchemy import Engine

    from alerts.inbox.oidc import Provider
    from alerts.wording import Phrase
    from vigie.rules import Rules

REFUSALS: Final = {
    403: "Cette page n'est pas ouverte à votre rôle.",
    404: "Page introuvable.",
    405: "Cette page s'ouvre par un formulaire, pas par son adresse.",
    422: "Il manque une réponse à ce formulaire : revenez à la page et complétez-le.",
    429: "Trop d'essais : attendez un quart d'heure.",
}


@dataclass(frozen=True)
class Inbox:
    """What the page is given."""

    engine: Engine
    rules: Rules
    phrases: Mapping[str, Phrase]
    time_zone: str
    address: str
    """Where people reach it, such as https://vigie.example.org: never taken from a request, which anybody may forge."""
    send_link: Callable[[str, str], object]
    """Takes an address and the link to log in with."""
    now: Callable[[], dt.datetime] = clock.now
    provider: Provider | None = None
    """Who vouches for people by OpenID Connect; links by mail alone without one."""
    indicators: Path | None = None
    """Where pages of indicators are published, a folder a cut-off date."""

    @property
    def secure(self) -> bool:
        """Served over https."""
        return self.address.startswith("https://")

    @property
    def today(self) -> dt.date:
        """The day it is for those who read the page."""
        return self.now().astimezone(ZoneInfo(self.time_zone)).date()


_TEMPLATES: Final = Jinja2Templates(
    env=Environment(loader=PackageLoader("alerts.inbox"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
)


def _date(date: dt.date) -> str:
    return f"{language.day(date)} {date.year}"


_TEMPLATES.env.filters.update(
    day=language.day,
    date=_date,
    percent=language.percent,
    dialled=dialled,
    address=address,
    who=words.who,
    iso=words.iso,
    instant=words.instant,
)
_TEMPLATES.env.globals.update(
    _=language.say, many=language.say_many, words=words, sessions=sessions, kinds=KINDS, subjects=SUBJECTS, languages=language.LANGUAGES
)


def page(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401 - whatever a template shows
    """A page drawn from `templates/<name>.html`; every text that comes from a delivery is escaped."""
    inbox = inbox_of(request)
    zone = ZoneInfo(inbox.time_zone)
    shown = {"session": None, "language": language.current(), "here": _here(request), "day": inbox.today, **values}
    # Strangers are told nothing, not even of what kind the data are.
    shown["notice"] = words.notice(desk.notice(inbox.engine)) if shown["session"] else ""
    shown["local"] = lambda at: words.instant(at.astimezone(zone).isoformat())
    shown["stamp"] = lambda at: at.astimezone(zone).strftime("%d/%m/%Y %H:%M:%S")
    return _TEMPLATES.TemplateResponse(request, f"{name}.html", shown, status)


def _here(request: Request) -> str:
    """Address to come back to in another language: this one, or after a form the page it stood on."""
    if request.method in walls.READ_ONLY:
        path, query = quote(request.scope["path"], safe="/:@"), request.url.query
    else:
        before = urlsplit(request.headers.get("referer", ""))
        path, query = before.path or "/", before.query
    return f"{path}?{query}" if query else path


def inbox_of(request: Request) -> Inbox:
    """What `create_app` was given."""
    inbox: Inbox = request.app.state.inbox
    return inbox


def session_of(request: Request) -> access.Session | None:
    """Who is asking; nothing for a stranger."""
    inbox = inbox_of(request)
    secret = request.cookies.get(walls.cookie_name(secure=inbox.secure))
    session = access.session_of(inbox.engine, secret, inbox.now()) if secret else None
    if session is None:
        return None
    overlap = dt.timedelta(days=inbox.rules.invariants.hand_over_days)
    return replace(session, user=replace(session.user, reads_since=inbox.now() - overlap))


def for_roles(*roles: access.Role) -> Any:  # noqa: ANN401 - what FastAPI calls a dependency
    """Only these roles: others get 403 and a line in the audit log, strangers the log-in page."""

    def check(request: Request) -> access.Session:
        inbox, session = inbox_of(request), session_of(request)
        if session is None:
            raise HTTPException(303, headers={"Location": "/connexion"})
        if session.user.role not in roles:
            audit.note(inbox.engine, inbox.now(), session.user, request.method.lower(), request.url.path, "refused")
            raise HTTPException(403, REFUSALS[403])
        return session

    check.__dict__["roles"] = roles
    return Depends(check)


def roles_of(route: APIRoute) -> tuple[access.Role, ...] | None:
    """Who may open a route; None for one that is open to strangers."""
    for dependency in route.dependant.dependencies:
        found: tuple[access.Role, ...] | None = getattr(dependency.call, "roles", None)
        if found is not None:
            return found
    return None


Advisor = Annotated[access.Session, for_roles("advisor")]
Team = Annotated[access.Session, for_roles("advisor", "lead")]
Lead = Annotated[access.Session, for_roles("lead")]
Evaluation = Annotated[access.Session, for_roles("lead", "evaluator")]
Officer = Annotated[access.Session, for_roles("dpo")]
Anyone = Annotated[access.Session, for_roles(*access.ROLES)]
Here = Annotated[Inbox, Depends(inbox_of)]
Text = Annotated[str, Form()]
