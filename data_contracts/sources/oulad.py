"""Open University Learning Analytics Dataset to canonical tables.

Kuzilek J., Hlosta M., Zdrahal Z. (2017), Open University Learning Analytics dataset, Scientific Data 4:170171,
doi 10.1038/sdata.2017.171, CC-BY 4.0. Distance learning: traces and assessments, no attendance sheet, no contact.

What is assumed, because the data do not say it:
- calendar starts of presentations (`STARTS`): only days relative to them are published;
- a fact is known the same evening; a tutor's mark `MARKING_DAYS` after the work, a computer's mark at once;
- the calendar of work is known `CALENDAR_DAYS` before the start; an exam without a date is due at the end;
- a missing registration date is the day before the start, or the day of an earlier unregistration;
- an unregistration dated before its registration took place on the day of the registration;
- a Withdrawn without a date left for a reason and on a day nobody knows: reason `other` at the end, neither dropout nor completed.

What is simulated, because the data have none: advisors and who looks after whom. Left out: number of previous attempts and studied
credits (no canonical column), final_result (the outcome itself).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.catalogue import TABLES
from vigie.errors import NoDataError
from vigie.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STARTS: Final = {
    "2013B": dt.date(2013, 2, 2),
    "2013J": dt.date(2013, 10, 5),
    "2014B": dt.date(2014, 2, 1),
    "2014J": dt.date(2014, 10, 4),
}
"""Assumed: B presentations start in February, J in October of the year; the day is ours."""
MARKING_DAYS: Final = 14
CALENDAR_DAYS: Final = 14
LEARNERS_PER_ADVISOR: Final = 25
KINDS: Final = {
    **dict.fromkeys(("oucontent", "resource", "subpage", "url", "page"), "content"),
    **dict.fromkeys(("forumng", "oucollaborate", "ouelluminate"), "forum"),
    **dict.fromkeys(("quiz", "externalquiz", "questionnaire"), "quiz"),
    "homepage": "lms",
}
"""Kind of the contract for each type of the Open University's platform, which stays behind a slash: `content/oucontent`."""
COMPUTER_MARKED: Final = "CMA"
EDUCATION_LEVELS: Final = {
    "No Formal quals": 1,
    "Lower Than A Level": 3,
    "A Level or Equivalent": 4,
    "HE Qualification": 5,
    "Post Graduate Qualification": 7,
}
"""British qualifications on the European framework: an approximation of ours."""
DEPRIVED: Final = ("0-10%", "10-20", "10-20%")
"""Two most deprived tenths of English areas, the nearest there is to a priority urban district."""

_KEY: Final = ["code_module", "code_presentation", "id_student"]
_SESSION: Final = _KEY[:2]
_SOURCES: Final = {
    "courses": (*_SESSION, "module_presentation_length"),
    "assessments": (*_SESSION, "id_assessment", "assessment_type", "date", "weight"),
    "vle": ("id_site", "activity_type"),
    "studentInfo": (*_KEY, "gender", "highest_education", "imd_band", "age_band", "disability", "final_result"),
    "studentRegistration": (*_KEY, "date_registration", "date_unregistration"),
    "studentAssessment": ("id_assessment", "id_student", "date_submitted", "is_banked", "score"),
    "studentVle": (*_KEY, "id_site", "date", "sum_click"),
}
_ALWAYS: Final = dt.datetime(2012, 1, 1, tzinfo=dt.UTC)
"""Known before anything starts: providers, sessions, simulated advisors."""
_EVENING_HOUR: Final = 18


