"""From arrays to canonical tables, each row with the day it became known, and to the truth beside them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.simulator import world
from data_contracts.simulator.dynamics import NEVER, REASON, Lives, live
from data_contracts.simulator.people import Cases, People, Places, make_cases, make_people, make_places, working_days
from data_contracts.vocabulary import (
    ATTENDANCE_STATUS,
    CHANNEL,
    CONTACT_OUTCOME,
    ENTRY,
    EXIT_REASON,
    HALF_DAY,
    OBJECTIVE,
    PURPOSE,
    SITUATION,
)
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EVENING_HOURS = 17
"""Hour of the day, UTC, at which facts become known: evening in France all year round."""
ASSESSMENT_EVERY_DAYS = 21
ASSESSED_SESSIONS = 0.4
MODES = ("onsite", "mixed", "remote")
OPERATOR_PREFIX = "simulation-"
"""Operators' names say that nothing here is real; lists repeat it."""
_MIN_DAYS = 60


@dataclass(frozen=True)
class Simulation:
    """Canonical tables, and what no delivery tells."""

    tables: dict[str, pl.DataFrame]
    truth: dict[str, pl.DataFrame]
    """hazard, contact_effects, counterfactual, providers."""


@dataclass(frozen=True)
class _World:
    rng: np.random.Generator
    first: dt.date
    days: int
    people: People
    places: Places
    cases: Cases
    lives: Lives

    def date(self, days: NDArray[np.int64]) -> pl.Series:
        """Calendar dates of day numbers; `NEVER` has no meaning here."""
        return pl.Series(np.datetime64(self.first, "D") + days.astype("timedelta64[D]"))

    def date_or_null(self, days: NDArray[np.int64]) -> pl.Series:
        """Calendar dates of day numbers, null for `NEVER`."""
        return pl.select(pl.when(pl.Series(days != NEVER)).then(self.date(np.maximum(days, 0)))).to_series()

    def evening(self, days: NDArray[np.int64], minutes: int = 0) -> pl.Series:
        """The instant facts of these days become known; nothing is known before the first evening."""
        late = np.maximum(days, 0)
        instants = np.datetime64(self.first, "us") + late.astype("timedelta64[D]") + np.timedelta64(EVENING_HOURS * 60 + minutes, "m")
        return pl.Series(instants.astype("datetime64[us]")).dt.replace_time_zone("UTC")


def simulate(learners: int, seed: int, first: dt.date, last: dt.date) -> Simulation:
    """Deliveries of a territory from `first` to `last` with `learners` enrolments, and their truth.

    Same arguments, same tables. Rates and their sources are in `world`; facts known after `last` are not delivered.

    Returns:
        tables: rows of the canonical contracts, without known_on_assumed.
        truth: hazard (enrolment_id, date, hazard_dropout, hazard_job: probability on that day), contact_effects (contact_id,
        enrolment_id, hazard_ratio on the day, until), counterfactual (enrolment_id, exit and reason, and had there been no contact),
        providers (provider_id, quality: log-hazard of disengaging).

    Raises:
        ConfigurationError: the period is shorter than two months.
    """
    days = (last - first).days + 1
    if days < _MIN_DAYS:
        raise ConfigurationError(
            f"From {first} to {last} is {days} days.", f"Simulate {_MIN_DAYS} days or more: shorter courses do not exist."
        )
    rng = np.random.default_rng(seed)
    places = make_places(rng, learners, days)
    people = make_people(rng, learners, places)
    cases = make_cases(rng, people, places, days)
    lives = live(rng, people, places, cases, working_days(first, days), first.weekday())
    made = _World(rng, first, days, people, places, cases, lives)
    contacts, effects = _contacts(made)
    tables = {
        "learners": _learners(made),
        "learner_audit": _learner_audit(made),
        "learner_identities": _identities(made),
        "providers": _providers(made),
        "sessions": _sessions(made),
        "enrolments": _enrolments(made),
        "exits": _exits(made),
        "attendance": _attendance(made),
        "activity": _activity(made),
        "assessments": _assessments(made),
        "contacts": contacts,
        "advisors": _advisors(made),
        "assignments": _assignments(made),
        "followups": _followups(made),
    }
    end = pl.lit(dt.datetime.combine(last, dt.time(21, 0), tzinfo=dt.UTC))
    known = {name: _in_contract(name, table.filter(pl.col("known_on") <= end)) for name, table in tables.items()}
    truth = {"hazard": _hazard(made), "contact_effects": effects, "counterfactual": _counterfactual(made), "providers": _quality(made)}
    return Simulation(known, truth)


