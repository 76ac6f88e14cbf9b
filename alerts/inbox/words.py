"""What the page says of rows: sentences, labels, dates. In French here; `alerts.language.say` speaks them in the language in use."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Final

from alerts import likelihood, sessions, wording
from alerts.cases.acts import subjects_of
from alerts.language import day, say

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
    "opposed": "S'oppose à l'estimation (droit d'opposition)",
    "unopposed": "Ne s'oppose plus à l'estimation",
}
"""Every answer there is, in the order of the form; `alerts.answers` says which of them tell of a contact."""
WHYS: Final = {
    "excused": "Absences excusées",
    "wrong_facts": "Faits inexacts",
    "settled": "Situation réglée",
    "left": "Formation terminée ou quittée",
    "other_follows": "Suivi par un autre service",
    "other": "Autre",
}
"""Why an alert was without object."""
ENDS_BEFORE: Final = "La formation se termine le {date}, avant ces 4 semaines : sa fin prévue n'est pas un abandon."
NEXT: Final = {
    "reached": "Noter un rappel à deux semaines.",
    "no_answer": "Essayer à une autre heure ou par SMS, et noter un rappel.",
    "wrong_details": "Demander les coordonnées à l'organisme de formation.",
    "appointment_set": "Noter un rappel au lendemain du rendez-vous.",
    "mediation": "Revenir vers la personne après l'échange avec le formateur.",
    "barrier_referred": "S'assurer, dans les deux semaines, que l'orientation a abouti.",
    "job_search_step": "Convenir de l'étape suivante et de sa date.",
    "found_job": "Vérifier dans les deux semaines que l'emploi est en place.",
}
"""The next step proposed after an answer."""
SOURCES: Final = {
    "declared": "déclaré ici",
    "deduced": "déduit",
    "rule": "règle du service",
    "model": "estimation d'un modèle",
}
"""Where a status or an alert comes from."""
SECTION_OF: Final = {
    "attendance": "presence",
    "punctuality": "presence",
    "trend": "presence",
    "activity": "activite",
    "assessments": "travaux",
    "contacts": "echanges",
}
"""Part of the case page that holds the rows behind a reason."""
THEMES: Final = {
    "motivation": "Motivation",
    "mediation": "Médiation avec le formateur",
    "mobility": "Mobilité",
    "housing": "Logement",
    "childcare": "Garde d'enfants",
    "money": "Ressources",
    "content": "Contenu ou niveau",
    "job_search": "Recherche d'emploi",
}
"""Call scripts of config/, by what they are about."""
THEMES_OF: Final = {
    "attendance": ("motivation", "mobility", "childcare"),
    "punctuality": ("mobility", "childcare"),
    "trend": ("motivation", "mediation"),
    "activity": ("motivation", "content"),
    "assessments": ("content", "mediation"),
    "contacts": ("motivation",),
    "job_search_due": ("job_search",),
    "mid_course_contact_due": ("motivation",),
    "entry_contact_due": ("motivation", "mobility"),
}
"""Scripts that fit a subject of the reason, or a promise."""
THEME_OF_BARRIER: Final = {"relations": "mediation", "admin": "money"}
MATTERS: Final = {
    "lms": "plateforme",
    "content": "contenus",
    "forum": "forum",
    "quiz": "questionnaires",
    "work": "travail",
    "test": "test",
    "exam": "examen",
}
"""Kinds of traces and of work in common use; other words of a source are told as they came."""
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
    "present": "Présence constatée",
    "late": "Retard",
    "left_early": "Départ avant la fin",
    "absent_unjustified": "Absence non justifiée",
    "absent_justified": "Absence justifiée",
    "exempt": "Dispense",
    "not_expected": "Non attendu",
    "not_recorded": "Feuille non reçue",
}
SHORT: Final = {
    "present": "P",
    "late": "R",
    "left_early": "D",
    "absent_unjustified": "A",
    "absent_justified": "J",
    "exempt": "E",
    "not_expected": "N",
    "not_recorded": "?",
}
"""Letters of the calendar; the words are said beside it and to those who do not see it."""
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
ROLES: Final = {
    "advisor": "Conseiller",
    "lead": "Responsable d'équipe",
    "evaluator": "Évaluateur",
    "dpo": "Délégué à la protection des données",
    "operator": "Exploitant du service",
}
VERBS: Final = {
    "ask_link": "lien demandé",
    "send_link": "lien envoyé",
    "log_in": "connexion",
    "close": "compte fermé",
    "list": "liste lue",
    "queue": "file lue",
    "read": "situation lue",
    "search": "recherche",
    "team": "équipe lue",
    "indicators": "indicateurs lus",
    "audit": "journal lu",
    "export": "export",
    "access": "export remis à la personne",
    "erase": "effacement",
    "answer": "réponse notée",
    "take": "prise en charge",
    "assign": "attribution",
    "refer": "orientation",
    "hand_over": "passation",
    "reassign": "réaffectation",
    "absences": "absences lues",
    "absence": "absence annoncée ou annulée",
    "get": "page demandée",
    "post": "formulaire envoyé",
}
"""Acts of the audit log; the last two are pages that are not open to a role."""


def inside(label: str) -> str:
    """A label within a sentence: small first letter, but for an acronym such as SMS."""
    return label if label.isupper() else label[:1].lower() + label[1:]


def who(row: Row[Any]) -> str:
    """The name of a row with names."""
    return wording.who(row._asdict())


def told(alerts: Sequence[Row[Any]], phrases: Mapping[str, Phrase], rules: Rules) -> Told:
    """What a list says of one person's alerts (rows of the table `alerts`, whose reasons are JSON)."""
    read = [{**alert._asdict(), "reasons": json.loads(alert.reasons)["reasons"]} for alert in alerts]
    return wording.told(read, phrases, rules.of(alerts[0].territory_id).actions)


