"""What the night's decisions rest on, read from a warehouse."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from alerts.facts import PAST_COLUMNS, Facts, Said, read_facts
from alerts.night import courses, in_words
from alerts.practice import practice
from alerts.returns import returned
from alerts.silence import silenced
from alerts.tried import standing, tried
from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.known import known_at
from tests.alerts.world import DAY, NO_PAST, RULES, people, said
from vigie.store import Warehouse

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.service import Service

ZONE = "Europe/Paris"


def known(folder: Path, table: str, *rows: dict[str, object]) -> Facts:
    """Facts of a warehouse that holds these rows alone."""
    stored = layout(TABLES[table])
    own = {"known_on_assumed": False, "withdrawn": False}
    frame = pl.DataFrame([own | row for row in rows], schema=dict(stored.columns)).with_row_index("line", 1).cast({"line": pl.Int64})
    with Warehouse(folder / "warehouse.duckdb") as warehouse:
        warehouse.append_layers(stored, frame, 1)
        return read_facts(warehouse, DAY, people([]).scores, NO_PAST, Said(), RULES, ZONE)


def test_a_contact_after_midnight_is_of_that_day_where_the_service_is(tmp_path: Path) -> None:
    # Asked to be left alone on the 3rd; wrote at half past midnight on the 4th, in Paris: still the 3rd in UTC.
    wrote = dt.datetime(2026, 3, 3, 23, 30, tzinfo=dt.UTC)
    contact = {
        "contact_id": "c",
        "learner_id": "L000",
        "occurred_at": wrote,
        "channel": "email",
        "direction": "inbound",
        "outcome": "unknown",
    }
    facts = known(tmp_path, "contacts", contact | {"known_on": wrote})
    row = pl.DataFrame({"kind": ["post_exit_contact_due"], "learner_id": ["L000"], "enrolment_id": ["000"]}).with_columns(
        reasons=pl.lit([], facts.scores.schema["reasons"])
    )

    alone = replace(facts, said=said(("000", "left_alone", dt.date(2026, 3, 3))))

    assert facts.contacts["on"].to_list() == [dt.date(2026, 3, 4)]
    assert row.select(silenced(alone, RULES.invariants)).item() is False
    before = replace(alone, said=said(("000", "left_alone", dt.date(2026, 3, 4))))
    assert row.select(silenced(before, RULES.invariants)).item() is True


def test_what_is_dated_later_than_the_night_is_no_talk_and_no_news_yet(tmp_path: Path) -> None:
    def on(year: int) -> dict[str, object]:
        held = dt.datetime(year, 3, 4, 22, 30, tzinfo=dt.UTC)
        contact = {"contact_id": f"c{year}", "learner_id": "L000", "occurred_at": held, "channel": "phone", "direction": "outbound"}
        return contact | {"outcome": "reached", "known_on": dt.datetime(2026, 3, 4, 18, tzinfo=dt.UTC)}

    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    mistyped = known(tmp_path / "a", "contacts", on(2026), on(2027))
    seen = {"enrolment_id": "000", "months_after_exit": 3, "situation": "unknown", "known_on": dt.datetime(2026, 3, 4, tzinfo=dt.UTC)}
    asked = known(tmp_path / "b", "followups", *(seen | {"observed_on": day} for day in (DAY, DAY + dt.timedelta(days=1))))

    assert mistyped.contacts["on"].to_list() == [DAY]
    assert asked.followups["observed_on"].to_list() == [DAY]


def test_what_became_of_people_is_counted_by_person() -> None:
    """Twelve courses of six people are six, too few to tell of; of eleven with two courses each, one is still called for one of them."""
    then = DAY - dt.timedelta(days=30)

    def told(persons: int) -> pl.DataFrame:
        facts = people([0.3] * 2 * persons)
        names = facts.enrolments["enrolment_id"].to_list()
        whose = facts.enrolments.with_columns(learner_id=pl.Series([f"L{number % persons}" for number in range(2 * persons)]))
        answers = said(*((name, "reached", then) for name in names)).answers.with_columns(reason=pl.lit("attendance"))
        past = pl.DataFrame(
            {"as_of": [then + dt.timedelta(days=15)], "kind": ["dropout_risk"], "enrolment_id": ["000"], "state": ["new"]},
            schema={name: dtype for name, dtype in PAST_COLUMNS.items() if name in {"as_of", "kind", "enrolment_id", "state"}},
        )
        facts = replace(facts, enrolments=whose, said=Said(answers), past=past)
        return practice(facts, whose.select("enrolment_id", territory_id=pl.lit("T")))

    assert told(6).is_empty()
    assert told(11).select("people", "off_list").rows() == [(11, 10)]


def test_an_advisor_joins_an_operator_on_the_day_it_is_where_the_service_is(tmp_path: Path) -> None:
    advisor = {"advisor_id": "A", "territory_id": "T", "active_from": dt.date(2020, 1, 1)}
    moved = dt.datetime(2026, 2, 1, 23, 30, tzinfo=dt.UTC)

    facts = known(
        tmp_path,
        "advisors",
        advisor | {"operator": "one", "known_on": moved - dt.timedelta(days=30)},
        advisor | {"operator": "other", "known_on": moved},
    )

    assert facts.advisors["joined_on"].to_list() == [dt.date(2026, 2, 2)]


def test_the_paper_says_when_the_service_last_spoke_with_somebody(service: Service) -> None:
    night = dt.date(2025, 11, 20)
    with service.warehouse() as warehouse:
        where = courses(warehouse, night, service.time_zone)
        talks = known_at(warehouse, night, service.time_zone)("contacts", "learner_id", "occurred_at", "outcome")
    last = (
        talks.filter(pl.col("outcome").cast(pl.String).is_in(("reached", "kept"))).group_by("learner_id").agg(pl.col("occurred_at").max())
    )
    alerts = where.select("enrolment_id", "learner_id")

    told = in_words(alerts, pl.DataFrame(schema={"enrolment_id": pl.String, "low_confidence": pl.Boolean}), where)

    both = told.join(last, on="learner_id", how="left")
    day = both["occurred_at"].dt.convert_time_zone(service.time_zone).dt.strftime("%d/%m/%Y").to_list()
    assert [text.split(" ; ")[-1].split(", ")[0] for text in told["course"]] == [
        f"dernier échange le {one}" if one else "aucun échange connu" for one in day
    ]
    assert 0 < both["occurred_at"].null_count() < both.height
    assert told["course"].str.contains(", puis 1 tentative sans réponse le ../../....$").any()


@pytest.mark.parametrize(
    ("contacts", "text"),
    [
        ([], "aucun échange connu"),
        ([(0, "outbound", "reached")], "dernier échange le 04/03/2026"),
        (
            [(20, "outbound", "kept"), (9, "outbound", "no_answer")],
            "dernier échange le 12/02/2026, puis 1 tentative sans réponse le 23/02/2026",
        ),
        (
            [(20, "outbound", "kept"), (9, "outbound", "no_answer"), (3, "outbound", "left_message"), (2, "outbound", "no_show")],
            "dernier échange le 12/02/2026, puis 2 tentatives sans réponse et 1 rendez-vous manqué, la dernière fois le 02/03/2026",
        ),
        (
            [(9, "outbound", "no_answer"), (3, "outbound", "no_show"), (2, "outbound", "sent"), (1, "outbound", "sent")],
            "aucun échange connu, 1 tentative sans réponse, 1 rendez-vous manqué et 2 messages envoyés, la dernière fois le 03/03/2026",
        ),
        # For another course, half a year ago; and what the learner did not come to, or the service put off, is no word from them.
        ([(182, "outbound", "no_answer"), (182, "inbound", "left_message")], "aucun échange connu"),
        (
            [(9, "outbound", "no_answer"), (3, "inbound", "cancelled_by_service")],
            "aucun échange connu, 1 tentative sans réponse le 23/02/2026, rendez-vous annulé par le service le 01/03/2026",
        ),
        # What was in vain before the talk, a message sent, what the learner tried, and what is yet to come.
        ([(20, "outbound", "no_answer"), (9, "outbound", "kept")], "dernier échange le 23/02/2026"),
        ([(156, "outbound", "no_show")], "aucun échange connu, 1 rendez-vous manqué le 29/09/2025"),
        (
            [(9, "outbound", "sent"), (8, "inbound", "no_answer"), (7, "outbound", "excused")],
            "aucun échange connu, rendez-vous excusé le 25/02/2026",
        ),
        ([(-1, "outbound", "no_answer"), (-1, "outbound", "reached")], "aucun échange connu"),
        # What the service itself called off is told until it has spoken with them.
        (
            [(20, "outbound", "kept"), (9, "outbound", "no_answer"), (6, "outbound", "cancelled_by_service")],
            "dernier échange le 12/02/2026, puis 1 tentative sans réponse le 23/02/2026, rendez-vous annulé par le service le 26/02/2026",
        ),
        (
            [(9, "outbound", "cancelled_by_service"), (7, "outbound", "cancelled_by_service"), (3, "outbound", "excused")],
            "aucun échange connu, rendez-vous excusé le 01/03/2026, rendez-vous annulé par le service le 25/02/2026",
        ),
        ([(20, "outbound", "cancelled_by_service"), (9, "outbound", "kept")], "dernier échange le 23/02/2026"),
        ([(200, "outbound", "cancelled_by_service")], "aucun échange connu"),
        (
            [(9, "outbound", "no_show"), (8, "outbound", "no_show")],
            "aucun échange connu, 2 rendez-vous manqués, la dernière fois le 24/02/2026",
        ),
        # Who excused themselves or wrote since was not tried in vain.
        (
            [(9, "outbound", "no_answer"), (7, "outbound", "excused"), (2, "outbound", "no_answer")],
            "aucun échange connu, rendez-vous excusé le 25/02/2026, puis 1 tentative sans réponse le 02/03/2026",
        ),
        (
            [(20, "outbound", "kept"), (9, "outbound", "no_answer"), (7, "inbound", "left_message")],
            "dernier échange le 12/02/2026, appel ou message reçu le 25/02/2026",
        ),
        # A number stays wrong whatever they said since, until somebody has spoken with them.
        (
            [(20, "outbound", "kept"), (9, "outbound", "wrong_details"), (7, "outbound", "wrong_details"), (2, "outbound", "excused")],
            "dernier échange le 12/02/2026, rendez-vous excusé le 02/03/2026, coordonnées signalées erronées le 25/02/2026",
        ),
        ([(9, "outbound", "wrong_details"), (7, "outbound", "kept")], "dernier échange le 25/02/2026"),
        ([(190, "outbound", "wrong_details")], "aucun échange connu"),
        # What they said before the talk was answered by it.
        ([(20, "outbound", "excused"), (9, "inbound", "kept")], "dernier échange le 23/02/2026"),
        ([(9, "outbound", "excused"), (8, "inbound", "left_message")], "aucun échange connu, appel ou message reçu le 24/02/2026"),
    ],
)
def test_the_line_of_the_course_says_what_was_in_vain_since_the_last_talk(contacts: list[tuple[int, str, str]], text: str) -> None:
    days = [DAY - dt.timedelta(days=ago) for ago, _, _ in contacts]
    rows = pl.DataFrame(
        {
            "learner_id": ["L"] * len(contacts),
            "occurred_at": [dt.datetime.combine(day, dt.time(10), tzinfo=dt.UTC) for day in days],
            "on": days,
            "direction": [direction for _, direction, _ in contacts],
            "outcome": [outcome for _, _, outcome in contacts],
        },
        schema={
            "learner_id": pl.String,
            "occurred_at": pl.Datetime("us", "UTC"),
            "on": pl.Date,
            "direction": pl.String,
            "outcome": pl.String,
        },
    )
    course = pl.DataFrame({"learner_id": ["L"], "planned_exit_date": [dt.date(2026, 6, 30)]})

    told = course.join(tried(rows, DAY), on="learner_id", how="left").select(standing()).item()

    assert told == f"fin prévue le 30/06/2026 ; {text}"


def test_who_returned_is_read_from_the_sheets_known_that_night(service: Service) -> None:
    night = dt.date(2025, 11, 20)
    with service.warehouse() as warehouse:
        known = known_at(warehouse, night, service.time_zone)
        everybody = known("enrolments", "enrolment_id").with_columns(
            risk=pl.lit(0.9), reasons=pl.lit(None), low_confidence=pl.lit(value=False)
        )
        facts = read_facts(warehouse, night, everybody, pl.DataFrame(schema=PAST_COLUMNS), Said(), service.rules, service.time_zone)
        sheets = known("attendance", "enrolment_id", "date", "status")

    assert facts.returned.height > 0
    assert facts.returned.sort("enrolment_id").equals(returned(sheets, night).sort("enrolment_id"))
    # What comes later is not looked at, whoever reads it.
    later = sheets.with_columns(date=pl.col("date") + pl.duration(days=400), status=pl.lit("absent_unjustified"))
    assert returned(pl.concat([sheets.cast({"status": pl.String}), later]), night).height == facts.returned.height
