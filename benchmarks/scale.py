"""Seconds and peak memory of each step of a night, beside floors measured in the same run, on the same files and rows.

usage: python benchmarks/scale.py --learners 100000

A simulated territory in which about LEARNERS people are in training on the night (simulated data). The night runs in one process, as it
does in service, its imports counted; each floor runs in a process of its own. Floors: DuckDB reading the very files that landed, a plain
polars aggregation of the attendance (counts by status in three windows), LightGBM's predict and its contributions on the ready matrix.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import resource
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

TRAINING_FIRST, FIRST, NIGHT = dt.date(2024, 9, 2), dt.date(2025, 6, 2), dt.date(2025, 9, 30)
TRAIN_LEARNERS = 8_000
ENROL_FOR_ONE = 1.55
"""Enrolments of the four months simulated for one that is in training on the last night."""


def _measured(step: Callable[..., object], arguments: tuple[object, ...]) -> tuple[float, float, object]:
    start = time.perf_counter()
    result = step(*arguments)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, result


def apart(step: Callable[..., object], *arguments: object) -> tuple[float, float, object]:
    """Seconds, peak GiB and result of a step run in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, step, arguments).result()


def _service(home: Path) -> Any:  # noqa: ANN401 - a Service, imported late so that each step pays for its own imports
    from pipelines.service import open_service
    from vigie.settings import Settings

    return open_service(Settings(home=home))


def simulate_into(home: Path, learners: int, first: dt.date) -> int:
    """Write deliveries; how many rows."""
    from data_contracts.simulator import simulate, write_deliveries

    simulation = simulate(learners, 3, first, NIGHT)
    write_deliveries(simulation, home / "landing")
    return sum(table.height for table in simulation.tables.values())


def train_on(home: Path) -> str:
    """Train on a smaller territory; the model's version."""
    from pipelines.serving import train_model
    from pipelines.steps import take_deliveries

    service = _service(home)
    take_deliveries(service)
    return train_model(service, NIGHT, reason="A benchmark of speed.").version


def night(home: Path) -> dict[str, Any]:
    """A whole night as it runs, in one process: people scored, and for each step its seconds and peak GiB."""
    from pipelines.steps import run_night

    peaks: dict[str, float] = {}

    def run(name: str, step: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the step gives
        # Linux: the high-water mark of this process starts anew.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        result = step()
        status = Path("/proc/self/status").read_text(encoding="ascii")
        peaks[name] = int(status.split("VmHWM:")[1].split()[0]) / 2**20
        return result

    account = run_night(_service(home), NIGHT, run)
    return {"people": account["enrolments_scored"], "steps": {name: (taken, peaks[name]) for name, taken in account["seconds"].items()}}


def floor_read(home: Path) -> int:
    """DuckDB reads every file that landed into a table in memory."""
    import duckdb

    rows = 0
    connection = duckdb.connect(config={"threads": 2})
    for folder in sorted((home / "landing").iterdir()):
        for ending, reader in (("parquet", "read_parquet"), ("csv", "read_csv")):
            if list(folder.glob(f"*.{ending}")):
                name = f'"{folder.name}"'
                connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {reader}('{folder}/*.{ending}')").fetchall()  # noqa: S608 - our paths
                rows += connection.execute(f"SELECT count(*) FROM {name}").fetchall()[0][0]  # noqa: S608 - our own table
    return rows


def floor_aggregate(home: Path) -> int:
    """Counts of attendance by status and window, by enrolment, straight from the files."""
    import polars as pl

    ago = (pl.lit(NIGHT) - pl.col("date")).dt.total_days()
    counts = [
        ((ago < days) & (pl.col("status") == status)).sum().alias(f"{status}_{days}")
        for days in (7, 14, 28)
        for status in ("present", "late", "left_early", "absent_unjustified", "absent_justified", "not_recorded")
    ]
    frame = pl.scan_parquet(home / "landing" / "attendance" / "*.parquet").group_by("enrolment_id").agg(counts)
    return frame.collect(engine="streaming").height


def ready(home: Path) -> tuple[Any, Any]:
    """The booster and its ready matrix."""
    import polars as pl

    from models.registry import model_for

    model = model_for(_service(home).home, NIGHT)
    matrix = pl.read_parquet(_service(home).home.out(NIGHT) / "features.parquet").select(model.columns).to_numpy(order="c")
    return model.booster, matrix


def floor_predict(home: Path) -> float:
    """Seconds of LightGBM's predict alone."""
    booster, matrix = ready(home)
    start = time.perf_counter()
    booster.predict(matrix, num_threads=2)
    return time.perf_counter() - start


def floor_contributions(home: Path) -> float:
    """Seconds of LightGBM's contributions alone."""
    booster, matrix = ready(home)
    start = time.perf_counter()
    booster.predict(matrix, pred_contrib=True, num_threads=2)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", type=int, default=10_000, help="people in training on the night, about")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "vigie-scale")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    home: Path = arguments.home
    small = home.with_name(home.name + "-training")
    for folder in (home, small):
        shutil.rmtree(folder, ignore_errors=True)
    simulate_into(small, TRAIN_LEARNERS, TRAINING_FIRST)
    seconds, _, version = apart(train_on, small)
    print(f"model {version}, trained on {TRAIN_LEARNERS:,} simulated learners in {seconds:.0f} s")
    seconds, memory, rows = apart(simulate_into, home, int(arguments.learners * ENROL_FOR_ONE), FIRST)
    print(f"{rows:,} simulated rows delivered in {seconds:.0f} s, {memory:.1f} GiB\n")
    for name in ("models", "mlruns"):
        shutil.copytree(small / name, home / name)
    shutil.copy(small / "mlflow.db", home / "mlflow.db")
    whole, _, told = apart(night, home)
    steps = told["steps"]
    floors = {name: apart(step, home) for name, step in (("read", floor_read), ("aggregate", floor_aggregate))}
    for name, step in (("predict", floor_predict), ("contributions", floor_contributions)):
        _, memory, alone = apart(step, home)
        floors[name] = (float(str(alone)), memory, "")
    print(f"{told['people']:,} people in training\n")
    print(f"{'step of the night':24}{'seconds':>10}{'peak GiB':>10}")
    for name, (seconds, memory) in steps.items():
        print(f"{name:24}{seconds:10.1f}{memory:10.1f}")
    print(f"\n{'floor':24}{'seconds':>10}{'peak GiB':>10}")
    for name, (seconds, memory, _) in floors.items():
        print(f"{name:24}{seconds:10.1f}{memory:10.1f}")
    floor = sum(part[0] for part in floors.values())
    print(f"\nwhole night {whole:.1f} s, floors {floor:.1f} s: {whole / floor:.2f} times")
    if arguments.json:
        figures = {"people": told["people"], "seconds": whole, "steps": steps, "floors": floors, "ratio": whole / floor}
        arguments.json.write_text(json.dumps(figures, indent=2, default=str) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
