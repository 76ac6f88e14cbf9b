"""How many left the same session, provider and programme so far: the rival every learner-level score must beat.

A plain session rate sorts learners nearly as well as a model in the one long-run study there is (Perdomo et al. 2023, arXiv 2304.06205).
"""

from __future__ import annotations

from typing import Final

import polars as pl

from features.declaration import KNOWN, Family, Feature

PRIOR_LEARNER_DAYS: Final = 2_000
"""Weight of the level above, in learner-days: about one and a half expected dropouts at the French base rate."""

PRIOR_LEARNERS: Final = 50
"""Weight of the same week over all programmes, in learners."""
CURVE_WEEKS: Final = 4
MOST_WEEKS: Final = 104

LEVELS: Final = {"session": "session_id", "provider": "provider_id", "programme": "programme_id"}


def session_history(dates: pl.LazyFrame, enrolments: pl.LazyFrame, exits: pl.LazyFrame) -> pl.LazyFrame:
    """Daily dropout hazards as known at each date, shrunk level by level: all, then provider and programme, then session.

    Args:
        dates: as_of, cutoff; a row per as-of date.
        enrolments: layers, with provider_id and programme_id of their session.
        exits: layers.

    Returns:
        as_of, session_id, session_hazard, provider_hazard, programme_hazard, overall_hazard (dropouts by learner-day).
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
    )
    sums = people.group_by("as_of", *LEVELS.values()).agg(pl.col("dropped", "days").sum())
    overall = _total("dropped", "as_of") / _total("days", "as_of").clip(1)
    provider = _shrunk("provider_id", overall)
    programme = _shrunk("programme_id", overall)
    hazards = sums.with_columns(provider_hazard=provider, programme_hazard=programme, overall_hazard=overall)
    session = (pl.col("dropped") + PRIOR_LEARNER_DAYS * pl.col("provider_hazard")) / (pl.col("days") + PRIOR_LEARNER_DAYS)
    return hazards.select("as_of", "session_id", "provider_hazard", "programme_hazard", "overall_hazard", session_hazard=session)


def exit_curve(dates: pl.LazyFrame, enrolments: pl.LazyFrame, exits: pl.LazyFrame) -> pl.LazyFrame:
    """How often learners of the same programme left from this moment of the course on, in sessions that were past it by then.

    For each week since entry: dropouts in the next `CURVE_WEEKS` weeks among those still there, of enrolments whose next weeks are all
    observed at the as-of date, shrunk towards the same week over all programmes.

    Args:
        dates: as_of, cutoff; a row per as-of date.
        enrolments: layers, with programme_id of their session.
        exits: layers.

    Returns:
        as_of, programme_id, week, programme_week_risk.
    """
    left = dates.join(exits, how="cross").filter(KNOWN, pl.col("exit_date") <= pl.col("as_of"))
    left = left.select("as_of", "enrolment_id", "exit_date", dropped=(pl.col("reason") == "dropout").cast(pl.Int64))
    entered = dates.join(enrolments, how="cross").filter(KNOWN, pl.col("entry_date") <= pl.col("as_of"))
    end = pl.min_horizontal("planned_exit_date", "exit_date")
    people = entered.join(left, on=["as_of", "enrolment_id"], how="left").select(
        "as_of",
        "programme_id",
        dropped=pl.col("dropped").fill_null(0),
        stayed=((pl.coalesce(end, "planned_exit_date") - pl.col("entry_date")).dt.total_days() // 7).clip(0, MOST_WEEKS),
        observed=((pl.col("as_of") - pl.col("entry_date")).dt.total_days() // 7).clip(0, MOST_WEEKS),
    )
    counted = people.group_by("as_of", "programme_id", "observed", "stayed").agg(n=pl.len().cast(pl.Int64), dropped=pl.col("dropped").sum())
    weeks = pl.LazyFrame({"week": list(range(MOST_WEEKS + 1))}, schema={"week": pl.Int64})
    seen = counted.join(weeks, how="cross").filter(
        pl.col("observed").cast(pl.Int64) >= pl.col("week") + CURVE_WEEKS, pl.col("stayed").cast(pl.Int64) >= pl.col("week")
    )
    soon = pl.col("stayed").cast(pl.Int64) < pl.col("week") + CURVE_WEEKS
    sums = seen.group_by("as_of", "programme_id", "week").agg(n=pl.col("n").sum(), dropped=pl.when(soon).then("dropped").otherwise(0).sum())
    overall = pl.col("dropped").sum().over("as_of", "week") / pl.col("n").sum().over("as_of", "week").clip(1)
    risk = (pl.col("dropped") + PRIOR_LEARNERS * overall) / (pl.col("n") + PRIOR_LEARNERS)
    return sums.select("as_of", "programme_id", pl.col("week").cast(pl.Int32), programme_week_risk=risk)


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


def _against(name: str, above: str, subject_fr: str, subject_en: str) -> Feature:
    # Relative, never a level: a level tells the calendar and, where sessions are few, names the session; a model learns both by heart.
    hazard, usual = pl.col(f"{name}_hazard"), pl.col(f"{above}_hazard")
    return Feature(
        f"{name}_dropouts_against_{above}",
        pl.when((hazard > 0) & (usual > 0)).then((hazard / usual).log()).otherwise(0),
        unit="score",
        meaning=f"Logarithm of the dropout rate so far in the {name} against that of the {above}",
        null_means="never null",
        group="session",
        fr=f"départs anticipés plus fréquents dans {subject_fr}",
        en=f"more frequent dropouts in {subject_en}",
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
            fr="départs anticipés plus fréquents dans cette session",
            en="more frequent dropouts in this session",
            learnt=False,
        ),
        _against("session", "provider", "cette session", "this session"),
        _against("provider", "overall", "cet organisme", "this provider"),
        _against("programme", "overall", "cette formation", "this programme"),
        Feature(
            "programme_week_risk",
            pl.col("programme_week_risk"),
            unit="share",
            meaning="Dropouts within four weeks from this week of the course, in earlier sessions of the programme",
            null_means="no earlier session was observed that far",
            group="session",
            fr="{value} de départs dans les quatre semaines, à ce moment des sessions passées",
            en="{value} left within four weeks at this point of earlier sessions",
        ),
        Feature(
            "earlier_courses",
            pl.col("courses_so_far") - 1,
            unit="count",
            meaning="Other courses entered before or now",
            null_means="never null",
            group="learner",
            fr="{value} autres formations",
            en="{value} other courses",
        ),
        Feature(
            "earlier_courses_left",
            pl.col("courses_left"),
            unit="count",
            meaning="Other courses left before their end",
            null_means="never null",
            group="learner",
            fr="{value} formations quittées avant la fin",
            en="{value} courses left before their end",
        ),
        Feature(
            "courses_now",
            pl.col("courses_now"),
            unit="count",
            meaning="Courses followed at the same time",
            null_means="never null",
            group="learner",
            fr="{value} formations suivies en même temps",
            en="{value} courses followed at the same time",
        ),
    ],
)
