"""From a file in the landing folder to rows as they were received, each with its line; a file that cannot be read is refused whole."""

from __future__ import annotations

import csv
import datetime as dt
import difflib
import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from data_contracts.catalogue import OWN_COLUMNS, TABLES, DeliveredTable
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    from pathlib import Path

LINE = "line"
ENDINGS = (".csv", ".csv.gz", ".parquet")
_FIRST_ROW_LINE = 2


@dataclass(frozen=True)
class Delivery:
    """One file that landed: where it lies, which table it claims to hold, when it came."""

    path: Path
    name: str
    """Path below the landing folder, as shown to people."""
    table: str
    received_at: dt.datetime

    def fingerprint(self) -> str:
        """SHA-256 of the table's name and the file's bytes: the same file delivered twice has the same."""
        digest = hashlib.sha256(f"{self.table}\n".encode())
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True)
class Received:
    """Rows of a delivery before any check: columns as received, `line`, and rows whose number of fields is wrong."""

    rows: pl.DataFrame
    ragged: pl.DataFrame
    """Columns line, value, reason."""


def landed(landing: Path, now: dt.datetime) -> list[Delivery]:
    """Files waiting in `landing/<table>/`, tables in the catalogue's order, then by name.

    A delivery's own time is the file's modification time, never later than `now`. Hidden and partial files are left alone.
    """
    order = {name: place for place, name in enumerate(TABLES)}
    files = (path for path in landing.rglob("*") if path.is_file() and not path.name.startswith((".", "~")) and path.suffix != ".part")
    deliveries = [
        Delivery(
            path,
            path.relative_to(landing).as_posix(),
            path.relative_to(landing).parts[0],
            min(now, dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)),
        )
        for path in files
    ]
    return sorted(deliveries, key=lambda delivery: (order.get(delivery.table, len(order)), delivery.name))


def read_delivery(delivery: Delivery) -> Received:
    """Read a file as it is, without believing it.

    Raises:
        RefusedFileError: unknown table or ending, undecodable bytes, truncated archive, missing, unknown or repeated column.
    """
    table = TABLES.get(delivery.table)
    if table is None or len(delivery.path.relative_to(delivery.path.parents[delivery.name.count("/")]).parts) != 2:  # noqa: PLR2004 - folder/file
        raise RefusedFileError(
            f"{delivery.name}: '{delivery.table}' is not a table of the contract.",
            f"Put the file in landing/<table>/, where <table> is one of {', '.join(TABLES)}.",
        )
    name = delivery.path.name.lower()
    if name.endswith(".parquet"):
        received = _read_parquet(delivery)
    elif name.endswith((".csv", ".csv.gz")):
        received = _read_csv(delivery)
    else:
        raise RefusedFileError(f"{delivery.name}: this kind of file is not read.", f"Deliver one of {', '.join(ENDINGS)}.")
    _check_header(delivery, table, [column for column in received.rows.columns if column != LINE])
    return received


def _read_parquet(delivery: Delivery) -> Received:
    try:
        rows = pl.read_parquet(delivery.path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise RefusedFileError(
            f"{delivery.name}: not a readable parquet file ({str(error).splitlines()[0]}).", "Ask for the file again: it may be truncated."
        ) from error
    return Received(rows.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(LINE), *rows.columns), _no_ragged_rows())


def _read_csv(delivery: Delivery) -> Received:
    text = _decoded(delivery)
    header_line, _, _ = text.partition("\n")
    header_line = header_line.rstrip("\r")
    separator = ";" if header_line.count(";") > header_line.count(",") else ","
    header = [name.strip().strip('"') for name in header_line.split(separator)]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated or not header_line.strip():
        what = f"column {', '.join(repeated)} appears more than once" if repeated else "there is no header line"
        raise RefusedFileError(f"{delivery.name}, line 1: {what}.", "Send the file with each column name once, on the first line.")
    if '"' in text:
        return _quoted_csv(delivery, text, header, separator)
    return _plain_csv(text, header, separator)


