"""From people with arms and outcomes to a report: intention to treat first, what was not planned apart."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import polars as pl
import pytest

from impact.experiments import analysis
from impact.experiments.analysis import analyse, due_on
from impact.experiments.beside import contacted_or_not, effect_by_person
from impact.experiments.plan import Arm, Plan
from impact.experiments.preanalysis import preanalysis
from impact.experiments.register import Frozen
from impact.experiments.report import Account, headline, published, report_page
from tests.impact.plans import CONTROL, START, TREATED, plan
from vigie.errors import NoDataError

LATE = dt.date(2026, 12, 31)
PLANNED = dt.date(2026, 11, 30)


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws made again a hundred times, not a thousand: tests stay quick."""
    monkeypatch.setattr(analysis, "REDRAWS", 59)
    monkeypatch.setattr(analysis, "BOOTSTRAPS", 50)


def followed(chosen: Plan, effect: float, seed: int = 1, people: int = 2_400, groups: int = 60) -> pl.DataFrame:
    """People of a made-up experiment, as `follow_up` returns them; those at risk are called more, those who left are not."""
    rng = np.random.default_rng(seed)
    group = np.arange(people) % groups
    period = np.arange(people) // groups % max(chosen.steps + 1, 1)
    if chosen.design == "stepped_wedge":
        step = rng.permutation(groups) % chosen.steps + 1
        arm, treated = np.array([f"step {n}" for n in step])[group], period >= step[group]
    else:
        treated = rng.permutation(groups)[group] < groups // 2 if chosen.design == "cluster" else rng.random(people) < 0.5
        arm = np.where(treated, chosen.arms[1].name, chosen.arms[0].name)
    risk = 1 / (1 + np.exp(-rng.normal(-1.8, 0.8, people)))
    chance = risk * (1 + effect / risk.mean() * treated) * np.exp(0.1 * rng.normal(size=groups)[group])
    dropped = rng.random(people) < chance
    day = np.where(dropped, rng.integers(1, 29, people), 28)
    spoken = (rng.random(people) < 0.2 + 0.4 * treated + 0.5 * risk) & (day > 7)
    return pl.DataFrame(
        {
            "enrolment_id": [f"E{n}" for n in range(people)],
            "learner_id": [f"L{n}" for n in range(people)],
            "unit_id": [f"G{n}" for n in group] if chosen.unit != "learner" else [f"L{n}" for n in range(people)],
            "stratum": np.where(np.arange(people) % 2, "est", "nord"),
            "arm": arm,
            "treated": treated,
            "period": period,
            "risk": risk,
            "elapsed": rng.random(people),
            "observed": np.ones(people, np.bool_),
            "settled": np.ones(people, np.bool_),
            "dropout": dropped.astype(float),
            "attended_share": np.where(rng.random(people) < 0.9, rng.random(people), np.nan),
            "spoken_with": spoken.astype(float),
            "in_work_6_months": np.full(people, np.nan),
            "insertion_due": np.zeros(people, np.bool_),
            "planned_exit_date": [PLANNED] * people,
            "day": day,
            "cause": dropped.astype(int),
        }
    ).with_columns(pl.col("attended_share", "in_work_6_months").fill_nan(None))


PLANS = {
    "individual": plan(secondary=("attended_share", "spoken_with")),
    "cluster": plan(unit="session", design="cluster"),
    "stepped_wedge": plan(unit="provider", design="stepped_wedge", steps=4, step_days=30, strata=(), end=START + dt.timedelta(days=149)),
    "encouragement": plan(
        design="encouragement",
        expected_take_up=(0.2, 0.6),
        arms=(Arm(name="a", treatment="usual", share=0.5), Arm(name="b", treatment="first", share=0.5)),
    ),
}


@pytest.mark.parametrize("design", PLANS)
def test_every_design_finds_a_large_effect_and_its_draws_agree(design: str) -> None:
    found = analyse(PLANS[design], followed(PLANS[design], -0.09, people=3_600), LATE)

    main = found.results[0]
    assert main.low < -0.09 < main.high
    assert main.p < 0.01
    assert main.p_draws is not None
    assert main.p_draws < 0.05
    if design != "stepped_wedge":
        assert found.incidence.difference == pytest.approx(main.treated - main.control, abs=1e-9)
    assert (found.complier is not None) == (design == "encouragement")


@pytest.mark.parametrize("design", PLANS)
def test_no_design_finds_what_is_not_there(design: str) -> None:
    effects = [analyse(PLANS[design], followed(PLANS[design], 0.0, seed), LATE).results[0] for seed in (2, 3)]

    assert sum(one.low <= 0 <= one.high for one in effects) >= 1
    assert all((one.p_draws or 0) == pytest.approx(one.p, abs=0.17) for one in effects)


