"""Opening the case store: SQLite (WAL) or PostgreSQL by its address, brought up to date by Alembic."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS: Final = Path(__file__).parent / "migrations"


def open_database(url: str) -> Engine:
    """Open the store at `url` and bring its tables up to date.

    Raises:
        ConfigurationError: the address cannot be opened, or the store was made by a newer Vigie.
    """
    from alembic.util.exc import CommandError

    engine: Engine | None = None
    address = _address(url)
    try:
        engine = create_engine(address)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _as_server)
        _upgrade(engine)
    except CommandError as error:
        _close(engine)
        what = f"The case store was made by another version of Vigie: {error}."
        raise ConfigurationError(what, "Install the version that made it, or restore a copy made before.") from error
    except SQLAlchemyError as error:
        _close(engine)
        # The address holds a password: only what the driver says of the failure is shown.
        what = f"The case store cannot be opened: {str(getattr(error, 'orig', None) or error).splitlines()[0]}"
        remedy = (
            "Check VIGIE_CASES_URL, that the server answers, or that the home folder can be written and nothing else changed cases.sqlite."
        )
        raise ConfigurationError(what, remedy) from error
    return engine


def _address(url: str) -> URL:
    """The address, read; PostgreSQL's is spoken to by psycopg, however it is written.

    Raises:
        ConfigurationError: it cannot be read; nothing of it is shown, since any part may be one of the password.
    """
    try:
        address = make_url(re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url))
        address.get_dialect().import_dbapi()
        # What follows an @ within a password is taken for the server's name, which drivers tell.
        readable = "@" not in (address.host or "")
    except (SQLAlchemyError, ValueError, ImportError):
        readable = False
    if readable:
        return address
    what = "VIGIE_CASES_URL is no address of a SQLite or PostgreSQL database."
    remedy = "Write it as postgresql+psycopg://user:password@host/database; in a password, @ is %40, : is %3A, / is %2F and % is %25."
    raise ConfigurationError(what, remedy)


def _close(engine: Engine | None) -> None:
    if engine is not None:
        engine.dispose()


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        if inspect(connection).has_table("alembic_version") and MigrationContext.configure(connection).get_current_revision() == newest:
            return
    with engine.begin() as connection:
        _alone(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _alone(connection: Connection) -> None:
    """Two programs that start together must not both upgrade."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(817236)")


def _as_server(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
    # Readers go on while a night publishes.
    connection.execute("PRAGMA journal_mode = WAL")
    # What an advisor was told is kept must survive a power cut, and a mail noted as sent must not leave again.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 30000")
