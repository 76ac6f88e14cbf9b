"""From alerts to lines a person reads: one line a learner, ready to print anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from alerts.policy import LISTED
from alerts.wording import KINDS, PROMISES, change, day, likelihood, why

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from alerts.wording import Phrase


@dataclass(frozen=True)
class Line:
    """One learner on a list."""

    rank: int
    who: str
    phone: str
    email: str
    course: str
    kinds: list[str]
    why: list[str]
    changed: list[str]
    likelihood: str
    weak: bool
    """Too little is known for the estimate to weigh much."""
    actions: list[str]
    since: str
    until: str
    is_new: bool


@dataclass(frozen=True)
class AdvisorList:
    """One recipient's list of one night."""

    key: str
    """File name without its ending."""
    recipient: str
    title: str
    as_of: dt.date
    lines: list[Line]
    waiting: int
    """People left out by this week's budget."""
    notice: str
    """What must be said of made-up data; empty for real data."""


@dataclass(frozen=True)
class Words:
    """All that a list says beyond the alerts themselves."""

    phrases: Mapping[str, Phrase]
    actions: Mapping[str, Mapping[str, str]]
    """By territory, the sentence of each action code."""
    titles: Mapping[str, str]
    """By territory."""
    notice: str


def lists(alerts: pl.DataFrame, people: pl.DataFrame, advisors: pl.DataFrame, words: Words) -> list[AdvisorList]:
    """Lists of a night, in the order of their keys.

    Args:
        alerts: contract `Alerts`, with territory_id, course (session and provider in words) and low_confidence of the enrolment.
        people: learner_id, given_name, family_name, phone, email; a learner may be missing.
        advisors: advisor_id, name.
        words: sentences.
    """
    named = alerts.join(people, on="learner_id", how="left").join(
        advisors.select("advisor_id", advisor="name"), on="advisor_id", how="left"
    )
    named = named.with_columns(recipient=pl.coalesce("advisor_id", pl.format("file-{}", "territory_id")))
    result = []
    for (key,), rows in sorted(named.partition_by("recipient", as_dict=True, maintain_order=True).items()):
        result.append(_one(str(key), rows, words))
    return result


def _one(key: str, rows: pl.DataFrame, words: Words) -> AdvisorList:
    listed = rows.filter(pl.col("state").is_in(LISTED)).sort("rank")
    first = rows.row(0, named=True)
    groups = [part.to_dicts() for part in listed.partition_by("learner_id", maintain_order=True)]
    waiting = rows.filter(pl.col("state") == "over_capacity")["learner_id"].n_unique()
    own = first["advisor"] or first["advisor_id"]
    recipient = own or f"File sans référent, {first['territory_id']}"
    title = words.titles[first["territory_id"]]
    lines = [_line(place, alerts, words) for place, alerts in enumerate(groups, 1)]
    return AdvisorList(key, recipient, title, first["as_of"], lines, waiting, words.notice)


def _line(place: int, alerts: list[dict[str, Any]], words: Words) -> Line:
    first = alerts[0]
    raising = [reason for reason in first["reasons"] if reason["code"] != "rest"]
    promises = [PROMISES[alert["kind"]] for alert in alerts if alert["kind"] in PROMISES]
    actions = words.actions[first["territory_id"]]
    name = " ".join(part for part in (first["given_name"], first["family_name"]) if part)
    return Line(
        rank=place,
        who=name or f"Personne {first['learner_id']}",
        phone=first["phone"] or "",
        email=first["email"] or "",
        course=first["course"],
        kinds=[KINDS[alert["kind"]] for alert in alerts],
        why=[*promises, *(why(reason, words.phrases) for reason in raising)],
        changed=[text for reason in raising if (text := change(reason, words.phrases))],
        likelihood=likelihood(first["risk"]),
        weak=bool(first["low_confidence"]),
        actions=list(dict.fromkeys(actions.get(alert["suggested_action"], alert["suggested_action"]) for alert in alerts)),
        since=day(min(alert["opened_on"] for alert in alerts)),
        until=day(min(alert["due_on"] for alert in alerts)),
        is_new=any(alert["state"] == "new" for alert in alerts),
    )
