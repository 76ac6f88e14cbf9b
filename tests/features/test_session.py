"""What a session's past tells, as each date knew who ran it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from features.facts import read_facts
from features.matrix import cohort, matrix
from tests.data_contracts.received import Desk

if TYPE_CHECKING:
    from pathlib import Path

NIGHT = dt.date(2026, 6, 1)
ZONE = "Europe/Paris"


def test_a_corrected_provider_counts_from_when_it_was_known_wherever_reading_begins(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.put(
        "sessions/s.csv",
        "session_id,provider_id,programme_id,title,territory_id,start_date,end_date,planned_minutes,mode,entry,objective,known_on\n"
        + "".join(f"s{n},P{n},p,Course,t,2026-01-05,2026-12-18,1000,onsite,fixed,other,2026-01-05T08:00:00Z\n" for n in range(3))
        + "s0,P1,p,Course,t,2026-01-05,2026-12-18,1000,onsite,fixed,other,2026-04-01T08:00:00Z\n",
    )
    people = "".join(f"e{n},l{n},s{n % 3},2026-01-05,2026-01-05,2026-12-18,2026-01-05T08:00:00Z\n" for n in range(30))
    desk.put("enrolments/e.csv", f"enrolment_id,learner_id,session_id,enrolled_on,entry_date,planned_exit_date,known_on\n{people}")
    gone = "".join(f"e{3 * n},2026-03-02,dropout,2026-03-05T08:00:00Z\n" for n in range(6))
    desk.put("exits/x.csv", f"enrolment_id,exit_date,reason,known_on\n{gone}")
    desk.take()

    def provider(night: dt.date, first: dt.date) -> dict[str, float]:
        with desk.warehouse() as warehouse:
            facts = read_facts(warehouse, first, night, ZONE)
        rows = matrix(facts, cohort(facts, [night]))
        return dict(rows.select("session_id", "provider_dropouts_against_overall").unique().rows())

    before, after = dt.date(2026, 3, 30), provider(NIGHT, NIGHT - dt.timedelta(days=7))

    assert after == provider(NIGHT, dt.date(2026, 1, 5))
    # Until the correction the six who left were of P0; from then on they are of P1, for both of its sessions.
    assert provider(before, before)["s1"] < 0 < provider(before, before)["s0"]
    assert after["s0"] == after["s1"] > after["s2"]
