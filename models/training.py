"""Train, calibrate, and refit on all that is known."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import numpy as np
import polars as pl

from features.catalogue import FEATURES
from models.bands import bands, windows
from models.blocks import MIN_DROPOUTS, cut, expanding
from models.calibration import UNCALIBRATED, Calibration, by_group, calibrate, centred, chosen
from models.evaluation.measures import figures
from models.labels import HORIZONS, within
from models.landmarks import training_rows
from models.learner import LEARNT, Beside, Model, fit
from models.positive import taught
from vigie.errors import NoModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.blocks import Blocks
    from models.positive import Positive
    from vigie.arrays import Floats
    from vigie.rules import Invariants
    from vigie.store import Warehouse


WITHOUT_CONTACTS: Final = tuple(name for name in LEARNT if FEATURES[name].group != "contacts")
"""A contact made because risk was high lowers the outcome: what the service did must not be all that the model knows."""


@dataclass(frozen=True)
class Trained:
    """A model with all that is needed to judge it."""

    model: Model
    figures: dict[str, dict[str, float]]
    """Figures on the test block of `model`, its twin, and of `without_contacts`; `models.judging` sets it beside its baselines."""
    blocks: pl.DataFrame
    """block, first, last (landmarks), rows, dropouts."""
    fingerprint: str
    """SHA-256 of the landmark rows."""
    test: pl.DataFrame
    """as_of, learner_id, label, risk, without_contacts (risk by the recipe without contacts) on the test block."""
    importance: pl.DataFrame
    """feature, gain."""
    calibration: pl.DataFrame
    """method, fold, log_loss: what the shape of the calibration was chosen by."""
    bands: pl.DataFrame
    """What became of people whose risk was alike, on rows later than the models that gave it: see `models.bands`."""
    groups: pl.DataFrame
    """group, value, rows, dropouts, expected, observed, low, high: calibration by week of course, size of provider and support on the
    same rows; by horizon, of the twin on the test block."""
    twin: Model
    """The model the figures belong to: the same recipe, fitted and calibrated on the first two blocks alone."""
    rows: pl.DataFrame
    """Every landmark row, with `label`."""
    positive: Positive
    """What was taught of exits that succeeded, and how it did on the test block."""


def train(
    warehouse: Warehouse,
    as_of: dt.date,
    rules: Invariants,
    time_zone: str,
    *,
    threads: int = 2,
    on_step: Callable[[str], None] = lambda _: None,
    weights: pl.DataFrame | None = None,
) -> Trained:
    """Train on what was known at the end of `as_of`.

    The figures belong to a model fitted on the oldest block alone and calibrated on the next; the model handed out is refitted on every
    landmark with the same settings. The shape of its calibration is chosen and fitted on what models fitted on the past alone said of each
    later fold; its level is the long-run rate.

    Args:
        warehouse: open.
        as_of: what became known later is not used.
        rules: of the service.
        time_zone: in which as-of dates end.
        threads: how many LightGBM may use.
        on_step: told what begins.
        weights: enrolment_id, since, until, weight: learners whose rows of these dates weigh more or less, such as while an arm holds
            them out; the largest where several hold, 1 for all other rows.

    Raises:
        NoDataError: too little history or too few dropouts.
    """
    on_step("landmark rows")
    rows = learnt_rows(warehouse, as_of, rules, time_zone, weights)
    blocks = cut(rows, rules.horizon_days)
    on_step(f"judging on {blocks.test.height:,} later rows")
    early = Model(fit(blocks.train, later=blocks.calibration, threads=threads), UNCALIBRATED, as_of.isoformat(), rules.horizon_days)
    calibration = calibrate(early.margins(blocks.calibration, threads), blocks.calibration["label"].to_numpy())
    twin = Model(early.booster, calibration, as_of.isoformat(), rules.horizon_days)
    risk = calibration.risk(early.margins(blocks.test, threads))
    rounds = early.booster.num_trees()
    on_step(f"fitting on all {rows.height:,} rows")
    later = _out_of_time(rows, early, blocks.train, rules, threads)
    shape, choice = chosen(later)
    booster = fit(rows, rounds=rounds, threads=threads)
    margins = Model(booster, UNCALIBRATED, as_of.isoformat(), rules.horizon_days).margins(rows, threads)
    # Seasons differ, and a year is short: the level is that of all that is known, not of its last months.
    final = centred(margins, rows["label"].to_numpy(), shape)
    told = _told(later, shape)
    apart = _without_contacts(blocks.train, blocks.test, rounds, threads)
    positive = taught(blocks, rows, threads)
    beside = Beside(_horizons(rows, margins, later, rules.horizon_days), positive.booster, positive.calibration, windows(told).to_dicts())
    model = Model(booster, final, as_of.isoformat(), rules.horizon_days, beside)
    gain = pl.DataFrame({"feature": model.columns, "gain": model.booster.feature_importance("gain")}).sort("gain", descending=True)
    sizes = [
        (name, block["as_of"].min(), block["as_of"].max(), block.height, int(block["label"].sum()))
        for name, block in (("train", blocks.train), ("calibration", blocks.calibration), ("test", blocks.test), ("all", rows))
    ]
    schema = {"block": pl.String, "first": pl.Date, "last": pl.Date, "rows": pl.Int64, "dropouts": pl.Int64}
    return Trained(
        model,
        {
            "model": figures(blocks.test, risk, probability=True),
            "without_contacts": figures(blocks.test, apart, probability=True),
        },
        pl.DataFrame(sizes, schema=schema, orient="row"),
        fingerprint(rows),
        blocks.test.select("as_of", "learner_id", "label", risk=pl.Series(risk), without_contacts=pl.Series(apart)),
        gain,
        choice,
        bands(told),
        by_group(told, _judged_by_horizon(early, blocks, threads)),
        twin,
        rows,
        positive,
    )


def learnt_rows(
    warehouse: Warehouse, as_of: dt.date, rules: Invariants, time_zone: str, weights: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Every landmark row known at the end of `as_of`, with `label`, and with `weight` where rows weigh more or less; see `train`.

    Raises:
        NoDataError: as from `models.landmarks.training_rows`.
    """
    rows = training_rows(warehouse, as_of, rules, time_zone)
    if weights is None or weights.is_empty():
        return rows
    heaviest = weighed(rows, weights).group_by("as_of", "enrolment_id").agg(pl.col("weight").max())
    both = rows.join(heaviest, on=["as_of", "enrolment_id"], how="left", maintain_order="left")
    return both.with_columns(pl.col("weight").fill_null(1.0))


