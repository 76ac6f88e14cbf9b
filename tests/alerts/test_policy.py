from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.candidates import candidates
from alerts.policy import decide, week_start
from alerts.publication import with_owners
from alerts.returns import returned as returned_of
from alerts.routing import NO_TERRITORY
from alerts.silence import EXPLAINED, PUT_OFF_AT_MOST
from alerts.wording import HIGH_RISK
from data_contracts.vocabulary import LISTED
from features.catalogue import FEATURES
from tests.alerts.world import DAY, NATIONAL, RULES, ago, contacts, next_night, people, ruled, said, spoken, states

if TYPE_CHECKING:
    from alerts.facts import Facts
    from vigie.rules import Rules


def test_the_riskiest_fill_the_week_and_the_rest_waits_in_sight() -> None:
    alerts = decide(people([0.1, 0.4, 0.2, 0.3, 0.01]), RULES)

    assert states(alerts) == {"001": "new", "003": "new", "002": "new", "000": "over_capacity"}
    assert alerts["rank"].to_list() == [1, 2, 3, 4]


def test_an_alert_opened_earlier_stays_with_its_identifier_and_costs_no_budget() -> None:
    facts = people([0.4, 0.3, 0.2, 0.1])
    first = decide(facts, RULES)

    second = decide(next_night(facts, first), RULES)

    assert states(second) == {"000": "sent", "001": "sent", "002": "sent", "003": "over_capacity"}
    kept = second.filter(pl.col("state").cast(pl.String) == "sent")
    assert set(kept["alert_id"]) <= set(first["alert_id"])
    assert kept["opened_on"].unique().to_list() == [DAY]


def test_a_new_week_brings_a_new_budget() -> None:
    facts = people([0.4, 0.3, 0.2, 0.1])

    later = decide(next_night(facts, decide(facts, RULES), days=7), RULES)

    assert states(later)["003"] == "new"


def test_somebody_spoken_with_since_leaves_the_list_and_is_not_called_again_within_the_cool_down() -> None:
    facts = people([0.4])
    following = replace(next_night(facts, decide(facts, RULES), days=2), contacts=spoken(("L000", DAY + dt.timedelta(days=1))))

    alerts = decide(following, RULES)

    assert states(alerts) == {"000": "repeat_suppressed"}


@pytest.mark.parametrize(("risk", "days", "state"), [(0.2, 6, "repeat_suppressed"), (0.2, 7, "new"), (0.19, 7, "repeat_suppressed")])
def test_a_high_risk_does_not_cool_down_longer_than_the_talk_is_recent(risk: float, days: int, state: str) -> None:
    facts = people([risk])
    talk = DAY + dt.timedelta(days=1)
    following = replace(next_night(facts, decide(facts, RULES), days=1), contacts=spoken(("L000", talk)))
    following = next_night(following, decide(following, RULES), days=days)

    assert states(decide(following, RULES)) == {"000": state}
    # Nobody spoke with them, and for a night the risk had gone: it is back.
    two = people([risk, 0.4])
    quiet = replace(next_night(two, decide(two, RULES)), scores=people([0.01, 0.4]).scores)
    back = decide(replace(next_night(quiet, decide(quiet, RULES)), scores=two.scores), RULES)
    assert states(back) == {"000": "new", "001": "sent"}


@pytest.mark.parametrize(("days", "state"), [(6, "sent"), (7, "repeat_suppressed"), (13, "repeat_suppressed"), (14, "new")])
def test_an_alert_that_nobody_took_cools_down_where_it_closes_sooner(days: int, state: str) -> None:
    sooner = ruled(mid_course_from_days=10_000, alert_expires_days=7)
    facts = people([0.4])

    assert states(decide(next_night(facts, decide(facts, sooner), days=days), sooner)) == {"000": state}


def test_nobody_spoken_with_in_the_last_days_gets_a_first_risk_alert() -> None:
    facts = replace(people([0.4]), contacts=spoken(("L000", DAY - dt.timedelta(days=2))))

    assert states(decide(facts, RULES)) == {}


def test_a_case_does_not_flicker_while_its_risk_moves_about_the_limit() -> None:
    facts = people([0.06])
    limit = RULES.default.minimum_risk
    following = next_night(facts, decide(facts, RULES))
    near = people([limit * 0.8]).scores
    far = people([limit * 0.5]).scores

    assert states(decide(replace(following, scores=near), RULES)) == {"000": "sent"}
    assert states(decide(replace(following, scores=far), RULES)) == {}
    assert states(decide(people([limit * 0.8]), RULES)) == {}


def test_nothing_is_due_on_a_weekend() -> None:
    for days in range(7):
        facts = people([0.4])
        entry = pl.col("entry_date") + pl.duration(days=days)
        moved = replace(facts, as_of=DAY + dt.timedelta(days=days), enrolments=facts.enrolments.with_columns(entry))
        due = decide(moved, RULES)["due_on"][0]
        wanted = DAY + dt.timedelta(days=days + RULES.default.contact_within_days)
        assert due.weekday() < 5
        assert 0 <= (due - wanted).days <= 2


@pytest.mark.parametrize(
    ("night", "end", "due"),
    [
        # Whit Monday is the day after the weekend; and a course that ends on it is over on Friday.
        (dt.date(2026, 5, 22), dt.date(2026, 9, 1), dt.date(2026, 5, 26)),
        (dt.date(2026, 5, 21), dt.date(2026, 5, 25), dt.date(2026, 5, 22)),
        (dt.date(2026, 12, 29), dt.date(2027, 9, 1), dt.date(2027, 1, 4)),
    ],
)
def test_nothing_is_due_on_a_public_holiday(night: dt.date, end: dt.date, due: dt.date) -> None:
    facts = replace(people([0.4]), as_of=night)
    ending = replace(facts, enrolments=facts.enrolments.with_columns(planned_exit_date=pl.lit(end)))

    risks = decide(ending, RULES).filter(pl.col("kind").cast(pl.String) == "dropout_risk")
    assert risks["due_on"].to_list() == [due]


@pytest.mark.parametrize(
    ("end", "due"),
    [
        (dt.date(2026, 3, 6), dt.date(2026, 3, 6)),
        # On a weekend: the Friday before.
        (dt.date(2026, 3, 7), dt.date(2026, 3, 6)),
        (dt.date(2026, 3, 8), dt.date(2026, 3, 6)),
        (dt.date(2026, 3, 9), dt.date(2026, 3, 9)),
        (dt.date(2026, 6, 9), dt.date(2026, 3, 9)),
    ],
)
def test_nothing_to_be_done_in_a_course_is_due_after_its_end(end: dt.date, due: dt.date) -> None:
    # The night of a Wednesday: three days later is a Saturday.
    facts = replace(people([0.4]), as_of=dt.date(2026, 3, 4))
    ending = replace(facts, enrolments=facts.enrolments.with_columns(planned_exit_date=pl.lit(end)))

    risks = decide(ending, RULES).filter(pl.col("kind").cast(pl.String) == "dropout_risk")

    assert risks["due_on"].to_list() == [due]


def test_an_alert_nobody_took_expires() -> None:
    facts = people([0.4])
    opened = decide(facts, RULES)

    days = RULES.invariants.alert_expires_days
    assert states(decide(next_night(facts, opened, days - 1), RULES)) == {"000": "sent"}
    assert decide(next_night(facts, opened, days), RULES)["opened_on"].to_list() == [DAY + dt.timedelta(days=days)]


