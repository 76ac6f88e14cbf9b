"""Who could be called tonight, and for what: risks, and promises of the service about to be missed."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.routing import in_training, routes
from data_contracts.vocabulary import TWO_WAY

if TYPE_CHECKING:
    from alerts.facts import Facts
    from vigie.rules import Rules

PROMISE_WORTH: Final = 0.10
"""A promise due weighs like ten points of risk, on top of the learner's own risk: nobody waits behind a 2 % risk for an entry call."""
ACTION_OF_SUBJECT: Final = {
    "attendance": "call_about_absences",
    "punctuality": "call_about_absences",
    "trend": "ask_what_changed",
    "activity": "call_about_distance_work",
    "assessments": "check_workload",
    "contacts": "reach_by_other_means",
}
ACTION_OF_PROMISE: Final = {"no_owner": "find_owner", "entry_contact_due": "entry_call"}
ANY_ACTION: Final = "take_stock"


def candidates(facts: Facts, rules: Rules) -> pl.DataFrame:
    """Every reason to call somebody tonight, whatever the budget.

    Returns:
        kind, enrolment_id, learner_id, territory_id, advisor_id?, queue, risk?, reasons, priority, suggested_action, within_days
        (time left to act), entry_limit (the risk at which an alert is opened; null for promises).
    """
    people = in_training(facts).join(routes(facts), on="learner_id", how="left").with_columns(pl.col("queue").fill_null("territory"))
    scored = facts.scores.select("enrolment_id", "risk", "reasons")
    people = people.join(scored, on="enrolment_id", how="left").join(_last_spoken(facts), on="learner_id", how="left")
    free = pl.DataFrame(
        [
            (territory, rules.of(territory).minimum_risk, rules.of(territory).contact_within_days, rules.of(territory).promise_within_days)
            for territory in people["territory_id"].unique().to_list()
        ],
        schema={"territory_id": pl.String, "entry_limit": pl.Float64, "contact_within": pl.Int64, "promise_within": pl.Int64},
        orient="row",
    )
    people = people.join(free, on="territory_id")
    return pl.concat([_risks(people, rules), _unowned(people, facts, rules), _entry_contacts(people, facts, rules)])


def _last_spoken(facts: Facts) -> pl.DataFrame:
    spoken = facts.contacts.filter(pl.col("outcome").cast(pl.String).is_in(TWO_WAY))
    return spoken.group_by("learner_id").agg(spoken_on=pl.col("occurred_at").max().dt.date())


def _risks(people: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    # Down to keep_share of the limit: an alert already open stays until there, so that a case does not flicker in and out.
    near = people.filter(pl.col("risk") >= pl.col("entry_limit") * rules.invariants.keep_share)
    subject = pl.col("reasons").list.first().struct.field("code")
    action = subject.replace_strict(ACTION_OF_SUBJECT, default=ANY_ACTION, return_dtype=pl.String)
    return _rows(near, "dropout_risk", pl.col("risk"), action.fill_null(ANY_ACTION), "contact_within", pl.col("entry_limit"))


def _unowned(people: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    """No valid assignment to an advisor in post, from a few days before owner_within_days are over (domain facts, section 0, point 1).

    A backup takes the calls of an owner who left and does not become one: the territory's queue names the next owner.
    """
    since = (pl.lit(facts.as_of) - pl.col("entry_date")).dt.total_days()
    unowned = people.filter(pl.col("queue") != "owner", since >= rules.invariants.owner_within_days - rules.invariants.promise_warning_days)
    return _promise(unowned.with_columns(advisor_id=pl.lit(None, pl.String), queue=pl.lit("territory")), "no_owner")


def _entry_contacts(people: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    """Due from a few days before the delay to twice the delay: a promise long broken is counted by the indicators, not nagged about."""
    within = rules.invariants.entry_contact_within_days
    since = (pl.lit(facts.as_of) - pl.col("entry_date")).dt.total_days()
    spoken = pl.col("spoken_on") >= pl.col("enrolled_on")
    due = people.filter(since.is_between(within - rules.invariants.promise_warning_days, 2 * within), ~spoken.fill_null(value=False))
    return _promise(due, "entry_contact_due")


def _promise(people: pl.DataFrame, kind: str) -> pl.DataFrame:
    worth = PROMISE_WORTH + pl.col("risk").fill_null(0.0)
    return _rows(people, kind, worth, pl.lit(ACTION_OF_PROMISE[kind]), "promise_within", pl.lit(None, pl.Float64))


def _rows(people: pl.DataFrame, kind: str, priority: pl.Expr, action: pl.Expr, within: str, limit: pl.Expr) -> pl.DataFrame:
    return people.select(
        "enrolment_id",
        "learner_id",
        "territory_id",
        "advisor_id",
        "queue",
        "risk",
        "reasons",
        "spoken_on",
        kind=pl.lit(kind),
        priority=priority,
        suggested_action=action,
        within_days=pl.col(within),
        entry_limit=limit,
    )


def week_start(day: dt.date) -> dt.date:
    """Monday of the ISO week of `day`: budgets are counted from there."""
    return day - dt.timedelta(days=day.weekday())
