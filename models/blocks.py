"""Time-ordered blocks: the model learns on the oldest landmarks, is calibrated on later ones, and judged on the latest."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import polars as pl

from vigie.errors import NoDataError

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARES: Final = (0.6, 0.2)
"""Rows of the first and second block; the rest is the third."""
FOLDS: Final = (0.3, 0.45, 0.6, 0.8)
"""Where the folds for calibration begin, in shares of rows: together they see more of a year than the last block alone."""
MIN_DROPOUTS: Final = 20
"""Fewer in a block and nothing learnt or measured on it means anything."""


@dataclass(frozen=True)
class Blocks:
    """Rows of the matrix with `label`, cut by landmark, with one horizon left out between blocks so that no outcome is shared."""

    train: pl.DataFrame
    calibration: pl.DataFrame
    test: pl.DataFrame


def cut(rows: pl.DataFrame, horizon_days: int) -> Blocks:
    """Cut landmark rows into three blocks by as-of date.

    Raises:
        NoDataError: a block holds fewer than `MIN_DROPOUTS` dropouts.
    """
    gap = dt.timedelta(days=horizon_days)
    first_end, second_end = _ends(rows, (SHARES[0], sum(SHARES)))
    blocks = Blocks(
        rows.filter(pl.col("as_of") <= first_end),
        rows.filter((pl.col("as_of") > first_end + gap) & (pl.col("as_of") <= second_end)),
        rows.filter(pl.col("as_of") > second_end + gap),
    )
    for name, block in (("training", blocks.train), ("calibration", blocks.calibration), ("test", blocks.test)):
        dropouts = int(block["label"].sum())
        if dropouts < MIN_DROPOUTS:
            what = f"The {name} block holds {dropouts} dropouts in {block.height} rows; at least {MIN_DROPOUTS} are needed."
            raise NoDataError(what, "Train at a later date, or ingest more of the past: about 500 learners followed to their exit.")
    return blocks


def expanding(rows: pl.DataFrame, horizon_days: int) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """Folds that grow with time: what came before each of `FOLDS`, and the rows from there to the next, one horizon later.

    Folds whose past holds fewer than `MIN_DROPOUTS` dropouts are left out.
    """
    gap = dt.timedelta(days=horizon_days)
    ends = _ends(rows, (*FOLDS, 1.0))
    folds = [
        (rows.filter(pl.col("as_of") <= end), rows.filter((pl.col("as_of") > end + gap) & (pl.col("as_of") <= following)))
        for end, following in pairwise(ends)
    ]
    return [(past, later) for past, later in folds if past["label"].sum() >= MIN_DROPOUTS and later.height]


def _ends(rows: pl.DataFrame, limits: Sequence[float]) -> list[dt.date]:
    """The last landmark up to which no more than each share of the rows lies; the first one at least."""
    counts = rows.group_by("as_of").len().sort("as_of").with_columns(share=pl.col("len").cum_sum() / rows.height)
    first = counts["as_of"][0]
    return [counts.filter(pl.col("share") <= limit)["as_of"].max() or first for limit in limits]  # type: ignore[misc]
