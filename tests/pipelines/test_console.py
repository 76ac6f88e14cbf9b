"""Progress in a log: one line a step, few for a count, the last one always."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pipelines import console

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that pass as the test says."""
    now = [100.0]
    monkeypatch.setattr("pipelines.console.time.monotonic", lambda: now[0])
    return now


def lines(capsys: pytest.CaptureFixture[str], work: Callable[[Callable[[str], None]], None]) -> list[str]:
    with console.working("Rebuild") as at:
        work(at)
    return re.findall(r"Rebuild: (.+)", capsys.readouterr().out)


def test_a_log_tells_every_step_once(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:  # noqa: ARG001 - no second passes
    steps = ["looking", "looking", "a.csv: 12 rows", "b.csv: 13 rows", "2 of 3 files were known"]

    def work(at: Callable[[str], None]) -> None:
        for step in steps:
            at(step)

    assert lines(capsys, work) == [steps[0], *steps[2:]]


def test_a_count_tells_where_it_is_every_ten_seconds_and_its_end(capsys: pytest.CaptureFixture[str], clock: list[float]) -> None:
    def work(at: Callable[[str], None]) -> None:
        at("looking")
        for place in range(1, 1_026):
            clock[0] += 0.025
            at(f"reading the archive: {place:,} of 1,025")

    assert lines(capsys, work) == [
        "looking",
        "reading the archive: 400 of 1,025",
        "reading the archive: 800 of 1,025",
        "reading the archive: 1,025 of 1,025",
    ]
