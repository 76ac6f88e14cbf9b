"""What was last said, heard and tried with a learner, and how the line of their course tells it."""

from __future__ import annotations

import datetime as dt
from typing import Final

import polars as pl

from data_contracts.vocabulary import TWO_WAY, UNANSWERED

TOLD_DAYS: Final = 182
"""How long the line of a course tells what was tried, or heard, since the last talk."""


def tried(contacts: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """By learner_id, spoken_on (day of the last two-way contact), and in vain since: unanswered, missed_appointments, messages.

    cancelled_on is the day of the last appointment that the service itself cancelled since it last spoke with the learner, wrong_on that of
    the last call since that found contact details wrong.

    Only since the learner last called, wrote or excused themselves: what was tried before was not in vain, or tells nothing of the call to
    be made. tried_on is the day of the last; heard_on that on which the learner last tried to be heard since the last talk, and excused
    whether it was to excuse themselves. What is older than `TOLD_DAYS` was tried for another course.

    Args:
        contacts: as known, with learner_id, occurred_at, direction, outcome and their day `on`.
        as_of: nothing later counts.
    """
    outcome, ours = pl.col("outcome"), pl.col("direction") == "outbound"
    told = contacts.filter(pl.col("on") <= as_of).select(
        *("learner_id", "occurred_at", "on"),
        spoken=outcome.is_in(TWO_WAY),
        excused=outcome == "excused",
        heard=outcome.is_in((*TWO_WAY, "excused")) | (~ours & ~outcome.is_in(("no_show", "cancelled_by_service"))),
        unanswered=ours & outcome.is_in(UNANSWERED),
        missed=outcome == "no_show",
        cancelled=outcome == "cancelled_by_service",
        wrong=outcome == "wrong_details",
        sent=ours & (outcome == "sent"),
    )
    at = pl.col("occurred_at")
    last = told.group_by("learner_id").agg(
        spoken_on=pl.col("on").filter("spoken").max(), spoken_at=at.filter("spoken").max(), heard_at=at.filter("heard").max()
    )
    told = told.join(last, on="learner_id")
    lately = pl.col("on") > as_of - dt.timedelta(days=TOLD_DAYS)
    since = told.filter(lately, (at > pl.col("heard_at")).fill_null(value=True), pl.any_horizontal("unanswered", "missed", "sent"))
    vain = since.group_by("learner_id").agg(
        pl.col("unanswered").sum(),
        missed_appointments=pl.col("missed").sum(),
        messages=pl.col("sent").sum(),
        tried_on=pl.col("on").max(),
    )
    # Of several things heard at one instant, that they excused themselves is told.
    newest = told.filter(lately, "heard", at == pl.col("heard_at"), (at > pl.col("spoken_at")).fill_null(value=True))
    heard = newest.group_by("learner_id").agg(heard_on=pl.col("on").max(), excused=pl.col("excused").any())
    since_spoken = told.filter(lately, (at > pl.col("spoken_at")).fill_null(value=True))
    of_service = since_spoken.group_by("learner_id").agg(
        cancelled_on=pl.col("on").filter("cancelled").max(), wrong_on=pl.col("on").filter("wrong").max()
    )
    counts = [pl.col(name).fill_null(0) for name in ("unanswered", "missed_appointments", "messages")]
    return (
        last.select("learner_id", "spoken_on")
        .join(vain, on="learner_id", how="left")
        .join(heard, on="learner_id", how="left")
        .join(of_service, on="learner_id", how="left")
        .with_columns(*counts, pl.col("excused").fill_null(value=False))
    )


def standing() -> pl.Expr:
    """Of rows of `courses`, when the course is to end, when the service last spoke with the learner, and what it heard and tried since."""
    counts = [_counted("unanswered", "tentative sans réponse", "tentatives sans réponse")]
    counts += [_counted("missed_appointments", "rendez-vous manqué", "rendez-vous manqués")]
    counts += [_counted("messages", "message envoyé", "messages envoyés")]
    # All but the last are parted by commas.
    vain = pl.concat_str(counts, separator=" et ", ignore_nulls=True)
    vain = pl.when(vain.str.count_matches(" et ") > 1).then(vain.str.replace(" et ", ", ", literal=True)).otherwise(vain)
    last = (
        pl.when(pl.sum_horizontal("unanswered", "missed_appointments", "messages") > 1)
        .then(pl.lit(", la dernière fois le "))
        .otherwise(pl.lit(" le "))
    )
    since = pl.when(vain != "").then(pl.concat_str(vain, last, written("tried_on"))).otherwise(pl.lit(""))
    heard = pl.format(
        "{} le {}", pl.when("excused").then(pl.lit("rendez-vous excusé")).otherwise(pl.lit("appel ou message reçu")), written("heard_on")
    )
    heard = _after(", ", heard.fill_null(""))
    talk = pl.format("dernier échange le {}{}{}", written("spoken_on"), heard, _after(", puis ", since))
    none = pl.format("aucun échange connu{}{}", heard, pl.when(heard != "").then(_after(", puis ", since)).otherwise(_after(", ", since)))
    ours = _after(", ", pl.format("rendez-vous annulé par le service le {}", written("cancelled_on")).fill_null(""))
    wrong = _after(", ", pl.format("coordonnées signalées erronées le {}", written("wrong_on")).fill_null(""))
    return pl.format("fin prévue le {} ; {}{}{}", written("planned_exit_date"), pl.coalesce(talk, none), wrong, ours)


def written(column: str) -> pl.Expr:
    """A day as a list tells it."""
    return pl.col(column).dt.strftime("%d/%m/%Y")


def _counted(column: str, one: str, many: str) -> pl.Expr:
    """A number with what it counts; null where it is none."""
    n = pl.col(column)
    return pl.when(n > 0).then(pl.format("{} {}", n, pl.when(n > 1).then(pl.lit(many)).otherwise(pl.lit(one))))


def _after(link: str, text: pl.Expr) -> pl.Expr:
    """What follows, if anything does."""
    return pl.when(text != "").then(pl.format(f"{link}{{}}", text)).otherwise(pl.lit(""))
