"""What a feature is: a name, an expression, and all that a person must know to read it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import polars as pl

from data_contracts.catalogue import TABLES, DeliveredTable
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

Group = Literal["attendance", "punctuality", "trend", "activity", "assessments", "contacts", "course", "session", "learner"]
"""Subjects a person can understand; the contributions of a subject's features are summed into one reason."""

Unit = Literal["half_days", "days", "count", "works", "actions", "share", "points", "minutes", "level", "flag", "score", "rate", "times"]
"""Of a value: `times` is a logarithm of a ratio, told as how many times."""


BANNED: Final = frozenset(
    {
        "birth_year",
        "home_territory",
        "sex",
        "age_band",
        "disability",
        "priority_area",
        "income_support",
        "given_name",
        "family_name",
        "phone",
        "email",
        "language",
        "dropout_motive",
    }
)
"""Columns no feature may read: protected attributes, their close proxies, identities (domain rules 4.2)."""
APART: Final = frozenset({"learner_audit", "learner_identities"})
"""Tables no feature may read at all."""


@dataclass(frozen=True)
class Feature:
    """One column of the matrix.

    `expr` is an aggregation over the facts known to the pair, or, in the later steps of a family, an expression over the columns made
    before it. Sums are of integers, so that the order in which rows come can never change a value.
    """

    name: str
    expr: pl.Expr = field(repr=False)
    unit: Unit
    meaning: str
    null_means: str
    group: Group
    fr: str = ""
    """Sentence for an advisor, none of what is never told. It is said only when the value is on the worse side; `{value}` stands for the
    value with its unit, `{s}` for the plural of what it counts, and `[words]` are left out where the same fact is told as protective."""
    en: str = ""
    fr_better: str = ""
    """The sentence of a protective fact, where `fr` is not true of the better side; `{value}` is then without its sign."""
    en_better: str = ""
    monotone: Literal[-1, 0, 1] = 0
    """1: more of it never lowers the risk; -1: never raises it."""
    worse: Literal[-1, 0, 1] = 0
    """Where the model is left free: which way a person would call it worse. Only a value on the worse side is ever told as a reason."""
    against: float | None = None
    """What the sentence itself compares with, such as 0 for "less than": a value is told only beyond it, however others do."""
    fair: pl.Expr | None = field(default=None, repr=False)
    """Of whom it may be told as a reason, over the columns of the matrix; where this is not known to hold, it is not told."""
    fair_better: pl.Expr | None = field(default=None, repr=False)
    """Of whom it may be told as protective; without it, of those of `fair`."""
    speaks_from: float | None = None
    """From this value on, it is this fact that is told of its subject, whichever weighs most: gone for weeks, a share says too little."""
    beside: bool = False
    """True of a fact that explains no risk and is told beside a reason of its subject, which would be unfair without it."""
    alone: bool = False
    """True of a fact that is told of whomever it holds, even where its subject does not raise the risk."""
    among: str = ""
    """Column of the half-days a count or share is of: it got better only after a better week, worse only where as many were held."""
    repeats: frozenset[str] = frozenset()
    """Facts of one other subject that tell the same: beside one of them it is not told."""
    moves: bool = True
    """False where a week before it told of something else: of another piece of work, or of a change of its own."""
    learnt: bool = True
    """False for a column that rules and rivals read and the model does not."""

    @property
    def direction(self) -> int:
        """1 when more is worse, -1 when less is, 0 for context that is never told as a reason."""
        return self.monotone or self.worse

    def column(self) -> pl.Expr:
        """The expression under its name, as a 64-bit float: null where nothing is known."""
        return self.expr.cast(pl.Float64).alias(self.name)


