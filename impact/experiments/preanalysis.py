"""The pre-analysis plan in words: written from the plan alone, hashed when it is frozen, published before the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from impact.experiments.words import as_written, day, percent, points
from impact.wording import TELLS

if TYPE_CHECKING:
    from impact.experiments.plan import Arm, Plan

OUTCOME_WORDS: Final = {
    "dropout": "abandon dans l'horizon (sortie sans motif positif, abandons silencieux compris ; les autres sorties n'en sont pas)",
    "attended_share": "part des demi-journées dues où la personne est venue, dans l'horizon",
    "spoken_with": "échange dans les deux sens avec le service, dans le délai de recours",
    "in_work_6_months": (
        "en emploi six mois après la sortie, selon l'enquête de suivi, sept mois au moins après la fin prévue au jour du tirage"
    ),
}
DESIGN_WORDS: Final = {
    "individual": "tirage au sort par personne",
    "cluster": "tirage au sort par groupe",
    "stepped_wedge": "entrée échelonnée, ordre tiré au sort",
    "encouragement": "incitation tirée au sort",
    "holdout": "petit groupe témoin permanent",
}
TREATMENT_WORDS: Final = {
    "usual": "la liste suit les règles habituelles",
    "held_out": "pas d'alerte de risque ; promesses et demandes de la personne passent toujours",
    "first": "les alertes de risque passent plus haut dans la liste",
}
_LEAST_SQUARES: Final = "moindres carrés, covariables centrées et croisées avec le bras (Lin 2013), écarts-types HC2"
ESTIMATOR_WORDS: Final = {
    "individual": _LEAST_SQUARES,
    "cluster": "moindres carrés, écarts-types par grappes au jackknife (CR3), loi t à G moins 2 degrés de liberté",
    "stepped_wedge": "moindres carrés, effets de groupe et de période, jackknife par grappes (CR3), loi t à G moins 1 degrés",
    "encouragement": f"{_LEAST_SQUARES}, puis effet sur les personnes jointes grâce à l'incitation (2SLS, écarts-types robustes)",
    "holdout": f"{_LEAST_SQUARES}, intervalle et p valables à chaque regard (mélange normal à l'échelle de l'effet espéré)",
}
_OVER_TIME: Final = (
    "8. Effet par marche depuis le passage, et leur moyenne (mêmes écarts-types, mêmes tirages répétés) : un effet qui s'installe ou "
    "s'épuise trompe le coefficient unique ; si les deux s'écartent, c'est la moyenne qui est lue."
)
POPULATION_WORDS: Final = {
    "in_training": "personnes en formation",
    "entrants": "personnes qui entrent en formation après le début",
    "at_risk": "personnes dont le risque atteint la limite, dès la première nuit où il l'atteint",
}
STRATUM_WORDS: Final = {
    "territory_id": "territoire",
    "provider_id": "organisme",
    "session_id": "session",
    "objective": "objectif de la formation",
    "mode": "présence ou distance",
}
UNIT_WORDS: Final = {"learner": "personne", "session": "session", "provider": "organisme", "territory": "territoire"}


def arm_words(arm: Arm) -> str:
    """What happens to those of an arm."""
    if arm.practice is None:
        return TREATMENT_WORDS[arm.treatment]
    reason = TELLS[arm.practice.reason].lower()
    return f"{TREATMENT_WORDS[arm.treatment]}, mais propose l'action « {arm.practice.action} » quand la première raison est « {reason} »"


def _when(plan: Plan) -> str:
    if plan.due is None:
        return "Il en va ainsi à chaque regard."
    asked = "in_work_6_months" in {plan.primary, *plan.secondary}
    return f"Analyse à partir du {day(plan.due)}" + (", et pas avant sept mois après la dernière fin prévue." if asked else ".")


def preanalysis(plan: Plan) -> str:
    """The text, Markdown in French. Same plan, same text."""
    control, treated = plan.arms
    end = f"au {day(plan.end)}" if plan.end else "sans fin"
    lines = [
        f"# Plan d'analyse : {plan.title}",
        "",
        f"Expérience `{plan.experiment_id}`, empreinte du plan `{plan.fingerprint}`. Décidée par : {plan.decided_by}.",
        "",
        "## Question",
        "",
        plan.question,
        "",
        "## Dispositif",
        "",
        f"- {DESIGN_WORDS[plan.design].capitalize()} ; unité : {UNIT_WORDS[plan.unit]} ; graine {plan.seed}.",
        f"- Témoin « {control.name} » ({percent(control.share, 0)}) : {arm_words(control)}.",
        f"- Traité « {treated.name} » ({percent(treated.share, 0)}) : {arm_words(treated)}.",
        f"- Strates : {', '.join(STRATUM_WORDS[name] for name in plan.strata) or 'aucune'}"
        + (f" ; blocs permutés de {plan.block_size}." if plan.block_size else " ; tirage par empreinte de l'identifiant."),
        f"- Territoires : {', '.join(plan.territories) or 'tous'} ; population : {POPULATION_WORDS[plan.population]}"
        + (f" ({percent(plan.minimum_risk, 0)})." if plan.population == "at_risk" else "."),
        f"- Entrées du {day(plan.start)} {end} ; chacun est suivi {plan.horizon_days} jours depuis son tirage, quoi qu'il arrive.",
        f"- Chacun compte {plan.wait_days} jours après la fin de son suivi, le temps de savoir qui est parti. {_when(plan)}",
        *([f"- {plan.steps} marches de {plan.step_days} jours."] if plan.design == "stepped_wedge" else []),
        "- Ce qui est tiré au sort est la place sur la liste, jamais l'accès à l'aide. Demandes et promesses passent avant le bras.",
        "",
        "## Critères",
        "",
        f"- Principal : {OUTCOME_WORDS[plan.primary]}.",
        *[f"- Secondaire : {OUTCOME_WORDS[name]}." for name in plan.secondary],
        f"- Effet espéré : {points(plan.expected_effect)} points ; puissance {percent(plan.power, 0)}, seuil {as_written(plan.alpha)}.",
        "",
        "## Analyse",
        "",
        f"1. En intention de traiter : {ESTIMATOR_WORDS[plan.design]}.",
        "2. Covariables : " + ("risque (log-cote) et part de la formation écoulée, au jour du tirage." if plan.adjust else "aucune."),
        "3. "
        + (
            "Regards sans limite de nombre, numérotés ; aucun classement selon l'effet n'en est tiré."
            if plan.design == "holdout"
            else "Inférence par tirages répétés selon le même dispositif (999 tirages, statistique t)."
        ),
        "4. Abandons dans le temps : incidence cumulée avec sorties concurrentes (Aalen-Johansen), différence à l'horizon.",
        "5. Plusieurs critères : correction de Holm sur l'ensemble des critères prévus.",
        "6. Réponses manquantes : analyse des cas observés, puis bornes de Manski et de Lee.",
        "7. Une analyse avant la date prévue est signalée comme intermédiaire ; ce qui n'est pas dans ce plan, comme exploratoire.",
        *([_OVER_TIME] if plan.design == "stepped_wedge" else []),
        "",
    ]
    return "\n".join(lines)
