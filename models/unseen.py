"""Providers and programmes that nobody learnt from: the same recipe without them, judged on them (modelling notes, section 1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from models.baselines import days_silent, rule_score, scored
from models.blocks import MIN_DROPOUTS, cut
from models.calibration import UNCALIBRATED, calibrate
from models.evaluation.bootstrap import DRAWS, interval, shares, with_intervals
from models.evaluation.measures import codes, measure
from models.language import Said, spoken
from models.learner import Model, fit
from models.training import fingerprint
from vigie.errors import NoModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.blocks import Blocks

LEVELS: Final = ("provider", "programme")
PARTS: Final = 5
"""Places are left out a fifth of them at a time: one by one, a territory of fifty providers would be learnt fifty times."""
LARGEST: Final = 10
FEWEST_LEAVERS: Final = 5
"""People who left below which a place has no interval."""
UNSEEN: Final = "unseen"
SEEN: Final = "seen"
_NAMED: Final = {
    SEEN: "the twin that saw them",
    "attendance_rule": "the attendance rule",
    "days_silent": "the number of days silent",
}


@dataclass(frozen=True)
class Unseen:
    """How the recipe of a version does where it learnt nothing; plain tables, kept with the version."""

    version: str
    first: str
    last: str
    levels: pl.DataFrame
    """level, places, rows, dropouts (of what was judged), why_not and its French why_not_fr: why other places could not be; empty where all
    were."""
    figures: pl.DataFrame
    """level, contender, metric, value, low, high: `unseen`, `seen` (the twin, which learnt from these places) and the rules."""
    differences: pl.DataFrame
    """level, rival, metric, difference (unseen less rival), low, high."""
    places: pl.DataFrame
    """level, place, rows, expected and observed (rows of leavers), leavers (people), observed_over_expected, low, high (null below
    `FEWEST_LEAVERS`): of the `LARGEST` places, by rows."""

    def verdict(self, level: str) -> Said:
        """What the paired differences of average precision prove of one level, in words."""
        said = []
        for row in self.differences.filter(level=level, metric="average_precision").to_dicts():
            low, high = (row[end] or 0 for end in ("low", "high"))
            proven = "proven to rank worse than" if high < 0 else "proven to rank better than" if low > 0 else ""
            said.append(Said("{proven} {rival}", proven=proven or "not proven to differ from", rival=_NAMED[row["rival"]]))
        return Said("By average precision, where nobody learnt, the recipe is {said}.", said=said)

    @classmethod
    def read(cls, text: str) -> Unseen:
        """As `to_json` wrote it; versions before there were two languages have no `why_not_fr`."""
        plain = json.loads(text)
        tables = {name: pl.DataFrame(value) for name, value in plain.items() if isinstance(value, list)}
        if "why_not_fr" not in tables["levels"].columns:
            tables["levels"] = tables["levels"].with_columns(why_not_fr="why_not")
        return cls(**{**plain, **tables})

    def to_json(self) -> str:
        """As text; tables as lists of rows."""
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        tables = {name: value.fill_nan(None).to_dicts() for name, value in plain.items() if isinstance(value, pl.DataFrame)}
        return json.dumps(plain | tables, indent=1, allow_nan=False) + "\n"


def judge_unseen(
    twin: Model,
    taught_by: str,
    rows: pl.DataFrame,
    version: str,
    *,
    threads: int = 2,
    on_step: Callable[[str], None] = lambda _: None,
    times: int = DRAWS,
) -> Unseen:
    """Leave providers, then programmes, out of all that is learnt and calibrated, and judge them on the last block.

    As many trees are fitted as the twin has, on its columns: that number alone was chosen with these places there.
    Learners judged teach nothing elsewhere either. A place's own past, as each night knew it, is still read by the columns that tell of
    it: that is what a new place has once its first exits are known.

    Args:
        twin: of the version, fitted on the first block and calibrated on the second.
        taught_by: fingerprint of the rows that taught it, as from `models.training.fingerprint`.
        rows: the landmark rows of its training, as from `models.training.learnt_rows`.
        version: of the model.
        threads: how many LightGBM may use.
        on_step: told what begins.
        times: bootstraps of learners.

    Raises:
        NoDataError: a block holds too few dropouts.
        NoModelError: these are not the rows that taught the twin.
    """
    if fingerprint(rows) != taught_by:
        what = f"The rows known at {twin.trained_as_of} are no longer those that {version} was taught with."
        raise NoModelError(what, "People were erased, or columns or rules changed since: train again, and judge the new version.")
    blocks = cut(rows, twin.horizon_days)
    levels = []
    tables: tuple[list[pl.DataFrame], ...] = ([], [], [])
    for level in LEVELS:
        on_step(f"leaving each {level} out")
        judged, why_not = _left_out(twin, blocks, level, threads)
        counts = {"places": judged[f"{level}_id"].n_unique(), "rows": judged.height, "dropouts": int(judged["label"].sum())}
        reasons = {"why_not": " ".join(why_not), "why_not_fr": " ".join(spoken(one, "fr") for one in why_not)}
        levels.append({"level": level, **counts, **reasons})
        if counts["dropouts"]:
            for table, told in zip(tables, (*_compared(judged, times), _by_place(judged, level, times)), strict=True):
                table.append(told.select(pl.lit(level).alias("level"), pl.all()))
    figures, differences, places = (pl.concat(table) if table else pl.DataFrame(schema={"level": pl.String}) for table in tables)
    first, last = (str(day) for day in (blocks.test["as_of"].min(), blocks.test["as_of"].max()))
    return Unseen(version, first, last, pl.DataFrame(levels), figures, differences, places)


def _left_out(twin: Model, blocks: Blocks, level: str, threads: int) -> tuple[pl.DataFrame, list[Said]]:
    """Rows of the last block that could be judged, with `unseen` and `seen` risks, and why the others could not."""
    column = f"{level}_id"
    test = blocks.test.with_columns(pl.Series(SEEN, twin.calibration.risk(twin.margins(blocks.test, threads))))
    parts = _dealt(test, column)
    why_not: list[Said] = []
    done = [test.clear().with_columns(pl.lit(None, pl.Float64).alias(UNSEEN))]
    if len(parts) == 1:
        return done[0], [Said("There is one {level} alone.", level=level)]
    for part in parts:
        here = test.filter(pl.col(column).is_in(part))
        past, between = (
            block.filter(~pl.col(column).is_in(part)).join(here, on="learner_id", how="anti", maintain_order="left")
            for block in (blocks.train, blocks.calibration)
        )
        if min(block["label"].sum() for block in (past, between)) < MIN_DROPOUTS:
            few = "Without {places} fewer than {least} dropouts are left to learn or to calibrate from."
            why_not.append(Said(few, places=", ".join(part), least=MIN_DROPOUTS))
            continue
        booster = fit(past, rounds=twin.booster.num_trees(), threads=threads, columns=twin.columns)
        fitted = Model(booster, UNCALIBRATED, twin.trained_as_of, twin.horizon_days)
        try:
            calibration = calibrate(fitted.margins(between, threads), between["label"].to_numpy())
        except NoModelError as error:
            why_not.append(Said("Without {places}: {why}", places=", ".join(part), why=error.what))
            continue
        done.append(here.with_columns(pl.Series(UNSEEN, calibration.risk(fitted.margins(here, threads)))))
    return pl.concat(done).sort("as_of", "enrolment_id"), why_not


def _dealt(test: pl.DataFrame, column: str) -> list[list[str]]:
    """Places in at most `PARTS` parts with about as many dropouts, the same each time."""
    order = test.group_by(column).agg(pl.col("label").sum()).sort("label", column, descending=[True, False])[column].to_list()
    return [order[first::PARTS] for first in range(min(PARTS, len(order)))]


def _compared(judged: pl.DataFrame, times: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Figures of all that ranks these rows, and paired differences."""
    contenders = {name: measure(judged, judged[name].to_numpy(), probability=True) for name in (UNSEEN, SEEN)}
    rules = {"attendance_rule": rule_score(), "days_silent": days_silent()}
    contenders |= {name: measure(judged, scored(judged, score), probability=False) for name, score in rules.items()}
    return with_intervals(contenders, codes(judged["learner_id"]), times)


