"""Is the model still the one that was judged? Each night is compared with what it learnt from, within the same weeks of a course.

Every alarm needs two things: a difference that matters, and an interval that excludes chance at this number of people, so that a small
service is not woken for nothing. Pure functions of tables; no library that takes seconds to import.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from data_contracts.vocabulary import NEVER_STARTED
from features.catalogue import FEATURES
from models.evaluation.measures import codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vigie.arrays import Floats, Ints


BANDS: Final = (2, 4, 8, 16)
"""Weeks of the course at which a new band begins: columns that count from the start differ between bands by design."""
BINS: Final = 10
PEOPLE_AT_MOST: Final = 5_000
"""People of a night that are looked at: enough for any drift that matters, and the same cost at any size."""
LANDMARKS_AT_MOST: Final = 60_000
DRIFT: Final = 0.2
"""Population stability index from which a shift is called large."""
CHANCE: Final = 0.01
"""Share of quiet nights on which chance alone may raise an alarm, over all columns."""
SHARED: Final = ("session_id", "provider_id", "programme_id")
"""What makes people's columns alike: a session's attendance is one fact, however many sit in it."""
LEVEL: Final = (0.80, 1.25)
RISK: Final = "risk"
REFERENCE_FILE: Final = "reference.parquet"
OVERRULED: Final = "not_relevant"
MOST_OVERRULED: Final = 0.5
LEAST_ANSWERS: Final = 20
LEAST_USEFUL: Final = 0.5
LEAST_OPINIONS: Final = 11
"""On a subject, below which its count is not told: it could be one advisor's."""
LEAST_WEEKS: Final = 3
MOST_CHANGE: Final = 0.5
LEAST_LEFT: Final = 5


