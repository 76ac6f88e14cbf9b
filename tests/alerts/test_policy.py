from __future__ import annotations

import datetime as dt
from dataclasses import replace

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.candidates import week_start
from alerts.facts import PAST_COLUMNS, Facts
from alerts.policy import LISTED, decide
from alerts.routing import NO_TERRITORY
from data_contracts.tables.outputs import REASON
from vigie.rules import Rules, read_rules
from vigie.settings import ROOT

RULES = read_rules(ROOT / "config")
DAY = dt.date(2026, 3, 4)
NO_PAST = pl.DataFrame(schema=PAST_COLUMNS)
REASONS = pl.List(REASON.dtype)


def instant(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC)


def people(risks: list[float], *, owners: list[str | None] | None = None, entered_days: int = 60) -> Facts:
    """One learner for each risk; owned by advisor A unless said otherwise. Advisor B has left; C stands in for B."""
    ids = [f"{n:03d}" for n in range(len(risks))]
    owned = owners if owners is not None else ["A"] * len(risks)
    entry = DAY - dt.timedelta(days=entered_days)
    n = len(risks)
    return Facts(
        as_of=DAY,
        scores=pl.DataFrame(
            {
                "enrolment_id": ids,
                "risk": risks,
                "reasons": [[{"code": "attendance", "feature": "x", "value": 2.0, "contribution": 0.4, "previous_value": 0.0}]] * n,
            },
            schema={"enrolment_id": pl.String, "risk": pl.Float64, "reasons": REASONS},
        ),
        enrolments=pl.DataFrame(
            {
                "enrolment_id": ids,
                "learner_id": [f"L{name}" for name in ids],
                "session_id": ["S"] * n,
                "enrolled_on": [entry] * n,
                "entry_date": [entry] * n,
                "planned_exit_date": [DAY + dt.timedelta(days=60)] * n,
            },
            schema_overrides={"enrolment_id": pl.String, "learner_id": pl.String},
        ),
        sessions=pl.DataFrame({"session_id": ["S"], "territory_id": ["T"]}),
        exits=pl.DataFrame(schema={"enrolment_id": pl.String, "exit_date": pl.Date}),
        assignments=pl.DataFrame(
            [(f"L{name}", entry, None, owner) for name, owner in zip(ids, owned, strict=True) if owner],
            schema={"learner_id": pl.String, "valid_from": pl.Date, "valid_to": pl.Date, "advisor_id": pl.String},
            orient="row",
        ),
        advisors=pl.DataFrame(
            [
                ("A", 3, dt.date(2020, 1, 1), None, "C"),
                ("B", 3, dt.date(2020, 1, 1), DAY - dt.timedelta(days=1), "C"),
                ("C", 3, dt.date(2020, 1, 1), None, None),
            ],
            schema={
                "advisor_id": pl.String,
                "weekly_capacity": pl.Int32,
                "active_from": pl.Date,
                "active_to": pl.Date,
                "backup_advisor_id": pl.String,
            },
            orient="row",
        ),
        contacts=spoken(),
        past=NO_PAST,
        held_out=pl.DataFrame(schema={"enrolment_id": pl.String}),
    )


def spoken(*who: tuple[str, dt.date]) -> pl.DataFrame:
    rows = [(learner, instant(day), "reached") for learner, day in who]
    return pl.DataFrame(rows, schema={"learner_id": pl.String, "occurred_at": pl.Datetime("us", "UTC"), "outcome": pl.String}, orient="row")


def next_night(facts: Facts, alerts: pl.DataFrame, days: int = 1) -> Facts:
    past = pl.concat([facts.past, alerts.select(pl.col(name).cast(dtype) for name, dtype in PAST_COLUMNS.items())])
    return replace(facts, as_of=facts.as_of + dt.timedelta(days=days), past=past)


def states(alerts: pl.DataFrame, kind: str = "dropout_risk") -> dict[str, str]:
    chosen = alerts.filter(pl.col("kind").cast(pl.String) == kind)
    return dict(chosen.select("enrolment_id", pl.col("state").cast(pl.String)).rows())


