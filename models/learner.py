"""The gradient-boosted learner and its calibration: plain data, no pickle."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from features.catalogue import FEATURES
from models.calibration import Calibration
from models.strata import Levels
from vigie.errors import NoModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import lightgbm as lgb
    import polars as pl

    from vigie.arrays import Floats

PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.02,
    # Explaining costs 25 to 150 times predicting and grows with depth, while depth hardly pays: shallow trees.
    "num_leaves": 15,
    "max_depth": 5,
    "min_data_in_leaf": 100,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "monotone_constraints_method": "basic",
    "extra_trees": False,
    "deterministic": True,
    # The same trees to the bit as by rows, for a tenth to a quarter less to compute where all is dense.
    "force_col_wise": True,
    "verbose": -1,
}
MOST_ROUNDS: Final = 900
SHARP_ROUNDS: Final = 150
"""Trees that choose each threshold, half of them within strata and half of the level; those after draw it by lot (extremely randomised
trees, Geurts et al. 2006) and so learn less by heart what a session of the past alone had."""
PARTS: Final = 3
"""One tree of so many learns within strata: of half of them the level came off worse on OULAD's 2013 (average precision -.0003)."""
PATIENCE: Final = 300
"""Trees that may bring nothing on later rows before boosting stops: with 75 it stopped on OULAD at 566, where 871 do best; four simulated
territories stop where they did."""
SEED: Final = 20_260_401
LEARNT: Final = tuple(name for name, feature in FEATURES.items() if feature.learnt)
"""Columns of the catalogue the model learns from; rules and rivals read the others."""
SUPPORT: Final = "under usual support"
"""What every risk means: contacts went on as usual, and will. It is not the risk if nobody called (modelling notes, section 2)."""

BOOSTER_FILE: Final = "booster.txt"
POSITIVE_FILE: Final = "positive.txt"
META_FILE: Final = "model.json"


@dataclass(frozen=True)
class Beside:
    """What a model tells beside its main risk."""

    horizons: Mapping[int, Calibration] = field(default_factory=dict)
    """Other horizons, in days, and the calibration of the same margin on each."""
    positive: lgb.Booster | None = None
    """A smaller booster of the exits that succeeded, a job or another course; none where too few were known."""
    positive_calibration: Calibration | None = None
    bands: Sequence[Mapping[str, float]] = ()
    """What became of people whose risk was alike, as of `models.bands.windows`."""


