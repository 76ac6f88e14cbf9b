"""A first mapping out of one file: what can be read off it is filled in, what leaves a doubt stands as a comment for a person to decide."""

from __future__ import annotations

import csv
import difflib
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.border import NIR_SHAPE
from data_contracts.catalogue import OWN_COLUMNS, TABLES, DeliveredTable
from data_contracts.deliveries import read_rows
from data_contracts.readers.received import LINE, Shape
from data_contracts.readers.text import guessed_encoding, unpacked
from data_contracts.sources.conversion import digits
from data_contracts.sources.mapping import EXCEL
from data_contracts.sources.words import CODES, COLUMNS
from vigie.errors import RefusedFileError

if TYPE_CHECKING:
    from pathlib import Path

_FORMATS: Final = (
    "%d/%m/%Y",
    "%Y-%m-%d",
    "%d/%m/%y",
    "%d/%m/%Y %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%d-%m-%Y",
    "%d.%m.%Y",
    "%Y%m%d",
)
_NULLS: Final = ("NULL", "null", "N/A", "NA", "-", "\\N", "#N/A", "néant")
_DELIMITERS: Final = ";|,\t"
_ALIKE, _FITTING, _CODES_SHOWN, _SAMPLE = 0.82, 0.8, 60, 20_000
_HOURS: Final = re.compile(r"\b(heure|heures|duree|h)\b")


@dataclass(frozen=True)
class Guess:
    """A mapping to be looked at."""

    toml: str
    mapped: dict[str, str]
    """Canonical column, header."""
    missing: list[str]
    """Required columns for which no header was found."""
    unmapped: list[str]
    """Headers that nothing was found for."""
    doubts: list[str]
    """Words of code lists whose meaning is left to a person."""


def guess(path: Path, table: str, title: str) -> Guess:
    """Guess the mapping of one file for one table.

    Raises:
        RefusedFileError: the file cannot be read, or there is no such table.
    """
    if table not in TABLES:
        raise RefusedFileError(f"{table} is not a table of the contract.", f"One of {', '.join(TABLES)}.")
    shape = _shape(path)
    rows = read_rows(path, path.name, shape).rows.head(_SAMPLE)
    text = rows.drop(LINE).with_columns(pl.all().cast(pl.String).str.strip_chars())
    nulls = [word for word in _NULLS if text.select(pl.any_horizontal((pl.all() == word).any())).item()]
    text = text.with_columns(pl.when(~pl.all().is_in(nulls)).then(pl.all()))
    never = [name for name in text.columns if _of_persons(text[name])]
    mapped = _mapped(TABLES[table], text.drop(never))
    return _written(TABLES[table], text, shape, mapped, nulls, never, title)


def plain(words: str) -> str:
    """Lower case, without accents, signs as blanks: how headers and codes are compared here."""
    bare = "".join(sign for sign in unicodedata.normalize("NFD", words.lower()) if not unicodedata.combining(sign))
    return " ".join(re.findall(r"[a-z0-9]+", bare.replace("n°", "n ")))


def _shape(path: Path) -> Shape:
    if path.name.lower().endswith((".xlsx", ".parquet")):
        return Shape()
    data = unpacked(path, path.name)
    encoding = guessed_encoding(data) or "cp1252"
    head = "\n".join(re.split(r"\r\n|\r|\n", data.decode(encoding, errors="replace"))[:30])
    try:
        delimiter = csv.Sniffer().sniff(head, _DELIMITERS).delimiter
    except csv.Error:
        delimiter = max(_DELIMITERS, key=head.partition("\n")[0].count)
    return Shape(encoding, delimiter)


def _of_persons(values: pl.Series) -> bool:
    bare = values.drop_nulls().unique().str.replace_all(r"[\s.]", "")
    return bool(bare.str.contains(NIR_SHAPE).any())


def _mapped(table: DeliveredTable, text: pl.DataFrame) -> dict[str, str]:
    """Canonical column to header, the surest pair first, each taken once."""
    contract = {name: column.dtype for name, column in table.schema.columns().items() if name not in OWN_COLUMNS}
    pairs = [
        (alike, name, header)
        for name, dtype in contract.items()
        for header in text.columns
        if (alike := _alike(name, header)) >= _ALIKE and _fits(text[header], dtype)
    ]
    found: dict[str, str] = {}
    for _, name, header in sorted(pairs, key=lambda pair: -pair[0]):
        if name not in found and header not in found.values():
            found[name] = header
    return {name: found[name] for name in contract if name in found}


def _alike(name: str, header: str) -> float:
    said = plain(header)
    return max(difflib.SequenceMatcher(None, said, words).ratio() for words in (name.replace("_", " "), *COLUMNS.get(name, ())))


def _fits(values: pl.Series, dtype: pl.DataType) -> bool:
    filled = values.drop_nulls()
    if filled.is_empty() or not (dtype.is_temporal() or dtype.is_numeric()):
        return True
    if dtype.is_temporal():
        return any(_share(filled, form) >= _FITTING for form in (*_FORMATS, EXCEL)) or bool(_formats(filled))
    return float(filled.str.contains(r"^[^a-zA-Z]*\d").cast(pl.Float64).mean() or 0) >= _FITTING  # type: ignore[arg-type]