def test_draws_made_again_treat_as_many_in_every_period_as_the_draw_that_was_made() -> None:
    rows = followed(PLANS["stepped_wedge"], 0.0)
    actual, again = rows["treated"].to_numpy(), analysis._redrawn(PLANS["stepped_wedge"], rows)

    for period in range(5):
        there = (rows["period"] == period).to_numpy()
        assert (again[:, there] > 0).mean(axis=1) == pytest.approx(actual[there].mean())
    assert len(np.unique(again, axis=0)) == len(again)


def test_a_wedge_is_told_by_time_since_crossing_and_by_its_mean() -> None:
    chosen = PLANS["stepped_wedge"]
    rows = followed(chosen, -0.09, people=3_600)
    since = rows["period"] - rows["arm"].str.strip_prefix("step ").cast(pl.Int64) + 1
    # Nobody drops out from the third step on: the effect has built up.
    late = (since >= 3).to_numpy()
    built = rows.with_columns(dropout=pl.when(pl.Series(late)).then(0.0).otherwise("dropout"))

    found = analyse(chosen, built, LATE)
    *each, mean = found.exposure

    assert [one.steps for one in each] == [(1, 1), (2, 2), (3, 3), (4, 4)]
    assert [one.people for one in each] == [int((since == step).sum()) for step in range(1, 5)]
    assert [one.groups for one in each] == [60, 45, 30, 15]
    assert mean.effect == pytest.approx(np.mean([one.effect for one in each]))
    assert max(each[2].effect, each[3].effect) < min(each[0].effect, each[1].effect) - 0.03
    # One coefficient weighs late steps least: it says less than what happens.
    assert mean.effect < found.results[0].effect - 0.01
    assert mean.p_draws == pytest.approx(1 / 60)
    assert analyse(PLANS["individual"], followed(PLANS["individual"], 0.0), LATE).exposure == []


def test_steps_that_few_groups_reached_are_told_together() -> None:
    chosen = PLANS["stepped_wedge"]
    rows = followed(chosen, 0.0, people=1_200, groups=30)
    first = rows.filter(pl.col("arm") == "step 1")["unit_id"].unique().sort()
    few = rows.filter(~pl.col("unit_id").is_in(first[2:].implode()))

    *each, mean = analyse(chosen, few, LATE).exposure

    assert [one.steps for one in each] == [(1, 1), (2, 2), (3, 4)]
    assert mean.steps == (1, 4)


def test_the_report_of_a_wedge_says_what_one_coefficient_supposes() -> None:
    chosen = PLANS["stepped_wedge"]
    found = analyse(chosen, followed(chosen, -0.09), LATE)
    frozen = Frozen(chosen, preanalysis(chosen), "a" * 64, dt.datetime(2025, 12, 1, tzinfo=dt.UTC), rehearsal=False)

    html = report_page(found, frozen, Account(0, {}, {}, {}, None, None, 9, []), "")

    assert "Effet selon le temps depuis le passage" in html
    assert html.count('<th scope="row">moyenne</th>') == 1
    assert "Courbes brutes" in html
    assert "sorties concurrentes comptées" not in html
    assert "taux bruts, périodes mêlées" in headline(found, 0)
    assert "suppose l" in headline(found, 0)
    assert "8. Effet par marche" in preanalysis(chosen)
    assert "8. " not in preanalysis(PLANS["individual"])


def test_arms_are_compared_as_drawn_whoever_was_called() -> None:
    """The exposure-time bias: whoever left early could not be called, and must not count against the calls."""
    rows = followed(PLANS["individual"], 0.0, seed=5)
    found = analyse(PLANS["individual"], rows, LATE)
    naive = contacted_or_not(rows)

    assert naive is not None
    assert naive.interval()[1][0] < 0
    assert found.results[0].low < 0 < found.results[0].high
    shuffled = rows.with_columns(pl.col("spoken_with").shuffle(seed=1))
    assert analyse(PLANS["individual"], shuffled, LATE).results[0].effect == found.results[0].effect


def test_outcomes_planned_are_corrected_together_and_missing_ones_bounded() -> None:
    found = analyse(PLANS["individual"], followed(PLANS["individual"], -0.03), LATE)
    dropout, attended, spoken = found.results

    assert all((one.p_holm or 0) >= one.p for one in found.results)
    assert spoken.p_holm == pytest.approx(3 * spoken.p)
    assert dropout.bounds is None
    assert attended.bounds is not None
    assert attended.trimmed is not None
    assert attended.missing == pytest.approx((0.1, 0.1), abs=0.03)
    assert attended.bounds[0] < attended.trimmed[0] <= attended.effect <= attended.trimmed[1] < attended.bounds[1]


