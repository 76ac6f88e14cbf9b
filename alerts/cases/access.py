"""Who may come in, and how: accounts, one-time links, sessions, and a brake on trying. Only fingerprints of secrets are stored."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from sqlalchemy import delete, func, insert, or_, select, update

from alerts.cases.desk import in_post
from alerts.cases.schema import ADVISORS, ATTEMPTS, AUDIT, LOGINS, POSTS, SESSIONS, TOKENS, USERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Row

Role = Literal["advisor", "lead", "evaluator", "dpo", "operator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

LINK_MINUTES: Final = 15
SESSION_HOURS: Final = 12
"""From log-in, as ProConnect's own sessions."""
IDLE_MINUTES: Final = 60
ATTEMPTS_ALLOWED: Final = 5
ATTEMPTS_MINUTES: Final = 15


@dataclass(frozen=True)
class User:
    """Somebody who logged in."""

    user_id: str
    email: str
    name: str
    role: Role
    advisor_id: str | None
    operator: str | None
    territory_id: str | None
    reads_since: dt.datetime | None = None
    """Cases handed over since then may still be read."""

    @classmethod
    def of(cls, row: Row[Any]) -> User:
        """Of a row with the columns of `users`."""
        return cls(row.user_id, row.email, row.name, row.role, row.advisor_id, row.operator, row.territory_id)


@dataclass(frozen=True)
class Session:
    """A log-in that holds, with the token every form must carry."""

    user: User
    csrf: str


def add_user(engine: Engine, email: str, name: str, role: Role, *, operator: str | None = None, territory_id: str | None = None) -> str:
    """Open an account, or change it: one per address. Returns its identifier."""
    values = {"name": name, "role": role, "operator": operator, "territory_id": territory_id, "active": True, "advisor_id": None}
    with engine.begin() as connection:
        known = connection.execute(select(USERS.c.user_id).where(USERS.c.email == email.lower())).scalar_one_or_none()
        if known:
            connection.execute(update(USERS).where(USERS.c.user_id == known).values(**values))
            return str(known)
        return _open(connection, {"email": email.lower(), **values})


def close_user(engine: Engine, email: str, now: dt.datetime) -> bool | None:
    """Close an account: its sessions and links end now, with a line in the audit log.

    Returns:
        Whether they may still come in, as an advisor in post, whom only the deliveries put out; None where there is no account.
    """
    address = email.strip().lower()
    with engine.begin() as connection:
        closed = connection.execute(select(USERS.c.user_id).where(USERS.c.email == address)).scalar_one_or_none()
        if closed is None:
            return None
        connection.execute(update(USERS).where(USERS.c.user_id == closed).values(active=False))
        for table in (TOKENS, SESSIONS):
            connection.execute(delete(table).where(table.c.user_id == closed))
        line = {"at": now, "verb": "close", "object_id": closed, "outcome": "allowed"}
        connection.execute(insert(AUDIT), [line])
        found = _posts_of(connection, address)
        return len(found) == 1 and _in_post(connection, found[0].advisor_id, now.date())


def new_link(engine: Engine, email: str, now: dt.datetime) -> str | None:
    """A one-time token for this address, or nothing if nobody may come in with it.

    An advisor in post needs no account made by hand: their work address is in the deliveries. An account that was closed gives way to that.
    """
    address = email.strip().lower()
    with engine.begin() as connection:
        user_id = _user_of(connection, address)
        if user_id is None:
            return None
        _forget(connection, now)
        token = secrets.token_urlsafe(32)
        expires = now + dt.timedelta(minutes=LINK_MINUTES)
        connection.execute(insert(TOKENS), [{"token_hash": _fingerprint(token), "user_id": user_id, "expires_at": expires}])
        return token


def log_in(engine: Engine, token: str, now: dt.datetime) -> str | None:
    """Spend a one-time token for a new session; its secret, or nothing when the token is unknown, spent or too old."""
    with engine.begin() as connection:
        valid = (TOKENS.c.token_hash == _fingerprint(token)) & TOKENS.c.used_at.is_(None) & (TOKENS.c.expires_at > now)
        user_id = connection.execute(select(TOKENS.c.user_id).where(valid)).scalar_one_or_none()
        # Two clicks at once: only one of them changes the row.
        if user_id is None or connection.execute(update(TOKENS).where(valid).values(used_at=now)).rowcount != 1:
            return None
        return _new_session(connection, user_id, now)


@dataclass(frozen=True)
class Login:
    """A log-in by a provider on its way: what must come back, and what never left."""

    state: str
    nonce: str
    verifier: str


