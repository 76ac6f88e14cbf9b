"""Delimited text, gzipped or not: every encoding, quotes, and line ends of every kind."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.readers.received import FAULTS, LARGEST, LINE, ROW, Received, Shape, empty_as_null
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    from pathlib import Path

LIKELY: Final = ("utf-8", "cp1252", "mac_roman", "cp850", "utf-16")
"""Encodings that French software writes."""
_FRENCH: Final = re.compile(r"[\x00-\x7fÀÂÇ-ËÎÏÔÙ-Üàâäç-ëîïôöù-üŒœ°«»€\u2019\u2013\u2026\u00a0]*")
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read(path: Path, name: str, shape: Shape) -> Received:
    """Every line of the file as a row of text, or as a fault when its number of fields is not that of the header.

    Raises:
        RefusedFileError: bytes that are not of the encoding, broken archive, no header, a column named twice, a quotation mark left open.
    """
    text = decoded(unpacked(path, name), name, shape)
    header, separator = header_of(text, name, shape)
    end = _end_of_header(text, shape.header_line)
    body = text[end:]
    if not body.strip("\n\r"):
        return Received(pl.DataFrame(schema={LINE: pl.Int64(), **dict.fromkeys(header, pl.String())}), pl.DataFrame(schema=FAULTS))
    lines = _lines(body, shape.header_line + 1)
    if '"' not in body:
        return _plain(lines, header, separator)
    return _quoted(lines, header, separator) or _quoted_over_lines(name, text, header, separator, shape)


def unpacked(path: Path, name: str) -> bytes:
    """The file's bytes, out of its archive.

    Raises:
        RefusedFileError: the archive is broken, or holds more than can be read.
    """
    if not path.name.lower().endswith(".gz"):
        return path.read_bytes()
    try:
        with gzip.open(path) as archive:
            data = archive.read(LARGEST + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise RefusedFileError(f"{name}: the archive is broken ({error}).", "Ask for the file again: it was cut on its way.") from error
    if len(data) > LARGEST:
        raise RefusedFileError(f"{name}: the archive holds more than {LARGEST >> 30} GiB.", "Ask for the file in several parts.")
    return data


def decoded(data: bytes, name: str, shape: Shape) -> str:
    """The text, each line ended by a line feed, perhaps after a carriage return, without byte-order mark.

    Raises:
        RefusedFileError: bytes that are not of this encoding, or text that is plainly of another.
    """
    encoding = encoding_of(data, shape)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        remedy = (
            "Export the file in UTF-8."
            if _canonical(shape.encoding) == "utf-8"
            else "Export it as before, or correct `encoding` in the mapping."
        )
        raise RefusedFileError(
            f"{name}, line {line}: byte {data[error.start]:#04x} is not {encoding.upper()}{_looks_like(data)}.", remedy
        ) from error
    except UnicodeError as error:
        raise RefusedFileError(f"{name}: the bytes are not {encoding.upper()} ({error}).", "Export the file as before.") from error
    if not _canonical(encoding).startswith("utf") and not text.isascii() and _reads_as(data, "utf-8"):
        # A single-byte encoding reads anything, so nothing else would say that every accent is wrong.
        raise RefusedFileError(
            f"{name}: the file is in UTF-8, and the mapping says {encoding}.", 'Export it as before, or set encoding = "utf-8".'
        )
    text = text.removeprefix("\ufeff")
    return text if "\n" in text else text.replace("\r", "\n")


def encoding_of(data: bytes, shape: Shape) -> str:
    """In which the bytes are read: what their mark says, whatever was declared."""
    return next((marked for mark, marked in _MARKS if data.startswith(mark)), shape.encoding)


def _canonical(encoding: str) -> str:
    """Of the names that one encoding has, always the same: UTF-8, utf8 and utf_8 are utf-8."""
    return codecs.lookup(encoding).name


def _reads_as(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def _looks_like(data: bytes) -> str:
    if b"\0" in data[:1000]:
        return "; it looks like UTF-16"
    found = guessed_encoding(data)
    return f"; it looks like {found}" if found and found != "utf-8" else ""


def guessed_encoding(data: bytes) -> str:
    """The likeliest of `LIKELY`; empty when none of them reads the bytes."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return encoding
    if _reads_as(data, "utf-8"):
        return "utf-8"
    from charset_normalizer import from_bytes

    # Letters of French first: what charset-normalizer looks for in long texts, a short file of codes does not hold.
    for encoding in LIKELY[1:4]:
        if _FRENCH.fullmatch(data.decode(encoding, errors="replace")):
            return encoding
    match = from_bytes(data, cp_isolation=list(LIKELY[1:4])).best()
    return match.encoding if match else ""


