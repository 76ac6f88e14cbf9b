"""The page of indicators, for team leads and evaluators: what the evaluation published last, without a name of a person."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, Response
from markupsafe import Markup

from alerts.inbox.context import REFUSALS, Evaluation, Here, Inbox, page
from alerts.inbox.pages import SPREADSHEET, seen

if TYPE_CHECKING:
    from pathlib import Path

BODY: Final = "body.html"
TABLES: Final = "tables.xlsx"

routes = APIRouter()


@routes.get("/indicateurs")
def indicators(request: Request, inbox: Here, session: Evaluation) -> Response:
    """The newest page of indicators."""
    found = newest(inbox)
    seen(inbox, session, "indicators", found.name if found else None)
    # Written by this service from its own templates, which escape what comes from deliveries.
    content = Markup((found / BODY).read_text(encoding="utf-8")) if found else ""  # noqa: S704
    return page(request, "indicators", session=session, content=content, night=dt.date.fromisoformat(found.name) if found else None)


@routes.get("/indicateurs.xlsx")
def tables(inbox: Here, session: Evaluation) -> Response:
    """The tables behind the newest page."""
    found = newest(inbox)
    seen(inbox, session, "export", "indicators")
    if found is None:
        raise HTTPException(404, REFUSALS[404])
    return FileResponse(found / TABLES, media_type=SPREADSHEET, filename=f"indicateurs-{found.name}.xlsx")


def newest(inbox: Inbox) -> Path | None:
    """Folder of the newest page whose day has come; folders are named after their cut-off date, and one that is not whole is not there."""
    if inbox.indicators is None:
        return None
    today = inbox.now().date().isoformat()
    pages = (body.parent for body in inbox.indicators.glob(f"????-??-??/{BODY}"))
    return max(pages, key=lambda page: (page.name <= today, page.name), default=None)
