"""Training, and the decision which model serves: the steps behind `vigie train` and `vigie models`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from vigie import clock
from vigie.errors import NoDataError, NoModelError
from vigie.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from models.gate import Verdict
    from models.judging import Evidence
    from models.language import Said
    from models.training import Trained
    from models.unseen import Unseen
    from pipelines.service import Service


@dataclass(frozen=True)
class Outcome:
    """A trained model, what the gate said of it, and who serves now."""

    trained: Trained
    evidence: Evidence
    verdict: Verdict
    champion: str | None
    weighed: list[Said]
    """What weighs more than others in training, in English sentences; empty where no arm is held out."""

    @property
    def version(self) -> str:
        """Of the model trained."""
        return self.trained.model.version


def train_model(service: Service, as_of: dt.date, on_step: Callable[[str], None] = lambda _: None, reason: str = "") -> Outcome:
    """Train on what was known at the end of `as_of`, register, ask the gate; green, or with a written reason, it serves."""
    from alerts.night import notice
    from impact.experiments.support import held_out_weights
    from models.card import CARD_FILES, tell_decisions, write_card
    from models.comparison import keep, weigh_beside_champion
    from models.promotion import promote
    from models.registry import attach, champion, register
    from models.training import train
    from models.watch import REFERENCE_FILE, reference
    from pipelines.made_with import made_with

    rules, zone, serving = service.rules.invariants, service.time_zone, champion(service.home)
    with service.warehouse() as warehouse:
        said = notice(warehouse, as_of, zone)
        held = held_out_weights(warehouse, as_of, zone)
        trained = train(warehouse, as_of, rules, zone, threads=service.settings.threads, on_step=on_step, weights=held)
        on_step("logging to MLflow")
        version = register(service.home, trained)
        attach(service.home, version, {}, made_with(service.settings.config), [])
        learnt = reference(trained.rows, trained.model.calibration.risk(trained.model.margins(trained.rows)))
        write_whole(service.home.models / version / REFERENCE_FILE, learnt.write_parquet)
        on_step("judging beside the baselines and the champion")
        evidence = weigh_beside_champion(service.home, warehouse, version, as_of, rules, zone, rows=trained.rows)
    now = clock.now()
    verdict, rests_on = keep(service.home, evidence, now)
    weighed = _weighed(held, trained.rows)
    # Trained once more, a version keeps the card of its first training: who was champion then, it was judged beside.
    if not all((service.home.models / version / name).exists() for name in CARD_FILES.values()):
        on_step("model card")
        write_card(service.home, trained, evidence, verdict, said, weighed)
    if serving != version:
        promote(service.home, version, verdict, now, reason, rests_on, by_itself=True)
    tell_decisions(service.home, version, serving)
    return Outcome(trained, evidence, verdict, champion(service.home), weighed)


def _weighed(held: pl.DataFrame, rows: pl.DataFrame) -> list[Said]:
    """Of each experiment with a held-out arm: how many rows weigh what, and why."""
    from models.language import Said
    from models.training import weighed

    learnt = weighed(rows, held).group_by("experiment_id", "share", "weight")
    told = learnt.agg(people=pl.col("enrolment_id").n_unique(), rows=pl.len()).sort("experiment_id")
    template = (
        "Held-out arm of {experiment_id}: {people:,} enrolments, {rows:,} of {all_rows:,} rows, weigh {weight:.1f} each in what the trees "
        "learn, one over the arm's share ({share:.0%}); calibration counts all alike."
    )
    return [Said(template, all_rows=rows.height, **one) for one in told.to_dicts()]


def compare_models(service: Service, first: str, second: str, as_of: dt.date) -> tuple[Evidence, Verdict]:
    """Two versions on rows that both came before, as known at the end of `as_of`; kept in MLflow as a run of its own.

    Returns:
        Evidence on `first` beside `second`, and what the gate would say of `first` were `second` champion.

    Raises:
        NoModelError: a version is unknown, has no twin, or is named twice.
    """
    from models.comparison import log_comparison, weigh
    from models.gate import decide
    from models.promotion import refused_before
    from models.registry import champion
    from pipelines.made_with import made_with

    if first == second:
        raise NoModelError(f"{first} is named twice.", "Name two versions; vigie models card shows one beside the baselines.")
    with service.warehouse() as warehouse:
        evidence = weigh(service.home, warehouse, first, second, as_of, service.rules.invariants, service.time_zone)
    serves = second == champion(service.home)
    verdict = decide(evidence, refused=refused_before(service.home, first), rival="champion" if serves else "rival")
    log_comparison(service.home, evidence, verdict, as_of, made_with(service.settings.config))
    return evidence, verdict


def leave_out(service: Service, version: str, on_step: Callable[[str], None] = lambda _: None) -> Unseen:
    """Judge the recipe of a version on providers and programmes it learns nothing from; told in its card and in MLflow.

    Raises:
        NoDataError: too little is known to judge on.
        NoModelError: the version is unknown, has no twin, or the rows it was taught with are no longer known.
    """
    from impact.experiments.support import held_out_weights
    from models.card import tell_unseen
    from models.registry import fingerprint_of, twin_of
    from models.training import learnt_rows
    from models.unseen import judge_unseen

    twin, _ = twin_of(service.home, version)
    as_of, rules, zone = dt.date.fromisoformat(twin.trained_as_of), service.rules.invariants, service.time_zone
    with service.warehouse() as warehouse:
        on_step("landmark rows")
        rows = learnt_rows(warehouse, as_of, rules, zone, held_out_weights(warehouse, as_of, zone))
    found = judge_unseen(twin, fingerprint_of(service.home, version), rows, version, threads=service.settings.threads, on_step=on_step)
    tell_unseen(service.home, found)
    return found


def promote_model(service: Service, version: str, as_of: dt.date, reason: str) -> tuple[Verdict, bool, dt.date]:
    """Ask the gate about a version on what is known at the end of `as_of`, and make it champion if it may or for a written reason.

    Where deliveries stopped before, their last day decides; where too few outcomes are known since it was trained, its training day.

    Returns:
        What the gate said, whether the version serves now, and the as-of date of what the gate was asked on.

    Raises:
        NoDataError: `as_of` is before the day of training.
        ConfigurationError: a reason too short to be understood later.
    """
    from models.card import tell_decisions
    from models.comparison import keep, weigh_beside_champion
    from models.landmarks import last_told
    from models.promotion import promote, understood
    from models.registry import champion, known, trained_on

    rules, zone, home = service.rules.invariants, service.time_zone, service.home
    understood(reason)
    known(home, version)
    trained = trained_on(version)
    if as_of < trained:
        what = f"{version} was trained on {trained}: on {as_of} there is less to judge it on than on that day."
        raise NoDataError(what, f"Name {trained} or a later day: --as-of.")
    with service.warehouse() as warehouse:
        # Deliveries that stopped tell most on their last day.
        days = sorted({as_of, max(trained, min(as_of, last_told(warehouse, as_of, zone) or trained)), trained}, reverse=True)
        for asked_of in days:
            try:
                evidence = weigh_beside_champion(home, warehouse, version, asked_of, rules, zone)
                break
            except NoDataError:
                if asked_of == days[-1]:
                    raise
    now, serving = clock.now(), champion(home)
    verdict, rests_on = keep(home, evidence, now)
    done = promote(home, version, verdict, now, reason, rests_on)
    tell_decisions(home, version, serving)
    return verdict, done, asked_of


def roll_back(service: Service, reason: str) -> str:
    """Give the service back to the champion before the present one, as `models.promotion.rollback`, and say so in both cards."""
    from models.card import tell_decisions
    from models.promotion import rollback
    from models.registry import champion

    serving = champion(service.home)
    version = rollback(service.home, clock.now(), reason)
    tell_decisions(service.home, version, serving)
    return version


def cards_of(service: Service, version: str) -> list[Path]:
    """Where the model card of a version lies in each language, French first.

    Raises:
        NoDataError: none was written.
    """
    from models.card import CARD_FILES
    from models.registry import load, trained_on

    # Where its folder is gone, it is fetched again whole.
    load(service.home, version)
    # Versions of before there were two languages have one.
    found = [path for name in CARD_FILES.values() if (path := service.home.models / version / name).exists()]
    if not found:
        what = f"{version} has no card: its training was stopped before, or was an older version of Vigie's."
        raise NoDataError(what, f"Run: vigie train --as-of {trained_on(version)}. The same version comes of the same data, with its card.")
    return found
