"""The audit log: every read, action, export and refusal, append-only. It names objects by identifier, never a person by name.

One change is let through: whom a line was about goes, for good, when they are erased (`alerts.cases.erasure`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import insert, select

from alerts.cases.schema import AUDIT, USERS

if TYPE_CHECKING:
    import datetime as dt

    from sqlalchemy import Engine

    from alerts.cases.access import User

SHOWN_AT_MOST: Final = 500
NOBODY: Final = "(erased)"
"""In the place of who was looked at, once erased: that somebody looked stays."""


def note(
    engine: Engine, at: dt.datetime, user: User | None, verb: str, object_id: str | None, outcome: Literal["allowed", "refused"] = "allowed"
) -> None:
    """Add one line."""
    who = {"user_id": user.user_id if user else None, "role": user.role if user else None}
    with engine.begin() as connection:
        connection.execute(insert(AUDIT), [{"at": at, **who, "verb": verb, "object_id": (object_id or "")[:200], "outcome": outcome}])


def note_erasures(engine: Engine, at: dt.datetime, people: int) -> None:
    """Add a line for each of so many people erased by command, without whom."""
    line = {"at": at, "user_id": None, "role": None, "verb": "erase", "object_id": NOBODY, "outcome": "allowed"}
    with engine.begin() as connection:
        connection.execute(insert(AUDIT), [line] * people)


def latest(engine: Engine, object_id: str = "") -> list[Any]:
    """The latest lines, newest first, each with the name its account has now; with `object_id`, such as a case, those about it alone."""
    lines = select(AUDIT, USERS.c.name).outerjoin(USERS, USERS.c.user_id == AUDIT.c.user_id)
    if object_id:
        lines = lines.where(AUDIT.c.object_id == object_id)
    with engine.connect() as connection:
        return list(connection.execute(lines.order_by(AUDIT.c.entry.desc()).limit(SHOWN_AT_MOST)).all())
