"""How many left the same session, provider and programme so far: the rival every learner-level score must beat.

A plain session rate sorts learners nearly as well as a model in the one long-run study there is (Perdomo et al. 2023, arXiv 2304.06205).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from features.declaration import KNOWN, Family, Feature

PRIOR_LEARNER_DAYS: Final = 2_000
"""Weight of the level above, in learner-days: about one and a half expected dropouts at the French base rate."""

LEVELS: Final = {"session": "session_id", "provider": "provider_id", "programme": "programme_id"}


def session_history(dates: pl.LazyFrame, enrolments: pl.LazyFrame, exits: pl.LazyFrame) -> pl.LazyFrame:
    """Daily dropout hazards as known at each date, shrunk level by level: all, then provider and programme, then session.

    Args:
        dates: as_of, cutoff; a row per as-of date.
        enrolments: layers, with provider_id and programme_id of their session.
        exits: layers.

    Returns:
        as_of, session_id, session_hazard, provider_hazard, programme_hazard (dropouts by learner-day), session_learners.
    """
    left = dates.join(exits, how="cross").filter(KNOWN, pl.col("exit_date") <= pl.col("as_of"))
    left = left.select("as_of", "enrolment_id", "exit_date", dropped=(pl.col("reason") == "dropout").cast(pl.Int64))
    entered = dates.join(enrolments, how="cross").filter(KNOWN, pl.col("entry_date") <= pl.col("as_of"))
    end = pl.min_horizontal("as_of", "planned_exit_date", "exit_date")
    people = entered.join(left, on=["as_of", "enrolment_id"], how="left").select(
        "as_of",
        *LEVELS.values(),
        dropped=pl.col("dropped").fill_null(0),
        days=(end - pl.col("entry_date")).dt.total_days().clip(0),
        present=pl.col("exit_date").is_null() & (pl.col("planned_exit_date") >= pl.col("as_of")),
    )
    sums = people.group_by("as_of", *LEVELS.values()).agg(
        pl.col("dropped", "days").sum(), session_learners=pl.col("present").cast(pl.Int64).sum()
    )
    overall = _total("dropped", "as_of") / _total("days", "as_of").clip(1)
    provider = _shrunk("provider_id", overall)
    programme = _shrunk("programme_id", overall)
    hazards = sums.with_columns(provider_hazard=provider, programme_hazard=programme)
    session = (pl.col("dropped") + PRIOR_LEARNER_DAYS * pl.col("provider_hazard")) / (pl.col("days") + PRIOR_LEARNER_DAYS)
    return hazards.select("as_of", "session_id", "provider_hazard", "programme_hazard", "session_learners", session_hazard=session)


def _total(column: str, *level: str) -> pl.Expr:
    return pl.col(column).sum().over(level)


def _shrunk(level: str, prior: pl.Expr) -> pl.Expr:
    return (_total("dropped", "as_of", level) + PRIOR_LEARNER_DAYS * prior) / (_total("days", "as_of", level) + PRIOR_LEARNER_DAYS)


def _rate(name: str, subject_fr: str, subject_en: str) -> Feature:
    return Feature(
        f"{name}_dropout_rate",
        pl.col(f"{name}_hazard") * 1_000,
        unit="rate",
        meaning=f"Dropouts by 1,000 learner-days so far in the {name}, shrunk towards the level above",
        null_means="never null",
        group="session",
        fr=f"départs anticipés plus fréquents dans {subject_fr}",
        en=f"more frequent dropouts in {subject_en}",
    )


SESSION: Final = Family(
    name="session",
    table="exits",
    columns=(),
    derived=[
        _rate("session", "cette session", "this session"),
        _rate("provider", "cet organisme", "this provider"),
        _rate("programme", "cette formation", "this programme"),
        Feature(
            "session_learners",
            pl.col("session_learners"),
            unit="count",
            meaning="Learners in training in the session",
            null_means="never null",
            group="session",
            fr="{value} personnes dans la session",
            en="{value} people in the session",
        ),
    ],
)
