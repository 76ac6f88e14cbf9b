"""`vigie experiment`: plan, power, freeze, status, analyse. Did the support help? Decided before, drawn by lot, said as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, as_of_day, day_of, service_at
from vigie.lock import only_writer

if TYPE_CHECKING:
    from impact.experiments.plan import Plan

app = typer.Typer(
    help="Did it help? Plan an experiment, see what it can detect, freeze it, follow it, analyse it.\n\n"
    "An experiment is a file config/experiments/NAME.toml. What is drawn by lot is the place on the list, never access to help: promises "
    "and people's own requests go before any arm. The order: plan, power, freeze (before its first day), then nights as usual, analyse.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Name of the file in config/experiments, without .toml.", show_default=False)]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help="What was known at the end of this day counts; default: yesterday.")
]


@app.command("plan")
def show_plan(name: Name, home: HomeOption = None) -> None:
    """Read the file, hold it to the rules of its design, and print the pre-analysis plan it stands for. Changes nothing.

    [dim]vigie experiment plan place-sur-la-liste[/dim]
    """
    from impact.experiments.preanalysis import preanalysis
    from pipelines.experiments import plan_of

    plan = plan_of(service_at(home), name)
    console.out.print(preanalysis(plan), soft_wrap=True)
    console.out.print(f"Fingerprint {plan.fingerprint}. Next: vigie experiment power {name}")


@app.command()
def power(name: Name, home: HomeOption = None, as_of: AsOf = None) -> None:
    """Play the plan 500 times on the territory's own past, and say in plain words whether it can detect what it hopes for.

    Base rate, group sizes, intra-class correlation and what the risk explains come from the warehouse, read as long after a horizon as the
    plan waits; a wait too short for silence to tell is refused. A page with the curve is written.
    A plan on people at risk needs past scores: [dim]vigie backfill --from D --to D --every 7d --scores-only[/dim]

    [dim]vigie experiment power place-sur-la-liste --as-of 2025-12-31[/dim]
    """
    from pipelines.experiments import look_ahead

    service = service_at(home)
    day = as_of_day(as_of, service)
    with only_writer(service.home.lock, "A look ahead"), console.working("Playing the plan on the past"):
        found, page = look_ahead(service, name, day)
    past = found.past
    console.out.print(
        f"Past {past.first} to {past.last}, known {found.plan.wait_days} days after a horizon: {past.people:,} people, "
        f"base rate {past.situation.base:.1%}, ICC {past.situation.icc:.3f}, "
        f"R2 of the known risk {past.situation.r2:.3f}, reached in time {past.take_up:.0%}.",
        soft_wrap=True,
    )
    for one in found.by_effect:
        console.out.print(f"  effect {100 * one.effect:+.1f} points, {one.learners:,} people: power {one.power:.0%}")
    for one in found.by_size:
        console.out.print(f"  {one.learners:,} people, effect {100 * one.effect:+.1f} points: power {one.power:.0%}")
    console.out.print(found.verdict, soft_wrap=True)
    console.out.print(f"Page: {page}", soft_wrap=True)


@app.command()
def freeze(
    name: Name,
    home: HomeOption = None,
    rehearsal: Annotated[
        bool, typer.Option("--rehearsal", help="On past or simulated data: an exercise. Every report then says that it proves nothing.")
    ] = False,
) -> None:
    """Fix the plan for good, before its first day: canonical JSON, SHA-256 and date go to the warehouse. Publish the plan.md it writes.

    From then on nights draw newcomers and follow the arms; a changed file is refused, also a changed seed. Freezing twice changes nothing.
    Refused where silence alone tells many of the dropouts and wait_days is too short for it.

    [dim]vigie experiment freeze place-sur-la-liste[/dim]
    """
    from pipelines.experiments import freeze_plan

    service = service_at(home)
    with only_writer(service.home.lock, "Freezing a plan"):
        frozen, paper = freeze_plan(service, name, rehearsal=rehearsal)
    console.out.print(f"Frozen at {frozen.frozen_at:%Y-%m-%d %H:%M} UTC, plan {frozen.plan.fingerprint}", soft_wrap=True)
    console.out.print(f"Pre-analysis plan {frozen.analysis_hash}\nPublish {paper} now, before {frozen.plan.start}.", soft_wrap=True)
    _due(frozen.plan)
    if rehearsal:
        console.out.print("A rehearsal: its reports say that they prove nothing.")


def _due(plan: Plan) -> None:
    if plan.due:
        console.out.print(f"Analysis not before {plan.due}: {plan.horizon_days} days after the last entry, and {plan.wait_days} to know.")


@app.command()
def status(name: Name, home: HomeOption = None) -> None:
    """Where it stands: frozen or not, who was drawn, and whether the draw can be made again. Exit code 1 when something is wrong.

    [dim]vigie experiment status place-sur-la-liste[/dim]
    """
    from pipelines.experiments import status_of

    service = service_at(home)
    with only_writer(service.home.lock, "Looking at an experiment"):
        found = status_of(service, name)
    if found.frozen is None:
        console.out.print(f"Not frozen. Next: vigie experiment freeze {name}")
        return
    console.out.print(f"Frozen at {found.frozen.frozen_at:%Y-%m-%d %H:%M} UTC, plan {found.frozen.plan.fingerprint}", soft_wrap=True)
    _due(found.frozen.plan)
    drawn = ", ".join(f"{arm}: {number:,}" for arm, number in found.arms.items()) or "nobody yet"
    console.out.print(f"Drawn: {drawn}" + (f", from {found.first} to {found.last}." if found.first else "."), soft_wrap=True)
    if found.altered:
        console.tell("wrong", "red", f"{found.altered} arms are not those the frozen plan gives: the table was changed.")
    elif found.arms:
        console.out.print("The draw was made again from plan and identifiers: identical.")
    if found.changed:
        console.tell(
            "wrong", "red", f"The file now differs from the frozen plan: {', '.join(found.changed)}. Nights follow the frozen one."
        )
    if found.altered or found.changed:
        raise typer.Exit(1)


@app.command()
def analyse(
    name: Name,
    home: HomeOption = None,
    as_of: AsOf = None,
    interim: Annotated[bool, typer.Option("--interim", help="Look before the date the plan announces; the report says so.")] = False,
) -> None:
    """Analyse as the plan announced: intention to treat first, then bounds, dropout in time, and, apart, what was not planned.

    Writes report.html, report.pdf, results.json and weights.parquet (what each past score weighs for a model of the risk without support).

    [dim]vigie experiment analyse place-sur-la-liste --as-of 2026-08-31[/dim]
    """
    from pipelines.experiments import analyse_experiment

    service = service_at(home)
    day = as_of_day(as_of, service)
    with only_writer(service.home.lock, "An analysis"), console.working("Analysing"):
        said, page = analyse_experiment(service, name, day, interim=interim)
    console.out.print(said, soft_wrap=True)
    console.out.print(f"Report: {page}, and as PDF beside it.", soft_wrap=True)


Reason = Annotated[str, typer.Option(help="Written reason, kept for ever.", show_default=False)]


@app.command("rank-by-effect")
def by_effect(
    name: Name,
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="Date of the analysis that allows it.", show_default=False)],
    reason: Reason,
    home: HomeOption = None,
) -> None:
    """From tonight on, rank by what a call would change: only where the analysis showed that it avoids more dropouts than the risk does.

    Refused for a rehearsal, an early look, a changed draw, a permanent hold-out, or without that proof.
    To take it back: vigie experiment rank-by-risk.

    [dim]vigie experiment rank-by-effect place-sur-la-liste --as-of 2027-08-31 --reason "Steering group of 2 September"[/dim]
    """
    from pipelines.experiments import rank_by_effect

    service = service_at(home)
    with only_writer(service.home.lock, "A change of the priority"):
        rank_by_effect(service, name, day_of(as_of, "--as-of"), reason)
    console.out.print("Nights from today on rank by effect. To take it back: vigie experiment rank-by-risk", soft_wrap=True)


@app.command("rank-by-risk")
def by_risk(reason: Reason, home: HomeOption = None) -> None:
    """From tonight on, rank by risk again.

    [dim]vigie experiment rank-by-risk --reason "The public changed"[/dim]
    """
    from pipelines.experiments import rank_by_risk

    service = service_at(home)
    with only_writer(service.home.lock, "A change of the priority"):
        rank_by_risk(service, reason)
    console.out.print("Nights from today on rank by risk.")
