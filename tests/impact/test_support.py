"""What a score weighs for a model of the risk without support."""

from __future__ import annotations

import numpy as np
import pytest

from impact.experiments.support import contact_chance


def test_those_on_no_list_can_have_had_no_contact_from_it() -> None:
    listed = np.array([False, True, True, True])

    chance = contact_chance(np.array([0.1, 0.2, 0.3, 0.4]), listed, np.array([False, True, False, False]))

    assert chance[0] == 0
    assert chance[1:] == pytest.approx([1 / 3] * 3)


def test_weights_give_back_the_risk_nobody_acted_on() -> None:
    """Advisors call the worst: the rest alone looks safer than all would have been; weighted, it does not."""
    rng = np.random.default_rng(1)
    odds = rng.normal(-2, 1, 60_000)
    risk = 1 / (1 + np.exp(-odds))
    listed = risk > 0.05
    acted = listed & (rng.random(len(risk)) < 1 / (1 + np.exp(-(1.5 + odds))))
    untouched = rng.random(len(risk)) < risk

    weight = 1 / (1 - contact_chance(risk, listed, acted))
    kept = ~acted

    truth, naive, ours = untouched.mean(), untouched[kept].mean(), np.average(untouched[kept], weights=weight[kept])
    assert naive < truth - 0.02
    assert ours == pytest.approx(truth, abs=0.005)
