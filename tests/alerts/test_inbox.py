"""The page as its users and its attackers know it, on both databases."""

from __future__ import annotations

import ast
import datetime as dt
import re
from dataclasses import replace
from html import unescape
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import insert, select, update

from alerts.cases.access import IDLE_MINUTES, LINK_MINUTES, ROLES, add_user, close_user, new_link
from alerts.cases.schema import ACTIONS, ALERTS, AUDIT, PEOPLE, SESSIONS, TOKENS
from alerts.cases.store import CaseStore, Published
from alerts.inbox import words
from alerts.inbox.app import ROUTERS
from alerts.inbox.context import roles_of
from alerts.mail import MailError
from tests.alerts.made import risk_alerts
from tests.alerts.served import ADDRESS, MORNING, NIGHT, SCRIPT, World, email_of, form_token, people
from vigie.settings import ROOT


def test_an_advisor_comes_in_reads_answers_and_the_list_gets_shorter(world: World) -> None:
    browser = world.logged_in("A@example.org")
    page = browser.get("/liste").text
    assert "Amélie D&#39;Ange" in page
    assert "محمد الأمين" in page
    assert "2 personnes à contacter" in page
    assert "3 demi-journées d&#39;absence." in page
    assert "Une semaine plus tôt : 1." in page

    answered = browser.post("/cas/e1/reponse", data={"csrf": form_token(page), "code": "no_answer", "channel": "phone"})

    assert "1 personne à contacter" in answered.text
    assert "Déjà répondu" in answered.text
    with world.cases.engine.connect() as connection:
        (action,) = connection.execute(select(ACTIONS)).all()
    assert (action.code, action.advisor_id, action.enrolment_id, action.at) == ("no_answer", "A", "e1", MORNING)
    assert action.alert_id == f"dropout_risk/e1/{NIGHT}"
    assert world.log("answer") == [("e1", "allowed")]


def test_whether_an_alert_was_useful_and_why_not_reaches_whoever_watches_the_model(world: World) -> None:
    browser = world.logged_in("A@example.org")
    token = form_token(browser.get("/liste").text)
    form = {"csrf": token, "channel": "phone", "code": "not_relevant", "why": "wrong_facts", "useful": "non"}
    assert browser.post("/cas/e1/reponse", data=form).status_code == 200
    assert browser.post("/cas/e2/reponse", data={"csrf": token, "channel": "phone", "code": "reached", "useful": ""}).status_code == 200

    day = MORNING.astimezone(ZoneInfo("Europe/Paris")).date()
    with world.cases.engine.begin() as connection:
        promise = dict(connection.execute(select(ACTIONS).limit(1)).mappings().one()) | {
            "action_id": "promise",
            "kind": "entry_contact_due",
        }
        connection.execute(insert(ACTIONS), [promise])

    first, second = world.cases.opinions(day, day, "Europe/Paris").sort("code").rows()

    assert first == ("not_relevant", "attendance", "wrong_facts", False)
    assert second == ("reached", "attendance", None, None)
    assert world.cases.opinions(day + dt.timedelta(days=1), day + dt.timedelta(days=1), "Europe/Paris").is_empty()
    assert world.cases.opinions(day - dt.timedelta(days=9), day - dt.timedelta(days=1), "Europe/Paris").is_empty()


def test_a_case_shows_facts_their_origin_and_earlier_nights(world: World) -> None:
    page = world.logged_in("A@example.org").get("/cas/e1").text

    assert "Données simulées" in page
    assert "matin : Absence non justifiée" in page
    assert "pas de réponse" in page
    assert "livraison 4, ligne 2" in page
    assert "Sur 100 situations semblables" in page


def test_what_protects_and_a_job_in_sight_are_told_apart_from_the_reasons(world: World) -> None:
    browser = world.logged_in("A@example.org")
    page, listed = (unescape(browser.get(path).text) for path in ("/cas/e1", "/liste"))

    protects = page.index("Ce qui protège")
    assert page.index("3 demi-journées d'absence", 0, protects) < protects < page.index("12 jours de présence d'affilée")
    assert "Vers un emploi ou une autre formation : environ 22." in page
    assert "plus probable qu'un abandon" in page
    assert "présence d'affilée" not in listed
    other = browser.get("/cas/e2").text
    assert "Ce qui protège" not in other
    assert "vers un emploi" not in other
    browser.get("/langue/en")
    english = browser.get("/cas/e1").text
    assert "What protects" in english
    assert "12 days present in a row" in english
    assert "To a job or another course: about 22." in english


