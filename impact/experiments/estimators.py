"""Effects and their errors, for one experiment or a thousand of them at once.

The first axis of every array is the replication: an analysis is the case with one, power and randomisation inference the case with many.
So what is checked over replications is the very code that runs on the data. Tests hold it to statsmodels and linearmodels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from vigie.arrays import Flags, Floats, Ints

_CELLS: Final = 4_000_000
"""Numbers held at once: replications are worked through in parts of about this size."""
LEAST_SCALE: Final = 0.01
"""Who looks for less than one point is judged as if looking for this."""


@dataclass(frozen=True)
class Estimate:
    """One number for each replication."""

    effect: Floats
    error: Floats
    df: Floats
    """Degrees of freedom of the t distribution that intervals use."""

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Lower and upper bound."""
        from scipy import stats

        half = stats.t.ppf(0.5 + level / 2, self.df) * self.error
        return self.effect - half, self.effect + half

    def p_value(self) -> Floats:
        """Two-sided, against no effect; 1 where the error is zero."""
        from scipy import stats

        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.abs(self.effect / self.error)
        return np.where(self.error > 0, 2 * stats.t.sf(t, self.df), 1.0)

    def at_any_look(self, scale: float, alpha: float) -> tuple[Floats, Floats, Floats]:
        """Lower bound, upper bound and p-value that hold however often people were looked at while more of them came.

        A normal mixture over effects of this size (Robbins 1970): with a chance of `alpha` at most, any look of a whole series errs, once
        errors are near normal. Half as wide again as for one look, or more.

        Args:
            scale: the effect that is looked for, fixed before the data; one smaller than `LEAST_SCALE` counts as that.
            alpha: two-sided.
        """
        error, size = self.error**2, max(abs(scale), LEAST_SCALE) ** 2
        growth = (error + size) / np.maximum(error, np.finfo(np.float64).tiny)
        half = np.sqrt(error * (error + size) / size * (np.log(growth) - 2 * np.log(alpha)))
        evidence = self.effect**2 / np.maximum(2 * error, np.finfo(np.float64).tiny) * size / (error + size)
        p = np.exp(np.minimum(np.log(growth) / 2 - evidence, 0.0))
        return self.effect - half, self.effect + half, np.where(self.error > 0, p, 1.0)


def individual(y: Floats, treated: Floats, z: Floats | None = None, weights: Floats | None = None) -> Estimate:
    """Treated minus control, adjusted as by Lin (2013): covariates centred and crossed with the arm; HC2 errors.

    Args:
        y: replications x learners.
        treated: 0 or 1, same shape (or one row for all replications).
        z: replications x learners x covariates.
        weights: of each learner, for outcomes that are missing; none missing when left out.
    """
    return _in_parts(_lin_hc2, y, treated, z, weights)[0]


def _lin_hc2(y: Floats, treated: Floats, z: Floats | None, weights: Floats | None) -> list[Estimate]:
    w = np.ones_like(y) if weights is None else weights
    x = _crossed(treated, z, w)
    bread, beta = _solve(x, y, w)
    residual = y - np.einsum("rnk,rk->rn", x, beta)
    leverage = np.einsum("rnk,rkl,rnl->rn", x, bread, x, optimize=True) * w
    score = (w * residual) ** 2 / np.clip(1 - leverage, 1e-6, None)
    row = bread[:, 1, :]
    error = np.sqrt(np.einsum("rn,rn->r", score, np.einsum("rnk,rk->rn", x, row) ** 2))
    df = (w > 0).sum(axis=1) - x.shape[2]
    return [Estimate(beta[:, 1], error, df.astype(np.float64))]


def _crossed(treated: Floats, z: Floats | None, w: Floats) -> Floats:
    """Columns: 1, arm, centred covariates, and their products with the arm."""
    ones = np.ones_like(treated)
    if z is None:
        return np.stack([ones, treated], axis=2)
    centred = z - (np.einsum("rn,rnk->rk", w, z) / w.sum(axis=1)[:, None])[:, None, :]
    return np.concatenate([np.stack([ones, treated], axis=2), centred, centred * treated[..., None]], axis=2)


def _solve(x: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats]:
    bread = np.linalg.pinv(np.einsum("rnk,rn,rnl->rkl", x, w, x, optimize=True), hermitian=True)
    return bread, np.einsum("rkl,rl->rk", bread, np.einsum("rnk,rn,rn->rk", x, w, y, optimize=True))


