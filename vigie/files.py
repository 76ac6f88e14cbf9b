"""Files that are whole or absent, even after a power cut: written beside their place, forced to the disk, then moved into it."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from vigie.errors import StorageError, VigieError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import polars as pl

NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OS_ERROR: Final = re.compile(r"os error (\d+)")
NO_RIGHT: Final = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Call `write` with a temporary path in the same folder, then move the result to `path` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        write(part)
        to_disk(part)
        part.replace(path)
        to_disk(path.parent)
    finally:
        part.unlink(missing_ok=True)
    return path


def write_whole_text(path: Path, text: str) -> Path:
    """`write_whole` of a text."""
    return write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))


def read_whole(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """A parquet file that the service wrote, or some of its columns.

    Raises:
        StorageError: it is damaged, or may not be read.
    """
    import polars as pl

    try:
        return pl.read_parquet(path, columns=columns)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise _damaged(path) from error


def read_whole_json(path: Path) -> Any:  # noqa: ANN401 - whatever was written
    """A JSON file that the service wrote.

    Raises:
        FileNotFoundError: there is none.
        StorageError: it is damaged, or may not be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> StorageError:
    remedy = "Restore it from a backup, or delete it: what it tells is then left out until it is made again."
    return StorageError(f"{path} cannot be read: it is damaged, or closed to this account.", remedy)


def write_whole_folder(path: Path, write: Callable[[Path], object]) -> Path:
    """Call `write` with an empty temporary folder, then move it to `path`, which must be absent, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    try:
        write(part)
        for file in part.iterdir():
            to_disk(file)
        to_disk(part)
        part.rename(path)
        to_disk(path.parent)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return path


def to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained() -> Iterator[None]:
    """Say what a full or closed disk means, in place of the system's own error.

    Raises:
        StorageError: no room is left, or the account may not write there.
    """
    try:
        yield
    except Exception as error:
        # Libraries that write by themselves tell the system's number in their text alone.
        told = _OS_ERROR.search(str(error))
        number = error.errno if isinstance(error, OSError) else int(told.group(1)) if told else None
        said = storage_error(number, str(getattr(error, "filename", None) or ""))
        if said is None or isinstance(error, VigieError):
            raise
        raise said from error


def storage_error(number: int | None, where: str) -> StorageError | None:
    """The error a person can act upon for a number of the system; None when it is about something else."""
    place = f": {where}" if where else "."
    again = "Then run the command again: what was done stands, and it ends as if never interrupted."
    if number in NO_ROOM:
        return StorageError(f"The disk is full, or a limit on file sizes was met{place}", f"Free some room. {again}")
    if number in NO_RIGHT:
        return StorageError(f"This account may not write there{place}", f"Give it the right to, or mount the disk for writing. {again}")
    return None
