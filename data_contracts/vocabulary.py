"""The closed lists of contracts.md, as the deliveries spell them."""

from __future__ import annotations

from typing import Final, get_args

from vigie.rules import AlertKind

PRESCRIBER: Final = ("france_travail", "mission_locale", "cap_emploi", "apec", "cep", "region", "opco", "self", "other")
MODE: Final = ("onsite", "remote", "mixed")
ENTRY: Final = ("fixed", "rolling")
OBJECTIVE: Final = ("certification", "professionalisation", "basic_skills", "remobilisation", "other")
HALF_DAY: Final = ("am", "pm", "day")
ATTENDANCE_STATUS: Final = (
    "present",
    "late",
    "left_early",
    "absent_unjustified",
    "absent_justified",
    "exempt",
    "not_expected",
    "not_recorded",
)
EXIT_REASON: Final = (
    "completed",
    "dropout",
    "job",
    "other_training",
    "health",
    "moved",
    "excluded",
    "cancelled_by_provider",
    "no_show",
    "other",
)
CHANNEL: Final = ("phone", "sms", "email", "post", "video", "in_person", "group", "other")
DIRECTION: Final = ("outbound", "inbound")
CONTACT_OUTCOME: Final = (
    "reached",
    "left_message",
    "no_answer",
    "wrong_details",
    "sent",
    "kept",
    "no_show",
    "excused",
    "cancelled_by_service",
    "unknown",
)
PURPOSE: Final = ("entry", "motivation", "mediation", "barrier", "job_search", "follow_up", "other")
BARRIER: Final = (
    "mobility",
    "housing",
    "health",
    "money",
    "admin",
    "family",
    "childcare",
    "content",
    "relations",
    "job_search",
    "other",
)
SITUATION: Final = (
    "permanent_job",
    "long_job",
    "short_job",
    "own_business",
    "apprenticeship",
    "qualifying_training",
    "other_training",
    "job_seeking",
    "inactive",
    "unknown",
)
ALERT_KIND: Final = get_args(AlertKind)
QUEUE: Final = ("owner", "backup", "territory")
ALERT_STATE: Final = ("new", "repeat_suppressed", "over_capacity", "held_out", "sent")
UNIT: Final = ("learner", "session", "provider", "territory")
TREATMENT: Final = ("usual", "held_out", "first")

ATTENDED: Final = ("present", "late", "left_early")
"""Statuses in which the learner came."""
TWO_WAY: Final = ("reached", "kept")
"""Contact outcomes in which both sides spoke. A group session or a message sent is not one."""
UNANSWERED: Final = ("no_answer", "left_message")
"""Outcomes of an attempt of the service that found nobody."""
PLACE_LEVEL: Final = ("provider", "programme")
"""Kinds of places in which a score is held against the session rate."""
LISTED: Final = ("new", "sent")
"""States of alerts that stand on a list."""
IN_WORK: Final = ("permanent_job", "long_job", "short_job", "own_business", "apprenticeship")
"""Situations of somebody who works."""
POSITIVE_EXITS: Final = ("job", "other_training")
"""Exits that succeeded: never a dropout."""
NEVER_STARTED: Final = "no_show"
