"""The model card and training report of a version: one page that stands alone, kept beside the model and in MLflow."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Final

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from models.fairness import FEW
from models.plots import draw, drawn_shap
from models.registry import attach
from vigie.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from models.gate import Verdict
    from models.judging import Evidence
    from models.training import Trained
    from vigie.settings import Home

CARD_FILE: Final = "card.html"
SHOWN: Final = (
    "auc",
    "auc_within_night",
    "average_precision",
    "precision_at_top",
    "recall_at_top",
    "ece",
    "calibration_slope",
    "expected_over_observed",
    "brier",
    "net_benefit_5",
)
PLOTS: Final = (
    ("calibration", "Calibration"),
    ("by_week", "By week of the course"),
    ("baselines", "Beside the baselines"),
    ("importance", "Which columns the trees use"),
    ("shap", "What moves the score, and which way (SHAP)"),
)


def write_card(home: Home, trained: Trained, evidence: Evidence, verdict: Verdict, notice: str = "", weighed: Sequence[str] = ()) -> Path:
    """Write the card of a version beside it and in MLflow.

    Args:
        home: where the version lies.
        trained: as from `models.training.train`.
        evidence: measured on later rows.
        verdict: of the gate.
        notice: what must be said of made-up data.
        weighed: which rows weighed more in training, and why; empty where all counted alike.

    Returns:
        Where it lies.
    """
    text = render(trained, evidence, verdict, notice, weighed)
    path = write_whole(home.models / evidence.version / CARD_FILE, lambda part: part.write_text(text, encoding="utf-8"))
    attach(home, evidence.version, {}, {}, [path])
    return path


def render(trained: Trained, evidence: Evidence, verdict: Verdict, notice: str = "", weighed: Sequence[str] = ()) -> str:
    """The page as text."""
    environment = Environment(loader=PackageLoader("models"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["cell"] = _cell
    later = trained.rows.filter(pl.col("as_of") >= pl.lit(trained.blocks.filter(block="test")["first"][0]))
    figures = {**draw(trained, evidence.told), "shap": drawn_shap(trained.twin, later)}
    return environment.get_template("card.html").render(
        version=evidence.version,
        notice=notice,
        green=verdict.green,
        checks=verdict.checks,
        horizon=trained.model.horizon_days,
        trained_as_of=trained.model.trained_as_of,
        features=len(trained.model.columns),
        fingerprint=trained.fingerprint,
        blocks=trained.blocks,
        weighed=weighed,
        rows=f"{evidence.rows:,}",
        first=evidence.first,
        last=evidence.last,
        dropouts=f"{evidence.dropouts:,}",
        figures=_side_by_side(evidence.figures),
        load=evidence.load,
        behind=evidence.behind(),
        places=evidence.places.height,
        groups=_groups(evidence.groups),
        proxies=evidence.proxies,
        few=FEW,
        plots=PLOTS,
        images={name: _png(figure) for name, figure in figures.items()},
    )


def _side_by_side(figures: pl.DataFrame) -> pl.DataFrame:
    """A row a metric, a column a contender, each with its interval."""
    said = figures.filter(pl.col("metric").is_in(SHOWN)).with_columns(
        cell=pl.format("{} [{}, {}]", *(pl.col(name).round(4) for name in ("value", "low", "high")))
    )
    said = said.with_columns(pl.col("metric").str.replace_all("_", " ", literal=True))
    return said.pivot(on="contender", index="metric", values="cell", maintain_order=True)


def _groups(groups: pl.DataFrame) -> pl.DataFrame:
    if groups.is_empty():
        return groups
    names = ("selection_rate", "recall", "false_omission_rate", "expected_over_observed", "recall_ratio", "false_omission_ratio")
    cells = [
        pl.when("too_few")
        .then(pl.lit("too few"))
        .otherwise(pl.format("{} [{}, {}]", *(pl.col(f"{name}{end}").round(3) for end in ("", "_low", "_high"))))
        .alias(name)
        for name in names
    ]
    return groups.select("attribute", "group", "learners", "dropouts", *cells)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
