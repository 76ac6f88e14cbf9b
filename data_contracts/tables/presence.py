"""What learners do on the course, day by day."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from data_contracts.tables.base import Delivered, identifier
from data_contracts.vocabulary import ATTENDANCE_STATUS, HALF_DAY


class Attendance(Delivered):
    """Half-days. Sheets come late and justifications later, as new layers. `not_recorded` (no sheet) is never an absence."""

    enrolment_id = identifier("The enrolment.", key=True)
    date = dy.Date(primary_key=True, description="Day.")
    half_day = dy.Enum(HALF_DAY, primary_key=True, description="am, pm, or day where sheets cover the whole day.")
    status = dy.Enum(ATTENDANCE_STATUS, description="What the sheet says. Only the fact that an absence is justified is kept, never why.")
    planned_minutes = dy.Int32(nullable=True, min=0, max=1440, description="Planned, minutes.")
    attended_minutes = dy.Int32(nullable=True, min=0, max=1440, description="Attended, minutes.")


class Activity(Delivered):
    """Traces of distance learning, by day and kind. A day without a row is a day without activity."""

    enrolment_id = identifier("The enrolment.", key=True)
    date = dy.Date(primary_key=True, description="Day.")
    kind = dy.String(
        primary_key=True,
        min_length=1,
        max_length=64,
        description="lms, content, forum, quiz or another word; what is finer behind a slash, as in content/video.",
    )
    count = dy.Int32(min=0, description="How many traces.")
    minutes = dy.Int32(nullable=True, min=0, max=1440, description="Time spent, minutes.")


class Assessments(Delivered):
    """Work due, handed in and marked: three moments, three layers. A null score is not marked yet, never zero."""

    enrolment_id = identifier("The enrolment.", key=True)
    assessment_id = identifier("The piece of work.", key=True)
    kind = dy.String(nullable=True, max_length=64, description="Kind of work.")
    due_date = dy.Date(description="Deadline.")
    submitted_on = dy.Date(nullable=True, description="Day it was handed in; null = not yet.")
    score = dy.Float64(nullable=True, min=0, max=1, description="Mark between 0 and 1.")
    weight = dy.Float64(nullable=True, min=0, description="Weight in the final result.")

    @dy.rule()
    def work_is_marked_only_once_handed_in(cls) -> pl.Expr:  # noqa: D102 - the name is the message
        return pl.col("score").is_null() | pl.col("submitted_on").is_not_null()
