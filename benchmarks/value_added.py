"""Value added on made-up providers of known quality with unequal publics, the raw rate beside it: `make value-added`."""

from __future__ import annotations

import argparse
from typing import Final

import numpy as np
import polars as pl

from data_contracts.simulator.providers import EFFECTS, unequal_providers
from impact.value_added import value_added

SIZES: Final = (12, 30, 100, 1_000)
WORLDS: Final[dict[str, dict[str, object]]] = {
    "10 units of each size": {},
    "better units draw an easier public": {"sorting": 0.6},
    "no unit differs from another": {"spread": 0.0},
    "40 % of outcomes unknown, more of the failures": {"missing": 0.4},
    "4 units of 1,000": {"sizes": (1_000,) * 4},
}


def run(replications: int, first: int = 0, **world: object) -> pl.DataFrame:
    """Every unit of every replication: replication, the columns of `value_added`, size, true."""
    sizes = world.pop("sizes", tuple(np.repeat(SIZES, 10)))
    done = []
    for seed in range(first, first + replications):
        made = unequal_providers(np.random.default_rng(seed), sizes, **world)  # type: ignore[arg-type]
        table = value_added(made.people, "success", list(EFFECTS))
        rate = made.people.group_by("unit").agg(raw_rate=pl.col("success").mean())
        truth = made.truth.select("unit", "size", true="value_added").join(rate, on="unit")
        done.append(table.join(truth, on="unit").with_columns(replication=pl.lit(seed)))
    return pl.concat(done)


def summary(units: pl.DataFrame) -> pl.DataFrame:
    """For each size: how near the truth, how often the interval holds it, what is said, and the raw rate beside it."""
    true, told = pl.col("true"), pl.col("verdict")
    last = true.gather(pl.col("raw_rate").arg_min()).first()
    by_rank = units.group_by("replication", "size").agg(
        ours=pl.corr("value_added", "true", method="spearman"),
        rate=pl.corr("raw_rate", "true", method="spearman"),
        last=last > true.median(),
    )
    ranks = by_rank.group_by("size").agg(pl.col("ours", "rate").fill_nan(None).mean(), last_wronged=pl.col("last").mean())
    found = units.group_by("size").agg(
        units=pl.len(),
        correlation=pl.corr("value_added", "true"),
        raw_correlation=pl.corr("raw_rate", "true"),
        coverage=true.is_between("low", "high").mean(),
        width=(pl.col("high") - pl.col("low")).mean(),
        bounds_hold=true.is_between("worst", "best").mean(),
        bounds_width=(pl.col("best") - pl.col("worst")).mean(),
        bias=(pl.col("value_added") - true).mean(),
        apart=told.is_in(["above", "below"]).mean(),
        wrong_side=(((told == "above") & (true < 0)) | ((told == "below") & (true > 0))).mean(),
    )
    return found.join(ranks, on="size").sort("size").rename({"ours": "rank_correlation", "rate": "raw_rank_correlation"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=200)
    asked = parser.parse_args()
    with pl.Config(tbl_cols=-1, tbl_width_chars=250, float_precision=3, tbl_hide_dataframe_shape=True):
        for name, world in WORLDS.items():
            print(f"{name} ({asked.replications} replications)")
            print(summary(run(asked.replications, **world)))
