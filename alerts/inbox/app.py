"""The web application, put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from alerts.inbox import entrance, measures, ownership, pages, walls
from alerts.inbox.context import REFUSALS, page

STARLETTE_S_OWN: Final = (404, 405)
"""Answers of the framework, whose English words nobody needs."""
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
    app.add_exception_handler(RequestValidationError, _incomplete)
    for router in ROUTERS:
        app.include_router(router)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.headers and "Location" in error.headers:
        return RedirectResponse(error.headers["Location"], 303)
    said = REFUSALS[error.status_code] if error.status_code in STARLETTE_S_OWN else error.detail
    return page(request, "message", error.status_code, title="Vigie", text=said)


async def _incomplete(request: Request, error: Exception) -> Response:  # noqa: ARG001 - which field it was tells a reader nothing
    return page(request, "message", 422, title="Vigie", text=REFUSALS[422])
