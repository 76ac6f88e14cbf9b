"""Every table of the evaluation at one cut-off."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import polars as pl

from impact.audit import equity
from impact.catalogue import DEFINITIONS
from impact.comparison import comparison
from impact.indicators.measures import everything_counted
from impact.indicators.table import tabulate
from impact.insertion import insertion
from impact.practice import practices
from impact.skimming import contact_by_risk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from impact.facts import Facts
    from vigie.rules import Invariants


@dataclass(frozen=True)
class Evaluation:
    """Tables without names of people, small figures null; the columns are those of the functions that make them."""

    facts: Facts
    health: bool
    """Whether disability was used."""
    indicators: pl.DataFrame
    insertion: pl.DataFrame
    value_added: pl.DataFrame
    equity: pl.DataFrame
    contact_by_risk: pl.DataFrame
    practices: pl.DataFrame
    experiments: Sequence[Mapping[str, object]] = ()
    """Newest analysis of each experiment: title, headline, rehearsal, interim, as_of (text)."""

    @property
    def tables(self) -> dict[str, pl.DataFrame]:
        """What is exported, by file name; the definitions with it."""
        names = ("indicators", "insertion", "value_added", "equity", "contact_by_risk", "practices")
        definitions = pl.DataFrame([asdict(one) for one in DEFINITIONS.values()])
        cut_off = pl.lit(self.facts.as_of).alias("cut_off")
        return {name: getattr(self, name).select(cut_off, pl.all()) for name in names} | {"definitions": definitions}


def evaluate(facts: Facts, attributes: pl.DataFrame, rules: Invariants) -> Evaluation:
    """Every table.

    Args:
        facts: as known at the cut-off.
        attributes: protected attributes, from `impact.audit.attributes`.
        rules: delays of the service's promises.
    """
    rows = everything_counted(facts, rules)
    indicators = tabulate(rows)
    return Evaluation(
        facts=facts,
        health="disability" in attributes.columns,
        indicators=indicators,
        insertion=insertion(facts, indicators),
        value_added=comparison(facts, attributes, indicators),
        equity=equity(rows, facts, attributes),
        contact_by_risk=contact_by_risk(facts),
        practices=practices(facts, rules.silence_days),
    )