def clustered(y: Floats, treated: Floats, cluster: Ints, z: Floats | None = None, weights: Floats | None = None) -> Estimate:
    """Treated minus control where groups were drawn: least squares, errors by jackknife over groups (CR3), t with G - 2 degrees.

    CR3 is what stays honest with few or unequal groups (MacKinnon, Nielsen and Webb 2023).

    Args:
        y: replications x learners.
        treated: same shape, constant within groups.
        cluster: group of each learner, 0 to G - 1, the same in all replications.
        z: replications x learners x covariates, not crossed with the arm.
        weights: as in `individual`.
    """
    groups = _Groups(cluster)

    def fit(y: Floats, treated: Floats, z: Floats | None, weights: Floats | None) -> list[Estimate]:
        ones = np.stack([np.ones_like(treated), treated], axis=2)
        x = ones if z is None else np.concatenate([ones, z - z.mean(axis=1, keepdims=True)], axis=2)
        effect = np.eye(x.shape[2])[1:2]
        return _jackknife(x, y, np.ones_like(y) if weights is None else weights, groups, effect, df=groups.count - 2)

    return _in_parts(fit, y, treated, z, weights)[0]


def stepped(
    y: Floats,
    treated: Floats,
    cluster: Ints,
    period: Ints,
    z: Floats | None = None,
    weights: Floats | None = None,
) -> Estimate:
    """Stepped wedge: effect with group and period effects; errors by jackknife over groups (CR3), t with G - 1 degrees.

    Args:
        y: replications x learners.
        treated: same shape: the group of the learner had crossed over when the learner entered.
        cluster: group of each learner, 0 to G - 1.
        period: step in which each learner entered, 0 to T - 1.
        z: replications x learners x covariates.
        weights: as in `individual`.
    """
    return _wedge(y, treated[..., None], cluster, period, z, weights, np.ones((1, 1)))[0]


def stepped_by_exposure(
    y: Floats,
    exposure: Floats,
    cluster: Ints,
    period: Ints,
    z: Floats | None = None,
    weights: Floats | None = None,
) -> list[Estimate]:
    """Stepped wedge whose effect may grow or fade: one effect for each number of steps since crossing over, then their plain mean.

    A single coefficient weighs some exposures negatively and may miss an effect that builds up altogether (Kenny and others 2022); the
    mean over exposures does not.

    Args:
        y: replications x learners.
        exposure: same shape (or one row for all): 0 before the group crosses over, 1 in its first step after, and so on up to the same
            largest number in every replication.
        cluster: as in `stepped`, as are the others.
        period: step in which each learner entered.
        z: replications x learners x covariates.
        weights: as in `individual`.

    Returns:
        An estimate for each exposure from 1 on, and last their mean.
    """
    lengths = np.arange(1, int(exposure.max()) + 1)
    each = (exposure[..., None] == lengths).astype(np.float64)
    return _wedge(y, each, cluster, period, z, weights, np.vstack([np.eye(len(lengths)), np.full((1, len(lengths)), 1 / len(lengths))]))


def _wedge(
    y: Floats,
    exposed: Floats,
    cluster: Ints,
    period: Ints,
    z: Floats | None,
    weights: Floats | None,
    contrasts: Floats,
) -> list[Estimate]:
    """Least squares on columns of exposure (replications x learners x columns), periods, covariates; group effects out by centring."""
    groups = _Groups(cluster)
    steps = (period[:, None] == np.unique(period)[None, 1:]).astype(np.float64)

    def fit(y: Floats, exposed: Floats, z: Floats | None, weights: Floats | None) -> list[Estimate]:
        w = np.ones_like(y) if weights is None else weights
        dummies = np.broadcast_to(steps, (len(y), *steps.shape))
        x = np.concatenate([exposed, dummies, *([] if z is None else [z])], axis=2)
        wanted = np.pad(contrasts, ((0, 0), (0, x.shape[2] - contrasts.shape[1])))
        # Group effects go out by centring within groups, which leaving another group out does not touch.
        return _jackknife(groups.centred(x, w), groups.centred(y[..., None], w)[..., 0], w, groups, wanted, df=groups.count - 1)

    return _in_parts(fit, y, exposed, z, weights)


class _Groups:
    """Sums over groups of learners, by sorted runs."""

    def __init__(self, cluster: Ints) -> None:
        self.order = np.argsort(cluster, kind="stable")
        self.of = cluster
        self.starts = np.flatnonzero(np.r_[True, np.diff(cluster[self.order]) > 0])
        self.count = len(self.starts)

    def sums(self, values: Floats) -> Floats:
        """Along the second axis."""
        return np.asarray(np.add.reduceat(values[:, self.order], self.starts, axis=1))

    def centred(self, values: Floats, w: Floats) -> Floats:
        """Minus the weighted mean of the group."""
        total = self.sums(w)[..., None]
        mean = self.sums(values * w[..., None]) / np.where(total > 0, total, 1.0)
        place = np.searchsorted(self.of[self.order][self.starts], self.of)
        return values - mean[:, place]


