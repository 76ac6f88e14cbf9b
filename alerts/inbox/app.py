"""The web application, put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from alerts.inbox import entrance, measures, ownership, pages, walls
from alerts.inbox.context import REFUSALS, page

NOT_FOUND: Final = 404
ROUTERS: Final = (entrance.routes, measures.routes, ownership.routes, pages.routes)
"""First those whose addresses go on after a case's identifier, which may hold a slash."""

if TYPE_CHECKING:
    from alerts.inbox.context import Inbox


def create_app(inbox: Inbox) -> FastAPI:
    """The application on one case store. No documentation page, no schema: only what an advisor needs is there."""
    app = FastAPI(title="Vigie", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.inbox = inbox
    app.middleware("http")(walls.with_headers)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"))
    app.add_exception_handler(HTTPException, _refused)
    for router in ROUTERS:
        app.include_router(router)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.headers and "Location" in error.headers:
        return RedirectResponse(error.headers["Location"], 303)
    return page(
        request, "message", error.status_code, title="Vigie", text=error.detail if error.status_code != NOT_FOUND else REFUSALS[NOT_FOUND]
    )