def test_what_became_of_people_whose_risk_was_alike_is_counted(world: World) -> None:
    browser = world.logged_in("A@example.org")

    page, other = (unescape(browser.get(path).text) for path in ("/cas/e1", "/cas/e2"))
    counted = "Sur 1\u202f240 situations passées de ce niveau, 94 se sont terminées par un abandon dans les 4 semaines, soit 8 sur 100"
    assert "Selon les groupes et les moments de l'année, le plus souvent entre 5 et 12." in page
    assert page.index("D'où vient ce nombre ?") < page.index(f"{counted} ; l'estimation en annonçait 8 sur 100.")
    assert "Dans les 2 semaines : environ 3 sur 100 ; dans les 8 semaines : environ 14." in page
    assert "D'où vient ce nombre ?" not in other
    browser.get("/langue/en")
    english = browser.get("/cas/e1").text
    assert "Depending on the group and the time of year, most often between 5 and 12." in english
    assert "94 ended with the course given up within 4 weeks: 8 in 100, where the estimate foresaw 8 in 100." in english
    assert "Within 2 weeks: about 3 in 100; within 8 weeks: about 14." in english


def test_a_course_that_ends_before_the_four_weeks_says_so(world: World) -> None:
    browser = world.logged_in("A@example.org")
    with world.cases.engine.begin() as connection:
        connection.execute(update(PEOPLE).where(PEOPLE.c.enrolment_id == "e1").values(planned_exit_date=NIGHT + dt.timedelta(days=9)))
        connection.execute(update(PEOPLE).where(PEOPLE.c.enrolment_id == "e2").values(planned_exit_date=NIGHT + dt.timedelta(days=28)))

    assert "avant ces 4 semaines : sa fin prévue n'est pas un abandon" in unescape(browser.get("/cas/e1").text)
    assert "avant ces 4 semaines" not in browser.get("/cas/e2").text


@pytest.mark.parametrize("path", ["/cas/e3", "/cas/nobody", "/cas/e3'--", "/cas/%2e%2e"])
def test_a_case_that_is_not_ones_own_looks_like_none_and_leaves_a_trace(world: World, path: str) -> None:
    answer = world.logged_in("A@example.org").get(path)

    assert answer.status_code == 404
    assert "alert(1)" not in answer.text
    assert [outcome for _, outcome in world.log("read")] == ["refused"]


def test_nobody_answers_or_takes_for_another(world: World) -> None:
    browser = world.logged_in("B@example.org")
    token = form_token(browser.get("/liste").text)

    assert browser.post("/cas/e1/reponse", data={"csrf": token, "code": "reached"}).status_code == 404
    assert browser.post("/file/e1/prendre", data={"csrf": token}).status_code == 404
    with world.cases.engine.connect() as connection:
        assert connection.execute(select(ACTIONS)).all() == []


def test_a_case_of_the_queue_is_taken_once_and_stays_taken_when_the_night_is_published_again(world: World) -> None:
    first, second = world.logged_in("A@example.org"), world.logged_in("B@example.org")
    token = form_token(second.get("/file").text)
    assert "Zoé Seule" in first.get("/file").text

    assert first.post("/file/e4/prendre", data={"csrf": form_token(first.get("/file").text)}).status_code == 200
    assert second.post("/file/e4/prendre", data={"csrf": token}).status_code == 404
    assert "Zoé Seule" in first.get("/liste").text

    made = risk_alerts(NIGHT, "e4").with_columns(
        advisor_id=pl.lit(None, pl.String), queue=pl.lit("territory"), territory_id=pl.lit("T"), low_confidence=pl.lit(value=False)
    )
    world.cases.publish(Published(NIGHT, MORNING, made, people=people(("e4", None))))
    with world.cases.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT advisor_id FROM people").scalar_one() == "A"


def test_a_note_is_as_long_as_the_browser_counts_it(world: World) -> None:
    """A browser counts a line break as one sign, and sends two."""
    browser = world.logged_in("A@example.org")
    form = {"csrf": form_token(browser.get("/cas/e1").text), "code": "reached"}
    note = "\n".join(["x" * 9] * 50)

    assert browser.post("/cas/e1/reponse", data=form | {"note": f"{note}.".replace("\n", "\r\n")}).status_code == 200
    with world.cases.engine.connect() as connection:
        assert connection.execute(select(ACTIONS.c.note)).scalar_one() == f"{note}."
    too_long = browser.post("/cas/e1/reponse", data=form | {"note": f"{note}.."})
    assert (too_long.status_code, "500 signes au plus" in too_long.text) == (422, True)


