"""What became of situations after each kind of answer: a practice to talk about, never a proof that it helped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from data_contracts.practice import followed_up
from vigie.disclosure import FEWEST_PEOPLE

if TYPE_CHECKING:
    from alerts.facts import Facts


def practice(facts: Facts, listed: pl.DataFrame) -> pl.DataFrame:
    """For each territory, subject of the reason and answer, how many people were no longer on a risk list two weeks later.

    Of who was answered for in several courses, for none of these. Only answers given long enough ago are counted, and only groups of
    `FEWEST_PEOPLE` or more.

    Args:
        facts: as known; earlier nights in `past`.
        listed: enrolment_id, territory_id.

    Returns:
        Columns of the table `practice`.
    """
    whose = facts.enrolments.select("enrolment_id", "learner_id")
    told = followed_up(facts.said.answers, facts.past, facts.as_of).join(listed, on="enrolment_id").join(whose, on="enrolment_id")
    people = told.group_by("territory_id", "reason", "code", "learner_id").agg(pl.col("off_list").all())
    counted = people.group_by("territory_id", "reason", "code").agg(
        people=pl.len().cast(pl.Int64), off_list=pl.col("off_list").sum().cast(pl.Int64)
    )
    return counted.filter(pl.col("people") >= FEWEST_PEOPLE).sort("territory_id", "reason", "code")