def start_login(engine: Engine, now: dt.datetime) -> Login:
    """Begin a log-in by OpenID Connect; it must be over within `LINK_MINUTES`."""
    login = Login(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    row = {"state_hash": _fingerprint(login.state), "nonce": login.nonce, "verifier": login.verifier}
    with engine.begin() as connection:
        connection.execute(delete(LOGINS).where(LOGINS.c.expires_at <= now))
        connection.execute(insert(LOGINS), [row | {"expires_at": now + dt.timedelta(minutes=LINK_MINUTES)}])
    return login


def end_login(engine: Engine, state: str, now: dt.datetime) -> Login | None:
    """The log-in that began with `state`, once; nothing when it is unknown, over or too old."""
    with engine.begin() as connection:
        here = LOGINS.c.state_hash == _fingerprint(state)
        row = connection.execute(select(LOGINS).where(here, LOGINS.c.expires_at > now)).one_or_none()
        if row is None or connection.execute(delete(LOGINS).where(here)).rowcount != 1:
            return None
        return Login(state, row.nonce, row.verifier)


def log_in_as(engine: Engine, email: str, operator: str, now: dt.datetime) -> str | None:
    """A new session for somebody a provider vouched for; nothing when nobody of this operator has that address.

    An account that belongs to no operator (evaluator, data-protection officer) may come from any organisation that is known.
    """
    with engine.begin() as connection:
        user_id = _user_of(connection, email.strip().lower())
        if user_id is None:
            return None
        theirs = connection.execute(select(USERS.c.operator).where(USERS.c.user_id == user_id)).scalar_one()
        return _new_session(connection, user_id, now) if theirs in {None, operator} else None


def _new_session(connection: Connection, user_id: str, now: dt.datetime) -> str:
    _forget(connection, now)
    secret = secrets.token_urlsafe(32)
    row = {"session_hash": _fingerprint(secret), "user_id": user_id, "csrf": secrets.token_urlsafe(32), "created_at": now}
    connection.execute(insert(SESSIONS), [row | {"seen_at": now}])
    return secret


def _over(now: dt.datetime) -> ColumnElement[bool]:
    """Sessions too old, or idle for too long."""
    begun, seen = now - dt.timedelta(hours=SESSION_HOURS), now - dt.timedelta(minutes=IDLE_MINUTES)
    return or_(SESSIONS.c.created_at <= begun, SESSIONS.c.seen_at <= seen)


def _forget(connection: Connection, now: dt.datetime) -> None:
    """Delete links that are spent or too old, and sessions that are over."""
    connection.execute(delete(TOKENS).where(or_(TOKENS.c.used_at.is_not(None), TOKENS.c.expires_at <= now)))
    connection.execute(delete(SESSIONS).where(_over(now)))


def session_of(engine: Engine, secret: str, now: dt.datetime) -> Session | None:
    """The session behind a cookie, or nothing when it is unknown, too old, idle for too long, or its account is closed."""
    with engine.begin() as connection:
        here = SESSIONS.c.session_hash == _fingerprint(secret)
        query = select(SESSIONS.c.csrf, SESSIONS.c.seen_at, USERS).join(USERS, USERS.c.user_id == SESSIONS.c.user_id)
        row = connection.execute(query.where(here, ~_over(now), USERS.c.active)).one_or_none()
        if row is None or (row.role == "advisor" and not _in_post(connection, row.advisor_id, now.date())):
            return None
        if now - row.seen_at > dt.timedelta(minutes=1):
            connection.execute(update(SESSIONS).where(here).values(seen_at=now))
        return Session(User.of(row), row.csrf)


def log_out(engine: Engine, secret: str) -> None:
    """End a session."""
    with engine.begin() as connection:
        connection.execute(delete(SESSIONS).where(SESSIONS.c.session_hash == _fingerprint(secret)))


def too_many(engine: Engine, who: str, now: dt.datetime, allowed: int = ATTEMPTS_ALLOWED) -> bool:
    """Count one more attempt of `who` (an address, a network address); True when there were too many of late."""
    since = now - dt.timedelta(minutes=ATTEMPTS_MINUTES)
    with engine.begin() as connection:
        connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.at < since))
        connection.execute(insert(ATTEMPTS), [{"who": who[:300], "at": now}])
        count = connection.execute(select(func.count()).select_from(ATTEMPTS).where(ATTEMPTS.c.who == who[:300])).scalar_one()
    return int(count) > allowed


def _user_of(connection: Connection, email: str) -> str | None:
    account = connection.execute(select(USERS).where(USERS.c.email == email)).one_or_none()
    if account is not None and account.active and account.role != "advisor":
        return str(account.user_id)
    found = _posts_of(connection, email)
    # An address two advisors share opens nobody's list.
    if len(found) != 1:
        return None
    values = {"name": found[0].name, "advisor_id": found[0].advisor_id, "operator": found[0].operator}
    values |= {"territory_id": found[0].territory_id, "role": "advisor", "active": True}
    if account is None:
        return _open(connection, {"email": email, **values})
    connection.execute(update(USERS).where(USERS.c.user_id == account.user_id).values(**values))
    return str(account.user_id)


def _posts_of(connection: Connection, email: str) -> Sequence[Row[Any]]:
    query = select(ADVISORS.c.advisor_id, ADVISORS.c.name, POSTS.c.operator, POSTS.c.territory_id)
    joined = query.join(POSTS, POSTS.c.advisor_id == ADVISORS.c.advisor_id)
    return connection.execute(joined.where(func.lower(ADVISORS.c.email) == email)).all()


def _in_post(connection: Connection, advisor_id: str, day: dt.date) -> bool:
    return connection.execute(select(POSTS).where(POSTS.c.advisor_id == advisor_id, in_post(day))).first() is not None


def _open(connection: Connection, values: dict[str, object]) -> str:
    user_id = str(uuid.uuid4())
    connection.execute(insert(USERS), [{"user_id": user_id, **values}])
    return user_id


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
