"""The rivals that stand beside every model: rules, session rate, logistic regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from vigie.arrays import Floats
    from vigie.rules import Invariants

LOGISTIC_COLUMNS: Final = (
    "unjustified_half_days_28",
    "unjustified_streak_half_days",
    "attendance_share_28",
    "days_since_presence",
    "active_days_14",
    "days_since_activity",
    "work_missed_share",
    "unanswered_attempts",
    "share_elapsed",
    "session_dropout_rate",
)
"""Ten columns a person could choose; null becomes the training median, with nothing else done to them but scaling."""
MOST_STRENGTH: Final = 4.0


def rule_flag(rules: Invariants) -> pl.Expr:
    """True when a rule alone would call the learner: the attendance rule, or the latest work missed and then silence.

    Three unjustified half-days in thirty days is the first level in use among French providers (domain notes, 1.2). Distance courses have
    no sheets: there the composite of missed work and silence is the strong rule (modelling notes, section 0).
    """
    absences = pl.col(f"unjustified_half_days_{rules.attendance_rule_days}") >= rules.attendance_rule_absences
    silence = (pl.col("last_work_missed") == 1) & (days_silent() >= rules.silence_rule_days)
    return absences.fill_null(value=False) | silence.fill_null(value=False)


def by_rule(rows: pl.DataFrame, rules: Invariants) -> pl.DataFrame:
    """Those whom a rule alone would call, for a night without a model.

    Args:
        rows: the matrix of one night.
        rules: of the service.

    Returns:
        enrolment_id, reasons (as in `Scores`: the fact behind the rule, with contribution 1), strength (how many times over the rule
        holds, 1 to `MOST_STRENGTH`).
    """
    days = f"unjustified_half_days_{rules.attendance_rule_days}"
    absences = pl.col(days).fill_null(0) / rules.attendance_rule_absences
    silence = days_silent() / rules.silence_rule_days
    # The trace left last, on paper or online; the work missed speaks for who never left one.
    online, seen = pl.col("days_since_activity"), pl.col("days_since_presence")
    fact = (
        pl.when(absences >= 1)
        .then(_reason("attendance", days))
        .when(online <= seen.fill_null(online))
        .then(_reason("activity", "days_since_activity"))
        .when(seen.is_not_null())
        .then(_reason("attendance", "days_since_presence"))
        .otherwise(_reason("assessments", "last_work_missed"))
    )
    strength = pl.when(absences >= 1).then(absences).otherwise(silence).clip(1, MOST_STRENGTH)
    return rows.filter(rule_flag(rules)).select("enrolment_id", reasons=pl.concat_list(fact), strength=strength)


def _reason(code: str, feature: str) -> pl.Expr:
    absent = pl.lit(None, pl.Float64).alias("previous_value")
    value = pl.col(feature).cast(pl.Float64).alias("value")
    return pl.struct(pl.lit(code).alias("code"), pl.lit(feature).alias("feature"), value, pl.lit(1.0).alias("contribution"), absent)


def scored(rows: pl.DataFrame, rule: pl.Expr) -> Floats:
    """What a rule says of each row of the matrix; higher means contact first."""
    return np.asarray(rows.select(rule.cast(pl.Float64).alias("score"))["score"].to_numpy(), dtype=np.float64)


def rule_score() -> pl.Expr:
    """The rules as a ranking: unjustified half-days first, then missed work and days of silence."""
    missed = pl.col("last_work_missed").fill_null(0)
    return pl.col("unjustified_half_days_30").fill_null(0) * 10 + missed * 100 + days_silent().clip(0, 60)


def days_silent() -> pl.Expr:
    """Days since the learner was last seen, present or active online; since entry if never."""
    return pl.min_horizontal("days_since_presence", "days_since_activity").fill_null(pl.col("course_day"))


def session_risk(horizon_days: int) -> pl.Expr:
    """Probability of dropout within the horizon from the session and its provider alone: a constant hazard over the horizon."""
    return 1 - (-pl.col("session_dropout_rate") / 1_000 * horizon_days).exp()


def logistic(train: pl.DataFrame, score: pl.DataFrame) -> Floats:
    """Probabilities of a ten-column logistic regression fitted on `train` for the rows of `score`."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), LogisticRegression(max_iter=1_000))
    model.fit(train.select(LOGISTIC_COLUMNS).to_numpy(), train["label"].to_numpy())
    return np.asarray(model.predict_proba(score.select(LOGISTIC_COLUMNS).to_numpy())[:, 1], dtype=np.float64)
