"""What counts as an answer that is followed up, and as a situation that left the list: one meaning for the page and the evaluation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.vocabulary import LISTED

if TYPE_CHECKING:
    import datetime as dt

LATER_DAYS: Final = 14
"""The list is looked at again on the nights from this many days after the answer, for a week."""
KEPT_DAYS: Final = 365


def followed_up(answers: pl.DataFrame, nights: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """Answers given long enough ago, each with whether the person was still on a risk list two weeks later.

    Where no night ran then, nobody looked: such an answer is left out, not counted as off the list.

    Args:
        answers: enrolment_id, code, on, reason (subject of the alert answered; null for a promise).
        nights: as_of, enrolment_id, kind, state of the alerts of earlier nights.
        as_of: the cut-off.

    Returns:
        enrolment_id, reason, code, on, off_list (bool): the first answer of each kind on each subject.
    """
    age = (pl.lit(as_of) - pl.col("on")).dt.total_days()
    told = answers.filter(pl.col("reason").is_not_null(), age.is_between(LATER_DAYS + 7, KEPT_DAYS))
    key = ["enrolment_id", "reason", "code"]
    told = told.unique(key, keep="first", maintain_order=True).select(*key, "on")
    ran = nights.select("as_of").unique().join(told.select("on").unique(), how="cross")
    ran = ran.filter((pl.col("as_of") - pl.col("on")).dt.total_days().is_between(LATER_DAYS, LATER_DAYS + 6))
    told = told.join(ran, on="on", how="semi", maintain_order="left")
    listed = nights.filter(pl.col("kind") == "dropout_risk", pl.col("state").is_in(LISTED)).select("enrolment_id", "as_of")
    since = (pl.col("as_of") - pl.col("on")).dt.total_days()
    again = told.join(listed, on="enrolment_id").filter(since.is_between(LATER_DAYS, LATER_DAYS + 6)).select(key).unique()
    again = again.with_columns(again=pl.lit(value=True))
    return told.join(again, on=key, how="left", maintain_order="left").select(*key, "on", off_list=pl.col("again").is_null())