def _share(values: pl.Series, form: str) -> float:
    pattern = r"^\d{5}(\.\d+)?$" if form == EXCEL else digits(form)
    return float(values.str.contains(pattern).cast(pl.Float64).mean() or 0)  # type: ignore[arg-type]


def _formats(values: pl.Series) -> list[str]:
    found = [form for form in (*_FORMATS, EXCEL) if _share(values, form) > 0]
    return found if sum(_share(values, form) for form in found) >= _FITTING else []


def _written(
    table: DeliveredTable, text: pl.DataFrame, shape: Shape, mapped: dict[str, str], nulls: list[str], never: list[str], title: str
) -> Guess:
    contract = table.schema.columns()
    dated = [text[header].drop_nulls() for name, header in mapped.items() if contract[name].dtype.is_temporal() or name == "birth_year"]
    formats = list(dict.fromkeys(form for values in dated for form in _formats(values))) or ["%d/%m/%Y"]
    numbers = [text[header].drop_nulls() for name, header in mapped.items() if contract[name].dtype.is_numeric()]
    points, commas = (sum(int(values.str.contains(rf"^\d+{mark}\d+$").sum()) for values in numbers) for mark in (r"\.", ","))
    decimal = "." if points > commas else ","
    lines, lists, doubts = [], [], []
    for name, header in mapped.items():
        dtype = contract[name].dtype
        spec = _quoted(header)
        if isinstance(dtype, pl.Enum):
            spec = f"{{ from = {spec}, codes = {_quoted(name)} }}"
            written, unsure = _codes(name, text[header], dtype.categories.to_list())
            lists += written
            doubts += [f"{header}: {word}" for word in unsure]
        elif name == "birth_year" and _formats(text[header].drop_nulls()):
            spec = f'{{ from = {spec}, take = "year" }}'
        elif name == "score" and text[header].drop_nulls().str.contains(r"^(?:1[0-9]|20|[2-9])(?:\D|$)").any():
            spec = f"{{ from = {spec}, out_of = 20 }}"
        elif name.endswith("minutes") and _HOURS.search(plain(header)):
            clock = bool(text[header].drop_nulls().str.contains(r"^\d+\s?[:hH]").any())
            spec = f'{{ from = {spec}, unit = "{"clock" if clock else "hours"}" }}'
        lines.append(f"{name} = {spec}")
    if "enrolment_id" in contract and "enrolment_id" not in mapped and (pair := _person_and_session(text.columns)):
        lines.append(f"enrolment_id = {{ join = {json.dumps(pair, ensure_ascii=False)} }}    # a person on a session")
        mapped["enrolment_id"] = " + ".join(pair)
    missing = [name for name, column in contract.items() if not column.nullable and name not in OWN_COLUMNS and name not in mapped]
    used = {*mapped.values(), *never, *mapped.get("enrolment_id", "").split(" + ")}
    unmapped = [header for header in text.columns if header not in used]
    lines += [f'# {name} = ""    # required: which header, or {{ value = "…" }}, or {{ join = ["…", "…"] }}?' for name in missing]
    head = [
        f"title = {_quoted(title)}",
        "",
        "# Guessed from one file: read every line. `vigie source check` says what is still missing.",
        "",
        f"[files.{table.name}]",
        f"encoding = {_quoted(shape.encoding)}",
        f"delimiter = {_quoted(shape.delimiter or ';')}",
        f"decimal = {_quoted(decimal)}",
        f"dates = {json.dumps(formats)}",
        f"nulls = {json.dumps(nulls, ensure_ascii=False)}",
        f"never = {json.dumps(never, ensure_ascii=False)}    # emptied in the file itself",
        f"ignored = {json.dumps(unmapped, ensure_ascii=False)}",
        "",
        f"[[files.{table.name}.rows]]",
        f"table = {_quoted(table.name)}",
        f"[files.{table.name}.rows.columns]",
    ]
    return Guess("\n".join([*head, *lines, *lists]) + "\n", mapped, missing, unmapped, doubts)


def _person_and_session(headers: list[str]) -> list[str]:
    best = {name: max(headers, key=lambda header: _alike(name, header)) for name in ("learner_id", "session_id")}
    return list(best.values()) if all(_alike(name, header) >= _ALIKE for name, header in best.items()) else []


def _codes(name: str, values: pl.Series, allowed: list[str]) -> tuple[list[str], list[str]]:
    known = {word: code for code in allowed for word in (plain(code), *CODES.get(code, ()))}
    said = values.drop_nulls().unique().sort().head(_CODES_SHOWN).to_list()
    lines, unsure = ["", f"[codes.{name}]"], []
    for word in said:
        code = known.get(plain(word))
        # AM is morning to some and afternoon to others: a person says which.
        if code and plain(word) not in {"am", "pm"}:
            lines.append(f"{_quoted(word)} = {_quoted(code)}")
        else:
            unsure.append(word)
            lines.append(f'# {_quoted(word)} = ""    # which of {", ".join(allowed)}?')
    return lines, unsure


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)
