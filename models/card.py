"""The model card and training report of a version: a page that stands alone, in French and in English, beside the model and in MLflow."""

from __future__ import annotations

import base64
import datetime as dt
import math
import re
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from models.evaluation.bootstrap import with_intervals
from models.evaluation.measures import NAMES, codes, measure
from models.evaluation.weeks import FEWEST
from models.fairness import FEW, QUANTITIES
from models.gate import EXPECTED_RATIO, RECALL_RATIO
from models.judging import LOAD
from models.language import LANGUAGES, TO, spoken, written
from models.plots import draw, drawn_shap, png
from models.promotion import HELD_AS, decisions
from models.registry import attach, keep_plots, named
from models.unseen import Unseen
from vigie.disclosure import FEWEST_PEOPLE, hidden
from vigie.files import write_whole_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from models.gate import Verdict
    from models.judging import Evidence
    from models.language import Said
    from models.training import Trained
    from vigie.settings import Home

CARD_FILE: Final = "card.html"
CARD_FILES: Final = {"fr": CARD_FILE, "en": "card.en.html"}
LANGUAGE_NAMES: Final = {"fr": "Français", "en": "English"}
UNSEEN_FILE: Final = "unseen.json"
SMALL: Final = ("ece", "brier")
"""Figures whose third decimal is too coarse."""
RANKING: Final = ("auc_within_night", "average_precision", "recall_at_top")
POSITIVE: Final = ("auc_within_night", "average_precision", "expected_over_observed", "calibration_slope")
PLOTS: Final = (
    ("calibration", "Calibration", "Observed share against predicted risk, ten groups of rows of equal size with their intervals"),
    (
        "by_week",
        "By week of the course",
        "AUC of the model and two rivals by week, and the share expected and observed; the table below has the AUC",
    ),
    ("baselines", "Beside simple rules", "Bars of three figures for each contender; the table of results has the numbers"),
    ("importance", "Which columns the model uses", "Bars of the twenty columns that save the most loss"),
    (
        "shap",
        "What moves the score, and which way (SHAP)",
        "A thousand people as points: what each leading column adds to their score, by its value",
    ),
)
"""Name, title and what is drawn."""
NOTHING: Final = "-"
DIGITS: Final = 3
DAY_DIGITS: Final = 1
"""Of days: a median lies at a half."""
NAMES_OF_PLACES: Final = ("place",)
"""Columns whose texts are names: they are said in no other language."""
_CALLED: Final = pl.col("metric").replace_strict(NAMES)


def write_card(home: Home, trained: Trained, evidence: Evidence, verdict: Verdict, notice: str = "", weighed: Sequence[str] = ()) -> Path:
    """Write the card of a version beside it and in MLflow, in every language.

    Args:
        home: where the version lies.
        trained: as from `models.training.train`.
        evidence: measured on later rows.
        verdict: of the gate.
        notice: what must be said of made-up data.
        weighed: which rows weighed more in training, and why; empty where all counted alike.

    Returns:
        Where the French one lies.
    """
    told, folder = _told(trained, evidence, verdict, notice, weighed), home.models / evidence.version
    plots = {language: _plots(trained, evidence, language) for language in LANGUAGES}
    # A card that was lost and is written again keeps what was judged of its version on unseen places.
    unseen = Unseen.read((folder / UNSEEN_FILE).read_text(encoding="utf-8")) if (folder / UNSEEN_FILE).exists() else None
    for language, name in CARD_FILES.items():
        text = render(told, plots[language], language)
        if unseen:
            text = _with_section(text, "unseen", _unseen(unseen, language))
        write_whole_text(folder / name, text)
    attach(home, evidence.version, {}, {}, [folder / name for name in CARD_FILES.values()])
    keep_plots(home, evidence.version, plots["en"])
    return folder / CARD_FILE


