"""English stands in the code, for the terminal, MLflow and the log of decisions; its French, for the card, in `models/locale/fr/vigie.po`.

A sentence with figures is a `Said`: plain English text for whoever takes it as text, French where a page asks for it.
"""

from __future__ import annotations

import datetime as dt
from functools import cache, partial
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, Self

from babel.messages.pofile import read_po

if TYPE_CHECKING:
    from collections.abc import Mapping

CATALOGUE: Final = Path(__file__).parent / "locale" / "fr" / "vigie.po"
LANGUAGES: Final = ("fr", "en")
"""Of the card, the first one first."""
PARTED: Final = {"fr": "\N{NO-BREAK SPACE}; ", "en": "; "}
"""What stands between the members of a sequence."""
TO: Final = {"fr": PARTED["fr"], "en": ", "}
"""What stands between the ends of an interval."""
DATES: Final = {"fr": "%d/%m/%Y", "en": "%Y-%m-%d"}
_FRENCH_FIGURES: Final = str.maketrans({",": "\N{NARROW NO-BREAK SPACE}", ".": ",", "%": "\N{NO-BREAK SPACE}%"})


class Said(str):
    """A sentence in English that knows what it was made of, and so its French; what + makes of it is English alone.

    Args:
        template: English, with `{names}` as of `str.format`; its French has the same names.
        values: numbers, dates, texts (words that the catalogue has are said in French, all others as they are), and sequences of these.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Self:  # noqa: ANN401 - whatever str.format takes
        """The sentence in English."""
        said = super().__new__(cls, _Spoken("en").vformat(template, (), values))
        said.template, said.values = template, values
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and stored as what it was made of: its text alone may hold braces."""
        return partial(type(self), self.template, **self.values), ()


def spoken(text: str, language: str) -> str:
    """A text of Vigie's in a language; as it is where the catalogue has none, such as a name or a reason that somebody wrote."""
    if isinstance(text, Said):
        return _Spoken(language).vformat(_translated(text.template, language), (), text.values)
    return _translated(text, language)


def written(value: float | dt.date, how: str, language: str) -> str:
    """A number or a date as the language writes it.

    Args:
        value: which.
        how: as of `format`, such as ,.3f; a date has its own form.
        language: one of `LANGUAGES`.
    """
    if isinstance(value, dt.date):
        return value.strftime(DATES[language])
    told = format(value, how)
    return told.translate(_FRENCH_FIGURES) if language == "fr" else told


class _Spoken(Formatter):
    """Formats the values of a sentence as a language does."""

    def __init__(self, language: str) -> None:
        self.language = language

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: ANN401 - as of Formatter
        """One value; a sequence as its members."""
        if isinstance(value, (list, tuple)):
            return PARTED[self.language].join(self.format_field(one, format_spec) for one in value)
        if isinstance(value, str):
            return spoken(value, self.language)
        return written(value, format_spec, self.language)


@cache
def french() -> dict[str, str]:
    """Every English text that has a French one."""
    with CATALOGUE.open(encoding="utf-8") as file:
        return {str(message.id): str(message.string) for message in read_po(file, locale="fr") if message.id and message.string}


def _translated(text: str, language: str) -> str:
    return french().get(text, text) if language == "fr" else text
