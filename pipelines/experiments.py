"""The steps of an experiment, as plain functions: the command line calls them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from vigie import clock
from vigie.files import read_whole, read_whole_json, write_whole, write_whole_text

if TYPE_CHECKING:
    from pathlib import Path

    from impact.experiments.plan import Plan
    from impact.experiments.powerpage import Prospect
    from impact.experiments.register import Frozen
    from pipelines.service import Service
    from vigie.store import Warehouse


def folder(service: Service, experiment_id: str) -> Path:
    """Where the papers of an experiment lie."""
    return service.home.experiments / experiment_id


def plan_of(service: Service, experiment_id: str) -> Plan:
    """The plan as its file states it now."""
    from impact.experiments.plan import read_plan

    return read_plan(service.settings.config, experiment_id)


def nightly(service: Service, file: str, columns: list[str], until: dt.date) -> pl.DataFrame:
    """A file that every night leaves, of all nights up to `until`, stacked; without rows where no night left one."""
    paths = [path for path in sorted((service.home.root / "out").glob(f"*/{file}")) if path.parent.name <= until.isoformat()]
    return pl.concat([read_whole(path, columns) for path in paths]) if paths else pl.DataFrame()


def look_ahead(service: Service, experiment_id: str, as_of: dt.date) -> tuple[Prospect, Path]:
    """What the plan can detect, from the territory's own past; and the page that says it."""
    from data_contracts.tables.outputs import Scores
    from impact.experiments.history import past_of
    from impact.experiments.powerpage import power_page, prospect
    from models.registry import promoted, trained_on

    plan = plan_of(service, experiment_id)
    columns = ["as_of", "enrolment_id", "risk"]
    scores = nightly(service, "scores.parquet", columns, as_of)
    if scores.is_empty():
        scores = Scores.create_empty().select(columns)
    served_from = min((trained_on(version) for version in promoted(service.home)), default=None)
    silence_days, zone = service.rules.invariants.silence_days, service.time_zone
    with service.warehouse() as warehouse:
        _held_to_silence(service, warehouse, plan, as_of)
        past = past_of(warehouse, plan, as_of, scores, silence_days, zone, served_from=served_from)
        notice = _notice(service, warehouse, as_of)
    found = prospect(plan, past)
    page = write_whole_text(folder(service, experiment_id) / "power.html", power_page(found, notice))
    return found, page


def _held_to_silence(service: Service, warehouse: Warehouse, plan: Plan, as_of: dt.date) -> None:
    """Whatever was frozen keeps its wait."""
    from impact.experiments.history import held_to_silence
    from impact.experiments.register import frozen_plans, in_step

    in_step(service.home.experiments, warehouse)
    if plan.experiment_id not in frozen_plans(warehouse):
        held_to_silence(warehouse, plan, as_of, service.rules.invariants.silence_days, service.time_zone)


def _notice(service: Service, warehouse: Warehouse, as_of: dt.date) -> str:
    from alerts.night import notice

    return notice(warehouse, as_of, service.time_zone)


def freeze_plan(service: Service, experiment_id: str, *, rehearsal: bool) -> tuple[Frozen, Path]:
    """Freeze the plan, and write the pre-analysis plan to be published.

    Raises:
        ExperimentError: a practice under trial has no words that a list could show, or the plan's wait is too short for silence to tell.
    """
    from impact.experiments.plan import ExperimentError
    from impact.experiments.register import freeze, in_step

    plan = plan_of(service, experiment_id)
    tried = {arm.practice.action for arm in plan.arms if arm.practice} - set(service.rules.default.actions)
    if tried:
        what = f"{experiment_id} tries an action that no list can word: {', '.join(sorted(tried))}."
        raise ExperimentError(what, "Word it in config/national.toml, section free.actions.")
    with service.warehouse() as warehouse:
        now = clock.now()
        _held_to_silence(service, warehouse, plan, clock.last_finished_day(now, service.time_zone))
        frozen = freeze(warehouse, plan, now, rehearsal=rehearsal)
        in_step(service.home.experiments, warehouse)
    return frozen, write_whole_text(folder(service, experiment_id) / "plan.md", frozen.analysis)


