"""Cover: who has a named owner, how long others wait, whether attendance is known in time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl

from impact.indicators.counted import counted

if TYPE_CHECKING:
    from impact.facts import Facts
    from vigie.rules import Invariants


def cover(facts: Facts, rules: Invariants) -> pl.DataFrame:
    """Rows as `counted` makes them."""
    return pl.concat([_owner_in_time(facts, rules), *_queue(facts), _sheets(facts)])


def _owner_in_time(facts: Facts, rules: Invariants) -> pl.DataFrame:
    within = pl.duration(days=rules.owner_within_days)
    over = facts.as_of - dt.timedelta(days=rules.owner_within_days)
    entered = facts.enrolments.filter(pl.col("entry_date").is_between(facts.first, over))
    owned = entered.join(facts.owners.drop("operator"), on="learner_id").filter(
        pl.col("valid_from") <= pl.col("entry_date") + within, pl.col("valid_to").is_null() | (pl.col("valid_to") >= pl.col("entry_date"))
    )
    named = pl.col("enrolment_id").is_in(owned["enrolment_id"].unique().implode())
    return counted(entered, "owner_in_time", "entry_date", named)


def _queue(facts: Facts) -> list[pl.DataFrame]:
    there = facts.enrolments.filter(pl.col("planned_exit_date") >= facts.as_of, pl.col("exit_date").is_null())
    owners = facts.owners.join(facts.advisors.select("advisor_id", "active_to"), on="advisor_id", how="left")
    owners = owners.filter(pl.col("valid_from") <= facts.as_of).with_columns(until=pl.min_horizontal("valid_to", "active_to"))
    goes_on = pl.col("until").is_null() | (pl.col("until") >= facts.as_of)
    last = owners.group_by("learner_id").agg(pl.col("until").max(), owned=goes_on.any())
    people = there.join(last, on="learner_id", how="left").with_columns(pl.col("owned").fill_null(value=False), on=pl.lit(facts.as_of))
    since = pl.max_horizontal("entry_date", pl.col("until") + pl.duration(days=1))
    waiting = people.filter(~pl.col("owned"))
    return [
        counted(people, "unowned_now", "on", ~pl.col("owned")),
        counted(waiting, "unowned_days", "on", (pl.col("on") - since).dt.total_days()),
    ]


def _sheets(facts: Facts) -> pl.DataFrame:
    # A sheet of yesterday has not had its two days yet.
    over = facts.sheets.filter(pl.col("date") <= facts.as_of - dt.timedelta(days=3), pl.col("expected") > 0)
    by_month = over.group_by("enrolment_id", on=pl.col("date").dt.month_start()).agg(pl.col("expected", "in_time").sum())
    return counted(by_month.join(facts.enrolments, on="enrolment_id"), "sheets_in_time", "on", pl.col("in_time"), pl.col("expected"))
