"""A simulated territory whose true risks are known: is the model as good as the truth allows, and do its probabilities mean what they say?

usage: python benchmarks/truth.py [--learners 10000] [--seeds 1,2,3]

Simulated data. Each territory is delivered, ingested and trained on as of TRAINED, and its weekly nights after that are scored, all by
commands of `vigie`. Scores are judged against what really happened to people still there, silent dropouts included. Three truths stand
beside the model:

true risk     probability of dropout in the 28 days after, given all that is true that evening, hidden states included: the simulated world
              goes on many times from there. Nothing that can be known on the night ranks better.
night hazard  the true hazard of dropping out on the night's own day, which sees the hidden states but not the time left nor who may turn.
path hazard   the true daily hazards of the 28 days, compounded. It looks ahead at luck after the night: a bound no score can reach.

The model taught by all territories together learns from as many times the rows: what a larger territory would bring.
The best reader (reader.py) knows every rate of the simulated world and reads deliveries alone: what it misses, no delivery tells.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from oulad import run
from reader import best_reading
from told import compare_told

from data_contracts.simulator import simulate, write_deliveries, write_truth
from data_contracts.vocabulary import POSITIVE_EXITS
from features.facts import read_facts
from features.matrix import cohort, matrix
from models.bands import bands
from models.baselines import logistic, rule_score, session_risk
from models.evaluation.bootstrap import with_intervals
from models.evaluation.load import advisors, replay
from models.evaluation.measures import codes, listed, measure
from models.landmarks import training_rows
from models.learner import LEARNT, MOST_ROUNDS, fit
from models.registry import load
from models.strata import STRATUM
from pipelines.service import open_service
from vigie.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.evaluation.bootstrap import Measure
    from pipelines.service import Service

    Floats = NDArray[np.float64]

FIRST, TRAINED, LAST = dt.date(2024, 9, 2), dt.date(2025, 10, 31), dt.date(2026, 6, 30)
HORIZON: Final = 28
NIGHTS: Final = [TRAINED + dt.timedelta(days=days) for days in range(7, (LAST - TRAINED).days - HORIZON + 1, 7)]
TRUTHS: Final = ("true risk", "night hazard", "path hazard", "best reader")
PROBABILITIES: Final = ("model", "true risk", "best reader", "logistic", "session rate")
CALIBRATION: Final = ("expected_over_observed", "calibration_slope", "calibration_intercept", "ece")
ENTRY: Final = ("course_day", "week_0_against_session")
"""Columns of the matrix that tell who entered when, and whether a session leaves traces."""
LATE_DAYS: Final = 7
REASON: Final = "Judged against the truth of a simulated territory."


def main() -> None:
    """Make the territories, judge all of them together, and say what is reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", type=int, default=10_000, help="enrolments of one territory over 22 months")
    parser.add_argument("--seeds", default="1,2,3", help="one territory a seed")
    parser.add_argument("--copies", type=int, default=100, help="how many times the world goes on from each night")
    parser.add_argument("--draws", type=int, default=200, help="bootstraps of learners")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "vigie-truth")
    parser.add_argument("--again", action="store_true", help="judge territories already scored once more, without making them anew")
    asked = parser.parse_args()
    homes = {}
    for seed in asked.seeds.split(","):
        home: Path = asked.home / f"{asked.learners}-{seed}"
        if not asked.again:
            shutil.rmtree(home, ignore_errors=True)
        if not (home / "judged.parquet").exists():
            make(home, asked.learners, int(seed), asked.copies)
        homes[seed] = home
    judge(pl.concat(together(homes)), asked.draws)


def make(home: Path, learners: int, seed: int, copies: int) -> None:
    """Simulate, ingest, train, score; leaves `judged.parquet`: one row a person and night, with every score and what happened."""
    start = time.perf_counter()
    simulation = simulate(learners, seed, FIRST, LAST, nights=NIGHTS, horizon_days=HORIZON, copies=copies)
    write_deliveries(simulation, home / "landing")
    write_truth(simulation, home / "truth")
    print(f"territory {seed}: {learners:,} simulated learners in {time.perf_counter() - start:.0f} s\n", flush=True)
    run("ingest", "--home", str(home))
    run("train", "--home", str(home), "--as-of", TRAINED.isoformat(), "--reason", REASON)
    service = open_service(Settings(home=home))
    version = next(path.name for path in service.home.models.iterdir() if path.is_dir())
    span = ("--from", NIGHTS[0].isoformat(), "--to", NIGHTS[-1].isoformat(), "--every", "7d")
    run("backfill", "--home", str(home), *span, "--scores-only", "--model", version)
    scores = pl.read_parquet(service.home.evaluation(NIGHTS[0], version).parent / "*" / "scores.parquet")
    rows = beside(service, version).join(
        scores.select("as_of", "enrolment_id", "alike", "positive_exit_risk", pl.col("risk").alias("model")), on=["as_of", "enrolment_id"]
    )
    rows = rows.join(best_reading(service, NIGHTS, HORIZON), on=["as_of", "enrolment_id"], how="left").rename({"reading": "best reader"})
    happened(rows, home / "truth").write_parquet(home / "judged.parquet")