def tell_decisions(home: Home, *versions: str | None) -> None:
    """Write into the card of each of these versions every decision on it, in place of what stood there; those without a card are left out.

    Figures and plots stay those of the day of training: what was judged since is told with the decision that it led to.
    """
    log = decisions(home)
    for version in filter(None, versions):
        cards = {language: path for language, name in CARD_FILES.items() if (path := home.models / version / name).exists()}
        for language, path in cards.items():
            text = _with_decisions(path.read_text(encoding="utf-8"), version, log, language)
            write_whole_text(path, text)
        if cards:
            attach(home, version, {}, {}, list(cards.values()))


def tell_unseen(home: Home, found: Unseen) -> None:
    """Write what a version is worth on providers and programmes it learnt nothing from, beside it, in its card and in MLflow.

    What stood there before is replaced; a version without a card has the file and the figures alone.
    """
    folder = home.models / found.version
    files = [write_whole_text(folder / UNSEEN_FILE, found.to_json())]
    for language, name in CARD_FILES.items():
        if (folder / name).exists():
            page = _with_section((folder / name).read_text(encoding="utf-8"), "unseen", _unseen(found, language))
            files.append(write_whole_text(folder / name, page))
    by_level = found.figures.with_columns(contender=pl.format("{}/{}", "level", "contender"))
    attach(home, found.version, named(by_level, place="unseen/"), {}, files)


def _unseen(found: Unseen, language: str) -> str:
    return _environment(language).get_template("unseen.html").render(found=found, **_unseen_tables(found))


def _unseen_tables(found: Unseen) -> dict[str, dict[str, Any]]:
    """Of each level that was judged: figures side by side, differences with intervals, what they prove, and its places."""
    told: dict[str, dict[str, Any]] = {"figures": {}, "differences": {}, "places": {}}
    verdicts: dict[str, Said] = {}
    for level in found.levels.filter(pl.col("dropouts") > 0)["level"]:
        figures, differences, places = (
            table.filter(level=level).drop("level") for table in (found.figures, found.differences, found.places)
        )
        told["figures"][level] = _side_by_side(figures)
        told["differences"][level] = differences.filter(pl.col("metric").is_in(RANKING)).select(
            _in_words("rival"), _CALLED, "difference", "low", "high"
        )
        told["places"][level] = places.with_columns(expected=_figure("expected", 1))
        verdicts[level] = found.verdict(level)
    return told | {"verdict": verdicts}


def _with_decisions(page: str, version: str, log: Sequence[Mapping[str, Any]], language: str) -> str:
    told = [entry for entry in log if version == entry["version"] or (version == entry["replaces"] and entry["action"] != "refused")]
    section = _environment(language).get_template("decisions.html").render(version=version, decisions=told, held=HELD_AS)
    return _with_section(page, "decisions", section)


def _with_section(page: str, name: str, section: str) -> str:
    """The page with a section in place of that of its name, or before the heading it belongs to where it has none yet."""
    if found := _section(name).search(page):
        return f"{page[: found.start()]}{section}\n{page[found.end() :]}"
    # A card of before there were two languages has no such heading.
    before, heading, after = page.partition(_BEFORE[name] if _BEFORE[name] in page else "</body>")
    return f"{before}{section}\n{heading}{after}"


def _section(name: str) -> re.Pattern[str]:
    return re.compile(rf'<section id="{name}".*?</section>\n', re.DOTALL)


_BEFORE: Final = {"decisions": '<h2 id="meaning">', "unseen": '<h2 id="groups">'}
"""The heading that each section stands before."""


def _plots(trained: Trained, evidence: Evidence, language: str) -> dict[str, bytes]:
    """Every plot of the page as PNG, by name."""
    later = trained.rows.filter(pl.col("as_of") >= pl.lit(trained.blocks.filter(block="test")["first"][0]))
    word = partial(spoken, language=language)
    figures = {**draw(trained, evidence, word), "shap": drawn_shap(trained.twin, later, word)}
    return {name: png(figure, 90, language) for name, figure in figures.items()}


