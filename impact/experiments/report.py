"""The report of an experiment: what was found, what was planned and what was not, what would have been concluded without a draw."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from markupsafe import Markup, escape

from impact.experiments.preanalysis import DESIGN_WORDS, ESTIMATOR_WORDS, OUTCOME_WORDS, arm_words
from impact.experiments.words import as_written, count, day, interval, p_value, percent, points
from impact.nights import named
from impact.report import drawing, figure, page, table
from vigie.disclosure import FEWEST_PEOPLE

if TYPE_CHECKING:
    import datetime as dt

    from matplotlib.figure import Figure

    from impact.experiments.analysis import Analysis, Incidence, Result
    from impact.experiments.estimators import Estimate
    from impact.experiments.exposure import Exposed
    from impact.experiments.plan import Plan
    from impact.experiments.register import Frozen
    from impact.experiments.uplift import Uplift

SHORT: Final = {
    "dropout": "Abandon",
    "attended_share": "Présence (demi-journées)",
    "spoken_with": "Échange avec le service",
    "in_work_6_months": "En emploi à six mois",
}
GOOD: Final = {"dropout": -1, "attended_share": 1, "spoken_with": 1, "in_work_6_months": 1}
"""Which way is better."""
REHEARSAL: Final = (
    "Répétition : le plan a été figé après les données. Ce rapport montre la méthode ; il ne prouve rien sur l'accompagnement."
)
CONTROL_COLOUR, TREATED_COLOUR = "#b35900", "#1f4e8c"


@dataclass(frozen=True)
class Account:
    """What happened around the experiment."""

    altered: int
    """Arms that the frozen plan does not give."""
    arms: dict[str, int]
    """Units drawn, by arm."""
    left_out: dict[str, int]
    """Of these, by arm, those of whom nobody is followed: they were known to have left when they were drawn."""
    overrides: dict[str, int]
    """People named on a list in spite of their arm, by kind of alert."""
    contacted_or_not: Estimate | None
    """The comparison that proves nothing, on the same data."""
    uplift: Uplift | None
    nights: int
    """Nights on which people could enter."""
    missed: list[dt.date]
    """Of these, those that did not run."""
    looks: int = 1
    """Dates at which it was analysed, this one included."""


def headline(analysis: Analysis, altered: int) -> str:
    """What was found on the primary outcome, in one or two sentences a reader can repeat.

    Args:
        analysis: of the experiment.
        altered: arms that the frozen plan does not give: where there are any, figures are told and nothing is concluded.
    """
    main = next((one for one in analysis.results if one.outcome == analysis.plan.primary), None)
    if main is None:
        return "Trop peu de réponses sur le critère principal : rien ne peut être dit."
    control, treated = analysis.plan.arms
    start = f"{OUTCOME_WORDS[main.outcome].split(' (')[0].split(',')[0].capitalize()} : "
    raw = " (taux bruts, périodes mêlées)" if analysis.plan.design == "stepped_wedge" else ""
    found = (
        f"{percent(main.control)} avec « {control.name} », {percent(main.treated)} avec « {treated.name} »{raw}. "
        f"Différence estimée : {points(main.effect)} points, {_interval_at(analysis.plan)} {interval(main.low, main.high)}. "
    )
    if altered:
        changed = "1 bras n'est pas celui" if altered == 1 else f"{count(altered)} bras ne sont pas ceux"
        return f"Tirage modifié : {changed} que donne le plan figé. Rien ne peut être conclu. {start}{found.strip()}"
    if main.low <= 0 <= main.high:
        worst, best = sorted((main.low, main.high), key=lambda value: GOOD[main.outcome] * value)
        verdict = (
            f"Ces données ne permettent pas de dire s'il y a un effet : elles sont compatibles avec {points(best)} points "
            f"comme avec {points(worst)} points."
        )
    elif GOOD[main.outcome] * main.effect > 0:
        verdict = "Un tel écart s'explique mal par le hasard du tirage : l'effet va dans le bon sens."
    else:
        verdict = "Un tel écart s'explique mal par le hasard du tirage, et il va dans le mauvais sens : le dispositif est à revoir."
    if analysis.exposure:
        mean = analysis.exposure[-1]
        verdict += (
            " Ce chiffre suppose l'effet entier dès le passage. La moyenne selon le temps depuis le passage, qui ne le suppose pas : "
            f"{points(mean.effect)} points {interval(mean.low, mean.high)}."
        )
    return start + found + verdict


def _interval_at(plan: Plan) -> str:
    return f"intervalle à {as_written(plan.level)}"


def report_page(analysis: Analysis, frozen: Frozen, account: Account, notice: str) -> str:
    """The whole report, as a page that stands alone."""
    plan = analysis.plan
    parts = [
        _paragraph(headline(analysis, account.altered), "key"),
        _planned(analysis, frozen, account),
        _results(analysis),
        _exposure(analysis),
        _incidence(analysis),
        _missing(analysis.results),
        _unplanned(analysis, account),
        _method(analysis, frozen),
    ]
    subtitle = (
        f"{DESIGN_WORDS[plan.design].capitalize()} ; entrées du {day(plan.start)} au {day(plan.end or analysis.as_of)} ; "
        f"suivi de {plan.horizon_days} jours ; connu au {day(analysis.as_of)}"
    )
    said = " ".join(text for text in (REHEARSAL if frozen.rehearsal else "", notice) if text)
    return page(plan.title, Markup().join(parts), subtitle=subtitle, notice=said)


def _planned(analysis: Analysis, frozen: Frozen, account: Account) -> Markup:
    plan = analysis.plan
    checks = [
        f"Plan figé le {day(frozen.frozen_at)}, empreinte {plan.fingerprint[:16]}… ; plan d'analyse {frozen.analysis_hash[:16]}…",
        f"Décidé par : {plan.decided_by}. Tirage refait à partir de la graine {plan.seed} : "
        + ("identique." if not account.altered else f"{account.altered} bras diffèrent, ce rapport n'est pas fiable."),
        (
            f"Unités tirées : {', '.join(f'{count(number)} « {_arm(arm)} »' for arm, number in account.arms.items())} ; "
            f"{count(analysis.people)} personnes suivies"
            + (f", dont {count(analysis.not_yet)} à l'issue encore inconnue." if analysis.not_yet else " jusqu'à l'horizon.")
        ),
        ("Départ ou silence complet déjà connu au jour du tirage" if plan.unit == "learner" else "Unités sans personne à suivre")
        + f" : {', '.join(f'{_few(number)} « {_arm(arm)} »' for arm, number in account.left_out.items()) or 'aucun cas'}. "
        "Toute autre personne compte, même absente ce jour-là.",
        f"Regard n° {account.looks} sur ces données."
        + (
            " Le plan n'en fixe pas le nombre : l'intervalle et le p des critères prévus sont élargis pour rester valables à chaque "
            "regard ; les autres intervalles de ce rapport ne valent que pour un seul."
            if plan.design == "holdout"
            else ""
        ),
        "Passées avant leur bras, comme prévu : "
        + (", ".join(f"{_few(number)} pour {_kind(kind)}" for kind, number in account.overrides.items()) or "aucune personne")
        + ". Elles comptent dans leur bras.",
    ]
    absent = f"Des nuits n'ont pas tourné : {count(len(account.missed))} sur {count(account.nights)}"
    gaps = [f"{absent} ({named(account.missed)}). Personne n'est entré ces jours-là."] if account.missed else []
    away = [*gaps, *analysis.departures] or ["Aucun écart au plan."]
    return Markup("<h2>{}</h2>{}<h3>{}</h3>{}").format("Ce qui était prévu", _list(checks), "Ce qui s'est passé autrement", _list(away))


def _arm(name: str) -> str:
    """A step of a wedge has a number for a name."""
    return name.replace("step ", "marche ")


def _few(number: int) -> str:
    return count(number) if number >= FEWEST_PEOPLE else f"moins de {FEWEST_PEOPLE}"


def _kind(kind: str) -> str:
    names = {
        "learner_request": "une demande de la personne",
        "no_owner": "un référent à désigner",
        "entry_contact_due": "l'appel d'entrée",
        "mid_course_contact_due": "le point de mi-parcours",
        "job_search_due": "la recherche d'emploi",
        "post_exit_contact_due": "l'appel d'après formation",
        "positive_exit_check": "une sortie positive à vérifier",
    }
    return names.get(kind, kind)


def _results(analysis: Analysis) -> Markup:
    control, treated = analysis.plan.arms
    heads = {
        "outcome": "critère prévu",
        "effect": "différence (points)",
        "interval": _interval_at(analysis.plan),
        "control": control.name,
        "treated": treated.name,
        "p": "p",
        "holm": "p de Holm",
        "draws": "p par tirages",
        "n": "personnes",
    }
    body = Markup("<h2>Résultats prévus, en intention de traiter</h2>")
    body += table(
        pl.DataFrame([_line(one) for one in analysis.results]), "Chaque personne compte dans le bras tiré, quoi qu'il soit arrivé", heads
    )
    body += figure(
        _forest(analysis.results),
        "effects",
        "Différences : "
        + " ; ".join(f"{SHORT[one.outcome]} {points(one.effect)} {interval(one.low, one.high)}" for one in analysis.results),
        f"Différence entre bras, en points, avec {_interval_at(analysis.plan)}. À gauche de zéro, moins ; à droite, plus.",
    )
    if analysis.complier:
        one = analysis.complier
        body += _paragraph(
            f"Effet sur les personnes jointes grâce à l'incitation : {points(one.effect)} points {interval(one.low, one.high)}. "
            f"Jointes sans incitation : {percent(one.control)} ; avec : {percent(one.treated)}."
        )
    return body


def _line(one: Result) -> dict[str, str]:
    return {
        "outcome": SHORT[one.outcome],
        "control": percent(one.control),
        "treated": percent(one.treated),
        "effect": points(one.effect),
        "interval": interval(one.low, one.high),
        "p": p_value(one.p),
        "holm": p_value(one.p_holm),
        "draws": p_value(one.p_draws),
        "n": f"{count(one.n[0])} et {count(one.n[1])}",
    }


def _forest(results: list[Result]) -> Figure:
    drawn, axes = drawing(6.5, 0.9 + 0.45 * len(results))
    for place, one in enumerate(reversed(results)):
        axes.plot([100 * one.low, 100 * one.high], [place, place], color=TREATED_COLOUR, linewidth=2)
        axes.plot(100 * one.effect, place, "o", color=TREATED_COLOUR)
    axes.axvline(0, color="#777777", linewidth=1)
    axes.set_yticks(range(len(results)), [SHORT[one.outcome] for one in reversed(results)])
    axes.set(xlabel="points", ylim=(-0.6, len(results) - 0.4))
    return drawn


def _exposure(analysis: Analysis) -> Markup:
    if not analysis.exposure:
        return Markup()
    *each, mean = analysis.exposure
    heads = {
        "steps": "marches depuis le passage",
        "effect": "différence (points)",
        "interval": _interval_at(analysis.plan),
        "p": "p",
        "draws": "p par tirages",
        "groups": "groupes",
        "people": "personnes",
    }
    rows = [_steps(one) for one in each] + [_steps(mean) | {"steps": "moyenne"}]
    text = (
        "Le résultat principal tient en un seul coefficient : il suppose que l'effet est entier dès la première marche et ne change plus. "
        "Si l'effet s'installe peu à peu ou s'épuise, il peut se tromper de beaucoup ; la moyenne du tableau reste juste, avec un "
        "intervalle plus large. Si les deux s'écartent, c'est la moyenne qu'il faut lire."
    )
    said = " ; ".join(f"marche {row['steps']} : {row['effect']} points {row['interval']}" for row in rows[:-1])
    drawn, axes = drawing(6.5, 2.4)
    at, effect = np.arange(len(each)), np.array([100 * one.effect for one in each])
    ends = np.array([[100 * (one.effect - one.low), 100 * (one.high - one.effect)] for one in each]).T
    axes.errorbar(at, effect, yerr=ends, fmt="o-", color=TREATED_COLOUR, linewidth=1.5)
    axes.axhline(0, color="#777777", linewidth=1)
    axes.set_xticks(at, [row["steps"] for row in rows[:-1]])
    axes.set(xlabel="marches depuis le passage", ylabel="points")
    return (
        Markup("<h2>Effet selon le temps depuis le passage</h2>")
        + table(pl.DataFrame(rows), f"{SHORT[analysis.plan.primary]}, après moins avant le passage, à période égale", heads)
        + _paragraph(text)
        + figure(drawn, "exposure", said[0].upper() + said[1:] + ".", f"Différence en points, avec {_interval_at(analysis.plan)}.")
    )


def _steps(one: Exposed) -> dict[str, str]:
    first, last = one.steps
    return {
        "steps": f"{first}" if first == last else f"{first} à {last}",
        "effect": points(one.effect),
        "interval": interval(one.low, one.high),
        "p": p_value(one.p),
        "draws": p_value(one.p_draws),
        "groups": count(one.groups),
        "people": count(one.people),
    }


def _incidence(analysis: Analysis) -> Markup:
    one, (control, treated) = analysis.incidence, analysis.plan.arms
    text = (
        f"Différence à {analysis.plan.horizon_days} jours, sorties concurrentes comptées : {points(one.difference)} points "
        f"{interval(one.low, one.high)} (rééchantillonnage des unités tirées)."
    )
    if analysis.plan.design == "stepped_wedge":
        text = (
            "Courbes brutes : les personnes d'avant et d'après le passage n'ont pas été suivies aux mêmes périodes. "
            "L'écart entre les courbes mêle l'effet et la saison ; la différence à lire est celle du résultat principal."
        )
    alt = f"Part d'abandons à l'horizon : {percent(one.control[-1])} avec {control.name}, {percent(one.treated[-1])} avec {treated.name}."
    caption = "Part des personnes qui ont abandonné, depuis le tirage. Un emploi trouvé n'est pas un abandon : il met fin au suivi."
    return Markup("<h2>Abandons dans le temps</h2>{}{}").format(
        _paragraph(text), figure(_curves(one, control.name, treated.name), "incidence", alt, caption)
    )


def _curves(one: Incidence, control: str, treated: str) -> Figure:
    drawn, axes = drawing()
    days = np.arange(len(one.control))
    for curve, name, colour, dash in ((one.control, control, CONTROL_COLOUR, "--"), (one.treated, treated, TREATED_COLOUR, "-")):
        axes.step(days, 100 * curve, where="post", color=colour, linestyle=dash, label=name)
    axes.set(xlabel="jours depuis le tirage", ylabel="abandons (%)", xlim=(0, len(days) - 0.5))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return drawn


def _missing(results: list[Result]) -> Markup:
    incomplete = [one for one in results if one.bounds and one.trimmed]
    if not incomplete:
        return Markup("<h2>Réponses manquantes</h2>") + _paragraph("Aucune : chaque personne suivie a une réponse sur chaque critère.")
    rows = pl.DataFrame(
        [
            {
                "outcome": SHORT[one.outcome],
                "missing": f"{percent(one.missing[0])} et {percent(one.missing[1])}",
                "worst": interval(*one.bounds) if one.bounds else "",
                "trimmed": interval(*one.trimmed) if one.trimmed else "",
            }
            for one in incomplete
        ]
    )
    heads = {"outcome": "critère", "missing": "manquants (témoin et traité)", "worst": "bornes de Manski", "trimmed": "bornes de Lee"}
    text = (
        "Les bornes de Manski tiennent quoi que les absents aient vécu ; celles de Lee supposent que le bras fait répondre "
        "plus ou moins, dans le même sens pour tous. Si elles contiennent zéro, les réponses manquantes suffisent à expliquer l'écart."
    )
    return Markup("<h2>Réponses manquantes</h2>") + table(rows, "Ce qui reste vrai malgré les absents, en points", heads) + _paragraph(text)


def _unplanned(analysis: Analysis, account: Account) -> Markup:
    body = Markup("<h2>Ce qui n'était pas prévu (exploratoire)</h2>")
    body += _paragraph("Aucune conclusion ne peut en être tirée : ce sont des pistes pour une prochaine expérience.")
    if analysis.exploratory:
        rows = pl.DataFrame([_line(one) | {"outcome": name} for name, one in analysis.exploratory])
        heads = {
            "outcome": "risque au jour du tirage",
            "control": analysis.plan.arms[0].name,
            "treated": analysis.plan.arms[1].name,
            "effect": "différence (points)",
            "interval": _interval_at(analysis.plan),
            "n": "personnes",
        }
        body += table(rows, f"{SHORT[analysis.plan.primary]}, par tiers de risque ; sans correction", heads)
    if account.contacted_or_not:
        one = account.contacted_or_not
        low, high = one.interval(analysis.plan.level)
        body += _paragraph(
            f"Sans tirage, on aurait comparé les personnes jointes aux autres : {points(float(one.effect[0]))} points "
            f"{interval(float(low[0]), float(high[0]))}. Ce chiffre ne mesure pas un effet : on appelle d'abord ceux qui vont mal, "
            "et seuls ceux qui sont encore là peuvent être joints."
        )
    if account.uplift:
        one_more = account.uplift
        body += Markup("<h3>Priorité selon l'effet ?</h3>") + _paragraph(one_more.why)
        if one_more.qini and one_more.qini_of_risk and one_more.gain:
            body += _paragraph(
                f"Aire de Qini, en abandons évités pour 100 personnes, intervalles à 95 % : {_area(one_more.qini)} selon l'effet, "
                f"{_area(one_more.qini_of_risk)} selon le risque ; écart {_area(one_more.gain)}."
            )
    return body


def _area(value: tuple[float, float, float]) -> str:
    return f"{points(value[0], 2)} {interval(value[1], value[2], 2)}"


def _method(analysis: Analysis, frozen: Frozen) -> Markup:
    plan = analysis.plan
    arms = [f"« {arm.name} » ({percent(arm.share, 0)}) : {arm_words(arm)}." for arm in plan.arms]
    lines = [
        *arms,
        f"Estimateur : {ESTIMATOR_WORDS[plan.design]}.",
        "Chacun est suivi depuis son tirage (ou son entrée, si elle est plus tardive).",
    ]
    body = Markup("<h2>Méthode</h2>") + _list(lines)
    when = "figé après les données, pour la répétition" if frozen.rehearsal else "publié avant les données"
    return body + Markup("<h3>Plan d'analyse, {}</h3><pre>{}</pre>").format(when, frozen.analysis)


def _paragraph(text: str, kind: str = "") -> Markup:
    return Markup('<p class="{}">{}</p>').format(kind, text) if kind else Markup("<p>{}</p>").format(text)


def _list(lines: list[str]) -> Markup:
    return Markup("<ul>{}</ul>").format(Markup().join(Markup("<li>{}</li>").format(escape(line)) for line in lines))


def published(analysis: Analysis, frozen: Frozen, account: Account) -> dict[str, object]:
    """The figures of the report, for machines."""
    return {
        "experiment_id": analysis.plan.experiment_id,
        "title": analysis.plan.title,
        "headline": headline(analysis, account.altered),
        "altered": account.altered,
        "look": account.looks,
        "rehearsal": frozen.rehearsal,
        "plan_hash": analysis.plan.fingerprint,
        "as_of": analysis.as_of.isoformat(),
        "people": analysis.people,
        "left_out": {arm: number if number >= FEWEST_PEOPLE else None for arm, number in account.left_out.items()},
        "level": analysis.plan.level,
        "results": [one.__dict__ for one in analysis.results],
        "by_steps_since_crossing": [one.__dict__ for one in analysis.exposure],
        "exploratory": [{"group": name} | one.__dict__ for name, one in analysis.exploratory],
        "departures": analysis.departures,
        "interim": bool(analysis.due and analysis.as_of < analysis.due),
        "ranking_by_effect": asdict(account.uplift) if account.uplift else None,
    }