def test_owner_else_backup_else_the_territory() -> None:
    alerts = decide(people([0.4, 0.4, 0.4], owners=["A", "B", None]), RULES).filter(pl.col("kind").cast(pl.String) == "dropout_risk")

    routes = {row["enrolment_id"]: (row["queue"], row["advisor_id"]) for row in alerts.to_dicts()}
    assert routes == {"000": ("owner", "A"), "001": ("backup", "C"), "002": ("territory", None)}


def test_a_learner_without_owner_is_a_task_of_the_territory() -> None:
    alerts = decide(people([0.01], owners=[None]), RULES)

    assert states(alerts, "no_owner") == {"000": "new"}
    assert alerts["queue"].cast(pl.String).to_list() == ["territory"]


def test_an_owner_who_left_is_missed_though_a_backup_takes_the_calls() -> None:
    alerts = decide(people([0.4], owners=["B"]), RULES)

    routes = {row["kind"]: (row["queue"], row["advisor_id"]) for row in alerts.to_dicts()}
    assert routes == {"dropout_risk": ("backup", "C"), "no_owner": ("territory", None)}


@pytest.mark.parametrize(
    ("post", "lands"),
    [
        ({"active_to": DAY}, ("C", "backup")),
        ({"active_to": DAY + dt.timedelta(days=1)}, ("A", "owner")),
        ({"active_from": DAY + dt.timedelta(days=1)}, ("A", "owner")),
        ({"active_from": DAY + dt.timedelta(days=2)}, ("C", "backup")),
    ],
)
def test_a_list_goes_to_who_is_in_post_on_the_day_it_is_used(post: dict[str, dt.date], lands: tuple[str, str]) -> None:
    facts = people([0.4])
    moved = (pl.when(pl.col("advisor_id") == "A").then(pl.lit(day)).otherwise(name).alias(name) for name, day in post.items())

    alerts = decide(replace(facts, advisors=facts.advisors.with_columns(*moved)), RULES)

    risks_ = alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk")
    assert risks_.select("advisor_id", pl.col("queue").cast(pl.String)).rows() == [lands]


def test_an_owner_is_looked_for_before_the_delay_to_find_one_is_over() -> None:
    first = RULES.invariants.owner_within_days - RULES.invariants.promise_warning_days

    assert states(decide(people([0.01], owners=[None], entered_days=first - 1), RULES), "no_owner") == {}
    assert states(decide(people([0.01], owners=[None], entered_days=first), RULES), "no_owner") == {"000": "new"}


def test_an_enrolment_that_came_before_its_session_still_reaches_somebody() -> None:
    facts = people([0.4, 0.4], owners=["A", None])

    alerts = decide(replace(facts, sessions=facts.sessions.clear()), RULES)

    risks = alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk")
    assert {row["enrolment_id"]: row["advisor_id"] for row in risks.to_dicts()} == {"000": "A", "001": None}
    assert NO_TERRITORY not in RULES.territories


def test_a_second_reason_for_somebody_already_listed_takes_no_place_from_the_others() -> None:
    """One person listed last week gains an entry contact this week: the week still has room for three new people, not two, not four."""
    within = RULES.invariants.entry_contact_within_days
    facts = people([0.9, 0.0, 0.0, 0.0, 0.0], entered_days=within - 5 - 5)
    sunday = next_night(facts, decide(facts, RULES), days=4)
    monday = next_night(sunday, decide(sunday, RULES))
    entered = monday.enrolments.with_columns(
        entry_date=pl.when(pl.col("enrolment_id") == "000").then("entry_date").otherwise(DAY - dt.timedelta(days=60)),
    )
    monday = replace(monday, enrolments=entered, scores=people([0.9, 0.0, 0.0, 0.0, 0.0]).scores)
    first = decide(monday, RULES)
    assert states(first, "entry_contact_due") == {"000": "new"}

    tuesday = replace(next_night(monday, first), scores=people([0.9, 0.8, 0.7, 0.6, 0.5]).scores)

    assert states(decide(tuesday, RULES)) == {"000": "sent", "001": "new", "002": "new", "003": "new", "004": "over_capacity"}


def test_somebody_called_this_week_is_not_paid_for_twice() -> None:
    one = RULES.model_copy(update={"default": RULES.default.model_copy(update={"queue_capacity": 1})})
    facts = people([0.4], owners=[None], entered_days=RULES.invariants.owner_within_days - RULES.invariants.promise_warning_days - 1)
    following = replace(next_night(facts, decide(facts, one)), contacts=spoken(("L000", DAY + dt.timedelta(days=1))))

    alerts = decide(following, one)

    assert (states(alerts), states(alerts, "no_owner")) == ({"000": "repeat_suppressed"}, {"000": "new"})


def test_a_budget_spent_on_monday_s_list_is_spent_until_sunday_s() -> None:
    # The night of a Sunday makes the list of a Monday.
    facts = replace(people([0.4, 0.3, 0.2, 0.1]), as_of=week_start(DAY) - dt.timedelta(days=1))
    spent = decide(facts, RULES)

    assert states(decide(next_night(facts, spent), RULES))["003"] == "over_capacity"
    assert states(decide(next_night(facts, spent, days=6), RULES))["003"] == "over_capacity"
    assert states(decide(next_night(facts, spent, days=7), RULES))["003"] == "new"


def test_an_entry_contact_is_due_near_its_delay_and_not_once_spoken_with_nor_long_after() -> None:
    within = RULES.invariants.entry_contact_within_days
    due = people([0.01], entered_days=within - 1)

    assert states(decide(due, RULES), "entry_contact_due") == {"000": "new"}
    assert states(decide(replace(due, contacts=spoken(("L000", DAY))), RULES), "entry_contact_due") == {}
    assert states(decide(people([0.01], entered_days=2), RULES), "entry_contact_due") == {}
    assert states(decide(people([0.01], entered_days=2 * within + 1), RULES), "entry_contact_due") == {}


def test_held_out_people_get_no_risk_alert_but_every_promise_is_kept() -> None:
    facts = people([0.4], entered_days=RULES.invariants.entry_contact_within_days)

    alerts = decide(replace(facts, held_out=pl.DataFrame({"enrolment_id": ["000"]})), RULES)

    assert states(alerts) == {"000": "held_out"}
    assert states(alerts, "entry_contact_due") == {"000": "new"}


def test_two_reasons_to_call_one_person_are_one_call() -> None:
    facts = people([0.4, 0.3, 0.2, 0.15], entered_days=RULES.invariants.entry_contact_within_days)

    alerts = decide(facts, RULES)

    listed = alerts.filter(pl.col("state").cast(pl.String).is_in(LISTED))
    assert listed["learner_id"].n_unique() == 3
    assert listed.height == 6


def test_a_case_that_changes_hands_is_the_new_owner_s_on_the_day_the_list_is_used() -> None:
    facts = people([0.3])
    until, since = (facts.assignments.with_columns(valid_to=pl.lit(end, pl.Date)) for end in (DAY, None))
    after = since.with_columns(advisor_id=pl.lit("C"), valid_from=pl.lit(DAY + dt.timedelta(days=1)))

    def routed(assignments: pl.DataFrame) -> list[tuple[str | None, str]]:
        found = candidates(replace(facts, assignments=assignments), RULES).filter(pl.col("kind") == "dropout_risk")
        return found.select("advisor_id", "queue").rows()

    assert routed(pl.concat([until, after])) == [("C", "owner")]
    assert routed(until) == [(None, "territory")]
    assert routed(until.with_columns(valid_to=pl.lit(DAY + dt.timedelta(days=1)))) == [("A", "owner")]