def test_what_the_framework_refuses_is_a_page_in_the_reader_s_language(world: World) -> None:
    browser = world.logged_in("A@example.org")

    for answer, status, said in (
        (browser.post("/cas/e1/reponse", data={"code": "reached"}), 422, "Il manque une réponse"),
        (browser.post("/entrer", data={"jeton": ""}), 422, "Il manque une réponse"),
        (browser.get("/cas/e1/reponse"), 404, "Page introuvable"),
        (browser.get("/sortir"), 405, "par un formulaire"),
    ):
        assert (answer.status_code, said in unescape(answer.text)) == (status, True), answer.text
        assert answer.headers["content-type"].startswith("text/html")
    browser.get("/langue/en")
    assert "An answer is missing" in browser.post("/connexion").text
    assert "opened by a form" in browser.get("/sortir").text


def test_another_language_is_the_same_page_with_what_was_asked_of_it(world: World) -> None:
    def in_english(page: str) -> str:
        found = re.search(r'href="(/langue/en[^"]*)"', page)
        assert found
        return unescape(found[1])

    stranger = world.browser()
    stranger.post("/connexion", data={"email": "A@example.org"})
    link = world.mail[-1][1].removeprefix(ADDRESS)
    entering = stranger.get(in_english(stranger.get(link).text)).text
    token = re.search(r'name="jeton" value="([^"]+)"', entering)
    assert token
    assert "Enter" in entering
    assert stranger.post("/entrer", data={"jeton": token[1]}).status_code == 200

    browser = world.logged_in("A@example.org")
    asked = browser.get("/recherche", params={"nom": "amélie d'a & co"})
    assert 'value="amélie d&#39;a &amp; co"' in browser.get(in_english(asked.text)).text
    lead = world.logged_in("lead@example.org")
    form = {"csrf": form_token(lead.get("/equipe").text), "from_advisor": "A", "to_advisor": "B"}
    counted = lead.post("/equipe/reaffecter", data=form, headers={"Referer": f"{ADDRESS}/equipe"})
    assert "My team" in lead.get(in_english(counted.text)).text


def test_who_objects_in_one_enrolment_is_estimated_in_none(world: World) -> None:
    with world.cases.engine.begin() as connection:
        for table in (PEOPLE, ALERTS):
            connection.execute(update(table).where(table.c.enrolment_id == "e2").values(learner_id="e1"))
    browser = world.logged_in("A@example.org")
    form = {"csrf": form_token(browser.get("/liste").text)}
    assert "Estimation d&#39;un modèle" in browser.get("/cas/e2").text

    browser.post("/cas/e1/reponse", data=form | {"code": "opposed"})

    other, listed = browser.get("/cas/e2").text, browser.get("/liste").text
    assert "Estimation d&#39;un modèle" not in other
    assert "environ" not in other
    assert "environ" not in listed
    assert "Déjà répondu" in listed
    world.clock.at += dt.timedelta(minutes=1)
    browser.post("/cas/e2/reponse", data=form | {"code": "unopposed"})
    assert "Estimation d&#39;un modèle" in browser.get("/cas/e1").text


def test_the_officer_reads_who_opened_one_case(world: World) -> None:
    browser = world.logged_in("A@example.org")
    browser.get("/cas/e1")
    browser.get("/cas/e2")

    page = world.logged_in("dpo@example.org").get("/journal", params={"objet": "e1"}).text

    rows = page.split("<tbody>")[1].split("</tbody>")[0].split("</tr>")
    assert sum("situation lue" in row and "Conseiller A" in row and "<td>e1</td>" in row for row in rows) == 1
    assert "<td>e2</td>" not in page


