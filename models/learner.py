"""The gradient-boosted learner and its calibration: plain data, no pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from features.catalogue import FEATURES
from vigie.errors import NoModelError

if TYPE_CHECKING:
    from pathlib import Path

    import lightgbm as lgb
    import polars as pl
    from numpy.typing import NDArray

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
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
MOST_ROUNDS: Final = 900
PATIENCE: Final = 75
PRECISION: Final = 1e-9
SEED: Final = 20_260_401

BOOSTER_FILE: Final = "booster.txt"
META_FILE: Final = "model.json"


@dataclass(frozen=True)
class Calibration:
    """Risk = 1 / (1 + exp(-(slope x margin + intercept))): keeps the order of margins as long as slope > 0."""

    slope: float
    intercept: float

    def risk(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probability of margins in log-odds."""
        return np.asarray(1 / (1 + np.exp(-(self.slope * margin + self.intercept))), dtype=np.float64)


UNCALIBRATED: Final = Calibration(1.0, 0.0)


class Model:
    """A booster, the names and order of its columns, and its calibration."""

    def __init__(self, booster: lgb.Booster, calibration: Calibration, trained_as_of: str, horizon_days: int) -> None:
        self.booster = booster
        self.calibration = calibration
        self.trained_as_of = trained_as_of
        self.horizon_days = horizon_days
        self.columns: list[str] = booster.feature_name()
        self._text: str = booster.model_to_string()

    @property
    def version(self) -> str:
        """Date and fingerprint of everything a score depends on: the same data and code give the same version."""
        meta = json.dumps(self._meta(), sort_keys=True)
        return f"{self.trained_as_of}-{hashlib.sha256(f'{self._text}{meta}'.encode()).hexdigest()[:10]}"

    def _meta(self) -> dict[str, Any]:
        return {
            "trained_as_of": self.trained_as_of,
            "horizon_days": self.horizon_days,
            "columns": self.columns,
            "calibration": asdict(self.calibration),
        }

    def margins(self, rows: pl.DataFrame, threads: int = 2) -> NDArray[np.float64]:
        """Log-odds before calibration, for rows of the matrix."""
        return np.asarray(self.booster.predict(self._inputs(rows), raw_score=True, num_threads=threads), dtype=np.float64)

    def contributions(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        """Exact path-dependent TreeSHAP in log-odds (Lundberg et al. 2020): a column per feature, then the base value.

        By WOODELF (Nadel and Wettenstein 2025), which walks each pattern of a tree once instead of each row: several times faster than
        LightGBM's own, and equal to it but for 32-bit rounding, about a millionth of log-odds (a test holds it).
        """
        import pandas as pd
        from woodelf import WoodelfExplainer

        inputs = self._inputs(rows)
        if not len(inputs):
            return np.empty((0, len(self.columns) + 1))
        # The base value is the same for every row, so one row tells it.
        base = np.asarray(self.booster.predict(inputs[:1], pred_contrib=True), dtype=np.float64)[0, -1]
        values = WoodelfExplainer(self.booster).shap_values(pd.DataFrame(inputs, columns=self.columns), verbose=False)
        return np.column_stack([np.asarray(values, dtype=np.float64), np.full(len(inputs), base)])

    def _inputs(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        # By name and in the booster's own order: columns in another order would give other scores without a word.
        missing = [name for name in self.columns if name not in rows.columns]
        if missing:
            what = f"The model reads {', '.join(missing)}, which this version of Vigie does not compute."
            raise NoModelError(what, "Train a new model, or install the version the model was trained with.")
        return rows.select(self.columns).to_numpy(order="c")

    def save(self, folder: Path) -> None:
        """Write the booster as LightGBM's own text and everything else as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BOOSTER_FILE).write_text(self._text, encoding="utf-8")
        (folder / META_FILE).write_text(json.dumps(self._meta(), indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Read what `save` wrote.

        Raises:
            NoModelError: the files are missing or do not belong together.
        """
        import lightgbm as lgb

        try:
            text = (folder / BOOSTER_FILE).read_text(encoding="utf-8")
            meta = json.loads((folder / META_FILE).read_text(encoding="utf-8"))
            model = cls(lgb.Booster(model_str=text), Calibration(**meta["calibration"]), meta["trained_as_of"], meta["horizon_days"])
        except (OSError, json.JSONDecodeError, KeyError, TypeError, lgb.basic.LightGBMError) as error:
            what = f"The model in {folder} cannot be read: {error}."
            raise NoModelError(what, "Train again, or restore the folder.") from error
        model._text = text
        if model.columns != meta["columns"]:
            raise NoModelError(f"The two files in {folder} belong to different models.", "Train again, or restore the folder.")
        return model


def fit(rows: pl.DataFrame, *, later: pl.DataFrame | None = None, rounds: int = MOST_ROUNDS, threads: int = 2) -> lgb.Booster:
    """Fit a booster on landmark rows with `label`; same rows, same booster.

    Args:
        rows: every feature of the catalogue, and `label`.
        later: rows of later landmarks; boosting stops where their log loss no longer improves, so that little history means a small model.
        rounds: trees at most.
        threads: how many LightGBM may use; the result does not depend on it.
    """
    import lightgbm as lgb

    columns = list(FEATURES)

    def data(part: pl.DataFrame, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        return lgb.Dataset(part.select(columns).to_numpy(order="c"), part["label"].to_numpy(), feature_name=columns, reference=reference)

    constraints = [FEATURES[name].monotone for name in columns]
    parameters = PARAMETERS | {"monotone_constraints": constraints, "seed": SEED, "num_threads": threads}
    train = data(rows)
    if later is None:
        return lgb.train(parameters, train, num_boost_round=rounds)
    stop = lgb.early_stopping(PATIENCE, verbose=False)
    booster = lgb.train(parameters, train, num_boost_round=rounds, valid_sets=[data(later, train)], callbacks=[stop])
    return lgb.Booster(model_str=booster.model_to_string(num_iteration=booster.best_iteration))


def calibrate(margins: NDArray[np.float64], labels: NDArray[np.float64]) -> Calibration:
    """Sigmoid calibration (Platt 1999) by maximum likelihood; the slope is kept above zero so that the order of risks stands."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf).fit(margins.reshape(-1, 1), labels)
    slope = float(model.coef_[0, 0])
    if slope <= 0:
        raise NoModelError("On later data the model ranks people no better than chance.", "Check the deliveries, then train again.")
    return Calibration(slope, float(model.intercept_[0]))


def centred(margins: NDArray[np.float64], labels: NDArray[np.float64], slope: float) -> Calibration:
    """The calibration of this slope under which as many are expected as were observed; by bisection, to a billionth of log-odds."""
    low, high = -30.0, 30.0
    while high - low > PRECISION:
        middle = (low + high) / 2
        low, high = (low, middle) if Calibration(slope, middle).risk(margins).mean() > labels.mean() else (middle, high)
    return Calibration(slope, (low + high) / 2)
