from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import fastexcel
import polars as pl
import pytest

from alerts import wording
from alerts.language import day
from alerts.likelihood import counted, likelihood, sooner_later, spread
from alerts.lists import html, xlsx
from alerts.lists.files import write_lists
from alerts.lists.page import AdvisorList, Line
from alerts.lists.rows import Words, lists
from alerts.lists.terminal import table
from alerts.wording import Phrase, amount, better, change, changed, why
from data_contracts.tables.outputs import Alerts
from models.scoring import FIRST_DAYS
from pipelines.wording import phrases as spoken
from tests.alerts.made import risk_alerts
from tests.alerts.world import NATIONAL

if TYPE_CHECKING:
    from pathlib import Path

NASTY = "=cmd|' /C calc'!A0"
SCRIPT = "<script>alert(1)</script>"


def line(who: str, **changes: object) -> Line:
    values = {
        "rank": 1,
        "who": who,
        "phone": "06 39 98 00 01",
        "email": "",
        "course": "Soudeur, Organisme",
        "tags": ["Situation à reprendre"],
        "why": ["3 demi-journées d'absence."],
        "changed": [],
        "likelihood": "Sur 100",
        "caution": "",
        "estimated": True,
        "actions": ["Appeler."],
        "since": "lundi 2 mars",
        "until": "jeudi 5 mars",
    }
    return Line(**(values | changes))  # type: ignore[arg-type]


def of(*lines: Line, key: str = "A") -> AdvisorList:
    return AdvisorList(key, "Zoé D'Ange", "À contacter", dt.date(2026, 3, 4), list(lines), 2, "Données simulées")


def test_a_page_escapes_what_deliveries_bring_and_asks_nothing_of_the_network() -> None:
    page = html.render(of(line(SCRIPT), line("محمد الأمين"), line("N'Diaye", phone='"><img src=x>')))

    assert SCRIPT not in page
    assert "&lt;script&gt;" in page
    assert "<img" not in page
    assert "محمد الأمين" in page
    assert "http" not in page
    assert '<html lang="fr">' in page


def test_an_empty_list_is_a_page_too() -> None:
    assert "Aucune personne à contacter" in html.render(of())


def test_a_spreadsheet_holds_text_and_never_a_formula(tmp_path: Path) -> None:
    xlsx.write(of(line(NASTY), line("+33 6", phone="@SUM(A1)")), tmp_path / "list.xlsx")

    sheet = fastexcel.read_excel(tmp_path / "list.xlsx").load_sheet(0, header_row=None).to_polars()

    values = {value for row in sheet.rows() for value in row if value}
    assert {NASTY, "+33 6", "@SUM(A1)"} <= values


def test_the_same_list_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        xlsx.write(of(line("Zoé")), tmp_path / name)

    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_lists_of_a_former_run_are_removed_and_file_names_are_safe(tmp_path: Path) -> None:
    write_lists(tmp_path / "lists", [of(key="gone")])
    write_lists(tmp_path / "lists", [of(key="../../etc/passwd")])

    names = {path.name for path in (tmp_path / "lists").iterdir()}
    assert names == {f".._.._etc_passwd-3754d6cb3a38{ending}" for ending in (".html", ".xlsx")}


def test_two_recipients_never_read_each_others_names(tmp_path: Path) -> None:
    write_lists(tmp_path / "lists", [of(line("Seen by a/b"), key="a/b"), of(line("Seen by a_b"), key="a_b")])

    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "lists").glob("*.html")}
    assert len(pages) == 2
    assert "Seen by a_b" in pages["a_b.html"]
    assert sum("Seen by a/b" in page for page in pages.values()) == 1


def test_a_link_carries_an_address_and_nothing_else() -> None:
    page = html.render(of(line("Zoé", email="z@b.fr?bcc=spy@x.fr", phone="06 39.98\u202f00 01 (soir)")))

    assert 'href="mailto:z@b.fr%3Fbcc%3Dspy@x.fr"' in page
    assert 'href="tel:0639980001"' in page


def told(state: str, **changes: object) -> pl.DataFrame:
    night = risk_alerts(dt.date(2026, 3, 4), "a").with_columns(state=pl.lit(state), territory_id=pl.lit("T"), course=pl.lit("Soudeur"))
    return night.with_columns(**{name: pl.lit(value) for name, value in ({"low_confidence": False} | changes).items()})