def _ids(prefix: str, numbers: NDArray[np.int64], width: int = 7) -> pl.Series:
    distinct, places = np.unique(numbers, return_inverse=True)
    names = pl.Series([f"{prefix}{number:0{width}d}" for number in distinct.tolist()], dtype=pl.String)
    return names.gather(places)


def _names(values: tuple[str, ...], codes: NDArray[np.int64]) -> pl.Series:
    return pl.Series(values).gather(codes)


def _learners(w: _World) -> pl.DataFrame:
    n = len(w.people.age)
    rng, people = w.rng, w.people
    who = np.arange(n)
    return pl.DataFrame(
        {
            "learner_id": _ids("L", who),
            "birth_year": w.first.year - people.age,
            "education_level": people.level,
            "jobseeker_since": w.date(people.enrolled - rng.exponential(240, n).astype(np.int64)),
            "prescriber": _names(world.PRESCRIBERS, rng.choice(len(world.PRESCRIBERS), n, p=world.PRESCRIBER_SHARES)),
            "own_initiative": people.own_initiative,
            "commute_minutes": people.commute,
            "home_territory": _names(world.TERRITORIES, w.places.provider_territory[w.places.provider[people.session]]),
            "known_on": w.evening(people.enrolled),
        }
    )


def _learner_audit(w: _World) -> pl.DataFrame:
    n, rng = len(w.people.age), w.rng
    bands = np.digitize(w.people.age, (26, 51))
    return pl.DataFrame(
        {
            "learner_id": _ids("L", np.arange(n)),
            "sex": _names(("female", "male"), (rng.random(n) < 0.48).astype(np.int64)),
            "age_band": _names(("under 26", "26-50", "over 50"), bands),
            "disability": rng.random(n) < 0.09,
            "priority_area": rng.random(n) < 0.16,
            "income_support": rng.random(n) < 0.2,
            "known_on": w.evening(w.people.enrolled),
        }
    )


def _identities(w: _World) -> pl.DataFrame:
    n, rng = len(w.people.age), w.rng
    who = np.arange(n)
    given = _names(world.GIVEN_NAMES, rng.integers(0, len(world.GIVEN_NAMES), n))
    family = _names(world.FAMILY_NAMES, rng.integers(0, len(world.FAMILY_NAMES), n))
    # 06 39 98 is a range of French numbers kept for fiction.
    number = pl.Series(who % 10_000).cast(pl.String).str.zfill(4)
    frame = pl.DataFrame({"learner_id": _ids("L", who), "given_name": given, "family_name": family, "number": number})
    reach = rng.random(n)
    return frame.select(
        "learner_id",
        "given_name",
        "family_name",
        phone=pl.when(pl.Series(reach < 0.95)).then(
            pl.format("06 39 98 {} {}", pl.col("number").str.slice(0, 2), pl.col("number").str.slice(2))
        ),
        email=pl.when(pl.Series(reach > 0.2)).then(pl.format("{}@example.org", pl.col("learner_id").str.to_lowercase())),
        known_on=w.evening(w.people.enrolled),
    )


def _providers(w: _World) -> pl.DataFrame:
    n = len(w.places.provider_territory)
    number = np.arange(n)
    return pl.DataFrame(
        {
            "provider_id": _ids("P", number, 4),
            "name": [f"Organisme simulé {i + 1}" for i in range(n)],
            "territory_id": _names(world.TERRITORIES, w.places.provider_territory),
            "known_on": w.evening(np.zeros(n, np.int64)),
        }
    )


