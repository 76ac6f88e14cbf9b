"""Tables about support: contacts, advisors, who owns whom, and what became of people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_contracts.simulator import names, world
from data_contracts.simulator.dynamics import REASON
from data_contracts.simulator.made import NEVER, ids, joined, named
from data_contracts.simulator.traces import INBOUND, MESSAGE, VISIT
from data_contracts.vocabulary import BARRIER, CHANNEL, CONTACT_OUTCOME, PURPOSE, SITUATION

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from data_contracts.simulator.made import Made

OPERATOR_PREFIX = "simulation-"
"""Operators' names say that nothing here is real; lists repeat it."""
OUTCOMES_BY_END = {
    "job": {"permanent_job": 0.22, "long_job": 0.38, "short_job": 0.22, "job_seeking": 0.13, "unknown": 0.05},
    "dropout": {"long_job": 0.08, "short_job": 0.20, "other_training": 0.06, "job_seeking": 0.44, "inactive": 0.14, "unknown": 0.08},
    "rest": {
        "permanent_job": 0.14,
        "long_job": 0.20,
        "short_job": 0.16,
        "own_business": 0.03,
        "apprenticeship": 0.02,
        "qualifying_training": 0.06,
        "other_training": 0.05,
        "job_seeking": 0.26,
        "inactive": 0.05,
        "unknown": 0.03,
    },
}
"""Situation months later, by how the course ended; about half are in work after a course (France Travail: 57 % of 2015 leavers)."""


def contacts(w: Made) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Contacts, known that evening or the next; and, of those in which both spoke, the effect on dropout."""
    who, day, advisor, kind, outcome, purpose, barrier = joined(w.lives.log.contacts, 7)
    n, rng = len(who), w.rng
    contact = ids("C", np.arange(n), 8)
    at = w.evening(day).dt.offset_by("-10h") + pl.Series(rng.integers(0, 8 * 60, n)).cast(pl.Duration("ms")) * 60_000
    advisors_named = pl.select(pl.when(pl.Series(advisor != NEVER)).then(ids("adv-", np.maximum(advisor, 0), 4))).to_series()
    frame = pl.DataFrame(
        {
            "contact_id": contact,
            "learner_id": ids("L", who),
            "advisor_id": advisors_named,
            "occurred_at": at,
            "channel": named(CHANNEL, _channel(rng, kind)),
            "direction": named(("outbound", "inbound"), (kind == INBOUND).astype(np.int64)),
            "outcome": named(CONTACT_OUTCOME, outcome),
            "purpose": named(PURPOSE, purpose),
            "barrier": named(BARRIER, barrier),
            "known_on": w.evening(day + rng.integers(0, 2, n)),
        }
    )
    effects = pl.DataFrame(
        {
            "contact_id": contact,
            "enrolment_id": ids("E", who),
            "hazard_ratio": w.people.effect[who],
            "until": w.date(day + int(3 * world.EFFECT_DAYS)),
        }
    )
    spoke = np.isin(outcome, [CONTACT_OUTCOME.index(name) for name in ("reached", "kept")])
    return frame, effects.filter(pl.Series(spoke & (purpose != PURPOSE.index("follow_up"))))


def _channel(rng: np.random.Generator, kind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Appointments are in person or by video, messages by text or e-mail, the rest by phone."""
    draw = rng.random(len(kind))
    choices = [(kind == VISIT) & (draw < 0.8), kind == VISIT, (kind == MESSAGE) & (draw < 0.7), kind == MESSAGE]
    codes = [CHANNEL.index(name) for name in ("in_person", "video", "sms", "email")]
    return np.asarray(np.select(choices, codes, CHANNEL.index("phone")), dtype=np.int64)


