"""People who were erased: known again in whatever is delivered or kept, and left out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.readers.received import LINE, ROW, Received

if TYPE_CHECKING:
    import datetime as dt

    from data_contracts.deliveries import Part
    from vigie.erasures import Erasures, Kind, Whom

MARK: Final = "of people who were erased"
"""In the note of a delivery whose file named some of them: the file itself must not stay in the landing folder."""
IDS: Final = ("learner_id", "enrolment_id")
"""Columns by which any table names a person."""
_FIELD: Final = r"""[^,;\t|"]+"""
"""Of a line that did not fit its header, whatever its delimiter."""


def theirs(rows: pl.DataFrame, erased: Whom, *, names: bool = False) -> pl.Series:
    """For each row of any table, whether it is about somebody erased.

    Args:
        rows: with learner_id, enrolment_id, both or neither.
        erased: who.
        names: also those of whom the names alone are gone.
    """
    found = pl.repeat(value=False, n=rows.height, eager=True, dtype=pl.Boolean)
    if "learner_id" in rows.columns:
        found |= erased.holds("learner", rows["learner_id"])
        if names:
            found |= erased.holds("names", rows["learner_id"])
    if "enrolment_id" in rows.columns:
        found |= erased.holds("enrolment", rows["enrolment_id"])
    return found.alias("theirs")


def lines_of_theirs(faults: pl.DataFrame, erased: Whom, *, names: bool = False) -> pl.Series:
    """Lines that did not fit their header, kept as received, of which one field is the identifier of somebody erased.

    Args:
        faults: line, column, value.
        erased: who.
        names: also those of whom the names alone are gone.
    """
    whole = faults.filter((pl.col("column") == ROW) & pl.col("value").is_not_null())
    fields = whole.select(LINE, pl.col("value").str.extract_all(_FIELD)).explode("value")
    kinds: tuple[Kind, ...] = ("learner", "enrolment", "names") if names else ("learner", "enrolment")
    held = pl.DataFrame({kind: erased.holds(kind, fields["value"]) for kind in kinds})
    return fields.filter(held.select(pl.any_horizontal(pl.all())).to_series())[LINE].unique()


def leave_out(parts: list[Part], erased: Erasures | None, on: dt.date) -> list[Part]:
    """The parts of a file without rows of people erased; an enrolment they are told to have is remembered with them.

    Whose names alone are gone, by age, is named again once they enrol anew.

    Args:
        parts: as read.
        erased: who; nobody when None.
        on: the day on which such an enrolment becomes known.
    """
    if not erased:
        return parts
    for part in parts:
        if part.table.name == "enrolments":
            erased.enrol_anew(_courses(part.received.rows))
    return [_left_out(part, erased, on) for part in parts]


def _courses(rows: pl.DataFrame) -> pl.DataFrame:
    """learner_id and the later date of each enrolment, of rows that nobody has checked yet: dates written as contracts have them alone."""
    dates = pl.col([name for name in ("enrolled_on", "entry_date") if name in rows.columns]).cast(pl.String)
    return rows.select("learner_id", on=pl.max_horizontal(dates.str.to_date("%Y-%m-%d", strict=False, exact=False)))


def _left_out(part: Part, erased: Erasures, on: dt.date) -> Part:
    rows, names = part.received.rows, bool(part.table.private)
    mask = theirs(rows, erased, names=names)
    ragged = lines_of_theirs(part.received.faults, erased, names=names)
    if not mask.any() and ragged.is_empty():
        return part
    gone = rows.filter(mask)
    lines = pl.concat([gone[LINE], ragged]).unique()
    if part.table.name == "enrolments":
        erased.remember({"enrolment": gone["enrolment_id"].cast(pl.String).drop_nulls().unique().sort()}, on, "told since")
    faults = part.received.faults.filter(~pl.col(LINE).is_in(lines.implode()))
    note = "; ".join(filter(None, (part.note, noted(lines.len()))))
    return replace(part, received=Received(rows.filter(~mask), faults), note=note)


def naming(ledger: pl.DataFrame) -> set[str]:
    """Deliveries of a ledger (contract `Deliveries`) whose files named somebody erased."""
    return set(ledger.filter(pl.col("note").str.contains(MARK, literal=True))["delivery_id"])


def noted(rows: int) -> str:
    """What the note of a delivery says of rows left out."""
    return f"{rows} {'row' if rows == 1 else 'rows'} {MARK} left out"
