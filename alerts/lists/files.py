"""The lists of a night as files: a page and a spreadsheet for each recipient."""

from __future__ import annotations

import hashlib
import re
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from alerts.lists import html, xlsx

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.lists.page import AdvisorList

MANY_LISTS: Final = 300
"""Fewer lists are written sooner than other processes start."""


def write_lists(folder: Path, made: list[AdvisorList], processes: int = 1) -> None:
    """Write each list as html and xlsx under `folder`, which takes the place of that of a former run of the same night as a whole.

    Args:
        folder: of this night's lists.
        made: from `alerts.night.night_lists`.
        processes: for many lists, how many may write at once; a spreadsheet is slow to make.
    """
    part, former = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.former")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    write = partial(_write_one, part)
    if processes > 1 and len(made) > MANY_LISTS:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            list(pool.map(write, made, chunksize=50))
    else:
        for one in made:
            write(one)
    shutil.rmtree(former, ignore_errors=True)
    if folder.exists():
        folder.rename(former)
    part.rename(folder)
    shutil.rmtree(former, ignore_errors=True)


def _write_one(folder: Path, one: AdvisorList) -> None:
    name = file_name(one.key)
    (folder / f"{name}.html").write_text(html.render(one), encoding="utf-8")
    xlsx.write(one, folder / f"{name}.xlsx")


def file_name(key: str) -> str:
    """The key itself where it is a safe name; else made safe and told apart, so that `a/b` and `a_b` never read each other's names."""
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", key)
    return safe if safe == key else f"{safe}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
