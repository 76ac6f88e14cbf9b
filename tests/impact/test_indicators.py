"""Each indicator on a handful of people whose figure can be counted on one's fingers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from impact.catalogue import DEFINITIONS
from impact.indicators.measures import everything_counted
from impact.indicators.table import figures, tabulate, wilson
from impact.nights import missed, named
from tests.impact.made import CUT_OFF, alert, day, enrolled, facts, spoke
from vigie.rules import read_rules
from vigie.settings import ROOT

if TYPE_CHECKING:
    from impact.facts import Facts

RULES = read_rules(ROOT / "config").invariants


def told(found: Facts, definition_id: str) -> dict[str, float | None]:
    rows = everything_counted(found, RULES).filter(pl.col("definition_id") == definition_id)
    return dict(rows.select("person", "value").iter_rows())


def owned(who: str, start: str, until: str | None = None) -> dict[str, object]:
    return {"learner_id": who, "advisor_id": "A", "operator": "cep", "valid_from": day(start), "valid_to": day(until) if until else None}


def test_an_owner_counts_when_named_within_five_working_days() -> None:
    people = [enrolled(key, "02-02", "06-30") for key in ("before", "seventh", "eighth", "ended", "never")]
    people += [enrolled("fresh", "03-28", "06-30")]
    owners = [owned("before", "01-10"), owned("seventh", "02-09"), owned("eighth", "02-10"), owned("ended", "01-10", "02-01")]

    assert told(facts(people, owners=owners), "owner_in_time") == {"before": 1, "seventh": 1, "eighth": 0, "ended": 0, "never": 0}


def test_the_unowned_are_those_in_training_whose_owner_is_gone_or_never_was() -> None:
    people = [enrolled(key, "02-01", "06-30") for key in ("owned", "lost", "left", "never")] + [
        enrolled("gone", "02-01", "06-30", "03-01", "dropout")
    ]
    owners = [owned("owned", "01-10"), owned("lost", "01-10", "03-01"), owned("left", "01-10") | {"advisor_id": "B"}]
    advisors = [
        {"advisor_id": key, "operator": "cep", "territory_id": "T", "active_from": day("2020-01-01"), "active_to": until}
        for key, until in (("A", None), ("B", day("03-21")))
    ]
    found = facts(people, owners=owners, advisors=advisors)

    assert told(found, "unowned_now") == {"owned": 0, "lost": 1, "left": 1, "never": 1}
    assert told(found, "unowned_days") == {"lost": 29, "left": 9, "never": 58}


def test_sheets_are_counted_where_expected_and_not_before_their_two_days_are_over() -> None:
    sheets = [
        {"enrolment_id": "e", "date": day(on), "due": 2, "came": 2, "expected": expected, "in_time": in_time}
        for on, expected, in_time in (("03-02", 2, 2), ("03-03", 2, 1), ("03-04", 0, 0), ("03-30", 2, 0))
    ]
    rows = everything_counted(facts([enrolled("e", "02-01", "06-30")], sheets=sheets), RULES)

    assert rows.filter(pl.col("definition_id") == "sheets_in_time").select("n", "value").rows() == [(4.0, 3.0)]


def test_contact_after_an_alert_is_a_conversation_after_it_and_in_time() -> None:
    people = [enrolled(key, "01-05", "06-30") for key in ("soon", "late", "later", "before", "voicemail", "fresh")]
    alerts = [alert(key, "02-10") for key in ("soon", "late", "later", "before", "voicemail")] + [alert("fresh", "03-29")]
    # Carried over the next night: still one alert.
    alerts += [
        alert("soon", "02-17", "02-10", "sent"),
        alert("late", "02-10", state="over_capacity", kind="dropout_risk") | {"opened_on": day("02-09")},
    ]
    contacts = [
        spoke("soon", "02-13"),
        spoke("late", "02-14"),
        spoke("later", "02-25"),
        spoke("before", "02-10"),
        spoke("voicemail", "02-11", "left_message"),
    ]
    found = facts(people, alerts=alerts, contacts=contacts)

    assert told(found, "contacted_3") == {"soon": 1, "late": 0, "later": 0, "before": 0, "voicemail": 0}
    assert told(found, "contacted_14") == {"soon": 1, "late": 1, "later": 0, "before": 0, "voicemail": 0}
    hours = told(found, "hours_to_contact")
    # From midnight in Paris (23:00 UTC in winter) to 10:00 UTC two days later.
    assert hours["soon"] == pytest.approx(2 * 24 + 11)
    assert hours["voicemail"] == 14 * 24


def test_answers_close_alerts_and_say_how_many_were_without_object() -> None:
    people = [enrolled(key, "01-05", "06-30") for key in ("a", "b", "c")]
    answers = [{"enrolment_id": "a", "code": "reached", "on": day("02-12"), "reason": "attendance"}]
    answers += [{"enrolment_id": "b", "code": "not_relevant", "on": day("03-01"), "reason": "attendance"}]
    found = facts(people, alerts=[alert(key, "02-10") for key in "abc"], answers=answers)

    assert told(found, "answered") == {"a": 1, "b": 0, "c": 0}
    assert told(found, "overridden") == {"a": 0, "b": 1}
    assert told(facts(people, alerts=[alert("a", "02-10")]), "answered") == {}


def test_a_repeat_is_a_second_alert_within_sixty_days() -> None:
    people = [enrolled(key, "2025-09-01", "06-30") for key in ("twice", "rarely")]
    alerts = [alert("twice", "02-01"), alert("twice", "03-01"), alert("rarely", "2025-10-01"), alert("rarely", "03-01")]
    rows = everything_counted(facts(people, alerts=alerts), RULES).filter(pl.col("definition_id") == "repeated")

    assert rows.sort("person", "on").select("person", "value").rows() == [("rarely", 0), ("rarely", 0), ("twice", 0), ("twice", 1)]


def test_back_in_training_is_four_fifths_of_what_was_due_and_leavers_are_not_back() -> None:
    people = [enrolled(key, "01-05", "06-30") for key in ("back", "half", "placed")]
    people += [enrolled("left", "01-05", "06-30", "02-20", "dropout"), enrolled("done", "01-05", "02-20", "02-20", "completed")]

    def sheets(who: str, came: int, due: int = 10, on: str = "02-12") -> dict[str, object]:
        return {"enrolment_id": who, "date": day(on), "due": due, "came": came, "expected": due, "in_time": due}

    told_of = [sheets("back", 8), sheets("half", 7), sheets("left", 10), sheets("done", 10), sheets("half", 10, on="02-10")]
    found = facts(people, alerts=[alert(one["enrolment_id"], "02-10") for one in people], sheets=told_of)

    assert told(found, "back_14") == {"back": 1, "half": 0, "placed": None, "left": 0, "done": 1}


def test_ends_are_those_of_all_entrants_once_the_planned_end_is_past() -> None:
    people = [
        enrolled("done", "2025-09-01", "02-01", "02-01", "completed"),
        enrolled("out", "2025-09-01", "02-01", "2025-10-01", "dropout"),
        enrolled("job", "2025-09-01", "02-01", "2025-12-01", "job"),
        enrolled("unknown", "2025-09-01", "02-01"),
        # Left early of a course that is not over: its cohort is not.
        enrolled("early", "01-05", "06-30", "02-01", "dropout"),
    ]
    found = facts(people)

    assert told(found, "completed") == {"done": 1, "out": 0, "job": 0, "unknown": None}
    assert told(found, "dropped") == {"done": 0, "out": 1, "job": 0, "unknown": None}
    assert told(found, "left_for_job") == {"done": 0, "out": 0, "job": 1, "unknown": None}


def test_dropouts_by_week_count_the_weeks_people_were_there() -> None:
    people = [enrolled("stays", "01-01", "06-30"), enrolled("out", "01-01", "06-30", "02-14", "dropout")]
    rows = everything_counted(facts(people), RULES).filter(pl.col("definition_id") == "dropout_weekly").sort("person", "on")

    assert [(row["person"], row["on"].month, round(row["n"] * 7), row["value"]) for row in rows.iter_rows(named=True)] == [
        ("out", 1, 31, 0),
        ("out", 2, 14, 1),
        ("stays", 1, 31, 0),
        # The cut-off is on 31 March: until 26 February every silence of thirty days, with its last sheet, can be known.
        ("stays", 2, 26, 0),
    ]


def test_dropouts_by_week_stop_where_not_every_silence_can_be_known_yet() -> None:
    """An exit told early counts no sooner than a silence of the same day: or the last month would hold one kind alone."""
    people = [enrolled("told", "01-01", "06-30", "03-10", "dropout"), enrolled("before", "01-01", "06-30", "02-10", "dropout")]

    def found(as_of: dt.date) -> set[tuple[str, int]]:
        rows = everything_counted(facts(people, as_of), RULES).filter(pl.col("definition_id") == "dropout_weekly", pl.col("value") == 1)
        return set(rows.select("person", pl.col("on").dt.month()).iter_rows())

    assert found(CUT_OFF) == {("before", 2)}
    assert found(day("04-30")) == {("before", 2), ("told", 3)}


def test_insertion_takes_the_nearest_answer_and_leaves_the_unknown_unknown() -> None:
    keys = ("job", "training", "unknown", "silent", "off")
    people = [enrolled(key, "2025-03-01", "2025-08-01", "2025-08-01", "completed") for key in keys]
    people += [enrolled("recent", "2025-08-01", "02-01", "02-01", "completed")]
    answers = [
        ("job", 5, "short_job"),
        ("job", 6, "permanent_job"),
        ("training", 6, "qualifying_training"),
        ("unknown", 6, "unknown"),
        ("off", 3, "long_job"),
    ]
    followups = [
        {"enrolment_id": who, "observed_on": day("02-10"), "months_after_exit": months, "situation": what} for who, months, what in answers
    ]
    found = facts(people, followups=followups)

    nobody = {"unknown": None, "silent": None, "off": None}
    assert told(found, "in_work_6") == {"job": 1, "training": 0} | nobody
    assert told(found, "lasting_6") == {"job": 1, "training": 0} | nobody
    assert told(found, "positive_6") == {"job": 1, "training": 1} | nobody


def test_job_search_counts_when_talked_about_before_the_end() -> None:
    people = [enrolled(key, "2025-09-01", "02-01", "01-15", "completed") for key in ("before", "after")]
    contacts = [spoke("before", "01-10", purpose="job_search"), spoke("after", "01-20", purpose="job_search")]

    assert told(facts(people, contacts=contacts), "searched") == {"before": 1, "after": 0}


def test_every_row_counted_has_its_definition_and_every_definition_its_words() -> None:
    for one in DEFINITIONS.values():
        assert all((one.title, one.population, one.numerator, one.denominator, one.horizon, one.source)), one.definition_id
        assert "{" not in one.title + one.horizon
    found = everything_counted(facts([enrolled("a", "2025-09-01", "02-01", "02-01", "completed")], alerts=[alert("a", "02-10")]), RULES)
    assert set(found["definition_id"]) <= set(DEFINITIONS)


def test_figures_add_up_over_units_and_months() -> None:
    people = [enrolled(f"a{n}", "2025-10-01", "01-10", "01-10", "completed" if n % 4 else "dropout") for n in range(40)]
    people += [
        enrolled(f"b{n}", "2025-10-01", "02-10", "02-10", "completed", territory_id="U", provider_id="P2", operator="mission")
        for n in range(60)
    ]
    table = tabulate(everything_counted(facts(people), RULES)).filter(pl.col("definition_id") == "completed")
    shown = {(row["unit"], row["month"]): row for row in table.iter_rows(named=True)}

    assert shown["all", None]["value"] == pytest.approx(0.9)
    assert shown["territory:T", None]["value"] == pytest.approx(0.75)
    assert shown["operator:mission", "2026-02"]["n"] == 60
    assert shown["provider:P1", "2026-01"]["value"] == pytest.approx(0.75)
    low, high = (pl.select(bound).item() for bound in wilson(pl.lit(30), pl.lit(40)))
    assert (low, high) == (pytest.approx(0.5981, abs=1e-4), pytest.approx(0.8581, abs=1e-4))
    assert shown["territory:T", None]["low"] == pytest.approx(low)


def test_few_people_are_hidden_with_a_companion() -> None:
    people = [enrolled(f"a{n}", "2025-10-01", "01-10", "01-10", "completed", provider_id="small") for n in range(15)]
    people += [enrolled(f"b{n}", "2025-10-01", "01-10", "01-10", "completed", provider_id="next") for n in range(30)]
    people += [enrolled(f"c{n}", "2025-10-01", "01-10", "01-10", "dropout", provider_id="large") for n in range(90)]
    table = tabulate(everything_counted(facts(people), RULES)).filter(pl.col("definition_id") == "completed", pl.col("month").is_null())
    shown = dict(table.select("unit", "shown").iter_rows())

    assert not shown["provider:small"]
    assert not shown["provider:next"]
    assert shown["provider:large"]
    assert (
        table.filter(~pl.col("shown")).select("people", "n", "missing", "value", "low", "high").null_count().sum_horizontal().item() == 12
    )


def at_work(**cells: tuple[str, str, int]) -> dict[str, bool]:
    """Which units are shown for the whole period, when so many people complete at these providers and territories."""
    people = [
        enrolled(f"{name}{n}", "2025-10-01", "01-10", "01-10", "completed", provider_id=provider, territory_id=territory)
        for name, (provider, territory, number) in cells.items()
        for n in range(number)
    ]
    table = tabulate(everything_counted(facts(people), RULES)).filter(pl.col("definition_id") == "completed", pl.col("month").is_null())
    return dict(table.select("unit", "shown").iter_rows())


def test_a_provider_with_few_people_in_a_second_territory_does_not_follow_by_subtraction() -> None:
    """Territory U less its other providers would be the five people of M there; so would M less what M does in T."""
    homes = {"a": ("P1", "T", 400), "b": ("P2", "T", 300), "e": ("P3", "U", 500), "f": ("P4", "U", 350)}

    shown = at_work(**homes, c=("M", "T", 60), d=("M", "U", 5))

    assert not (shown["territory:U"] and shown["provider:P3"] and shown["provider:P4"])
    assert not (shown["territory:T"] and shown["provider:P1"] and shown["provider:P2"] and shown["provider:M"])
    assert shown["all"]
    assert all(at_work(**homes, c=("M", "T", 60), d=("M", "U", 50)).values())


def test_a_small_provider_in_two_territories_costs_neighbours_and_not_the_figure_for_all() -> None:
    shown = at_work(a=("P1", "T", 400), b=("P2", "T", 300), c=("M", "T", 4), d=("M", "U", 4), e=("P3", "U", 500), f=("P4", "U", 350))

    assert {unit for unit, seen in shown.items() if not seen} == {"provider:M", "provider:P2", "provider:P4"}


def test_a_month_of_a_small_provider_does_not_follow_through_cells_that_no_table_shows() -> None:
    """P0 works in T0 and T2; where each of its cells can be worked out, nothing published stood beside P1's eight people."""
    months = {"01-10": {("P0", "T0"): 40, ("P1", "T1"): 8, ("P0", "T2"): 60}, "02-10": {("P0", "T0"): 36, ("P1", "T1"): 36}}
    people = [
        enrolled(f"{day}{provider}{territory}{n}", "2025-10-01", day, day, "completed", provider_id=provider, territory_id=territory)
        for day, cells in months.items()
        for (provider, territory), number in cells.items()
        for n in range(number)
    ]
    table = tabulate(everything_counted(facts(people), RULES)).filter(pl.col("definition_id") == "completed", pl.col("month") == "2026-01")
    shown = dict(table.select("unit", "shown").iter_rows())

    assert not shown["provider:P1"]
    assert not (shown["all"] and shown["provider:P0"])
    assert shown["all"]