def test_who_is_off_the_sheets_is_told_so_first_and_no_number_whatever_raises_the_risk() -> None:
    off = {"code": "attendance", "feature": "days_off_sheets", "value": 5.0, "contribution": 0.0, "previous_value": None}
    silent = {"code": "activity", "feature": "x", "value": 3.0, "contribution": 0.4, "previous_value": None}
    phrases = {
        "x": Phrase("{value} sans activité", "days", direction=1),
        "days_off_sheets": Phrase("nom absent depuis {value}", "days", direction=1),
    }
    alert = told("new", low_confidence=True, planned_exit_date=dt.date(2026, 9, 1)).to_dicts()[0] | {"reasons": [silent, off]}

    said = wording.told([alert], phrases, {})

    assert said.why == ["Nom absent depuis 5 jours.", "3 jours sans activité."]
    assert said.likelihood == wording.MAY_BE_GONE
    assert not said.estimated
    assert wording.told([alert | {"low_confidence": False}], phrases, {}).estimated


@pytest.mark.parametrize(
    ("entered", "told_of"),
    [(9, "depuis l'entrée"), (13, "depuis l'entrée"), (14, "sur les 14 derniers jours"), (None, "sur les 14 derniers jours")],
)
def test_a_window_longer_than_the_stay_is_told_as_all_of_it(entered: int | None, told_of: str) -> None:
    phrases = {
        "x": Phrase("{value} d'absence sur les 14 derniers jours", "half_days", "{value} of absence in the last 14 days"),
        "y": Phrase("présence de {value} sur les 7 derniers jours", "share", "{value} attended in the last 7 days"),
        "z": Phrase("{value} avec retard sur les 28 derniers jours", "half_days", "{value} late in the last 28 days"),
    }
    reasons = [
        {"code": "attendance", "feature": name, "value": value, "contribution": 0.4, "previous_value": before}
        for name, value, before in (("x", 5.0, 2.0), ("y", 0.5, None), ("z", 3.0, None))
    ]
    night = dt.date(2026, 3, 14)
    first = None if entered is None else night - dt.timedelta(days=entered - 1)
    alert = told("sent", planned_exit_date=dt.date(2026, 9, 1)).to_dicts()[0] | {"reasons": reasons, "as_of": night, "entry_date": first}

    said = wording.told([alert], phrases, {})

    long = "depuis l'entrée" if entered else "sur les 28 derniers jours"
    late = f"3 demi-journées avec retard {long}."
    assert said.why == [f"5 demi-journées d'absence {told_of}.", "Présence de 50\u00a0% sur les 7 derniers jours.", late]
    assert said.changed == [f"5 demi-journées d'absence {told_of}, contre 2 une semaine plus tôt."]


@pytest.mark.parametrize("feature", ["unanswered_attempts", "missed_appointments_56"])
def test_attempts_that_age_are_no_better(feature: str) -> None:
    aged = {"code": "contacts", "feature": feature, "value": 2.0, "contribution": 0.4, "previous_value": 3.0}

    assert change(aged, spoken()) is None


def test_no_figure_of_attendance_is_better_while_an_absence_goes_on() -> None:
    week = {"code": "attendance", "feature": "attendance_share_7", "value": 0.6, "contribution": 0.0, "previous_value": 0.3}
    absent = {"code": "attendance", "feature": "absence_begun_half_days", "value": 3.0, "contribution": 0.0, "previous_value": None}
    count = {"code": "attendance", "feature": "unjustified_half_days_14", "value": 6.0, "contribution": 0.4, "previous_value": None}
    online = {"code": "activity", "feature": "activity_count_7", "value": 3.0, "contribution": 0.2, "previous_value": 0.0}

    back, away = (" ".join(wording.changed([count, week, online, *more], spoken())) for more in ([], [absent]))

    assert back.count("c'est mieux") == 2
    assert "Présence de 60" in away
    assert "contre 30" in away
    assert away.count("c'est mieux") == 1


OF_ALL_KINDS = "sur les 7 derniers jours, toutes absences confondues"


