"""What the page says of rows: sentences, labels, dates. French, as the lists on paper."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from alerts import wording
from alerts.wording import day

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from alerts.wording import Phrase, Told
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
"""Every answer there is, in the order of the form; `alerts.answers` says which of them tell of a contact."""
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


def who(row: Row[Any]) -> str:
    """The name of a row with names."""
    return wording.who(row._asdict())


def told(alerts: Sequence[Row[Any]], phrases: Mapping[str, Phrase], rules: Rules) -> Told:
    """What a list says of one person's alerts (rows of the table `alerts`, whose reasons are JSON)."""
    read = [{**alert._asdict(), "reasons": json.loads(alert.reasons)["reasons"]} for alert in alerts]
    return wording.told(read, phrases, rules.of(alerts[0].territory_id).actions)


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
