"""What each part of the learner brings: the same model without it, or with what was left out, judged on sessions that taught nothing.

usage: python benchmarks/ablation.py --home <home of a service> --as-of 2014-07-31 [--seeds 1,2] [--only words]

Two splits of the landmark rows known at the as-of date, the figures being their means:

    later    sessions that began in the later half of the time, by a model taught by those of the earlier half
    earlier  the reverse: a second opinion to choose by, never to quote, since it is taught by what came later

Where sessions follow each other without a break, those of the earlier half reach into the time of the later ones: what is judged is then
an unseen session, not a later time. Learners of the rows judged teach nothing, and rows are judged from day 14 on. Each line is fitted
with every seed and judged by the mean of their scores. Differences are this version less the line, paired by 200 bootstraps of learners:
above 0, the line is worse. Beside them stands what another seed makes. Nothing is written; Ctrl-C ends with the lines that are done.
"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from features.catalogue import FAMILIES, FEATURES
from models.evaluation.bootstrap import with_intervals
from models.evaluation.measures import codes, measure
from models.landmarks import training_rows
from models.learner import LEARNT, SHARP_ROUNDS, fit
from pipelines.service import open_service
from vigie.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Split = tuple[pl.DataFrame, pl.DataFrame]
    Learner = Callable[[pl.DataFrame, pl.DataFrame, int, int], Floats]
    """Rows that teach, rows to score, seed, threads: log-odds."""

SHOWN: Final = ("auc", "auc_within_night", "average_precision", "recall_at_top")
FIRST_DAY: Final = 14
ROUNDS: Final = 650
"""Trees of every line, about what stopping early chooses; alike for all, so that a line is not judged by where it stopped."""
CHOSEN_ROUNDS: Final = 411
"""What stopping early chose while every threshold was chosen: such trees learn faster."""
WHOLE: Final = "this version"


def boosted(
    columns: Sequence[str] = LEARNT, rounds: int = ROUNDS, sharp_rounds: int = SHARP_ROUNDS, label: str = "label", **settings: object
) -> Learner:
    """The learner in use, on some columns, with some of LightGBM's settings changed."""

    def scores(past: pl.DataFrame, later: pl.DataFrame, seed: int, threads: int) -> Floats:
        changed = {**settings, "seed": seed}
        booster = fit(past, rounds=rounds, threads=threads, columns=columns, sharp_rounds=sharp_rounds, label=label, parameters=changed)
        inputs = later.select(columns).to_numpy(order="c")
        return np.asarray(booster.predict(inputs, raw_score=True, num_threads=threads), dtype=np.float64)

    return scores


def in_one_go() -> Learner:
    """The learner in use without levels of strata: whatever a session lost people for, columns of its people are learnt to tell."""
    # Strata are read of dropout alone: under another name it is learnt as any label is.
    learner = boosted(label="dropout", monotone_constraints=[FEATURES[name].monotone for name in LEARNT])
    return lambda past, later, seed, threads: learner(past.with_columns(dropout="label"), later, seed, threads)


def weighted(half_life_days: float) -> Learner:
    """The learner in use, each row weighing half as much for every so many days it is older than the newest."""

    def scores(past: pl.DataFrame, later: pl.DataFrame, seed: int, threads: int) -> Floats:
        age = (pl.col("as_of").max() - pl.col("as_of")).dt.total_days()
        return boosted()(past.with_columns(weight=0.5 ** (age / half_life_days)), later, seed, threads)

    return scores


def averaged(boosters: int) -> Learner:
    """The mean of several boosters that differ by their seed."""

    def scores(past: pl.DataFrame, later: pl.DataFrame, seed: int, threads: int) -> Floats:
        told = [boosted()(past, later, 100 * seed + turn, threads) for turn in range(boosters)]
        return np.asarray(np.mean(told, axis=0), dtype=np.float64)

    return scores


def lines() -> dict[str, Learner]:
    """Every line of the table, in its order."""
    told: dict[str, Learner] = {WHOLE: boosted()}
    families = {family.name: {feature.name for feature in family.features} for family in FAMILIES}
    told |= {f"without {name}": without(members.__contains__) for name, members in families.items()}
    told |= {f"without {what}": without(chosen) for what, chosen in IDEAS.items()}
    told["directions not held"] = boosted(monotone_constraints=[0] * len(LEARNT))
    told["every threshold chosen"] = boosted(rounds=CHOSEN_ROUNDS, sharp_rounds=CHOSEN_ROUNDS)
    told["in one go, no levels of strata"] = in_one_go()
    told["half-life of 180 days"] = weighted(180)
    told["three boosters averaged"] = averaged(3)
    return told


