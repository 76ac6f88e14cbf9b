"""Numbers as a French reader expects them."""

from __future__ import annotations

from typing import Final

MINUS: Final = "\N{MINUS SIGN}"
POINTS: Final = 100


def percent(share: float, digits: int = 1) -> str:
    """0.123 as 12,3 %."""
    return f"{POINTS * share:.{digits}f} %".replace(".", ",")


def points(share: float, digits: int = 1) -> str:
    """-0.021 as minus 2,1, with the sign that is read as one."""
    return f"{POINTS * share:+.{digits}f}".replace(".", ",").replace("-", MINUS)


def interval(low: float, high: float, digits: int = 1) -> str:
    """Both bounds in points."""
    return f"[{points(low, digits)} ; {points(high, digits)}]"


def p_value(p: float | None) -> str:
    """0.0004 as < 0,001."""
    if p is None:
        return "\u2013"
    return "< 0,001" if p < 0.001 else f"{p:.3f}".replace(".", ",")  # noqa: PLR2004 - as printed
