"""Work due, handed in, late, missed and marked. A mark counts from the day it was known, not from the day of the work."""

from __future__ import annotations

from typing import Final

import polars as pl

from features.declaration import ALWAYS, MANY, MIDDLE, NEVER, NOTHING_SINCE, WEEK, Family, Feature, ratio, there_for

_FIXED_POINT: Final = 10_000
_NEXT_DAYS: Final = 28

_days_to_due = (pl.col("due_date") - pl.col("as_of")).dt.total_days().cast(pl.Int32)
_due = pl.col("to_due") <= 0
_handed_in = pl.col("submitted_on").is_not_null() & (pl.col("submitted_on") <= pl.col("as_of"))
_missed = _due & ~_handed_in
_marked = pl.col("score").is_not_null() & _handed_in
_late_days = (pl.col("submitted_on") - pl.col("due_date")).dt.total_days().cast(pl.Int32)
_newest_due = pl.col("to_due") == pl.when(_due).then(pl.col("to_due")).max()
_newest_kept = pl.when(_handed_in).then(pl.col("due_date")).max()
_after_kept = pl.col("newest_kept").is_null() | (pl.col("due_date") > pl.col("newest_kept"))
_newest_mark = pl.col("submitted_on") == pl.when(_marked).then(pl.col("submitted_on")).max()
_SEVERAL: Final = pl.col("work_handed_in") > 1
_SEVERAL_MARKS: Final = (pl.col("score_mean") - pl.col("score_lowest")).gt(0.005)
"""A mean of one is not told as a mean: the piece itself is told."""
_GRACE_DAYS: Final = 1
_OVER: Final = pl.col("days_since_deadline") > _GRACE_DAYS
"""On its day and the day after, work often still comes: nothing is told as missed yet. Two days later, hardly anything else tells of it."""
_STILL_MISSING: Final = pl.col("work_missed_in_a_row") > 0
"""Work missed before a piece that was handed in, of today or ahead of its day, is past, however much of it there was."""
_KEPT_UP: Final = pl.col("work_missed_in_a_row") == 0
"""While work is missing, how early the rest came is no comfort."""
_LOW: Final = 0.5
_GOOD: Final = 0.7
_DOING_WELL: Final = (pl.col("score_last") >= _GOOD).fill_null(value=False)
"""Late and well done: no reason to call."""
_LATE_DAYS: Final = 2
_LATE: Final = (pl.col("lateness_days_last") >= _LATE_DAYS) & ~_DOING_WELL
"""The last piece came late, by more than an evening. One day is no reason to call, nor is what came before a piece in good time."""
_ALL_FR: Final = "tous les travaux attendus ont été rendus"
_ALL_EN: Final = "all work due was handed in"
_ALL_KEPT: Final = (pl.col("work_missed") == 0) & (pl.col("work_handed_in") > 1)
"""One piece of work is not all of them."""


def _count(condition: pl.Expr) -> pl.Expr:
    return condition.cast(pl.Int32).sum()


def _score(condition: pl.Expr) -> pl.Expr:
    points = (pl.col("score") * _FIXED_POINT).round().cast(pl.Int64)
    return ratio(pl.when(condition & _marked).then(points).sum() / _FIXED_POINT, _count(condition & _marked))


