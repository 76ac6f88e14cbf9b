"""Courses, who is on them, and how they left."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from data_contracts.tables.base import Delivered, identifier, text
from data_contracts.vocabulary import ENTRY, EXIT_REASON, MODE, OBJECTIVE


class Providers(Delivered):
    """Training providers (organismes de formation)."""

    provider_id = identifier("The provider.", key=True)
    name = text("Name shown to advisors.", max_length=200)
    siret = dy.String(nullable=True, regex=r"^\d{14}$", description="SIRET, 14 digits, text: leading zeros matter.")
    territory_id = identifier("Territory in which it works.")


class Sessions(Delivered):
    """One dated run of a course at one provider. With rolling entry, each learner has a start of their own."""

    session_id = identifier("The session.", key=True)
    provider_id = identifier("Who runs it.")
    programme_id = identifier("The course of which this is one run.")
    title = text("Title shown to advisors.", max_length=300)
    domain = dy.String(nullable=True, regex=r"^\d{5}$", description="Formacode, 5 digits.")
    territory_id = identifier("Territory that follows the session.")
    start_date = dy.Date(description="First day.")
    end_date = dy.Date(description="Last planned day.")
    planned_minutes = dy.Int32(min=0, description="Planned length of the course, minutes.")
    mode = dy.Enum(MODE, description="Where it takes place.")
    entry = dy.Enum(ENTRY, description="Fixed: all start together. Rolling: each on a day of their own.")
    objective = dy.Enum(OBJECTIVE, description="What the course is for.")
    funder = dy.String(nullable=True, max_length=64, description="Who pays.")

    @dy.rule()
    def session_ends_on_or_after_its_start(cls) -> pl.Expr:  # noqa: D102 - the name is the message
        return pl.col("end_date") >= pl.col("start_date")


class Enrolments(Delivered):
    """A person on a session. entry_date null: not started yet, or never came."""

    enrolment_id = identifier("The enrolment.", key=True)
    learner_id = identifier("Who.")
    session_id = identifier("On which session.")
    enrolled_on = dy.Date(description="Day of enrolment.")
    entry_date = dy.Date(nullable=True, description="First day of presence; null = not yet, or never came.")
    planned_exit_date = dy.Date(description="Last planned day for this person.")

    @dy.rule()
    def planned_exit_is_on_or_after_entry(cls) -> pl.Expr:  # noqa: D102 - the name is the message
        return pl.col("entry_date").is_null() | (pl.col("planned_exit_date") >= pl.col("entry_date"))


class Exits(Delivered):
    """How an enrolment ended. `dropout` = left before the end without a positive reason; a job is not a dropout."""

    enrolment_id = identifier("The enrolment that ended.", key=True)
    exit_date = dy.Date(description="Day of the exit on paper; often days after the last presence.")
    reason = dy.Enum(EXIT_REASON, description="completed, dropout, positive (job, other_training), no_show, or neutral.")
    dropout_motive = dy.String(nullable=True, max_length=64, description="Motive given, a code; never a medical one.")