ROUTES = {
    "/liste": {"advisor"},
    "/liste.xlsx": {"advisor"},
    "/file": {"advisor", "lead"},
    "/recherche": {"advisor", "lead"},
    "/cas/e1": {"advisor", "lead"},
    "/absences": {"advisor", "lead"},
    "/equipe": {"lead"},
    "/journal": {"dpo"},
    "/indicateurs": {"lead", "evaluator"},
    "/indicateurs.xlsx": {"lead", "evaluator"},
    "/accueil": set(ROLES),
}
FORMS = {
    "/cas/e1/reponse": {"advisor"},
    "/cas/e1/confier": {"advisor", "lead"},
    "/file/e1/prendre": {"advisor"},
    "/file/e1/confier": {"lead"},
    "/file/e1/orienter": {"advisor", "lead"},
    "/equipe/reaffecter": {"lead"},
    "/absences": {"advisor", "lead"},
    "/absences/a1/annuler": {"advisor", "lead"},
    "/sortir": set(ROLES),
}
FIELDS = {
    "code": "reached",
    "advisor": "B",
    "operator": "other",
    "from_advisor": "A",
    "to_advisor": "B",
    "first": "2026-03-09",
    "last": "2026-03-13",
}
STRANGERS = {
    "GET /",
    "GET /connexion",
    "POST /connexion",
    "GET /entrer",
    "POST /entrer",
    "GET /oidc",
    "GET /oidc/retour",
    "GET /langue/{code}",
}


def test_every_route_is_in_the_table_of_roles(world: World) -> None:
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    named = {"/cas/e1": "/cas/{enrolment_id:path}", "/file/e1": "/file/{enrolment_id:path}", "/absences/a1": "/absences/{absence_id}"}

    def template(path: str) -> str:
        for sample, pattern in named.items():
            path = path.replace(sample, pattern)
        return path

    told = {f"GET {template(path)}": roles for path, roles in ROUTES.items()}
    told |= {f"POST {template(path)}": roles for path, roles in FORMS.items()}
    found = {f"{method} {route.path}": roles_of(route) for route in routes for method in route.methods}

    assert {route: set(roles) for route, roles in found.items() if roles is not None} == told
    assert {route for route, roles in found.items() if roles is None} == STRANGERS
    assert world.browser().get("/openapi.json").status_code == 404


@pytest.mark.parametrize("role", ROLES)
def test_every_route_for_every_role(world: World, role: str) -> None:
    browser = world.logged_in(email_of(role))

    for path, allowed in ROUTES.items():
        answer = browser.get(path)
        assert answer.status_code == (200 if role in allowed else 403), path
        if role not in allowed:
            assert "Amélie" not in answer.text
    for path, allowed in FORMS.items():
        answer = browser.post(path, data={"csrf": "forged"} | FIELDS)
        assert answer.status_code == 403, path
        assert ("pas ouverte" in answer.text) == (role not in allowed), path


@pytest.mark.parametrize("path", [*ROUTES, "/"])
def test_a_stranger_is_led_to_the_log_in_page(world: World, path: str) -> None:
    answer = world.browser().get(path)

    assert answer.url.path == "/connexion"
    assert "Amélie" not in answer.text


def test_a_team_lead_sees_the_cases_of_their_team_only(world: World, cases: CaseStore) -> None:
    add_user(cases.engine, "lead@example.org", "Responsable", "lead", operator="other", territory_id="T")
    browser = world.logged_in("lead@example.org")

    assert browser.get("/cas/e1").status_code == 404
    assert browser.get("/cas/e4").status_code == 200
    assert "Amélie" not in browser.get("/recherche", params={"nom": "am"}).text


def test_a_link_serves_once_and_not_for_long(world: World) -> None:
    browser = world.browser()
    browser.post("/connexion", data={"email": "a@EXAMPLE.org"})
    token = world.mail[-1][1].split("jeton=")[1]
    assert world.mail[-1][1].startswith(f"{ADDRESS}/entrer?jeton=")
    # Mail filters open links: reading spends nothing.
    assert world.browser().get("/entrer", params={"jeton": token}).status_code == 200

    assert browser.post("/entrer", data={"jeton": token}).url.path == "/liste"
    assert world.browser().post("/entrer", data={"jeton": token}).status_code == 403

    browser.post("/connexion", data={"email": "a@example.org"})
    world.clock.at += dt.timedelta(minutes=LINK_MINUTES, seconds=1)
    assert world.browser().post("/entrer", data={"jeton": world.mail[-1][1].split("jeton=")[1]}).status_code == 403


