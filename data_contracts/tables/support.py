"""Who looks after whom, what they did, and what became of the person."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from data_contracts.tables.base import Delivered, identifier, text
from data_contracts.vocabulary import BARRIER, CHANNEL, CONTACT_OUTCOME, DIRECTION, PURPOSE, SITUATION


class Contacts(Delivered):
    """Attempts and conversations. `cancelled_by_service` is not the learner's no-show."""

    contact_id = identifier("The contact.", key=True)
    learner_id = identifier("With whom.")
    advisor_id = identifier("By whom, when known.", nullable=True)
    occurred_at = dy.Datetime(time_zone="UTC", time_unit="us", description="When (UTC).")
    channel = dy.Enum(CHANNEL, description="By which means.")
    direction = dy.Enum(DIRECTION, description="outbound: the service called; inbound: the learner did.")
    outcome = dy.Enum(CONTACT_OUTCOME, description="What came of it.")
    purpose = dy.Enum(PURPOSE, nullable=True, description="What it was for.")
    barrier = dy.Enum(BARRIER, nullable=True, description="Difficulty named by the learner.")


class Advisors(Delivered):
    """Advisors of every operator. Name and e-mail go to the case store; the warehouse keeps the rest."""

    advisor_id = identifier("The advisor.", key=True)
    name = text("Name shown to colleagues.", max_length=200)
    email = text("Work e-mail.", max_length=254)
    operator = identifier("The organisation they work for.")
    territory_id = identifier("Territory they serve.")
    weekly_capacity = dy.Int32(min=0, max=1000, description="New people they can contact in a week.")
    active_from = dy.Date(description="First day of service.")
    active_to = dy.Date(nullable=True, description="Last day of service; null = still there.")
    backup_advisor_id = identifier("Who takes over when they cannot.", nullable=True)


class Assignments(Delivered):
    """Who owns a case, and when. In training many learners have no row at all: nobody owns them."""

    learner_id = identifier("The learner.", key=True)
    valid_from = dy.Date(primary_key=True, description="First day of this ownership.")
    advisor_id = identifier("The owner.")
    valid_to = dy.Date(nullable=True, description="Last day; null = still owner.")

    @dy.rule()
    def ownership_ends_on_or_after_its_start(cls) -> pl.Expr:  # noqa: D102 - the name is the message
        return pl.col("valid_to").is_null() | (pl.col("valid_to") >= pl.col("valid_from"))


class Followups(Delivered):
    """Situation after the course, as asked or declared."""

    enrolment_id = identifier("The enrolment that ended.", key=True)
    observed_on = dy.Date(primary_key=True, description="Day the situation was observed.")
    months_after_exit = dy.Int32(min=0, max=120, description="Months since the exit.")
    situation = dy.Enum(SITUATION, description="Situation that day; long_job is 6 months or more.")
