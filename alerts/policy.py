"""From candidates to tasks: what is already open, what must wait, and what fits the week. Pure functions of what is known."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from alerts.candidates import REQUEST_FIRST, candidates, over_when_read
from alerts.routing import recipient, with_territory
from alerts.signs import days_off_sheets
from alerts.silence import put_off
from data_contracts.tables.outputs import Alerts
from data_contracts.vocabulary import LISTED
from vigie.working_days import ends_week, public_holidays

if TYPE_CHECKING:
    import dataframely as dy

    from alerts.facts import Facts
    from vigie.rules import Rules

KEPT_FOR_URGENT = 0.2
"""Part of a week's places that waits until the week's last working day for what is urgent: one from three on."""
AFTERWARDS = ("post_exit_contact_due", "positive_exit_check", "learner_request")
"""Tasks that the end of a course does not end."""


def decide(facts: Facts, rules: Rules) -> dy.DataFrame[Alerts]:
    """Tonight's alerts: the same facts give the same rows in the same order.

    - An alert opened on an earlier night and still standing is carried over (`sent`): same identifier, no budget.
    - It ends when it expires, when someone has spoken with the learner since, or when the risk falls below keep_share of its limit; then
      the same kind is not raised again for that enrolment within the cool-down (`repeat_suppressed`), but for a person's own request, what
      is urgent and not in hand, and what closed before anybody had spoken with them.
    - Nobody spoken with in the last days gets a new risk alert: the case is in hand. What the advisor put off waits for its day
      (`repeat_suppressed`), and is then the same alert again.
    - Held-out enrolments get no risk alert (`held_out`); promises are kept to everybody.
    - What is left is ranked by priority within each recipient and fills what remains of the week's budget of new people (`new`); the
      rest is `over_capacity`: counted, visible, never dropped. A person's own request is always listed, and uses up a place. Until the last
      working day of the week a part of its places waits for what is urgent: else Monday's promises fill them all.
    """
    found = candidates(facts, rules)
    history = _history(facts, rules)
    joined = found.join(history, on=["kind", "enrolment_id"], how="left").with_columns(recipient=recipient())
    standing = _standing(joined, facts, rules)
    budgeted = _within_budget(standing, facts, rules)
    return _as_alerts(budgeted, facts)


def _history(facts: Facts, rules: Rules) -> pl.DataFrame:
    past = facts.past
    opened = past.filter(pl.col("state") == "new").group_by("kind", "enrolment_id").agg(first_opened=pl.col("opened_on").max())
    # Suppressed with the day it was opened on: put off, and open all the same.
    open_ = pl.col("state").is_in(LISTED) | ((pl.col("state") == "repeat_suppressed") & (pl.col("opened_on") < pl.col("as_of")))
    open_then = past.filter(pl.col("as_of") == pl.col("as_of").max(), open_).select("kind", "enrolment_id", was_open=pl.lit(value=True))
    age = (pl.lit(facts.as_of) - pl.col("first_opened")).dt.total_days()
    return opened.join(open_then, on=["kind", "enrolment_id"], how="left").with_columns(
        was_open=pl.col("was_open").fill_null(value=False) & (age < rules.invariants.alert_expires_days),
        cooling=age < rules.invariants.cool_down_days,
        expired=age >= rules.invariants.alert_expires_days,
    )


def _standing(joined: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    risk_alert = pl.col("kind") == "dropout_risk"
    days_since_spoken = (pl.lit(facts.as_of) - pl.col("spoken_on")).dt.total_days()
    in_hand = risk_alert & (days_since_spoken < rules.invariants.in_hand_days).fill_null(value=False)
    # A talk before the name went from the sheets says nothing of that.
    in_hand &= ~(days_off_sheets() <= days_since_spoken).fill_null(value=False)
    talked = (pl.col("spoken_on") >= pl.col("first_opened")).fill_null(value=False)
    answered = risk_alert & talked
    open_still = pl.col("was_open").fill_null(value=False) & ~answered
    # Somebody who asks again is never told that they asked before.
    cooling = pl.col("cooling").fill_null(value=False) & ~open_still & (pl.col("kind") != "learner_request")
    # What closed by itself before anybody called does not wait for the days to go by, nor a high risk that is in hand no more.
    cooling &= (talked & ~(pl.col("urgent") & ~in_hand)) | pl.col("expired")
    below = ~pl.col("opens") & ~open_still
    held_out = risk_alert & pl.col("enrolment_id").is_in(facts.held_out["enrolment_id"].implode())
    kept = joined.filter(~below & (~in_hand | open_still | cooling))
    state = (
        pl.when(held_out)
        .then(pl.lit("held_out"))
        .when(put_off(facts) | over_when_read(facts))
        .then(pl.lit("repeat_suppressed"))
        .when(open_still)
        .then(pl.lit("sent"))
        .when(cooling)
        .then(pl.lit("repeat_suppressed"))
        .otherwise(pl.lit("new"))
    )
    opened = pl.when(open_still & ~held_out).then("first_opened").otherwise(pl.lit(facts.as_of))
    return kept.with_columns(state=state, opened_on=opened)


def _within_budget(standing: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    """Turn `new` into `over_capacity` beyond the week's budget, counted in people new to a list: two alerts for one person are one call."""
    called = _called_this_week(facts)
    used = called.group_by("recipient").agg(used=pl.len())
    used_here = called.group_by("territory_id").agg(used_here=pl.struct("recipient", "learner_id").n_unique())
    capacity = facts.advisors.select("advisor_id", "weekly_capacity")
    queues = pl.DataFrame(
        [
            (name, free.queue_capacity, free.weekly_capacity, free.territory_capacity)
            for name in standing["territory_id"].unique().to_list()
            for free in [rules.of(name)]
        ],
        schema={"territory_id": pl.String, "queue_capacity": pl.Int64, "default_capacity": pl.Int64, "territory_capacity": pl.Int64},
        orient="row",
    ).join(used_here, on="territory_id", how="left")
    rows = standing.join(used, on="recipient", how="left").join(capacity, on="advisor_id", how="left").join(queues, on="territory_id")
    budget = pl.when(pl.col("advisor_id").is_null()).then("queue_capacity").otherwise(pl.coalesce("weekly_capacity", "default_capacity"))
    left = (budget - pl.col("used").fill_null(0)).clip(0)
    called = called.select("recipient", "learner_id", called=pl.lit(value=True)).unique()
    rows = rows.join(called, on=["recipient", "learner_id"], how="left")
    there = (pl.col("state") == "sent") | pl.col("called").fill_null(value=False)
    kept = (budget * KEPT_FOR_URGENT).round().cast(pl.Int64)
    rows = rows.with_columns(left=left, kept=kept, on_list=there.any().over("recipient", "learner_id"))
    costs = (rows["state"] == "new") & ~rows["on_list"]
    left_here = (pl.col("territory_capacity") - pl.col("used_here").fill_null(0)).clip(0)
    best = (
        rows.filter(costs)
        .with_columns(left_here=left_here)
        .group_by("recipient", "learner_id", "left", "kept")
        .agg(
            pl.col("priority").max(),
            pl.col("urgent").any(),
            pl.col("enrolment_id").min(),
            pl.col("territory_id", "left_here").sort_by("enrolment_id").first(),
        )
    )
    order = pl.struct(-pl.col("priority"), pl.col("enrolment_id"), pl.col("recipient"))
    within = best.filter(_place(order, "recipient") <= pl.col("left") - pl.col("kept"))
    people = ["recipient", "learner_id"]
    urgent = best.filter("urgent").join(within, on=people, how="anti")
    within = pl.concat([within, urgent.filter(_place(order, "recipient") <= pl.min_horizontal("kept", "left"))])
    # On the week's last working day places are of use for the last time: what nothing urgent took is anybody's.
    if ends_week(facts.list_day):
        taken = within.group_by("recipient").agg(taken=pl.len())
        others = best.join(within, on=people, how="anti").join(taken, on="recipient", how="left")
        others = others.filter(_place(order, "recipient") <= pl.col("left") - pl.col("taken").fill_null(0))
        within = pl.concat([within, others.drop("taken")])
    within = within.filter(pl.col("left_here").is_null() | (_place(order, "territory_id") <= pl.col("left_here")))
    # What a person asked for is no choice of ours: no budget puts it off.
    asked = best.filter(pl.col("priority") >= REQUEST_FIRST)
    beyond = best.join(pl.concat([within, asked]).select(people), on=people, how="anti").select(*people, beyond=pl.lit(value=True))
    over = (pl.col("state") == "new") & ~pl.col("on_list") & pl.col("beyond").fill_null(value=False)
    rows = rows.join(beyond, on=["recipient", "learner_id"], how="left")
    return rows.with_columns(state=pl.when(over).then(pl.lit("over_capacity")).otherwise("state"))


