"""Past nights scored again, with only what was known then: to fill a gap, or to evaluate a model apart from what is served."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from vigie import clock
from vigie.errors import ConfigurationError
from vigie.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from models.hindsight import Hindsight
    from pipelines.service import Service


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


NIGHTS_AT_ONCE: Final = 28
"""Past nights scored in one go: what is written is kept on Ctrl-C, and memory is bounded."""


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
    models = {date: load(service.home, version) if version else model_for(service.home, date) for date in dates}
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


def known_since(service: Service, nights: Sequence[dt.date], version: str) -> Hindsight:
    """How well an evaluation of a model did on nights scored before, by the outcomes known today.

    Raises:
        NoDataError: too few of its outcomes are known.
    """
    import polars as pl

    from models.hindsight import look_back

    files = (service.home.evaluation(night, version) / "scores.parquet" for night in nights)
    scores = pl.concat([pl.read_parquet(path) for path in files])
    today = clock.last_finished_day(clock.now(), service.time_zone)
    with service.warehouse() as warehouse:
        return look_back(scores, warehouse, today, service.rules.invariants, service.time_zone)