@pytest.mark.parametrize(
    ("now", "before", "counted", "changes"),
    [
        (0.3, 0.7, None, f"Présence de 30\u00a0% {OF_ALL_KINDS}, contre 70\u00a0% une semaine plus tôt."),
        (0.9, 0.4, 8.0, f"Présence de 90\u00a0% {OF_ALL_KINDS} : c'est mieux qu'une semaine plus tôt (40\u00a0%)."),
        # It says more than what is told as the reason did two weeks ago.
        (0.3, 0.7, 3.0, f"Présence de 30\u00a0% {OF_ALL_KINDS}, contre 70\u00a0% une semaine plus tôt."),
    ],
)
def test_two_weeks_far_apart_are_told_in_the_place_of_a_count_over_more_days(
    now: float, before: float, counted: float | None, changes: str
) -> None:
    absent = {"code": "attendance", "feature": "unjustified_half_days_14", "value": 8.0, "contribution": 0.4, "previous_value": counted}
    week = {"code": "attendance", "feature": "attendance_share_7", "value": now, "contribution": 0.0, "previous_value": before}

    assert changed([absent, week], spoken()) == [changes]
    # A return says it better still, and hides no week that was worse.
    back = week | {"feature": "presence_streak_half_days", "value": 6.0, "previous_value": None}
    assert (changes in changed([absent, week, back], spoken())) == (now < before)
    assert [one["feature"] for one in wording.grounds([absent, week], spoken())] == ["unjustified_half_days_14"]


def test_the_service_introduces_itself_before_it_asks_about_absences() -> None:
    risk, entry = told("new", risk=0.5, suggested_action="call_about_absences"), told("new", suggested_action="entry_call")
    both = pl.concat([risk, entry.with_columns(kind=pl.lit("entry_contact_due", risk.schema["kind"]))]).with_columns(
        planned_exit_date=dt.date(2026, 9, 1)
    )

    assert wording.told(both.to_dicts(), {}, {}).actions == ["entry_call", "call_about_absences"]


def test_what_one_call_does_together_is_asked_for_once() -> None:
    both = "mid_course_and_job_search"

    def asked(*actions: str, words: tuple[str, ...] = (both,)) -> list[str]:
        alerts = [told("new", suggested_action=action).with_columns(planned_exit_date=dt.date(2026, 9, 1)) for action in actions]
        return wording.told(pl.concat(alerts).to_dicts(), {}, {word: word for word in words}).actions

    assert asked("mid_course_call", "find_owner", "prepare_job_search") == [both, "find_owner"]
    # Whoever is to look after somebody is named before the service introduces itself, and a first talk is the entry call and the point.
    assert asked("mid_course_call", "entry_call", "prepare_job_search", "find_owner", "first_talk") == [
        *("find_owner", "first_talk", "prepare_job_search")
    ]
    assert asked("prepare_job_search", "entry_call", "find_owner") == ["find_owner", "entry_call", "prepare_job_search"]
    assert asked("first_talk", "first_talk_about_absences", "find_owner") == ["find_owner", "first_talk"]
    assert asked("first_talk", "find_owner", "check_still_there") == ["check_still_there", "find_owner"]
    assert asked("prepare_job_search", "find_owner") == ["prepare_job_search", "find_owner"]
    # Rules of one's own may have no sentence for both.
    assert asked("mid_course_call", "prepare_job_search", words=()) == ["mid_course_call", "prepare_job_search"]
    assert both in NATIONAL.default.actions


@pytest.mark.parametrize(("days", "said"), [(13, wording.CAUTION_NEW), (14, wording.CAUTION), (None, wording.CAUTION)])
def test_a_word_of_caution_says_which_kind_of_little_is_known(days: int | None, said: str) -> None:
    night = dt.date(2026, 3, 4)
    dates = {"as_of": night} if days is None else {"as_of": night, "entry_date": night - dt.timedelta(days=days)}

    assert wording.caution(dates) == said
    assert wording.NEW_DAYS == FIRST_DAYS


WORDS = Words({}, {"T": {}}, {"T": "À contacter"}, "")
NOBODY = pl.DataFrame(
    schema={"learner_id": pl.String, "given_name": pl.String, "family_name": pl.String, "phone": pl.String, "email": pl.String}
)
ADVISOR = pl.DataFrame({"advisor_id": ["A"], "name": ["Zoé"]})