def week_start(day: dt.date) -> dt.date:
    """Monday of the ISO week of `day`. Budgets are counted by the day a list is used: a Monday's list has its whole week."""
    return day - dt.timedelta(days=day.weekday())


def _place(order: pl.Expr, group: str) -> pl.Expr:
    return order.rank("ordinal").over(group)


def _called_this_week(facts: Facts) -> pl.DataFrame:
    """People who spent the budget of the week in which tonight's list is used: recipient, learner_id, territory_id, one row for each.

    A second reason to call somebody who already stood on the list that night spent nothing then, and counts for nothing now.
    """
    used_on = pl.col("as_of") + pl.duration(days=1)
    week = facts.past.filter(used_on >= week_start(facts.list_day), pl.col("state").is_in(LISTED))
    homes = with_territory(facts.enrolments.select("enrolment_id", "session_id"), facts.sessions)
    listed = week.join(homes, on="enrolment_id", how="left").select("as_of", "state", "learner_id", "territory_id", recipient=recipient())
    people = ["recipient", "learner_id"]
    there = listed.filter(pl.col("state") == "sent")
    spent = listed.filter(pl.col("state") == "new").join(there, on=["as_of", *people], how="anti")
    return spent.sort("territory_id").unique(people, keep="first", maintain_order=True).select(*people, "territory_id")