def test_an_early_look_an_absent_outcome_and_an_odd_draw_are_told() -> None:
    chosen = plan(secondary=("in_work_6_months",))
    rows = followed(chosen, 0.0).filter(pl.col("treated") | (pl.int_range(pl.len()) % 3 == 0))
    found = analyse(chosen, rows, dt.date(2026, 7, 15))

    assert [line.split(" ")[0] for line in found.departures] == ["Analyse", "Emploi", "Le", "Déséquilibre"]
    assert f"{rows.height} personnes n'y comptent pas encore" in found.departures[1]
    assert due_on(chosen, rows) == PLANNED + dt.timedelta(days=213)
    assert due_on(plan(), rows) == dt.date(2026, 6, 30) + dt.timedelta(days=28 + 7)


def test_too_few_people_give_no_figure() -> None:
    with pytest.raises(NoDataError, match="people of the control arm"):
        analyse(PLANS["individual"], followed(PLANS["individual"], 0.0, people=30), LATE)


def test_people_whose_horizon_is_not_over_count_in_no_arm() -> None:
    rows = followed(PLANS["individual"], 0.0)
    late = rows.with_columns(
        observed=pl.int_range(pl.len()) < 2_000, dropout=pl.when(pl.int_range(pl.len()) < 2_000).then("dropout").otherwise(1.0)
    )

    found = analyse(PLANS["individual"], late, LATE)

    assert found.not_yet == 400
    assert sum(found.results[0].n) == 2_000


def test_the_report_says_what_was_planned_and_what_was_not() -> None:
    chosen = PLANS["individual"]
    rows = followed(chosen, -0.06)
    found = analyse(chosen, rows, LATE)
    frozen = Frozen(chosen, preanalysis(chosen), "a" * 64, dt.datetime(2025, 12, 1, tzinfo=dt.UTC), rehearsal=False)
    asked = {"learner_request": 3, "entry_contact_due": 40}
    beside = contacted_or_not(rows), effect_by_person(chosen, rows)
    account = Account(
        0,
        {CONTROL.name: 1200, TREATED.name: 1200},
        {CONTROL.name: 12, TREATED.name: 3},
        asked,
        *beside,
        nights=9,
        missed=[START, START + dt.timedelta(days=1), START + dt.timedelta(days=5)],
    )

    html = report_page(found, frozen, account, "")

    planned, apart = html.split("Ce qui n&#39;était pas prévu" if "n&#39;était" in html else "Ce qui n'était pas prévu")
    for said in (
        "Résultats prévus, en intention de traiter",
        "p de Holm",
        chosen.fingerprint[:16],
        "Tirage refait",
        "moins de 11 pour une demande",
        "40 pour l",
        f"12 « {CONTROL.name} », moins de 11 « {TREATED.name} »",
        "3 sur 9 (du 05/01/2026 au 06/01/2026, 10/01/2026).",
    ):
        assert said in re.sub(r"\s", " ", planned)
    for said in ("tiers de risque", "Ce chiffre ne mesure pas un effet", "Qini", chosen.fingerprint):
        assert said in apart
    assert "tiers de risque" not in planned
    assert not re.search(r"L\d+\b|E\d{2,}", re.sub(r"<svg.*?</svg>", "", html, flags=re.DOTALL))
    assert "va dans le bon sens" in html
    assert headline(found, 0).startswith("Abandon dans l'horizon :")
    assert published(found, frozen, account)["plan_hash"] == chosen.fingerprint


def test_a_rehearsal_says_so_first() -> None:
    chosen = PLANS["individual"]
    found = analyse(chosen, followed(chosen, 0.0, seed=5), LATE)
    frozen = Frozen(chosen, preanalysis(chosen), "a" * 64, dt.datetime(2026, 12, 1, tzinfo=dt.UTC), rehearsal=True)

    html = report_page(found, frozen, Account(0, {}, {}, {}, None, None, 9, []), "Données simulées.")

    assert "il ne prouve rien" in html
    assert "Données simulées." in html
    assert "Ces données ne permettent pas de dire" in html