def test_nothing_of_before_the_period_counts() -> None:
    old = CUT_OFF - dt.timedelta(days=1_000)
    people = [
        enrolled("old", old.isoformat(), (old + dt.timedelta(days=90)).isoformat(), (old + dt.timedelta(days=90)).isoformat(), "completed")
    ]

    assert everything_counted(facts(people, contacts=[spoke("old", old.isoformat(), "kept")]), RULES).is_empty()


def repeated(rng: np.random.Generator, people: int, alike: float) -> pl.DataFrame:
    """Rows of an indicator: each person counted two to six times, alike within a person."""
    often = rng.integers(2, 7, people)
    who = np.repeat(np.arange(people), often)
    own = rng.beta(0.4 / alike, 0.6 / alike, people)[who]
    return pl.DataFrame({"person": who.astype(str), "value": (rng.random(len(who)) < own).astype(float)}).with_columns(
        definition_id=pl.lit("contact_by_risk"), kind=pl.lit("all"), unit=pl.lit("all"), month=pl.lit(None, pl.String), n=pl.lit(1.0)
    )


def test_somebody_counted_several_times_counts_as_one_in_the_interval() -> None:
    rng = np.random.default_rng(9)
    found = figures(pl.concat([repeated(rng, 60, 1.0).with_columns(unit=pl.lit(str(turn))) for turn in range(1_000)]))
    row = found.row(0, named=True)
    naive = wilson(pl.lit(row["n"] * row["value"]), pl.lit(row["n"]))
    low, high = pl.select(naive[0].alias("low"), naive[1].alias("high")).row(0)

    held = found.select(pl.lit(0.4).is_between("low", "high").mean()).item()
    assert 0.93 < held < 0.975
    assert row["high"] - row["low"] > 1.3 * (high - low)


