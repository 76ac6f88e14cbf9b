"""Half-days attended and missed. A sheet that is missing is never an absence: it counts nowhere here."""

from __future__ import annotations

from typing import Final

import polars as pl

from data_contracts.vocabulary import ATTENDED
from features.declaration import AGO, ALWAYS, NEVER, Family, Feature, ratio, there_for, within

WINDOWS: Final = (7, 14, 28)
RULE_DAYS: Final = 30
SURGE_DAYS: Final = 14
SURGE: Final = 5
"""From so many half-days missed in two weeks, these are told: a share since entry would hide them."""
_gone = (pl.col("days_since_presence") >= SURGE_DAYS) & (pl.col("absence_streak_half_days") >= 0.5 * pl.col("days_since_presence"))
FEW: Final = 4
"""Two days: a share of fewer half-days tells one day's luck in per cent, where counts say what happened."""
GOES_ON: Final = 3
"""A day and a half missed in a row, or three days of which each has one sheet: an absence that goes on is told as one."""
PRESENT_DAYS: Final = 4
"""Last present that few days ago, a weekend of three included: still there, as far as is known."""
OFF_THE_SHEETS_DAYS: Final = 7
"""So many days behind the newest sheet of a session, a name is gone from its sheets, however seldom there is class."""
_CLASS_DAYS: Final = 2
"""So many class days left out, it is gone too, where it used to be there: a provider forgets a name once."""
_SHEETS_SEEN: Final = 28
"""Days whose sheets tell which days are class days, and on how many of them a name was left out before."""
_KNOWN_DAYS: Final = 14
"""After that long on the sheets it shows on which days of the week a name is there: until then, a week decides."""
_AT_ONCE: Final = 2
"""More people than these whose names stop on one day are a group whose sheets come late, until a week has passed."""
_CLEARLY: Final = 0.03
"""Shares of attendance this far apart differ."""
_WELL: Final = 0.8
"""Whoever is there so often is not told to be there too little."""
_GONE_FROM_SHEETS: Final = frozenset({"days_off_sheets"})
"""Beside it, how somebody attended before is no news."""
_LATELY: Final = ~_gone.fill_null(value=False)
"""Of whoever has not come for two weeks of which half held something to attend, the last presence says it."""

_UNJUSTIFIED: Final = (pl.col("unjustified_half_days_14") > 0) & (pl.col("unjustified_half_days_28") > pl.col("justified_half_days_28"))
"""A justified absence is no motive to call: what counts absences of all kinds is told where most have no reason."""

_HALF_UNJUSTIFIED: Final = 2 * pl.col("unjustified_streak_half_days") >= pl.col("absence_streak_half_days")
_GOES_ON: Final = (
    _HALF_UNJUSTIFIED
    & (pl.col("absence_streak_half_days") >= GOES_ON)
    & (3 * pl.col("absence_streak_half_days") >= 2 * pl.col("unjustified_half_days_14"))
)
"""Where most of what was missed in two weeks was missed since the last presence, it is told as that, one absence that goes on."""

_CLASS_LATELY: Final = (pl.col("recorded_7") > 0) | (pl.col("not_expected_7") == 0)
"""Of whoever was not expected for a week, absences of before it are no news; sheets that have not come say nothing of that."""

_LATELY_MISSED: Final = (pl.col("unjustified_half_days_7") > 0) | pl.col("attendance_share_7").is_null()
"""Whoever missed nothing in a week of classes has come back."""

_NO_BETTER_LATELY: Final = pl.col("unjustified_half_days_14") >= (pl.col("unjustified_share_total") - _CLEARLY) * pl.col("recorded_14")
"""A share since entry hides that the last two weeks were better."""

_half_days = pl.col("half_days")
_attended = pl.col("status").is_in(ATTENDED)
_unjustified = pl.col("status") == "absent_unjustified"
_justified = pl.col("status") == "absent_justified"
_recorded = _attended | _unjustified | _justified
_last_attended = pl.when(_attended).then(pl.col("slot")).max().fill_null(-1).alias("last_attended")
_last_missed = pl.when(_unjustified | _justified).then(pl.col("slot")).max().fill_null(-1).alias("last_missed")
_came = pl.min_horizontal("attendance_share_28", "attendance_share_7").ge(0.8) & there_for(14)
"""Whoever is hardly there can hardly be late: "never late" is told of who comes, and has for two weeks."""


