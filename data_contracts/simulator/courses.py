"""Tables about courses: who runs them, who is on them, how they left."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_contracts.simulator import names, world
from data_contracts.simulator.dynamics import REASON
from data_contracts.simulator.made import NEVER, ids, named, only
from data_contracts.vocabulary import ENTRY, EXIT_REASON, OBJECTIVE

if TYPE_CHECKING:
    from data_contracts.simulator.made import Made

MODES = ("onsite", "mixed", "remote")
ANNOUNCED_DAYS = 90
"""A session is known this long before it starts, or before the first enrolment."""


def providers(w: Made) -> pl.DataFrame:
    """One row a provider, known from the first evening; names are made up, and no SIRET is given lest it be somebody's."""
    n = len(w.places.provider_territory)
    kinds, spots = len(names.PROVIDER_KINDS), len(names.PROVIDER_PLACES)
    order = w.rng.permutation(kinds * spots)
    labels = [f"{names.PROVIDER_KINDS[place % kinds]} {names.PROVIDER_PLACES[place // kinds]}" for place in order.tolist()]
    return pl.DataFrame(
        {
            "provider_id": ids("P", np.arange(n), 4),
            "name": [labels[i % len(labels)] + (f" {i // len(labels) + 1}" if i >= len(labels) else "") for i in range(n)],
            "territory_id": named(world.TERRITORIES, w.places.provider_territory),
            "known_on": w.evening(np.zeros(n, np.int64)),
        }
    )


def sessions(w: Made) -> pl.DataFrame:
    """One row a session, known months before it starts."""
    places, n = w.places, len(w.places.start)
    pick = w.rng.integers(0, 1_000, n).tolist()
    objective = [OBJECTIVE[code] for code in places.objective]
    courses = [names.COURSES[name][place % len(names.COURSES[name])] for name, place in zip(objective, pick, strict=True)]
    minutes = places.timetable.sum(axis=(1, 2)) * world.HALF_DAY_MINUTES * (places.length // 7 - places.placement)
    earliest = places.start - ANNOUNCED_DAYS
    np.minimum.at(earliest, w.people.session, w.people.enrolled)
    return pl.DataFrame(
        {
            "session_id": ids("S", np.arange(n), 6),
            "provider_id": ids("P", places.provider, 4),
            "programme_id": [f"programme-{_plain(title)}" for title, _ in courses],
            "title": [title for title, _ in courses],
            "domain": [domain for _, domain in courses],
            "territory_id": named(world.TERRITORIES, places.provider_territory[places.provider]),
            "start_date": w.date(places.start),
            "end_date": w.date(places.end),
            "planned_minutes": minutes,
            "mode": named(MODES, places.mode),
            "entry": named(ENTRY, places.rolling.astype(np.int64)),
            "objective": objective,
            "funder": named(("region", "france-travail", "opco"), w.rng.choice(3, n, p=(0.5, 0.4, 0.1))),
            "known_on": w.evening(earliest),
        }
    )


def _plain(title: str) -> str:
    letters = unicodedata.normalize("NFD", title).encode("ascii", "ignore").decode()
    return "-".join(letters.lower().replace("'", " ").split())


def enrolments(w: Made) -> pl.DataFrame:
    """Two layers: the enrolment, known that day, then the entry of those who came, known on its evening."""
    people = w.people
    who = np.arange(len(people.age))
    common = {
        "enrolment_id": ids("E", who),
        "learner_id": ids("L", who),
        "session_id": ids("S", people.session, 6),
        "enrolled_on": w.date(people.enrolled),
        "planned_exit_date": w.date(people.end),
    }
    first = pl.DataFrame(common | {"known_on": w.evening(people.enrolled)}).with_columns(entry_date=pl.lit(None, pl.Date))
    entered = pl.DataFrame(common | {"known_on": w.evening(people.entry, 5), "entry_date": w.date(people.entry)})
    return pl.concat([first, entered.filter(pl.Series(people.comes)).select(first.columns)])


def exits(w: Made) -> pl.DataFrame:
    """Ends, known 1 to 15 days after (5 at most at the planned end); of silent dropouts no row ever comes."""
    lives, people, rng = w.lives, w.people, w.rng
    n = len(people.age)
    absent = ~people.comes
    day = np.where(absent, people.entry, lives.exit_day)
    reason = np.where(absent, REASON["no_show"], lives.exit_reason)
    dropped = reason == REASON["dropout"]
    told = (day != NEVER) & ~(lives.silent & dropped)
    lag = np.where(reason == REASON["completed"], rng.integers(1, 6, n), rng.integers(1, 16, n))
    motive = named(world.MOTIVES, rng.choice(len(world.MOTIVES), n, p=world.MOTIVE_SHARES))
    frame = pl.DataFrame(
        {
            "enrolment_id": ids("E", np.arange(n)),
            "exit_date": w.date(day),
            "reason": named(EXIT_REASON, reason),
            "dropout_motive": only(dropped & (rng.random(n) < world.MOTIVE_GIVEN), motive),
            "known_on": w.evening(day + lag),
        }
    )
    return frame.filter(pl.Series(told))
