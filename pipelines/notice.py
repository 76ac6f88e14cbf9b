"""What the operator is told of a night that failed, or that served less than it should: one mail, by the outbox."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from vigie import clock
from vigie.errors import StorageError, VigieError
from vigie.files import read_whole_json

if TYPE_CHECKING:
    import datetime as dt

    from pipelines.service import Service

FAILED: Final = """La nuit du {as_of} n'a pas abouti : aucune nouvelle liste n'est parue.
The night of {as_of} failed: no new list came out.

{what}

À regarder d'abord / Look first: {first}
Ensuite / Then: vigie doctor --home {home}
"""
DEGRADED: Final = """La nuit du {as_of} est parue, avec moins que d'habitude.
The night of {as_of} came out, with less than usual.

{what}

À regarder d'abord / Look first: {first}
Ensuite / Then: vigie doctor --home {home}
"""
_SHOWN: Final = 12


def tell_failure(service: Service, as_of: dt.date, what: str, first: str = "vigie doctor") -> None:
    """Put down the mail that a night failed; the same failure of the same night is told once.

    Args:
        service: whose night.
        as_of: the night.
        what: what happened.
        first: what to look at first.
    """
    _put(service, f"failed/{as_of}/{_short(what)}", f"Vigie : la nuit du {as_of} a échoué", FAILED, as_of=as_of, what=what, first=first)


def tell_degraded(service: Service, account: dict[str, Any]) -> None:
    """Put down the mail that a night served less than it should, if it did, for one of the reasons of `degraded`."""
    as_of = account["as_of"]
    news = degraded(service, account)
    if news:
        what = "\n".join(account["warnings"])
        key = f"degraded/{as_of}/{_short(what)}"
        _put(service, key, f"Vigie : nuit du {as_of} dégradée", DEGRADED, as_of=as_of, what=what, first=news[0])


def degraded(service: Service, account: dict[str, Any]) -> list[str]:
    """Why a night served less than it should, gravest first: no estimate, a warehouse made again, sources silent, files set aside.

    A silence or a file that the night before told of is no news; where the account of that night is damaged, everything is.
    """
    earlier = [path for path in service.home.root.glob("out/*/night.json") if path.parent.name < account["as_of"]]
    before: dict[str, Any] = {}
    with suppress(StorageError):
        before = read_whole_json(max(earlier)) if earlier else {}
    known = {(silence["source"], silence["id"], silence["table"]) for silence in before.get("silences", [])}
    silent = [
        f"{one['source']} {one['id']}: {one['table']}"
        for one in account["silences"]
        if (one["source"], one["id"], one["table"]) not in known
    ]
    rebuilt = [f"{service.home.rebuilt}: the warehouse was made again"] if service.home.rebuilt.exists() else []
    set_aside = [name for name in account["set_aside"] if name not in before.get("set_aside", [])]
    return [*([account["not_estimated"]] if account["not_estimated"] else []), *rebuilt, *silent, *set_aside]


def _put(service: Service, key: str, subject: str, text: str, **shown: object) -> None:
    """By the outbox; straight to the mail server when the case store, and so the outbox, is what failed."""
    from sqlalchemy.exc import SQLAlchemyError

    from alerts.cases import CaseStore
    from alerts.mail import Postmark
    from alerts.outbox import Item, put
    from pipelines.service import post_of

    to = service.settings.operator_mail
    if not to or not service.settings.smtp_host:
        return
    body = text.format(home=service.home.root, **shown)
    try:
        with CaseStore(service.cases_url) as cases:
            put(cases.engine, [Item(key=key, channel="mail", to=to, subject=subject, text=body)], clock.now())
    except (VigieError, SQLAlchemyError):
        try:
            post_of(service.settings).send(to, subject, body, mark=Postmark(key, clock.now()))
        except VigieError:
            # The night's own error is what the operator must see; the doctor looks at mail.
            return


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_SHOWN]