def read_oulad(
    source: Path, presentations: Sequence[str] | None = None, modules: Sequence[str] | None = None, *, advisors: bool = True
) -> dict[str, pl.DataFrame]:
    """Canonical tables from OULAD's own.

    Args:
        source: folder with OULAD's seven tables, parquet or csv.
        presentations: only these, such as 2013B; all by default.
        modules: only these, such as AAA; all by default.
        advisors: also make up advisors and who looks after whom; without them every case goes to the territory's queue.

    Returns:
        By table name, rows of the contract; every row says when it is assumed to have become known.

    Raises:
        NoDataError: a table or column is missing, or no presentation of these modules matches.
    """
    raw = _raw(source, presentations, modules)
    people = _people(raw)
    tables = {
        "learners": _learners(people),
        "learner_audit": _learner_audit(people),
        "learner_identities": _identities(people),
        "providers": _providers(),
        "sessions": _sessions(raw["courses"]),
        "enrolments": _enrolments(people),
        "exits": _exits(people),
        "activity": _activity(raw, people),
        "assessments": _assessments(raw, people),
    }
    if advisors:
        tables |= {"advisors": _simulated_advisors(people), "assignments": _simulated_assignments(people)}
    return {name: _in_contract(name, table.collect()) for name, table in tables.items()}


def write_oulad(tables: dict[str, pl.DataFrame], landing: Path) -> list[Path]:
    """One parquet file per table and presentation under `landing`; the same tables give the same bytes.

    Tables that belong to no presentation go into a file named after the modules and presentations they were made from, so that two
    selections imported one after the other never overwrite each other.
    """
    parts = tables["sessions"]["session_id"].str.split("-").list
    everything = "_".join("-".join(part.unique().sort()) for part in (parts.first(), parts.last()))
    files = []
    for name, table in tables.items():
        for part, rows in _by_presentation(table, everything).items():
            files.append(write_whole(landing / name / f"oulad-{part}.parquet", rows.write_parquet))
    return files


def account(
    source: Path, tables: dict[str, pl.DataFrame], presentations: Sequence[str] | None, modules: Sequence[str] | None
) -> pl.DataFrame:
    """What went in and what came out: source, counted, rows_in, rows_out; the last two are equal or something was lost."""
    raw = {name: table.collect() for name, table in _raw(source, presentations, modules).items()}
    enrolments, exits, work = tables["enrolments"], tables["exits"], tables["assessments"]
    unregistered = int(raw["studentRegistration"]["date_unregistration"].count())
    left = exits.filter(pl.col("reason").is_in(("dropout", "no_show"))).height
    submitted = work.filter(pl.col("submitted_on").is_not_null()).unique(["enrolment_id", "assessment_id"]).height
    marked = work.filter(pl.col("score").is_not_null()).unique(["enrolment_id", "assessment_id"]).height
    rows = [
        ("courses", "presentations", raw["courses"].height, tables["sessions"].height),
        ("studentInfo", "enrolments", raw["studentInfo"].height, enrolments["enrolment_id"].n_unique()),
        ("studentInfo", "learners", raw["studentInfo"]["id_student"].n_unique(), tables["learners"]["learner_id"].n_unique()),
        ("studentRegistration", "dates of unregistration", unregistered, left),
        ("studentVle", "clicks", int(raw["studentVle"]["sum_click"].sum()), int(tables["activity"]["count"].sum())),
        ("studentAssessment", "pieces of work handed in", raw["studentAssessment"].height, submitted),
        ("studentAssessment", "marks", int(raw["studentAssessment"]["score"].count()), marked),
    ]
    return pl.DataFrame(rows, schema={"source": pl.String, "counted": pl.String, "rows_in": pl.Int64, "rows_out": pl.Int64}, orient="row")


