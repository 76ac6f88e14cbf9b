"""What the service remembers of experiments: plans frozen once, arms drawn before each list, what went before an arm."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.experiments import ARMS, PLANS, practices, treatments
from data_contracts.tables.experiments import ArmOverrides, Arms, Plans
from data_contracts.vocabulary import LISTED
from impact.experiments.allocation import allocate, drawn_again
from impact.experiments.plan import ExperimentError, Plan, changed_keys, plan_from, sha256
from impact.experiments.population import eligible, enrolments_at
from impact.experiments.preanalysis import preanalysis
from vigie.files import write_whole

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    import dataframely as dy

    from vigie.erasures import Whom
    from vigie.store import Warehouse

ERASED: Final = "erased-"
"""Begins the name that somebody erased has among the arms."""


@dataclass(frozen=True)
class Frozen:
    """A plan as it was frozen."""

    plan: Plan
    analysis: str
    analysis_hash: str
    frozen_at: dt.datetime
    rehearsal: bool


def frozen_plans(warehouse: Warehouse) -> dict[str, Frozen]:
    """Every frozen plan, by experiment; each is checked against its hash.

    Raises:
        ExperimentError: a stored plan was changed since.
    """
    found = {}
    for row in warehouse.read(PLANS).to_dicts():
        if sha256(row["plan"]) != row["plan_hash"] or sha256(row["analysis"]) != row["analysis_hash"]:
            what = f"The frozen plan of {row['experiment_id']} no longer has the hash it was frozen with."
            raise ExperimentError(what, "Somebody changed the warehouse. Bring back a copy from before, and find out who.")
        found[row["experiment_id"]] = Frozen(
            plan_from(row["plan"]), row["analysis"], row["analysis_hash"], row["frozen_at"], row["rehearsal"]
        )
    return found


def in_step(folder: Path, warehouse: Warehouse) -> None:
    """Bring plans and arms back into a warehouse made anew from deliveries, and keep a copy of both beside it.

    Deliveries can be sent again; a draw and its date cannot. Rows are only ever added, on both sides.

    Args:
        folder: where the copies lie, `plans.parquet` and `arms.parquet`.
        warehouse: open for writing.

    Raises:
        ExperimentError: a plan or an arm is told in two ways.
    """
    for layout, schema in ((PLANS, Plans), (ARMS, Arms)):
        copy, key = folder / f"{layout.name}.parquet", schema.primary_key()
        stored = warehouse.read(layout)
        kept = pl.read_parquet(copy) if copy.exists() else stored.clear()
        told = pl.concat([stored, kept]).unique()
        if told.select(key).is_duplicated().any():
            what = f"{copy} and the warehouse tell of the same {layout.name} in two ways."
            raise ExperimentError(what, "One of them was changed: bring back a backup of the home folder, and find out who.")
        if told.height > stored.height:
            warehouse.create_ledger(layout)
            warehouse.append(layout.name, schema.validate(told.join(stored, on=key, how="anti")))
        if told.height > kept.height:
            write_whole(copy, told.sort(key).write_parquet)


def without(folder: Path, whom: Whom) -> int:
    """Take people out of the copy of the arms, the draw and its counts staying: each gets a name made up for the place; how many.

    Args:
        folder: where `arms.parquet` lies.
        whom: people erased.
    """
    copy = folder / f"{ARMS.name}.parquet"
    arms = pl.read_parquet(copy) if copy.exists() else pl.DataFrame(schema=dict(ARMS.columns))
    gone = (arms["unit"].cast(pl.String) == "learner") & whom.holds("learner", arms["unit_id"])
    if gone.any():
        made_up = pl.Series([f"{ERASED}{uuid.uuid4().hex}" for _ in range(arms.height)], dtype=pl.String)
        left = arms.with_columns(unit_id=pl.when(gone).then(made_up).otherwise("unit_id"), risk=pl.when(~gone).then("risk"))
        write_whole(copy, left.sort(Arms.primary_key()).write_parquet)
    return int(gone.sum())


def freeze(warehouse: Warehouse, plan: Plan, now: dt.datetime, *, rehearsal: bool = False) -> Frozen:
    """Fix the plan for good. Freezing the same plan again changes nothing.

    Args:
        warehouse: open for writing.
        plan: as read.
        now: the present instant.
        rehearsal: on past or simulated data; every report then says that this is no evidence.

    Raises:
        ExperimentError: it was frozen with other content, or its start is not ahead.
    """
    known = frozen_plans(warehouse).get(plan.experiment_id)
    if known:
        unchanged(known, plan)
        return known
    if not rehearsal and plan.start <= now.date():
        what = f"{plan.experiment_id} starts on {plan.start}, which is not ahead: a plan is fixed before its data."
        raise ExperimentError(what, "Give start a later date. To practise on past or simulated data: --rehearsal, which reports repeat.")
    analysis = preanalysis(plan)
    frozen = Frozen(plan, analysis, sha256(analysis), now, rehearsal)
    row = {
        "experiment_id": plan.experiment_id,
        "plan_hash": plan.fingerprint,
        "plan": plan.canonical,
        "analysis_hash": frozen.analysis_hash,
        "analysis": analysis,
        "frozen_at": now,
        "rehearsal": rehearsal,
    }
    warehouse.create_ledger(PLANS)
    warehouse.create_ledger(ARMS)
    warehouse.append(PLANS.name, Plans.validate(pl.DataFrame([row], schema=dict(PLANS.columns))))
    return frozen


def unchanged(frozen: Frozen, plan: Plan) -> None:
    """Hold the file to the frozen plan.

    Raises:
        ExperimentError: it differs; the message names the keys.
    """
    keys = changed_keys(frozen.plan, plan)
    if keys:
        what = f"{plan.experiment_id} was frozen on {frozen.frozen_at:%Y-%m-%d}; its file now changes: {', '.join(keys)}."
        raise ExperimentError(what, "Put the file back as it was, or plan a new experiment under another name: this one goes on as frozen.")


def draw_newcomers(warehouse: Warehouse, as_of: dt.date, scores: pl.DataFrame, time_zone: str) -> dict[str, int]:
    """Before the list of `as_of`: give an arm to every unit that can enter tonight and has none. Run again, it changes nothing.

    Args:
        warehouse: open for writing.
        as_of: the night.
        scores: `Scores` of that night.
        time_zone: in which as-of dates end.

    Returns:
        How many entered, by experiment at work that night.
    """
    entered = {}
    for name, frozen in frozen_plans(warehouse).items():
        plan = frozen.plan
        if not plan.start <= as_of <= plan.last_entry:
            continue
        before = arms_of(warehouse, name)
        # A stepped wedge is a closed set of groups, all drawn on its first night.
        if plan.design == "stepped_wedge" and before.height:
            continue
        people = enrolments_at(warehouse, plan, as_of, time_zone)
        if plan.unit == "learner":
            # Whom another draw moves on the list tonight enters once that is over: two arms at once would tell of neither.
            asked = (treatments(warehouse, as_of, time_zone), practices(warehouse, as_of, time_zone))
            moved = pl.concat(one.select("experiment_id", "enrolment_id") for one in asked).filter(pl.col("experiment_id") != name)
            people = people.join(moved, on="enrolment_id", how="anti", maintain_order="left")
        units = eligible(people, plan, as_of, scores)
        drawn = allocate(plan, units, before, as_of)
        warehouse.append(ARMS.name, drawn)
        entered[name] = drawn.height
    return entered


def arms_of(warehouse: Warehouse, experiment_id: str) -> pl.DataFrame:
    """`Arms` of one experiment."""
    return warehouse.read(ARMS).filter(pl.col("experiment_id") == experiment_id)


def altered(warehouse: Warehouse, frozen: Frozen) -> pl.DataFrame:
    """Arms that the frozen plan does not give when the draw is made again; none when all is well.

    A stratum of which somebody was erased since is left out: without who they were, its draw cannot be made again.
    """
    arms = arms_of(warehouse, frozen.plan.experiment_id)
    erased = arms.filter(pl.col("unit_id").str.starts_with(ERASED)).select("stratum").unique()
    return drawn_again(frozen.plan, arms.join(erased, on="stratum", how="anti", maintain_order="left"))


def overrides(warehouse: Warehouse, alerts: pl.DataFrame, as_of: dt.date, time_zone: str) -> dy.DataFrame[ArmOverrides]:
    """People kept off tonight's risk list whom a list names all the same: their own request, or a promise.

    Args:
        warehouse: open.
        alerts: `Alerts` of the night.
        as_of: the night.
        time_zone: in which as-of dates end.
    """
    held = treatments(warehouse, as_of, time_zone).filter(pl.col("treatment") == "held_out")
    listed = alerts.filter(pl.col("state").cast(pl.String).is_in(LISTED), pl.col("kind").cast(pl.String) != "dropout_risk")
    rows = listed.join(held.select("experiment_id", "enrolment_id"), on="enrolment_id").select(
        pl.lit(as_of).alias("as_of"), "experiment_id", "enrolment_id", "kind"
    )
    return ArmOverrides.validate(rows.unique().sort("experiment_id", "enrolment_id", "kind"), cast=True)
