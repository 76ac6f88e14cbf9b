"""Who has which case, worked from the page: nobody's case is without an owner or a queue, and nobody moves what is not theirs to move."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest
from sqlalchemy import select, update

from alerts.answers import as_assignments
from alerts.cases.access import add_user
from alerts.cases.schema import ABSENCES, ALERTS, MOVES, PEOPLE
from alerts.cases.store import Published
from alerts.publication import with_owners
from alerts.silence import PUT_OFF_AT_MOST
from tests.alerts import world as facts
from tests.alerts.made import risk_alerts
from tests.alerts.served import MORNING, NIGHT, World, form_token, people

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from alerts.cases.store import CaseStore


def post(browser: TestClient, path: str, **data: str) -> int:
    token = form_token(browser.get("/recherche").text)
    return browser.post(path, data={"csrf": token} | data).status_code


def owner(cases: CaseStore, enrolment: str) -> tuple[str | None, str, str | None]:
    with cases.engine.connect() as connection:
        row = connection.execute(select(PEOPLE).where(PEOPLE.c.enrolment_id == enrolment)).one()
        return row.advisor_id, row.queue, row.referred_to


def test_a_case_handed_over_is_the_colleague_s_and_stays_readable_for_a_while(world: World) -> None:
    former, colleague = world.logged_in("A@example.org"), world.logged_in("B@example.org")
    assert "Conseiller B" in former.get("/cas/e1").text
    assert colleague.get("/cas/e1").status_code == 404

    assert post(former, "/cas/e1/confier", advisor="B") == 200

    assert owner(world.cases, "e1") == ("B", "owner", None)
    assert "Amélie" in colleague.get("/liste").text
    assert "Amélie" not in former.get("/liste").text
    page = former.get("/cas/e1").text
    assert "confiée à un collègue" in page
    assert 'name="code"' not in page
    assert post(former, "/cas/e1/reponse", code="reached") == 404
    assert post(former, "/cas/e1/confier", advisor="A") == 404
    world.clock.at += dt.timedelta(days=31)
    assert world.logged_in("A@example.org").get("/cas/e1").status_code == 404


def test_a_case_goes_to_no_other_operator_and_from_nobody_else_s_hands(world: World) -> None:
    browser = world.logged_in("A@example.org")

    # C works for another operator; e3 is B's; e4 waits in the queue and is taken, not handed over.
    assert post(browser, "/cas/e1/confier", advisor="C") == 404
    assert post(browser, "/cas/e3/confier", advisor="A") == 404
    assert post(browser, "/cas/e4/confier", advisor="B") == 404
    with world.cases.engine.connect() as connection:
        assert connection.execute(select(MOVES)).all() == []
    assert [outcome for _, outcome in world.log("hand_over")] == ["refused"] * 3


def test_a_lead_gives_a_waiting_case_to_somebody_of_the_team(world: World) -> None:
    lead = world.logged_in("lead@example.org")

    assert post(lead, "/file/e4/confier", advisor="C") == 404
    assert post(lead, "/file/e4/confier", advisor="B") == 200

    assert owner(world.cases, "e4") == ("B", "owner", None)
    assert "Zoé Seule" not in lead.get("/file").text
    moves = world.cases.moves(NIGHT + dt.timedelta(days=1), MORNING)
    assert as_assignments(moves, "Europe/Paris").select("learner_id", "advisor_id").rows() == [("e4", "B")]


def test_a_case_referred_to_another_operator_stays_in_the_queue_until_taken_also_after_the_next_night(world: World) -> None:
    browser, other = world.logged_in("A@example.org"), world.logged_in("C@example.org")

    assert post(browser, "/file/e4/orienter", operator="nobody") == 404
    assert post(browser, "/file/e4/orienter", operator="other") == 200

    assert owner(world.cases, "e4") == (None, "territory", "other")
    assert "Orienté vers other" in other.get("/file").text
    following = NIGHT + dt.timedelta(days=1)
    world.cases.taken_up(following, MORNING)
    made = risk_alerts(following, "e4").with_columns(
        advisor_id=pl.lit(None, pl.String), queue=pl.lit("territory"), territory_id=pl.lit("T"), low_confidence=pl.lit(value=False)
    )
    posts = pl.DataFrame({"advisor_id": ["A", "C"], "operator": ["cep", "other"], "territory_id": ["T", "T"]})
    world.cases.publish(
        Published(following, MORNING, made, people=people(("e4", None)), posts=posts.with_columns(active_to=pl.lit(None, pl.Date)))
    )
    assert owner(world.cases, "e4") == (None, "territory", "other")
    assert post(other, "/file/e4/prendre") == 200
    assert owner(world.cases, "e4") == ("C", "owner", None)


def test_somebody_taken_has_an_owner_and_that_task_is_done(world: World) -> None:
    made = risk_alerts(NIGHT, "e4").with_columns(
        kind=pl.lit("no_owner"), advisor_id=pl.lit(None, pl.String), queue=pl.lit("territory"), territory_id=pl.lit("T")
    )
    made = made.with_columns(low_confidence=pl.lit(value=False), reasons=pl.lit([], made.schema["reasons"]))
    posts = pl.DataFrame(
        {"advisor_id": ["A"], "operator": ["cep"], "territory_id": ["T"], "active_to": [None]}, schema_overrides={"active_to": pl.Date}
    )
    world.cases.publish(Published(NIGHT, MORNING, made, people=people(("e4", None)), posts=posts))
    browser = world.logged_in("A@example.org")
    assert "Zoé Seule" in browser.get("/file").text

    post(browser, "/file/e4/prendre")

    assert "Zoé Seule" not in browser.get("/liste").text
    assert "Zoé Seule" not in browser.get("/file").text
    assert browser.get("/cas/e4").status_code == 200


def test_whose_owner_and_backup_are_away_is_in_the_queue_for_calls_and_stays_theirs(world: World) -> None:
    with world.cases.engine.begin() as connection:
        connection.execute(update(PEOPLE).where(PEOPLE.c.enrolment_id == "e4").values(waiting_since=None))
    browser, lead = world.logged_in("A@example.org"), world.logged_in("lead@example.org")

    page = browser.get("/file").text
    assert "Zoé Seule" in page
    assert "Référent et remplaçant absents" in page
    assert "Sans référent depuis" not in page
    assert "/file/e4/prendre" not in page
    assert "Sans conseiller référent" not in browser.get("/cas/e4").text
    assert [post(browser, "/file/e4/prendre"), post(lead, "/file/e4/confier", advisor="B")] == [404, 404]
    assert post(browser, "/cas/e4/reponse", code="reached") == 200
    assert owner(world.cases, "e4") == (None, "territory", None)


def test_whose_owner_left_is_taken_though_a_backup_has_the_calls(world: World) -> None:
    with world.cases.engine.begin() as connection:
        connection.execute(update(PEOPLE).where(PEOPLE.c.enrolment_id == "e4").values(advisor_id="B", queue="backup"))
    first, second = world.logged_in("A@example.org"), world.logged_in("C@example.org")

    assert [post(browser, "/file/e4/prendre") for browser in (first, second)] == [200, 404]
    assert owner(world.cases, "e4") == ("A", "owner", None)


def waiting_since(owned: list[tuple[str, int, int | None]], away: str | None = None) -> dt.date | None:
    """Of somebody who entered sixty days ago and had these advisors, from and until so many days ago."""
    rows = [("L000", facts.ago(first), None if last is None else facts.ago(last), name) for name, first, last in owned]
    one = facts.people([0.4])
    moved = one.advisors.with_columns(joined_on=pl.when(pl.col("advisor_id") == "C").then(pl.lit(facts.ago(15))).otherwise("joined_on"))
    absence = (away, facts.DAY, facts.ago(-9)) if away else None
    assigned = pl.DataFrame(rows, schema=one.assignments.schema, orient="row")
    known = replace(one, assignments=assigned, advisors=moved, said=facts.said(away=absence))
    return with_owners(one.enrolments, known, facts.NATIONAL)["waiting_since"].item()


def test_nobody_waits_but_whom_no_one_has_and_since_the_last_who_had_them() -> None:
    # A is in post; B left yesterday; C changed operator fifteen days ago.
    assert waiting_since([]) == facts.ago(60)
    assert waiting_since([("A", 50, None)]) is None
    assert waiting_since([("B", 50, 40), ("A", 39, None)], away="A") is None
    assert waiting_since([("A", 50, 40)]) == facts.ago(39)
    assert waiting_since([("A", 50, 40), ("B", 39, None)]) == facts.DAY
    assert waiting_since([("A", 50, 40), ("C", 39, None)]) == facts.ago(15)
    assert waiting_since([("A", 50, 40), ("unknown", 39, None)]) == facts.ago(39)


def test_all_cases_of_one_advisor_are_counted_then_handed_over(world: World) -> None:
    lead = world.logged_in("lead@example.org")

    token = form_token(lead.get("/equipe").text)
    counted = lead.post("/equipe/reaffecter", data={"csrf": token, "from_advisor": "A", "to_advisor": "B", "step": "count"})
    assert "2 situations passeraient de Conseiller A à Conseiller B." in counted.text
    assert owner(world.cases, "e1")[0] == "A"
    assert post(lead, "/equipe/reaffecter", from_advisor="A", to_advisor="B", step="do") == 200

    assert [owner(world.cases, name)[0] for name in ("e1", "e2", "e3")] == ["B", "B", "B"]
    assert post(lead, "/equipe/reaffecter", from_advisor="C", to_advisor="B", step="do") == 200
    assert post(lead, "/equipe/reaffecter", from_advisor="B", to_advisor="C", step="do") == 404


def test_cases_that_an_advisor_only_stands_in_for_stay_with_their_owner(world: World) -> None:
    with world.cases.engine.begin() as connection:
        connection.execute(update(PEOPLE).where(PEOPLE.c.enrolment_id == "e1").values(queue="backup"))

    assert post(world.logged_in("lead@example.org"), "/equipe/reaffecter", from_advisor="A", to_advisor="B", step="do") == 200

    assert owner(world.cases, "e1") == ("A", "backup", None)
    assert owner(world.cases, "e2") == ("B", "owner", None)


def test_a_stand_in_gives_no_case_away_while_its_owner_is_in_post(world: World) -> None:
    with world.cases.engine.begin() as connection:
        connection.execute(update(PEOPLE).where(PEOPLE.c.enrolment_id.in_(["e1", "e2"])).values(queue="backup"))
        # The owner of e2 left for good: somebody must be found.
        connection.execute(update(ALERTS).where(ALERTS.c.enrolment_id == "e2").values(kind="no_owner"))
    stand_in = world.logged_in("A@example.org")

    assert "/cas/e1/confier" not in stand_in.get("/cas/e1").text
    assert post(stand_in, "/cas/e1/confier", advisor="B") == 404
    assert owner(world.cases, "e1") == ("A", "backup", None)
    assert "/cas/e2/confier" in stand_in.get("/cas/e2").text
    assert post(stand_in, "/cas/e2/confier", advisor="B") == 200
    assert post(world.logged_in("lead@example.org"), "/cas/e1/confier", advisor="B") == 200


def test_the_team_page_shows_loads_ageing_overflow_and_whom_nobody_is_on(world: World) -> None:
    lead = world.logged_in("lead@example.org")

    page = lead.get("/equipe").text

    assert "Conseiller A" in page
    assert "Conseiller C" not in page
    on = page.split('id="personne"')[1].split("</section>")[0]
    # Due on the night itself and not answered, or waiting in the queue.
    assert "Amélie" in on
    assert "Zoé Seule" in on
    advisor = world.logged_in("A@example.org")
    post(advisor, "/cas/e1/reponse", code="no_answer")
    assert "Amélie" not in lead.get("/equipe").text.split('id="personne"')[1]
    add_user(world.cases.engine, "lead@example.org", "Responsable", "lead", operator="other", territory_id="T")
    assert "Amélie" not in lead.get("/equipe").text


def test_an_answer_that_the_night_knew_is_none_to_what_it_opened(world: World) -> None:
    morning = world.clock.at
    world.clock.at = dt.datetime.combine(NIGHT, dt.time(10), tzinfo=dt.UTC)
    assert post(world.logged_in("A@example.org"), "/cas/e1/reponse", code="no_answer") == 200
    world.cases.taken_up(NIGHT, world.clock.at + dt.timedelta(hours=12))

    world.clock.at = morning

    lead = world.logged_in("lead@example.org")
    assert "Amélie" in lead.get("/equipe").text.split('id="personne"')[1].split("</section>")[0]
    # Given since, it stands also once a later night has taken it up.
    assert post(world.logged_in("A@example.org"), "/cas/e1/reponse", code="no_answer") == 200
    world.cases.taken_up(NIGHT + dt.timedelta(days=1), morning + dt.timedelta(hours=12))
    assert "Amélie" not in lead.get("/equipe").text.split('id="personne"')[1].split("</section>")[0]


def test_an_absence_is_announced_for_oneself_or_one_s_team_and_taken_back(world: World) -> None:
    advisor, lead = world.logged_in("A@example.org"), world.logged_in("lead@example.org")

    assert post(advisor, "/absences", first="2026-03-09", last="2026-03-13") == 200
    assert post(lead, "/absences", first="2026-03-09", last="2026-03-13", advisor="C") == 404
    assert post(lead, "/absences", first="2026-03-09", last="2026-03-13", advisor="B") == 200

    away = world.cases.absences(NIGHT + dt.timedelta(days=1), "Europe/Paris")
    assert sorted(away["advisor_id"].to_list()) == ["A", "B"]
    assert world.cases.absences(NIGHT, "Europe/Paris").is_empty()
    with world.cases.engine.connect() as connection:
        ids = dict(connection.execute(select(ABSENCES.c.advisor_id, ABSENCES.c.absence_id)).tuples().all())
    assert post(advisor, f"/absences/{ids['B']}/annuler") == 404
    assert post(advisor, f"/absences/{ids['A']}/annuler") == 200
    assert world.cases.absences(NIGHT + dt.timedelta(days=1), "Europe/Paris")["advisor_id"].to_list() == ["B"]


@pytest.mark.parametrize(("first", "last"), [("2026-03-13", "2026-03-09"), ("2026-02-02", "2026-02-06"), ("soon", "2026-03-09")])
def test_an_absence_that_cannot_be_is_refused_with_the_reason(world: World, first: str, last: str) -> None:
    assert post(world.logged_in("A@example.org"), "/absences", first=first, last=last) == 422


def test_a_reminder_comes_back_on_its_day_and_goes_with_the_next_answer(world: World) -> None:
    browser = world.logged_in("A@example.org")
    later = MORNING.date() + dt.timedelta(days=2)

    assert post(browser, "/cas/e1/reponse", code="no_answer", remind_on=MORNING.date().isoformat()) == 422
    assert post(browser, "/cas/e1/reponse", code="no_answer", remind_on=later.isoformat()) == 200
    assert "À reprendre aujourd" not in browser.get("/liste").text
    assert world.cases.answered(NIGHT + dt.timedelta(days=1), "Europe/Paris")["remind_on"].to_list() == [later]

    world.clock.at += dt.timedelta(days=2)
    back = world.logged_in("A@example.org")
    assert "Essayer à une autre heure" in back.get("/liste").text
    post(back, "/cas/e1/reponse", code="reached")
    assert "À reprendre aujourd" not in back.get("/liste").text


def test_a_reminder_is_not_set_for_a_year_mistyped_nor_where_nobody_would_be_reminded(world: World) -> None:
    browser = world.logged_in("A@example.org")
    last = MORNING.date() + dt.timedelta(days=PUT_OFF_AT_MOST)

    assert f"{PUT_OFF_AT_MOST} jours au plus)" in browser.get("/cas/e1").text
    for when in ("2999-01-01", (last + dt.timedelta(days=1)).isoformat()):
        assert post(browser, "/cas/e1/reponse", code="no_answer", remind_on=when) == 422
    assert 'name="remind_on"' not in browser.get("/cas/e4").text
    assert post(browser, "/cas/e4/reponse", code="no_answer", remind_on=last.isoformat()) == 422
    assert post(browser, "/cas/e1/reponse", code="no_answer", remind_on=last.isoformat()) == 200
    assert post(browser, "/cas/e4/reponse", code="no_answer") == 200


def test_not_relevant_says_why(world: World) -> None:
    browser = world.logged_in("A@example.org")

    assert post(browser, "/cas/e1/reponse", code="not_relevant", why="anything") == 422
    assert post(browser, "/cas/e1/reponse", code="not_relevant", why="excused") == 200
    assert "Absences excusées" in browser.get("/cas/e1").text


def test_a_list_is_exported_as_text_with_a_line_in_the_log(world: World) -> None:
    import io

    import fastexcel

    answer = world.logged_in("B@example.org").get("/liste.xlsx")

    assert world.log("export") == [("list", "allowed")]
    rows = fastexcel.read_excel(io.BytesIO(answer.content).getvalue()).load_sheet(0, header_row=None).to_polars()
    cells = [cell for row in rows.rows() for cell in row if cell is not None]
    assert "<script>alert(1)</script> =1+1" in cells
    assert not any("Amélie" in str(cell) for cell in cells)


@pytest.mark.parametrize(
    ("where", "lands"),
    [
        ("/cas/e1", "/cas/e1"),
        ("/recherche?nom=D%27Ange", "/recherche?nom=D%27Ange"),
        ("/cas/e1?x=\r\ny", "/"),
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\\evil.example", "/"),
        ("", "/"),
    ],
)
def test_a_language_is_chosen_and_leads_to_no_other_site(world: World, where: str, lands: str) -> None:
    browser = world.logged_in("A@example.org")

    answer = browser.get("/langue/en", params={"page": where}, follow_redirects=False)

    assert answer.headers["location"] == lands
    assert '<html lang="en"' in browser.get("/liste").text
    assert browser.get("/langue/xx", follow_redirects=False).headers.get("set-cookie") is None