def _by_place(judged: pl.DataFrame, level: str, times: int) -> pl.DataFrame:
    """Is the level of risk right in the largest places: chosen by their rows, since whom leavers point out would seem to have too many."""
    column = f"{level}_id"
    leavers = pl.col("enrolment_id").filter(pl.col("label") == 1).n_unique()
    sums = pl.col(UNSEEN).sum().alias("expected"), pl.col("label").sum().cast(pl.Int64).alias("observed"), leavers.alias("leavers")
    found = (
        judged.group_by(column, maintain_order=True)
        .agg(pl.len().alias("rows"), *sums)
        .sort("rows", column, descending=[True, False])
        .head(LARGEST)
    )
    here = (judged[column].to_numpy()[:, None] == found[column].to_numpy()[None, :]).astype(np.float64)
    risk, label = (here * judged[name].to_numpy()[:, None] for name in (UNSEEN, "label"))
    values, drawn = shares(label, risk, codes(judged["learner_id"]), times)
    bounds = [interval(drawn[:, place]) for place in range(found.height)]
    told = found.with_columns(
        pl.Series("observed_over_expected", values, dtype=pl.Float64),
        pl.Series("low", [low for low, _ in bounds], dtype=pl.Float64),
        pl.Series("high", [high for _, high in bounds], dtype=pl.Float64),
    )
    # Draws of hardly anybody who left hold nothing but them: their interval would be too short, down to none.
    enough = pl.col("leavers") >= FEWEST_LEAVERS
    return told.with_columns(pl.when(enough).then(pl.col("low", "high"))).rename({column: "place"})