def together(homes: dict[str, Path]) -> list[pl.DataFrame]:
    """The judged rows of each territory, with the score of one model taught by the past of all."""
    pasts = {name: pl.read_parquet(home / "past.parquet") for name, home in homes.items()}
    # Sessions of two territories bear the same names.
    past = pl.concat([rows.with_columns(session_id=pl.format("{} {}", pl.lit(name), "session_id")) for name, rows in pasts.items()])
    booster = fit(past, rounds=MOST_ROUNDS)
    parts = []
    for name, home in homes.items():
        score = np.asarray(booster.predict(pl.read_parquet(home / "nights.parquet").select(LEARNT).to_numpy(order="c")))
        read = ["as_of", "enrolment_id", *ENTRY]
        keys = pl.read_parquet(home / "nights.parquet", columns=read).with_columns(pl.Series("taught by all", score))
        judged = pl.read_parquet(home / "judged.parquet").with_columns(territory=pl.lit(name))
        parts.append(judged.join(keys, on=["as_of", "enrolment_id"], how="left", maintain_order="left"))
    return parts


def beside(service: Service, version: str) -> pl.DataFrame:
    """Each person and night with the scores of the rivals: the rule, the session rate, the logistic, a model taught on good ends as well.

    Leaves the landmark rows and the matrix of the nights beside the warehouse, for `together`.
    """
    rules, zone = service.rules.invariants, service.time_zone
    with service.warehouse() as warehouse:
        past = training_rows(warehouse, TRAINED, rules, zone)
        facts = read_facts(warehouse, NIGHTS[0], NIGHTS[-1], zone)
        pairs = cohort(facts, NIGHTS)
        rows = matrix(facts, pairs)
    past.select(*STRATUM, *LEARNT, "label").write_parquet(service.home.root / "past.parquet")
    rows.select("as_of", "enrolment_id", *LEARNT).write_parquet(service.home.root / "nights.parquet")
    lumped = past.with_columns(label=pl.max_horizontal("label", "positive"))
    model = load(service.home, version)
    together = fit(lumped, rounds=model.booster.num_trees()).predict(rows.select(model.columns).to_numpy(order="c"))
    return rows.select(
        "as_of",
        "enrolment_id",
        "learner_id",
        "session_id",
        "territory_id",
        pl.Series("logistic", logistic(past, rows)),
        pl.Series("lumped", np.asarray(together, dtype=np.float64)),
        rule_score().cast(pl.Float64).alias("attendance rule"),
        session_risk(rules.horizon_days).alias("session rate"),
    )


def happened(rows: pl.DataFrame, truth: Path) -> pl.DataFrame:
    """Add the truths, and what became of people; people who had left without anybody knowing yet are taken out, as from training."""
    ends = pl.read_parquet(truth / "counterfactual.parquet").select("enrolment_id", "exit_date", "reason")
    known = rows.join(ends, on="enrolment_id", how="left")
    there = known.filter(pl.col("exit_date").is_null() | (pl.col("exit_date") > pl.col("as_of")))
    soon = (pl.col("exit_date") - pl.col("as_of")).dt.total_days() <= HORIZON
    told = there.with_columns(
        label=(soon & (pl.col("reason") == "dropout")).fill_null(value=False).cast(pl.Float64),
        job=(soon & (pl.col("reason") == "job")).fill_null(value=False).cast(pl.Float64),
        positive=(soon & pl.col("reason").is_in(POSITIVE_EXITS)).fill_null(value=False).cast(pl.Float64),
    )
    hazard = pl.read_parquet(truth / "hazard.parquet").select("enrolment_id", "date", pl.col("hazard_dropout").cast(pl.Float64))
    night = hazard.rename({"date": "as_of", "hazard_dropout": "night hazard"})
    ahead = pl.concat([hazard.with_columns(as_of=pl.lit(date)).filter(_within(date)) for date in NIGHTS])
    path = ahead.group_by("as_of", "enrolment_id").agg((1 - (1 - pl.col("hazard_dropout")).product()).alias("path hazard"))
    risk = pl.read_parquet(truth / "risk.parquet").rename({"risk": "true risk"})
    for table in (risk, night, path):
        told = told.join(table, on=["as_of", "enrolment_id"], how="left")
    # Whose course ends that very day has no day left to leave on.
    told = told.with_columns(pl.col(*TRUTHS, "risk_job").fill_null(0.0))
    unknown = known.height - there.height
    missed = risk.join(rows, on=["as_of", "enrolment_id"], how="anti").height
    print(
        f"{told.height:,} people and nights, {int(told['label'].sum()):,} of them of people who drop out within {HORIZON} days; "
        f"{unknown:,} of people who had left unknown to the service are not judged, {missed:,} in training were not scored\n",
        flush=True,
    )
    return told.sort("as_of", "enrolment_id")


