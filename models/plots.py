"""Plots of a training run, for MLflow's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from models.training import Trained

BINS = 10
SHOWN = 20


def draw(trained: Trained) -> dict[str, Figure]:
    """Calibration on the test block in ten bins of equal size, figures beside the baselines, and gain of the leading features."""
    return {"calibration": _calibration(trained), "baselines": _baselines(trained), "importance": _importance(trained)}


def _calibration(trained: Trained) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    risk, label = trained.test["risk"].to_numpy(), trained.test["label"].to_numpy()
    bins = np.array_split(np.argsort(risk, kind="stable"), BINS)
    mean, rate = [risk[b].mean() for b in bins], [label[b].mean() for b in bins]
    error = [1.96 * np.sqrt(r * (1 - r) / len(b)) for r, b in zip(rate, bins, strict=True)]
    top = max(*mean, *rate) * 1.1
    axes.plot([0, top], [0, top], color="grey", linewidth=1)
    axes.errorbar(mean, rate, yerr=error, fmt="o")
    axes.set(xlabel="predicted risk", ylabel="observed share", title=f"Calibration on {len(risk):,} later rows, 95 % intervals")
    return figure


def _baselines(trained: Trained) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    shown = ("auc_within_night", "average_precision", "recall_at_top")
    names = list(trained.figures)
    for axes, metric in zip(figure.subplots(1, len(shown)), shown, strict=True):
        axes.barh(names[::-1], [trained.figures[name][metric] for name in names[::-1]])
        axes.set_title(metric)
    return figure


def _importance(trained: Trained) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    leading = trained.importance.head(SHOWN).reverse()
    axes.barh(leading["feature"].to_list(), leading["gain"].to_list())
    axes.set_title("Gain of the leading features")
    return figure