def test_the_riskiest_fill_the_week_and_the_rest_waits_in_sight() -> None:
    alerts = decide(people([0.1, 0.4, 0.2, 0.3, 0.01]), RULES)

    assert states(alerts) == {"001": "new", "003": "new", "002": "new", "000": "over_capacity"}
    assert alerts["rank"].to_list() == [1, 2, 3, 4]


def test_an_alert_opened_earlier_stays_with_its_identifier_and_costs_no_budget() -> None:
    facts = people([0.4, 0.3, 0.2, 0.1])
    first = decide(facts, RULES)

    second = decide(next_night(facts, first), RULES)

    assert states(second) == {"000": "sent", "001": "sent", "002": "sent", "003": "over_capacity"}
    kept = second.filter(pl.col("state").cast(pl.String) == "sent")
    assert set(kept["alert_id"]) <= set(first["alert_id"])
    assert kept["opened_on"].unique().to_list() == [DAY]


def test_a_new_week_brings_a_new_budget() -> None:
    facts = people([0.4, 0.3, 0.2, 0.1])

    later = decide(next_night(facts, decide(facts, RULES), days=7), RULES)

    assert states(later)["003"] == "new"


def test_somebody_spoken_with_since_leaves_the_list_and_is_not_called_again_within_the_cool_down() -> None:
    facts = people([0.4])
    following = replace(next_night(facts, decide(facts, RULES), days=2), contacts=spoken(("L000", DAY + dt.timedelta(days=1))))

    alerts = decide(following, RULES)

    assert states(alerts) == {"000": "repeat_suppressed"}


def test_nobody_spoken_with_in_the_last_days_gets_a_first_risk_alert() -> None:
    facts = replace(people([0.4]), contacts=spoken(("L000", DAY - dt.timedelta(days=2))))

    assert states(decide(facts, RULES)) == {}


def test_a_case_does_not_flicker_while_its_risk_moves_about_the_limit() -> None:
    facts = people([0.06])
    limit = RULES.default.minimum_risk
    following = next_night(facts, decide(facts, RULES))
    near = people([limit * 0.8]).scores
    far = people([limit * 0.5]).scores

    assert states(decide(replace(following, scores=near), RULES)) == {"000": "sent"}
    assert states(decide(replace(following, scores=far), RULES)) == {}
    assert states(decide(people([limit * 0.8]), RULES)) == {}


def test_nothing_is_due_on_a_weekend() -> None:
    for days in range(7):
        facts = people([0.4])
        entry = pl.col("entry_date") + pl.duration(days=days)
        moved = replace(facts, as_of=DAY + dt.timedelta(days=days), enrolments=facts.enrolments.with_columns(entry))
        due = decide(moved, RULES)["due_on"][0]
        wanted = DAY + dt.timedelta(days=days + RULES.default.contact_within_days)
        assert due.weekday() < 5
        assert 0 <= (due - wanted).days <= 2


def test_an_alert_nobody_took_expires() -> None:
    facts = people([0.4])
    opened = decide(facts, RULES)

    days = RULES.invariants.alert_expires_days
    assert states(decide(next_night(facts, opened, days - 1), RULES)) == {"000": "sent"}
    assert decide(next_night(facts, opened, days), RULES)["opened_on"].to_list() == [DAY + dt.timedelta(days=days)]


def test_owner_else_backup_else_the_territory() -> None:
    alerts = decide(people([0.4, 0.4, 0.4], owners=["A", "B", None]), RULES).filter(pl.col("kind").cast(pl.String) == "dropout_risk")

    routes = {row["enrolment_id"]: (row["queue"], row["advisor_id"]) for row in alerts.to_dicts()}
    assert routes == {"000": ("owner", "A"), "001": ("backup", "C"), "002": ("territory", None)}


def test_a_learner_without_owner_is_a_task_of_the_territory() -> None:
    alerts = decide(people([0.01], owners=[None]), RULES)

    assert states(alerts, "no_owner") == {"000": "new"}
    assert alerts["queue"].cast(pl.String).to_list() == ["territory"]


def test_an_owner_who_left_is_missed_though_a_backup_takes_the_calls() -> None:
    alerts = decide(people([0.4], owners=["B"]), RULES)

    routes = {row["kind"]: (row["queue"], row["advisor_id"]) for row in alerts.to_dicts()}
    assert routes == {"dropout_risk": ("backup", "C"), "no_owner": ("territory", None)}


