"""The case store: names, and what was asked of whom. The only place where a learner has a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl
from sqlalchemy import JSON, Column, Date, DateTime, Float, Integer, MetaData, String, Table, create_engine, delete, event, insert, select

from alerts.facts import PAST_COLUMNS
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence


METADATA: Final = MetaData()
_KNOWN_ON: Final = DateTime(timezone=True)

LEARNERS: Final = Table(
    "learner_identities",
    METADATA,
    Column("learner_id", String(64), primary_key=True),
    Column("known_on", _KNOWN_ON, nullable=False),
    Column("given_name", String(200), nullable=False),
    Column("family_name", String(200), nullable=False),
    Column("phone", String(40)),
    Column("email", String(254)),
    Column("language", String(16)),
)
ADVISORS: Final = Table(
    "advisors",
    METADATA,
    Column("advisor_id", String(64), primary_key=True),
    Column("known_on", _KNOWN_ON, nullable=False),
    Column("name", String(200), nullable=False),
    Column("email", String(254), nullable=False),
)
ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("as_of", Date, primary_key=True),
    Column("alert_id", String(200), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("enrolment_id", String(64), nullable=False),
    Column("learner_id", String(64), nullable=False),
    Column("advisor_id", String(64)),
    Column("queue", String(16), nullable=False),
    Column("rank", Integer, nullable=False),
    Column("priority", Float, nullable=False),
    Column("risk", Float),
    Column("reasons", JSON, nullable=False),
    Column("suggested_action", String(64), nullable=False),
    Column("due_on", Date, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("state", String(32), nullable=False),
)
_PRIVATE: Final = {"learner_identities": LEARNERS, "advisors": ADVISORS}
_MANY: Final = 500
"""Values in one IN list: below every database's limit."""


class CaseStore:
    """What people touch by day, behind one address (SQLAlchemy). Use as a context manager."""

    def __init__(self, url: str) -> None:
        """Open the store and make its tables if they are missing.

        Raises:
            ConfigurationError: the address cannot be opened.
        """
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._engine = create_engine(url)
            if self._engine.dialect.name == "sqlite":
                event.listen(self._engine, "connect", _as_server)
            METADATA.create_all(self._engine)
        except SQLAlchemyError as error:
            what = f"The case store cannot be opened: {str(error).splitlines()[0]}"
            raise ConfigurationError(
                what, "Check that the home folder can be written and that no other program changed cases.sqlite."
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()

    def save_private(self, table: str, rows: pl.DataFrame) -> None:
        """Keep the newest known layer of each person: an older delivery that comes later changes nothing.

        Args:
            table: learner_identities or advisors.
            rows: key, known_on and the private columns of that contract.
        """
        target = _PRIVATE[table]
        key = next(iter(target.primary_key.columns))
        newest = rows.sort("known_on").unique(key.name, keep="last", maintain_order=True)
        upsert = self._insert(target)
        values = {column.name: upsert.excluded[column.name] for column in target.columns if column is not key}
        newer = upsert.excluded.known_on >= target.c.known_on
        with self._engine.begin() as connection:
            if newest.height:
                connection.execute(upsert.on_conflict_do_update(index_elements=[key], set_=values, where=newer), newest.to_dicts())

    def _insert(self, table: Table) -> Any:  # noqa: ANN401 - the dialect's own insert, which alone knows conflicts
        from sqlalchemy.dialects import postgresql, sqlite

        return postgresql.insert(table) if self._engine.dialect.name == "postgresql" else sqlite.insert(table)

    def publish(self, as_of: dt.date, alerts: pl.DataFrame) -> None:
        """Replace the alerts of the night of `as_of` (contract `Alerts`) in one transaction, also when there are none."""
        rows = alerts.with_columns(pl.col("kind", "queue", "state").cast(pl.String)).to_dicts()
        with self._engine.begin() as connection:
            connection.execute(delete(ALERTS).where(ALERTS.c.as_of == as_of))
            if rows:
                connection.execute(insert(ALERTS), rows)

    def past(self, before: dt.date) -> pl.DataFrame:
        """Alerts of the nights before `before`, columns `alerts.facts.PAST_COLUMNS`."""
        columns = [ALERTS.c[name] for name in PAST_COLUMNS]
        query = select(*columns).where(ALERTS.c.as_of < before).order_by(ALERTS.c.as_of, ALERTS.c.alert_id)
        return self._frame(query, PAST_COLUMNS)

    def names(self, learner_ids: Sequence[str]) -> pl.DataFrame:
        """learner_id, given_name, family_name, phone, email, language of these learners."""
        schema = {column.name: pl.String for column in LEARNERS.columns if column.name != "known_on"}
        columns = [LEARNERS.c[name] for name in schema]
        parts = [
            self._frame(select(*columns).where(LEARNERS.c.learner_id.in_(learner_ids[start : start + _MANY])), schema)
            for start in range(0, len(learner_ids), _MANY)
        ]
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    def advisors(self) -> pl.DataFrame:
        """advisor_id, name, email of every advisor."""
        schema = {"advisor_id": pl.String, "name": pl.String, "email": pl.String}
        return self._frame(select(*(ADVISORS.c[name] for name in schema)), schema)

    def _frame(self, query: Any, schema: dict[str, Any]) -> pl.DataFrame:  # noqa: ANN401 - a select
        with self._engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(query)]
        return pl.DataFrame(rows, schema=schema, orient="row")


def _as_server(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    # Readers go on while a night publishes.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA busy_timeout = 10000")
