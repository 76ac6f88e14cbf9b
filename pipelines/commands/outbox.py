"""`vigie outbox`: what must leave, by mail or by call; send it, look at it, try it again."""

from __future__ import annotations

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, service_at
from vigie import clock

app = typer.Typer(help="Digests and calls that must leave: send, list, retry.", no_args_is_help=True)


@app.command()
def send(home: HomeOption = None) -> None:
    """Try everything that is due; what fails is tried again later. Run it every few minutes, or let `vigie schedule` do it.

    [dim]vigie outbox send --home home[/dim]
    """
    from pipelines.steps import send_outbox

    done = send_outbox(service_at(home))
    console.out.print(f"{done.sent} sent, {done.failed} to be tried again, {done.given_up} given up.")
    if done.settled:
        console.out.print(f"{done.settled} had left already, their sender having been killed before its note.")
    if done.in_doubt:
        console.out.print(f"{done.in_doubt} went again, the sender before having been killed: a second copy is the same message.")
    for fault in done.faults:
        console.out.print(f"  {fault}", soft_wrap=True)
    if done.given_up:
        raise typer.Exit(1)


@app.command("list")
def show(home: HomeOption = None) -> None:
    """What has not left, without its content: waiting, failing, given up.

    [dim]vigie outbox list --home home[/dim]
    """
    from alerts.cases import CaseStore
    from alerts.outbox import waiting

    with CaseStore(service_at(home).cases_url) as cases:
        rows = waiting(cases.engine)
    for row in rows:
        when = f"due {row.next_at:%Y-%m-%d %H:%M} UTC" if row.next_at else "given up"
        fault = f", {row.fault}" if row.fault else ""
        console.out.print(f"{row.item}  {row.channel}  {row.key}  {when}, {row.attempts} attempts{fault}", soft_wrap=True)
    console.out.print(f"{len(rows)} in the outbox.")


@app.command()
def retry(home: HomeOption = None) -> None:
    """Put back what was given up, once the cause is mended; what is too late stays where it is.

    [dim]vigie outbox retry --home home && vigie outbox send --home home[/dim]
    """
    from alerts.cases import CaseStore
    from alerts.outbox import try_again

    with CaseStore(service_at(home).cases_url) as cases:
        console.out.print(f"{try_again(cases.engine, clock.now())} to be tried again.")