@pytest.mark.parametrize("days", [-1, 0, 1, 2, 3])
def test_nobody_is_without_an_owner_over_a_weekend(days: int) -> None:
    """A has the case until Friday, C from Monday on: the lists of Friday's, Saturday's and Sunday's nights are read on Monday."""
    friday = DAY + dt.timedelta(days=2)
    held = people([0.3]).assignments
    until = held.with_columns(valid_to=pl.lit(friday))
    since = held.with_columns(advisor_id=pl.lit("C"), valid_from=pl.lit(friday + dt.timedelta(days=3)), valid_to=pl.lit(None, pl.Date))
    facts = replace(people([0.3]), as_of=friday + dt.timedelta(days=days), assignments=pl.concat([until, since]))

    found = candidates(facts, RULES).filter(pl.col("kind").is_in(["dropout_risk", "no_owner"]))

    assert found.select("kind", "advisor_id", "queue").rows() == [("dropout_risk", "A" if days < 0 else "C", "owner")]


def test_nothing_for_people_who_left_or_finished_or_never_came() -> None:
    facts = people([0.9, 0.9, 0.9], owners=[None, None, None])
    gone = facts.enrolments.with_columns(
        entry_date=pl.when(pl.col("enrolment_id") == "001").then(None).otherwise("entry_date"),
        planned_exit_date=pl.when(pl.col("enrolment_id") == "002").then(DAY - dt.timedelta(days=1)).otherwise("planned_exit_date"),
    )
    exits = pl.DataFrame({"enrolment_id": ["000"], "exit_date": [DAY], "reason": ["dropout"]})

    assert decide(replace(facts, enrolments=gone, exits=exits), RULES).is_empty()


def test_a_person_s_own_request_comes_first_whatever_the_risks_and_the_budget() -> None:
    facts = people([0.9, 0.8, 0.7, 0.0])
    spent = decide(facts, RULES)
    asked = contacts(("L003", DAY + dt.timedelta(days=1), "inbound", "left_message", "other"))

    alerts = decide(replace(next_night(facts, spent), contacts=asked), RULES)

    assert states(alerts, "learner_request") == {"003": "new"}
    assert alerts.row(0, named=True)["learner_id"] == "L003"
    answered = pl.concat([asked, contacts(("L003", DAY + dt.timedelta(days=1), "outbound", "reached", "other"))])
    assert states(decide(replace(next_night(facts, spent), contacts=answered), RULES), "learner_request") == {}


@pytest.mark.parametrize("entry", [None, DAY + dt.timedelta(days=3)])
def test_somebody_enrolled_who_writes_before_they_enter_is_called_back_and_owed_nothing_else(entry: dt.date | None) -> None:
    facts = people([0.0], owners=[None], entered_days=RULES.invariants.entry_contact_within_days)
    facts = replace(facts, enrolments=facts.enrolments.with_columns(entry_date=pl.lit(entry, pl.Date)))
    asked = replace(facts, contacts=contacts(("L000", DAY, "inbound", "left_message", "other")))
    gone = replace(asked, exits=pl.DataFrame({"enrolment_id": ["000"], "exit_date": [DAY], "reason": ["no_show"]}))

    assert decide(facts, RULES).is_empty()
    assert decide(asked, RULES)["kind"].to_list() == ["learner_request"]
    assert decide(gone, RULES).is_empty()
    assert with_owners(asked.enrolments, asked, RULES)["waiting_since"].to_list() == [asked.list_day]


def test_somebody_in_training_who_writes_is_called_back_for_that_course_and_not_the_next() -> None:
    facts = people([0.0, 0.0])
    one = facts.enrolments.with_columns(learner_id=pl.lit("L000"), entry_date=pl.Series([DAY, DAY + dt.timedelta(days=9)]))
    asked = contacts(("L000", DAY, "inbound", "left_message", "other"))

    assert states(decide(replace(facts, enrolments=one, contacts=asked), RULES), "learner_request") == {"000": "new"}


def test_somebody_who_asks_again_within_the_cool_down_is_called_again() -> None:
    def on(days: int) -> dt.date:
        return DAY + dt.timedelta(days=days)

    first = replace(people([0.0, 0.9]), contacts=contacts(("L000", DAY, "inbound", "left_message", "other")))
    opened = decide(first, RULES)
    spoke = replace(next_night(first, opened), contacts=pl.concat([first.contacts, spoken(("L000", on(1)))]))
    answered_ = decide(spoke, RULES)
    again = pl.concat([spoke.contacts, contacts(("L000", on(3), "inbound", "left_message", "other"))])

    asked_again = decide(replace(next_night(spoke, answered_, 2), contacts=again), RULES)

    assert states(opened, "learner_request") == {"000": "new"}
    assert states(answered_, "learner_request") == {}
    assert states(asked_again, "learner_request") == {"000": "new"}


def test_who_was_spoken_with_in_the_morning_and_wrote_in_the_afternoon_waits_for_an_answer() -> None:
    facts = people([0.0])
    morning = spoken(("L000", DAY))
    wrote = contacts(("L000", DAY, "inbound", "unknown", "other")).with_columns(pl.col("occurred_at") + dt.timedelta(hours=4))

    assert states(decide(replace(facts, contacts=pl.concat([morning, wrote])), RULES), "learner_request") == {"000": "new"}
    evening = morning.with_columns(pl.col("occurred_at") + dt.timedelta(hours=5))
    assert states(decide(replace(facts, contacts=pl.concat([evening, wrote])), RULES), "learner_request") == {}


def test_a_request_uses_up_a_place() -> None:
    facts = people([0.9, 0.8, 0.7, 0.0])

    alerts = decide(replace(facts, contacts=contacts(("L003", DAY, "inbound", "left_message", "other"))), RULES)

    assert states(alerts) == {"000": "new", "001": "new", "002": "over_capacity"}


@pytest.mark.parametrize("code", ["left_alone", "opposed", "found_job", "already_known", "not_relevant"])
def test_what_the_advisor_wrote_down_silences_the_risk(code: str) -> None:
    facts = people([0.9])
    open_alert = next_night(facts, decide(facts, RULES))

    assert "000" not in states(decide(replace(open_alert, said=said(("000", code, DAY))), RULES))


def test_what_was_said_last_holds() -> None:
    facts = people([0.9])
    back = said(("000", "found_job", DAY), ("000", "reached", DAY))
    still = said(("000", "found_job", DAY), ("000", "no_answer", DAY))
    taken_back = said(("000", "opposed", DAY), ("000", "unopposed", DAY))

    assert states(decide(replace(facts, said=back), RULES)) == {"000": "new"}
    assert states(decide(replace(facts, said=still), RULES)) == {}
    assert states(decide(replace(facts, said=taken_back), RULES)) == {"000": "new"}


def test_an_explanation_holds_for_a_while_and_a_wish_to_be_left_alone_until_the_person_writes() -> None:
    later = replace(people([0.9]), as_of=DAY + dt.timedelta(days=RULES.invariants.explained_days))
    alone = replace(later, said=said(("000", "left_alone", DAY)))
    wrote = contacts(("L000", DAY + dt.timedelta(days=1), "inbound", "sent", "other"))

    assert states(decide(replace(later, said=said(("000", "already_known", DAY))), RULES)) == {"000": "new"}
    assert decide(alone, RULES).is_empty()
    assert states(decide(replace(alone, contacts=wrote), RULES)) == {"000": "new"}