_facts = [
    Feature(
        "work_missed",
        _count(_missed),
        unit="works",
        meaning="Pieces of work past their deadline and not handed in",
        null_means="no work is planned",
        group="assessments",
        fr="{value} et non rendu{s}",
        en="{value} due and not handed in",
        fr_better=_ALL_FR,
        en_better=_ALL_EN,
        monotone=1,
        fair=_OVER & _STILL_MISSING,
        fair_better=_ALL_KEPT,
    ),
    Feature(
        "work_missed_earlier",
        _count(_missed & (pl.col("to_due") < -_GRACE_DAYS) & _after_kept),
        unit="works",
        meaning="Pieces of work two days past their deadline or more, missed since the last one handed in",
        null_means="no work is planned",
        group="assessments",
        fr="{value} et non rendu{s}",
        en="{value} due and not handed in",
        worse=1,
        # A deadline of today, of which nothing is said yet, does not hide those before it.
        fair=~_OVER,
        fair_better=NEVER,
        speaks_from=1,
        learnt=False,
    ),
    Feature(
        "work_missed_share",
        ratio(_count(_missed), _count(_due)),
        unit="share",
        meaning="Work not handed in, among work past its deadline",
        null_means="no deadline has passed",
        group="assessments",
        fr="{value} des travaux attendus n'ont pas été rendus",
        en="{value} of the work due not handed in",
        fr_better=_ALL_FR,
        en_better=_ALL_EN,
        monotone=1,
        fair=_OVER & (pl.col("work_missed") > 1) & _STILL_MISSING,
        fair_better=_ALL_KEPT,
    ),
    Feature(
        "last_work_missed",
        _count(_newest_due & _missed).clip(0, 1).cast(pl.Float64).pipe(lambda flag: pl.when(_count(_due) > 0).then(flag)),
        unit="flag",
        meaning="1 when the latest work due was not handed in",
        null_means="no deadline has passed",
        group="assessments",
        fr="le dernier travail attendu n'a pas été rendu",
        en="latest work due not handed in",
        fr_better="le dernier travail attendu a été rendu",
        en_better="latest work due handed in",
        monotone=1,
        # With a later piece handed in ahead, the last missed is past.
        fair=_OVER & (pl.col("work_missed_in_a_row") == 1),
        fair_better=_OVER,
        # What was handed in before it, however long ago, may have been in good time.
        speaks_from=1,
    ),
    Feature(
        "work_handed_in",
        _count(_handed_in),
        unit="count",
        meaning="Pieces of work handed in so far",
        null_means="no work is planned",
        group="assessments",
    ),
    Feature(
        "days_since_handed_in",
        (pl.col("as_of") - pl.when(_handed_in).then(pl.col("submitted_on"))).dt.total_days().min(),
        unit="days",
        meaning="Days since work was last handed in",
        null_means="nothing handed in yet",
        group="assessments",
        fr="dernier travail rendu il y a {value}",
        en="last work handed in {value} ago",
        worse=1,
        # Who handed in all that was due has no more to hand in; who did not is told of what is missing.
        fair=NEVER,
        fair_better=pl.col("days_since_handed_in") <= pl.col("days_since_deadline"),
    ),
    Feature(
        "days_since_deadline",
        -pl.when(_due).then(pl.col("to_due")).max(),
        unit="days",
        meaning="Days since the latest deadline",
        null_means="no deadline has passed",
        group="course",
    ),
    Feature(
        "days_to_deadline",
        pl.when(~_due).then(pl.col("to_due")).min(),
        unit="days",
        meaning="Days to the next deadline",
        null_means="no deadline ahead",
        group="course",
    ),
    *(
        Feature(
            f"deadlines_next_{days}",
            _count(~_due & (pl.col("to_due") <= days)),
            unit="count",
            meaning=f"Deadlines in the next {days} days",
            null_means="no work is planned",
            group="course",
        )
        for days in (14, 28)
    ),
    Feature(
        "weight_next_28",
        (pl.when(~_due & (pl.col("to_due") <= _NEXT_DAYS)).then(pl.col("weight")) * _FIXED_POINT).round().cast(pl.Int64).sum()
        / _FIXED_POINT,
        unit="share",
        meaning="Weight in the final result of the work due in the next 28 days",
        null_means="no work is planned",
        group="course",
    ),
    Feature(
        "handed_in_ahead",
        _count(_handed_in & ~_due),
        unit="count",
        meaning="Pieces of work handed in before their deadline, the deadline still ahead",
        null_means="no work is planned",
        group="assessments",
    ),
    Feature(
        "late_work",
        _count(_handed_in & (_late_days > 0)),
        unit="works",
        meaning="Pieces of work handed in after their deadline",
        null_means="no work is planned",
        group="assessments",
        fr="{value} et rendu{s} en retard",
        en="{value} handed in late",
        fr_better="aucun travail rendu en retard",
        en_better="no work handed in late",
        worse=1,
        fair=_LATE,
        fair_better=_SEVERAL & _KEPT_UP & (pl.col("late_work") == 0),
    ),
    Feature(
        "lateness_days_mean",
        ratio(pl.when(_handed_in).then(_late_days).sum(), _count(_handed_in)),
        unit="days",
        meaning="Mean days between deadline and hand-in, negative when early",
        null_means="nothing handed in yet",
        group="assessments",
        fr="travaux rendus en moyenne {value} après l'échéance",
        en="work handed in {value} after the deadline on average",
        fr_better="travaux rendus en moyenne {value} avant l'échéance",
        en_better="work handed in {value} before the deadline on average",
        worse=1,
        fair=_SEVERAL & pl.col("lateness_days_mean").abs().ge(1) & ~_DOING_WELL,
        fair_better=_SEVERAL & pl.col("lateness_days_mean").abs().ge(1) & _KEPT_UP,
        against=0.0,
    ),
    Feature(
        "score_mean",
        _score(pl.lit(value=True)),
        unit="share",
        meaning="Mean of the marks known",
        null_means="nothing marked yet",
        group="assessments",
        fr="moyenne des résultats : {value}",
        en="mean mark: {value}",
        monotone=-1,
        # Whoever stands above half of the session is not told low marks.
        fair=_SEVERAL_MARKS & (pl.col("score_rank") < MIDDLE),
        fair_better=_SEVERAL_MARKS,
    ),
    Feature(
        "score_last",
        _score(_newest_mark),
        unit="share",
        meaning="Latest mark known",
        null_means="nothing marked yet",
        group="assessments",
        fr="résultat du dernier travail noté : {value}",
        en="latest mark: {value}",
        monotone=-1,
        fair=pl.col("score_last_against_session") < 0,
        fair_better=ALWAYS,
    ),
]

