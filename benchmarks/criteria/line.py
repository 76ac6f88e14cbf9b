"""One line of the table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """A criterion with its figure; `passed` is None where it is judged by others."""

    number: int
    name: str
    protocol: str
    figure: str
    passed: bool | None
