"""Ranking by effect: told only with enough evidence, used only where it beats the risk on people it never saw."""

from __future__ import annotations

import numpy as np
import pytest

from impact.experiments import uplift
from impact.experiments.uplift import ENOUGH, crossfitted, judge, qini


@pytest.fixture(autouse=True)
def _few_bootstraps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred are enough to see an interval hold or miss zero."""
    monkeypatch.setattr(uplift, "BOOTSTRAPS", 100)


def drawn(n: int, seed: int, *, helped_when: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Dropouts, arm, risk and covariates; a contact helps those whose second covariate is positive by `helped_when`."""
    rng = np.random.default_rng(seed)
    risk, sign = rng.normal(-1.5, 0.7, n), rng.normal(size=n)
    treated = (rng.random(n) < 0.5).astype(float)
    chance = 1 / (1 + np.exp(-risk)) - helped_when * treated * (sign > 0)
    return (rng.random(n) < np.clip(chance, 0, 1)).astype(float), treated, risk, np.column_stack([risk, sign])


def test_under_two_thousand_it_says_so_and_refuses() -> None:
    found = judge(*drawn(ENOUGH - 1, 1, helped_when=0.15))

    assert not found.use
    assert "il en faut 2\N{NO-BREAK SPACE}000" in found.why
    assert found.qini is None


def test_an_effect_that_risk_does_not_tell_is_found_and_used() -> None:
    found = judge(*drawn(6_000, 2, helped_when=0.15))

    assert found.use
    assert found.gain is not None
    assert found.gain[1] > 0
    assert found.qini is not None
    assert found.qini[0] > 0


def test_where_the_effect_is_the_same_for_all_risk_stays() -> None:
    assert sum(judge(*drawn(4_000, seed, helped_when=0.0)).use for seed in range(5)) <= 1


def test_nobody_is_judged_by_a_model_that_saw_them() -> None:
    y, treated, _, x = drawn(3_000, 3, helped_when=0.1)
    before = crossfitted(y, treated, x, seed=1)
    fold = np.random.default_rng(1).permutation(len(y)) % 5
    changed = y.copy()
    changed[fold == 0] = 1 - changed[fold == 0]

    after = crossfitted(changed, treated, x, seed=1)

    assert after[fold == 0] == pytest.approx(before[fold == 0], abs=1e-12)
    assert not np.allclose(after[fold == 1], before[fold == 1])


def test_qini_is_the_area_between_the_curve_and_chance() -> None:
    """Four people called in order: two whom the call saves, then two whom it does not; by hand."""
    y, treated = np.array([0.0, 1, 0, 0]), np.array([1.0, 0, 1, 0])
    best, worst = np.array([4.0, 3, 2, 1]), np.array([1.0, 2, 3, 4])
    ones = np.ones((1, 4))

    # Avoided, per person of the four, after 1, 2, 3, 4 calls: 0, 2/4, 3/4, 1/2 x 4/4; chance: 1/8, 1/4, 3/8, 1/2.
    assert qini(y, treated, best, ones)[0] == pytest.approx(((0 - 1 / 8) + (1 / 2 - 1 / 4) + (3 / 4 - 3 / 8) + 0) / 4)
    assert qini(y, treated, best, ones)[0] > qini(y, treated, worst, ones)[0]
