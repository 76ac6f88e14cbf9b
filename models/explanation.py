"""Reasons: exact contributions gathered by subject, at most a handful, adding up to the margin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import polars as pl

from data_contracts.tables.outputs import REASON
from features.catalogue import FEATURES
from features.families.attendance import FEW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

REST: Final = "rest"
"""Code of what is not named: subjects that lower the risk, that a person cannot act on, or that weigh little."""
CONTEXT: Final = frozenset({"course", "session", "learner"})
"""Subjects nobody can act on with the learner: they stay in the rest (modelling notes, section 5)."""
LEAST: Final = 0.05
"""A subject that raises the risk by less, in log-odds, is not worth a sentence."""
PROTECTIVE: Final = 2
BESIDE: Final = tuple(name for name, feature in FEATURES.items() if feature.beside)
ALONE: Final = tuple(name for name, feature in FEATURES.items() if feature.alone)
SPEAKING: Final = tuple(
    name for name, feature in FEATURES.items() if not feature.learnt and feature.speaks_from is not None and not feature.beside
)
FIGURES_FIRST: Final = 3
"""A fact with a figure is told rather than one without that weighs up to so many times more: a person can check it."""
DECIMALS: Final = {"points": 1, "share": 2, "days": 0}
"""A difference that is nothing at this many decimals of its unit is none: five points, half a day."""
FAR: Final = 0.3
"""Share of a week's classes by which two weeks are so far apart that it is told whatever else is."""
GONE: Final = ("days_off_sheets", "days_since_presence")
"""Facts of who no longer comes: what the weeks before were like is no news."""
TURN: Final = 0.2
"""Share of a week's classes by which one week is clearly better or worse than the one before."""
WEEK: Final = ("attendance_share_7", "recorded_7", "absence_streak_half_days")
"""What the last week was like: half-days attended among those on the sheets, these, and absences since the last presence."""
HALF: Final = 0.5
FULL: Final = 0.75
"""Of what the window holds now, a week before it held as much of it or it had hardly been lived."""
FIELDS: Final = ("code", "feature", "value", "contribution", "previous_value")


def reasons(
    contributions: NDArray[np.float64],
    margin: NDArray[np.float64],
    columns: Sequence[str],
    now: pl.DataFrame,
    before: pl.DataFrame,
    shown: int,
    everybody: pl.DataFrame | None = None,
    earlier: pl.DataFrame | None = None,
) -> pl.Series:
    """The subjects that raise each score most, then the rest; their contributions and the base value add up to the margin.

    A subject is named through a fact that is known, that raises this score, and that lies on the worse side of the night's median and of
    what its own sentence compares with ("fewer than", "later than"): what is missing, better than usual, or looks back on days before the
    entry is never told as a reason. Among those, one that speaks for its subject (`Feature.speaks_from`), else the one that weighs most,
    figures first. Beside a subject's reason stands what it would be unfair without (`Feature.beside`), and of
    whom it holds what must not be missed (`Feature.alone`), with a contribution of 0.

    Args:
        contributions: rows x (columns + base value), log-odds, as from `Model.contributions`.
        margin: log-odds of the same rows.
        columns: the model's columns, in order.
        now: the matrix of the same rows.
        before: the matrix seven days earlier by what is known now, its as_of moved to that of the rows it is compared with; people not
            yet in training are missing.
        shown: how many subjects to name.
        everybody: the matrix of all who were scored on those nights, whose medians count; `now` without it.
        earlier: `before` with those who entered within that week, whose classes in it are compared; `before` without it.

    Returns:
        A list of structs of the contract `REASON`: within a subject the feature that raises the score most, its value and the value
        seven days before.
    """
    rows = len(contributions)
    # Facts that no tree reads and that say best what others only hint at, such as never having been there.
    # They come first: of two that speak for a subject, it is theirs that is told.
    told_of = [*(name for name in SPEAKING if name in now.columns), *columns]
    parts = np.column_stack([np.zeros((rows, len(told_of) - len(columns))), contributions[:, :-1]])
    named = _named(parts, _beside_median(now, everybody, told_of, 1), told_of, now, before, shown, speaking=True)
    if not rows or named is None:
        return pl.Series("reasons", [], dtype=pl.List(REASON.dtype))
    told = named.group_by("row").agg(pl.col("contribution").sum())
    sums = pl.DataFrame({"row": np.arange(rows)}).join(told, on="row", how="left", maintain_order="left")["contribution"].fill_null(0.0)
    remainder = pl.DataFrame({"row": np.arange(rows), "code": REST, "contribution": margin - contributions[:, -1] - sums.to_numpy()})
    remainder = remainder.with_columns(
        feature=pl.lit(None, pl.String), value=pl.lit(None, pl.Float64), previous_value=pl.lit(None, pl.Float64)
    )
    beside = [*_beside(named, now), *_weeks(named, now, before if earlier is None else earlier)]
    together = pl.concat([named.select("row", *FIELDS), *beside, remainder.select("row", *FIELDS)])
    return together.group_by("row", maintain_order=True).agg(pl.struct(FIELDS).alias("reasons")).sort("row")["reasons"]