def test_somebody_who_wants_no_call_is_still_owed_an_owner() -> None:
    facts = replace(people([0.9], owners=[None]), said=said(("000", "left_alone", DAY)))

    assert decide(facts, RULES)["kind"].to_list() == ["no_owner"]


def test_what_was_put_off_waits_for_its_day() -> None:
    facts = people([0.9])
    opened = decide(facts, RULES)
    facts = replace(next_night(facts, opened), said=said(("000", "no_answer", DAY), remind_on=DAY + dt.timedelta(days=5)))
    nights = []
    for _ in range(5):
        nights.append(decide(facts, RULES))
        facts = next_night(facts, nights[-1])

    assert [states(night)["000"] for night in nights] == [*["repeat_suppressed"] * 3, *["sent"] * 2]
    assert pl.concat(nights)["alert_id"].unique().to_list() == opened["alert_id"].to_list()


def test_what_was_put_off_and_then_spoken_of_is_in_hand_on_its_day() -> None:
    facts = people([0.9])
    facts = next_night(facts, decide(facts, RULES))
    facts = replace(facts, said=said(("000", "reached", DAY), remind_on=DAY + dt.timedelta(days=3)), contacts=spoken(("L000", DAY)))
    facts = next_night(facts, decide(facts, RULES))

    assert states(decide(facts, RULES)) == {"000": "repeat_suppressed"}


def test_nobody_is_put_off_for_want_of_an_owner_nor_beyond_what_the_page_allows() -> None:
    until = DAY + dt.timedelta(days=40 * 365)
    facts = replace(people([0.01], owners=[None]), said=said(("000", "no_answer", DAY), remind_on=until))
    assert states(decide(facts, RULES), "no_owner") == {"000": "new"}

    buried = said(("000", "no_answer", DAY - dt.timedelta(days=PUT_OFF_AT_MOST)), remind_on=until)
    assert states(decide(replace(people([0.9]), said=buried), RULES)) == {"000": "new"}


@pytest.mark.parametrize(
    ("statuses", "listed"),
    [
        (["absent_justified", "absent_justified"], False),
        (["exempt", "not_expected", "not_recorded"], False),
        (["absent_justified", "present"], True),
        (["absent_justified", "absent_unjustified"], True),
        (["not_recorded"], True),
        ([], True),
    ],
)
def test_nothing_for_excused_absences(statuses: list[str], *, listed: bool) -> None:
    n = len(statuses)
    sheets = pl.DataFrame(
        {"enrolment_id": ["000"] * n, "date": [DAY] * n, "status": statuses},
        schema={"enrolment_id": pl.String, "date": pl.Date, "status": pl.String},
    )

    assert (states(decide(replace(people([0.9]), attendance=sheets), RULES)) == {"000": "new"}) is listed


def test_an_advisor_away_keeps_the_case_and_the_backup_takes_the_calls() -> None:
    facts = people([0.9])
    first, last = DAY + dt.timedelta(days=1), DAY + dt.timedelta(days=7)

    alerts = decide(replace(facts, said=said(away=("A", first, last))), RULES)
    assert alerts.select("kind", "advisor_id", "queue").cast(pl.String).rows() == [("dropout_risk", "C", "backup")]
    # Nobody moves a case for a day off.
    short = decide(replace(facts, said=said(away=("A", first, first))), RULES)
    assert short["advisor_id"].to_list() == ["A"]


def test_when_the_backup_is_away_as_well_the_territory_takes_the_calls_and_the_owner_stays() -> None:
    facts = people([0.9], owners=["C"])

    alerts = decide(replace(facts, said=said(away=("C", DAY, DAY + dt.timedelta(days=9)))), RULES)

    assert alerts.select("kind", "advisor_id", "queue").cast(pl.String).rows() == [("dropout_risk", None, "territory")]


def test_an_advisor_who_changed_operator_leaves_the_cases_behind() -> None:
    facts = people([0.9])
    moved = pl.when(pl.col("advisor_id") == "A").then(pl.lit(DAY)).cast(pl.Date)

    alerts = decide(replace(facts, advisors=facts.advisors.with_columns(joined_on=moved)), RULES)

    assert {row["kind"]: row["advisor_id"] for row in alerts.to_dicts()} == {"dropout_risk": "C", "no_owner": None}


def test_a_territory_has_a_budget_over_all_its_lists() -> None:
    two = ruled(mid_course_from_days=10_000, default={"territory_capacity": 2})
    facts = people([0.9, 0.8, 0.7, 0.6], owners=["A", "C", "A", "C"])

    first = decide(facts, two)

    assert states(first) == {"000": "new", "001": "new", "002": "over_capacity", "003": "over_capacity"}
    assert states(decide(next_night(facts, first), two))["002"] == "over_capacity"


@pytest.mark.parametrize(
    ("night", "capacity", "taken"),
    [
        # One place of three or four is kept, of two none; and none on the day before a Friday that is a holiday.
        (dt.date(2026, 3, 1), 2, 2),
        (dt.date(2026, 3, 1), 3, 2),
        (dt.date(2026, 3, 1), 4, 3),
        (dt.date(2026, 3, 1), 8, 6),
        (dt.date(2026, 4, 29), 5, 5),
        (dt.date(2026, 4, 28), 5, 4),
    ],
)
def test_what_is_kept_for_what_is_urgent_goes_by_the_budget_and_the_week(night: dt.date, capacity: int, taken: int) -> None:
    facts = replace(people([0.15] * 9), as_of=night)
    budget = facts.advisors.with_columns(weekly_capacity=pl.lit(capacity))

    assert list(states(decide(replace(facts, advisors=budget), RULES)).values()).count("new") == taken


def test_over_a_long_weekend_what_is_over_by_the_day_the_list_is_read_asks_for_nothing() -> None:
    # A Friday before Whit Monday: the list is read on Tuesday.
    facts = replace(people([0.4] * 4, owners=["A", "A", "A", None]), as_of=dt.date(2026, 5, 22))
    ends = [dt.date(2026, 5, 25), dt.date(2026, 5, 26), dt.date(2026, 5, 27), dt.date(2026, 5, 26)]
    facts = replace(facts, enrolments=facts.enrolments.with_columns(planned_exit_date=pl.Series(ends)))

    found = candidates(facts, RULES).filter("opens")

    assert found.filter(kind="dropout_risk")["enrolment_id"].to_list() == ["002"]
    assert found.filter(kind="no_owner").is_empty()
    last = [dt.date(2026, 5, 26) + dt.timedelta(days=days) for days in (7, 8, 8, 8)]
    later = replace(facts, enrolments=facts.enrolments.with_columns(planned_exit_date=pl.Series(last)))
    asked = candidates(later, RULES).filter(kind="dropout_risk").sort("enrolment_id")["suggested_action"].to_list()
    assert (asked[0], "finish_course" in asked[1:]) == ("finish_course", False)