def _raw(source: Path, presentations: Sequence[str] | None, modules: Sequence[str] | None) -> dict[str, pl.LazyFrame]:
    raw = {name: _table(source, name, columns) for name, columns in _SOURCES.items()}
    courses = raw["courses"].collect()
    for wanted, column in ((presentations, "code_presentation"), (modules, "code_module")):
        unknown = sorted(set(wanted or ()) - set(courses[column]))
        if unknown:
            raise NoDataError(f"{source} has no {column} {', '.join(unknown)}.", f"It has {', '.join(courses[column].unique().sort())}.")
    chosen = courses.filter(
        pl.col("code_presentation").is_in(list(presentations or STARTS)),
        pl.col("code_module").is_in(list(modules or courses["code_module"])),
    ).lazy()
    if chosen.collect().is_empty():
        what = f"{source} has no presentation {', '.join(presentations or STARTS)} of {', '.join(modules or ())}."
        pairs = courses.select(pl.concat_str(_SESSION, separator=" ")).to_series().sort()
        raise NoDataError(what, f"It has {', '.join(pairs)}.")
    keep = chosen.select(_SESSION)
    kept = {name: table.join(keep, on=_SESSION, how="semi") for name, table in raw.items() if name not in {"vle", "studentAssessment"}}
    work = raw["studentAssessment"].join(kept["assessments"].select("id_assessment"), on="id_assessment", how="semi")
    return raw | kept | {"studentAssessment": work}


def _table(source: Path, name: str, columns: Sequence[str]) -> pl.LazyFrame:
    parquet, csv = source / f"{name}.parquet", source / f"{name}.csv"
    if parquet.exists():
        table = pl.scan_parquet(parquet)
    elif csv.exists():
        table = pl.scan_csv(csv, null_values=["?", ""], infer_schema_length=None)
    else:
        raise NoDataError(f"{source} has no {name}.parquet or {name}.csv.", "Point --source to the folder that holds OULAD's seven tables.")
    missing = [column for column in columns if column not in table.collect_schema().names()]
    if missing:
        raise NoDataError(f"{name} lacks the column {', '.join(missing)}.", "Take the tables as they are published.")
    return table.select(columns)


def _day(number: str) -> pl.Expr:
    return pl.col("start") + pl.duration(days=pl.col(number).cast(pl.Int64))


def _evening(day: pl.Expr) -> pl.Expr:
    return (day.cast(pl.Datetime("us")) + pl.duration(hours=_EVENING_HOUR)).dt.replace_time_zone("UTC")


def _people(raw: dict[str, pl.LazyFrame]) -> pl.LazyFrame:
    start = pl.col("code_presentation").replace_strict(STARTS, default=None, return_dtype=pl.Date)
    people = raw["studentInfo"].join(raw["studentRegistration"], on=_KEY).join(raw["courses"], on=_SESSION).with_columns(start=start)
    return (
        people.with_columns(
            enrolment_id=pl.concat_str(_KEY, separator="-"),
            learner_id=pl.format("oulad-{}", "id_student"),
            session_id=pl.concat_str(_SESSION, separator="-"),
            end=_day("module_presentation_length"),
            enrolled_on=_day("date_registration").fill_null(
                pl.min_horizontal(pl.col("start") - pl.duration(days=1), _day("date_unregistration"))
            ),
            left_on=pl.when(pl.col("date_unregistration").is_not_null()).then(
                # Some are dated before the registration they end: nobody leaves before having enrolled.
                pl.max_horizontal(_day("date_unregistration"), _day("date_registration"))
            ),
            advisor=(pl.col("id_student").rank("ordinal").over(_SESSION) - 1) // LEARNERS_PER_ADVISOR + 1,
        )
        .with_columns(
            entry=pl.max_horizontal("start", "enrolled_on"),
        )
        .with_columns(
            # Who left by the day they would have entered never did.
            entry=pl.when(pl.col("left_on").is_null() | (pl.col("left_on") > pl.col("entry"))).then("entry"),
        )
    )


def _learners(people: pl.LazyFrame) -> pl.LazyFrame:
    level = pl.col("highest_education").replace_strict(EDUCATION_LEVELS, default=None, return_dtype=pl.Int8)
    return _once(people, education_level=level, prescriber=pl.lit("self"), own_initiative=pl.lit(value=True))


def _learner_audit(people: pl.LazyFrame) -> pl.LazyFrame:
    return _once(
        people,
        sex=pl.col("gender").replace_strict({"F": "female", "M": "male"}, default=None),
        age_band=pl.col("age_band"),
        disability=pl.col("disability") == "Y",
        priority_area=pl.col("imd_band").is_in(DEPRIVED),
    )


