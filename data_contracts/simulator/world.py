"""The rates of the simulated world, each with its source, or marked as ours."""

from __future__ import annotations

from typing import Final

TERRITORIES: Final = ("exemple-est", "exemple-nord", "exemple-ouest", "exemple-sud")
OPERATORS: Final = ("france-travail", "mission-locale", "cap-emploi", "cep")
OPERATOR_SHARES: Final = (0.55, 0.25, 0.08, 0.12)
PRESCRIBERS: Final = ("france_travail", "mission_locale", "cap_emploi", "cep", "region", "self", "other")
PRESCRIBER_SHARES: Final = (0.55, 0.18, 0.06, 0.06, 0.06, 0.07, 0.02)

LEARNERS_PER_PROVIDER: Final = 250
LEARNERS_PER_SESSION: Final = 15
LEARNERS_PER_ADVISOR: Final = 60

YOUNG_SHARE: Final = 0.30
"""Under 26 (ours)."""
WAIT_DAYS: Final = 45
"""Mean days from enrolment to entry; 52 in Poitou-Charentes in 2010."""
NO_SHOW: Final = 0.04
"""Enrolled, never came (ours)."""
COURSE_MONTHS: Final = (2, 3, 4, 5, 6, 9)
COURSE_SHARES: Final = (0.15, 0.25, 0.25, 0.15, 0.12, 0.08)
"""Mean a little above four months (Dares Analyses 2014-055)."""

# Leaving, by day. Levels are set so that about 8 % of entrants drop out, 12 % of the under-26s, 15 % of those below the baccalauréat
# among them, and about one early leaver in five goes to a job (Dares Focus, November 2021).
DISENGAGES: Final = 0.00086
"""Daily chance to begin to disengage, for an average learner after the first weeks."""
RECOVERS: Final = 0.018
"""Daily chance to come back by oneself."""
DROPOUT_CALM: Final = 0.00010
DROPOUT_DISENGAGING: Final = 0.016
JOB: Final = 0.00022
OTHER_TRAINING: Final = 0.00006
NEUTRAL: Final = 0.00008
"""Health, moving, exclusion, course cancelled, other: together."""
SILENT: Final = 0.05
"""Share of dropouts of which no exit row ever comes (ours)."""
FRONT_LOADED: Final = 1.2
"""Disengaging is this many times likelier, on top, on the first day; it fades over 30 days (ours)."""
EFFECT: Final = 0.6
"""A two-way contact multiplies the dropout hazard by about this; it fades."""
EFFECT_DAYS: Final = 21.0

# Half-days.
ABSENT_CALM: Final = 0.035
ABSENT_DISENGAGING: Final = 0.50
SPELL: Final = 0.006
"""Daily chance of a spell of absence that means nothing for dropout: illness, family, administration (ours)."""
SPELL_DAYS: Final = 4.0
JUSTIFIED: Final = 0.45
JUSTIFIED_LATER: Final = 0.33
"""Share of justified absences first recorded as unjustified; justifications come within days, as a later layer."""
LATE: Final = 0.04
LEFT_EARLY: Final = 0.015
LATE_SHEET: Final = 0.10
NO_SHEET: Final = 0.02
HALF_DAY_MINUTES: Final = 210

GIVEN_NAMES: Final = (
    "Zoé", "Léa", "Chloé", "Anaïs", "Inès", "Fatou", "Aïcha", "Maëlys", "Noémie", "Élodie", "Thérèse", "Ngoc", "Mariam", "Sofia", "Ana",
    "Théo", "Loïc", "Jérôme", "Mamadou", "Yanis", "Karim", "Joël", "Rémi", "Noël", "Duc", "Ivan", "José", "Samir", "Benoît", "François",
)  # fmt: skip
FAMILY_NAMES: Final = (
    "D'Angelo", "N'Diaye", "Le Goff", "Lefèvre", "Müller", "García", "Benali", "Traoré", "Nguyen", "Dupont", "Lemaître", "O'Brien",
    "Da Silva", "Petit-Jean", "Ait Ahmed", "Kowalski", "Haddad", "Rasoanaivo", "Bonnet", "Marchand", "Çelik", "Ferrière", "Diallo", "Roux",
)  # fmt: skip
TITLES: Final = {
    "certification": ("Agent de maintenance", "Assistant comptable", "Aide-soignant", "Soudeur", "Développeur web", "Cuisinier"),
    "professionalisation": ("Cariste", "Vente et conseil", "Préparateur de commandes"),
    "basic_skills": ("Compétences clés", "Français à visée professionnelle"),
    "remobilisation": ("Rebond vers l'emploi", "Prépa compétences"),
    "other": ("Création d'entreprise",),
}
OBJECTIVE_SHARES: Final = (0.45, 0.25, 0.14, 0.10, 0.06)
