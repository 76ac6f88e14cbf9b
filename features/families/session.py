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


def session_history(dates: pl.LazyFrame, enrolments: pl.LazyFrame, sessions: pl.LazyFrame, exits: pl.LazyFrame) -> pl.LazyFrame:
    """Daily dropout hazards as known at each date, shrunk level by level: all, then provider and programme, then session.

    Args:
        dates: as_of, cutoff; a row per as-of date.
        enrolments: layers.
        sessions: layers: who runs a session is what each date knew of it.
        exits: layers.

    Returns:
        as_of, session_id, session_hazard, provider_hazard, programme_hazard, overall_hazard (dropouts by learner-day).
    """
    left = dates.join(exits, how="cross").filter(KNOWN, pl.col("exit_date") <= pl.col("as_of"))
    left = left.select("as_of", "enrolment_id", "exit_date", dropped=(pl.col("reason") == "dropout").cast(pl.Int64))
    entered = dates.join(enrolments, how="cross").filter(KNOWN, pl.col("entry_date") <= pl.col("as_of"))
    run = dates.join(sessions, how="cross").filter(KNOWN).select("as_of", "session_id", "provider_id", "programme_id")
    entered = entered.join(run, on=["as_of", "session_id"])
    end = pl.min_horizontal("as_of", "planned_exit_date", "exit_date")
    people = entered.join(left, on=["as_of", "enrolment_id"], how="left").select(
        "as_of",
        *LEVELS.values(),
        dropped=pl.col("dropped").fill_null(0),
        days=(end - pl.col("entry_date")).dt.total_days().clip(0),
    )
    sums = people.group_by("as_of", *LEVELS.values()).agg(pl.col("dropped", "days").sum())
    overall = _total("dropped", "as_of") / _total("days", "as_of").clip(1)
    provider = _shrunk("provider_id", overall)
    programme = _shrunk("programme_id", overall)
    hazards = sums.with_columns(provider_hazard=provider, programme_hazard=programme, overall_hazard=overall)
    session = (pl.col("dropped") + PRIOR_LEARNER_DAYS * pl.col("provider_hazard")) / (pl.col("days") + PRIOR_LEARNER_DAYS)
    return hazards.select("as_of", "session_id", "provider_hazard", "programme_hazard", "overall_hazard", session_hazard=session)


def learner_history(dates: pl.LazyFrame, enrolments: pl.LazyFrame, exits: pl.LazyFrame) -> pl.LazyFrame:
    """What each learner did in other courses, as known at each date.

    Returns:
        as_of, learner_id, courses_so_far, courses_left (dropouts), courses_now; the present course is among the first and the last.
    """
    left = dates.join(exits, how="cross").filter(KNOWN, pl.col("exit_date") <= pl.col("as_of"))
    left = left.select("as_of", "enrolment_id", gone=pl.lit(1), dropped=(pl.col("reason") == "dropout").cast(pl.Int64))
    entered = dates.join(enrolments, how="cross").filter(KNOWN, pl.col("entry_date") <= pl.col("as_of"))
    known = entered.join(left, on=["as_of", "enrolment_id"], how="left")
    now = (pl.col("gone").is_null() & (pl.col("planned_exit_date") >= pl.col("as_of"))).cast(pl.Int64)
    return known.group_by("as_of", "learner_id").agg(
        courses_so_far=pl.len().cast(pl.Int64), courses_left=pl.col("dropped").fill_null(0).sum(), courses_now=now.sum()
    )


def _total(column: str, *level: str) -> pl.Expr:
    return pl.col(column).sum().over(level)


def _shrunk(level: str, prior: pl.Expr) -> pl.Expr:
    return (_total("dropped", "as_of", level) + PRIOR_LEARNER_DAYS * prior) / (_total("days", "as_of", level) + PRIOR_LEARNER_DAYS)


_DIGITS: Final = 9


def _against(name: str, above: str) -> Feature:
    # Relative, never a level: a level tells the calendar and, where sessions are few, names the session; a model learns both by heart.
    hazard, usual = pl.col(f"{name}_hazard"), pl.col(f"{above}_hazard")
    return Feature(
        f"{name}_dropouts_against_{above}",
        # Rounded: where there is one provider alone the two are equal but for a last bit that would name the date.
        pl.when((hazard > 0) & (usual > 0)).then((hazard / usual).log().round(_DIGITS)).otherwise(0),
        unit="score",
        meaning=f"Logarithm of the dropout rate so far in the {name} against that of the {above}",
        null_means="never null",
        group="session",
        monotone=1,
    )


SESSION: Final = Family(
    name="session",
    table="exits",
    columns=(),
    derived=[
        Feature(
            "session_dropout_rate",
            pl.col("session_hazard") * 1_000,
            unit="rate",
            meaning="Dropouts by 1,000 learner-days so far in the session, shrunk towards its provider's, then towards all",
            null_means="never null",
            group="session",
            learnt=False,
        ),
        Feature(
            "session_people",
            pl.len().over("session_id", "as_of"),
            unit="count",
            meaning="People of the session in training on that date",
            null_means="never null",
            group="session",
            learnt=False,
        ),
        _against("session", "provider"),
        _against("provider", "overall"),
        _against("programme", "overall"),
        Feature(
            "earlier_courses",
            pl.col("courses_so_far") - 1,
            unit="count",
            meaning="Other courses entered before or now",
            null_means="never null",
            group="learner",
        ),
        Feature(
            "earlier_courses_left",
            pl.col("courses_left"),
            unit="count",
            meaning="Other courses left before their end",
            null_means="never null",
            group="learner",
        ),
        Feature(
            "courses_now",
            pl.col("courses_now"),
            unit="count",
            meaning="Courses followed at the same time",
            null_means="never null",
            group="learner",
        ),
    ],
)
