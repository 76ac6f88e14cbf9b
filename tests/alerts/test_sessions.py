"""Sessions to look at as a whole: which, told to whom, and where a person reads it."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from typing import TYPE_CHECKING

import fastexcel
import polars as pl
import pytest
from rich.console import Console

from alerts import sessions
from alerts.cases.store import Published
from alerts.lists import html, xlsx
from alerts.lists.rows import Words, lists
from alerts.lists.terminal import table
from alerts.sessions import sessions_first
from data_contracts.tables.outputs import SessionAlerts
from tests.alerts.made import risk_alerts
from tests.alerts.served import MORNING, SCRIPT, people
from tests.alerts.world import DAY, RULES
from tests.alerts.world import people as world_of

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.cases import CaseStore
    from alerts.facts import Facts
    from tests.alerts.served import World

LIMIT = RULES.default.minimum_risk


def behind(*places: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(places, schema={"level": pl.String, "place": pl.String}, orient="row")


def facts(*where: tuple[str, str | None], rates: dict[str, float] | None = None) -> Facts:
    """People by session and owner; session S1 is of provider P1 and programme F1, and so on."""
    made = world_of([0.01] * len(where), owners=[owner for _, owner in where])
    names = sorted({session for session, _ in where})
    homes = pl.DataFrame({"session_id": names}).with_columns(
        territory_id=pl.lit("T"),
        provider_id=pl.col("session_id").str.replace("S", "P"),
        programme_id=pl.col("session_id").str.replace("S", "F"),
    )
    theirs = pl.Series("session_id", [session for session, _ in where])
    known = dict.fromkeys(names, LIMIT) | (rates or {})
    rate = pl.col("session_id").replace_strict(known, return_dtype=pl.Float64)
    return replace(
        made,
        enrolments=made.enrolments.with_columns(theirs),
        sessions=homes,
        scores=made.scores.with_columns(theirs).with_columns(session_risk=rate),
    )


def told(found: pl.DataFrame) -> list[tuple[str, str | None, int, int]]:
    return [(row["session_id"], row["advisor_id"], row["theirs"], row["people"]) for row in found.to_dicts()]


def test_everybody_who_follows_people_there_is_told_and_the_queue_too() -> None:
    there = facts(("S1", "A"), ("S1", "A"), ("S1", "C"), ("S1", None), ("S2", "A"), ("S2", "A"), ("S2", "A"))

    found = sessions_first(there, behind(("programme", "F1")), RULES)

    assert told(found) == [("S1", "A", 2, 4), ("S1", "C", 1, 4), ("S1", None, 1, 4)]
    assert found["recipient"].to_list() == ["A", "C", "file-T"]
    assert set(found.select(pl.col("level").cast(pl.String), "place").rows()) == {("programme", "F1")}
    assert found["as_of"].to_list() == [DAY] * 3


@pytest.mark.parametrize(("rate", "sessions"), [(LIMIT, 1), (LIMIT - 1e-9, 0)])
def test_a_session_is_told_from_the_risk_on_that_puts_a_learner_on_a_list(rate: float, sessions: int) -> None:
    there = facts(*[("S1", "A")] * 3, rates={"S1": rate})

    assert sessions_first(there, behind(("provider", "P1")), RULES).height == sessions
    strict = RULES.model_copy(update={"territories": {"T": RULES.default.model_copy(update={"minimum_risk": 0.5})}})
    assert sessions_first(there, behind(("provider", "P1")), strict).is_empty()


def test_fewer_than_three_people_still_there_are_no_group() -> None:
    there = facts(*[("S1", "A")] * 3)
    left = pl.DataFrame({"enrolment_id": ["000"], "exit_date": [DAY], "reason": ["dropout"]})

    assert sessions_first(there, behind(("provider", "P1")), RULES).height == 1
    assert sessions_first(replace(there, exits=left), behind(("provider", "P1")), RULES).is_empty()


def test_a_session_behind_by_its_provider_and_its_programme_is_told_once_the_highest_rate_first() -> None:
    there = facts(*[("S1", "A")] * 3, *[("S2", "A")] * 3, *[("S3", "A")] * 3, rates={"S2": 0.2, "S3": 0.1})

    found = sessions_first(there, behind(("programme", "F1"), ("provider", "P1"), ("programme", "F2"), ("provider", "P3")), RULES)

    assert found.select("session_id", pl.col("level").cast(pl.String)).rows() == [
        ("S2", "programme"),
        ("S3", "provider"),
        ("S1", "provider"),
    ]


def test_people_are_counted_once_and_the_rate_is_that_of_most_of_them() -> None:
    """Of whom a silent source tells nothing, the score and the rate in it are those of an earlier night."""
    there = facts(*[("S1", "A")] * 4, rates={"S1": 0.2})
    twice = replace(there, enrolments=there.enrolments.with_columns(learner_id=pl.Series(["L000", "L000", "L001", "L002"])))
    stale = pl.Series("session_risk", [0.001, 0.2, 0.2, 0.2])

    found = sessions_first(replace(twice, scores=there.scores.with_columns(stale)), behind(("provider", "P1")), RULES)

    assert found.select("people", "theirs", "session_risk").rows() == [(3, 3, 0.2)]
    two = replace(there, enrolments=there.enrolments.with_columns(learner_id=pl.Series(["L000", "L000", "L001", "L001"])))
    assert sessions_first(two, behind(("provider", "P1")), RULES).is_empty()


def test_of_many_sessions_the_first_are_told_and_the_others_counted() -> None:
    lines = [f"S{number}" for number in range(sessions.MOST + 2)]

    assert sessions.shown(lines[:-2]) == lines[:-2]
    assert sessions.shown(lines[:-1]) == [*lines[:-2], "Et 1 autre, au taux moins élevé."]
    assert sessions.shown(lines) == [*lines[:-2], "Et 2 autres, au taux moins élevé."]


def test_a_provider_is_not_taken_for_a_programme_of_the_same_name() -> None:
    assert sessions_first(facts(*[("S1", "A")] * 3), behind(("programme", "P1"), ("provider", "F1")), RULES).is_empty()


def test_a_night_without_scores_or_with_nothing_behind_tells_none() -> None:
    there = facts(*[("S1", "A")] * 3)

    assert sessions_first(there, behind(), RULES).is_empty()
    without = sessions_first(replace(there, scores=there.scores.clear()), behind(("provider", "P1")), RULES)
    assert without.is_empty()
    assert without.columns == SessionAlerts.column_names()


def group(
    session: str, advisor: str | None, *, theirs: int = 2, rate: float = 0.084, territory: str = "T", course: str = ""
) -> dict[str, object]:
    return {
        "as_of": DAY,
        "session_id": session,
        "recipient": advisor or f"file-{territory}",
        "advisor_id": advisor,
        "territory_id": territory,
        "level": "provider",
        "place": "P",
        "people": 12,
        "theirs": theirs,
        "session_risk": rate,
        "course": course or f"Cours {session}, [b]Organisme[/b]",
    }


def groups(*rows: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema_overrides={"advisor_id": pl.String})


def test_a_list_of_paper_tells_its_sessions_and_no_other(tmp_path: Path) -> None:
    night = risk_alerts(dt.date(2026, 3, 4), "a", "b").with_columns(
        advisor_id=pl.Series(["A", None]),
        queue=pl.Series(["owner", "territory"]),
        territory_id=pl.lit("T"),
        course=pl.lit("Soudeur"),
        low_confidence=False,
    )
    told_of = groups(group("S1", "A"), group("S2", None, theirs=1), group("S3", "C"))
    nobody = pl.DataFrame(schema=dict.fromkeys(("learner_id", "given_name", "family_name", "phone", "email"), pl.String))
    advisors = pl.DataFrame({"advisor_id": ["A"], "name": ["Zoé"]})

    mine, queue = lists(night, nobody, advisors, Words({}, {"T": {}}, {"T": "À contacter"}, "", told_of))

    (said,) = mine.sessions
    shares = "Dans de telles sessions, environ 8 personnes sur 100 abandonnent dans les 4 semaines."
    assert said == f"Cours S1, [b]Organisme[/b] : 12 personnes en formation, dont 2 que vous suivez. {shares}"
    assert queue.sessions == [f"Cours S2, [b]Organisme[/b] : 12 personnes en formation, dont 1 dans la file sans référent. {shares}"]
    xlsx.write(mine, tmp_path / "list.xlsx")
    sheet = fastexcel.read_excel(tmp_path / "list.xlsx").load_sheet("Sessions", header_row=None).to_polars()
    console = Console(width=200, file=io.StringIO())
    console.print(table(mine))
    for shown in (html.render(mine), console.file.getvalue(), "\n".join(value for row in sheet.rows() for value in row if value)):
        assert "Sessions à regarder avec l'organisme" in shown.replace("&#39;", "'")
        assert "S1, [b]Organisme[/b] : 12 personnes" in shown
        assert "S2" not in shown
        assert "S3" not in shown


def test_a_list_of_paper_keeps_the_order_and_escapes_titles() -> None:
    night = risk_alerts(dt.date(2026, 3, 4), "a").with_columns(territory_id=pl.lit("T"), course=pl.lit("Soudeur"), low_confidence=False)
    told_of = groups(group("S9", "A", course=f"Premier {SCRIPT}"), group("S1", "A", course="Second"))
    nobody = pl.DataFrame(schema=dict.fromkeys(("learner_id", "given_name", "family_name", "phone", "email"), pl.String))
    advisors = pl.DataFrame({"advisor_id": ["A"], "name": ["Zoé"]})

    (mine,) = lists(night, nobody, advisors, Words({}, {"T": {}}, {"T": "À contacter"}, "", told_of))

    assert [said.split(" ")[0] for said in mine.sessions] == ["Premier", "Second"]
    assert SCRIPT not in html.render(mine)
    assert "Premier &lt;script&gt;" in html.render(mine)


def test_one_in_a_hundred_is_told_as_one() -> None:
    said = sessions.line(sessions.TEAM, "C", 100, 1, 0.012)

    assert said.startswith("C : 100 personnes en formation, dont 1 dans votre équipe ou dans la file sans référent.")
    assert "environ 9 personnes sur 100" in sessions.line(sessions.TEAM, "C", 100, 1, 0.089)
    assert said.endswith("environ 1 personne sur 100 abandonne dans les 4 semaines.")
    assert "moins d'une personne sur 100" in sessions.line(sessions.TEAM, "C", 100, 1, 0.004)


def published(cases: CaseStore, day: dt.date, *rows: dict[str, object]) -> None:
    followed = people(("e1", "A"), ("e2", "A"), ("e3", "B"), ("e4", None))
    posts = pl.DataFrame({"advisor_id": ["A", "B", "C"], "operator": ["cep", "cep", "other"], "territory_id": ["T"] * 3}).with_columns(
        active_to=pl.lit(None, pl.Date)
    )
    alerts = risk_alerts(day).with_columns(territory_id=pl.lit("T"), low_confidence=False)
    cases.publish(Published(day, MORNING, alerts, people=followed, posts=posts, sessions=groups(*rows)))


def test_a_page_tells_an_advisor_their_sessions_and_a_lead_those_of_the_team_and_the_queue(world: World, cases: CaseStore) -> None:
    published(
        cases,
        dt.date(2026, 3, 5),
        group("S1", "A", course=f"Soudeur {SCRIPT}"),
        group("S1", "B", theirs=3, course=f"Soudeur {SCRIPT}"),
        group("S2", "B", rate=0.3),
        group("S3", None),
        group("S4", "C"),
        group("S5", None, territory="Elsewhere"),
    )
    advisor, lead = world.logged_in("A@example.org"), world.logged_in("lead@example.org")
    pages = {name: browser.get(f"/{name}").text for name, browser in (("liste", advisor), ("file", advisor), ("equipe", lead))}

    assert {name: [number for number in range(1, 6) if f"Cours S{number}" in page] for name, page in pages.items()} == {
        "liste": [],
        "file": [3],
        "equipe": [2, 3],
    }
    assert "Soudeur &lt;script&gt;" in pages["liste"]
    assert SCRIPT not in pages["liste"] + pages["equipe"]
    assert "dont 2 que vous suivez. Dans de telles sessions, environ 8 personnes sur 100" in pages["liste"]
    assert "dont 5 dans votre équipe ou dans la file sans référent" in pages["equipe"]
    assert "dont 2 dans la file sans référent" in pages["file"]
    assert pages["equipe"].index("Cours S2") < pages["equipe"].index("Soudeur")
    sheet = fastexcel.read_excel(advisor.get("/liste.xlsx").content).load_sheet("Sessions", header_row=None).to_polars()
    assert [value for row in sheet.rows() for value in row if value and "12 personnes" in value]
    advisor.get("/langue/en")
    assert "of them followed by you. In such sessions, about 8 people in 100 drop out" in advisor.get("/liste").text


def test_the_sessions_of_the_last_night_take_the_place_of_those_before(world: World, cases: CaseStore) -> None:
    published(cases, dt.date(2026, 3, 5), group("S1", "A"))
    published(cases, dt.date(2026, 3, 6), group("S2", "A"))
    world.clock.at += dt.timedelta(days=2)

    page = world.logged_in("A@example.org").get("/liste").text

    assert "Cours S2" in page
    assert "Cours S1" not in page
    # An older night that is run again changes nothing of what the newest tells.
    published(cases, dt.date(2026, 3, 5), group("S3", "A"))
    assert world.logged_in("A@example.org").get("/liste").text.count("Cours S2") == 1