_weight = (pl.col("weight").fill_null(0) * _FIXED_POINT).round().cast(pl.Int64)
_marks = [_newest_kept.alias("newest_kept")]
_facts += [
    Feature(
        "work_missed_in_a_row",
        _count(_missed & _after_kept),
        unit="count",
        meaning="Pieces of work missed since the last one handed in",
        null_means="no work is planned",
        group="assessments",
        fr="{value} travaux d'affilée non rendus",
        en="{value} pieces of work in a row not handed in",
        fr_better="aucun travail manqué depuis le dernier rendu",
        en_better="no work missed since the last one handed in",
        monotone=1,
        # One is no row: `last_work_missed` tells it.
        against=1.0,
        fair=_OVER,
        fair_better=pl.col("work_handed_in") > 0,
        speaks_from=2,
    ),
    Feature(
        "weight_missed_share",
        ratio(pl.when(_missed).then(_weight).sum(), pl.when(_due).then(_weight).sum()),
        unit="share",
        meaning="Weight of the work not handed in, in that of the work past its deadline",
        null_means="no weighted deadline has passed",
        group="assessments",
        fr="travaux non rendus : {value} de ce qui compte jusqu'ici",
        en="work not handed in: {value} of what counts so far",
        fr_better=_ALL_FR,
        en_better=_ALL_EN,
        monotone=1,
        fair=_OVER & (pl.col("work_missed") > 1) & _STILL_MISSING,
        fair_better=_ALL_KEPT,
    ),
    Feature(
        "lateness_days_last",
        pl.when(_handed_in & (pl.col("due_date") == pl.col("newest_kept"))).then(_late_days).max(),
        unit="days",
        meaning="Days between deadline and hand-in of the latest work handed in, negative when early",
        null_means="nothing handed in yet",
        group="assessments",
        fr="dernier travail rendu {value} après l'échéance",
        en="latest work handed in {value} after the deadline",
        fr_better="dernier travail rendu {value} avant l'échéance",
        en_better="latest work handed in {value} before the deadline",
        worse=1,
        fair=_LATE,
        fair_better=_KEPT_UP,
        against=0.0,
        moves=False,
    ),
]

_piece = ["session_id", "as_of", "assessment_id"]
_points = pl.when(_marked).then((pl.col("score") * _FIXED_POINT).round().cast(pl.Int64))
_lateness = pl.when(_handed_in).then(_late_days.cast(pl.Int64) * _FIXED_POINT)


def _against_peers(value: pl.Expr) -> pl.Expr:
    """What a piece of work gave this learner minus what it gave on average those of the session who did it: whole numbers."""
    return (value - value.sum().over(_piece) / value.count().over(_piece)).round().cast(pl.Int64)


def _mean(name: str) -> pl.Expr:
    return ratio(pl.col(name).sum() / _FIXED_POINT, pl.col(name).count())


