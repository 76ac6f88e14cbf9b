"""Commands that look back and put right: `vigie history`, `replay`, `rebuild`, `backup`, `restore`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import Annotated

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, day_of, service_at, settings_at
from pipelines.service import open_service
from vigie.errors import ConfigurationError
from vigie.lock import only_writer


def history(
    table: Annotated[str, typer.Argument(help="Table of the data dictionary, such as attendance.")],
    key: Annotated[list[str], typer.Argument(help="Values of its key, in order: an enrolment, a date, a half-day.")],
    home: HomeOption = None,
) -> None:
    """Every layer of one fact: what was said of it, when it became known, and in which file.

    [dim]vigie history attendance E00012 2026-03-04 am[/dim]
    [dim]vigie history exits E00012[/dim]
    """
    from data_contracts.catalogue import TABLES
    from data_contracts.ingest import DELIVERIES, layout
    from vigie.store import WITHDRAWN

    known = [name for name, one in TABLES.items() if one.in_warehouse]
    if table not in known:
        raise ConfigurationError(f"'{table}' is not a table of the warehouse.", f"One of: {', '.join(known)}.")
    columns = TABLES[table].key
    if len(key) != len(columns):
        raise ConfigurationError(f"The key of {table} is {', '.join(columns)}.", f"vigie history {table} {' '.join(columns).upper()}")
    service = service_at(home)
    with only_writer(service.home.lock, "vigie history"), service.warehouse() as warehouse:
        layers = warehouse.layers(layout(TABLES[table]), key)
        files = warehouse.read(DELIVERIES).select("number", "file", "received_at")
    if layers.is_empty():
        raise ConfigurationError(f"Nothing is known of {table} {' '.join(key)}.", "Check the key; quarantined rows are no facts.")
    shown = layers.join(files, left_on="delivery", right_on="number", how="left", maintain_order="left")
    own = {*columns, "known_on", "known_on_assumed", "visible_until", "delivery", "line"}
    facts = [name for name in layers.columns if name not in own]
    console.out.print(f"{table} {' '.join(key)}: {layers.height} layers, oldest first")
    for row in shown.to_dicts():
        until = f"{row['visible_until']:%Y-%m-%d %H:%M}" if row["visible_until"] else "now"
        assumed = " (assumed)" if row["known_on_assumed"] else ""
        said = ", ".join(f"{name} {row[name]}" for name in facts if row[name] is not None and (name, row[name]) != (WITHDRAWN, False))
        console.out.print(f"from {row['known_on']:%Y-%m-%d %H:%M}{assumed} to {until} UTC: {said}", soft_wrap=True)
        console.out.print(f"    {row['file']}, line {row['line']}, landed {row['received_at']:%Y-%m-%d %H:%M} UTC", soft_wrap=True)


def replay(
    as_of: Annotated[str, typer.Option("--as-of", metavar="DATE", help="The night.")],
    home: HomeOption = None,
    anyway: Annotated[bool, typer.Option(help="Go on where code, rules or libraries have changed since, and show what differs.")] = False,
) -> None:
    """Make a past night again from what was known then, and hold it against what was served, byte for byte. Publishes nothing.

    [dim]vigie replay --as-of 2026-03-04[/dim]
    """
    from pipelines.replay import SERVED
    from pipelines.replay import replay as run

    service = service_at(home)
    day = day_of(as_of, "--as-of")
    with only_writer(service.home.lock, f"A replay of {day}"), console.working(f"Replay of {day}"):
        done = run(service, day, anyway=anyway)
    for change in done.changed:
        console.tell("!", "yellow", change)
    if not done.differences:
        console.out.print(f"{', '.join(SERVED)} of {day}: byte for byte what was served, model {done.model_version or 'none'}.")
        return
    for difference in done.differences:
        console.tell("differs", "red", difference)
    console.out.print(f"Made again in {done.folder}", soft_wrap=True)
    raise typer.Exit(1)


def rebuild(
    home: HomeOption = None,
    check: Annotated[bool, typer.Option(help="Only look whether the warehouse and the archive are whole.")] = False,
) -> None:
    """Make the warehouse again from the archived deliveries; the former file is put aside as warehouse.duckdb.damaged.

    A night does it by itself when the file is damaged, cut or lost.

    [dim]vigie rebuild --check[/dim]
    [dim]vigie rebuild --home home[/dim]
    """
    from pipelines.rebuild import faults, made_again

    service = service_at(home)
    with only_writer(service.home.lock, "A rebuild"), console.working("Rebuild") as at:
        if not check:
            number = made_again(service, "asked for by hand", at)
            service.home.rebuilt.unlink()
        found = faults(service, at)
    for fault in found:
        console.tell("wrong", "red", fault)
    if found:
        raise typer.Exit(1)
    console.out.print("Warehouse and archive are whole." if check else f"The warehouse was made again from {number} deliveries.")


def backup(
    to: Annotated[Path, typer.Argument(help="Folder for backups, on another disk; each one is a folder of its own below it.")],
    home: HomeOption = None,
) -> None:
    """Copy archive, case store, models, experiments, nights and deliveries. Advisors may go on working meanwhile.

    [dim]vigie backup /mnt/backups --home home[/dim]
    """
    from pipelines.backup import backup as run

    service = service_at(home)
    with only_writer(service.home.lock, "A backup"), console.working("Backup") as at:
        made = run(service, to, at)
    console.out.print(f"{made}: try it with: vigie restore {made} --home <new folder>", soft_wrap=True)
    if service.settings.cases_url:
        url = "<VIGIE_CASES_URL without +psycopg>"
        console.out.print(
            f"The case store is not in it. Copy it now: pg_dump --format=custom --file={made.name}.dump {url}", soft_wrap=True
        )


def restore(
    copy: Annotated[Path, typer.Argument(help="A folder made by vigie backup.")],
    home: HomeOption = None,
    erased: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The newest erased.jsonl: whom it tells of is taken out again.")
    ] = None,
) -> None:
    """Make a service again in a new home folder from a backup; its warehouse is rebuilt from the archive.

    [dim]vigie restore /mnt/backups/vigie-20260304T020000Z --home home-restored[/dim]
    [dim]vigie restore /mnt/backups/vigie-20260304T020000Z --home home-restored --erased /mnt/safe/erased.jsonl[/dim]
    """
    from pipelines.backup import restore as run

    service = open_service(settings_at(home, new=True), restoring=True)
    with only_writer(service.home.lock, "A restore"), console.working("Restore") as at:
        number = run(service, copy, at, erased)
    console.out.print(f"{service.home.root} is restored: {number} deliveries. Look at it: vigie doctor --home {service.home.root}")
    if service.settings.cases_url:
        console.out.print("The case store is where VIGIE_CASES_URL says: it must hold the dump made with this backup, see pg_restore.")
