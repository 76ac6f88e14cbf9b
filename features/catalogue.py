"""All features, in the one order the matrix has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from features.families.activity import ACTIVITY
from features.families.assessments import ASSESSMENTS
from features.families.attendance import ATTENDANCE
from features.families.contacts import CONTACTS
from features.families.course import COURSE
from features.families.learner import LEARNER
from features.families.session import SESSION

if TYPE_CHECKING:
    from features.declaration import Family, Feature

FAMILIES: Final[tuple[Family, ...]] = (COURSE, ATTENDANCE, ACTIVITY, ASSESSMENTS, CONTACTS, SESSION, LEARNER)
FEATURES: Final[dict[str, Feature]] = {feature.name: feature for family in FAMILIES for feature in family.features}