def test_an_owner_is_looked_for_before_the_delay_to_find_one_is_over() -> None:
    first = RULES.invariants.owner_within_days - RULES.invariants.promise_warning_days

    assert states(decide(people([0.01], owners=[None], entered_days=first - 1), RULES), "no_owner") == {}
    assert states(decide(people([0.01], owners=[None], entered_days=first), RULES), "no_owner") == {"000": "new"}


def test_an_enrolment_that_came_before_its_session_still_reaches_somebody() -> None:
    facts = people([0.4, 0.4], owners=["A", None])

    alerts = decide(replace(facts, sessions=facts.sessions.clear()), RULES)

    risks = alerts.filter(pl.col("kind").cast(pl.String) == "dropout_risk")
    assert {row["enrolment_id"]: row["advisor_id"] for row in risks.to_dicts()} == {"000": "A", "001": None}
    assert NO_TERRITORY not in RULES.territories


def test_a_second_reason_for_somebody_already_listed_takes_no_place_from_the_others() -> None:
    """One person listed last week gains an entry contact this week: the week still has room for three new people, not two, not four."""
    within = RULES.invariants.entry_contact_within_days
    facts = people([0.9, 0.0, 0.0, 0.0, 0.0], entered_days=within - 5 - 5)
    sunday = next_night(facts, decide(facts, RULES), days=4)
    monday = next_night(sunday, decide(sunday, RULES))
    entered = monday.enrolments.with_columns(
        entry_date=pl.when(pl.col("enrolment_id") == "000").then("entry_date").otherwise(DAY - dt.timedelta(days=60)),
    )
    monday = replace(monday, enrolments=entered, scores=people([0.9, 0.0, 0.0, 0.0, 0.0]).scores)
    first = decide(monday, RULES)
    assert states(first, "entry_contact_due") == {"000": "new"}

    tuesday = replace(next_night(monday, first), scores=people([0.9, 0.8, 0.7, 0.6, 0.5]).scores)

    assert states(decide(tuesday, RULES)) == {"000": "sent", "001": "new", "002": "new", "003": "new", "004": "over_capacity"}


def test_somebody_called_this_week_is_not_paid_for_twice() -> None:
    one = RULES.model_copy(update={"default": RULES.default.model_copy(update={"queue_capacity": 1})})
    facts = people([0.4], owners=[None], entered_days=RULES.invariants.owner_within_days - RULES.invariants.promise_warning_days - 1)
    following = replace(next_night(facts, decide(facts, one)), contacts=spoken(("L000", DAY + dt.timedelta(days=1))))

    alerts = decide(following, one)

    assert (states(alerts), states(alerts, "no_owner")) == ({"000": "repeat_suppressed"}, {"000": "new"})


def test_a_budget_spent_on_monday_is_spent_until_sunday() -> None:
    facts = replace(people([0.4, 0.3, 0.2, 0.1]), as_of=week_start(DAY))
    spent = decide(facts, RULES)

    assert states(decide(next_night(facts, spent, days=6), RULES))["003"] == "over_capacity"
    assert states(decide(next_night(facts, spent, days=7), RULES))["003"] == "new"


def test_an_entry_contact_is_due_near_its_delay_and_not_once_spoken_with_nor_long_after() -> None:
    within = RULES.invariants.entry_contact_within_days
    due = people([0.01], entered_days=within - 1)

    assert states(decide(due, RULES), "entry_contact_due") == {"000": "new"}
    assert states(decide(replace(due, contacts=spoken(("L000", DAY))), RULES), "entry_contact_due") == {}
    assert states(decide(people([0.01], entered_days=2), RULES), "entry_contact_due") == {}
    assert states(decide(people([0.01], entered_days=2 * within + 1), RULES), "entry_contact_due") == {}


def test_held_out_people_get_no_risk_alert_but_every_promise_is_kept() -> None:
    facts = people([0.4], entered_days=RULES.invariants.entry_contact_within_days)

    alerts = decide(replace(facts, held_out=pl.DataFrame({"enrolment_id": ["000"]})), RULES)

    assert states(alerts) == {"000": "held_out"}
    assert states(alerts, "entry_contact_due") == {"000": "new"}