def test_an_account_that_is_closed_lets_nobody_in(world: World, cases: CaseStore) -> None:
    browser = world.logged_in("lead@example.org")
    world.browser().post("/connexion", data={"email": "lead@example.org"})
    link = world.mail[-1][1].split("jeton=")[1]

    assert close_user(cases.engine, "Lead@example.org", MORNING) is False

    assert browser.get("/equipe").url.path == "/connexion"
    assert world.browser().post("/entrer", data={"jeton": link}).status_code == 403
    sent = len(world.mail)
    world.browser().post("/connexion", data={"email": "lead@example.org"})
    assert len(world.mail) == sent
    assert len(world.log("close")) == 1
    assert close_user(cases.engine, "nobody@example.org", MORNING) is None
    assert "compte fermé" in world.logged_in("dpo@example.org").get("/journal").text


def test_a_lead_who_is_an_advisor_again_reads_their_list(world: World, cases: CaseStore) -> None:
    add_user(cases.engine, "A@example.org", "Conseiller A", "lead", operator="cep", territory_id="T")
    assert world.logged_in("A@example.org").get("/liste").status_code == 403

    assert close_user(cases.engine, "A@example.org", MORNING) is True

    assert "Amélie" in world.logged_in("A@example.org").get("/liste").text


def test_an_unknown_address_reads_the_same_words_and_gets_no_mail(world: World) -> None:
    known = world.browser().post("/connexion", data={"email": "a@example.org"})
    unknown = world.browser().post("/connexion", data={"email": "nobody@example.org"})

    assert known.text == unknown.text
    assert len(world.mail) == 1


def test_trying_again_and_again_is_slowed_down(world: World) -> None:
    codes = [world.browser().post("/connexion", data={"email": "a@example.org"}).status_code for _ in range(6)]
    assert codes == [200] * 5 + [429]
    world.clock.at += dt.timedelta(minutes=16)
    assert world.browser().post("/connexion", data={"email": "a@example.org"}).status_code == 200


def test_a_session_ends_when_idle_when_old_and_when_left(world: World) -> None:
    idle = world.logged_in("A@example.org")
    world.clock.at += dt.timedelta(minutes=61)
    assert idle.get("/liste").url.path == "/connexion"

    old = world.logged_in("A@example.org")
    for _ in range(13):
        world.clock.at += dt.timedelta(minutes=59)
        last = old.get("/liste")
    assert last.url.path == "/connexion"

    left = world.logged_in("A@example.org")
    kept = left.cookies["vigie"]
    left.post("/sortir", data={"csrf": form_token(left.get("/liste").text)})
    assert left.get("/liste").url.path == "/connexion"
    assert world.browser().get("/liste", headers={"cookie": f"vigie={kept}"}).url.path == "/connexion"


def test_log_in_gives_a_new_session_whatever_cookie_was_there(world: World) -> None:
    browser = world.browser()
    browser.cookies.set("vigie", "planted", domain="testserver.local")
    browser.post("/connexion", data={"email": "A@example.org"})
    answer = browser.post("/entrer", data={"jeton": world.mail[-1][1].split("jeton=")[1]}, follow_redirects=False)

    cookie = answer.headers["set-cookie"]
    assert "planted" not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_no_secret_is_stored(world: World) -> None:
    browser = world.logged_in("A@example.org")
    token, secret = world.mail[-1][1].split("jeton=")[1], browser.cookies["vigie"]

    with world.cases.engine.connect() as connection:
        stored = str(connection.execute(select(TOKENS)).all()) + str(connection.execute(select(SESSIONS)).all())
        logged = str(connection.execute(select(AUDIT)).all())
    assert token not in stored + logged
    assert secret not in stored + logged
    assert "Amélie" not in logged


def test_links_and_sessions_that_are_over_are_not_kept(world: World) -> None:
    def kept() -> tuple[int, int]:
        with world.cases.engine.connect() as connection:
            return len(connection.execute(select(TOKENS)).all()), len(connection.execute(select(SESSIONS)).all())

    world.logged_in("A@example.org")
    world.logged_in("B@example.org")
    # A link that was spent is gone with the next.
    assert kept() == (0, 2)
    assert new_link(world.cases.engine, "A@example.org", world.clock.at)
    # Nor does one who asks take away another's.
    assert new_link(world.cases.engine, "B@example.org", world.clock.at)
    assert kept() == (2, 2)
    world.clock.at += dt.timedelta(minutes=30)
    world.logged_in("B@example.org")
    assert kept()[1] == 3
    world.clock.at += dt.timedelta(minutes=IDLE_MINUTES)
    world.logged_in("A@example.org")
    assert kept() == (0, 1)