def _identities(people: pl.LazyFrame) -> pl.LazyFrame:
    return _once(people, given_name=pl.lit("Apprenant"), family_name=pl.format("n° {}", "id_student"))


def _once(people: pl.LazyFrame, **columns: pl.Expr) -> pl.LazyFrame:
    rows = people.select("learner_id", **columns, known_on=_evening(pl.col("enrolled_on")), enrolment="enrolment_id")
    return (
        rows.sort("learner_id", "known_on", "enrolment")
        .unique(["learner_id", "known_on"], keep="first", maintain_order=True)
        .drop("enrolment")
    )


def _providers() -> pl.LazyFrame:
    return pl.LazyFrame({"provider_id": ["open-university"], "name": ["Open University"], "territory_id": ["oulad"], "known_on": [_ALWAYS]})


def _sessions(courses: pl.LazyFrame) -> pl.LazyFrame:
    start = pl.col("code_presentation").replace_strict(STARTS, default=None, return_dtype=pl.Date)
    return courses.with_columns(start=start).select(
        session_id=pl.concat_str(_SESSION, separator="-"),
        provider_id=pl.lit("open-university"),
        programme_id="code_module",
        title=pl.format("Module {}, {}", *_SESSION),
        territory_id=pl.lit("oulad"),
        start_date="start",
        end_date=_day("module_presentation_length"),
        planned_minutes=pl.lit(0),
        mode=pl.lit("remote"),
        entry=pl.lit("fixed"),
        objective=pl.lit("certification"),
        known_on=pl.lit(_ALWAYS),
    )


def _enrolments(people: pl.LazyFrame) -> pl.LazyFrame:
    common = ["enrolment_id", "learner_id", "session_id", "enrolled_on"]
    first = people.select(*common, entry_date=pl.lit(None, pl.Date), planned_exit_date="end", known_on=_evening(pl.col("enrolled_on")))
    later = _evening(pl.col("entry")) + pl.duration(minutes=1)
    entered = people.filter(pl.col("entry").is_not_null()).select(*common, entry_date="entry", planned_exit_date="end", known_on=later)
    return pl.concat([first, entered])


def _exits(people: pl.LazyFrame) -> pl.LazyFrame:
    dated, undated = pl.col("left_on").is_not_null(), (pl.col("final_result") == "Withdrawn") & pl.col("left_on").is_null()
    reason = (
        pl.when(dated & pl.col("entry").is_null())
        .then(pl.lit("no_show"))
        .when(dated)
        .then(pl.lit("dropout"))
        .when(undated)
        .then(pl.lit("other"))
        .otherwise(pl.lit("completed"))
    )
    day = pl.col("left_on").fill_null(pl.col("end"))
    return people.select("enrolment_id", exit_date=day, reason=reason, known_on=_evening(pl.max_horizontal(day, "enrolled_on")))


def _activity(raw: dict[str, pl.LazyFrame], people: pl.LazyFrame) -> pl.LazyFrame:
    # Exact duplicate rows are original clicks: they are summed, never dropped.
    kinds = raw["vle"].select("id_site", "activity_type").unique("id_site")
    clicks = (
        raw["studentVle"]
        .join(kinds, on="id_site", how="left")
        .with_columns(
            kind=pl.format(
                "{}/{}", pl.col("activity_type").replace_strict(KINDS, default="other"), pl.col("activity_type").fill_null("unknown")
            )
        )
        .group_by(*_KEY, "date", "kind")
        .agg(pl.col("sum_click").sum())
    )
    dated = clicks.join(people.select(*_KEY, "start", "enrolment_id"), on=_KEY)
    return dated.select("enrolment_id", date=_day("date"), kind="kind", count="sum_click", known_on=_evening(_day("date")))


