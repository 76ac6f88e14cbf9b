"""The command line: `vigie`."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipelines import console
from pipelines.commands import experiment, inbox, indicators, models, outbox, people, quarantine, safety, source
from pipelines.commands.common import HomeOption, as_of_day, day_of, service_at, settings_at
from vigie.errors import ConfigurationError, VigieError
from vigie.files import explained
from vigie.lock import only_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.service import Service

app = typer.Typer(
    help="Each night, who in vocational training should be contacted first, by whom, and why.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

TRY, DAILY, FACTS, MODELS, EVALUATION, PERSONS, SAFETY = (
    "To try it",
    "A service, night by night",
    "What comes in",
    "The model",
    "Did it help?",
    "What a person may ask",
    "To look back and put right",
)
"""Groups of the help, in the order in which somebody new meets them."""

AsOf = Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="As-of date: everything known before the midnight that ends it.")]


@app.command(rich_help_panel=TRY)
def demo(
    home: HomeOption = None,
    data: Annotated[Literal["simulated", "oulad"], typer.Option(help="Simulated territory, or real OULAD learners.")] = "simulated",
) -> None:
    """A whole service from nothing to an advisor's list, in a few minutes.

    [dim]vigie demo[/dim]
    [dim]vigie demo --data oulad --home /srv/vigie-oulad[/dim]
    """
    from pipelines.demo import run_demo

    run_demo(service_at(home or Path("home") / f"demo-{data}", new=True), data)


@app.command(rich_help_panel=TRY)
def simulate(
    out: Annotated[Path, typer.Option(help="Landing folder to write to; truth/ goes beside it.")],
    learners: Annotated[int, typer.Option(min=50, help="How many people enrol over the whole period.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 1,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First simulated day.")] = "2025-01-06",
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last simulated day.")] = "2026-03-31",
) -> None:
    """Write deliveries of a simulated French territory, and the truth behind them.

    [dim]vigie simulate --out home/landing --learners 2000 --seed 1 --from 2025-01-06 --to 2026-03-31[/dim]
    """
    from data_contracts.simulator import simulate as run
    from data_contracts.simulator import write_deliveries, write_truth

    with console.working("Simulating"):
        simulation = run(learners, seed, day_of(first, "--from"), day_of(last, "--to"))
        files = write_deliveries(simulation, out)
        truth = out.parent / "truth"
        write_truth(simulation, truth)
    rows = sum(table.height for table in simulation.tables.values())
    console.out.print(f"{rows:,} simulated rows in {len(files)} files under {out}; what would have happened otherwise in {truth}.")


imports = typer.Typer(help="Turn a known source into deliveries.", no_args_is_help=True)


@imports.command()
def oulad(
    source: Annotated[Path, typer.Option(help="Folder with OULAD's own tables (parquet or csv).")],
    out: Annotated[Path, typer.Option(help="Landing folder to write to.")],
    presentations: Annotated[str | None, typer.Option(help="Only these, such as 2013B,2013J.")] = None,
    modules: Annotated[str | None, typer.Option(help="Only these, such as AAA,BBB.")] = None,
    advisors: Annotated[bool, typer.Option(help="Also make up advisors and cases: the data have none.")] = True,
) -> None:
    """Open University Learning Analytics Dataset (CC-BY 4.0) to deliveries; calendar dates are assumed, advisors simulated.

    [dim]vigie import oulad --source data/oulad --out home/landing[/dim]
    [dim]vigie import oulad --source data/oulad --out home/landing --presentations 2013B,2013J[/dim]
    """
    from data_contracts.sources.oulad import account, read_oulad, write_oulad

    chosen = presentations.split(",") if presentations else None
    only = modules.split(",") if modules else None
    with console.working("Importing OULAD"):
        tables = read_oulad(source, chosen, only, advisors=advisors)
        files = write_oulad(tables, out)
        counts = account(source, tables, chosen, only)
    console.show_frame(counts, "In and out")
    console.out.print(f"{len(files)} files under {out}.")


@app.command(rich_help_panel=DAILY)
def ingest(
    home: HomeOption = None,
    historical: Annotated[
        bool, typer.Option(help="First load of history: rows without known_on get the fact's own date plus the lag.")
    ] = False,
    assumed_lag_days: Annotated[int, typer.Option(min=0, help="With --historical: days between a fact and its being known.")] = 1,
) -> None:
    """Take what landed: good rows to the warehouse, bad rows to quarantine, bad files to refused/.

    [dim]vigie ingest --home home[/dim]
    [dim]vigie ingest --historical --assumed-lag-days 2[/dim]
    """
    from pipelines.steps import take_deliveries

    service = service_at(home, new=True)
    lag = dt.timedelta(days=assumed_lag_days) if historical else None
    with only_writer(service.home.lock, "An ingest"), console.working("Taking deliveries") as at:
        intake = take_deliveries(service, assumed_lag=lag, on_receipt=lambda receipt: at(console.step_of(receipt)), say=at)
    console.show_intake(intake)


@app.command(rich_help_panel=MODELS)
def train(
    home: HomeOption = None,
    as_of: AsOf = None,
    reason: Annotated[str, typer.Option(help="Written reason to let it serve even if the gate refuses; kept for ever.")] = "",
) -> None:
    """Train on what was known then, show the model beside its baselines, register it in MLflow; it serves if the gate is green.

    [dim]vigie train --as-of 2026-01-31[/dim]
    [dim]vigie train --reason "First model of this territory, read by the steering group"[/dim]
    """
    from models.promotion import understood
    from pipelines.serving import train_model

    service = service_at(home)
    day = as_of_day(as_of, service)
    understood(reason)
    with only_writer(service.home.lock, f"Training as of {day}"), console.working(f"Training as of {day}") as at:
        outcome = train_model(service, day, at, reason)
    console.show_evidence(outcome.evidence)
    for line in outcome.weighed:
        console.out.print(line, soft_wrap=True)
    console.show_verdict(outcome.verdict)
    console.show_serving(outcome)


@app.command(rich_help_panel=DAILY)
def night(
    home: HomeOption = None,
    as_of: AsOf = None,
    notify: Annotated[bool, typer.Option(help="Publish alerts to the case store and write the lists.")] = True,
    prefect: Annotated[bool | None, typer.Option(help="As a Prefect flow; default: only when PREFECT_API_URL names a server.")] = None,
) -> None:
    """One night: take deliveries, score, explain, alert. Default date: yesterday.

    [dim]vigie night --as-of 2026-03-04[/dim]
    [dim]vigie night --no-notify[/dim]
    """
    service = service_at(home)
    day = as_of_day(as_of, service)
    with console.working(f"Night of {day}") as at:
        account = _night(service, day, notify=notify, prefect=prefect, at=at)
    console.show_night(account)
    console.out.print(f"Lists and files: {service.home.out(day)}")


def _night(service: Service, day: dt.date, *, notify: bool, prefect: bool | None, at: Callable[[str], None]) -> dict[str, Any]:
    import os

    if prefect or (prefect is None and os.environ.get("PREFECT_API_URL")):
        from pipelines.flows.night import night as flow

        return flow(str(service.home.root), day, notify=notify)
    from pipelines.steps import Directly, told_night

    return told_night(service, day, Directly(at), notify=notify, say=at)


@app.command(rich_help_panel=MODELS)
def backfill(
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First night.")],
    last: Annotated[str, typer.Option("--to", metavar="DATE", help="Last night.")],
    home: HomeOption = None,
    every: Annotated[str, typer.Option(help="Step between nights, such as 1d or 7d.")] = "1d",
    scores_only: Annotated[bool, typer.Option(help="Only scores: no alerts, nothing published.")] = False,
    model: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Score with this model, as an evaluation that is never served.")
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="Only nights that have no files yet: to go on after a stop.")] = False,
) -> None:
    """Run past nights with only what was known then.

    [dim]vigie backfill --from 2026-01-05 --to 2026-03-02 --every 7d[/dim]
    [dim]vigie backfill --from 2014-02-15 --to 2014-10-04 --every 7d --scores-only --model 2014-07-31-0123456789[/dim]

    With --model, the figures of these nights follow where enough outcomes are known.
    """
    from pipelines.past import hollow, past_nights, score_past, without_files
    from pipelines.steps import Directly, run_night

    service = service_at(home)
    nights = past_nights(day_of(first, "--from"), service.finished_day(day_of(last, "--to")), every)
    if model is not None and not model.strip():
        raise ConfigurationError("--model names no version.", "See them with: vigie models list.")
    todo = without_files(service, nights, model, scores_only=scores_only) if missing else nights
    if len(todo) < len(nights):
        console.out.print(f"{console.many(len(nights) - len(todo), 'night')} have files already.")
    again = "add --missing to the same command for the rest"
    if not scores_only:
        if model:
            raise ConfigurationError("A night that is served chooses its own model.", "Add --scores-only to score with a named model.")
        with console.working("Backfill", again) as at:
            for day in todo:
                at(day.isoformat())
                console.show_night(run_night(service, day, Directly()))
        return
    with only_writer(service.home.lock, "A backfill"), console.working(f"Scoring {console.many(len(todo), 'night')}", again) as at:
        done = score_past(service, todo, model, at)
    console.out.print(f"{console.many(sum(rows for _, rows in done), 'score')} for {console.many(len(done), 'night')}.")
    for warning in hollow(service, done):
        console.tell("!", "yellow", warning)
    if len(done) < len(todo):
        console.out.print(f"{console.many(len(todo) - len(done), 'night')} served before keep their files.")
    if model:
        _tell_figures(service, nights, model, keep=bool(todo))
    folder = service.home.evaluation(nights[0], model) if model else service.home.out(nights[0])
    console.out.print(f"Files: {folder.parent}/<date>/scores.parquet")


def _tell_figures(service: Service, nights: Sequence[dt.date], model: str, *, keep: bool) -> None:
    from models.registry import trained_on
    from pipelines.past import known_since

    console.out.print(f"An evaluation of {model}, never served.")
    if nights[0] < trained_on(model):
        console.out.print("Of nights before its training it may have learnt what it is asked: there its figures flatter it.")
    with console.working("Asking what came") as at:
        at(console.many(len(nights), "night"))
        told = known_since(service, nights, model, keep=keep)
    for what, found in told.items():
        console.show_hindsight(what, found)


@app.command(rich_help_panel=MODELS)
def watch(home: HomeOption = None) -> None:
    """The watch over the model, night by night, as a page: drift, calibration once outcomes are known, volume, overrides.

    [dim]vigie watch --home home[/dim]
    """
    from pipelines.watching import watch_page

    page, nights, alarms, unread = watch_page(service_at(home))
    for alarm in alarms:
        console.tell("!", "yellow", alarm)
    for subject in unread:
        console.tell("?", "yellow", subject)
    console.out.print(
        f"{console.many(len(nights), 'night')} watched{f', {nights[0]} to {nights[-1]}' if nights else ''}; "
        f"{console.many(len(alarms), 'alarm')}, each subject as last read{', but for those that were not' if unread else ''}."
    )
    console.out.print(str(page), soft_wrap=True)


@app.command(rich_help_panel=DAILY)
def schedule(home: HomeOption = None) -> None:
    """Serve the schedules: the night at 02:00, training on Sundays. Needs a Prefect server: make server.

    [dim]PREFECT_API_URL=http://127.0.0.1:4200/api vigie schedule --home home[/dim]
    """
    import os

    service = service_at(home)
    if not os.environ.get("PREFECT_API_URL"):
        raise ConfigurationError(
            "PREFECT_API_URL is not set: schedules live on a Prefect server.",
            "Run `make server`, then set PREFECT_API_URL=http://127.0.0.1:4200/api.",
        )
    from pipelines.deployments import run_schedules

    run_schedules(service.home.root, service.time_zone)


@app.command(rich_help_panel=DAILY)
def doctor(home: HomeOption = None) -> None:
    """Look at the service and say what is wrong and what to do. Exit code 1 when something must be done.

    [dim]vigie doctor --home home[/dim]
    """
    from pipelines.doctor import examine

    findings = examine(settings_at(home))
    for finding in findings:
        console.tell(f"{finding.level:6}", {"ok": "green", "note": "yellow", "wrong": "red"}[finding.level], finding.what)
        if finding.remedy:
            console.out.print(f"       {finding.remedy}", soft_wrap=True)
    if any(finding.level == "wrong" for finding in findings):
        raise typer.Exit(1)


for group, name, panel in (
    (inbox.app, "inbox", DAILY),
    (outbox.app, "outbox", DAILY),
    (source.app, "source", FACTS),
    (quarantine.app, "quarantine", FACTS),
    (imports, "import", FACTS),
    (models.app, "models", MODELS),
    (experiment.app, "experiment", EVALUATION),
    (people.app, "people", PERSONS),
):
    app.add_typer(group, name=name, rich_help_panel=panel)
app.command("history", rich_help_panel=FACTS)(safety.history)
app.command("indicators", rich_help_panel=EVALUATION)(indicators.indicators)
app.command("value-added", rich_help_panel=EVALUATION)(indicators.value_added)
for command in (safety.replay, safety.rebuild, safety.backup, safety.restore):
    app.command(rich_help_panel=SAFETY)(command)


def main() -> None:
    """Run the command line; a user's mistake gets a sentence and a remedy, never a traceback."""
    try:
        with explained():
            app()
    except VigieError as error:
        console.show_error(error)
        sys.exit(1)
