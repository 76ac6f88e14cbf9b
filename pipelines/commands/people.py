"""`vigie people`: what a person may ask of those who hold data about them, and what age asks."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines import console
from pipelines.commands.common import HomeOption, as_of_day, service_at
from vigie.lock import only_writer

if TYPE_CHECKING:
    from pipelines.erasure import Erased

app = typer.Typer(help="What is kept about a person: export it, erase it, let it expire by age.", no_args_is_help=True)

Learner = Annotated[str, typer.Argument(metavar="LEARNER_ID", help="Identifier of the learner, as deliveries have it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it. Without, only say what would be done.")]
FOR_GOOD = "Nothing was changed. This cannot be undone: to do it, add --yes."


@app.command()
def export(
    learner: Learner,
    to: Annotated[Path, typer.Option("--to", file_okay=False, help="Folder for the page (HTML, French) and the data (JSON).")],
    home: HomeOption = None,
) -> None:
    """All that is held about a learner, for that learner (GDPR, art. 15): facts with their source, estimates, answers, who looked.

    [dim]vigie people export L0012345 --to /secure/requests[/dim]
    """
    from pipelines.access import held_about, write_access

    service = service_at(home)
    with only_writer(service.home.lock, "An export"), console.working("Export"):
        held = held_about(service, learner)
        pages = write_access(service, held, to)
    facts = sum(map(len, held.facts.values()))
    console.out.print(
        f"{console.many(facts, 'fact')}, {console.many(len(held.estimates), 'estimate')}, {console.many(len(held.answers), 'answer')}, "
        f"{console.many(len(held.readings), 'reading')} of the case."
    )
    for page in pages:
        console.out.print(f"Written: {page}", soft_wrap=True)
    console.out.print("Files refused or held back are not in it, nor backups. Hand both files over by a safe way, then delete them.")


@app.command()
def erase(
    learners: Annotated[list[str], typer.Argument(metavar="LEARNER_ID...", help="Identifiers, as deliveries have them.")],
    home: HomeOption = None,
    yes: Yes = False,
) -> None:
    """Take people out of everything and keep them out (GDPR, art. 17): archive, warehouse, case store, nights, landing files.

    What is kept: counts, models that learnt from them among others, lines of the log without the link to them, and a keyed hash, so that
    later deliveries and restored backups are held to it. Needs VIGIE_ERASURE_KEY.

    [dim]vigie people erase L0012345[/dim]
    [dim]vigie people erase L0012345 --yes[/dim]
    """
    from pipelines import erasure

    service = service_at(home)
    with only_writer(service.home.lock, "An erasure"), console.working("Erasure") as at:
        found = erasure.erase(service, learners, at) if yes else erasure.would_erase(service, learners, at)
    _tell(found, done=yes)


@app.command()
def expire(
    home: HomeOption = None,
    as_of: Annotated[str | None, typer.Option("--as-of", metavar="DATE", help="Past their time at the end of this day.")] = None,
    yes: Yes = False,
) -> None:
    """Let go of whom was kept long enough: names some months after the last course, everything some months after the last sign.

    How many months: config/national.toml, [retention]. Needs VIGIE_ERASURE_KEY. Run it every month.

    [dim]vigie people expire --home home[/dim]
    [dim]vigie people expire --home home --yes[/dim]
    """
    from alerts.cases import CaseStore
    from pipelines import erasure
    from pipelines.rebuild import whole_warehouse
    from pipelines.retention import due

    service = service_at(home)
    day = as_of_day(as_of, service)
    with only_writer(service.home.lock, "An expiry"), console.working("Expiry") as at:
        with whole_warehouse(service, at) as warehouse, CaseStore(service.cases_url) as cases:
            found = due(service, warehouse, cases, day)
        whom = {what: found.filter(what=what)["learner_id"].to_list() for what in ("all", "names")}
        done = erasure.expire(service, whom["all"], whom["names"], at) if yes and found.height else None
    rules = service.rules.retention
    console.out.print(
        f"At the end of {day}: {console.many(len(whom['all']), 'learner')} without any sign for {rules.all_months_after_sign} months "
        f"(everything goes), {len(whom['names'])} more whose last course ended {rules.names_months_after_end} months ago or before (names "
        "and notes go)."
    )
    if found.height:
        oldest = found.sort("last_sign", "learner_id").head(1).row(0, named=True)
        console.out.print(f"The oldest: {oldest['learner_id']}, last sign {oldest['last_sign']}.")
    if done:
        _tell(done, done=True)
    elif found.height:
        console.out.print(FOR_GOOD)


@app.command()
def readmit(learner: Learner, home: HomeOption = None) -> None:
    """Take deliveries about somebody again who was erased and enrols anew; the enrolments erased with them stay out.

    Before their new files come: what was left out of a file is not read again. Full exports that still tell of their past contacts bring
    these back; ask the supplier to leave them out.

    [dim]vigie people readmit L0012345[/dim]
    """
    service = service_at(home)
    with only_writer(service.home.lock, "A readmission"):
        found = service.erasures().forget(learner)
    console.out.print(f"{learner} is taken again." if found else f"{learner} was not erased: nothing was changed.")
    if not found:
        raise typer.Exit(1)


@app.command("resume")
def again(home: HomeOption = None) -> None:
    """Go through everything once more for whoever was erased: ends an erasure that was stopped. A night does it by itself.

    [dim]vigie people resume --home home[/dim]
    """
    from pipelines.erasure import sweep

    service = service_at(home)
    with only_writer(service.home.lock, "An erasure"), console.working("Erasure") as at:
        found = sweep(service, at)
    _tell(found, done=True)


def _tell(found: Erased, *, done: bool) -> None:
    word = "taken out" if done else "to take out"
    console.out.print(f"Deliveries: {console.many(found.archive, 'row')} {word}, of {found.deliveries} files.")
    rows = ", ".join(f"{name} {count:,}" for name, count in found.cases.items())
    console.out.print(f"Case store: {rows or 'nothing'} {word}.")
    console.out.print(f"Nights: {console.many(len(found.files), 'file')} made anew or deleted.", soft_wrap=True)
    if done:
        console.out.print(
            f"Landing folder: {console.many(len(found.landed), 'file')} deleted, since they named them; the archive has the rest."
        )
    for file in found.left:
        console.tell("look", "yellow", f"{file} may name them: read it, and delete it if it does.")
    if done:
        console.out.print("Backups made before still hold them: delete these, or keep erased.jsonl safe and restore with --erased.")
        console.out.print("Models go on as trained; the next training does without them.")
    else:
        console.out.print(FOR_GOOD)
