"""Each table is a small story, and what the features say of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.catalogue import TABLES
from data_contracts.vocabulary import ATTENDANCE_STATUS
from features.catalogue import FAMILIES, FEATURES
from features.facts import ENROLMENT_COLUMNS, EXIT_COLUMNS, SESSION_COLUMNS, Facts
from features.families.attendance import ATTENDANCE
from features.matrix import QUALITY, cohort, matrix

START = dt.date(2026, 1, 5)
UTC = dt.UTC


def at(day: int, hour: int = 18) -> dt.datetime:
    return dt.datetime.combine(START, dt.time(hour), tzinfo=UTC) + dt.timedelta(days=day)


def table(name: str, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> pl.DataFrame:
    types = {column: definition.dtype for column, definition in TABLES[name].schema.columns().items() if column in columns}
    types |= {"known_on": pl.Datetime("us", "UTC"), "visible_until": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, schema=types)


def facts(sheets: list[dict[str, Any]], exits: list[dict[str, Any]] | None = None) -> Facts:
    """One learner on a session that starts on Monday 5 January 2026."""
    tables = {family.table: table(family.table, (family.key, *family.columns), []) for family in FAMILIES if family.columns}
    enrolment = {"enrolment_id": "E", "learner_id": "L", "session_id": "S", "enrolled_on": START, "entry_date": START}
    tables["enrolments"] = table(
        "enrolments", ENROLMENT_COLUMNS, [enrolment | {"planned_exit_date": dt.date(2026, 6, 30), "known_on": at(-1)}]
    )
    session = {"session_id": "S", "provider_id": "P", "programme_id": "G", "territory_id": "T", "start_date": START}
    kind = {"mode": "onsite", "entry": "fixed", "objective": "certification", "known_on": at(-1)}
    tables["sessions"] = table("sessions", SESSION_COLUMNS, [session | kind])
    tables["exits"] = table("exits", EXIT_COLUMNS, exits or [])
    tables["attendance"] = table("attendance", ("enrolment_id", "date", "half_day", "status"), sheets)
    return Facts(tables, "Europe/Paris")


def sheet(day: int, status: str, half_day: str = "am", known: int | None = None, until: int | None = None) -> dict[str, Any]:
    known_on = at(day if known is None else known)
    until_instant = None if until is None else at(until)
    date = START + dt.timedelta(days=day)
    return {"enrolment_id": "E", "date": date, "half_day": half_day, "status": status, "known_on": known_on, "visible_until": until_instant}


def row(known: Facts, day: int) -> dict[str, Any]:
    dates = [START + dt.timedelta(days=day)]
    return matrix(known, cohort(known, dates)).row(0, named=True)


def test_a_streak_counts_half_days_since_the_last_presence() -> None:
    story = facts([sheet(0, "present"), sheet(1, "absent_unjustified"), sheet(1, "absent_justified", "pm"), sheet(2, "absent_unjustified")])

    result = row(story, 2)

    assert result["unjustified_streak_half_days"] == 2
    assert result["absence_streak_half_days"] == 3
    assert result["days_since_presence"] == 2


def test_one_arrival_on_a_sheet_of_a_whole_day_is_late_once() -> None:
    story = facts([sheet(0, "late", "day"), sheet(1, "late"), sheet(2, "left_early", "day"), sheet(3, "absent_unjustified", "day")])

    result = row(story, 3)

    assert (result["late_half_days_28"], result["left_early_half_days_28"]) == (2, 1)
    assert result["unjustified_half_days_28"] == 2


def test_a_day_looked_back_on_knows_the_sheets_that_came_late_and_nothing_of_the_days_after() -> None:
    absent = [sheet(day, "absent_unjustified", known=known) for day, known in ((1, 2), (2, 9), (3, 20), (6, 6))]
    story = facts([sheet(0, "present"), *absent])
    date = [START + dt.timedelta(days=4)]

    def unjustified(known_days_later: int) -> float:
        return float(matrix(story, cohort(story, date, known_days_later=known_days_later))["unjustified_streak_half_days"][0])

    assert [unjustified(days) for days in (0, 5, 7, 20)] == [1, 2, 2, 3]


@pytest.mark.parametrize(("morning", "afternoon", "streak"), [("present", "absent_unjustified", 1), ("absent_unjustified", "present", 0)])
def test_the_morning_comes_before_the_afternoon(morning: str, afternoon: str, streak: int) -> None:
    assert row(facts([sheet(0, morning, "am"), sheet(0, afternoon, "pm")]), 0)["unjustified_streak_half_days"] == streak


def test_a_whole_day_counts_for_two_half_days() -> None:
    assert row(facts([sheet(0, "absent_unjustified", "day")]), 0)["unjustified_half_days_7"] == 2


def test_a_missing_sheet_is_never_an_absence() -> None:
    without = row(facts([sheet(0, "present")]), 5)
    with_missing = row(facts([sheet(0, "present"), *(sheet(day, "not_recorded") for day in (1, 2, 3))]), 5)

    assert {name: without[name] for name in FEATURES} == {name: with_missing[name] for name in FEATURES}
    assert with_missing["not_recorded_28"] == 3


@pytest.mark.parametrize(
    ("days_of_one", "of_the_others", "told"),
    [
        # Named until the third day, the others until the night; excused or away on a placement, a sheet names them all the same.
        ({3: "present"}, {20: "present"}, 17),
        ({3: "present", 20: "absent_justified"}, {20: "present"}, 0),
        ({3: "present", 20: "exempt"}, {20: "present"}, 0),
        ({3: "present", 20: "not_recorded"}, {20: "present"}, 17),
        # Nobody has been named for long: a holiday, or sheets that do not come.
        ({3: "present"}, {4: "present"}, 0),
        ({14: "present"}, {20: "present"}, 0),
        ({13: "present"}, {20: "present"}, 7),
        ({}, {20: "present"}, None),
    ],
)
def test_a_name_gone_from_the_sheets_of_a_session_that_goes_on_is_seen(
    days_of_one: dict[int, str], of_the_others: dict[int, str], told: float | None
) -> None:
    story = facts([sheet(day, status) for day, status in days_of_one.items()])
    names = ["E", "F", "G"]
    enrolments = [story.tables["enrolments"].with_columns(enrolment_id=pl.lit(name), learner_id=pl.lit(name)) for name in names]
    others = [sheet(day, status) | {"enrolment_id": name} for name in names[1:] for day, status in of_the_others.items()]
    sheets = pl.concat([story.tables["attendance"], table("attendance", ("enrolment_id", "date", "half_day", "status"), others)])
    known = Facts(story.tables | {"enrolments": pl.concat(enrolments), "attendance": sheets}, story.time_zone)

    night = matrix(known, cohort(known, [START + dt.timedelta(days=20)]))

    assert night["days_off_sheets"].to_list() == [told, 0, 0]


CLASS = (0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14, 15)
"""Class days, Monday to Friday, up to the Tuesday of the third week: the night of these stories."""


def off_the_sheets(stopped: list[tuple[int, ...]], status: str = "present", *, others: int = 6, known: int | None = None) -> list[float]:
    """Days off the sheets of people with sheets on these days alone, of a session whose others have one on each class day.

    `status` is that of an E who has more rows than days named; `known` the day on which the others' last two days are known.
    """
    days = [*stopped, *[CLASS] * others]
    names = [f"E{place}" for place in range(len(days))]
    story = facts([])
    enrolments = [story.tables["enrolments"].with_columns(enrolment_id=pl.lit(name), learner_id=pl.lit(name)) for name in names]
    late = {day: known if day >= 14 else None for day in CLASS}
    rows = [
        sheet(day, "present", known=late[day] if place >= len(stopped) else None) | {"enrolment_id": name}
        for place, name in enumerate(names)
        for day in days[place]
    ]
    if status != "present":
        rows += [sheet(day, status) | {"enrolment_id": "E0"} for day in (14, 15)]
    sheets = table("attendance", ("enrolment_id", "date", "half_day", "status"), rows)
    known_facts = Facts(story.tables | {"enrolments": pl.concat(enrolments), "attendance": sheets}, story.time_zone)
    night = matrix(known_facts, cohort(known_facts, [START + dt.timedelta(days=15)])).sort("enrolment_id")
    assert night["days_off_sheets"][len(stopped) :].sum() == 0
    return night["days_off_sheets"][: len(stopped)].to_list()


def test_two_class_days_without_the_name_are_enough_and_one_is_not() -> None:
    # The last sheet of Friday; of Monday; every one but the last two and one before, and but two before.
    assert off_the_sheets([CLASS[:-2]]) == [4]
    assert off_the_sheets([CLASS[:-1]]) == [0]
    assert off_the_sheets([(*CLASS[:4], *CLASS[5:-2])]) == [4]
    assert off_the_sheets([(*CLASS[:4], *CLASS[6:-2])]) == [0]
    # Named since the second week alone: on which days of the week their name is there does not show yet.
    assert off_the_sheets([(8, 9, 10, 11)]) == [0]


def test_whose_sheets_come_late_or_seldom_is_not_off_them() -> None:
    # Listed, with nothing filled in; away with a reason.
    assert [off_the_sheets([CLASS[:-2]], status) for status in ("not_recorded", "exempt", "absent_justified")] == [[0]] * 3
    # Wednesday to Friday, each week.
    assert off_the_sheets([(2, 3, 4, 9, 10, 11)]) == [0]
    # A group whose sheets come two days late; a pair is none.
    assert off_the_sheets([CLASS[:-2]] * 3, others=3) == [0] * 3
    assert off_the_sheets([CLASS[:-2]] * 2) == [4] * 2
    # Less than half of the session is named on those days.
    assert off_the_sheets([CLASS[:-2], CLASS[:-3], CLASS[:-2], CLASS[:-3]], others=2) == [0] * 4
    # The others' sheets of these days are not known yet.
    assert off_the_sheets([CLASS[:-2]], known=16) == [0]


def test_one_sheet_that_came_before_the_others_makes_nobody_absent_from_them() -> None:
    story = facts([sheet(10, "present")])
    names = ["E", "F", "G"]
    enrolments = [story.tables["enrolments"].with_columns(enrolment_id=pl.lit(name), learner_id=pl.lit(name)) for name in names]
    others = [sheet(day, "present") | {"enrolment_id": name} for name, day in (("F", 10), ("G", 20))]
    sheets = pl.concat([story.tables["attendance"], table("attendance", ("enrolment_id", "date", "half_day", "status"), others)])
    known = Facts(story.tables | {"enrolments": pl.concat(enrolments), "attendance": sheets}, story.time_zone)

    night = matrix(known, cohort(known, [START + dt.timedelta(days=20)]))

    assert night["days_off_sheets"].to_list() == [0, 0, 0]


def test_half_days_with_a_sheet_are_counted_by_window() -> None:
    days = (0, 20, 21, 27, 33, 34)
    night = row(facts([sheet(0, "present", "day"), *(sheet(day, "absent_justified") for day in days[1:])]), 34)

    assert [night[f"recorded_{window}"] for window in ("7", "14", "28", "before")] == [2, 4, 5, 3]


def test_nothing_known_is_null_and_never_zero_days() -> None:
    result = row(facts([]), 3)

    assert result["days_since_presence"] is None
    assert result["unjustified_half_days_7"] is None
    assert result["attendance_share_14"] is None
    assert {result[name] for name in QUALITY} == {0}


def test_windows_hold_the_last_days_the_date_itself_included() -> None:
    story = facts([sheet(0, "absent_unjustified"), sheet(6, "absent_unjustified"), sheet(7, "absent_unjustified")])

    assert row(story, 6)["unjustified_half_days_7"] == 2
    assert row(story, 7)["unjustified_half_days_7"] == 2
    assert row(story, 7)["unjustified_half_days_14"] == 3


def test_a_sheet_counts_from_the_day_it_is_known_and_a_justification_replaces_it() -> None:
    story = facts([sheet(1, "absent_unjustified", known=3, until=8), sheet(1, "absent_justified", known=8), sheet(0, "present")])

    assert row(story, 2)["unjustified_half_days_7"] == 0
    assert row(story, 4)["unjustified_half_days_7"] == 1
    assert row(story, 8)["unjustified_half_days_14"] == 0
    assert row(story, 8)["justified_half_days_28"] == 1
    assert [row(story, day)["justified_half_days_14"] for day in (8, 20)] == [1, 0]


def test_many_dates_at_once_give_what_each_gives_alone() -> None:
    story = facts([sheet(day, ATTENDANCE_STATUS[day % 6], known=day + day % 3) for day in range(20)])
    dates = [START + dt.timedelta(days=day) for day in (3, 9, 15)]

    together = matrix(story, cohort(story, dates))
    alone = pl.concat([matrix(story, cohort(story, [date])) for date in dates])

    assert together.equals(alone)


def test_who_is_known_to_have_left_is_not_in_the_cohort_and_who_is_not_yet_known_to_have_is() -> None:
    left = {"enrolment_id": "E", "exit_date": START + dt.timedelta(days=5), "reason": "dropout", "known_on": at(9)}
    story = facts([], [left])

    sizes = [cohort(story, [START + dt.timedelta(days=day)]).height for day in (4, 5, 8, 9, 10)]

    assert sizes == [1, 1, 1, 0, 0]


statuses = st.lists(st.sampled_from(ATTENDANCE_STATUS), min_size=1, max_size=30)


@settings(max_examples=30, deadline=None)
@given(story=statuses, day=st.integers(0, 29))
def test_a_presence_turned_into_an_unjustified_absence_moves_every_constrained_feature_the_worse_way(story: list[str], day: int) -> None:
    turned = min(day, len(story) - 1)
    story = [*story[:turned], "present", *story[turned + 1 :]]
    worse = [*story[:turned], "absent_unjustified", *story[turned + 1 :]]
    last = len(story) - 1

    before = row(facts([sheet(place, status) for place, status in enumerate(story)]), last)
    after = row(facts([sheet(place, status) for place, status in enumerate(worse)]), last)

    bound = [feature for feature in (*ATTENDANCE.facts, *ATTENDANCE.derived, *ATTENDANCE.cohort) if feature.monotone]
    # What was missed long ago makes these days look better beside it, and should.
    long_ago = {"attendance_change"} if last - turned >= 14 else set()
    moved = {feature.name for feature in bound if _known(before, after, feature.name) and after[feature.name] != before[feature.name]}
    for feature in bound:
        if feature.name not in long_ago and _known(before, after, feature.name):
            assert (after[feature.name] - before[feature.name]) * feature.monotone >= 0, feature.name
    assert "unjustified_share_total" in moved


def _known(before: dict[str, Any], after: dict[str, Any], name: str) -> bool:
    return before[name] is not None and after[name] is not None


@pytest.mark.parametrize("status", ["exempt", "not_expected"])
def test_days_nobody_was_expected_say_nothing(status: str) -> None:
    assert row(facts([sheet(0, "present"), sheet(1, status)]), 1)["attendance_share_7"] == 1


@pytest.mark.parametrize(
    ("days", "streak", "never"),
    [
        ({}, None, None),
        ({5: "absent_unjustified"}, 0, 1),
        ({4: "absent_justified", 5: "not_recorded"}, 0, 1),
        ({3: "present", 4: "absent_justified", 5: "late", 6: "present"}, 2, 0),
        ({3: "present", 4: "present", 5: "not_recorded", 6: "present"}, 3, 0),
        ({3: "present", 4: "absent_unjustified"}, 0, 0),
    ],
)
def test_half_days_attended_since_the_last_absence_and_whoever_never_came(
    days: dict[int, str], streak: int | None, never: int | None
) -> None:
    found = row(facts([sheet(day, status) for day, status in days.items()]), 7)

    assert (found["presence_streak_half_days"], found["never_present"]) == (streak, never)
