"""Train, calibrate, judge beside the baselines, and refit on all that is known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from features.catalogue import FEATURES
from models.baselines import days_silent, logistic, rule_score, session_risk
from models.blocks import cut, expanding
from models.evaluation import figures
from models.landmarks import training_rows
from models.learner import UNCALIBRATED, Calibration, Model, calibrate, centred, fit

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from numpy.typing import NDArray

    from vigie.rules import Invariants
    from vigie.store import Warehouse


@dataclass(frozen=True)
class Trained:
    """A model with all that is needed to judge it."""

    model: Model
    figures: dict[str, dict[str, float]]
    """Figures on the test block by contender: `model` and its baselines."""
    blocks: pl.DataFrame
    """block, first, last (landmarks), rows, dropouts."""
    fingerprint: str
    """SHA-256 of the landmark rows."""
    test: pl.DataFrame
    """as_of, label, risk on the test block, for plots."""
    importance: pl.DataFrame
    """feature, gain."""
    twin: Model
    """The model the figures belong to: the same recipe, fitted and calibrated on the first two blocks alone."""
    rows: pl.DataFrame
    """Every landmark row, with `label`."""


def train(
    warehouse: Warehouse,
    as_of: dt.date,
    rules: Invariants,
    time_zone: str,
    *,
    threads: int = 2,
    on_step: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train on what was known at the end of `as_of`.

    The figures belong to a model fitted on the oldest block alone and calibrated on the next; the model handed out is refitted on every
    landmark with the same settings. Its slope is calibrated on what models fitted on the past alone said of each later fold; its level is
    the long-run rate.

    Raises:
        NoDataError: too little history or too few dropouts.
    """
    on_step("landmark rows")
    rows = training_rows(warehouse, as_of, rules, time_zone)
    blocks = cut(rows, rules.horizon_days)
    on_step(f"judging on {blocks.test.height:,} later rows")
    early = Model(fit(blocks.train, later=blocks.calibration, threads=threads), UNCALIBRATED, as_of.isoformat(), rules.horizon_days)
    calibration = calibrate(early.margins(blocks.calibration, threads), blocks.calibration["label"].to_numpy())
    twin = Model(early.booster, calibration, as_of.isoformat(), rules.horizon_days)
    risk = calibration.risk(early.margins(blocks.test, threads))
    on_step(f"fitting on all {rows.height:,} rows")
    rounds = early.booster.num_trees()
    slope = _out_of_time_calibration(rows, rounds, as_of, rules, threads).slope
    plain = Model(fit(rows, rounds=rounds, threads=threads), UNCALIBRATED, as_of.isoformat(), rules.horizon_days)
    # Seasons differ, and a year is short: the level is that of all that is known, not of its last months.
    final = centred(plain.margins(rows, threads), rows["label"].to_numpy(), slope)
    model = Model(plain.booster, final, as_of.isoformat(), rules.horizon_days)
    gain = pl.DataFrame({"feature": model.columns, "gain": model.booster.feature_importance("gain")}).sort("gain", descending=True)
    sizes = [
        (name, block["as_of"].min(), block["as_of"].max(), block.height, int(block["label"].sum()))
        for name, block in (("train", blocks.train), ("calibration", blocks.calibration), ("test", blocks.test), ("all", rows))
    ]
    schema = {"block": pl.String, "first": pl.Date, "last": pl.Date, "rows": pl.Int64, "dropouts": pl.Int64}
    return Trained(
        model,
        {"model": figures(blocks.test, risk, probability=True), **_baselines(blocks.train, blocks.test, rules)},
        pl.DataFrame(sizes, schema=schema, orient="row"),
        fingerprint(rows),
        blocks.test.select("as_of", "label", risk=pl.Series(risk)),
        gain,
        twin,
        rows,
    )


def _out_of_time_calibration(rows: pl.DataFrame, rounds: int, as_of: dt.date, rules: Invariants, threads: int) -> Calibration:
    margins, labels = [], []
    for past, later in expanding(rows, rules.horizon_days):
        then = Model(fit(past, rounds=rounds, threads=threads), UNCALIBRATED, as_of.isoformat(), rules.horizon_days)
        margins.append(then.margins(later, threads))
        labels.append(later["label"].to_numpy())
    return calibrate(np.concatenate(margins), np.concatenate(labels))


def _baselines(train_block: pl.DataFrame, test: pl.DataFrame, rules: Invariants) -> dict[str, dict[str, float]]:
    def of(score: pl.Expr, *, probability: bool) -> dict[str, float]:
        return figures(test, _column(test, score), probability=probability)

    return {
        "attendance_rule": of(rule_score(), probability=False),
        "days_silent": of(days_silent(), probability=False),
        "session_rate": of(session_risk(rules.horizon_days), probability=True),
        "logistic": figures(test, logistic(train_block, test), probability=True),
    }


def _column(rows: pl.DataFrame, expr: pl.Expr) -> NDArray[np.float64]:
    return np.asarray(rows.select(expr.cast(pl.Float64).alias("score"))["score"].to_numpy(), dtype=np.float64)


def fingerprint(rows: pl.DataFrame) -> str:
    """SHA-256 of the keys, features and labels of landmark rows, in their order."""
    digest = hashlib.sha256()
    for name in ("as_of", "enrolment_id", *FEATURES, "label"):
        digest.update(name.encode())
        column = rows[name]
        values = column.to_numpy() if column.dtype == pl.Float64 else np.array(column.cast(pl.String).to_list(), dtype="S64")
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