@dataclass(frozen=True)
class Family:
    """Features drawn from one source: facts are joined to pairs, aggregated by pair, then derived.

    `facts` are aggregated over the rows of `table` known to the pair; `derived` are computed from the pair's columns; `cohort` may look
    across the pairs of the same session and as-of date. Helpers are columns that later steps need and nobody else sees.
    """

    name: str
    table: str
    columns: Sequence[str]
    """Columns read from the table; those that are banned are refused."""
    prepare: Sequence[pl.Expr] = ()
    """Columns added to the joined rows before aggregation."""
    keep: pl.Expr | None = None
    """Which joined rows count."""
    peers: Sequence[pl.Expr] = ()
    """What a row must know of the same facts of the session's other pairs; may look across `session_id` and `as_of`."""
    marks: Sequence[pl.Expr] = ()
    """What a row must know of all the pair's rows, such as the last presence: aggregated first, then put beside each row."""
    helpers: Sequence[pl.Expr] = ()
    facts: Sequence[Feature] = ()
    derived: Sequence[Feature] = ()
    cohort: Sequence[Feature] = ()

    def __post_init__(self) -> None:
        """Refuse what no feature may read, wherever it is declared: nothing learns from it by oversight.

        Raises:
            ConfigurationError: a banned table or column is named.
        """
        kept = () if self.keep is None else (self.keep,)
        steps = (*self.prepare, *kept, *self.peers, *self.marks, *self.helpers, *(feature.expr for feature in self.features))
        read = {self.table, *self.columns, *(name for expr in steps for name in expr.meta.root_names())}
        if found := sorted(read & (BANNED | APART)):
            what = f"The features of {self.name} read {', '.join(found)}: protected, a close proxy, or an identity."
            raise ConfigurationError(what, "Leave it out; groups are judged in models/fairness.py, on scores that never saw them.")

    @property
    def source(self) -> DeliveredTable:
        """The table it reads."""
        return TABLES[self.table]

    @property
    def key(self) -> str:
        """Column that joins its rows to pairs."""
        names = self.source.schema.column_names()
        return next(name for name in ("enrolment_id", "learner_id", "session_id") if name in names)

    @property
    def features(self) -> tuple[Feature, ...]:
        """All its features, in order."""
        return (*self.facts, *self.derived, *self.cohort)


AGO = (pl.col("as_of") - pl.col("date")).dt.total_days().cast(pl.Int32)
"""Days between a fact and the as-of date: 0 on the day itself."""


KNOWN = (pl.col("known_on") <= pl.col("cutoff")) & (pl.col("visible_until").is_null() | (pl.col("visible_until") > pl.col("cutoff")))
"""True for the layer that was the newest at the pair's cutoff: every join of facts to dates goes through it."""


def there_for(days: int) -> pl.Expr:
    """True of who entered that many days ago: a sentence on a longer time would only tell that they are new."""
    return pl.col("course_day") >= days


ALWAYS, NEVER = pl.lit(value=True), pl.lit(value=False)
MANY = pl.col("session_people").ge(10)
"""True in sessions where a rank, the middle of its place, says within five in a hundred how many others do less."""
MIDDLE: Final = 0.5
"""Rank from which on somebody stands above half of the session."""
WEEK: Final = 7
NOTHING_SINCE = ~(pl.col("days_since_handed_in") < pl.col("days_since_activity")).fill_null(value=False)
"""False of who has handed work in since their last trace online: they were there, and no silence is told of them without it."""


def plainly(name: str) -> pl.Expr:
    """True where a logarithm of a ratio is one a person would notice: 18 % less, or 22 % more."""
    return pl.col(name).abs().ge(0.2)


def times(name: str) -> pl.Expr:
    """True where a logarithm of a ratio tells of two to twenty times: less is no matter for a call, more is hardly anything at all."""
    return pl.col(name).abs().is_between(math.log(2), math.log(20))


def within(days: int) -> pl.Expr:
    """True for facts of the last `days` days, the as-of date included."""
    return pl.col("ago") < days


def ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A share; null where there is nothing to divide by."""
    return pl.when(whole > 0).then(part / whole)
