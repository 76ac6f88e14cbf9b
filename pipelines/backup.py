"""A copy of what cannot be made again, and a service made from such a copy."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from data_contracts.archive import Archive
from data_contracts.rebuild import rebuild
from pipelines.erasure import resume, sweep
from vigie import clock
from vigie.erasures import Erasures
from vigie.errors import ConfigurationError
from vigie.files import write_whole_folder, write_whole_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.service import Service

MANIFEST: Final = "backup.json"
FOLDERS: Final = ("archive", "experiments", "models", "mlruns", "indicators", "out", "landing", "refused", "held", "quarantine", "sources")
"""Not `outbox`: receipts of mail that an older case store knows nothing of; nor `evaluation` and `replay`, which are made again."""
DATABASES: Final = ("cases.sqlite", "mlflow.db")
"""SQLite: copied by its own backup, which takes a state between two transactions while others write."""


def backup(service: Service, to: Path, say: Callable[[str], None]) -> Path:
    """Copy archive, case store, models, experiments, nights and deliveries into a new folder; the warehouse follows from the archive.

    A case store on PostgreSQL is not in it: its own `pg_dump` copies it.

    Returns:
        The new folder, whole or absent.

    Raises:
        ConfigurationError: `to` lies inside the home folder, or there is no service to copy.
        DamagedArchiveError: a delivery is not what was kept: a copy of it could not be restored.
    """
    home, archive = service.home.root.resolve(), Archive(service.home.archive)
    if to.resolve().is_relative_to(home):
        raise ConfigurationError(f"{to} lies inside the home folder.", "Keep backups on another disk.")
    if not archive.names():
        raise ConfigurationError(f"{home} took no delivery: there is nothing to copy.", "Check --home or VIGIE_HOME.")
    resume(service, say)
    say("looking whether the archive is whole")
    for name in archive.names():
        archive.read(name)

    def write(part: Path) -> None:
        for name in FOLDERS:
            if (home / name).is_dir():
                say(name)
                shutil.copytree(home / name, part / name)
        for name in DATABASES:
            if (home / name).exists():
                say(name)
                _copy_database(home / name, part / name)
        if service.home.erased.exists():
            shutil.copy2(service.home.erased, part)
        say("fingerprints")
        manifest = {
            "made_at": clock.now().isoformat(timespec="seconds"),
            "cases_elsewhere": bool(service.settings.cases_url),
            "sha256": _fingerprints(part),
        }
        (part / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")

    return write_whole_folder(to / f"vigie-{clock.now():%Y%m%dT%H%M%SZ}", write)


def restore(service: Service, copy: Path, say: Callable[[str], None], erased: Path | None = None) -> int:
    """Make a service in an empty home folder from a backup, every byte checked, its warehouse from the archive; how many deliveries.

    Stopped half-way, the folder is marked, opens for nothing else, and the same backup makes it whole. Who was erased since the backup
    comes with it, and is taken out again if `erased` tells who.

    Args:
        service: an empty home folder.
        copy: from `backup`.
        say: told how far it is.
        erased: the newest `erased.jsonl`.

    Raises:
        ConfigurationError: no backup, one that is damaged, a home folder that holds something, a case store that the settings place
            elsewhere than the backup, or no key where people were erased.
    """
    from models.registry import moved_here

    home = service.home
    try:
        manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{copy} is not a backup: {MANIFEST} cannot be read.", "Name a folder made by vigie backup.") from error
    mark = _fingerprint(copy / MANIFEST)
    begun = home.restoring.exists() and home.restoring.read_text(encoding="utf-8") == mark
    own = {home.lock, home.lock.with_suffix(".holder")}
    there = [path.name for path in home.root.rglob("*") if path.is_file() and path not in own]
    if there and not begun:
        raise ConfigurationError(f"{home.root} holds a service already ({there[0]}).", "Restore into a new folder: --home <new folder>.")
    _same_case_store(copy, service, elsewhere=manifest["cases_elsewhere"])
    key = service.settings.erasure_key.get_secret_value()
    for told in (copy / home.erased.name, *([erased] if erased else [])):
        Erasures(told, key)
    say("looking whether the backup is whole")
    found = _fingerprints(copy)
    apart = sorted(name for name in found.keys() | manifest["sha256"].keys() if found.get(name) != manifest["sha256"].get(name))
    if apart:
        what = f"{len(apart)} files of {copy} are not what was copied, the first {apart[0]}."
        raise ConfigurationError(what, "Use an older backup; this one is damaged. Nothing was restored.")
    write_whole_text(home.restoring, mark)
    for path in sorted(copy.iterdir()):
        if path.name != MANIFEST:
            say(path.name)
            target = home.root / path.name
            if path.is_dir():
                shutil.copytree(path, target, dirs_exist_ok=True)
            else:
                shutil.copy2(path, target)
    moved_here(home)
    number = rebuild(home.warehouse, Archive(home.archive), service.settings.threads, say)
    if erased:
        service.erasures().take_over(erased)
    if service.erasures():
        sweep(service, say)
    home.restoring.unlink()
    return number


def _same_case_store(copy: Path, service: Service, *, elsewhere: bool) -> None:
    """A service restored beside a case store that is not its own would know nobody: no account, no answer, no owner."""
    if elsewhere and not service.settings.cases_url:
        what = f"The case store is not in {copy}: it lay where VIGIE_CASES_URL said, which is not set."
        raise ConfigurationError(what, "Set VIGIE_CASES_URL to the database that pg_restore filled, then restore again.")
    if service.settings.cases_url and not elsewhere:
        what = f"The case store of {copy} is in it, and VIGIE_CASES_URL names another, which knows nothing of it."
        raise ConfigurationError(what, "Unset VIGIE_CASES_URL, then restore again.")


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as ours, closing(sqlite3.connect(target)) as copy:
        ours.backup(copy)


def _fingerprints(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): _fingerprint(path) for path in files}


def _fingerprint(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
