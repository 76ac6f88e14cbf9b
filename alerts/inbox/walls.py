"""What stands between the page and the rest of the world: headers, the session cookie, the form token, same-origin posts."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from fastapi import HTTPException, Request

from alerts import language

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Response

    from alerts.cases.access import Session

LANGUAGE: Final = "langue"
"""Cookie that holds the language chosen, and nothing else."""
READ_ONLY: Final = ("GET", "HEAD")
HEADERS: Final = {
    # No script at all, and nothing from anywhere else.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": browsers then say that a form of our own comes from nowhere (Origin: null).
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer (OWASP Secure Headers)."""


def cookie_name(*, secure: bool) -> str:
    """`__Host-` ties the cookie to this host and to https; without https a browser would refuse it."""
    return "__Host-vigie" if secure else "vigie"


async def with_headers(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    """Put the headers on every answer, in the reader's language; pages that name people are never kept by a browser."""
    language.use(request.cookies.get(LANGUAGE, "fr"))
    answer = await call_next(request)
    answer.headers.update(HEADERS)
    if not request.url.path.startswith("/static/"):
        answer.headers["Cache-Control"] = "no-store"
    if request.app.state.inbox.secure:
        answer.headers["Strict-Transport-Security"] = "max-age=31536000"
    return answer


def same_origin(request: Request) -> None:
    """Refuse a form posted from another site; a page that is only read may be led to from anywhere, such as a mail.

    Raises:
        HTTPException: 403.
    """
    if request.method in READ_ONLY:
        return
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and origin != request.app.state.inbox.address) or site not in {"same-origin", "none"}:
        raise HTTPException(403, "Formulaire venu d'un autre site.")


def check_form(session: Session, csrf: str) -> None:
    """Refuse a form without the session's own token.

    Raises:
        HTTPException: 403.
    """
    if not hmac.compare_digest(session.csrf.encode(), csrf.encode()):
        raise HTTPException(403, "Formulaire périmé : revenez à la page et recommencez.")
