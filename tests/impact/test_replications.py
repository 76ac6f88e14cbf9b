"""Many experiments on simulated territories, the short version of `make replications`: estimates are right, naive comparisons are not."""

from __future__ import annotations

import numpy as np
import pytest

from impact.experiments.estimators import individual
from impact.experiments.power import Situation, _outcomes, planned_power
from impact.experiments.replications import GROWING, SETTINGS, bounds_hold, by_exposure, naive, power_as_planned, replicate, world_of
from impact.experiments.simulated import expected, live

TIMES = 200
# Five standard errors of a share of 5 % over 200 replications, so that this fails for a reason.
SLACK = 5 * np.sqrt(0.05 * 0.95 / TIMES)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@pytest.mark.parametrize(
    ("design", "scenario"),
    [*((design, "no effect") for design in BY_NAME), *((design, "known effect") for design in BY_NAME), ("individual", "attrition 20 %")],
)
def test_estimates_and_intervals_are_honest(design: str, scenario: str) -> None:
    found = replicate(BY_NAME[design], scenario, TIMES)

    assert abs(found.bias) < 4 * found.spread / np.sqrt(TIMES)
    assert found.coverage > 0.95 - SLACK
    assert found.error == pytest.approx(found.spread, rel=0.2)
    if scenario == "no effect":
        assert found.truth == pytest.approx(0, abs=1e-9)
        assert found.rejected < 0.05 + SLACK
    else:
        assert found.rejected > 0.5


def test_an_effect_that_builds_up_is_found_by_time_since_crossing_and_missed_by_one_coefficient() -> None:
    *each, mean, single = by_exposure(GROWING, 0.4, TIMES)

    for one in (*each, mean):
        assert abs(one.bias) < 4 * one.spread / np.sqrt(TIMES)
        assert one.coverage > 0.95 - SLACK
        assert one.error == pytest.approx(one.spread, rel=0.2)
    assert [one.truth for one in each] == sorted((one.truth for one in each), reverse=True)
    assert single.truth == mean.truth
    assert single.bias > 0.03
    assert single.coverage < 0.6


@pytest.mark.parametrize("design", ["individual", "encouragement"])
def test_power_is_what_the_plan_announced(design: str) -> None:
    announced = power_as_planned(BY_NAME[design], "known effect", 400, pasts=2)

    assert announced.mean == pytest.approx(announced.found, abs=0.09)


@pytest.mark.parametrize("effect", [0.03, -0.03])
def test_a_share_has_the_variance_of_the_past_and_not_of_a_yes_or_no(effect: float) -> None:
    """Presence: a mean of .85 that hardly varies; as a yes or no of this mean the announced power would be less than half."""
    rng = np.random.default_rng(3)
    past = rng.beta(2.5, 0.45, 3_000)
    situation = Situation.from_history(past, np.arange(3_000) // 20, np.full(3_000, np.nan), sizes=np.full(30, 20))

    told = planned_power("individual", situation, effect, replications=400)

    treated = (rng.random((400, 600)).argsort(axis=1) < 300).astype(float)
    y = rng.choice(past, treated.shape)
    moved = (1 - y) / (1 - past.mean()) if effect > 0 else y / past.mean()
    found = individual(y + treated * effect * moved, treated)
    assert told.power == pytest.approx(float((found.p_value() < 0.05).mean()), abs=0.1)
    assert told.error == pytest.approx(float(found.error.mean()), rel=0.05)


def test_a_hold_out_that_may_be_looked_at_at_any_time_is_announced_with_less_power() -> None:
    situation = Situation(0.15, 0.0, 0.0, np.full(300, 20))

    once, always = (planned_power("holdout", situation, -0.05, treated_share=0.9, replications=300, scale=scale) for scale in (None, -0.05))

    assert always.error == once.error
    assert once.power > 0.8
    assert always.power < once.power - 0.1


def test_shares_are_alike_in_groups_and_by_risk_as_in_the_past() -> None:
    rng = np.random.default_rng(4)
    cluster = np.arange(4_000) // 20
    risk = rng.normal(size=4_000)
    past = np.clip(0.7 + 0.1 * rng.normal(size=200)[cluster] + 0.08 * risk + 0.12 * rng.normal(size=4_000), 0, 1)
    situation = Situation.from_history(past, cluster, risk, sizes=np.full(200, 20))

    y, _, z = _outcomes(rng, situation, 0.0, np.zeros((1, 4_000)), cluster)

    again = Situation.from_history(y[0], cluster, z[0, :, 0], sizes=situation.sizes)
    assert (again.base, again.icc, again.r2) == pytest.approx((situation.base, situation.icc, situation.r2), abs=0.05)
    assert y.std() == pytest.approx(past.std(), rel=0.05)


def test_the_truth_is_what_happens_to_very_many() -> None:
    world = world_of(BY_NAME["encouragement"], "effect on half of them")
    people = np.arange(200_000) // 20
    rng = np.random.default_rng(3)

    for arm in (0, 1):
        lived = live(world, rng, np.full((1, len(people)), float(arm)), people)
        assert lived.dropped.mean() == pytest.approx(expected(world)[f"dropped_{arm}"], abs=0.004)
        assert lived.contacted.mean() == pytest.approx(expected(world)[f"contacted_{arm}"], abs=0.004)


def test_without_any_effect_only_the_draw_says_so() -> None:
    late = naive(1.0, (0.25, 0.25, 0.25, 0.25), TIMES)
    early = naive(1.0, (1.0, 0.0, 0.0, 0.0), TIMES)

    assert late["truth"][0] == early["truth"][0] == pytest.approx(0, abs=1e-9)
    for found in (late, early):
        assert abs(found["as drawn (intention to treat)"][0]) < 0.006
        assert found["as drawn (intention to treat)"][1] < 0.05 + SLACK
        assert found["before and after"][0] > 0.02
    # Whoever stayed long enough to be called had stayed: the exposure-time bias.
    assert late["contacted or not, same known risk"][0] < -0.04
    # Whoever is called first was in trouble.
    assert early["contacted or not"][0] > 0.04
    assert early["contacted or not, same known risk"][0] > 0.01


def test_when_the_outcome_decides_who_answers_only_bounds_hold() -> None:
    found = bounds_hold(TIMES)

    assert found["coverage of observed cases"] < 0.3
    assert found["bounds hold the truth"] > 0.93