@pytest.mark.parametrize(
    ("feature", "contribution", "days", "action"),
    [
        # Whatever was said before the entry, who was never there, or entered yesterday, is called about it.
        ("never_present", 1.0, 5, "entry_call"),
        ("unjustified_half_days_7", 1.0, 1, "entry_call"),
        ("unjustified_half_days_7", 1.0, 5, "call_about_absences"),
    ],
)
def test_the_first_days_are_of_the_entry_though_somebody_spoke_with_them(feature: str, contribution: float, days: int, action: str) -> None:
    facts = replace(people([0.4], entered_days=days), contacts=spoken(("L000", DAY)))
    told = pl.Series("reasons", [[fact("attendance", contribution) | {"feature": feature}]], dtype=facts.scores.schema["reasons"])

    asked = candidates(replace(facts, scores=facts.scores.with_columns(told)), RULES).filter(kind="dropout_risk")

    assert asked["suggested_action"].to_list() == [action]


def test_a_fifth_of_the_places_waits_for_what_is_urgent_until_friday() -> None:
    """Five places: four on Monday, whoever comes; the fifth for a high risk, and on Friday for anybody."""
    five = ruled(mid_course_from_days=10_000, default={"weekly_capacity": 5})
    calm = people([0.15] * 7)
    calm = replace(calm, advisors=calm.advisors.with_columns(weekly_capacity=pl.lit(None, pl.Int32)))

    monday = replace(calm, as_of=week_start(DAY) - dt.timedelta(days=1))
    first = decide(monday, five)
    assert sorted(states(first).values()).count("new") == 4
    # One more with a high risk on Tuesday takes the fifth, and the sixth waits.
    risks = pl.Series("risk", [0.15] * 5 + [0.3, 0.2])
    tuesday = next_night(replace(monday, scores=monday.scores.with_columns(risks)), first)
    second = states(decide(tuesday, five))
    assert (second["004"], second["005"], second["006"]) == ("over_capacity", "new", "over_capacity")
    # Then the week is full, whoever comes.
    urgent = monday.scores.with_columns(pl.Series("risk", [0.15] * 5 + [0.3, 0.9]))
    wednesday = next_night(replace(tuesday, scores=urgent), decide(tuesday, five))
    assert states(decide(wednesday, five))["006"] == "over_capacity"
    # Who may have left is as urgent as a high risk.
    off = {"code": "attendance", "feature": "days_off_sheets", "value": 4.0, "contribution": 0.0, "previous_value": None}
    told = pl.Series("reasons", [[]] * 5 + [[off], []], dtype=calm.scores.schema["reasons"])
    gone = tuesday.scores.with_columns(told, risk=0.01, low_confidence=True)
    assert states(decide(replace(tuesday, scores=gone), five))["005"] == "new"
    # So is whoever has one in another course.
    twice = tuesday.enrolments.with_columns(learner_id=pl.col("learner_id").replace({"L006": "L005"}))
    other = tuesday.scores.with_columns(pl.Series("risk", [0.15] * 6 + [0.3]))
    assert states(decide(replace(tuesday, enrolments=twice, scores=other), five))["005"] == "new"
    # Without one the place is anybody's from Friday on, and first of what is urgent.
    quiet = next_night(monday, first, days=3)
    late = replace(next_night(monday, first, days=4), scores=urgent.with_columns(pl.Series("risk", [0.15] * 4 + [0.19, 0.15, 0.2])))
    last = states(decide(replace(late, put_first=pl.DataFrame({"enrolment_id": ["004"]})), five))
    assert (last["004"], last["006"]) == ("over_capacity", "new")
    assert list(states(decide(quiet, five)).values()).count("new") == 0
    assert list(states(decide(next_night(monday, first, days=4), five)).values()).count("new") == 1


def test_an_hour_goes_where_it_does_most() -> None:
    """A positive exit is checked in ten minutes: it stands before a call of half an hour that addresses a little more risk."""
    slow = ruled(mid_course_from_days=10_000, default={"minutes": NATIONAL.default.minutes | {"dropout_risk": 600}})
    facts = people([0.3, 0.05], entered_days=NATIONAL.invariants.entry_contact_within_days)
    spoke = replace(facts, contacts=spoken(("L000", DAY - dt.timedelta(days=10))))

    assert decide(spoke, RULES)["learner_id"][0] == "L000"
    assert decide(spoke, slow)["learner_id"][0] == "L001"


def test_a_course_about_to_end_leaves_less_to_do() -> None:
    facts = people([0.4, 0.3])
    soon = pl.when(pl.col("enrolment_id") == "000").then(DAY + dt.timedelta(days=2)).otherwise("planned_exit_date")
    alerts = decide(replace(facts, enrolments=facts.enrolments.with_columns(planned_exit_date=soon)), RULES)

    risks_ = alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk")
    assert risks_["enrolment_id"].to_list() == ["001", "000"]
    # It is to be finished, and what comes after prepared; on its last day there is nothing to give up any more.
    assert risks_["suggested_action"][1] == "finish_course"
    over = facts.enrolments.with_columns(planned_exit_date=pl.lit(facts.list_day))
    last_day = decide(replace(facts, enrolments=over), RULES)
    assert last_day.filter(pl.col("kind").cast(pl.String) == "dropout_risk").is_empty()


def test_a_newcomer_of_whom_no_fact_speaks_yet_is_called_about_the_entry() -> None:
    facts = people([0.4, 0.3], entered_days=2)
    reason = {"code": "attendance", "feature": "unjustified_half_days_7", "value": 3.0, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[], [reason]], dtype=facts.scores.schema["reasons"])
    facts = replace(facts, scores=facts.scores.with_columns(told))

    def asked(facts: Facts) -> dict[str, str]:
        risks = candidates(facts, RULES).filter(pl.col("kind") == "dropout_risk")
        return dict(risks.select("enrolment_id", "suggested_action").rows())

    # So is whoever nobody has spoken with: what was missed comes up in that call.
    assert asked(facts) == {"000": "entry_call", "001": "entry_call"}
    met = replace(facts, contacts=spoken(("L001", DAY - dt.timedelta(days=1))))
    assert asked(met) == {"000": "entry_call", "001": "call_about_absences"}
    # A talk of an earlier course is none of this one.
    long_ago = replace(facts, contacts=spoken(("L001", DAY - dt.timedelta(days=900))))
    assert asked(long_ago) == {"000": "entry_call", "001": "entry_call"}


def fact(code: str, contribution: float) -> dict[str, object]:
    return {"code": code, "feature": "x", "value": 3.0, "contribution": contribution, "previous_value": None}


@pytest.mark.parametrize(
    ("told", "risk", "entered_days", "opens"),
    [
        ([fact("attendance", 0.1)], 0.05, 60, True),
        # Nothing, the rest alone, or what stands beside a reason: nothing to call about.
        ([], 0.099, 60, False),
        ([fact("rest", 3.0)], 0.099, 60, False),
        ([fact("attendance", 0.0)], 0.099, 60, False),
        ([fact("attendance", -0.3)], 0.099, 60, False),
        # Far above the limit, or just entered, somebody is called all the same.
        ([fact("rest", 3.0)], 0.1, 60, True),
        ([], 0.05, 7, True),
        ([], 0.05, 8, False),
        ([fact("attendance", 0.1)], 0.049, 60, False),
    ],
)
def test_a_risk_near_the_limit_opens_no_alert_that_no_fact_explains(
    told: list[dict[str, object]], risk: float, entered_days: int, *, opens: bool
) -> None:
    facts = people([risk], entered_days=entered_days)
    facts = replace(facts, scores=facts.scores.with_columns(pl.Series("reasons", [told], dtype=facts.scores.schema["reasons"])))

    opened = decide(facts, RULES)

    assert states(opened) == ({"000": "new"} if opens else {})
    # What is open stays as long as the risk does.
    begun = decide(replace(facts, scores=people([0.5]).scores), RULES)
    assert states(decide(replace(next_night(facts, begun), scores=facts.scores), RULES)) == {"000": "sent"}


