"""The warehouse: the only place that opens DuckDB.

History by `known_on`: a row is one layer of what is known of a fact. A correction is a later layer; the earlier one stays.
Tables carry neither index nor constraint (dear to insert into, and where DuckDB's storage faults of 2026 sit); contracts check keys.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import duckdb
import polars as pl

from vigie.errors import AlreadyRunningError, DamagedWarehouseError, StorageError
from vigie.files import NO_RIGHT, NO_ROOM, storage_error

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from vigie.errors import VigieError

VISIBLE_UNTIL = "visible_until"
"""Column beside `known_on`: when the next layer took over; null while none has."""

ORIGIN: Mapping[str, pl.DataType] = {"delivery": pl.Int64(), "line": pl.Int64()}
"""Columns beside those of a layout: number of the delivery a layer came in, and line of its file."""

WITHDRAWN = "withdrawn"
"""Column of a layout, true in a layer that says the fact is no more; it ends the one before, and is given back only when asked for."""

LOG_SIZE = "1GB"
"""The log is folded into the file when the warehouse closes, or past this size: not after each delivery."""

_SQL_TYPES: dict[type[pl.DataType], str] = {
    pl.String: "VARCHAR",
    pl.Boolean: "BOOLEAN",
    pl.Int8: "TINYINT",
    pl.Int32: "INTEGER",
    pl.Int64: "BIGINT",
    pl.Float64: "DOUBLE",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMPTZ",
}

WITNESS: Final = "witness"
"""Plain table: rows and checksum of all that was ever appended, noted in the same transaction."""

_DAMAGE: Final = (
    "corrupt",
    "checksum",
    "could not read enough bytes",
    "not a valid duckdb",
    "deserialize",
    "internal error",
    "fatal error",
)
"""What DuckDB says of a file that is not what it wrote."""


@dataclass(frozen=True)
class Layout:
    """How a table is stored: its name, its columns with their polars types, and the columns that name a fact."""

    name: str
    columns: Mapping[str, pl.DataType]
    key: Sequence[str] = ()


class Warehouse:
    """A DuckDB file with one writer. Use as a context manager: its errors are told in our words."""

    def __init__(self, path: Path, threads: int = 2, upto: int | None = None) -> None:
        """Open the file, or create it.

        Args:
            path: the file.
            threads: how many DuckDB may use.
            upto: number of a delivery; those after it are not seen, whenever their rows say they were known.

        Raises:
            AlreadyRunningError: another process has it open.
            DamagedWarehouseError: the file is not a whole warehouse.
            StorageError: the disk is full, or may not be written to.
        """
        self._path = path
        self._upto = "" if upto is None else f"AND delivery <= {upto}"
        try:
            self._connection = duckdb.connect(
                str(path), config={"threads": threads, "autoinstall_known_extensions": False, "checkpoint_threshold": LOG_SIZE}
            )
            self._connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
            self._run(f'CREATE TABLE IF NOT EXISTS {WITNESS} ("table" VARCHAR, rows BIGINT, checksum BIGINT, made_by VARCHAR)')
        except duckdb.Error as error:
            raise _explained(error, path) or _damaged(error, path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            self._connection.close()
        except duckdb.Error as closing:
            error = error or closing
        said = _explained(error, self._path) if isinstance(error, duckdb.Error) else None
        if said is not None:
            raise said from error

    def faults(self) -> list[str]:
        """What differs from what was noted when it was written, table by table; every block in use is read.

        Raises:
            DamagedWarehouseError: a block cannot be read.
        """
        try:
            noted = self._connection.execute(f"""
                SELECT "table", sum(rows)::BIGINT, sum(checksum)::BIGINT, list(DISTINCT made_by) FROM {WITNESS} GROUP BY ALL""").fetchall()
            found = {name: self._sums(name) for name in self.tables() if name != WITNESS}
        except duckdb.Error as error:
            raise _explained(error, self._path) or _damaged(error, self._path) from error
        told = []
        for name, rows, checksum, made_by in noted:
            there = found.pop(name, (0, 0))
            # A checksum of another engine, or of other columns, is not to be compared: the count is.
            same = there == (rows, checksum) if made_by == [self._made_by(name)] else there[0] == rows
            if not same:
                told.append(f"{name}: {rows} rows were written, and what is read back ({there[0]} rows) is not the same")
        return told + [f"{name}: {rows} rows that nobody noted" for name, (rows, _) in found.items() if rows]

    def _sums(self, table: str, where: str = "") -> tuple[int, int]:
        """Rows of a table and a checksum that adds up over its parts."""
        every = ", ".join(map(_quote, self._columns(table)))
        query = f"SELECT count(*), coalesce(sum(hash({every}) >> 32), 0)::BIGINT FROM {_quote(table)} {where}"
        rows, checksum = self._connection.execute(query).fetchall()[0]
        return rows, checksum

    def _note(self, table: str, rows: int, checksum: int) -> None:
        values = [table, rows, checksum, self._made_by(table)]
        self._connection.execute(f"INSERT INTO {WITNESS} VALUES (?, ?, ?, ?)", values).fetchall()

    def _made_by(self, table: str) -> str:
        return f"duckdb {duckdb.__version__}: {', '.join(self._columns(table))}"

    def _columns(self, table: str) -> list[str]:
        # Ten times as fast as a query of duckdb_columns(), and asked five times a delivery.
        return list(self._connection.table(_quote(table)).columns)

    def create(self, layout: Layout) -> None:
        """Make a history table if it is missing: the columns of `layout`, then where each layer came from."""
        self._create(Layout(layout.name, {**layout.columns, **ORIGIN, "revision": pl.Boolean()}))

    def create_ledger(self, layout: Layout) -> None:
        """Make a plain table, without layers, if it is missing."""
        self._create(layout)

    def _create(self, layout: Layout) -> None:
        columns = ", ".join(f"{_quote(name)} {_sql_type(dtype)}" for name, dtype in layout.columns.items())
        self._run(f"CREATE TABLE IF NOT EXISTS {_quote(layout.name)} ({columns})")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that happens in the block is kept, or nothing of it."""
        self._run("BEGIN")
        try:
            yield
        except BaseException:
            self._run("ROLLBACK")
            raise
        self._run("COMMIT")

    def append_layers(self, layout: Layout, rows: pl.DataFrame, delivery: int) -> int:
        """Append `rows` as layers, and tell how many say something new.

        A row is new when its fact was unknown, or when it differs from the layer that was newest at its own `known_on`. One that repeats
        that layer at a later instant is kept all the same: a row that comes late, known in between, must not win over it. One that repeats
        it at the very same instant is not.

        Args:
            layout: the table; it is created if missing.
            rows: the columns of `layout`, and `line`.
            delivery: number of the delivery; a later one wins between layers known at the same instant.
        """
        self.create(layout)
        if rows.height:
            return self._append_layers(layout, rows, delivery)
        return 0

    def _append_layers(self, layout: Layout, rows: pl.DataFrame, delivery: int) -> int:
        table, key = _quote(layout.name), ", ".join(map(_quote, layout.key))
        names = [*layout.columns, "line"]
        columns = ", ".join(map(_quote, names))
        facts = [name for name in layout.columns if name not in {*layout.key, "known_on", "known_on_assumed"}]
        content = "struct_pack(" + ", ".join(f"{_quote(n)} := {_quote(n)}" for n in facts) + ")"
        self._connection.register("incoming_rows", rows.select(names))
        # Facts met once and unknown so far need no comparison: by far the most, so they take the short way.
        self._run(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {_typed(layout)}, line FROM incoming_rows")
        self._connection.unregister("incoming_rows")
        self._run(f"""
            CREATE OR REPLACE TEMP TABLE contested AS
            SELECT {key} FROM incoming GROUP BY ALL HAVING count(*) > 1
            UNION SELECT {key} FROM {table} SEMI JOIN incoming USING ({key})""")
        contested = self._number(f"SELECT count(*) FROM incoming SEMI JOIN contested USING ({key})")
        # An INSERT of no rows can leave an empty row group, behind which DuckDB 2.0.0 stops scanning: never send one.
        kept = new = rows.height - contested
        if new:
            self._run(f"""
                INSERT INTO {table} ({columns}, delivery, revision)
                SELECT {columns}, {delivery}, false FROM incoming ANTI JOIN contested USING ({key})""")
        if contested:
            self._run(f"""
                CREATE OR REPLACE TEMP TABLE revisions AS
                WITH layers AS (
                    SELECT {columns}, delivery, false AS incoming FROM {table} SEMI JOIN contested USING ({key})
                    UNION ALL
                    SELECT {columns}, {delivery}, true FROM incoming SEMI JOIN contested USING ({key})),
                compared AS (
                    SELECT *, lag({content}) OVER layered AS earlier, lag(known_on) OVER layered AS known_before,
                        row_number() OVER layered AS layer
                    FROM layers WINDOW layered AS (PARTITION BY {key} ORDER BY known_on, delivery, line))
                SELECT {columns}, layer = 1 OR earlier IS DISTINCT FROM {content} AS novel FROM compared
                WHERE incoming AND (novel OR known_before < known_on)""")
            kept += self._number("SELECT count(*) FROM revisions")
            new += self._number("SELECT count(*) FROM revisions WHERE novel")
            if self._number("SELECT count(*) FROM revisions"):
                insert = f"INSERT INTO {table} ({columns}, delivery, revision) SELECT {columns}, {delivery}, true FROM revisions"
                self._run(insert)
            self._run("DROP TABLE revisions")
        self._run("DROP TABLE incoming; DROP TABLE contested")
        stored, checksum = self._sums(layout.name, f"WHERE delivery = {delivery}")
        if stored != kept:
            what = f"{layout.name}: {kept} rows were written and {stored} are read back."
            raise DamagedWarehouseError(what, "Nothing was kept. Run: vigie rebuild.")
        self._note(layout.name, stored, checksum)
        return new

    def as_known_at(
        self,
        layout: Layout,
        instant: dt.datetime,
        *,
        since: dt.datetime | None = None,
        columns: Sequence[str] | None = None,
        among: pl.DataFrame | None = None,
        withdrawn: bool = False,
    ) -> pl.DataFrame:
        """The table as it was known at `instant`: for each fact the newest layer with `known_on` <= `instant`.

        Every reader goes through here: features, labels, lists and replays.

        Args:
            layout: the table; a missing one is empty.
            instant: UTC.
            since: also give the layers that were the newest at some moment from `since` on, so that many past nights can be read at
                once. `known_on` and `visible_until` then say from when until when each was.
            columns: which columns, those that say where a row came from (`ORIGIN`) included; all those of the layout by default.
            among: one column of the key, in a frame: only facts whose value is in it. The rest of the table is not read.
            withdrawn: also give layers that take a fact back.

        Returns:
            The columns asked for, then `visible_until` when `since` is given; rows in no promised order.
        """
        names = list(columns or layout.columns)
        asked = [*names, VISIBLE_UNTIL] if since else names
        if not self._exists(layout.name):
            types = {**layout.columns, **ORIGIN, VISIBLE_UNTIL: pl.Datetime("us", "UTC")}
            return pl.DataFrame(schema={name: types[name] for name in asked})
        key = ", ".join(map(_quote, layout.key))
        wanted = ", ".join(map(_quote, asked))
        first = (since or instant).isoformat()
        stands = f"NOT {WITHDRAWN}" if WITHDRAWN in layout.columns and not withdrawn else "true"
        asked_for = ""
        if among is not None:
            (column,) = among.columns
            if column not in layout.key:
                raise ValueError(f"{column} is no part of the key of {layout.name}")
            self._connection.register("asked_for", among.unique())
            asked_for = f"SEMI JOIN asked_for USING ({_quote(column)})"
        relation = self._connection.sql(f"""
            WITH known AS (
                SELECT * FROM {_quote(layout.name)} {asked_for}
                WHERE known_on <= TIMESTAMPTZ '{instant.isoformat()}' {self._upto}),
            revised AS (SELECT DISTINCT {key} FROM known WHERE revision),
            single AS (SELECT *, NULL::TIMESTAMPTZ AS {VISIBLE_UNTIL} FROM known ANTI JOIN revised USING ({key})),
            layered AS (
                SELECT *, lead(known_on) OVER (PARTITION BY {key} ORDER BY known_on, delivery, line) AS {VISIBLE_UNTIL}
                FROM known SEMI JOIN revised USING ({key}))
            SELECT {wanted} FROM single WHERE {stands}
            UNION ALL
            SELECT {wanted} FROM layered WHERE {stands} AND
            ({VISIBLE_UNTIL} IS NULL OR ({VISIBLE_UNTIL} > known_on AND {VISIBLE_UNTIL} > TIMESTAMPTZ '{first}'))""")
        rows = relation.pl()
        if among is not None:
            self._connection.unregister("asked_for")
        return _as_declared(rows, {**layout.columns, **ORIGIN})

    def delivered(self, layout: Layout, delivery: int) -> pl.DataFrame:
        """Layers that came in one delivery: the columns of `layout`, and `line`."""
        names = [*layout.columns, "line"]
        if not self._exists(layout.name):
            return pl.DataFrame(schema={**layout.columns, "line": pl.Int64()})
        columns = ", ".join(map(_quote, names))
        found = self._connection.sql(f"SELECT {columns} FROM {_quote(layout.name)} WHERE delivery = {delivery} ORDER BY line")
        return _as_declared(found.pl(), {**layout.columns, **ORIGIN})

    def newest(self, layout: Layout, column: str, instant: dt.datetime, where: str = "TRUE") -> dt.date | None:
        """The latest day up to `instant` that facts known by then tell of; None when there is none.

        A fact dated ahead, such as an end that is announced, tells of no day after the one on which it was known.

        Args:
            layout: the table.
            column: a date, or an instant.
            instant: UTC.
            where: which facts count, in SQL over the table's columns.
        """
        if not self._exists(layout.name):
            return None
        day = f"least({_quote(column)}::DATE, known_on::DATE)"
        end = instant.isoformat()
        found: dt.date | None = self._connection.execute(f"""
            SELECT max({day}) FROM {_quote(layout.name)}
            WHERE known_on <= TIMESTAMPTZ '{end}' AND {day} <= TIMESTAMPTZ '{end}'::DATE AND {where} {self._upto}""").fetchall()[0][0]
        return found

    def layers(self, layout: Layout, fact: Sequence[str]) -> pl.DataFrame:
        """Every layer of one fact, oldest first: the columns of `layout`, `ORIGIN`, and `visible_until`.

        Args:
            layout: the table.
            fact: values of its key, in order, as text.
        """
        names = [*layout.columns, *ORIGIN]
        if not self._exists(layout.name):
            return pl.DataFrame(schema={**layout.columns, **ORIGIN, VISIBLE_UNTIL: pl.Datetime("us", "UTC")})
        wanted = ", ".join(map(_quote, names))
        same = " AND ".join(f"{_quote(column)}::VARCHAR = ?" for column in layout.key)
        order = "ORDER BY known_on, delivery, line"
        query = f"""
            SELECT {wanted}, lead(known_on) OVER ({order}) AS {VISIBLE_UNTIL}
            FROM {_quote(layout.name)} WHERE {same} {self._upto} {order}"""
        return _as_declared(self._connection.sql(query, params=list(fact)).pl(), {**layout.columns, **ORIGIN})

    def about(self, layout: Layout, column: str, values: Sequence[str]) -> pl.DataFrame:
        """Every layer of the facts that name one of these in a column, oldest first: the columns of `layout`, and `ORIGIN`."""
        names = [*layout.columns, *ORIGIN]
        if not self._exists(layout.name):
            return pl.DataFrame(schema={**layout.columns, **ORIGIN})
        wanted = ", ".join(map(_quote, names))
        query = f"SELECT {wanted} FROM {_quote(layout.name)} WHERE {_quote(column)} IN (SELECT unnest(?)) {self._upto} ORDER BY ALL"
        found = self._connection.sql(query, params=[list(values)]).pl()
        return _as_declared(found, {**layout.columns, **ORIGIN}).sort(*layout.key, "known_on", *ORIGIN)

    def arrivals(self, layout: Layout, groups: pl.DataFrame, since: dt.datetime, until: dt.datetime, time_zone: str) -> pl.DataFrame:
        """On which days layers of a table became known, for each group of facts.

        Args:
            layout: the table.
            groups: a column of the table's key, then `group`.
            since: UTC.
            until: UTC, included.
            time_zone: in which days are counted.

        Returns:
            group, day; one row for each day on which something came.
        """
        schema = {"group": pl.String(), "day": pl.Date()}
        if not self._exists(layout.name):
            return pl.DataFrame(schema=schema)
        self._connection.register("grouped", groups)
        found = self._connection.sql(
            f"""
            SELECT DISTINCT "group", (known_on AT TIME ZONE ?)::DATE AS day
            FROM {_quote(layout.name)} JOIN grouped USING ({_quote(groups.columns[0])})
            WHERE known_on BETWEEN TIMESTAMPTZ '{since.isoformat()}' AND TIMESTAMPTZ '{until.isoformat()}' {self._upto}""",
            params=[time_zone],
        ).pl()
        self._connection.unregister("grouped")
        return _as_declared(found, schema)

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Add rows to a plain table, by column name."""
        if rows.is_empty():
            return
        self._connection.register("appended_rows", rows)
        columns = ", ".join(map(_quote, rows.columns))
        self._run(f"CREATE OR REPLACE TEMP TABLE appended AS FROM {_quote(table)} LIMIT 0")
        self._run(f"INSERT INTO appended ({columns}) SELECT {columns} FROM appended_rows")
        self._connection.unregister("appended_rows")
        self._run(f"INSERT INTO {_quote(table)} FROM appended")
        self._note(table, *self._sums("appended"))
        self._run("DROP TABLE appended")

    def read(self, layout: Layout) -> pl.DataFrame:
        """A plain table, whole, sorted by its columns: DuckDB keeps no order, and what is written from it must be the same twice."""
        if not self._exists(layout.name):
            return pl.DataFrame(schema=dict(layout.columns))
        columns = ", ".join(map(_quote, layout.columns))
        return _as_declared(self._connection.sql(f"SELECT {columns} FROM {_quote(layout.name)} ORDER BY ALL").pl(), layout.columns)

    def tables(self) -> list[str]:
        """Names of everything that is stored."""
        return sorted(name for (name,) in self._connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary").fetchall())

    def whole(self, table: str) -> pl.DataFrame:
        """A table as it is stored, every column and layer, sorted by its columns."""
        stored: pl.DataFrame = self._connection.table(_quote(table)).pl()
        return stored.sort(stored.columns, nulls_last=True)

    def count(self, table: str) -> int:
        """Rows of a table, all layers counted; 0 when it does not exist."""
        if not self._exists(table):
            return 0
        return self._number(f"SELECT count(*) FROM {_quote(table)}")

    def tally(self, layout: Layout, columns: Sequence[str], deliveries: Sequence[int]) -> pl.DataFrame:
        """How often each value of some columns stands in the layers that came in some deliveries: column, code, rows."""
        schema = {"column": pl.String(), "code": pl.String(), "rows": pl.Int64()}
        if not (self._exists(layout.name) and columns and deliveries):
            return pl.DataFrame(schema=schema)
        numbers = ", ".join(map(str, deliveries))
        parts = [
            f"SELECT '{name}' AS \"column\", {_quote(name)}::VARCHAR AS code, count(*) AS rows FROM chosen GROUP BY ALL" for name in columns
        ]
        wanted = ", ".join(map(_quote, columns))
        chosen = f"WITH chosen AS (SELECT {wanted} FROM {_quote(layout.name)} WHERE delivery IN ({numbers}))"
        return _as_declared(self._connection.sql(f"{chosen} {' UNION ALL '.join(parts)} ORDER BY ALL").pl(), schema)

    def _run(self, sql: str) -> None:
        # Results of execute stream in DuckDB 2.0: a statement is over only once its result was read.
        self._connection.execute(sql).fetchall()

    def _number(self, sql: str) -> int:
        return int(self._connection.execute(sql).fetchall()[0][0])

    def _exists(self, table: str) -> bool:
        query = "SELECT count(*) FROM duckdb_tables() WHERE table_name = ? AND NOT temporary"
        return bool(self._connection.execute(query, [table]).fetchall()[0][0])


def _explained(error: duckdb.Error, path: Path) -> VigieError | None:
    """The same error in words a person can act upon; None when it is about something else than the file and the disk."""
    said = str(error).lower()
    if "could not set lock" in said or "conflicting lock" in said:
        return AlreadyRunningError(f"Another process has {path} open.", "Wait for it to end, then run the command again.")
    for number in (*NO_ROOM, *NO_RIGHT):
        if os.strerror(number).lower() in said:
            return storage_error(number, str(path))
    if "out of space" in said or "could not write all" in said:
        return StorageError(f"The disk is full: {path}", "Free some room, then run the command again.")
    return _damaged(error, path) if any(sign in said for sign in _DAMAGE) else None


def _damaged(error: duckdb.Error, path: Path) -> DamagedWarehouseError:
    what = f"{path} cannot be opened as a warehouse, or read to its end: {str(error).splitlines()[0]}"
    return DamagedWarehouseError(what, "Run: vigie rebuild. It puts the file aside and makes it again from the archive.")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _typed(layout: Layout) -> str:
    return ", ".join(f"{_quote(name)}::{_sql_type(dtype)} AS {_quote(name)}" for name, dtype in layout.columns.items())


def _sql_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Enum):
        return "ENUM(" + ", ".join("'" + value.replace("'", "''") + "'" for value in dtype.categories) + ")"
    return _SQL_TYPES[type(dtype)]


def _as_declared(frame: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.DataFrame:
    return frame.with_columns(pl.col(name).cast(types.get(name, pl.Datetime("us", "UTC"))) for name in frame.columns)