def test_a_changed_draw_concludes_nothing_wherever_it_is_told() -> None:
    chosen = PLANS["individual"]
    found = analyse(chosen, followed(chosen, -0.09), LATE)
    frozen = Frozen(chosen, preanalysis(chosen), "a" * 64, dt.datetime(2025, 12, 1, tzinfo=dt.UTC), rehearsal=False)
    account = Account(37, {}, {}, {}, None, None, 9, [])

    html, told = report_page(found, frozen, account, ""), published(found, frozen, account)

    assert told["altered"] == 37
    assert str(told["headline"]).startswith("Tirage modifié : 37 bras ne sont pas ceux que donne le plan figé.")
    for text in (html, str(told["headline"])):
        assert "va dans le bon sens" not in text
    assert "Tirage modifié" in html.split("<h2>")[0]
    assert "37 bras diffèrent" in html
    assert "va dans le bon sens" in headline(found, 0)


def test_looks_at_a_permanent_hold_out_are_numbered_and_its_intervals_hold_at_each() -> None:
    arms = (Arm(name="témoin", treatment="held_out", share=0.1), Arm(name="liste", treatment="usual", share=0.9))
    chosen = plan(design="holdout", end=None, arms=arms)
    found = analyse(chosen, followed(chosen, -0.04), LATE)
    once, always = analyse(PLANS["individual"], followed(PLANS["individual"], -0.04), LATE).results[0], found.results[0]
    frozen = Frozen(chosen, preanalysis(chosen), "a" * 64, dt.datetime(2025, 12, 1, tzinfo=dt.UTC), rehearsal=False)
    account = Account(0, {}, {}, {}, None, None, 9, [], looks=7)

    html = report_page(found, frozen, account, "")

    assert always.effect == pytest.approx(once.effect)
    assert always.high - always.low > 1.3 * (once.high - once.low)
    assert always.p > once.p
    assert always.p_draws is None
    assert "Regard n° 7" in re.sub(r"\s", " ", html)
    assert "valables à chaque regard" in re.sub(r"\s", " ", html)
    assert published(found, frozen, account)["look"] == 7


def test_a_hold_out_with_hardly_a_dropout_among_those_held_out_tells_nothing_yet() -> None:
    arms = (Arm(name="témoin", treatment="held_out", share=0.1), Arm(name="liste", treatment="usual", share=0.9))
    chosen = plan(design="holdout", end=None, arms=arms)
    rows = followed(chosen, 0.0, people=2_000)
    few = rows.filter(pl.col("treated") | (pl.int_range(pl.len()) < 80))

    found = analyse(chosen, few, LATE)

    assert 20 <= few.filter(~pl.col("treated")).height < 50
    assert headline(found, 0) == "Trop peu de réponses sur le critère principal : rien ne peut être dit."
    assert analyse(chosen, rows, LATE).results


@pytest.mark.parametrize("design", PLANS)
def test_intervals_and_words_go_by_the_threshold_that_was_frozen(design: str) -> None:
    """What would be found at 5 % and not at 1 % is not found by a plan that announced 1 %."""
    usual, strict = PLANS[design], PLANS[design].model_copy(update={"alpha": 0.01})
    rows = followed(usual, -0.05)
    wide, narrow = (analyse(chosen, rows, LATE) for chosen in (strict, usual))

    for one, other in zip(wide.results, narrow.results, strict=True):
        assert (one.high - one.low) / (other.high - other.low) > 1.25
        assert (one.low <= 0 <= one.high) == (one.p >= 0.01)
    assert wide.incidence.high - wide.incidence.low > narrow.incidence.high - narrow.incidence.low
    assert all(one.high - one.low > other.high - other.low for one, other in zip(wide.exposure, narrow.exposure, strict=True))
    if wide.complier and narrow.complier:
        assert wide.complier.high - wide.complier.low > 1.25 * (narrow.complier.high - narrow.complier.low)
    frozen = Frozen(strict, preanalysis(strict), "a" * 64, dt.datetime(2025, 12, 1, tzinfo=dt.UTC), rehearsal=False)
    html = re.sub(r"\s", " ", report_page(wide, frozen, Account(0, {}, {}, {}, None, None, 9, []), ""))
    assert "seuil 1 %" in html
    assert "intervalle à 99 %" in html
    assert "95 %" not in html
    assert "seuil 2,5 %" in re.sub(r"\s", " ", preanalysis(plan(alpha=0.025)))


def test_an_effect_that_the_announced_threshold_does_not_reach_is_not_told_as_one() -> None:
    strict = PLANS["individual"].model_copy(update={"alpha": 0.01})
    found = next(
        one for seed in range(40) if 0.012 < (one := analyse(strict, followed(strict, -0.035, seed=seed), LATE)).results[0].p < 0.045
    )

    assert "ne permettent pas de dire" in headline(found, 0)
    assert "intervalle à 99" in headline(found, 0)
