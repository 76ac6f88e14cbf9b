"""Who left without a word, and from when their silence counts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from data_contracts.endings import endings
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