def _within(date: dt.date) -> pl.Expr:
    return pl.col("date").is_between(date, date + dt.timedelta(days=HORIZON), closed="right")


def judge(rows: pl.DataFrame, draws: int) -> None:
    """Print every figure with its interval, and what was asked beside what was read."""
    rows = rows.with_columns(
        pl.format("{}-{}", "territory", "enrolment_id").alias("enrolment_id"), list=pl.format("{} {}", "territory", "as_of")
    )
    person = codes(rows["enrolment_id"])
    scores = {name: rows[name].to_numpy() for name in ("model", "taught by all", *TRUTHS, "logistic", "session rate", "attendance rule")}
    contenders = {name: measure(rows, score, probability=name in PROBABILITIES, within="list") for name, score in scores.items()}
    print(f"All territories: {rows.height:,} rows, {rows['label'].mean():.2%} of leavers, {person.max() + 1:,} learners\n", flush=True)
    figures, differences = with_intervals(contenders, person, draws)
    _table("Ranking", figures, ("average_precision", "auc_within_night", "precision_at_top", "recall_at_top"))
    _table("Model above", differences, ("average_precision", "recall_at_top"))
    _table("Probabilities against what happened", figures, CALIBRATION)
    # A true risk in the place of what happened: the same question without the luck of who left.
    sure = {name: measure(rows.with_columns(label="true risk"), scores[name], probability=True, within="list") for name in PROBABILITIES}
    against, _ = with_intervals(sure, person, draws)
    _table("Probabilities against the true risk", against, CALIBRATION)
    share, _ = with_intervals({"model": _share_of(contenders)}, person, draws)
    _table("Average precision of the model as a share of that of", share, None)
    inside = {}
    for name in ("model", "true risk"):
        alike = bands(rows.select("enrolment_id", "label", risk=name), alike_in="rows")
        inside[name] = alike.filter(pl.col("expected").is_between("low", "high")).height
        print(f"Ten bands of equal size, {name}: what was expected lies inside the interval of what was observed in {inside[name]}")
        for band in alike.iter_rows(named=True):
            print("  expected {expected:.4f}, observed {observed:.4f} [{low:.4f}, {high:.4f}]".format(**band))
    compare_told(rows.with_columns(risk="model"), "session_id", pl.col("as_of").dt.truncate("3mo"))
    _entrants(rows)
    jobs = _jobs(rows, person, draws)
    _positive(rows)
    said = {(row[0], row[1]): row[2:] for row in [*figures.iter_rows(), *share.iter_rows(), *jobs.iter_rows()]}
    asked = (
        ("average precision, share of that of the true risk", ("model", "true risk"), (0.95, 9.9)),
        ("average precision, share of that of the night hazard", ("model", "night hazard"), (0.95, 9.9)),
        ("calibration slope", ("model", "calibration_slope"), (0.95, 1.05)),
        ("ECE", ("model", "ece"), (0.0, 0.005)),
        ("job leavers in the top tenth, share over share of all", ("model", "top tenth"), (0.0, 1.0)),
    )
    print("\nAsked")
    for what, cell, (least, most) in asked:
        value, low, high = said[cell]
        verdict = "reached" if least <= value <= most else "MISSED"
        print(f"  {verdict:8} {what}: {value:.4f} [{low:.4f}, {high:.4f}]; {least} to {most} asked")
    print(f"  {'reached' if inside['model'] == 10 else 'MISSED':8} inside the interval in {inside['model']} bands of ten")  # noqa: PLR2004 - of ten


def _share_of(contenders: dict[str, Measure]) -> Measure:
    def of(weights: Floats) -> dict[str, float]:
        mine = contenders["model"](weights)["average_precision"]
        return {name: mine / contenders[name](weights)["average_precision"] for name in TRUTHS}

    return of


