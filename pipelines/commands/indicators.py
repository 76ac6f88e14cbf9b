"""`vigie indicators` and `vigie value-added`: did the service reach people, and what became of them."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, as_of_day, service_at
from vigie.errors import ConfigurationError, NoDataError

if TYPE_CHECKING:
    import polars as pl

CutOff = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="Cut-off: nothing known after that day is looked at. Default: yesterday.")
]
Health = Annotated[
    bool,
    typer.Option(
        "--health", help="Also compare by recognised disability: health data, only with a legal basis of its own in the impact assessment."
    ),
]


def indicators(
    home: HomeOption = None,
    as_of: CutOff = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default home/indicators/DATE, which the inbox shows.")] = None,
    health: Health = False,
) -> None:
    """Indicators of cover, follow-up, course, insertion and equity: a page (HTML, PDF) and its tables (parquet, csv, xlsx).

    For team leads and evaluators: no names, a definition beside every figure, units by name and never ranked.

    Small figures are hidden together with those that would give them away.

    Insertion is told as observed, weighted for those who did not answer, and at worst and best.

    The inbox shows the page at /indicateurs; with --out it is written elsewhere and shown to nobody.

    [dim]vigie indicators --home home --as-of 2026-03-31[/dim]
    [dim]vigie indicators --as-of 2026-03-31 --out brouillon[/dim]
    """
    from impact.report import NoPdfError
    from pipelines.evaluation import evaluate_service, write_evaluation

    service = service_at(home)
    day = as_of_day(as_of, service)
    folder = out or service.home.indicators / day.isoformat()
    with console.working(f"Indicators as of {day}") as at:
        found = evaluate_service(service, day, health=health)
        if found.indicators.is_empty():
            raise NoDataError(f"Nobody is known as of {day}: there is no figure to show.", "Check --home and the date, then: vigie ingest.")
        at("writing")
        try:
            write_evaluation(found, folder)
            missing = None
        except NoPdfError as error:
            missing = error
    table = found.indicators
    told = f"{table['definition_id'].n_unique()} indicators, {table.height:,} figures"
    console.out.print(f"{told}, {(~table['shown']).sum():,} of them hidden: too few people.")
    console.out.print(f"{folder / 'indicators.html'}, indicators.pdf, tables.xlsx, tables/", soft_wrap=True)
    if not out:
        console.out.print("Published: team leads and evaluators read it at /indicateurs.")
    if missing:
        console.show_error(missing)
        raise typer.Exit(1)


def value_added(
    home: HomeOption = None,
    as_of: CutOff = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write tables to; none is written by default.")] = None,
    outcome: Annotated[
        str, typer.Option(help="What is compared: completed, in_work_6, lasting_6, positive_6; all by default.", show_default=False)
    ] = "",
    health: Health = False,
) -> None:
    """What became of each territory's and provider's entrants, less what becomes of comparable people elsewhere.

    A two-level logit that never saw the unit says what was to be expected; all entrants count, leavers as well.

    What the unit was given is not controlled for. Shrunken, with 95 % intervals. Sorted by name: never a ranking.

    Below 20 known outcomes nothing is said; below 60, or where the interval holds zero, it is not distinguishable.

    Reads protected attributes, so that units are compared on the same public. No alert model reads what this reads.

    [dim]vigie value-added --home home --as-of 2026-03-31 --outcome completed[/dim]
    """
    from pipelines.evaluation import evaluate_service, write_tables

    service = service_at(home)
    day = as_of_day(as_of, service)
    with console.working(f"Value added as of {day}"):
        found = evaluate_service(service, day, health=health)
    table = found.value_added
    outcomes = table["definition_id"].unique().sort().to_list()
    if table.is_empty():
        raise NoDataError(
            f"Nothing to compare as of {day}.",
            "Value added needs four units with outcomes that differ; wait, or choose a later day.",
        )
    if outcome and outcome not in outcomes:
        raise ConfigurationError(f"--outcome {outcome} was not compared.", f"Choose among: {', '.join(outcomes)}.")
    for name in [outcome] if outcome else outcomes:
        console.show_frame(_rounded(table, name), name)
    if found.facts.notice:
        console.out.print(found.facts.notice)
    if out:
        write_tables({"value_added": found.tables["value_added"], "definitions": found.tables["definitions"]}, out)
        console.out.print(f"Tables: {out}", soft_wrap=True)


def _rounded(table: pl.DataFrame, name: str) -> pl.DataFrame:
    import polars as pl

    rates = ("missing", "observed", "expected", "value_added", "low", "high", "worst", "best")
    rows = table.filter(pl.col("definition_id") == name)
    return rows.select("unit", "known", *(pl.col(rate).round(3) for rate in rates), "verdict")
