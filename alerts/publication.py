"""What a night hands to the page: its alerts, who is followed by whom, and the case files of those on a list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from alerts.casefile import case_files
from alerts.cases.store import Published
from alerts.night import known_at, notice
from alerts.policy import LISTED
from alerts.routing import in_training, routes

if TYPE_CHECKING:
    import datetime as dt

    from alerts.night import Decided
    from vigie.store import Warehouse


def publication(
    warehouse: Warehouse, decided: Decided, told: pl.DataFrame, where: pl.DataFrame, model_version: str, at: dt.datetime, time_zone: str
) -> Published:
    """What the page of the night's day needs: the alerts, who is followed by whom, and the case files of those on a list.

    Args:
        warehouse: open.
        decided: of this night.
        told: from `in_words`.
        where: from `courses`.
        model_version: of the scores.
        at: when it is published.
        time_zone: in which as-of dates end.
    """
    facts = decided.facts
    followed = pl.concat([in_training(facts).select("enrolment_id"), told.select("enrolment_id")]).unique()
    theirs = where.join(followed, on="enrolment_id", how="semi")
    people = theirs.join(routes(facts), on="learner_id", how="left").with_columns(pl.col("queue").cast(pl.String).fill_null("territory"))
    names = ["enrolment_id", "learner_id", "advisor_id", "queue", "territory_id", "course", "entry_date", "planned_exit_date"]
    posts = known_at(warehouse, facts.as_of, time_zone)("advisors", "advisor_id", "operator", "territory_id", "active_to")
    listed = told.filter(pl.col("state").is_in(LISTED)).select("enrolment_id", "learner_id")
    return Published(
        as_of=facts.as_of,
        at=at,
        alerts=told,
        model_version=model_version,
        notice=notice(warehouse, facts.as_of, time_zone),
        people=people.select(names).sort("enrolment_id"),
        posts=posts.sort("advisor_id"),
        files=case_files(warehouse, facts.as_of, listed, time_zone),
    )
