"""One feature path: a night is the case of one as-of date, training the case of many."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from features.catalogue import FAMILIES, FEATURES
from features.declaration import KNOWN
from features.families.session import learner_history, session_history
from vigie.clock import end_of_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.declaration import Family
    from features.facts import Facts

KEYS = ("as_of", "enrolment_id", "learner_id", "session_id", "provider_id", "programme_id", "territory_id")
"""What names a row of the matrix and where it belongs; none of them is a feature."""

QUALITY = ("not_recorded_28", "recorded_28", "recorded_14", "recorded_7", "recorded_before", "not_expected_7")
"""Half-days without a sheet in the last 28 days, with one in those, 14 and 7, and in the four weeks before the last 14 days, and those of
the last 7 on which somebody was not expected: for the confidence shown and for what is told, never for the score."""

PAIRS_AT_ONCE = 400_000
"""Rows of the matrix built in one go: bounds memory; whole sessions stay together, so results do not depend on it."""


def cohort(facts: Facts, dates: Sequence[dt.date], *, known_days_later: int = 0) -> pl.DataFrame:
    """Enrolments in training on each date, as known then: entered, no exit known, planned end not passed.

    Args:
        facts: layers that cover the dates, and the days later.
        dates: as-of dates.
        known_days_later: also what became known in so many days after the date, about that date and before it: a fact as it was, not as it
            was known. For what is told beside the facts of today; never for a score.

    Returns:
        `pair` (row number), `moment` (the instant that ends the date, UTC), `cutoff` (the instant up to which things are known), the keys
        and the columns of enrolment and session.
    """
    days = _dates(dates, facts.time_zone, known_days_later)
    exits = _seen(facts, "exits", days).filter(pl.col("exit_date") <= pl.col("as_of")).select("as_of", "enrolment_id")
    enrolments = _seen(facts, "enrolments", days).filter(
        pl.col("entry_date") <= pl.col("as_of"), pl.col("planned_exit_date") >= pl.col("as_of")
    )
    sessions = _seen(facts, "sessions", days)
    pairs = enrolments.join(exits, on=["as_of", "enrolment_id"], how="anti").join(sessions, on=["as_of", "session_id"])
    return pairs.sort("as_of", "enrolment_id").with_row_index("pair").collect()


def matrix(facts: Facts, pairs: pl.DataFrame) -> pl.DataFrame:
    """One row per pair: the keys, every feature of the catalogue, and the quality counts.

    Args:
        facts: layers that cover the pairs' as-of dates.
        pairs: as from `cohort`.

    Returns:
        Rows in the order of `pairs`; features as 64-bit floats, null where nothing is known.
    """
    dates = pairs.lazy().select("as_of", "cutoff").unique()
    enrolments, sessions, exits = (facts.tables[name].lazy() for name in ("enrolments", "sessions", "exits"))
    history = session_history(dates, enrolments, sessions, exits).collect()
    theirs = learner_history(dates, enrolments, exits).collect()
    whole = pairs.join(history, on=["as_of", "session_id"], how="left").join(theirs, on=["as_of", "learner_id"], how="left")
    shard = pl.col("session_id").rank("dense") * (1 + pairs.height // PAIRS_AT_ONCE) // (pl.col("session_id").n_unique() + 1)
    parts = whole.with_columns(shard.alias("shard")).partition_by("shard", include_key=False)
    return pl.concat([_build(facts, part) for part in parts or [whole]]).sort("pair").drop("pair")


def _build(facts: Facts, pairs: pl.DataFrame) -> pl.DataFrame:
    frame = pairs.lazy()
    for family in FAMILIES:
        if family.facts:
            frame = frame.join(_aggregated(family, facts, pairs.lazy()), on="pair", how="left")
        frame = frame.with_columns(feature.column() for feature in family.derived)
        frame = frame.with_columns(feature.column() for feature in family.cohort)
    quality = [pl.col(name).fill_null(0).cast(pl.Int32) for name in QUALITY]
    return frame.select("pair", *KEYS, *FEATURES, *quality).collect(engine="streaming")


def _aggregated(family: Family, facts: Facts, pairs: pl.LazyFrame) -> pl.LazyFrame:
    keys = list(dict.fromkeys(("pair", "as_of", "cutoff", "moment", "session_id", "entry_date", family.key)))
    seen = pairs.select(keys).join(facts.tables[family.table].lazy(), on=family.key).filter(KNOWN)
    rows = seen.with_columns(family.prepare)
    if family.keep is not None:
        rows = rows.filter(family.keep)
    rows = rows.with_columns(family.peers)
    if family.marks:
        rows = rows.join(rows.group_by("pair").agg(family.marks), on="pair")
    return rows.group_by("pair").agg(*family.helpers, *(feature.column() for feature in family.facts))


def _dates(dates: Sequence[dt.date], time_zone: str, known_days_later: int) -> pl.LazyFrame:
    moments = [end_of_day(date, time_zone) for date in dates]
    cutoffs = [end_of_day(date + dt.timedelta(days=known_days_later), time_zone) for date in dates]
    instant = pl.Datetime("us", "UTC")
    return pl.LazyFrame(
        {"as_of": dates, "cutoff": cutoffs, "moment": moments}, schema={"as_of": pl.Date, "cutoff": instant, "moment": instant}
    )


def _seen(facts: Facts, table: str, dates: pl.LazyFrame) -> pl.LazyFrame:
    return dates.join(facts.tables[table].lazy(), how="cross").filter(KNOWN).drop("known_on", "visible_until")
