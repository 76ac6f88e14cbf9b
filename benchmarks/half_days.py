"""Criterion 14 as it is written: a half-day attended becomes an unjustified absence, through the feature code; the risk must never fall.

usage: python benchmarks/half_days.py HOME [--number 10000]

HOME is a service with a champion and half-days of attendance (simulated ones: OULAD has none), such as the one `make demo` leaves. Nothing
is written there. Of each session one learner at a time is changed, on weekly nights counted back from the last sheet known.
"""

from __future__ import annotations

import argparse
import datetime as dt
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.registry import champion, load
from pipelines.service import open_service
from vigie.settings import Settings

if TYPE_CHECKING:
    from features.facts import Facts
    from models.learner import Model

WITHIN_DAYS: Final = 14
ROUNDING: Final = 1e-9
HALF_DAY: Final = ("enrolment_id", "date", "half_day")


def changes(facts: Facts, model: Model, night: dt.date) -> pl.DataFrame:
    """Log-odds of every learner who came in the last days, before and after the last half-day present became an absence.

    Returns:
        as_of, enrolment_id, before, after.
    """
    pairs = cohort(facts, [night])
    before = matrix(facts, pairs)
    sheets = facts.tables["attendance"]
    ago = (pl.lit(night) - pl.col("date")).dt.total_days()
    cutoff = pairs["cutoff"][0]
    visible = (pl.col("known_on") <= cutoff) & (pl.col("visible_until").is_null() | (pl.col("visible_until") > cutoff))
    came = sheets.filter(visible, ago.is_between(0, WITHIN_DAYS - 1), pl.col("status") == "present")
    last = came.sort("date", "half_day").unique("enrolment_id", keep="last", maintain_order=True).select(HALF_DAY)
    people = before.select("enrolment_id", "session_id", before=pl.Series(model.margins(before))).join(last, on="enrolment_id")
    people = people.sort("enrolment_id").with_columns(turn=pl.int_range(pl.len()).shuffle(seed=1).over("session_id"))
    found = []
    for chosen in people.partition_by("turn"):
        missed = sheets.join(chosen.select(*HALF_DAY, missed=pl.lit(value=True)), on=HALF_DAY, how="left", maintain_order="left")
        status = pl.when(pl.col("missed").is_null()).then("status").otherwise(pl.lit("absent_unjustified", sheets.schema["status"]))
        changed = replace(facts, tables=facts.tables | {"attendance": missed.with_columns(status).drop("missed")})
        theirs = pairs.join(chosen.select("session_id"), on="session_id", how="semi").drop("pair").with_row_index("pair")
        after = matrix(changed, theirs)
        found.append(chosen.join(after.select("enrolment_id", after=pl.Series(model.margins(after))), on="enrolment_id"))
    return pl.concat(found).select("enrolment_id", "before", "after", as_of=pl.lit(night))


def main() -> None:
    """Change half-days until enough were tried, and say how often the risk fell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--number", type=int, default=10_000, help="learner-nights to try")
    arguments = parser.parse_args()
    service = open_service(Settings(home=arguments.home))
    version = champion(service.home)
    if version is None:
        raise SystemExit(f"{arguments.home} has no model that serves: run `make demo` first.")
    model, found = load(service.home, version), []
    with service.warehouse() as warehouse:
        newest = warehouse.newest(layout(TABLES["attendance"]), "date", dt.datetime.now(dt.UTC))
        if newest is None:
            raise SystemExit(f"{arguments.home} holds no attendance sheet.")
        while sum(part.height for part in found) < arguments.number:
            night = newest - dt.timedelta(weeks=len(found))
            tried = changes(read_facts(warehouse, night, night, service.time_zone), model, night)
            if tried.is_empty():
                break
            found.append(tried)
            print(f"{night}: {tried.height:,} half-days, {sum(part.height for part in found):,} so far", flush=True)
    rows = pl.concat(found)
    change = (rows["after"] - rows["before"]).to_numpy()
    rose, fell = int((change > ROUNDING).sum()), int((change < -ROUNDING).sum())
    stood, worst = rows.height - rose - fell, max(0.0, -float(change.min()))
    print(f"Model {version}: {rows.height:,} learner-nights on {len(found)} nights.")
    print(
        f"The risk rose in {rose:,}, stood in {stood:,}, fell in {fell:,} ({fell / rows.height:.2%}), by {worst:.3f} of log-odds at most."
    )


if __name__ == "__main__":
    main()
