"""The vectorised estimators are those of the libraries, replication by replication."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import statsmodels.api as sm
from linearmodels.iv import IV2SLS
from statsmodels.duration.survfunc import CumIncidenceRight
from statsmodels.genmod.cov_struct import Independence
from statsmodels.genmod.generalized_estimating_equations import GEE

from impact.experiments import estimators
from impact.experiments.missing import lee, manski
from impact.experiments.survival import bootstrap_weights, cumulative_incidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

R, N, G, T = 3, 240, 20, 4


class Sample:
    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        self.z = rng.normal(size=(R, N, 2))
        self.treated = (rng.random((R, N)) < 0.4).astype(float)
        self.y = 0.3 * self.treated + self.z[..., 0] * (1 + 0.2 * self.treated) + rng.normal(size=(R, N))
        self.taken = (rng.random((R, N)) < 0.2 + 0.4 * self.treated).astype(float)
        self.weights = rng.random((R, N))
        self.cluster = rng.integers(0, G, N)
        self.period = rng.integers(0, T, N)
        self.rng = rng


@pytest.fixture(scope="module")
def sample() -> Sample:
    return Sample()


def test_learners_drawn_one_by_one_are_lin_regression_with_hc2_errors(sample: Sample) -> None:
    ours = estimators.individual(sample.y, sample.treated, sample.z, sample.weights)

    for r in range(R):
        w, t = sample.weights[r], sample.treated[r]
        z = sample.z[r] - np.average(sample.z[r], axis=0, weights=w)
        x = np.column_stack([np.ones(N), t, z, z * t[:, None]])
        fit = sm.WLS(sample.y[r], x, weights=w).fit(cov_type="HC2", use_t=True)
        assert ours.effect[r] == pytest.approx(fit.params[1], rel=1e-9)
        assert ours.error[r] == pytest.approx(fit.bse[1], rel=1e-9)
        assert ours.p_value()[r] == pytest.approx(fit.pvalues[1], rel=1e-6)
        assert (ours.interval()[0][r], ours.interval()[1][r]) == pytest.approx(tuple(fit.conf_int()[1]), rel=1e-6)


def test_groups_are_least_squares_with_each_group_left_out(sample: Sample) -> None:
    ours = estimators.clustered(sample.y, sample.treated, sample.cluster, sample.z)

    for r in range(R):
        x = np.column_stack([np.ones(N), sample.treated[r], sample.z[r]])
        assert (ours.effect[r], ours.error[r]) == pytest.approx(left_out(sample.y[r], x, sample.cluster, 1), rel=1e-9)
    # People are many, groups are few: it is groups that intervals count.
    assert ours.df == pytest.approx(G - 2)


def test_a_stepped_wedge_is_least_squares_with_group_and_period_effects(sample: Sample) -> None:
    ours = estimators.stepped(sample.y, sample.treated, sample.cluster, sample.period)

    for r in range(R):
        x = np.column_stack([sample.treated[r], np.eye(T)[sample.period][:, 1:], np.eye(G)[sample.cluster]])
        assert (ours.effect[r], ours.error[r]) == pytest.approx(left_out(sample.y[r], x, sample.cluster, 0), rel=1e-9)
    assert ours.df == pytest.approx(G - 1)


def test_a_wedge_by_time_since_crossing_is_the_same_with_an_effect_for_each(sample: Sample) -> None:
    exposure = np.minimum(sample.rng.integers(0, 4, (R, N)), sample.period)

    ours = estimators.stepped_by_exposure(sample.y, exposure.astype(float), sample.cluster, sample.period)

    for r in range(R):
        x = np.column_stack([np.eye(T)[exposure[r]][:, 1:], np.eye(T)[sample.period][:, 1:], np.eye(G)[sample.cluster]])
        for step in range(3):
            assert (ours[step].effect[r], ours[step].error[r]) == pytest.approx(left_out(sample.y[r], x, sample.cluster, step), rel=1e-9)
        # The mean as one coefficient: the first column takes it, the others what is left of theirs.
        turned = x.copy()
        turned[:, 0], turned[:, 1:3] = 3 * x[:, 0], x[:, 1:3] - x[:, [0]]
        assert (ours[3].effect[r], ours[3].error[r]) == pytest.approx(left_out(sample.y[r], turned, sample.cluster, 0), rel=1e-9)


def test_errors_by_group_are_those_of_mancl_and_derouen(sample: Sample) -> None:
    """The jackknife over groups is their correction for few groups, but for the factor (G - 1) / G."""
    ours = estimators.clustered(sample.y, sample.treated, sample.cluster, sample.z)

    for r in range(R):
        x = np.column_stack([np.ones(N), sample.treated[r], sample.z[r]])
        fit = GEE(sample.y[r], x, groups=sample.cluster, cov_struct=Independence()).fit(cov_type="bias_reduced")
        assert ours.effect[r] == pytest.approx(fit.params[1], rel=1e-9)
        assert ours.error[r] == pytest.approx(fit.bse[1] * np.sqrt((G - 1) / G), rel=1e-9)


def left_out(y: Floats, x: Floats, cluster: NDArray[np.int64], effect: int) -> tuple[float, float]:
    """Estimate and jackknife error by one statsmodels fit for each group; columns left empty by it are dropped."""
    whole = sm.OLS(y, x).fit().params[effect]
    parts = []
    for group in range(G):
        there = cluster != group
        kept = np.abs(x[there]).sum(axis=0) > 0
        parts.append(sm.OLS(y[there], x[there][:, kept]).fit().params[effect])
    return float(whole), float(np.sqrt((G - 1) / G * ((np.array(parts) - whole) ** 2).sum()))


def test_an_encouragement_is_two_stage_least_squares(sample: Sample) -> None:
    ours = estimators.encouraged(sample.y, sample.taken, sample.treated, sample.z)

    for r in range(R):
        x = np.column_stack([np.ones(N), sample.z[r]])
        fit = IV2SLS(sample.y[r], x, sample.taken[r], sample.treated[r]).fit(cov_type="robust", debiased=True)
        assert ours.effect[r] == pytest.approx(fit.params["endog"], rel=1e-9)
        assert ours.error[r] == pytest.approx(fit.std_errors["endog"], rel=1e-9)


def test_dropout_in_time_is_aalen_johansen(sample: Sample) -> None:
    day, cause = sample.rng.integers(1, 29, N), sample.rng.integers(0, 3, N)
    cause[day == 28] = 0

    ours = cumulative_incidence(day, cause, 28, np.ones((1, N)))[0]

    fit = CumIncidenceRight(day, cause)
    assert ours[fit.times] == pytest.approx(fit.cinc[0], abs=1e-12)


def test_a_group_drawn_twice_counts_twice_for_all_its_people() -> None:
    cluster = np.repeat(np.arange(6), 4)

    weights = bootstrap_weights(cluster, 50, seed=1)

    assert (weights.sum(axis=1) == len(cluster)).all()
    assert (weights.reshape(50, 6, 4) == weights.reshape(50, 6, 4)[..., :1]).all()
    assert weights.max() > 1


def test_many_replications_are_worked_through_in_parts(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = estimators.individual(sample.y, sample.treated, sample.z)
    monkeypatch.setattr(estimators, "_CELLS", 1)

    parts = estimators.individual(sample.y, sample.treated, sample.z)

    assert parts.effect == pytest.approx(whole.effect, abs=1e-12)
    assert parts.error == pytest.approx(whole.error, abs=1e-12)


def test_those_seen_stand_for_those_of_their_cell() -> None:
    seen = np.array([[True, False, True, True, False, False]])
    cells = np.array([[0, 0, 1, 1, 1, 2]])

    assert estimators.response_weights(seen, cells).tolist() == [[2.0, 0.0, 1.5, 1.5, 0.0, 0.0]]


def test_bounds_hold_whatever_the_missing_were() -> None:
    treated = np.array([[True] * 4 + [False] * 4])
    y, seen = np.array([[1.0, 0, 0, 0, 1, 1, 0, 0]]), np.array([[True, True, True, False, True, True, True, False]])

    low, high = manski(y, treated, seen)

    assert (low[0], high[0]) == pytest.approx((1 / 4 - 3 / 4, 2 / 4 - 2 / 4))


def test_lee_trims_the_arm_that_answered_more() -> None:
    treated = np.array([[False] * 4 + [True] * 4])
    y, seen = np.array([[1.0, 0, 0, 1, 1, 1, 0, 0]]), np.array([[True] * 4 + [True, True, False, False]])

    low, high = lee(y, treated, seen)

    # Half of the control arm goes: its highest leaves 0, its lowest leaves 1; the treated who answered have 1.
    assert (low[0], high[0]) == pytest.approx((0.0, 1.0))
    assert lee(y, treated, np.ones_like(seen)) == (pytest.approx(0.0), pytest.approx(0.0))


def test_an_interval_for_any_look_holds_over_all_looks_and_one_for_a_single_look_does_not() -> None:
    """A hold-out without effect, a tenth held out, looked at each month for two years as people come."""
    rng = np.random.default_rng(0)
    y, treated = (rng.random((600, 2_400)) < 0.12).astype(float), (rng.random((600, 2_400)) > 0.1).astype(float)
    looks = [estimators.individual(y[:, : 100 * month], treated[:, : 100 * month]) for month in range(8, 25)]

    once = np.any([one.p_value() < 0.05 for one in looks], axis=0)
    always = [one.at_any_look(0.03, 0.05) for one in looks]

    assert once.mean() > 0.15
    assert np.any([(low > 0) | (high < 0) for low, high, _ in always], axis=0).mean() < 0.05
    for one, (low, high, p) in zip(looks, always, strict=True):
        assert ((low > 0) | (high < 0)).tolist() == (p < 0.05).tolist()
        assert np.all(high - low > np.subtract(*one.interval()[::-1]))


def test_an_interval_for_any_look_finds_a_large_effect() -> None:
    rng = np.random.default_rng(1)
    treated = (rng.random((200, 6_000)) > 0.1).astype(float)
    y = (rng.random(treated.shape) < 0.25 - 0.08 * treated).astype(float)

    low, high, _ = estimators.individual(y, treated).at_any_look(0.08, 0.05)

    assert (high < 0).mean() > 0.9
    assert ((low < -0.08) & (high > -0.08)).mean() > 0.95
