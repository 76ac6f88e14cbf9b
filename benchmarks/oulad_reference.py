"""What a good data scientist makes of OULAD without Vigie: 118 columns straight from the tables, one LightGBM of two seeds.

The rival of `benchmarks/oulad.py`, rebuilt from its description in the modelling notes (section 7b): windows of activity, work due, handed
in and marked, places in the presentation, and, on top of a first 72 columns, 14 daily values, gaps, fast and slow averages, distinct
contents, the next and the last deadline with the share of the cohort that has handed in.
No demographics. It reads the original tables, nothing of Vigie.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

KEY: Final = ["code_module", "code_presentation", "id_student"]
SESSION: Final = KEY[:2]
BEFORE: Final = 25
"""Traces begin this many days before the start."""
DAYS: Final = BEFORE + 300
MARKING_DAYS: Final = 14
HORIZON: Final = 28
KINDS: Final = {
    "content": ("oucontent", "resource", "subpage", "url", "page"),
    "forum": ("forumng", "oucollaborate", "ouelluminate"),
    "quiz": ("quiz", "externalquiz", "questionnaire"),
    "home": ("homepage",),
}
PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbose": -1,
}
ROUNDS: Final = 300
SEEDS: Final = (1, 2)


def rows(source: Path, presentations: tuple[str, ...], first: int = 0) -> pl.DataFrame:
    """Every enrolment still there on days `first`, `first` + 7, ..., with the 118 columns and `y`: leaves in the 28 days after."""
    parts = [_session(source, *key) for key in _sessions(source, presentations)]
    return pl.concat(parts).filter(pl.col("t") >= first)


def columns(table: pl.DataFrame) -> list[str]:
    """The 118 columns."""
    return [name for name in table.columns if name not in {"enrolment_id", "id_student", "group", "y"}]


def fit_and_score(train: pl.DataFrame, test: pl.DataFrame, threads: int = 2) -> NDArray[np.float64]:
    """Mean probability of the seeds for the rows of `test`."""
    import lightgbm as lgb

    names = columns(train)
    total = np.zeros(test.height)
    for seed in SEEDS:
        data = lgb.Dataset(train.select(names).to_numpy(), train["y"].to_numpy(), feature_name=names, categorical_feature=["module"])
        booster = lgb.train(PARAMETERS | {"seed": seed, "num_threads": threads}, data, num_boost_round=ROUNDS)
        total += np.asarray(booster.predict(test.select(names).to_numpy(), num_threads=threads))
    return total / len(SEEDS)


def _sessions(source: Path, presentations: tuple[str, ...]) -> list[tuple[str, str]]:
    courses = pl.read_parquet(source / "courses.parquet").filter(pl.col("code_presentation").is_in(presentations)).sort(SESSION)
    return [(str(module), str(presentation)) for module, presentation in courses.select(SESSION).iter_rows()]


def _session(source: Path, module: str, presentation: str) -> pl.DataFrame:  # noqa: PLR0915 - one long recipe reads best whole
    def of(name: str) -> pl.DataFrame:
        here = (pl.col("code_module") == module) & (pl.col("code_presentation") == presentation)
        return pl.scan_parquet(source / f"{name}.parquet").filter(here).collect()

    length = int(of("courses")["module_presentation_length"][0])
    people = of("studentInfo").join(of("studentRegistration"), on=KEY).sort("id_student").with_row_index("i")
    people = (
        people.filter(~((pl.col("final_result") == "Withdrawn") & pl.col("date_unregistration").is_null())).drop("i").with_row_index("i")
    )
    left = people["date_unregistration"].cast(pl.Float64).fill_null(10_000).to_numpy()
    registered = people["date_registration"].cast(pl.Float64).fill_null(-999).to_numpy()
    n = people.height
    index = people.select("id_student", "i")
    kind_of = {activity: kind for kind, activities in KINDS.items() for activity in activities}
    sites = of("vle").select("id_site", kind=pl.col("activity_type").replace_strict(kind_of, default="other"))
    clicks = of("studentVle").join(index, on="id_student").join(sites, on="id_site", how="left").filter(pl.col("date") >= -BEFORE)
    by_day = _dense(clicks, n)
    by_kind = {kind: _dense(clicks.filter(pl.col("kind") == kind), n).cumsum(1) for kind in KINDS}
    first_visits = clicks.group_by("i", "id_site").agg(pl.col("date").min()).with_columns(sum_click=pl.lit(1))
    daily_sites = clicks.group_by("i", "date").agg(sum_click=pl.col("id_site").n_unique())
    new_sites, distinct = _dense(first_visits, n).cumsum(1), _dense(daily_sites, n).cumsum(1)
    active = by_day > 0
    clicks_so_far, active_so_far = by_day.cumsum(1), active.cumsum(1)
    logs = np.log1p(by_day)
    fast, slow, slowest = (_decayed(logs, half_life) for half_life in (2, 7, 21))
    work = of("assessments").with_columns(due=pl.col("date").cast(pl.Int64).fill_null(length)).sort("due", "id_assessment")
    due, weight, exam = work["due"].to_numpy(), work["weight"].to_numpy(), work["assessment_type"].to_numpy() == "Exam"
    at_once = work["assessment_type"].to_numpy() == "CMA"
    handed, mark = np.full((n, len(due)), 10_000.0), np.full((n, len(due)), np.nan)
    given = pl.read_parquet(source / "studentAssessment.parquet").join(
        work.with_row_index("j").select("id_assessment", "j"), on="id_assessment"
    )
    given = given.join(index, on="id_student")
    place = (given["i"].to_numpy(), given["j"].to_numpy())
    handed[place] = given["date_submitted"].cast(pl.Float64).to_numpy()
    mark[place] = given["score"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    known_mark = handed + np.where(at_once, 0, MARKING_DAYS)

    parts = []
    for t in range(0, min(280, length - 6), 7):
        here = np.flatnonzero((registered <= t) & (left > t))
        day = t + BEFORE
        c: dict[str, Any] = {}

        window = partial(_window, here, day)
        c |= {"t": t, "days_left": length - t, "elapsed": t / length, "module": ord(module[0]) - ord("A")}
        c |= {"autumn": float(presentation.endswith("J")), "registered": registered[here], "cohort": float(len(here))}
        for days in (1, 3, 7, 14, 28, 56):
            c[f"clicks_{days}"] = window(clicks_so_far, days)
        for days in (7, 14, 28, 56):
            c[f"active_{days}"] = window(active_so_far, days)
        c |= {"clicks": clicks_so_far[here, day], "active": active_so_far[here, day]}
        c |= {"clicks_before_start": clicks_so_far[here, BEFORE - 1], "active_before_start": active_so_far[here, BEFORE - 1]}
        c["active_share"] = c["active"] / (t + 1)
        c["clicks_per_active_day"] = c["clicks"] / np.maximum(1, c["active"])
        seen = active[here, : day + 1]
        silent = np.where(seen.any(1), seen[:, ::-1].argmax(1), 999).astype(float)
        c |= {"silent": silent, "silent_usual": silent * c["active"] / (t + 1)}
        c["trend_7"] = np.log1p(c["clicks_7"]) - np.log1p(window(clicks_so_far, 21, 7) / 3)
        c["trend_14"] = np.log1p(c["clicks_14"]) - np.log1p(window(clicks_so_far, 28, 14) / 2)
        c["clicks_week_before"], c["clicks_two_weeks_before"] = window(clicks_so_far, 7, 7), window(clicks_so_far, 7, 14)
        for kind, so_far in by_kind.items():
            c |= {f"{kind}_14": window(so_far, 14), f"{kind}_28": window(so_far, 28), f"{kind}_total": so_far[here, day]}
        past, ahead = due <= t, due > t
        kept = handed[here] <= t
        missed = past & ~kept
        c |= {"due": float(past.sum()), "kept": kept.sum(1), "missed": missed.sum(1)}
        c["missed_share"] = c["missed"] / max(1, past.sum())
        c["weight_missed"] = (missed * weight).sum(1) / max(1e-9, float(weight[past].sum()))
        last = int(np.flatnonzero(past)[-1]) if past.any() else -1
        c["missed_last"] = missed[:, last].astype(float) if last >= 0 else np.nan
        in_a_row = np.cumprod(missed[:, past][:, ::-1], axis=1).sum(1) if past.any() else np.zeros(len(here))
        c |= {"missed_in_a_row": in_a_row, "ahead": (kept & ahead).sum(1)}
        c |= {"since_due": t - due[last] if last >= 0 else np.nan, "due_next_14": float((ahead & (due <= t + 14)).sum())}
        c |= {"due_next_28": float((ahead & (due <= t + 28)).sum()), "weight_next_28": float(weight[ahead & ~exam & (due <= t + 28)].sum())}
        with np.errstate(all="ignore"):
            given_at = np.where(kept, handed[here], np.nan)
            c["since_handed"] = t - _reduced(np.nanmax, given_at)
            lateness = given_at - due
            c |= {"lateness": _reduced(np.nanmean, lateness), "late": (lateness > 0).sum(1)}
            marks = np.where(known_mark[here] <= t, mark[here], np.nan)
            c |= {"mark": _reduced(np.nanmean, marks), "mark_worst": _reduced(np.nanmin, marks), "marks": (~np.isnan(marks)).sum(1)}
            c["mark_last"] = _last(marks, np.where(known_mark[here] <= t, handed[here], -np.inf))
            c["lateness_last"] = _last(lateness, np.where(kept, due.astype(float), -np.inf))
            c["mark_change"] = c["mark_last"] - c["mark"]
        for name in ("clicks_7", "clicks_14", "clicks_28", "clicks", "active_28", "silent", "kept", "mark"):
            c[f"{name}_rank"] = _rank(np.asarray(c[name], dtype=float))
        for name in ("clicks_7", "clicks_28", "content_14", "quiz_14", "forum_14", "home_14"):
            c[f"{name}_relative"] = np.log1p(c[name]) - np.log1p(c[name]).mean()
        c |= {
            "missed_relative": c["missed_share"] - c["missed_share"].mean(),
            "mark_relative": c["mark_last"] - np.nanmean([*c["mark_last"], 0.0]),
        }
        c["cohort_active_7"] = float((c["clicks_7"] > 0).mean())
        # What the richer one adds to the first 72.
        for ago in range(14):
            c[f"day_{ago}"] = logs[here, day - ago]
        gap, longest, count = _gaps(seen)
        c |= {"gap_mean": gap, "gap_longest": longest, "gaps_7": count, "silent_longest": silent / np.maximum(1, longest)}
        c |= {"fast": fast[here, day], "slow": slow[here, day], "slowest": slowest[here, day]}
        c["fast_slow"], c["slow_slowest"] = c["fast"] - c["slow"], c["slow"] - c["slowest"]
        for days in (7, 14, 28):
            c |= {f"sites_{days}": window(distinct, days), f"new_sites_{days}": window(new_sites, days)}
        c |= {"sites": new_sites[here, day]}
        c["sites_rank"] = _rank(c["sites"].astype(float))
        c["new_sites_relative"] = np.log1p(c["new_sites_14"]) - np.log1p(c["new_sites_14"]).mean()
        following = int(np.flatnonzero(ahead & ~exam)[0]) if (ahead & ~exam).any() else -1
        there = following >= 0
        c |= {"to_next": due[following] - t if there else np.nan, "weight_of_next": weight[following] if there else np.nan}
        c |= {
            "next_kept": kept[:, following].astype(float) if there else np.nan,
            "next_cohort": kept[:, following].mean() if there else np.nan,
        }
        c |= {"last_cohort": kept[:, last].mean() if last >= 0 else np.nan, "weight_of_last": weight[last] if last >= 0 else np.nan}
        week = max(0, day - 6)
        c["days_shared_with_cohort"] = (seen[:, week:] * seen[:, week:].mean(0)).sum(1)
        frame = {name: np.broadcast_to(np.asarray(value, dtype=np.float64), len(here)) for name, value in c.items()}
        keys = people[here.tolist()]
        parts.append(
            keys.select(
                pl.concat_str(KEY, separator="-").alias("enrolment_id"),
                "id_student",
                pl.lit(f"{module}-{presentation}-{t}").alias("group"),
                y=pl.Series(((left[here] > t) & (left[here] <= t + HORIZON)).astype(np.int8)),
            ).hstack(pl.DataFrame(frame))
        )
    return pl.concat(parts)


def _window(here: NDArray[np.int64], day: int, so_far: NDArray[Any], days: int, back: int = 0) -> Any:  # noqa: ANN401 - an array, or 0
    end = so_far[here, day - back] if day - back >= 0 else 0
    return end - (so_far[here, day - back - days] if day - back - days >= 0 else 0)


def _dense(events: pl.DataFrame, n: int) -> NDArray[np.float32]:
    table = np.zeros((n, DAYS), dtype=np.float32)
    np.add.at(table, (events["i"].to_numpy(), events["date"].cast(pl.Int64).to_numpy() + BEFORE), events["sum_click"].to_numpy())
    return table


def _decayed(values: NDArray[np.float32], half_life: float) -> NDArray[np.float32]:
    keep, result = 0.5 ** (1 / half_life), np.zeros_like(values)
    for day in range(values.shape[1]):
        result[:, day] = (result[:, day - 1] if day else 0) * keep + values[:, day] * (1 - keep)
    return result


def _reduced(how: Any, values: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ANN401 - a numpy reduction
    known = ~np.isnan(values).all(1) if values.shape[1] else np.zeros(len(values), bool)
    result = np.full(len(values), np.nan)
    if known.any():
        result[known] = how(values[known], axis=1)
    return result


def _last(values: NDArray[np.float64], when: NDArray[np.float64]) -> NDArray[np.float64]:
    newest = when.argmax(1)
    chosen = values[np.arange(len(values)), newest]
    return np.where(np.isfinite(when.max(1)), chosen, np.nan)


def _rank(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    return np.asarray((rankdata(values, nan_policy="omit") - 0.5) / max(1, len(values)), dtype=np.float64)


def _gaps(seen: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Mean and longest time between two active days, and how many were over a week."""
    days = np.where(seen, np.arange(seen.shape[1]), -1)
    before = np.maximum.accumulate(days, axis=1)[:, :-1]
    gaps = np.where((days[:, 1:] >= 0) & (before >= 0), days[:, 1:] - before, 0)
    count = (gaps > 0).sum(1)
    return gaps.sum(1) / np.maximum(1, count), gaps.max(1), (gaps > HORIZON / 4).sum(1)
