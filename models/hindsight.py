"""How well the scores of past nights did, now that it is known who left: an evaluation kept apart, or nights of before the watch."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.endings import decided_after
from models.blocks import MIN_DROPOUTS
from models.evaluation.bootstrap import DRAWS, with_intervals
from models.evaluation.measures import codes, measure
from models.labels import begun, known_endings, labelled
from models.landmarks import last_told
from models.registry import log_run, named
from vigie.errors import NoDataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vigie.rules import Invariants
    from vigie.settings import Home
    from vigie.store import Warehouse

CONTENDERS: Final = {"model": "risk", "session_rate": "session_risk"}
"""Probabilities that the scores of a night hold. The attendance rule is there as a yes or no alone, which ranks nobody."""


@dataclass(frozen=True)
class Hindsight:
    """Figures of past scores on the nights whose outcomes are known."""

    known_at: dt.date
    """Until when outcomes were known: the last day that deliveries tell of, where they stopped sooner."""
    nights: int
    """Of those asked for, how many are over."""
    first: dt.date
    last: dt.date
    rows: int
    dropouts: int
    """Rows of people who left within the horizon."""
    leavers: int
    """People among them."""
    figures: pl.DataFrame
    """contender, metric, value, low, high."""
    differences: pl.DataFrame
    """rival, metric, difference (model less rival), low, high."""


def look_back(
    scores: pl.DataFrame, warehouse: Warehouse, as_of: dt.date, rules: Invariants, time_zone: str, times: int = DRAWS
) -> Hindsight:
    """Judge scores by what became of people, as known at the end of `as_of` or, where deliveries stopped sooner, of their last day.

    Rows of people who had left unnoticed are taken out, as in training.

    Args:
        scores: contract `Scores`, of any nights, one horizon.
        warehouse: open.
        as_of: what became known later is not used.
        rules: of the service.
        time_zone: in which as-of dates end.
        times: bootstraps of learners.

    Raises:
        NoDataError: no scores, or too few dropouts known on nights whose horizon is over.
    """
    if scores.is_empty():
        raise NoDataError("These nights have no scores: nobody was in training.", "Name nights on which somebody was.")
    told = last_told(warehouse, as_of, time_zone)
    known_at = min(as_of, told) if told else as_of
    ended = known_endings(warehouse, known_at, rules.silence_days, time_zone)
    horizon = int(scores["horizon_days"][0])
    wait = horizon + decided_after(warehouse, ended, known_at, rules.silence_days, time_zone)
    over = scores.filter(pl.col("as_of") + pl.duration(days=wait) <= known_at)
    rows = begun(labelled(over, ended, horizon), warehouse, known_at, time_zone)
    dropouts = int(rows["label"].sum())
    if dropouts < MIN_DROPOUTS:
        last_over = known_at - dt.timedelta(days=wait)
        what = f"{dropouts} dropouts are known among {rows.height:,} rows of nights up to {last_over}; it takes {MIN_DROPOUTS}."
        raise NoDataError(what, "Score older nights, or more of them.")
    contenders = {name: measure(rows, rows[column].to_numpy(), probability=True) for name, column in CONTENDERS.items()}
    figures, differences = with_intervals(contenders, codes(rows["learner_id"]), times)
    first, last = rows["as_of"].min(), rows["as_of"].max()
    leavers = rows.filter(pl.col("label") == 1)["learner_id"].n_unique()
    return Hindsight(known_at, rows["as_of"].n_unique(), first, last, rows.height, dropouts, leavers, figures, differences)  # type: ignore[arg-type]


def log_hindsight(home: Home, version: str, what: str, found: Hindsight, made_with: Mapping[str, str], *, learnt: bool) -> None:
    """A run in MLflow that holds these figures and their paired differences.

    Args:
        home: where the models are.
        version: of the model that scored the nights.
        what: the nights are to it, such as before it was trained.
        found: its figures.
        made_with: tags that name the code, the rules and the machine.
        learnt: whether the model may have learnt what it was asked: its figures then have names of their own, beside no honest ones.
    """
    metrics = named(found.figures, found.differences, place="learnt/" if learnt else "")
    told = {"as_of": found.known_at, "nights": f"{found.nights}, {found.first} to {found.last}", "rows": found.rows}
    told |= {"dropouts": found.dropouts, "leavers": found.leavers}
    log_run(home, f"{version} on past nights", metrics, told, {**made_with, "looked_back": version, "nights": what}, {})
