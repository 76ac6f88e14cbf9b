"""Traces of distance learning. A day without a trace is a day without activity, where the session leaves traces at all."""

from __future__ import annotations

import math
from typing import Final

import polars as pl

from features.declaration import (
    AGO,
    ALWAYS,
    MANY,
    MIDDLE,
    NEVER,
    NOTHING_SINCE,
    WEEK,
    Family,
    Feature,
    plainly,
    ratio,
    there_for,
    times,
    within,
)

_FIXED_POINT: Final = 1_000_000
"""Weights are summed as whole millionths: integer sums do not depend on the order of rows."""

_trace = pl.col("count") > 0
_volume = (pl.col("count") + 1).log() * pl.col("count").sign()

_BACK_DAYS: Final = 4
"""Last active that few days ago, a weekend of three included."""
_FEW_DAYS: Final = 4
"""Whoever was online on fewer of 28 days hardly is at all."""
_SILENT: Final = (pl.col("days_since_activity") >= WEEK) & NOTHING_SINCE
"""Shorter than a week, whoever is online on most days would be called for a weekend."""


def _little(days: int) -> pl.Expr:
    """Of whom it is told how little they did online in so many days."""
    return there_for(days) & NOTHING_SINCE


def _decayed(half_life_days: float) -> pl.Expr:
    weight = (-pl.col("ago") * math.log(2) / half_life_days).exp()
    return (_volume * weight * _FIXED_POINT).round().cast(pl.Int64).sum() / _FIXED_POINT


_FIRST_DAYS: Final = 14
_course_day = (pl.col("date") - pl.col("entry_date")).dt.total_days()
_first_weeks = (_course_day >= 0) & (_course_day < _FIRST_DAYS)


def _active_days(days: int | None) -> pl.Expr:
    return pl.col("date").filter(_trace if days is None else _trace & within(days)).n_unique()


