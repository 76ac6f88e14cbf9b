"""Does what screens tell of people whose risk is alike come true? Counts told on the day of training against what came after."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from models.bands import NORMAL

FORESEEN: Final = 5
"""Dropouts expected in a session, period and band below which nothing is asked of it alone."""


def told(rows: pl.DataFrame, session: str, period: pl.Expr) -> int:
    """Print, for each band, the share told with its range and the share observed; and how many sessions and periods lie in their range.

    Args:
        rows: enrolment_id, alike (contract `ALIKE`), label, and the column named by `session`.
        session: whatever the rows of one session share.
        period: of the rows, about as long as the folds of training.

    Returns:
        Bands whose observed share lies in the range told.
    """
    known = rows.filter(pl.col("alike").is_not_null()).unnest("alike").with_columns(share=pl.col("dropouts") / pl.col("situations"))
    band = ("low", "high", "share")
    observed = known.group_by(band).agg(rows=pl.len(), observed=pl.col("label").mean()).sort("share")
    inside = observed.with_columns(holds=pl.col("observed").is_between("low", "high"))
    print(f"\nWhat screens tell: {int(inside['holds'].sum())} bands of {inside.height} hold what was observed", end="; ")
    print(f"{rows.height - known.height:,} rows are told nothing")
    for row in inside.iter_rows(named=True):
        line = "  told {share:.4f} [{low:.4f}, {high:.4f}], observed {observed:.4f} of {rows:,}".format(**row)
        print(line if row["holds"] else f"{line}   outside")
    people = (
        known.with_columns(period=period)
        .group_by(*band, session, "period", "enrolment_id")
        .agg(pl.col("label").sum(), expected=pl.col("share").sum())
    )
    # As in training: rows of one enrolment leave together, so many times the variance of a count.
    together = people.group_by(band).agg(together=((pl.col("label") - pl.col("expected")) ** 2).sum() / pl.col("expected").sum())
    cells = people.group_by(*band, session, "period").agg(pl.col("label", "expected").sum()).join(together, on=band)
    wide = (pl.col("high") / pl.col("low")).log() / (2 * NORMAL) * pl.col("expected")
    chance = pl.col("together") * pl.col("expected")
    apart = (pl.col("label") - pl.col("expected")).abs() / (wide**2 + chance).sqrt()
    large = cells.filter(pl.col("expected") >= FORESEEN).with_columns(apart=apart)
    share = float(np.mean(large["apart"].to_numpy() <= NORMAL)) if large.height else float("nan")
    print(f"  {share:.1%} of {large.height} sessions, periods and bands with {FORESEEN} or more expected lie in their range; 95 % asked")
    return int(inside["holds"].sum())
