"""Who is kept out of training so that a figure means something: people of another time, of another provider, of another programme.

Folds by time stand in `models.blocks`: the gap of one horizon between what is learnt and what is judged keeps every label of training
older than the first row judged, so no learner's future is learnt from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from models.blocks import MIN_DROPOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator


def leaving_out(rows: pl.DataFrame, column: str) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Each provider or programme in turn: its name, the rows of all others, its own rows.

    People who are in both are taken out of training: what they did elsewhere would tell of what they do here. A place with fewer than
    `MIN_DROPOUTS` dropouts is not judged.

    Args:
        rows: landmark rows with `label` and learner_id.
        column: provider_id or programme_id.
    """
    for name in rows[column].unique().sort().to_list():
        theirs = rows.filter(pl.col(column) == name)
        others = rows.filter(pl.col(column) != name).join(
            theirs.select("learner_id").unique(), on="learner_id", how="anti", maintain_order="left"
        )
        if min(theirs["label"].sum(), others["label"].sum()) >= MIN_DROPOUTS:
            yield str(name), others, theirs
