"""Characteristics of people as columns of numbers, for every regression of the evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def design(rows: pl.DataFrame, characteristics: Sequence[str]) -> NDArray[np.float64]:
    """An intercept, a column for each category but the first (unknown is one), and numbers in standard deviations."""
    columns = [np.ones(rows.height)]
    for name in characteristics:
        values = rows[name]
        if values.dtype.is_numeric():
            spread = values.std() or 1.0
            columns.append(((values - values.mean()) / spread).fill_null(0.0).to_numpy())
            if values.null_count():
                columns.append(values.is_null().cast(float).to_numpy())
        else:
            said = values.cast(pl.String).fill_null("?")
            columns += [(said == word).cast(float).to_numpy() for word in said.unique().sort().to_list()[1:]]
    return np.column_stack(columns)
