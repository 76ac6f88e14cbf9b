"""What advisors wrote down, given back to the software they come from: a file each night, and a signed call where one is asked for.

Notes stay here: they are for the advisor, not for another system. Signatures follow the Standard Webhooks specification, version 1.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2
import polars as pl

from alerts.answers import said
from alerts.outbox import Item
from vigie.errors import ConfigurationError, VigieError
from vigie.settings import signing_key

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from sqlalchemy import Row

    from alerts.outbox import Channel

COLUMNS: Final = {
    "record_id": pl.String,
    "record": pl.String,
    "at": pl.String,
    "learner_id": pl.String,
    "enrolment_id": pl.String,
    "advisor_id": pl.String,
    "code": pl.String,
    "outcome": pl.String,
    "purpose": pl.String,
    "channel": pl.String,
    "barrier": pl.String,
    "why": pl.String,
    "remind_on": pl.String,
    "from_advisor_id": pl.String,
    "to_advisor_id": pl.String,
    "to_operator": pl.String,
}
"""Columns of the file, and fields of each record of a call; `record` is action or move."""
IN_ONE_CALL: Final = 500
TIMEOUT_SECONDS: Final = 10
LOCAL: Final = ("127.0.0.1", "localhost", "::1")
TAKEN: Final = range(200, 300)


class WebhookError(VigieError):
    """The other side did not take a call."""


def records(actions: pl.DataFrame, moves: pl.DataFrame) -> pl.DataFrame:
    """Actions and moves of a day (columns of the tables of the same name) as rows to give back: `COLUMNS`, oldest first."""
    done = actions.with_columns(outcome=said("outcome"), purpose=said("purpose"))
    parts = [
        done.rename({"action_id": "record_id"}).with_columns(record=pl.lit("action")),
        moves.rename({"move_id": "record_id", "how": "code"}).with_columns(record=pl.lit("move")),
    ]
    rows = pl.concat(parts, how="diagonal").sort("at", "record_id")
    rows = rows.with_columns(pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), pl.col("remind_on").dt.to_string("iso"))
    present = [pl.col(name).cast(kind) if name in rows.columns else pl.lit(None, kind).alias(name) for name, kind in COLUMNS.items()]
    return rows.select(present)


def calls(rows: pl.DataFrame, as_of: dt.date, url: str) -> list[Item]:
    """The calls that carry these records, a few hundred in each; the same night gives the same calls.

    Raises:
        ConfigurationError: the address is not https.
    """
    address = urlsplit(url)
    if address.scheme != "https" and address.hostname not in LOCAL:
        raise ConfigurationError("The webhook's address is not https.", "Set VIGIE_WEBHOOK_URL to an address that starts with https://.")
    parts = [rows.slice(start, IN_ONE_CALL) for start in range(0, rows.height, IN_ONE_CALL)]
    return [
        Item(
            key=f"writeback/{as_of}/{hashlib.sha256(''.join(part['record_id'].to_list()).encode()).hexdigest()[:16]}",
            channel="webhook",
            to=url,
            subject="actions",
            text=json.dumps({"type": "vigie.actions", "as_of": as_of.isoformat(), "records": part.to_dicts()}, ensure_ascii=False),
        )
        for part in parts
    ]


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """`v1,` and the HMAC-SHA256 of identifier, timestamp and body, as the receiver computes it again."""
    mac = hmac.new(signing_key(secret), f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(mac.digest()).decode()}"


def caller(secret: str, now: Callable[[], dt.datetime]) -> Channel:
    """What makes the call of an item of the outbox."""

    def call(item: Row[Any], taken: Callable[[], None]) -> None:
        timestamp = int(now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": item.key,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, item.key, timestamp, item.text),
        }
        try:
            answer = httpx2.post(item.to, content=item.text.encode(), headers=headers, timeout=TIMEOUT_SECONDS)
        except httpx2.HTTPError as error:
            raise WebhookError(f"The call was not taken: {type(error).__name__}.", "Check that the other side answers.") from error
        if answer.status_code not in TAKEN:
            raise WebhookError(f"The other side answered {answer.status_code}.", "Ask whoever runs it; the call is tried again.")
        taken()

    return call
