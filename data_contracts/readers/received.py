"""Rows before any check, and how a text file is written."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from vigie.errors import RefusedFileError, VigieError

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: Final = "line"
FAULTS: Final = {LINE: pl.Int64, "column": pl.String, "value": pl.String, "reason": pl.String}
"""One fault of one row; a row with two stands twice."""
ROW: Final = "row"
"""Column of a fault that concerns the whole row."""
LARGEST: Final = 2 * 2**30
"""Bytes of a file once unpacked; a larger one would end the night rather than the file."""


@dataclass(frozen=True)
class Received:
    """Rows of a delivery before any check: columns as received, `line`, and what is at fault already, such as a wrong number of fields."""

    rows: pl.DataFrame
    faults: pl.DataFrame
    """Columns of `FAULTS`."""

    @property
    def read(self) -> int:
        """Rows of the file, those at fault included."""
        return pl.concat([self.rows[LINE], self.faults[LINE]]).n_unique()


@dataclass(frozen=True)
class Shape:
    """How a file is written, as far as it says not itself. The default is that of the canonical tables."""

    encoding: str = "utf-8"
    delimiter: str = ""
    """Comma or semicolon, whichever the header holds more of, when empty."""
    header_line: int = 1
    sheet: str = ""
    """Of a workbook; the only visible one when empty."""


def is_ours_to_explain(error: BaseException) -> bool:
    """True for what a library says of a broken file; a panic of its native part is no Exception, and no reason to end the night."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


@contextmanager
def refusing(name: str) -> Iterator[None]:
    """Make whatever is said of one file inside the block a reason to refuse that file: it must not end the night, and every night after it.

    Raises:
        RefusedFileError: in place of an error that is neither in our words nor the system's about its disk or memory.
    """
    try:
        yield
    except (VigieError, OSError, MemoryError):
        raise
    except BaseException as error:
        if not is_ours_to_explain(error):
            raise
        # Where it happened, not what was said: a library may quote a value, and a value may name a person.
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}, {Path(place.filename).name}, line {place.lineno}"
        remedy = "Ask for the file in another form, such as csv. If it is as it should be, report this sentence to those who keep Vigie."
        raise RefusedFileError(f"{name}: it cannot be understood ({said}).", remedy) from error


def no_faults() -> pl.DataFrame:
    """No fault at all."""
    return pl.DataFrame(schema=FAULTS)


def empty_as_null(rows: pl.DataFrame) -> pl.DataFrame:
    """A text of blanks says nothing."""
    return rows.with_columns(pl.when(pl.col(pl.String).str.strip_chars() != "").then(pl.col(pl.String)))
