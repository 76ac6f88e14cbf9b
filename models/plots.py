"""Plots of a training, for the card and MLflow's page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from models.evaluation.measures import NAMES, codes
from models.language import Said, written

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from models.judging import Evidence
    from models.learner import Model
    from models.training import Trained
    from vigie.arrays import Floats, Ints

BINS = 10
SHOWN = 20
SHAP_ROWS = 1_000
BESIDE = ("model", "logistic", "session_rate")
"""Contenders drawn by week of the course; the first with its interval."""


def draw(trained: Trained, evidence: Evidence, word: Callable[[str], str]) -> dict[str, Figure]:
    """Calibration on the test block in ten bins of equal size, AUC by week, the baselines, and the gain of the leading features.

    Args:
        trained: as from `models.training.train`.
        evidence: on it.
        word: puts a text into the language of the page.
    """
    return {
        "calibration": _calibration(trained, word),
        "by_week": _by_week(evidence.told, evidence.weeks, word),
        "baselines": _baselines(evidence.figures, word),
        "importance": _importance(trained, word),
    }


def drawn_shap(model: Model, rows: pl.DataFrame, word: Callable[[str], str]) -> Figure:
    """Contributions of the leading columns on up to a thousand rows, drawn by shap from the model's own exact values."""
    import warnings

    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    few = rows.sample(min(SHAP_ROWS, rows.height), seed=0)
    values = model.contributions(few)
    inputs = few.select(model.columns).to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what shap calls of matplotlib will go one day: theirs to mend
        import shap

        # It scatters its points by numpy's global state: the same card twice all the same.
        np.random.seed(0)  # noqa: NPY002
        told = shap.Explanation(values[:, :-1], base_values=values[:, -1], data=inputs, feature_names=list(model.columns))
        shap.plots.beeswarm(
            told, max_display=SHOWN, group_remaining_features=False, show=False, color_bar_label=word("value of the column")
        )
        figure = plt.gcf()
        figure.axes[-1].set_yticklabels([word("small"), word("large")])
        figure.axes[0].set_xlabel(word("what it adds to the log-odds of the risk"))
        figure.set_size_inches(9, 8)
        figure.tight_layout()
    plt.close(figure)
    return figure


def png(figure: Figure, dpi: int, language: str = "en") -> bytes:
    """A figure as a file, its axes marked with numbers as the language writes them."""
    from matplotlib.ticker import FuncFormatter, ScalarFormatter

    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_formatter(), ScalarFormatter):
            axis.set_major_formatter(FuncFormatter(lambda value, _: written(value, ",.5g", language)))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi)
    return buffer.getvalue()


def _by_week(told: pl.DataFrame, weeks: pl.DataFrame, word: Callable[[str], str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for (contender,), found in weeks.filter(pl.col("contender").is_in(BESIDE)).partition_by("contender", as_dict=True).items():
        drawn = left.plot(
            found["week"], found["auc"], marker="o" if contender == BESIDE[0] else "", label=word(str(contender).replace("_", " "))
        )
        if contender == BESIDE[0]:
            left.fill_between(found["week"], found["auc_low"], found["auc_high"], color=drawn[0].get_color(), alpha=0.2, linewidth=0)
    left.set(xlabel=word("week of the course"), ylabel="AUC", title=word("Who leaves, told by week"))
    shown = told.group_by("week").agg(pl.col("risk", "label").mean()).join(weeks, on="week", how="semi").sort("week")
    right.plot(shown["week"], shown["risk"], label=word("expected"))
    right.plot(shown["week"], shown["label"], label=word("observed"), marker="o", linestyle="")
    right.set(xlabel=word("week of the course"), ylabel=word("share of rows"), title=word("Share that leaves"))
    for axes in (left, right) if weeks.height else ():
        axes.legend()
        axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _calibration(trained: Trained, word: Callable[[str], str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    risk, label = trained.test["risk"].to_numpy(), trained.test["label"].to_numpy()
    bins = np.array_split(np.argsort(risk, kind="stable"), BINS)
    mean, rate = [risk[b].mean() for b in bins], [label[b].mean() for b in bins]
    person = codes(trained.test["learner_id"])
    error = [half_width(label[b], person[b]) for b in bins]
    top = max(*mean, *rate) * 1.1
    # Most people are at low risk: even steps would draw nine points of ten into a corner.
    axes.set_xscale("function", functions=(_root, np.square))
    axes.set_yscale("function", functions=(_root, np.square))
    axes.plot([0, top], [0, top], color="grey", linewidth=1)
    axes.errorbar(mean, rate, yerr=error, fmt="o")
    title = word(Said("Calibration on {rows:,} later rows,\n95 % intervals by learner", rows=len(risk)))
    axes.set(xlabel=word("predicted risk"), ylabel=word("observed share"), title=title, xlim=(0, top), ylim=(0, None))
    return figure


def _root(value: Floats) -> Floats:
    """The lower end of an interval may lie below zero: it is drawn from zero on."""
    return np.sqrt(np.maximum(value, 0))


def half_width(label: NDArray[Any], person: Ints) -> float:
    """Half of the 95 % interval of a share: the rows of one learner go together, so that repeating them makes nothing surer."""
    apart = np.bincount(person, weights=label - label.mean())
    return float(1.96 * np.sqrt((apart**2).sum()) / len(label))


def _baselines(figures: pl.DataFrame, word: Callable[[str], str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    shown = ("auc_within_night", "average_precision", "recall_at_top")
    for axes, metric in zip(figure.subplots(1, len(shown), sharey=True), shown, strict=True):
        told = figures.filter(metric=metric).reverse()
        value = told["value"].to_numpy()
        error = np.stack([value - told["low"].to_numpy(), told["high"].to_numpy() - value]).clip(0)
        axes.barh([word(name) for name in told["contender"].str.replace_all("_", " ")], value, xerr=error, ecolor="grey")
        axes.set_title(word(NAMES[metric]))
    return figure


def _importance(trained: Trained, word: Callable[[str], str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    leading = trained.importance.head(SHOWN).reverse()
    axes.barh(leading["feature"].to_list(), leading["gain"].to_list())
    axes.set(xlabel=word("loss saved by splits on the column, in all"), title=word("Gain of the leading features"))
    return figure
