"""French words of the page a learner is given of what is held about them."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final
from zoneinfo import ZoneInfo

from alerts.inbox import words
from alerts.likelihood import counted, likelihood, positive_exit, sooner_later, spread
from alerts.wording import KINDS

TABLES: Final = {
    "learners": "Votre situation à l'entrée en formation",
    "learner_audit": "Caractéristiques gardées pour vérifier l'équité du service (jamais lues par l'estimation)",
    "enrolments": "Vos inscriptions",
    "exits": "Vos fins de formation",
    "attendance": "Vos présences, par demi-journée",
    "activity": "Votre activité à distance",
    "assessments": "Vos travaux",
    "contacts": "Vos échanges avec le service",
    "assignments": "Qui vous accompagne",
    "followups": "Votre situation après la formation",
}
COLUMNS: Final = {
    "enrolment_id": "inscription",
    "learner_id": "identifiant",
    "session_id": "session",
    "birth_year": "année de naissance",
    "education_level": "niveau de diplôme (0 à 8)",
    "jobseeker_since": "inscription à l'emploi",
    "prescriber": "prescripteur",
    "own_initiative": "de votre initiative",
    "commute_minutes": "trajet (minutes)",
    "home_territory": "territoire",
    "sex": "sexe",
    "age_band": "tranche d'âge",
    "disability": "handicap reconnu",
    "priority_area": "quartier prioritaire",
    "income_support": "minimum social",
    "enrolled_on": "inscrit le",
    "entry_date": "entrée",
    "planned_exit_date": "fin prévue",
    "exit_date": "fin",
    "reason": "issue",
    "dropout_motive": "motif",
    "date": "jour",
    "half_day": "demi-journée",
    "status": "statut",
    "planned_minutes": "minutes prévues",
    "attended_minutes": "minutes suivies",
    "kind": "type",
    "count": "traces",
    "minutes": "minutes",
    "assessment_id": "travail",
    "due_date": "à rendre le",
    "submitted_on": "rendu le",
    "score": "note (0 à 1)",
    "weight": "poids",
    "contact_id": "échange",
    "advisor_id": "conseiller",
    "occurred_at": "le",
    "channel": "moyen",
    "direction": "sens",
    "outcome": "résultat",
    "purpose": "objet",
    "barrier": "difficulté",
    "valid_from": "depuis le",
    "valid_to": "jusqu'au",
    "observed_on": "observé le",
    "months_after_exit": "mois après la fin",
    "situation": "situation",
    "title": "formation",
    "start_date": "début",
    "end_date": "fin",
    "mode": "modalité",
    "objective": "objectif",
    "provider": "organisme",
    "given_name": "prénom",
    "family_name": "nom",
    "phone": "téléphone",
    "email": "courriel",
    "language": "langue",
    "at": "le",
    "role": "fonction",
    "verb": "ce qui a été fait",
    "code": "réponse",
    "note": "note",
    "remind_on": "rappel le",
    "useful": "alerte utile",
    "why": "pourquoi",
    "how": "comment",
    "to_advisor_id": "vers le conseiller",
    "from_advisor_id": "du conseiller",
    "to_operator": "vers l'opérateur",
    "experiment_id": "évaluation",
    "arm": "groupe",
    "allocated_on": "tirage au sort du",
    "opened_on": "ouverte le",
    "due_on": "à faire avant le",
    "withdrawn": "retiré depuis",
    "known_on": "su le",
    "file": "fichier",
    "line": "ligne",
}
"""Columns that are shown, in their order; the others stand in the JSON file."""
_VALUES: Final[dict[str, dict[str, str]]] = {
    "half_day": words.HALF_DAYS,
    "status": words.STATUSES,
    "channel": {**words.CHANNELS, "group": "En groupe"},
    "outcome": {**words.OUTCOMES, "allowed": "permis", "refused": "refusé"},
    "direction": {"outbound": "du service vers vous", "inbound": "de vous vers le service"},
    "code": words.ANSWERS,
    "why": words.WHYS,
    "barrier": {**words.BARRIERS, "health": "Santé", "family": "Famille"},
    "role": words.ROLES,
    "verb": words.VERBS,
    "kind": KINDS,
    "purpose": {
        "entry": "entrée en formation",
        "motivation": "motivation",
        "mediation": "médiation",
        "barrier": "difficulté",
        "job_search": "recherche d'emploi",
        "follow_up": "suivi",
        "other": "autre",
    },
    "reason": {
        "completed": "formation terminée",
        "dropout": "départ avant la fin",
        "job": "emploi trouvé",
        "other_training": "autre formation",
        "health": "santé",
        "moved": "déménagement",
        "excluded": "fin décidée par l'organisme",
        "cancelled_by_provider": "formation annulée",
        "no_show": "pas d'entrée en formation",
        "other": "autre",
    },
    "situation": {
        "permanent_job": "emploi durable",
        "long_job": "emploi de six mois ou plus",
        "short_job": "emploi de moins de six mois",
        "own_business": "création d'entreprise",
        "apprenticeship": "alternance",
        "qualifying_training": "formation qualifiante",
        "other_training": "autre formation",
        "job_seeking": "recherche d'emploi",
        "inactive": "sans recherche d'emploi",
        "unknown": "inconnue",
    },
    "sex": {"female": "femme", "male": "homme", "other": "autre"},
    "prescriber": {
        "france_travail": "France Travail",
        "mission_locale": "Mission locale",
        "cap_emploi": "Cap emploi",
        "apec": "Apec",
        "cep": "conseil en évolution professionnelle",
        "region": "Région",
        "opco": "opérateur de compétences",
        "self": "vous-même",
        "other": "autre",
    },
    "mode": {"onsite": "en présence", "remote": "à distance", "mixed": "mixte"},
    "objective": {
        "certification": "certification",
        "professionalisation": "professionnalisation",
        "basic_skills": "compétences de base",
        "remobilisation": "remobilisation",
        "other": "autre",
    },
    "how": {
        "take": "prise en charge",
        "hand_over": "passation",
        "assign": "attribution",
        "refer": "orientation",
        "reassign": "réaffectation",
    },
}
ABOUT: Final = {
    "purpose": (
        "Aider votre conseiller à vous contacter au bon moment pendant et après votre formation. Aucune place, aucun droit, aucun paiement "
        "et aucune sanction n'en dépend ; une personne décide toujours de ce qui est fait."
    ),
    "logic": (
        "Chaque nuit, le service regarde ce que l'organisme de formation et les services d'accompagnement ont transmis : présences, "
        "activité à distance, travaux, échanges, dates et session de la formation et, à l'entrée, niveau de diplôme, temps de trajet, "
        "ancienneté d'inscription à l'emploi et initiative de la formation. Un modèle statistique, appris sur des parcours passés, estime "
        "combien de situations semblables sur cent se terminent par un abandon dans les quatre semaines. Les faits qui pèsent le plus sont "
        "dits au conseiller ; ce sont ceux que vous lisez ci-dessous. Le sexe, l'âge, le handicap, l'adresse, le quartier et les aides "
        "perçues ne sont jamais lus par l'estimation."
    ),
    "recipients": (
        "Le conseiller qui vous accompagne, celui qui le remplace, le responsable de son équipe ; sous une forme chiffrée ou sans nom, les "
        "personnes chargées d'évaluer le service. Ce que votre conseiller a noté comme contact est rendu au logiciel de son organisme, "
        "sans la note elle-même."
    ),
    "rights": (
        "Vous pouvez demander que l'on corrige un fait inexact, que l'on efface ce qui vous concerne, ou vous opposer à l'estimation sans "
        "perdre l'accompagnement : dites-le à votre conseiller ou au délégué à la protection des données de votre organisme. Vous pouvez "
        "aussi vous adresser à la CNIL (www.cnil.fr)."
    ),
}
_PARIS: Final = ZoneInfo("Europe/Paris")


def value(column: str, held: Any) -> str:  # noqa: ANN401 - a cell of any table
    """One cell as a person reads it."""
    if held is None:
        return ""
    if isinstance(held, bool):
        return "oui" if held else "non"
    if isinstance(held, dt.datetime):
        return held.astimezone(_PARIS).strftime("%d/%m/%Y %H:%M")
    if isinstance(held, dt.date):
        return held.strftime("%d/%m/%Y")
    if isinstance(held, float):
        return f"{held:.3g}".replace(".", ",")
    return _VALUES.get(column, {}).get(str(held), str(held))


def shown(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Columns of a table that say anything, with their French headings."""
    said = {name for row in rows for name, held in row.items() if held not in (None, "", False)}
    return [(name, heading) for name, heading in COLUMNS.items() if name in said]


def risk(estimate: dict[str, Any]) -> str:
    """The estimate of a night in words, and what became of others like it."""
    alike = estimate.get("alike")
    others = positive_exit(estimate.get("positive_exit_risk"), estimate["risk"])
    horizons = sooner_later(estimate.get("risk_14"), estimate.get("risk_56"))
    return " ".join(filter(None, (likelihood(estimate["risk"]), spread(alike), *others, counted(alike), horizons)))