def test_two_reasons_to_call_one_person_are_one_call() -> None:
    facts = people([0.4, 0.3, 0.2, 0.15], entered_days=RULES.invariants.entry_contact_within_days)

    alerts = decide(facts, RULES)

    listed = alerts.filter(pl.col("state").cast(pl.String).is_in(LISTED))
    assert listed["learner_id"].n_unique() == 3
    assert listed.height == 6


def test_nothing_for_people_who_left_or_finished_or_never_came() -> None:
    facts = people([0.9, 0.9, 0.9], owners=[None, None, None])
    gone = facts.enrolments.with_columns(
        entry_date=pl.when(pl.col("enrolment_id") == "001").then(None).otherwise("entry_date"),
        planned_exit_date=pl.when(pl.col("enrolment_id") == "002").then(DAY - dt.timedelta(days=1)).otherwise("planned_exit_date"),
    )
    exits = pl.DataFrame({"enrolment_id": ["000"], "exit_date": [DAY]})

    assert decide(replace(facts, enrolments=gone, exits=exits), RULES).is_empty()


risks = st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=14)
owners = st.sampled_from(["A", "B", "C", None])


@settings(max_examples=25, deadline=None)
@given(data=st.data(), risk=risks, nights=st.integers(1, 20))
def test_over_weeks_no_budget_is_passed_and_no_alert_repeats(data: st.DataObject, risk: list[float], nights: int) -> None:
    owned = data.draw(st.lists(owners, min_size=len(risk), max_size=len(risk)))
    facts = people(risk, owners=owned, entered_days=data.draw(st.integers(0, 40)))
    opened: list[tuple[dt.date, str, str, str]] = []
    called: list[tuple[dt.date, str, str]] = []
    for _ in range(nights):
        moved = [min(1.0, max(0.0, value + data.draw(st.sampled_from([-0.1, 0.0, 0.0, 0.1])))) for value in risk]
        facts = replace(facts, scores=people(moved).scores)
        alerts = decide(facts, RULES)
        _each_alert_has_one_recipient(alerts)
        rows = alerts.select(
            pl.col("kind", "state").cast(pl.String), "learner_id", recipient=pl.coalesce("advisor_id", pl.lit("territory T"))
        )
        opened += [(facts.as_of, *row) for row in rows.filter(state="new").select("recipient", "learner_id", "kind").rows()]
        there = rows.filter(state="sent").select("recipient", "learner_id").rows()
        called += [(facts.as_of, *row) for row in rows.filter(state="new").select("recipient", "learner_id").rows() if row not in there]
        facts = next_night(facts, alerts)
    _order_of_rows_does_not_matter(facts)
    _budget_holds(called, RULES)
    _cool_down_holds(opened, RULES)


def _order_of_rows_does_not_matter(facts: Facts) -> None:
    tables = ("scores", "enrolments", "sessions", "assignments", "advisors", "contacts", "past")
    shuffled = replace(facts, **{name: getattr(facts, name).reverse() for name in tables})
    assert decide(facts, RULES).equals(decide(shuffled, RULES))


def _each_alert_has_one_recipient(alerts: pl.DataFrame) -> None:
    assert alerts["alert_id"].is_unique().all()
    assert ((alerts["queue"].cast(pl.String) == "territory") == alerts["advisor_id"].is_null()).all()
    ranks = alerts.group_by(pl.coalesce("advisor_id", pl.lit("territory"))).agg(pl.col("rank").sort())
    assert all(rank == list(range(1, len(rank) + 1)) for rank in ranks["rank"].to_list())


def _budget_holds(called: list[tuple[dt.date, str, str]], rules: Rules) -> None:
    weeks: dict[tuple[dt.date, str], set[str]] = {}
    for day, recipient, learner in called:
        weeks.setdefault((week_start(day), recipient), set()).add(learner)
    for (_, recipient), learners in weeks.items():
        assert len(learners) <= (rules.default.queue_capacity if recipient.startswith("territory") else 3)


def _cool_down_holds(opened: list[tuple[dt.date, str, str, str]], rules: Rules) -> None:
    last: dict[tuple[str, str], dt.date] = {}
    for day, _, learner, kind in opened:
        before = last.get((learner, kind))
        assert before is None or (day - before).days >= rules.invariants.cool_down_days
        last[learner, kind] = day
