"""What tuning LightGBM by Optuna brings: settings chosen inside earlier time folds, judged once on the last one, beside those in use.

usage: python benchmarks/tuning.py --home <home of a service> --as-of 2014-07-31 --trials 30

Folds are those that `vigie train` calibrates on: each is scored by a model fitted on its past alone, one horizon before. The last fold
chooses nothing. There the settings in use and the best ones are fitted with several seeds each: a difference below what a seed makes
says nothing. Nothing is changed: settings live in `models/learner.py`. Ctrl-C ends the search and judges what was found.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import optuna
import polars as pl

from models.blocks import expanding
from models.evaluation.measures import figures
from models.landmarks import training_rows
from models.learner import LEARNT, PARAMETERS, SEED, fit
from models.strata import STRATUM
from pipelines.service import open_service
from vigie.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    Fold = tuple[pl.DataFrame, pl.DataFrame]

SEEDS: Final = (1, 2, 3)
SHOWN: Final = ("auc", "inside", "average_precision", "recall_at_top")
IN_USE: Final = {
    name: PARAMETERS[name]
    for name in ("learning_rate", "num_leaves", "max_depth", "min_data_in_leaf", "feature_fraction", "bagging_fraction", "lambda_l2")
}


def main() -> None:
    """Search on the earlier folds, judge on the last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True, help="home of a service that took its deliveries")
    parser.add_argument("--as-of", type=dt.date.fromisoformat, required=True, help="what became known later is not read")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument(
        "--rounds",
        type=int,
        default=400,
        help="trees of the settings in use; the search takes .4 to 2.25 times as many",
    )
    parser.add_argument("--figure", choices=SHOWN, default="average_precision", help="what is sought; inside: within session and night")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    service = open_service(Settings(home=asked.home))
    rules = service.rules.invariants
    with service.warehouse() as warehouse:
        rows = training_rows(warehouse, asked.as_of, rules, service.time_zone)
    rows = rows.with_columns(inside=pl.concat_str("session_id", pl.col("as_of").cast(pl.String), separator="/"))
    *earlier, last = expanding(rows.select(*LEARNT, *STRATUM, "label", "inside"), rules.horizon_days)
    print(f"{rows.height:,} landmark rows, {len(earlier)} folds to choose by, {last[1].height:,} rows to judge on", flush=True)
    best, rounds = searched(earlier, asked.figure, asked.trials, asked.rounds, asked.threads)
    print(f"\nbest: {rounds} rounds, {best}\n\non the last fold, seeds {SEEDS}: mean (largest less smallest)", flush=True)
    for name, settings, trees in (("in use", IN_USE, asked.rounds), ("best found", best, rounds)):
        told = [judged(last, {**settings, "seed": seed}, trees, asked.threads) for seed in SEEDS]
        means = (f"{key} {np.mean([one[key] for one in told]):.4f} ({np.ptp([one[key] for one in told]):.4f})" for key in SHOWN)
        print(f"{name:12}{'  '.join(means)}", flush=True)


def searched(folds: Sequence[Fold], figure: str, trials: int, rounds: int, threads: int) -> tuple[dict[str, Any], int]:
    """The settings and the number of trees with the highest mean of a figure over folds; the settings in use are the first trial."""

    def trial_of(trial: optuna.Trial) -> float:
        settings = {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.08, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 6, 31),
            # Explaining grows with depth: deeper is not wanted, whatever it brings.
            "max_depth": trial.suggest_int("max_depth", 3, 6),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 30, 500, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.1, 0.8),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.3, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 0.1, 200, log=True),
        }
        trees = trial.suggest_int("rounds", rounds * 2 // 5, rounds * 9 // 4)
        told = [judged(fold, {**settings, "seed": SEED}, trees, threads) for fold in folds]
        for key in SHOWN:
            trial.set_user_attr(key, float(np.mean([one[key] for one in told])))
        return float(trial.user_attrs[figure])

    def tell(_: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        kept = "  ".join(f"{key} {trial.user_attrs[key]:.4f}" for key in SHOWN)
        print(f"{trial.number:4}  {kept}  {trial.params}", flush=True)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED, n_startup_trials=8))
    study.enqueue_trial({**IN_USE, "rounds": rounds})
    try:
        study.optimize(trial_of, n_trials=trials, callbacks=[tell])
    except KeyboardInterrupt:
        if not any(trial.state.is_finished() and trial.value is not None for trial in study.trials):
            sys.exit("Stopped before the first trial ended: nothing was found.")
        print("stopped", flush=True)
    found = dict(study.best_params)
    return found, int(found.pop("rounds"))


def judged(fold: Fold, settings: dict[str, Any], rounds: int, threads: int) -> dict[str, float]:
    """Figures on a fold's later rows of a model fitted on its past."""
    past, later = fold
    booster = fit(past, rounds=rounds, threads=threads, parameters=settings)
    score = np.asarray(booster.predict(later.select(LEARNT).to_numpy(order="c"), raw_score=True, num_threads=threads), dtype=np.float64)
    inside = figures(later, score, probability=False, within="inside")["auc_within_night"]
    return {**figures(later, score, probability=False), "inside": inside}


if __name__ == "__main__":
    main()
