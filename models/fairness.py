"""Is anybody left behind? The one place of models that reads protected attributes, and only to judge a score that never saw them.

The action is help, and scarce: first who is found among those who will leave (equal opportunity), then who is missed among those not
called, then whether the probability holds for the group (modelling notes, section 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from data_contracts.known import known_at
from features.catalogue import FEATURES
from models.evaluation.bootstrap import interval, shares
from models.evaluation.measures import codes, figures

if TYPE_CHECKING:
    import datetime as dt

    from vigie.arrays import Flags, Floats
    from vigie.store import Warehouse

ATTRIBUTES: Final = ("sex", "age_band", "disability", "priority_area", "income_support")
FEW: Final = 20
"""Leavers below which a group, or those it is compared with, are too few to be told."""
QUANTITIES: Final = ("selection_rate", "recall", "false_omission_rate", "expected_over_observed")
PROXY_MEMBERS: Final = 100
"""People a group needs, inside and outside, before it is asked whether the columns give it away."""
PROXY_TREES: Final = 60


def read_audit(warehouse: Warehouse, as_of: dt.date, time_zone: str, judged: pl.DataFrame) -> pl.DataFrame:
    """Groups of each learner as known at the end of `as_of`.

    Args:
        warehouse: open.
        as_of: what became known later is not used.
        time_zone: in which as-of dates end.
        judged: as_of, learner_id of the rows to be judged.

    Returns:
        learner_id, one text column an attribute, and the operator of whoever owned the case on the first row judged: an owner who came
        after the exit would make a group of those who left.
    """
    known = known_at(warehouse, as_of, time_zone)
    texts = pl.col(ATTRIBUTES).cast(pl.String).replace({"true": "yes", "false": "no"})
    people = known("learner_audit", "learner_id", *ATTRIBUTES).with_columns(texts)
    first = judged.group_by("learner_id").agg(pl.col("as_of").min())
    then = (pl.col("valid_from") <= pl.col("as_of")) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= pl.col("as_of")))
    owners = known("assignments", "learner_id", "valid_from", "valid_to", "advisor_id").join(first, on="learner_id").filter(then)
    newest = owners.sort("learner_id", "valid_from").unique("learner_id", keep="last", maintain_order=True)
    operators = newest.join(known("advisors", "advisor_id", "operator"), on="advisor_id").select("learner_id", "operator")
    return people.join(operators, on="learner_id", how="full", coalesce=True).sort("learner_id")


def by_group(rows: pl.DataFrame, risk: Floats, called: Flags, audit: pl.DataFrame) -> pl.DataFrame:
    """Figures of each group, with 95 % intervals by learner, and ratios to everybody else whose group is known.

    Args:
        rows: learner_id, label.
        risk: probability of each row.
        called: rows on a list.
        audit: as from `read_audit`.

    Returns:
        attribute, group, learners, dropouts (learners who leave), too_few, then for each of `QUANTITIES` its value, _low, _high, and
        recall_ratio, false_omission_ratio, expected_ratio with _low and _high. Groups that hold everybody are left out.
    """
    known = rows.select("learner_id").join(audit, on="learner_id", how="left", maintain_order="left")
    label, person = rows["label"].to_numpy(), codes(rows["learner_id"])
    pairs = [
        (attribute, group)
        for attribute in audit.columns
        if attribute != "learner_id"
        for group in known[attribute].drop_nulls().unique().sort().to_list()
        if known[attribute].n_unique() - (known[attribute].null_count() > 0) > 1
    ]
    if not pairs:
        return pl.DataFrame(schema={"attribute": pl.String, "group": pl.String, "too_few": pl.Boolean})
    one = np.ones(len(label))
    parts = np.stack([called, called * label, ~called * label, risk], axis=1)
    wholes = np.stack([one, label, ~called * one, label], axis=1)
    inside = [(known[attribute] == group).fill_null(value=False).to_numpy()[:, None] for attribute, group in pairs]
    outside = [(known[attribute] != group).fill_null(value=False).to_numpy()[:, None] for attribute, group in pairs]
    asked = [*inside, *outside]
    values, drawn = shares(np.hstack([parts * who for who in asked]), np.hstack([wholes * who for who in asked]), person)
    size, groups = len(QUANTITIES), len(pairs)
    table = []
    for place, (attribute, group) in enumerate(pairs):
        here, there = slice(place * size, (place + 1) * size), slice((groups + place) * size, (groups + place + 1) * size)
        members = inside[place][:, 0]
        leavers, others = (
            rows.filter(pl.Series(who[:, 0]) & (pl.col("label") == 1))["learner_id"].n_unique() for who in (inside[place], outside[place])
        )
        line: dict[str, object] = {
            "attribute": attribute,
            "group": group,
            "learners": rows.filter(pl.Series(members))["learner_id"].n_unique(),
            "dropouts": leavers,
            "too_few": min(leavers, others) < FEW,
        }
        for name, value, draws_of in zip(QUANTITIES, values[here], drawn[:, here].T, strict=True):
            line |= _with_interval(name, float(value), draws_of)
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio, ratios = values[here] / values[there], drawn[:, here] / drawn[:, there]
        for name, number in (("recall_ratio", 1), ("false_omission_ratio", 2), ("expected_ratio", 3)):
            line |= _with_interval(name, float(ratio[number]), ratios[:, number])
        table.append(line)
    return pl.DataFrame(table)


def _with_interval(name: str, value: float, drawn: Floats) -> dict[str, float]:
    low, high = interval(drawn)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def proxies(rows: pl.DataFrame, audit: pl.DataFrame, risk: Floats) -> pl.DataFrame:
    """How well the columns give away each group, though none of them is read: AUC of a small model on people it did not see.

    Args:
        rows: the matrix with learner_id; the latest row of each learner is used.
        audit: as from `read_audit`.
        risk: of the same rows.

    Returns:
        attribute, group, learners, auc (of the columns for the group), auc_of_risk (of the score itself; 0.5: it says nothing of it).
    """
    import lightgbm as lgb

    dated = rows.with_columns(risk=pl.Series(risk)).sort("as_of", maintain_order=True)
    latest = dated.unique("learner_id", keep="last", maintain_order=True).sort("learner_id")
    known = latest.join(audit, on="learner_id", how="left", maintain_order="left")
    values = known.select(list(FEATURES)).to_numpy(order="c")
    half = np.random.default_rng(0).permutation(known.height) % 2 == 0
    settings = {
        "objective": "binary",
        "num_leaves": 7,
        "learning_rate": 0.1,
        "verbose": -1,
        "deterministic": True,
        "seed": 0,
        "num_threads": 1,
    }
    table = []
    for attribute in (name for name in audit.columns if name in ATTRIBUTES):
        for group in known[attribute].drop_nulls().unique().sort().to_list():
            told = known[attribute].is_not_null().to_numpy()
            belongs = (known[attribute] == group).fill_null(value=False).to_numpy().astype(np.float64)
            if min(belongs[told].sum(), (1 - belongs[told]).sum()) < PROXY_MEMBERS:
                continue
            learn, ask = told & half, told & ~half
            model = lgb.train(settings, lgb.Dataset(values[learn], belongs[learn]), num_boost_round=PROXY_TREES)
            asked = pl.DataFrame({"as_of": np.zeros(int(ask.sum())), "label": belongs[ask]})
            found = (
                figures(asked, score, probability=False)["auc"] for score in (model.predict(values[ask]), known["risk"].to_numpy()[ask])
            )
            table.append((attribute, group, int(belongs.sum()), *found))
    schema = {"attribute": pl.String, "group": pl.String, "learners": pl.Int64, "auc": pl.Float64, "auc_of_risk": pl.Float64}
    return pl.DataFrame(table, schema=schema, orient="row")