def _enough(*windows: str) -> pl.Expr:
    return pl.all_horizontal(pl.col(f"recorded_{window}") >= FEW for window in windows)


def _sum(condition: pl.Expr) -> pl.Expr:
    return (_half_days * condition.cast(pl.Int32)).sum()


def _since_presence(condition: pl.Expr) -> pl.Expr:
    return _sum(condition & (pl.col("slot") > pl.col("last_attended")))


_helpers = [
    *(_sum(_attended & within(days)).alias(f"attended_{days}") for days in (*WINDOWS, 42)),
    *(_sum(_recorded & within(days)).alias(f"recorded_{days}") for days in WINDOWS),
    _sum(_recorded & within(42) & ~within(14)).alias("recorded_before"),
    _sum(_recorded).alias("recorded_total"),
    _sum((pl.col("status") == "not_expected") & within(WINDOWS[0])).alias("not_expected_7"),
    _sum(_unjustified).alias("unjustified_total"),
    pl.when(pl.col("status") != "not_recorded").then(pl.col("ago")).min().alias("last_named"),
    pl.col("ago").min().alias("last_listed"),
    pl.col("ago").max().alias("first_listed"),
    # One bit a day, of which a sheet had this name, filled in or not.
    pl.when(within(_SHEETS_SEEN)).then(pl.lit(2, pl.Int64).pow(pl.col("ago").clip(0, _SHEETS_SEEN))).bitwise_or().alias("listed"),
    (_half_days * (pl.col("status") == "not_recorded").cast(pl.Int32) * within(28).cast(pl.Int32)).sum().alias("not_recorded_28"),
]

