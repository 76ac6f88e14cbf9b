"""What the page says of rows: sentences, labels, dates. French, as the lists on paper."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from alerts.wording import KINDS, PROMISES, change, day, likelihood, why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alerts.wording import Phrase
    from vigie.rules import Rules

ANSWERS: Final = {
    "reached": "Échange avec la personne",
    "no_answer": "Pas de réponse",
    "wrong_details": "Coordonnées incorrectes",
    "appointment_set": "Rendez-vous fixé",
    "mediation": "Médiation avec l'organisme de formation",
    "barrier_referred": "Difficulté repérée, orientation faite",
    "job_search_step": "Étape de recherche d'emploi",
    "already_known": "Situation déjà connue",
    "not_relevant": "Alerte sans objet",
    "found_job": "A trouvé un emploi",
    "left_alone": "Souhaite ne pas être recontacté",
}
"""Codes of `alerts.answers`, in the order of the form."""
CHANNELS: Final = {
    "phone": "Téléphone",
    "sms": "SMS",
    "email": "Courriel",
    "video": "Visio",
    "in_person": "En personne",
    "post": "Courrier",
    "other": "Autre",
}
BARRIERS: Final = {
    "mobility": "Mobilité",
    "housing": "Logement",
    "money": "Ressources",
    "childcare": "Garde d'enfants",
    "admin": "Démarches",
    "content": "Contenu ou niveau",
    "relations": "Relations",
    "job_search": "Recherche d'emploi",
    "other": "Autre",
}
"""Health and family are left out: nothing on them is asked for."""
STATUSES: Final = {
    "present": "Présent",
    "late": "En retard",
    "left_early": "Parti plus tôt",
    "absent_unjustified": "Absence non justifiée",
    "absent_justified": "Absence justifiée",
    "exempt": "Dispensé",
    "not_expected": "Non attendu",
    "not_recorded": "Feuille non reçue",
}
HALF_DAYS: Final = {"am": "matin", "pm": "après-midi", "day": "journée"}
OUTCOMES: Final = {
    "reached": "échange",
    "left_message": "message laissé",
    "no_answer": "pas de réponse",
    "wrong_details": "coordonnées incorrectes",
    "sent": "envoyé",
    "kept": "rendez-vous honoré",
    "no_show": "absence non excusée au rendez-vous",
    "excused": "rendez-vous annulé par la personne",
    "cancelled_by_service": "rendez-vous annulé par le service",
    "unknown": "issue inconnue",
}
STATES: Final = {
    "new": "nouveau",
    "sent": "en cours",
    "over_capacity": "en attente",
    "repeat_suppressed": "en attente",
    "held_out": "en attente",
}
"""The arm of an experiment is never told: those held out read as those who wait."""


def who(row: Any) -> str:  # noqa: ANN401 - a row with names
    """The name, or the identifier of somebody whose name no delivery brought."""
    name = " ".join(part for part in (row.given_name, row.family_name) if part)
    return name or f"Personne {row.learner_id}"


def told(alerts: Sequence[Any], phrases: Mapping[str, Phrase], rules: Rules) -> dict[str, Any]:
    """What a list says of one person's alerts (rows of the table `alerts`)."""
    first = alerts[0]
    reasons = json.loads(first.reasons)["reasons"]
    raising = [reason for reason in reasons if reason["code"] != "rest" and reason["contribution"] > 0]
    actions = rules.of(first.territory_id).actions
    due = min(alert.due_on for alert in alerts)
    return {
        "kinds": [KINDS[alert.kind] for alert in alerts],
        "why": [*(PROMISES[alert.kind] for alert in alerts if alert.kind in PROMISES), *(why(reason, phrases) for reason in raising)],
        "changed": [text for reason in raising if (text := change(reason, phrases))],
        "likelihood": likelihood(first.risk),
        "weak": first.low_confidence,
        "actions": list(dict.fromkeys(actions.get(alert.suggested_action, alert.suggested_action) for alert in alerts)),
        "since": day(min(alert.opened_on for alert in alerts)),
        "until": day(due) + (", dépassé" if due <= first.as_of else ""),
        "is_new": any(alert.state == "new" for alert in alerts),
    }


def weeks(sheets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Half-day sheets as a calendar: a row a week, Monday to Friday, morning and afternoon."""
    by_week: dict[dt.date, dict[tuple[int, str], Mapping[str, Any]]] = {}
    for sheet in sheets:
        date = dt.date.fromisoformat(sheet["date"])
        by_week.setdefault(date - dt.timedelta(days=date.weekday()), {})[date.weekday(), sheet["half_day"]] = sheet
    return [
        {"monday": monday, "days": [[cells[place, half] for half in HALF_DAYS if (place, half) in cells] for place in range(7)]}
        for monday, cells in sorted(by_week.items(), reverse=True)
    ]


def instant(text: str) -> str:
    """`2026-03-04T14:30` as mercredi 4 mars, 14 h 30."""
    date, _, time = text.partition("T")
    return f"{day(dt.date.fromisoformat(date))}, {time[:2]} h {time[3:5]}"
