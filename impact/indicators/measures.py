"""Every indicator at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from impact.indicators.after import after
from impact.indicators.course import course
from impact.indicators.cover import cover
from impact.indicators.process import process

if TYPE_CHECKING:
    from impact.facts import Facts
    from vigie.rules import Invariants


def everything_counted(facts: Facts, rules: Invariants) -> pl.DataFrame:
    """Rows of every indicator of the catalogue, as `counted` makes them."""
    return pl.concat([cover(facts, rules), process(facts), course(facts, rules), after(facts)])