@pytest.mark.parametrize(("state", "lines", "waiting"), [("new", 1, 0), ("over_capacity", 0, 1)])
def test_a_list_shows_whom_to_call_and_counts_who_waits(state: str, lines: int, waiting: int) -> None:
    (made,) = lists(told(state), NOBODY, ADVISOR, WORDS)

    assert (len(made.lines), made.waiting, made.recipient) == (lines, waiting, "Zoé")


@pytest.mark.parametrize("state", ["held_out", "repeat_suppressed"])
def test_no_list_tells_that_somebody_was_held_out_or_called_lately(state: str) -> None:
    assert lists(told(state), NOBODY, ADVISOR, WORDS) == []


def test_a_fact_that_lowers_the_risk_is_not_told_as_a_reason() -> None:
    rest = {"code": "rest", "feature": None, "value": None, "contribution": 0.3, "previous_value": None}
    said = {"code": "attendance", "feature": "x", "value": 1.0, "contribution": 0.4, "previous_value": 1.0}
    reasons = pl.Series([[said, said | {"code": "contacts", "contribution": -0.2}, rest]], dtype=Alerts.reasons.dtype)

    (made,) = lists(told("new").with_columns(reasons=reasons), NOBODY, ADVISOR, WORDS)

    assert made.lines[0].why == ["Signal sur : présence."]


def test_a_risk_that_no_fact_explains_says_so_everywhere() -> None:
    (made,) = lists(told("new"), NOBODY, ADVISOR, WORDS)

    (weak,) = lists(told("new", low_confidence=True), NOBODY, ADVISOR, WORDS)

    assert made.lines[0].why == ["Aucun fait isolé : la situation d'ensemble."]
    assert weak.lines[0].why[0].startswith("Peu de faits connus encore")


@pytest.mark.parametrize(
    ("feature", "weak", "estimated"),
    [
        ("days_since_presence", True, False),
        ("days_off_sheets", True, False),
        ("days_since_presence", False, True),
        ("unjustified_half_days_14", True, True),
    ],
)
def test_no_number_is_told_of_somebody_who_may_have_left(feature: str, *, weak: bool, estimated: bool) -> None:
    said = {"code": "attendance", "feature": feature, "value": 40.0, "contribution": 0.4, "previous_value": 33.0}
    reasons = pl.Series([[said]], dtype=Alerts.reasons.dtype)

    (made,) = lists(told("new", low_confidence=weak).with_columns(reasons=reasons), NOBODY, ADVISOR, WORDS)

    (one,) = made.lines
    assert one.estimated is estimated
    assert ("Sur 100 situations" in one.likelihood) is estimated
    assert ("peut-être déjà partie" in one.likelihood) is not estimated
    assert bool(one.caution) is (weak and estimated)
    page = html.render(made)
    assert one.likelihood in unescape(page)
    assert ("À prendre avec prudence" in page) is (weak and estimated)
    # Of who may have left, a count that rose tells of weeks that are over.
    rose = {"code": "punctuality", "feature": "late_half_days_28", "value": 8.0, "contribution": 0.2, "previous_value": 3.0}
    more = told("sent", low_confidence=weak).with_columns(reasons=pl.Series([[said, rose]], dtype=Alerts.reasons.dtype))
    (count,) = lists(more, NOBODY, ADVISOR, replace(WORDS, phrases=spoken()))
    assert bool(count.lines[0].changed) is estimated


@pytest.mark.parametrize(
    ("risk", "action", "first"),
    [(0.3, "take_stock", "take_stock"), (0.1, "take_stock", "find_owner"), (0.1, "check_still_there", "check_still_there")],
)
def test_what_a_high_risk_asks_for_is_said_before_a_promise_that_ranks_higher(risk: float, action: str, first: str) -> None:
    promise = told("new", kind="no_owner", suggested_action="find_owner", priority=2.0, rank=1, risk=risk)
    both = pl.concat([promise, told("new", suggested_action=action, risk=risk, rank=2)], how="vertical_relaxed")

    (made,) = lists(both, NOBODY, ADVISOR, WORDS)

    assert made.lines[0].actions[0] == first
    assert len(made.lines[0].actions) == 2


def test_one_promise_owed_for_two_courses_is_told_once() -> None:
    two = pl.concat([told("new", kind="no_owner", enrolment_id=name) for name in ("a", "b")])

    (made,) = lists(two, NOBODY, ADVISOR, WORDS)

    (one,) = made.lines
    assert (one.tags, one.why) == (["Sans conseiller référent", "Nouveau"], ["Aucun conseiller référent en poste n'est connu."])