@pytest.mark.parametrize(("people_there", "action"), [(10, "first_talk_about_absences"), (11, "call_about_absences")])
def test_where_hardly_anybody_s_talks_are_known_nobody_is_taken_for_never_met(people_there: int, action: str) -> None:
    facts = replace(people([0.4] * people_there), contacts=spoken(("L001", DAY)))

    asked = candidates(facts, RULES).filter(kind="dropout_risk", enrolment_id="000")["suggested_action"]

    assert asked.to_list() == [action]


def test_of_whoever_came_all_week_no_first_talk_is_about_absences() -> None:
    facts = replace(people([0.19, 0.4]), contacts=spoken(("L001", DAY)))
    sheets = pl.DataFrame({"enrolment_id": "000", "date": [DAY], "status": ["present"]}, schema=facts.attendance.schema)
    said_back = [fact("attendance", 1.0), fact("attendance", 0.0) | {"feature": "presence_streak_half_days"}]
    told = pl.Series("reasons", [said_back, []], dtype=facts.scores.schema["reasons"])
    back = replace(facts, scores=facts.scores.with_columns(told), returned=pl.DataFrame({"enrolment_id": ["000"]}))

    for there, action in ((facts, "first_talk_about_absences"), (replace(facts, attendance=sheets), "first_talk"), (back, "first_talk")):
        asked = candidates(there, RULES).filter(kind="dropout_risk", enrolment_id="000")["suggested_action"]
        assert asked.to_list() == [action]


def test_who_is_ill_all_week_is_asked_after_once_off_the_sheets() -> None:
    facts = people([0.4])
    sheets = pl.DataFrame({"enrolment_id": "000", "date": [DAY], "status": ["absent_justified"]}, schema=facts.attendance.schema)
    ill = replace(facts, attendance=sheets)
    off = fact("attendance", 0.0) | {"feature": "days_off_sheets"}
    told = pl.Series("reasons", [[off]], dtype=facts.scores.schema["reasons"])
    gone = replace(ill, scores=facts.scores.with_columns(told, low_confidence=pl.lit(value=True)))

    assert states(decide(ill, RULES)) == {}
    assert states(decide(gone, RULES)) == {"000": "new"}


def test_an_owner_is_looked_for_where_nobody_asks_whether_somebody_is_still_there() -> None:
    facts = people([0.4], owners=[None], entered_days=40)
    off = fact("attendance", 0.0) | {"feature": "days_off_sheets"}
    told = pl.Series("reasons", [[off]], dtype=facts.scores.schema["reasons"])
    gone = replace(facts, scores=facts.scores.with_columns(told, low_confidence=pl.lit(value=True)))
    opposed = replace(gone, said=said(("000", "opposed", DAY)))
    held = replace(gone, held_out=gone.enrolments.select("enrolment_id"))

    assert ["no_owner" in candidates(known, RULES)["kind"].to_list() for known in (gone, opposed, held)] == [False, True, True]


@pytest.mark.parametrize(("limit", "risk", "opens"), [(0.15, 0.19, False), (0.15, 0.2, True), (0.6, 0.6, True)])
def test_a_high_risk_needs_no_fact_whatever_the_limit(limit: float, risk: float, *, opens: bool) -> None:
    facts = people([risk])
    facts = replace(facts, scores=facts.scores.with_columns(pl.Series("reasons", [[]], dtype=facts.scores.schema["reasons"])))

    assert states(decide(facts, ruled(default={"minimum_risk": limit}))) == ({"000": "new"} if opens else {})


@pytest.mark.parametrize(
    ("entered_days", "risk", "action"),
    # A promise is worded by facts that no list tells of so low a risk.
    [(20, 0.4, "check_still_there"), (20, 0.01, "check_still_there"), (8, 0.4, "check_still_there"), (7, 0.4, "reach_by_other_means")],
)
def test_who_never_came_is_not_met_in_class(entered_days: int, risk: float, action: str) -> None:
    facts = people([risk], entered_days=entered_days)
    reason = {"code": "attendance", "feature": "never_present", "value": 1.0, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[reason]], dtype=facts.scores.schema["reasons"])
    tries = contacts(*(("L000", ago(days), "outbound", "no_answer", "entry") for days in (5, 3)))
    facts = replace(facts, scores=facts.scores.with_columns(told), contacts=tries)

    asked = candidates(facts, RULES).filter(pl.col("kind").is_in(["dropout_risk", "entry_contact_due"]))

    assert set(asked["suggested_action"]) == {action}


def test_of_whom_the_sheets_name_no_more_a_promise_tells_no_number_and_why() -> None:
    facts = people([0.01], entered_days=40)
    reason = {"code": "attendance", "feature": "days_off_sheets", "value": 5.0, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[reason]], dtype=facts.scores.schema["reasons"])

    owed = candidates(replace(facts, scores=facts.scores.with_columns(told, low_confidence=pl.lit(value=True))), RULES)

    assert owed.height > 0
    assert {reasons[0]["feature"] for reasons in owed["reasons"]} == {"days_off_sheets"}
    # Whom to look after comes once it is known whether they are still there.
    alone = people([0.01], entered_days=40, owners=[None])
    gone = alone.scores.with_columns(told, low_confidence=pl.lit(value=True))
    assert "no_owner" in candidates(alone, RULES)["kind"].to_list()
    assert "no_owner" not in candidates(replace(alone, scores=gone), RULES)["kind"].to_list()


@pytest.mark.parametrize(
    ("feature", "weak", "listed"), [("days_off_sheets", True, True), ("days_off_sheets", False, False), ("x", True, False)]
)
def test_who_may_have_left_is_listed_however_low_the_risk(feature: str, *, weak: bool, listed: bool) -> None:
    facts = people([0.01, 0.06])
    reason = {"code": "attendance", "feature": feature, "value": 5.0, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[reason], [fact("attendance", 1.0)]], dtype=facts.scores.schema["reasons"])
    low = pl.Series("low_confidence", [weak, False])

    alerts = decide(replace(facts, scores=facts.scores.with_columns(told, low)), RULES).filter(
        pl.col("kind").cast(pl.String) == "dropout_risk"
    )

    assert states(alerts) == ({"000": "new"} if listed else {}) | {"001": "new"}
    asked = dict(alerts.select("enrolment_id", "suggested_action").rows())
    assert (asked.get("000") == "check_still_there") == listed
    if listed:
        # Whatever number there is of them, they weigh as much as the lowest risk that is listed, for a task of ten minutes.
        free, worth = RULES.default, dict(alerts.select("enrolment_id", "priority").rows())
        minutes = free.minutes["dropout_risk"] / free.minutes["positive_exit_check"]
        assert worth["000"] == pytest.approx(worth["001"] * free.minimum_risk / 0.06 * minutes)


