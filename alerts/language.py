"""French by default, English by a switch: texts stand in the code in French, their English in `alerts/locale/en/vigie.po`."""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from babel.core import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

LANGUAGES: Final = {"fr": "Français", "en": "English"}
CATALOGUES: Final = Path(__file__).parent / "locale"
_CURRENT: ContextVar[str] = ContextVar("language", default="fr")


def use(language: str) -> None:
    """Speak `language` in this context (one request); French when it is not known."""
    _CURRENT.set(language if language in LANGUAGES else "fr")


def current() -> str:
    """The language spoken in this context."""
    return _CURRENT.get()


@cache
def _catalogue(language: str) -> dict[str | tuple[str, ...], str | tuple[str, ...]]:
    if language == "fr":
        return {}
    with (CATALOGUES / language / "vigie.po").open(encoding="utf-8") as file:
        found = {_frozen(message.id): _frozen(message.string) for message in read_po(file, locale=language)}
    return {key: said for key, said in found.items() if key and said}


def _frozen(text: str | Sequence[str] | None) -> str | tuple[str, ...]:
    return text if isinstance(text, str) else tuple(text or ())


def say(text: str) -> str:
    """A French text in the present language; itself where no catalogue has it, as a territory's own wording."""
    found = _catalogue(current()).get(text, text)
    return found if isinstance(found, str) else text


def say_many(one: str, many: str, n: float) -> str:
    """The form that goes with `n`: French counts many from two on, English from anything but one."""
    found = _catalogue(current()).get((one, many), (one, many))
    return found[1 if is_many(n) else 0]


def is_many(n: float) -> bool:
    """True where the present language says the plural of a figure shown with at most one decimal."""
    shown = abs(round(n, 1))
    return shown != 1 if current() == "en" else shown >= 2  # noqa: PLR2004 - two is what plural means


def number(value: float) -> str:
    """A number as the present language writes it, with at most one decimal."""
    return _number(value, current())


def percent(share: float) -> str:
    """A share as a whole percentage."""
    return _percent(round(share, 2), current())


def day(date: dt.date) -> str:
    """A date in words, such as mercredi 4 mars."""
    return _day(date, current())


@lru_cache(4096)
def _number(value: float, language: str) -> str:
    return str(format_decimal(value, "#,##0.#", locale=Locale(language)))


@lru_cache(256)
def _percent(share: float, language: str) -> str:
    return str(format_percent(share, locale=Locale(language)))


@lru_cache(1024)
def _day(date: dt.date, language: str) -> str:
    # CLDR writes 1 mars; French says premier.
    pattern = "EEEE '1er' MMMM" if language == "fr" and date.day == 1 else "EEEE d MMMM"
    return str(format_date(date, pattern, locale=Locale(language)))
