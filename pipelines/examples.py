"""Real examples that a person can judge: what a list would say of twenty people, the facts behind it, and, folded away, what came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined

from vigie.errors import NoDataError
from vigie.files import read_whole, write_whole_text

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from pipelines.service import Service

EXAMPLES: Final = 20
TOP: Final = 0.05
"""Examples are drawn among the highest risks of a night: those a list would hold."""
WAITS: Final = "Rien cette semaine : les places sont prises."
NOTHING_ASKED: Final = "Rien ce soir : échange ou alerte récents, ou autre motif de ne pas appeler."


def examples_page(service: Service, scores_file: Path, as_of: dt.date) -> Path:
    """Write examples.html beside a night's scores: twenty people drawn by lot among the highest risks, without names.

    Args:
        service: whose warehouse holds the facts.
        scores_file: scores.parquet of a night that was served, or of an evaluation.
        as_of: that night.

    Returns:
        Where the page lies.

    Raises:
        NoDataError: nobody was scored that night.
    """
    import json

    from alerts.casefile import case_files
    from alerts.language import day
    from alerts.likelihood import counted, likelihood, spread
    from alerts.night import courses, notice
    from alerts.tried import standing
    from alerts.wording import MAY_BE_GONE, better, caution, changed, grounds, may_be_gone, no_fact, why, within_stay
    from data_contracts.tables.outputs import with_optional
    from models.labels import known_endings
    from pipelines.wording import phrases
    from vigie import clock

    scores = with_optional(read_whole(scores_file)).sort("risk", "enrolment_id", descending=[True, False])
    if scores.is_empty():
        raise NoDataError(f"On the night of {as_of} nobody was in training.", "Name a night on which somebody was: --as-of.")
    high = scores.head(max(EXAMPLES, round(scores.height * TOP)))
    chosen = high.sample(min(EXAMPLES, high.height), seed=0).sort("risk", descending=True)
    with service.warehouse() as warehouse:
        files = case_files(warehouse, as_of, chosen.select("enrolment_id", "learner_id"), service.time_zone, scores)
        endings = known_endings(warehouse, clock.now().date(), service.rules.invariants.silence_days, service.time_zone).select(
            "enrolment_id", "exit_date", "dropped"
        )
        ends = courses(warehouse, as_of, service.time_zone).select("enrolment_id", "entry_date", "planned_exit_date", standing=standing())
        said = notice(warehouse, as_of, service.time_zone)
    told = chosen
    for beside in (files, endings, ends):
        told = told.join(beside, on="enrolment_id", how="left", maintain_order="left")
    spoken, (asked, new) = phrases(), _asked(scores_file.with_name("alerts.parquet"), service)

    def person(place: int, row: dict[str, Any]) -> dict[str, Any]:
        gone = may_be_gone(row["reasons"], weak=row["low_confidence"])
        sentences = within_stay(spoken, row)
        left, end = row["planned_exit_date"] - as_of, "Aucune fin connue à ce jour."
        if row["exit_date"] and row["exit_date"] <= as_of:
            ended = f"{day(row['exit_date'])} {row['exit_date'].year}"
            end = f"Fin dès le {ended}, d'après ce qui est connu depuis (sortie déclarée, ou plus aucun signe)."
        elif row["exit_date"]:
            within = 0 < (row["exit_date"] - as_of).days <= row["horizon_days"]
            issue, when = "abandon" if row["dropped"] else "autre issue", f"{day(row['exit_date'])} {row['exit_date'].year}"
            end = f"Fin le {when}, {issue} ({'dans' if within else 'hors de'} l'horizon de {row['horizon_days']} jours)."
        return {
            "place": place,
            "who": row["enrolment_id"],
            "likelihood": MAY_BE_GONE if gone else f"{likelihood(row['risk'], left)} {spread(row['alike'])}".strip(),
            "standing": row["standing"],
            "behind": "" if gone else counted(row["alike"]),
            "caution": caution(row) if row["low_confidence"] and not gone else "",
            "why": [
                (why(one, sentences), f"{one['feature']} = {one['value']:.4g}, {one['contribution']:+.2f}")
                for one in grounds(row["reasons"], spoken)
            ],
            "changed": [] if gone else changed(row["reasons"], sentences, new=row["enrolment_id"] in new),
            "none": no_fact(weak=row["low_confidence"]),
            "asked": asked.get(row["enrolment_id"], NOTHING_ASKED if asked else ""),
            "better": [better(one, spoken) for one in row["protective"] or []],
            "file": {title: _in_french(json.loads(row["content"] or "{}").get(name) or []) for name, title in SECTIONS.items()},
            "end": end,
        }

    people = [person(place, row) for place, row in enumerate(told.to_dicts(), 1)]
    environment = Environment(loader=PackageLoader("pipelines"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = environment.get_template("examples.html").render(
        people=people, night=f"{day(as_of)} {as_of.year}", notice=said, version=scores["model_version"][0]
    )
    return write_whole_text(scores_file.with_name("examples.html"), text)


def _asked(alerts_file: Path, service: Service) -> tuple[dict[str, str], set[str]]:
    """By enrolment, what its advisor's list asks for because of the risk, or that no place is left; and those who are new on a list.

    Nobody of a night that was only scored. Who an experiment holds out is told as anybody whom nothing is asked for.
    """
    from data_contracts.vocabulary import LISTED

    if not alerts_file.exists():
        return {}, set()
    actions = service.rules.default.actions
    risks = read_whole(alerts_file).filter(pl.col("kind").cast(pl.String) == "dropout_risk")
    told, new = {}, set()
    for enrolment, code, state in risks.select("enrolment_id", "suggested_action", pl.col("state").cast(pl.String)).rows():
        if state in LISTED:
            told[enrolment] = actions.get(code, code)
            if state == "new":
                new.add(enrolment)
        elif state == "over_capacity":
            told[enrolment] = WAITS
    return told, new


def _in_french(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a case file as a person reads them: the same words as on the page of a case."""
    from alerts.inbox import words

    said = {"half_day": words.HALF_DAYS, "status": words.STATUSES, "channel": words.CHANNELS, "outcome": words.OUTCOMES}
    shaped = {"kind": words.matter, "occurred_at": words.instant}

    def told(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a fact holds
        return shaped[name](value) if name in shaped and value else said.get(name, {}).get(value, value)

    return [{HEADINGS[name]: told(name, value) for name, value in fact.items() if name in HEADINGS} for fact in facts]


SECTIONS: Final = {"attendance": "Présence", "activity": "Activité à distance", "assessments": "Travaux", "contacts": "Échanges"}
HEADINGS: Final = {
    "date": "Jour",
    "half_day": "Demi-journée",
    "status": "Statut",
    "monday": "Semaine du",
    "kind": "Type",
    "count": "Traces",
    "days": "Jours",
    "last": "Dernière trace",
    "assessment_id": "Travail",
    "due_date": "À rendre le",
    "submitted_on": "Rendu le",
    "score": "Résultat",
    "occurred_at": "Quand",
    "channel": "Moyen",
    "outcome": "Issue",
    "known": "Connu le",
    "delivery": "Livraison",
    "line": "Ligne",
}
