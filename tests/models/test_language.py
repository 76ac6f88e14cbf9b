"""The card speaks French and English: every text it can say has its French, with the same figures."""

from __future__ import annotations

import ast
import copy
import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from jinja2.ext import babel_extract

from models import card, language
from models.calibration import METHODS
from models.evaluation.measures import NAMES
from models.fairness import ATTRIBUTES, QUANTITIES
from models.gate import GROUPED
from models.judging import CHAMPION, LOAD, MODEL, RULES
from models.labels import HORIZONS
from models.language import Said, french, spoken, written
from models.promotion import HELD
from models.unseen import LEVELS
from vigie.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATES = ("card.html", "decisions.html", "unseen.html")
SAID_BY = {"word", "Check", "Said"}
NARROW, WIDE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


def in_templates() -> Iterator[str]:
    for name in TEMPLATES:
        with (ROOT / "models" / "templates" / name).open("rb") as file:
            for _, _, message, _ in babel_extract(file, ["gettext", "_"], [], {"encoding": "utf-8", "newstyle_gettext": "true"}):
                yield message if isinstance(message, str) else message[0]


def in_code() -> Iterator[str]:
    """Texts given to what says them, or to a name in the same function; f-strings name a rival, see `WORDS`."""
    for path in (*(ROOT / "models").glob("*.py"), ROOT / "pipelines" / "serving.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAID_BY]
            given = [call.args[0] for call in calls if call.args and not isinstance(call.args[0], ast.JoinedStr)]
            named = {arg.id for arg in given if isinstance(arg, ast.Name)}
            assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
            given += [
                node.value for node in assigned if getattr(node.targets[0], "id", "") in named and not isinstance(node.value, ast.JoinedStr)
            ]
            parts = [part for arg in given if isinstance(arg, ast.Constant | ast.IfExp) for part in ast.walk(arg)]
            yield from (part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


CONTENDERS = (MODEL, CHAMPION, *RULES, "session_rate", "logistic")
WORDS = (
    *NAMES.values(),
    *(text for _, *texts in card.PLOTS for text in texts),
    *CONTENDERS,
    *(f"less {name}" for name in CONTENDERS if name != MODEL),
    *(f"beats the {name}" for name in (*RULES, "session_rate", "logistic")),
    *(f"no worse than the {name}" for name in ("champion", "rival")),
    *QUANTITIES,
    *LOAD,
    *METHODS,
    *LEVELS,
    *(f"{days} days" for days in HORIZONS),
    HELD,
)
HEADERS = (
    *("block", "first", "last", "rows", "dropouts", "metric", "value", "low", "high", "difference"),
    *("with contacts", "without contacts"),
    *(
        "from risk",
        "to risk",
        "session low",
        "session high",
        "group",
        "fold",
        "contender",
        "budget",
        "alerts",
        "level",
        "place",
        "session recall",
    ),
    *(
        "week",
        "attribute",
        "learners",
        "people who drop out",
        "recall ratio",
        "false omission ratio",
        "expected ratio",
        "auc",
        "auc of risk",
    ),
    *("rival", "leavers", "observed over expected"),
)
VALUES = (
    *("train", "calibration", "test", "all", "mean", "unseen", "seen", "week of course", "size of provider", "horizon", "support"),
    *("usual", "held out", "under 50 enrolments", "50 to 249 enrolments", "250 enrolments or more"),
    *("female", "male", "other", "under 26", "26-50", "over 50", "yes", "no"),
)
WITHIN = (
    *("slope", "whole interval", "the figure itself: it was refused for this group before"),
    *("the attendance rule", "the number of days silent", "the twin that saw them"),
    "On later data the model ranks people no better than chance.",
    *("proven to rank better than", "proven to rank worse than", "not proven to differ from"),
)
"""Values of sentences."""


def test_every_text_has_its_french() -> None:
    said = {*in_templates(), *in_code(), *(word.replace("_", " ") for word in WORDS), *ATTRIBUTES, *GROUPED, *HEADERS, *VALUES, *WITHIN}

    assert set(french()) == said


def test_the_french_of_a_text_tells_the_same_figures_in_the_same_way() -> None:
    for english, said in french().items():
        for form in (r"%\(\w+\)s", r"\{[^{}]*\}", r"<[^>]+>"):
            assert sorted(re.findall(form, english)) == sorted(re.findall(form, said)), english


def test_a_sentence_is_plain_english_and_knows_its_french() -> None:
    inner = Said("{metric} {difference:+.3f} [{low:+.3f}, {high:+.3f}]", metric="average precision", difference=0.0305, low=-0.01, high=0.1)
    said = Said("{found}. {proof}", found=[inner, inner], proof="Asked: an average precision proven higher.")

    assert said == "; ".join([inner] * 2) + ". Asked: an average precision proven higher."
    assert inner == "average precision +0.030 [-0.010, +0.100]"
    told = spoken(said, "fr")
    assert told.startswith(f"précision moyenne +0,030 [-0,010{WIDE}; +0,100]{WIDE}; précision moyenne")
    assert told.endswith("Exigé\N{NO-BREAK SPACE}: une précision moyenne plus élevée, de façon prouvée.")
    assert spoken(said, "en") == said


@pytest.mark.parametrize(
    ("value", "how", "in_french", "in_english"),
    [
        (12345.678, ",.2f", f"12{NARROW}345,68", "12,345.68"),
        (0.25, ".0%", f"25{WIDE}%", "25%"),
        (12701, ",", f"12{NARROW}701", "12,701"),
        (dt.date(2026, 1, 31), "", "31/01/2026", "2026-01-31"),
    ],
)
def test_figures_are_written_as_each_language_does(value: float | dt.date, how: str, in_french: str, in_english: str) -> None:
    assert (written(value, how, "fr"), written(value, how, "en")) == (in_french, in_english)


def test_a_sentence_survives_a_copy_though_its_values_hold_braces() -> None:
    said = Said("Not compared: {why}.", why="a {brace} and 100 %")

    again = copy.deepcopy(said)

    assert again == said
    assert spoken(again, "fr") == spoken(said, "fr") != said


def test_what_somebody_wrote_stays_as_it_is_braces_and_all() -> None:
    reason = "Une raison {qui: n'est} pas un modèle, 100 %."

    assert spoken(reason, "fr") == spoken(reason, "en") == reason
    assert reason in spoken(Said("Not compared: {why}.", why=reason), "fr")


def test_the_two_languages_are_those_of_the_files() -> None:
    assert tuple(card.CARD_FILES) == tuple(card.LANGUAGE_NAMES) == language.LANGUAGES
