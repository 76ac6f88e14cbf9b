"""What a plan can detect, in plain words, with its curve."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl
from markupsafe import Markup

from impact.experiments.power import Power, detectable, planned_power
from impact.experiments.preanalysis import DESIGN_WORDS
from impact.experiments.words import count, day, percent, points
from impact.report import drawing, figure, page, table

if TYPE_CHECKING:
    from impact.experiments.history import Past
    from impact.experiments.plan import Plan

EFFECTS: Final = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
PARTS: Final = (0.25, 0.5, 0.75, 1.0)
"""Of what is at most possible, where the effect hoped for is not."""
SIZES: Final = (0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Prospect:
    """A plan before its data."""

    plan: Plan
    past: Past
    planned: Power
    by_effect: list[Power]
    by_size: list[Power]

    @property
    def verdict(self) -> str:
        """One or two sentences, in French."""
        plan, base = self.plan, self.past.situation.base
        hoped = f"passer de {percent(base)} à {percent(base + plan.expected_effect)} ({points(plan.expected_effect)} points)"
        found = detectable(self.by_effect, plan.power)
        least = (
            f"Plus petit effet détectable avec {percent(plan.power, 0)} de chances : environ {points(found)} points."
            if found
            else (f"Même {points(self.by_effect[-1].effect)} points ne seraient pas trouvés avec {percent(plan.power, 0)} de chances.")
        )
        if not 0 <= base + plan.expected_effect <= 1:
            return f"L'effet espéré est impossible : le taux de départ est de {percent(base)}. {least}"
        if self.planned.power >= plan.power:
            return f"Ce plan peut détecter ce qu'il espère : {hoped}, {percent(self.planned.power, 0)} de chances de le trouver. {least}"
        enough = next((one.learners for one in self.by_size if one.power >= plan.power), None)
        more = (
            f"Il faudrait environ {count(enough)} personnes au lieu de {count(self.planned.learners)}."
            if enough
            else "Quatre fois plus de personnes n'y suffiraient pas."
        )
        return (
            f"Ce plan ne peut pas détecter ce qu'il espère : {hoped}, {percent(self.planned.power, 0)} de chances de le trouver "
            f"au lieu de {percent(plan.power, 0)}. {least} {more}"
        )


def prospect(plan: Plan, past: Past, replications: int = 500) -> Prospect:
    """Play the plan on the territory's past: at the effect hoped for, at others, and with more or fewer people."""

    def power(effect: float, factor: float = 1.0) -> Power:
        return planned_power(
            plan.design,
            past.situation.of_size(factor),
            effect,
            treated_share=plan.arms[1].share,
            steps=plan.steps,
            replications=replications,
            alpha=plan.alpha,
            seed=plan.seed,
            scale=plan.expected_effect if plan.design == "holdout" else None,
        )

    # No rate falls below zero or rises above one: of effects, only those that can be.
    most = 1 - past.situation.base if plan.expected_effect > 0 else past.situation.base
    possible = [plan.expected_effect * factor for factor in EFFECTS if abs(plan.expected_effect) * factor <= most]
    by_effect = [power(effect) for effect in possible or [math.copysign(most * part, plan.expected_effect) for part in PARTS]]
    by_size = [power(plan.expected_effect, factor) for factor in SIZES]
    return Prospect(plan, past, by_size[SIZES.index(1.0)], by_effect, by_size)


def power_page(prospect: Prospect, notice: str) -> str:
    """The page an evaluator reads before signing the plan."""
    plan, past, situation = prospect.plan, prospect.past, prospect.past.situation
    drawn, axes = drawing()
    axes.plot([100 * one.effect for one in prospect.by_effect], [100 * one.power for one in prospect.by_effect], "o-", color="#1f4e79")
    axes.axhline(100 * plan.power, color="#777777", linestyle="--", linewidth=1)
    axes.axvline(100 * plan.expected_effect, color="#b35900", linestyle=":", linewidth=1.5)
    axes.set(xlabel="effet (points)", ylabel="chances de le trouver (%)", ylim=(0, 102))
    facts = pl.DataFrame(
        {
            "what": [
                "Personnes du passé",
                "Taux de départ du critère principal",
                "Corrélation dans les groupes (ICC)",
                "Part expliquée par le risque connu (R²)",
                "Jours attendus après l'horizon pour savoir qui est parti",
                "Personnes attendues dans l'expérience",
                "Groupes",
                "Joints en temps normal dans le délai de recours",
            ],
            "value": [
                count(past.people),
                percent(situation.base),
                f"{situation.icc:.3f}".replace(".", ","),
                f"{situation.r2:.3f}".replace(".", ","),
                str(plan.wait_days),
                count(prospect.planned.learners),
                str(len(situation.sizes)),
                percent(past.take_up),
            ],
        }
    )
    curve = pl.DataFrame(
        {
            "learners": [count(one.learners) for one in prospect.by_size],
            "power": [percent(one.power, 0) for one in prospect.by_size],
            "error": [points(one.error, 2).removeprefix("+") for one in prospect.by_size],
        }
    )
    alt = "Puissance selon l'effet : " + ", ".join(f"{points(one.effect)} points, {percent(one.power, 0)}" for one in prospect.by_effect)
    body = Markup('<p class="key">{}</p>').format(prospect.verdict)
    body += figure(drawn, "power", alt, "Chances de trouver l'effet. Tirets : puissance visée ; pointillé : effet espéré.")
    body += table(facts, "Ce que dit le passé du territoire", {"what": "", "value": ""})
    body += table(
        curve,
        "Avec plus ou moins de monde, à l'effet espéré",
        {"learners": "personnes", "power": "puissance", "error": "erreur-type (points)"},
    )
    when = f"passé du {day(past.first)} au {day(past.last)}"
    subtitle = f"{DESIGN_WORDS[plan.design].capitalize()} ; {when} ; empreinte du plan {plan.fingerprint[:12]}"
    return page(f"Puissance : {plan.title}", body, subtitle=subtitle, notice=notice)
