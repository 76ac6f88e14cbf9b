"""Numbers as a French reader expects them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import datetime as dt

MINUS: Final = "\N{MINUS SIGN}"
TOGETHER: Final = "\N{NO-BREAK SPACE}"
POINTS: Final = 100


def percent(share: float, digits: int = 1) -> str:
    """0.123 as 12,3 %."""
    return f"{POINTS * share:.{digits}f}{TOGETHER}%".replace(".", ",")


def as_written(share: float) -> str:
    """0.05 as 5 %, 0.025 as 2,5 %: as many digits as it has."""
    return f"{POINTS * share:g}{TOGETHER}%".replace(".", ",")


def points(share: float, digits: int = 1) -> str:
    """-0.021 as minus 2,1, with the sign that is read as one."""
    shown = f"{POINTS * share:+.{digits}f}"
    # What rounds to nothing has no sign.
    return (shown if float(shown) else shown[1:]).replace(".", ",").replace("-", MINUS)


def interval(low: float, high: float, digits: int = 1) -> str:
    """Both bounds in points."""
    return f"[{points(low, digits)}{TOGETHER};{TOGETHER}{points(high, digits)}]"


def p_value(p: float | None) -> str:
    """0.0004 as < 0,001."""
    if p is None:
        return "\u2013"
    return f"<{TOGETHER}0,001" if p < 0.001 else f"{p:.3f}".replace(".", ",")  # noqa: PLR2004 - as printed


def count(number: int) -> str:
    """1500 as 1 500."""
    return f"{number:,}".replace(",", TOGETHER)


def day(date: dt.date) -> str:
    """As 05/01/2026."""
    return f"{date:%d/%m/%Y}"
