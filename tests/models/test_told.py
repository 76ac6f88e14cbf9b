"""What is told of made-up people, and of whom it would be unfair: each test is a small story."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest

from features.catalogue import FEATURES
from models.explanation import protective, reasons

NIGHT = dt.date(2025, 11, 20)


def test_a_reason_that_compares_is_told_only_where_the_comparison_is_true() -> None:
    """Everybody is early; who is a little less so is worse than usual, and still not late."""
    columns = ["lateness_days_mean", "work_missed_against_session", "days_since_activity"]
    rows = pl.DataFrame(
        {
            "as_of": [NIGHT] * 5,
            "enrolment_id": [f"e{n}" for n in range(5)],
            "lateness_days_mean": [-5.0, -5.0, -5.0, -0.8, 2.0],
            "work_handed_in": [3.0] * 5,
            "work_missed": [2.0] * 5,
            "work_missed_in_a_row": [1.0] * 5,
            "work_missed_share": [0.4] * 5,
            "days_since_deadline": [5.0] * 5,
            "work_missed_against_session": [-0.3, -0.3, -0.3, -0.011, 0.004],
            "days_since_activity": [1.0, 1.0, 1.0, 9.0, 9.0],
            "days_since_handed_in": [9.0, 9.0, 9.0, 9.0, None],
            "score_last": [None] * 4 + [0.4],
            "course_day": [80.0] * 5,
            "active_days_28": [4.0] * 5,
        }
    )
    parts = np.tile([0.5, 0.6, 0.4, -3.0], (5, 1))

    def facts(found: pl.Series) -> list[list[str]]:
        return [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]

    assert facts(reasons(parts, parts.sum(axis=1), columns, rows, rows.clear(), 3)) == [
        [],
        [],
        [],
        ["days_since_activity"],
        # Half a point more of work missed is told as 0 point, so the lateness speaks for the subject.
        ["lateness_days_mean", "days_since_activity"],
    ]
    # Whoever has handed work in since was there.
    since = rows.with_columns(days_since_handed_in=pl.Series([9.0, 9.0, 9.0, 8.0, None]))
    assert facts(reasons(parts, parts.sum(axis=1), columns, since, since.clear(), 3))[3:] == [
        [],
        ["lateness_days_mean", "days_since_activity"],
    ]
    # However long ago: they were there after their last trace.
    long_ago = rows.with_columns(days_since_activity=pl.lit(27.0), days_since_handed_in=pl.lit(26.0))[[4]]
    others = pl.concat([long_ago, rows[:3]])
    assert facts(reasons(parts[:1], parts[:1].sum(axis=1), columns, long_ago, long_ago.clear(), 3, everybody=others)) == [
        ["lateness_days_mean"]
    ]
    # Late, and well done.
    good = rows.with_columns(score_last=pl.lit(0.9))
    assert facts(reasons(parts, parts.sum(axis=1), columns, good, good.clear(), 3))[4] == ["days_since_activity"]
    lowered = np.tile([-0.5, -0.6, -0.4, -3.0], (2, 1))
    assert facts(protective(lowered, columns, rows[:2], rows.clear(), everybody=rows)) == [[], []]
    late = rows.with_columns(lateness_days_mean=pl.Series([-5.0, 4.0, 4.0, 4.0, 4.0]))
    kept_up = late.with_columns(work_missed_in_a_row=pl.lit(0.0))
    assert facts(protective(lowered[:1], columns, kept_up[:1], rows.clear(), everybody=late)) == [["lateness_days_mean"]]
    # How early the rest came is no comfort while a piece is missing.
    assert facts(protective(lowered[:1], columns, late[:1], rows.clear(), everybody=late)) == [[]]


def test_a_silence_is_told_with_the_work_handed_in_since() -> None:
    rows = {
        "course_day": [60.0, 60.0, 60.0, 6.0, 7.0, 60.0],
        "active_days_28": [9.0, 9.0, 1.0, 2.0, 2.0, 9.0],
        "days_since_activity": [1.0, 9.0, 9.0, 9.0, 9.0, 9.0],
        "days_since_handed_in": [30.0, 3.0, 3.0, 3.0, 3.0, 30.0],
        "silent_but_for_work": [0.0, 9.0, 9.0, 9.0, 9.0, 0.0],
    }
    crowd = {name: values + values[:1] * 12 for name, values in rows.items()}
    told = ["silent_but_for_work"]
    # Also of who is hardly ever online; traces of before the entry tell nothing.
    assert facts_told(["days_since_activity"], crowd)[:6] == [[], told, told, [], told, ["days_since_activity"]]


def test_who_has_just_entered_is_not_told_of_days_before_the_entry() -> None:
    columns = ["activity_count_14", "days_since_activity"]
    rows = pl.DataFrame(
        {
            "as_of": [NIGHT] * 4,
            "enrolment_id": [f"e{n}" for n in range(4)],
            "course_day": [40.0, 40.0, 3.0, 14.0],
            "activity_count_14": [90.0, 90.0, 5.0, 5.0],
            "days_since_activity": [1.0, 1.0, 1.0, 1.0],
            "days_since_handed_in": [None] * 4,
            "active_days_28": [9.0] * 4,
        }
    )
    parts = np.tile([0.5, 0.4, -3.0], (4, 1))

    found = reasons(parts, parts.sum(axis=1), columns, rows, rows.clear(), 3)

    assert [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found] == [[], [], [], ["activity_count_14"]]


def facts_told(columns: list[str], rows: dict[str, list[float | None]], raising: int = 1) -> list[list[str]]:
    """Features told as reasons (1) or as protective facts (-1) of rows in which every column raises, or lowers, alike."""
    number = len(next(iter(rows.values())))
    night = pl.DataFrame({"as_of": [NIGHT] * number, "enrolment_id": [f"e{n}" for n in range(number)], **rows})
    parts = np.tile([0.5 * raising] * len(columns) + [-3.0], (number, 1))
    if raising > 0:
        found = reasons(parts, parts.sum(axis=1), columns, night, night.clear(), len(columns))
    else:
        found = protective(parts, columns, night, night.clear(), len(columns))
    return [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]


def test_work_that_is_missing_is_told_and_not_how_long_ago_other_work_came_nor_before_the_evening_is_over() -> None:
    columns = ["days_since_handed_in", "last_work_missed", "work_missed_in_a_row", "work_missed"]
    missing = pl.DataFrame(
        {
            "as_of": [NIGHT] * 9,
            "enrolment_id": [f"e{n}" for n in range(9)],
            # The piece before came in good time; the third is due tonight; the fourth missed three, the fifth too with tonight's; then due
            # yesterday; one piece of five missed before the last one, which came, and one of two.
            "days_since_handed_in": [10.0, 40.0, 40.0, 80.0, 80.0, 10.0, 40.0, 3.0, 3.0],
            "days_since_deadline": [5.0, 2.0, 0.0, 5.0, 0.0, 5.0, 1.0, 5.0, 5.0],
            "last_work_missed": [0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0],
            "work_missed_in_a_row": [0.0, 1.0, 1.0, 3.0, 3.0, 0.0, 1.0, 0.0, 0.0],
            "work_missed": [0.0, 1.0, 1.0, 3.0, 3.0, 0.0, 1.0, 1.0, 1.0],
            "work_missed_share": [0.0, 0.5, 0.5, 0.6, 0.6, 0.0, 0.2, 0.2, 0.5],
        }
    )
    others = pl.concat([missing[[0]]] * 20)
    parts = np.tile([0.9, 0.2, 0.1, 0.3, -3.0], (9, 1))
    found = reasons(parts, parts.sum(axis=1), columns, missing, missing.clear(), 3, everybody=others)
    said = [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]
    assert said == [[], ["last_work_missed"], [], ["work_missed_in_a_row"], [], [], [], [], []]

    # Two missed before the last one, which was handed in, are past, however few there are of others.
    pieces = [missing.with_columns(work_missed=pl.lit(2.0), work_missed_share=pl.lit(share))[[0]] for share in (2 / 7, 2 / 3)]
    rows_then = pl.concat(pieces).with_columns(enrolment_id=pl.Series(["e0", "e1"]))
    found = reasons(parts[:2], parts[:2].sum(axis=1), columns, rows_then, rows_then.clear(), 3, everybody=others)
    assert [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found] == [[], []]

    # What was missed before the deadline of tonight or yesterday is not hidden by it, one piece nor two.
    earlier = missing.with_columns(work_missed_earlier=pl.Series([0.0, 1.0, 0.0, 3.0, 2.0, 0.0, 1.0, 0.0, 0.0]))
    found = reasons(parts, parts.sum(axis=1), columns, earlier, earlier.clear(), 3, everybody=pl.concat([earlier[[0]]] * 20))
    said = [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]
    assert said == [
        *([], ["last_work_missed"], [], ["work_missed_in_a_row"]),
        *(["work_missed_earlier"], [], ["work_missed_earlier"], [], []),
    ]

    # The last one due was missed, and the next is handed in ahead of its day.
    ahead = missing.with_columns(work_missed_in_a_row=pl.lit(0.0))[[1]]
    found = reasons(parts[:1], parts[:1].sum(axis=1), columns, ahead, ahead.clear(), 3, everybody=others)
    assert [reason["code"] for reason in found[0]] == ["rest"]

    rows: dict[str, list[float | None]] = {
        "days_since_handed_in": [10.0, 10.0, 40.0, 40.0, 40.0, 2.0, 2.0, 40.0],
        "days_since_deadline": [5.0, 5.0, 5.0, 5.0, None, 5.0, 1.0, 44.0],
    }
    named = ["days_since_handed_in"]

    assert facts_told(named, rows) == [[]] * 8
    # Two days ago, after the latest deadline and before it: before it, the work itself is told by other facts.
    assert facts_told(named, rows, -1) == [[], [], [], [], [], named, [], []]


def test_no_longer_silent_than_usual_is_true_of_whoever_is_told_so() -> None:
    rows: dict[str, list[float | None]] = {
        "days_since_activity_usual": [4.0, 4.0, 4.0, 1.6, 0.7, 4.5, 4.5],
        "days_since_activity": [9.0] * 7,
        # The last one has handed work in since.
        "days_since_handed_in": [None, 20.0, 20.0, 20.0, 20.0, 20.0, 2.0],
    }
    named = ["days_since_activity_usual"]

    assert facts_told(named, rows, -1) == [[], [], [], [], named, [], []]
    assert facts_told(named, rows) == [[], [], [], [], [], named, []]


def test_never_late_is_told_only_of_who_comes_and_late_twice_of_nobody() -> None:
    rows: dict[str, list[float | None]] = {
        "late_half_days_28": [0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 2.0],
        "attendance_share_28": [0.9, 0.2, None, 0.9, 0.9, 0.1, None, 0.9, 0.9],
        "attendance_share_7": [0.9, 0.9, 0.9, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9],
        "course_day": [60.0, 60.0, 60.0, 60.0, 5.0, 60.0, 60.0, 60.0, 60.0],
    }
    named = ["late_half_days_28"]
    # Late once is not none; who comes is told so, who hardly comes, or no longer, or has just entered, is not.
    most_are_late = {
        "late_half_days_28": [4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        "attendance_share_28": [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0.9, 0.9],
        "attendance_share_7": [0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.2, 0.9],
        "course_day": [60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 60.0, 5.0],
    }

    assert facts_told(named, rows) == [[], [], [], [], [], named, named, named, []]
    assert facts_told(named, most_are_late, -1) == [[], [], [], [], [], [], [], named, [], [], []]


def test_a_fall_too_small_to_notice_is_no_fall_and_a_rise_needs_the_month_it_is_told_against() -> None:
    rows: dict[str, list[float | None]] = {
        "activity_change": [0.0, 0.0, 0.0, -0.02, -0.7, -0.7, 0.7, 0.7, 0.02],
        "course_day": [60.0, 60.0, 60.0, 60.0, 20.0, 10.0, 60.0, 20.0, 60.0],
        "days_since_activity": [1.0] * 9,
        "days_since_handed_in": [5.0] * 9,
    }
    named = ["activity_change"]

    assert facts_told(named, rows) == [[], [], [], [], named, [], [], [], []]
    assert facts_told(named, rows, -1) == [[], [], [], [], [], [], named, [], []]


def test_one_piece_of_work_is_not_all_of_them_and_half_a_day_late_is_not_late() -> None:
    rows: dict[str, list[float | None]] = {
        "work_missed_share": [1.0, 1.0, 1.0, 1.0, 0.0, 0.0],
        "work_missed": [3.0, 3.0, 3.0, 3.0, 0.0, 0.0],
        "work_handed_in": [3.0, 3.0, 3.0, 3.0, 1.0, 2.0],
        "lateness_days_mean": [-5.0, -5.0, -5.0, 0.6, -5.0, 1.0],
        "days_since_deadline": [5.0] * 6,
        "score_last": [None] * 6,
    }

    assert facts_told(["work_missed_share"], rows, -1) == [[], [], [], [], [], ["work_missed_share"]]
    assert facts_told(["lateness_days_mean"], rows) == [[], [], [], [], [], ["lateness_days_mean"]]


def test_a_mean_of_one_piece_is_told_as_that_piece() -> None:
    rows: dict[str, list[float | None]] = {
        "lateness_days_mean": [0.0, 0.0, 0.0, 6.0, 6.0],
        "lateness_days_last": [0.0, 0.0, 0.0, 6.0, 6.0],
        "work_handed_in": [2.0, 2.0, 2.0, 1.0, 2.0],
        "score_last": [None] * 5,
    }

    assert facts_told(["lateness_days_mean", "lateness_days_last"], rows) == [[], [], [], ["lateness_days_last"], ["lateness_days_mean"]]


@pytest.mark.parametrize("name", ["late_work", "lateness_days_last", "lateness_against_session", "lateness_last_against_session"])
def test_an_evening_late_is_no_reason_nor_what_came_before_a_piece_in_time(name: str) -> None:
    rows: dict[str, list[float | None]] = {
        name: [0.0] * 7 + [3.0] * 4,
        "lateness_days_last": [0.0] * 7 + [2.0, 1.0, -1.0, 2.0],
        "lateness_days_mean": [0.0] * 7 + [2.0] * 4,
        "work_handed_in": [3.0] * 11,
        "work_missed_in_a_row": [0.0] * 11,
        "score_last": [None] * 10 + [0.9],
    }
    rows[name] = rows["lateness_days_last"] if name == "lateness_days_last" else rows[name]

    assert facts_told([name], rows)[7:] == [[name], [], [], []]


@pytest.mark.parametrize("name", ["late_work", "lateness_days_last", "lateness_against_session", "lateness_last_against_session"])
def test_work_in_time_is_no_comfort_while_work_is_missed(name: str) -> None:
    better = 0.0 if name == "late_work" else -3.0
    rows: dict[str, list[float | None]] = {
        name: [4.0] * 5 + [better, better],
        "late_work": [4.0] * 5 + [0.0] * 2,
        "work_handed_in": [3.0] * 7,
        "work_missed_in_a_row": [0.0] * 6 + [2.0],
    }

    assert facts_told([name], rows, -1)[5:] == [[name], []]


def test_of_whom_is_long_gone_since_when_is_told_and_not_a_share_unless_nothing_was_to_be_attended() -> None:
    columns = ["unjustified_share_total", "days_since_presence"]
    rows: dict[str, list[float | None]] = {
        "unjustified_share_total": [0.0, 0.0, 0.0, 0.4, 0.4, 0.4],
        "days_since_presence": [1.0, 1.0, 1.0, 62.0, 9.0, 21.0],
        # The last one missed two days before three weeks of closure.
        "absence_streak_half_days": [0.0, 0.0, 0.0, 80.0, 12.0, 4.0],
        "attendance_share_14": [1.0, 1.0, 1.0, 0.0, 0.2, 0.3],
        "recorded_14": [20.0, 20.0, 20.0, 20.0, 15.0, 6.0],
        "recorded_7": [10.0, 10.0, 10.0, 10.0, 5.0, 4.0],
        "not_expected_7": [0.0] * 6,
        "unjustified_half_days_14": [0.0, 0.0, 0.0, 20.0, 12.0, 4.0],
        "unjustified_half_days_28": [0.0, 0.0, 0.0, 40.0, 12.0, 4.0],
        "justified_half_days_28": [0.0] * 6,
        "unjustified_half_days_7": [0.0, 0.0, 0.0, 10.0, 6.0, 4.0],
        "attendance_share_7": [1.0, 1.0, 1.0, 0.0, 0.2, 0.3],
        "course_day": [80.0] * 6,
    }
    parts = np.tile([0.9, 0.1, -3.0], (6, 1))
    night = pl.DataFrame({"as_of": [NIGHT] * 6, "enrolment_id": [f"e{n}" for n in range(6)], **rows})

    found = reasons(parts, parts.sum(axis=1), columns, night, night.clear(), 3)

    said = [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]
    assert said == [[], [], [], ["days_since_presence"], ["unjustified_share_total"], ["unjustified_share_total"]]
    assert [row[0]["contribution"] for row in found][3:] == pytest.approx([1.0, 1.0, 1.0])


def test_the_same_absences_are_not_told_by_two_subjects() -> None:
    columns = ["unjustified_half_days_7", "attendance_against_session", "activity_change"]
    night = pl.DataFrame(
        {
            "as_of": [NIGHT] * 3,
            "enrolment_id": ["beside", "alone", "excused"],
            "unjustified_half_days_7": [5.0, 0.0, 5.0],
            "attendance_against_session": [-0.5, -0.5, -0.5],
            "activity_change": [-0.5, 0.1, 0.1],
            "days_since_activity": [1.0] * 3,
            "days_since_handed_in": [5.0] * 3,
            "unjustified_half_days_14": [5.0, 2.0, 5.0],
            "unjustified_half_days_28": [5.0, 2.0, 5.0],
            "justified_half_days_28": [0.0, 0.0, 9.0],
            "days_since_presence": [1.0] * 3,
            "absence_streak_half_days": [0.0] * 3,
            "course_day": [80.0] * 3,
            "recorded_14": [20] * 3,
            "recorded_before": [40] * 3,
        }
    )
    others = pl.concat([night[[0]].with_columns(cs.numeric() * 0)] * 20)
    parts = np.tile([0.9, 0.8, 0.1, -3.0], (3, 1))

    found = reasons(parts, parts.sum(axis=1), columns, night, night.clear(), 3, everybody=others)

    said = [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]
    # The trend is told by another of its facts, or not at all; of whom absences mostly have a reason, the gap that counts them never.
    assert said == [["unjustified_half_days_7", "activity_change"], ["attendance_against_session"], ["unjustified_half_days_7"]]
    assert [sum(reason["contribution"] for reason in row) for row in found] == pytest.approx([1.8] * 3)


def attending(people: int, **rows: object) -> pl.DataFrame:
    """People half way through a course, with a sheet for each of four half-days a day of the last month, and whatever else is named."""
    usual = {
        "attendance_share_14": 0.5,
        "attendance_share_7": 0.8,
        "days_since_presence": 1.0,
        "absence_streak_half_days": 0.0,
        "unjustified_streak_half_days": 0.0,
        "unjustified_half_days_14": 0.0,
        "unjustified_half_days_28": 20.0,
        "justified_half_days_14": 0.0,
        "justified_half_days_28": 0.0,
        "days_off_sheets": 0.0,
        "course_day": 80.0,
        "active_days_28": 20.0,
        "days_since_activity": 1.0,
        "days_since_handed_in": 5.0,
        "recorded_7": 10,
        "not_expected_7": 0,
        "recorded_14": 20,
        "recorded_28": 40,
    }
    night = pl.DataFrame({"as_of": [NIGHT] * people, "enrolment_id": [f"e{n}" for n in range(people)]})
    return night.with_columns(
        **{name: pl.Series(value) if isinstance(value, list) else pl.lit(value) for name, value in (usual | rows).items()}
    )


def told_beside_nobody(columns: list[str], night: pl.DataFrame, before: pl.DataFrame, *weights: float) -> list[list[dict[str, Any]]]:
    """Reasons of each person but the rest, beside a night on which nobody missed anything."""
    quiet = night[[0]].with_columns(cs.numeric() * 0).with_columns(cs.starts_with("attendance_share") + 1)
    others = pl.concat([quiet] * 20)
    parts = np.tile([*weights, -3.0], (night.height, 1))
    found = reasons(parts, parts.sum(axis=1), columns, night, before, 3, everybody=others)
    return [[reason for reason in row if reason["code"] != "rest"] for row in found]


def test_one_absence_that_goes_on_is_told_as_one_and_not_as_a_count_of_two_weeks() -> None:
    # One; the end of many; one day and a half; one of which half had a reason, and more than half; nearly all of what was missed, and not.
    people = {
        "absence_begun_half_days": [8.0, 2.0, 3.0, 6.0, 7.0, 6.0, 5.0],
        "unjustified_half_days_14": [8.0, 8.0, 3.0, 5.0, 5.0, 9.0, 9.0],
        "unjustified_half_days_28": [9.0] * 7,
        "justified_half_days_28": [4.0] * 7,
        "unjustified_streak_half_days": [8.0, 2.0, 3.0, 3.0, 3.0, 4.0, 4.0],
        "absence_streak_half_days": [8.0, 2.0, 3.0, 6.0, 7.0, 6.0, 5.0],
    }
    columns = ["unjustified_half_days_14", "unjustified_streak_half_days", "absence_streak_half_days"]
    told = {"count": "unjustified_half_days_14", "ours": "unjustified_streak_half_days", "all": "absence_streak_half_days"}

    found = told_beside_nobody(columns, attending(7, **people), attending(1).clear(), 0.9, 0.1, 0.1)

    assert [told_of[0]["feature"] for told_of in found] == [
        told[what] for what in ("ours", "count", "ours", "all", "count", "all", "count")
    ]
    # Beside more that was missed before it, an absence that goes on is told as well.
    assert [[one["value"] for one in row if one["feature"] == "absence_begun_half_days"] for row in found] == [[]] * 6 + [[5.0]]
    # Nobody is told of one who has had no class for a week.
    placed = attending(7, **people, recorded_7=[0] * 7, not_expected_7=[10] * 7)
    idle = told_beside_nobody(columns, placed, attending(1).clear(), 0.9, 0.1, 0.1)
    assert "absence_begun_half_days" not in {one["feature"] for one in idle[6]}
    # Nor who is off the sheets, or mostly had a reason.
    off = told_beside_nobody(columns, attending(7, **people, days_off_sheets=[0.0] * 6 + [3.0]), attending(1).clear(), 0.9, 0.1, 0.1)
    ill = people | {"unjustified_streak_half_days": [8.0, 2.0, 3.0, 3.0, 3.0, 4.0, 2.0]}
    mostly = told_beside_nobody(columns, attending(7, **ill), attending(1).clear(), 0.9, 0.1, 0.1)
    assert all("absence_begun_half_days" not in {one["feature"] for one in row} for row in (off[6], mostly[6]))


def test_of_who_is_gone_for_two_weeks_neither_counts_nor_the_absence_itself_are_told() -> None:
    away = {
        "unjustified_half_days_14": 6.0,
        "unjustified_streak_half_days": [6.0, 3.0, 16.0],
        "absence_streak_half_days": [6.0, 16.0, 16.0],
        "days_since_presence": [2.0, 20.0, 20.0],
    }
    for name in ("unjustified_half_days_14", "unjustified_streak_half_days", "absence_streak_half_days"):
        there, *gone = told_beside_nobody([name], attending(3, **away), attending(1).clear(), 0.9)
        assert gone == [[], []]
        assert there or name == "unjustified_half_days_14"
    # With more than half of it excused, it is no absence without a reason.
    excused = attending(1, absence_streak_half_days=6.0, unjustified_streak_half_days=2.0, unjustified_half_days_14=4.0)
    assert told_beside_nobody(["absence_streak_half_days"], excused, attending(1).clear(), 0.9) == [[]]


@pytest.mark.parametrize(
    "name", ["unjustified_half_days_14", "unjustified_half_days_28", "unjustified_half_days_30", "attendance_share_28"]
)
def test_absences_of_weeks_are_told_of_who_was_expected_in_the_last(name: str) -> None:
    # Expected; not expected; no sheet came.
    sheets = {"recorded_7": [10, 0, 0], "not_expected_7": [0, 10, 0]}
    value = 0.4 if "share" in name else 9.0
    now = attending(3, **{"unjustified_half_days_14": 4.0, name: [value] * 3}, **sheets)

    assert [bool(row) for row in told_beside_nobody([name], now, now.clear(), 0.9)] == [True, False, True]


def test_a_return_is_told_beside_the_absences_and_explains_nothing_itself() -> None:
    # Back for three days; for half a day; back once, and gone again; never away; back, and off the sheets two days later; who had missed
    # a day and a half, and two days.
    people = {
        "unjustified_half_days_14": [6.0, 6.0, 6.0, 0.0, 6.0, 2.0, 3.0],
        "justified_half_days_14": [0.0] * 5 + [1.0, 1.0],
        "presence_streak_half_days": [6.0, 1.0, 6.0, 90.0, 6.0, 6.0, 6.0],
        "days_since_presence": [1.0, 1.0, 5.0, 1.0, 2.0, 1.0, 1.0],
        "days_off_sheets": [0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0],
    }

    found = told_beside_nobody(["unjustified_half_days_14"], attending(7, **people), attending(1).clear(), 0.9)

    assert [[(reason["feature"], reason["contribution"]) for reason in row] for row in found] == [
        [("unjustified_half_days_14", 0.9), ("presence_streak_half_days", 0.0)],
        [("unjustified_half_days_14", 0.9)],
        [("unjustified_half_days_14", 0.9)],
        [],
        # Two class days without the name are enough to be told as that.
        [("days_off_sheets", 0.9)],
        [("unjustified_half_days_14", 0.9)],
        [("unjustified_half_days_14", 0.9), ("presence_streak_half_days", 0.0)],
    ]
    assert found[0][1]["value"] == 6


def test_justified_absences_are_told_beside_the_others_where_they_are_many() -> None:
    # Many; fewer than the others; few, and as many as the others; one; of who missed nothing without a reason.
    people = {"unjustified_half_days_14": [6.0, 6.0, 2.0, 1.0, 0.0], "justified_half_days_14": [4.0, 3.0, 2.0, 1.0, 9.0]}

    found = told_beside_nobody(["unjustified_half_days_14"], attending(5, **people), attending(1).clear(), 0.9)

    assert [[(reason["feature"], reason["contribution"]) for reason in row] for row in found] == [
        [("unjustified_half_days_14", 0.9), ("justified_half_days_14", 0.0)],
        [("unjustified_half_days_14", 0.9)],
        [("unjustified_half_days_14", 0.9), ("justified_half_days_14", 0.0)],
        [("unjustified_half_days_14", 0.9)],
        [],
    ]


def test_a_share_that_rose_is_no_better_on_the_day_an_absence_begins() -> None:
    # Better, and there; better, and absent again; worse; worse, of a fortnight that had hardly begun a week before.
    missed = {"unjustified_half_days_14": [4.0] * 4, "unjustified_half_days_28": [9.0] * 4, "justified_half_days_28": [0.0] * 4}
    present = {"attendance_share_14": [0.5, 0.5, 0.4, 0.4], "attendance_share_7": [0.6, 0.6, 0.3, 0.3]}
    now = attending(4, **missed, **present, absence_streak_half_days=[0.0, 2.0, 0.0, 0.0])
    was = {"attendance_share_14": [0.4, 0.4, 0.5, 0.5], "attendance_share_7": [0.3] * 4}
    before = attending(4, **missed, **was, recorded_14=[20, 20, 20, 8])

    found = told_beside_nobody(["attendance_share_14"], now, before, 0.9)

    assert [row[0]["previous_value"] for row in found] == [0.4, None, 0.5, None]


def test_fewer_absences_of_fewer_sheets_are_not_compared_with_the_week_before() -> None:
    # The last week was better; no better; still mostly missed; hardly on a sheet; better, and gone again; more in two weeks; more of more;
    # more, and no class in the last week.
    now = attending(
        8,
        unjustified_half_days_14=[5.0, 5.0, 5.0, 5.0, 5.0, 8.0, 8.0, 8.0],
        attendance_share_7=[0.9, 0.6, 0.4, 0.9, 0.9, 0.7, 0.7, None],
        recorded_7=[10, 10, 10, 4, 10, 10, 10, 0],
        absence_streak_half_days=[0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0],
    )
    before = attending(
        8,
        unjustified_half_days_14=[9.0, 9.0, 9.0, 9.0, 9.0, 4.0, 4.0, 4.0],
        attendance_share_7=[0.6, 0.6, 0.2, 0.6, 0.6, 0.6, 0.6, 0.6],
        recorded_14=[20, 20, 20, 20, 20, 20, 10, 20],
    )

    found = told_beside_nobody(["unjustified_half_days_14"], now, before, 0.9)

    assert [row[0]["previous_value"] for row in found] == [9.0, None, None, None, None, 4.0, None, None]


def test_of_who_comes_no_more_the_weeks_before_are_no_news() -> None:
    for feature, told in (("days_since_presence", False), ("unjustified_half_days_14", True)):
        gone = {"days_since_presence": [6.0], "unjustified_half_days_14": [8.0], "absence_streak_half_days": [9.0]}
        now, before = (attending(1, attendance_share_7=[share], **gone) for share in (0.1, 0.9))
        everybody = pl.concat([now, *[now.with_columns(**{name: pl.lit(0.0) for name in gone})] * 20])

        (found,) = reasons(np.array([[0.9, -3.0]]), np.array([-2.1]), [feature], now, before, 3, everybody=everybody)

        assert found[0]["feature"] == feature
        assert ("attendance_share_7" in [one["feature"] for one in found]) == told


@pytest.mark.parametrize(
    ("count", "week", "told"),
    [(8.0, 0.79, True), (8.0, 0.8, False), (4.0, 0.79, True), (4.0, 0.8, False), (4.0, 0.4, False), (4.0, 0.41, True), (8.0, 0.1, True)],
)
def test_a_count_that_rose_or_stood_is_not_compared_where_the_last_week_says_the_contrary(count: float, week: float, *, told: bool) -> None:
    now = attending(1, unjustified_half_days_14=[count], attendance_share_7=[week])
    before = attending(1, unjustified_half_days_14=[4.0], attendance_share_7=[0.6])

    (found,) = told_beside_nobody(["unjustified_half_days_14"], now, before, 0.9)

    assert (found[0]["previous_value"] is not None) == told


def test_two_weeks_far_apart_are_told_beside_what_is_told_of_more_days() -> None:
    # Worse; better; not far; hardly held; hardly held before; attendance does not raise the risk.
    of_week = {"attendance_share_7": [0.3, 0.9, 0.59, 0.3, 0.3, 0.3], "recorded_7": [10, 10, 10, 3, 10, 10]}
    of_former = {"attendance_share_7": [0.6, 0.6, 0.3, 0.6, 0.6, 0.6], "recorded_7": [10, 10, 10, 10, 3, 10]}
    now, before = (attending(6, unjustified_half_days_14=[8.0] * 6, **week) for week in (of_week, of_former))
    parts = np.array([[0.9, -3.0]] * 5 + [[-0.9, -3.0]])
    columns = ["unjustified_half_days_14"]
    nobody = dict.fromkeys(columns, 0.0)
    everybody = pl.concat([now, *[now[[0]].with_columns(**{name: pl.lit(value) for name, value in nobody.items()})] * 20])

    found = reasons(parts, parts.sum(axis=1), columns, now, before, 3, everybody=everybody)

    said = [[(one["value"], one["previous_value"]) for one in row if one["feature"] == "attendance_share_7"] for row in found]
    assert said == [[(0.3, 0.6)], [(0.9, 0.6)], [], [], [], []]
    # Of whoever entered within that week what was held of it is compared, and no figure else is.
    new, *_ = reasons(parts, parts.sum(axis=1), columns, now, before.clear(), 3, everybody=everybody, earlier=before)
    assert [(one["value"], one["previous_value"]) for one in new[:2]] == [(8.0, None), (0.3, 0.6)]
    # Where their share is the reason, it could not tell what it was; of others it does.
    share = {"attendance_share_7": 0.3, "unjustified_half_days_14": 8.0}
    for earlier, told in ((now[:1].clear(), [(0.3, None), (0.3, 0.6)]), (before[:1], [(0.3, 0.6)])):
        nobody = pl.concat([now[:1], *[now[:1].with_columns(attendance_share_7=pl.lit(1.0))] * 20])
        led = reasons(
            parts[:1], parts[:1].sum(axis=1), ["attendance_share_7"], now[:1].with_columns(**share), earlier, 3, nobody, before[:1]
        )
        assert [(one["value"], one["previous_value"]) for one in led[0] if one["feature"] == "attendance_share_7"] == told
    assert {one["contribution"] for row in found for one in row if one["feature"] == "attendance_share_7"} == {0.0}


def test_who_never_came_is_told_so_and_on_a_placement_nobody_is_told_of_absences_before_it() -> None:
    columns = ["unjustified_half_days_7", "absence_streak_half_days"]
    people = {
        "unjustified_half_days_7": [2.0, 2.0, 0.0],
        "unjustified_half_days_14": [2.0, 2.0, 0.0],
        "unjustified_half_days_28": [2.0, 2.0, 4.0],
        "justified_half_days_28": [0.0] * 3,
        "absence_streak_half_days": [2.0, 2.0, 4.0],
        "never_present": [1.0, 0.0, 0.0],
        "attendance_share_14": [0.0, 0.5, None],
    }

    night = attending(3, **people)

    found = told_beside_nobody(columns, night, night.clear(), 0.9, 0.1)

    assert [[reason["feature"] for reason in row] for row in found] == [["never_present"], ["unjustified_half_days_7"], []]


def test_on_the_day_of_entry_nobody_has_stayed_away_and_nobody_comes_back_online() -> None:
    columns = ["unjustified_half_days_7", "activity_count_7"]
    night = attending(
        4,
        course_day=[0.0, 2.0, 13.0, 14.0],
        unjustified_half_days_7=[2.0, 2.0, 0.0, 0.0],
        never_present=[1.0, 1.0, 0.0, 0.0],
        activity_count_7=[0.0, 0.0, -1.0, -1.0],
        activity_back_7=[0.0, 0.0, 5.0, 5.0],
    )

    found = told_beside_nobody(columns, night, night.clear(), 0.9, 0.9)

    assert [[reason["feature"] for reason in row] for row in found] == [
        ["unjustified_half_days_7"],
        ["never_present"],
        ["activity_count_7"],
        ["activity_count_7", "activity_back_7"],
    ]


def test_a_talk_lately_is_no_comfort_of_who_has_stayed_away_since() -> None:
    rows: dict[str, list[float | None]] = {
        "days_since_two_way_contact": [40.0] * 5 + [5.0] * 3,
        "unanswered_attempts": [0.0] * 8,
        # Nothing to attend: a course at a distance.
        "unjustified_half_days_7": [0.0] * 5 + [2.0, 3.0, None],
    }
    told = ["days_since_two_way_contact"]

    assert facts_told(told, rows, -1)[5:] == [told, [], told]


def test_a_low_mark_is_told_while_it_is_the_last() -> None:
    rows: dict[str, list[float | None]] = {
        "score_lowest": [0.6] * 5 + [0.3, 0.3],
        "score_mean": [0.7] * 5 + [0.5, 0.5],
        "score_last": [0.8] * 5 + [0.3, 0.4],
    }

    assert facts_told(["score_lowest"], rows)[5:] == [["score_lowest"], []]


@pytest.mark.parametrize(
    "name",
    [
        *("silence_surprise", "activity_momentum", "activity_change", "activity_recent", "activity_week_against_session"),
        *("active_days_7", "activity_count_14", "activity_kinds_28", "active_weeks_8", "activity_rank_28", "silence_rank"),
        *("week_0_against_session", "activity_against_session_14", "content_against_session_14", "silent_before_deadline_days"),
        # Nor all the time before, which has not moved, in its place.
        *("content_against_session_total", "activity_total_rank", "first_weeks_rank", "before_entry_rank"),
        *("active_share_total", "longest_silence_days"),
    ],
)
def test_no_silence_is_told_of_who_has_handed_work_in_since(name: str) -> None:
    worse = 2.0 if FEATURES[name].direction > 0 else -2.0
    worse *= 4.5 if name == "silence_surprise" else 1
    rows: dict[str, list[float | None]] = {
        name: [0.0] * 5 + [worse] * 3,
        "days_since_activity": [1.0] * 5 + [9.0] * 3,
        "days_since_handed_in": [None] * 5 + [None, 20.0, 2.0],
        "days_since_activity_usual": [1.0] * 8,
        "course_day": [80.0] * 8,
        "session_people": [20.0] * 8,
        "activity_back_7": [0.0] * 8,
        "active_days_28": [9.0] * 8,
        "active_days_rank_28": [0.8] * 5 + [0.2] * 3,
        "activity_count_14": [40.0] * 5 + [4.0] * 3,
        "activity_count_28": [80.0] * 5 + [9.0] * 3,
    }

    assert facts_told([name], rows)[5:] == [[name], [name], []]


def test_a_share_of_days_online_is_little_only_of_who_is_there_less_often_than_half_of_the_session() -> None:
    rows: dict[str, list[float | None]] = {
        "active_share_total": [0.9] * 5 + [0.2] * 3,
        "course_day": [80.0] * 8,
        "days_since_activity": [1.0] * 8,
        "days_since_handed_in": [None] * 8,
        # Below the middle, at it, and in a session too small for a rank.
        "active_days_rank_28": [0.7] * 5 + [0.4, 0.5, None],
    }

    assert facts_told(["active_share_total"], rows)[5:] == [["active_share_total"], [], ["active_share_total"]]


def test_who_is_back_online_is_not_told_to_lose_speed() -> None:
    rows: dict[str, list[float | None]] = {
        "activity_momentum": [0.0] * 5 + [-2.0, -2.0, -2.0],
        "days_since_activity": [1.0] * 8,
        "days_since_handed_in": [None] * 8,
        "course_day": [80.0] * 8,
        "activity_back_7": [0.0] * 6 + [12.0, 0.0],
        "activity_count_14": [40.0] * 5 + [4.0, 4.0, 5.0],
        "activity_count_28": [80.0] * 5 + [9.0, 9.0, 10.0],
    }

    assert facts_told(["activity_momentum"], rows)[5:6] == [["activity_momentum"]]
    assert "activity_momentum" not in facts_told(["activity_momentum"], rows)[6]
    # Nor who did as much in the last two weeks as in the two before.
    assert facts_told(["activity_momentum"], rows)[7] == []


def test_who_is_there_four_times_in_five_is_not_told_to_be_there_too_little() -> None:
    rows: dict[str, list[float | None]] = {
        "attendance_share_14": [1.0] * 5 + [0.79, 0.8],
        "recorded_14": [20.0] * 7,
        "unjustified_half_days_14": [0.0] * 5 + [4.0, 4.0],
        "unjustified_half_days_28": [0.0] * 5 + [4.0, 4.0],
        "justified_half_days_28": [0.0] * 7,
        "recorded_7": [10.0] * 7,
        "not_expected_7": [0.0] * 7,
        "course_day": [80.0] * 7,
    }

    assert facts_told(["attendance_share_14"], rows)[5:] == [["attendance_share_14"], []]
    # Nor is anybody who has had no class for a week told of shares.
    assert facts_told(["attendance_share_14"], rows | {"recorded_7": [0.0] * 7, "not_expected_7": [9.0] * 7})[5:] == [[], []]


def test_of_who_is_online_on_a_few_days_of_four_weeks_a_gap_of_days_is_not_told() -> None:
    # On three days, and on four; on three, silent for two weeks; on three since an entry less than four weeks ago.
    rows: dict[str, list[float | None]] = {
        "days_since_activity": [0.0] * 5 + [13.0, 13.0, 14.0, 13.0],
        "active_days_28": [20.0] * 5 + [3.0, 4.0, 3.0, 3.0],
        "days_since_handed_in": [None] * 9,
        "course_day": [80.0] * 8 + [27.0],
    }
    gap, few = "days_since_activity", "active_days_28"

    assert facts_told([gap, few], rows)[5:] == [[few], [gap], [gap], [gap]]


def test_what_was_done_in_three_days_is_told_as_protective_alone() -> None:
    rows: dict[str, list[float | None]] = {
        "activity_count_3": [9.0] * 5 + [0.0, 30.0],
        "days_since_activity": [0.0] * 5 + [3.0, 0.0],
        "days_since_handed_in": [None] * 7,
        "course_day": [80.0] * 7,
    }

    assert facts_told(["activity_count_3"], rows)[5:] == [[], []]
    assert facts_told(["activity_count_3"], rows, -1)[5:] == [[], ["activity_count_3"]]


def test_marks_are_told_of_who_has_several_and_stands_low() -> None:
    # Best of the session; one mark; low among others; no lower than the others in the last one.
    rows: dict[str, list[float | None]] = {
        "score_change": [0.0] * 5 + [-0.15] * 4,
        "score_mean": [0.6] * 5 + [0.8, 0.4, 0.5, 0.5],
        "score_lowest": [0.5] * 5 + [0.7, 0.4, 0.3, 0.3],
        "score_rank": [0.5] * 5 + [0.96, 0.2, 0.2, 0.2],
        "score_last_against_session": [0.0] * 5 + [-0.1, -0.1, -0.1, 0.1],
    }

    assert facts_told(["score_change"], rows)[5:] == [[], [], ["score_change"], []]


def test_a_fact_with_a_figure_is_told_rather_than_one_without() -> None:
    columns = ["activity_count_14", "activity_steady"]
    night = attending(1, activity_count_14=[-1.0], activity_steady=[-1.0])

    assert told_beside_nobody(columns, night, night.clear(), 0.3, 0.5)[0][0]["feature"] == "activity_count_14"
    assert told_beside_nobody(columns, night, night.clear(), 0.1, 0.5)[0][0]["feature"] == "activity_steady"


def test_a_share_of_hardly_any_half_days_is_not_told_and_counts_are() -> None:
    columns = ["attendance_share_14", "unjustified_half_days_14", "attendance_change", "attendance_against_session"]
    night = pl.DataFrame(
        {
            "as_of": [NIGHT] * 3,
            "enrolment_id": ["two half-days", "little before", "enough"],
            "attendance_share_14": [0.5] * 3,
            "unjustified_half_days_14": [1.0, 3.0, 4.0],
            "unjustified_half_days_28": [1.0, 3.0, 4.0],
            "justified_half_days_28": [0.0] * 3,
            "attendance_change": [-0.5] * 3,
            "attendance_against_session": [-0.5] * 3,
            "days_since_presence": [1.0] * 3,
            "unjustified_streak_half_days": [0.0] * 3,
            "absence_streak_half_days": [0.0] * 3,
            "course_day": [80.0] * 3,
            "recorded_7": [2, 4, 4],
            "not_expected_7": [0] * 3,
            "recorded_14": [2, 8, 8],
            "recorded_before": [40, 2, 40],
        }
    )
    better = {"attendance_share_14": 1.0, "attendance_change": 0.0, "attendance_against_session": 0.0}
    others = pl.concat(
        [night[[0]].with_columns(cs.numeric() * 0).with_columns(**{name: pl.lit(value) for name, value in better.items()})] * 20
    )

    def said(*weights: float) -> list[list[str]]:
        parts = np.tile([*weights, -3.0], (3, 1))
        found = reasons(parts, parts.sum(axis=1), columns, night, night.clear(), 3, everybody=others)
        return [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]

    assert said(0.9, 0.1, 0.0, 0.0) == [["unjustified_half_days_14"], ["attendance_share_14"], ["attendance_share_14"]]
    # Absences told beside it make a fall a repetition; alone, it is told of whom enough is known to compare.
    assert said(0.0, 0.0, 0.9, 0.0) == [[], [], ["attendance_change"]]
    assert said(0.0, 0.0, 0.0, 0.9) == [[], ["attendance_against_session"], ["attendance_against_session"]]


def test_whoever_is_off_the_sheets_is_told_so_and_not_what_came_before() -> None:
    columns = ["unjustified_half_days_14", "attendance_against_session", "late_half_days_28"]
    night = pl.DataFrame(
        {
            "as_of": [NIGHT] * 2,
            "enrolment_id": ["off", "absent"],
            "unjustified_half_days_14": [6.0, 6.0],
            "attendance_against_session": [-0.5, -0.5],
            "late_half_days_28": [5.0, 5.0],
            "attendance_share_28": [0.5, 0.5],
            "attendance_share_7": [0.5, 0.5],
            "unjustified_half_days_28": [6.0, 6.0],
            "justified_half_days_28": [0.0, 0.0],
            "course_day": [80.0, 80.0],
            "recorded_7": [10, 10],
            "not_expected_7": [0, 0],
            "recorded_14": [20, 20],
            "days_off_sheets": [9.0, 0.0],
            "days_since_presence": [1.0] * 2,
            "unjustified_streak_half_days": [0.0] * 2,
            "absence_streak_half_days": [0.0] * 2,
        }
    )
    others = pl.concat([night[[0]].with_columns(cs.numeric() * 0)] * 20)

    def said(weight: float) -> list[list[str]]:
        parts = np.tile([weight, 0.5, 0.4, -3.0], (2, 1))
        found = reasons(parts, parts.sum(axis=1), columns, night, night.clear(), 3, everybody=others)
        return [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]

    # Nor the gap to the session, nor lateness; of whoever is there, the gap repeats the absences.
    assert said(0.9) == [["days_off_sheets"], ["unjustified_half_days_14", "late_half_days_28"]]
    # It is told though attendance lowers the risk of who came well until then.
    gap = ["attendance_against_session", "late_half_days_28"]
    assert said(-0.9) == [[*gap, "days_off_sheets"], gap]


def test_two_weeks_of_absences_are_told_and_not_hidden_in_a_share_since_entry() -> None:
    columns = ["unjustified_share_total", "unjustified_half_days_14", "days_since_presence"]
    night = pl.DataFrame(
        {
            "as_of": [NIGHT] * 5,
            "enrolment_id": [f"e{n}" for n in range(5)],
            # A surge; four in two weeks; nothing to attend at present; five days in; gone for three weeks.
            "unjustified_share_total": [0.2, 0.2, 0.4, 1.0, 0.4],
            "unjustified_half_days_14": [9.0, 4.0, None, 5.0, 9.0],
            "days_since_presence": [1.0, 1.0, 20.0, None, 21.0],
            "absence_streak_half_days": [2.0, 2.0, 0.0, 3.0, 30.0],
            "unjustified_streak_half_days": [2.0, 2.0, 0.0, 3.0, 30.0],
            "unjustified_half_days_28": [9.0, 4.0, 0.0, 5.0, 9.0],
            "justified_half_days_28": [0.0] * 5,
            "attendance_share_14": [0.4, 0.7, None, 0.0, 0.0],
            "recorded_14": [15.0, 13.0, 0.0, 5.0, 9.0],
            "recorded_7": [8.0, 7.0, 0.0, 5.0, 9.0],
            "not_expected_7": [0.0] * 5,
            "unjustified_half_days_7": [5.0, 2.0, None, 5.0, 5.0],
            "attendance_share_7": [0.4, 0.7, None, 0.0, 0.0],
            "course_day": [80.0, 80.0, 80.0, 5.0, 80.0],
        }
    )
    present = dict.fromkeys(columns, 0.0) | {"absence_streak_half_days": 0.0, "attendance_share_14": 1.0}
    others = pl.concat([night[[0]].with_columns(**{name: pl.lit(value) for name, value in present.items()})] * 20)
    parts = np.tile([0.9, 0.1, 0.1, -3.0], (5, 1))

    found = reasons(parts, parts.sum(axis=1), columns, night, night.clear(), 3, everybody=others)

    said = [[reason["feature"] for reason in row if reason["code"] != "rest"] for row in found]
    assert said == [["unjustified_half_days_14"], ["unjustified_share_total"], [], ["unjustified_half_days_14"], ["days_since_presence"]]
    # Nor where the two weeks were clearly better than the rest.
    for share_since_entry, told in ((0.33, "unjustified_share_total"), (0.34, "unjustified_half_days_14")):
        lately = night.with_columns(unjustified_share_total=pl.lit(share_since_entry))
        assert reasons(parts, parts.sum(axis=1), columns, lately, lately.clear(), 3, everybody=others)[1][0]["feature"] == told
    # Back for a week of classes, what is told is what was missed of late; with no class in that week, the share stands.
    for share, told in ((1.0, "unjustified_half_days_14"), (None, "unjustified_share_total")):
        back = night.with_columns(unjustified_half_days_7=pl.lit(0.0), attendance_share_7=pl.lit(share, pl.Float64))
        assert reasons(parts, parts.sum(axis=1), columns, back, back.clear(), 3, everybody=others)[1][0]["feature"] == told


def test_who_has_just_entered_is_not_ranked_by_all_done_so_far() -> None:
    rows: dict[str, list[float | None]] = {
        "activity_total_rank": [0.9, 0.6, 0.6, 0.1, 0.1, 0.1],
        "course_day": [60.0, 60.0, 60.0, 2.0, 60.0, 60.0],
        "session_people": [20.0, 20.0, 20.0, 20.0, 20.0, 3.0],
        "days_since_activity": [1.0] * 6,
        "days_since_handed_in": [None] * 6,
    }

    assert facts_told(["activity_total_rank"], rows) == [[], [], [], [], ["activity_total_rank"], []]
