"""One row for each thing an indicator counts, the same columns for every indicator."""

from __future__ import annotations

from typing import Final

import polars as pl

COLUMNS: Final = ("definition_id", "person", "territory_id", "operator", "provider_id", "on", "n", "value")


def counted(rows: pl.DataFrame, definition_id: str, on: str, value: pl.Expr, n: pl.Expr | None = None) -> pl.DataFrame:
    """What one indicator counts.

    Args:
        rows: with territory_id, operator, provider_id; enrolment_id or person.
        definition_id: in the catalogue.
        on: column with the day that places each row in a month.
        value: what counts towards the numerator, or the measure; null where nobody knows.
        n: what counts towards the denominator; 1 by default.

    Returns:
        `COLUMNS`.
    """
    person = pl.col("person" if "person" in rows.columns else "enrolment_id")
    return rows.select(
        definition_id=pl.lit(definition_id),
        person=person,
        territory_id="territory_id",
        operator="operator",
        provider_id="provider_id",
        on=pl.col(on),
        n=(pl.lit(1.0) if n is None else n).cast(pl.Float64),
        value=value.cast(pl.Float64),
    )
