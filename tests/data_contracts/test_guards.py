"""A broken export must not look like mass absence, and a good one must not be held back."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

import pytest

from data_contracts.held import LOOK_BACK, concerned
from data_contracts.quarantine import close, faults, release
from data_contracts.report import in_french, lines
from tests.data_contracts.received import NOW, Desk, counts
from vigie.errors import NoDataError
from vigie.rules import DeliveryLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from data_contracts.simulator import Simulation

DAY = dt.date(2026, 3, 2)


def sheets(status: Callable[[int, int], str], learners: range, days: range = range(3)) -> str:
    """A csv of half-days: learner e<n>, on days from DAY."""
    cells = [(learner, day, half) for learner in learners for day in days for half in ("am", "pm")]
    rows = [f"e{learner},{DAY + dt.timedelta(days=day)},{half},{status(learner, day)}" for learner, day, half in cells]
    return "enrolment_id,date,half_day,status\n" + "\n".join(rows) + "\n"


def territory(desk: Desk) -> None:
    """Twenty learners each at providers P0 and P1, one of three absent now and then."""
    desk.put(
        "sessions/s.csv",
        "session_id,provider_id,programme_id,title,territory_id,start_date,end_date,planned_minutes,mode,entry,objective\n"
        + "".join(f"s{n},P{n},p,Course,t,2026-01-05,2026-06-26,1000,onsite,fixed,other\n" for n in range(2)),
    )
    desk.put(
        "enrolments/e.csv",
        "enrolment_id,learner_id,session_id,enrolled_on,planned_exit_date\n"
        + "".join(f"e{n},l{n},s{n // 20},2026-01-05,2026-06-26\n" for n in range(40)),
    )


def usual(learner: int, day: int) -> str:
    return "absent_unjustified" if (learner + day) % 10 == 0 else "present"


def absent(*_: int) -> str:
    return "absent_unjustified"


def test_a_providers_export_that_marks_everyone_absent_is_held_back_whole(desk: Desk) -> None:
    territory(desk)
    desk.put("attendance/p0.csv", sheets(absent, range(20)))
    desk.put("attendance/p1.csv", sheets(usual, range(20, 40)))

    (held,) = desk.take().held

    assert held.file == "attendance/p0.csv"
    assert held.held is not None
    assert "provider P0: all of 20 learners are marked absent, 2026-03-02 to 2026-03-04" in held.held
    assert "vigie quarantine release" in held.held
    assert (held.read, held.loaded, held.quarantined) == (120, 0, 120)
    assert (desk.home / "held" / "attendance" / "p0.csv").exists()
    assert set(desk.known("attendance")["enrolment_id"]) == {f"e{n}" for n in range(20, 40)}


def test_the_sender_is_told_in_french_why_a_file_without_a_fault_is_held_back(desk: Desk) -> None:
    territory(desk)
    desk.put("attendance/p0.csv", sheets(absent, range(20)))
    desk.take()

    with desk.warehouse() as warehouse:
        found = faults(warehouse, desk.home / "quarantine", desk.home / "refused", "attendance/p0.csv", {}, NOW)

    assert lines(found).rows() == [
        (
            1,
            "tout le fichier",
            "",
            "organisme P0 : 20 personnes sur 20 sont marquées absentes, du 2026-03-02 au 2026-03-04 : à confirmer, ou à renvoyer corrigé",
            "",
        )
    ]


@pytest.mark.parametrize(
    "why",
    [
        "2400 rows of attendance where 400 are usual",
        "column Statut is unlike the past of this sender: absent_unjustified in 90% of rows, 10% before",
        "a full export that leaves out 30 of the 100 facts of attendance it told before",
    ],
)
def test_every_reason_to_hold_a_file_back_has_its_french(why: str) -> None:
    assert in_french(why).startswith(("2400 lignes, 400 d'habitude", "colonne Statut", "export complet où manquent 30"))


def test_the_same_through_a_mapping(desk: Desk) -> None:
    head = "Identifiant Stagiaire;Numéro Action;Date;Demi-journée;Statut;Heures prévues;Heures réalisées;Date saisie\n"
    rows = "".join(f"{n};A;02/03/2026;{half};ANJ;3,5;0,0;02/03/2026\n" for n in range(12) for half in ("matin", "après-midi"))
    desk.put("emargement/attendance/p.csv", (head + rows).encode("cp1252"))

    assert "all of 12 learners are marked absent" in str(desk.take().held[0].held)
    assert desk.known("attendance").is_empty()


def test_in_a_file_of_many_providers_only_the_rows_of_the_broken_one_are_set_aside(desk: Desk) -> None:
    territory(desk)
    moved = "".join(f"e{n},l{n},s1,2026-01-05,2026-06-26\n" for n in range(15, 20))
    desk.put("enrolments/z.csv", "enrolment_id,learner_id,session_id,enrolled_on,planned_exit_date\n" + moved)
    broken = lambda learner, day: "absent_unjustified" if learner < 15 and day == 1 else usual(learner, day)  # noqa: E731 - one line says it
    desk.put("attendance/all.csv", sheets(broken, range(40)))

    intake = desk.take()

    assert counts(intake)["attendance"] == (240, 210, 0, 30)
    assert "provider P0" in str(next(receipt.note for receipt in intake.receipts if receipt.table == "attendance"))
    assert desk.quarantine()["value"].unique().to_list() == ["absent_unjustified"]


@pytest.mark.parametrize(
    ("status", "learners"),
    [
        (absent, range(4)),  # a handful of people can all be away
        (lambda learner, _: "present" if learner == 3 else "absent_unjustified", range(20)),
        (lambda *_: "not_recorded", range(20)),
        (lambda *_: "not_expected", range(20)),
        (usual, range(40)),
    ],
)
def test_what_is_no_broken_export_is_taken(desk: Desk, status: Callable[[int, int], str], learners: range) -> None:
    territory(desk)
    desk.put("attendance/a.csv", sheets(status, learners))

    assert not desk.take().held


def test_a_file_of_late_justifications_is_no_news_of_absence(desk: Desk) -> None:
    territory(desk)
    gone = lambda learner, day: "absent_unjustified" if learner % 20 < 12 and day == 1 else "present"  # noqa: E731 - one line says it
    desk.put("attendance/1.csv", sheets(gone, range(40)))
    desk.take()
    desk.put("attendance/justificatifs.csv", sheets(lambda *_: "absent_justified", range(12), range(1, 2)))

    assert counts(desk.take())["attendance"] == (24, 24, 0, 0)


def exits(bad: int, rows: int) -> str:
    lines = [f"e{n},2026-01-02,{'departed' if n < bad else 'job'}" for n in range(rows)]
    return "enrolment_id,exit_date,reason\n" + "\n".join(lines) + "\n"


@pytest.mark.parametrize(("bad", "rows", "held"), [(2, 20, True), (1, 20, False), (5, 100, False), (6, 100, True), (3, 10, False)])
def test_more_rows_at_fault_than_the_limit_hold_a_delivery_back_where_one_row_is_not_more_already(
    desk: Desk,
    bad: int,
    rows: int,
    held: bool,  # noqa: FBT001 - a table of cases
) -> None:
    desk.put("exits/a.csv", exits(bad, rows))

    intake = desk.take()

    assert bool(intake.held) == held
    if held:
        assert f"{bad} of {rows} rows of exits are at fault, more than 5%; such as line 2, column reason" in str(intake.held[0].held)
    assert desk.known("exits").height == (0 if held else rows - bad)


def test_a_table_may_have_a_limit_of_its_own(desk: Desk) -> None:
    desk.limits = DeliveryLimits(rejected_shares={"exits": 0.5})
    desk.put("exits/a.csv", exits(6, 100))

    assert not desk.take().held


def test_codes_in_other_shares_than_ever_are_held_back_and_a_few_rows_are_not_compared(desk: Desk) -> None:
    for week in range(3):
        desk.put(f"attendance/export-{week}.csv", sheets(usual, range(40), range(7 * week, 7 * week + 5)))
    desk.take()

    def turned(learner: int, day: int) -> str:
        return "present" if usual(learner, day) != "present" or learner % 4 == 0 else "absent_justified"

    inverted = sheets(turned, range(40), range(21, 26))
    desk.put("attendance/export-3.csv", inverted)
    desk.put("attendance/other-1.csv", sheets(lambda learner, _: "late" if learner % 2 else "present", range(40), range(30, 35)))
    desk.put("attendance/export-4.csv", sheets(lambda learner, _: "late" if learner % 2 else "present", range(4), range(40, 45)))

    (held,) = desk.take().held

    assert held.file == "attendance/export-3.csv"
    assert "column status is unlike the past of this sender" in str(held.held)


def test_exits_are_taken_when_the_first_courses_end_and_their_other_mix_is_told(desk: Desk) -> None:
    def left(reason: str, first: int) -> bytes:
        rows = (f"E{n},2026-03-{1 + n % 28:02d},{reason}" for n in range(first, first + 200))
        return "\n".join(["enrolment_id,exit_date,reason", *rows, ""]).encode()

    for month in range(3):
        desk.put(f"exits/2026-{month}.csv", left("dropout", 1_000 * month))
    desk.take()
    desk.put("exits/2026-3.csv", left("completed", 3_000))

    intake = desk.take()

    assert not intake.held
    assert desk.known("exits").height == 800
    (note,) = [receipt.note for receipt in intake.receipts]
    assert note == "column reason is unlike the past of this sender: dropout in 0% of rows, 100% before"


def test_far_more_rows_than_usual_are_held_back_and_far_fewer_are_told(desk: Desk) -> None:
    desk.limits = DeliveryLimits(volume_ratio=3)
    for week in range(3):
        desk.put(f"attendance/export-{week}.csv", sheets(usual, range(40), range(7 * week, 7 * week + 5)))
    desk.take()
    desk.put("attendance/export-8.csv", sheets(usual, range(40), range(30, 60)))
    desk.put("attendance/export-9.csv", sheets(usual, range(10), range(70, 75)))

    intake = desk.take()

    assert "2400 rows of attendance where 400 are usual" in str(intake.held[0].held)
    assert [receipt.note for receipt in intake.receipts if receipt.note] == ["only 100 rows of attendance where 400 are usual"]


def test_a_held_file_is_taken_once_somebody_lets_it_pass_and_leaves_a_trace(desk: Desk) -> None:
    desk.put("exits/a.csv", exits(6, 100))
    desk.take()
    desk.put("exits/a.csv", exits(6, 100))
    assert len(desk.take().held) == 1, "delivered again, it is held again"

    release(desk.landing, desk.decisions, desk.refused, "exits/a.csv", "asked the sender", NOW, desk.sources)
    intake = desk.take()

    assert counts(intake) == {"exits": (100, 94, 0, 6)}
    assert not list((desk.home / "held").rglob("*.*"))
    assert "asked the sender" in next(desk.decisions.glob("*.json")).read_text(encoding="utf-8")
    with pytest.raises(NoDataError, match="not held back"):
        release(desk.landing, desk.decisions, desk.refused, "exits/a.csv", "again", NOW, desk.sources)


def missed(desk: Desk, night: dt.date) -> list[tuple[str, dt.date]]:
    with desk.warehouse() as warehouse:
        return concerned(desk.refused, warehouse, desk.sources, night, "Europe/Paris").rows()


def held_on(desk: Desk, landed: dt.date) -> None:
    territory(desk)
    path = desk.put("attendance/p0.csv", sheets(absent, range(20)))
    instant = dt.datetime.combine(landed, dt.time(16), dt.UTC).timestamp()
    os.utime(path, (instant, instant))
    assert len(desk.take().held) == 1


def test_people_of_a_held_file_are_known_until_facts_as_recent_come_otherwise(desk: Desk) -> None:
    landed = DAY + dt.timedelta(days=3)
    held_on(desk, landed)

    assert missed(desk, landed) == sorted((f"e{n}", landed - dt.timedelta(days=1)) for n in range(20))
    assert missed(desk, landed - dt.timedelta(days=1)) == []
    assert missed(desk, landed + LOOK_BACK) == []

    for name, learners, days in (("a", range(15), range(3)), ("b", range(15, 20), range(2))):
        path = desk.put(f"attendance/{name}.csv", sheets(usual, learners, days))
        os.utime(path, (0, dt.datetime.combine(landed, dt.time(17), dt.UTC).timestamp()))
    desk.take()
    # Of the last five the last day is still missing.
    assert [name for name, _ in missed(desk, landed)] == [f"e{n}" for n in range(15, 20)]


def at(path: Path, day: dt.date, hour: int) -> None:
    instant = dt.datetime.combine(day, dt.time(hour), dt.UTC).timestamp()
    os.utime(path, (instant, instant))


def test_after_a_held_file_is_corrected_whoever_stopped_before_its_last_day_waits_no_more(desk: Desk) -> None:
    landed = DAY + dt.timedelta(days=3)
    territory(desk)
    head, *rows = sheets(usual, range(20)).splitlines()
    good = [row for row in rows if not row.startswith("e0,") or str(DAY) in row]
    wrong = [row.replace("present", "presnt") for row in good]
    at(desk.put("attendance/m.csv", "\n".join([head, *wrong])), landed, 16)
    assert len(desk.take().held) == 1
    assert len(missed(desk, landed)) == 20

    at(desk.put("attendance/corrected.csv", "\n".join([head, *good])), landed, 17)
    assert not desk.take().held

    assert missed(desk, landed) == []


def test_people_whose_rows_alone_were_set_aside_are_known_and_the_others_of_the_file_are_not(desk: Desk) -> None:
    landed = DAY + dt.timedelta(days=3)
    territory(desk)
    rows = sheets(absent, range(20), range(2, 3)) + sheets(usual, range(20, 40), range(2)).split("\n", 1)[1]
    path = desk.put("attendance/all.csv", rows)
    instant = dt.datetime.combine(landed, dt.time(16), dt.UTC).timestamp()
    os.utime(path, (instant, instant))
    assert desk.take().held == []

    expected = sorted((f"e{n}", landed - dt.timedelta(days=1)) for n in range(20))
    assert missed(desk, landed) == expected
    assert missed(desk, landed - dt.timedelta(days=1)) == []

    # The provider that is well sends its next file under the same name.
    desk.put("attendance/all.csv", sheets(usual, range(20, 40), range(3, 4)))
    assert missed(desk, landed) == expected

    # Damaged, the archive is for the doctor to name: no night ends for it.
    for kept in (desk.home / "archive").glob("*/doubted.parquet"):
        kept.write_bytes(b"harmed")
    assert missed(desk, landed) == []


def test_a_held_file_that_passes_or_is_given_up_leaves_nobody_waiting(desk: Desk) -> None:
    landed = DAY + dt.timedelta(days=3)
    held_on(desk, landed)

    release(desk.landing, desk.decisions, desk.refused, "attendance/p0.csv", "they were on strike", NOW, desk.sources)

    assert missed(desk, landed) == []


def test_two_held_files_of_one_name_are_both_kept(desk: Desk) -> None:
    for bad in (6, 7):
        desk.put("exits/a.csv", exits(bad, 100))
        desk.take()

    assert sorted(path.name for path in (desk.home / "held/exits").glob("*.csv")) == ["2~a.csv", "a.csv"]


def test_a_held_file_passes_beside_a_later_one_of_its_name_that_was_taken(desk: Desk) -> None:
    desk.put("exits/a.csv", exits(6, 100))
    desk.take()
    desk.put("exits/a.csv", exits(0, 3))
    desk.take()

    name = release(desk.landing, desk.decisions, desk.refused, "exits/a.csv", "asked the sender", NOW, desk.sources)

    assert name == "exits/2~a.csv"
    assert counts(desk.take()) == {"exits": (100, 94, 0, 6)}


def test_a_held_file_that_is_given_up_writes_over_no_refused_one(desk: Desk) -> None:
    refused = desk.put("exits/a.csv", b"\xff\x00").read_bytes()
    desk.take()
    desk.put("exits/a.csv", exits(6, 100))
    desk.take()

    with desk.warehouse() as warehouse:
        close(warehouse, desk.decisions, desk.refused, "exits/a.csv", "sent by mistake", NOW)

    assert (desk.refused / "exits/a.csv").read_bytes() == refused
    assert (desk.refused / "exits/2~a.csv").read_text(encoding="utf-8") == exits(6, 100)
    assert (desk.refused / "exits/2~a.csv.reason.txt").read_text(encoding="utf-8") == "sent by mistake\n"


def test_a_held_file_can_be_given_up(desk: Desk) -> None:
    desk.put("exits/a.csv", exits(6, 100))
    desk.take()
    with desk.warehouse() as warehouse:
        close(warehouse, desk.decisions, desk.refused, "exits/a.csv", "sent by mistake", NOW)

    assert (desk.refused / "exits/a.csv.reason.txt").read_text(encoding="utf-8") == "sent by mistake\n"
    assert not desk.take().receipts


def test_a_year_of_a_simulated_territory_is_held_back_nowhere(simulation: Simulation, desk: Desk) -> None:
    from data_contracts.simulator import write_deliveries

    write_deliveries(simulation, desk.landing)

    intake = desk.take()

    assert not intake.held
    assert not intake.refused
    assert not any("set aside" in str(receipt.note) for receipt in intake.receipts)
    assert len(intake.receipts) > 100
