"""Past nights scored again, with only what was known then: to fill a gap, or to evaluate a model apart from what is served."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from vigie import clock
from vigie.errors import ConfigurationError, NoDataError
from vigie.files import read_whole, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.hindsight import Hindsight
    from pipelines.service import Service

NIGHTS_AT_ONCE: Final = 7
"""Past nights scored in one go: what is written is kept on Ctrl-C, and memory is bounded."""


def past_nights(first: dt.date, last: dt.date, every: str) -> list[dt.date]:
    """Dates from `first` to `last`, stepping by `every`, such as 1d or 7d.

    Raises:
        ConfigurationError: the step is not a number of days, or the dates are the wrong way round.
    """
    days = every.removesuffix("d")
    if not days.isdecimal() or int(days) < 1:
        raise ConfigurationError(f"--every {every} is not a number of days.", "Write it as 1d or 7d.")
    if last < first:
        raise ConfigurationError(f"--to {last} is before --from {first}.", "Give the older date first.")
    return [first + dt.timedelta(days=n) for n in range(0, (last - first).days + 1, int(days))]


def without_files(service: Service, dates: Sequence[dt.date], version: str | None, *, scores_only: bool) -> list[dt.date]:
    """Of these nights, those that were not served yet or, where only scores are asked for, have none of this model."""
    folders = {date: service.home.evaluation(date, version) if version else service.home.out(date) for date in dates}
    return [date for date, folder in folders.items() if not (folder / ("scores.parquet" if scores_only else "night.json")).exists()]


def score_past(
    service: Service, dates: Sequence[dt.date], version: str | None, on_step: Callable[[str], None] = lambda _: None
) -> list[tuple[dt.date, int]]:
    """Score many past nights, without alerts, and without those who object to the estimate now.

    With `version` it is an evaluation of that model, which may have seen later facts: its files lie apart and are never served. Without, a
    night that was served keeps the files it was served with.

    Returns:
        date and enrolments scored.
    """
    from alerts.cases import CaseStore
    from alerts.silence import opposed
    from models.registry import load, model_for
    from models.scoring import score

    with CaseStore(service.cases_url) as cases:
        today = clock.last_finished_day(clock.now(), service.time_zone) + dt.timedelta(days=1)
        objecting = opposed(cases.answered(today, service.time_zone))
    dates = [date for date in dates if version or not (service.home.out(date) / "night.json").exists()]
    named = load(service.home, version) if version else None
    models = {date: named or model_for(service.home, date) for date in dates}
    done: list[tuple[dt.date, int]] = []
    for name in dict.fromkeys(model.version for model in models.values()):
        theirs = [date for date, model in models.items() if model.version == name]
        model = models[theirs[0]]
        for first in range(0, len(theirs), NIGHTS_AT_ONCE):
            nights = theirs[first : first + NIGHTS_AT_ONCE]
            on_step(f"{nights[0]} to {nights[-1]}, {len(done)} of {len(dates)}")
            with service.warehouse() as warehouse:
                scored = score(warehouse, model, nights, service.rules.invariants, service.time_zone, service.settings.threads)
            scored = scored.without(objecting)
            by_date = {key[0]: part for key, part in scored.scores.partition_by("as_of", as_dict=True).items()}
            for night in nights:
                scores = by_date.get(night, scored.scores.clear())
                folder = service.home.evaluation(night, model.version) if version else service.home.out(night)
                write_whole(folder / "scores.parquet", scores.write_parquet)
                done.append((night, scores.height))
    return sorted(done)


def hollow(service: Service, done: Sequence[tuple[dt.date, int]]) -> list[str]:
    """What must be said of nights that tell little: nobody was in training by what was known, or deliveries had stopped.

    Args:
        service: whose nights.
        done: date and enrolments scored, oldest first.
    """
    from models.landmarks import QUIET_DAYS, last_told

    said = []
    if nobody := [night for night, rows in done if not rows]:
        said.append(f"Nobody was in training on {_dates(nobody)}, by what was known then: the files hold no score.")
    if done:
        with service.warehouse() as warehouse:
            told = last_told(warehouse, done[-1][0], service.time_zone)
        if told and (after := [night for night, rows in done if (night - told).days > QUIET_DAYS and rows]):
            said.append(f"Deliveries tell of nobody after {told}: on {_dates(after)} the scores know nothing newer.")
    return said


def _dates(nights: Sequence[dt.date]) -> str:
    return f"{nights[0]}" if len(nights) == 1 else f"{len(nights)} nights from {nights[0]} to {nights[-1]}"


def known_since(service: Service, nights: Sequence[dt.date], version: str, *, keep: bool = True) -> dict[str, Hindsight | NoDataError]:
    """How well an evaluation of a model did on nights scored before, by the outcomes known today.

    With `keep` MLflow has it as runs of their own.

    Nights before the day of training stand apart: the model may have learnt what it is asked.

    Returns:
        By what the nights are to the model: the figures, or why there are none.
    """
    import polars as pl

    from models.hindsight import log_hindsight, look_back
    from models.registry import trained_on
    from pipelines.made_with import made_with

    trained = trained_on(version)
    parts = {
        f"before {version} was trained": [night for night in nights if night < trained],
        f"after {version} was trained": [night for night in nights if night >= trained],
    }
    today = clock.last_finished_day(clock.now(), service.time_zone)
    found: dict[str, Hindsight | NoDataError] = {}
    for what, asked in parts.items():
        if asked:
            scores = pl.concat([read_whole(service.home.evaluation(night, version) / "scores.parquet") for night in asked])
            try:
                with service.warehouse() as warehouse:
                    told = look_back(scores, warehouse, today, service.rules.invariants, service.time_zone)
            except NoDataError as error:
                found[what] = error
                continue
            if keep:
                log_hindsight(service.home, version, what, told, made_with(service.settings.config), learnt=asked[0] < trained)
            found[what] = told
    return found
