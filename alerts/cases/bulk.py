"""Many rows at once, past SQLAlchemy's own way: a night publishes hundreds of thousands, and converting each value one by one is dear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
import polars.selectors as cs
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

_AS_SQLALCHEMY_STORES: Final = "%Y-%m-%d %H:%M:%S%.6f"


def fill(connection: Connection, table: Table, rows: pl.DataFrame, *, newest_by: str | None = None) -> None:
    """Insert rows whose columns bear the table's names, in the transaction of `connection`.

    Args:
        connection: SQLite or PostgreSQL.
        table: of `alerts.cases.schema`.
        rows: columns of the table, by name.
        newest_by: an instant; a row whose key is there already replaces it if its own is not older. Without it, keys must be new.
    """
    if rows.is_empty():
        return
    mark = "%s"
    if connection.dialect.name == "postgresql" and newest_by is None:
        _copy(connection, table, rows)
        return
    if connection.dialect.name == "sqlite":
        mark = "?"
        rows = rows.with_columns(
            cs.datetime().dt.convert_time_zone("UTC").dt.to_string(_AS_SQLALCHEMY_STORES), cs.date().dt.to_string("%Y-%m-%d")
        )
    columns = ", ".join(table.c[name].name for name in rows.columns)
    statement = f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join([mark] * rows.width)})"  # noqa: S608 - names of our own schema
    if newest_by:
        keys = [column.name for column in table.primary_key.columns]
        changes = ", ".join(f"{name} = excluded.{name}" for name in rows.columns if name not in keys)
        newer = f"excluded.{newest_by} >= {table.name}.{newest_by}"
        statement += f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes} WHERE {newer}"
    connection.exec_driver_sql(statement, rows.rows())


def _copy(connection: Connection, table: Table, rows: pl.DataFrame) -> None:
    """PostgreSQL's own way for many rows; what is known of the table's sizes is then brought up to date, or its plans go astray."""
    driver = connection.connection.driver_connection
    columns = ", ".join(table.c[name].name for name in rows.columns)
    statement = f"COPY {table.name} ({columns}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[union-attr]
            for row in rows.iter_rows():
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:
        # Said as SQLAlchemy says it, whose road this goes round.
        raise DBAPIError(statement, None, error) from error
    connection.exec_driver_sql(f"ANALYZE {table.name}")
