"""What must leave, written down first: each item is tried until it is taken, given up, or refused for good.

Whoever sends claims an item before trying it, from that very instant, so that two senders never send the same one, and notes that it left
before anything else: a receipt first, an empty file that is there at once, then the case store, which waits for the disk. One that is asked
to stop finishes the item in hand. One that is killed leaves a single item in doubt, which says so: unless its receipt is there, it goes
again as the very same message, since a mail seen twice harms nobody and a lost one does.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import insert, or_, select, update

from alerts.cases.schema import OUTBOX
from alerts.mail import MailError, Postmark
from vigie.errors import VigieError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Engine, Row

    from alerts.mail import Post

    Channel = Callable[[Row[Any], Callable[[], None]], None]
    """Carries an item, and calls back as soon as the other side has it."""

WAITS: Final = tuple(dt.timedelta(minutes=minutes) for minutes in (5, 30, 120, 360, 720))
"""After each failed attempt; then it is given up."""
TAKEN: Final = ".taken"
"""Ending of receipts: nothing else in their folder is touched."""
IN_DOUBT: Final = "interrupted: it may have left, and goes again as the same message"
"""Stands with an item from its claim until somebody tells what became of it."""


@dataclass(frozen=True)
class Item:
    """One message to leave: `key` says what it is about, and nothing leaves twice under one key."""

    key: str
    channel: str
    to: str
    subject: str
    text: str
    html: str | None = None
    next_at: dt.datetime | None = None
    """Not before; at once by default."""
    until: dt.datetime | None = None
    """Not after: a list of yesterday helps nobody."""


@dataclass
class Sent:
    """What became of a round."""

    sent: int = 0
    failed: int = 0
    given_up: int = 0
    in_doubt: int = 0
    """Tried again, whoever tried before having been killed: receivers may see these twice, as one message."""
    settled: int = 0
    """Taken before, as a receipt tells, by a sender that was killed before its note: these do not go again."""
    faults: list[str] = field(default_factory=list)


def put(engine: Engine, items: Sequence[Item], now: dt.datetime) -> int:
    """Write items down, but for those whose key is there already; how many are new."""
    with engine.begin() as connection:
        there = set(connection.execute(select(OUTBOX.c.key).where(OUTBOX.c.key.in_([item.key for item in items]))).scalars())
        rows = [{**vars(item), "made_at": now, "next_at": item.next_at or now, "attempts": 0} for item in items if item.key not in there]
        if rows:
            connection.execute(insert(OUTBOX), rows)
    return len(rows)


def send_due(engine: Engine, channels: Mapping[str, Channel], now: Callable[[], dt.datetime], receipts: Path) -> Sent:
    """Try everything that is due on these channels; a failure of one keeps none of the others.

    Args:
        engine: of the case store.
        channels: what carries an item, by name.
        now: the clock, read at each item: a round may last longer than the first wait.
        receipts: a folder that outlives the process, for what was taken and is not noted yet; empty but after a kill.
    """
    done = Sent(settled=_settle(engine, receipts, now()))
    due = select(OUTBOX).where(OUTBOX.c.sent_at.is_(None), OUTBOX.c.next_at <= now(), OUTBOX.c.channel.in_(list(channels)))
    with engine.connect() as connection:
        items = connection.execute(due.order_by(OUTBOX.c.item)).all()
    for item in items:
        with _not_stopped_within():
            _try(engine, channels[item.channel], item, now, receipts / _receipt(item), done)
    return done


def _receipt(item: Row[Any]) -> str:
    """Name of an item's receipt: by its key, which is never given again."""
    return hashlib.sha256(item.key.encode()).hexdigest() + TAKEN


def _settle(engine: Engine, receipts: Path, now: dt.datetime) -> int:
    """Note what was taken from a sender that was killed before it could; how many."""
    left = {path.name: path for path in receipts.glob(f"*{TAKEN}")}
    if not left:
        return 0
    with engine.connect() as connection:
        unsent = connection.execute(select(OUTBOX.c.item, OUTBOX.c.key).where(OUTBOX.c.sent_at.is_(None))).all()
    taken = [item for item in unsent if _receipt(item) in left]
    for item in taken:
        _note(engine, item, sent_at=now, fault=None, next_at=None)
    for path in left.values():
        path.unlink(missing_ok=True)
    return len(taken)


def mailer(post: Post) -> Channel:
    """What sends the mail of an item."""
    return lambda item, taken: post.send(item.to, item.subject, item.text, item.html, Postmark(item.key, item.made_at), taken)


def _try(engine: Engine, channel: Channel, item: Row[Any], now: Callable[[], dt.datetime], receipt: Path, done: Sent) -> None:
    begun = now()
    late = item.until is not None and item.until <= begun
    last = item.attempts >= len(WAITS)
    again = None if late or last else begun + WAITS[item.attempts]
    if not _claim(engine, item, again):
        return
    if late:
        _note(engine, item, fault="too late")
        done.given_up += 1
        return
    done.in_doubt += item.fault == IN_DOUBT

    def taken() -> None:
        with suppress(OSError):  # A full disk spoils the receipt, not the note.
            receipt.touch()
        _note(engine, item, sent_at=now(), fault=None, next_at=None)
        done.sent += 1
        receipt.unlink(missing_ok=True)

    try:
        channel(item, taken)
    except VigieError as error:
        over = again is None or (isinstance(error, MailError) and error.bounced)
        _note(engine, item, fault=error.what[:200], next_at=None if over else again)
        done.faults.append(f"{item.key}: {error.what}")
        done.given_up += over
        done.failed += not over


@contextmanager
def _not_stopped_within() -> Iterator[None]:
    """Put off Ctrl-C and SIGTERM to the end of a block, where they have the effect they would have had."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Signals are the main thread's affair.
        return
    asked: list[int] = []
    before = {number: signal.signal(number, lambda got, _: asked.append(got)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        if asked:
            signal.raise_signal(asked[0])


def _claim(engine: Engine, item: Row[Any], again: dt.datetime | None) -> bool:
    """Take an item for this attempt; it falls due again at `again`, in doubt, if nobody ever tells what became of it."""
    claimed = {"attempts": item.attempts + 1, "next_at": again, "fault": IN_DOUBT}
    untouched = (OUTBOX.c.item == item.item) & OUTBOX.c.sent_at.is_(None) & (OUTBOX.c.attempts == item.attempts)
    with engine.begin() as connection:
        return bool(connection.execute(update(OUTBOX).where(untouched).values(**claimed)).rowcount)


def _note(engine: Engine, item: Row[Any], **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(update(OUTBOX).where(OUTBOX.c.item == item.item).values(**values))


def waiting(engine: Engine) -> list[Row[Any]]:
    """What has not left: to be sent, failing, or given up; oldest first. Never its content."""
    columns = [OUTBOX.c[name] for name in ("item", "key", "channel", "made_at", "next_at", "attempts", "fault")]
    with engine.connect() as connection:
        return list(connection.execute(select(*columns).where(OUTBOX.c.sent_at.is_(None)).order_by(OUTBOX.c.item)).all())


def try_again(engine: Engine, now: dt.datetime) -> int:
    """Put back what was given up, but for what is too late; how many."""
    with engine.begin() as connection:
        given_up = OUTBOX.c.sent_at.is_(None) & OUTBOX.c.next_at.is_(None)
        in_time = or_(OUTBOX.c.until.is_(None), OUTBOX.c.until > now)
        return connection.execute(update(OUTBOX).where(given_up, in_time).values(next_at=now, attempts=0)).rowcount
