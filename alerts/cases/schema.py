"""Tables of the case store. A change here needs a migration beside it (a test compares the two)."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, Column, Date, DateTime, Float, Index, Integer, MetaData, String, Table, Text, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class Instant(TypeDecorator[dt.datetime]):
    """An instant in UTC, aware on the way in and on the way out: SQLite would drop the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        """To UTC."""
        if value is None:
            return None
        utc = value.astimezone(dt.UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: Any | None, dialect: Dialect) -> dt.datetime | None:  # noqa: ANN401, ARG002 - the base class's own
        """Back to an aware instant."""
        if value is None:
            return None
        instant: dt.datetime = value
        return instant.replace(tzinfo=dt.UTC) if instant.tzinfo is None else instant.astimezone(dt.UTC)


METADATA: Final = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s", "pk": "pk_%(table_name)s"})
_ID: Final = String(64)


def _key(name: str, length: int = 64) -> Column[str]:
    return Column(name, String(length), primary_key=True)


# Names, from deliveries.
LEARNERS: Final = Table(
    "learner_identities",
    METADATA,
    _key("learner_id"),
    Column("known_on", Instant, nullable=False),
    Column("given_name", String(200), nullable=False),
    Column("family_name", String(200), nullable=False),
    Column("phone", String(40)),
    Column("email", String(254)),
    Column("language", String(16)),
)
ADVISORS: Final = Table(
    "advisors",
    METADATA,
    _key("advisor_id"),
    Column("known_on", Instant, nullable=False),
    Column("name", String(200), nullable=False),
    Column("email", String(254), nullable=False, index=True),
)
# Who was withdrawn, and as of when: nothing else is kept of them, and no older delivery brings their name back.
GONE_LEARNERS: Final = Table("withdrawn_learners", METADATA, _key("learner_id"), Column("known_on", Instant, nullable=False))
GONE_ADVISORS: Final = Table("withdrawn_advisors", METADATA, _key("advisor_id"), Column("known_on", Instant, nullable=False))