def _decoded(delivery: Delivery) -> str:
    data = delivery.path.read_bytes()
    if delivery.path.name.lower().endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise RefusedFileError(
                f"{delivery.name}: the archive is broken ({error}).", "Ask for the file again: it was cut on its way."
            ) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RefusedFileError(
            f"{delivery.name}, line {line}: byte {data[error.start]:#04x} is not UTF-8.", "Export the file in UTF-8."
        ) from error


def _plain_csv(text: str, header: list[str], separator: str) -> Received:
    # No quote anywhere: one line is one row, so fields can be counted on whole columns.
    lines = pl.read_csv(
        io.StringIO(text), has_header=False, separator="\n", quote_char=None, new_columns=["value"], infer_schema=False, skip_rows=1
    ) if text.count("\n") > text.endswith("\n") else pl.DataFrame(schema={"value": pl.String})  # fmt: skip
    lines = lines.select(
        pl.int_range(_FIRST_ROW_LINE, pl.len() + _FIRST_ROW_LINE, dtype=pl.Int64).alias(LINE),
        pl.col("value").fill_null("").str.strip_chars_end("\r"),
    ).filter(pl.col("value") != "")
    whole = pl.col("value").str.count_matches(separator, literal=True) + 1 == len(header)
    fields = pl.col("value").str.split_exact(separator, len(header) - 1).struct.rename_fields(header)
    rows = lines.filter(whole).select(LINE, fields.alias("fields")).unnest("fields")
    return Received(_empty_as_null(rows), _ragged(lines.filter(~whole), len(header), separator))


def _quoted_csv(delivery: Delivery, text: str, header: list[str], separator: str) -> Received:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str | int]] = []
    ragged: list[tuple[int, str]] = []
    line = 1
    try:
        for fields in reader:
            if line > 1 and fields:
                if len(fields) == len(header):
                    rows.append([line, *fields])
                else:
                    ragged.append((line, separator.join(fields)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise RefusedFileError(
            f"{delivery.name}, line {reader.line_num}: {error}.", "Close every quotation mark that is opened."
        ) from error
    schema = {LINE: pl.Int64(), **dict.fromkeys(header, pl.String())}
    bad = pl.DataFrame(ragged, schema={LINE: pl.Int64, "value": pl.String}, orient="row")
    return Received(_empty_as_null(pl.DataFrame(rows, schema=schema, orient="row")), _ragged(bad, len(header), separator))


def _empty_as_null(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.when(pl.col(pl.String).str.strip_chars() != "").then(pl.col(pl.String)))


def _ragged(lines: pl.DataFrame, expected: int, separator: str) -> pl.DataFrame:
    fields = pl.col("value").str.count_matches(separator, literal=True) + 1
    return lines.select(LINE, "value", pl.format("{} fields where the header has {}", fields, pl.lit(expected)).alias("reason"))


def _no_ragged_rows() -> pl.DataFrame:
    return pl.DataFrame(schema={LINE: pl.Int64, "value": pl.String, "reason": pl.String})


def _check_header(delivery: Delivery, table: DeliveredTable, columns: list[str]) -> None:
    contract = table.schema.columns()
    missing = [name for name, column in contract.items() if name not in columns and not column.nullable and name not in OWN_COLUMNS]
    unknown = [name for name in columns if name not in contract]
    if not missing and not unknown:
        return
    faults = []
    if missing:
        faults.append(f"missing column {', '.join(missing)}")
    if unknown:
        near = {name: difflib.get_close_matches(name, contract, n=1) for name in unknown}
        faults.append(
            "unknown column " + ", ".join(f"{name} (did you mean {match[0]}?)" if match else name for name, match in near.items())
        )
    raise RefusedFileError(f"{delivery.name}, line 1: {'; '.join(faults)}.", f"Columns of {table.name}: {', '.join(contract)}.")
