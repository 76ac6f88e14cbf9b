"""What each line asks an advisor to do: from facts, promises and difficulties to the code of a sentence in the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.promises import barriers
from alerts.signs import FACTS, FIRST_FACT, NEVER_SEEN, days_since_entry, long_away, never_came
from alerts.wording import BOTH_TALKS, ENTRY_CALL, FIND_OWNER, FIRST_TALKS, HIGH_RISK, MID_COURSE_CALL, STILL_THERE

if TYPE_CHECKING:
    from alerts.facts import Facts
    from vigie.rules import Invariants

FIRST_DAYS: Final = 7
"""So soon after entry, what is worth a call is the entry itself where no fact says more."""
LAST_DAYS: Final = 7
"""With no more of the course left, it is to be finished, and what comes after it prepared."""
ENTRY_DAYS: Final = 2
"""Until then whatever is known is of the entry."""
MET: Final = 0.1
"""Of a territory's people in training the service has spoken with so many at least, or its talks are not delivered."""
FIRST_TALK, ABSENCES_FIRST = FIRST_TALKS
OTHER_MEANS: Final = "reach_by_other_means"
AFTER_COURSE: Final = "reach_after_course"
"""The same once no provider meets them any more."""
ASK_DETAILS: Final = "ask_contact_details"
WELCOME: Final = "welcome_back"
BACK: Final = {"attendance": "presence_streak_half_days", "activity": "activity_back_7"}
"""By subject, the fact that tells of somebody who has come back: to class, or online."""
FINISH: Final = "finish_course"
BARRIER: Final = "take_up_barrier"
OF_BARRIER: Final = {barrier: f"take_up_{barrier}" for barrier in ("mobility", "housing", "childcare", "content")}
"""Difficulties that a list names. Health, money or family it takes up without a word: it is printed, and read over a shoulder."""
OF_SUBJECT: Final = {
    "attendance": "call_about_absences",
    "punctuality": "call_about_lateness",
    "trend": "ask_what_changed",
    "activity": "call_about_distance_work",
    "assessments": "check_workload",
    "contacts": OTHER_MEANS,
}
OF_PROMISE: Final = {
    "no_owner": FIND_OWNER,
    "entry_contact_due": ENTRY_CALL,
    "mid_course_contact_due": MID_COURSE_CALL,
    "job_search_due": "prepare_job_search",
    "post_exit_contact_due": "post_exit_call",
    "positive_exit_check": "check_positive_exit",
    "learner_request": "call_back",
}
IN_TRAINING: Final = ("entry_contact_due", "mid_course_contact_due", "job_search_due")
CALLS: Final = tuple(kind for kind in OF_PROMISE if kind not in {"no_owner", "learner_request"})
ANY_ACTION: Final = "take_stock"
ACTIONS: Final = (
    *OF_SUBJECT.values(),
    *OF_PROMISE.values(),
    *OF_BARRIER.values(),
    *(STILL_THERE, FIRST_TALK, ABSENCES_FIRST, OTHER_MEANS, AFTER_COURSE, ASK_DETAILS, WELCOME, FINISH, BARRIER, ANY_ACTION, BOTH_TALKS),
)
"""Whatever a list may ask for: each has its sentence in the rules."""


def days_left(facts: Facts) -> pl.Expr:
    """Days of the course left on the day the list is read: what ends sooner than anybody can call leaves less to do."""
    return (pl.col("planned_exit_date") - pl.lit(facts.read_on)).dt.total_days().clip(0)


def service_is_heard() -> pl.Expr:
    """True in territories whose talks are delivered: over all their people in training, with spoken_on, enrolled_on, territory_id."""
    return (pl.col("spoken_on") >= pl.col("enrolled_on")).fill_null(value=False).mean().over("territory_id") >= MET


def for_risks(near: pl.DataFrame, hard: pl.DataFrame, facts: Facts, rules: Invariants) -> pl.DataFrame:
    """What each risk asks for.

    Whether somebody still comes goes before how to reach them, that before a course about to end, a difficulty they named, and last what
    the facts are about.

    Args:
        near: people in training with their reasons, risk, gone, dates, spoken_on, `heard` (`service_is_heard`).
        hard: from `alerts.promises.unreached`.
        facts: as known.
        rules: delays of the service's promises.

    Returns:
        `near` with suggested_action.
    """
    subject = pl.col("reasons").list.first().struct.field("code")
    others = facts.suggested.select("enrolment_id", "action", subject="reason")
    near = near.with_columns(subject=subject).join(others, on=["enrolment_id", "subject"], how="left", maintain_order="left")
    near = near.join(hard, on="learner_id", how="left", maintain_order="left")
    near = near.join(barriers(facts), on="learner_id", how="left", maintain_order="left")
    since = days_since_entry(facts.as_of)
    other_means = pl.when("wrong").then(pl.lit(ASK_DETAILS)).when("hard").then(pl.lit(OTHER_MEANS))
    taken_up = pl.col("barrier").replace_strict(OF_BARRIER, default=BARRIER, return_dtype=pl.String)
    ours = (
        pl.when(pl.col("gone") | long_away() | (never_came(since, FIRST_DAYS) & other_means.is_not_null()))
        .then(pl.lit(STILL_THERE))
        .when(other_means.is_not_null())
        .then(other_means)
        .when(days_left(facts) <= LAST_DAYS)
        .then(pl.lit(FINISH))
        .when(pl.col("barrier").is_not_null())
        .then(taken_up)
        .otherwise(_of_facts(since, facts, rules))
    )
    # Whatever the facts are about, one call more to a number that nobody answers says nothing to anybody.
    action = pl.when(pl.col("action").is_not_null()).then(pl.coalesce(other_means, "action")).otherwise(ours)
    return near.with_columns(suggested_action=action)


