"""Whom an experiment follows and what counts of them, from a warehouse: what was learnt after the draw takes nobody out."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.tables.experiments import Arms
from impact.experiments.allocation import allocate
from impact.experiments.analysis import analyse
from impact.experiments.baseline import at_entry
from impact.experiments.history import held_to_silence, past_of
from impact.experiments.outcomes import follow_up
from impact.experiments.plan import ExperimentError
from impact.experiments.population import drawn, enrolments_at, observed
from tests.impact.plans import START, plan
from vigie.store import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = "Europe/Paris"
RULES: dict[str, Any] = {"silence_days": 30, "time_zone": ZONE}
FIRST, LAST = START - dt.timedelta(days=90), START + dt.timedelta(days=120)
PLAN = plan(end=START)
DELIVERIES = itertools.count(1)
OVER = START + dt.timedelta(days=60)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "w.duckdb", threads=1) as opened:
        yield opened


def store(warehouse: Warehouse, table: str, rows: list[dict[str, Any]]) -> None:
    """Rows of a table; known_on is a date, known in its morning."""
    stored = layout(TABLES[table])
    own = {"known_on_assumed": False, "withdrawn": False}
    morning = [own | row | {"known_on": dt.datetime.combine(row["known_on"], dt.time(6), dt.UTC)} for row in rows]
    frame = pl.DataFrame(morning, schema=dict(stored.columns)).with_row_index("line", 1).cast({"line": pl.Int64})
    warehouse.append_layers(stored, frame, next(DELIVERIES))


def classroom(warehouse: Warehouse, people: dict[str, tuple[int, int]], entry: dt.date = FIRST) -> None:
    """One session; each person is away between two days counted from the draw, and there on all others since their entry."""
    course = {"session_id": "S", "provider_id": "P", "territory_id": "T"}
    store(warehouse, "sessions", [course | {"objective": "other", "mode": "onsite", "known_on": FIRST}])
    theirs = {"session_id": "S", "entry_date": entry, "planned_exit_date": LAST, "known_on": entry}
    store(warehouse, "enrolments", [theirs | {"enrolment_id": f"E-{who}", "learner_id": who} for who in people])
    days = [entry + dt.timedelta(days=n) for n in range((OVER - entry).days)]
    sheets = [
        {"enrolment_id": f"E-{who}", "date": day, "half_day": "day", "status": status, "known_on": day + dt.timedelta(days=1)}
        for who, (away, back) in people.items()
        for day in days
        for status in ["absent_unjustified" if away <= (day - START).days < back else "present"]
    ]
    store(warehouse, "attendance", sheets)


def left(warehouse: Warehouse, who: str, on: int, told: int, reason: str = "dropout") -> None:
    """An exit, its day and the day it became known counted from the draw."""
    days = (START + dt.timedelta(days=on), START + dt.timedelta(days=told))
    store(warehouse, "exits", [{"enrolment_id": f"E-{who}", "exit_date": days[0], "reason": reason, "known_on": days[1]}])


def followed(warehouse: Warehouse, people: list[str]) -> dict[str, dict[str, Any]]:
    """What became of those drawn on the first day."""
    units = pl.DataFrame({"unit_id": people, "stratum": "", "risk": 0.1})
    arms = allocate(PLAN, units, Arms.create_empty(), START)
    rows = at_entry(warehouse, drawn(enrolments_at(warehouse, PLAN, OVER, ZONE), arms, PLAN), OVER, **RULES)
    found = follow_up(warehouse, observed(rows, PLAN), OVER, PLAN, **RULES)
    return {row["learner_id"]: row for row in found.iter_rows(named=True)}


def test_absent_on_the_day_of_the_draw_counts_whether_they_come_back_or_not(warehouse: Warehouse) -> None:
    classroom(warehouse, {"there": (0, 0), "back": (-5, 3), "away": (-5, 999), "told late": (-5, 999), "job": (-5, 999)})
    left(warehouse, "told late", on=-4, told=6)
    left(warehouse, "job", on=0, told=9, reason="job")

    found = followed(warehouse, ["there", "back", "away", "told late", "job"])

    assert {who: (row["dropout"], row["day"], row["cause"]) for who, row in found.items()} == {
        "there": (0, 28, 0),
        "back": (0, 28, 0),
        "away": (1, 1, 1),
        "told late": (1, 1, 1),
        "job": (0, 1, 2),
    }


def test_whom_the_draw_could_know_to_have_left_is_followed_in_neither_case(warehouse: Warehouse) -> None:
    """A silence that was complete takes out those who come back as well: the day of the draw decides, not what followed."""
    classroom(warehouse, {"there": (0, 0), "gone": (-40, 999), "gone and back": (-40, 5), "told": (-3, 999), "almost": (-29, 5)})
    left(warehouse, "told", on=-2, told=-1)

    assert set(followed(warehouse, ["there", "gone", "gone and back", "told", "almost"])) == {"there", "almost"}


def test_a_session_that_all_are_silent_of_loses_nobody_and_a_late_sheet_was_not_known(warehouse: Warehouse) -> None:
    classroom(warehouse, {"one": (-40, 999), "two": (-40, 999)})
    assert set(followed(warehouse, ["one", "two"])) == {"one", "two"}

    # Somebody was there all the while; their sheets came after the draw.
    day = START - dt.timedelta(days=2)
    sheet = {"enrolment_id": "E-two", "date": day, "half_day": "am", "status": "present", "known_on": START + dt.timedelta(days=9)}
    store(warehouse, "attendance", [sheet])
    assert set(followed(warehouse, ["one", "two"])) == {"one", "two"}
    store(warehouse, "attendance", [sheet | {"enrolment_id": "E-two", "half_day": "pm", "known_on": START}])
    assert set(followed(warehouse, ["one", "two"])) == {"two"}


def test_a_planned_end_moved_after_the_draw_changes_nothing(warehouse: Warehouse) -> None:
    classroom(warehouse, {"there": (0, 0), "moved": (0, 0)})
    moved = {"enrolment_id": "E-moved", "learner_id": "moved", "session_id": "S", "entry_date": FIRST}
    store(warehouse, "enrolments", [moved | {"planned_exit_date": START - dt.timedelta(days=1), "known_on": START + dt.timedelta(days=5)}])

    found = followed(warehouse, ["there", "moved"])

    assert found["moved"]["planned_exit_date"] == LAST
    assert found["moved"]["elapsed"] == found["there"]["elapsed"]


def test_employment_is_asked_of_early_leavers_when_it_is_of_those_who_stayed(warehouse: Warehouse) -> None:
    classroom(warehouse, {"stays": (0, 0), "leaves": (3, 999)})
    left(warehouse, "leaves", on=3, told=6)
    units = pl.DataFrame({"unit_id": ["stays", "leaves"], "stratum": "", "risk": 0.1})
    arms = allocate(PLAN, units, Arms.create_empty(), START)

    def asked(as_of: dt.date) -> dict[str, bool]:
        rows = at_entry(warehouse, drawn(enrolments_at(warehouse, PLAN, as_of, ZONE), arms, PLAN), as_of, **RULES)
        found = follow_up(warehouse, observed(rows, PLAN), as_of, PLAN, **RULES)
        return dict(found.select("learner_id", "insertion_due").iter_rows())

    assert asked(LAST + dt.timedelta(days=212)) == {"stays": False, "leaves": False}
    assert asked(LAST + dt.timedelta(days=213)) == {"stays": True, "leaves": True}


def test_who_left_a_course_before_the_draw_is_followed_in_the_next(warehouse: Warehouse) -> None:
    classroom(warehouse, {"L": (0, 0)})
    second = {"learner_id": "L", "session_id": "S", "planned_exit_date": LAST, "known_on": START - dt.timedelta(days=10)}
    courses = [second | {"enrolment_id": f"E-{n}", "entry_date": START - dt.timedelta(days=10 - n)} for n in (1, 2)]
    store(warehouse, "enrolments", courses)
    left(warehouse, "L", on=-12, told=-11)

    assert followed(warehouse, ["L"])["L"]["enrolment_id"] == "E-1"


EARLY, LATE_SILENCE, STAYS = (3, 999), (20, 999), (0, 0)


@pytest.mark.parametrize("wait", [7, 35])
def test_an_effect_on_those_who_fall_silent_late_is_found_by_a_plan_that_waits_for_silence(warehouse: Warehouse, wait: int) -> None:
    """A tenth of both arms falls silent on the third day; of the control arm alone, three tenths more on the twentieth."""
    chosen = plan(end=START, wait_days=wait)
    arms = allocate(
        chosen, pl.DataFrame({"unit_id": [f"L{n}" for n in range(160)], "stratum": "", "risk": 0.1}), Arms.create_empty(), START
    )
    control, treated = (arms.filter(pl.col("arm") == arm.name)["unit_id"].to_list() for arm in chosen.arms)
    early, late = len(control) // 10, 3 * len(control) // 10
    away = dict(zip(control, [EARLY] * early + [LATE_SILENCE] * late + [STAYS] * 160, strict=False))
    classroom(warehouse, away | dict(zip(treated, [EARLY] * early + [STAYS] * 160, strict=False)))

    def known(as_of: dt.date) -> pl.DataFrame:
        rows = at_entry(warehouse, drawn(enrolments_at(warehouse, chosen, as_of, ZONE), arms, chosen), as_of, **RULES)
        return follow_up(warehouse, observed(rows, chosen), as_of, chosen, **RULES)

    due = START + dt.timedelta(days=28 + wait)
    found = analyse(chosen, known(due), due)

    planted = early / len(treated) - (early + late) / len(control)
    diluted = early / len(treated) - early / len(control)
    told = [line for line in found.departures if "n'est connu que par le silence" in line]
    assert found.due == due
    assert found.results[0].effect == pytest.approx(planted if wait == 35 else diluted)
    assert (planted, diluted) == pytest.approx((-0.3, 0.0), abs=0.03)
    assert len(told) == (wait == 7)
    assert all("n'attend que 7 jours : 160 personnes" in line for line in told)
    assert not known(due - dt.timedelta(days=1))["observed"].any()


def test_power_goes_by_what_the_wait_of_the_plan_lets_the_past_tell(warehouse: Warehouse) -> None:
    """A hundred enter on the first day, a hundred four weeks later; of each, ten fall silent early in the horizon and thirty late in it."""
    for entry in (FIRST, FIRST + dt.timedelta(days=28)):
        entered = (entry - START).days
        away = [(entered + 3, 999)] * 10 + [(entered + 20, 999)] * 30 + [STAYS] * 60
        classroom(warehouse, {f"{entry}-{n}": days for n, days in enumerate(away)}, entry)
    scores = pl.DataFrame(schema={"as_of": pl.Date, "enrolment_id": pl.String, "risk": pl.Float64})

    def base(wait: int) -> float:
        as_of = FIRST + dt.timedelta(days=28 + 35)
        return past_of(warehouse, plan(wait_days=wait), as_of, scores, **RULES, served_from=None).situation.base

    assert base(7) == pytest.approx((40 + 10) / 200)
    assert base(35) == pytest.approx(40 / 100)


def test_a_plan_is_held_to_what_silence_tells_in_its_own_territories(warehouse: Warehouse) -> None:
    classroom(warehouse, {"there": (0, 0), "silent": (-60, 999), "told": (-60, 999)})
    chosen = plan(population="entrants")

    with pytest.raises(ExperimentError, match="only after 35") as short:
        held_to_silence(warehouse, chosen, START, **RULES)
    assert short.value.remedy == "Set wait_days = 35 in its file."
    held_to_silence(warehouse, plan(population="entrants", wait_days=35), START, **RULES)
    held_to_silence(warehouse, plan(territories=("U",)), START, **RULES)
    # Before anybody's silence was complete nothing asked for it.
    held_to_silence(warehouse, chosen, START - dt.timedelta(days=40), **RULES)
    for who in ("silent", "told"):
        left(warehouse, who, on=-59, told=-50)
    held_to_silence(warehouse, chosen, START, **RULES)
