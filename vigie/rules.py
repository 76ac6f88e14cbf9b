"""National invariants, territorial freedom: one reader for both."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


AlertKind = Literal[
    "dropout_risk",
    "no_owner",
    "entry_contact_due",
    "mid_course_contact_due",
    "job_search_due",
    "post_exit_contact_due",
    "positive_exit_check",
    "learner_request",
]
"""Kinds of the contract `Alerts`: the rules say what each costs, `data_contracts.vocabulary` lists them for the contracts."""


class Invariants(BaseModel):
    """What nobody may change: `config/national.toml`, section invariants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    horizon_days: Literal[28]
    """Four weeks: so says what screens tell, in words, with two and eight weeks beside it."""
    attendance_rule_absences: int = Field(ge=1)
    attendance_rule_days: Literal[7, 14, 28, 30]
    silence_rule_days: int = Field(ge=1)
    silence_days: int = Field(ge=1)
    cool_down_days: int = Field(ge=0)
    alert_expires_days: int = Field(ge=1)
    keep_share: float = Field(gt=0, le=1)
    in_hand_days: int = Field(ge=0)
    owner_within_days: int = Field(ge=1)
    promise_warning_days: int = Field(ge=0)
    entry_contact_within_days: int = Field(ge=1)
    mid_course_from_days: int = Field(ge=1)
    mid_course_within_days: int = Field(ge=1)
    job_search_before_days: int = Field(ge=1)
    post_exit_within_days: int = Field(ge=1)
    positive_exit_within_days: int = Field(ge=1)
    excused_days: int = Field(ge=1)
    explained_days: int = Field(ge=1)
    hand_over_days: int = Field(ge=0)
    reasons_shown: int = Field(ge=1, le=4)


class Free(BaseModel):
    """What a territory may set: the same file's section free, then `config/territories/<id>.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weekly_capacity: int = Field(ge=0)
    queue_capacity: int = Field(ge=0)
    territory_capacity: int | None = Field(default=None, ge=0)
    backup_after_days: int = Field(ge=1)
    minutes: dict[AlertKind, int]
    minimum_risk: float = Field(ge=0, le=1)
    contact_within_days: int = Field(ge=1)
    promise_within_days: int = Field(ge=1)
    list_title: str = Field(min_length=1)
    actions: dict[str, str]
    scripts: dict[str, str]

    @field_validator("minutes")
    @classmethod
    def _every_kind_takes_time(cls, minutes: dict[AlertKind, int]) -> dict[AlertKind, int]:
        without = [kind for kind in get_args(AlertKind) if minutes.get(kind, 0) < 1]
        if without:
            raise ValueError(f"minutes of work, one or more, are missing for: {', '.join(without)}")
        return minutes


class DeliveryLimits(BaseModel):
    """What a delivery may look like before it is held back: `config/national.toml`, section deliveries. The same in every territory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rejected_share: float = Field(default=0.05, gt=0, le=1)
    """More rows at fault than this, and the delivery is held; not below as many rows as make one the limit."""
    rejected_shares: dict[str, float] = Field(default_factory=dict)
    """The same for tables that stand apart."""
    all_absent_learners: int = Field(default=10, ge=2)
    """A provider's day on which so many learners were expected and not one came is no day of absences but a broken export."""
    compared_rows: int = Field(default=200, ge=1)
    """Rows, in the delivery and in the past, below which nothing is compared."""
    compared_deliveries: int = Field(default=3, ge=1)
    """Past deliveries of the same sender, below which nothing is compared."""
    mix_distance: float = Field(default=0.35, gt=0, le=1)
    """Share of rows that would have to change code to look like the past."""
    volume_ratio: float = Field(default=20, gt=1)
    """More rows than this many times the usual."""
    withdrawn_share: float = Field(default=0.2, gt=0, le=1)
    """A full export that leaves out more than this of what is known is half an export."""


class Retention(BaseModel):
    """How long a person is kept: `config/national.toml`, section retention. The same in every territory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names_months_after_end: int = Field(default=12, ge=1, le=24)
    """Names, addresses and notes, after the end of the last course: six months to ask what became of them, six to use it."""
    all_months_after_sign: int = Field(default=24, ge=1, le=60)
    """Everything, after the last sign: contact, presence, entry or end of a course."""


class Rules(BaseModel):
    """The rules of one service: invariants, national defaults, and what each territory changed."""

    model_config = ConfigDict(frozen=True)

    invariants: Invariants
    default: Free
    territories: dict[str, Free]
    deliveries: DeliveryLimits = DeliveryLimits()
    retention: Retention = Retention()

    def of(self, territory_id: str) -> Free:
        """Rules of a territory; the national defaults where it has no file."""
        return self.territories.get(territory_id, self.default)


def read_rules(config: Path) -> Rules:
    """Read `national.toml` and every territory's file below `config`.

    Raises:
        ConfigurationError: a file is missing or malformed, a value is out of bounds, or a territory sets an invariant.
    """
    national = _toml(config / "national.toml")
    try:
        invariants = Invariants.model_validate(national.get("invariants", {}))
        default = Free.model_validate(national.get("free", {}))
        deliveries = DeliveryLimits.model_validate(national.get("deliveries", {}))
        retention = Retention.model_validate(national.get("retention", {}))
    except ValidationError as error:
        raise _invalid(config / "national.toml", error) from error
    territories = {path.stem: _territory(path, default) for path in sorted((config / "territories").glob("*.toml"))}
    return Rules(invariants=invariants, default=default, territories=territories, deliveries=deliveries, retention=retention)


def _territory(path: Path, default: Free) -> Free:
    changed = _toml(path)
    for key in changed:
        if key in Invariants.model_fields:
            what = f"{path.name} sets '{key}', which is the same in the whole country."
            raise ConfigurationError(what, f"Remove '{key}'. A territory may set: {', '.join(sorted(Free.model_fields))}.")
    try:
        tables = {name: base | own for name, base in default if isinstance(base, dict) and isinstance(own := changed.get(name), dict)}
        return Free.model_validate(default.model_dump() | changed | tables)
    except ValidationError as error:
        raise _invalid(path, error) from error


def _toml(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing.", "Set VIGIE_CONFIG to the folder that holds national.toml.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}.", "Correct the line it names.") from error


def _invalid(path: Path, error: ValidationError) -> ConfigurationError:
    faults = "; ".join(f"'{'.'.join(map(str, fault['loc']))}': {fault['msg']}" for fault in error.errors())
    return ConfigurationError(f"{path.name}: {faults}.", f"Correct these keys in {path}.")
