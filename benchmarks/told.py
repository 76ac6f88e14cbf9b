"""Does what screens tell of people whose risk is alike come true? Counts told on the day of training against what came after."""

from __future__ import annotations

from typing import Final

import polars as pl

from models.bands import NORMAL

BANDS: Final = 10
"""Of as many expected dropouts each."""
FORESEEN: Final = 5
"""Dropouts expected in a session, period and band below which nothing is asked of it alone."""


def compare_told(rows: pl.DataFrame, session: str, period: pl.Expr) -> None:
    """Print, for each band, the risk told with its range and the share observed; and how many sessions and periods lie in their range.

    Args:
        rows: enrolment_id, risk, alike (contract `ALIKE`), label, and the column named by `session`.
        session: whatever the rows of one session share.
        period: of the rows, about as long as the folds of training.
    """
    known = rows.filter(pl.col("alike").is_not_null()).unnest("alike").with_columns(period=period).sort("risk")
    passed = (pl.col("risk").cum_sum() - pl.col("risk") / 2) / pl.col("risk").sum()
    known = known.with_columns(band=(passed * BANDS).floor())
    band = ["band"]
    observed = known.group_by(band).agg(pl.col("risk", "low", "high").mean(), rows=pl.len(), observed=pl.col("label").mean()).sort("risk")
    inside = observed.with_columns(holds=pl.col("observed").is_between("low", "high"))
    print(f"\nWhat screens tell: {int(inside['holds'].sum())} bands of {inside.height} hold what was observed", end="; ")
    print(f"{rows.height - known.height:,} rows are told nothing")
    for row in inside.iter_rows(named=True):
        line = "  told {risk:.4f} [{low:.4f}, {high:.4f}], observed {observed:.4f} of {rows:,}".format(**row)
        print(line if row["holds"] else f"{line}   outside")
    sums = pl.col("label", "risk", "low", "high").sum()
    people = known.group_by(*band, session, "period", "enrolment_id").agg(sums)
    # As in training: rows of one enrolment leave together, so many times the variance of a count.
    together = people.group_by(band).agg(together=((pl.col("label") - pl.col("risk")) ** 2).sum() / pl.col("risk").sum())
    cells = people.group_by(*band, session, "period").agg(sums).join(together, on=band).filter(pl.col("risk") >= FORESEEN)
    chance = NORMAL * (pl.col("together") * pl.col("risk")).sqrt()
    # Chance and the range are independent: their widths add up as squares.
    below = ((pl.col("risk") - pl.col("low")) ** 2 + chance**2).sqrt()
    above = ((pl.col("high") - pl.col("risk")) ** 2 + chance**2).sqrt()
    apart = pl.col("label") - pl.col("risk")
    held = cells.select((apart <= above) & (apart >= -below)).to_series()
    if held.is_empty():
        print(f"  no session, period and band has {FORESEEN} or more expected: whether each lies in its range cannot be asked")
        return
    print(
        f"  {held.mean():.1%} of {held.len()} sessions, periods and bands with {FORESEEN} or more expected lie in their range; 95 % asked"
    )
