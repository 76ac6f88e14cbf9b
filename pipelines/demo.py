"""A whole service from nothing to an advisor's list."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl

from data_contracts.vocabulary import LISTED
from pipelines import console
from pipelines.serving import train_model
from pipelines.steps import Directly, run_night, show_list, take_deliveries
from vigie.errors import ConfigurationError
from vigie.lock import only_writer
from vigie.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.service import Service

MARK = ".vigie-demo"
"""Lies in every folder the demo made, so that it only ever clears its own."""


@dataclass(frozen=True)
class _Story:
    what: str
    trained: dt.date
    nights: tuple[dt.date, ...]


STORIES = {
    "simulated": _Story(
        "a simulated territory of 10,000 learners",
        dt.date(2026, 1, 31),
        (dt.date(2026, 3, 16), dt.date(2026, 3, 23), dt.date(2026, 3, 25)),
    ),
    "oulad": _Story(
        "real learners of the Open University (OULAD, CC-BY 4.0), with simulated advisors",
        dt.date(2014, 4, 30),
        (dt.date(2014, 5, 5), dt.date(2014, 5, 12), dt.date(2014, 5, 14)),
    ),
}


def run_demo(service: Service, data: Literal["simulated", "oulad"]) -> None:
    """Deliver, ingest, train, run three nights, show a list; the home folder is made anew each time.

    Raises:
        ConfigurationError: the home folder holds something the demo did not make.
    """
    story = STORIES[data]
    _clear(service.home.root)
    service.home.make()
    console.out.rule(f"Vigie on {story.what}")
    with console.working("1/4 Deliveries") as at:
        _deliver(data, service.home.landing)
        with only_writer(service.home.lock, "The demo"):
            intake = take_deliveries(service, on_receipt=lambda receipt: at(receipt.table))
    console.show_intake(intake)
    with only_writer(service.home.lock, "The demo"), console.working(f"2/4 Training on what was known on {story.trained}") as at:
        outcome = train_model(service, story.trained, at, reason="A demonstration: it goes on with the only model it has.")
    console.show_evidence(outcome.evidence)
    console.show_verdict(outcome.verdict)
    console.show_serving(outcome)
    with console.working("3/4 Nights") as at:
        for night in story.nights:
            console.show_night(run_night(service, night, Directly(at)))
    console.out.rule("4/4 The list of one advisor")
    last = story.nights[-1]
    key = _busiest(service.home.out(last) / "alerts.parquet")
    show_list(service, last, key)
    lists = service.home.out(last) / "lists"
    home = service.home.root
    console.out.print(f"\nAs a page: {lists / key}.html\nAs a spreadsheet: {lists / key}.xlsx\n\nThree things to try next:", soft_wrap=True)
    for command in (
        f"vigie night --home {home} --as-of {last + dt.timedelta(days=1)}",
        f"vigie doctor --home {home}",
        f"vigie inbox serve --home {home} --print-links",
    ):
        console.out.print(f"  .venv/bin/{command}", soft_wrap=True)


def _deliver(data: Literal["simulated", "oulad"], landing: Path) -> None:
    if data == "oulad":
        from data_contracts.sources.oulad import read_oulad, write_oulad

        write_oulad(read_oulad(ROOT / "data" / "oulad"), landing)
        return
    from data_contracts.simulator import simulate, write_deliveries, write_truth

    simulation = simulate(10_000, 1, dt.date(2025, 1, 6), dt.date(2026, 3, 31))
    write_deliveries(simulation, landing)
    write_truth(simulation, landing.parent / "truth")


def _busiest(alerts: Path) -> str:
    """The advisor with most people listed, risks first."""
    listed = pl.read_parquet(alerts).filter(pl.col("state").cast(pl.String).is_in(LISTED), pl.col("advisor_id").is_not_null())
    risks = (pl.col("kind").cast(pl.String) == "dropout_risk").sum()
    counted = listed.group_by("advisor_id").agg(pl.col("learner_id").n_unique().alias("people"), risks.alias("risks"))
    return str(counted.sort("risks", "people", "advisor_id", descending=[True, True, False])["advisor_id"][0])


def _clear(home: Path) -> None:
    mark = home / MARK
    # What opening a service makes is empty folders.
    if not mark.exists() and any(not path.is_dir() or any(path.iterdir()) for path in home.iterdir()):
        raise ConfigurationError(f"{home} holds a service that the demo did not make.", "Give the demo a folder of its own with --home.")
    shutil.rmtree(home)
    home.mkdir(parents=True)
    mark.touch()
