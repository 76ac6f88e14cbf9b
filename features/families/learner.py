"""What the learner brought along: only what the law and the project allow a score to read."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.declaration import Family, Feature, Unit


def _trait(name: str, expr: pl.Expr, unit: Unit, meaning: str) -> Feature:
    return Feature(name, expr.max(), unit=unit, meaning=meaning, null_means="not known", group="learner")


LEARNER: Final = Family(
    name="learner",
    table="learners",
    columns=("education_level", "own_initiative", "commute_minutes", "jobseeker_since"),
    facts=[
        _trait(
            "education_level",
            pl.col("education_level"),
            "level",
            "Highest level reached, European framework 0 to 8",
        ),
        _trait(
            "own_initiative",
            pl.col("own_initiative"),
            "flag",
            "1 when the person asked for the course",
        ),
        _trait(
            "commute_minutes",
            pl.col("commute_minutes"),
            "minutes",
            "Travel time one way",
        ),
        _trait(
            "jobless_days",
            (pl.col("as_of") - pl.col("jobseeker_since")).dt.total_days(),
            "days",
            "Days of the present unemployment",
        ),
    ],
)