IDEAS: Final[Mapping[str, Callable[[str], bool]]] = {
    "comparison with the session": lambda name: "_against_session" in name or "_rank" in name,
    "trends": lambda name: FEATURES[name].group == "trend",
    "deadlines to come": lambda name: "_next" in name or "next_" in name or "deadline" in name,
    "rates of sessions, providers and programmes": lambda name: "_dropouts_against_" in name,
}
"""Columns by what they were thought of for, across families."""


def without(chosen: Callable[[str], bool]) -> Learner:
    """The learner in use, on all columns but those chosen."""
    return boosted([name for name in LEARNT if not chosen(name)])


def splits(rows: pl.DataFrame) -> dict[str, Split]:
    """What teaches and what is judged, learners apart."""
    begun = pl.col("as_of").min().over("session_id")
    rows = rows.with_columns(early=begun <= begun.min() + (begun.max() - begun.min()) / 2)
    early, late = rows.filter("early"), rows.filter(~pl.col("early"))
    found = {"later": (early, late), "earlier": (late, early)}
    return {
        name: (past.join(later, on="learner_id", how="anti"), later.filter(pl.col("course_day") >= FIRST_DAY))
        for name, (past, later) in found.items()
    }


def judged(parts: Sequence[pl.DataFrame], scores: Sequence[Floats]) -> Callable[[Floats], dict[str, float]]:
    """Means over splits, as a function of the weights of all their rows."""
    measures = [measure(rows, score, probability=False, within="inside") for rows, score in zip(parts, scores, strict=True)]
    ends = np.cumsum([rows.height for rows in parts])[:-1]

    def of(weights: Floats) -> dict[str, float]:
        told = [one(part) for one, part in zip(measures, np.split(weights, ends), strict=True)]
        return {key: float(np.mean([each[key] for each in told])) for key in SHOWN}

    return of


def main() -> None:
    """Fit every line on every split, then judge them on the same draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="home of a service that took its deliveries")
    parser.add_argument("--as-of", type=dt.date.fromisoformat, required=True, help="what became known later is not read")
    parser.add_argument("--seeds", default="1,2", help="seeds of each line, averaged")
    parser.add_argument("--only", default="", help="lines that hold these words; this version is always there")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    seeds = [int(seed) for seed in asked.seeds.split(",")]
    service = open_service(Settings(home=asked.home))
    with service.warehouse() as warehouse:
        rows = training_rows(warehouse, asked.as_of, service.rules.invariants, service.time_zone)
    rows = rows.with_columns(inside=pl.concat_str("session_id", pl.col("as_of").cast(pl.String), separator="/"))
    kept = splits(rows.select("learner_id", "session_id", "as_of", "inside", "label", *LEARNT))
    for name, (past, later) in kept.items():
        teach, judge = (f"{part.height:,} rows, {int(part['label'].sum()):,} of leavers" for part in (past, later))
        print(f"{name:8} {teach}, teach; {judge}, are judged", flush=True)
    parts = [later for _, later in kept.values()]
    person = codes(pl.concat([part["learner_id"] for part in parts]))
    found: dict[str, list[list[Floats]]] = {}
    with suppress(KeyboardInterrupt):
        for line, learner in lines().items():
            if line == WHOLE or asked.only in line:
                start = time.perf_counter()
                found[line] = [[learner(past, later, seed, asked.threads) for seed in seeds] for past, later in kept.values()]
                print(f"{line}: {time.perf_counter() - start:.0f} s", flush=True)
    told_of = {line: judged(parts, [np.mean(split, axis=0) for split in scores]) for line, scores in found.items()}
    figures, differences = with_intervals(told_of, person)
    once = np.ones(len(person))
    seeds_apart = [judged(parts, [split[turn] for split in found[WHOLE]])(once) for turn in range(len(seeds))]
    print(f"\n{'':46}" + "".join(f"{key:>28}" for key in SHOWN))
    for line in found:
        values = dict(figures.filter(contender=line).select("metric", "value").iter_rows())
        print(f"{line:46}" + "".join(f"{values[key]:>28.4f}" for key in SHOWN))
    print(f"{'another seed makes up to':46}" + "".join(f"{np.ptp([one[key] for one in seeds_apart]):>28.4f}" for key in SHOWN))
    print("\nthis version less the line")
    for line in list(found)[1:]:
        by = {row["metric"]: row for row in differences.filter(rival=line).iter_rows(named=True)}
        print(f"{line:46}" + "".join(f"{by[key]['difference']:>+11.4f} [{by[key]['low']:+.4f}, {by[key]['high']:+.4f}]" for key in SHOWN))


if __name__ == "__main__":
    main()