def test_an_interval_of_people_counted_once_is_wilson_and_half_days_have_none() -> None:
    rows = repeated(np.random.default_rng(1), 60, 1.0).unique("person", keep="first", maintain_order=True)
    (row,) = figures(rows).to_dicts()
    low, high = pl.select(*(end.alias(name) for name, end in zip("lh", wilson(pl.lit(rows["value"].sum()), pl.lit(60)), strict=True))).row(
        0
    )

    assert (row["people"], row["n"]) == (60, 60)
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert figures(rows.with_columns(n=pl.lit(2.0)))["low"].to_list() == [None]


def test_everybody_alike_leaves_an_interval() -> None:
    rows = repeated(np.random.default_rng(1), 30, 1.0).with_columns(value=pl.lit(1.0))

    (row,) = figures(rows).to_dicts()

    assert row["value"] == 1
    assert row["low"] == pytest.approx(pl.select(wilson(pl.lit(30.0), pl.lit(30.0))[0]).item())


def test_nights_that_did_not_run_are_named() -> None:
    nights = [day("02-01"), day("02-03"), day("02-06")]

    assert named(missed(nights, day("02-01"), day("02-07"))) == "02/02/2026, du 04/02/2026 au 05/02/2026, 07/02/2026"
    assert missed(nights, day("02-03"), day("02-03")) == []
    weekly = missed([day("01-01")], day("01-01"), day("01-01")) + [day("01-01") + dt.timedelta(days=2 * n) for n in range(9)]
    assert named(weekly).endswith("11/01/2026, et 3 autres")
