"""A step as a Prefect task: names and dates go in, frames never do, and nothing is cached."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

RETRIES = {"ingest": 2, "alert": 2}
"""Steps where waiting can help: a file still being written, a case store that is busy. A score that fails, fails again."""
RETRY_DELAY_SECONDS = 10


def as_task(name: str, step: Callable[[], T]) -> T:
    """Run a step as a task of the flow around it."""
    decorate = task(
        name=name, retries=RETRIES.get(name, 0), retry_delay_seconds=RETRY_DELAY_SECONDS, cache_policy=NO_CACHE, persist_result=False
    )
    return decorate(step)()