@pytest.mark.parametrize(
    ("headers", "data"),
    [({}, {"csrf": "forged"}), ({"origin": "https://evil.example"}, {}), ({"sec-fetch-site": "cross-site"}, {})],
)
def test_a_form_from_elsewhere_is_refused(world: World, headers: dict[str, str], data: dict[str, str]) -> None:
    browser = world.logged_in("A@example.org")
    token = form_token(browser.get("/liste").text)

    answer = browser.post("/cas/e1/reponse", data={"csrf": token, "code": "reached"} | data, headers=headers)

    assert answer.status_code == 403
    with world.cases.engine.connect() as connection:
        assert connection.execute(select(ACTIONS)).all() == []


@pytest.mark.parametrize(("field", "value"), [("code", "promoted"), ("channel", "carrier pigeon"), ("barrier", "health"), ("useful", "1")])
def test_an_answer_outside_the_list_is_refused(world: World, field: str, value: str) -> None:
    browser = world.logged_in("A@example.org")
    data = {"csrf": form_token(browser.get("/liste").text), "code": "reached"} | {field: value}

    assert browser.post("/cas/e1/reponse", data=data).status_code == 422


def test_what_deliveries_and_advisors_write_never_becomes_code(world: World) -> None:
    browser = world.logged_in("B@example.org")
    browser.post("/cas/e3/reponse", data={"csrf": form_token(browser.get("/liste").text), "code": "reached", "note": SCRIPT})

    for path in ("/liste", "/cas/e3", "/recherche?nom=%3D", f"/recherche?nom={SCRIPT}"):
        page = browser.get(path)
        assert SCRIPT not in page.text, path
        assert "&lt;script&gt;" in page.text, path


def test_every_answer_has_strict_headers_and_asks_nothing_of_the_outside(world: World) -> None:
    browser = world.logged_in("A@example.org")

    for path in ("/liste", "/cas/e1", "/connexion", "/nowhere"):
        answer = browser.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "http" not in re.sub(r'lang="[^"]*"', "", answer.text)
        assert '<html lang="fr"' in answer.text
    assert browser.get("/static/pico.min.css").status_code == 200


@pytest.mark.parametrize("text", ["%", "_", "\\", "' OR 1=1 --", ""])
def test_a_search_takes_its_text_as_text(world: World, text: str) -> None:
    page = world.logged_in("A@example.org").get("/recherche", params={"nom": text})

    assert page.status_code == 200
    assert "Amélie" not in page.text


def test_of_who_entered_within_a_window_a_count_is_of_all_their_days_on_the_list_and_on_the_case(world: World, cases: CaseStore) -> None:
    reason = {"code": "attendance", "feature": "window", "value": 3.0, "contribution": 0.5, "previous_value": None}
    night = dt.date(2026, 3, 5)
    alerts = risk_alerts(night, "e1", "e2").with_columns(
        reasons=pl.Series([[reason]] * 2), territory_id=pl.lit("T"), low_confidence=pl.lit(value=False)
    )
    entered = pl.when(pl.col("enrolment_id") == "e1").then(dt.date(2026, 3, 2)).otherwise("entry_date")
    followed = people(("e1", "A"), ("e2", "A")).with_columns(entry_date=entered)
    posts = pl.DataFrame({"advisor_id": ["A"], "operator": ["cep"], "territory_id": ["T"]}).with_columns(active_to=pl.lit(None, pl.Date))
    cases.publish(Published(night, MORNING, alerts, people=followed, posts=posts))
    world.clock.at += dt.timedelta(days=1)
    browser = world.logged_in("A@example.org")

    said = ["d&#39;absence depuis l&#39;entrée", "d&#39;absence sur les 14 derniers jours"]
    assert [browser.get("/liste").text.count(text) for text in said] == [1, 1]
    assert [browser.get("/cas/e1").text.count(text) > 0 for text in said] == [True, False]
    assert [browser.get("/cas/e2").text.count(text) > 0 for text in said] == [False, True]


def test_a_search_finds_ones_own(world: World) -> None:
    browser = world.logged_in("A@example.org")

    assert "Amélie" in browser.get("/recherche", params={"nom": "d'an"}).text
    assert "Seule" in browser.get("/recherche", params={"nom": "seu"}).text
    assert "=1+1" not in browser.get("/recherche", params={"nom": "=1"}).text.split("</form>")[-1]


