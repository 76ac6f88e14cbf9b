"""What became of people whose risk was alike, and how far that differs from one session to the next: for screens and the model card."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl

from data_contracts.tables.outputs import ALIKE
from models.evaluation.measures import codes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vigie.arrays import Floats, Ints


MOST: Final = 10
FEWEST_DROPOUTS: Final = 20
"""Fewer in a band and its count says nothing."""
FEWEST_SESSIONS: Final = 5
"""Fewer and nothing can be said of how sessions differ."""
RESAMPLES: Final = 200
SEED: Final = 20_260_402
NORMAL: Final = 1.96
STEPS: Final = 4
"""Windows that begin within the length of one."""
TINY: Final = 1e-12


def bands(rows: pl.DataFrame, alike_in: Literal["rows", "dropouts"] = "dropouts") -> pl.DataFrame:
    """What became of people whose risk was alike, in bands of rising risk.

    Args:
        rows: enrolment_id, risk, label, of rows that the model was not fitted on; session_id and fold (a time of the year) where sessions
            are to be told apart.
        alike_in: bands hold the same number of rows, or of expected dropouts: finer where risks are high, which is where lists are.

    Returns:
        from_risk, to_risk (bounds), rows, dropouts, expected, observed (shares), low, high (95 % interval of observed, by bootstrap of
        enrolments, since rows of one enrolment are not independent), session_low, session_high (where the share of a session lies 95
        times in a hundred, were it large: the interval widened by what `between_sessions` finds; null where they
        are not told apart, or are fewer than `FEWEST_SESSIONS`).
    """
    ordered = _ordered(rows)
    band = _band(ordered, alike_in)
    ends = np.searchsorted(band, np.unique(band), side="right")
    return _table(ordered, np.concatenate([[0], ends[:-1]]), ends, _differ(ordered, band))


def windows(rows: pl.DataFrame) -> pl.DataFrame:
    """The same in windows that overlap, each as large as a band and a quarter of it further: every risk lies near the middle of one.

    Args:
        rows: as of `bands`.

    Returns:
        As `bands`, by rising expected share.
    """
    ordered = _ordered(rows)
    passed = np.cumsum(ordered["risk"].to_numpy())
    width = passed[-1] / min(max(int(ordered["label"].sum()) // FEWEST_DROPOUTS, 1), MOST)
    starts = np.arange(0, 1 + STEPS * round(passed[-1] / width - 1)) * width / STEPS
    first = np.searchsorted(passed, starts * (1 - TINY), side="right")
    end = np.maximum(np.searchsorted(passed, (starts + width) * (1 + TINY), side="right"), first + 1)
    return _table(ordered, first, end, _differ(ordered, _band(ordered, "dropouts")))


def _ordered(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("risk", "enrolment_id", *(["as_of"] if "as_of" in rows.columns else []))


def _band(ordered: pl.DataFrame, alike_in: Literal["rows", "dropouts"]) -> Ints:
    """The band of each row, from 0: as many as there are dropouts enough for, and `MOST` at most."""
    number = min(max(int(ordered["label"].sum()) // FEWEST_DROPOUTS, 1), MOST)
    size = np.ones(ordered.height) if alike_in == "rows" else ordered["risk"].to_numpy()
    passed = np.cumsum(size)
    return np.asarray(np.minimum((passed - size / 2) * number / passed[-1], number - 1), dtype=np.int64)


def _differ(ordered: pl.DataFrame, band: Ints) -> float | None:
    return between_sessions(ordered.with_columns(band=band)) if "session_id" in ordered.columns else None


def _table(ordered: pl.DataFrame, first: Ints, end: Ints, differ: float | None) -> pl.DataFrame:
    """What is told of rows `first` to `end` (not taken in) of the rows by rising risk."""
    risk, label = ordered["risk"].to_numpy(), ordered["label"].to_numpy().astype(float)
    low, high, error = _interval(ordered["enrolment_id"], label, first, end)
    # In numpy and in order: sums of floats by group are not the same twice, and the table is part of the model's version.
    members = [slice(one, other) for one, other in zip(first, end, strict=True)]
    table = pl.DataFrame(
        {
            "from_risk": [risk[rows].min() for rows in members],
            "to_risk": [risk[rows].max() for rows in members],
            "rows": end - first,
            "dropouts": [int(label[rows].sum()) for rows in members],
            "expected": [risk[rows].mean() for rows in members],
            "observed": [label[rows].mean() for rows in members],
            "low": low,
            "high": high,
        }
    )
    # Half a dropout where none was seen: nothing is impossible for having not been seen yet.
    rate = np.maximum(table["observed"].to_numpy(), 0.5 / table["rows"].to_numpy())
    wide = np.full(len(rate), np.nan) if differ is None else np.sqrt((error / rate) ** 2 + np.log1p(differ**2))
    return table.with_columns(
        session_low=pl.Series(rate * np.exp(-NORMAL * wide)).fill_nan(None),
        session_high=pl.Series(np.minimum(1, rate * np.exp(NORMAL * wide))).fill_nan(None),
    )


def _interval(enrolments: pl.Series, label: Floats, first: Ints, end: Ints) -> tuple[Floats, Floats, Floats]:
    """Bounds and standard error of the observed share of each stretch of rows, enrolments drawn again with all their rows."""
    person = codes(enrolments)
    random = np.random.default_rng(SEED)
    shares = np.empty((RESAMPLES, len(first)))
    for turn in range(RESAMPLES):
        weight = random.poisson(1.0, int(person.max()) + 1)[person]
        n, hits = (np.concatenate([[0.0], np.cumsum(part)]) for part in (weight, weight * label))
        shares[turn] = (hits[end] - hits[first]) / np.maximum(1, n[end] - n[first])
    low, high = np.percentile(shares, [2.5, 97.5], axis=0)
    return low, high, shares.std(axis=0)


def between_sessions(rows: pl.DataFrame) -> float | None:
    """By how much, relative to the share of their band, sessions differ beyond chance: a standard deviation, 0 for not at all.

    A random-effects model (Paule and Mandel 1982) over observed / expected of each session and fold, the expected brought to the level of
    each band: a session differs from others, and from itself at other times of the year. Chance is that of counts whose rows come by
    enrolment. Bands are added up: apart, a session foresees less than one dropout in each, and the difference drowns in chance.

    Args:
        rows: enrolment_id, session_id, fold, band, risk, label.

    Returns:
        None with fewer than `FEWEST_SESSIONS` sessions.
    """
    from statsmodels.stats.meta_analysis import combine_effects

    if rows["session_id"].n_unique() < FEWEST_SESSIONS:
        return None
    band, label, risk = rows["band"].to_numpy(), rows["label"].to_numpy().astype(float), rows["risk"].to_numpy()
    level = np.bincount(band, label) / np.maximum(np.bincount(band, risk), TINY)
    expected = risk * level[band]
    # Sums in the order of rows, by numpy: those of floats by group are not the same twice, and the model's version rests on them.
    person, person_band = _cells(rows["enrolment_id"], band)
    apart = (np.bincount(person, label) - np.bincount(person, expected)) ** 2
    # Rows of one enrolment leave together: so many times the variance of a count is that of its band.
    together = np.bincount(person_band, apart) / np.maximum(np.bincount(band, expected), TINY)
    cell = codes(rows.select(pl.struct("session_id", "fold")).to_series())
    hits, foreseen, noise = np.bincount(cell, label), np.bincount(cell, expected), np.bincount(cell, expected * together[band])
    kept = (foreseen > 0) & (noise > 0)
    if kept.sum() < FEWEST_SESSIONS:
        return None
    share, chance = hits[kept] / foreseen[kept], noise[kept] / foreseen[kept] ** 2
    return float(np.sqrt(max(0.0, combine_effects(share, chance, method_re="iterated").tau2)))


def _cells(names: pl.Series, band: Ints) -> tuple[Ints, Ints]:
    """For each row the number of its name and band, counted from 0; and the band of each such number."""
    number = int(band.max()) + 1
    pairs, place = np.unique(codes(names) * number + band, return_inverse=True)
    return place, pairs % number


def alike(table: Sequence[Mapping[str, float]], risk: Floats) -> pl.Series:
    """How far each of these risks may lie from what comes, and what became of people whose risk was alike, contract `ALIKE`.

    Args:
        table: rows of `windows`, in order.
        risk: calibrated risks.

    Returns:
        Of the window whose expected share is nearest; null where sessions are not told apart. The range is the window's, at the level of
        the risk itself, which it always holds.
    """
    if not table or any(band.get("session_low") is None or "dropouts" not in band for band in table):
        return pl.Series("alike", [None] * len(risk), dtype=ALIKE.dtype)
    expected = np.array([band["expected"] for band in table])
    place = np.searchsorted(np.sqrt(expected[:-1] * expected[1:]), risk)
    low, high = (np.array([band[end] / band["expected"] for band in table])[place] * risk for end in ("session_low", "session_high"))
    told = pl.DataFrame(
        {
            "situations": [int(band["rows"]) for band in table],
            "dropouts": [int(band["dropouts"]) for band in table],
            "expected": [band["rows"] * band["expected"] for band in table],
        }
    )[place]
    ends = {"low": np.minimum(low, risk), "high": np.minimum(1, np.maximum(high, risk))}
    return told.with_columns(**{name: pl.Series(end) for name, end in ends.items()}).to_struct("alike")
