"""The border: rows as received become rows that keep the contract, or quarantine with a reason. Nothing is dropped."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dataframely as dy
import polars as pl

from data_contracts.readers.received import LINE, ROW, no_faults

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from data_contracts.catalogue import DeliveredTable
    from data_contracts.readers.received import Received

WITHHELD = "(withheld)"
NIR_SHAPE = r"^[12]\d{2}(0[1-9]|1[0-2]|[2-9]\d)(\d{2}|2[AaBb])\d{6}(\d{2})?$"
"""French social security number: sex, year, month, department (2A, 2B in Corsica), commune, order, and its two-digit key or not."""

NIR_LENGTH = 13
"""Of the shortest, without its key."""

_YEARS = (1900, 9998)
_EXPECTED = {
    pl.Date: "a date such as 2026-03-04",
    pl.Datetime: "an instant with its offset, such as 2026-03-04T18:05:00Z",
    pl.Boolean: "true or false",
    pl.Int8: "a whole number",
    pl.Int32: "a whole number",
    pl.Int64: "a whole number",
    pl.Float64: "a number with a decimal point",
}
_RULES = {
    "nullability": "a value is required",
    "min": "below the smallest value allowed",
    "max": "above the largest value allowed",
    "min_length": "empty",
    "max_length": "too long",
    "regex": "not of the form expected",
    "nan": "not a number",
    "inf": "infinite",
}


@dataclass(frozen=True)
class Checked:
    """Outcome of the border for one delivery: rows that keep the contract (with `line`), and what was set aside."""

    rows: pl.DataFrame
    quarantine: pl.DataFrame
    """Columns line, column, value, reason; a row with two faults stands twice."""
    repeated: int
    """Rows that repeat another row of the same file word for word."""


def check(
    table: DeliveredTable,
    received: Received,
    received_at: dt.datetime,
    assumed_lag: dt.timedelta | None = None,
    until: dt.date | None = None,
    headers: Mapping[str, str] | None = None,
) -> Checked:
    """Parse every column to its contract's type and apply the contract's rules.

    Args:
        table: which contract.
        received: rows as read.
        received_at: `known_on` of rows that bring none.
        assumed_lag: for a first load of history: rows that bring no `known_on` get the fact's own date plus this lag, marked as assumed,
            where that is before `received_at`.
        until: last day of that history; rows of later facts are known from `received_at` on, like any other.
        headers: under which name the sender knows a column, for the quarantine.

    Returns:
        Rows of the contract `table.schema` with `line`, and rows for the quarantine.
    """
    raw = _with_own_columns(table, received.rows)
    parsed = raw.with_columns(_parsed(name, raw.schema[name], column.dtype).alias(name) for name, column in table.schema.columns().items())
    unreadable = [_unreadable(table, name, raw, parsed) for name in table.schema.column_names()]
    numbers = [_numbers_of_persons(name, raw) for name, dtype in raw.schema.items() if dtype == pl.String]
    faults = pl.concat([received.faults, *unreadable, *numbers])
    rows = parsed.join(faults.select(LINE).unique(), on=LINE, how="anti") if faults.height else parsed
    rows = _when_known(table, rows, received_at, assumed_lag, until)
    rows, broken, repeated = _keep_contract(table, rows)
    faults = pl.concat([faults, broken]).pipe(_discreet, table)
    return Checked(rows, faults.with_columns(pl.col("column").replace(dict(headers or {}))), repeated)


def _with_own_columns(table: DeliveredTable, rows: pl.DataFrame) -> pl.DataFrame:
    absent = [pl.lit(None, pl.String).alias(name) for name in table.schema.column_names() if name not in rows.columns]
    return rows.with_columns(absent).select(LINE, *table.schema.column_names())


def _parsed(name: str, received: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    if isinstance(received, pl.Datetime) and wanted.is_temporal():
        read = _moment_as(pl.col(name), received, wanted)
    else:
        read = _read_as(name, received, wanted)
    # Beyond what a calendar of people holds, and what Python can tell.
    return pl.when(read.dt.year().is_between(*_YEARS)).then(read) if wanted.is_temporal() else read


def _read_as(name: str, received: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if received == wanted:
        return column.cast(wanted, strict=False)
    if received.is_numeric() and wanted.is_numeric():
        # A cast alone would cut 2.5 down to 2.
        return (pl.when(column.round() == column).then(column) if wanted.is_integer() else column).cast(wanted, strict=False)
    column = column.cast(pl.String).str.strip_chars()
    if isinstance(wanted, pl.Datetime):
        offset = column.str.replace(r"[zZ]$", "+00:00").str.replace(r"^(\d{4}-\d{2}-\d{2}) ", "${1}T")
        return offset.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False).dt.convert_time_zone("UTC")
    if isinstance(wanted, pl.Date):
        # A cell that holds a date is read with its midnight.
        return column.str.replace(r" 00:00:00$", "").str.to_date("%Y-%m-%d", strict=False)
    if isinstance(wanted, pl.Boolean):
        return column.str.to_lowercase().replace_strict(
            {"true": True, "false": False, "1": True, "0": False}, default=None, return_dtype=pl.Boolean
        )
    return column.cast(wanted, strict=False)


def _moment_as(column: pl.Expr, received: pl.Datetime, wanted: pl.DataType) -> pl.Expr:
    """A day only from a midnight, told in its own zone: nothing is cut off. An instant without a zone is UTC, as the contract has it."""
    if isinstance(wanted, pl.Datetime):
        return (column if received.time_zone else column.dt.replace_time_zone("UTC")).cast(wanted, strict=False)
    local = column.dt.replace_time_zone(None)
    return pl.when(local == local.dt.truncate("1d")).then(local.dt.date())


def _unreadable(table: DeliveredTable, name: str, raw: pl.DataFrame, parsed: pl.DataFrame) -> pl.DataFrame:
    lost = raw[name].is_not_null() & parsed[name].is_null()
    if not lost.any():
        return no_faults()
    dtype = table.schema.columns()[name].dtype
    values = raw.filter(lost).select(LINE, value=pl.col(name).cast(pl.String, strict=False))
    if isinstance(dtype, pl.Enum):
        allowed = dtype.categories.to_list()
        near = {value: _nearest(value, allowed) for value in values["value"].unique().drop_nulls().to_list()}
        reason = pl.col("value").replace_strict(near, default=_nearest("", allowed))
    else:
        reason = pl.lit(f"expected {_EXPECTED[type(dtype)]}" if type(dtype) in _EXPECTED else "cannot be read")
    return values.select(LINE, column=pl.lit(name), value="value", reason=reason)


def _nearest(value: str, allowed: list[str]) -> str:
    match = difflib.get_close_matches(value.strip().lower(), allowed, n=1)
    hint = f"; nearest: {match[0]}" if match else ""
    return f"expected one of {', '.join(allowed)}{hint}"


def _numbers_of_persons(name: str, raw: pl.DataFrame) -> pl.DataFrame:
    # What is too short first, then distinct values: the pattern is dear, and a column of millions of rows holds far fewer values.
    long_enough = raw.select(name).filter(pl.col(name).str.len_bytes() >= NIR_LENGTH)
    found = long_enough.unique().filter(pl.col(name).str.replace_all(r"[\s.]", "").str.contains(NIR_SHAPE))
    if found.is_empty():
        return no_faults()
    reason = pl.lit("shaped like a social security number, which Vigie never takes")
    rows = raw.select(LINE, name).join(found, on=name, how="semi")
    return rows.select(LINE, column=pl.lit(name), value=pl.lit(WITHHELD), reason=reason)


def _when_known(
    table: DeliveredTable, rows: pl.DataFrame, received_at: dt.datetime, assumed_lag: dt.timedelta | None, until: dt.date | None
) -> pl.DataFrame:
    absent = pl.col("known_on").is_null()
    assumed = pl.lit(value=False)
    known = pl.lit(received_at).cast(pl.Datetime("us", "UTC"))
    if assumed_lag is not None:
        dates = [pl.col(name).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") for name in table.fact_dates if name != "occurred_at"]
        instants = [pl.col(name) for name in table.fact_dates if name == "occurred_at"]
        epoch = pl.lit(0, pl.Int64).cast(pl.Datetime("us", "UTC"))
        happened = pl.coalesce(*dates, *instants, epoch)
        then = happened + pl.lit(assumed_lag)
        # What lies ahead is known from the delivery that tells it: dated later, it would win over its own correction.
        assumed = then < known if until is None else (then < known) & (happened.dt.date() <= until)
        known = pl.when(assumed).then(then).otherwise(known)
    return rows.with_columns(
        known_on=pl.when(absent).then(known).otherwise(pl.col("known_on")),
        known_on_assumed=pl.col("known_on_assumed").fill_null(absent & assumed),
        withdrawn=pl.col("withdrawn").fill_null(value=False),
    )


def _keep_contract(table: DeliveredTable, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    with_line: type[dy.Schema] = type(f"{table.schema.__name__}Row", (table.schema,), {LINE: dy.Int64()})
    good, failure = with_line.filter(rows)
    repeated = 0
    if "primary_key" in failure.counts():
        others = [pl.col(rule) == "invalid" for rule in failure.counts() if rule != "primary_key"]
        details = failure.details().filter(pl.col("primary_key") == "invalid", ~pl.any_horizontal(pl.lit(value=False), *others))
        same = details.select(LINE, *table.schema.column_names())
        again = same.filter(~pl.struct(pl.exclude(LINE)).is_first_distinct()).select(LINE)
        repeated = again.height
        good, failure = with_line.filter(rows.join(again, on=LINE, how="anti"))
    details = failure.details()
    broken = [_broken(table, details, rule) for rule in failure.counts()]
    return good, pl.concat([no_faults(), *broken]), repeated


def _broken(table: DeliveredTable, details: pl.DataFrame, rule: str) -> pl.DataFrame:
    column, _, check_name = rule.partition("|")
    if check_name:
        bound = getattr(table.schema.columns()[column], check_name, None)
        reason = _RULES.get(check_name, check_name) + (f": {bound}" if bound is not None else "")
        value = pl.col(column).cast(pl.String)
    else:
        reason = (
            "another row of the file says otherwise of the same fact" if rule == "primary_key" else f"broken rule: {rule.replace('_', ' ')}"
        )
        column, value = ROW, pl.lit(None, pl.String)
    return details.filter(pl.col(rule) == "invalid").select(LINE, column=pl.lit(column), value=value, reason=pl.lit(reason))


def _discreet(faults: pl.DataFrame, table: DeliveredTable) -> pl.DataFrame:
    named = pl.col("column").is_in([*table.private, ROW]) if table.private else pl.lit(value=False)
    number = pl.col("value").str.replace_all(r"[\s.]", "").str.contains(NIR_SHAPE).fill_null(value=False)
    return faults.with_columns(value=pl.when((named & pl.col("value").is_not_null()) | number).then(pl.lit(WITHHELD)).otherwise("value"))
