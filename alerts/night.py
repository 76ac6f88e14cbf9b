"""The alerting part of a night: decide, then put names on the lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from alerts.facts import read_facts
from alerts.lists.rows import AdvisorList, Words, lists
from alerts.policy import decide
from alerts.routing import NO_TERRITORY
from alerts.wording import NOTICES
from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from vigie.clock import end_of_day

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import dataframely as dy

    from alerts.cases import CaseStore
    from alerts.wording import Phrase
    from data_contracts.tables.outputs import Alerts
    from vigie.rules import Rules
    from vigie.store import Warehouse


def decide_night(
    warehouse: Warehouse, cases: CaseStore, as_of: dt.date, scores: pl.DataFrame, rules: Rules, time_zone: str
) -> dy.DataFrame[Alerts]:
    """Alerts of the night of `as_of` from its scores, what is known then, and the alerts of earlier nights."""
    return decide(read_facts(warehouse, as_of, scores, cases.past(as_of), time_zone), rules)


def night_lists(
    warehouse: Warehouse,
    cases: CaseStore,
    alerts: pl.DataFrame,
    scores: pl.DataFrame,
    rules: Rules,
    phrases: Mapping[str, Phrase],
    time_zone: str,
) -> list[AdvisorList]:
    """Every recipient's list, with the names that only the case store has."""
    if alerts.is_empty():
        return []
    instant = end_of_day(alerts["as_of"][0], time_zone)

    def known(table: str, *columns: str) -> pl.DataFrame:
        return warehouse.as_known_at(layout(TABLES[table]), instant, columns=columns)

    sessions = known("sessions", "session_id", "title", "provider_id", "territory_id", "end_date")
    providers = known("providers", "provider_id", "name")
    courses = sessions.join(providers, on="provider_id", how="left").select(
        "session_id", "territory_id", course=pl.format("{}, {}", "title", pl.col("name").fill_null("organisme inconnu"))
    )
    where = known("enrolments", "enrolment_id", "session_id").join(courses, on="session_id", how="left").drop("session_id")
    where = where.with_columns(pl.col("territory_id").fill_null(NO_TERRITORY), pl.col("course").fill_null("Formation pas encore connue"))
    weak = scores.select("enrolment_id", "low_confidence")
    told = alerts.join(where, on="enrolment_id", how="left", maintain_order="left").join(
        weak, on="enrolment_id", how="left", maintain_order="left"
    )
    territories = told["territory_id"].unique().to_list()
    words = Words(
        phrases,
        {territory: rules.of(territory).actions for territory in territories},
        {territory: rules.of(territory).list_title for territory in territories},
        notice=_notice(known("advisors", "operator")),
    )
    return lists(told, cases.names(told["learner_id"].unique().sort().to_list()), cases.advisors(), words)


def _notice(advisors: pl.DataFrame) -> str:
    operators = advisors["operator"].unique().to_list()
    return " ".join(text for word, text in NOTICES.items() if any(operator.startswith(word) for operator in operators))