def _jobs(rows: pl.DataFrame, person: NDArray[np.int64], draws: int) -> pl.DataFrame:
    """Share of people about to leave for a job on lists, over their share among all: contender, metric, value, low, high."""
    job, label, group = rows["job"].to_numpy(), rows["label"].to_numpy(), codes(rows["list"])
    mates = advisors(rows.with_columns(pl.format("{} {}", "territory", "territory_id").alias("unit")), "unit")
    names = ("model", "lumped", "true risk", "best reader", "logistic", "attendance rule")
    called = {
        name: {
            "top tenth": listed(rows[name].to_numpy(), group, label),
            "one place a week": replay(rows, mates, rows[name].to_numpy(), 1),
        }
        for name in names
    }

    def measured(lists: dict[str, NDArray[np.bool_]]) -> Measure:
        def of(weights: Floats) -> dict[str, float]:
            usual = (weights * job).sum() / weights.sum()
            return {name: float((weights * job * who).sum() / (weights * who).sum() / usual) for name, who in lists.items()}

        return of

    found, apart = with_intervals({name: measured(lists) for name, lists in called.items()}, person, draws)
    print(f"\n{int(job.sum()):,} rows are of people who leave for a job within {HORIZON} days ({job.mean():.2%})")
    _table("Share of job leavers on lists, over their share among all", found, None)
    _table("Model less", apart, None)
    reached = (called["model"]["top tenth"] * label).sum()
    for name in names[:2]:
        order = np.argsort(-rows[name].to_numpy(), kind="stable")
        taken = order[: int(np.searchsorted(np.cumsum(label[order]), reached)) + 1]
        print(f"{name}: {len(taken):,} rows called for {int(reached):,} of leavers, {int(job[taken].sum()):,} of job leavers among them")
    return found


def _entrants(rows: pl.DataFrame) -> None:
    """Late entrants beside the others: what the model expects, over the true risk, and how far it is off.

    Late is a week or more after the first of those still in the session; at a distance, a session in which anybody was active of late.
    """
    traced = pl.col("week_0_against_session").is_not_null().any().over("list", "session_id")
    late = pl.col("course_day").max().over("list", "session_id") - pl.col("course_day") >= LATE_DAYS
    mode = pl.when(traced).then(pl.lit("at a distance")).otherwise(pl.lit("in class"))
    entry = pl.when(late).then(pl.lit("late")).otherwise(pl.lit("in time"))
    week = pl.when(pl.col("course_day") < LATE_DAYS).then(pl.lit("first week")).otherwise(pl.lit("later"))
    found = (
        rows.group_by(mode.alias("session"), entry.alias("entry"), week.alias("week"))
        .agg(
            pl.len().alias("rows"),
            pl.col("label").sum().alias("leavers"),
            (pl.col("model").sum() / pl.col("true risk").sum()).alias("over"),
            (pl.col("model") - pl.col("true risk")).abs().mean().alias("off"),
        )
        .sort("session", "entry", "week")
    )
    print("\nWho enters late: expected by the model over the true risk, and mean difference from it")
    for row in found.iter_rows(named=True):
        print("  {session:14} {entry:8} {week:11} {rows:>8,} rows, {leavers:>5.0f} of leavers: {over:.2f}, {off:.4f}".format(**row))


def _positive(rows: pl.DataFrame) -> None:
    told = rows.filter(pl.col("positive_exit_risk").is_not_null())
    if told.height:
        expected, observed = told["positive_exit_risk"].sum(), told["positive"].sum()
        found = measure(told.with_columns(label="positive"), told["positive_exit_risk"].to_numpy(), probability=True, within="list")
        one = found(np.ones(told.height))
        print(
            f"Probability of a job or another course: expected {expected:,.0f}, observed {observed:,.0f} (E/O {expected / observed:.2f}), "
            f"AUC within the night {one['auc_within_night']:.3f}, slope {one['calibration_slope']:.2f}"
        )


def _table(title: str, long: pl.DataFrame, metrics: tuple[str, ...] | None) -> None:
    who, _, value = long.columns[:3]
    kept = metrics or tuple(dict.fromkeys(long["metric"]))
    print(f"\n{title}\n{'':18}" + "".join(f"{name:>32}" for name in kept))
    for name in dict.fromkeys(long[who]):
        cells = ""
        for metric in kept:
            row = long.filter(pl.col(who) == name, pl.col("metric") == metric)
            cells += (
                "".join(f"{one[value]:>12.4f} [{one['low']:>7.4f}, {one['high']:>7.4f}]" for one in row.iter_rows(named=True)) or " " * 32
            )
        print(f"{name:18}{cells}")


if __name__ == "__main__":
    main()
