"""Who could be called tonight, and for what: risks, promises of the service about to be missed, and people who asked to be called."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.actions import FIRST_DAYS, IN_TRAINING, OF_PROMISE, days_left, for_promises, for_risks, for_rules, service_is_heard
from alerts.promises import promises, requests, spoken, unreached
from alerts.routing import in_training, routed, to_come, with_territory
from alerts.signs import days_since_entry, gone
from alerts.silence import silenced, told_of_a_job
from alerts.wording import HIGH_RISK, STILL_THERE

if TYPE_CHECKING:
    from alerts.facts import Facts
    from vigie.rules import Rules

REQUEST_FIRST: Final = 1_000.0
"""A person's own request stands before anything an estimate says."""
PUT_FIRST: Final = 3.0
"""What the priority of a risk alert is multiplied by where an experiment puts it higher on the list: promises and requests keep theirs."""
MINUTES: Final = 60
WITHOUT_A_FACT: Final = 2.0
"""How many times the limit a risk must be, past the first days, to open an alert that no fact explains: a call is about something."""
PERSON: Final = ("enrolment_id", "learner_id", "territory_id", "advisor_id", "queue", "risk", "reasons", "spoken_on")


def candidates(facts: Facts, rules: Rules) -> pl.DataFrame:
    """Every reason to call somebody tonight, whatever the budget.

    Priority is what an hour of work can do: points of risk that a call addresses, per hour of the work it asks for. A promise at its
    delay weighs as much as the lowest risk that is listed, on top of the learner's own. The effect of a call is taken as the same for all
    until an experiment showed more and somebody decided to rank by it (`facts.avoided`).

    Returns:
        kind, enrolment_id, learner_id, territory_id, advisor_id?, queue, risk?, reasons, priority, suggested_action, within_days
        (time left to act), opens (False where only an alert that is open already stays), urgent (a high risk, or who may have left).
    """
    training = _with_support(in_training(facts), facts, rules)
    after = _with_support(ended(facts, rules), facts, rules)
    known = pl.concat([training.select("learner_id"), after.select("learner_id")])
    before = _with_support(to_come(facts).join(known, on="learner_id", how="anti"), facts, rules)
    everybody = pl.concat([training, after, before], how="diagonal")
    owed = pl.concat(
        [promises(training, after, facts, rules.invariants), requests(everybody, facts, rules.invariants)],
        how="diagonal",
    )
    # No owner is looked for once, by the territory; the backup of an owner who left takes the calls and does not become one.
    queued = pl.col("kind") == "no_owner"
    owed = owed.with_columns(
        advisor_id=pl.when(~queued).then("advisor_id"), queue=pl.when(queued).then(pl.lit("territory")).otherwise("queue")
    )
    hard = unreached(facts)
    risks = _risks(training, hard, facts, rules) if facts.by_rule is None else _ruled(training, facts.by_rule, facts, rules)
    found = pl.concat([risks, _owed(owed, hard, facts, rules)]).with_columns(opens=pl.col("opens") & ~over_when_read(facts))
    found = found.filter(~silenced(facts, rules.invariants))
    # Where it is first asked whether somebody is still there, nobody is to be found yet who looks after them.
    checks = found.filter(pl.col("kind") == "dropout_risk", pl.col("suggested_action") == STILL_THERE, "opens")
    asked = checks.join(facts.held_out, on="enrolment_id", how="anti")["enrolment_id"].implode()
    return found.filter((pl.col("kind") != "no_owner") | ~pl.col("enrolment_id").is_in(asked))