@dataclass(frozen=True)
class Status:
    """Where an experiment stands."""

    frozen: Frozen | None
    arms: dict[str, int]
    first: dt.date | None
    last: dt.date | None
    altered: int
    changed: list[str]
    """Keys on which the file differs from the frozen plan."""


def status_of(service: Service, experiment_id: str) -> Status:
    """Who was drawn, whether the draw can be made again, whether the file still says what was frozen."""
    from impact.experiments.plan import changed_keys
    from impact.experiments.register import altered, arms_of, frozen_plans, in_step

    plan = plan_of(service, experiment_id)
    with service.warehouse() as warehouse:
        in_step(service.home.experiments, warehouse)
        frozen = frozen_plans(warehouse).get(experiment_id)
        arms = arms_of(warehouse, experiment_id)
        wrong = altered(warehouse, frozen).height if frozen else 0
    days = arms["allocated_on"].sort().to_list()
    first, last = (days[0], days[-1]) if days else (None, None)
    return Status(frozen, _by_arm(arms), first, last, wrong, changed_keys(frozen.plan, plan) if frozen else [])


def analyse_experiment(service: Service, experiment_id: str, as_of: dt.date, *, interim: bool) -> tuple[str, Path]:
    """Analyse a frozen experiment and write report.html, report.pdf, results.json and weights.parquet.

    Returns:
        The headline, and the report.

    Raises:
        ExperimentError: it was never frozen, its file was changed since, or it is too early and `interim` was not asked for.
        NoDataError: too few people were followed.
    """
    from impact.experiments.analysis import analyse, due_on
    from impact.experiments.baseline import at_entry
    from impact.experiments.beside import contacted_or_not, effect_by_person
    from impact.experiments.outcomes import follow_up
    from impact.experiments.plan import ExperimentError
    from impact.experiments.population import drawn, enrolments_at, observed
    from impact.experiments.register import altered, arms_of, frozen_plans, in_step, unchanged
    from impact.experiments.report import Account, headline, published, report_page
    from impact.experiments.support import training_weights
    from impact.report import pdf

    plan = plan_of(service, experiment_id)
    out = folder(service, experiment_id) / as_of.isoformat()
    with service.warehouse() as warehouse:
        in_step(service.home.experiments, warehouse)
        frozen = frozen_plans(warehouse).get(experiment_id)
        if frozen is None:
            raise ExperimentError(f"{experiment_id} was never frozen: nobody was drawn.", f"Run: vigie experiment freeze {experiment_id}")
        unchanged(frozen, plan)
        arms = arms_of(warehouse, experiment_id)
        rules: dict[str, Any] = {"silence_days": service.rules.invariants.silence_days, "time_zone": service.time_zone}
        entered = at_entry(warehouse, drawn(enrolments_at(warehouse, plan, as_of, service.time_zone), arms, plan), as_of, **rules)
        rows = follow_up(warehouse, observed(entered, plan), as_of, plan, **rules)
        due = due_on(plan, rows)
        if due and as_of < due and not interim:
            what = (
                f"The plan announces its analysis from {due} on; {as_of} is too early, and looking early finds effects that are not there."
            )
            raise ExperimentError(what, "Wait, or add --interim: the report then says that it looked early.")
        wrong = altered(warehouse, frozen).height
        weights = training_weights(
            warehouse,
            nightly(service, "scores.parquet", ["as_of", "enrolment_id", "learner_id", "risk", "horizon_days"], as_of),
            nightly(service, "alerts.parquet", ["as_of", "enrolment_id", "kind", "state"], as_of),
            as_of,
            service.time_zone,
        )
        notice = _notice(service, warehouse, as_of)
    analysis = analyse(plan, rows, as_of)
    nights, missed = _missed(service, plan, as_of)
    account = Account(
        altered=wrong,
        arms=_by_arm(arms),
        left_out=_by_arm(arms.join(rows, on="unit_id", how="anti")),
        overrides=_overrides(service, experiment_id, as_of),
        contacted_or_not=contacted_or_not(rows),
        uplift=effect_by_person(plan, rows),
        nights=nights,
        missed=missed,
        looks=len({path.parent for path in folder(service, experiment_id).glob("*/results.json")} | {out}),
    )
    html = report_page(analysis, frozen, account, notice)
    figures = json.dumps(published(analysis, frozen, account), ensure_ascii=False, indent=2) + "\n"
    write_whole_text(out / "report.html", html)
    write_whole_text(out / "results.json", figures)
    write_whole(out / "weights.parquet", weights.write_parquet)
    write_whole(out / "report.pdf", lambda path: pdf(html, path))
    return headline(analysis, account.altered), out / "report.html"


