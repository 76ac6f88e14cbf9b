"""A warehouse that is whole before anything is read from it, and made again from the archive when it is not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from data_contracts.archive import Archive
from data_contracts.rebuild import in_step, rebuild
from pipelines.erasure import resume
from vigie import clock
from vigie.errors import DamagedArchiveError, DamagedWarehouseError
from vigie.files import write_whole_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.service import Service
    from vigie.store import Warehouse


@contextmanager
def whole_warehouse(service: Service, say: Callable[[str], None]) -> Iterator[Warehouse]:
    """The warehouse, open for writing, whole and in step with its archive.

    Nobody is there at two in the morning, and a list must be there at seven: a damaged, cut or lost file is put aside and made again, and
    `rebuilt.txt` in the home folder says so until the operator takes it away.

    Raises:
        DamagedArchiveError: the archive cannot make it again.
    """
    resume(service, say)
    archive = Archive(service.home.archive)
    fault = _fault(service, archive, say)
    if fault:
        made_again(service, fault, say)
    with service.warehouse() as warehouse:
        in_step(warehouse, archive, say)
        yield warehouse


def _fault(service: Service, archive: Archive, say: Callable[[str], None]) -> str | None:
    if not service.home.warehouse.exists():
        return f"{service.home.warehouse} was gone" if archive.names() else None
    say("looking whether the warehouse is whole")
    try:
        with service.warehouse() as warehouse:
            return next(iter(warehouse.faults()), None)
    except DamagedWarehouseError as error:
        return error.what


def faults(service: Service, say: Callable[[str], None]) -> list[str]:
    """What is wrong with the warehouse and with each entry of the archive, every byte read."""
    archive = Archive(service.home.archive)
    fault = _fault(service, archive, say)
    told = [fault] if fault else []
    for place, name in enumerate(names := archive.names(), 1):
        say(f"reading the archive: {place} of {len(names)}")
        try:
            archive.read(name)
        except DamagedArchiveError as error:
            told.append(error.what)
    return told


def made_again(service: Service, why: str, say: Callable[[str], None]) -> int:
    """Make the warehouse again from the archive and note why; how many deliveries it holds."""
    resume(service, say)
    number = rebuild(service.home.warehouse, Archive(service.home.archive), service.settings.threads, say)
    note = f"{clock.now():%Y-%m-%d %H:%M} UTC: {why}. It was made again from {number} archived deliveries.\n"
    write_whole_text(service.home.rebuilt, note)
    return number
