"""`vigie models`: which model serves, why, and what would serve better."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, as_of_day, day_of, service_at
from vigie.errors import NoModelError
from vigie.lock import only_writer

app = typer.Typer(help="Which model serves, and why: list, compare, promote, roll back, read its card.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(help="Version, as `vigie models list` shows it.")]
Reason = Annotated[str, typer.Option(help="Written reason, kept for ever; with it, a refusal of the gate is overruled.")]
Why = Annotated[str, typer.Option(help="Written reason, kept for ever in the log of decisions and on both cards.")]
KnownAt = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="Outcomes known at the end of this day; default yesterday.")]


@app.command(name="list")
def list_versions(home: HomeOption = None) -> None:
    """Every version with what the gate said, and every decision taken.

    [dim]vigie models list --home home[/dim]
    """
    from models.promotion import decisions
    from models.registry import champion, versions

    service = service_at(home)
    console.show_models(sorted(versions(service.home)), champion(service.home), decisions(service.home))


@app.command()
def compare(first: Version, second: Version, home: HomeOption = None, as_of: KnownAt = None) -> None:
    """Two versions side by side, on rows that both came before; kept in MLflow as a run of its own.

    [dim]vigie models compare 2026-02-01-0123456789 2026-01-25-9876543210[/dim]
    """
    from pipelines.serving import compare_models

    service = service_at(home)
    day = as_of_day(as_of, service)
    with only_writer(service.home.lock, "A comparison of models"), console.working(f"Comparing on what was known on {day}"):
        evidence, verdict = compare_models(service, first, second, day)
    console.show_evidence(evidence)
    console.show_verdict(verdict)


@app.command()
def promote(version: Version, reason: Reason = "", home: HomeOption = None, as_of: KnownAt = None) -> None:
    """Make a version champion: the gate decides, or a written reason does.

    [dim]vigie models promote 2026-02-01-0123456789[/dim]
    [dim]vigie models promote 2026-02-01-0123456789 --reason "First model of this territory, read by the steering group"[/dim]
    """
    from models.registry import champion, trained_on
    from pipelines.serving import promote_model

    service = service_at(home)
    day = as_of_day(as_of, service)
    with only_writer(service.home.lock, "A promotion"), console.working(f"Asking the gate on what was known on {day}"):
        before = champion(service.home)
        verdict, done, asked_of = promote_model(service, version, day, reason)
    if asked_of != day:
        why = "too few outcomes are known since its training" if asked_of == trained_on(version) else "deliveries stopped"
        console.out.print(f"The gate was asked on what was known on {asked_of}, not on {day}: {why}.", soft_wrap=True)
    console.show_verdict(verdict)
    if not done and before == version:
        console.out.print(f"{version} goes on serving, though the gate now refuses it. To go back: vigie models rollback.")
        raise typer.Exit(1)
    if not done:
        console.out.print(f"{version} does not serve. To overrule the gate, give a written reason with --reason.")
        raise typer.Exit(1)
    how = "the gate is green" if verdict.green else "against the gate, for the written reason"
    place = f", in place of {before}" if before and before != version else ""
    console.out.print(f"{version} {'goes on serving' if before == version else 'is champion'}: {how}{place}.", soft_wrap=True)


@app.command()
def rollback(reason: Why = "", home: HomeOption = None) -> None:
    """Give the service back to the champion before the present one.

    [dim]vigie models rollback --reason "Too many alerts on Monday"[/dim]
    """
    from models.registry import champion
    from pipelines.serving import roll_back

    service = service_at(home)
    with only_writer(service.home.lock, "A rollback"):
        before = champion(service.home)
        version = roll_back(service, reason)
    console.out.print(
        f"{version} is champion again, in place of {before}. No training promotes by itself until somebody does.", soft_wrap=True
    )


@app.command()
def card(version: Version, home: HomeOption = None) -> None:
    """Where the model card of a version lies, in French and in English; written at its training, with every decision taken on it since.

    [dim]vigie models card 2026-02-01-0123456789[/dim]
    """
    from pipelines.serving import cards_of

    for path in cards_of(service_at(home), version):
        console.out.print(str(path), soft_wrap=True)


@app.command()
def unseen(version: Version, home: HomeOption = None) -> None:
    """How well the recipe of a version does on providers and programmes it did not learn from; told in its card.

    Some ten models are fitted: as long as a training or two.

    [dim]vigie models unseen 2026-02-01-0123456789[/dim]
    """
    from pipelines.serving import leave_out

    service = service_at(home)
    with only_writer(service.home.lock, "A judgement on what was never seen"), console.working("Judging where nobody learnt") as at:
        found = leave_out(service, version, at)
    console.show_unseen(found)


@app.command()
def examples(
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="A night that has scores.")],
    home: HomeOption = None,
    model: Annotated[str | None, typer.Option(metavar="VERSION", help="From an evaluation of this model (vigie backfill --model).")] = None,
) -> None:
    """Twenty people of a night with reasons, facts and, folded away, what came: for a person to judge. No names.

    [dim]vigie models examples --as-of 2026-03-04[/dim]
    [dim]vigie models examples --as-of 2014-04-12 --model 2014-07-31-0123456789[/dim]
    """
    from models.registry import known
    from pipelines.examples import examples_page

    service = service_at(home)
    day = day_of(as_of, "--as-of")
    if model:
        known(service.home, model)
    folder = service.home.evaluation(day, model) if model else service.home.out(day)
    if not (folder / "scores.parquet").exists():
        raise NoModelError(
            f"The night of {day} has no scores.", "Run: vigie night, or for an evaluation: vigie backfill --scores-only --model VERSION."
        )
    with only_writer(service.home.lock, "A page of examples"):
        console.out.print(str(examples_page(service, folder / "scores.parquet", day)), soft_wrap=True)