def protective(
    contributions: NDArray[np.float64],
    columns: Sequence[str],
    now: pl.DataFrame,
    before: pl.DataFrame,
    shown: int = PROTECTIVE,
    everybody: pl.DataFrame | None = None,
) -> pl.Series:
    """The subjects that lower each score most, told apart from the reasons: known facts on the better side of the night's median.

    Returns:
        A list of structs of the contract `REASON` with negative contributions; they are part of the rest of `reasons`, not beside it.
    """
    rows = pl.DataFrame({"row": np.arange(len(contributions))})
    named = _named(-contributions[:, :-1], _beside_median(now, everybody, columns, -1), columns, now, before, shown)
    if named is None:
        return pl.Series("protective", [[]] * rows.height, dtype=pl.List(REASON.dtype))
    told = named.with_columns(-pl.col("contribution")).group_by("row", maintain_order=True).agg(pl.struct(FIELDS).alias("protective"))
    return rows.join(told, on="row", how="left", maintain_order="left")["protective"].fill_null([])


def _beside(named: pl.DataFrame, now: pl.DataFrame) -> list[pl.DataFrame]:
    """Facts told beside the reasons of their subject, of those who have one, or alone: row and the fields of a reason, one frame a fact."""
    found = []
    for name in (name for name in (*BESIDE, *ALONE) if name in now.columns):
        feature, value = FEATURES[name], pl.col(name)
        told = pl.all_horizontal(value >= feature.speaks_from, *([] if feature.fair is None else [feature.fair]))
        facts = now.with_row_index("row").filter(told).select(pl.col("row").cast(pl.Int64), value=value)
        theirs = named.filter(pl.col("feature") == name if feature.alone else pl.col("code") == feature.group)
        facts = facts.join(theirs, on="row", how="anti" if feature.alone else "semi")
        absent = pl.lit(None, pl.Float64).alias("previous_value")
        facts = facts.with_columns(absent, code=pl.lit(feature.group), feature=pl.lit(name), contribution=pl.lit(0.0))
        found.append(facts.select("row", *FIELDS))
    return found


def _weeks(named: pl.DataFrame, now: pl.DataFrame, before: pl.DataFrame) -> list[pl.DataFrame]:
    """The last week of class and the one before, where they lie far apart: row and the fields of a reason.

    Of those whose attendance raises the risk and who are there still. A count over more days, or one absence on the last, may hide it.
    """
    share, sheets, _ = WEEK
    if not {share, sheets} <= set(now.columns) or before.is_empty():
        return []
    (value, held), (former, were) = now.select(share, sheets).to_numpy().T.astype(float), _aligned(now, before, [share, sheets]).T
    apart = (np.abs(np.round(value - former, 6)) >= FAR) & (held >= FEW) & (were >= FEW)
    weeks = pl.DataFrame({"row": np.arange(now.height), "value": value, "previous_value": former}).filter(pl.Series(apart))
    # The share itself tells what it was, but of whoever entered within that week.
    gone = pl.col("feature").is_in(GONE) | ((pl.col("feature") == share) & pl.col("previous_value").is_not_null())
    weeks = weeks.join(named.filter(pl.col("code") == "attendance", ~gone), on="row", how="semi")
    told = {"code": pl.lit("attendance"), "feature": pl.lit(share), "contribution": pl.lit(0.0)}
    return [weeks.with_columns(**told).select("row", *FIELDS)]


def _named(
    parts: NDArray[np.float64],
    side: NDArray[np.bool_],
    columns: Sequence[str],
    now: pl.DataFrame,
    before: pl.DataFrame,
    shown: int,
    *,
    speaking: bool = False,
) -> pl.DataFrame | None:
    """The subjects with the largest sums, each through its largest part that can be told: row and the fields of a reason.

    What repeats a fact by which another subject is told gives its place to another fact of its own subject (`Feature.repeats`).
    With `speaking`, a fact from `Feature.speaks_from` on is told of a subject that weighs, however little it weighs itself.
    """
    groups = [FEATURES[name].group for name in columns]
    subjects = [group for group in dict.fromkeys(groups) if group not in CONTEXT]
    if not len(parts) or not subjects:
        return None
    values_now = now.select(columns).to_numpy()
    values_before = np.where(_comparable(now, before, columns), _aligned(now, before, columns), np.nan)
    speaks_from = np.asarray([np.inf if (least := FEATURES[name].speaks_from) is None else least for name in columns])
    speaks = values_now >= speaks_from
    first = np.asarray([FIGURES_FIRST if "{value}" in FEATURES[name].fr else 1 for name in columns])
    tellable = side & ((parts > 0) | (speaks & speaking))
    members = {subject: [place for place, group in enumerate(groups) if group == subject] for subject in subjects}
    sums = np.stack([parts[:, places].sum(axis=1) for places in members.values()], axis=1)

    def led() -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        told = np.where(tellable, np.where(speaks, np.inf, parts * first), -np.inf)
        leading = np.stack([np.asarray(places)[told[:, places].argmax(axis=1)] for places in members.values()], axis=1)
        return leading, np.stack([tellable[:, places].any(axis=1) for places in members.values()], axis=1) & (sums > LEAST)

    leading, known = led()
    for place, name in enumerate(columns):
        if FEATURES[name].repeats:
            same = [number for number, other in enumerate(columns) if other in FEATURES[name].repeats]
            tellable[:, place] &= ~(np.isin(leading, same) & known).any(axis=1)
    leading, known = led()
    sums = np.where(known, sums, -np.inf)
    best = np.argsort(-sums, axis=1, kind="stable")[:, :shown]
    value = np.take_along_axis(sums, best, axis=1)
    feature = np.take_along_axis(leading, best, axis=1)
    kept = np.isfinite(value)
    row = np.repeat(np.arange(len(parts)), best.shape[1]).reshape(best.shape)
    return pl.DataFrame(
        {
            "row": row[kept],
            "code": np.asarray(subjects)[best[kept]],
            "feature": np.asarray(columns)[feature[kept]],
            "value": values_now[row[kept], feature[kept]],
            "contribution": value[kept],
            "previous_value": values_before[row[kept], feature[kept]],
        },
        schema_overrides={"code": pl.String, "feature": pl.String},
    ).with_columns(pl.col("value", "previous_value").fill_nan(None))