def for_promises(facts: Facts) -> pl.Expr:
    """What a promise asks for; over kind, gone, reasons, entry_date, wrong, hard.

    No call is promised to a number that is known to be wrong, nor once more to one that nobody answers, nor a talk of what comes next to
    somebody who may have left.
    """
    in_training = pl.col("kind").is_in(IN_TRAINING)
    never = never_came(days_since_entry(facts.as_of), FIRST_DAYS)
    return (
        pl.when(in_training & (pl.col("gone") | (never & pl.col("hard"))))
        .then(pl.lit(STILL_THERE))
        .when(pl.col("kind").is_in(CALLS) & pl.col("wrong"))
        .then(pl.lit(ASK_DETAILS))
        .when(in_training & pl.col("hard"))
        .then(pl.lit(OTHER_MEANS))
        .when((pl.col("kind") == "post_exit_contact_due") & pl.col("hard"))
        .then(pl.lit(AFTER_COURSE))
        .otherwise(pl.col("kind").replace_strict(OF_PROMISE, return_dtype=pl.String))
    )


def for_rules() -> pl.Expr:
    """What the first reason asks for on a night without scores."""
    code = pl.col("reasons").list.first().struct.field("code")
    return code.replace_strict(OF_SUBJECT, default=ANY_ACTION, return_dtype=pl.String).fill_null(ANY_ACTION)


def _of_facts(since: pl.Expr, facts: Facts, rules: Invariants) -> pl.Expr:
    begun = pl.when(since < ENTRY_DAYS).then(pl.lit(ENTRY_CALL)).otherwise(_unmet(since, rules))
    of_absences = pl.col("subject") == "attendance"
    back_in = {subject: (pl.col("subject") == subject) & FACTS.list.contains(fact) for subject, fact in BACK.items()}
    back_in["attendance"] &= pl.col("enrolment_id").is_in(facts.returned["enrolment_id"].implode())
    # A few traces after a week without any are a return, and no reason to greet somebody whose risk stays high.
    back_in["activity"] &= pl.col("risk") < HIGH_RISK
    back = pl.when(pl.any_horizontal(*back_in.values()) & (since > FIRST_DAYS)).then(pl.lit(WELCOME))
    # Nobody is asked about absences of weeks ago as if they went on.
    over = pl.when(of_absences & pl.col("enrolment_id").is_in(_none_missed_lately(facts).implode())).then(pl.lit(ANY_ACTION))
    of_subject = pl.col("subject").replace_strict(OF_SUBJECT, default=None, return_dtype=pl.String)
    unspoken = pl.when(since <= FIRST_DAYS).then(pl.lit(ENTRY_CALL)).otherwise(pl.lit(ANY_ACTION))
    # Whoever is met for the first time hears of absences only where these go on.
    first = (begun == FIRST_TALK) & of_absences & back.is_null() & over.is_null()
    return pl.when(first).then(pl.lit(ABSENCES_FIRST)).otherwise(pl.coalesce(begun, back, over, of_subject, unspoken))


def _unmet(since: pl.Expr, rules: Invariants) -> pl.Expr:
    """What introduces the service to somebody it has not met, whatever the facts are about; null of others.

    The entry call until it is late, of whom no talk since the enrolment is known; afterwards a first talk, of whom none is known at all,
    though those of others are (`heard`).
    """
    unspoken = ~(pl.col("spoken_on") >= pl.col("enrolled_on")).fill_null(value=False)
    in_time = since < rules.entry_contact_within_days
    entry = pl.when(in_time & (unspoken | FIRST_FACT.is_in(NEVER_SEEN)))
    first = entry.then(pl.lit(ENTRY_CALL)).when(pl.col("spoken_on").is_null() & pl.col("heard"))
    return first.then(pl.lit(FIRST_TALK))


def _none_missed_lately(facts: Facts) -> pl.Series:
    """enrolment_id of whom the sheets of the last excused_days tell no absence without a reason: they were there, or not expected."""
    status = pl.col("status").cast(pl.String)
    told, missed = (status != "not_recorded").any(), (status == "absent_unjustified").any()
    lately = facts.attendance.group_by("enrolment_id").agg(told=told, missed=missed)
    return lately.filter("told", ~pl.col("missed"))["enrolment_id"]
