"""The rates of the simulated world, each with its unit and source, or marked as ours."""

from __future__ import annotations

from typing import Final

TERRITORIES: Final = ("exemple-est", "exemple-nord", "exemple-ouest", "exemple-sud")
OPERATORS: Final = ("france-travail", "mission-locale", "cap-emploi", "cep")
OPERATOR_SHARES: Final = (0.55, 0.25, 0.08, 0.12)
PRESCRIBERS: Final = ("france_travail", "mission_locale", "cap_emploi", "cep", "region", "self", "other")
PRESCRIBER_SHARES: Final = (0.66, 0.0, 0.08, 0.09, 0.07, 0.08, 0.02)
PRESCRIBER_SHARES_YOUNG: Final = (0.38, 0.48, 0.03, 0.0, 0.05, 0.04, 0.02)
"""Missions locales serve 16 to 25 only."""

LEARNERS_PER_PROVIDER: Final = 250
LEARNERS_PER_SESSION: Final = 15
LEARNERS_PER_ADVISOR: Final = 60
ADVISOR_LEAVES: Final = 0.05
"""Share of advisors who leave in the period, one at least (ours)."""

# Who enters.
YOUNG_SHARE: Final = 0.30
"""Under 26 (ours)."""
WOMEN_SHARE: Final = 0.48
LEVEL_SHARES: Final = (0.02, 0.05, 0.11, 0.28, 0.27, 0.13, 0.11, 0.03)
"""EQF 0 to 7; 4 is the baccalauréat (ours)."""
UNKNOWN_SHARE: Final = 0.03
"""Share of missing values in what a person may leave out (ours)."""
WAIT_DAYS: Final = 45
"""Mean days from enrolment to entry; 52 in Poitou-Charentes in 2010."""
NO_SHOW: Final = 0.04
"""Enrolled, never came (ours)."""
COURSE_MONTHS: Final = (2, 3, 4, 5, 6, 9)
COURSE_SHARES: Final = (0.15, 0.25, 0.25, 0.15, 0.12, 0.08)
"""Mean a little above four months (Dares Analyses 2014-055)."""
PLACEMENT: Final = 0.35
"""Share of certifying and professionalising sessions with weeks in a company, halfway (ours)."""
OBJECTIVE_SHARES: Final = (0.45, 0.25, 0.14, 0.10, 0.06)

# What pulls people away, log-hazard. Signs and order from Dares Focus, November 2021: 12 % of the under-26s against 6 to 7 %, 15 % of
# those below the baccalauréat among them, women 9 and men 7, own initiative and distance protect. Sizes are set to give these shares.
PULL_YOUNG: Final = 0.75
PULL_OVER_50: Final = 0.12
PULL_BELOW_BAC: Final = 0.58
PULL_WOMAN: Final = 0.20
PULL_OWN_INITIATIVE: Final = -0.35
PULL_REMOTE: Final = -0.20
PULL_LONG_COMMUTE: Final = 0.25
LONG_COMMUTE: Final = 60
"""Minutes."""
PULL_BARRIER: Final = 0.35
PROVIDER_SPREAD: Final = 0.35
"""Standard deviation of quality between providers, log-hazard (ours)."""
SESSION_SPREAD: Final = 0.25
BARRIERS: Final = ("mobility", "housing", "money", "childcare", "content", "relations", "job_search")
BARRIER_SHARE: Final = 0.30
"""Share of learners with a lasting difficulty (ours)."""

# Leaving, by day. Levels are set so that about 8 % of entrants drop out, 12 % of the under-26s, 15 % of those below the baccalauréat
# among them, and about one early leaver in five goes to a job (Dares Focus, November 2021).
MOOD_MEMORY: Final = 0.975
"""Share of the mood of a day that is left on the next: a mood lasts about six weeks (ours)."""
MOOD_SPREAD: Final = 0.70
"""Standard deviation of the mood between learners, log-hazard (ours)."""
STARTS_AWAY: Final = 0.0135
"""Chance to be disengaging from the first day, for an average learner (ours)."""
DISENGAGES: Final = 0.000255
"""Daily chance to begin to disengage, for an average learner after the first weeks."""
RECOVERS: Final = 0.011
"""Daily chance to come back by oneself."""
DROPOUT_CALM: Final = 0.00003
DROPOUT_DISENGAGING: Final = 0.017
FRONT_LOADED: Final = 2.5
"""Disengaging is this many times likelier, on top, on the first day; it fades over 30 days (ours: no source says when people leave)."""
SILENT: Final = 0.05
"""Share of dropouts of which no exit row ever comes (ours)."""
EFFECT: Final = 0.6
"""A two-way contact multiplies the dropout hazard by about this on the day; it fades (ours: no trial gives it)."""
EFFECT_DAYS: Final = 21.0

SEARCHES: Final = 0.0035
"""Daily chance to begin to look for a job while in training; three times that at the planned end (ours)."""
STOPS_SEARCHING: Final = 0.03
FINDS: Final = 0.0012
"""Daily chance to find a job while looking for one, at level 3."""
FINDS_UNSOUGHT: Final = 0.00008
LEAVES_FOR_JOB: Final = 0.35
"""Daily chance to leave once a job is found: about three days of absence before (ours)."""
OTHER_TRAINING: Final = 0.00006
NEUTRAL: Final = 0.00008
"""Health, moving, exclusion, course cancelled, other: together."""
NEUTRAL_SHARES: Final = (0.4, 0.2, 0.15, 0.1, 0.15)
MOTIVES: Final = ("personal", "content", "relations", "money", "distance", "imposed")
MOTIVE_SHARES: Final = (0.32, 0.25, 0.17, 0.13, 0.08, 0.05)
"""Among leavers who gave one of these (Dares Focus, November 2021: 24, 19, 13, 10, 6 and 4 %)."""
MOTIVE_GIVEN: Final = 0.7

ANSWERS: Final = 0.66
"""Share who answer when asked, months after a course."""
ANSWERS_LESS: Final = 0.16
"""Less than that among the under-26s, and again among those who dropped out (ours: who answers is not everybody)."""

# Half-days.
ABSENT_CALM: Final = 0.030
ABSENT_DISENGAGING: Final = 0.48
ABSENT_FOR_JOB: Final = 0.55
"""Between finding a job and leaving."""
MOOD_SHOWS: Final = 0.55
"""Log-odds of absence per unit of mood."""
SPELL: Final = 0.006
"""Daily chance of a spell of absence that means nothing for dropout: illness, family, administration (ours)."""
SPELL_DAYS: Final = 4.0
JUSTIFIED: Final = 0.45
JUSTIFIED_SPELL: Final = 0.65
JUSTIFIED_DISENGAGING: Final = 0.12
JUSTIFIED_LATER: Final = 0.33
"""Share of justified absences first recorded as unjustified; justifications come within days, as a later layer."""
LATE: Final = 0.035
LEFT_EARLY: Final = 0.014
DISENGAGING_LATE: Final = 3.0
"""Times likelier to come late or leave early."""
EXEMPT: Final = 0.004
LATE_SHEET: Final = 0.10
NO_SHEET: Final = 0.02
HALF_DAY_MINUTES: Final = 210
