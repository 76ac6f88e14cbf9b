"""The page of indicators for team leads and evaluators: every figure with its definition, its interval and what nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from markupsafe import Markup

from impact import wording
from impact.catalogue import DEFINITIONS, FAMILIES, NOT_MEASURED
from impact.facts import CHARACTERISTICS, NOBODY
from impact.nights import missed, named
from impact.practice import STAYS_DAYS
from impact.report import drawing, figure, rendered, table
from vigie.disclosure import FEWEST_FOR_JUDGEMENT, FEWEST_FOR_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from impact.evaluation import Evaluation
    from vigie.arrays import Floats

TITLE: Final = "Indicateurs de suivi et de performance"
SHOWN_KINDS: Final = ("all", "territory", "operator")
"""Providers stand in the export and in value added: the page stays readable."""
_ACCENT, _SOFT = "#1f4e8c", "#525b6e"


def body(found: Evaluation) -> Markup:
    """The page under its title."""
    units = wording.unit_name(found.facts.providers)
    return rendered(
        "indicators.html",
        families=[(name, title, _trend(found, name), _indicators(found, name, units)) for name, title in FAMILIES.items()],
        insertion=_insertion(found, units),
        added=_value_added(found, units),
        equity=_equity(found, units),
        skimming=_skimming(found, units),
        practices=_practices(found, units),
        definitions=DEFINITIONS,
        not_measured=NOT_MEASURED,
        used=", ".join(_CHARACTERISTICS_FR[name] for name in CHARACTERISTICS),
        health=found.health,
        fewest=FEWEST_FOR_RATE,
        judged=FEWEST_FOR_JUDGEMENT,
        stays=STAYS_DAYS,
        as_of=found.facts.as_of.strftime("%d/%m/%Y"),
        nights=_nights(found),
        experiments=found.experiments,
    )


def _nights(found: Evaluation) -> str:
    """Which nights the figures on lists rest on."""
    days = set(found.facts.nights.scores["as_of"]) | set(found.facts.nights.alerts["as_of"])
    days = {day for day in days if day >= found.facts.first}
    if not days:
        return "Aucune nuit n'a tourné sur la période : rien ne peut être dit des listes."
    gaps = missed(days, min(days), found.facts.as_of)
    when = f"{len(days)} nuits, du {min(days):%d/%m/%Y} au {max(days):%d/%m/%Y}" if len(days) > 1 else f"la nuit du {min(days):%d/%m/%Y}"
    said = f"Ce qui touche aux listes repose sur {when}. "
    if not gaps:
        return said + "Aucune n'a manqué."
    how_many = "1 nuit n'a pas tourné" if len(gaps) == 1 else f"{len(gaps)} nuits n'ont pas tourné"
    return said + f"Depuis la première, {how_many} : {named(gaps)}."


_CHARACTERISTICS_FR: Final[Mapping[str, str]] = {
    "education_level": "niveau de diplôme",
    "months_unemployed": "durée de chômage",
    "own_initiative": "démarche personnelle",
    "prescriber": "prescripteur",
    "commute": "temps de trajet",
    "objective": "objectif de la formation",
    "domain": "domaine (Formacode)",
    "mode": "présence ou distance",
    "entry_quarter": "trimestre d'entrée",
}


def _indicators(found: Evaluation, family: str, units: pl.Expr) -> list[tuple[str, Markup]]:
    whole = found.indicators.filter(pl.col("month").is_null(), pl.col("kind").is_in(SHOWN_KINDS))
    made = []
    for name, one in DEFINITIONS.items():
        rows = whole.filter(pl.col("definition_id") == name)
        # Insertion has a table of its own, with those who did not answer.
        if one.family != family or rows.is_empty() or name in found.insertion["definition_id"]:
            continue
        shares = one.how in {"share", "rate"}
        digits = 2 if one.how == "rate" else 1
        say = wording.percent if shares else wording.number
        rows = rows.sort(pl.col("kind").replace_strict({kind: place for place, kind in enumerate(SHOWN_KINDS)}), "unit").select(
            unit=pl.when(pl.col("kind") == "all")
            .then(units)
            .when(pl.col("unit") == f"operator:{NOBODY}")
            .then(pl.lit(NOBODY.capitalize()))
            .otherwise(pl.format("{} {}", pl.col("kind").replace(wording.KINDS), units)),
            value=say(pl.col("value"), digits).fill_null(wording.HIDDEN),
            interval=wording.between(say(pl.col("low"), digits), say(pl.col("high"), digits)),
            n=wording.number(pl.col("n"), 0),
            missing=wording.percent(pl.col("missing")),
        )
        columns = {"unit": "Unité", "value": "Valeur", "interval": "Intervalle à 95 %", "n": "Nombre compté", "missing": "Inconnus"}
        if rows["interval"].null_count() == rows.height:
            del columns["interval"]
        made.append((name, table(rows, one.title, columns)))
    return made


def _trend(found: Evaluation, family: str) -> Markup:
    months = found.indicators.filter(pl.col("month").is_not_null(), pl.col("kind") == "all", pl.col("value").is_not_null())
    names = [
        name
        for name, one in DEFINITIONS.items()
        if one.family == family
        and name not in found.insertion["definition_id"]
        and months.filter(pl.col("definition_id") == name).height > 2  # noqa: PLR2004 - two points are no trend
    ]
    if not names:
        return Markup()
    from matplotlib.figure import Figure

    rows = -(-len(names) // 3)
    drawn = Figure(figsize=(8.4, 1.75 * rows), layout="constrained")
    grid = drawn.subplots(rows, 3, squeeze=False).ravel()
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    said = []
    for axes, name in zip(grid, names, strict=False):
        one = months.filter(pl.col("definition_id") == name).sort("month")
        factor = 100 if DEFINITIONS[name].how in {"share", "rate"} else 1
        at, value = np.arange(one.height), one["value"].to_numpy() * factor
        axes.fill_between(at, one["low"].to_numpy() * factor, one["high"].to_numpy() * factor, color=_ACCENT, alpha=0.18, linewidth=0)
        axes.plot(at, value, color=_ACCENT, marker="o", markersize=2.5, linewidth=1.2)
        axes.set_ylim(0, 1.08 * max(value.max(), np.nanmax(one["high"].fill_null(0.0).to_numpy() * factor)) or 1.0)
        axes.set_title(_wrapped(DEFINITIONS[name].title), fontsize=7.5, loc="left")
        axes.set_xticks([0, one.height - 1], [_month(one["month"][0]), _month(one["month"][-1])], fontsize=7)
        axes.tick_params(axis="y", labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
        unit = " %" if factor > 1 else ""
        said.append(f"{DEFINITIONS[name].title} : de {value[0]:.1f}{unit} à {value[-1]:.1f}{unit}".replace(".", ","))
    caption = (
        "Mois par mois, tous territoires ; pourcentages, sauf mention contraire. La bande est l'intervalle à 95 %. "
        "Les mois à petit effectif manquent."
    )
    return figure(drawn, f"trend-{family}", " ; ".join(said) + ".", caption)


def _wrapped(title: str, width: int = 42) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(title, width))


def _month(month: str) -> str:
    year, number = month.split("-")
    return f"{number}/{year}"


def _insertion(found: Evaluation, units: pl.Expr) -> list[tuple[str, Markup]]:
    columns = {
        "unit": "Unité",
        "people": "Sorties",
        "missing": "Inconnus",
        "observed": "Parmi les réponses",
        "interval": "Intervalle à 95 %",
        "weighted": "Redressé",
        "weighted_interval": "Intervalle à 95 %",
        "bounds": "Au pire, au mieux",
    }
    made = []
    for name in [name for name in DEFINITIONS if name in found.insertion["definition_id"]]:
        rows = found.insertion.filter(pl.col("definition_id") == name).select(
            unit=units,
            people=pl.col("people").cast(pl.String),
            missing=wording.percent(pl.col("missing")),
            observed=wording.percent(pl.col("observed")).fill_null(wording.HIDDEN),
            interval=wording.between(wording.number(pl.col("low") * 100), wording.number(pl.col("high") * 100)),
            weighted=wording.percent(pl.col("weighted")),
            weighted_interval=wording.between(wording.number(pl.col("weighted_low") * 100), wording.number(pl.col("weighted_high") * 100)),
            bounds=wording.between(wording.number(pl.col("worst") * 100), wording.number(pl.col("best") * 100)),
        )
        made.append((name, table(rows, DEFINITIONS[name].title, columns)))
    return made


def _value_added(found: Evaluation, units: pl.Expr) -> list[tuple[str, str, Markup]]:
    columns = {
        "unit": "Unité",
        "known": "Entrées connues",
        "missing": "Inconnus",
        "observed": "Observé",
        "expected": "Attendu",
        "value_added": "Valeur ajoutée (points)",
        "interval": "Intervalle à 95 %",
        "bounds": "Au pire, au mieux",
        "verdict": "Par rapport à l'attendu",
    }
    made = []
    for (name, kind), rows in found.value_added.partition_by("definition_id", "kind", as_dict=True, maintain_order=True).items():
        told = rows.select(
            "low",
            "high",
            "verdict",
            "value_added",
            unit=units,
            known=pl.col("known").cast(pl.String),
            missing=wording.percent(pl.col("missing")),
            observed=wording.percent(pl.col("observed")),
            expected=wording.percent(pl.col("expected")),
            points=wording.points(pl.col("value_added")),
            interval=wording.between(wording.points(pl.col("low")), wording.points(pl.col("high"))),
            bounds=pl.when(pl.col("missing") > 0).then(wording.between(wording.points(pl.col("worst")), wording.points(pl.col("best")))),
            said=pl.col("verdict").replace(wording.VERDICTS),
        ).sort("unit")
        title = f"{DEFINITIONS[name].title}, par {wording.KINDS[kind].lower()}"
        shown = told.with_columns(value_added="points", verdict="said")
        plot = _forest(told.filter(pl.col("low").is_not_null()), f"va-{name}-{kind}", title)
        made.append((name, kind, table(shown, title, columns) + plot))
    return made


def _forest(rows: pl.DataFrame, key: str, title: str) -> Markup:
    if rows.is_empty():
        return Markup()
    drawn, axes = drawing(8.0, 0.6 + 0.24 * rows.height)
    at = np.arange(rows.height)[::-1]
    value = rows["value_added"].to_numpy() * 100
    spread = np.stack([value - rows["low"].to_numpy() * 100, rows["high"].to_numpy() * 100 - value])
    axes.axvline(0, color=_SOFT, linewidth=0.8)
    axes.errorbar(value, at, xerr=np.maximum(spread, 0), fmt="o", color=_ACCENT, markersize=4, linewidth=1.2)
    axes.set_ylim(-0.7, rows.height - 0.3)
    axes.set_yticks(at, rows["unit"].to_list(), fontsize=8)
    axes.set_xlabel("points au-dessus ou au-dessous de l'attendu, intervalle à 95 %", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    apart = rows.filter(pl.col("verdict").is_in(["above", "below"]))["unit"].to_list()
    said = f"Se distinguent de l'attendu : {', '.join(apart)}." if apart else "Aucune unité ne se distingue de l'attendu."
    return figure(drawn, key, f"{title}. {said}", "Par ordre alphabétique : ce n'est pas un classement.")


def _equity(found: Evaluation, units: pl.Expr) -> list[tuple[str, Markup]]:
    columns = {"kind": "Caractéristique", "unit": "Groupe", "value": "Valeur", "interval": "Intervalle à 95 %", "n": "Nombre compté"}
    made = []
    for name in found.equity["definition_id"].unique(maintain_order=True):
        one = found.equity.filter(pl.col("definition_id") == name)
        rows = one.sort(pl.col("kind") != "all", maintain_order=True).select(
            kind=pl.col("kind").replace(wording.KINDS),
            unit=units,
            value=wording.percent(pl.col("value")).fill_null(wording.HIDDEN),
            interval=wording.between(wording.number(pl.col("low") * 100), wording.number(pl.col("high") * 100)),
            n=wording.number(pl.col("n"), 0),
        )
        made.append((name, table(rows, DEFINITIONS[name].title, columns)))
    return made


def _skimming(found: Evaluation, units: pl.Expr) -> Markup:
    rows = found.contact_by_risk
    if rows.is_empty():
        return Markup()
    named_units = rows.with_columns(said=wording.percent(pl.col("value")).fill_null(wording.HIDDEN), unit=units)
    tenths = named_units.filter(pl.col("month").is_not_null()).pivot("month", index="unit", values="said", sort_columns=True)
    whole = named_units.filter(pl.col("month").is_null()).select("unit", whole="said")
    wide = tenths.join(whole, on="unit")
    heads = {"unit": "Opérateur"} | {name: str(int(name)) for name in tenths.columns[1:]} | {"whole": "Ensemble"}
    caption = f"{DEFINITIONS['contact_by_risk'].title} (dixième 1 : risque le plus bas ; 10 : le plus haut)"
    everybody = rows.filter(pl.col("kind") == "all", pl.col("month").is_not_null(), pl.col("value").is_not_null()).sort("month")
    drawn, axes = drawing(6.5, 2.4)
    at, value, low, high = (everybody[name].cast(pl.Float64).to_numpy() for name in ("month", "value", "low", "high"))
    axes.fill_between(at, 100 * low, 100 * high, color=_ACCENT, alpha=0.18, linewidth=0)
    axes.plot(at, 100 * value, color=_ACCENT, marker="o", markersize=4)
    axes.set_ylim(bottom=0)
    axes.set_xticks(at, [f"{int(tenth)}" for tenth in at])
    axes.set_xlabel("dixième du risque estimé", fontsize=8)
    axes.set_ylabel("% avec un échange", fontsize=8)
    axes.tick_params(labelsize=8)
    read = _read(value, low, high)
    ends = [f"{100 * value[one]:.1f} % [{100 * low[one]:.1f} ; {100 * high[one]:.1f}]".replace(".", ",") for one in (0, -1) if value.size]
    said = f"De {ends[0]} au dixième le plus bas à {ends[1]} au plus haut." if ends else ""
    shown = figure(drawn, "contact-by-risk", said, f"Tous opérateurs ; la bande est l'intervalle à 95 %. {said}")
    return table(wide, caption, heads) + shown + Markup("<p>{}</p>").format(read)


def _read(value: Floats, low: Floats, high: Floats) -> str:
    """What the lowest and the highest tenth of risk say beside each other."""
    if len(value) < 2:  # noqa: PLR2004 - two ends
        return "Trop peu de dixièmes sont publiés pour comparer les plus exposés aux autres."
    if low[-1] > high[0]:
        return "Les personnes les plus exposées sont davantage jointes que les moins exposées, au-delà du hasard."
    if high[-1] < low[0]:
        return (
            "Les personnes les plus exposées sont moins jointes que les moins exposées, au-delà du hasard. Deux raisons possibles avant "
            "d'y voir un évitement : le risque estimé baisse après un échange, et une expérience en cours peut garder des personnes à "
            "risque hors des listes."
        )
    return "Entre les plus exposées et les moins exposées, l'écart tient dans le hasard."


def _practices(found: Evaluation, units: pl.Expr) -> list[tuple[str, Markup, int]]:
    columns = {"what": "Raison : réponse", "unit": "Unité", "value": "Part", "interval": "Intervalle à 95 %", "n": "Situations"}
    made = []
    for (name,), rows in found.practices.partition_by("definition_id", as_dict=True, maintain_order=True).items():
        told = rows.filter("shown").select(
            what=pl.format("{} : {}", pl.col("reason").replace(wording.TELLS), pl.col("code").replace(wording.TELLS)),
            unit=units,
            n=wording.number(pl.col("n"), 0),
            value=wording.percent(pl.col("value")),
            interval=wording.between(wording.number(pl.col("low") * 100), wording.number(pl.col("high") * 100)),
        )
        if told.height:
            shown = table(told.sort("what", "unit"), DEFINITIONS[str(name)].title, columns)
            made.append((str(name), shown, rows.height - told.height))
    return made
