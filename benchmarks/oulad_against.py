"""Vigie's scores beside the reference of 118 columns, learner by learner: the same rows, the same bootstraps.

Prints the figures of both and their paired differences, AUC by four weeks of course, and what was expected and observed in ten bands.

usage: python benchmarks/oulad_against.py SCORES SOURCE RULER [--boot 200]

SCORES are the scores of the nights of 2014B, as `benchmarks/oulad.py` leaves them; the reference learns on 2013 and scores the same nights.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import oulad_reference as reference
import polars as pl
from sklearn.metrics import roc_auc_score
from told import compare_told

from models.bands import bands

START = dt.date(2014, 2, 1)
FIRST_DAY = 14
FIGURES = ("AUC", "AUC inside", "AP", "P@10%", "R@10%", "ECE")
WEEKS = 4
PERIOD_WEEKS = 12


def ruler(path: Path) -> Any:  # noqa: ANN401 - a module
    """The project's ruler, loaded from its file."""
    spec = importlib.util.spec_from_file_location("oulad_metrics", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Score with the reference, and print both sets of figures and their paired differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores")
    parser.add_argument("source", type=Path)
    parser.add_argument("ruler", type=Path)
    parser.add_argument("--boot", type=int, default=200)
    arguments = parser.parse_args()
    judge = ruler(arguments.ruler)
    rows = reference.rows(arguments.source, ("2013B", "2013J", "2014B"))
    judged = pl.col("enrolment_id").str.contains("-2014B-", literal=True)
    test = rows.filter(judged & (pl.col("t") >= FIRST_DAY))
    table = test.select("enrolment_id", "id_student", "group", "y", as_of=pl.lit(START) + pl.duration(days=pl.col("t").cast(pl.Int64)))
    table = table.with_columns(reference=pl.Series(reference.fit_and_score(rows.filter(~judged), test)))
    scores = pl.read_parquet(arguments.scores).select("as_of", "enrolment_id", "alike", vigie="risk")
    table = table.join(scores, on=["as_of", "enrolment_id"], how="left").with_columns(pl.col("vigie").fill_null(0.0))
    weeks = (pl.col("as_of") - START).dt.total_days() // (7 * WEEKS) * WEEKS
    table = table.with_columns(week=weeks).sort("week", "as_of", "enrolment_id")
    random, people = np.random.default_rng(0), table["id_student"].unique().sort()

    def of(part: pl.DataFrame) -> dict[str, tuple[float, float]]:
        mine, theirs = (judge.figures(part.with_columns(risk=name)) for name in ("vigie", "reference"))
        found = {name: (mine[name], theirs[name]) for name in FIGURES}
        for (week,), rows in part.group_by("week", maintain_order=True):
            found[f"week {week}"] = (roc_auc_score(rows["y"], rows["vigie"]), roc_auc_score(rows["y"], rows["reference"]))
        return found

    drawn = []
    for _ in range(arguments.boot):
        again = pl.DataFrame({"id_student": people.gather(random.integers(0, len(people), len(people)))})
        drawn.append({name: mine - theirs for name, (mine, theirs) in of(again.join(table, on="id_student")).items()})
    print(f"{table.height:,} rows, {int(table['y'].sum()):,} of leavers\n{'':12}{'Vigie':>9}{'reference':>11}{'difference':>12}   95 %")
    for name, (mine, theirs) in of(table).items():
        low, high = np.percentile([one[name] for one in drawn], [2.5, 97.5]) if drawn else (np.nan, np.nan)
        print(f"{name:12}{mine:9.4f}{theirs:11.4f}{mine - theirs:+12.4f}   [{low:+.4f}, {high:+.4f}]")
    alike = bands(table.select("enrolment_id", risk="vigie", label=pl.col("y").cast(pl.Float64)), alike_in="rows")
    for band in alike.iter_rows(named=True):
        told = "band to {to_risk:.4f}: expected {expected:.4f}, observed {observed:.4f} [{low:.4f}, {high:.4f}]".format(**band)
        print(told if band["low"] <= band["expected"] <= band["high"] else f"{told}   outside")
    session = table["enrolment_id"].str.extract(r"^(.*)-[^-]*$")
    rows = table.with_columns(session=session, risk="vigie", label=pl.col("y").cast(pl.Float64))
    compare_told(rows, "session", pl.col("week") // PERIOD_WEEKS)


if __name__ == "__main__":
    main()