@dataclass(frozen=True)
class Reading:
    """One thing looked at on one night."""

    subject: str
    value: float
    low: float
    high: float
    people: int
    alarm: bool
    says: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON; numbers that are none are left out."""
        return {name: None if isinstance(value, float) and not np.isfinite(value) else value for name, value in asdict(self).items()}


def band() -> pl.Expr:
    """Number of the band of weeks a row lies in."""
    week = pl.col("course_day") // 7
    return pl.sum_horizontal((week >= first).cast(pl.Int32) for first in BANDS)


def reference(rows: pl.DataFrame, risk: Floats) -> pl.DataFrame:
    """How each column and the risk were spread over the landmarks a model learnt from.

    Args:
        rows: the matrix of the landmarks.
        risk: of the same rows.

    Returns:
        column, band, edges (of up to ten bins), shares (one more than edges + 1: the last is what is missing), people (learners seen, as
        many as if each stood alone), together (how far people fall in one bin because they share each of `SHARED`, 0 to 1), weekday (of
        the landmarks, Monday is 1).
    """
    few = rows.with_columns(pl.Series(RISK, risk), band=band())
    few = few.sample(min(few.height, LANDMARKS_AT_MOST), seed=0)
    weekday = rows["as_of"].dt.weekday().mode()[0]
    table = []
    for number, part in sorted(few.partition_by("band", as_dict=True).items()):
        nights, groups = codes(part["as_of"]), [codes(part.select(pl.struct(unit, "as_of")).to_series()) for unit in SHARED]
        people = part["learner_id"].n_unique()
        for name in (*FEATURES, RISK):
            values = part[name].drop_nulls().to_numpy()
            edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS)) if len(values) else np.empty(0)
            bins = _bins(part[name], edges)
            together = [_together(bins, nights, group) for group in groups]
            alone = _standing_alone(people, part, together)
            table.append((name, number[0], edges.tolist(), _shares(bins, edges).tolist(), alone, together, weekday))
    numbers = pl.List(pl.Float64)
    types = (pl.String(), pl.Int32(), numbers, numbers, pl.Float64(), numbers, pl.Int8())
    return pl.DataFrame(table, schema=dict(zip(REFERENCE, types, strict=True)), orient="row")


REFERENCE: Final = ("column", "band", "edges", "shares", "people", "together", "weekday")


def landmarks_on(learnt: pl.DataFrame) -> int | None:
    """Weekday of the landmarks of a reference, Monday is 1; none of one by an older version of Vigie, which is compared with nothing."""
    return int(learnt["weekday"][0]) if set(learnt.columns) == {*REFERENCE} else None


def _together(bins: Ints, nights: Ints, groups: Ints) -> float:
    """How far rows of a group fall in one bin on one night, 0 to 1: intra-class correlation of the bins' indicators, added up over bins.

    Of bins and not of values, since bins are what the index compares: a column less its session's mean has no correlation in the session,
    and yet all who missed nothing there share one bin. One-way analysis of variance; one design effect for all bins, as the first
    correction of a chi-squared of Rao and Scott (1981).

    Args:
        bins: number of the bin of each row.
        nights: number of the night of each row.
        groups: number of the group on that night of each row.
    """
    among, within = _mean_square(bins, nights), _mean_square(bins, groups)
    return float(np.clip(1 - within / among, 0, 1)) if among > 0 and not np.isnan(within) else 0.0


def _mean_square(bins: Ints, groups: Ints) -> float:
    """Mean square within groups of the indicators of the bins, added up over bins; nan where every group is of one row."""
    shape = groups.max() + 1, bins.max() + 1
    cells = np.bincount(np.ravel_multi_index((groups, bins), shape), minlength=shape[0] * shape[1]).reshape(shape)
    within = len(bins) - float((cells**2 / cells.sum(axis=1, keepdims=True)).sum())
    return within / (len(bins) - len(cells)) if len(bins) > len(cells) else float("nan")


def _standing_alone(people: int, rows: pl.DataFrame, together: Sequence[float]) -> float:
    """How many independent people tell as much as these who share sessions, providers and programmes (Kish 1965, design effect)."""
    return min(people / (1 + (people / rows[unit].n_unique() - 1) * share) for unit, share in zip(SHARED, together, strict=True))


def _bins(column: pl.Series, edges: Floats) -> Ints:
    """Of each row, the number of its bin; what is missing has the last, one past those of the edges."""
    values = column.cast(pl.Float64).to_numpy()
    # Numpy puts nan behind every edge: one more is the bin of what is missing.
    bins: Ints = np.searchsorted(edges, values, side="right") + np.isnan(values)
    return bins


def _shares(bins: Ints, edges: Floats) -> Floats:
    return np.bincount(bins, minlength=len(edges) + 2) / len(bins)


def drift(learnt: pl.DataFrame, night: pl.DataFrame, risk: Floats) -> list[Reading]:
    """Population stability index of each column and of the risk, within the same weeks of a course.

    Under no drift the index times n m / (n + m) follows a chi-squared law (Yurdakul and Naranjo 2020), n and m being as many as stand
    alone, by how far people who share a session, provider or programme fall in one bin; bands add up. Landmarks lie on one weekday and
    much counts days since a class: a night of another weekday is not compared.

    Args:
        learnt: as from `reference`.
        night: the matrix of the night.
        risk: of the same rows.

    Returns:
        A reading a column, the largest index first; none on another weekday, or beside a reference of an earlier version.
    """
    if night["as_of"].dt.weekday()[0] != landmarks_on(learnt):
        return []
    now = night.with_columns(pl.Series(RISK, risk), band=band())
    if now.height > PEOPLE_AT_MOST:
        now = now.sample(PEOPLE_AT_MOST, seed=0)
    parts = {key[0]: part for key, part in now.partition_by("band", as_dict=True).items()}
    columns = learnt["column"].unique(maintain_order=True).to_list()
    sums = {name: np.zeros(3) for name in columns}
    for name, number, edges, shares, people, together, _ in learnt.iter_rows():
        part = parts.get(number)
        if part is None or name not in part.columns:
            continue
        before, n = np.asarray(shares), _standing_alone(part.height, part, together)
        after = _shares(_bins(part[name], np.asarray(edges)), np.asarray(edges))
        kept = (before > 0) | (after > 0)
        # An empty bin would weigh without end: half a person stands in it.
        old, new = np.maximum(before[kept], 0.5 / people), np.maximum(after[kept], 0.5 / n)
        index = float(((new - old) * np.log(new / old)).sum())
        sums[name] += (index * part.height / now.height, index * n * people / (n + people), kept.sum() - 1)
    readings = []
    for name, (index, weight, freedom) in sums.items():
        alarm = bool(index > DRIFT and freedom > 0 and weight > _chi_squared(1 - CHANCE / len(columns), freedom))
        what = "The risk" if name == RISK else f"Column {name}"
        says = (
            f"{what} has moved since the model learnt: stability index {index:.2f}, large from {DRIFT} on, in the same weeks of a course."
        )
        readings.append(Reading(f"drift of {name}", float(index), float("nan"), DRIFT, now.height, alarm, says))
    return sorted(readings, key=lambda reading: -reading.value)


def _chi_squared(share: float, freedom: float) -> float:
    """Quantile of the chi-squared law (Wilson and Hilferty 1931): close enough past two degrees, and needs no library."""
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + NormalDist().inv_cdf(share) * spread**0.5) ** 3)


def matured(scores: pl.DataFrame, called: pl.DataFrame, endings: pl.DataFrame) -> list[Reading]:
    """What became of those scored on a night whose horizon is over.

    Args:
        scores: contract `Scores` of that night.
        called: enrolment_id of those on a list for their risk that night.
        endings: enrolment_id, exit_date, reason, dropped, as known now.

    Returns:
        Expected over observed, and the share of those called who left, beside what their risk said.
    """
    ended = scores.join(endings, on="enrolment_id", how="left", maintain_order="left")
    within = (pl.col("exit_date") - pl.col("as_of")).dt.total_days() <= pl.col("horizon_days")
    still = pl.col("exit_date").is_null() | (pl.col("exit_date") > pl.col("as_of"))
    told = ended.filter(still, pl.col("reason").ne_missing(NEVER_STARTED)).with_columns(
        left=(pl.col("dropped") & within).fill_null(value=False)
    )
    if told.is_empty():
        return []
    night = told["as_of"][0]
    expected, observed = float(told["risk"].sum()), int(told["left"].sum())
    fewest, most = _poisson(observed)
    level, low, high = expected / max(observed, 1), expected / most, expected / max(fewest, 1e-9)
    # Nobody leaving where many were expected is the plainest fault of all: an exits file that no longer comes.
    off = max(observed, expected) >= LEAST_LEFT and not LEVEL[0] <= level <= LEVEL[1] and not low <= 1 <= high
    then = ": the level is off, train again" if off else ""
    says = f"On {night} {expected:.0f} people were expected to leave within the horizon and {observed} did{then}."
    readings = [Reading("expected over observed", level, low, high, told.height, off, says)]
    listed = told.join(called.select("enrolment_id").unique(), on="enrolment_id", how="semi")
    if listed.height:
        found, promised = int(listed["left"].sum()), float(listed["risk"].sum() / listed.height)
        low, high = _wilson(found, listed.height)
        says = f"Of {listed.height} people on lists on {night}, {found} left; their risks said {promised:.0%}. A call may have kept some."
        readings.append(Reading("precision of the lists", found / listed.height, low, high, listed.height, low > promised, says))
    return readings


def volume(opened: int, before: Sequence[int]) -> Reading:
    """New risk alerts of a night beside those of the same weekday in earlier weeks; the interval is of counts that are no surprise."""
    if not before:
        return Reading("new risk alerts", float(opened), float("nan"), float("nan"), 0, alarm=False, says=f"{opened} new risk alerts.")
    usual, (low, high) = float(np.mean(before)), _unsurprising(sum(before), len(before))
    odd = len(before) >= LEAST_WEEKS and not low <= opened <= high and abs(opened - usual) > MOST_CHANGE * usual
    too_few = "" if len(before) >= LEAST_WEEKS else f"; an alarm needs {LEAST_WEEKS}"
    says = f"{opened} new risk alerts, where the same weekday had {usual:.1f} on average (earlier weeks: {len(before)}{too_few})."
    return Reading("new risk alerts", float(opened), low, high, len(before), odd, says)


def _unsurprising(total: int, nights: int) -> tuple[float, float]:
    """Fewest and most on one more night, after `total` on so many, that are not in the share `CHANCE` of the oddest, half at either end.

    Of the sum of all nights, a Poisson count of one is binomial whatever the rate (Przyborowski and Wilenski 1940): right for small
    numbers, where the spread of those before is often nought. The counts that this test does not refuse lie between two quantiles of
    negative binomial laws, since a share of trials is reached when the last of the others comes.
    """
    return _negative_binomial(CHANCE / 2, total, nights), _negative_binomial(1 - CHANCE / 2, total + 1, nights)


def _negative_binomial(share: float, others: int, nights: int) -> float:
    """Quantile of how many fall on one night, of those that fall on it or on `nights` more at random, until so many `others` fell there."""
    from scipy.special import nbdtrik

    # Between two counts the inverse is no count; below the first it is none at all. A hair off, since it is found by iteration.
    most = float(nbdtrik(share, others, nights / (nights + 1))) if others else 0.0
    return math.ceil(most - 1e-9) if most > 0 else 0.0


def overrides(opinions: pl.DataFrame) -> Reading:
    """Share of advisors' answers of the last weeks that say an alert was without object, and why.

    Args:
        opinions: code, why of each answer.
    """
    without = opinions.filter(pl.col("code") == OVERRULED)
    said, low, high = opinions.height, *_wilson(without.height, opinions.height)
    alarm = said >= LEAST_ANSWERS and low > MOST_OVERRULED
    says = f"{without.height} of {said} answers of the last four weeks say that the alert was without object."
    whys = without["why"].drop_nulls().value_counts().sort("count", "why", descending=[True, False])
    if whys.height:
        says += f" Why: {', '.join(f'{why} {count}' for why, count in whys.rows())}.".replace("_", " ")
    return Reading("alerts without object", without.height / said if said else float("nan"), low, high, said, alarm, says)


def usefulness(opinions: pl.DataFrame) -> Reading:
    """Share of useful alerts among those of the last weeks on which an advisor gave an opinion, and the subjects called useful least.

    Args:
        opinions: reason (leading subject of a risk alert), useful (null: no opinion) of each answer.
    """
    given = opinions.filter(pl.col("useful").is_not_null())
    said, useful = given.height, int(given["useful"].sum())
    low, high = _wilson(useful, said)
    says = f"{useful} of {said} opinions of the last four weeks call the alert useful."
    subjects = given.filter(pl.col("reason").is_not_null()).group_by("reason").agg(useful=pl.col("useful").sum(), said=pl.len())
    told = subjects.filter(pl.col("said") >= LEAST_OPINIONS).sort(pl.col("useful") / pl.col("said"), "reason")
    if told.height:
        says += f" By subject, least first: {', '.join(f'{subject} {yes} of {all_}' for subject, yes, all_ in told.rows())}."
    alarm = said >= LEAST_ANSWERS and high < LEAST_USEFUL
    return Reading("alerts called useful", useful / said if said else float("nan"), low, high, said, alarm, says)


def _wilson(part: int, whole: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); right for small numbers."""
    if not whole:
        return float("nan"), float("nan")
    z = NormalDist().inv_cdf(0.975)
    share, shrink = part / whole, 1 + z**2 / whole
    middle, half = share + z**2 / (2 * whole), z * (share * (1 - share) / whole + z**2 / (4 * whole**2)) ** 0.5
    return (middle - half) / shrink, (middle + half) / shrink


def _poisson(count: int) -> tuple[float, float]:
    """95 % interval of a count (Byar's approximation, Breslow and Day 1987)."""
    z = NormalDist().inv_cdf(0.975)
    low = count * (1 - 1 / (9 * count) - z / (3 * count**0.5)) ** 3 if count else 0.0
    return low, (count + 1) * (1 - 1 / (9 * (count + 1)) + z / (3 * (count + 1) ** 0.5)) ** 3
