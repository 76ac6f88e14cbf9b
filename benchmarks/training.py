"""Seconds and peak memory of `vigie train` on territories of several sizes, beside floors measured in the same run, and how they grow.

usage: python benchmarks/training.py [--learners 10000,100000]

Simulated data: so many people enrol over fourteen months; every seventh night is a landmark. `vigie train` runs as a process of its own.
Floors, each in a process of its own: DuckDB reading the very files that landed, and one fit by LightGBM of the same rows, columns and
trees, the rows ready in memory. Processor seconds stand beside those of the clock: on a machine shared with others, compare those.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from scale import apart, floor_read

from pipelines.service import open_service
from vigie.settings import Settings

FIRST, LAST = dt.date(2024, 9, 2), dt.date(2025, 10, 31)
VIGIE = str(Path(sys.executable).parent / "vigie")
SEED = 3


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    seconds: float
    processor: float
    """Seconds of all its threads together."""
    gib: float


def main() -> None:
    """Measure each size, then how the largest grew from the smallest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", default="10000,100000", help="sizes, in ascending order")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "vigie-training")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    asked = parser.parse_args()
    found: list[dict[str, Any]] = []
    for learners in (int(size) for size in asked.learners.split(",")):
        home: Path = asked.home / str(learners)
        shutil.rmtree(home, ignore_errors=True)
        delivered = _deliver(home, learners)
        print(f"\n{learners:,} simulated learners, {delivered:,} rows delivered", flush=True)
        train, steps = _train(home)
        print(f"vigie train: {train.seconds:.1f} s, {train.processor:.1f} s of processor, {train.gib:.2f} GiB", flush=True)
        rows, floors = _floors(home)
        least = sum(floor.processor for floor in floors.values())
        print(f"{'':24}{'seconds':>10}{'processor':>11}{'peak GiB':>10}")
        for name, cost in {"vigie train": train, **floors}.items():
            print(f"{name:24}{cost.seconds:10.1f}{cost.processor:11.1f}{cost.gib:10.2f}")
        print(f"{rows:,} landmark rows; vigie train takes {train.processor / least:.1f} times its floors")
        print("by step, seconds of the clock: " + ", ".join(f"{name} {seconds:.0f}" for name, seconds in steps.items()), flush=True)
        found.append(
            {
                "learners": learners,
                "rows": rows,
                "train": asdict(train),
                "floors": {name: asdict(cost) for name, cost in floors.items()},
                "steps": steps,
            }
        )
        shutil.rmtree(home)
    small, large = found[0], found[-1]
    if large is not small:
        print(f"\nFrom {small['learners']:,} to {large['learners']:,} learners: rows x {large['rows'] / small['rows']:.1f}", end="")
        for what in ("seconds", "processor", "gib"):
            print(f", {what} x {large['train'][what] / small['train'][what]:.1f}", end="")
        fits = [one["floors"]["one fit"]["processor"] for one in (small, large)]
        print(f"; one fit x {fits[1] / fits[0]:.1f}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _deliver(home: Path, learners: int) -> int:
    _, _, rows = apart(_simulated, home, learners)
    _run(["ingest", "--home", str(home)])
    return int(str(rows))


def _simulated(home: Path, learners: int) -> int:
    from data_contracts.simulator import simulate, write_deliveries

    simulation = simulate(learners, SEED, FIRST, LAST)
    write_deliveries(simulation, home / "landing")
    return sum(table.height for table in simulation.tables.values())


def _train(home: Path) -> tuple[Cost, dict[str, float]]:
    """The command, and the seconds of each step it tells."""
    return _run(["train", "--home", str(home), "--as-of", LAST.isoformat(), "--reason", "A benchmark of speed."])


def _run(words: list[str]) -> tuple[Cost, dict[str, float]]:
    start = time.perf_counter()
    process = subprocess.Popen([VIGIE, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told = ((time.perf_counter(), line.strip()) for line in process.stdout or ())
    heard = [(at, line.split(": ", 1)[1]) for at, line in told if line.startswith("Training") and ": " in line]
    # Not `process.wait`: this one tells what the process took.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    end = time.perf_counter()
    if process.returncode:
        raise SystemExit(f"vigie {words[0]} ended with {process.returncode}.")
    steps = {name: until - at for (at, name), (until, _) in pairwise([*heard, (end, "")])}
    return Cost(end - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20), steps


def _floors(home: Path) -> tuple[int, dict[str, Cost]]:
    seconds, gib, told = apart(_timed_read, home)
    read = Cost(seconds, float(str(told)), gib)
    _, gib, fitted = apart(_timed_fit, home)
    rows, seconds, processor = json.loads(str(fitted))
    return rows, {"reading the files": read, "one fit": Cost(seconds, processor, gib)}


def _timed_read(home: Path) -> float:
    before = time.process_time()
    floor_read(home)
    return time.process_time() - before


def _timed_fit(home: Path) -> str:
    """Rows, seconds and processor seconds of LightGBM alone on the rows of this training."""
    import lightgbm as lgb

    from models.landmarks import training_rows
    from models.learner import LEARNT, PARAMETERS, SEED
    from models.registry import load, versions

    service = open_service(Settings(home=home))
    with service.warehouse() as warehouse:
        rows = training_rows(warehouse, LAST, service.rules.invariants, service.time_zone)
    trees = load(service.home, next(iter(versions(service.home)))).booster.num_trees()
    matrix, label = rows.select(LEARNT).to_numpy(order="c"), rows["label"].to_numpy()
    start, before = time.perf_counter(), time.process_time()
    lgb.train(PARAMETERS | {"seed": SEED, "num_threads": 2}, lgb.Dataset(matrix, label), num_boost_round=trees)
    return json.dumps([rows.height, time.perf_counter() - start, time.process_time() - before])


if __name__ == "__main__":
    main()