@pytest.mark.parametrize(
    ("states", "tags"),
    [
        (("new", "new"), ["Sans conseiller référent", "Situation à reprendre", "Nouveau"]),
        (("sent", "new"), ["Sans conseiller référent", "Situation à reprendre (nouveau)"]),
        (("sent", "sent"), ["Sans conseiller référent", "Situation à reprendre"]),
    ],
)
def test_who_stands_on_the_list_for_days_is_not_new_because_of_one_more_alert(
    states: tuple[str, str], tags: list[str], tmp_path: Path
) -> None:
    both = pl.concat([told(states[0], kind="no_owner", rank=1), told(states[1], rank=2)], how="vertical_relaxed")

    (made,) = lists(both, NOBODY, ADVISOR, WORDS)

    write_lists(tmp_path, [made])
    (page,) = tmp_path.glob("*.html")
    assert re.findall('<span class="tag">(.*?)</span>', page.read_text(encoding="utf-8")) == tags
    (book,) = tmp_path.glob("*.xlsx")
    cells = fastexcel.read_excel(book).load_sheet(0, header_row=None).to_polars().rows()
    assert any(", ".join(tags) in row for row in cells)
    assert ", ".join(tags) in str(next(iter(table(made).columns[0].cells))).replace("\n", " ")


def test_two_courses_of_one_kind_are_new_only_together() -> None:
    two = pl.concat([told(state, enrolment_id=state) for state in ("sent", "new")])

    (made,) = lists(two, NOBODY, ADVISOR, WORDS)

    assert made.lines[0].tags == ["Situation à reprendre"]


def test_a_name_in_square_brackets_is_not_markup() -> None:
    shown = table(of(line("[red]Zoé[/red]")))

    assert "[red]Zoé[/red]" in str(next(iter(shown.columns[0].cells)))


def test_what_came_up_in_a_week_is_news_and_what_hardly_moved_is_not() -> None:
    due = {"l": Phrase("le dernier travail attendu n'a pas été rendu", "flag", direction=1)}
    missing = {"code": "assessments", "feature": "l", "value": 1.0, "previous_value": 0.0}
    assert change(missing, due) == "Le dernier travail attendu n'a pas été rendu ; ce n'était pas le cas une semaine plus tôt."
    assert change(missing | {"previous_value": 1.0}, due) is None
    missed = {"s": Phrase("{value} d'absence depuis l'entrée", "share", direction=1)}
    hardly = {"code": "attendance", "feature": "s", "value": 0.53, "previous_value": 0.52}
    assert change(hardly, missed) is None
    risen = "53\xa0% d'absence depuis l'entrée, contre 45\xa0% une semaine plus tôt."
    assert change(hardly | {"previous_value": 0.45}, missed) == risen


def test_somebody_who_came_back_is_told_as_such_beside_their_absences() -> None:
    absent = {"code": "attendance", "feature": "unjustified_half_days_14", "value": 6.0, "contribution": 0.4, "previous_value": 6.0}
    back = absent | {"feature": "presence_streak_half_days", "value": 5.0, "contribution": 0.0, "previous_value": None}
    ill = absent | {"feature": "justified_half_days_14", "value": 4.0, "contribution": 0.0, "previous_value": None}
    rest = {"code": "rest", "feature": None, "value": None, "contribution": 0.0, "previous_value": None}
    alert = risk_alerts(dt.date(2026, 3, 4), "a").to_dicts()[0] | {"low_confidence": False, "state": "sent"}

    said = wording.told([alert | {"reasons": [absent, back, rest]}], spoken(), {})
    alone = wording.told([alert | {"reasons": [absent, rest]}], spoken(), {})

    assert said.why == alone.why == ["6 demi-journées d'absence non justifiée sur les 14 derniers jours."]
    assert said.changed == ["5 demi-journées de présence de suite depuis la dernière absence."]
    assert alone.changed == ["Ce chiffre n'a pas bougé en une semaine."]
    # Absences with a reason are no news: they stand with the others.
    silent = absent | {"code": "activity", "feature": "activity_count_14", "value": 0.0, "previous_value": 0.0}
    excused = wording.told([alert | {"reasons": [absent, silent, ill, rest]}], spoken(), {})
    assert excused.why == [
        *alone.why,
        "4 demi-journées d'absence justifiée sur les 14 derniers jours.",
        "Aucune action en ligne sur les 14 derniers jours.",
    ]
    # What stands beside them is told without what it was: nothing is said of the others alone, nor of who is new on the list.
    assert excused.changed == []
    both = wording.told([alert | {"reasons": [absent, silent, rest]}], spoken(), {})
    assert both.changed == ["Ces chiffres n'ont pas bougé en une semaine."]
    assert wording.told([alert | {"reasons": [absent, silent, rest], "state": "new"}], spoken(), {}).changed == []
    # One half-day more is hardly anything, and is not nothing.
    nearly = wording.told([alert | {"reasons": [absent | {"previous_value": 5.0}, silent, rest]}], spoken(), {})
    assert nearly.changed == ["Ces chiffres ont peu bougé en une semaine."]


