"""Distance work, deadlines and courses before: each test is a small story, and what the features say of it."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest

from data_contracts.catalogue import TABLES
from features.catalogue import FAMILIES, FEATURES
from features.facts import ENROLMENT_COLUMNS, EXIT_COLUMNS, SESSION_COLUMNS, Facts
from features.matrix import cohort, matrix

START = dt.date(2026, 1, 5)
WEEK = 7


def on(day: int) -> dt.date:
    return START + dt.timedelta(days=day)


def at(day: int) -> dt.datetime:
    return dt.datetime.combine(on(day), dt.time(18), tzinfo=dt.UTC)


def table(name: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> pl.DataFrame:
    types = {column: definition.dtype for column, definition in TABLES[name].schema.columns().items() if column in columns}
    types |= {"known_on": pl.Datetime("us", "UTC"), "visible_until": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=types)


def enrolment(
    name: str, session: str = "S", learner: str | None = None, entry: int = 0, end: int = 180, known: int | None = None
) -> dict[str, Any]:
    dates = {"enrolled_on": on(entry - 1), "entry_date": on(entry), "planned_exit_date": on(end)}
    return {
        "enrolment_id": name,
        "learner_id": learner or f"L{name}",
        "session_id": session,
        **dates,
        "known_on": at(entry - 1 if known is None else known),
    }


def session(name: str, programme: str = "G", start: int = 0) -> dict[str, Any]:
    kind = {"mode": "remote", "entry": "fixed", "objective": "certification"}
    return {
        "session_id": name,
        "provider_id": "P",
        "programme_id": programme,
        "territory_id": "T",
        "start_date": on(start),
        **kind,
        "known_on": at(start - 30),
    }


def world(enrolments: list[dict[str, Any]], sessions: list[dict[str, Any]] | None = None, **rows: list[dict[str, Any]]) -> Facts:
    tables = {
        family.table: table(family.table, (family.key, *family.columns), rows.get(family.table, []))
        for family in FAMILIES
        if family.columns
    }
    tables["enrolments"] = table("enrolments", ENROLMENT_COLUMNS, enrolments)
    tables["sessions"] = table("sessions", SESSION_COLUMNS, sessions or [session("S")])
    tables["exits"] = table("exits", EXIT_COLUMNS, rows.get("exits", []))
    return Facts(tables, "Europe/Paris")


def rows_at(facts: Facts, day: int) -> dict[str, dict[str, Any]]:
    return {row["enrolment_id"]: row for row in matrix(facts, cohort(facts, [on(day)])).to_dicts()}


def trace(name: str, day: int, count: int = 5, kind: str = "content", known: int | None = None) -> dict[str, Any]:
    return {"enrolment_id": name, "date": on(day), "kind": kind, "count": count, "known_on": at(day if known is None else known)}


def work(name: str, due: int, handed_in: int | None = None, score: float | None = None, weight: float = 0.25) -> dict[str, Any]:
    submitted = None if handed_in is None else on(handed_in)
    return {
        "enrolment_id": name,
        "assessment_id": f"W{due}",
        "due_date": on(due),
        "submitted_on": submitted,
        "score": score,
        "weight": weight,
        "known_on": at(-10 if handed_in is None else handed_in),
    }


def test_who_does_less_than_the_session_stands_below_it_by_kind_and_by_week() -> None:
    busy = [trace("A", day) for day in range(20)] + [trace("A", 19, kind="forum/forumng")]
    quiet = [trace("B", 3), trace("B", 5)]
    found = rows_at(world([enrolment("A"), enrolment("B")], activity=busy + quiet), 20)

    for name in ("content_against_session_14", "content_against_session_total", "week_0_against_session", "forum_against_session_14"):
        assert found["A"][name] > 0 > found["B"][name], name
        assert found["A"][name] == pytest.approx(-found["B"][name], abs=1e-5)
    assert found["A"]["quiz_against_session_14"] == found["B"]["quiz_against_session_14"] == 0
    assert found["B"]["silence_rank"] > found["A"]["silence_rank"]


def test_how_many_times_less_than_the_mean_of_the_session_is_never_too_many() -> None:
    counts = {"A": 40, "B": 9, "C": 3, "D": 2, "E": 1}
    traces = [trace(name, 19, count) for name, count in counts.items()]
    found = rows_at(world([enrolment(name) for name in counts], activity=traces), 20)

    mean = sum(counts.values()) / len(counts)
    name = "activity_against_session_14"
    assert "que la moyenne de la session" in FEATURES[name].fr
    assert all(math.exp(-row[name]) <= mean / counts[one] for one, row in found.items() if row[name] < 0)
    assert math.exp(-found["E"][name]) > 2


def test_a_session_that_leaves_no_trace_compares_nobody() -> None:
    found = rows_at(world([enrolment("A"), enrolment("B")]), 20)

    assert found["A"]["week_0_against_session"] is None
    assert found["A"]["silence_rank"] is None


def test_a_late_entrant_is_not_compared_with_what_the_session_did_before_they_came() -> None:
    before = [trace("A", day) for day in range(60)] + [trace("B", day) for day in range(60)]
    people = [enrolment("A"), enrolment("B", entry=3), enrolment("C", entry=40)]
    facts = world(people, activity=[*before, *(trace("C", day) for day in range(40, 60))])
    of_traces = [name for name, feature in FEATURES.items() if "against_session" in name and feature.group == "activity"]

    new, settled = rows_at(facts, 45)["C"], rows_at(facts, 46)["C"]
    assert {new[name] for name in (*of_traces, "silence_rank", "activity_rank_7", "before_entry_rank")} == {None}
    assert new["activity_count_7"] == 30
    assert settled["week_0_against_session"] == settled["silence_rank"] - 0.5 == 0
    assert settled["activity_against_session_14"] < 0
    # A week counts from the day on which some of it was spent in the course.
    assert [settled[f"week_{week}_against_session"] for week in range(1, 6)] == [None] * 5
    assert [rows_at(facts, 47)["C"][f"week_{week}_against_session"] is None for week in range(3)] == [False, False, True]
    # Three days late is not late, and the others are compared whoever comes.
    assert rows_at(facts, 5)["B"]["week_0_against_session"] is not None
    assert rows_at(facts, 45)["A"]["week_0_against_session"] > 0


def test_somebody_back_online_after_a_week_of_silence_is_seen() -> None:
    before = [trace(name, day) for name in ("A", "B") for day in (1, 2)]
    facts = world(
        [enrolment(name) for name in "ABC"],
        # A is back after two weeks, B was there in the week before, C comes for the first time.
        activity=[*before, trace("A", 19, 3), trace("B", 12), trace("B", 19), trace("C", 19)],
    )

    assert {name: row["activity_back_7"] for name, row in rows_at(facts, 20).items()} == {"A": 3, "B": 0, "C": 0}


def test_a_silence_broken_by_work_alone_is_counted_apart() -> None:
    def silent(day: int, *submitted: int) -> float | None:
        pieces = [work("A", 40, since) for since in submitted]
        return rows_at(world([enrolment("A")], activity=[trace("A", 10)], assessments=pieces), day)["A"]["silent_but_for_work"]

    assert [silent(day, 12) for day in (16, 17, 25, 26)] == [0, 7, 15, 16]
    # Handed in before the last trace, tomorrow, or never.
    assert [silent(17, 9), silent(17, 18), silent(17)] == [0, 0, 0]


def test_the_longest_silence_and_the_usual_one() -> None:
    found = rows_at(world([enrolment("A")], activity=[trace("A", day) for day in (0, 1, 2, 12, 13)]), 15)["A"]

    assert found["longest_silence_days"] == 10
    assert found["days_since_activity_usual"] == pytest.approx(2 * 5 / 16)
    assert rows_at(world([enrolment("A")], activity=[trace("A", 0)]), 15)["A"]["longest_silence_days"] is None


def test_work_missed_in_a_row_starts_again_with_each_piece_handed_in() -> None:
    pieces = [work("A", 10), work("A", 20, 19, weight=0.5), work("A", 30), work("A", 40), work("A", 60)]
    found = rows_at(world([enrolment("A")], assessments=pieces), 45)["A"]

    assert found["work_missed"] == 3
    assert found["work_missed_in_a_row"] == 2
    assert found["weight_missed_share"] == pytest.approx(0.75 / 1.25)
    assert found["lateness_days_last"] == -1
    # On the evening of a deadline and the day after, those before it are counted apart, since the last one handed in.
    at_deadline = [
        rows_at(world([enrolment("A")], assessments=pieces), day)["A"]["work_missed_earlier"] for day in (12, 18, 39, 40, 41, 42)
    ]
    assert at_deadline == [1, 1, 1, 1, 1, 2]
    ahead = [*pieces[:-1], work("A", 60, 43)]
    assert rows_at(world([enrolment("A")], assessments=ahead), 45)["A"]["work_missed_earlier"] == 0


def test_a_mark_is_told_against_ones_own_and_the_session_s() -> None:
    marks = [work("A", 10, 9, 0.8), work("A", 20, 19, 0.4), work("B", 10, 9, 0.8), work("B", 20, 19, 0.8)]
    found = rows_at(world([enrolment("A"), enrolment("B")], assessments=marks), 30)

    assert found["A"]["score_change"] == pytest.approx(-0.2)
    assert found["A"]["score_last_against_session"] == pytest.approx(-0.2)
    assert found["B"]["score_last_against_session"] == pytest.approx(0.2)


def test_courses_before_and_beside_are_counted_as_known_then() -> None:
    sessions = [session("S"), session("R", start=-200), session("Q")]
    enrolments = [enrolment("A", learner="L"), enrolment("B", "R", "L", -200, -20), enrolment("C", "Q", "L", known=12)]
    left = [{"enrolment_id": "B", "exit_date": on(-100), "reason": "dropout", "known_on": at(5)}]
    facts = world(enrolments, sessions, exits=left)

    def told(day: int) -> tuple[float, float, float]:
        row = rows_at(facts, day)["A"]
        return row["earlier_courses"], row["earlier_courses_left"], row["courses_now"]

    assert told(4) == (1, 0, 1)
    # The exit was long ago; the service learnt of it on day 5, and of the other course on day 12.
    assert told(5) == (1, 1, 1)
    assert told(12) == (2, 1, 2)


def test_what_comes_to_be_known_later_changes_nothing_before() -> None:
    before = world([enrolment("A")], activity=[trace("A", 3)], assessments=[work("A", 10)])
    after = world(
        [enrolment("A"), enrolment("X", "S", "LA", entry=-90, known=21)],
        activity=[trace("A", 3), trace("A", 19, known=21)],
        assessments=[work("A", 10)],
        exits=[{"enrolment_id": "X", "exit_date": on(-60), "reason": "dropout", "known_on": at(21)}],
    )

    assert rows_at(before, 20)["A"] == rows_at(after, 20)["A"]


def test_marks_and_lateness_are_told_against_the_session_on_the_same_work() -> None:
    # B took the harder piece, and did it better and later than C did.
    done = [work("A", 10, 9, 0.9), work("B", 20, 20, 0.5), work("C", 20, 16, 0.3), work("D", 10, 9, 0.9)]
    found = rows_at(world([enrolment(name) for name in "ABCD"], assessments=done), 30)

    assert found["A"]["marks_against_session"] == 0
    assert found["B"]["marks_against_session"] == pytest.approx(0.1)
    assert found["C"]["marks_against_session"] == pytest.approx(-0.1)
    assert found["B"]["lateness_against_session"] == found["B"]["lateness_last_against_session"] == pytest.approx(2)


def test_work_ahead_marks_awaited_and_silence_since_the_deadline() -> None:
    pieces = [work("A", 10), work("A", 40, 15, weight=0.3), work("B", 10, 9, 0.4), work("B", 40, weight=0.3)]
    found = rows_at(world([enrolment("A"), enrolment("B")], assessments=pieces, activity=[trace("A", 4), trace("B", 18)]), 20)

    assert found["A"]["marks_awaited"] == 1
    assert found["A"]["weight_of_next"] == pytest.approx(0.3)
    assert found["A"]["next_work_against_session"] == pytest.approx(0.5)
    assert found["A"]["silent_before_deadline_days"] == 6
    assert found["B"]["silent_before_deadline_days"] == -8
    assert found["B"]["score_lowest"] == pytest.approx(0.4)
    assert found["B"]["points_so_far"] == pytest.approx(0.4)


def test_who_used_to_come_daily_and_falls_silent_surprises_more_than_who_rarely_came() -> None:
    daily, weekly = [trace("A", day) for day in range(40)], [trace("B", day) for day in range(4, 40, 7)]
    found = rows_at(world([enrolment("A"), enrolment("B")], activity=daily + weekly), 47)

    assert found["A"]["silence_surprise"] > found["B"]["silence_surprise"] > 0
    assert found["A"]["activity_momentum"] < 0
    assert found["A"]["activity_week_against_session"] > 0 > found["B"]["activity_week_against_session"]


def test_the_first_days_are_ranked_once_they_are_over() -> None:
    eager = [trace("A", day) for day in (-3, -2, 0, 1, 2)]
    facts = world([enrolment("A", known=-9), enrolment("B", known=-9)], activity=[*eager, trace("B", 5), trace("B", 20, count=500)])

    assert rows_at(facts, 13)["A"]["first_weeks_rank"] is None
    assert rows_at(facts, 21)["A"]["first_weeks_rank"] > rows_at(facts, 21)["B"]["first_weeks_rank"]
    assert rows_at(facts, 21)["A"]["before_entry_rank"] > rows_at(facts, 21)["B"]["before_entry_rank"]


def test_how_many_left_is_told_against_the_level_above_and_never_as_a_level() -> None:
    sessions = [session("S"), session("R", programme="H")]
    enrolments = [enrolment("A"), *(enrolment(f"R{n}", "R") for n in range(20))]
    left = [{"enrolment_id": f"R{n}", "exit_date": on(5), "reason": "dropout", "known_on": at(5)} for n in range(10)]
    found = rows_at(world(enrolments, sessions, exits=left), 20)

    assert found["R19"]["programme_dropouts_against_overall"] > 0 > found["A"]["programme_dropouts_against_overall"]
    # One provider: nothing to compare it with.
    assert found["A"]["provider_dropouts_against_overall"] == pytest.approx(0)
