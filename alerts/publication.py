"""What a night hands to the page: its alerts, who is followed by whom, and the case files of those on a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from alerts.candidates import ended
from alerts.casefile import case_files
from alerts.cases.store import Published
from alerts.night import notice
from alerts.practice import practice
from alerts.routing import in_training, routed
from data_contracts.known import known_at
from data_contracts.vocabulary import LISTED

if TYPE_CHECKING:
    import datetime as dt

    from alerts.facts import Facts
    from alerts.night import Decided
    from vigie.rules import Rules
    from vigie.store import Warehouse


def publication(
    warehouse: Warehouse,
    decided: Decided,
    told: pl.DataFrame,
    sessions: pl.DataFrame,
    where: pl.DataFrame,
    at: dt.datetime,
    rules: Rules,
    time_zone: str,
) -> Published:
    """What the page of the night's day needs: the alerts, who is followed by whom, and the case files of those on a list.

    Args:
        warehouse: open.
        decided: of this night.
        told: from `in_words`.
        sessions: from `alerts.night.with_titles`.
        where: from `courses`.
        at: when it is published.
        rules: of the service.
        time_zone: in which as-of dates end.
    """
    facts = decided.facts
    # Those whose course ended of late stay: the service still owes them a contact.
    there = (in_training(facts), ended(facts, rules), told)
    followed = pl.concat([rows.select("enrolment_id") for rows in there]).unique()
    people = with_owners(where.join(followed, on="enrolment_id", how="semi"), facts, rules)
    names = [
        "enrolment_id",
        "learner_id",
        "advisor_id",
        "queue",
        "territory_id",
        "course",
        "entry_date",
        "planned_exit_date",
        "waiting_since",
    ]
    posts = known_at(warehouse, facts.as_of, time_zone)(
        "advisors", "advisor_id", "operator", "territory_id", "active_to", "weekly_capacity"
    )
    listed = told.filter(pl.col("state").is_in(LISTED)).select("enrolment_id", "learner_id")
    return Published(
        as_of=facts.as_of,
        at=at,
        alerts=told,
        model_version=facts.scores["model_version"][0] if facts.scores.height else "",
        notice=notice(warehouse, facts.as_of, time_zone, estimated=facts.by_rule is None),
        people=people.select(names).sort("enrolment_id"),
        posts=posts.sort("advisor_id"),
        files=case_files(warehouse, facts.as_of, listed, time_zone, facts.scores),
        practice=practice(facts, where.select("enrolment_id", "territory_id")),
        sessions=sessions,
    )


def with_owners(people: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    """The enrolments with advisor_id and queue of their calls, and waiting_since: since when nobody has the case, null where somebody has.

    Args:
        people: enrolment_id, learner_id, entry_date, and any others.
        facts: as known.
        rules: of the service.
    """
    placed = routed(people, facts, rules).join(_left(facts), on="learner_id", how="left")
    # Nobody owes an owner to somebody who has not entered.
    since = pl.max_horizontal(pl.min_horizontal("entry_date", pl.lit(facts.list_day)), "without_since")
    return placed.with_columns(waiting_since=pl.when(~pl.col("owned")).then(since))


def _left(facts: Facts) -> pl.DataFrame:
    """learner_id, without_since: the day after the last one on which an owner who is none any more had the case."""
    moved = pl.when(pl.col("valid_from") < pl.col("joined_on")).then(pl.col("joined_on") - pl.duration(days=1))
    until = pl.min_horizontal("valid_to", "active_to", moved)
    over = facts.assignments.join(facts.advisors, on="advisor_id").filter(until < facts.read_on)
    return over.group_by("learner_id").agg(without_since=until.max() + pl.duration(days=1))
