"""Who receives an alert: the owner at that date, else the owner's backup, else the territory's queue. Nobody falls through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from alerts.facts import Facts
    from vigie.rules import Rules

NO_TERRITORY: Final = "inconnu"
"""Queue of enrolments whose session is not known yet: sessions and enrolments come in different files, the promises hold meanwhile."""


def in_training(facts: Facts) -> pl.DataFrame:
    """Enrolments entered, not known to have left, whose planned end has not passed, with the territory of their session."""
    return _not_over(facts).filter(pl.col("entry_date") <= facts.as_of)


def to_come(facts: Facts) -> pl.DataFrame:
    """Enrolments not yet entered and not given up, as `in_training` gives those that are."""
    return _not_over(facts).filter(~(pl.col("entry_date") <= facts.as_of).fill_null(value=False))


def _not_over(facts: Facts) -> pl.DataFrame:
    left = facts.exits.filter(pl.col("exit_date") <= facts.as_of).select("enrolment_id")
    there = facts.enrolments.filter(pl.col("planned_exit_date") >= facts.as_of).join(left, on="enrolment_id", how="anti")
    return with_territory(there, facts.sessions)


def with_territory(enrolments: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """The enrolments with the territory of their session, or `NO_TERRITORY` while the session is not known."""
    homes = sessions.select("session_id", "territory_id")
    return enrolments.join(homes, on="session_id", how="left").with_columns(pl.col("territory_id").fill_null(NO_TERRITORY))


def recipient() -> pl.Expr:
    """Key of the list that tells it: the advisor's, or that of the territory's queue."""
    return pl.coalesce("advisor_id", pl.format("file-{}", "territory_id"))


def routed(people: pl.DataFrame, facts: Facts, rules: Rules) -> pl.DataFrame:
    """People (learner_id and any others) with advisor_id?, queue and owned, as `routes` tells; the territory's queue for all others."""
    placed = people.join(routes(facts, rules), on="learner_id", how="left")
    return placed.with_columns(pl.col("queue").fill_null("territory"), pl.col("owned").fill_null(value=False))


def routes(facts: Facts, rules: Rules) -> pl.DataFrame:
    """Where each learner's tasks go.

    An owner holds while the assignment is valid and they are in post on the first working day on which the list is read, and they still
    work for the operator they had then: a hand-over from Friday to Monday leaves nobody without an owner. An owner who is away that day
    keeps the case; their backup takes the calls meanwhile.

    Returns:
        learner_id, advisor_id, queue (owner, backup; territory when both are away), owned (somebody in post has the case), for every
        learner an advisor or a backup can be named for, or who is owned. All others belong to their territory's queue.
    """
    day = facts.read_on
    in_post = pl.col("active_from") <= day, pl.col("active_to").is_null() | (pl.col("active_to") >= day)
    away = facts.said.absences.filter(
        pl.lit(day).is_between("first_day", "last_day"),
        (pl.col("last_day") - pl.col("first_day")).dt.total_days() + 1 >= rules.default.backup_after_days,
    )
    posts = facts.advisors.with_columns(
        in_post=pl.all_horizontal(in_post), away=pl.col("advisor_id").is_in(away["advisor_id"].unique().implode())
    )
    here = posts.filter("in_post", ~pl.col("away")).select(backup_advisor_id="advisor_id", backup_here=pl.lit(value=True))
    valid = facts.assignments.filter(pl.col("valid_from") <= day, pl.col("valid_to").is_null() | (pl.col("valid_to") >= day))
    owners = valid.sort("learner_id", "valid_from", "advisor_id").unique("learner_id", keep="last", maintain_order=True)
    placed = owners.join(posts, on="advisor_id", how="left").join(here, on="backup_advisor_id", how="left")
    with_operator = pl.col("joined_on").is_null() | (pl.col("valid_from") >= pl.col("joined_on"))
    placed = placed.with_columns(owned=(pl.col("in_post") & with_operator).fill_null(value=False))
    owner = pl.col("owned") & ~pl.col("away")
    backup = ~owner & pl.col("backup_here").is_not_null()
    return placed.filter(pl.col("owned") | backup).select(
        "learner_id",
        advisor_id=pl.when(owner).then("advisor_id").when(backup).then("backup_advisor_id"),
        queue=pl.when(owner).then(pl.lit("owner")).when(backup).then(pl.lit("backup")).otherwise(pl.lit("territory")),
        owned="owned",
    )
