"""Course: who leaves, who comes back after an alert, who sees it through. All entrants count."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.endings import SHEETS_COME_DAYS
from impact.indicators.counted import counted
from impact.indicators.process import risk_alerts

if TYPE_CHECKING:
    from impact.facts import Facts
    from vigie.rules import Invariants

BACK_DAYS: Final = (14, 30)
BACK_SHARE: Final = 0.8
ENDING_DAYS: Final = 30
"""An end is looked at this long after the planned one."""


def course(facts: Facts, rules: Invariants) -> pl.DataFrame:
    """Rows as `counted` makes them."""
    over = ended(facts)
    reasons = {"completed": "completed", "dropped": "dropout", "left_for_job": "job"}
    by_end = [counted(over, name, "ends_on", pl.col("reason") == reason) for name, reason in reasons.items()]
    return pl.concat([_weekly(facts, rules.silence_days), *(_back(facts, days) for days in BACK_DAYS), *by_end])


def ended(facts: Facts) -> pl.DataFrame:
    """Everybody whose planned end is `ENDING_DAYS` past, by that end: those who left early wait for it too, or the quick would count more.

    Adds ends_on; reason is null where no exit was told.
    """
    last = facts.as_of - dt.timedelta(days=ENDING_DAYS)
    first = facts.first - dt.timedelta(days=ENDING_DAYS)
    return facts.enrolments.filter(pl.col("planned_exit_date").is_between(first, last)).with_columns(ends_on=pl.col("planned_exit_date"))


def _weekly(facts: Facts, silence_days: int) -> pl.DataFrame:
    # Days of which not every silent dropout can be known yet would end every trend too low.
    known = facts.as_of - dt.timedelta(days=silence_days + SHEETS_COME_DAYS)
    months = pl.DataFrame({"on": pl.date_range(facts.first.replace(day=1), known, "1mo", eager=True)})
    until = pl.min_horizontal(pl.coalesce("exit_date", "planned_exit_date"), "planned_exit_date", pl.lit(known))
    there = facts.enrolments.with_columns(until=until)
    spent = there.join_where(months, pl.col("entry_date") < pl.col("on").dt.offset_by("1mo"), pl.col("until") >= pl.col("on"))
    start = pl.max_horizontal("entry_date", "on", pl.lit(facts.first))
    last = pl.min_horizontal("until", pl.col("on").dt.month_end())
    spent = spent.with_columns(weeks=((last - start).dt.total_days() + 1) / 7).filter(pl.col("weeks") > 0)
    here = pl.col("exit_date").is_between(start, pl.col("on").dt.month_end()) & (pl.col("exit_date") <= pl.col("until"))
    dropped = ((pl.col("reason") == "dropout") & here).fill_null(value=False)
    return counted(spent, "dropout_weekly", "on", dropped, pl.col("weeks"))


def _back(facts: Facts, days: int) -> pl.DataFrame:
    last = facts.as_of - dt.timedelta(days=days + SHEETS_COME_DAYS)
    alerts = risk_alerts(facts).filter(pl.col("opened_on") <= last).with_row_index("row")
    since = (pl.col("date") - pl.col("opened_on")).dt.total_days()
    sheets = alerts.select("row", "enrolment_id", "opened_on").join(facts.sheets, on="enrolment_id").filter(since.is_between(1, days))
    seen = sheets.group_by("row").agg(pl.col("due", "came").sum())
    alerts = alerts.join(seen, on="row", how="left")
    left = (pl.col("exit_date") - pl.col("opened_on")).dt.total_days().is_between(0, days) & (pl.col("reason") != "completed")
    came = pl.when(pl.col("due") > 0).then(pl.col("came") >= BACK_SHARE * pl.col("due"))
    return counted(alerts, f"back_{days}", "opened_on", pl.when(left).then(pl.lit(value=False)).otherwise(came))