_facts = [
    *(
        Feature(
            f"unjustified_half_days_{days}",
            _sum(_unjustified & within(days)),
            unit="half_days",
            meaning=f"Unjustified half-days of absence in the last {days} days",
            null_means="no attendance sheet is known",
            group="attendance",
            fr=f"{{value}} d'absence non justifiée sur les {days} derniers jours",
            en=f"{{value}} of unjustified absence in the last {days} days",
            monotone=1,
            # Where nothing was to be attended of late, absences before it are no news.
            fair=_LATELY & ~_GOES_ON & _CLASS_LATELY if days == SURGE_DAYS else _CLASS_LATELY if days > SURGE_DAYS else None,
            fair_better=ALWAYS,
            speaks_from=SURGE if days == SURGE_DAYS else None,
            among=f"recorded_{min(days, max(WINDOWS))}",
        )
        for days in (*WINDOWS, RULE_DAYS)
    ),
    Feature(
        "justified_half_days_28",
        _sum(_justified & within(28)),
        unit="half_days",
        meaning="Justified half-days of absence in the last 28 days",
        null_means="no attendance sheet is known",
        group="attendance",
    ),
    Feature(
        "justified_half_days_14",
        _sum(_justified & within(14)),
        unit="half_days",
        meaning="Justified half-days of absence in the last 14 days",
        null_means="no attendance sheet is known",
        group="attendance",
        fr="{value} d'absence justifiée sur les 14 derniers jours",
        en="{value} of justified absence in the last 14 days",
        worse=1,
        # Ill for days, or as often as without a reason, somebody is not called as one who stays away.
        fair=pl.col("justified_half_days_14").ge(FEW) | (pl.col("justified_half_days_14") >= pl.col("unjustified_half_days_14")),
        fair_better=NEVER,
        speaks_from=2,
        beside=True,
        learnt=False,
    ),
    Feature(
        "unjustified_streak_half_days",
        _since_presence(_unjustified),
        unit="half_days",
        meaning="Unjustified half-days of absence since the last presence",
        null_means="no attendance sheet is known",
        group="attendance",
        fr="{value} d'absence non justifiée depuis la dernière présence",
        en="{value} of unjustified absence since last present",
        monotone=1,
        # With half-days among them that had a reason, all are told.
        fair=pl.col("attendance_share_14").is_not_null()
        & _LATELY
        & (pl.col("unjustified_streak_half_days") == pl.col("absence_streak_half_days")),
        fair_better=ALWAYS,
        speaks_from=GOES_ON,
    ),
    Feature(
        "absence_streak_half_days",
        _since_presence(_unjustified | _justified),
        unit="half_days",
        meaning="Half-days of absence of any kind since the last presence",
        null_means="no attendance sheet is known",
        group="attendance",
        fr="{value} d'absence, justifiée ou non, depuis la dernière présence",
        en="{value} of absence, justified or not, since last present",
        monotone=1,
        # Of whoever has had nothing to attend since, on a placement or on holiday, they are no news.
        fair=(pl.col("unjustified_half_days_14") > 0) & _HALF_UNJUSTIFIED & _LATELY,
        fair_better=ALWAYS,
        # One half-day with a reason hides no absence that goes on.
        speaks_from=GOES_ON,
    ),
    Feature(
        "absence_begun_half_days",
        _since_presence(_unjustified | _justified),
        unit="half_days",
        meaning="Half-days of absence of any kind since the last presence, told beside more that was missed before it",
        null_means="no attendance sheet is known",
        group="attendance",
        fr="absence en cours : {value} de suite, justifiée{s} ou non",
        en="an absence that goes on: {value} in a row, justified or not",
        worse=1,
        # Where it is most of what was missed it is told in place of these.
        fair=_HALF_UNJUSTIFIED & ~_GOES_ON & _CLASS_LATELY & (pl.col("days_off_sheets") == 0),
        fair_better=NEVER,
        speaks_from=GOES_ON,
        beside=True,
        learnt=False,
    ),
    Feature(
        "late_half_days_28",
        ((pl.col("status") == "late") & within(28)).cast(pl.Int32).sum(),
        unit="half_days",
        meaning="Half-days with a late arrival in the last 28 days; one on a sheet of a whole day, which tells of one arrival",
        null_means="no attendance sheet is known",
        group="punctuality",
        fr="{value} avec retard sur les 28 derniers jours",
        en="{value} with a late arrival in the last 28 days",
        monotone=1,
        fair=pl.col("late_half_days_28").gt(2),
        among="recorded_28",
        repeats=_GONE_FROM_SHEETS,
        fair_better=_came & (pl.col("late_half_days_28") == 0),
    ),
    Feature(
        "left_early_half_days_28",
        ((pl.col("status") == "left_early") & within(28)).cast(pl.Int32).sum(),
        unit="half_days",
        meaning="Half-days left before their end in the last 28 days; one on a sheet of a whole day",
        null_means="no attendance sheet is known",
        group="punctuality",
        fr="{value} quittée{s} avant la fin sur les 28 derniers jours",
        en="{value} left before the end in the last 28 days",
        monotone=1,
        fair=pl.col("left_early_half_days_28") > 1,
        among="recorded_28",
        repeats=_GONE_FROM_SHEETS,
        fair_better=_came & (pl.col("left_early_half_days_28") == 0),
    ),
    Feature(
        "days_since_presence",
        pl.when(_attended).then(pl.col("ago")).min(),
        unit="days",
        meaning="Days since the last half-day attended",
        null_means="never seen present",
        group="attendance",
        fr="dernière présence il y a {value}",
        en="last present {value} ago",
        monotone=1,
        # Where half of those days held nothing to attend, how long ago says little: a holiday, a placement, sheets that did not come.
        fair=pl.col("absence_streak_half_days") >= 0.5 * pl.col("days_since_presence"),
        speaks_from=14,
    ),
    Feature(
        "presence_streak_half_days",
        _sum(_attended & (pl.col("slot") > pl.col("last_missed"))),
        unit="half_days",
        meaning="Half-days attended since the last absence of any kind",
        null_means="no attendance sheet is known",
        group="attendance",
        fr="{value} de présence de suite depuis la dernière absence",
        en="{value} attended in a row since the last absence",
        worse=-1,
        # Of whom the sheets name no more, it is no return; nor is it one of who had missed little of two weeks.
        fair=(pl.col("days_since_presence") < PRESENT_DAYS)
        & (pl.col("days_off_sheets") == 0)
        & (pl.col("unjustified_half_days_14") + pl.col("justified_half_days_14") >= FEW),
        fair_better=NEVER,
        speaks_from=FEW,
        beside=True,
        learnt=False,
    ),
]

