"""From margins to probabilities: the shape is chosen by test on later rows, the level is the long-run rate."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from models.evaluation.bootstrap import interval, shares
from models.evaluation.measures import codes
from vigie.errors import NoModelError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vigie.arrays import Floats


PRECISION: Final = 1e-9
ISOTONIC_DROPOUTS: Final = 1_000
"""Fewer events and an isotonic calibration follows their noise (modelling notes, section 2)."""
BEND: Final = 0.75
"""Of those who leave, the share below the bend: above it lie those who fill the lists."""
LEAST_RISE: Final = 0.1
SIZES: Final = (50, 250)
"""Learners at which a provider stops being small, then middling."""
NORMAL: Final = 1.96
WEEKS: Final = 4
_FOLDS_TO_CHOOSE: Final = 2
_BLOCKS: Final = 20


@dataclass(frozen=True)
class Calibration:
    """Log-odds of the risk as an increasing function of the margin: a line, a bent line, or the straight pieces between `knots`.

    risk = sigmoid(slope x margin + bend x log(1 + exp(margin - bend_at)) + intercept). At bend_at 0 this is beta calibration (Kull, Silva
    Filho and Flach 2017), which bends at one half: where hardly anybody is, when few leave. With knots the line is taken of their
    interpolation instead of the margin.
    """

    slope: float
    intercept: float
    bend: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    """Margins, ascending, and the log-odds observed around each."""
    bend_at: float = 0.0
    """Margin around which the line bends."""

    def risk(self, margin: Floats) -> Floats:
        """Calibrated probability of margins in log-odds."""
        bent = self.bend * np.logaddexp(0, margin - self.bend_at)
        return np.asarray(1 / (1 + np.exp(-(self.slope * self._placed(margin) + bent + self.intercept))), dtype=np.float64)

    def _placed(self, margin: Floats) -> Floats:
        if not self.knots:
            return margin
        at, log_odds = np.array(self.knots).T
        # Beyond the last knots the slope is one, so that no two margins ever share a risk.
        return np.asarray(np.interp(margin, at, log_odds) + margin - np.clip(margin, at[0], at[-1]), dtype=np.float64)


UNCALIBRATED: Final = Calibration(1.0, 0.0)


def calibrate(margins: Floats, labels: Floats) -> Calibration:
    """Sigmoid calibration (Platt 1999) by maximum likelihood; the slope is kept above zero so that the order of risks stands.

    Raises:
        NoModelError: the margins rank people no better than chance.
    """
    slope, intercept = _logistic(margins.reshape(-1, 1), labels)
    if slope <= 0:
        raise NoModelError("On later data the model ranks people no better than chance.", "Check the deliveries, then train again.")
    return Calibration(slope, intercept)


def bent(margins: Floats, labels: Floats) -> Calibration:
    """A line that bends where lists are, by maximum likelihood; past the bend it rises by `LEAST_RISE` of what it did, or more.

    Raises:
        NoModelError: the margins rank people no better than chance.
    """
    at = float(np.quantile(margins[labels > 0], BEND))
    past = np.logaddexp(0, margins - at)
    slope, bend, intercept = _logistic(np.column_stack([margins, past]), labels)
    if slope + bend < LEAST_RISE * slope:
        # Flat, or falling: no two margins may share a risk, and none may lie below a lower one's.
        straight = calibrate(margins - (1 - LEAST_RISE) * past, labels)
        slope, bend, intercept = straight.slope, (LEAST_RISE - 1) * straight.slope, straight.intercept
    return Calibration(slope, intercept, bend, bend_at=at) if slope > 0 else calibrate(margins, labels)


def isotonic(margins: Floats, labels: Floats) -> Calibration:
    """Isotonic calibration of blocks of equal size, joined by straight pieces."""
    from sklearn.isotonic import IsotonicRegression

    blocks = np.array_split(np.argsort(margins, kind="stable"), _BLOCKS)
    centres = np.array([margins[block].mean() for block in blocks])
    shares = np.array([(labels[block].sum() + 0.5) / (len(block) + 1) for block in blocks])
    rising = IsotonicRegression().fit_transform(np.arange(_BLOCKS), np.log(shares / (1 - shares)))
    # A flat piece would tie people the model tells apart.
    rising = rising + 1e-6 * (centres - centres[0])
    distinct = np.concatenate([[True], np.diff(centres) > 0])
    return Calibration(
        1.0, 0.0, knots=tuple((float(at), float(value)) for at, value in zip(centres[distinct], rising[distinct], strict=True))
    )


METHODS: Final = {"sigmoid": calibrate, "bent": bent, "isotonic": isotonic}
"""Simplest first."""


def chosen(folds: Sequence[pl.DataFrame]) -> tuple[Calibration, pl.DataFrame]:
    """The shape that does best on folds it was not fitted on, and the figures it was chosen by.

    A method takes the place of a simpler one only where its log loss on the folds left out is proven lower: the whole 95 % interval of the
    difference, by bootstrap of enrolments with all their rows, lies below zero.

    Args:
        folds: enrolment_id, margin, label of later rows, as models fitted on what came before each fold gave them.

    Returns:
        The calibration fitted on all folds, and method, fold, log_loss; the methods that were not allowed are missing.
    """
    whole = _margins(pl.concat(folds))
    if len(folds) < _FOLDS_TO_CHOOSE:
        return calibrate(*whole), pl.DataFrame(schema=_TRIED)
    person = codes(pl.concat([fold["enrolment_id"] for fold in folds]))
    losses: dict[str, list[Floats]] = {}
    for name, method in METHODS.items():
        fitted_on = [_margins(pl.concat([fold for place, fold in enumerate(folds) if place != left])) for left in range(len(folds))]
        if name == "isotonic" and min(labels.sum() for _, labels in fitted_on) < ISOTONIC_DROPOUTS:
            continue
        # Without one fold the others may rank no better than chance: then a shape cannot be tried, though all of them together can.
        with suppress(NoModelError):
            # The level of a fold is not this test's subject: it is set apart.
            losses[name] = [_losses(*_margins(fold), method(*past)) for past, fold in zip(fitted_on, folds, strict=True)]
    if "sigmoid" not in losses:
        return calibrate(*whole), pl.DataFrame(schema=_TRIED)
    best = "sigmoid"
    for name, found in losses.items():
        above = np.concatenate(found) - np.concatenate(losses[best])
        if interval(shares(above[:, None], np.ones((len(above), 1)), person)[1][:, 0])[1] < 0:
            best = name
    told = [(name, fold, float(loss.mean())) for name, found in losses.items() for fold, loss in enumerate(found)]
    return METHODS[best](*whole), pl.DataFrame(told, schema=_TRIED, orient="row")


_TRIED: Final = {"method": pl.String, "fold": pl.Int64, "log_loss": pl.Float64}


def _margins(fold: pl.DataFrame) -> tuple[Floats, Floats]:
    return fold["margin"].to_numpy(), fold["label"].to_numpy().astype(np.float64)


def centred(margins: Floats, labels: Floats, shape: Calibration | float) -> Calibration:
    """The calibration of this shape (or slope) under which as many are expected as were observed; by bisection, to a billionth."""
    kept = shape if isinstance(shape, Calibration) else Calibration(shape, 0.0)
    low, high = -30.0, 30.0
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if replace(kept, intercept=middle).risk(margins).mean() > labels.mean() else (middle, high)
    return replace(kept, intercept=(low + high) / 2)


def by_group(told: pl.DataFrame, horizons: Mapping[int, pl.DataFrame] | None = None) -> pl.DataFrame:
    """Expected and observed by week of course, by size of provider, by horizon, and where arms held people out.

    Of those held out the risk under usual support tells less than what comes where that support helps: the difference is what it prevents.

    Args:
        told: enrolment_id, provider_id, course_day, risk, label; weight, above 1 while an arm holds somebody out, where there was one.
        horizons: by days, enrolment_id, risk and label of that horizon.

    Returns:
        group, value, rows, dropouts, expected, observed (shares), low, high: a 95 % interval of the observed (Wilson 1927) by as many rows
        as the delta method of a ratio over enrolments finds independent, or as there are enrolments where nobody left. Values of a group
        from small to large.
    """
    size = pl.col("enrolment_id").n_unique().over("provider_id")
    small, middling = SIZES
    class_ = (size >= small).cast(pl.Int64) + (size >= middling).cast(pl.Int64)
    names = (f"under {small} enrolments", f"{small} to {middling - 1} enrolments", f"{middling} enrolments or more")
    week = (pl.col("course_day") // (WEEKS * 7) * WEEKS).cast(pl.Int64)
    kinds = {
        "week of course": (week, pl.format("{} to {}", week, week + WEEKS - 1)),
        "size of provider": (class_, class_.replace_strict(dict(enumerate(names)), return_dtype=pl.String)),
    }
    if "weight" in told.columns:
        held = pl.col("weight") > 1
        kinds["support"] = (held.cast(pl.Int64), pl.when(held).then(pl.lit("held out")).otherwise(pl.lit("usual")))
    columns = ("group", "order", "value", "enrolment_id", "risk", "label")
    parts = [
        part.with_columns(group=pl.lit("horizon"), order=pl.lit(days, pl.Int64), value=pl.lit(f"{days} days")).select(columns)
        for days, part in (horizons or {}).items()
    ]
    parts += [told.with_columns(group=pl.lit(name), order=order, value=value).select(columns) for name, (order, value) in kinds.items()]
    sums = {"n": pl.len(), "risk": pl.col("risk").sum(), "label": pl.col("label").sum()}
    people = pl.concat(parts).group_by("group", "order", "value", "enrolment_id").agg(**sums)
    rate = pl.col("label").sum() / pl.col("n").sum()
    error = ((pl.col("label") - rate * pl.col("n")) ** 2).sum().sqrt() / pl.col("n").sum()
    groups = people.group_by("group", "order", "value").agg(
        rows=pl.col("n").sum(),
        dropouts=pl.col("label").sum().cast(pl.Int64),
        expected=pl.col("risk").sum() / pl.col("n").sum(),
        observed=rate,
        error=error,
        people=pl.len(),
    )
    share, error = pl.col("observed"), pl.col("error")
    number = pl.when(error > 0).then(share * (1 - share) / error**2).otherwise("people")
    spread = NORMAL * (share * (1 - share) / number + NORMAL**2 / (4 * number**2)).sqrt()
    low, high = ((share + NORMAL**2 / (2 * number) + sign * spread) / (1 + NORMAL**2 / number) for sign in (-1, 1))
    # Rounding alone would have a share of nothing lie a hair above nothing.
    return groups.with_columns(low=low.round(12).clip(0, 1), high=high.clip(0, 1)).sort("group", "order").drop("error", "order", "people")


def _logistic(columns: Floats, labels: Floats) -> tuple[float, ...]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, max_iter=1_000).fit(columns, labels)
    return (*(float(value) for value in model.coef_[0]), float(model.intercept_[0]))


def _losses(margins: Floats, labels: Floats, shape: Calibration) -> Floats:
    """Log loss of each row under the shape, at the level of these rows."""
    kept = np.clip(centred(margins, labels, shape).risk(margins), 1e-12, 1 - 1e-12)
    return np.asarray(-(labels * np.log(kept) + (1 - labels) * np.log1p(-kept)), dtype=np.float64)
