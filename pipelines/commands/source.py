"""`vigie source`: mappings from what suppliers' software exports to canonical tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, service_at
from vigie import clock
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from data_contracts.border import Checked
    from data_contracts.deliveries import Part
    from data_contracts.sources.mapping import Source
    from pipelines.service import Service

app = typer.Typer(help="Mappings of suppliers' files: list, guess, check, preview.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the source, that of its TOML file.")]
Sample = Annotated[Path, typer.Argument(help="A file of the source, as it comes.", exists=True, dir_okay=False)]
Table = Annotated[str | None, typer.Option("--table", help="Folder of landing/<source>/; not needed when the source has one.")]


@app.command("list")
def show(home: HomeOption = None) -> None:
    """Mappings that are shipped, and those of this service, which come before one of the same name.

    [dim]vigie source list --home home[/dim]
    """
    from data_contracts.sources.mapping import read_sources

    service = service_at(home)
    sources, broken = read_sources(*_folders(service))
    for source in sources.values():
        where = "own" if (service.home.sources / f"{source.name}.toml").exists() else "shipped"
        console.out.print(f"{source.name}  {source.title}  ({where}, version {source.version})", soft_wrap=True)
        for table, mapping in source.files.items():
            fed = ", ".join(dict.fromkeys(rows.table for rows in mapping.rows))
            console.out.print(f"    landing/{source.name}/{table}/  gives {fed}", soft_wrap=True)
    for why in broken.values():
        console.tell("cannot stand", "red", why)


@app.command()
def new(
    name: Name,
    sample: Sample,
    table: Annotated[str, typer.Option("--table", help="Canonical table that its lines are rows of.")],
    home: HomeOption = None,
    title: Annotated[str, typer.Option(help="What people call this source.")] = "",
) -> None:
    """Guess a mapping from one file and write it to <home>/sources/<name>.toml, to be read and completed. Never overwrites one.

    [dim]vigie source new mon_logiciel ~/presences.csv --table attendance --home home[/dim]
    """
    from data_contracts.sources.guess import guess

    service = service_at(home, new=True)
    target = service.home.sources / f"{name}.toml"
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ConfigurationError(f"{name} cannot be the name of a source.", "Use small letters, digits, - and _.")
    if target.exists():
        raise ConfigurationError(f"{target} exists.", "Edit it, or give another name.")
    made = guess(sample, table, title or name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(made.toml, encoding="utf-8")
    console.out.print(f"Written: {target}", soft_wrap=True)
    for column, header in made.mapped.items():
        console.out.print(f"  {column} <- {header}", soft_wrap=True)
    for what, found in (
        ("Required, no header found", made.missing),
        ("Headers that are not taken", made.unmapped),
        ("For you to say what is meant by", made.doubts),
    ):
        if found:
            console.out.print(f"{what}: {', '.join(found)}", soft_wrap=True)
    where = f" --home {home}" if home else ""
    console.out.print(f"Read it, complete it, then: vigie source check {name} {sample}{where}", soft_wrap=True)


@app.command()
def check(
    name: Name,
    sample: Annotated[Path | None, typer.Argument(help="A file of the source.")] = None,
    table: Table = None,
    home: HomeOption = None,
) -> None:
    """Say whether a mapping can stand, and, with a file, what would become of its rows. Nothing is taken. Exit code 1 on any fault.

    [dim]vigie source check emargement[/dim]
    [dim]vigie source check emargement ~/presences.csv --home home[/dim]
    """
    service = service_at(home)
    source = _source(service, name)
    console.out.print(f"{name}: the mapping can stand.")
    if sample is not None:
        parts = _read(source, sample, table)
        _say(parts)
        if any(checked.quarantine.height for _, checked in parts):
            raise typer.Exit(1)


@app.command()
def preview(
    name: Name,
    sample: Sample,
    table: Table = None,
    home: HomeOption = None,
    rows: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
) -> None:
    """Show the first rows of a file as the canonical tables would have them, and what is at fault. Nothing is taken.

    Columns that name a person are left out.

    [dim]vigie source preview emargement ~/presences.csv --home home[/dim]
    """
    from data_contracts.catalogue import OWN_COLUMNS

    parts = _read(_source(service_at(home), name), sample, table)
    for part, checked in parts:
        shown = [column for column in part.table.public if column not in OWN_COLUMNS]
        console.show_frame(checked.rows.select("line", *shown).head(rows), part.table.name)
    _say(parts)


def _folders(service: Service) -> tuple[Path, Path]:
    return service.settings.config / "sources", service.home.sources


def _source(service: Service, name: str) -> Source:
    from data_contracts.sources.mapping import read_source

    for folder in reversed(_folders(service)):
        if (folder / f"{name}.toml").is_file():
            return read_source(folder / f"{name}.toml")
    raise ConfigurationError(f"There is no mapping {name}.", "See those there are: vigie source list. Or guess one: vigie source new.")


def _read(source: Source, sample: Path, table: str | None) -> list[tuple[Part, Checked]]:
    from data_contracts.border import check as at_the_border
    from data_contracts.deliveries import Delivery
    from data_contracts.sources.conversion import parts_of

    if table is None and len(source.files) > 1:
        raise ConfigurationError(f"{source.name} has several kinds of files.", f"Add --table, one of {', '.join(source.files)}.")
    folder = table or next(iter(source.files))
    now = clock.now()
    delivery = Delivery(sample, f"{source.name}/{folder}/{sample.name}", folder, now, source.name)
    return [(part, at_the_border(part.table, part.received, now, headers=part.headers)) for part in parts_of(delivery, source)]


def _say(parts: list[tuple[Part, Checked]]) -> None:
    for part, checked in parts:
        bad = checked.quarantine["line"].n_unique()
        good = checked.rows.height
        console.out.print(f"{part.table.name}: {part.received.read} rows read, {good} good, {checked.repeated} repeated, {bad} at fault")
        if part.note:
            console.out.print(f"  {part.note}", soft_wrap=True)
        console.say_faults(checked.quarantine)
