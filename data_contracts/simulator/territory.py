"""A territory from its first day to its last: make the world, let it live, write what would be delivered and what would not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.simulator import courses, identities, presence, support, truth
from data_contracts.simulator.ahead import Ahead
from data_contracts.simulator.cases import make_cases
from data_contracts.simulator.dynamics import live
from data_contracts.simulator.made import Made
from data_contracts.simulator.people import make_people, make_places
from data_contracts.simulator.working_days import make_calendar
from vigie.clock import end_of_day
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

_MIN_DAYS = 60
_TIME_ZONE = "Europe/Paris"


@dataclass(frozen=True)
class Simulation:
    """Canonical tables, and what no delivery tells."""

    tables: dict[str, pl.DataFrame]
    truth: dict[str, pl.DataFrame]
    """hazard, contact_effects, counterfactual, providers; risk, when nights were asked for."""


def simulate(
    learners: int, seed: int, first: dt.date, last: dt.date, *, nights: Sequence[dt.date] = (), horizon_days: int = 28, copies: int = 200
) -> Simulation:
    """Deliveries of a territory from `first` to `last` with `learners` enrolments, and their truth.

    Same arguments, same tables. Rates and their sources are in `world`; facts known after `last` are not delivered.

    Args:
        learners: people who enrol over the whole period, one enrolment each.
        seed: of every random number.
        first: first simulated day; nobody is in training before it.
        last: last simulated day.
        nights: evenings of which the true risk is told; they change nothing else.
        horizon_days: that this risk covers.
        copies: how many times the world goes on from each of these nights.

    Returns:
        tables: rows of the canonical contracts, without known_on_assumed and withdrawn.
        truth: hazard (enrolment_id, date, hazard_dropout, hazard_job: probability on that day), contact_effects (contact_id,
        enrolment_id, hazard_ratio on the day, until), counterfactual (enrolment_id, exit and reason, and had there been no contact),
        providers (provider_id, quality: log-hazard of disengaging), risk (as_of, enrolment_id, risk of dropout and risk_job within the
        horizon given all that is true that evening, disengaging, has_found_job).

    Raises:
        ConfigurationError: the period is shorter than two months.
    """
    days = (last - first).days + 1
    if days < _MIN_DAYS:
        raise ConfigurationError(
            f"From {first} to {last} is {days} days.", f"Simulate {_MIN_DAYS} days or more: shorter courses do not exist."
        )
    made = _make(learners, seed, first, days, {(night - first).days for night in nights}, horizon_days, copies)
    contacts, effects = support.contacts(made)
    tables = {
        "learners": identities.learners(made),
        "learner_audit": identities.learner_audit(made),
        "learner_identities": identities.learner_identities(made),
        "providers": courses.providers(made),
        "sessions": courses.sessions(made),
        "enrolments": courses.enrolments(made),
        "exits": courses.exits(made),
        "attendance": presence.attendance(made),
        "activity": presence.activity(made),
        "assessments": presence.assessments(made),
        "contacts": contacts,
        "advisors": support.advisors(made),
        "assignments": support.assignments(made),
        "followups": support.followups(made),
    }
    end = pl.lit(end_of_day(last, _TIME_ZONE))
    known = {name: _in_contract(name, table.filter(pl.col("known_on") <= end)) for name, table in tables.items()}
    untold = {
        "hazard": truth.hazard(made),
        "contact_effects": effects,
        "counterfactual": truth.counterfactual(made),
        "providers": truth.providers(made),
    }
    if nights:
        untold["risk"] = truth.risk(made)
    return Simulation(known, untold)


def _make(learners: int, seed: int, first: dt.date, days: int, nights: set[int], horizon_days: int, copies: int) -> Made:
    rng, calendar = np.random.default_rng(seed), make_calendar(first, days)
    places = make_places(rng, learners, calendar)
    people = make_people(rng, learners, places, calendar)
    cases = make_cases(rng, people, places, calendar)
    ahead = Ahead(seed, people, places, cases, calendar, nights, horizon_days, copies)
    return Made(rng, calendar, people, places, cases, live(rng, people, places, cases, calendar, ahead.look), ahead.found)


def _in_contract(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    contract = TABLES[name].schema
    whole = rows.with_columns(pl.lit(None).alias(column) for column in contract.column_names() if column not in rows.columns)
    cast = whole.with_columns(pl.col(column).cast(definition.dtype) for column, definition in contract.columns().items())
    return cast.select(column for column in contract.column_names() if column not in {"known_on_assumed", "withdrawn"})