def test_days_that_went_by_are_no_news_and_have_not_stood_still() -> None:
    silent = {"code": "activity", "feature": "days_since_activity", "contribution": 0.4}

    def news(value: float, before: float) -> list[str]:
        return changed([silent | {"value": value, "previous_value": before}], spoken())

    # How long ago the last trace is says it all: a week before it was the same one.
    assert news(7.0, 0.0) == news(20.0, 13.0) == news(21.0, 14.0) == []
    assert news(9.0, 12.0) == ["C'est mieux qu'une semaine plus tôt : 12 jours."]


def test_a_silence_that_work_alone_broke_is_no_news_by_days_that_went_by() -> None:
    reason = {"code": "activity", "feature": "silent_but_for_work", "value": 16.0, "contribution": 0.4, "previous_value": 0.0}

    assert change(reason, spoken()) is None
    assert why(reason, spoken()) == "Aucune activité en ligne depuis 16 jours, en dehors du travail rendu."


def test_the_only_figure_that_is_told_is_not_said_again_where_it_changed() -> None:
    absent = {"code": "attendance", "feature": "unjustified_half_days_14", "value": 8.0, "contribution": 0.4, "previous_value": 3.0}
    late = {"code": "punctuality", "feature": "late_half_days_28", "value": 5.0, "contribution": 0.2, "previous_value": 5.0}
    again = "8 demi-journées d'absence non justifiée sur les 14 derniers jours, contre 3 une semaine plus tôt."
    falling = {"code": "trend", "feature": "activity_change", "value": -1.0, "contribution": 0.2, "previous_value": None}

    assert changed([absent], spoken()) == ["Une semaine plus tôt : 3."]
    # News of what raises the risk come before the weeks of another subject.
    week = {"code": "attendance", "feature": "attendance_share_7", "value": 0.3, "contribution": 0.0, "previous_value": 0.7}
    worked = {"code": "assessments", "feature": "work_missed", "value": 3.0, "contribution": 0.2, "previous_value": 1.0}
    assert ["travaux" in text for text in changed([absent, worked, week], spoken())] == [True, False]
    # Beside another reason, or other news, it would not be clear of what.
    assert changed([absent, falling], spoken()) == changed([absent, late], spoken()) == [again]
    back = {"code": "activity", "feature": "activity_back_7", "value": 3.0, "contribution": 0.0, "previous_value": None}
    assert changed([absent, back], spoken())[0] == again
    # What stands beside the reasons is a figure too.
    justified = {"code": "attendance", "feature": "justified_half_days_14", "value": 4.0, "contribution": 0.0, "previous_value": None}
    assert changed([absent, justified], spoken()) == [again]


def test_a_course_about_to_end_is_given_up_before_its_end_or_not_at_all() -> None:
    alert = risk_alerts(dt.date(2026, 3, 4), "a").to_dicts()[0] | {"low_confidence": False}

    # The night of 4 March looks 28 days ahead: to the evening of 1 April.
    ends = [dt.date(2026, 3, 31), dt.date(2026, 4, 1)]

    said = [wording.told([alert | {"planned_exit_date": end}], {}, {}).likelihood for end in ends]

    assert [text.split(" par un abandon ")[1] for text in said] == ["d'ici la fin prévue.", "dans les 4 semaines."]
    assert "d'ici la fin prévue" in likelihood(0.001, dt.timedelta(days=3))


