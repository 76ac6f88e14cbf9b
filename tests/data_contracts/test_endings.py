"""Who left without a word, and from when their silence counts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from data_contracts.endings import MATURITY_DAYS, decided_after, endings
from tests.data_contracts.received import NOW

if TYPE_CHECKING:
    from tests.data_contracts.received import Desk

SILENCE = 30


def test_silence_counts_from_the_entry_whatever_was_opened_before(desk: Desk) -> None:
    today = NOW.date()

    def ago(days: int) -> dt.date:
        return today - dt.timedelta(days=days)

    entered = {"e0": 3, "e1": 60, "e2": 30, "e3": 31, "e4": 31}
    people = "".join(f"{one},l{one},s,{ago(90)},{ago(days)},{ago(-90)}\n" for one, days in entered.items())
    desk.put("enrolments/e.csv", f"enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date\n{people}")
    # Four opened the platform two months ago; one of them was seen once more, on the day after the entry.
    traces = "".join(f"{one},{ago(70)},lms,3\n" for one in ("e0", "e2", "e3", "e4")) + f"e4,{ago(30)},lms,1\n"
    desk.put("activity/a.csv", f"enrolment_id,date,kind,count\n{traces}")
    desk.put("attendance/a.csv", "enrolment_id,date,half_day,status\n" + "".join(f"e1,{ago(days)},am,present\n" for days in range(60)))
    desk.take()

    with desk.warehouse() as warehouse:
        ended = endings(warehouse, today, SILENCE, "Europe/Paris").sort("enrolment_id")

    assert ended.select("enrolment_id", "exit_date").rows() == [("e2", ago(29)), ("e3", ago(30)), ("e4", ago(29))]


def test_who_hands_work_in_has_not_left_though_nothing_else_is_told_of_them(desk: Desk) -> None:
    today = NOW.date()

    def ago(days: int) -> dt.date:
        return today - dt.timedelta(days=days)

    people = "".join(f"{one},l{one},s,{ago(90)},{ago(80)},{ago(-90)}\n" for one in ("e0", "e1", "e2"))
    desk.put("enrolments/e.csv", f"enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date\n{people}")
    desk.put("activity/a.csv", f"enrolment_id,date,kind,count\ne0,{ago(1)},lms,3\ne1,{ago(60)},lms,3\ne2,{ago(60)},lms,3\n")
    work = f"e1,w,{ago(25)},{ago(20)}\ne2,w,{ago(25)},\n"
    desk.put("assessments/w.csv", f"enrolment_id,assessment_id,due_date,submitted_on\n{work}")
    desk.take()

    with desk.warehouse() as warehouse:
        assert endings(warehouse, today, SILENCE, "Europe/Paris").select("enrolment_id", "exit_date").rows() == [("e2", ago(59))]


def test_outcomes_wait_for_silence_where_providers_tell_few_dropouts(desk: Desk) -> None:
    today = NOW.date()

    def ago(days: int) -> dt.date:
        return today - dt.timedelta(days=days)

    people = "".join(f"e{n},l{n},s,{ago(90)},{ago(80)},{ago(-90)}\n" for n in range(12))
    desk.put("enrolments/e.csv", f"enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date\n{people}")
    # e0 stays; the others were last seen 50 days ago.
    seen = "".join(f"e{n},{ago(50)},am,present\n" for n in range(12)) + f"e0,{ago(1)},am,present\n"
    desk.put("attendance/a.csv", f"enrolment_id,date,half_day,status\n{seen}")
    desk.put("exits/x.csv", "enrolment_id,exit_date,reason\n" + "".join(f"e{n},{ago(49)},dropout\n" for n in range(1, 9)))
    desk.take()

    def waited() -> int:
        with desk.warehouse() as warehouse:
            ended = endings(warehouse, today, SILENCE, "Europe/Paris")
            assert ended.height == 11
            return decided_after(warehouse, ended, today, SILENCE, "Europe/Paris")

    # Three of eleven are known by silence alone: more than one in five.
    assert waited() == SILENCE + 5
    desk.put("exits/y.csv", f"enrolment_id,exit_date,reason\ne9,{ago(49)},dropout\n")
    desk.take()
    assert waited() == MATURITY_DAYS
