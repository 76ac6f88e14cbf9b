"""A source's rows in its own words to canonical rows: whole columns at a time. What cannot be turned is a fault, never a guess."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import Final

import polars as pl

from data_contracts.border import WITHHELD
from data_contracts.catalogue import TABLES
from data_contracts.deliveries import Delivery, Part, complain_of_header, read_rows
from data_contracts.readers.received import FAULTS, LINE, ROW, Received
from data_contracts.readers.text import LIKELY, unpacked
from data_contracts.sources.mapping import DIRECTIVES, EXCEL, YES_NO, Column, FileMapping, Rows, Source, folded
from vigie.errors import RefusedFileError

_CELLS: Final = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d")
"""How a cell that holds a date is read, out of a workbook or a parquet file."""
_MIDNIGHT: Final = r" 00:00:00(?:\.0+)?$"
"""How a cell that holds a day alone is read."""
_NUMBER: Final = {",": r"^[+-]?\d+(?:,\d+)?$", ".": r"^[+-]?\d+(?:\.\d+)?$"}
_EPOCH: Final = dt.datetime(1899, 12, 30)  # noqa: DTZ001 - a local day, as spreadsheets count from
_FEW: Final = 4
"""Rows a value, on average, from which it is turned once instead of in each row."""
_BLANKS: Final = r"[\s\u{00a0}\u{202f}]"


def parts_of(delivery: Delivery, source: Source) -> list[Part]:
    """What one file of a source says of each table its mapping feeds.

    Raises:
        RefusedFileError: it cannot be read, its header is not that of the mapping, or the mapping knows no such folder.
    """
    mapping = source.files.get(delivery.table)
    if mapping is None or delivery.name.count("/") != 2:  # noqa: PLR2004 - source/table/file
        folders = ", ".join(f"landing/{source.name}/{table}/" for table in source.files)
        raise RefusedFileError(f"{delivery.name}: the mapping of {source.name} knows no such folder.", f"It knows {folders}.")
    received, note = known_columns(delivery, mapping)
    return [converted(rows, received, mapping, source, note=note, typed=_is_typed(delivery)) for rows in mapping.rows]


def _is_typed(delivery: Delivery) -> bool:
    return delivery.path.name.lower().endswith((".xlsx", ".parquet"))


def known_columns(delivery: Delivery, mapping: FileMapping) -> tuple[Received, str]:
    """The file's rows, under the headers the mapping reads, all of them text; then what about its header deserves a look.

    A column that came on top is left out and told. One that is missing stops the file, and so does one too many where an optional one is
    missing: it may be the same, renamed.

    Raises:
        RefusedFileError: it cannot be read, or its header is not that of the mapping.
    """
    received = read_rows(delivery.path, delivery.name, mapping.shape)
    _complain_of_twins(delivery, mapping, received.rows.columns)
    rows = received.rows.rename({old: new for old, new in mapping.aliases.items() if old in received.rows.columns}, strict=False)
    missing = [header for header in mapping.headers if header not in rows.columns and header not in mapping.optional]
    unknown = [header for header in rows.columns if header not in {LINE, *mapping.headers, *mapping.ignored, *mapping.never}]
    if missing or (unknown and any(header not in rows.columns for header in mapping.optional)):
        remedy = "Export the columns as before, or correct the mapping: aliases for a new name, ignored for a column that is not taken."
        complain_of_header(delivery.name, mapping.header_line, missing, unknown, mapping.headers, remedy + _misread(delivery, mapping))
    note = f"left out, since the mapping does not know it: column {', '.join(unknown)}" if unknown else ""
    absent = [pl.lit(None, pl.String).alias(header) for header in mapping.headers if header not in rows.columns]
    text = rows.with_columns(absent).select(LINE, pl.col(mapping.headers).cast(pl.String))
    nulls = pl.col(pl.String).str.strip_chars()
    said = text.with_columns(pl.when(~nulls.is_in([*mapping.nulls, ""])).then(nulls))
    # A line that does not fit its header may hold a name anywhere.
    withheld = pl.when((pl.col("column") == ROW) | pl.col("column").is_in(list(mapping.private))).then(pl.lit(WITHHELD)).otherwise("value")
    return Received(said, received.faults.with_columns(value=withheld)), note


def _complain_of_twins(delivery: Delivery, mapping: FileMapping, columns: list[str]) -> None:
    """Refuse a file in which two columns stand for one header: nothing says which of them is right."""
    for header in dict.fromkeys(mapping.aliases.values()):
        twins = [column for column in columns if mapping.aliases.get(column, column) == header]
        if len(twins) > 1:
            raise RefusedFileError(
                f"{delivery.name}, line {mapping.header_line}: columns {', '.join(twins)} are all {header} to the mapping.",
                "Export one of them, or take the name that means something else out of aliases in the mapping.",
            )


def _misread(delivery: Delivery, mapping: FileMapping) -> str:
    """Another encoding in which the header holds every column, if there is one: then the accents are wrong, not the names."""
    if delivery.path.name.lower().endswith((".xlsx", ".parquet")):
        return ""
    data = unpacked(delivery.path, delivery.name)
    for encoding in LIKELY[:4]:
        text = data.decode(encoding, errors="ignore").replace("\r\n", "\n").replace("\r", "\n")
        header = [name.strip().strip('"') for name in text.split("\n")[mapping.header_line - 1].split(mapping.delimiter)]
        if encoding != mapping.encoding and {*mapping.headers} - {*mapping.optional} <= {
            mapping.aliases.get(name, name) for name in header
        }:
            return f" Read as {encoding} instead of {mapping.encoding}, the header holds every column."
    return ""


def converted(rows: Rows, received: Received, mapping: FileMapping, source: Source, *, note: str = "", typed: bool) -> Part:
    """What the lines say of one table, in its columns.

    Args:
        rows: which table, which lines, and how each column is made.
        received: columns named by the headers of the mapping.
        mapping: of the file.
        source: for its code lists.
        note: what about the file deserves a look.
        typed: cells hold dates and numbers of their own.
    """
    table = TABLES[rows.table]
    lines = received.rows.filter(_counts(rows))
    makers = {name: _Maker(name, spec, table.schema.columns()[name].dtype, mapping, source, typed) for name, spec in rows.columns.items()}
    said = lines.with_columns(maker.said.alias(f"{name}\0said") for name, maker in makers.items())
    made = said.with_columns(maker.turned(said[f"{name}\0said"]).alias(f"{name}\0made") for name, maker in makers.items())
    faults = [_lost(name, maker, made, mapping) for name, maker in makers.items()]
    # A word that a list gives nothing for is known to say nothing.
    kept = {name: pl.col(f"{name}\0made").replace("", None) if maker.words else pl.col(f"{name}\0made") for name, maker in makers.items()}
    canonical = made.select(LINE, **kept)
    # A line that does not fit its header is told once, by the table of which every line is a row.
    own = received.faults if rows.when is None else received.faults.clear()
    headers = {name: maker.label for name, maker in makers.items() if maker.spec.headers}
    return Part(table, Received(canonical, pl.concat([own, *faults])), headers, rows.delivers == "full", note)


def _counts(rows: Rows) -> pl.Expr:
    if rows.when is None:
        return pl.lit(value=True)
    if isinstance(rows.when, str):
        return pl.col(rows.when).is_not_null()
    wanted = [_folded(pl.col(header)).is_in([folded(value) for value in values]) for header, values in rows.when.items()]
    return pl.all_horizontal(wanted).fill_null(value=False)


def _folded(text: pl.Expr) -> pl.Expr:
    """As `folded` does to one word."""
    return text.str.strip_chars().str.to_lowercase().str.replace_all("\u2019", "'", literal=True)


class _Maker:
    """How one canonical column is made: first what the source says, then what it means."""

    def __init__(
        self,
        name: str,
        spec: Column,
        dtype: pl.DataType,
        mapping: FileMapping,
        source: Source,
        typed: bool,  # noqa: FBT001
    ) -> None:
        self.spec, self.dtype, self.mapping, self.typed = spec, dtype, mapping, typed
        self.label = " + ".join(spec.headers) or name
        self.words = source.codes[spec.codes] if spec.codes else YES_NO if dtype == pl.Boolean else None
        self.spelled = source.spelled
        self._said = pl.col(f"{name}\0said")

    @property
    def said(self) -> pl.Expr:
        """The source's text."""
        spec = self.spec
        if spec.value is not None:
            return pl.lit(spec.value)
        if spec.join:
            return pl.concat_str([pl.col(header) for header in spec.join], separator=spec.with_)
        return pl.coalesce([pl.col(header) for header in spec.headers])

    def turned(self, said: pl.Series) -> pl.Series:
        """The values; null where the source says nothing, or something that cannot be turned."""
        if self.is_plain:
            return said
        distinct = said.unique()
        if distinct.len() * _FEW > said.len():
            return said.to_frame().select(self._made).to_series()
        # Codes, dates and hours repeat: each is turned once.
        made = distinct.to_frame().select(self._made).to_series()
        return said.replace_strict(distinct, made, return_dtype=made.dtype)

    @property
    def is_plain(self) -> bool:
        """True when the source's text is the value."""
        changed = self.words is not None or self.spec.split or self.spec.extract or self.spec.empty is not None or self.spec.take
        return self.spec.value is not None or (self.dtype == pl.String and not changed)

    @property
    def _made(self) -> pl.Expr:
        text = self._said
        if self.spec.split:
            text = text.str.split(self.spec.split).list.get(self.spec.part - 1, null_on_oob=True).str.strip_chars()
        if self.spec.extract:
            text = text.str.extract(self.spec.extract, 1)
        made = self._meant(text)
        return pl.when(self._said.is_null()).then(pl.lit(self.spec.empty)).otherwise(made) if self.spec.empty is not None else made

    def _meant(self, text: pl.Expr) -> pl.Expr:
        if self.words is not None:
            return _folded(text).replace_strict(self.words, default=None, return_dtype=pl.String)
        if self.dtype.is_temporal() or self.spec.take:
            return self._when(text)
        if self.dtype.is_float():
            return self._number(text) / self.spec.out_of
        if self.dtype.is_integer():
            return self._whole(text)
        return text

    def _when(self, text: pl.Expr) -> pl.Expr:
        if isinstance(self.dtype, pl.Datetime):
            return self._instant(text)
        return self._moment(text).dt.year() if self.spec.take else self._moment(text).dt.date()

    def _moment(self, text: pl.Expr) -> pl.Expr:
        """A local date-time of the first format that fits, digit for digit."""
        formats = [form for form in (*self.mapping.dates, *(_CELLS if self.typed else ())) if form != EXCEL]
        read = [
            pl.when(text.str.contains(digits(form))).then(text).str.to_datetime(form, time_unit="us", strict=False, ambiguous="null")
            for form in formats
        ]
        if EXCEL in self.mapping.dates:
            days = pl.when(text.str.contains(r"^\d{5}(?:\.\d+)?$")).then(text).cast(pl.Float64, strict=False)
            read.append(pl.lit(_EPOCH).cast(pl.Datetime("us")) + pl.duration(seconds=(days * 86_400).round().cast(pl.Int64)))
        return pl.coalesce(read)

    def _instant(self, text: pl.Expr) -> pl.Expr:
        hour, minute = (int(part) for part in self.spec.time.split(":"))
        moment = self._moment(text)
        told = text.str.replace(_MIDNIGHT, "") if self.typed else text
        whole_day = (moment == moment.dt.truncate("1d")) & ~told.str.contains(r"\d{1,2}:\d{2}")
        local = pl.when(whole_day).then(moment.dt.offset_by(f"{hour}h{minute}m")).otherwise(moment)
        return local.dt.replace_time_zone(self.mapping.time_zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")

    def _number(self, text: pl.Expr) -> pl.Expr:
        bare = text.str.replace_all(_BLANKS, "")
        fits = bare.str.contains(_NUMBER[self.mapping.decimal])
        if self.typed:
            fits |= bare.str.contains(_NUMBER["."])
        return pl.when(fits).then(bare.str.replace(",", ".", literal=True)).cast(pl.Float64, strict=False)

    def _whole(self, text: pl.Expr) -> pl.Expr:
        if self.spec.unit == "clock":
            parts = text.str.extract_groups(r"^(\d{1,4})\s?[:hH](\d{2})?$")
            hours, minutes = (parts.struct.field(field).cast(pl.Int64, strict=False) for field in ("1", "2"))
            return hours * 60 + minutes.fill_null(0)
        number = self._number(text) * (60 if self.spec.unit == "hours" else 1)
        near = number.round()
        # 1,33 hours is 80 minutes; half a minute of a whole number of minutes is a mistake.
        fits = pl.lit(value=True) if self.spec.unit == "hours" else near == number
        return pl.when(fits).then(near).cast(pl.Int64, strict=False)


def digits(form: str) -> str:
    """Regular expression of a date format: so many digits for each part, no more."""
    pattern = re.escape(form)
    for directive, digits in DIRECTIVES.items():
        pattern = pattern.replace(re.escape(directive), digits)
    return f"^{pattern}$"


def _lost(name: str, maker: _Maker, made: pl.DataFrame, mapping: FileMapping) -> pl.DataFrame:
    """Where the source said something that could not be turned."""
    lost = made.filter(pl.col(f"{name}\0said").is_not_null() & pl.col(f"{name}\0made").is_null())
    value = pl.col(f"{name}\0said")
    found = lost.select(LINE, column=pl.lit(maker.label), value=value, reason=_reason(maker, lost[f"{name}\0said"]))
    if mapping.private.intersection(maker.spec.headers):
        found = found.with_columns(value=pl.lit(WITHHELD))
    return found.select(list(FAULTS))


def _reason(maker: _Maker, values: pl.Series) -> pl.Expr:
    if maker.words is not None:
        words = list(maker.words)
        shown = ", ".join(maker.spelled.get(word, word) for word in words)
        near = {value: difflib.get_close_matches(folded(value), words, n=1) for value in values.unique().to_list()}
        spelled = {value: maker.spelled.get(match[0], match[0]) for value, match in near.items() if match}
        said = {value: f"expected one of {shown}" + (f"; nearest: {spelled[value]}" if value in spelled else "") for value in near}
        return pl.lit(values.replace_strict(said, return_dtype=pl.String)) if said else pl.lit("")
    if maker.spec.split or maker.spec.extract:
        return pl.lit("not of the form expected")
    if maker.dtype.is_temporal() or maker.spec.take:
        return pl.lit(f"expected a date such as {' or '.join(_shown(form) for form in maker.mapping.dates)}")
    example = "3:30" if maker.spec.unit == "clock" else "3" if maker.spec.unit == "minutes" and maker.dtype.is_integer() else "3.5"
    return pl.lit(f"expected a number such as {example.replace('.', maker.mapping.decimal)}")


def _shown(form: str) -> str:
    return "46085" if form == EXCEL else _EXAMPLE.strftime(form.replace("%.f", ".0"))


_EXAMPLE: Final = dt.datetime(2026, 3, 4, 9, 5)  # noqa: DTZ001 - an example
