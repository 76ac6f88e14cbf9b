"""The alerting part of a night: decide, put names on the lists, hand over to the page."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.facts import Facts, Said, local_day, read_facts
from alerts.lists.rows import Words, lists
from alerts.policy import decide
from alerts.routing import NO_TERRITORY
from alerts.wording import NOT_ESTIMATED, NOTICES
from data_contracts.known import known_at
from data_contracts.vocabulary import TWO_WAY, UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import dataframely as dy

    from alerts.cases import CaseStore
    from alerts.lists.page import AdvisorList
    from alerts.wording import Phrase
    from data_contracts.tables.outputs import Alerts
    from vigie.rules import Rules
    from vigie.store import Warehouse

NOT_KNOWN: Final = "Formation pas encore connue"
TOLD_DAYS: Final = 182
"""How long the line of a course tells what was tried, or heard, since the last talk."""


@dataclass(frozen=True)
class Decided:
    """What a night decided, and what it rested on."""

    alerts: dy.DataFrame[Alerts]
    facts: Facts


def decide_night(
    warehouse: Warehouse,
    cases: CaseStore,
    as_of: dt.date,
    scores: pl.DataFrame,
    rules: Rules,
    time_zone: str,
    by_rule: pl.DataFrame | None = None,
    avoided: pl.DataFrame | None = None,
) -> Decided:
    """Alerts of the night of `as_of` from its scores, what is known then, and the alerts of earlier nights.

    Without a model, `by_rule` stands in for the scores: `alerts.facts.RULED_COLUMNS`. Where it was decided to rank by effect, `avoided`
    tells it: `alerts.facts.AVOIDED_COLUMNS`.
    """
    said = Said(cases.answered(as_of, time_zone), cases.absences(as_of, time_zone))
    facts = read_facts(warehouse, as_of, scores, cases.past(as_of), said, rules, time_zone, by_rule)
    facts = facts if avoided is None else replace(facts, avoided=avoided)
    return Decided(decide(facts, rules), facts)


def in_words(alerts: pl.DataFrame, scores: pl.DataFrame, where: pl.DataFrame) -> pl.DataFrame:
    """The alerts with territory_id, entry_date, planned_exit_date and low_confidence of their enrolment, and its course in words.

    These say when it is to end, when the service last spoke with the learner, and what it tried since.
    """
    weak = scores.select("enrolment_id", "low_confidence")
    told = alerts.join(
        where.select("enrolment_id", "territory_id", "entry_date", "planned_exit_date", course=pl.format("{}, {}", "course", standing())),
        on="enrolment_id",
        how="left",
        maintain_order="left",
    )
    return told.join(weak, on="enrolment_id", how="left", maintain_order="left").with_columns(
        pl.col("low_confidence").fill_null(value=False)
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
    since = pl.when(vain != "").then(pl.concat_str(vain, last, _written("tried_on"))).otherwise(pl.lit(""))
    heard = pl.format(
        "{} le {}", pl.when("excused").then(pl.lit("rendez-vous excusé")).otherwise(pl.lit("appel ou message reçu")), _written("heard_on")
    )
    heard = _after(", ", heard.fill_null(""))
    talk = pl.format("dernier échange le {}{}{}", _written("spoken_on"), heard, _after(", puis ", since))
    none = pl.format("aucun échange connu{}{}", heard, pl.when(heard != "").then(_after(", puis ", since)).otherwise(_after(", ", since)))
    ours = _after(", ", pl.format("rendez-vous annulé par le service le {}", _written("cancelled_on")).fill_null(""))
    return pl.format("fin prévue le {} ; {}{}", _written("planned_exit_date"), pl.coalesce(talk, none), ours)


def _written(column: str) -> pl.Expr:
    return pl.col(column).dt.strftime("%d/%m/%Y")


def _counted(column: str, one: str, many: str) -> pl.Expr:
    """A number with what it counts; null where it is none."""
    n = pl.col(column)
    return pl.when(n > 0).then(pl.format("{} {}", n, pl.when(n > 1).then(pl.lit(many)).otherwise(pl.lit(one))))


def _after(link: str, text: pl.Expr) -> pl.Expr:
    """What follows, if anything does."""
    return pl.when(text != "").then(pl.format(f"{link}{{}}", text)).otherwise(pl.lit(""))


def night_lists(
    cases: CaseStore, told: pl.DataFrame, sessions: pl.DataFrame, rules: Rules, phrases: Mapping[str, Phrase], said: str
) -> list[AdvisorList]:
    """Every recipient's list, with the names that only the case store has.

    Args:
        cases: open.
        told: from `in_words`.
        sessions: from `with_titles`.
        rules: of the service.
        phrases: sentence of each feature.
        said: from `notice`.
    """
    if told.is_empty():
        return []
    territories = told["territory_id"].unique().to_list()
    words = Words(
        phrases,
        {territory: rules.of(territory).actions for territory in territories},
        {territory: rules.of(territory).list_title for territory in territories},
        notice=said,
        sessions=sessions,
    )
    return lists(told, cases.names(told["learner_id"].unique().sort().to_list()), cases.advisors(), words)


def courses(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """Every enrolment with its dates, the territory of its session and its course in words, with the day on which they left it early.

    Beside them what `tried` says of the learner.
    """
    known = known_at(warehouse, as_of, time_zone)
    titles = _titles(warehouse, as_of, time_zone).drop("start_date", "end_date")
    enrolments = known("enrolments", "enrolment_id", "learner_id", "session_id", "entry_date", "planned_exit_date")
    exits = known("exits", "enrolment_id", "exit_date").filter(pl.col("exit_date") <= as_of)
    course = pl.col("course").fill_null(NOT_KNOWN)
    left = pl.format("{} (sortie le {})", course, pl.col("exit_date").dt.strftime("%d/%m/%Y"))
    contacts = known("contacts", "learner_id", "occurred_at", "direction", "outcome").with_columns(on=local_day("occurred_at", time_zone))
    told = enrolments.join(titles, on="session_id", how="left").join(exits, on="enrolment_id", how="left", maintain_order="left")
    told = told.join(tried(contacts, as_of), on="learner_id", how="left", maintain_order="left")
    early = pl.when(pl.col("exit_date") < pl.col("planned_exit_date")).then(left)
    return told.with_columns(pl.col("territory_id").fill_null(NO_TERRITORY), course=pl.coalesce(early, course)).drop("exit_date")


def with_titles(sessions: pl.DataFrame, warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """Rows of the contract `SessionAlerts` with course: each session in words, with its dates, since a title may come twice."""
    dated = pl.format("{} (du {} au {})", "course", _written("start_date"), _written("end_date"))
    named = _titles(warehouse, as_of, time_zone).select("session_id", course=pl.coalesce(dated, "course"))
    told = sessions.join(named, on="session_id", how="left", maintain_order="left")
    return told.with_columns(pl.col("course").fill_null(NOT_KNOWN))


def _titles(warehouse: Warehouse, as_of: dt.date, time_zone: str) -> pl.DataFrame:
    """session_id, territory_id, start_date, end_date, course: title and provider."""
    known = known_at(warehouse, as_of, time_zone)
    sessions = known("sessions", "session_id", "title", "provider_id", "territory_id", "start_date", "end_date")
    return sessions.join(known("providers", "provider_id", "name"), on="provider_id", how="left").select(
        *("session_id", "territory_id", "start_date", "end_date"),
        course=pl.format("{}, {}", "title", pl.col("name").fill_null("organisme inconnu")),
    )


def tried(contacts: pl.DataFrame, as_of: dt.date) -> pl.DataFrame:
    """By learner_id, spoken_on (day of the last two-way contact), and in vain since: unanswered, missed_appointments, messages.

    cancelled_on is the day of the last appointment that the service itself cancelled since it last spoke with the learner.

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
    called_off = told.filter(lately, "cancelled", (at > pl.col("spoken_at")).fill_null(value=True))
    cancelled = called_off.group_by("learner_id").agg(cancelled_on=pl.col("on").max())
    counts = [pl.col(name).fill_null(0) for name in ("unanswered", "missed_appointments", "messages")]
    return (
        last.select("learner_id", "spoken_on")
        .join(vain, on="learner_id", how="left")
        .join(heard, on="learner_id", how="left")
        .join(cancelled, on="learner_id", how="left")
        .with_columns(*counts, pl.col("excused").fill_null(value=False))
    )


def notice(warehouse: Warehouse, as_of: dt.date, time_zone: str, *, estimated: bool = True) -> str:
    """What must be said of made-up data and of a night without scores; empty when there is nothing to say."""
    operators = known_at(warehouse, as_of, time_zone)("advisors", "operator")["operator"].unique().to_list()
    made_up = [text for word, text in NOTICES.items() if any(operator.startswith(word) for operator in operators)]
    return " ".join([*made_up, *([] if estimated else [NOT_ESTIMATED])])