def test_whoever_may_have_left_is_first_looked_for() -> None:
    alert = risk_alerts(dt.date(2026, 3, 4), "a").to_dicts()[0] | {"low_confidence": True}
    promise = alert | {"kind": "mid_course_contact_due", "suggested_action": "mid_course_call"}

    said = wording.told([promise, alert | {"suggested_action": "check_still_there"}], {}, {})

    # What there is to talk of comes once it is known that they are there.
    assert said.actions == ["check_still_there"]


def test_a_gap_is_told_as_it_opens_and_what_was_never_compared_has_not_stood_still() -> None:
    phrases = {"p": Phrase("présence inférieure de {value}", "points", signed=True)}
    gap = {"code": "trend", "feature": "p", "value": -0.24, "contribution": 0.5}
    # Of a gap: how far it opened, that it was none or on the other side, or nothing where it hardly moved.
    assert change(gap | {"previous_value": -0.04}, phrases) == "Présence inférieure de 24 points, contre 4 points une semaine plus tôt."
    for before in (0.11, 0.004, -0.004):
        assert (
            change(gap | {"previous_value": before}, phrases)
            == "Présence inférieure de 24 points ; ce n'était pas le cas une semaine plus tôt."
        )
    assert change(gap | {"previous_value": -0.22}, phrases) is None
    assert change(gap | {"previous_value": -0.04}, {"p": replace(phrases["p"], moves=False)}) is None
    # What was never compared, or is told without a figure, has not stood still either.
    compared = [gap | {"previous_value": -0.24}]
    assert changed(compared, phrases) == ["Ce chiffre n'a pas bougé en une semaine."]
    assert changed([gap | {"previous_value": -0.23}], phrases) == ["Ce chiffre a peu bougé en une semaine."]
    assert changed([gap | {"previous_value": None}], phrases) == changed([], phrases) == []
    for other in (replace(phrases["p"], moves=False), Phrase("moins que la session", "score")):
        assert changed(compared, {"p": other}) == []


def test_what_is_counted_is_named_once_whatever_its_gender() -> None:
    three = {"code": "assessments", "feature": "work_missed", "value": 3.0, "previous_value": 0.0}

    def news(feature: str, before: float = 0.0) -> str | None:
        return change(three | {"feature": feature, "previous_value": before}, spoken())

    absent = "3 demi-journées d'absence non justifiée sur les 7 derniers jours"
    assert news("unjustified_half_days_7") == f"{absent}, contre aucune une semaine plus tôt."
    assert news("work_missed") == "3 travaux demandés et non rendus, contre aucun une semaine plus tôt."
    busier = "3 actions en ligne sur les 7 derniers jours : c'est mieux qu'une semaine plus tôt (aucune)."
    assert news("activity_count_7") == busier
    assert news("work_missed_in_a_row", 2.0) == "3 travaux d'affilée non rendus, contre 2 une semaine plus tôt."


def test_what_is_compared_with_the_session_says_with_what() -> None:
    late = {"code": "assessments", "feature": "lateness_last_against_session", "value": 3.0}
    assert why(late, spoken()) == "Dernier travail rendu après l'échéance, 3 jours plus tard que la moyenne de la session."
    assert not [name for name, phrase in spoken().items() if "d'ordinaire" in phrase.fr or "session en moyenne" in phrase.fr]


