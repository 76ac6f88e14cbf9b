"""Who is contacted by risk, and what became of situations by answer: shares that can be counted, small groups hidden."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from impact.practice import practices
from impact.skimming import contact_by_risk
from tests.impact.made import alert, day, enrolled, facts, spoke

PEOPLE = 250
SILENCE = 30


def test_contact_by_risk_shows_who_is_left_aside() -> None:
    people = [enrolled(f"e{n:03d}", "2025-11-01", "06-30", operator="cep" if n % 2 else "mission") for n in range(PEOPLE)]
    nights = [day("02-02"), day("02-03"), day("02-09")]
    scores = [{"as_of": night, "enrolment_id": f"e{n:03d}", "risk": n / PEOPLE} for night in nights for n in range(PEOPLE)]
    # The lower half is spoken with in the week after the first night; nobody after the second week's.
    contacts = [spoke(f"e{n:03d}", "02-05") for n in range(PEOPLE // 2)]
    table = contact_by_risk(facts(people, scores=scores, contacts=contacts))
    everybody = dict(table.filter(pl.col("unit") == "all").select("month", "value").iter_rows())

    assert everybody == {f"{n:02d}": 0.5 if n <= 5 else 0.0 for n in range(1, 11)} | {None: 0.25}
    # A tenth of one operator is a dozen people.
    assert not table.filter(pl.col("kind") == "operator", pl.col("month").is_not_null())["shown"].any()


def answer(who: str, on: str, code: str, reason: str | None = "attendance") -> dict[str, object]:
    return {"enrolment_id": who, "code": code, "on": day(on), "reason": reason}


def test_practices_tell_what_became_of_situations_where_enough_were_answered() -> None:
    keys = [f"{code}{n:02d}" for code in ("reached", "mediation") for n in range(25)]
    people = [enrolled(key, "2025-12-01", "06-30") for key in keys] + [enrolled("few", "2025-12-01", "06-30")]
    people[0] |= {"exit_date": day("02-10"), "reason": "dropout"}
    answers = [answer(key, "02-02", key[:-2]) for key in keys] + [
        answer("few", "02-02", "no_answer"),
        answer(keys[0], "02-02", "reached", None),
    ]
    again = [alert(key, "02-18", "02-02", "sent") for key in keys[:10]]
    table = practices(facts(people, as_of=dt.date(2026, 4, 10), alerts=again, answers=answers), SILENCE).filter(pl.col("unit") == "all")
    shown = {(row["definition_id"], row["code"]): row["value"] for row in table.iter_rows(named=True)}

    assert shown["practice_off_list", "reached"] == pytest.approx(15 / 25)
    assert shown["practice_off_list", "mediation"] == 1
    assert shown["practice_off_list", "no_answer"] is None
    assert shown["practice_stayed", "reached"] == pytest.approx(24 / 25)


def test_people_with_several_courses_are_counted_once() -> None:
    people = [enrolled(f"e{n}", "2025-12-01", "06-30") | {"learner_id": f"L{n % 6}"} for n in range(24)]
    answers = [answer(f"e{n}", "02-02", "reached") for n in range(24)]
    table = practices(facts(people, alerts=[alert("e1", "02-18", "02-02", "sent")], answers=answers), SILENCE)

    assert set(table["shown"]) == {False}


def test_where_no_night_looked_again_nobody_is_off_the_list() -> None:
    people = [enrolled(f"e{n}", "2025-12-01", "06-30") for n in range(30)]
    answers = [answer(f"e{n}", "02-02", "reached") for n in range(30)]
    nights = [alert("e0", "02-15", "02-02", "sent"), alert("e0", "02-23", "02-02", "sent")]

    assert practices(facts(people, alerts=nights, answers=answers), SILENCE).is_empty()
    seen = practices(facts(people, alerts=[*nights, alert("e1", "02-22", "02-02", "sent")], answers=answers), SILENCE)
    assert seen.filter(pl.col("definition_id") == "practice_off_list", pl.col("unit") == "all")["value"].to_list() == [
        pytest.approx(29 / 30)
    ]


def test_answers_too_young_to_judge_are_left_for_later() -> None:
    people = [enrolled(f"e{n}", "2025-12-01", "06-30") for n in range(30)]
    answers = [answer(f"e{n}", "03-20", "reached") for n in range(30)]

    later = [alert("e0", "04-05", "03-20", "sent")]
    assert practices(facts(people, answers=answers), SILENCE).is_empty()

    def told(as_of: dt.date) -> set[str]:
        return set(practices(facts(people, as_of=as_of, answers=answers, alerts=later), SILENCE)["definition_id"])

    assert told(dt.date(2026, 4, 20)) == {"practice_off_list"}
    # 28 days, the 30 of a silence and three for sheets to come.
    assert told(dt.date(2026, 5, 19)) == {"practice_off_list"}
    assert told(dt.date(2026, 5, 20)) == {"practice_off_list", "practice_stayed"}
