"""Value added of territories, operators and providers on each outcome, from what is known at a cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from impact.facts import CHARACTERISTICS
from impact.indicators.after import SITUATIONS, situations
from impact.indicators.course import ended
from impact.indicators.table import only_shown
from impact.value_added import FEW, FEWEST_UNITS, value_added

if TYPE_CHECKING:
    from impact.facts import Facts

MONTHS: Final = 6
KINDS: Final = {"territory": "territory_id", "provider": "provider_id"}


def comparison(facts: Facts, attributes: pl.DataFrame | None, shown: pl.DataFrame) -> pl.DataFrame:
    """Value added on completing the course, and on each situation six months after.

    Args:
        facts: as known.
        attributes: learner_id and protected attributes, for a fair comparison; None leaves them out.
        shown: definition_id, unit, month, shown, as `tabulate` gives: a unit hidden there is hidden here.

    Returns:
        definition_id, kind, and the columns of `value_added`; sorted by definition, kind and name. Outcomes and kinds that cannot be
        compared (fewer than four units, or nobody differs) have no row.
    """
    over = ended(facts).with_columns(completed=pl.col("reason") == "completed")
    cohorts = {"completed": (over, "completed")}
    later = situations(facts, MONTHS)
    cohorts |= {f"{name}_{MONTHS}": (later, name) for name in SITUATIONS}
    parts = []
    for definition_id, (people, outcome) in cohorts.items():
        told = people if attributes is None else people.join(attributes, on="learner_id", how="left")
        used = [*CHARACTERISTICS, *(attributes.columns[1:] if attributes is not None else [])]
        for kind, column in KINDS.items():
            rows = told.with_columns(unit=pl.format(f"{kind}:{{}}", column))
            known = rows.filter(pl.col(outcome).is_not_null())
            if known["unit"].n_unique() < FEWEST_UNITS or known[outcome].n_unique() != 2:  # noqa: PLR2004 - yes and no
                continue
            found = value_added(rows, outcome, used).with_columns(definition_id=pl.lit(definition_id), kind=pl.lit(kind))
            parts.append(found)
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys(COLUMNS, pl.String))
    rates = [name for name in COLUMNS if name not in {"definition_id", "kind", "unit", "verdict"}]
    table = only_shown(pl.concat(parts), shown, rates)
    few = pl.col("known").is_null() | (pl.col("verdict") == FEW)
    table = table.with_columns(*(pl.when(~few).then(name) for name in rates), verdict=pl.when(few).then(pl.lit(FEW)).otherwise("verdict"))
    return table.select(COLUMNS).sort("definition_id", "kind", "unit")


COLUMNS: Final = (
    "definition_id",
    "kind",
    "unit",
    "entrants",
    "known",
    "missing",
    "observed",
    "expected",
    "raw",
    "value_added",
    "low",
    "high",
    "worst",
    "best",
    "verdict",
)