def _beside_median(now: pl.DataFrame, everybody: pl.DataFrame | None, columns: Sequence[str], side: Literal[-1, 1]) -> NDArray[np.bool_]:
    """Known values on the worse (1) or the better (-1) side of the night's median and of what their own sentence compares with."""
    nights = now.select("as_of").unique()
    medians = (now if everybody is None else everybody).join(nights, on="as_of", how="semi").group_by("as_of").agg(pl.col(columns).median())
    conditions = [fair for name in columns if (fair := _fair(name, side)) is not None]
    known = now.select(list(dict.fromkeys(("as_of", *columns, *(root for fair in conditions for root in fair.meta.root_names())))))
    both = known.join(medians, on="as_of", how="left", suffix=_USUAL, maintain_order="left")
    beside = []
    for name in columns:
        feature, value = FEATURES[name], pl.col(name)
        beyond = (value - pl.col(f"{name}{_USUAL}")) * feature.direction * side > 0
        if feature.against is not None:
            beyond &= (value - feature.against).round(DECIMALS.get(feature.unit, 6)) * feature.direction * side > 0
        if (fair := _fair(name, side)) is not None:
            beyond &= fair
        beside.append(beyond.fill_null(value=False).alias(name))
    return np.asarray(both.select(beside).to_numpy(), dtype=np.bool_)


def _fair(name: str, side: Literal[-1, 1]) -> pl.Expr | None:
    feature = FEATURES[name]
    return feature.fair if side > 0 or feature.fair_better is None else feature.fair_better


_USUAL: Final = " usual"


def _comparable(now: pl.DataFrame, before: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.bool_]:
    """False where the week before is no measure, as the last week itself went the other way, or more was held since.

    It looks better, and the last week was not; worse or the same, and the last week was clearly better; the same, and it was clearly worse.
    Nor is it one of whoever had no class in the last week: days leave the window, and nothing has happened.
    """
    among = {name: whole for name in columns if (whole := FEATURES[name].among) and {whole, *WEEK} <= set(now.columns)}
    comparable = np.ones((now.height, len(columns)), dtype=np.bool_)
    if not among:
        return comparable
    read = list(dict.fromkeys((*among, *among.values(), *WEEK)))
    value = dict(zip(read, now.select(pl.col(read).cast(pl.Float64)).to_numpy().T, strict=True))
    former = dict(zip(read, _aligned(now, before, read).T, strict=True))
    share, sheets, streak = WEEK
    better = (value[share] > former[share]) & (value[share] >= HALF) & (value[sheets] >= HALF * former[sheets]) & (value[streak] == 0)
    turn, held = np.round(value[share] - former[share], 6), value[sheets] > 0
    for name, whole in among.items():
        rise = (value[name] - former[name]) * FEATURES[name].direction
        # More of what was held, in a window that had hardly been lived a week before, is no worse.
        fuller = (rise > 0) & (former[whole] < FULL * value[whole])
        contrary = ((rise >= 0) & (turn >= TURN)) | ((rise == 0) & (turn <= -TURN))
        comparable[:, columns.index(name)] = held & ~(((rise < 0) & ~better) | fuller | contrary)
    return comparable


def _aligned(now: pl.DataFrame, before: pl.DataFrame, columns: Sequence[str]) -> NDArray[np.float64]:
    keys = ["as_of", "enrolment_id"]
    same_rows = now.select(keys).join(before.select(*keys, *columns), on=keys, how="left", maintain_order="left", validate="1:1")
    return np.asarray(same_rows.select(columns).to_numpy(), dtype=np.float64)
