"""One writer at a time: a lock on the home folder that dies with its process."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from vigie.errors import AlreadyRunningError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_writer(path: Path, doing: str) -> Iterator[None]:
    """Hold the home folder for the length of a block.

    The lock belongs to the process, so a killed night leaves none behind.

    Raises:
        AlreadyRunningError: another process holds it; the message says which and what it does.
    """
    lock = FileLock(path)
    note = path.with_suffix(".holder")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        holder = note.read_text(encoding="utf-8") if note.exists() else "another process"
        what = f"{holder} is already at work in {path.parent}."
        raise AlreadyRunningError(what, "Wait for it to end, then run the command again. Nothing was changed.") from error
    try:
        note.write_text(f"{doing} (process {os.getpid()})", encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()