class Model:
    """A booster, the names and order of its columns, its calibration, and what it tells beside."""

    def __init__(
        self, booster: lgb.Booster, calibration: Calibration, trained_as_of: str, horizon_days: int, beside: Beside | None = None
    ) -> None:
        self.booster = booster
        self.calibration = calibration
        self.trained_as_of = trained_as_of
        self.horizon_days = horizon_days
        self.beside = beside or Beside()
        self.columns: list[str] = booster.feature_name()
        self._text = _told(booster)
        self._positive_text = _told(self.beside.positive) if self.beside.positive else ""
        self._registered_as = ""

    @property
    def version(self) -> str:
        """Date and fingerprint of everything a score depends on: the same data and code give the same version.

        Of a model read from its files the fingerprint of these, whatever a later version of Vigie would write.
        """
        return self._registered_as or _version(self._text, self._positive_text, self._meta())

    def _meta(self) -> dict[str, Any]:
        positive = self.beside.positive_calibration
        return {
            "trained_as_of": self.trained_as_of,
            "horizon_days": self.horizon_days,
            "meaning": f"probability of dropout within {self.horizon_days} days, {SUPPORT}",
            "columns": self.columns,
            "calibration": asdict(self.calibration),
            "horizons": {str(days): asdict(calibration) for days, calibration in self.beside.horizons.items()},
            "positive_calibration": asdict(positive) if positive else None,
            "bands": [dict(band) for band in self.beside.bands],
        }

    def risks(self, margin: Floats) -> dict[int, Floats]:
        """Calibrated risk by horizon; a longer horizon never shows less than a shorter one."""
        main = self.calibration.risk(margin)
        told = {self.horizon_days: main}
        for days, calibration in self.beside.horizons.items():
            other = calibration.risk(margin)
            told[days] = np.minimum(other, main) if days < self.horizon_days else np.maximum(other, main)
        return told

    def positive_risk(self, rows: pl.DataFrame, threads: int = 2) -> Floats | None:
        """Probability of leaving for a job or another course within the horizon; None where the model was not taught it."""
        booster, calibration = self.beside.positive, self.beside.positive_calibration
        if booster is None or calibration is None:
            return None
        margin = booster.predict(self._inputs(rows, booster.feature_name()), raw_score=True, num_threads=threads)
        return calibration.risk(np.asarray(margin, dtype=np.float64))

    def margins(self, rows: pl.DataFrame, threads: int = 2) -> Floats:
        """Log-odds before calibration, for rows of the matrix."""
        return np.asarray(self.booster.predict(self._inputs(rows), raw_score=True, num_threads=threads), dtype=np.float64)

    def contributions(self, rows: pl.DataFrame, margin: Floats | None = None) -> Floats:
        """Exact path-dependent TreeSHAP in log-odds (Lundberg et al. 2020): a column per feature, then the base value.

        By WOODELF (Nadel and Wettenstein 2025), which walks each pattern of a tree once instead of each row: several times faster than
        LightGBM's own, and equal to it but for 32-bit rounding, about a millionth of log-odds (a test holds it). Each row's largest
        contribution takes up what rounding left, so that a row adds up to its margin, given where it is at hand.
        """
        import pandas as pd
        from woodelf import WoodelfExplainer

        inputs = self._inputs(rows)
        if not len(inputs):
            return np.empty((0, len(self.columns) + 1))
        # The base value is the same for every row, so one row tells it.
        base = np.asarray(self.booster.predict(inputs[:1], pred_contrib=True), dtype=np.float64)[0, -1]
        shap_values = WoodelfExplainer(self.booster).shap_values(pd.DataFrame(inputs, columns=self.columns), verbose=False)
        values = np.asarray(shap_values, dtype=np.float64)
        rounding = (self.margins(rows) if margin is None else margin) - values.sum(axis=1) - base
        values[np.arange(len(values)), np.abs(values).argmax(axis=1)] += rounding
        return np.column_stack([values, np.full(len(inputs), base)])

    def _inputs(self, rows: pl.DataFrame, columns: Sequence[str] | None = None) -> Floats:
        # By name and in the booster's own order: columns in another order would give other scores without a word.
        wanted = columns or self.columns
        missing = [name for name in wanted if name not in rows.columns]
        if missing:
            what = f"The model reads {', '.join(missing)}, which this version of Vigie does not compute."
            raise NoModelError(what, "Train a new model, or install the version the model was trained with.")
        return rows.select(wanted).to_numpy(order="c")

    def save(self, folder: Path) -> None:
        """Write the boosters as LightGBM's own text and everything else as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BOOSTER_FILE).write_text(self._text, encoding="utf-8")
        if self._positive_text:
            (folder / POSITIVE_FILE).write_text(self._positive_text, encoding="utf-8")
        (folder / META_FILE).write_text(json.dumps(self._meta(), indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, version: str | None = None) -> Model:
        """Read what `save` wrote.

        Args:
            folder: where it lies.
            version: the one it must be, seen before LightGBM reads a byte: a damaged or altered text ends the whole process there.

        Raises:
            NoModelError: the files are missing, do not belong together, or are another version's.
        """
        import lightgbm as lgb

        try:
            text = (folder / BOOSTER_FILE).read_text(encoding="utf-8")
            meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
            positive_text = (folder / POSITIVE_FILE).read_text(encoding="utf-8") if meta.get("positive_calibration") else ""
            name = _version(text, positive_text, meta)
            if version and name != version:
                what = f"The files in {folder} are not those registered as {version}: they were damaged or altered."
                raise NoModelError(what, "Delete the folder of the version: it is fetched again from MLflow.")
            beside = Beside(
                {int(days): _calibration(parts) for days, parts in meta.get("horizons", {}).items()},
                lgb.Booster(model_str=positive_text) if positive_text else None,
                _calibration(meta["positive_calibration"]) if positive_text else None,
                meta.get("bands", []),
            )
            booster, calibration = lgb.Booster(model_str=text), _calibration(meta["calibration"])
            model = cls(booster, calibration, meta["trained_as_of"], meta["horizon_days"], beside)
        except (OSError, ValueError, AttributeError, KeyError, TypeError, lgb.basic.LightGBMError) as error:
            what = f"The model in {folder} cannot be read: {error}."
            raise NoModelError(what, "Delete the folder: it is fetched again from MLflow.") from error
        model._text, model._positive_text, model._registered_as = text, positive_text, name
        if model.columns != meta["columns"]:
            raise NoModelError(
                f"The two files in {folder} belong to different models.", "Delete the folder: it is fetched again from MLflow."
            )
        return model


def _told(booster: lgb.Booster) -> str:
    """LightGBM's text of a booster without how many threads fitted it: they change no tree, and would change the version."""
    return _THREADS.sub("", booster.model_to_string())


