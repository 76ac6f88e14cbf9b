"""From values to French sentences an advisor can use: facts first, no word on the person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

NARROW: Final = "\u202f"
"""Narrow no-break space: thousands, and before a percent sign, as French typography wants."""
_DAYS: Final = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
KINDS: Final = {
    "dropout_risk": "Situation à reprendre",
    "no_owner": "Sans conseiller référent",
    "entry_contact_due": "Contact d'entrée à faire",
    "mid_course_contact_due": "Point à mi-parcours à faire",
    "job_search_due": "Recherche d'emploi à préparer",
    "post_exit_contact_due": "Contact après la formation à faire",
    "positive_exit_check": "Sortie positive à vérifier",
    "learner_request": "Demande de la personne",
}
PROMISES: Final = {
    "no_owner": "Aucun conseiller référent en poste n'est connu.",
    "entry_contact_due": "Aucun échange connu depuis l'inscription.",
}
NOTICES: Final = {
    "simulation": "Données simulées : ces personnes n'existent pas.",
    "simulated-advisors": "Conseillers simulés ; apprenants réels, dont les noms ne sont pas publiés.",
}
"""What a list must say when operators deliver made-up data: their names start with these words."""
SUBJECTS: Final = {
    "attendance": "présence",
    "punctuality": "ponctualité",
    "trend": "évolution récente",
    "activity": "activité à distance",
    "assessments": "travaux rendus",
    "contacts": "échanges avec le service",
}


@dataclass(frozen=True)
class Phrase:
    """How a feature is told: a French sentence with `{value}` and `{s}`, and the unit of the value."""

    fr: str
    unit: str


@dataclass(frozen=True)
class Told:
    """What is said of one person's alerts, on paper and on the page."""

    kinds: list[str]
    why: list[str]
    changed: list[str]
    likelihood: str
    weak: bool
    """Too little is known for the estimate to weigh much."""
    actions: list[str]
    since: str
    until: str
    is_new: bool


def told(alerts: Sequence[Mapping[str, Any]], phrases: Mapping[str, Phrase], actions: Mapping[str, str]) -> Told:
    """One person's alerts in words; only facts that raise the risk are told as reasons.

    Args:
        alerts: contract `Alerts` with low_confidence, best first.
        phrases: sentence of each feature.
        actions: sentence of each action code.
    """
    first, due = alerts[0], min(alert["due_on"] for alert in alerts)
    raising = [reason for reason in first["reasons"] if reason["code"] != "rest" and reason["contribution"] > 0]
    promises = [PROMISES[alert["kind"]] for alert in alerts if alert["kind"] in PROMISES]
    return Told(
        kinds=[KINDS[alert["kind"]] for alert in alerts],
        why=[*promises, *(why(reason, phrases) for reason in raising)],
        changed=[text for reason in raising if (text := change(reason, phrases))],
        likelihood=likelihood(first["risk"]),
        weak=bool(first["low_confidence"]),
        actions=list(dict.fromkeys(actions.get(alert["suggested_action"], alert["suggested_action"]) for alert in alerts)),
        since=day(min(alert["opened_on"] for alert in alerts)),
        until=day(due) + (", dépassé" if due <= first["as_of"] else ""),
        is_new=any(alert["state"] == "new" for alert in alerts),
    )


def who(person: Mapping[str, Any]) -> str:
    """The name, or the identifier of somebody whose name no delivery brought."""
    name = " ".join(part for part in (person["given_name"], person["family_name"]) if part)
    return name or f"Personne {person['learner_id']}"


def why(reason: Mapping[str, Any], phrases: Mapping[str, Phrase]) -> str:
    """One reason as a sentence; a feature without a sentence is told by its subject."""
    phrase = phrases.get(reason["feature"] or "")
    if phrase is None or reason["value"] is None:
        return f"Signal sur : {SUBJECTS.get(reason['code'], reason['code'])}."
    return _sentence(phrase, reason["value"]) + "."


def change(reason: Mapping[str, Any], phrases: Mapping[str, Phrase]) -> str | None:
    """The reason's fact against the same fact seven days before, or nothing where it reads the same or no number tells it."""
    phrase = phrases.get(reason["feature"] or "")
    now, before = reason["value"], reason["previous_value"]
    if phrase is None or now is None or before is None or "{value}" not in phrase.fr or phrase.unit == "points":
        return None
    was = amount(before, phrase.unit)
    if was == amount(now, phrase.unit):
        return None
    return f"{_sentence(phrase, now)}, contre {was} une semaine plus tôt."


def _sentence(phrase: Phrase, value: float) -> str:
    sentence = phrase.fr.replace("{value}", amount(value, phrase.unit)).replace("{s}", _plural(value))
    return sentence[0].upper() + sentence[1:]


def amount(value: float, unit: str) -> str:
    """A value with its unit, in French."""
    if unit == "share":
        return f"{round(value * 100)}{NARROW}%"
    if unit == "points":
        points = abs(round(value * 100))
        return f"{points}{NARROW}point{_plural(points)}"
    if unit == "minutes":
        return f"{number(round(value))} min"
    singular = {"half_days": "demi-journée", "days": "jour"}.get(unit)
    if singular is None:
        return number(value)
    return f"{number(value)} {singular}{_plural(value)}"


def _plural(value: float) -> str:
    # French counts from two: 1,5 jour, 2 jours. Read on the figure that is shown.
    return "s" if abs(round(value, 1)) >= 2 else ""  # noqa: PLR2004 - two is what plural means


def number(value: float) -> str:
    """A number as French writes it: at most one decimal, after a comma, and thousands apart."""
    shown = round(value, 1)
    text = f"{shown:,.0f}" if shown == round(shown) else f"{shown:,.1f}"
    return text.replace(",", NARROW).replace(".", ",")


def likelihood(risk: float | None) -> str:
    """The risk as a count among a hundred, never as a verdict; rounded, since it is not known better."""
    if risk is None:
        return "Pas d'estimation."
    return f"Sur 100 situations semblables, environ {max(1, round(risk * 100))} se terminent par un départ dans les 4 semaines."


def day(date: dt.date) -> str:
    """A date in words, such as mercredi 4 mars."""
    first = "1er" if date.day == 1 else str(date.day)
    return f"{_DAYS[date.weekday()]} {first} {_MONTHS[date.month - 1]}"
