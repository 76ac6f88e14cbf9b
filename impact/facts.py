"""What the evaluation rests on, all of it as known at its cut-off date."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.endings import endings
from data_contracts.ingest import layout
from data_contracts.known import known_at
from data_contracts.vocabulary import ATTENDED, LISTED, TWO_WAY
from vigie.clock import end_of_day

if TYPE_CHECKING:
    from vigie.store import Warehouse

PERIOD_DAYS: Final = 365
"""Indicators look this far back from the cut-off."""
SIMULATED: Final = "simulation-"
"""What the names of simulated operators start with."""
NOTICE: Final = "Données simulées : ce territoire et ces personnes n'existent pas."
NOBODY: Final = "sans référent"
CHARACTERISTICS: Final = (
    "education_level",
    "months_unemployed",
    "own_initiative",
    "prescriber",
    "commute",
    "objective",
    "domain",
    "mode",
    "entry_quarter",
)
"""What a unit did not choose, known at entry: the person, the course asked for, the season. Local unemployment is in no delivery."""
_ALWAYS: Final = dt.datetime(1900, 1, 1, tzinfo=dt.UTC)
_RISK_COLUMNS: Final = {"as_of": pl.Date, "enrolment_id": pl.String, "risk": pl.Float64}
_ALERT_COLUMNS: Final = {
    "as_of": pl.Date,
    "kind": pl.String,
    "enrolment_id": pl.String,
    "learner_id": pl.String,
    "advisor_id": pl.String,
    "queue": pl.String,
    "opened_on": pl.Date,
    "state": pl.String,
}
_ANSWER_COLUMNS: Final = {"enrolment_id": pl.String, "code": pl.String, "on": pl.Date, "reason": pl.String}


@dataclass(frozen=True)
class Nights:
    """What the nights up to the cut-off left: empty frames where none was run."""

    scores: pl.DataFrame
    """as_of, enrolment_id, risk."""
    alerts: pl.DataFrame
    """as_of, kind, enrolment_id, learner_id, advisor_id?, queue, opened_on, state."""
    answers: pl.DataFrame
    """enrolment_id, code, on, reason? of what advisors wrote down."""

    @staticmethod
    def none() -> Nights:
        """No night was run."""
        return Nights(*(pl.DataFrame(schema=columns) for columns in (_RISK_COLUMNS, _ALERT_COLUMNS, _ANSWER_COLUMNS)))


@dataclass(frozen=True)
class Facts:
    """Frames as known at the end of `as_of`."""

    as_of: dt.date
    time_zone: str
    enrolments: pl.DataFrame
    """enrolment_id, learner_id, provider_id, territory_id, operator, entry_date, planned_exit_date, exit_date?, reason?, and
    `CHARACTERISTICS`: one row for each person who entered."""
    owners: pl.DataFrame
    """learner_id, advisor_id, operator, valid_from, valid_to?."""
    advisors: pl.DataFrame
    """advisor_id, operator, territory_id, active_from, active_to?."""
    contacts: pl.DataFrame
    """learner_id, advisor_id?, at, on, outcome, purpose?, two_way."""
    sheets: pl.DataFrame
    """enrolment_id, date, due (half-days with a sheet on which the person was to be there), came, expected, in_time (of those
    expected, known by the end of the second day after)."""
    followups: pl.DataFrame
    """enrolment_id, observed_on, months_after_exit, situation."""
    providers: dict[str, str]
    """Name of each provider."""
    nights: Nights
    notice: str
    """What must be said of made-up data; empty for real data."""

    @property
    def first(self) -> dt.date:
        """First day looked at."""
        return self.as_of - dt.timedelta(days=PERIOD_DAYS - 1)

    @property
    def opened(self) -> pl.DataFrame:
        """Alerts that came on a list, one row each, on the night they were opened."""
        listed = self.nights.alerts.filter(pl.col("state").is_in(LISTED), pl.col("opened_on") == pl.col("as_of"))
        return listed.sort("as_of", "kind", "enrolment_id").unique(["kind", "enrolment_id", "opened_on"], keep="first", maintain_order=True)


def read_facts(warehouse: Warehouse, as_of: dt.date, silence_days: int, time_zone: str, nights: Nights | None = None) -> Facts:
    """Read what is known at the end of `as_of`.

    Args:
        warehouse: open.
        as_of: the cut-off: nothing known later is looked at.
        silence_days: see `data_contracts.endings`.
        time_zone: in which as-of dates end.
        nights: scores, alerts and answers of the nights up to then.
    """
    known = known_at(warehouse, as_of, time_zone)
    advisors = known("advisors", "advisor_id", "operator", "territory_id", "active_from", "active_to")
    owners = known("assignments", "learner_id", "advisor_id", "valid_from", "valid_to").join(
        advisors.select("advisor_id", "operator"), on="advisor_id", how="left"
    )
    ended = endings(warehouse, as_of, silence_days, time_zone).filter(pl.col("exit_date") <= as_of)
    entered = known("enrolments", "enrolment_id", "learner_id", "session_id", "entry_date", "planned_exit_date").filter(
        pl.col("entry_date") <= as_of
    )
    sessions = known("sessions", "session_id", "provider_id", "territory_id", "objective", "domain", "mode")
    learners = known("learners", "learner_id", "education_level", "jobseeker_since", "prescriber", "own_initiative", "commute_minutes")
    everybody = (
        entered.join(sessions, on="session_id").join(ended, on="enrolment_id", how="left").join(learners, on="learner_id", how="left")
    )
    contacts = known("contacts", "learner_id", "advisor_id", "occurred_at", "outcome", "purpose").with_columns(
        pl.col("outcome", "purpose").cast(pl.String), at=pl.col("occurred_at")
    )
    local = contacts.with_columns(on=pl.col("at").dt.convert_time_zone(time_zone).dt.date(), two_way=pl.col("outcome").is_in(TWO_WAY))
    providers = known("providers", "provider_id", "name")
    first = as_of - dt.timedelta(days=PERIOD_DAYS - 1)
    recent = everybody.filter(pl.col("exit_date").fill_null(as_of) >= first).select("enrolment_id")
    return Facts(
        as_of=as_of,
        time_zone=time_zone,
        enrolments=_described(everybody, owners),
        owners=owners,
        advisors=advisors,
        contacts=local.select("learner_id", "advisor_id", "at", "on", "outcome", "purpose", "two_way"),
        sheets=_sheets(warehouse, end_of_day(as_of, time_zone), recent, first, time_zone),
        followups=known("followups", "enrolment_id", "observed_on", "months_after_exit", "situation").with_columns(
            pl.col("situation").cast(pl.String)
        ),
        providers=dict(providers.select("provider_id", "name").iter_rows()),
        nights=nights or Nights.none(),
        notice=NOTICE if any(name.startswith(SIMULATED) for name in advisors["operator"].unique()) else "",
    )


def _described(everybody: pl.DataFrame, owners: pl.DataFrame) -> pl.DataFrame:
    """Enrolments with the operator of the last owner during the course, and characteristics in bands."""
    during = everybody.select("enrolment_id", "learner_id", "entry_date", "exit_date", "planned_exit_date").join(owners, on="learner_id")
    end = pl.coalesce("exit_date", "planned_exit_date")
    last = during.filter(pl.col("valid_from") <= end, pl.col("valid_to").is_null() | (pl.col("valid_to") >= pl.col("entry_date")))
    operator = last.sort("valid_from", "advisor_id").group_by("enrolment_id").agg(pl.col("operator").last())
    months = (pl.col("entry_date") - pl.col("jobseeker_since")).dt.total_days() / 30.44
    return everybody.join(operator, on="enrolment_id", how="left").select(
        "enrolment_id",
        "learner_id",
        "provider_id",
        "territory_id",
        pl.col("operator").fill_null(NOBODY),
        "entry_date",
        "planned_exit_date",
        "exit_date",
        "reason",
        pl.col("education_level").cast(pl.String),
        "own_initiative",
        pl.col("prescriber", "objective", "mode").cast(pl.String),
        domain=pl.col("domain").str.slice(0, 2),
        months_unemployed=months.bin_intervals([6, 12, 24], labels=["0-6", "6-12", "12-24", "24+"]).cast(pl.String),
        commute=pl.col("commute_minutes").bin_intervals([30, 60], labels=["0-30", "30-60", "60+"]).cast(pl.String),
        entry_quarter=pl.col("entry_date").dt.quarter().cast(pl.String),
    )


def _sheets(warehouse: Warehouse, instant: dt.datetime, recent: pl.DataFrame, first: dt.date, time_zone: str) -> pl.DataFrame:
    """Half-days by enrolment and day: the newest layer says what happened, the first one since when it is known."""
    columns = ["enrolment_id", "date", "half_day", "status", "known_on", "visible_until"]
    layers = warehouse.as_known_at(layout(TABLES["attendance"]), instant, since=_ALWAYS, columns=columns[:5], among=recent)
    layers = layers.filter(pl.col("date") >= first)
    told = pl.col("status") != "not_recorded"
    first_told = layers.filter(told).group_by("enrolment_id", "date", "half_day").agg(pl.col("known_on").min().alias("since"))
    newest = layers.filter(pl.col("visible_until").is_null()).join(first_told, on=["enrolment_id", "date", "half_day"], how="left")
    midnight = pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    limit = midnight.dt.offset_by("3d").dt.convert_time_zone("UTC")
    status = pl.col("status").cast(pl.String)
    return newest.group_by("enrolment_id", "date").agg(
        # Justified absences were due as well; not expected, exempt and not recorded were not, or nobody knows.
        due=status.is_in([*ATTENDED, "absent_unjustified", "absent_justified"]).sum(),
        came=status.is_in(ATTENDED).sum(),
        expected=(status != "not_expected").sum(),
        in_time=((pl.col("since") < limit) & (status != "not_expected")).sum(),
    )
