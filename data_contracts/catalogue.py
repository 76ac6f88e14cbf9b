"""The list of delivered tables and what ingest must know of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from data_contracts.tables.learners import LearnerAudit, LearnerIdentities, Learners
from data_contracts.tables.presence import Activity, Assessments, Attendance
from data_contracts.tables.support import Advisors, Assignments, Contacts, Followups
from data_contracts.tables.training import Enrolments, Exits, Providers, Sessions

if TYPE_CHECKING:
    from data_contracts.tables.base import Delivered

OWN_COLUMNS = ("known_on", "known_on_assumed", "withdrawn")
"""Columns a delivery may leave out: the service fills them."""


@dataclass(frozen=True)
class DeliveredTable:
    """A canonical table: its contract, the date of its facts, and the columns that name a person."""

    name: str
    schema: type[Delivered]
    fact_dates: tuple[str, ...] = ()
    """Columns that date the fact, the latest known first; none means a fact that was always so."""
    private: tuple[str, ...] = ()
    """Columns for the case store alone."""

    @property
    def key(self) -> list[str]:
        """Columns that name a fact; with `known_on` they name one layer of it."""
        return [column for column in self.schema.primary_key() if column != "known_on"]

    @property
    def public(self) -> list[str]:
        """Columns the warehouse keeps."""
        return [column for column in self.schema.column_names() if column not in self.private]

    @property
    def in_warehouse(self) -> bool:
        """False for a table of which every fact is private."""
        return set(self.public) > {*self.key, *OWN_COLUMNS}


TABLES: dict[str, DeliveredTable] = {
    table.name: table
    for table in (
        DeliveredTable("learners", Learners),
        DeliveredTable("learner_audit", LearnerAudit),
        DeliveredTable("providers", Providers),
        DeliveredTable("sessions", Sessions),
        DeliveredTable("enrolments", Enrolments, fact_dates=("entry_date", "enrolled_on")),
        # After enrolments: whoever enrols anew once their names were gone by age is named again.
        DeliveredTable("learner_identities", LearnerIdentities, private=("given_name", "family_name", "phone", "email", "language")),
        DeliveredTable("exits", Exits, fact_dates=("exit_date",)),
        DeliveredTable("attendance", Attendance, fact_dates=("date",)),
        DeliveredTable("activity", Activity, fact_dates=("date",)),
        DeliveredTable("assessments", Assessments, fact_dates=("submitted_on", "due_date")),
        DeliveredTable("contacts", Contacts, fact_dates=("occurred_at",)),
        DeliveredTable("advisors", Advisors, fact_dates=("active_from",), private=("name", "email")),
        DeliveredTable("assignments", Assignments, fact_dates=("valid_from",)),
        DeliveredTable("followups", Followups, fact_dates=("observed_on",)),
    )
}
