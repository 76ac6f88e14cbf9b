"""From candidates to tasks: what is already open, what must wait, and what fits the week. Pure functions of what is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from alerts.candidates import candidates, week_start
from alerts.routing import with_territory
from data_contracts.tables.outputs import Alerts

if TYPE_CHECKING:
    import dataframely as dy

    from alerts.facts import Facts
    from vigie.rules import Rules

LISTED = ("new", "sent")
"""States of alerts that stand on a list."""


def decide(facts: Facts, rules: Rules) -> dy.DataFrame[Alerts]:
    """Tonight's alerts: the same facts give the same rows in the same order.

    - An alert opened on an earlier night and still standing is carried over (`sent`): same identifier, no budget.
    - It ends when it expires, when someone has spoken with the learner since, or when the risk falls below keep_share of its limit; then
      the same kind is not raised again for that enrolment within the cool-down (`repeat_suppressed`).
    - Nobody spoken with in the last days gets a new risk alert: the case is in hand.
    - Held-out enrolments get no risk alert (`held_out`); promises are kept to everybody.
    - What is left is ranked by priority within each recipient and fills what remains of the week's budget of new people (`new`); the
      rest is `over_capacity`: counted, visible, never dropped.
    """
    found = candidates(facts, rules)
    history = _history(facts, rules)
    joined = found.join(history, on=["kind", "enrolment_id"], how="left").with_columns(
        recipient=pl.coalesce("advisor_id", pl.format("territory {}", "territory_id"))
    )
    standing = _standing(joined, facts, rules)
    budgeted = _within_budget(standing, facts, rules)
    return _as_alerts(budgeted, facts)


def _history(facts: Facts, rules: Rules) -> pl.DataFrame:
    past = facts.past
    opened = past.filter(pl.col("state") == "new").group_by("kind", "enrolment_id").agg(first_opened=pl.col("opened_on").max())
    open_then = past.filter(pl.col("as_of") == pl.col("as_of").max(), pl.col("state").is_in(LISTED)).select(
        "kind", "enrolment_id", was_open=pl.lit(value=True)
    )
    age = (pl.lit(facts.as_of) - pl.col("first_opened")).dt.total_days()
    return opened.join(open_then, on=["kind", "enrolment_id"], how="left").with_columns(
        was_open=pl.col("was_open").fill_null(value=False) & (age < rules.invariants.alert_expires_days),
        cooling=age < rules.invariants.cool_down_days,
    )


def _standing(joined: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    risk_alert = pl.col("kind") == "dropout_risk"
    days_since_spoken = (pl.lit(facts.as_of) - pl.col("spoken_on")).dt.total_days()
    in_hand = risk_alert & (days_since_spoken < rules.invariants.in_hand_days).fill_null(value=False)
    answered = risk_alert & (pl.col("spoken_on") >= pl.col("first_opened")).fill_null(value=False)
    open_still = pl.col("was_open").fill_null(value=False) & ~answered
    cooling = pl.col("cooling").fill_null(value=False) & ~open_still
    below = risk_alert & (pl.col("risk") < pl.col("entry_limit")) & ~open_still
    held_out = risk_alert & pl.col("enrolment_id").is_in(facts.held_out["enrolment_id"].implode())
    kept = joined.filter(~below & (~in_hand | open_still | cooling))
    state = (
        pl.when(held_out)
        .then(pl.lit("held_out"))
        .when(open_still)
        .then(pl.lit("sent"))
        .when(cooling)
        .then(pl.lit("repeat_suppressed"))
        .otherwise(pl.lit("new"))
    )
    return kept.with_columns(state=state)


def _within_budget(standing: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    """Turn `new` into `over_capacity` beyond the week's budget, counted in people new to a list: two alerts for one person are one call."""
    called = _called_this_week(facts)
    used = called.group_by("recipient").agg(used=pl.len())
    capacity = facts.advisors.select("advisor_id", "weekly_capacity")
    queues = pl.DataFrame(
        [(name, rules.of(name).queue_capacity, rules.of(name).weekly_capacity) for name in standing["territory_id"].unique().to_list()],
        schema={"territory_id": pl.String, "queue_capacity": pl.Int64, "default_capacity": pl.Int64},
        orient="row",
    )
    rows = standing.join(used, on="recipient", how="left").join(capacity, on="advisor_id", how="left").join(queues, on="territory_id")
    budget = pl.when(pl.col("advisor_id").is_null()).then("queue_capacity").otherwise(pl.coalesce("weekly_capacity", "default_capacity"))
    left = (budget - pl.col("used").fill_null(0)).clip(0)
    rows = rows.join(called.with_columns(called=pl.lit(value=True)), on=["recipient", "learner_id"], how="left")
    there = (pl.col("state") == "sent") | pl.col("called").fill_null(value=False)
    rows = rows.with_columns(left=left, on_list=there.any().over("recipient", "learner_id"))
    costs = (rows["state"] == "new") & ~rows["on_list"]
    best = rows.filter(costs).group_by("recipient", "learner_id", "left").agg(pl.col("priority").max(), pl.col("enrolment_id").min())
    place = pl.struct(-pl.col("priority"), pl.col("enrolment_id")).rank("ordinal").over("recipient")
    beyond = best.filter(place > pl.col("left")).select("recipient", "learner_id", beyond=pl.lit(value=True))
    over = (pl.col("state") == "new") & ~pl.col("on_list") & pl.col("beyond").fill_null(value=False)
    rows = rows.join(beyond, on=["recipient", "learner_id"], how="left")
    return rows.with_columns(state=pl.when(over).then(pl.lit("over_capacity")).otherwise("state"))


