"""An experiment as its file in `config/experiments/` states it, and the fingerprint that fixes it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tomllib
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

Unit = Literal["learner", "session", "provider", "territory"]
Treatment = Literal["usual", "held_out", "first"]
Design = Literal["individual", "cluster", "stepped_wedge", "encouragement", "holdout"]
Population = Literal["in_training", "entrants", "at_risk"]
Stratum = Literal["territory_id", "provider_id", "session_id", "objective", "mode"]
Subject = Literal["attendance", "punctuality", "trend", "activity", "assessments", "contacts"]
Outcome = Literal["dropout", "attended_share", "spoken_with", "in_work_6_months"]
UNSAID_WAIT: Final = 7
"""What plans without wait_days were frozen with: it never changes."""
HOLDOUT_SHARE: Final = 0.10
"""Largest share of a permanent hold-out: what is given up for good must stay small (modelling notes, section 2)."""


class ExperimentError(ConfigurationError):
    """A plan that cannot stand, or that differs from the one that was frozen."""


class Practice(BaseModel):
    """What a list asks for in place of the usual, where an alert comes for this reason first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Subject
    action: str = Field(min_length=1, max_length=64)
    """Code of an action that config/ words."""


class Arm(BaseModel):
    """One arm: what happens to the place on the list, and for which share of the units."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=64)
    treatment: Treatment
    share: float = Field(gt=0, lt=1)
    practice: Practice | None = None
    """A practice under trial; the place on the list is that of `treatment`."""

    @model_serializer(mode="wrap")
    def _without_what_is_not_tried(self, usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A plan without practice is written as before there were any: what was frozen keeps its hash."""
        written: dict[str, Any] = usual(self)
        return {key: value for key, value in written.items() if key != "practice" or value is not None}


