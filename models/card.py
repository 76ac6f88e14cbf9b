"""The model card and training report of a version: one page that stands alone, kept beside the model and in MLflow."""

from __future__ import annotations

import base64
import datetime as dt
import io
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from models.evaluation.bootstrap import with_intervals
from models.evaluation.measures import codes, measure
from models.evaluation.weeks import FEWEST
from models.fairness import FEW
from models.judging import LOAD
from models.plots import draw, drawn_shap
from models.promotion import decisions
from models.registry import attach, keep_plots, named
from vigie.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.figure import Figure

    from models.gate import Verdict
    from models.judging import Evidence
    from models.training import Trained
    from models.unseen import Unseen
    from vigie.settings import Home

CARD_FILE: Final = "card.html"
UNSEEN_FILE: Final = "unseen.json"
SHOWN: Final = (
    "auc",
    "auc_within_night",
    "average_precision",
    "precision_at_top",
    "recall_at_top",
    "ece",
    "calibration_slope",
    "calibration_intercept",
    "expected_over_observed",
    "brier",
    "net_benefit_5",
)
RANKING: Final = ("auc_within_night", "average_precision", "recall_at_top")
POSITIVE: Final = ("auc_within_night", "average_precision", "expected_over_observed", "calibration_slope")
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
    plots = _plots(trained, evidence)
    text, place = render(trained, evidence, verdict, plots, notice, weighed), home.models / evidence.version / CARD_FILE
    # The same version trained once more keeps what was judged of it on unseen places.
    if place.exists() and (kept := _section("unseen").search(place.read_text(encoding="utf-8"))):
        text = _with_section(text, "unseen", kept[0].rstrip("\n"))
    path = write_whole(place, lambda part: part.write_text(text, encoding="utf-8"))
    attach(home, evidence.version, {}, {}, [path])
    keep_plots(home, evidence.version, plots)
    return path


def tell_decisions(home: Home, *versions: str | None) -> None:
    """Write into the card of each of these versions every decision on it, in place of what stood there; those without a card are left out.

    Figures and plots stay those of the day of training: what was judged since is told with the decision that it led to.
    """
    for version in filter(None, versions):
        path = home.models / version / CARD_FILE
        if path.exists():
            text = _with_decisions(path.read_text(encoding="utf-8"), version, decisions(home))
            write_whole(path, partial(Path.write_text, data=text, encoding="utf-8"))
            attach(home, version, {}, {}, [path])


def tell_unseen(home: Home, found: Unseen) -> None:
    """Write what a version is worth on providers and programmes it learnt nothing from, beside it, in its card and in MLflow.

    What stood there before is replaced; a version without a card has the file and the figures alone.
    """
    text, folder = found.to_json(), home.models / found.version
    files = [write_whole(folder / UNSEEN_FILE, lambda part: part.write_text(text, encoding="utf-8"))]
    if (folder / CARD_FILE).exists():
        section = _environment().get_template("unseen.html").render(found=found, **_unseen_tables(found))
        page = _with_section((folder / CARD_FILE).read_text(encoding="utf-8"), "unseen", section)
        files.append(write_whole(folder / CARD_FILE, lambda part: part.write_text(page, encoding="utf-8")))
    by_level = found.figures.with_columns(contender=pl.format("{}/{}", "level", "contender"))
    attach(home, found.version, named(by_level, place="unseen/"), {}, files)


def _unseen_tables(found: Unseen) -> dict[str, dict[str, Any]]:
    """Of each level that was judged: figures side by side, differences with intervals, what they prove, and its places."""
    told: dict[str, dict[str, Any]] = {"figures": {}, "differences": {}, "places": {}}
    verdicts: dict[str, str] = {}
    for level in found.levels.filter(pl.col("dropouts") > 0)["level"]:
        figures, differences, places = (
            table.filter(level=level).drop("level") for table in (found.figures, found.differences, found.places)
        )
        told["figures"][level] = _side_by_side(figures)
        told["differences"][level] = differences.filter(pl.col("metric").is_in(RANKING)).with_columns(_in_words("metric"))
        told["places"][level] = places
        verdicts[level] = found.verdict(level)
    return told | {"verdict": verdicts}


