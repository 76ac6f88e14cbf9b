"""A person taken out of everything a service keeps, and kept out: the right to erasure (GDPR, art. 17).

What remembers is written first, `erased.jsonl`; then everything that holds people is gone through and whoever is remembered is taken out.
The going-through asks nothing but that file, so it is run again after a kill, and after an older backup is restored.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.archive import Archive
from data_contracts.catalogue import TABLES
from data_contracts.erasure import clear_landing, empty, found_in
from data_contracts.ingest import layout
from pipelines.home_files import made_files, unfinished, unreadable
from vigie import clock
from vigie.erasures import Supposed
from vigie.errors import NoDataError
from vigie.files import write_whole_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from data_contracts.catalogue import DeliveredTable
    from pipelines.service import Service
    from vigie.erasures import Kind
    from vigie.store import Warehouse

    Say = Callable[[str], None]

EVER: Final = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Erased:
    """What an erasure took out, or would."""

    archive: int = 0
    """Rows of deliveries."""
    deliveries: int = 0
    cases: dict[str, int] = field(default_factory=dict)
    """Rows of the case store, by table."""
    files: list[str] = field(default_factory=list)
    """Files of nights and experiments, below the home folder: made anew without them, or deleted."""
    landed: list[str] = field(default_factory=list)
    """Files deleted from the landing folder."""
    left: list[str] = field(default_factory=list)
    """Files that may name them and that nobody can read for certain: refused or held back."""

    @property
    def nothing(self) -> bool:
        """Whether nothing was found."""
        return not (self.archive or self.cases or self.files or self.landed)


def enrolments_of(warehouse: Warehouse, learner_ids: Sequence[str]) -> pl.DataFrame:
    """enrolment_id, learner_id of their enrolments, as last told, those withdrawn since included: what is told of them is still kept."""
    known = warehouse.as_known_at(layout(TABLES["enrolments"]), EVER, columns=["enrolment_id", "learner_id"], withdrawn=True)
    return known.filter(pl.col("learner_id").str.strip_chars().is_in([one.strip() for one in learner_ids]))


def erase(service: Service, learner_ids: Sequence[str], say: Say) -> Erased:
    """Take these learners, and all that is kept of their enrolments, out of everything, and keep them out.

    Killed anywhere, the next command that reads deliveries, `vigie ingest`, `night` or `people resume`, goes on with it.

    Args:
        service: whose.
        learner_ids: of the deliveries.
        say: told how far it is.

    Raises:
        ConfigurationError: there is no key to remember them with.
        NoDataError: nothing is known of one of them.
    """
    enrolments = _whole(service, learner_ids, say)
    return _begun(service, {"enrolment": enrolments, "learner": learner_ids}, "asked", say)


def expire(service: Service, learner_ids: Sequence[str], names: Sequence[str], say: Say) -> Erased:
    """Take people out by age, in one going-through.

    Args:
        service: whose.
        learner_ids: of whom all goes, as in `erase`.
        names: of whom names go, and what advisors noted; the rest stays, under identifiers alone.
        say: told how far it is.

    Raises:
        ConfigurationError: there is no key to remember them with.
    """
    enrolments = _whole(service, learner_ids, say, known=False)
    return _begun(service, {"enrolment": enrolments, "learner": learner_ids, "names": names}, "age", say)


def would_erase(service: Service, learner_ids: Sequence[str], say: Say) -> Erased:
    """What `erase` would take out, nothing being changed.

    Raises:
        NoDataError: nothing is known of one of them.
    """
    from alerts.cases import CaseStore
    from alerts.cases.erasure import erase as out_of_cases

    whom: dict[Kind, Sequence[str]] = {"enrolment": _whole(service, learner_ids, say), "learner": learner_ids}
    found = found_in(Archive(service.home.archive), Supposed(whom), say)
    with CaseStore(service.cases_url) as cases:
        rows = out_of_cases(cases.engine, Supposed(whom), dry_run=True)
    files = [_below(service, path) for path, _ in made_files(service.home.root, Supposed(whom))]
    left = [_below(service, path) for path in unreadable(service.home, [*whom["enrolment"], *learner_ids])]
    return Erased(found.rows, found.deliveries, rows, files, [], left)


def sweep(service: Service, say: Say) -> Erased:
    """Take everybody who is remembered as erased out of everything; run again, it finds nothing.

    Raises:
        DamagedArchiveError: a delivery is damaged: restore it first.
    """
    from alerts.cases import CaseStore
    from alerts.cases.erasure import erase as out_of_cases
    from impact.experiments.register import in_step, without
    from pipelines.steps import reception

    erased, home = service.erasures(), service.home
    _mark(service)
    say("case store")
    with CaseStore(service.cases_url) as cases:
        rows = out_of_cases(cases.engine, erased)
    say("nights")
    files = []
    for part in unfinished(home.root):
        shutil.rmtree(part) if part.is_dir() else part.unlink()
    for path, take_out in made_files(home.root, erased):
        take_out()
        files.append(_below(service, path))
    arms = without(home.experiments, erased)
    done = empty(home.warehouse, Archive(home.archive), erased, service.settings.threads, say)
    with service.warehouse() as warehouse:
        in_step(home.experiments, warehouse)
        landed = clear_landing(home.landing, warehouse, reception(service).sources, erased, clock.now())
    home.erasing.unlink()
    return Erased(done.rows, done.deliveries, rows | ({"arms": arms} if arms else {}), files, landed)


def resume(service: Service, say: Say) -> None:
    """End a going-through that was killed, if one was."""
    if service.home.erasing.exists():
        sweep(service, say)


def _whole(service: Service, learner_ids: Sequence[str], say: Say, *, known: bool = True) -> list[str]:
    """Bring everything in step before anything is taken out; enrolments of these learners, of whom something must be known."""
    from alerts.cases import CaseStore
    from impact.experiments.register import in_step
    from pipelines.rebuild import whole_warehouse

    with whole_warehouse(service, say) as warehouse:
        in_step(service.home.experiments, warehouse)
        enrolments = enrolments_of(warehouse, learner_ids)
        told = {one for table in TABLES.values() if "learner_id" in table.public for one in _told_of(warehouse, table, learner_ids)}
    with CaseStore(service.cases_url) as cases:
        told |= set(cases.names(list(learner_ids))["learner_id"])
    if known and (unknown := [one for one in learner_ids if one not in told]):
        what = f"Nobody here has the identifier {', '.join(unknown)}."
        raise NoDataError(what, "Give learner_id as deliveries have it; a case page and vigie history show it.")
    return enrolments["enrolment_id"].sort().to_list()


def _told_of(warehouse: Warehouse, table: DeliveredTable, learner_ids: Sequence[str]) -> list[str]:
    return warehouse.about(layout(table), "learner_id", learner_ids)["learner_id"].to_list() if table.in_warehouse else []


def _begun(service: Service, whom: Mapping[Kind, Sequence[str]], why: str, say: Say) -> Erased:
    from alerts.cases import CaseStore, audit

    erased, today = service.erasures(), clock.now().date()
    erased.require_key()
    left = [_below(service, path) for path in unreadable(service.home, [one for ids in whom.values() for one in ids])]
    # The mark first: killed once they are remembered, the next intake takes them out.
    _mark(service)
    erased.remember(whom, today, why)
    with CaseStore(service.cases_url) as cases:
        audit.note_erasures(cases.engine, clock.now(), len(whom["learner"]) + len(whom.get("names", ())))
    return replace(sweep(service, say), left=left)


def _mark(service: Service) -> None:
    """Until it is over, archive and warehouse may not belong together."""
    said = "People are being taken out. To go on: vigie people resume\n"
    write_whole_text(service.home.erasing, said)


def _below(service: Service, path: Path) -> str:
    return path.relative_to(service.home.root).as_posix()
