"""Criteria 15, 16 and 17: groups, faithful reasons, reasons that stay."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from line import Line
from world import START

from models.evaluation.measures import codes, listed
from models.explanation import reasons
from models.fairness import by_group
from models.faithfulness import agreement, by_subject, deletion, kept

if TYPE_CHECKING:
    from world import World

FLOOR = 100
"""Leavers a group needs to be judged by this criterion."""


def fairness(world: World) -> list[Line]:
    """15: recall, false omission and level by group, top tenth of each presentation-week."""
    rows = world.rows
    called = listed(world.risk, codes(rows["list"]), rows["label"].to_numpy())
    found = by_group(rows, world.risk, called, world.audit)
    print("Groups, P-dev, top tenth of each presentation-week")
    good = True
    for row in found.to_dicts():
        print(
            f"  {row['attribute']:14s}{row['group']:10s} learners {row['learners']:5d} leavers {row['dropouts']:4d}  selected {row['selection_rate']:.3f}  "
            f"recall {row['recall']:.3f} [{row['recall_low']:.3f}, {row['recall_high']:.3f}] ratio {row['recall_ratio']:.2f} "
            f"[{row['recall_ratio_low']:.2f}, {row['recall_ratio_high']:.2f}]  FOR ratio {row['false_omission_ratio']:.2f} "
            f"[{row['false_omission_ratio_low']:.2f}, {row['false_omission_ratio_high']:.2f}]  E/O {row['expected_over_observed']:.2f} "
            f"[{row['expected_over_observed_low']:.2f}, {row['expected_over_observed_high']:.2f}]{'  too few' if row['dropouts'] < FLOOR else ''}"
        )
        if row["dropouts"] >= FLOOR:
            good &= row["recall_ratio"] >= 0.8 and row["false_omission_ratio"] <= 1.25 and 0.8 <= row["expected_over_observed"] <= 1.25
    judged = found.filter(pl.col("dropouts") >= FLOOR)
    worst = judged.sort("false_omission_ratio", descending=True).row(0, named=True)
    return [
        Line(
            15,
            "Fairness",
            f"recall@10 ratio, FOR ratio, E/O by group of {FLOOR}+ leavers, P-dev",
            f"lowest recall ratio {judged['recall_ratio'].min():.2f}; highest FOR ratio {worst['false_omission_ratio']:.2f} ({worst['attribute']} "
            f"{worst['group']}); E/O {judged['expected_over_observed'].min():.2f} to {judged['expected_over_observed'].max():.2f}",
            good,
        )
    ]


def faithful(world: World) -> list[Line]:
    """16: contributions add up on every row; taking the two top subjects away against two drawn by lot, on the top decile."""
    rows, model = world.rows, world.model
    contributions, margin = model.contributions(rows), model.margins(rows)
    told = reasons(contributions, margin, model.columns, rows, rows.clear(), 4)
    sums = (
        pl.DataFrame({"r": told}).select(pl.col("r").list.eval(pl.element().struct.field("contribution")).list.sum()).to_series().to_numpy()
    )
    published = float(np.abs(sums + contributions[:, -1] - margin).max())
    raw = float(np.abs(contributions.sum(axis=1) - margin).max())
    top = listed(world.risk, codes(rows["list"]), np.zeros(rows.height))
    falls = deletion(model, rows, "list", top, taken=2)
    other = falls.filter(pl.col("top") != pl.col("random"))
    strict = float((falls["top"] > falls["random"]).mean())  # type: ignore[arg-type]
    more = float((other["top"] > other["random"]).mean())  # type: ignore[arg-type]
    one = deletion(model, rows, "list", top)
    ratio = float(falls["top"].mean() / falls["random"].mean())  # type: ignore[operator]
    return [
        Line(
            16,
            "Faithful",
            f"additivity on {rows.height:,} rows ({int(rows['label'].sum()):,} of leavers); deletion on the top decile ({int(top.sum()):,}), two top subjects set to the week's median against two by lot",
            # Where the lot fell on the very same subjects nothing can be larger: told apart, and counted against the reasons all the same.
            f"published reasons add up to {published:.1e} (contributions to {raw:.1e}); larger fall in {strict:.1%} ({more:.1%} where the lot fell on other subjects), mean fall "
            f"{falls['top'].mean():.2f} against {falls['random'].mean():.2f} (x {ratio:.1f}); one subject alone: larger or equal in "
            f"{(one['top'] >= one['random']).mean():.1%}",
            published <= 1e-6 and strict >= 0.90 and ratio >= 3,
        )
    ]


def stable(world: World, refits: int) -> list[Line]:
    """17: reasons of models refitted on learners drawn again; weekly differences add up."""
    few = world.rows.filter(pl.Series(listed(world.risk, codes(world.rows["list"]), np.zeros(world.rows.height))))
    first, _ = by_subject(world.model.contributions(few), world.model.columns)
    person = codes(world.past["learner_id"])
    top3, top1 = [], []
    for seed in range(refits):
        drawn = np.random.default_rng(seed).multinomial(person.max() + 1, np.full(person.max() + 1, 1 / (person.max() + 1)))
        again = world.refit(world.past[np.repeat(np.arange(len(person)), drawn[person])])
        second, _ = by_subject(again.contributions(few), again.columns)
        top3.append(agreement(first, second, 3))
        top1.append(agreement(first, second, 1))
        print(f"  refit {seed + 1}: top three {top3[-1]:.3f}, first {top1[-1]:.3f}", flush=True)
    now = few.join(world.rows.select("enrolment_id", as_of=pl.col("as_of") + pl.duration(days=7)), on=["enrolment_id", "as_of"], how="semi")
    before = now.select("enrolment_id", pl.col("as_of") - pl.duration(days=7)).join(
        world.rows, on=["enrolment_id", "as_of"], how="left", maintain_order="left"
    )
    change = (
        by_subject(world.model.contributions(now), world.model.columns)[0]
        - by_subject(world.model.contributions(before), world.model.columns)[0]
    )
    off = float(np.abs(change.sum(axis=1) - (world.model.margins(now) - world.model.margins(before))).max())
    nights = _night_to_night(world)
    return [
        Line(
            17,
            "Stable reasons",
            f"{refits} refits on learners drawn again, top decile; weekly differences by subject; published reasons on consecutive nights, days 56 to 83, top tenth, nothing new known",
            f"top three {np.mean(top3):.3f}, first {np.mean(top1):.3f}; differences add up to the change of log-odds within {off:.1e}; night to night "
            f"({nights.height:,} pairs) top three {nights['shared'].mean():.3f}, first {nights['first'].mean():.3f}",
            np.mean(top3) >= 0.85 and np.mean(top1) >= 0.90 and off <= 1e-6,
        )
    ]


def _night_to_night(world: World) -> pl.DataFrame:
    """What published reasons of the top tenth have in common with those of the night before, where nothing new was known."""
    parts = []
    for first in range(56, 83, 3):
        rows = world.rows_of([START + dt.timedelta(days=first + later) for later in range(4)])
        margin = world.model.margins(rows)
        told = reasons(world.model.contributions(rows, margin), margin, world.model.columns, rows, rows.clear(), 4)
        pairs = kept(rows, told)
        top = listed(margin, codes(rows["as_of"]), np.zeros(rows.height))
        parts.append(pairs.join(rows.filter(pl.Series(top)).select("as_of", "enrolment_id"), on=["as_of", "enrolment_id"], how="semi"))
    return pl.concat(parts)