def test_sentences_follow_french_usage() -> None:
    phrases = {"x": Phrase("{value} d'absence sur 7 jours", "half_days"), "y": Phrase("{value} contact{s}", "count")}
    three = {"code": "attendance", "feature": "x", "value": 3.0, "previous_value": 1.0}

    assert why(three, phrases) == "3 demi-journées d'absence sur 7 jours."
    assert why(three | {"feature": "activity_count_7"}, spoken()) == "3 actions en ligne sur les 7 derniers jours."
    assert change(three, phrases) == "3 demi-journées d'absence sur 7 jours, contre 1 une semaine plus tôt."
    # One half-day more is no news.
    assert change(three | {"previous_value": 2.0}, phrases) is None
    fewer = {"x": Phrase("{value} d'absence sur 7 jours", "half_days", direction=1)}
    assert change(three, fewer) == "3 demi-journées d'absence sur 7 jours, contre 1 une semaine plus tôt."
    was = three | {"previous_value": 5.0}
    assert change(was, fewer) == "3 demi-journées d'absence sur 7 jours : c'est mieux qu'une semaine plus tôt (5)."
    # A little better is no news, and neither is a little worse.
    assert change(three | {"value": 20.0, "previous_value": 24.0}, fewer) is None
    assert change(three | {"value": 23.0, "previous_value": 20.0}, fewer) is None
    assert change(three | {"value": 24.0, "previous_value": 20.0}, fewer) is not None
    # A week that went by is no news; a day more or less is.
    phrases |= {
        "z": Phrase("dernier travail rendu il y a {value}", "days"),
        "p": Phrase("présence inférieure de {value}", "points", "below", "présence supérieure de {value}", "above", signed=True),
    }
    idle = {"code": "assessments", "feature": "z", "value": 30.0, "previous_value": 23.0}
    assert change(idle, phrases) is None
    assert change(idle | {"previous_value": 2.0}, phrases) == "Dernier travail rendu il y a 30 jours, contre 2 jours une semaine plus tôt."
    assert better(idle | {"value": 1.0}, phrases) == "Dernier travail rendu il y a 1 jour."
    # Neither "no day ago" nor "today": a list is read the day after.
    assert better(idle | {"value": 0.0}, phrases) == "Dernier travail rendu le jour même."
    assert better(three | {"feature": "p", "value": 0.04}, phrases) == "Présence supérieure de 4 points."
    assert why(three | {"feature": "p", "value": -0.04}, phrases) == "Présence inférieure de 4 points."
    early = {"e": Phrase("{value} après l'échéance", "days", "after", "{value} avant l'échéance", "before", signed=True)}
    assert better(three | {"feature": "e", "value": -2.0}, early) == "2 jours avant l'échéance."
    assert better(three | {"feature": "unknown"}, phrases) == "Présence."
    # What calls a fact bad is not said where the same fact protects.
    few = {"w": Phrase("[peu d']activité : {value} action{s} sur 7 jours", "count", "[few ]actions: {value}")}
    busy = {"code": "activity", "feature": "w", "value": 150.0, "previous_value": 2.0}
    assert why(busy | {"value": 2.0}, few) == "Peu d'activité : 2 actions sur 7 jours."
    assert better(busy, few) == "Activité : 150 actions sur 7 jours."
    assert change(busy | {"value": 2.0, "previous_value": 9.0}, few) == "Activité : 2 actions sur 7 jours, contre 9 une semaine plus tôt."
    assert why({"code": "contacts", "feature": "y", "value": 1.0}, phrases) == "1 contact."
    assert why({"code": "attendance", "feature": "gone", "value": 1.0}, phrases) == "Signal sur : présence."
    assert amount(0.5, "share") == "50\xa0%"
    assert amount(1234, "count") == "1\u202f234"
    assert [amount(days, "days") for days in (0, 0.4, 0.5, 1.4, 2.5)] == ["aucun jour", "aucun jour", "1 jour", "1 jour", "3 jours"]
    assert day(dt.date(2026, 3, 1)) == "dimanche 1er mars"
    assert "environ 3 se terminent" in likelihood(0.031)
    assert "environ 1 se termine par" in likelihood(0.006)
    assert likelihood(0.004) == "Sur 100 situations semblables, moins d'une se termine par un abandon dans les 4 semaines."
    rare = {"situations": 900, "dropouts": 1, "expected": 2.4, "low": 0.0002, "high": 0.0061}
    assert spread(rare) == "Selon les groupes et les moments de l'année, le plus souvent entre 0 et 0,6."
    # Half of a hundred apart, a range still tells something; further, nothing.
    assert spread(rare | {"low": 0.1, "high": 0.6}).endswith("entre 10 et 60.")
    assert spread(rare | {"low": 0.09, "high": 0.6}) == ""
    assert counted(rare).startswith("Sur 900 situations passées de ce niveau, 1 s'est terminée par un abandon")
    assert counted(rare).endswith("soit 0,1 sur 100 ; l'estimation en annonçait 0,3 sur 100.")
    assert sooner_later(0.031, 0.126) == "Dans les 2 semaines : environ 3 sur 100 ; dans les 8 semaines : environ 13."
    assert [spread(None), sooner_later(None, 0.1)] == ["", ""]
    assert counted(None) == ""