def test_who_is_off_the_sheets_is_listed_whatever_reason_comes_first() -> None:
    facts = people([0.01])
    silent = {"code": "activity", "feature": "x", "value": 3.0, "contribution": 0.1, "previous_value": None}
    off = {"code": "attendance", "feature": "days_off_sheets", "value": 4.0, "contribution": 0.0, "previous_value": None}
    told = pl.Series("reasons", [[silent, off]], dtype=facts.scores.schema["reasons"])

    alerts = decide(replace(facts, scores=facts.scores.with_columns(told, low_confidence=pl.lit(value=True))), RULES)

    assert alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk")["suggested_action"].to_list() == ["check_still_there"]


@pytest.mark.parametrize(("spoken_days", "listed"), [(3, True), (4, True), (2, False)])
def test_a_talk_before_the_name_went_from_the_sheets_leaves_nobody_in_hand(spoken_days: int, *, listed: bool) -> None:
    facts = people([0.4])
    reason = {"code": "attendance", "feature": "days_off_sheets", "value": 3.0, "contribution": 0.0, "previous_value": None}
    facts = replace(
        facts,
        scores=facts.scores.with_columns(pl.Series("reasons", [[reason]], dtype=facts.scores.schema["reasons"]), low_confidence=True),
        contacts=spoken(("L000", ago(spoken_days))),
    )

    assert states(decide(facts, RULES)) == ({"000": "new"} if listed else {})


@pytest.mark.parametrize(
    ("features", "entered_days", "action"),
    [
        (["unjustified_half_days_14", "presence_streak_half_days"], 60, "welcome_back"),
        (["unjustified_half_days_14"], 60, "call_about_absences"),
        (["activity_count_7", "activity_back_7"], 60, "welcome_back"),
        (["activity_count_7"], 60, "call_about_distance_work"),
        (["late_half_days_28"], 60, "call_about_lateness"),
        # Back online, and still away from class.
        (["unjustified_half_days_14", "activity_back_7"], 60, "call_about_absences"),
        # At first the entry is what there is to call about.
        (["unjustified_half_days_14", "presence_streak_half_days"], 5, "entry_call"),
        (["never_present"], 5, "entry_call"),
        (["never_present"], 20, "call_about_absences"),
        (["unjustified_half_days_7"], 1, "entry_call"),
        # Until the entry contact is late, nobody asks about absences who has not introduced themselves.
        (["unjustified_half_days_7"], 13, "entry_call"),
        (["unjustified_half_days_7"], 14, "call_about_absences"),
    ],
)
def test_who_came_back_is_welcomed_and_who_never_came_is_called_about_the_entry(
    features: list[str], entered_days: int, action: str
) -> None:
    facts = people([0.19], entered_days=entered_days)
    reason = {"value": 6.0, "contribution": 1.0, "previous_value": None}
    named = [reason | {"feature": name, "code": FEATURES[name].group} for name in features]
    told = pl.Series("reasons", [named], dtype=facts.scores.schema["reasons"])
    facts = replace(facts, scores=facts.scores.with_columns(told), returned=pl.DataFrame({"enrolment_id": ["000"]}))

    risk = candidates(facts, RULES).filter(pl.col("kind") == "dropout_risk")

    assert risk["suggested_action"].to_list() == [action]
    stayed = candidates(replace(facts, returned=facts.returned.clear()), RULES).filter(pl.col("kind") == "dropout_risk")
    # Whoever missed a day or less in a row never went away.
    went = "presence_streak_half_days" in features and action == "welcome_back"
    assert stayed["suggested_action"].to_list() == ["call_about_absences" if went else action]
    # A few traces online do not make up for a risk that stays high.
    high = candidates(replace(facts, scores=facts.scores.with_columns(risk=pl.lit(0.2))), RULES).filter(pl.col("kind") == "dropout_risk")
    online = action == "welcome_back" and "activity_back_7" in features
    assert high["suggested_action"].to_list() == ["call_about_distance_work" if online else action]


@pytest.mark.parametrize(
    ("entered_days", "spoken_days", "action"),
    [
        (13, None, "entry_call"),
        (14, None, "first_talk_about_absences"),
        # Spoken with before this course, the line tells of it: nobody introduces themselves again.
        (60, 900, "call_about_absences"),
        (60, 20, "call_about_absences"),
        (60, 60, "call_about_absences"),
    ],
)
def test_the_service_introduces_itself_to_whom_it_never_spoke_with_however_late(
    entered_days: int, spoken_days: int | None, action: str
) -> None:
    facts = people([0.4, 0.4], entered_days=entered_days)
    # Somebody's contacts are known: else nobody's could be.
    talks = [("L001", DAY), *([("L000", ago(spoken_days))] if spoken_days is not None else [])]

    def asked(facts: Facts) -> str:
        risks = candidates(facts, RULES).filter(pl.col("kind") == "dropout_risk", pl.col("enrolment_id") == "000")
        return str(risks["suggested_action"].item())

    assert asked(replace(facts, contacts=spoken(*talks))) == action
    assert asked(facts) == ("entry_call" if entered_days < RULES.invariants.entry_contact_within_days else "call_about_absences")
    work = pl.Series("reasons", [[fact("assessments", 1.0)]] * 2, dtype=facts.scores.schema["reasons"])
    of_work = asked(replace(facts, contacts=spoken(*talks), scores=facts.scores.with_columns(work)))
    assert of_work == {"first_talk_about_absences": "first_talk", "call_about_absences": "check_workload"}.get(action, action)


@pytest.mark.parametrize(
    ("days", "returned"),
    [
        (["present", "absent_unjustified", "absent_justified", "late"], True),
        (["absent_unjustified", "absent_unjustified", *["present"] * 9], True),
        # Back for longer, there is nothing to welcome any more.
        (["absent_unjustified", "absent_unjustified", *["present"] * 10], False),
        (["present", "absent_unjustified", "absent_unjustified", "not_recorded", "left_early", "present"], True),
        (["present", "absent_unjustified", "present", "absent_unjustified", "present"], False),
        (["absent_unjustified", "absent_unjustified", "present", "absent_unjustified"], False),
        (["absent_unjustified", "not_expected", "not_expected", "present"], False),
        (["present", "present", "present"], False),
        ([], False),
    ],
)
def test_somebody_has_come_back_after_two_days_of_class_without_them(days: list[str], *, returned: bool) -> None:
    dates = [DAY - dt.timedelta(days=len(days) - place) for place in range(len(days))]
    sheets = pl.DataFrame(
        {"enrolment_id": ["E"] * len(days), "date": dates, "status": days},
        schema={"enrolment_id": pl.String, "date": pl.Date, "status": pl.String},
    )
    # A second half-day of the same day that was missed takes nothing away from having come.
    sheets = pl.concat([sheets, sheets.tail(1).with_columns(status=pl.lit("absent_unjustified"))]) if returned else sheets

    assert returned_of(sheets, DAY)["enrolment_id"].to_list() == ["E"] * returned


def test_nobody_who_came_back_is_asked_for_a_motive_and_a_difficulty_is_come_back_to() -> None:
    said = NATIONAL.default.actions

    assert "ce qui s'est passé" not in said["welcome_back"]
    assert "en ligne" in said["welcome_back"]
    assert not [text for text in said.values() if "Reprendre la difficulté" in text]


