"""Vigie's learner beside the reference of 118 columns on the 2013 presentations alone: what to choose by without a look at 2014B.

usage: python benchmarks/oulad_inside.py HOME SOURCE [--seeds 1,2]

HOME is a service that took 2013B and 2013J, SOURCE the original tables. The nine presentations are dealt into three parts, those of one
module apart. Each part is scored by models that learnt from the other two, learners of both sides taken out of what teaches: six
presentations teach, as nine do for 2014B, and a module's other presentation may be among them. It may be a later one: this is to choose
by, not to quote as foresight. Rows of every seventh day from day 14 on; figures are means of the three parts, differences from the
reference are paired by 200 bootstraps of learners. `both` is the mean of the two log-odds: what one knows and the other does not.
"""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import oulad_reference as reference
import polars as pl
from ablation import FIRST_DAY, SHOWN, boosted, judged

from data_contracts.sources.oulad import STARTS
from models.evaluation.bootstrap import with_intervals
from models.evaluation.measures import codes
from models.landmarks import training_rows
from models.learner import LEARNT
from models.strata import STRATUM
from pipelines.service import open_service
from vigie.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PRESENTATIONS: Final = ("2013B", "2013J")
AS_OF: Final = dt.date(2014, 8, 2)
"""A Saturday, as the days on which presentations begin: landmarks are then the days of the reference's rows."""
PARTS: Final = 3


def rows_of_both(home: Path, source: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The same rows, in the same order, as Vigie has them and as the reference does."""
    service = open_service(Settings(home=home))
    with service.warehouse() as warehouse:
        mine = training_rows(warehouse, AS_OF, service.rules.invariants, service.time_zone)
    theirs = reference.rows(source, PRESENTATIONS)
    began = pl.col("group").str.split("-").list.get(1).replace_strict(STARTS, return_dtype=pl.Date)
    theirs = theirs.with_columns(as_of=began + pl.duration(days=pl.col("t").cast(pl.Int64)))
    keys = ["as_of", "enrolment_id"]
    mine = mine.join(theirs.select(keys), on=keys, how="semi").sort(keys)
    theirs = mine.select(keys).join(theirs, on=keys, how="left", maintain_order="left").drop("as_of")
    inside = pl.concat_str("session_id", pl.col("as_of").cast(pl.String), separator="/")
    part = (pl.col("session_id").rank("dense") - 1) % PARTS
    return mine.select(*dict.fromkeys(("learner_id", *STRATUM, "course_day", "label", *LEARNT)), inside=inside, part=part), theirs


def scored(mine: pl.DataFrame, theirs: pl.DataFrame, seeds: list[int], threads: int) -> tuple[list[pl.DataFrame], dict[str, list[Floats]]]:
    """Rows judged by part, and the log-odds of each contender on them."""
    parts: list[pl.DataFrame] = []
    found: dict[str, list[Floats]] = {"reference": [], "Vigie": [], "both": []}
    for number in range(PARTS):
        here = (mine["part"] == number).to_numpy()
        late = here & (mine["course_day"] >= FIRST_DAY).to_numpy()
        taught = ~here & ~mine["learner_id"].is_in(mine.filter(here)["learner_id"].unique().implode()).to_numpy()
        past, later = mine.filter(taught), mine.filter(late)
        print(f"part {number + 1}: {past.height:,} rows teach, {later.height:,} are judged", flush=True)
        risk = reference.fit_and_score(theirs.filter(taught), theirs.filter(late), threads)
        found["reference"].append(np.log(risk / (1 - risk)))
        found["Vigie"].append(np.mean([boosted()(past, later, seed, threads) for seed in seeds], axis=0))
        found["both"].append((found["reference"][-1] + found["Vigie"][-1]) / 2)
        parts.append(later)
    return parts, found


def main() -> None:
    """Fit both on each part, and print figures and differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--seeds", default="1,2", help="seeds of Vigie's learner, averaged; the reference has two of its own")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    mine, theirs = rows_of_both(asked.home, asked.source)
    parts, found = scored(mine, theirs, [int(seed) for seed in asked.seeds.split(",")], asked.threads)
    person = codes(pl.concat([part["learner_id"] for part in parts]))
    figures, differences = with_intervals({name: judged(parts, scores) for name, scores in found.items()}, person)
    leavers = sum(int(part["label"].sum()) for part in parts)
    print(f"\n{sum(part.height for part in parts):,} rows, {leavers:,} of leavers\n{'':16}" + "".join(f"{key:>28}" for key in SHOWN))
    for name in found:
        told = dict(figures.filter(contender=name).select("metric", "value").iter_rows())
        print(f"{name:16}" + "".join(f"{told[key]:>28.4f}" for key in SHOWN))
    print("\nless the reference")
    for name in list(found)[1:]:
        # The first is the one judged, so that differences come the other way round.
        by = {row["metric"]: [-row[end] for end in ("difference", "high", "low")] for row in differences.filter(rival=name).to_dicts()}
        print(f"{name:16}" + "".join("{:>+11.4f} [{:+.4f}, {:+.4f}]".format(*by[key]) for key in SHOWN))


if __name__ == "__main__":
    main()