_ABSENCES: Final = frozenset(
    [
        *(feature.name for feature in _facts if feature.group == "attendance"),
        *(f"attendance_share_{days}" for days in WINDOWS),
        "unjustified_share_total",
        *_GONE_FROM_SHEETS,
    ]
)
"""Facts that already tell of the absences that a change or a gap is made of."""

_derived = [
    *(
        Feature(
            f"attendance_share_{days}",
            ratio(pl.col(f"attended_{days}"), pl.col(f"recorded_{days}")),
            unit="share",
            meaning=f"Half-days attended among those recorded in the last {days} days",
            null_means="nothing recorded in the window",
            group="attendance",
            fr=f"présence de {{value}} sur les {days} derniers jours, toutes absences confondues",
            en=f"{{value}} attended in the last {days} days, absences of all kinds counted",
            monotone=-1,
            fair=there_for(min(days, SURGE_DAYS))
            & _UNJUSTIFIED
            & _CLASS_LATELY
            & _enough(str(days))
            & (pl.col(f"attendance_share_{days}") < _WELL),
            fair_better=_enough(str(days)),
            among=f"recorded_{days}",
        )
        for days in WINDOWS
    ),
    Feature(
        "unjustified_share_total",
        ratio(pl.col("unjustified_total"), pl.col("recorded_total")),
        unit="share",
        meaning="Unjustified half-days among those recorded since entry",
        null_means="nothing recorded",
        group="attendance",
        fr="{value} d'absence non justifiée depuis l'entrée",
        en="{value} of unjustified absence since entry",
        fr_better="aucune absence non justifiée depuis l'entrée",
        en_better="no unjustified absence since entry",
        monotone=1,
        # A share since entry says little of the first days, and nothing of whoever has nothing to attend at present.
        # Nor of whoever has missed nothing without a reason for two weeks, or for the week that has just ended.
        fair=there_for(14)
        & pl.col("attendance_share_14").is_not_null()
        & _CLASS_LATELY
        & _UNJUSTIFIED
        & _LATELY_MISSED
        & _NO_BETTER_LATELY,
        fair_better=pl.col("unjustified_share_total") == 0,
    ),
    Feature(
        "never_present",
        pl.when(pl.col("recorded_total") > 0).then(pl.col("days_since_presence").is_null()),
        unit="flag",
        meaning="1 when half-days are recorded of this learner and none of them was attended",
        null_means="nothing recorded",
        group="attendance",
        fr="aucune présence depuis l'entrée",
        en="never present since entry",
        worse=1,
        fair=there_for(2),
        fair_better=NEVER,
        # A count of absences hides that this person may never have begun.
        speaks_from=1,
        moves=False,
        learnt=False,
    ),
    Feature(
        "attendance_change",
        ratio(pl.col("attended_14"), pl.col("recorded_14"))
        - ratio(pl.col("attended_42") - pl.col("attended_14"), pl.col("recorded_before")),
        unit="points",
        meaning="Attendance share of the last 14 days minus that of the four weeks before",
        null_means="too little recorded to compare",
        group="trend",
        fr="présence des 14 derniers jours en baisse de {value} par rapport aux semaines précédentes, toutes absences confondues",
        en="attendance of the last 14 days down by {value} against the weeks before, absences of all kinds counted",
        fr_better="présence des 14 derniers jours en hausse de {value} par rapport aux semaines précédentes",
        en_better="attendance of the last 14 days up by {value} against the weeks before",
        monotone=-1,
        fair=there_for(14) & _LATELY & _UNJUSTIFIED & _enough("14", "before"),
        fair_better=_enough("14", "before"),
        against=0.0,
        moves=False,
        repeats=_ABSENCES,
    ),
]