class Plan(BaseModel):
    """Everything that is decided before the data come. The file's name is the experiment's identifier."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    experiment_id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: str = Field(min_length=1)
    question: str = Field(min_length=1)
    decided_by: str = Field(min_length=1)
    """A function or a committee, never a person's name."""
    unit: Unit
    design: Design
    arms: tuple[Arm, Arm]
    """Control first."""
    territories: tuple[str, ...] = ()
    """All of them when empty."""
    population: Population = "in_training"
    minimum_risk: float = Field(default=0.0, ge=0, le=1)
    """With population at_risk: a learner enters on the first night with a risk at or above it."""
    strata: tuple[Stratum, ...] = ()
    block_size: int = Field(default=0, ge=0, le=64)
    """Permuted blocks of this many units within each stratum; 0: a hash for each unit."""
    seed: int = Field(ge=0)
    start: dt.date
    """First as-of date whose list follows the arms."""
    end: dt.date | None = None
    """Last as-of date on which units enter; only a permanent hold-out has none."""
    steps: int = Field(default=0, ge=0, le=24)
    step_days: int = Field(default=0, ge=0)
    primary: Outcome = "dropout"
    secondary: tuple[Outcome, ...] = ()
    horizon_days: int = Field(ge=1, le=730)
    wait_days: int = Field(default=UNSAID_WAIT, ge=UNSAID_WAIT, le=365)
    """After each person's horizon, until what became of them counts as known: exits are told late, and silence takes its time to tell."""
    uptake_days: int = Field(default=7, ge=1, le=90)
    """A two-way contact within this time of the draw counts as take-up."""
    expected_effect: float = Field(gt=-1, lt=1)
    """Treated minus control on the primary outcome, as a share: -0.03 is three points fewer."""
    expected_attrition: float = Field(default=0.0, ge=0, lt=1)
    expected_take_up: tuple[float, float] | None = None
    """Encouragement: expected take-up without and with the invitation."""
    power: float = Field(default=0.8, gt=0, lt=1)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    adjust: bool = True
    """Adjust for the risk and the place in the course on the day of the draw."""

    @model_validator(mode="after")
    def _stands(self) -> Plan:
        faults = [*_faults_of_dates(self), *_faults_of_design(self)]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @model_serializer(mode="wrap")
    def _as_before_waits_were_said(self, usual: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What was frozen without wait_days keeps its hash."""
        written: dict[str, Any] = usual(self)
        return {key: value for key, value in written.items() if key != "wait_days" or value != UNSAID_WAIT}

    @property
    def canonical(self) -> str:
        """The plan as canonical JSON: sorted keys, no blanks. Two machines write the same bytes."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of `canonical`."""
        return sha256(self.canonical)

    @property
    def level(self) -> float:
        """Of the intervals that go with `alpha`."""
        return 1 - self.alpha

    @property
    def last_entry(self) -> dt.date:
        """Last as-of date on which a unit may enter."""
        return self.end or dt.date.max

    @property
    def due(self) -> dt.date | None:
        """First as-of date on which what became of everybody is known; None for a permanent hold-out."""
        return self.end + dt.timedelta(days=self.horizon_days + self.wait_days) if self.end else None

    def crossover(self, step: int) -> dt.date:
        """Stepped wedge: first as-of date on which units of `step` (1, 2, ...) follow the list."""
        return self.start + dt.timedelta(days=step * self.step_days)


def sha256(text: str) -> str:
    """Hexadecimal SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def _faults_of_dates(plan: Plan) -> list[str]:
    faults = []
    if plan.end is None and plan.design != "holdout":
        faults.append("only a permanent hold-out has no end: give end a date")
    if plan.end and plan.end < plan.start:
        faults.append("end is before start")
    if plan.design == "stepped_wedge":
        if plan.steps < 2 or plan.step_days < 1:  # noqa: PLR2004 - one step is a before-after comparison
            faults.append("a stepped wedge needs two steps or more, and step_days")
        elif plan.step_days < plan.horizon_days:
            faults.append("step_days is shorter than the horizon: outcomes would run into the next step")
        elif plan.end and plan.end != plan.crossover(plan.steps + 1) - dt.timedelta(days=1):
            faults.append(f"with these steps, end must be {plan.crossover(plan.steps + 1) - dt.timedelta(days=1)}")
    return faults


def _faults_of_design(plan: Plan) -> list[str]:
    control, treated = plan.arms
    by_group = plan.design in {"cluster", "stepped_wedge"}
    rules = {
        "shares of the arms must add up to 1": abs(control.share + treated.share - 1) > 1e-9,  # noqa: PLR2004 - rounding
        "the two arms need different names": control.name == treated.name,
        "the two arms do the same": (control.treatment, control.practice) == (treated.treatment, treated.practice),
        "the control arm tries no practice": control.practice is not None,
        "a practice is tried on people whom the list names as usual, in a design that is no stepped wedge": treated.practice is not None
        and (treated.treatment != "usual" or plan.design == "stepped_wedge"),
        f"design {plan.design} randomises sessions, providers or territories, not learners": by_group and plan.unit == "learner",
        f"design {plan.design} randomises learners; for a {plan.unit}, choose cluster or stepped_wedge": not by_group
        and plan.unit != "learner",
        "population at_risk is for learners: a group is not at risk on a night of its own": plan.unit != "learner"
        and plan.population == "at_risk",
        "population at_risk needs minimum_risk": plan.population == "at_risk" and not plan.minimum_risk,
        f"a permanent hold-out keeps at most {HOLDOUT_SHARE:.0%} off the risk list": plan.design == "holdout"
        and (control.treatment != "held_out" or control.share > HOLDOUT_SHARE),
        "an encouragement compares usual with first, and needs expected_take_up": plan.design == "encouragement"
        and (plan.expected_take_up is None or (control.treatment, treated.treatment) != ("usual", "first")),
        "a stepped wedge holds groups out and deals them over its steps: control held_out, treated usual, no block_size": plan.design
        == "stepped_wedge"
        and (plan.block_size > 0 or (control.treatment, treated.treatment) != ("held_out", "usual")),
        "the shares cannot be kept in blocks of this size": plan.block_size > 0
        and abs(plan.block_size * control.share - round(plan.block_size * control.share)) > 1e-9,  # noqa: PLR2004 - rounding
        "the primary outcome is listed among the secondary ones": plan.primary in plan.secondary,
    }
    return [fault for fault, holds in rules.items() if holds]


def read_plan(config: Path, experiment_id: str) -> Plan:
    """Read `config/experiments/<experiment_id>.toml`.

    Raises:
        ExperimentError: the file is missing or malformed, or the plan cannot stand; the message says why.
    """
    path = config / "experiments" / f"{experiment_id}.toml"
    known = ", ".join(sorted(other.stem for other in path.parent.glob("*.toml"))) or "none"
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Plan.model_validate({**content, "experiment_id": experiment_id})
    except FileNotFoundError as error:
        raise ExperimentError(f"There is no experiment {experiment_id} in {path.parent}.", f"Known: {known}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path} is not valid TOML: {error}.", "Correct the line it names.") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'plan'}: {fault['msg']}" for fault in error.errors())
        raise ExperimentError(f"{path.name}: {faults}.", f"Correct {path}; docs/guides/evaluator.md explains each key.") from error


def plan_from(canonical: str) -> Plan:
    """The plan that was frozen as this canonical JSON."""
    return Plan.model_validate_json(canonical)


def changed_keys(frozen: Plan, now: Plan) -> list[str]:
    """Keys on which two plans differ, in order."""
    before, after = frozen.model_dump(mode="json"), now.model_dump(mode="json")
    return sorted(key for key in before | after if before.get(key) != after.get(key))
