"""People who were erased: known again in whatever is delivered or kept, and left out of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.readers.received import LINE, Received

if TYPE_CHECKING:
    import datetime as dt

    from data_contracts.deliveries import Part
    from vigie.erasures import Erasures, Whom

MARK: Final = "of people who were erased"
"""In the note of a delivery whose file named some of them: the file itself must not stay in the landing folder."""


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


def leave_out(parts: list[Part], erased: Erasures | None, on: dt.date) -> list[Part]:
    """The parts of a file without rows of people erased; an enrolment they are told to have is remembered with them.

    Args:
        parts: as read.
        erased: who; nobody when None.
        on: the day on which such an enrolment becomes known.
    """
    return [_left_out(part, erased, on) for part in parts] if erased else parts


def _left_out(part: Part, erased: Erasures, on: dt.date) -> Part:
    rows = part.received.rows
    mask = theirs(rows, erased, names=bool(part.table.private))
    if not mask.any():
        return part
    gone = rows.filter(mask)
    if part.table.name == "enrolments":
        erased.remember("enrolment", gone["enrolment_id"].cast(pl.String).str.strip_chars().drop_nulls().unique().sort(), on, "told since")
    faults = part.received.faults.filter(~pl.col(LINE).is_in(gone[LINE].unique().implode()))
    note = "; ".join(filter(None, (part.note, noted(gone[LINE].n_unique()))))
    return replace(part, received=Received(rows.filter(~mask), faults), note=note)


def noted(rows: int) -> str:
    """What the note of a delivery says of rows left out."""
    return f"{rows} {'row' if rows == 1 else 'rows'} {MARK} left out"
