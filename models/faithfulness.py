"""Are the reasons those of the model? Take away what a reason tells of, and the score must fall; refit, and the reasons must stay."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from features.catalogue import FEATURES
from models.explanation import CONTEXT, REST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.learner import Model
    from vigie.arrays import Flags, Floats


TOTALS: Final = (
    "activity_total",
    "active_days_total",
    "work_handed_in",
    "work_missed",
    "late_work",
    "marks_awaited",
    "score_mean",
    "unjustified_share_total",
    "unjustified_streak_half_days",
    "absence_streak_half_days",
    "unanswered_attempts",
)
"""Columns that move with a new fact about the person, or a deadline that passes, and not with the days alone."""
CLOCKS: Final = ("days_since_presence", "days_since_activity", "days_since_two_way_contact")
"""Columns that grow with the days until a new fact sets them back."""
LEADING: Final = 3


def by_subject(contributions: Floats, columns: Sequence[str]) -> tuple[Floats, list[str]]:
    """Contributions summed by subject, rows x subjects, and the subjects' names; the base value is left out."""
    groups = np.array([FEATURES[name].group for name in columns])
    names = list(dict.fromkeys(groups.tolist()))
    return np.stack([contributions[:, :-1][:, groups == name].sum(axis=1) for name in names], axis=1), names


def deletion(model: Model, everybody: pl.DataFrame, within: str, asked: Flags | None = None, taken: int = 1) -> pl.DataFrame:
    """How far the margin falls when the subjects that raise it most are made ordinary, and when as many subjects drawn by lot are.

    Only subjects that a reason may name take part: the course and its session are the same for everybody the learner is compared with.
    Ordinary is the median of the column over the rows of the same `within` (DeYoung et al. 2020, comprehensiveness); missing values count
    as missing where most are.

    Args:
        model: whose reasons they are.
        everybody: the matrix of all who were scored: what is ordinary is theirs.
        within: column of those compared with each other.
        asked: which rows are judged; all without it.
        taken: how many subjects are taken away.

    Returns:
        A row for each row judged: top, random (falls of the margin, log-odds).
    """
    chosen_rows = pl.Series(np.ones(everybody.height, dtype=np.bool_) if asked is None else asked)
    usual = everybody.select(pl.col(model.columns).median().over(within)).filter(chosen_rows).to_numpy()
    rows = everybody.filter(chosen_rows)
    sums, names = by_subject(model.contributions(rows), model.columns)
    sums = sums[:, [name not in CONTEXT for name in names]]
    names = [name for name in names if name not in CONTEXT]
    groups = np.array([names.index(group) if (group := FEATURES[name].group) in names else -1 for name in model.columns])
    values = rows.select(model.columns).to_numpy()
    lot = np.argsort(np.random.default_rng(0).random(sums.shape), axis=1)[:, :taken]
    best = np.argsort(-sums, axis=1, kind="stable")[:, :taken]
    before = model.margins(rows)

    def fall(chosen: NDArray[np.intp]) -> Floats:
        gone = (groups[None, :, None] == chosen[:, None, :]).any(axis=2)
        changed = pl.DataFrame(np.where(gone, usual, values), schema=model.columns).with_columns(pl.all().fill_nan(None))
        return before - model.margins(changed)

    return pl.DataFrame({"top": fall(best), "random": fall(lot)})


def agreement(first: Floats, second: Floats, places: int) -> float:
    """Mean share of the `places` leading subjects that two sets of sums by subject (rows x subjects) have in common."""
    leading = [np.argsort(-sums, axis=1, kind="stable")[:, :places] for sums in (first, second)]
    return float((leading[0][:, :, None] == leading[1][:, None, :]).any(axis=2).mean())


def kept(rows: pl.DataFrame, told: pl.Series) -> pl.DataFrame:
    """What the `LEADING` reasons of a night and the next have in common where nothing new became known of the person between them.

    Time passes all the same: windows end a day later, and the others, beside whom a fact is told, may have done something.

    Args:
        rows: the matrix of several nights.
        told: their reasons, contract `REASON`, in the same order.

    Returns:
        A row for each person and later night of such a pair, both nights naming a reason: as_of, enrolment_id, shared (of the leading
        subjects of the night that names more, the share that both name), first (1.0: the same subject leads).
    """
    code, weighs = (pl.element().struct.field(name) for name in ("code", "contribution"))
    named = told.list.eval(code.filter(code != REST, weighs != 0)).list.head(LEADING)
    nights = rows.select("as_of", "enrolment_id", *TOTALS, *CLOCKS).with_columns(named=named)
    before = nights.with_columns(pl.col("as_of") + dt.timedelta(days=1), pl.col(CLOCKS) + 1)
    pairs = nights.join(before, on=["as_of", "enrolment_id"], suffix="_before", maintain_order="left")
    still = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_before")) for name in (*TOTALS, *CLOCKS))
    both = pl.min_horizontal(pl.col("named").list.len(), pl.col("named_before").list.len()) > 0
    most = pl.max_horizontal(pl.col("named").list.len(), pl.col("named_before").list.len())
    return pairs.filter(still, both).select(
        "as_of",
        "enrolment_id",
        shared=pl.col("named").list.set_intersection("named_before").list.len() / most,
        first=(pl.col("named").list.first() == pl.col("named_before").list.first()).cast(pl.Float64),
    )
