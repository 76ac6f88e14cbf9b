"""What the service owes every learner, before, during and after the course: due a few days before it is missed, whatever the risk.

Each is a task from `promise_warning_days` before its delay is over to twice the delay: one long broken is counted by the indicators,
not nagged about.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.tried import TOLD_DAYS
from data_contracts.vocabulary import POSITIVE_EXITS, TWO_WAY, UNANSWERED

if TYPE_CHECKING:
    from alerts.facts import Facts
    from vigie.rules import Invariants

NAMED_DAYS: Final = 56
"""How long a difficulty that was named is told, and attempts in vain count; as the features on contacts do."""
TAKEN_UP_DAYS: Final = 14
"""So long a difficulty stands though a talk on something else did not name it again."""
TALKED_DAYS: Final = 10
"""Whoever was spoken with so lately is not hard to reach."""
ATTEMPTS: Final = 2
STALE_DAYS: Final = 28
"""After so long without an attempt, a call is the next one to make."""
MANY_ATTEMPTS: Final = 3
"""So many in vain are not tried once more, however long ago the last one was."""


def promises(training: pl.DataFrame, after: pl.DataFrame, facts: Facts, rules: Invariants) -> pl.DataFrame:
    """Promises due.

    Args:
        training: enrolments in training, with spoken_on, searched_on (`spoken`) and owned.
        after: enrolments that ended of late, with ended_on, reason and the same columns.
        facts: as known.
        rules: delays.

    Returns:
        Columns of both frames, with kind, late (share of the delay that is over, 1 and more when it is broken) and opens (False where
        only an alert that is open already stays).
    """
    since_entry = _days(facts, "entry_date")
    length = (pl.col("planned_exit_date") - pl.col("entry_date")).dt.total_days()
    since_middle = since_entry - length // 2
    middle = pl.col("entry_date") + pl.duration(days=length // 2)
    around = pl.col("spoken_on") >= middle - pl.duration(days=rules.mid_course_within_days)
    # Days since the moment from which job search was owed at the latest; the promise is broken at job_search_before_days from the end.
    to_end = -_days(facts, "planned_exit_date")
    searched = pl.col("searched_on") >= middle
    since_end, heard = _days(facts, "ended_on"), pl.col("spoken_on") > pl.col("ended_on")
    positive = pl.col("reason").is_in(POSITIVE_EXITS).fill_null(value=False)
    parts = (
        _due(training.filter(~pl.col("owned")), "no_owner", since_entry, rules.owner_within_days, rules, for_ever=True),
        _due(
            training.filter(_not(pl.col("spoken_on") >= pl.col("enrolled_on"))),
            "entry_contact_due",
            since_entry,
            rules.entry_contact_within_days,
            rules,
        ),
        _due(
            # So near the end, what is owed is what comes next.
            training.filter(length >= rules.mid_course_from_days, _not(around), to_end > rules.mid_course_within_days),
            "mid_course_contact_due",
            since_middle,
            rules.mid_course_within_days,
            rules,
        ),
        _due(
            training.filter(_not(searched), since_middle >= 0),
            "job_search_due",
            rules.promise_warning_days + rules.job_search_before_days - to_end,
            rules.promise_warning_days,
            rules,
            for_ever=True,
        ),
        _due(after.filter(~positive, _not(heard)), "post_exit_contact_due", since_end, rules.post_exit_within_days, rules),
        _due(
            after.filter(positive, _not(heard), _not(pl.col("observed_on") >= pl.col("ended_on"))),
            "positive_exit_check",
            since_end,
            rules.positive_exit_within_days,
            rules,
        ),
    )
    return pl.concat(parts, how="diagonal")


def spoken(facts: Facts) -> pl.DataFrame:
    """learner_id, spoken_on and spoken_at (day and instant of the last two-way contact), searched_on (the last about job search)."""
    both = facts.contacts.filter(pl.col("outcome").is_in(TWO_WAY))
    search = pl.col("purpose") == "job_search"
    return both.group_by("learner_id").agg(
        spoken_on=pl.col("on").max(), spoken_at=pl.col("occurred_at").max(), searched_on=pl.col("on").filter(search).max()
    )


def unreached(facts: Facts) -> pl.DataFrame:
    """learner_id, wrong, hard of those whom a call does not find: since they last spoke, contact details were wrong, or attempts failed.

    Attempts before the learner called, wrote or put off an appointment no longer tell that they are hard to reach.
    """
    outcome = pl.col("outcome")
    told = facts.contacts.filter(pl.col("on") > facts.as_of - dt.timedelta(days=TOLD_DAYS)).join(spoken(facts), on="learner_id", how="left")
    answered = (pl.col("direction") == "inbound") | (outcome == "excused")
    told = told.with_columns(answered_at=pl.col("occurred_at").filter(answered).max().over("learner_id"))
    since = told.filter(_not(pl.col("occurred_at") <= pl.col("spoken_at")))
    # Whatever was tried is over after some weeks; a number stays wrong until somebody is spoken with.
    recent = pl.col("on") > facts.as_of - dt.timedelta(days=NAMED_DAYS)
    ours, since_heard = pl.col("direction") == "outbound", _not(pl.col("occurred_at") <= pl.col("answered_at"))
    tried = recent & since_heard & ((outcome.is_in(UNANSWERED) & ours) | (outcome == "no_show"))
    # A message sent is no attempt that failed, but it was tried.
    reached_for = tried | (ours & (outcome == "sent"))
    talked = (pl.col("spoken_on").first() > facts.as_of - dt.timedelta(days=TALKED_DAYS)).fill_null(value=False)
    lately = (reached_for & (pl.col("on") > facts.as_of - dt.timedelta(days=STALE_DAYS))).any()
    hard = (((tried.sum() >= ATTEMPTS) & lately) | (tried.sum() >= MANY_ATTEMPTS)) & ~talked
    hard &= (tried & outcome.is_in(UNANSWERED)).any()
    found = since.group_by("learner_id").agg(wrong=(outcome == "wrong_details").any(), hard=hard)
    return found.filter(pl.col("wrong") | pl.col("hard")).sort("learner_id")


def barriers(facts: Facts) -> pl.DataFrame:
    """learner_id, barrier of those who named a difficulty of late: it is where a talk goes on.

    Not the search for a job, which has a promise of its own; nor what a later talk on difficulties did not name again, nor, once it is
    `TAKEN_UP_DAYS` old, any later talk.
    """
    barrier = pl.col("barrier").cast(pl.String)
    named = facts.contacts.filter(pl.col("on") > facts.as_of - dt.timedelta(days=NAMED_DAYS), barrier != "job_search")
    newest = pl.col("occurred_at") == pl.col("occurred_at").max()
    last = named.group_by("learner_id").agg(pl.col("occurred_at", "on").max(), barrier=barrier.filter(newest).min())
    on_it = facts.contacts.filter(pl.col("outcome").is_in(TWO_WAY), pl.col("purpose") == "barrier")
    last = last.join(on_it.group_by("learner_id").agg(taken_up_at=pl.col("occurred_at").max()), on="learner_id", how="left")
    lately = pl.col("on") > facts.as_of - dt.timedelta(days=TAKEN_UP_DAYS)
    later = pl.when(lately).then("taken_up_at").otherwise("spoken_at") > pl.col("occurred_at")
    current = last.join(spoken(facts), on="learner_id", how="left").filter(_not(later))
    return current.select("learner_id", "barrier").sort("learner_id")


def requests(people: pl.DataFrame, facts: Facts, rules: Invariants) -> pl.DataFrame:
    """People who wrote or called, whom nobody has spoken with since: one row each, with late as in `promises`.

    Args:
        people: enrolments, with learner_id and spoken_at; for a learner with several, the one that began last is asked for.
        facts: as known.
        rules: an unanswered request stands for alert_expires_days.
    """
    asked = facts.contacts.filter(pl.col("direction") == "inbound", ~pl.col("outcome").is_in((*TWO_WAY, "cancelled_by_service")))
    when = asked.group_by("learner_id").agg(asked_on=pl.col("on").max(), asked_at=pl.col("occurred_at").max())
    one = people.sort("entry_date", "enrolment_id").unique("learner_id", keep="last", maintain_order=True)
    # To the minute: who was spoken with in the morning and wrote in the afternoon waits.
    waiting = one.join(when, on="learner_id").filter(_not(pl.col("spoken_at") >= pl.col("asked_at")))
    days = _days(facts, "asked_on")
    return waiting.filter(days.is_between(0, rules.alert_expires_days)).with_columns(
        kind=pl.lit("learner_request"), late=1.0 + days / rules.alert_expires_days, opens=pl.lit(value=True)
    )


def _due(people: pl.DataFrame, kind: str, since: pl.Expr, within: int, rules: Invariants, *, for_ever: bool = False) -> pl.DataFrame:
    first = max(within - rules.promise_warning_days, 0)
    opens = pl.lit(True) if for_ever else since <= 2 * within  # noqa: FBT003 - a literal
    # An alert opened on the last of these days has its own time to be answered.
    stays = opens | (since <= 2 * within + rules.alert_expires_days)
    return people.filter(since >= first, stays).with_columns(kind=pl.lit(kind), late=(since / within).clip(0, 2), opens=opens)


def _days(facts: Facts, column: str) -> pl.Expr:
    return (pl.lit(facts.as_of) - pl.col(column)).dt.total_days()


def _not(condition: pl.Expr) -> pl.Expr:
    return ~condition.fill_null(value=False)