_in_session = ["session_id", "as_of"]
# No median over the session: beside it polars cuts rows otherwise each time, and a float's last bit depends on where.
_named_lately = (pl.col("last_named") < OFF_THE_SHEETS_DAYS).cast(pl.Int32).sum().over(_in_session)
_most_lately = 2 * _named_lately >= pl.col("last_named").count().over(_in_session)
_days = range(_SHEETS_SEEN)
_listed = [(pl.col("listed") // 2**day % 2).fill_null(0) for day in _days]
_class_day = [2 * listed.sum().over(_in_session) >= pl.col("last_listed").count().over(_in_session) for listed in _listed]
_left_out = pl.sum_horizontal((_class_day[day] & (pl.col("last_listed") > day)).cast(pl.Int32) for day in _days)
# Who comes two days a week is left out of three, each week.
_left_out_before = pl.sum_horizontal(
    (_class_day[day] & (_listed[day] == 0) & pl.lit(day).is_between("last_listed", "first_listed")).cast(pl.Int32) for day in _days
)
_together = pl.len().over([*_in_session, "last_listed"])
_behind = (pl.col("last_named") - pl.col("last_named").min().over(_in_session)) >= OFF_THE_SHEETS_DAYS
_used_to_be_there = pl.col("first_listed") >= _KNOWN_DAYS
_gone_lately = _used_to_be_there & (_left_out >= _CLASS_DAYS) & (_left_out > _left_out_before) & (_together <= _AT_ONCE)
_off = _most_lately & (_behind | _gone_lately)
_cohort = [
    Feature(
        "days_off_sheets",
        pl.when(_off).then("last_named").when(pl.col("last_named").is_not_null()).then(0),
        unit="days",
        meaning="Days since a sheet last named this learner, two class days, or a week, behind a session that goes on; else 0",
        null_means="no attendance sheet is known",
        group="attendance",
        fr="nom absent des feuilles de présence depuis {value}, alors que la session continue",
        en="name missing from the attendance sheets for {value}, while the session goes on",
        worse=1,
        fair_better=NEVER,
        # Absences before it, or a share, hide that the provider no longer expects this person; so does a low risk of who came well.
        speaks_from=1,
        alone=True,
        moves=False,
        learnt=False,
    ),
    Feature(
        "attendance_against_session",
        ratio(pl.col("attended_14"), pl.col("recorded_14"))
        - ratio(pl.col("attended_14").sum().over(_in_session), pl.col("recorded_14").sum().over(_in_session)),
        unit="points",
        meaning="Attendance share of the last 14 days minus that of the whole session",
        null_means="too little recorded to compare",
        group="trend",
        fr="présence inférieure de {value} à celle de la session sur 14 jours, absences justifiées comprises",
        en="attendance {value} below the session's over 14 days, justified absences counted",
        fr_better="présence supérieure de {value} à celle de la session sur 14 jours",
        en_better="attendance {value} above the session's over 14 days",
        monotone=-1,
        fair=there_for(14) & _LATELY & _UNJUSTIFIED & _enough("14"),
        fair_better=_enough("14"),
        against=0.0,
        repeats=_ABSENCES,
    ),
    Feature(
        "session_attendance_share_14",
        ratio(pl.col("attended_14").sum().over(_in_session), pl.col("recorded_14").sum().over(_in_session)),
        unit="share",
        meaning="Half-days attended in the whole session in the last 14 days",
        null_means="nothing recorded in the session",
        group="session",
        monotone=-1,
    ),
]

ATTENDANCE: Final = Family(
    name="attendance",
    table="attendance",
    columns=("date", "half_day", "status"),
    prepare=(
        AGO.alias("ago"),
        pl.when(pl.col("half_day") == "day").then(2).otherwise(1).cast(pl.Int32).alias("half_days"),
        (pl.col("date").cast(pl.Int32) * 2 + (pl.col("half_day") != "am").cast(pl.Int32)).alias("slot"),
    ),
    keep=pl.col("date") <= pl.col("as_of"),
    marks=(_last_attended, _last_missed),
    helpers=_helpers,
    facts=_facts,
    derived=_derived,
    cohort=_cohort,
)