def weighed(rows: pl.DataFrame, weights: pl.DataFrame) -> pl.DataFrame:
    """as_of, enrolment_id of each row that falls between since and until of one of the weights, with whatever else these say."""
    named = rows.select("as_of", "enrolment_id").join(weights, on="enrolment_id")
    return named.filter(pl.col("as_of").is_between("since", "until"))


_LATER: Final = ("as_of", "enrolment_id", "session_id", "provider_id", "course_day", "label", "days_to_exit", "exit_reason")


def _out_of_time(rows: pl.DataFrame, early: Model, taught: pl.DataFrame, rules: Invariants, threads: int) -> list[pl.DataFrame]:
    """Rows of each later fold with the margin of a model fitted on its past alone: `early`, where `taught` is that past."""
    folds, rounds = [], early.booster.num_trees()
    for past, later in expanding(rows, rules.horizon_days):
        again = past.height != taught.height
        then = Model(fit(past, rounds=rounds, threads=threads), UNCALIBRATED, "", rules.horizon_days) if again else early
        kept = later.select(*_LATER, *(["weight"] if "weight" in later.columns else []))
        folds.append(kept.with_columns(margin=pl.Series(then.margins(later, threads))))
    return folds


def _told(later: list[pl.DataFrame], shape: Calibration) -> pl.DataFrame:
    """Rows of the later folds with the risk of their margin, at their long-run rate: two or three numbers are fitted on all of them.

    A level for each fold, from the others, would be that of models which had seen half a year: the one that serves has seen all of it.
    """
    rows = pl.concat([fold.with_columns(fold=pl.lit(number, pl.Int64)) for number, fold in enumerate(later)])
    margin, label = rows["margin"].to_numpy(), rows["label"].to_numpy()
    return rows.with_columns(risk=pl.Series(centred(margin, label, shape).risk(margin)))


