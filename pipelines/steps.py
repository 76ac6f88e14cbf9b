"""The steps of a night and of training, as plain functions: the command line calls them, and so do the Prefect flows.

Each step opens what it needs, does one thing by calling the folders below, and can be run again with the same result.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from vigie import clock
from vigie.errors import AlreadyRunningError, NoDataError, NoModelError, VigieError
from vigie.files import read_whole, write_whole, write_whole_text
from vigie.lock import only_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import polars as pl

    from alerts.cases import CaseStore
    from alerts.outbox import Channel, Sent
    from data_contracts.ingest import Intake, Receipt, Reception
    from models.learner import Model
    from pipelines.service import Service
    from vigie.store import Warehouse

T = TypeVar("T")
SESSIONS_FILE: Final = "session_alerts.parquet"
TOO_SILENT: Final = 0.5
"""Share of people in training whose source is silent, beyond which a night is not estimated."""


def take_deliveries(
    service: Service,
    *,
    taken_for: dt.date | None = None,
    assumed_lag: dt.timedelta | None = None,
    on_receipt: Callable[[Receipt], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Intake:
    """Ingest everything that landed. Names go to the case store, the rest to the archive and the warehouse, made whole first.

    Where it tells that a course is of somebody who was erased, what came of that course before is taken out as well.
    """
    from alerts.cases import CaseStore
    from data_contracts.ingest import ingest
    from pipelines.erasure import sweep
    from pipelines.rebuild import whole_warehouse

    courses = service.erasures().courses
    with CaseStore(service.cases_url) as cases, whole_warehouse(service, say) as warehouse:
        if taken_for:
            _deliver_answers(service, cases, taken_for)
        intake = ingest(
            service.home.landing,
            service.home.refused,
            warehouse,
            cases.save_private,
            clock.now(),
            not_before=_after_last_night(warehouse, taken_for, service.time_zone),
            taken_for=taken_for,
            assumed_lag=assumed_lag,
            on_receipt=on_receipt,
            reception=reception(service),
        )
        if taken_for:
            cases.taken_up(taken_for, clock.end_of_day(taken_for, service.time_zone))
    if service.erasures().courses > courses:
        sweep(service, say)
    return intake


def _after_last_night(warehouse: Warehouse, taken_for: dt.date | None, time_zone: str) -> dt.datetime | None:
    """The first instant that the last night before this one did not know; None before the first.

    Outside a night, one whose day has not come dates nothing: not by the clock, nor, where that went back, by the last delivery.
    """
    from data_contracts.ingest import DELIVERIES

    ledger = warehouse.read(DELIVERIES)
    finished = clock.last_finished_day(max([clock.now(), *ledger["received_at"]]), time_zone)
    until = taken_for or finished + dt.timedelta(days=1)
    before = [night for night in ledger["taken_for"].drop_nulls() if night < until]
    return clock.end_of_day(max(before), time_zone) + dt.timedelta(microseconds=1) if before else None


def reception(service: Service) -> Reception:
    """How the service reads and judges deliveries: mappings shipped and its own, limits, and what somebody let pass."""
    from data_contracts.ingest import Reception
    from data_contracts.quarantine import released
    from data_contracts.sources.mapping import read_sources

    sources, broken = read_sources(service.settings.config / "sources", service.home.sources)
    return Reception(sources, service.rules.deliveries, broken, released(service.home.decisions), service.erasures())


def _deliver_answers(service: Service, cases: CaseStore, as_of: dt.date) -> None:
    """Put what advisors wrote down until the end of `as_of` where deliveries land."""
    from alerts.answers import as_assignments, as_contacts

    end = clock.end_of_day(as_of, service.time_zone)
    parts = {
        "contacts": as_contacts(cases.answers(as_of, end)),
        "assignments": as_assignments(cases.moves(as_of, end), service.time_zone),
    }
    for table, rows in parts.items():
        if rows.height:
            write_whole(service.home.landing / table / f"vigie-{as_of}.parquet", rows.write_parquet)


@dataclass(frozen=True)
class ScoredNight:
    """What scoring a night left behind."""

    enrolments: int
    low_confidence: int
    model_version: str
    silences: pl.DataFrame
    """`data_contracts.rhythm.SCHEMA`."""
    not_estimated: str = ""
    """Why no model served, and the list comes from the rules and the promises; empty when one did."""
    held_back: int = 0
    """People scored of whom a file held back, or rows set aside, tell."""
    off_sheets: Mapping[str, int] = field(default_factory=dict)
    """By provider, people whom no sheet names any more while their session goes on (`days_off_sheets`)."""


def score_night(
    service: Service,
    as_of: dt.date,
    *,
    model: Model | None = None,
    without: str = "",
    at_most: int | None = None,
    held: pl.DataFrame | None = None,
    out: Path | None = None,
) -> ScoredNight:
    """Score the night of `as_of` with the model that may serve it; write scores.parquet, features.parquet and held.parquet.

    Where no model may serve, or too many sources are silent for one to be believed, scores.parquet is empty and the night goes on: the
    list then comes from the rules and the promises.

    Args:
        service: whose night.
        as_of: the night.
        model: which; by default the one that may serve the night.
        without: why no model may be used.
        at_most: number of the last delivery that may be seen.
        held: whom files held back told of that night, as held.parquet has it; looked up by default.
        out: where to write; the night's own folder by default.

    Raises:
        NoDataError: nobody is in training that night.
    """
    import polars as pl

    from alerts.cases import CaseStore
    from alerts.silence import opposed
    from data_contracts import held as held_back
    from data_contracts.rhythm import silences
    from models.registry import model_for
    from models.scoring import unscored
    from models.unheard import score_unraised

    with CaseStore(service.cases_url) as cases:
        answers = cases.answered(as_of, service.time_zone)
    not_estimated = ""
    with service.warehouse(at_most) as warehouse:
        silent = silences(warehouse, as_of, service.time_zone)
        if held is None:
            held = held_back.concerned(service.home.refused, warehouse, reception(service).sources, as_of, service.time_zone)
        # Whichever was heard of last: what either leaves out raises nothing.
        heard = pl.concat([silent.concerned, held]).group_by("enrolment_id").agg(pl.col("heard_on").min()).sort("enrolment_id")
        try:
            if without or silent.share > TOO_SILENT:
                told = f"Sources are silent for {silent.concerned.height} of {silent.people} people in training."
                raise NoModelError(without or told, "See the warnings.")  # noqa: TRY301 - one road to a night by the rules
            model = model or model_for(service.home, as_of)
            people = score_unraised(warehouse, model, as_of, heard, service.rules.invariants, service.time_zone, service.settings.threads)
        except NoModelError as error:
            people, not_estimated, model = unscored(warehouse, as_of, service.time_zone), f"{error.what} {error.remedy}", None
            if people.features.is_empty():
                raise
    # The right to object (GDPR, art. 21): no estimate is kept of those who did; what is promised to everybody is promised to them.
    scored = people.without(opposed(answers))
    if scored.features.is_empty():
        raise NoDataError(
            f"Nobody is known to be in training on {as_of}.", "Check the date, and that enrolments and sessions were delivered."
        )
    folder = out or service.home.out(as_of)
    write_whole(folder / "features.parquet", scored.features.write_parquet)
    write_whole(folder / "scores.parquet", scored.scores.write_parquet)
    write_whole(folder / "held.parquet", held.write_parquet)
    weak = int(scored.scores["low_confidence"].sum())
    waiting = scored.scores.join(held, on="enrolment_id", how="semi").height
    gone = scored.features.filter(pl.col("days_off_sheets") > 0).group_by("provider_id").len().sort("provider_id")
    off_sheets = {str(provider): int(people) for provider, people in gone.rows()}
    return ScoredNight(scored.scores.height, weak, model.version if model else "", silent.told, not_estimated, waiting, off_sheets)


def alert_night(
    service: Service, as_of: dt.date, *, notify: bool = True, at_most: int | None = None, out: Path | None = None
) -> pl.DataFrame:
    """Decide the night's alerts, of learners and of sessions, from its scores and write both; with `notify`, publish and write lists.

    Experiments give an arm to whoever enters tonight before the list is made; whom the list names in spite of an arm is kept in
    overrides.parquet.

    Args:
        service: whose night.
        as_of: the night.
        notify: False leaves the case store and the lists alone.
        at_most: number of the last delivery that may be seen.
        out: folder of its scores; the night's own by default.

    Returns:
        Rows of the contract `Alerts`.

    Raises:
        NoModelError: the night was not scored.
    """
    from alerts.cases import CaseStore
    from alerts.lists.files import write_lists
    from alerts.night import courses, decide_night, in_words, night_lists, with_titles
    from alerts.publication import publication
    from alerts.sessions import sessions_first
    from data_contracts.tables.outputs import Scores, with_optional
    from impact.experiments.priority import avoided, in_force
    from impact.experiments.register import draw_newcomers, in_step, overrides
    from models.baselines import by_rule
    from models.comparison import behind
    from pipelines.wording import phrases

    out = out or service.home.out(as_of)
    if not (out / "scores.parquet").exists():
        raise NoModelError(f"The night of {as_of} has no scores.", f"Run: vigie night --as-of {as_of}.")
    scores = Scores.validate(with_optional(read_whole(out / "scores.parquet")), cast=True)
    ruled = by_rule(read_whole(out / "features.parquet"), service.rules.invariants) if scores.is_empty() else None
    # Without a model there is no evidence either.
    version = scores["model_version"][0] if scores.height else ""
    places = behind(service.home.models / version, as_of, service.rules.invariants.horizon_days)
    with service.warehouse(at_most) as warehouse, CaseStore(service.cases_url) as cases:
        if at_most is None:  # A night that is replayed has the arms it was run with.
            in_step(service.home.experiments, warehouse)
            draw_newcomers(warehouse, as_of, scores, service.time_zone)
            in_step(service.home.experiments, warehouse)
        effect = in_force(service.home.experiments, as_of)
        gained = avoided(warehouse, effect, scores, as_of, service.time_zone) if effect else None
        decided = decide_night(warehouse, cases, as_of, scores, service.rules, service.time_zone, ruled, gained)
        sessions = sessions_first(decided.facts, places, service.rules)
        write_whole(out / "alerts.parquet", decided.alerts.write_parquet)
        write_whole(out / SESSIONS_FILE, sessions.write_parquet)
        write_whole(out / "overrides.parquet", overrides(warehouse, decided.alerts, as_of, service.time_zone).write_parquet)
        if notify:
            where = courses(warehouse, as_of, service.time_zone)
            told = in_words(decided.alerts, scores, where)
            groups = with_titles(sessions, warehouse, as_of, service.time_zone)
            night = publication(warehouse, decided, told, groups, where, clock.now(), service.rules, service.time_zone)
            made = night_lists(cases, told, groups, service.rules, phrases(), night.notice)
            # Spreadsheets are made by other processes: the case store is filled meanwhile.
            with ThreadPoolExecutor(1) as beside:
                writing = beside.submit(write_lists, out / "lists", made, service.settings.threads)
                cases.publish(night)
                writing.result()
            _give_back(service, cases, as_of)
    return decided.alerts


def _give_back(service: Service, cases: CaseStore, as_of: dt.date) -> None:
    """Write what advisors wrote down for other software, and put down the calls and mails that must leave.

    Noted last: killed before, what it gave is given again, by this night or the next.
    """
    from alerts import writeback
    from alerts.digest import digests
    from alerts.outbox import put

    rows = writeback.records(*cases.to_give_back(as_of))
    write_whole(service.home.out(as_of) / "actions.csv", rows.write_csv)
    settings, now = service.settings, clock.now()
    items = writeback.calls(rows, as_of, settings.webhook_url) if settings.webhook_url else []
    if settings.smtp_host and as_of >= clock.last_finished_day(now, service.time_zone):
        items += digests(cases.engine, settings.inbox_address.rstrip("/"), service.time_zone)
    put(cases.engine, items, now)
    cases.given_back(as_of)


def send_outbox(service: Service, now: Callable[[], dt.datetime] = clock.now) -> Sent:
    """Try everything in the outbox that is due, on the channels that are set up."""
    from alerts import writeback
    from alerts.cases import CaseStore
    from alerts.outbox import mailer, send_due
    from pipelines.service import post_of

    settings = service.settings
    channels: dict[str, Channel] = {}
    if settings.smtp_host:
        channels["mail"] = mailer(post_of(settings))
    if settings.webhook_url:
        channels["webhook"] = writeback.caller(settings.webhook_secret.get_secret_value(), now)
    with CaseStore(service.cases_url) as cases:
        return send_due(cases.engine, channels, now, service.home.outbox)


def show_list(service: Service, as_of: dt.date, recipient: str) -> None:
    """Print one recipient's list of a night that was run, with names from the case store."""
    from alerts.cases import CaseStore
    from alerts.lists.terminal import table
    from alerts.night import courses, in_words, night_lists, notice, with_titles
    from data_contracts.tables.outputs import SessionAlerts
    from pipelines import console
    from pipelines.wording import phrases

    out = service.home.out(as_of)
    alerts, scores = read_whole(out / "alerts.parquet"), read_whole(out / "scores.parquet")
    with service.warehouse() as warehouse, CaseStore(service.cases_url) as cases:
        told = in_words(alerts, scores, courses(warehouse, as_of, service.time_zone))
        # A night of an older version of Vigie wrote none.
        sessions = read_whole(out / SESSIONS_FILE) if (out / SESSIONS_FILE).exists() else SessionAlerts.create_empty()
        groups = with_titles(sessions, warehouse, as_of, service.time_zone)
        said = notice(warehouse, as_of, service.time_zone, estimated=not scores.is_empty())
        made = night_lists(cases, told, groups, service.rules, phrases(), said)
    console.out.print(next(table(one) for one in made if one.key == recipient))