def _told(trained: Trained, evidence: Evidence, verdict: Verdict, notice: str, weighed: Sequence[str]) -> dict[str, Any]:
    """All that the page tells, before it is put into a language."""
    block = trained.blocks.filter(block="test").row(0, named=True)
    return {
        "version": evidence.version,
        "notice": notice,
        "green": verdict.green,
        "checks": verdict.checks,
        "horizon": trained.model.horizon_days,
        "trained_as_of": dt.date.fromisoformat(trained.model.trained_as_of),
        "features": len(trained.model.columns),
        "fingerprint": trained.fingerprint,
        "blocks": trained.blocks,
        "block": block,
        "fewer": evidence.rows < block["rows"],
        "weighed": weighed,
        "rows": evidence.rows,
        "first": dt.date.fromisoformat(evidence.first),
        "last": dt.date.fromisoformat(evidence.last),
        "dropouts": evidence.dropouts,
        "figures": _side_by_side(evidence.figures),
        "contacts": _with_and_without(trained.test),
        "positive": _positive(trained.positive.judged),
        "why_not": trained.positive.why_not,
        "shapes": _shapes(trained.calibration),
        "bands": _in_hundred(trained.bands),
        "levels": _in_hundred(trained.groups.with_columns(pl.col("value").str.replace(r"^(\d+) to (\d+)$", "$1-$2"))),
        "load": _load(evidence.load),
        "behind": evidence.behind(),
        "weeks": _weeks(evidence.weeks),
        "places": evidence.places.height,
        "groups": _groups(evidence.groups),
        "proxies": evidence.proxies,
        "few": FEW,
        "recall": RECALL_RATIO,
        "expected": EXPECTED_RATIO,
        "fewest": FEWEST,
        "plots": PLOTS,
    }


def render(told: Mapping[str, Any], plots: Mapping[str, bytes], language: str) -> str:
    """The page as text."""
    images = {name: base64.b64encode(plot).decode("ascii") for name, plot in plots.items()}
    other = next(one for one in LANGUAGES if one != language)
    also = {"other": other, "other_name": LANGUAGE_NAMES[other], "other_file": CARD_FILES[other]}
    return _environment(language).get_template("card.html").render(told, images=images, **also)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("models"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, extensions=["jinja2.ext.i18n"]
    )
    say = partial(spoken, language=language)
    # No text of the card has a plural of its own.
    environment.install_gettext_callables(say, lambda one, _many, _n: say(one), newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"language": language, "colon": "\N{NO-BREAK SPACE}:" if language == "fr" else ":"}
    environment.filters |= {
        "cell": partial(_cell, language=language),
        "word": say,
        "day": lambda text: written(dt.date.fromisoformat(text), "", language),
        "instant": lambda text: f"{written(dt.date.fromisoformat(text[:10]), '', language)} {text[11:16]} UTC",
    }
    return environment


def _side_by_side(figures: pl.DataFrame) -> pl.DataFrame:
    """A row a metric, a column a contender, each with its interval."""
    said = figures.filter(pl.col("metric").is_in(NAMES.keys())).select(
        "contender",
        _CALLED,
        cell=pl.struct("value", "low", "high", digits=pl.when(pl.col("metric").is_in(SMALL)).then(4).otherwise(DIGITS)),
    )
    return said.pivot(on="contender", index="metric", values="cell", maintain_order=True)


def _cell_of(what: str, digits: int = DIGITS) -> pl.Expr:
    """A figure and its interval, `what` with its _low and _high, as one cell."""
    ends = {"value": what, "low": f"{what}_low", "high": f"{what}_high"}
    parts = [pl.col(name).cast(pl.Float64).fill_nan(None).alias(end) for end, name in ends.items()]
    return pl.struct(*parts, pl.lit(digits).alias("digits")).alias(what)


def _load(load: pl.DataFrame) -> pl.DataFrame:
    """A row a score and budget; nothing where nobody left."""
    if load.is_empty():
        return load
    cells = [_cell_of(what, DAY_DIGITS if what == "lead" else DIGITS) for what in LOAD]
    above = pl.when(pl.col("contender") != pl.col("contender").first()).then("above")
    said = load.select(_in_words("contender"), "budget", _figure("alerts", 1), *cells)
    return said.with_columns(above.alias("above"))