_peers = [_against_peers(_points).alias("points_against"), _against_peers(_lateness).alias("lateness_against")]
_next_due = pl.col("to_due") == pl.when(~_due).then(pl.col("to_due")).min()
_helpers = [
    pl.when(_next_due).then(_handed_in.cast(pl.Int32)).max().alias("next_handed_in"),
]
_facts += [
    Feature(
        "marks_against_session",
        _mean("points_against"),
        unit="points",
        meaning="Marks known minus the session's on the same pieces of work, on average",
        null_means="nothing marked yet",
        group="assessments",
        fr="résultats {value} (sur 100) sous ceux de la session aux mêmes travaux",
        en="marks {value} (of 100) below the session's on the same work",
        fr_better="résultats {value} (sur 100) au-dessus de ceux de la session aux mêmes travaux",
        en_better="marks {value} (of 100) above the session's on the same work",
        worse=-1,
        fair=_SEVERAL_MARKS,
        against=0.0,
    ),
    Feature(
        "lateness_against_session",
        _mean("lateness_against"),
        unit="days",
        meaning="Days between deadline and hand-in minus the session's on the same pieces of work, on average",
        null_means="nothing handed in yet",
        group="assessments",
        fr="travaux rendus {value} plus tard que la moyenne de la session",
        en="work handed in {value} later than the session's mean",
        fr_better="travaux rendus {value} plus tôt que la moyenne de la session",
        en_better="work handed in {value} earlier than the session's mean",
        worse=1,
        # On time, only later than others, is no fault; nor is what the last piece made good.
        fair=_SEVERAL & (pl.col("lateness_days_mean") > 0) & _LATE,
        fair_better=_SEVERAL & _KEPT_UP,
        against=0.0,
    ),
    Feature(
        "lateness_last_against_session",
        pl.when(pl.col("due_date") == pl.col("newest_kept")).then(pl.col("lateness_against")).max() / _FIXED_POINT,
        unit="days",
        meaning="Days between deadline and hand-in of the latest work handed in, minus the session's on the same work",
        null_means="nothing handed in yet",
        group="assessments",
        fr="dernier travail rendu après l'échéance, {value} plus tard que la moyenne de la session",
        en="latest work handed in late, {value} after the session's mean",
        fr_better="dernier travail rendu {value} plus tôt que la moyenne de la session",
        en_better="latest work handed in {value} before the session's mean",
        worse=1,
        fair=_LATE,
        fair_better=_KEPT_UP,
        against=0.0,
        moves=False,
    ),
    Feature(
        "marks_awaited",
        _count(_handed_in & pl.col("score").is_null()),
        unit="count",
        meaning="Pieces of work handed in whose mark is not known yet",
        null_means="no work is planned",
        group="assessments",
    ),
    Feature(
        "weight_of_next",
        pl.when(_next_due).then(pl.col("weight")).max(),
        unit="share",
        meaning="Weight in the final result of the next work due",
        null_means="no deadline ahead, or no weight known",
        group="course",
    ),
    Feature(
        "score_lowest",
        pl.when(_marked).then(pl.col("score")).min(),
        unit="share",
        meaning="Lowest mark known",
        null_means="nothing marked yet",
        group="assessments",
        fr="résultat le plus bas : {value}",
        en="lowest mark: {value}",
        worse=-1,
        # A low mark bettered since is no reason.
        fair=_SEVERAL_MARKS & (pl.col("score_lowest") < _LOW) & (pl.col("score_last") <= pl.col("score_lowest")),
        fair_better=_SEVERAL_MARKS & (pl.col("score_lowest") >= _GOOD),
    ),
    Feature(
        "points_so_far",
        ratio(pl.when(_marked).then(_points * _weight).sum() / _FIXED_POINT, pl.when(_due).then(_weight).sum()),
        unit="share",
        meaning="Marks times weight, in the weight of the work past its deadline",
        null_means="no weighted deadline has passed",
        group="assessments",
    ),
]
_derived = [
    Feature(
        "silent_but_for_work",
        pl.when(~NOTHING_SINCE & (pl.col("days_since_activity") >= WEEK)).then("days_since_activity").otherwise(0),
        unit="days",
        meaning="Days since the last trace online, from a week on, of who has handed work in since; else 0",
        null_means="never null",
        group="activity",
        fr="aucune activité en ligne depuis {value}, en dehors du travail rendu",
        en="no online activity for {value}, but for the work handed in",
        worse=1,
        # The one fact on what they do online: of whoever is hardly ever there as well.
        fair=there_for(WEEK),
        fair_better=NEVER,
        speaks_from=WEEK,
        moves=False,
        learnt=False,
    ),
    Feature(
        "score_change",
        pl.col("score_last") - pl.col("score_mean"),
        unit="points",
        meaning="Latest mark minus the mean of the marks known",
        null_means="nothing marked yet",
        group="trend",
        fr="dernier résultat inférieur de {value} (sur 100) à la moyenne des résultats de la personne",
        en="latest mark {value} (of 100) below the person's mean",
        fr_better="dernier résultat supérieur de {value} (sur 100) à la moyenne des résultats de la personne",
        en_better="latest mark {value} (of 100) above the person's mean",
        worse=-1,
        # Below their own mean, and no lower than the others: no reason to call.
        fair=_SEVERAL_MARKS & (pl.col("score_last_against_session") < 0) & (pl.col("score_rank") < MIDDLE),
        fair_better=ALWAYS,
        against=0.0,
        moves=False,
        repeats=frozenset({"score_last", "score_last_against_session"}),
    ),
    Feature(
        "silent_before_deadline_days",
        pl.col("days_since_activity") - pl.col("days_since_deadline"),
        unit="score",
        meaning="Days between the last trace of distance learning and the latest deadline, negative when active after it",
        null_means="no trace or no deadline so far",
        group="activity",
        fr="aucune activité en ligne le jour de la dernière échéance ni depuis",
        en="no online activity on the day of the latest deadline nor since",
        fr_better="activité en ligne depuis la dernière échéance",
        en_better="online activity since the latest deadline",
        worse=1,
        fair=NOTHING_SINCE,
        fair_better=ALWAYS,
        against=0.0,
    ),
]

