"""A past night made again from what was known then, and held against what was served, byte for byte."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from data_contracts.held import SCHEMA
from pipelines.made_with import made_with
from pipelines.steps import SESSIONS_FILE, alert_night, score_night
from vigie.errors import NoDataError, NoModelError, ReplayRefusedError
from vigie.files import read_whole, read_whole_json

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from models.learner import Model
    from pipelines.service import Service

SERVED: Final = ("features.parquet", "scores.parquet", "alerts.parquet", SESSIONS_FILE)


@dataclass(frozen=True)
class Replayed:
    """What came of it."""

    model_version: str
    changed: list[str]
    """What is not as it was that night: code, rules, a library, people erased since."""
    differences: list[str]
    """A sentence for each file that is not byte for byte what was served."""
    folder: Path | None
    """Where the files made again lie, if any differs."""


def replay(service: Service, as_of: dt.date, *, anyway: bool = False) -> Replayed:
    """Make the night of `as_of` again with its own model, its own deliveries and what the case store held then; nothing is published.

    Args:
        service: whose night.
        as_of: the night.
        anyway: go on where code, rules or libraries have changed, and show what differs.

    Raises:
        NoDataError: that night was not run.
        ReplayRefusedError: the model is not there any more, or, without `anyway`, the code or the rules have changed.
    """
    out = service.home.out(as_of)
    served = _account(out)
    was, now = served["made_with"], made_with(service.settings.config)
    changed = [f"{name} was {was.get(name)}, is {is_now}" for name, is_now in now.items() if was.get(name) != is_now]
    if gone := service.erasures().since(as_of):
        changed.append(f"{gone} people were erased since, whom others of their sessions were compared with")
    if changed and not anyway:
        what = f"The night of {as_of} was made with something else: {'; '.join(changed)}."
        raise ReplayRefusedError(what, "Replay it with the version that made it, or add --anyway to see what differs.")
    folder = service.home.root / "replay" / as_of.isoformat()
    shutil.rmtree(folder, ignore_errors=True)
    without, upto = served["not_estimated"], was["deliveries"]
    model = None if without else _model(service, as_of, served["model_version"])
    held = _held(out)
    score_night(service, as_of, model=model, without=without, at_most=upto, held=held, out=folder)
    alert_night(service, as_of, notify=False, at_most=upto, out=folder)
    differences = [text for name in SERVED if (text := _difference(out / name, folder / name))]
    if not differences:
        shutil.rmtree(folder)
    return Replayed(served["model_version"], changed, differences, folder if differences else None)


def _account(out: Path) -> dict[str, Any]:
    try:
        account: dict[str, Any] = read_whole_json(out / "night.json")
    except FileNotFoundError as error:
        raise NoDataError(f"The night of {out.name} was not run here.", f"Run: vigie night --as-of {out.name}.") from error
    if "made_with" not in account:
        what = f"The night of {out.name} was run by a version that did not note what it was made with."
        raise ReplayRefusedError(what, "Only nights run since can be replayed.")
    return account


def _held(out: Path) -> pl.DataFrame:
    """Whom files held back told of that night: they may have been let pass, or given up, since."""
    path = out / "held.parquet"
    return read_whole(path) if path.exists() else pl.DataFrame(schema=SCHEMA)


def _model(service: Service, as_of: dt.date, version: str) -> Model:
    from models.registry import load

    try:
        return load(service.home, version)
    except NoModelError as error:
        what = f"The night of {as_of} was served by the model {version}, which is not here as it was: {error.what}"
        raise ReplayRefusedError(what, error.remedy) from error


def _difference(served: Path, again: Path) -> str:
    if not served.exists():
        return f"{served.name} of that night is gone, or the version that served it wrote none"
    if served.read_bytes() == again.read_bytes():
        return ""
    first, second = read_whole(served), read_whole(again)
    if first.schema != second.schema:
        return f"{served.name}: other columns or types"
    apart = [name for name in first.columns if first.height != second.height or not first[name].equals(second[name])]
    return f"{served.name}: {first.height} rows served, {second.height} made again; columns that differ: {', '.join(apart) or 'none'}"
