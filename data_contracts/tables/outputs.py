"""What a night hands out."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from data_contracts.tables.base import identifier
from data_contracts.vocabulary import ALERT_KIND, ALERT_STATE, PLACE_LEVEL, QUEUE

REASON: dy.Struct = dy.Struct(
    {
        "code": dy.String(description="Subject of the reason, or `rest`: all that is not named."),
        "feature": dy.String(nullable=True, description="The column that says most on this subject."),
        "value": dy.Float64(nullable=True, description="Its value that night, in the unit of the feature catalogue."),
        "contribution": dy.Float64(
            description="Share of the subject in the margin, log-odds; positive raises the risk, 0 is told beside or whatever does."
        ),
        "previous_value": dy.Float64(
            nullable=True, description="Its value seven days before, by what is known on the night; null where that is no measure."
        ),
    },
)


ALIKE: dy.Struct = dy.Struct(
    {
        "low": dy.Float64(description="Where the share of dropouts of such a session lies 95 times in a hundred, at one time of the year."),
        "high": dy.Float64(description="Upper end of the same."),
        "situations": dy.Int64(description="Landmarks of past enrolments whose risk was in the same band, followed to their end."),
        "dropouts": dy.Int64(description="Of these, followed by a dropout within the horizon."),
        "expected": dy.Float64(description="How many of these the risks had told."),
    },
    nullable=True,
    description="How far the risk may lie from what comes, and what became of people with such a risk; null where not known.",
)


OPTIONAL = ("risk_14", "risk_56", "positive_exit_risk", "alike", "protective")
"""Columns of the scores that older nights lack."""


class Scores(dy.Schema):
    """One enrolment in training on that night. base_value + the contributions of its reasons = margin."""

    as_of = dy.Date(primary_key=True, description="As-of date.")
    enrolment_id = identifier("The enrolment.", key=True)
    learner_id = identifier("Who.")
    session_id = identifier("On which session.")
    territory_id = identifier("Territory that follows the session.")
    horizon_days = dy.Int32(min=1, description="Days after as_of that the risk covers.")
    risk = dy.Float64(min=0, max=1, description="Calibrated probability of `dropout` within the horizon, under usual support.")
    risk_14 = dy.Float64(nullable=True, min=0, max=1, description="The same within 14 days; null from models that were not taught it.")
    risk_56 = dy.Float64(nullable=True, min=0, max=1, description="The same within 56 days; null from models that were not taught it.")
    positive_exit_risk = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Probability of leaving within the horizon for a job or another course; null where too few such exits were known.",
    )
    alike = ALIKE
    session_risk = dy.Float64(min=0, max=1, description="The same from the session and provider alone.")
    rule_flag = dy.Bool(description="True when a rule alone would call the learner: attendance, or work missed and then silence.")
    low_confidence = dy.Bool(description="True when too little is known for the score to weigh much.")
    base_value = dy.Float64(description="Margin of nobody in particular, log-odds.")
    margin = dy.Float64(description="Model output before calibration, log-odds.")
    reasons = dy.List(REASON, description="At most four subjects that raise the risk, facts beside them (weight 0), then `rest`.")
    protective = dy.List(REASON, nullable=True, description="At most two: the subjects that lower the risk most; part of `rest`.")
    model_version = dy.String(description="Which model.")
    feature_hash = dy.String(description="Fingerprint of the feature row it was computed from.")


def with_optional(scores: pl.DataFrame) -> pl.DataFrame:
    """Scores written before the contract gained an optional column, with that column empty."""
    columns = Scores.columns()
    return scores.with_columns(pl.lit(None, columns[name].dtype).alias(name) for name in OPTIONAL if name not in scores.columns)


class Alerts(dy.Schema):
    """A task for an advisor: owner, reason, action, deadline. Exactly one recipient or one queue."""

    alert_id = dy.String(primary_key=True, description="Same inputs, same identifier.")
    as_of = dy.Date(description="As-of date.")
    kind = dy.Enum(ALERT_KIND, description="A risk, or a promise of the service about to be missed.")
    enrolment_id = identifier("The enrolment.")
    learner_id = identifier("Whom to contact.")
    advisor_id = identifier("Who is asked to; null in a territory queue.", nullable=True)
    queue = dy.Enum(QUEUE, description="Owner, else backup, else the territory's queue.")
    rank = dy.Int32(min=1, description="Place on the recipient's list, best first.")
    priority = dy.Float64(description="What ranked it: higher first.")
    risk = dy.Float64(nullable=True, min=0, max=1, description="Calibrated risk, where a score exists.")
    reasons = dy.List(
        REASON,
        description="As in the scores, none for a promise to somebody whose risk is below what is listed; "
        "on a night without a model, the fact behind the rule, with contribution 1.",
    )
    suggested_action = dy.String(description="What to do, a code that config/ words.")
    due_on = dy.Date(description="Until when.")
    opened_on = dy.Date(description="Since when.")
    state = dy.Enum(ALERT_STATE, description="new and sent are on the list; the others are counted and visible.")

    @dy.rule()
    def an_advisor_or_the_territory_queue(cls) -> pl.Expr:  # noqa: D102 - the name is the message
        return (pl.col("queue") == "territory") == pl.col("advisor_id").is_null()


class SessionAlerts(dy.Schema):
    """A session to look at as a whole, told to one of those who follow people there, or to the territory's queue."""

    as_of = dy.Date(primary_key=True, description="As-of date.")
    session_id = identifier("The session.", key=True)
    recipient = dy.String(
        primary_key=True, description="Whose list tells it: an advisor's, or the territory queue's, `file-` and its name."
    )
    advisor_id = identifier("Who follows people there; null for those whom nobody does.", nullable=True)
    territory_id = identifier("Territory that follows the session.")
    level = dy.Enum(
        PLACE_LEVEL, description="Whether the provider or the programme is where the score is not proven above the session rate."
    )
    place = dy.String(description="Which provider, or programme.")
    people = dy.Int64(min=1, description="People in training there.")
    theirs = dy.Int64(min=1, description="Of these, followed by the recipient.")
    session_risk = dy.Float64(min=0, max=1, description="Probability of dropout within the horizon, from the session and provider alone.")