_in_session = ["session_id", "as_of"]
_cohort = [
    Feature(
        "score_last_against_session",
        pl.col("score_last")
        - ratio(
            (pl.col("score_last") * _FIXED_POINT).round().cast(pl.Int64).sum().over(_in_session) / _FIXED_POINT,
            pl.col("score_last").count().over(_in_session),
        ),
        unit="points",
        meaning="Latest mark minus the session's mean latest mark",
        null_means="nothing marked yet",
        group="assessments",
        fr="dernier résultat {value} (sur 100) sous la moyenne de la session",
        en="latest mark {value} (of 100) below the session's mean",
        fr_better="dernier résultat {value} (sur 100) au-dessus de la moyenne de la session",
        en_better="latest mark {value} (of 100) above the session's mean",
        worse=-1,
        against=0.0,
        moves=False,
    ),
    Feature(
        "work_missed_against_session",
        pl.col("work_missed_share")
        - ratio(
            (pl.col("work_missed_share") * _FIXED_POINT).round().cast(pl.Int64).sum().over(_in_session) / _FIXED_POINT,
            pl.col("work_missed_share").count().over(_in_session),
        ),
        unit="points",
        meaning="Share of work not handed in minus the session's mean",
        null_means="no deadline has passed",
        group="assessments",
        fr="part de travaux non rendus supérieure de {value} à la moyenne de la session",
        en="share of work not handed in {value} above the session's mean",
        fr_better=f"{_ALL_FR}, ce qui n'est pas le cas de toute la session",
        en_better=f"{_ALL_EN}, which is not so of the whole session",
        monotone=1,
        fair=_OVER & (pl.col("work_missed") > 1) & _STILL_MISSING,
        fair_better=_ALL_KEPT,
        against=0.0,
    ),
    Feature(
        "next_work_against_session",
        pl.col("next_handed_in")
        - ratio(pl.col("next_handed_in").sum().over(_in_session), pl.col("next_handed_in").count().over(_in_session)),
        unit="points",
        meaning="1 when the next work due is handed in already, minus the share of the session that did so",
        null_means="no deadline ahead",
        group="assessments",
        fr="prochain travail pas encore rendu, alors que la plupart de la session l'a déjà rendu",
        en="next work not handed in yet, while most of the session has done so",
        fr_better="prochain travail déjà rendu, alors qu'une partie de la session ne l'a pas encore rendu",
        en_better="next work already handed in, while part of the session has not done so",
        worse=-1,
        fair=pl.col("next_work_against_session").le(-0.5) & pl.col("days_to_deadline").le(7),
        fair_better=ALWAYS,
        against=0.0,
    ),
    Feature(
        "score_rank",
        (pl.col("score_mean").rank("average").over(_in_session) - 0.5) / pl.col("score_mean").count().over(_in_session),
        unit="share",
        meaning="Place in the session by mean mark, 0 the lowest",
        null_means="nothing marked yet",
        group="assessments",
        fr="résultats au-dessus de ceux de {value} [seulement ]des personnes de la session",
        en="marks above those of [only ]{value} of the people in the session",
        worse=-1,
        fair=MANY & _SEVERAL_MARKS,
        against=0.5,
    ),
]

ASSESSMENTS: Final = Family(
    name="assessments",
    table="assessments",
    columns=("assessment_id", "due_date", "submitted_on", "score", "weight"),
    prepare=(_days_to_due.alias("to_due"),),
    peers=_peers,
    marks=_marks,
    helpers=_helpers,
    facts=_facts,
    derived=_derived,
    cohort=_cohort,
)
