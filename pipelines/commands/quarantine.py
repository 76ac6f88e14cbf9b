"""`vigie quarantine`: rows that were set aside and files that were held back, from first sight to their end."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, service_at
from vigie import clock
from vigie.errors import ConfigurationError
from vigie.lock import only_writer

if TYPE_CHECKING:
    from data_contracts.quarantine import Mended

app = typer.Typer(help="Rows set aside and files held back: list, report, export, fix, replay, release, close.", no_args_is_help=True)

File = Annotated[str, typer.Argument(help="Path below landing/, as `vigie quarantine list` shows it.")]
Because = Annotated[str, typer.Option("--because", help="Why, for whoever asks later.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Also rows whose fact was told otherwise since: they win over it.")]
NEXT = "The next night takes them, or: vigie ingest."


@app.command("list")
def show(
    home: HomeOption = None,
    file: Annotated[str | None, typer.Option("--file", help="Each open row of this file.")] = None,
) -> None:
    """Files with rows in quarantine, and what became of these: quarantined = open + waiting + mended + closed. Then files held back.

    [dim]vigie quarantine list --home home[/dim]
    [dim]vigie quarantine list --file emargement/attendance/presences.csv[/dim]
    """
    from data_contracts.quarantine import counts, held_files, rows_set_aside

    service = service_at(home)
    with service.warehouse() as warehouse:
        rows = rows_set_aside(warehouse, service.home.decisions)
    if file:
        theirs = rows.filter(file=file, state="open").to_dicts()
        for row in theirs:
            console.out.print(f"{row['table']}, line {row['line']}: {row['reasons']}", soft_wrap=True)
        console.out.print(f"{file}: {console.many(len(theirs), 'open row')}.", soft_wrap=True)
        return
    if rows.height:
        console.show_frame(counts(rows), "In quarantine")
    for name, why in held_files(service.home.refused):
        console.out.print(f"Held back: {name}\n  {why}", soft_wrap=True)
    console.out.print(f"{console.many(rows.filter(state='open').height, 'open row')}.")


@app.command()
def report(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="Where to write it: .xlsx, or .csv with semicolons.")],
    home: HomeOption = None,
) -> None:
    """Write what is wrong with a file for its supplier, in French: line, column, value, reason, nearest value allowed.

    Of a file whose rows are in quarantine, or of one that is held back.

    [dim]vigie quarantine report emargement/attendance/presences.csv --out erreurs.xlsx[/dim]
    """
    from data_contracts.quarantine import faults
    from data_contracts.report import write
    from pipelines.steps import reception

    service = service_at(home)
    with service.warehouse() as warehouse:
        found = faults(warehouse, service.home.decisions, service.home.refused, file, reception(service).sources, clock.now())
    write(found, out)
    console.out.print(f"{console.many(found['line'].n_unique(), 'row')}, {console.many(found.height, 'fault')}: {out}", soft_wrap=True)


@app.command()
def export(
    file: File,
    out: Annotated[Path, typer.Option("--out", help="Folder to write <table>.csv to; it may hold names of people.")],
    home: HomeOption = None,
) -> None:
    """Write the open rows of a file so that they can be corrected by hand, a csv for each table, in canonical columns.

    Never over an earlier export: it may hold corrections.

    [dim]vigie quarantine export emargement/attendance/presences.csv --out to-fix[/dim]
    """
    from data_contracts.quarantine import export as write_out
    from pipelines.steps import reception
    from vigie.files import write_whole

    service = service_at(home)
    with service.warehouse() as warehouse:
        tables = write_out(warehouse, service.home.landing, service.home.decisions, file, reception(service), clock.now())
    for table in tables:
        if (target := out / f"{table}.csv").exists():
            what = f"{target} exists, and may hold corrections that would be lost."
            raise ConfigurationError(
                what, f"Bring them back (vigie quarantine fix {target} --table {table}) and delete it, or give another --out."
            )
    for table, rows in tables.items():
        target = write_whole(out / f"{table}.csv", rows.write_csv)
        console.out.print(
            f"{console.many(rows.height, 'row')}: {target}. Correct them, then: vigie quarantine fix {target} --table {table}",
            soft_wrap=True,
        )


@app.command()
def fix(
    mended: Annotated[Path, typer.Argument(help="A corrected export.", exists=True, dir_okay=False)],
    table: Annotated[str, typer.Option("--table", help="The table it was exported from.")],
    home: HomeOption = None,
    anyway: Anyway = False,
) -> None:
    """Bring corrected rows back. Good ones go where deliveries land, once, by the ordinary road; what is still wrong stays and is named.

    [dim]vigie quarantine fix to-fix/attendance.csv --table attendance[/dim]
    """
    from data_contracts.quarantine import fix as bring_back

    service = service_at(home)
    with only_writer(service.home.lock, "vigie quarantine fix"), service.warehouse() as warehouse:
        done = bring_back(warehouse, service.home.landing, service.home.decisions, table, mended, clock.now(), anyway=anyway)
    _say(done)


@app.command()
def replay(file: File, home: HomeOption = None, anyway: Anyway = False) -> None:
    """Read the open rows of a file once more, after a mapping was completed; those that pass now go where deliveries land.

    [dim]vigie quarantine replay emargement/attendance/presences.csv[/dim]
    """
    from data_contracts.quarantine import replay as bring_back
    from pipelines.steps import reception

    service = service_at(home)
    with only_writer(service.home.lock, "vigie quarantine replay"), service.warehouse() as warehouse:
        done = bring_back(warehouse, service.home.landing, service.home.decisions, file, reception(service), clock.now(), anyway=anyway)
    _say(done)


@app.command()
def release(file: File, because: Because, home: HomeOption = None) -> None:
    """Let a file that was held back pass as it is: it goes back to landing/.

    [dim]vigie quarantine release emargement/attendance/presences.csv --because "grève le 4 mars, confirmée par l'organisme"[/dim]
    """
    from data_contracts.quarantine import release as let_pass
    from pipelines.steps import reception

    service = service_at(home)
    with only_writer(service.home.lock, "vigie quarantine release"):
        sources = reception(service).sources
        back = let_pass(service.home.landing, service.home.decisions, service.home.refused, file, because, clock.now(), sources)
    console.out.print(f"{back} is back in landing/. {NEXT}", soft_wrap=True)


@app.command()
def close(file: File, because: Because, home: HomeOption = None) -> None:
    """Give up the open rows of a file, or a file that is held back: they will not be taken, and the trace says why.

    [dim]vigie quarantine close emargement/attendance/presences.csv --because "renvoyé corrigé sous un autre nom"[/dim]
    """
    from data_contracts.quarantine import close as give_up

    service = service_at(home)
    with only_writer(service.home.lock, "vigie quarantine close"), service.warehouse() as warehouse:
        rows = give_up(warehouse, service.home.decisions, service.home.refused, file, because, clock.now())
    console.out.print(f"{console.many(rows, 'row')} closed." if rows else f"{file} is in refused/ now.", soft_wrap=True)


def _say(done: Mended) -> None:
    if done.rows:
        console.out.print(f"{console.many(done.rows, 'row')} back in landing/. {NEXT}")
    console.say_faults(done.faults)
    if done.faults.height and not done.rows:
        raise typer.Exit(1)