def _weeks(weeks: pl.DataFrame) -> pl.DataFrame:
    """A row a week of the course: AUC of the one judged, and by how much it is above each other."""
    mine = pl.col("contender") == pl.col("contender").first()
    said = weeks.select(
        "week",
        "rows",
        "dropouts",
        contender=pl.when(mine).then("contender").otherwise(pl.lit("less ") + _in_words("contender")),
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
    return wide.filter(pl.col("metric").is_in(RANKING)).select(_CALLED, *scores, "difference", "low", "high")


def _positive(judged: pl.DataFrame | None) -> pl.DataFrame:
    """Figures of the probability of an exit that succeeded, with intervals; no rows where it could not be judged."""
    if judged is None:
        return pl.DataFrame()
    scores = {"probability": measure(judged, judged["risk"].to_numpy(), probability=True)}
    found, _ = with_intervals(scores, codes(judged["learner_id"]))
    return found.filter(pl.col("metric").is_in(POSITIVE)).select(_CALLED, "value", "low", "high")


def _figure(column: str, digits: int, times: float = 1) -> pl.Expr:
    """A figure without an interval as one cell, with so many digits; null stays null."""
    return pl.when(pl.col(column).is_not_null()).then(pl.struct(value=pl.col(column) * times, digits=pl.lit(digits))).alias(column)


def _shapes(losses: pl.DataFrame) -> pl.DataFrame:
    """Log loss of each shape of calibration, a row a fold left out and their mean."""
    if losses.is_empty():
        return losses
    wide = losses.with_columns(pl.col("fold") + 1).pivot(on="method", index="fold", values="log_loss", maintain_order=True)
    folds = wide.with_columns(pl.col("fold").cast(pl.String))
    mean = wide.select(pl.lit("mean").alias("fold"), pl.exclude("fold").mean())
    return pl.concat([folds, mean]).with_columns(_figure(name, 5) for name in wide.columns[1:])


def _in_hundred(table: pl.DataFrame) -> pl.DataFrame:
    """Risks and shares as in a hundred situations, as screens tell them."""
    return table.with_columns(_figure(name, 2, 100) for name, kind in table.schema.items() if kind == pl.Float64)


def _in_words(column: str) -> pl.Expr:
    return pl.col(column).str.replace_all("_", " ", literal=True)


def _groups(groups: pl.DataFrame) -> pl.DataFrame:
    if groups.is_empty():
        return groups
    names = (*QUANTITIES, "recall_ratio", "false_omission_ratio", "expected_ratio")
    # Null is told as too few: where a group is large enough every figure has a value.
    cells = [pl.when(~pl.col("too_few")).then(_cell_of(name)).alias(name) for name in names]
    shown = pl.when(~of_very_few(groups)).then("dropouts").alias("people_who_drop_out")
    return groups.select("attribute", "group", "learners", shown, *cells)


def of_very_few(groups: pl.DataFrame) -> pl.Series:
    """Groups whose count of people would tell of fewer than `FEWEST_PEOPLE`, by itself or less that of the others of its attribute."""
    sizes = groups.group_by("attribute", maintain_order=True).agg(pl.col("dropouts").sum(), places=pl.int_range(1, pl.len() + 1))
    ends = sizes["places"].list.len().cum_sum().to_list()
    sums = [(0, range(1 + end - len(places), 1 + end)) for end, places in zip(ends, sizes["places"], strict=True)]
    people = np.array([sizes["dropouts"].max(), *groups["dropouts"]], dtype=np.int64)
    return pl.Series(hidden(people, sums, FEWEST_PEOPLE)[1:])


def _cell(value: object, how: str = "", *, language: str, column: str = "") -> str:
    """What a table shows: a figure with its interval, a number, a date, or words; names stay as they are."""
    if isinstance(value, dict):
        ends = [_cell(value[end], f"z,.{value['digits']}f", language=language) for end in ("value", "low", "high") if end in value]
        return f"{ends[0]} [{TO[language].join(ends[1:])}]" if len(ends) > 1 and ends[0] != NOTHING else ends[0]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, str):
        return value if column in NAMES_OF_PLACES else spoken(value, language)
    if isinstance(value, float):
        return written(value, how or f"z,.{DIGITS}f", language)
    return written(value, how or ",", language) if isinstance(value, int | dt.date) else str(value)
