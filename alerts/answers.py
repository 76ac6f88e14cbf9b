"""What advisors wrote down by day, as deliveries for the next night: nobody types twice."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import polars as pl

from alerts.facts import local_day
from data_contracts.tables.support import Assignments, Contacts


class Term(NamedTuple):
    """What an answer says in the terms of the contract `contacts`."""

    outcome: str
    purpose: str


AS_CONTACT: Final = {
    "reached": Term("reached", "motivation"),
    "no_answer": Term("no_answer", "motivation"),
    "wrong_details": Term("wrong_details", "motivation"),
    "appointment_set": Term("reached", "follow_up"),
    # With the provider, not with the learner: no two-way contact.
    "mediation": Term("sent", "mediation"),
    "barrier_referred": Term("reached", "barrier"),
    "job_search_step": Term("reached", "job_search"),
    "found_job": Term("reached", "job_search"),
    "left_alone": Term("reached", "other"),
}
"""Answers that tell of an attempt or a conversation; the others say that no call was needed."""


def said(field: Literal["outcome", "purpose"]) -> pl.Expr:
    """Of actions, what the answer says in this field of the contract `contacts`; null where no call was needed."""
    terms = {code: getattr(term, field) for code, term in AS_CONTACT.items()}
    return pl.col("code").replace_strict(terms, default=None, return_dtype=pl.String)


def as_contacts(actions: pl.DataFrame) -> pl.DataFrame:
    """Actions (columns of the table `actions`) as rows of the contract `Contacts`, known from the moment they were written down."""
    purpose = said("purpose")
    # An entry call that reaches the learner keeps that promise.
    entry = (pl.col("kind") == "entry_contact_due").fill_null(value=False) & (purpose == "motivation")
    rows = actions.filter(pl.col("code").is_in(list(AS_CONTACT))).select(
        contact_id=pl.format("vigie-{}", "action_id"),
        learner_id="learner_id",
        advisor_id="advisor_id",
        occurred_at="at",
        channel="channel",
        direction=pl.lit("outbound"),
        outcome=said("outcome"),
        purpose=pl.when(entry).then(pl.lit("entry")).otherwise(purpose),
        barrier="barrier",
        known_on="at",
        known_on_assumed=pl.lit(value=False),
        withdrawn=pl.lit(value=False),
    )
    return Contacts.validate(rows.select(Contacts.column_names()), cast=True).sort("contact_id")


def as_assignments(moves: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Cases taken or handed over (columns of the table `moves`) as rows of the contract `Assignments`; the last move of a day holds."""
    rows = moves.filter(pl.col("to_advisor_id").is_not_null()).select(
        learner_id="learner_id",
        valid_from=local_day("at", time_zone),
        advisor_id="to_advisor_id",
        valid_to=pl.lit(None, pl.Date),
        known_on="at",
        known_on_assumed=pl.lit(value=False),
        withdrawn=pl.lit(value=False),
    )
    return Assignments.validate(rows.select(Assignments.column_names()), cast=True).sort("learner_id", "valid_from", "known_on")