def _jackknife(x: Floats, y: Floats, w: Floats, groups: _Groups, contrasts: Floats, *, df: int) -> list[Estimate]:
    """An estimate for each row of `contrasts`, sums of coefficients."""
    xw = x * w[..., None]
    # Sums by group, a column at a time: the products of all columns at once would not fit in memory.
    k = x.shape[2]
    a = np.stack([np.stack([groups.sums(xw[..., i] * x[..., j]) for j in range(k)], axis=2) for i in range(k)], axis=2)
    b = groups.sums(xw * y[..., None])
    whole_a, whole_b = a.sum(axis=1), b.sum(axis=1)
    beta = np.einsum("rkl,rl->rk", np.linalg.pinv(whole_a, hermitian=True), whole_b)
    without = np.einsum("rgkl,rgl->rgk", np.linalg.pinv(whole_a[:, None] - a, hermitian=True), whole_b[:, None] - b)
    effects, spread = beta @ contrasts.T, (((without - beta[:, None]) @ contrasts.T) ** 2).sum(axis=1)
    errors = np.sqrt(spread * (groups.count - 1) / groups.count)
    degrees = np.full(len(y), float(max(df, 1)))
    return [Estimate(effect, error, degrees) for effect, error in zip(effects.T, errors.T, strict=True)]


def encouraged(y: Floats, taken: Floats, invited: Floats, z: Floats | None = None, weights: Floats | None = None) -> Estimate:
    """Effect on those whom the invitation brought to a contact (2SLS with one instrument), robust errors.

    Args:
        y: replications x learners.
        taken: 1 where a two-way contact followed within the time given.
        invited: 0 or 1, as drawn.
        z: replications x learners x covariates.
        weights: as in `individual`.
    """

    def fit(y: Floats, invited: Floats, z: Floats | None, weights: Floats | None, taken: Floats) -> list[Estimate]:
        w = np.ones_like(y) if weights is None else weights
        one = np.ones_like(y)
        more = [] if z is None else [z]
        tools = np.concatenate([np.stack([one, invited], axis=2), *more], axis=2)
        x = np.concatenate([np.stack([one, taken], axis=2), *more], axis=2)
        bread = np.linalg.pinv(np.einsum("rnk,rn,rnl->rkl", tools, w, x, optimize=True))
        beta = np.einsum("rkl,rl->rk", bread, np.einsum("rnk,rn,rn->rk", tools, w, y, optimize=True))
        residual = w * (y - np.einsum("rnk,rk->rn", x, beta))
        pull = np.einsum("rnk,rk->rn", tools, bread[:, 1, :]) * residual
        n = (w > 0).sum(axis=1)
        df = n - x.shape[2]
        return [Estimate(beta[:, 1], np.sqrt((pull**2).sum(axis=1) * n / df), df.astype(np.float64))]

    return _in_parts(fit, y, invited, z, weights, taken)[0]


def _in_parts(
    fit: Callable[..., list[Estimate]], y: Floats, treated: Floats, z: Floats | None, weights: Floats | None, *more: Floats
) -> list[Estimate]:
    """Work through replications in parts that fit in memory; one row stands for all where only one is given."""
    replications = max(len(part) for part in (y, treated, *more))
    columns = 2 + 2 * (0 if z is None else z.shape[2])
    size = max(1, _CELLS // (y.shape[1] * columns))

    def part(values: Floats | None, first: int, last: int) -> Floats | None:
        if values is None:
            return None
        return np.broadcast_to(values, (last - first, *values.shape[1:])) if len(values) == 1 else values[first:last]

    done = []
    for first in range(0, replications, size):
        last = min(first + size, replications)
        done.append(fit(*(part(values, first, last) for values in (y, treated, z, weights, *more))))
    return [joined(list(parts)) for parts in zip(*done, strict=True)]


def joined(parts: list[Estimate]) -> Estimate:
    """The replications of all parts, in order."""
    return Estimate(*(np.concatenate([getattr(one, name) for one in parts]) for name in ("effect", "error", "df")))


def response_weights(seen: Flags, cells: Ints) -> Floats:
    """Weights that let those whose outcome is known stand for those of the same cell whose outcome is not.

    Args:
        seen: replications x learners.
        cells: same shape (or one row): arm, stratum and class of risk, say, as one number.

    Returns:
        0 for the unseen, else one over the share seen in the cell.
    """
    number = int(cells.max()) + 1
    flat = np.broadcast_to(cells, seen.shape) + number * np.arange(len(seen))[:, None]
    size = np.bincount(flat.ravel(), minlength=number * len(seen))
    known = np.bincount(flat.ravel(), weights=seen.ravel().astype(np.float64), minlength=number * len(seen))
    share = known / np.maximum(size, 1)
    return np.where(seen, 1 / np.where(share > 0, share, 1.0)[flat], 0.0)
