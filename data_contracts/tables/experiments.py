"""What experiments fix before the data come, and what each night records of them."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from data_contracts.tables.base import identifier, text
from data_contracts.vocabulary import ALERT_KIND, TREATMENT, UNIT


class Plans(dy.Schema):
    """A frozen plan: appended once, never changed. Its hash is what lists, arms and reports refer to."""

    experiment_id = identifier("The experiment: name of its file in config/experiments.", key=True)
    plan_hash = dy.String(regex=r"^[0-9a-f]{64}$", description="SHA-256 of the plan's canonical JSON.")
    plan = text("The plan as canonical JSON: sorted keys, no blanks, UTF-8.")
    analysis_hash = dy.String(regex=r"^[0-9a-f]{64}$", description="SHA-256 of the pre-analysis plan.")
    analysis = text("The pre-analysis plan, as published (Markdown).")
    frozen_at = dy.Datetime(time_zone="UTC", time_unit="us", description="When it was frozen (UTC).")
    rehearsal = dy.Bool(description="True when it was frozen on past data: an exercise, never evidence.")


class Arms(dy.Schema):
    """The arm of one unit: appended before its first list, never changed. No advisor ever reads it."""

    experiment_id = identifier("The experiment.", key=True)
    unit_id = identifier("The learner, session, provider or territory.", key=True)
    unit = dy.Enum(UNIT, description="What was randomised.")
    stratum = dy.String(description="Within which the draw is balanced; empty when there is one.")
    arm = text("Name of the arm; for a stepped wedge, the step.", max_length=64)
    treatment = dy.Enum(
        TREATMENT, description="held_out: no risk alert; first: risk alerts stand higher on the list; usual: nothing changes."
    )
    allocated_on = dy.Date(description="As-of date of the night before whose list the draw was made: time zero.")
    applies_from = dy.Date(description="First as-of date on which the treatment holds.")
    applies_until = dy.Date(nullable=True, description="Last such date; null while no end is set.")
    risk = dy.Float64(nullable=True, min=0, max=1, description="Risk on the day of the draw, for learners who had a score.")
    plan_hash = dy.String(regex=r"^[0-9a-f]{64}$", description="The frozen plan it follows from.")

    @dy.rule()
    def nobody_is_treated_before_the_draw(cls) -> pl.Expr:  # noqa: D102 - the name is the message
        return pl.col("applies_from") >= pl.col("allocated_on")


class ArmOverrides(dy.Schema):
    """Somebody kept off the risk list whom the service called all the same: they asked, or a promise was due."""

    as_of = dy.Date(primary_key=True, description="As-of date.")
    experiment_id = identifier("The experiment.", key=True)
    enrolment_id = identifier("The enrolment.", key=True)
    kind = dy.Enum(ALERT_KIND, primary_key=True, description="What went before the arm.")


class TrainingWeights(dy.Schema):
    """What each scored enrolment weighs for a model of the risk when nobody acts on the alert."""

    as_of = dy.Date(primary_key=True, description="As-of date of the score.")
    enrolment_id = identifier("The enrolment.", key=True)
    weight = dy.Float64(min=0, description="0 where an alert was followed by a contact within the horizon; else 1 over the chance of none.")
    held_out = dy.Bool(description="True when an arm kept the enrolment off the risk list that night: its label is clean by design.")