def behind(content: Mapping[str, Any]) -> list[str]:
    """Where the likelihood of a case comes from: what was counted of others like it, and what the other horizons say."""
    told = (likelihood.counted(content.get("alike")), likelihood.sooner_later(content.get("risk_14"), content.get("risk_56")))
    return [text for text in told if text]


def ends(planned: dt.date, as_of: dt.date, horizon_days: int) -> str:
    """A word where the course ends before the horizon does: nobody should take its end for a departure."""
    return say(ENDS_BEFORE).format(date=day(planned)) if as_of <= planned < as_of + dt.timedelta(days=horizon_days) else ""


def groups(rows: Sequence[Row[Any]], whose: str) -> list[str]:
    """Sessions to look at as a whole, in words; `whose` as in `alerts.sessions.line`."""
    return sessions.shown([sessions.line(whose, row.course, row.people, row.theirs, row.session_risk) for row in rows])


def subjects(alerts: Sequence[Row[Any]]) -> list[str]:
    """Subjects of the reasons that raise the risk, best first, then the promises: what `SECTION_OF` and `THEMES_OF` know."""
    codes = [code for alert in alerts if alert.kind == "dropout_risk" for code in subjects_of(alert.reasons)]
    return list(dict.fromkeys([*codes, *(alert.kind for alert in alerts if alert.kind != "dropout_risk")]))


def scripts(found: Sequence[str], contacts: Sequence[Mapping[str, Any]], texts: Mapping[str, str]) -> list[tuple[str, str]]:
    """Call scripts that fit: difficulties the person named come first, then what goes with the reasons. At most three.

    Args:
        found: from `subjects`.
        contacts: of the case page, with the barrier named in each.
        texts: the territory's scripts, by theme.
    """
    named = [contact["barrier"] for contact in reversed(contacts) if contact.get("barrier")]
    themes = [THEME_OF_BARRIER.get(barrier, barrier) for barrier in named]
    themes += [theme for subject in found for theme in THEMES_OF.get(subject, ())]
    return [(THEMES[theme], texts[theme]) for theme in dict.fromkeys(themes) if theme in texts and theme in THEMES][:3]


def leading(reasons: str) -> str:
    """Subject, in words, of the first reason that raises the risk; nothing where there is none."""
    code = subjects_of(reasons)
    return say(wording.SUBJECTS[code[0]]) if code and code[0] in wording.SUBJECTS else ""


def notice(text: str) -> str:
    """What is said of made-up data or of a night without estimate, which the night published in French."""
    for french in (*wording.NOTICES.values(), wording.NOT_ESTIMATED):
        text = text.replace(french, say(french))
    return text


def weeks(sheets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Half-day sheets as a calendar: a row a week, Monday to Sunday, morning and afternoon."""
    by_week: dict[dt.date, dict[tuple[int, str], Mapping[str, Any]]] = {}
    for sheet in sheets:
        date = dt.date.fromisoformat(sheet["date"])
        by_week.setdefault(date - dt.timedelta(days=date.weekday()), {})[date.weekday(), sheet["half_day"]] = sheet
    return [
        {"monday": monday, "days": [[cells[place, half] for half in HALF_DAYS if (place, half) in cells] for place in range(7)]}
        for monday, cells in sorted(by_week.items(), reverse=True)
    ]


def curve(history: Sequence[Row[Any]]) -> str:
    """Risk over the nights as the points of a line, 300 by 60 as the page draws it; the table beside it tells the same."""
    risks = [(row.as_of.toordinal(), row.risk) for row in history if row.kind == "dropout_risk" and row.risk is not None]
    if len({night for night, _ in risks}) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    first, last = risks[0][0], risks[-1][0]
    top = max(0.2, *(risk for _, risk in risks))
    return " ".join(f"{(night - first) / (last - first) * 300:.1f},{60 - risk / top * 60:.1f}" for night, risk in risks)


def matter(kind: str | None) -> str:
    """A kind of trace or work in words; what is finer stays as the source says it: `content/video` as contenus (video)."""
    word, _, finer = (kind or "").partition("/")
    said = say(MATTERS[word]) if word in MATTERS else word
    return f"{said} ({finer})" if finer else said


def newest(rows: Sequence[Mapping[str, Any]], key: str, as_of: dt.date) -> tuple[dt.date, int] | None:
    """The newest day that rows tell of, and how many days before `as_of`."""
    days = [dt.date.fromisoformat(row[key][:10]) for row in rows if row[key] and row.get("status") != "not_recorded"]
    return (max(days), (as_of - max(days)).days) if days else None


def iso(text: str) -> str:
    """`2026-03-04` as mercredi 4 mars."""
    return day(dt.date.fromisoformat(text))


def instant(text: str) -> str:
    """`2026-03-04T14:30` as mercredi 4 mars, 14:30."""
    date, _, time = text.partition("T")
    return f"{iso(date)}, {time[:5]}"