@pytest.mark.parametrize("text", ["AMÉ", "ame", "Amélie D\u2019Ange", "d'ange am"])
def test_a_search_needs_neither_capitals_nor_accents_and_takes_a_whole_name(world: World, text: str) -> None:
    assert "D&#39;Ange" in world.logged_in("A@example.org").get("/recherche", params={"nom": text}).text.split("</form>")[-1]


def test_a_page_is_opened_from_a_link_in_a_mail_read_on_another_site(world: World) -> None:
    lead = world.logged_in("lead@example.org")

    for path in ("/equipe", "/absences"):
        assert lead.get(path, headers={"sec-fetch-site": "cross-site"}).status_code == 200


def test_a_mail_that_fails_tells_a_stranger_nothing_and_leaves_a_line(world: World) -> None:
    def fails(_to: str, _link: str) -> None:
        raise MailError("A mail was not sent: TimeoutError.", "Check the mail server.")

    world.app.state.inbox = replace(world.app.state.inbox, send_link=fails)
    known, unknown = (world.browser().post("/connexion", data={"email": email}) for email in ("A@example.org", "nobody@example.org"))

    assert known.status_code == unknown.status_code == 200
    assert known.text == unknown.text
    assert world.log("send_link") == [("A mail was not sent: TimeoutError.", "refused")]


def test_a_night_without_estimate_says_that_the_rule_speaks_and_gives_its_reason(world: World, cases: CaseStore) -> None:
    ruled = risk_alerts(NIGHT, "e1").with_columns(risk=pl.lit(None, pl.Float64), rank=pl.lit(2, pl.Int32))
    reason = [{"code": "attendance", "feature": "x", "value": 6.0, "contribution": 1.0, "previous_value": None}]
    ruled = ruled.with_columns(reasons=pl.Series([reason], dtype=ruled.schema["reasons"]))
    owed = risk_alerts(NIGHT, "e1").with_columns(
        kind=pl.lit("mid_course_contact_due"), alert_id=pl.lit("m"), risk=pl.lit(None, pl.Float64), rank=pl.lit(1, pl.Int32)
    )
    made = pl.concat(
        [
            ruled.with_columns(pl.col("kind", "queue", "state").cast(pl.String)),
            owed.with_columns(pl.col("kind", "queue", "state").cast(pl.String)),
        ]
    )
    made = made.with_columns(territory_id=pl.lit("T"), low_confidence=pl.lit(value=False))
    posts = pl.DataFrame({"advisor_id": ["A"], "operator": ["cep"], "territory_id": ["T"]}).with_columns(active_to=pl.lit(None, pl.Date))
    cases.publish(Published(NIGHT, MORNING, made, people=people(("e1", "A")), posts=posts))
    browser = world.logged_in("A@example.org")

    case = browser.get("/cas/e1").text

    for page in (browser.get("/liste").text, case):
        assert "6 demi-journées d&#39;absence." in page
    assert "(règle du service)" in case
    assert "estimation d&#39;un modèle" not in case.lower()
    assert "Pas d&#39;estimation." in case


def test_the_log_speaks_french_of_every_act(world: World) -> None:
    world.logged_in("A@example.org").get("/equipe")

    page = world.logged_in("dpo@example.org").get("/journal").text

    for said in ("Conseiller", "connexion", "lien demandé", "page demandée", "journal lu"):
        assert f"<td>{said}</td>" in page
    called = [node for path in (ROOT / "alerts" / "inbox").glob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    places = {"note": 3, "seen": 2, "missing": 2, "acted": 2}
    told = {
        str(node.args[places[name]].value)
        for node in called
        if isinstance(node, ast.Call)
        and (name := getattr(node.func, "attr", getattr(node.func, "id", ""))) in places
        and isinstance(node.args[places[name]], ast.Constant)
    }
    assert len(told) > 10
    assert told - words.VERBS.keys() == set()


def test_an_advisor_who_left_comes_in_no_more(world: World, cases: CaseStore) -> None:
    browser = world.logged_in("A@example.org")
    posts = pl.DataFrame(
        {
            "advisor_id": ["A"],
            "operator": ["cep"],
            "territory_id": ["T"],
            "active_to": [NIGHT],
        }
    )
    empty = risk_alerts(NIGHT).with_columns(territory_id=pl.lit("T"), low_confidence=pl.lit(value=False))
    cases.publish(Published(NIGHT, MORNING, empty, people=people(("e1", "A")), posts=posts))

    assert browser.get("/liste").url.path == "/connexion"
