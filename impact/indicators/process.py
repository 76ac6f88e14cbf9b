"""Process: what alerts ask of advisors, and what advisors do."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from impact.indicators.counted import counted

if TYPE_CHECKING:
    from impact.facts import Facts

SOON_DAYS: Final = 3
LATE_DAYS: Final = 14
REPEAT_DAYS: Final = 60
OVERRIDES: Final = ("already_known", "not_relevant")
"""Answers that say no call was needed."""


def process(facts: Facts) -> pl.DataFrame:
    """Rows as `counted` makes them."""
    return pl.concat([_load(facts), *_contacted(facts), _appointments(facts), *_answers(facts), _repeated(facts), _mediated(facts)])


def risk_alerts(facts: Facts) -> pl.DataFrame:
    """Risk alerts that came on a list in the period, with the columns of their enrolment."""
    found = facts.opened.filter(pl.col("kind").cast(pl.String) == "dropout_risk", pl.col("opened_on") >= facts.first)
    return found.select("enrolment_id", "advisor_id", "opened_on").join(facts.enrolments, on="enrolment_id")


def first_contact(facts: Facts, rows: pl.DataFrame, day: str) -> pl.DataFrame:
    """Add `spoken_at` (instant) and `spoken_on`: the first two-way contact after the day in this column."""
    spoken = facts.contacts.filter("two_way").select("learner_id", spoken_at="at", spoken_on="on")
    numbered = rows.with_row_index("row")
    after = numbered.select("row", "learner_id", day).join(spoken, on="learner_id").filter(pl.col("spoken_on") > pl.col(day))
    first = after.group_by("row").agg(pl.col("spoken_at", "spoken_on").min())
    return numbered.join(first, on="row", how="left").drop("row")


def _load(facts: Facts) -> pl.DataFrame:
    weeks = facts.nights.alerts.filter(pl.col("as_of") >= facts.first).select(on=pl.col("as_of").dt.truncate("1w")).unique()
    posts = facts.advisors.join(weeks, how="cross").filter(
        pl.col("active_from") <= pl.col("on"), pl.col("active_to").is_null() | (pl.col("active_to") >= pl.col("on"))
    )
    opened = risk_alerts(facts).group_by("advisor_id", on=pl.col("opened_on").dt.truncate("1w")).agg(alerts=pl.len())
    load = posts.join(opened, on=["advisor_id", "on"], how="left").with_columns(
        pl.col("alerts").fill_null(0), person=pl.col("advisor_id") + pl.col("on").cast(pl.String), provider_id=pl.lit(None, pl.String)
    )
    return counted(load, "alerts_per_week", "on", pl.col("alerts"))


def _contacted(facts: Facts) -> list[pl.DataFrame]:
    alerts = first_contact(facts, risk_alerts(facts), "opened_on")
    days = (pl.col("spoken_on") - pl.col("opened_on")).dt.total_days()
    # Hours run from the midnight after which the list is read.
    start = (pl.col("opened_on") + pl.duration(days=1)).cast(pl.Datetime("us")).dt.replace_time_zone(facts.time_zone)
    hours = (pl.col("spoken_at") - start.dt.convert_time_zone("UTC")).dt.total_minutes() / 60
    limit = 24.0 * LATE_DAYS
    rows = [
        counted(_over(facts, alerts, within), f"contacted_{within}", "opened_on", (days <= within).fill_null(value=False))
        for within in (SOON_DAYS, LATE_DAYS)
    ]
    return [*rows, counted(_over(facts, alerts, LATE_DAYS), "hours_to_contact", "opened_on", hours.clip(0, limit).fill_null(limit))]


def _over(facts: Facts, alerts: pl.DataFrame, days: int) -> pl.DataFrame:
    return alerts.filter(pl.col("opened_on") <= facts.as_of - dt.timedelta(days=days))


def _appointments(facts: Facts) -> pl.DataFrame:
    met = facts.contacts.filter(pl.col("outcome").is_in(["kept", "no_show"]), pl.col("on") >= facts.first)
    # A contact is with a person, not on a course: it counts where they last entered.
    last = facts.enrolments.sort("entry_date", "enrolment_id").unique("learner_id", keep="last", maintain_order=True)
    return counted(met.join(last, on="learner_id"), "missed_appointments", "on", pl.col("outcome") == "no_show")


def _answers(facts: Facts) -> list[pl.DataFrame]:
    said = facts.nights.answers.filter(pl.col("on") >= facts.first)
    listed = facts.opened.filter(pl.col("opened_on").is_between(facts.first, facts.as_of - dt.timedelta(days=LATE_DAYS)))
    alerts = listed.select("enrolment_id", "kind", "opened_on").join(facts.enrolments, on="enrolment_id").with_row_index("row")
    days = (pl.col("on") - pl.col("opened_on")).dt.total_days()
    pairs = alerts.select("row", "enrolment_id", "opened_on").join(said.select("enrolment_id", "on"), on="enrolment_id")
    closed = pairs.filter(days.is_between(0, LATE_DAYS))["row"].unique()
    # Without a single answer nobody used the page: that is not a share of zero.
    alerts = alerts if said.height else alerts.clear()
    return [
        counted(alerts, "answered", "opened_on", pl.col("row").is_in(closed.implode())),
        counted(said.join(facts.enrolments, on="enrolment_id"), "overridden", "on", pl.col("code").is_in(OVERRIDES)),
    ]


def _repeated(facts: Facts) -> pl.DataFrame:
    alerts = risk_alerts(facts).sort("enrolment_id", "opened_on")
    before = (pl.col("opened_on") - pl.col("opened_on").shift().over("enrolment_id")).dt.total_days()
    return counted(alerts, "repeated", "opened_on", (before <= REPEAT_DAYS).fill_null(value=False))


def _mediated(facts: Facts) -> pl.DataFrame:
    entered = facts.enrolments.filter(pl.col("entry_date") >= facts.first)
    held = facts.contacts.filter(pl.col("purpose") == "mediation", pl.col("outcome").is_in(["reached", "kept", "sent"]))
    end = pl.coalesce("exit_date", "planned_exit_date")
    during = entered.join(held.select("learner_id", "on"), on="learner_id").filter(pl.col("on").is_between("entry_date", end))
    return counted(entered, "mediated", "entry_date", pl.col("enrolment_id").is_in(during["enrolment_id"].unique().implode()))