def _with_decisions(page: str, version: str, log: Sequence[Mapping[str, Any]]) -> str:
    told = [entry for entry in log if version == entry["version"] or (version == entry["replaces"] and entry["action"] != "refused")]
    section = _environment().get_template("decisions.html").render(version=version, decisions=told)
    return _with_section(page, "decisions", section)


def _with_section(page: str, name: str, section: str) -> str:
    """The page with a section in place of that of its name, or before the heading it belongs to where it has none yet."""
    before, heading, after = _section(name).sub("", page).partition(_BEFORE[name])
    return f"{before}{section}\n{heading}{after}"


def _section(name: str) -> re.Pattern[str]:
    return re.compile(rf'<section id="{name}".*?</section>\n', re.DOTALL)


_BEFORE: Final = {"decisions": "<h2>What the score means</h2>", "unseen": "<h2>Groups</h2>"}
"""The heading that each section stands before."""


def _plots(trained: Trained, evidence: Evidence) -> dict[str, bytes]:
    """Every plot of the page as PNG, by name."""
    later = trained.rows.filter(pl.col("as_of") >= pl.lit(trained.blocks.filter(block="test")["first"][0]))
    figures = {**draw(trained, evidence), "shap": drawn_shap(trained.twin, later)}
    return {name: _png(figure) for name, figure in figures.items()}


def render(
    trained: Trained, evidence: Evidence, verdict: Verdict, plots: Mapping[str, bytes], notice: str = "", weighed: Sequence[str] = ()
) -> str:
    """The page as text."""
    block = trained.blocks.filter(block="test").row(0, named=True)
    return (
        _environment()
        .get_template("card.html")
        .render(
            version=evidence.version,
            notice=notice,
            green=verdict.green,
            checks=verdict.checks,
            horizon=trained.model.horizon_days,
            trained_as_of=trained.model.trained_as_of,
            features=len(trained.model.columns),
            fingerprint=trained.fingerprint,
            blocks=trained.blocks,
            block=block,
            fewer=evidence.rows < block["rows"],
            weighed=weighed,
            rows=f"{evidence.rows:,}",
            first=evidence.first,
            last=evidence.last,
            dropouts=f"{evidence.dropouts:,}",
            figures=_side_by_side(evidence.figures),
            contacts=_with_and_without(trained.test),
            positive=_positive(trained.positive.judged),
            why_not=trained.positive.why_not,
            shapes=_shapes(trained.calibration),
            bands=_in_hundred(trained.bands),
            levels=_in_hundred(trained.groups),
            load=_load(evidence.load),
            behind=evidence.behind(),
            weeks=_weeks(evidence.weeks),
            places=evidence.places.height,
            groups=_groups(evidence.groups),
            proxies=evidence.proxies,
            few=FEW,
            fewest=FEWEST,
            plots=PLOTS,
            images={name: base64.b64encode(plot).decode("ascii") for name, plot in plots.items()},
        )
    )


