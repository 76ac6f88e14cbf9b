"""The alerting part of a night: decide, put names on the lists, hand over to the page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.facts import Facts, Said, local_day, read_facts
from alerts.lists.rows import Words, lists
from alerts.policy import decide
from alerts.routing import NO_TERRITORY
from alerts.tried import standing, tried, written
from alerts.wording import NOT_ESTIMATED, NOTICES
from data_contracts.known import known_at

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import dataframely as dy

    from alerts.cases import CaseStore
    from alerts.lists.page import AdvisorList
    from alerts.wording import Phrase
    from data_contracts.tables.outputs import Alerts
    from vigie.rules import Rules
    from vigie.store import Warehouse

NOT_KNOWN: Final = "Formation pas encore connue"


@dataclass(frozen=True)
class Decided:
    """What a night decided, and what it rested on."""

    alerts: dy.DataFrame[Alerts]
    facts: Facts


def decide_night(
    warehouse: Warehouse,
    cases: CaseStore,
    as_of: dt.date,
    scores: pl.DataFrame,
    rules: Rules,
    time_zone: str,
    by_rule: pl.DataFrame | None = None,
    avoided: pl.DataFrame | None = None,
) -> Decided:
    """Alerts of the night of `as_of` from its scores, what is known then, and the alerts of earlier nights.

    Without a model, `by_rule` stands in for the scores: `alerts.facts.RULED_COLUMNS`. Where it was decided to rank by effect, `avoided`
    tells it: `alerts.facts.AVOIDED_COLUMNS`.
    """
    said = Said(cases.answered(as_of, time_zone), cases.absences(as_of, time_zone))
    facts = read_facts(warehouse, as_of, scores, cases.past(as_of), said, rules, time_zone, by_rule)
    facts = facts if avoided is None else replace(facts, avoided=avoided)
    return Decided(decide(facts, rules), facts)


def in_words(alerts: pl.DataFrame, scores: pl.DataFrame, where: pl.DataFrame) -> pl.DataFrame:
    """The alerts with territory_id, entry_date, planned_exit_date and low_confidence of their enrolment, and its course in words.

    These say when it is to end, when the service last spoke with the learner, and what it tried since.
    """
    weak = scores.select("enrolment_id", "low_confidence")
    told = alerts.join(
        where.select("enrolment_id", "territory_id", "entry_date", "planned_exit_date", course=pl.format("{}, {}", "course", standing())),
        on="enrolment_id",
        how="left",
        maintain_order="left",
    )
    return told.join(weak, on="enrolment_id", how="left", maintain_order="left").with_columns(
        pl.col("low_confidence").fill_null(value=False)
    )


def night_lists(
    cases: CaseStore, told: pl.DataFrame, sessions: pl.DataFrame, rules: Rules, phrases: Mapping[str, Phrase], said: str
) -> list[AdvisorList]:
    """Every recipient's list, with the names that only the case store has.

    Args:
        cases: open.
        told: from `in_words`.
        sessions: from `with_titles`.
        rules: of the service.
        phrases: sentence of each feature.
        said: from `notice`.
    """
    if told.is_empty():
        return []
    territories = told["territory_id"].unique().to_list()
    words = Words(
        phrases,
        {territory: rules.of(territory).actions for territory in territories},
        {territory: rules.of(territory).list_title for territory in territories},
        notice=said,
        sessions=sessions,
    )
    return lists(told, cases.names(told["learner_id"].unique().sort().to_list()), cases.advisors(), words)


def courses(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """Every enrolment with its dates, the territory of its session and its course in words, with the day on which they left it early.

    Beside them what `tried` says of the learner.
    """
    known = known_at(warehouse, as_of, time_zone)
    titles = _titles(warehouse, as_of, time_zone).drop("start_date", "end_date")
    enrolments = known("enrolments", "enrolment_id", "learner_id", "session_id", "entry_date", "planned_exit_date")
    exits = known("exits", "enrolment_id", "exit_date").filter(pl.col("exit_date") <= as_of)
    course = pl.col("course").fill_null(NOT_KNOWN)
    left = pl.format("{} (sortie le {})", course, written("exit_date"))
    contacts = known("contacts", "learner_id", "occurred_at", "direction", "outcome").with_columns(on=local_day("occurred_at", time_zone))
    told = enrolments.join(titles, on="session_id", how="left").join(exits, on="enrolment_id", how="left", maintain_order="left")
    told = told.join(tried(contacts, as_of), on="learner_id", how="left", maintain_order="left")
    early = pl.when(pl.col("exit_date") < pl.col("planned_exit_date")).then(left)
    return told.with_columns(pl.col("territory_id").fill_null(NO_TERRITORY), course=pl.coalesce(early, course)).drop("exit_date")


def with_titles(sessions: pl.DataFrame, warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """Rows of the contract `SessionAlerts` with course: each session in words, with its dates, since a title may come twice."""
    dated = pl.format("{} (du {} au {})", "course", written("start_date"), written("end_date"))
    named = _titles(warehouse, as_of, time_zone).select("session_id", course=pl.coalesce(dated, "course"))
    told = sessions.join(named, on="session_id", how="left", maintain_order="left")
    return told.with_columns(pl.col("course").fill_null(NOT_KNOWN))


def _titles(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """session_id, territory_id, start_date, end_date, course: title and provider."""
    known = known_at(warehouse, as_of, time_zone)
    sessions = known("sessions", "session_id", "title", "provider_id", "territory_id", "start_date", "end_date")
    return sessions.join(known("providers", "provider_id", "name"), on="provider_id", how="left").select(
        *("session_id", "territory_id", "start_date", "end_date"),
        course=pl.format("{}, {}", "title", pl.col("name").fill_null("organisme inconnu")),
    )


def notice(warehouse: Warehouse, as_of: dt.date, time_zone: str, *, estimated: bool = True) -> str:
    """What must be said of made-up data and of a night without scores; empty when there is nothing to say."""
    operators = known_at(warehouse, as_of, time_zone)("advisors", "operator")["operator"].unique().to_list()
    made_up = [text for word, text in NOTICES.items() if any(operator.startswith(word) for operator in operators)]
    return " ".join([*made_up, *([] if estimated else [NOT_ESTIMATED])])