@pytest.mark.parametrize(
    ("statuses", "action"),
    [
        (["present", "absent_justified"], "take_stock"),
        (["present", "absent_unjustified"], "call_about_absences"),
        # Not expected all week: nothing of it goes on.
        (["not_expected"], "take_stock"),
        (["not_expected", "absent_unjustified"], "call_about_absences"),
        (["not_recorded"], "call_about_absences"),
        ([], "call_about_absences"),
    ],
)
def test_absences_of_weeks_ago_are_not_asked_about_as_if_they_went_on(statuses: list[str], action: str) -> None:
    facts = people([0.4], entered_days=60)
    reason = {"code": "attendance", "feature": "unjustified_half_days_28", "value": 9.0, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[reason]], dtype=facts.scores.schema["reasons"])
    days = [ago(number) for number, _ in enumerate(statuses)]
    sheets = pl.DataFrame({"enrolment_id": "000", "date": days, "status": statuses}, schema=facts.attendance.schema)
    facts = replace(facts, scores=facts.scores.with_columns(told), attendance=sheets)

    risk = candidates(facts, RULES).filter(pl.col("kind") == "dropout_risk")

    assert risk["suggested_action"].to_list() == [action]


def test_a_promise_to_somebody_whose_risk_is_low_is_not_explained_by_facts_of_the_risk() -> None:
    facts = people([0.4, 0.001], owners=[None, None])
    reason = {"code": "attendance", "feature": "unjustified_half_days_7", "value": 3.0, "contribution": 1.0, "previous_value": None}
    told = pl.Series("reasons", [[reason], [reason]], dtype=facts.scores.schema["reasons"])
    facts = replace(facts, scores=facts.scores.with_columns(told))

    alerts = decide(facts, RULES).filter(pl.col("kind").cast(pl.String) == "no_owner")

    assert dict(alerts.select("enrolment_id", pl.col("reasons").list.len()).rows()) == {"000": 1, "001": 0}


risks = st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=14)
owners = st.sampled_from(["A", "B", "C", None])
ANSWERED = ("left_alone", "opposed", "already_known", "no_answer", "found_job")


@given(data=st.data(), risk=risks, nights=st.integers(1, 20), step=st.sampled_from([1, 1, 3, 7]))
def test_over_months_no_budget_is_passed_and_no_alert_repeats(data: st.DataObject, risk: list[float], nights: int, step: int) -> None:
    owned = data.draw(st.lists(owners, min_size=len(risk), max_size=len(risk)))
    facts = people(risk, owners=owned, entered_days=data.draw(st.integers(0, 40)))
    chance = random.Random(data.draw(st.integers(0, 10_000)))  # noqa: S311 - no secret
    asks = data.draw(st.sets(st.integers(0, len(risk) - 1), max_size=3))
    facts = replace(facts, contacts=contacts(*((f"L{n:03d}", DAY, "inbound", "left_message", "other") for n in sorted(asks))))
    opened: list[tuple[dt.date, str, str, bool]] = []
    seen: dict[tuple[dt.date, str], set[str]] = {}
    yesterday: set[tuple[str, str]] = set()
    answers: list[tuple[str, str, dt.date]] = []
    talks: list[tuple[str, dt.date]] = []
    for _ in range(nights):
        moved = [min(1.0, max(0.0, value + chance.choice([-0.1, 0.0, 0.0, 0.1]))) for value in risk]
        facts = replace(facts, scores=people(moved).scores, said=said(*answers))
        alerts = decide(facts, RULES)
        _each_alert_has_one_recipient(alerts)
        _requests_stand_first(alerts)
        _nobody_silenced_is_listed(alerts, answers, asks)
        rows = alerts.select(
            *(pl.col("kind", "state").cast(pl.String), "learner_id"),
            recipient=pl.coalesce("advisor_id", pl.lit("territory T")),
            urgent=(pl.col("kind").cast(pl.String) == "dropout_risk") & (pl.col("risk") >= HIGH_RISK),
        )
        opened += [(facts.as_of, *row) for row in rows.filter(state="new").select("learner_id", "kind", "urgent").rows()]
        # Counted on the lists themselves: whoever stands there today and did not stand there the night before, nor earlier this week.
        asked = set(rows.filter(kind="learner_request").select("recipient", "learner_id").rows())
        today = set(rows.filter(pl.col("state").is_in(LISTED)).select("recipient", "learner_id").rows())
        for recipient, learner in today - yesterday - asked:
            seen.setdefault((week_start(facts.list_day), recipient), set()).add(learner)
        # A night without any alert leaves no trace: what stood before it stands.
        yesterday = today if alerts.height else yesterday
        if chance.random() < 0.5:
            answers.append((f"{chance.randrange(len(risk)):03d}", chance.choice(ANSWERED), facts.as_of))
        if chance.random() < 0.2:
            talks.append((f"L{chance.randrange(len(risk)):03d}", facts.as_of))
            facts = replace(facts, contacts=pl.concat([facts.contacts, spoken(talks[-1])]))
        facts = next_night(facts, alerts, step)
    _order_of_rows_does_not_matter(facts)
    for (_, recipient), learners in seen.items():
        assert len(learners) <= (RULES.default.queue_capacity if recipient.startswith("territory") else 3)
    _cool_down_holds(opened, talks, RULES)


def _requests_stand_first(alerts: pl.DataFrame) -> None:
    listed = alerts.filter(pl.col("state").cast(pl.String).is_in(LISTED)).with_columns(
        asked=pl.col("kind").cast(pl.String) == "learner_request", whose=pl.coalesce("advisor_id", pl.lit("territory"))
    )
    for _, rows in listed.group_by("whose"):
        asked = rows.sort("rank")["asked"].to_list()
        assert asked == sorted(asked, reverse=True)


def _nobody_silenced_is_listed(alerts: pl.DataFrame, answers: list[tuple[str, str, dt.date]], asks: set[int]) -> None:
    if alerts.is_empty():
        return
    day = alerts["as_of"].max()
    silent = {
        name
        for name, code, on in answers
        if code != "no_answer" and int(name) not in asks and (code not in EXPLAINED or (day - on).days < RULES.invariants.explained_days)
    }
    risks_ = alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk", pl.col("state").cast(pl.String).is_in(LISTED))
    assert not silent & set(risks_["enrolment_id"].to_list())


def _order_of_rows_does_not_matter(facts: Facts) -> None:
    tables = ("scores", "enrolments", "sessions", "assignments", "advisors", "contacts", "past")
    shuffled = replace(facts, **{name: getattr(facts, name).reverse() for name in tables})
    assert decide(facts, RULES).equals(decide(shuffled, RULES))


def _each_alert_has_one_recipient(alerts: pl.DataFrame) -> None:
    assert alerts["alert_id"].is_unique().all()
    assert ((alerts["queue"].cast(pl.String) == "territory") == alerts["advisor_id"].is_null()).all()
    ranks = alerts.group_by(pl.coalesce("advisor_id", pl.lit("territory"))).agg(pl.col("rank").sort())
    assert all(rank == list(range(1, len(rank) + 1)) for rank in ranks["rank"].to_list())


def _cool_down_holds(opened: list[tuple[dt.date, str, str, bool]], talks: list[tuple[str, dt.date]], rules: Rules) -> None:
    last: dict[tuple[str, str], dt.date] = {}
    for day, learner, kind, urgent in opened:
        before = last.get((learner, kind))
        # Neither a high risk that nobody has in hand waits, nor what closed without a talk.
        since = [on for who, on in talks if who == learner and before and before <= on < day]
        in_hand = bool(since) and (day - max(since)).days < rules.invariants.in_hand_days
        assert not since or (urgent and not in_hand) or (day - before).days >= rules.invariants.cool_down_days
        last[learner, kind] = day