def ended(facts: Facts, rules: Rules) -> pl.DataFrame:
    """Enrolments that ended of late and whose learner has not entered another course: with ended_on, reason?, observed_on? (follow-up).

    Somebody who told their advisor of a job ended then, for the promises, even before the provider says so.
    """
    invariants = rules.invariants
    latest = 2 * max(invariants.post_exit_within_days, invariants.positive_exit_within_days) + invariants.alert_expires_days
    first = facts.as_of - dt.timedelta(days=latest)
    known = facts.exits.filter(pl.col("exit_date") <= facts.as_of).select(
        "enrolment_id", "exit_date", reason=pl.col("reason").cast(pl.String)
    )
    told = told_of_a_job(facts.said.answers)
    past = facts.enrolments.filter(pl.col("entry_date") <= facts.as_of)
    rows = past.join(known, on="enrolment_id", how="left").join(told, on="enrolment_id", how="left")
    over = pl.when(pl.col("planned_exit_date") < facts.as_of).then("planned_exit_date")
    rows = rows.with_columns(
        ended_on=pl.coalesce("exit_date", "told_on", over),
        reason=pl.when(pl.col("exit_date").is_null() & pl.col("told_on").is_not_null()).then(pl.lit("job")).otherwise("reason"),
    ).filter(pl.col("ended_on").is_between(first, facts.as_of), (pl.col("reason") != "no_show").fill_null(value=True))
    elsewhere = in_training(facts).join(told, on="enrolment_id", how="anti").select("learner_id")
    seen = facts.followups.group_by("enrolment_id").agg(pl.col("observed_on").max())
    rows = rows.join(elsewhere, on="learner_id", how="anti").join(seen, on="enrolment_id", how="left")
    return with_territory(rows.drop("exit_date", "told_on"), facts.sessions)