class Run(Protocol):
    """Runs one named step: directly, or as a Prefect task."""

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        """The step's result."""
        ...


def run_night(
    service: Service, as_of: dt.date, run: Run, *, notify: bool = True, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """One night: take deliveries, score, alert, account. Killed anywhere and run again, it ends as if never interrupted.

    Returns:
        The night's account, as in night.json.

    Raises:
        AlreadyRunningError: another night, training or ingest is at work in the same home folder.
    """
    from pipelines.account import account
    from pipelines.made_with import made_with

    seconds: dict[str, float] = {}

    def timed(name: str, step: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = run(name, step)
        seconds[name] = round(time.perf_counter() - start, 3)
        return result

    with only_writer(service.home.lock, f"The night of {as_of}"):
        timed("ingest", lambda: take_deliveries(service, taken_for=as_of, say=say))
        scored = timed("score", lambda: score_night(service, as_of))
        alerts = timed("alert", lambda: alert_night(service, as_of, notify=notify))
        watched = timed("watch", lambda: _watched(service, as_of))
        with service.warehouse() as warehouse:
            night = account(warehouse, as_of, scored, alerts, service.home, service.time_zone)
        night["made_with"] |= made_with(service.settings.config)
        night["warnings"] += watched
        night["seconds"] = seconds
        text = json.dumps(night, ensure_ascii=False, indent=2) + "\n"
        # The account is the last file of a night: where it stands after a power cut, so does all it tells of.
        os.sync()
        write_whole_text(service.home.out(as_of) / "night.json", text)
    return night


def _watched(service: Service, as_of: dt.date) -> list[str]:
    """What the watch warns of; where it cannot look, that: the lists are out, and the night has its account all the same."""
    from pipelines.watching import watch_night

    try:
        return watch_night(service, as_of)
    except VigieError as error:
        return [f"The watch could not look at this night: {error.what} {error.remedy}"]


def told_night(
    service: Service, as_of: dt.date, run: Run, *, notify: bool = True, say: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """`run_night`, with a mail to the operator when it fails or serves less than it should."""
    from pipelines.notice import tell_degraded, tell_failure

    try:
        night = run_night(service, as_of, run, notify=notify, say=say)
    except AlreadyRunningError:
        raise
    except VigieError as error:
        tell_failure(service, as_of, error.what, error.remedy)
        raise
    except Exception as error:
        tell_failure(service, as_of, f"{type(error).__name__}: a fault of the program, or of the machine.")
        raise
    if notify:
        tell_degraded(service, night)
    return night


class Directly:
    """Runs steps in this process, without Prefect, and says which one it is at."""

    def __init__(self, at: Callable[[str], None] = lambda _: None) -> None:
        self._at = at

    def __call__(self, name: str, step: Callable[[], T]) -> T:
        """The step's result."""
        self._at(name)
        return step()