def _horizons(rows: pl.DataFrame, margins: Floats, later: list[pl.DataFrame], main: int) -> dict[int, Calibration]:
    """The same margin calibrated on the other horizons, each on the landmarks whose longer horizon was over."""
    found = {}
    newest = cast("dt.date", rows["as_of"].max())
    everything = rows.select("as_of", "days_to_exit", "exit_reason").with_columns(margin=pl.Series(margins))
    for days in HORIZONS:
        if days == main:
            continue
        over = _over(newest, days, main)
        folds = [fold.filter(over).select("enrolment_id", "margin", label=within(days)) for fold in later]
        known = everything.filter(over).select("margin", label=within(days))
        folds = [fold for fold in folds if fold["label"].sum() >= MIN_DROPOUTS]
        if folds:
            try:
                shape, _ = chosen(folds)
            except NoModelError:
                # At this horizon alone the margin ranks nobody: the risk within it is not told, and no reason to end the training.
                continue
            found[days] = centred(known["margin"].to_numpy(), known["label"].to_numpy(), shape)
    return found


def _over(newest: dt.date, days: int, main: int) -> pl.Expr:
    """True of landmarks whose horizon of `days` was over when that of the newest one was."""
    return pl.col("as_of") <= newest - dt.timedelta(days=days - main)


def _judged_by_horizon(early: Model, blocks: Blocks, threads: int) -> dict[int, pl.DataFrame]:
    """enrolment_id, risk and label of the test block by horizon: the twin's margin, calibrated for each horizon on the block before.

    The label of a horizon that was not over by the end of its block is left out, so that nothing the test block tells is fitted on.
    """
    found = {}
    margins = {name: early.margins(block, threads) for name, block in (("before", blocks.calibration), ("after", blocks.test))}
    for days in HORIZONS:
        parts = {}
        for name, block in (("before", blocks.calibration), ("after", blocks.test)):
            newest = cast("dt.date", block["as_of"].max())
            told = block.select("as_of", "enrolment_id", "days_to_exit", "exit_reason").with_columns(margin=pl.Series(margins[name]))
            parts[name] = told.filter(_over(newest, days, early.horizon_days)).select("enrolment_id", "margin", label=within(days))
        if min(part["label"].sum() for part in parts.values()) < MIN_DROPOUTS:
            continue
        try:
            calibration = calibrate(*(parts["before"][name].to_numpy() for name in ("margin", "label")))
        except NoModelError:
            # At this horizon alone the margin ranks nobody: there is nothing to judge, and no reason to end the training.
            continue
        risk = calibration.risk(parts["after"]["margin"].to_numpy())
        found[days] = parts["after"].select("enrolment_id", "label", risk=pl.Series(risk))
    return found


def _without_contacts(past: pl.DataFrame, test: pl.DataFrame, rounds: int, threads: int) -> Floats:
    """Risk on the test block by the same recipe without what the service did, not calibrated."""
    booster = fit(past, rounds=rounds, threads=threads, columns=WITHOUT_CONTACTS)
    return np.asarray(booster.predict(test.select(WITHOUT_CONTACTS).to_numpy(order="c"), num_threads=threads), dtype=np.float64)


def fingerprint(rows: pl.DataFrame) -> str:
    """SHA-256 of the keys, features and labels of landmark rows, in their order."""
    digest = hashlib.sha256()
    for name in ("as_of", "enrolment_id", *FEATURES, "label"):
        digest.update(name.encode())
        column = rows[name]
        texts = [] if column.dtype == pl.Float64 else [text.encode() for text in column.cast(pl.String)]
        values = np.array(texts, dtype="S64") if texts else column.to_numpy()
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
