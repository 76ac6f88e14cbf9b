"""From things counted to figures by unit and month, small ones hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from impact.catalogue import DEFINITIONS
from vigie.disclosure import marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALL: Final = "all"
Z: Final = 1.959964
FIGURES: Final = ("people", "n", "missing", "value", "low", "high")


def tabulate(rows: pl.DataFrame) -> pl.DataFrame:
    """Figures for everybody, each territory, operator and provider, by month and over the whole period.

    Args:
        rows: as `counted` makes them.

    Returns:
        definition_id, kind (all, territory, operator, provider), unit, month (text such as 2026-03; null: the whole period), people,
        n (things counted whose outcome is known), missing (share of outcomes nobody knows), value, low, high (95 %), shown. Where
        `shown` is false the figures are null.
    """
    units = rows.with_columns(
        pl.col("on").dt.strftime("%Y-%m").alias("month"),
        *(pl.format(f"{kind}:{{}}", column).alias(kind) for kind, column in _KINDS.items()),
    )
    units = units.with_columns(all=pl.lit(ALL), cell=pl.format("{}\x1f{}", "provider", "territory"))
    within, cells = _within(units)
    units = units.with_columns(pl.when(pl.col("cell").is_in(cells)).then("cell"))
    parts = [_figures(units, kind, period) for kind in (ALL, *_KINDS, "cell") for period in (True, False)]
    seen = protected(pl.concat(parts).sort("definition_id", "unit", "month", nulls_last=True), within)
    return seen.filter(pl.col("kind") != "cell")


_KINDS: Final = {"territory": "territory_id", "operator": "operator", "provider": "provider_id"}


def _figures(units: pl.DataFrame, kind: str, period: bool) -> pl.DataFrame:  # noqa: FBT001 - the two halves of one loop
    month = pl.lit(None, pl.String).alias("month") if period else pl.col("month")
    return figures(units.filter(pl.col(kind).is_not_null()).with_columns(kind=pl.lit(kind), unit=pl.col(kind)).with_columns(month))


def figures(rows: pl.DataFrame) -> pl.DataFrame:
    """People, n, missing, value and 95 % interval by definition_id, kind, unit and month.

    Somebody counted several times is no several people: a share then has the interval of as many independent people as its error by person
    is worth, n at most (Kish's design effect). Half-days have none: a class is written down by one hand, and persons are not what varies.
    """
    key = ("definition_id", "kind", "unit", "month")
    known = pl.col("value").is_not_null()
    by_person = rows.group_by(*key, "person").agg(
        n=pl.col("n").filter(known).sum(),
        hits=pl.col("value").sum(),
        most=pl.col("n").filter(known).max(),
        known=known.sum(),
        rows=pl.len(),
        values=pl.col("value").drop_nulls(),
    )
    n, hits, people = pl.col("n").sum(), pl.col("hits").sum(), (pl.col("known") > 0).sum().cast(pl.Int64)
    made = by_person.group_by(key).agg(
        people=people,
        missing=1 - pl.col("known").sum() / pl.col("rows").sum(),
        total=n,
        hits=hits,
        most=pl.col("most").max(),
        median=pl.col("values").explode().median(),
        # Squares of what each person adds to the error of the share.
        square=((pl.col("hits") - hits / n * pl.col("n")) ** 2).sum() * people / (people - 1),
    )
    how = pl.col("definition_id").replace_strict({name: one.how for name, one in DEFINITIONS.items()})
    share = pl.col("hits") / pl.col("total")
    value = pl.when(how == "median").then("median").otherwise(share)
    lone = pl.col("people") == pl.col("total")
    by_error = share * (1 - share) * pl.col("total") ** 2 / pl.col("square")
    worth = pl.when(lone).then("total").when(pl.col("square") > 0).then(by_error).otherwise("people")
    worth = pl.min_horizontal(worth, "total")
    low, high = wilson(share * worth, worth)
    told = (how == "share") & ((pl.col("most") <= 1) | lone)
    spread = (Z / pl.col("hits").sqrt()).exp()
    some = (how == "rate") & (pl.col("hits") > 0)
    return made.with_columns(
        n="total",
        value=value.fill_nan(None),
        low=pl.when(told).then(low).when(some).then(value / spread).fill_nan(None),
        high=pl.when(told).then(high).when(some).then(value * spread).fill_nan(None),
    ).select(*key, *FIGURES)


def wilson(hits: pl.Expr, n: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    """95 % interval of a share (Wilson, 1927)."""
    share, middle = hits / n, (hits + Z**2 / 2) / (n + Z**2)
    half = Z * (n * share * (1 - share) + Z**2 / 4).sqrt() / (n + Z**2)
    return middle - half, middle + half


def protected(table: pl.DataFrame, within: Mapping[str, tuple[str, ...]]) -> pl.DataFrame:
    """Figures with `shown`, one indicator after the other; those of few people, and their companions, become null.

    Args:
        table: definition_id, unit, month, `FIGURES`.
        within: as in `vigie.disclosure.marked`.
    """
    parts = table.partition_by("definition_id", maintain_order=True) or [table]
    seen = pl.concat([marked(one, within) for one in parts])
    return seen.with_columns(pl.when("shown").then(name) for name in FIGURES)


def only_shown(table: pl.DataFrame, shown: pl.DataFrame, rates: Sequence[str]) -> pl.DataFrame:
    """Another table on the same people: null where `tabulate` hides the unit's figure for the whole period."""
    seen = shown.filter(pl.col("month").is_null(), "shown").select("definition_id", "unit", seen=pl.lit(value=True))
    told = table.join(seen, on=["definition_id", "unit"], how="left", maintain_order="left")
    return told.with_columns(pl.when("seen").then(rate) for rate in rates).drop("seen")


def _within(units: pl.DataFrame) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """What each unit is part of, and cells: what a provider of several territories does in one of them.

    No table shows a cell; who subtracts the other providers of its territory arrives at it.
    """
    places = units.select("provider", "territory", "cell").drop_nulls().unique().sort("cell")
    lone = pl.len().over("provider") == 1
    home = places.filter(lone).select("provider", "territory").rows()
    split = places.filter(~lone)
    whole = {name: (ALL,) for kind in ("territory", "operator") for name in units[kind].drop_nulls().unique()}
    within = {provider: (territory,) for provider, territory in home} | whole
    return within | {cell: (territory, provider) for provider, territory, cell in split.rows()}, split["cell"].to_list()