_THREADS: Final = re.compile(r"^\[num_threads: \d+\]\n", re.MULTILINE)


def _version(text: str, positive_text: str, meta: Mapping[str, Any]) -> str:
    content = f"{text}{positive_text}{json.dumps(meta, sort_keys=True)}"
    return f"{meta['trained_as_of']}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def _calibration(parts: dict[str, Any]) -> Calibration:
    return Calibration(**parts | {"knots": tuple((at, value) for at, value in parts.get("knots", ()))})


def fit(
    rows: pl.DataFrame,
    *,
    later: pl.DataFrame | None = None,
    rounds: int = MOST_ROUNDS,
    threads: int = 2,
    columns: Sequence[str] = LEARNT,
    label: str = "label",
    parameters: Mapping[str, Any] | None = None,
    sharp_rounds: int = SHARP_ROUNDS,
) -> lgb.Booster:
    """Fit a booster on landmark rows; same rows, same booster.

    The first third of the trees learn who leaves of those who are in one session on one night, each such stratum having a level of its own
    (`models.strata`): what else made a session lose people is not put down to whoever was in it. Twice as many after them, of the same
    booster, learn the level. Other labels than dropout are learnt in one go.

    Args:
        rows: the columns, the label and those of `models.strata.STRATUM`; a column `weight`, where there is one, weighs the rows (such
            as a held-out arm's).
        later: rows of later landmarks; there are as many trees as would learn best in one go, by the log loss of these rows, so that
            little history means a small model.
        rounds: trees at most.
        threads: how many LightGBM may use; the result does not depend on it.
        columns: what to learn from.
        label: what to learn; the directions features are bound to hold for dropout alone.
        parameters: LightGBM's, over the usual ones.
        sharp_rounds: trees that choose each threshold, half of them at the beginning of each part; the others draw it by lot.
    """
    import lightgbm as lgb

    names = list(columns)
    bound = [FEATURES[name].monotone if label == "label" else 0 for name in names]
    settings = PARAMETERS | {"monotone_constraints": bound, "seed": SEED, "num_threads": threads} | dict(parameters or {})

    def data(part: pl.DataFrame, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        weight = part["weight"].to_numpy() if "weight" in part.columns else None
        matrix = part.select(names).to_numpy(order="c")
        target = part[label].to_numpy()
        return lgb.Dataset(matrix, target, weight=weight, feature_name=names, reference=reference, free_raw_data=False)

    def by_lot(after: int) -> Callable[[Any], None]:
        drawn: Callable[[Any], None] = lgb.reset_parameter(extra_trees=lambda turn: turn >= after)
        return drawn

    train = data(rows)
    if later is not None:
        stop = lgb.early_stopping(PATIENCE, verbose=False)
        whole = lgb.train(settings, train, num_boost_round=rounds, valid_sets=[data(later, train)], callbacks=[by_lot(sharp_rounds), stop])
        rounds = whole.best_iteration
    if label != "label":
        return lgb.train(settings, train, num_boost_round=rounds, callbacks=[by_lot(sharp_rounds)])
    levels, spread = Levels.of(rows), by_lot(sharp_rounds // 2)
    first = lgb.train(settings | {"objective": levels}, train, num_boost_round=max(rounds // PARTS, 1), callbacks=[spread])
    _raise(first, levels.overall)
    return lgb.train(settings, train, num_boost_round=rounds - first.num_trees(), init_model=first, callbacks=[spread])


def _raise(booster: lgb.Booster, by: float) -> None:
    """Add a number to every margin: to each leaf of the first tree."""
    for leaf in range(booster.dump_model(num_iteration=1)["tree_info"][0]["num_leaves"]):
        booster.set_leaf_output(0, leaf, booster.get_leaf_output(0, leaf) + by)