def _called_this_week(facts: Facts) -> pl.DataFrame:
    """People who spent the ISO week's budget on an earlier night: recipient, learner_id, one row for each.

    A second reason to call somebody who already stood on the list that night spent nothing then, and counts for nothing now.
    """
    week = facts.past.filter(pl.col("as_of") >= week_start(facts.as_of), pl.col("state").is_in(LISTED))
    homes = with_territory(facts.enrolments.select("enrolment_id", "session_id"), facts.sessions)
    listed = week.join(homes, on="enrolment_id", how="left").select(
        "as_of", "state", "learner_id", recipient=pl.coalesce("advisor_id", pl.format("territory {}", "territory_id"))
    )
    people = ["recipient", "learner_id"]
    there = listed.filter(pl.col("state") == "sent")
    return listed.filter(pl.col("state") == "new").join(there, on=["as_of", *people], how="anti").select(people).unique()


def _as_alerts(rows: pl.DataFrame, facts: Facts) -> dy.DataFrame[Alerts]:
    opened = pl.when(pl.col("state") == "sent").then("first_opened").otherwise(pl.lit(facts.as_of))
    order = pl.col("state").replace_strict({"new": 0, "sent": 0, "over_capacity": 1, "repeat_suppressed": 2, "held_out": 3})
    rows = rows.with_columns(as_of=pl.lit(facts.as_of), opened_on=opened, order=order).sort(
        "recipient", "order", -pl.col("priority"), "enrolment_id", "kind"
    )
    alerts = rows.select(
        # Readable, and the same whenever and wherever it is made: no hash, no counter.
        pl.concat_str("kind", "enrolment_id", pl.col("opened_on").dt.to_string("iso"), separator="/").alias("alert_id"),
        "as_of",
        "kind",
        "enrolment_id",
        "learner_id",
        "advisor_id",
        "queue",
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("recipient").alias("rank"),
        "priority",
        "risk",
        pl.col("reasons").fill_null([]),
        "suggested_action",
        _working_day(pl.col("opened_on") + pl.duration(days=pl.col("within_days"))).alias("due_on"),
        "opened_on",
        "state",
    )
    return Alerts.validate(alerts, cast=True)


def _working_day(date: pl.Expr) -> pl.Expr:
    """The same day, or the Monday after a weekend."""
    to_monday = pl.max_horizontal(8 - date.dt.weekday(), 0).replace_strict({1: 1, 2: 2}, default=0)
    return date + pl.duration(days=to_monday)
