"""Who leaves, told week by week of the course: early there is little to read, late few people are left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from models.evaluation.bootstrap import DRAWS, draws, interval
from models.evaluation.measures import auc_by_group, codes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vigie.arrays import Floats


FEWEST: Final = 5
"""Leavers in a week below which no AUC is told."""
RANKED: Final = ("auc", "auc_low", "auc_high", "above", "above_low", "above_high")


def by_week(rows: pl.DataFrame, scores: Mapping[str, Floats], times: int = DRAWS) -> pl.DataFrame:
    """AUC of each score by week of the course, and by how much the first score is above each other one, on the same draws of learners.

    Args:
        rows: label, learner_id, and course_day in days since entry.
        scores: higher means contact first; the first is the one judged.
        times: draws.

    Returns:
        contender, week (0 is that of entry), rows, dropouts, auc, above (AUC of the first score less this one's), both with _low and _high:
        a row a contender and week, weeks with fewer than `FEWEST` dropouts left out.
    """
    rows = rows.select("label", "learner_id", week=(pl.col("course_day") // 7).cast(pl.Int64)).with_columns(**scores)
    enough = pl.col("label").sum().over("week") >= FEWEST
    few = rows.filter(enough, pl.col("label").min().over("week") == 0)
    counted = few.group_by("week").agg(rows=pl.len(), dropouts=pl.col("label").sum().cast(pl.Int64)).sort("week")
    schema = {"contender": pl.String, "week": pl.Int64, "rows": pl.UInt32, "dropouts": pl.Int64, **dict.fromkeys(RANKED, pl.Float64)}
    if few.is_empty():
        return pl.DataFrame(schema=schema)
    label, week, person = few["label"].to_numpy().astype(np.float64), codes(few["week"]), codes(few["learner_id"])
    counts = draws(int(person.max()) + 1, times)
    told = {name: auc_by_group(few[name].to_numpy(), label, week) for name in scores}
    values = {name: of(np.ones(few.height)) for name, of in told.items()}
    drawn = {name: np.stack([of(row[person]) for row in counts]) for name, of in told.items()}
    first = next(iter(scores))
    table: list[tuple[object, ...]] = []
    for name in scores:
        above, above_drawn = values[first] - values[name], drawn[first] - drawn[name]
        for place, week_rows in enumerate(counted.rows()):
            figures = (values[name][place], *interval(drawn[name][:, place]), above[place], *interval(above_drawn[:, place]))
            table.append((name, *week_rows, *figures))
    return pl.DataFrame(table, schema=schema, orient="row")
