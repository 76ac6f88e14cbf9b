"""Mappings: how the files of one source are written and what they mean. One TOML file a source; nothing in it is guessed at night."""

from __future__ import annotations

import codecs
import hashlib
import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from data_contracts.catalogue import OWN_COLUMNS, TABLES
from data_contracts.deliveries import MENDED
from data_contracts.readers.received import Shape
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from pathlib import Path

EXCEL: Final = "excel"
"""Among date formats: days since 30 December 1899, as spreadsheets count them."""
DIRECTIVES: Final = {
    "%d": r"\d{1,2}",
    "%m": r"\d{1,2}",
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%H": r"\d{1,2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%.f": r"(?:\.\d+)?",
}
"""Parts of a date format and the digits each stands for: a year of two digits is never read as one of four."""
YES_NO: Final = {
    **dict.fromkeys(("1", "oui", "o", "vrai", "true", "yes"), "true"),
    **dict.fromkeys(("0", "non", "n", "faux", "false", "no"), "false"),
}
_VERSION: Final = 12


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Column(_Strict):
    """Where the value of one canonical column comes from, and what is done to it. In order: from, split or extract, codes, number."""

    from_: str | None = Field(default=None, alias="from")
    """A header."""
    first: tuple[str, ...] = ()
    """Headers: the first that is filled."""
    join: tuple[str, ...] = ()
    """Headers put together."""
    with_: str = Field(default="/", alias="with")
    """Between them."""
    value: str | None = None
    """The same for every row."""
    split: str | None = Field(default=None, min_length=1)
    """What parts the field is made of are separated by."""
    part: int = Field(default=1, ge=1)
    extract: str | None = None
    """Regular expression with one group: only what it holds is taken."""
    codes: str | None = None
    """Name of a list in `[codes]`: the source's word, then ours. A word that is not in it goes to quarantine."""
    empty: str | None = None
    """Our word where the source says nothing."""
    unit: Literal["minutes", "hours", "clock"] = "minutes"
    """hours: 3,5 is 210 minutes. clock: 3:30 or 3h30 is."""
    out_of: float = Field(default=1, gt=0)
    """A mark out of 20 is divided by 20."""
    take: Literal["year"] | None = None
    """Only the year of a date."""
    time: str = Field(default="12:00", pattern=r"^\d{2}:\d{2}$")
    """Time of day of an instant of which the source tells the day alone."""

    @model_validator(mode="after")
    def _one_origin(self) -> Column:
        if sum((self.from_ is not None, bool(self.first), bool(self.join), self.value is not None)) != 1:
            raise ValueError("say exactly one of from, first, join, value")
        if self.extract and re.compile(self.extract).groups != 1:
            raise ValueError("extract needs exactly one group in brackets")
        return self

    @property
    def headers(self) -> tuple[str, ...]:
        """Headers it reads."""
        return (self.from_,) if self.from_ is not None else (*self.first, *self.join)


class Rows(_Strict):
    """What every line of the file, or some of them, say of one table."""

    table: str
    when: str | dict[str, list[str]] | None = None
    """A header that must be filled, or headers with the values that count. Other lines say nothing of this table."""
    delivers: Literal["full", "increments"] = "increments"
    """full: what a file does not tell is no longer so. increments: it only adds and corrects."""
    columns: dict[str, Column]

    @field_validator("columns", mode="before")
    @classmethod
    def _plain_header(cls, columns: Any) -> Any:  # noqa: ANN401 - as TOML has it
        if not isinstance(columns, dict):
            return columns
        return {name: {"from": spec} if isinstance(spec, str) else spec for name, spec in columns.items()}

    @property
    def headers(self) -> set[str]:
        """Headers it reads."""
        conditions = [self.when] if isinstance(self.when, str) else list(self.when or ())
        return {*conditions, *(header for column in self.columns.values() for header in column.headers)}


class FileMapping(_Strict):
    """Files of one folder, `landing/<source>/<table>/`."""

    encoding: str = "utf-8"
    delimiter: str = Field(default=";", min_length=1, max_length=1)
    decimal: Literal[",", "."] = ","
    dates: tuple[str, ...] = ("%d/%m/%Y",)
    nulls: tuple[str, ...] = ()
    header_line: int = Field(default=1, ge=1)
    sheet: str = ""
    time_zone: str = "Europe/Paris"
    assumed_lag_days: int | None = Field(default=None, ge=0)
    """A first load of history: facts up to `history_until` were known so many days after their date, which is marked as assumed."""
    history_until: str | None = None
    ignored: tuple[str, ...] = ()
    """Headers that are known and not taken."""
    never: tuple[str, ...] = ()
    """Headers whose content is removed from the file itself before anything else looks at it, such as social security numbers."""
    optional: tuple[str, ...] = ()
    """Headers that some files lack."""
    aliases: dict[str, str] = Field(default_factory=dict)
    """Another name of a header, then the one used here."""
    rows: tuple[Rows, ...] = Field(min_length=1)

    @property
    def shape(self) -> Shape:
        """For the readers."""
        return Shape(self.encoding, self.delimiter, self.header_line, self.sheet)

    @property
    def headers(self) -> list[str]:
        """Headers it reads, in the order of the mapping."""
        return list(dict.fromkeys(header for rows in self.rows for header in sorted(rows.headers)))

    @property
    def private(self) -> set[str]:
        """Headers that can name a person."""
        return {
            header
            for rows in self.rows
            for name, column in rows.columns.items()
            if name in TABLES[rows.table].private
            for header in column.headers
        }


class _Content(_Strict):
    title: str = Field(min_length=1)
    codes: dict[str, dict[str, str]] = Field(default_factory=dict)
    files: dict[str, FileMapping] = Field(min_length=1)


@dataclass(frozen=True)
class Source:
    """The mapping of one source."""

    name: str
    title: str
    version: str
    """First digits of the SHA-256 of its TOML: what a delivery was read with."""
    codes: dict[str, dict[str, str]]
    """By list: the source's words, folded, and ours."""
    spelled: dict[str, str]
    """A folded word as the mapping spells it."""
    files: dict[str, FileMapping]

    def history_of(self, table: str, assumed_lag: dt.timedelta | None) -> tuple[dt.timedelta | None, dt.date | None]:
        """Assumed lag and last day of a first load of history; the lag asked for on the command line wins."""
        import datetime as dt

        mapping = self.files[table]
        if assumed_lag is not None or mapping.assumed_lag_days is None or mapping.history_until is None:
            return assumed_lag, None
        return dt.timedelta(days=mapping.assumed_lag_days), dt.date.fromisoformat(mapping.history_until)


def read_sources(*folders: Path) -> tuple[dict[str, Source], dict[str, str]]:
    """Every mapping of these folders, one of a later folder in place of one of the same name; then, for those that cannot stand, why."""
    sources, broken = {}, {}
    for name, path in {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}.items():
        try:
            sources[name] = read_source(path)
        except ConfigurationError as error:
            broken[name] = str(error)
    return sources, broken


def read_source(path: Path) -> Source:
    """One mapping.

    Raises:
        ConfigurationError: it cannot stand, with each of its faults.
    """
    try:
        data = path.read_bytes()
        content = _Content.model_validate(tomllib.loads(data.decode()))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", "See those there are with: vigie source list.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", "Correct the line it names.") from error
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise _faulty(path, faults) from error
    faults = [*_name_faults(path.stem), *(fault for table, mapping in content.files.items() for fault in _faults(table, mapping, content))]
    if faults:
        raise _faulty(path, faults)
    codes = {name: {folded(word): ours for word, ours in words.items()} for name, words in content.codes.items()}
    spelled = {folded(word): word for words in content.codes.values() for word in words}
    return Source(path.stem, content.title, hashlib.sha256(data).hexdigest()[:_VERSION], codes, spelled, content.files)


def folded(word: str) -> str:
    """A word of the source as code lists compare it: capitals, blanks around it and kinds of apostrophe do not count."""
    return word.strip().lower().replace("\u2019", "'")


def _faulty(path: Path, faults: list[str]) -> ConfigurationError:
    return ConfigurationError(f"{path}: {len(faults)} faults.\n" + "\n".join(f"  {fault}" for fault in faults), "Correct these keys.")


def _name_faults(name: str) -> Iterable[str]:
    if name in TABLES or name == MENDED:
        yield f"a source may not be named {name}: it is the name of a folder of landing/"


def _faults(table: str, mapping: FileMapping, content: _Content) -> Iterable[str]:
    where = f"files.{table}"
    if table not in TABLES:
        yield f"{where}: not a table of the contract; one of {', '.join(TABLES)}"
        return
    try:
        codecs.lookup(mapping.encoding)
    except LookupError:
        yield f"{where}.encoding: '{mapping.encoding}' is not known; such as utf-8, cp1252, mac_roman"
    if mapping.time_zone not in _zones():
        yield f"{where}.time_zone: '{mapping.time_zone}' is not known; such as Europe/Paris"
    yield from (f"{where}.dates: {fault}" for fault in _date_faults(mapping.dates))
    if (mapping.assumed_lag_days is None) != (mapping.history_until is None):
        yield f"{where}: assumed_lag_days and history_until go together: after that day, facts are known when they are delivered"
    if not any(rows.table == table and rows.when is None for rows in mapping.rows):
        yield f"{where}.rows: one of them must be of table {table} without `when`, so that every line is accounted for"
    apart = {*mapping.ignored, *mapping.never}
    yield from (f"{where}: header '{header}' is both read and left out" for header in mapping.headers if header in apart)
    for place, rows in enumerate(mapping.rows):
        yield from (f"{where}.rows.{place}: {fault}" for fault in _row_faults(rows, content.codes))


def _zones() -> set[str]:
    from zoneinfo import available_timezones

    return available_timezones()


def _date_faults(formats: tuple[str, ...]) -> Iterable[str]:
    for form in formats:
        left = form
        for directive in DIRECTIVES:
            left = left.replace(directive, "")
        if "%" in left or (form != EXCEL and "%" not in form):
            yield f"'{form}' is none; made of {', '.join(DIRECTIVES)}, or {EXCEL}"
    days_first = [form for form in formats if re.match(r"%d.%m", form)]
    months_first = [form for form in formats if re.match(r"%m.%d", form)]
    if days_first and months_first:
        yield f"{days_first[0]} and {months_first[0]} cannot stand together: 04/03 would be two days"


def _row_faults(rows: Rows, codes: dict[str, dict[str, str]]) -> Iterable[str]:
    if rows.table not in TABLES:
        yield f"'{rows.table}' is not a table of the contract"
        return
    contract = TABLES[rows.table].schema.columns()
    yield from (f"{name}: no column of {rows.table}; one of {', '.join(contract)}" for name in rows.columns if name not in contract)
    required = [name for name, column in contract.items() if not column.nullable and name not in OWN_COLUMNS]
    yield from (f"{name} of {rows.table} is required and not mapped" for name in required if name not in rows.columns)
    for name, spec in rows.columns.items():
        if name in contract:
            yield from (f"{name}: {fault}" for fault in _column_faults(spec, contract[name].dtype, codes))


def _column_faults(spec: Column, dtype: pl.DataType, codes: dict[str, dict[str, str]]) -> Iterable[str]:
    allowed = dtype.categories.to_list() if isinstance(dtype, pl.Enum) else ["true", "false"] if dtype == pl.Boolean else None
    if spec.codes is not None and spec.codes not in codes:
        yield f"there is no list codes.{spec.codes}"
        return
    if allowed is None:
        return
    if isinstance(dtype, pl.Enum) and spec.codes is None and spec.value is None:
        yield f"needs codes: each word of the source beside one of {', '.join(allowed)}; none is guessed, since AM is often après-midi"
    said = {spec.value, spec.empty, *(codes[spec.codes].values() if spec.codes else ())} - {None, ""}
    wrong = sorted(word for word in said if word is not None and word not in allowed)
    if wrong:
        yield f"{', '.join(wrong)} is not allowed; one of {', '.join(allowed)}"


def zone(mapping: FileMapping) -> ZoneInfo:
    """In which zone its times of day are told."""
    return ZoneInfo(mapping.time_zone)
