"""What the service owes: each promise is a task from a few days before it is missed, and over once it is kept."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from alerts.actions import CALLS
from alerts.candidates import candidates
from alerts.policy import decide
from alerts.promises import barriers, unreached
from tests.alerts.world import DAY, NATIONAL, ago, contacts, next_night, people, said, spoken, states

if TYPE_CHECKING:
    from alerts.facts import Facts

RULES = NATIONAL
DELAYS = NATIONAL.invariants
WARNING = DELAYS.promise_warning_days


def course(entered_days: int, ends_in: int) -> Facts:
    facts = people([0.0], entered_days=entered_days)
    end = DAY + dt.timedelta(days=ends_in)
    return replace(facts, enrolments=facts.enrolments.with_columns(planned_exit_date=pl.lit(end)))


def left(days_ago: int, reason: str):  # noqa: ANN201 - Facts
    facts = course(60, 60)
    return replace(facts, exits=pl.DataFrame({"enrolment_id": ["000"], "exit_date": [ago(days_ago)], "reason": [reason]}))


def test_a_contact_is_owed_in_the_middle_of_a_long_course() -> None:
    after_middle = DELAYS.mid_course_within_days - WARNING
    due = course(50 + after_middle, 50 - after_middle)

    assert states(decide(due, RULES), "mid_course_contact_due") == {"000": "new"}
    assert states(decide(course(49 + after_middle, 51 - after_middle), RULES), "mid_course_contact_due") == {}
    # In its last two weeks what comes next is owed, and not the point of the middle.
    ends = (DAY + dt.timedelta(days=left) for left in (DELAYS.mid_course_within_days + 1, DELAYS.mid_course_within_days))
    for end, listed in zip(ends, ({"000": "new"}, {}), strict=True):
        soon = due.enrolments.with_columns(
            entry_date=pl.lit(end - dt.timedelta(days=DELAYS.mid_course_from_days)), planned_exit_date=pl.lit(end)
        )
        assert states(decide(replace(due, enrolments=soon), RULES), "mid_course_contact_due") == listed
    around = ago(after_middle + DELAYS.mid_course_within_days)
    assert states(decide(replace(due, contacts=spoken(("L000", around))), RULES), "mid_course_contact_due") == {}
    too_early = around - dt.timedelta(days=1)
    assert states(decide(replace(due, contacts=spoken(("L000", too_early))), RULES), "mid_course_contact_due") == {"000": "new"}


def test_a_short_course_owes_none_in_the_middle() -> None:
    half = DELAYS.mid_course_from_days // 2
    assert states(decide(course(half, half - 1), RULES), "mid_course_contact_due") == {}


def test_job_search_is_owed_before_the_end() -> None:
    first = DELAYS.job_search_before_days + WARNING
    due = course(100, first)

    assert states(decide(due, RULES), "job_search_due") == {"000": "new"}
    assert states(decide(course(100, first + 1), RULES), "job_search_due") == {}
    assert states(decide(course(100, 2), RULES), "job_search_due") == {"000": "new"}
    # The list is read the day after: on the last day of the course there is no time left to prepare anything in it.
    assert states(decide(course(100, 1), RULES), "job_search_due") == {}
    talked = contacts(("L000", ago(5), "outbound", "kept", "job_search"))
    assert states(decide(replace(due, contacts=talked), RULES), "job_search_due") == {}
    # Another subject, or a call nobody answered, prepares nothing.
    for outcome, purpose in (("kept", "motivation"), ("no_answer", "job_search")):
        other = contacts(("L000", ago(5), "outbound", outcome, purpose))
        assert states(decide(replace(due, contacts=other), RULES), "job_search_due") == {"000": "new"}


def test_what_is_open_as_a_course_ends_is_not_listed_and_goes_on_where_it_is_prolonged() -> None:
    def until(facts: Facts, days: int) -> Facts:
        return replace(facts, enrolments=facts.enrolments.with_columns(planned_exit_date=pl.lit(DAY + dt.timedelta(days=days))))

    eve = until(course(100, 2), 2)
    assert states(decide(eve, RULES), "job_search_due") == {"000": "new"}
    tonight = next_night(eve, decide(eve, RULES))
    kept = decide(tonight, RULES)
    assert states(kept, "job_search_due") == {"000": "repeat_suppressed"}
    assert states(decide(until(next_night(tonight, kept), 9), RULES), "job_search_due") == {"000": "sent"}


@pytest.mark.parametrize("reason", ["completed", "dropout"])
def test_a_contact_is_owed_after_the_course_however_it_ended(reason: str) -> None:
    due = left(DELAYS.post_exit_within_days - WARNING, reason)

    assert states(decide(due, RULES), "post_exit_contact_due") == {"000": "new"}
    assert states(decide(left(DELAYS.post_exit_within_days - WARNING - 1, reason), RULES), "post_exit_contact_due") == {}
    assert states(decide(left(2 * DELAYS.post_exit_within_days + 1, reason), RULES), "post_exit_contact_due") == {}
    assert states(decide(replace(due, contacts=spoken(("L000", DAY))), RULES), "post_exit_contact_due") == {}
    # The planned end of a course that was left before is no limit.
    early = replace(due, enrolments=due.enrolments.with_columns(planned_exit_date=pl.lit(due.list_day)))
    kind = pl.col("kind").cast(pl.String) == "post_exit_contact_due"
    (then, now) = (decide(known, RULES).filter(kind)["due_on"].to_list() for known in (due, early))
    assert then == now
    assert now[0] > early.list_day
    # What was said before the end keeps no promise of afterwards.
    before = spoken(("L000", ago(DELAYS.post_exit_within_days - WARNING)))
    assert states(decide(replace(due, contacts=before), RULES), "post_exit_contact_due") == {"000": "new"}


def test_a_course_that_simply_ended_is_followed_by_a_contact_too() -> None:
    ended = course(100, -(DELAYS.post_exit_within_days - WARNING))
    assert states(decide(ended, RULES), "post_exit_contact_due") == {"000": "new"}


def test_somebody_who_never_came_or_entered_another_course_is_owed_nothing_after_it() -> None:
    assert decide(left(DELAYS.post_exit_within_days, "no_show"), RULES).is_empty()
    twice = left(DELAYS.post_exit_within_days, "completed")
    again = twice.enrolments.with_columns(enrolment_id=pl.lit("001"), entry_date=pl.lit(DAY), enrolled_on=pl.lit(DAY))
    assert decide(replace(twice, enrolments=pl.concat([twice.enrolments, again])), RULES).is_empty()


@pytest.mark.parametrize("reason", ["job", "other_training"])
def test_a_positive_exit_is_checked_until_somebody_asked_or_a_follow_up_came(reason: str) -> None:
    due = left(DELAYS.positive_exit_within_days - WARNING, reason)

    alerts = decide(due, RULES)
    assert alerts["kind"].to_list() == ["positive_exit_check"]
    assert alerts["suggested_action"].to_list() == ["check_positive_exit"]
    assert decide(replace(due, contacts=spoken(("L000", DAY))), RULES).is_empty()
    assert decide(replace(due, followups=pl.DataFrame({"enrolment_id": ["000"], "observed_on": [DAY]})), RULES).is_empty()


def test_a_job_told_to_the_advisor_is_checked_before_the_provider_says_so() -> None:
    told = replace(course(60, 60), said=said(("000", "found_job", ago(DELAYS.positive_exit_within_days))))

    assert states(decide(told, RULES), "positive_exit_check") == {"000": "new"}
    assert states(decide(replace(told, said=said(("000", "found_job", DAY))), RULES), "positive_exit_check") == {}


@pytest.mark.parametrize("code", ["found_job", "reached"])
def test_a_job_that_holds_is_checked_once(code: str) -> None:
    told, checked = ago(DELAYS.positive_exit_within_days), ago(-1)
    facts = replace(people([0.4]), said=said(("000", "found_job", told)), contacts=spoken(("L000", told)))
    opened = decide(facts, RULES)
    answers = said(("000", "found_job", told), ("000", code, checked), kind="positive_exit_check")
    facts = replace(next_night(facts, opened), said=answers, contacts=spoken(("L000", told), ("L000", checked)))
    kinds = set()
    for _ in range(30):
        alerts = decide(facts, RULES)
        kinds |= set(alerts["kind"].cast(pl.String))
        facts = next_night(facts, alerts)

    assert states(opened, "positive_exit_check") == {"000": "new"}
    assert kinds == set()


def test_a_job_told_of_anew_after_it_ended_is_checked_anew() -> None:
    ended, again = ago(DELAYS.positive_exit_within_days + 10), ago(DELAYS.positive_exit_within_days)
    told = said(("000", "found_job", ago(60)), ("000", "job_search_step", ended), ("000", "found_job", again))
    facts = replace(course(90, 60), said=told, contacts=spoken(("L000", again)))

    assert states(decide(facts, RULES), "positive_exit_check") == {"000": "new"}


def test_a_promise_opened_on_the_last_day_stays_until_it_is_kept() -> None:
    last = left(2 * DELAYS.post_exit_within_days, "completed")
    opened = decide(last, RULES)
    following = next_night(last, opened, 3)

    assert states(opened, "post_exit_contact_due") == {"000": "new"}
    assert states(decide(following, RULES), "post_exit_contact_due") == {"000": "sent"}
    assert states(decide(replace(following, contacts=spoken(("L000", DAY))), RULES), "post_exit_contact_due") == {}


def test_the_nearer_the_delay_the_higher_the_promise() -> None:
    early = decide(left(DELAYS.post_exit_within_days - WARNING, "completed"), RULES)["priority"][0]
    late = decide(left(DELAYS.post_exit_within_days + WARNING, "completed"), RULES)["priority"][0]

    assert late > early > 0


@pytest.mark.parametrize(
    ("tries", "action"),
    [
        ([], None),
        ([(3, "outbound", "wrong_details")], "ask_contact_details"),
        ([(50, "outbound", "wrong_details"), (3, "outbound", "no_answer")], "ask_contact_details"),
        ([(3, "outbound", "no_answer")], None),
        ([(9, "outbound", "no_answer"), (3, "outbound", "left_message")], "reach_by_other_means"),
        # As many weeks back as the line of the course tells of.
        ([(60, "outbound", "reached"), (56, "outbound", "no_answer"), (3, "outbound", "left_message")], None),
        ([(60, "outbound", "reached"), (55, "outbound", "no_answer"), (3, "outbound", "left_message")], "reach_by_other_means"),
        # An appointment missed was in vain too, and a message sent since says that somebody went on trying.
        ([(9, "outbound", "no_answer"), (3, "outbound", "no_show")], "reach_by_other_means"),
        ([(20, "outbound", "no_answer"), (14, "outbound", "no_answer"), (3, "outbound", "sent")], "reach_by_other_means"),
        ([(9, "outbound", "sent"), (3, "outbound", "sent")], None),
        # Nobody called: an appointment missed twice is no number that nobody answers.
        ([(9, "outbound", "no_show"), (3, "outbound", "no_show")], None),
        # Never spoken with: what was tried weeks ago has not been answered yet.
        ([(40, "outbound", "no_answer"), (3, "outbound", "left_message")], "reach_by_other_means"),
        # Nobody has tried for four weeks: a call is what comes next.
        ([(40, "outbound", "no_answer"), (28, "outbound", "no_answer")], None),
        ([(40, "outbound", "no_answer"), (27, "outbound", "no_answer")], "reach_by_other_means"),
        ([(40, "outbound", "no_answer"), (20, "outbound", "no_answer"), (14, "outbound", "no_answer")], "reach_by_other_means"),
        ([(9, "inbound", "left_message"), (3, "inbound", "left_message")], None),
        ([(9, "outbound", "no_answer"), (3, "outbound", "no_answer"), (1, "outbound", "reached")], None),
        # Spoken with so lately, they are found; a number that is wrong stays so.
        ([(8, "outbound", "reached"), (5, "outbound", "no_answer"), (4, "outbound", "no_answer")], None),
        ([(12, "outbound", "reached"), (5, "outbound", "no_answer"), (4, "outbound", "no_answer")], "reach_by_other_means"),
        ([(9, "outbound", "reached"), (3, "outbound", "wrong_details")], "ask_contact_details"),
        # However long ago: a call to that number is no call.
        ([(90, "outbound", "no_answer"), (80, "outbound", "wrong_details")], "ask_contact_details"),
        ([(190, "outbound", "wrong_details")], None),
        # Whoever called, wrote or put off an appointment since is found; a wrong number stays so, and later attempts count.
        ([(12, "outbound", "no_answer"), (9, "outbound", "no_answer"), (3, "outbound", "excused")], None),
        ([(12, "outbound", "no_answer"), (9, "outbound", "left_message"), (3, "inbound", "left_message")], None),
        ([(12, "outbound", "excused"), (9, "outbound", "no_answer"), (3, "outbound", "no_answer")], "reach_by_other_means"),
        ([(9, "outbound", "wrong_details"), (3, "outbound", "excused")], "ask_contact_details"),
    ],
)
def test_whom_a_call_does_not_find_is_to_be_reached_by_other_means(tries: list[tuple[int, str, str]], action: str | None) -> None:
    tried = contacts(*(("L000", ago(days), direction, outcome, "motivation") for days, direction, outcome in tries))
    facts = replace(people([0.9]), contacts=tried)

    assert unreached(facts)["learner_id"].to_list() == ["L000"] * (action is not None)
    risks = candidates(facts, RULES).filter(pl.col("kind") == "dropout_risk")
    assert risks["suggested_action"].to_list() == [action or "call_about_absences"]
    # Whatever an experiment tries for a reason, a number that nobody answers comes first.
    practice = pl.DataFrame({"enrolment_id": ["000"], "reason": ["attendance"], "action": ["take_stock"]})
    tried_out = candidates(replace(facts, suggested=practice), RULES).filter(pl.col("kind") == "dropout_risk")
    assert tried_out["suggested_action"].to_list() == [action or "take_stock"]


def test_no_call_is_promised_to_a_number_that_is_wrong() -> None:
    facts = people([0.01], entered_days=12, owners=[None])
    wrong = replace(facts, contacts=contacts(("L000", ago(3), "outbound", "wrong_details", "entry")))

    owed, asked = (candidates(known, RULES).filter(pl.col("kind") != "dropout_risk").sort("kind") for known in (facts, wrong))

    assert asked["kind"].to_list() == owed["kind"].to_list()
    calls = pl.col("kind").is_in(CALLS)
    assert asked.filter(calls)["suggested_action"].unique().to_list() == ["ask_contact_details"]
    assert "entry_call" in owed["suggested_action"].to_list()
    # Whoever has no owner is to have one, whatever their number.
    assert asked.filter(~calls)["suggested_action"].to_list() == ["find_owner"]


@pytest.mark.parametrize(
    ("days", "barrier", "later", "action"),
    [
        (9, "childcare", None, "take_up_childcare"),
        # What is private is not named on a list.
        (9, "health", None, "take_up_barrier"),
        (60, "childcare", None, None),
        (9, "job_search", None, None),
        (9, None, None, None),
        # A later talk did not name it again, or named another.
        (9, "childcare", (4, None), None),
        (9, "childcare", (4, "mobility"), "take_up_mobility"),
    ],
)
def test_a_difficulty_that_was_named_is_taken_up_again(
    days: int, barrier: str | None, later: tuple[int, str | None] | None, action: str | None
) -> None:
    talks = [(days, barrier), *([later] if later else [])]
    told = contacts(*(("L000", ago(day), "outbound", "reached", "barrier") for day, _ in talks))
    facts = replace(people([0.9]), contacts=told.with_columns(barrier=pl.Series([named for _, named in talks], dtype=pl.String)))

    risks = candidates(facts, RULES).filter(pl.col("kind") == "dropout_risk")

    assert risks["suggested_action"].to_list() == [action or "call_about_absences"]


@pytest.mark.parametrize(
    ("named", "talked", "purpose", "stands"), [(9, 4, "job_search", True), (9, 4, "barrier", False), (20, 4, "job_search", False)]
)
def test_a_difficulty_outlasts_a_talk_on_something_else_for_two_weeks(named: int, talked: int, purpose: str, *, stands: bool) -> None:
    told = contacts(("L000", ago(named), "outbound", "reached", "barrier"), ("L000", ago(talked), "outbound", "reached", purpose))
    facts = replace(people([0.9]), contacts=told.with_columns(barrier=pl.Series(["housing", None], dtype=pl.String)))

    assert barriers(facts)["learner_id"].to_list() == ["L000"] * stands


def test_an_entry_call_is_not_proposed_once_more_to_who_does_not_answer() -> None:
    tries = contacts(*(("L000", ago(days), "outbound", "no_answer", "entry") for days in (9, 3)))
    facts = replace(people([0.0], entered_days=12), contacts=tries)

    owed = candidates(facts, RULES).filter(pl.col("kind") == "entry_contact_due")

    assert owed["suggested_action"].to_list() == ["reach_by_other_means"]


def test_after_the_course_no_provider_helps_to_find_who_does_not_answer() -> None:
    due = left(DELAYS.post_exit_within_days - WARNING, "completed")
    tries = contacts(*(("L000", ago(days), "outbound", "no_answer", "follow_up") for days in (5, 3)))

    assert decide(due, RULES)["suggested_action"].to_list() == ["post_exit_call"]
    assert decide(replace(due, contacts=tries), RULES)["suggested_action"].to_list() == ["reach_after_course"]
    # A job that was told is checked with others than the person as well.
    job = left(DELAYS.positive_exit_within_days - WARNING, "job")
    assert decide(replace(job, contacts=tries), RULES)["suggested_action"].to_list() == ["check_positive_exit"]


@pytest.mark.parametrize(
    ("feature", "days", "weak", "action"),
    [
        ("days_since_presence", DELAYS.silence_days, True, "check_still_there"),
        ("days_since_activity", DELAYS.silence_days, True, "check_still_there"),
        ("days_since_activity", DELAYS.silence_days - 1.0, True, "call_about_absences"),
        # Present yesterday: the estimate is as good as another.
        ("days_since_activity", DELAYS.silence_days + 30.0, False, "call_about_absences"),
        # Away for three weeks most have left, though an estimate is told.
        ("days_since_presence", 21.0, False, "check_still_there"),
        ("days_since_presence", 20.0, True, "call_about_absences"),
        ("days_since_activity", 21.0, True, "call_about_absences"),
        ("unjustified_half_days_28", 40.0, True, "call_about_absences"),
        # The provider may no longer count on them, however short it is.
        ("days_off_sheets", 8.0, True, "check_still_there"),
    ],
)
def test_of_whom_no_sign_came_for_a_month_it_is_first_asked_whether_they_are_still_there(
    feature: str, days: float, action: str, *, weak: bool
) -> None:
    facts = people([0.9])
    reason = {"code": "attendance", "feature": feature, "value": days, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[reason]], dtype=facts.scores.schema["reasons"])
    facts = replace(facts, scores=facts.scores.with_columns(told, low_confidence=pl.lit(weak)))
    practice = pl.DataFrame({"enrolment_id": ["000"], "reason": ["attendance"], "action": ["take_stock"]})

    risks = candidates(facts, RULES).filter(pl.col("kind") == "dropout_risk")

    assert risks["suggested_action"].to_list() == [action]
    # What an experiment tries for this reason stays what is asked.
    assert candidates(replace(facts, suggested=practice), RULES)["suggested_action"].to_list() == ["take_stock"]


@pytest.mark.parametrize(("weak", "asked"), [(True, {"check_still_there"}), (False, {"call_about_absences", "mid_course_call"})])
def test_what_comes_next_is_not_talked_over_with_somebody_who_may_have_left(asked: set[str], *, weak: bool) -> None:
    facts = people([0.9], entered_days=90)
    reason = {"code": "attendance", "feature": "days_off_sheets", "value": 9.0, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[reason]], dtype=facts.scores.schema["reasons"])
    facts = replace(facts, scores=facts.scores.with_columns(told, low_confidence=pl.lit(weak)))

    found = candidates(facts, RULES)

    assert set(found["suggested_action"]) == asked
    assert found.height == 2
