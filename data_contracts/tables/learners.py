"""Who the learners are: what a model may read, what only an audit may read, what only an advisor may read."""

from __future__ import annotations

import dataframely as dy

from data_contracts.tables.base import Delivered, identifier, text
from data_contracts.vocabulary import PRESCRIBER


class Learners(Delivered):
    """Learners, pseudonymous. Source: prescribers and providers. Withheld on purpose: sex, address, nationality, family."""

    learner_id = identifier("Opaque identifier of the person, never a social security number.", key=True)
    birth_year = dy.Int32(nullable=True, min=1920, max=2020, description="Year of birth. For routing by age, never for a score.")
    education_level = dy.Int8(nullable=True, min=0, max=8, description="Highest level reached, European framework (EQF) 0 to 8.")
    jobseeker_since = dy.Date(nullable=True, description="First day of the present unemployment.")
    prescriber = dy.Enum(PRESCRIBER, description="Who referred the person to training.")
    own_initiative = dy.Bool(nullable=True, description="True when the person asked for the course; null when not known.")
    commute_minutes = dy.Int32(nullable=True, min=0, max=600, description="Travel time one way, minutes.")
    home_territory = identifier("Labour area of residence. Aggregation and routing only.", nullable=True)


class LearnerAudit(Delivered):
    """Protected attributes. Read by the fairness audit and the evaluation's fair comparison alone, never by an alert model."""

    learner_id = identifier("The learner.", key=True)
    sex = dy.Enum(("female", "male", "other"), nullable=True, description="Sex as recorded.")
    age_band = dy.String(nullable=True, max_length=16, description="Age band, such as 18-25.")
    disability = dy.Bool(nullable=True, description="Recognised disabled worker (RQTH): health data.")
    priority_area = dy.Bool(nullable=True, description="Lives in a priority urban district (QPV).")
    income_support = dy.Bool(nullable=True, description="Receives minimum income support (RSA).")


class LearnerIdentities(Delivered):
    """Names and ways to reach a person. Goes to the case store alone, never into the warehouse."""

    learner_id = identifier("The learner.", key=True)
    given_name = text("Given name.", max_length=200)
    family_name = text("Family name.", max_length=200)
    phone = dy.String(nullable=True, max_length=40, description="Phone number as the person gave it.")
    email = dy.String(nullable=True, max_length=254, description="E-mail address.")
    language = dy.String(nullable=True, max_length=16, description="Language the person prefers (BCP 47 tag).")
