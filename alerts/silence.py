"""Whom not to call, and for what: those who asked for it, cases that are explained, excused or put off until a date."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.answers import AS_CONTACT
from alerts.signs import days_off_sheets

if TYPE_CHECKING:
    from alerts.facts import Facts
    from vigie.rules import Invariants

EXCUSED: Final = ("absent_justified", "exempt")
CAME: Final = ("present", "late", "left_early", "absent_unjustified")
EXPLAINED: Final = ("already_known", "not_relevant")
SPOKEN: Final = tuple(code for code, contact in AS_CONTACT.items() if contact.outcome == "reached")
"""Answers that tell of a conversation with the person."""
OWED_ALL_THE_SAME: Final = ("no_owner", "learner_request")
"""What holds also for somebody who does not want to be called, or not yet: an owner, and an answer to their own request."""
PUT_OFF_AT_MOST: Final = 90
"""Days from an answer to the day it asks to come back: a year mistyped must not lose sight of somebody."""


def silenced(facts: Facts, rules: Invariants) -> pl.Expr:
    """For rows of `alerts.candidates.candidates`: True where nobody must be asked to call.

    - `left_alone`: no call but those of `OWED_ALL_THE_SAME`, until the person gets in touch.
    - `opposed`: no estimate, hence no risk alert (right to object, GDPR art. 21); promises are kept.
    - `found_job`: no risk alert, no job-search promise; the positive exit is checked.
    - explained by the advisor within explained_days: no risk alert.
    - excused: every half-day of the last excused_days justified or exempt, and the name still on the sheets: no risk alert.

    Args:
        facts: as known.
        rules: delays.
    """
    answers = facts.said.answers
    inbound = facts.contacts.filter(pl.col("direction") == "inbound")
    wrote = inbound.group_by("learner_id").agg(wrote_on=pl.col("on").max())
    alone = answers.filter(pl.col("code") == "left_alone").join(wrote, on="learner_id", how="left")
    alone = alone.filter(~(pl.col("wrote_on") > pl.col("on")).fill_null(value=False))
    explained = answers.filter(pl.col("code").is_in(EXPLAINED), (pl.lit(facts.as_of) - pl.col("on")).dt.total_days() < rules.explained_days)
    risk = pl.col("kind") == "dropout_risk"
    return (
        (_of("learner_id", alone) & ~pl.col("kind").is_in(OWED_ALL_THE_SAME))
        | (risk & _of("learner_id", opposed(answers)))
        | (pl.col("kind").is_in(("dropout_risk", "job_search_due")) & _of("enrolment_id", told_of_a_job(answers)))
        | (risk & (_of("enrolment_id", explained) | (_of("enrolment_id", _excused(facts)) & days_off_sheets().is_null())))
    )


def put_off(facts: Facts) -> pl.Expr:
    """True for enrolments whose latest answer asks to come back on a later day; what is owed all the same is never put off."""
    latest = facts.said.answers.group_by("enrolment_id", maintain_order=True).agg(pl.col("remind_on", "on").last())
    until = pl.min_horizontal("remind_on", pl.col("on").dt.offset_by(f"{PUT_OFF_AT_MOST}d"))
    later = latest.filter(pl.col("remind_on").is_not_null(), until > facts.list_day)
    return _of("enrolment_id", later) & ~pl.col("kind").is_in(OWED_ALL_THE_SAME)


def opposed(answers: pl.DataFrame) -> pl.DataFrame:
    """learner_id of those who object to the estimate and did not take it back since; answers oldest first."""
    said = answers.filter(pl.col("code").is_in(("opposed", "unopposed")))
    last = said.group_by("learner_id", maintain_order=True).agg(pl.col("code").last())
    return last.filter(pl.col("code") == "opposed").select("learner_id")


def told_of_a_job(answers: pl.DataFrame) -> pl.DataFrame:
    """enrolment_id, told_on of those whose last conversation told of a job; answers oldest first.

    A job confirmed is the job first told of. A check answered by a plain conversation found nothing against it.
    """
    job = pl.col("code") == "found_job"
    checked = (pl.col("code") == "reached") & (pl.col("kind") == "positive_exit_check").fill_null(value=False)
    spoken = answers.filter(pl.col("code").is_in(SPOKEN), ~checked)
    told_on = pl.col("on").filter((~job).cum_sum(reverse=True) == 0).first()
    return spoken.group_by("enrolment_id", maintain_order=True).agg(told_on=told_on).drop_nulls()


def _excused(facts: Facts) -> pl.DataFrame:
    status = pl.col("status")
    theirs = facts.attendance.group_by("enrolment_id").agg(excused=status.is_in(EXCUSED).any(), came=status.is_in(CAME).any())
    return theirs.filter("excused", ~pl.col("came"))


def _of(key: str, rows: pl.DataFrame) -> pl.Expr:
    return pl.col(key).is_in(rows[key].unique().implode())