def advisors(w: Made) -> pl.DataFrame:
    """Advisors, known from the first evening; that one has left is a second layer, known on the last day of service."""
    cases, rng = w.cases, w.rng
    n = len(cases.advisor_territory)
    number = np.arange(n)
    key = ids("adv-", number, 4)
    same = [np.flatnonzero(cases.advisor_territory == territory) for territory in cases.advisor_territory]
    backup = np.array([team[(int(np.searchsorted(team, me)) + 1) % len(team)] for me, team in zip(number.tolist(), same, strict=True)])
    given = named(names.GIVEN_NAMES, rng.integers(0, len(names.GIVEN_NAMES), n))
    family = named(names.FAMILY_NAMES, rng.integers(0, len(names.FAMILY_NAMES), n))
    first = pl.DataFrame(
        {
            "advisor_id": key,
            "name": given + " " + family,
            "email": key + "@example.org",
            "operator": OPERATOR_PREFIX + named(world.OPERATORS, cases.advisor_operator),
            "territory_id": named(world.TERRITORIES, cases.advisor_territory),
            "weekly_capacity": cases.advisor_capacity,
            "active_from": w.date(np.full(n, -365)),
            "active_to": pl.Series([None] * n, dtype=pl.Date),
            "backup_advisor_id": ids("adv-", backup, 4),
            "known_on": w.evening(np.zeros(n, np.int64)),
        }
    )
    left = first.with_columns(active_to=w.date_or_null(cases.advisor_leaves), known_on=w.evening(cases.advisor_leaves, 20))
    return pl.concat([first, left.filter(pl.col("active_to").is_not_null())])


def assignments(w: Made) -> pl.DataFrame:
    """An ownership is known from its first evening; its end is a second layer, known when it comes."""
    cases = w.cases
    opened = pl.DataFrame(
        {
            "learner_id": ids("L", cases.learner),
            "valid_from": w.date(cases.start),
            "advisor_id": ids("adv-", cases.advisor, 4),
            "known_on": w.evening(cases.start),
            "end": w.date_or_null(cases.end),
            "ended": w.evening(np.maximum(cases.end, cases.start), 15),
        }
    )
    columns = ["learner_id", "valid_from", "advisor_id"]
    first = opened.select(*columns, valid_to=pl.lit(None, pl.Date), known_on="known_on")
    return pl.concat([first, opened.filter(pl.col("end").is_not_null()).select(*columns, valid_to="end", known_on="ended")])


def followups(w: Made) -> pl.DataFrame:
    """Situations 3, 6 and 12 months after the end, of the six in ten who answer: fewer of the young, and of those who dropped out."""
    rng, lives = w.rng, w.lives
    left = np.flatnonzero(lives.exit_day != NEVER)
    answers = world.ANSWERS - world.ANSWERS_LESS * ((w.people.age < 26).astype(np.int64) + (lives.exit_reason == REASON["dropout"]))[left]
    parts = []
    for months in (3, 6, 12):
        day = w.calendar.next_working(lives.exit_day[left] + months * 30 + rng.integers(3, 20, len(left)))
        answered = (rng.random(len(left)) < answers) & (day < w.calendar.days)
        who, when = left[answered], day[answered]
        parts.append((who, when, np.full(len(who), months), _situation(rng, lives.exit_reason[who])))
    who, when, months_after, situation = joined(parts, 4)
    return pl.DataFrame(
        {
            "enrolment_id": ids("E", who),
            "observed_on": w.date(when),
            "months_after_exit": months_after,
            "situation": named(SITUATION, situation),
            "known_on": w.evening(when),
        }
    )


def _situation(rng: np.random.Generator, reason: NDArray[np.int64]) -> NDArray[np.int64]:
    drawn = {
        end: np.array([SITUATION.index(name) for name in shares])[rng.choice(len(shares), len(reason), p=list(shares.values()))]
        for end, shares in OUTCOMES_BY_END.items()
    }
    ended = [reason == REASON["job"], reason == REASON["dropout"]]
    return np.asarray(np.select(ended, [drawn["job"], drawn["dropout"]], drawn["rest"]), dtype=np.int64)