def _environment() -> Environment:
    environment = Environment(loader=PackageLoader("models"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters |= {"cell": _cell, "day": lambda text: f"{dt.date.fromisoformat(text[:10]):%d/%m/%Y}"}
    return environment


def _side_by_side(figures: pl.DataFrame) -> pl.DataFrame:
    """A row a metric, a column a contender, each with its interval."""
    said = figures.filter(pl.col("metric").is_in(SHOWN)).with_columns(
        cell=pl.format("{} [{}, {}]", *(pl.col(name).round(4) for name in ("value", "low", "high")))
    )
    said = said.with_columns(_in_words("metric"))
    return said.pivot(on="contender", index="metric", values="cell", maintain_order=True)


def _cell_of(what: str, decimals: int = 3) -> pl.Expr:
    """A figure and its interval, `what` with its _low and _high, as one cell."""
    return pl.format("{} [{}, {}]", *(pl.col(f"{what}{end}").fill_nan(None).round(decimals) for end in ("", "_low", "_high"))).alias(what)


def _load(load: pl.DataFrame) -> pl.DataFrame:
    """A row a score and budget; nothing where nobody left."""
    return load.select("contender", "budget", "alerts", *map(_cell_of, LOAD)) if load.height else load


def _weeks(weeks: pl.DataFrame) -> pl.DataFrame:
    """A row a week of the course: AUC of the one judged, and by how much it is above each other."""
    mine = pl.col("contender") == pl.col("contender").first()
    said = weeks.select(
        "week",
        "rows",
        "dropouts",
        contender=pl.when(mine).then("contender").otherwise(pl.lit("less ") + pl.col("contender").str.replace_all("_", " ")),
        cell=pl.when(mine).then(_cell_of("auc")).otherwise(_cell_of("above")),
    )
    return said.pivot(on="contender", index=["week", "rows", "dropouts"], values="cell", maintain_order=True)


def _with_and_without(test: pl.DataFrame) -> pl.DataFrame:
    """How well contacts help the ranking: the recipe with them, without them, and the paired difference with its interval."""
    scores = {"with_contacts": "risk", "without_contacts": "without_contacts"}
    contenders = {name: measure(test, test[column].to_numpy(), probability=False) for name, column in scores.items()}
    figures, differences = with_intervals(contenders, codes(test["learner_id"]))
    wide = figures.pivot(on="contender", index="metric", values="value", maintain_order=True).join(
        differences, on="metric", maintain_order="left"
    )
    return wide.filter(pl.col("metric").is_in(RANKING)).select(_in_words("metric"), *scores, "difference", "low", "high")


def _positive(judged: pl.DataFrame | None) -> pl.DataFrame:
    """Figures of the probability of an exit that succeeded, with intervals; no rows where it could not be judged."""
    if judged is None:
        return pl.DataFrame()
    scores = {"probability": measure(judged, judged["risk"].to_numpy(), probability=True)}
    found, _ = with_intervals(scores, codes(judged["learner_id"]))
    return found.filter(pl.col("metric").is_in(POSITIVE)).select(_in_words("metric"), "value", "low", "high")


def _shapes(losses: pl.DataFrame) -> pl.DataFrame:
    """Log loss of each shape of calibration, a column a fold left out and their mean."""
    if losses.is_empty():
        return losses
    wide = losses.with_columns(fold=pl.format("fold {}", pl.col("fold") + 1)).pivot(
        on="fold", index="method", values="log_loss", maintain_order=True
    )
    return wide.with_columns(mean=pl.mean_horizontal(pl.exclude("method"))).with_columns(pl.exclude("method").round(5).cast(pl.String))


def _in_hundred(table: pl.DataFrame) -> pl.DataFrame:
    """Risks and shares as in a hundred situations, as screens tell them."""
    return table.with_columns((pl.col(pl.Float64) * 100).round(2))


def _in_words(column: str) -> pl.Expr:
    words = pl.col(column).str.replace("net_benefit_5", "net benefit at 5 %, by 1,000 rows", literal=True)
    return words.str.replace_all("_", " ", literal=True)


def _groups(groups: pl.DataFrame) -> pl.DataFrame:
    if groups.is_empty():
        return groups
    quantities = ("selection_rate", "recall", "false_omission_rate", "expected_over_observed")
    names = (*quantities, "recall_ratio", "false_omission_ratio", "expected_ratio")
    cells = [pl.when("too_few").then(pl.lit("too few")).otherwise(_cell_of(name)).alias(name) for name in names]
    return groups.select("attribute", "group", "learners", "dropouts", *cells)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