def _as_alerts(rows: pl.DataFrame, facts: Facts) -> dy.DataFrame[Alerts]:
    order = pl.col("state").replace_strict({"new": 0, "sent": 0, "over_capacity": 1, "repeat_suppressed": 2, "held_out": 3})
    ends = facts.enrolments.select("enrolment_id", "planned_exit_date")
    rows = rows.join(ends, on="enrolment_id", how="left")
    rows = rows.with_columns(as_of=pl.lit(facts.as_of), order=order).sort("recipient", "order", -pl.col("priority"), "enrolment_id", "kind")
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
        _due(facts.list_day).alias("due_on"),
        "opened_on",
        "state",
    )
    return Alerts.validate(alerts, cast=True)


def _due(list_day: dt.date) -> pl.Expr:
    """The working day on which, or by which, the delay of the task is over; no later than the course's last where that is to come."""
    free = public_holidays(list_day.year - 1, list_day.year + 1)
    last = pl.col("planned_exit_date").dt.add_business_days(0, holidays=free, roll="backward")
    last = pl.when(last >= list_day, ~pl.col("kind").is_in(AFTERWARDS)).then(last)
    # The least of those known: a course that has ended bounds nothing.
    due = pl.col("opened_on") + pl.duration(days=pl.col("within_days"))
    return pl.min_horizontal(due.dt.add_business_days(0, holidays=free, roll="forward"), last)