# What a night published. The page reads these and never opens the warehouse.
NIGHTS: Final = Table(
    "nights",
    METADATA,
    Column("as_of", Date, primary_key=True),
    Column("published_at", Instant, nullable=False),
    Column("model_version", String(80), nullable=False),
    Column("notice", Text, nullable=False),
)
ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("as_of", Date, primary_key=True),
    Column("alert_id", String(200), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("enrolment_id", _ID, nullable=False),
    Column("learner_id", _ID, nullable=False),
    Column("advisor_id", _ID),
    Column("territory_id", _ID, nullable=False),
    Column("queue", String(16), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("priority", Float, nullable=False),
    Column("risk", Float),
    Column("low_confidence", Boolean, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("suggested_action", String(64), nullable=False),
    Column("due_on", Date, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("state", String(32), nullable=False),
    Index(None, "as_of", "advisor_id", "state"),
    Index(None, "as_of", "territory_id", "queue"),
    Index(None, "enrolment_id"),
)
PEOPLE: Final = Table(
    "people",
    METADATA,
    _key("enrolment_id"),
    Column("learner_id", _ID, nullable=False, index=True),
    Column("advisor_id", _ID, index=True),
    Column("queue", String(16), nullable=False),
    Column("territory_id", _ID, nullable=False),
    Column("course", String(300), nullable=False),
    Column("entry_date", Date),
    Column("planned_exit_date", Date, nullable=False),
    # Null where somebody has the case, be they away.
    Column("waiting_since", Date),
    Column("referred_to", _ID),
    Index(None, "territory_id", "queue"),
)
POSTS: Final = Table(
    "posts",
    METADATA,
    _key("advisor_id"),
    Column("operator", _ID, nullable=False),
    Column("territory_id", _ID, nullable=False),
    Column("active_to", Date),
    Column("weekly_capacity", Integer),
)
FILES: Final = Table(
    "case_files",
    METADATA,
    Column("as_of", Date, primary_key=True),
    _key("enrolment_id"),
    Column("content", Text, nullable=False),
)

PRACTICE: Final = Table(
    "practice",
    METADATA,
    _key("territory_id"),
    _key("reason", 32),
    _key("code", 32),
    Column("people", Integer, nullable=False),
    Column("off_list", Integer, nullable=False),
)

SESSION_ALERTS: Final = Table(
    "session_alerts",
    METADATA,
    _key("session_id"),
    Column("recipient", String(200), primary_key=True),
    Column("advisor_id", _ID, index=True),
    Column("territory_id", _ID, nullable=False),
    Column("course", String(300), nullable=False),
    Column("people", Integer, nullable=False),
    Column("theirs", Integer, nullable=False),
    Column("session_risk", Float, nullable=False),
)

# What people did.
ACTIONS: Final = Table(
    "actions",
    METADATA,
    _key("action_id", 36),
    Column("at", Instant, nullable=False, index=True),
    Column("by_user", _ID, nullable=False),
    Column("advisor_id", _ID),
    Column("learner_id", _ID, nullable=False),
    Column("enrolment_id", _ID, nullable=False, index=True),
    Column("alert_id", String(200)),
    Column("kind", String(32)),
    Column("code", String(32), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("barrier", String(16)),
    Column("note", Text),
    Column("useful", Boolean),
    Column("taken_for", Date),
    Column("why", String(32)),
    Column("remind_on", Date),
    Column("reason", String(32)),
    Column("given_for", Date),
)
MOVES: Final = Table(
    "moves",
    METADATA,
    _key("move_id", 36),
    Column("at", Instant, nullable=False),
    Column("by_user", _ID, nullable=False),
    Column("how", String(16), nullable=False),
    Column("learner_id", _ID, nullable=False, index=True),
    Column("to_advisor_id", _ID),
    Column("taken_for", Date),
    Column("from_advisor_id", _ID, index=True),
    Column("to_operator", _ID),
    Column("given_for", Date),
)
ABSENCES: Final = Table(
    "advisor_absences",
    METADATA,
    _key("absence_id", 36),
    Column("at", Instant, nullable=False),
    Column("by_user", _ID, nullable=False),
    Column("advisor_id", _ID, nullable=False, index=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("withdrawn_at", Instant),
)

# Who may come in.
USERS: Final = Table(
    "users",
    METADATA,
    _key("user_id", 36),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("advisor_id", _ID),
    Column("operator", _ID),
    Column("territory_id", _ID),
    Column("active", Boolean, nullable=False),
)
TOKENS: Final = Table(
    "login_tokens",
    METADATA,
    _key("token_hash"),
    Column("user_id", String(36), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
)
SESSIONS: Final = Table(
    "sessions",
    METADATA,
    _key("session_hash"),
    Column("user_id", String(36), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
)
LOGINS: Final = Table(
    "oidc_logins",
    METADATA,
    _key("state_hash"),
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(128), nullable=False),
    Column("expires_at", Instant, nullable=False),
)
ATTEMPTS: Final = Table(
    "attempts",
    METADATA,
    Column("attempt_id", Integer, primary_key=True, autoincrement=True),
    Column("who", String(300), nullable=False, index=True),
    Column("at", Instant, nullable=False),
)

# What must leave: written with what it tells of, sent afterwards, and once.
OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("item", Integer, primary_key=True, autoincrement=True),
    Column("key", String(200), nullable=False, unique=True),
    Column("channel", String(16), nullable=False),
    Column("to", String(400), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text),
    Column("made_at", Instant, nullable=False),
    Column("next_at", Instant, index=True),
    Column("until", Instant),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", Instant),
    Column("fault", String(200)),
    sqlite_autoincrement=True,
)

# What was seen and done.
AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("entry", Integer, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False, index=True),
    Column("user_id", String(36)),
    Column("role", String(16)),
    Column("verb", String(32), nullable=False),
    Column("object_id", String(200), index=True),
    Column("outcome", String(16), nullable=False),
    sqlite_autoincrement=True,
)
