"""What every criterion looks at: the model trained on 2013, the landmark rows of 2013, and the weekly nights of 2014B."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from data_contracts.sources.oulad import read_oulad, write_oulad
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.baselines import days_silent, logistic, rule_score, session_risk
from models.fairness import read_audit
from models.labels import known_endings, labelled
from models.landmarks import training_rows
from models.learner import Calibration, Model, fit
from models.registry import load, versions
from pipelines.service import Service, open_service
from pipelines.steps import take_deliveries
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

TRAINED: Final = dt.date(2014, 7, 31)
START: Final = dt.date(2014, 2, 1)
LATEST: Final = dt.date(2015, 6, 30)
"""By then every exit of 2014B is known."""
FIRST_DAY, LAST_GAP, LONGEST = 14, 7, 245
HORIZON: Final = 28


@dataclass
class World:
    """One copy of a service, opened once."""

    service: Service
    model: Model
    past: pl.DataFrame
    """Landmark rows of 2013, with label."""
    past_endings: pl.DataFrame
    source: Path

    @property
    def rounds(self) -> int:
        """Trees of the model: refits grow as many."""
        return int(self.model.booster.num_trees())

    def refit(self, rows: pl.DataFrame) -> Model:
        """The recipe of the model on other rows, uncalibrated."""
        return Model(fit(rows, rounds=self.rounds), Calibration(1.0, 0.0), TRAINED.isoformat(), HORIZON)

    def deliver_2014(self) -> None:
        """The 2014B presentations come in; only now."""
        write_oulad(read_oulad(self.source, ["2014B"]), self.service.home.landing)
        take_deliveries(self.service)

    def rows_of(self, dates: list[dt.date]) -> pl.DataFrame:
        """The matrix of 2014B on these nights, with day (of the presentation), label and list (presentation and night)."""
        with self.service.warehouse() as warehouse:
            facts = read_facts(warehouse, dates[0], dates[-1], self.service.time_zone)
            pairs = cohort(facts, dates)
            length = pairs.select("as_of", "enrolment_id", left_days=(pl.col("planned_exit_date") - pl.col("as_of")).dt.total_days())
            rows = matrix(facts, pairs)
        day = (pl.col("as_of") - START).dt.total_days()
        judged = rows.join(length, on=["as_of", "enrolment_id"], maintain_order="left").with_columns(day=day)
        judged = judged.filter(pl.col("session_id").str.ends_with("2014B"), pl.col("day") >= FIRST_DAY, pl.col("left_days") >= LAST_GAP)
        return labelled(judged, self.endings, HORIZON).with_columns(list=pl.format("{} {}", "session_id", "as_of"))

    @cached_property
    def endings(self) -> pl.DataFrame:
        """How every enrolment ended, as known long after."""
        with self.service.warehouse() as warehouse:
            return known_endings(warehouse, LATEST, self.service.rules.invariants.silence_days, self.service.time_zone)

    @cached_property
    def audit(self) -> pl.DataFrame:
        """Groups of the learners."""
        with self.service.warehouse() as warehouse:
            return read_audit(warehouse, LATEST, self.service.time_zone, self.rows)

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Every weekly night of 2014B."""
        return self.rows_of([START + dt.timedelta(days=day) for day in range(FIRST_DAY, LONGEST, 7)])

    @cached_property
    def risk(self) -> Floats:
        """The model's on `rows`."""
        return self.model.calibration.risk(self.model.margins(self.rows))

    @cached_property
    def scores(self) -> dict[str, Floats]:
        """The model and its rivals on `rows`; the model first."""

        def of(expr: pl.Expr) -> Floats:
            return np.asarray(self.rows.select(expr.cast(pl.Float64).alias("s"))["s"].to_numpy())

        silence = pl.col("days_since_activity").fill_null(pl.col("course_day"))
        return {
            "model": self.risk,
            "attendance_rule": of(rule_score()),
            "days_silent": of(days_silent()),
            "missed_and_silent": of(pl.col("last_work_missed").fill_null(0) * 1_000 + silence),
            "session_rate": of(session_risk(HORIZON)),
            "course_and_week": self.course_and_week(),
            "logistic": logistic(self.past, self.rows),
        }

    def course_and_week(self) -> Floats:
        """Share that left within the horizon in the same module and week of 2013: no individual information at all."""
        week = (pl.col("course_day") // 7).cast(pl.Int64).alias("week")
        table = self.past.group_by("programme_id", week).agg(rate=pl.col("label").mean())
        rates = self.rows.select("programme_id", week).join(table, on=["programme_id", "week"], how="left", maintain_order="left")["rate"]
        return np.asarray(rates.fill_null(self.past["label"].mean()).to_numpy())


def open_world(home: Path, source: Path, scratch: Path) -> World:
    """Copy a service trained on 2013 and read its landmark rows."""
    shutil.copytree(home, scratch, dirs_exist_ok=True)
    service = open_service(Settings(home=scratch))
    (version,) = versions(service.home)
    rules: Any = service.rules.invariants
    with service.warehouse() as warehouse:
        past = training_rows(warehouse, TRAINED, rules, service.time_zone)
        endings = known_endings(warehouse, TRAINED, rules.silence_days, service.time_zone)
    # What is refitted must not learn from what is judged.
    if others := sorted(set(past["session_id"].str.slice(-5)) - {"2013B", "2013J"}):
        sys.exit(
            f"The service in {home} took {', '.join(others)} as well: make one that took 2013B and 2013J alone (vigie import, ingest, train)."
        )
    return World(service, load(service.home, version), past, endings, source)
