"""The page of indicators in the inbox: the newest whole one, for team leads and evaluators, and a trace of who read it."""

from __future__ import annotations

import datetime as dt
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.alerts.served import World


def test_an_evaluator_begins_with_the_newest_page_that_is_whole(world: World) -> None:
    world.publish_indicators(dt.date(2026, 3, 3), "<h2>Parcours</h2>")
    world.publish_indicators(dt.date(2027, 3, 31), "<h2>Un jour qui n'est pas venu</h2>")
    assert world.published
    (world.published / "2026-03-04").mkdir()

    page = world.logged_in("evaluator@example.org").get("/").text

    assert "<h2>Parcours</h2>" in page
    assert "3 mars 2026" in page
    assert "Données simulées" in page
    assert world.log("indicators")[-1] == ("2026-03-03", "allowed")


def test_without_a_page_it_is_said_so(world: World) -> None:
    assert world.published
    shutil.rmtree(world.published / "2026-02-28")
    browser = world.logged_in("lead@example.org")

    assert "encore été publiée" in browser.get("/indicateurs").text
    assert browser.get("/indicateurs.xlsx").status_code == 404


def test_the_tables_are_exported_with_a_trace(world: World) -> None:
    answer = world.logged_in("lead@example.org").get("/indicateurs.xlsx")

    assert answer.content == b"PK"
    assert "indicateurs-2026-02-28.xlsx" in answer.headers["content-disposition"]
    assert answer.headers["cache-control"] == "no-store"
    assert world.log("export") == [("indicators", "allowed")]
