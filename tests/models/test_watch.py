"""What wakes somebody, and what must not."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from features.catalogue import FEATURES
from models.watch import Reading, band, drift, landmarks_on, matured, overrides, reference, usefulness, volume
from models.watch_page import last_read, never_read, render

NIGHT = dt.date(2026, 3, 1)
IN_A_SESSION = 12


def people(n: int, seed: int, night: dt.date = NIGHT, **moved: float) -> pl.DataFrame:
    """Rows of a made-up matrix; `moved` shifts columns by so many standard deviations. One column is the same for a whole session."""
    luck = np.random.default_rng(seed)
    columns = {name: luck.normal(moved.get(name, 0.0), 1, n) for name in FEATURES}
    session = np.arange(n) // IN_A_SESSION
    columns["session_attendance_share_14"] = luck.normal(0, 1, n)[session]
    ids = {"learner_id": "l", "session_id": "s", "provider_id": "p", "programme_id": "g"}
    numbers = (np.arange(n), session, session // 5, session // 10)
    names = {name: [f"{ids[name]}{number}" for number in of] for name, of in zip(ids, numbers, strict=True)}
    rows = pl.DataFrame({**names, **columns}).with_columns(as_of=pl.lit(night))
    return rows.with_columns(course_day=pl.Series(luck.integers(0, 150, n)).cast(pl.Float64))


@pytest.fixture(scope="module")
def learnt() -> pl.DataFrame:
    return reference(people(20_000, 1), np.random.default_rng(1).beta(1, 30, 20_000))


def alarms(learnt: pl.DataFrame, rows: pl.DataFrame, seed: int = 2, times: float = 1) -> set[str]:
    risk = np.random.default_rng(seed).beta(1, 30, rows.height) * times
    return {reading.subject for reading in drift(learnt, rows, risk) if reading.alarm}


def test_a_quiet_night_raises_no_alarm_however_small(learnt: pl.DataFrame) -> None:
    assert not [seed for seed in range(20) if alarms(learnt, people(60, 100 + seed), seed)]
    assert not alarms(learnt, people(4_000, 3))


def test_what_a_session_shares_counts_once_however_many_sit_in_it(learnt: pl.DataFrame) -> None:
    # Were each of the 600 to stand alone, their 50 sessions would be a drift in nearly every draw.
    assert len([seed for seed in range(20) if alarms(learnt, people(600, 300 + seed), seed)]) <= 1
    together = in_one_bin(learnt)
    assert together["session_attendance_share_14"] > 0.99
    assert together["attendance_share_28"] < 0.1
    assert alarms(learnt, people(30_000, 4).with_columns(pl.col("session_attendance_share_14") + 2)) == {
        "drift of session_attendance_share_14"
    }


def in_one_bin(learnt: pl.DataFrame) -> dict[str, float]:
    """Of each column in the first weeks: how far people of a session fall in one bin."""
    return dict(learnt.filter(pl.col("band") == 0).select("column", pl.col("together").list.first()).iter_rows())


def centred(n: int, seed: int, missed: float = 0.3) -> pl.DataFrame:
    """People of whom so large a part missed something; three columns are less the session's mean, a fourth is unknown to whole sessions."""
    luck = np.random.default_rng(seed)
    shares = [pl.Series(name, 1 - luck.random(n) * (luck.random(n) < missed)) for name in CENTRED]
    silent = pl.Series((luck.random(n // IN_A_SESSION + 1) < 0.4)[np.arange(n) // IN_A_SESSION])
    rows = (
        people(n, seed).with_columns(shares).with_columns(pl.when(~silent).then("quiz_against_session_14").alias("quiz_against_session_14"))
    )
    less = [pl.col(name) - pl.col(name).mean().over("session_id") for name in CENTRED]
    return rows.with_columns(*less, course_day=pl.col("course_day").first().over("session_id"))


CENTRED = ("attendance_against_session", "work_missed_against_session", "forum_against_session_14")


def test_a_column_less_the_mean_of_its_session_wakes_nobody_on_quiet_nights_and_does_once_it_moves() -> None:
    learnt = reference(centred(20_000, 1), np.random.default_rng(1).beta(1, 30, 20_000))
    together = in_one_bin(learnt)

    # The values correlate with nothing in a session; but all who missed nothing there share one of them.
    assert min(together[name] for name in (*CENTRED, "quiz_against_session_14")) > 0.2
    # By the correlation of the values every one of these nights alarmed.
    assert len([(n, seed) for n in (60, 180, 600) for seed in range(40) if alarms(learnt, centred(n, 500 + seed), seed)]) <= 1
    assert alarms(learnt, centred(3_000, 4, missed=0.9)) == {f"drift of {name}" for name in CENTRED}


def test_a_reference_of_an_older_version_is_compared_with_nothing(learnt: pl.DataFrame) -> None:
    moved = people(3_000, 4, attendance_share_28=3.0)

    assert drift(learnt, moved, np.full(moved.height, 0.02)) != []
    assert drift(learnt.rename({"together": "alike"}), moved, np.full(moved.height, 0.02)) == []
    assert (landmarks_on(learnt), landmarks_on(learnt.rename({"together": "alike"}))) == (NIGHT.isoweekday(), None)


def test_a_night_of_another_weekday_is_not_compared(learnt: pl.DataFrame) -> None:
    moved = people(3_000, 4, NIGHT + dt.timedelta(days=1), attendance_share_28=3.0)

    assert drift(learnt, moved, np.full(moved.height, 0.02)) == []
    assert drift(learnt, moved.with_columns(as_of=pl.lit(NIGHT + dt.timedelta(days=7))), np.full(moved.height, 0.02)) != []


def test_a_column_that_moves_raises_its_own_alarm_alone(learnt: pl.DataFrame) -> None:
    assert alarms(learnt, people(3_000, 4, attendance_share_28=1.0)) == {"drift of attendance_share_28"}
    assert alarms(learnt, people(3_000, 4), times=2.5) == {"drift of risk"}


def test_a_column_that_goes_missing_is_a_drift(learnt: pl.DataFrame) -> None:
    rows = people(2_000, 5).with_columns(attendance_share_28=pl.lit(None, pl.Float64))

    assert alarms(learnt, rows) == {"drift of attendance_share_28"}


def test_a_column_that_counts_the_weeks_is_compared_within_the_same_weeks() -> None:
    def counted(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.with_columns(work_missed_share=pl.col("course_day") / 150 + pl.col("work_missed_share") * 0.01)

    before = counted(people(20_000, 6))
    learnt = reference(before, np.full(20_000, 0.02))
    late = counted(people(3_000, 7)).filter(pl.col("course_day") >= 112)

    found = {reading.subject: reading.value for reading in drift(learnt, late, np.full(late.height, 0.02))}

    assert late.select(band()).to_series().unique().to_list() == [4]
    assert found["drift of work_missed_share"] < 0.1


def outcomes(n: int, times: float, seed: int = 0) -> list[str]:
    luck = np.random.default_rng(seed)
    risk = luck.beta(1, 30, n)
    left = luck.random(n) < risk * times
    ids = [f"e{number}" for number in range(n)]
    scores = pl.DataFrame({"enrolment_id": ids, "risk": risk, "as_of": NIGHT, "horizon_days": 28})
    endings = scores.filter(pl.Series(left)).select(
        "enrolment_id", exit_date=pl.lit(NIGHT + dt.timedelta(days=9)), dropped=pl.lit(value=True), reason=pl.lit("dropout")
    )
    called = scores.sort("risk", descending=True).head(n // 20).select("enrolment_id")
    return [reading.subject for reading in matured(scores, called, endings) if reading.alarm]


def test_a_base_rate_that_rises_by_a_third_is_seen_once_outcomes_are_known() -> None:
    assert "expected over observed" in outcomes(8_000, 1.35)
    assert not outcomes(8_000, 1.0)


def test_a_small_service_is_not_woken_by_chance() -> None:
    assert sum("expected over observed" in outcomes(150, 1.0, seed) for seed in range(40)) <= 3


def test_nobody_leaving_where_many_were_expected_is_the_plainest_alarm() -> None:
    assert "expected over observed" in outcomes(2_500, 0.0)
    assert not outcomes(60, 0.0)


def test_who_had_left_by_the_night_or_never_came_is_no_outcome_of_it() -> None:
    scores = pl.DataFrame({"enrolment_id": ["a", "b", "never came"], "risk": 0.5, "as_of": NIGHT, "horizon_days": 28})
    days = {"a": (0, "dropout"), "b": (28, "dropout"), "never came": (9, "no_show")}
    endings = pl.DataFrame(
        [
            {"enrolment_id": who, "exit_date": NIGHT + dt.timedelta(days=n), "dropped": why == "dropout", "reason": why}
            for who, (n, why) in days.items()
        ]
    )

    level = matured(scores, scores.select("enrolment_id").clear(), endings)[0]

    assert (level.people, level.value) == (1, 0.5)


def test_volume_is_compared_with_the_same_weekday() -> None:
    assert volume(400, [100, 110, 90, 95]).alarm
    assert not volume(120, [100, 110, 90, 95]).alarm
    assert not volume(400, [100]).alarm
    assert volume(400, [100]).says.endswith("had 100.0 on average (earlier weeks: 1; an alarm needs 3).")
    assert not volume(3, []).alarm
    assert volume(0, [20] * 8).alarm
    # A change that chance cannot explain, of a size that does not matter.
    assert not volume(1_300, [1_000] * 8).alarm


@pytest.mark.parametrize("weeks", [3, 8])
@pytest.mark.parametrize("rate", [0.2, 0.5, 1, 2, 20])
def test_where_nothing_changed_the_volume_wakes_somebody_on_one_night_in_a_hundred_at_most(rate: float, weeks: int) -> None:
    nights = np.random.default_rng(0).poisson(rate, (4_000, weeks + 1)).tolist()

    woken = np.mean([volume(opened, before).alarm for opened, *before in nights])

    assert woken <= 0.0147  # three standard errors over the level meant
    assert woken >= 0.005 or rate < 20  # and no less where counts are fine enough to keep to it


def test_counts_that_are_no_surprise_are_those_that_the_binomial_test_does_not_refuse() -> None:
    for total, weeks in ((0, 3), (3, 8), (100, 3), (4_000, 8)):
        reading = volume(0, [total, *[0] * (weeks - 1)])
        kept = [
            count
            for count in range(2 * total // weeks + 20)
            if min(binom.cdf(count, count + total, 1 / (weeks + 1)), binom.sf(count - 1, count + total, 1 / (weeks + 1))) > 0.005
        ]

        assert (reading.low, reading.high) == (min(kept), max(kept))
    assert not volume(1, [0, 0, 0]).alarm
    assert volume(9, [0, 0, 0]).alarm


def said(*answers: tuple[int, str, str | None, str | None, bool | None]) -> pl.DataFrame:
    """So many answers of a code, with its why, the leading subject of the alert, and whether it was useful."""
    rows = [row for count, *row in answers for _ in range(count)]
    schema = {"code": pl.String, "why": pl.String, "reason": pl.String, "useful": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_overrides_wake_somebody_only_when_most_are_and_enough_answered() -> None:
    without = ("not_relevant", "wrong_facts", "attendance", None)
    assert overrides(said((18, *without), (4, "reached", None, "attendance", None))).alarm
    assert not overrides(said((4, *without))).alarm
    assert not overrides(said((40, "reached", None, None, None))).alarm
    assert not overrides(said()).alarm


def test_why_alerts_were_without_object_is_counted() -> None:
    reading = overrides(
        said((2, "not_relevant", "wrong_facts", None, None), (3, "not_relevant", "excused", None, None), (5, "reached", *[None] * 3))
    )

    assert reading.value == pytest.approx(0.5)
    assert reading.says.endswith(
        "5 of 10 answers of the last four weeks say that the alert was without object. Why: excused 3, wrong facts 2."
    )


def test_usefulness_counts_opinions_alone_and_names_a_subject_once_enough_spoke() -> None:
    opinions = said(
        (9, "reached", None, "attendance", True),
        (3, "no_answer", None, "attendance", False),
        (2, "reached", None, "activity", True),
        (9, "no_answer", None, "activity", False),
        (10, "reached", None, "contacts", False),
        (50, "reached", None, "attendance", None),
    )
    reading = usefulness(opinions)

    assert (reading.people, reading.value) == (33, pytest.approx(11 / 33))
    assert "11 of 33 opinions" in reading.says
    assert reading.says.endswith("least first: activity 2 of 11, attendance 9 of 12.")
    assert not reading.alarm
    assert usefulness(said((25, "reached", None, None, False), (5, "reached", None, None, True))).alarm
    assert not usefulness(said((19, "reached", None, None, False))).alarm
    assert not usefulness(said()).alarm


def watched(*readings: Reading, version: str = "v") -> dict[str, object]:
    return {"model_version": version, "readings": [reading.as_dict() for reading in readings]}


def test_a_reading_with_an_interval_is_told_until_another_one_has_one() -> None:
    nights = {"2026-03-23": watched(volume(52, [103] * 3)), "2026-03-25": watched(volume(31, []))}

    assert last_read(nights, "v")["new risk alerts"]["night"] == "2026-03-23"
    assert last_read(nights | {"2026-03-30": watched(volume(90, [52, 103]))}, "v")["new risk alerts"]["value"] == 90
    assert last_read({"2026-03-24": watched(volume(1, [])), "2026-03-25": watched(volume(31, []))}, "v")["new risk alerts"]["value"] == 31


def test_what_was_never_read_is_said_with_why() -> None:
    few = volume(3, [2, 2]), overrides(said((19, "reached", None, None, None))), usefulness(said())
    weekdays = {"2026-03-23": watched(*few), "2026-03-25": watched(*few)}

    assert never_read(weekdays, "v", 6) == {
        "drift": "never read, no night of a Saturday was watched while v served",
        "outcomes": "never read, no night of a Sunday was watched",
        "new risk alerts": "never judged, no night had 3 of its weekday before it",
        "alerts without object": "never judged, no four weeks had 20 answers",
        "alerts called useful": "never judged, no four weeks had 20 answers",
    }
    assert never_read(weekdays | {"2026-03-29": watched(*few)}, "v", 6)["outcomes"] == "never read, none was known yet"
    assert never_read({}, "", None) == {}


def test_what_was_read_once_is_not_called_unread_but_a_drift_of_the_version_that_serves() -> None:
    moved, level = (Reading(subject, 1.0, 0.9, 1.1, 500, alarm=False, says="") for subject in ("drift of risk", "expected over observed"))
    answers = said((20, "reached", None, None, True))
    nights = {"2026-03-28": watched(moved, level, volume(3, [2, 2, 2]), overrides(answers), usefulness(answers))}

    assert never_read(nights, "v", 6) == {}
    # Serving already, or promoted since: of what it learnt from nothing was read.
    for since in (nights | {"2026-03-29": watched(volume(3, []), version="w")}, nights):
        assert never_read(since, "w", 6) == {"drift": "never read, no night of a Saturday was watched while w served"}
    assert never_read(nights, "v", None) == {"drift": "not read, v left nothing that this version of Vigie compares with: train again"}


def test_a_drift_from_what_another_version_learnt_is_none_of_the_one_that_serves() -> None:
    moved = Reading("drift of risk", 0.9, 0.5, 1.1, 500, alarm=True, says="risk moved")
    nights = {"2026-03-21": watched(moved, version="v"), "2026-03-28": watched(moved, volume(3, []), version="w")}

    assert last_read(nights, "v")["drift of risk"]["night"] == "2026-03-21"
    assert set(last_read(nights, "")) == {"new risk alerts"}


def test_the_page_tells_each_subject_once_draws_what_was_read_and_writes_counts_as_counts() -> None:
    nights = {"2026-03-25": watched(volume(1_031, []), usefulness(said()))}
    unread = never_read(nights, "w", 6)

    page = render(nights, "w", last_read(nights, "w"), unread)

    rows = re.findall(r"<tr><td[^>]*>(.*?)</td><td>(.*?)</td><td>(.*?)</td>.*?<td>([^<]*)</td></tr>", page)
    assert sorted(subject for subject, *_ in rows) == sorted({"new risk alerts", "alerts called useful", *unread})
    volume_row = next(row for row in rows if row[0] == "new risk alerts")
    assert volume_row[1:3] == ("2026-03-25", "1,031")
    assert volume_row[3].endswith("Never judged, no night had 3 of its weekday before it.")
    assert "w serves now." in page
    assert page.count("<img") == 1
    assert "<img" not in render({}, "", {}, {})