def _assessments(raw: dict[str, pl.LazyFrame], people: pl.LazyFrame) -> pl.LazyFrame:
    learners = people.select(*_KEY, "enrolment_id", "enrolled_on", "start", "end")
    planned = learners.join(raw["assessments"], on=_SESSION).with_columns(due=_day("date").fill_null(pl.col("end")))
    handed_in = (
        raw["studentAssessment"]
        .join(planned, on=["id_assessment", "id_student"])
        .with_columns(
            # Work carried over from an earlier presentation has a date before the enrolment: it counts from the enrolment on.
            submitted=pl.max_horizontal(_day("date_submitted"), "enrolled_on"),
            mark=pl.col("score") / 100,
        )
    )
    at_once = (pl.col("assessment_type") == COMPUTER_MARKED) | (pl.col("is_banked") == 1)
    nothing, no_mark = pl.lit(None, pl.Date), pl.lit(None, pl.Float64)
    calendar = pl.max_horizontal("enrolled_on", pl.col("start") - pl.duration(days=CALENDAR_DAYS))
    minute = pl.duration(minutes=1)
    return pl.concat(
        [
            planned.select(*_work(nothing, no_mark), known_on=_evening(calendar)),
            handed_in.select(*_work(pl.col("submitted"), pl.when(at_once).then("mark")), known_on=_evening(pl.col("submitted")) + minute),
            handed_in.filter(~at_once).select(
                *_work(pl.col("submitted"), pl.col("mark")),
                known_on=_evening(pl.col("submitted") + pl.duration(days=MARKING_DAYS)) + minute,
            ),
        ]
    )


def _work(submitted: pl.Expr, score: pl.Expr) -> list[pl.Expr]:
    return [
        pl.col("enrolment_id"),
        pl.col("id_assessment").cast(pl.String).alias("assessment_id"),
        pl.col("assessment_type").alias("kind"),
        pl.col("due").alias("due_date"),
        submitted.alias("submitted_on"),
        score.alias("score"),
        (pl.col("weight") / 100).alias("weight"),
    ]


def _advisor_id() -> pl.Expr:
    return pl.format("simule-{}-{}", "session_id", pl.col("advisor").cast(pl.String).str.zfill(3))


def _simulated_advisors(people: pl.LazyFrame) -> pl.LazyFrame:
    number = pl.format("{} {}", "session_id", "advisor")
    return (
        people.select("session_id", "advisor")
        .unique()
        .select(
            advisor_id=_advisor_id(),
            name=pl.format("Conseiller simulé {}", number),
            email=pl.format("{}@example.org", _advisor_id().str.to_lowercase()),
            operator=pl.lit("simulated-advisors"),
            territory_id=pl.lit("oulad"),
            weekly_capacity=pl.lit(5),
            active_from=pl.lit(_ALWAYS.date()),
            known_on=pl.lit(_ALWAYS),
        )
    )


def _simulated_assignments(people: pl.LazyFrame) -> pl.LazyFrame:
    # A learner on two modules has two rows with one key: the module first in the alphabet keeps the case.
    rows = people.select(
        "learner_id", valid_from="enrolled_on", advisor_id=_advisor_id(), valid_to="end", known_on=_evening(pl.col("enrolled_on"))
    )
    return rows.sort("learner_id", "valid_from", "advisor_id").unique(["learner_id", "valid_from"], keep="first", maintain_order=True)


def _in_contract(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    schema = TABLES[name].schema
    rows = rows.with_columns(known_on_assumed=pl.lit(value=True), withdrawn=pl.lit(value=False))
    absent = [pl.lit(None).alias(column) for column in schema.column_names() if column not in rows.columns]
    return schema.validate(rows.with_columns(absent).select(schema.column_names()), cast=True).sort(schema.primary_key())


def _by_presentation(table: pl.DataFrame, everything: str) -> dict[str, pl.DataFrame]:
    column = next((column for column in ("enrolment_id", "session_id") if column in table.columns), None)
    if column is None:
        return {everything: table}
    session = pl.col(column).str.extract(r"^([^-]+-[^-]+)")
    parts = table.with_columns(session.alias("part")).partition_by("part", as_dict=True, include_key=False)
    return {str(key[0]): rows for key, rows in sorted(parts.items())}