def _with_support(people: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    scored = facts.scores.select("enrolment_id", "risk", "reasons", "low_confidence", gone=gone(rules.invariants.silence_days))
    supported = routed(people, facts, rules).join(scored, on="enrolment_id", how="left").join(spoken(facts), on="learner_id", how="left")
    return supported.with_columns(pl.col("gone").fill_null(value=False))


def _risks(training: pl.DataFrame, hard: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    people = training.join(_free(training, rules), on="territory_id").with_columns(heard=service_is_heard())
    # Down to keep_share of the limit: an alert already open stays until there, so that a case does not flicker in and out.
    near = people.filter((pl.col("risk") >= pl.col("entry_limit") * rules.invariants.keep_share) | pl.col("gone"))
    near = near.join(facts.avoided, on="enrolment_id", how="left", maintain_order="left")
    near = for_risks(near, hard, facts, rules.invariants)
    time_to_act = (days_left(facts) / pl.col("contact_within")).clip(0, 1)
    invited = pl.when(pl.col("enrolment_id").is_in(facts.put_first["enrolment_id"].implode())).then(PUT_FIRST).otherwise(1.0)
    # In the place of the risk and on its scale: promises keep their weight beside it.
    scale = pl.col("risk").filter(pl.col("avoided").is_not_null()).mean() / pl.col("avoided").mean()
    points = pl.when(pl.col("avoided").mean() > 0).then(pl.coalesce(pl.col("avoided") * scale, "risk")).otherwise("risk")
    # Of who may have left nothing is estimated: whatever number there is, they weigh as much as the lowest risk that is listed.
    points = pl.when("gone").then(pl.max_horizontal(points, "entry_limit")).otherwise(points)
    # To ask a provider whether somebody still comes takes no longer than to make sure of what became of them.
    minutes = pl.when("gone").then("positive_exit_check").otherwise("dropout_risk")
    worth = points * time_to_act * MINUTES / minutes * invited
    return near.select(
        *PERSON,
        kind=pl.lit("dropout_risk"),
        priority=worth,
        suggested_action="suggested_action",
        within_days="contact_within",
        opens=founded(pl.col("risk"), pl.col("entry_limit"), days_since_entry(facts.as_of)) | pl.col("gone"),
        urgent=(pl.col("risk") >= HIGH_RISK) | pl.col("gone"),
    )


def founded(risk: pl.Expr, limit: pl.Expr, since: pl.Expr) -> pl.Expr:
    """True of a risk from the limit on that a fact explains, that is far above it, or of somebody who entered a week ago or less.

    Args:
        risk: of dropout.
        limit: from which on somebody is listed.
        since: days since the entry.

    Over `reasons`; what is told beside a reason explains nothing.
    """
    told = pl.col("reasons").list.eval((pl.element().struct.field("code") != "rest") & (pl.element().struct.field("contribution") > 0))
    enough = pl.min_horizontal(limit * WITHOUT_A_FACT, pl.lit(HIGH_RISK))
    return (risk >= limit) & (told.list.any().fill_null(value=False) | (risk >= enough) | (since <= FIRST_DAYS))


def over_when_read(facts: Facts) -> pl.Expr:
    """True of what is asked for in a course that is over by the end of the first working day on which the list is read.

    Nothing of it opens; what is open stays so without being listed, as the course may be prolonged.
    """
    ends = facts.enrolments.filter(pl.col("planned_exit_date") <= facts.read_on)["enrolment_id"]
    return pl.col("kind").is_in((*IN_TRAINING, "dropout_risk", "no_owner")) & pl.col("enrolment_id").is_in(ends.implode())


def _ruled(training: pl.DataFrame, by_rule: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    """On a night without scores: whom a rule calls, and who stood on the risk list the night before, so that nobody falls off for it.

    Nothing is estimated: a person weighs as much as the lowest risk that is listed, as many times as the rule holds.
    """
    last = facts.past.filter(pl.col("as_of") == pl.col("as_of").max(), pl.col("kind") == "dropout_risk")
    stood = last.select("enrolment_id", stood=pl.lit(value=True)).unique()
    people = training.drop("reasons").join(by_rule, on="enrolment_id", how="left").join(stood, on="enrolment_id", how="left")
    people = people.filter(pl.col("strength").is_not_null() | pl.col("stood").is_not_null()).join(_free(training, rules), on="territory_id")
    return people.select(
        *PERSON,
        kind=pl.lit("dropout_risk"),
        priority=pl.col("entry_limit") * pl.col("strength").fill_null(1.0) * MINUTES / pl.col("dropout_risk"),
        suggested_action=for_rules(),
        within_days="contact_within",
        opens=pl.col("strength").is_not_null(),
        urgent=pl.lit(value=False),
    )


def _owed(owed: pl.DataFrame, hard: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    people = owed.join(_free(owed, rules), on="territory_id").join(hard, on="learner_id", how="left", maintain_order="left")
    minutes = pl.coalesce(pl.when(pl.col("kind") == kind).then(kind) for kind in OF_PROMISE)
    # A risk below what is listed is no reason to call, and neither are its facts.
    listed = pl.col("risk") >= pl.col("entry_limit")
    worth = (pl.col("risk").fill_null(0.0) + pl.col("entry_limit") * pl.col("late")) * MINUTES / minutes
    first = pl.when(pl.col("kind") == "learner_request").then(REQUEST_FIRST).otherwise(0.0)
    # Those of a risk below the list still tell who may have left: then no number is told of them.
    return people.with_columns(suggested_action=for_promises(facts), reasons=pl.when(listed | pl.col("gone")).then("reasons")).select(
        *PERSON,
        kind="kind",
        priority=first + worth,
        suggested_action="suggested_action",
        within_days="promise_within",
        opens="opens",
        urgent=pl.lit(value=False),
    )


def _free(people: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """What each territory leaves to itself: limits, delays, and the minutes of each kind of task."""
    rows = [
        {
            "territory_id": territory,
            "entry_limit": free.minimum_risk,
            "contact_within": free.contact_within_days,
            "promise_within": free.promise_within_days,
            **free.minutes,
        }
        for territory in people["territory_id"].unique().to_list()
        for free in [rules.of(territory)]
    ]
    names = {"territory_id": pl.String, "entry_limit": pl.Float64, "contact_within": pl.Int64, "promise_within": pl.Int64}
    return pl.DataFrame(rows, schema={**names, **dict.fromkeys(rules.default.minutes, pl.Int64)})
