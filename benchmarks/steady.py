"""Do reasons stay while facts do? Published reasons of two weeks of consecutive nights, of people of whom nothing new became known.

usage: python benchmarks/steady.py HOME [--nights 14]

HOME is a service with a champion, such as the one `make demo` leaves; nothing is written there. The nights are those up to its last one.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

import polars as pl

from models.faithfulness import kept
from models.registry import model_for
from models.scoring import score
from pipelines.service import open_service
from vigie.settings import Settings


def main() -> None:
    """Score the nights in one go, compare each with the one before, and print what they have in common."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--nights", type=int, default=14)
    asked = parser.parse_args()
    service = open_service(Settings(home=asked.home))
    rules, least = service.rules.invariants, service.rules.default.minimum_risk
    last = max((dt.date.fromisoformat(path.parent.name) for path in (service.home.root / "out").glob("*/scores.parquet")), default=None)
    if last is None:
        raise SystemExit(f"No night was scored in {asked.home}: run one first, with vigie night --home {asked.home}.")
    nights = [last - dt.timedelta(days=ago) for ago in range(asked.nights - 1, -1, -1)]
    with service.warehouse() as warehouse:
        scored = score(warehouse, model_for(service.home, last), nights, rules, service.time_zone, service.settings.threads)
    pairs = kept(scored.features, scored.scores["reasons"]).join(
        scored.scores.select("as_of", "enrolment_id", "risk"), on=["as_of", "enrolment_id"]
    )
    print(f"{len(nights)} nights to {last}; nothing new known of the person, both nights name a reason")
    for name, part in (("everybody", pairs), (f"risk from {least:g} on", pairs.filter(pl.col("risk") >= least))):
        print(f"  {name}: {part.height:,} pairs of nights, top three {part['shared'].mean():.3f}, first {part['first'].mean():.3f}")


if __name__ == "__main__":
    main()