def header_of(text: str, name: str, shape: Shape) -> tuple[list[str], str]:
    """Names of the columns and the separator.

    Raises:
        RefusedFileError: there is none, or a name stands twice.
    """
    start = _end_of_header(text, shape.header_line - 1)
    line = text[start : _end_of_header(text, shape.header_line)].rstrip("\r\n")
    separator = shape.delimiter or (";" if line.count(";") > line.count(",") else ",")
    try:
        fields = next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        fields = []
    header = [field.strip().strip('"') for field in fields]
    check_names(header, name, shape.header_line, blank=not line.strip())
    return header, separator


def check_names(header: list[str], name: str, line: int, *, blank: bool = False) -> None:
    """Each column has a name of its own.

    Raises:
        RefusedFileError: otherwise.
    """
    repeated = sorted({field for field in header if field and header.count(field) > 1})
    what = f"column {', '.join(repeated)} appears more than once" if repeated else ""
    if blank or not header:
        what = "there is no header line"
    elif "" in header:
        what = f"column {header.index('') + 1} has no name"
    elif LINE in header:
        what = f"a column is named '{LINE}', a word that Vigie keeps for itself"
    if what:
        remedy = f"Send the file with each column name once, on line {line}, without merged cells."
        raise RefusedFileError(f"{name}, line {line}: {what}.", remedy)


def _end_of_header(text: str, lines: int) -> int:
    end = 0
    for _ in range(lines):
        found = text.find("\n", end)
        if found < 0:
            return len(text)
        end = found + 1
    return end


def _lines(body: str, first: int) -> pl.DataFrame:
    values = pl.DataFrame({"value": [body]}).select(pl.col("value").str.split("\n").explode().str.strip_chars_end("\r"))
    return values.select(pl.int_range(first, pl.len() + first, dtype=pl.Int64).alias(LINE), "value").filter(pl.col("value") != "")


def _plain(lines: pl.DataFrame, header: list[str], separator: str) -> Received:
    # No quote anywhere: one line is one row, so fields can be counted on whole columns.
    whole = pl.col("value").str.count_matches(separator, literal=True) + 1 == len(header)
    fields = pl.col("value").str.split_exact(separator, len(header) - 1).struct.rename_fields(header)
    rows = lines.filter(whole).select(LINE, fields.alias("fields")).unnest("fields")
    return Received(empty_as_null(rows), _ragged(lines.filter(~whole), len(header), separator))


def _quoted(lines: pl.DataFrame, header: list[str], separator: str) -> Received | None:
    """Rows where every quoted field opens and closes on its own line; None where one does not."""
    mark = "\\" + separator
    field = rf'(?:[^"{mark}]*|"(?:[^"]|"")*")'
    # So many fields, each bare or quoted from end to end.
    whole = lines["value"].str.contains(rf"^{field}(?:{mark}{field}){{{len(header) - 1}}}$")
    good, others = lines.filter(whole), lines.filter(~whole)
    if not others["value"].str.contains(rf"^{field}(?:{mark}{field})*$").all():
        return None
    rows = pl.DataFrame(schema={LINE: pl.Int64(), **dict.fromkeys(header, pl.String())})
    if good.height:
        text = good["value"].str.join("\n").item().encode()
        fields = pl.read_csv(text, has_header=False, separator=separator, infer_schema=False, new_columns=header)
        if fields.shape != (good.height, len(header)):
            return None
        rows = fields.insert_column(0, good[LINE])
    bare = pl.col("value").str.replace_all(r'"(?:[^"]|"")*"', "")
    return Received(empty_as_null(rows), _ragged(others.with_columns(value=bare), len(header), separator, others))


def _quoted_over_lines(name: str, text: str, header: list[str], separator: str, shape: Shape) -> Received:
    # A carriage return alone ends no line where others end with a line feed.
    reader = csv.reader(io.StringIO(re.sub(r"\r(?!\n)", " ", text), newline=""), delimiter=separator, strict=True)
    rows: list[list[str | int]] = []
    ragged: list[tuple[int, str]] = []
    line = 1
    try:
        for fields in reader:
            if line > shape.header_line and fields:
                if len(fields) == len(header):
                    rows.append([line, *fields])
                else:
                    ragged.append((line, separator.join(fields)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise RefusedFileError(f"{name}, line {reader.line_num}: {error}.", "Close every quotation mark that is opened.") from error
    schema = {LINE: pl.Int64(), **dict.fromkeys(header, pl.String())}
    bad = pl.DataFrame(ragged, schema={LINE: pl.Int64, "value": pl.String}, orient="row")
    return Received(empty_as_null(pl.DataFrame(rows, schema=schema, orient="row")), _ragged(bad, len(header), separator))


def _ragged(lines: pl.DataFrame, expected: int, separator: str, as_received: pl.DataFrame | None = None) -> pl.DataFrame:
    fields = pl.col("value").str.count_matches(separator, literal=True) + 1
    reason = pl.format("{} fields where the header has {}", fields, pl.lit(expected))
    counted = lines.with_columns(reason=reason)
    if as_received is not None:
        counted = counted.drop("value").join(as_received, on=LINE, how="left", maintain_order="left")
    return counted.select(LINE, column=pl.lit(ROW), value="value", reason="reason")
