"""The page speaks English where it is asked to: every text it can say has its English, and nothing else is in the catalogue."""

from __future__ import annotations

import ast
import datetime as dt
import re
from contextvars import copy_context
from typing import TYPE_CHECKING

from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from alerts import language, likelihood, sessions, wording
from alerts.inbox import context, words
from features.catalogue import FEATURES
from tests.alerts.world import NATIONAL
from vigie.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.alerts.served import World

INBOX = ROOT / "alerts" / "inbox"
KEYWORDS = {"_": None, "say": None, "many": (1, 2), "say_many": (1, 2)}
SHOWN = {"title", "text"}
"""Arguments of pages that are texts."""


def in_templates() -> Iterator[str | tuple[str, ...]]:
    for path in (INBOX / "templates").glob("*.html"):
        with path.open("rb") as file:
            for _, _, message, _ in babel_extract(file, list(KEYWORDS), [], {"encoding": "utf-8"}):
                if message:
                    yield message if isinstance(message, str) else tuple(part for part in message if part)
        for names in re.findall(r"for name in \(([^)]*)\)", path.read_text(encoding="utf-8")):
            yield from re.findall(r'"([^"]+)"', names)


def in_code() -> Iterator[str | tuple[str, ...]]:
    for path in (ROOT / "alerts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", "")
                named = [keyword.value for keyword in node.keywords if keyword.arg in SHOWN] if called == "page" else []
                placed = {"HTTPException": node.args[1:2], "_list_page": node.args[4:5], "say": node.args[:1]}.get(called, [])
                for value in (*named, *placed):
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        yield value.value


def in_tables() -> Iterator[str | tuple[str, ...]]:
    tables = (
        wording.KINDS,
        wording.NOTICES,
        {"": wording.NOT_ESTIMATED},
        wording.PROMISES,
        wording.SUBJECTS,
        context.REFUSALS,
        words.ANSWERS,
        words.WHYS,
        words.NEXT,
        words.SOURCES,
    )
    tables += (
        words.THEMES,
        words.CHANNELS,
        words.MATTERS,
        words.BARRIERS,
        words.STATUSES,
        words.HALF_DAYS,
        words.OUTCOMES,
        words.STATES,
        words.ROLES,
        words.VERBS,
    )
    for table in (*tables, NATIONAL.default.actions, NATIONAL.default.scripts):
        yield from table.values()
    yield from (*wording.UNITS.values(), *wording.NONE.values(), *wording.NONE_OF_THESE.values())
    yield from (likelihood.LIKELIHOOD, likelihood.LIKELIHOOD_TO_END, likelihood.HARDLY, likelihood.HARDLY_TO_END, likelihood.COUNTED)
    yield from (likelihood.RANGE, likelihood.SOONER_LATER, likelihood.POSITIVE_EXIT, likelihood.MORE_POSITIVE, words.ENDS_BEFORE)
    yield from (wording.NO_FACT, wording.NO_FACT_YET, wording.NEW_FACT)
    yield from (wording.WAS, wording.BETTER, wording.WAS_ALONE, wording.BETTER_ALONE)
    yield from (sessions.ADVISOR, sessions.QUEUE, sessions.TEAM, sessions.RATE, sessions.HARDLY, sessions.OTHERS)
    yield from (wording.STILL, wording.STOOD, wording.CAUTION, wording.CAUTION_NEW, wording.MAY_BE_GONE)


def texts() -> set[str | tuple[str, ...]]:
    return {text for source in (in_templates, in_code, in_tables) for text in source()}


def catalogue() -> dict[str | tuple[str, ...], str | tuple[str, ...]]:
    with (language.CATALOGUES / "en" / "vigie.po").open(encoding="utf-8") as file:
        return {
            message.id if isinstance(message.id, str) else tuple(message.id): message.string
            if isinstance(message.string, str)
            else tuple(message.string or ())
            for message in read_po(file, locale="en")
            if message.id
        }


def test_every_text_of_the_page_has_its_english() -> None:
    english = catalogue()
    assert sorted(str(text) for text in texts() if not all(english.get(text, ("",)))) == []


def test_the_catalogue_holds_nothing_that_is_not_said() -> None:
    assert sorted(map(str, catalogue().keys() - texts())) == []


def test_places_for_values_are_the_same_in_both_languages() -> None:
    for french, english in catalogue().items():
        for one, other in zip(*([french], [english]) if isinstance(french, str) else (french, english), strict=True):
            assert set(re.findall(r"\{\w+\}", one)) == set(re.findall(r"\{\w+\}", str(other))), one


def in_english(what: Callable[[], object]) -> object:
    def run() -> object:
        language.use("en")
        return what()

    return copy_context().run(run)


def test_figures_dates_and_plurals_follow_the_language() -> None:
    first = dt.date(2026, 3, 1)

    assert (language.number(1234.5), language.day(first)) == ("1\u202f234,5", "dimanche 1er mars")
    assert in_english(lambda: (language.number(1234.5), language.day(first))) == ("1,234.5", "Sunday 1 March")
    assert wording.amount(1.5, "count") == "1,5"
    assert in_english(lambda: wording.amount(1.4, "days")) == "1 day"
    assert in_english(lambda: wording.amount(0.0, "half_days")) == "no half-day"
    assert language.current() == "fr"


def test_every_reason_can_be_told_in_english() -> None:
    told = [feature for feature in FEATURES.values() if feature.fr]
    assert told
    assert all(feature.en for feature in told)


def test_the_whole_page_is_in_english_once_asked(world: World) -> None:
    browser = world.logged_in("A@example.org")
    browser.get("/langue/en")

    for path, said in (
        ("/liste", "To contact this week"),
        ("/cas/e1", "Why today"),
        ("/recherche", "Search your cases"),
        ("/file", "Queue"),
    ):
        page = browser.get(path).text
        assert said in page, path
        left = {french for french in catalogue() if isinstance(french, str) and len(french) > 12 and f">{french}<" in page}
        assert left == set(), path