def newest_analyses(service: Service, as_of: dt.date) -> list[dict[str, Any]]:
    """`results.json` of the newest analysis of each experiment up to `as_of`, by name of experiment."""
    newest: dict[str, Path] = {}
    for path in sorted(service.home.experiments.glob("*/*/results.json")):
        if path.parent.name <= as_of.isoformat():
            newest[path.parent.parent.name] = path
    return [read_whole_json(path) for path in newest.values()]


def rank_by_effect(service: Service, experiment_id: str, as_of: dt.date, reason: str) -> None:
    """Decide that nights from today on rank by the effect that the analysis of `as_of` found.

    Raises:
        ExperimentError: it was not analysed then, or its results do not allow it.
    """
    from impact.experiments.plan import ExperimentError
    from impact.experiments.priority import adopt
    from impact.experiments.register import frozen_plans

    path = folder(service, experiment_id) / as_of.isoformat() / "results.json"
    if not path.exists():
        raise ExperimentError(
            f"{experiment_id} was not analysed as of {as_of}.", f"Run: vigie experiment analyse {experiment_id} --as-of {as_of}."
        )
    with service.warehouse() as warehouse:
        frozen = frozen_plans(warehouse)[experiment_id]
    adopt(service.home.experiments, frozen, read_whole_json(path), _today(service), reason)


def rank_by_risk(service: Service, reason: str) -> None:
    """Decide that nights from today on rank by risk again."""
    from impact.experiments.priority import withdraw

    withdraw(service.home.experiments, _today(service), reason)


def _today(service: Service) -> dt.date:
    return clock.last_finished_day(clock.now(), service.time_zone) + dt.timedelta(days=1)


def _by_arm(arms: pl.DataFrame) -> dict[str, int]:
    return {str(name): int(number) for name, number in arms.group_by("arm").len().sort("arm").rows()}


def _missed(service: Service, plan: Plan, as_of: dt.date) -> tuple[int, list[dt.date]]:
    """How many nights of the plan there should be, and those that left no alerts."""
    from impact.nights import missed

    last = min(plan.last_entry, as_of)
    run = {dt.date.fromisoformat(path.parent.name) for path in (service.home.root / "out").glob("*/alerts.parquet")}
    return max((last - plan.start).days + 1, 0), missed(run, plan.start, last)


def _overrides(service: Service, experiment_id: str, as_of: dt.date) -> dict[str, int]:
    rows = nightly(service, "overrides.parquet", ["as_of", "experiment_id", "enrolment_id", "kind"], as_of)
    if rows.is_empty():
        return {}
    theirs = rows.filter(pl.col("experiment_id") == experiment_id)
    counted = theirs.group_by(pl.col("kind").cast(pl.String)).agg(pl.col("enrolment_id").n_unique()).sort("kind")
    return {str(kind): int(number) for kind, number in counted.rows()}
