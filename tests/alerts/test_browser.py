"""The advisor's morning in a real browser, with a real mail server: a link by mail, the list, a case, answers; axe on each page."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import socket
import threading
import time
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from aiosmtpd.controller import Controller
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import select

from alerts.cases import CaseStore
from alerts.cases.schema import ACTIONS, ADVISORS, ALERTS
from alerts.inbox.app import create_app
from alerts.inbox.context import Inbox
from alerts.mail import Post
from pipelines.commands.inbox import by_mail
from pipelines.service import Service, open_service
from pipelines.steps import Directly, run_night
from pipelines.wording import phrases
from vigie.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium")
AXE = Path(__file__).parent / "axe" / "axe.min.js"
NIGHT = dt.date(2025, 11, 20)
MORNING = dt.datetime(2025, 11, 21, 8, tzinfo=dt.UTC)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
    pytest.mark.xdist_group("browser"),
]


class Mailbox:
    """What a real SMTP server took."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: ANN401, N802, ARG002 - aiosmtpd's own
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 taken"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()


@pytest.fixture(scope="module")
def served(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Service:
    home = tmp_path_factory.mktemp("browser") / "home"
    shutil.copytree(service.home.root, home)
    made = open_service(Settings(home=home))
    run_night(made, NIGHT, Directly())
    return made


@pytest.fixture(scope="module")
def address(served: Service, mailbox: tuple[Mailbox, int]) -> Iterator[str]:
    post = Post("127.0.0.1", mailbox[1], "vigie@example.org", starttls=False, test_address="essai@example.org")
    with CaseStore(served.cases_url) as cases:
        config = uvicorn.Config("alerts", host="127.0.0.1", port=0, log_level="critical", access_log=False, ws="none")
        server = uvicorn.Server(config)
        listening = config.bind_socket()
        reached = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # The day after the night: log-ins of advisors who were in post then.
        inbox = Inbox(cases.engine, served.rules, phrases(), served.time_zone, reached, by_mail(post), lambda: MORNING)
        config.app = create_app(inbox)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield reached
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        )
        yield made
        made.close()


def busiest_advisor(service: Service) -> str:
    with CaseStore(service.cases_url) as cases, cases.engine.connect() as connection:
        rows = (
            connection.execute(select(ALERTS.c.advisor_id).where(ALERTS.c.state == "new", ALERTS.c.advisor_id.is_not(None))).scalars().all()
        )
        advisor = max(sorted(set(rows)), key=rows.count)
        return str(connection.execute(select(ADVISORS.c.email).where(ADVISORS.c.advisor_id == advisor)).scalar_one())


def faults(page: Page) -> list[str]:
    """What axe has against this page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")
    return [f"{page.url} {fault['id']}: {[node['html'][:120] for node in fault['nodes'][:3]]}" for fault in found["violations"]]


@pytest.mark.parametrize(("name", "width", "height"), [("desktop", 1280, 900), ("phone", 390, 844)])
def test_an_advisors_morning(
    served: Service, address: str, mailbox: tuple[Mailbox, int], browser: Browser, tmp_path: Path, name: str, width: int, height: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height}, locale="fr-FR", bypass_csp=True)
    page = context.new_page()
    page.set_default_timeout(10_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    wrong: list[str] = []

    def look(what: str) -> None:
        page.screenshot(path=tmp_path / f"{name}-{what}.png", full_page=True)
        wrong.extend(faults(page))
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{what} scrolls sideways"

    page.goto(f"{address}/connexion")
    look("connexion")
    page.get_by_label("Adresse professionnelle").fill(busiest_advisor(served))
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Courriel envoyé")

    recipients, mail = mailbox[0].mails[-1]
    assert recipients == ["essai@example.org"]
    link = re.search(r"http\S+", mail.get_payload(decode=True).decode())
    assert link
    page.goto(link[0])
    look("entrer")
    page.get_by_role("button", name="Entrer").click()
    page.wait_for_url("**/liste")
    look("liste")
    first = page.locator("article.person").count()
    assert first > 0
    assert page.get_by_role("note").inner_text().startswith("Données simulées")

    page.locator("article.person h2 a").first.click()
    page.wait_for_url("**/cas/**")
    look("cas")
    page.get_by_role("combobox", name="Réponse").select_option("reached")
    page.get_by_role("textbox", name="Note").fill("Rappeler jeudi <b>")
    page.get_by_role("button", name="Enregistrer").click()
    page.wait_for_url("**/liste")
    assert page.locator("article.person").count() == first - 1

    for answer in ("no_answer", "appointment_set")[: first - 1]:
        page.locator("article.person select").first.select_option(answer)
        page.locator("article.person button").first.click()
        page.wait_for_load_state()
    look("liste-apres")
    page.goto(f"{address}/file")
    look("file")
    page.goto(f"{address}/recherche?nom=a")
    look("recherche")
    page.get_by_role("button", name="Se déconnecter").click()
    page.wait_for_url("**/connexion")

    assert wrong == []
    assert {url.split("/")[2] for url in asked} == {address.split("/")[2]}
    with CaseStore(served.cases_url) as cases, cases.engine.connect() as connection:
        assert len(connection.execute(select(ACTIONS)).all()) >= 1
    context.close()


def test_the_list_and_an_answer_by_keyboard_alone(served: Service, address: str, mailbox: tuple[Mailbox, int], browser: Browser) -> None:
    with CaseStore(served.cases_url) as cases, cases.engine.connect() as connection:
        before = len(connection.execute(select(ACTIONS)).all())
    page = browser.new_page()
    page.set_default_timeout(10_000)
    page.goto(f"{address}/connexion")

    def tab_to(role: str, text: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            seen = page.evaluate("[document.activeElement.tagName, document.activeElement.innerText || document.activeElement.name || '']")
            if seen[0] == role and text in seen[1]:
                return
        pytest.fail(f"{role} {text} is not reached by keyboard")

    tab_to("INPUT", "email")
    page.keyboard.type(busiest_advisor(served))
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Courriel envoyé")
    link = re.search(r"http\S+", mailbox[0].mails[-1][1].get_payload(decode=True).decode())
    assert link
    page.goto(link[0])
    tab_to("BUTTON", "Entrer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/file" if page.url.endswith("/file") else "**/liste")
    tab_to("A", "Rechercher")
    page.keyboard.press("Enter")
    page.wait_for_url("**/recherche")
    tab_to("INPUT", "nom")
    page.keyboard.type("a")
    page.keyboard.press("Enter")
    page.wait_for_url("**/recherche?nom=a")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.locator("main li a").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/cas/**")
    tab_to("SELECT", "")
    page.keyboard.press("ArrowDown")
    tab_to("BUTTON", "Enregistrer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/liste")

    with CaseStore(served.cases_url) as cases, cases.engine.connect() as connection:
        assert len(connection.execute(select(ACTIONS)).all()) == before + 1
    page.close()
