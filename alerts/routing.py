"""Who receives an alert: the owner at that date, else the owner's backup, else the territory's queue. Nobody falls through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from alerts.facts import Facts

NO_TERRITORY: Final = "inconnu"
"""Queue of enrolments whose session is not known yet: sessions and enrolments come in different files, the promises hold meanwhile."""


def in_training(facts: Facts) -> pl.DataFrame:
    """Enrolments entered, not known to have left, whose planned end has not passed, with the territory of their session."""
    left = facts.exits.filter(pl.col("exit_date") <= facts.as_of).select("enrolment_id")
    there = facts.enrolments.filter(pl.col("entry_date") <= facts.as_of, pl.col("planned_exit_date") >= facts.as_of)
    return with_territory(there.join(left, on="enrolment_id", how="anti"), facts.sessions)


def with_territory(enrolments: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """The enrolments with the territory of their session, or `NO_TERRITORY` while the session is not known."""
    homes = sessions.select("session_id", "territory_id")
    return enrolments.join(homes, on="session_id", how="left").with_columns(pl.col("territory_id").fill_null(NO_TERRITORY))


def routes(facts: Facts) -> pl.DataFrame:
    """Recipient of each learner who has one: learner_id, advisor_id, queue (owner or backup). Others belong to a territory's queue."""
    as_of = facts.as_of
    active = facts.advisors.filter(pl.col("active_from") <= as_of, pl.col("active_to").is_null() | (pl.col("active_to") >= as_of))
    valid = facts.assignments.filter(pl.col("valid_from") <= as_of, pl.col("valid_to").is_null() | (pl.col("valid_to") >= as_of))
    owners = valid.sort("learner_id", "valid_from", "advisor_id").unique("learner_id", keep="last", maintain_order=True)
    here = active.select(advisor_id="advisor_id", here=pl.lit(value=True))
    backups = facts.advisors.select("advisor_id", "backup_advisor_id")
    placed = owners.join(here, on="advisor_id", how="left").join(backups, on="advisor_id", how="left")
    placed = placed.join(here.rename({"advisor_id": "backup_advisor_id", "here": "backup_here"}), on="backup_advisor_id", how="left")
    owner = pl.col("here").is_not_null()
    backup = ~owner & pl.col("backup_here").is_not_null()
    return placed.filter(owner | backup).select(
        "learner_id",
        advisor_id=pl.when(owner).then("advisor_id").otherwise("backup_advisor_id"),
        queue=pl.when(owner).then(pl.lit("owner")).otherwise(pl.lit("backup")),
    )