def _sessions(w: _World) -> pl.DataFrame:
    places, rng = w.places, w.rng
    n = len(places.start)
    objective = [OBJECTIVE[code] for code in places.objective]
    pick = rng.integers(0, 1_000, n)
    titles = [world.TITLES[name][place % len(world.TITLES[name])] for name, place in zip(objective, pick.tolist(), strict=True)]
    minutes = places.timetable.sum(axis=(1, 2)) * world.HALF_DAY_MINUTES * np.maximum(1, (places.end - places.start) // 7)
    return pl.DataFrame(
        {
            "session_id": _ids("S", np.arange(n), 6),
            "provider_id": _ids("P", places.provider, 4),
            "programme_id": pl.Series([f"programme-{title.lower().replace(' ', '-')}" for title in titles]),
            "title": titles,
            "domain": pl.Series(11_000 + pick).cast(pl.String),
            "territory_id": _names(world.TERRITORIES, places.provider_territory[places.provider]),
            "start_date": w.date(places.start),
            "end_date": w.date(places.end),
            "planned_minutes": minutes,
            "mode": _names(MODES, places.mode),
            "entry": _names(ENTRY, places.rolling.astype(np.int64)),
            "objective": objective,
            "funder": _names(("region", "france-travail", "opco"), rng.integers(0, 3, n)),
            "known_on": w.evening(np.zeros(n, np.int64)),
        }
    )


def _enrolments(w: _World) -> pl.DataFrame:
    people = w.people
    who = np.arange(len(people.age))
    common = {
        "enrolment_id": _ids("E", who),
        "learner_id": _ids("L", who),
        "session_id": _ids("S", people.session, 6),
        "enrolled_on": w.date(people.enrolled),
        "planned_exit_date": w.date(people.end),
    }
    first = pl.DataFrame(common | {"known_on": w.evening(people.enrolled)}).with_columns(entry_date=pl.lit(None, pl.Date))
    entered = pl.DataFrame(common | {"known_on": w.evening(people.entry, 5), "entry_date": w.date(people.entry)})
    return pl.concat([first, entered.filter(pl.Series(people.comes)).select(first.columns)])


def _exits(w: _World) -> pl.DataFrame:
    lives, people, rng = w.lives, w.people, w.rng
    n = len(people.age)
    absent = ~people.comes
    day = np.where(absent, people.entry, lives.exit_day)
    reason = np.where(absent, REASON["no_show"], lives.exit_reason)
    told = (day != NEVER) & ~(lives.silent & (reason == REASON["dropout"]))
    lag = np.where(reason == REASON["completed"], rng.integers(0, 4, n), rng.integers(1, 16, n))
    frame = pl.DataFrame(
        {
            "enrolment_id": _ids("E", np.arange(n)),
            "exit_date": w.date(day),
            "reason": _names(EXIT_REASON, np.maximum(reason, 0)),
            "known_on": w.evening(day + lag),
        }
    )
    return frame.filter(pl.Series(told))


def _joined(parts: Sequence[tuple[NDArray[Any], ...]], columns: int) -> list[NDArray[np.int64]]:
    if not parts:
        return [np.empty(0, np.int64) for _ in range(columns)]
    return [np.concatenate([part[column] for part in parts]) for column in range(columns)]


def _attendance(w: _World) -> pl.DataFrame:
    who, day, half, status, lag = _joined(w.lives.log.sheets, 5)
    planned = np.where(half == len(HALF_DAY) - 1, 2 * world.HALF_DAY_MINUTES, world.HALF_DAY_MINUTES)
    minutes = pl.col("planned_minutes")
    frame = pl.DataFrame(
        {
            "enrolment_id": _ids("E", who),
            "date": w.date(day),
            "half_day": pl.Series(half).cast(pl.UInt8).cat.to(pl.Enum(HALF_DAY)),
            "status": pl.Series(status).cast(pl.UInt8).cat.to(pl.Enum(ATTENDANCE_STATUS)),
            "planned_minutes": planned.astype(np.int32),
            "known_on": w.evening(day + lag),
        }
    )
    attended = (
        pl.when(pl.col("status") == "present")
        .then(minutes)
        .when(pl.col("status") == "late")
        .then(minutes - 20)
        .when(pl.col("status") == "left_early")
        .then(minutes - 60)
        .when(pl.col("status") != "not_recorded")
        .then(0)
    )
    return frame.with_columns(attended_minutes=attended)


def _activity(w: _World) -> pl.DataFrame:
    who, day, kind, count = _joined(w.lives.log.traces, 4)
    return pl.DataFrame(
        {
            "enrolment_id": _ids("E", who),
            "date": w.date(day),
            "kind": _names(("lms", "quiz"), kind),
            "count": count,
            "minutes": np.minimum(count * 4, 600),
            "known_on": w.evening(day),
        }
    )


def _assessments(w: _World) -> pl.DataFrame:
    """Work every three weeks in some sessions: planned at entry, handed in about the deadline, marked a week later."""
    people, rng, lives = w.people, w.rng, w.lives
    assessed = rng.random(len(w.places.start)) < ASSESSED_SESSIONS
    learner = np.flatnonzero(people.comes & assessed[people.session] & (people.entry < w.days))
    times = np.maximum(0, (people.end - people.entry)[learner] // ASSESSMENT_EVERY_DAYS)
    who = np.repeat(learner, times)
    number = np.arange(len(who)) - np.repeat(np.cumsum(times) - times, times) + 1
    due = people.entry[who] + number * ASSESSMENT_EVERY_DAYS
    inside = due < w.days
    troubled = np.zeros(len(who), np.bool_)
    troubled[inside] = lives.disengaging[who[inside], due[inside]]
    there = (lives.exit_day[who] == NEVER) | (lives.exit_day[who] > due)
    handed = there & inside & (rng.random(len(who)) < np.where(troubled, 0.35, 0.9))
    submitted = due + rng.integers(-4, 3, len(who))
    score = np.clip(rng.normal(np.where(troubled, 0.5, 0.62), 0.16), 0, 1).round(2)
    base = pl.DataFrame(
        {
            "enrolment_id": _ids("E", who),
            "assessment_id": _ids("A", number, 2),
            "kind": pl.Series(["work"]).gather(np.zeros(len(who), np.int64)),
            "due_date": w.date(due),
            "weight": 1 / np.maximum(1, np.repeat(times, times)),
            "submitted": w.date(submitted),
            "mark": score,
            "entered": w.evening(people.entry[who], 10),
            "sent": w.evening(submitted, 10),
            "marked": w.evening(submitted + 7, 10),
            "handed": handed,
        }
    )
    facts = ["enrolment_id", "assessment_id", "kind", "due_date", "weight"]
    nothing, no_mark = pl.lit(None, pl.Date).alias("submitted_on"), pl.lit(None, pl.Float64).alias("score")
    sent = base.filter("handed")
    return pl.concat(
        [
            base.select(*facts, nothing, no_mark, known_on="entered"),
            sent.select(*facts, submitted_on="submitted", score=no_mark, known_on="sent"),
            sent.select(*facts, submitted_on="submitted", score="mark", known_on="marked"),
        ]
    )


def _contacts(w: _World) -> tuple[pl.DataFrame, pl.DataFrame]:
    who, day, advisor, kind, outcome = _joined(w.lives.log.contacts, 5)
    n, rng = len(who), w.rng
    channel = np.array([CHANNEL.index("phone"), CHANNEL.index("in_person"), CHANNEL.index("phone")])[kind]
    since = day - w.people.entry[who]
    purpose = np.select(
        [since < 15, rng.random(n) < 0.3], [PURPOSE.index("entry"), PURPOSE.index("job_search")], PURPOSE.index("motivation")
    )
    minutes = rng.integers(0, 8 * 60, n)
    at = w.evening(day).dt.offset_by("-10h") + pl.Series(minutes).cast(pl.Duration("ms")) * 60_000
    spoke = np.isin(outcome, [CONTACT_OUTCOME.index("reached"), CONTACT_OUTCOME.index("kept")])
    named = spoke & (rng.random(n) < 0.15)
    barriers = ("mobility", "housing", "money", "childcare", "content", "relations", "job_search")
    ids = _ids("C", np.arange(n), 8)
    frame = pl.DataFrame(
        {
            "contact_id": ids,
            "learner_id": _ids("L", who),
            "advisor_id": _ids("adv-", np.maximum(advisor, 0), 4),
            "occurred_at": at,
            "channel": _names(CHANNEL, channel),
            "direction": _names(("outbound", "inbound"), (kind == 2).astype(np.int64)),
            "outcome": _names(CONTACT_OUTCOME, outcome),
            "purpose": _names(PURPOSE, purpose),
            "barrier": _names(barriers, rng.integers(0, len(barriers), n)),
            "known_on": w.evening(day + rng.integers(0, 2, n)),
        }
    ).with_columns(
        advisor_id=pl.when(pl.Series(advisor >= 0)).then("advisor_id"),
        barrier=pl.when(pl.Series(named)).then("barrier"),
    )
    effects = pl.DataFrame(
        {
            "contact_id": ids,
            "enrolment_id": _ids("E", who),
            "hazard_ratio": w.people.effect[who],
            "until": w.date(day + int(3 * world.EFFECT_DAYS)),
        }
    )
    return frame, effects.filter(pl.Series(spoke))


def _advisors(w: _World) -> pl.DataFrame:
    cases, rng = w.cases, w.rng
    n = len(cases.advisor_territory)
    number = np.arange(n)
    ids = _ids("adv-", number, 4)
    same = [np.flatnonzero(cases.advisor_territory == territory) for territory in cases.advisor_territory]
    backup = np.array([team[(int(np.searchsorted(team, me)) + 1) % len(team)] for me, team in zip(number.tolist(), same, strict=True)])
    given = _names(world.GIVEN_NAMES, rng.integers(0, len(world.GIVEN_NAMES), n))
    family = _names(world.FAMILY_NAMES, rng.integers(0, len(world.FAMILY_NAMES), n))
    return pl.DataFrame(
        {
            "advisor_id": ids,
            "name": given + " " + family,
            "email": ids + "@example.org",
            "operator": OPERATOR_PREFIX + _names(world.OPERATORS, cases.advisor_operator),
            "territory_id": _names(world.TERRITORIES, cases.advisor_territory),
            "weekly_capacity": cases.advisor_capacity,
            "active_from": w.date(np.full(n, -365)),
            "active_to": w.date_or_null(cases.advisor_leaves),
            "backup_advisor_id": _ids("adv-", backup, 4),
            "known_on": w.evening(np.zeros(n, np.int64)),
        }
    )


def _assignments(w: _World) -> pl.DataFrame:
    """An ownership is known from its first evening; its end is a second layer, known when it comes."""
    cases = w.cases
    opened = pl.DataFrame(
        {
            "learner_id": _ids("L", cases.learner),
            "valid_from": w.date(cases.start),
            "advisor_id": _ids("adv-", cases.advisor, 4),
            "known_on": w.evening(cases.start),
            "end": w.date_or_null(cases.end),
            "ended": w.evening(np.maximum(cases.end, cases.start), 15),
        }
    )
    columns = ["learner_id", "valid_from", "advisor_id"]
    first = opened.select(*columns, valid_to=pl.lit(None, pl.Date), known_on="known_on")
    return pl.concat([first, opened.filter(pl.col("end").is_not_null()).select(*columns, valid_to="end", known_on="ended")])


def _followups(w: _World) -> pl.DataFrame:
    rng, lives = w.rng, w.lives
    left = np.flatnonzero(lives.exit_day != NEVER)
    parts = []
    for months in (3, 6, 12):
        day = lives.exit_day[left] + months * 30 + rng.integers(0, 20, len(left))
        answered = (rng.random(len(left)) < 0.6) & (day < w.days)
        who, when = left[answered], day[answered]
        placed = np.where(lives.exit_reason[who] == REASON["job"], 0.85, np.where(lives.exit_reason[who] == REASON["dropout"], 0.35, 0.55))
        draw = rng.random(len(who))
        job = SITUATION.index("long_job")
        situation = np.where(
            draw < placed * 0.3, 0, np.where(draw < placed * 0.7, job, np.where(draw < placed, 2, SITUATION.index("job_seeking")))
        )
        parts.append((who, when, np.full(len(who), months), situation))
    who, when, months_after, situation = _joined(parts, 4)
    return pl.DataFrame(
        {
            "enrolment_id": _ids("E", who),
            "observed_on": w.date(when),
            "months_after_exit": months_after,
            "situation": _names(SITUATION, situation),
            "known_on": w.evening(when),
        }
    )


def _hazard(w: _World) -> pl.DataFrame:
    hazards = w.lives.log.hazards
    who, day = (np.concatenate([part[column] for part in hazards]) for column in (0, 1))
    dropout, job = (np.concatenate([part[column] for part in hazards]) for column in (2, 3))
    return pl.DataFrame({"enrolment_id": _ids("E", who), "date": w.date(day), "hazard_dropout": dropout, "hazard_job": job})


def _counterfactual(w: _World) -> pl.DataFrame:
    lives = w.lives

    def named(reason: NDArray[np.int64]) -> pl.Series:
        return pl.select(pl.when(pl.Series(reason != NEVER)).then(_names(EXIT_REASON, np.maximum(reason, 0)))).to_series()

    return pl.DataFrame(
        {
            "enrolment_id": _ids("E", np.arange(len(lives.exit_day))),
            "exit_date": w.date_or_null(lives.exit_day),
            "reason": named(lives.exit_reason),
            "exit_date_without_contact": w.date_or_null(lives.alone_day),
            "reason_without_contact": named(lives.alone_reason),
        }
    )


def _quality(w: _World) -> pl.DataFrame:
    quality = w.places.provider_quality
    return pl.DataFrame({"provider_id": _ids("P", np.arange(len(quality)), 4), "quality": quality})


def _in_contract(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    contract = TABLES[name].schema
    whole = rows.with_columns(pl.lit(None).alias(column) for column in contract.column_names() if column not in rows.columns)
    cast = whole.with_columns(pl.col(column).cast(definition.dtype) for column, definition in contract.columns().items())
    return cast.select(column for column in contract.column_names() if column != "known_on_assumed")