_facts = [
    *(
        Feature(
            f"active_days_{days}",
            _active_days(days),
            unit="days",
            meaning=f"Days with a trace of distance learning in the last {days} days",
            null_means="no trace at all so far",
            group="activity",
            fr=f"[peu d']activité en ligne : {{value}} sur les {days} derniers",
            en=f"[little online activity: ]{{value}} active online in the last {days}",
            monotone=-1,
            fair=_little(days),
            fair_better=there_for(days),
        )
        for days in (7, 14, 28)
    ),
    *(
        Feature(
            f"activity_count_{days}",
            (pl.col("count") * within(days).cast(pl.Int32)).sum(),
            unit="actions",
            meaning=f"Traces of distance learning in the last {days} days",
            null_means="no trace at all so far",
            group="activity",
            fr=f"{{value}} en ligne sur les {days} derniers jours",
            en=f"{{value}} online in the last {days} days",
            worse=-1,
            # Three days may be a weekend.
            fair=_little(days) if days >= WEEK else NEVER,
            fair_better=there_for(days),
        )
        for days in (3, 7, 14, 28)
    ),
    Feature(
        "activity_recent",
        _decayed(3),
        unit="score",
        meaning="Activity, logarithmic, weighted by recency with a half-life of 3 days",
        null_means="no trace at all so far",
        group="activity",
        fr="peu d'activité en ligne ces derniers jours",
        en="little online activity these last days",
        fr_better="activité en ligne soutenue ces derniers jours",
        en_better="much online activity these last days",
        monotone=-1,
        fair=_little(7),
        fair_better=there_for(7),
    ),
    Feature(
        "activity_steady",
        _decayed(14),
        unit="score",
        meaning="Activity, logarithmic, weighted by recency with a half-life of 14 days",
        null_means="no trace at all so far",
        group="activity",
        fr="activité en ligne faible dans la durée",
        en="little online activity over time",
        fr_better="activité en ligne soutenue dans la durée",
        en_better="much online activity over time",
        worse=-1,
        fair=_little(14),
        fair_better=there_for(14),
    ),
    Feature(
        "days_since_activity",
        pl.when(_trace).then(pl.col("ago")).min(),
        unit="days",
        meaning="Days since the last trace of distance learning",
        null_means="no trace at all so far",
        group="activity",
        fr="dernière activité en ligne il y a {value}",
        en="last active online {value} ago",
        monotone=1,
        # Of whoever was online on a few days of four weeks alone, a gap of days tells the least of it.
        fair=NOTHING_SINCE & ((pl.col("days_since_activity") >= 2 * WEEK) | (pl.col("active_days_28") >= _FEW_DAYS) | ~there_for(28)),
        fair_better=ALWAYS,
        speaks_from=WEEK,
    ),
    Feature(
        "activity_kinds_14",
        pl.col("kind").filter(_trace & within(14)).n_unique(),
        unit="count",
        meaning="Kinds of distance learning used in the last 14 days",
        null_means="no trace at all so far",
        group="activity",
        fr="{value} type{s} de ressources [seulement ]utilisé{s} sur 14 jours",
        en="[only ]{value} kind{s} of resources used in 14 days",
        worse=-1,
        fair=_little(14),
        fair_better=there_for(14),
    ),
    Feature(
        "activity_kinds_28",
        pl.col("kind").filter(_trace & within(28)).n_unique(),
        unit="count",
        meaning="Kinds of distance learning used in the last 28 days",
        null_means="no trace at all so far",
        group="activity",
        fr="{value} type{s} de ressources [seulement ]utilisé{s} sur 28 jours",
        en="[only ]{value} kind{s} of resources used in 28 days",
        worse=-1,
        fair=_little(28),
        fair_better=there_for(28),
    ),
    Feature(
        "active_weeks_8",
        (pl.col("ago") // 7).filter(_trace & within(56)).n_unique(),
        unit="count",
        meaning="Weeks with a trace of distance learning among the last 8",
        null_means="no trace at all so far",
        group="activity",
        fr="{value} semaine{s} [seulement ]avec une activité en ligne sur les 8 dernières",
        en="[only ]{value} week{s} with online activity in the last 8",
        worse=-1,
        fair=_little(56),
        fair_better=there_for(56),
    ),
    Feature(
        "activity_total",
        pl.col("count").sum(),
        unit="actions",
        meaning="Traces of distance learning so far",
        null_means="no trace at all so far",
        group="activity",
    ),
    Feature(
        "active_days_total",
        _active_days(None),
        unit="days",
        meaning="Days with a trace of distance learning since the first",
        null_means="no trace at all so far",
        group="activity",
    ),
]

KINDS: Final = ("content", "forum", "quiz", "lms")
"""Kinds of distance work that suppliers tell apart (contract `activity`), what is finer behind a slash; others count in totals alone."""
_WEEKS: Final = 6


def _of(kind: str | None, *, within_days: int | None = None, weeks_ago: int | None = None) -> pl.Expr:
    chosen = pl.lit(value=True) if kind is None else pl.col("kind").str.starts_with(kind)
    if within_days is not None:
        chosen &= within(within_days)
    if weeks_ago is not None:
        chosen &= pl.col("ago") // 7 == weeks_ago
    return pl.when(chosen).then("count").otherwise(0).sum()


_facts += [
    Feature(
        "longest_silence_days",
        pl.when(_trace).then(pl.col("date")).drop_nulls().unique().sort().diff().dt.total_days().max(),
        unit="days",
        meaning="Longest time between two days with a trace so far",
        null_means="fewer than two days with a trace",
        group="activity",
        fr="jusqu'à {value} entre deux jours d'activité en ligne depuis le début",
        en="up to {value} between two days active online so far",
        fr_better="jamais plus de {value} entre deux jours d'activité en ligne depuis le début",
        en_better="never more than {value} between two days active online so far",
        worse=1,
        fair=NOTHING_SINCE,
        fair_better=ALWAYS,
    ),
]
_helpers = [
    *(_of(kind, within_days=14).alias(f"{kind}_14") for kind in KINDS),
    *(_of(kind).alias(f"{kind}_total") for kind in KINDS),
    *(_of(None, weeks_ago=week).alias(f"week_{week}") for week in range(_WEEKS)),
    (pl.col("count") * (within(42) & ~within(14)).cast(pl.Int32)).sum().alias("activity_before"),
    _active_days(56).alias("active_days_56"),
    _decayed(7).alias("activity_week"),
    _decayed(28).alias("activity_month"),
    pl.when(pl.col("date") < pl.col("entry_date")).then("count").otherwise(0).sum().alias("before_entry"),
    pl.when(_first_weeks).then("count").otherwise(0).sum().alias("first_weeks"),
]

_back = ((pl.col("activity_count_7") > 0) & (pl.col("week_1") == 0) & (pl.col("activity_total") > pl.col("activity_count_7"))).fill_null(
    value=False
)

_seen_days = 56 - pl.col("days_since_activity").clip(0, 56)
_usual_share = ((pl.col("active_days_56") + 0.5) / (_seen_days + 1)).clip(0.01, 0.95)


def _by_day(name: str, half_life_days: float) -> pl.Expr:
    return pl.col(name) * (1 - 2 ** (-1 / half_life_days))


_derived = [
    Feature(
        "activity_change",
        ((pl.col("activity_count_14") + 1) / 14).log() - ((pl.col("activity_before") + 1) / 28).log(),
        unit="score",
        meaning="Logarithm of the activity of the last 14 days against the four weeks before, by day",
        null_means="no trace at all so far",
        group="trend",
        fr="activité en ligne en baisse par rapport aux semaines précédentes",
        en="online activity down against the weeks before",
        fr_better="activité en ligne en hausse par rapport aux semaines précédentes",
        en_better="online activity up against the weeks before",
        worse=-1,
        # The four weeks before count days before the entry as days without activity: a fall is true all the same, a rise is not.
        fair=plainly("activity_change") & _little(14),
        fair_better=plainly("activity_change") & there_for(42),
        against=0.0,
    ),
    Feature(
        "active_share_total",
        ratio(pl.col("active_days_total"), pl.col("course_day") + 1),
        unit="share",
        meaning="Days with a trace, among days since entry",
        null_means="no trace at all so far",
        group="activity",
        fr="activité en ligne sur {value} [seulement ]des jours depuis l'entrée",
        en="active online on [only ]{value} of the days since entry",
        worse=-1,
        # Of whoever is online on as many days as half of the session, no share of days is little.
        fair=_little(7) & (pl.col("active_days_rank_28").fill_null(0) < MIDDLE),
        fair_better=there_for(7),
    ),
    Feature(
        "days_since_activity_usual",
        ratio(pl.col("days_since_activity") * pl.col("active_days_total"), pl.col("course_day") + 1),
        unit="score",
        meaning="Days since the last trace, against the learner's usual days between two active days",
        null_means="no trace at all so far",
        group="trend",
        fr="sans activité en ligne depuis plus longtemps que d'habitude",
        en="silent online for longer than usual",
        fr_better="pas plus longtemps que d'habitude sans activité en ligne",
        en_better="no silence online longer than usual",
        worse=1,
        fair=_SILENT,
        fair_better=pl.col("days_since_activity_usual") <= 1,
        against=2.0,  # twice the usual time
        repeats=frozenset({"days_since_activity"}),
    ),
    Feature(
        "silence_surprise",
        -pl.col("days_since_activity") * (1 - _usual_share).log(),
        unit="score",
        meaning="Minus the log-probability of so long a silence, from how often the learner was active in the 8 weeks before it",
        null_means="no trace at all so far",
        group="trend",
        fr="sans activité en ligne depuis un temps inhabituel pour cette personne",
        en="a silence online that is unusual for this person",
        fr_better="pas plus longtemps que d'habitude sans activité en ligne",
        en_better="no silence online that is unusual for this person",
        worse=1,
        fair=_SILENT,
        fair_better=pl.col("days_since_activity_usual") <= 1,
        against=3.0,  # one silence in twenty is as long
        repeats=frozenset({"days_since_activity"}),
    ),
    Feature(
        "activity_momentum",
        _by_day("activity_week", 7) - _by_day("activity_month", 28),
        unit="score",
        meaning="Activity weighted with a half-life of 7 days minus the same with 28 days, by day",
        null_means="no trace at all so far",
        group="trend",
        fr="activité en ligne en perte de vitesse",
        en="online activity losing speed",
        fr_better="activité en ligne en progression",
        en_better="online activity gaining speed",
        worse=-1,
        # Of whoever did more in the last two weeks than in the two before, it is not what a person would say.
        fair=there_for(28)
        & NOTHING_SINCE
        & (pl.col("activity_back_7") == 0)
        & (2 * pl.col("activity_count_14") < pl.col("activity_count_28")),
        fair_better=there_for(28),
        against=0.0,
        repeats=frozenset({"days_since_activity"}),
    ),
    Feature(
        "activity_back_7",
        pl.when(_back).then("activity_count_7").otherwise(0),
        unit="actions",
        meaning="Traces of the last 7 days, after 7 days without any and traces before; else 0",
        null_means="never null",
        group="activity",
        fr="de nouveau en ligne : {value} ces 7 derniers jours, après une semaine au moins sans aucune",
        en="online again: {value} these last 7 days, after a week or more without any",
        worse=-1,
        # Whose last trace is of days ago is not back.
        fair=there_for(14) & (pl.col("days_since_activity") < _BACK_DAYS),
        fair_better=NEVER,
        speaks_from=1,
        beside=True,
        learnt=False,
    ),
]

_in_session = ["session_id", "as_of"]


def _rank(name: str) -> pl.Expr:
    column = pl.col(name).fill_null(0)
    return (column.rank("average").over(_in_session) - 0.5) / pl.len().over(_in_session)


_traced = pl.col("activity_count_28").fill_null(0).max().over(_in_session) > 0
LATE_DAYS: Final = 7
"""Whoever enters so long after the session began is late."""
NEW_DAYS: Final = 6
"""The days before the seventh, on which there is a week to compare."""
_late = pl.col("entry_delay_days") >= LATE_DAYS
_compared = _traced & ~(_late & (pl.col("course_day") < NEW_DAYS)).fill_null(value=False)
"""Whoever enters a session that goes on is not compared, in their first week, with what the others did before they came."""


def _log(name: str) -> pl.Expr:
    return ((pl.col(name).fill_null(0) + 1).log() * _FIXED_POINT).round().cast(pl.Int64)


def _against_session(name: str) -> pl.Expr:
    """Logarithm of a count minus the session's mean of it; null where nobody is to be compared.

    Told as times less than the mean of the session, which is at least as many: a mean of logarithms never lies above that of the counts.
    """
    mean = _log(name).sum().over(_in_session) / pl.len().over(_in_session)
    return pl.when(_compared).then((_log(name) - mean) / _FIXED_POINT)


def _week_against_session(week: int) -> pl.Expr:
    """As `_against_session`; null also of late entrants for a week that was over before they came."""
    came_after = (_late & (pl.col("course_day") < 7 * week)).fill_null(value=False)
    return pl.when(~came_after).then(_against_session(f"week_{week}"))


def _above_session(name: str) -> pl.Expr:
    """A score minus the session's mean of it; null where nobody is to be compared."""
    score = (pl.col(name).fill_null(0) * _FIXED_POINT).round().cast(pl.Int64)
    return pl.when(_compared).then((score - score.sum().over(_in_session) / pl.len().over(_in_session)) / _FIXED_POINT)


_KIND_FR: Final = {"content": "les contenus", "forum": "les forums", "quiz": "les exercices", "lms": "la plateforme"}
_KIND_EN: Final = {"content": "contents", "forum": "forums", "quiz": "exercises", "lms": "the platform"}
_SPAN: Final = {"14": "of the last 14 days", "total": "so far"}
_SPAN_FR: Final = {"14": "ces 14 derniers jours", "total": "depuis le début, dates d'entrée confondues"}
_SPAN_EN: Final = {"14": "over 14 days", "total": "since the start, whenever people entered"}
_NOT_COMPARED: Final = "the session leaves no trace, or this learner entered it a week late or more, less than a week ago"
_NOT_NEW: Final = there_for(14)
"""For sentences on all that was done so far, which tell of whoever has just entered that they have just entered."""


def _week_fr(week: int) -> str:
    return f"il y a {week} semaine{'s' if week > 1 else ''}" if week else "ces 7 derniers jours"


def _week_en(week: int) -> str:
    return f"{week} week{'s' if week > 1 else ''} ago" if week else "these last 7 days"


_cohort = [
    *(
        Feature(
            f"{kind}_against_session_{span}",
            _against_session(f"{kind}_{span}"),
            unit="times",
            meaning=f"Logarithm of the {kind} traces {_SPAN[span]} minus the session's mean",
            null_means=_NOT_COMPARED,
            group="activity",
            fr=f"au moins {{value}} fois moins d'activité sur {_KIND_FR[kind]} que la moyenne de la session {_SPAN_FR[span]}",
            en=f"at least {{value}} times less active on {_KIND_EN[kind]} than the session's mean {_SPAN_EN[span]}",
            fr_better=f"activité sur {_KIND_FR[kind]} au-dessus du niveau habituel de la session {_SPAN_FR[span]}",
            en_better=f"more active on {_KIND_EN[kind]} than usual in the session {_SPAN_EN[span]}",
            worse=-1,
            fair=_little(14) & times(f"{kind}_against_session_{span}"),
            fair_better=_NOT_NEW & plainly(f"{kind}_against_session_{span}"),
            against=0.0,
            moves=False,
        )
        for kind in KINDS
        for span in _SPAN
    ),
    *(
        Feature(
            f"week_{week}_against_session",
            _week_against_session(week),
            unit="times",
            meaning=f"Logarithm of the activity of the week {week} weeks ago minus the session's mean",
            null_means=f"{_NOT_COMPARED}, or after that week",
            group="activity",
            fr=f"au moins {{value}} fois moins d'activité en ligne que la moyenne de la session {_week_fr(week)}",
            en=f"at least {{value}} times less active online than the session's mean {_week_en(week)}",
            fr_better=f"activité en ligne au-dessus du niveau habituel de la session {_week_fr(week)}",
            en_better=f"more active online than usual in the session {_week_en(week)}",
            worse=-1,
            fair=_little(7 * (week + 1)) & times(f"week_{week}_against_session"),
            fair_better=there_for(7 * (week + 1)) & plainly(f"week_{week}_against_session"),
            against=0.0,
            moves=False,
        )
        for week in range(_WEEKS)
    ),
    *(
        Feature(
            f"activity_against_session_{days}",
            _against_session(f"activity_count_{days}"),
            unit="times",
            meaning=f"Logarithm of the activity of the last {days} days minus the session's mean",
            null_means=_NOT_COMPARED,
            group="activity",
            fr=f"au moins {{value}} fois moins d'activité en ligne que la moyenne de la session ces {days} derniers jours",
            en=f"at least {{value}} times less active online than the session's mean over {days} days",
            fr_better=f"activité en ligne au-dessus du niveau habituel de la session ces {days} derniers jours",
            en_better=f"more active online than usual in the session over {days} days",
            worse=-1,
            fair=_little(days) & times(f"activity_against_session_{days}"),
            fair_better=there_for(days) & plainly(f"activity_against_session_{days}"),
            against=0.0,
            moves=False,
        )
        for days in (3, 14)
    ),
    *(
        Feature(
            f"{name}_against_session",
            _above_session(name),
            unit="score",
            meaning=f"{meaning} minus the session's mean",
            null_means=_NOT_COMPARED,
            group="activity",
            fr=f"moins d'activité en ligne que la moyenne de la session {when}",
            en=f"less active online than the session's mean {then}",
            fr_better=f"activité en ligne au-dessus du niveau habituel de la session {when}",
            en_better=f"more active online than usual in the session {then}",
            worse=-1,
            fair=_little(days) & plainly(f"{name}_against_session"),
            fair_better=there_for(days) & plainly(f"{name}_against_session"),
            against=0.0,
        )
        for name, meaning, days, when, then in (
            ("activity_recent", "Activity weighted with a half-life of 3 days", 3, "ces derniers jours", "these last days"),
            ("activity_week", "Activity weighted with a half-life of 7 days", 7, "ces derniers temps", "lately"),
            ("activity_steady", "Activity weighted with a half-life of 14 days", 14, "dans la durée", "over time"),
        )
    ),
    Feature(
        "silence_rank",
        pl.when(_compared).then(
            (pl.col("days_since_activity").fill_null(10_000).rank("average").over(_in_session) - 0.5) / pl.len().over(_in_session)
        ),
        unit="share",
        meaning="Place in the session by days since the last trace, 1 the longest silent",
        null_means=_NOT_COMPARED,
        group="activity",
        fr="plus longtemps sans activité en ligne que {value} des personnes de la session",
        en="longer without online activity than {value} of the people in the session",
        worse=1,
        fair=MANY & NOTHING_SINCE,
        # Longer silent than a few is no way to speak of a strength.
        fair_better=NEVER,
        against=0.5,
    ),
    Feature(
        "never_active",
        pl.when(_traced).then(pl.col("activity_total").is_null()),
        unit="flag",
        meaning="1 when the session leaves traces of distance learning and this learner none so far",
        null_means="the session leaves no trace",
        group="activity",
        fr="aucune activité en ligne depuis l'entrée",
        en="no online activity since entry",
        worse=1,
        fair=there_for(3),
        fair_better=NEVER,
        # Less than the others, of somebody who was never there, hides that an account may not open.
        speaks_from=1,
        learnt=False,
    ),
    Feature(
        "activity_total_rank",
        pl.when(_compared).then(_rank("activity_total")),
        unit="share",
        meaning="Place in the session by traces so far, 0 the fewest",
        null_means=_NOT_COMPARED,
        group="activity",
        fr="plus d'activité en ligne depuis le début que {value} [seulement ]des personnes de la session, dates d'entrée confondues",
        en="more active online since the start than [only ]{value} of the people in the session, whenever they entered",
        worse=-1,
        # Where no silence may be told, nothing of all the time before stands in for it: that has not moved.
        fair=_NOT_NEW & MANY & NOTHING_SINCE,
        fair_better=_NOT_NEW & MANY,
        against=0.5,
    ),
    Feature(
        "first_weeks_rank",
        pl.when(_compared & (pl.col("course_day") >= _FIRST_DAYS)).then(_rank("first_weeks")),
        unit="share",
        meaning=f"Place in the session by traces of the first {_FIRST_DAYS} days, 0 the fewest",
        null_means="the session leaves no trace, or the first days of this learner are not over",
        group="activity",
        fr="plus d'activité en ligne au démarrage que {value} [seulement ]des personnes de la session",
        en="more active online at the start than [only ]{value} of the people in the session",
        worse=-1,
        fair=MANY & NOTHING_SINCE,
        fair_better=MANY,
        against=0.5,
    ),
    Feature(
        "before_entry_rank",
        pl.when(_compared).then(_rank("before_entry")),
        unit="share",
        meaning="Place in the session by traces before entry, 0 the fewest",
        null_means=_NOT_COMPARED,
        group="activity",
        fr="plus d'activité en ligne avant l'entrée que {value} [seulement ]des personnes de la session",
        en="more active online before entry than [only ]{value} of the people in the session",
        worse=-1,
        fair=MANY & NOTHING_SINCE,
        fair_better=MANY,
        against=0.5,
    ),
    *(
        Feature(
            f"activity_rank_{days}",
            pl.when(_compared).then(_rank(f"activity_count_{days}")),
            unit="share",
            meaning=f"Place in the session by activity of the last {days} days, 0 the least active",
            null_means=_NOT_COMPARED,
            group="activity",
            fr=f"plus d'activité en ligne que {{value}} [seulement ]des personnes de la session sur {days} jours",
            en=f"more active online than [only ]{{value}} of the people in the session over {days} days",
            worse=-1,
            fair=MANY & _little(days),
            fair_better=MANY & there_for(days),
            against=0.5,
        )
        for days in (7, 28)
    ),
    Feature(
        "active_days_rank_28",
        pl.when(_compared).then(_rank("active_days_28")),
        unit="share",
        meaning="Place in the session by active days of the last 28 days, 0 the least active",
        null_means=_NOT_COMPARED,
        group="activity",
        fr="plus de régularité en ligne que {value} [seulement ]des personnes de la session sur 28 jours",
        en="more regular online than [only ]{value} of the people in the session over 28 days",
        worse=-1,
        fair=MANY & _little(28),
        fair_better=MANY & there_for(28),
        against=0.5,
    ),
]

ACTIVITY: Final = Family(
    name="activity",
    table="activity",
    columns=("date", "kind", "count"),
    prepare=(AGO.alias("ago"),),
    keep=pl.col("date") <= pl.col("as_of"),
    helpers=_helpers,
    facts=_facts,
    derived=_derived,
    cohort=_cohort,
)
