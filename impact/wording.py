"""Numbers as the page writes them, in French; the words of units, answers and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from impact.value_added import ABOVE, BELOW, FEW, SAME

if TYPE_CHECKING:
    from collections.abc import Mapping

HIDDEN: Final = "non publié"
"""Too few people, or one figure too many for those of few people to stay hidden: not said which."""
VERDICTS: Final = {
    ABOVE: "au-dessus",
    BELOW: "au-dessous",
    SAME: "non distinguable",
    FEW: "effectif trop petit",
}
KINDS: Final = {
    "all": "Ensemble",
    "territory": "Territoire",
    "operator": "Opérateur",
    "provider": "Organisme",
    "sex": "Sexe",
    "age_band": "Âge",
    "priority_area": "Quartier prioritaire",
    "income_support": "Minimum social",
    "disability": "Reconnaissance de handicap (RQTH)",
}
VALUES: Final = {
    "female": "femmes",
    "male": "hommes",
    "other": "autre",
    "true": "oui",
    "false": "non",
    "under 26": "moins de 26 ans",
    "26-50": "26 à 50 ans",
    "over 50": "plus de 50 ans",
}
"""Values of protected attributes."""
TELLS: Final = {
    "attendance": "Absences",
    "punctuality": "Retards",
    "trend": "Présence en baisse",
    "activity": "Travail à distance",
    "assessments": "Travaux à rendre",
    "contacts": "Sans échange",
    "reached": "échange",
    "no_answer": "pas de réponse",
    "wrong_details": "coordonnées incorrectes",
    "appointment_set": "rendez-vous fixé",
    "mediation": "médiation",
    "barrier_referred": "orientation faite",
    "job_search_step": "étape de recherche d'emploi",
    "already_known": "situation déjà connue",
    "not_relevant": "sans objet",
    "found_job": "a trouvé un emploi",
    "left_alone": "ne pas recontacter",
    "opposed": "opposition",
    "unopposed": "fin d'opposition",
}
"""Subjects of reasons and answers, in a few words."""


def number(value: pl.Expr, digits: int = 1) -> pl.Expr:
    """A number with a decimal comma, its thousands apart; null stays null."""
    text = value.round(digits).cast(pl.String) if digits else value.round(0).cast(pl.Int64).cast(pl.String)
    text = text.str.replace(".", ",", literal=True).str.replace("-", "\u2212", literal=True)
    # One group is enough: nothing here counts to a million people.
    return text.str.replace(r"^(\d+)(\d{3})(,|$)", "${1}\u202f${2}${3}")


def percent(value: pl.Expr, digits: int = 1) -> pl.Expr:
    """A share as a percentage; null stays null."""
    return pl.format("{}\u00a0%", number(value * 100, digits))


def points(value: pl.Expr) -> pl.Expr:
    """A difference of shares in points, with its sign."""
    shown = (value * 100).round(1)
    # What rounds to nothing has no sign.
    sign = pl.when(shown > 0).then(pl.lit("+")).otherwise(pl.lit(""))
    return pl.format("{}{}", sign, number(pl.when(shown == 0).then(0.0).otherwise(shown)))


def between(low: pl.Expr, high: pl.Expr) -> pl.Expr:
    """An interval of texts."""
    return pl.format("{}\u00a0à\u00a0{}", low, high)


def unit_name(providers: Mapping[str, str]) -> pl.Expr:
    """The name of a unit such as provider:P0001."""
    key = pl.col("unit").str.replace(r"^[^:]*:", "")
    named = key.replace(dict(providers) | VALUES)
    return pl.when(pl.col("unit") == "all").then(pl.lit("Ensemble")).otherwise(named)
