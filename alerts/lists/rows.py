"""From alerts to lines a person reads: one line a learner, ready to print anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from alerts.lists.page import AdvisorList, Line
from alerts.policy import LISTED
from alerts.wording import KINDS, PROMISES, change, day, likelihood, why

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from alerts.wording import Phrase


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
    """Lists of a night, in the order of their keys: one for each recipient who has somebody to call, or waiting for a free week.

    Args:
        alerts: contract `Alerts`, with territory_id, course (session and provider in words) and low_confidence of the enrolment.
        people: learner_id, given_name, family_name, phone, email; a learner may be missing.
        advisors: advisor_id, name.
        words: sentences.
    """
    recipient = pl.coalesce("advisor_id", pl.format("file-{}", "territory_id"))
    keyed = alerts.with_columns(recipient=recipient)
    waiting = keyed.filter(pl.col("state") == "over_capacity").group_by("recipient").agg(pl.col("learner_id").n_unique())
    left_out = dict(waiting.rows())
    whom = (
        keyed.filter(pl.col("state").is_in((*LISTED, "over_capacity")))
        .group_by("recipient")
        .agg(pl.col("advisor_id", "territory_id", "as_of").first())
    )
    whom = whom.join(advisors.select("advisor_id", "name"), on="advisor_id", how="left").sort("recipient")
    listed = keyed.filter(pl.col("state").is_in(LISTED)).join(people, on="learner_id", how="left").sort("recipient", "rank")
    calls: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for alert in listed.to_dicts():
        calls.setdefault(alert["recipient"], {}).setdefault(alert["learner_id"], []).append(alert)
    return [
        AdvisorList(
            key=one["recipient"],
            recipient=one["name"] or one["advisor_id"] or f"File sans référent, {one['territory_id']}",
            title=words.titles[one["territory_id"]],
            as_of=one["as_of"],
            lines=[_line(place, group, words) for place, group in enumerate(calls.get(one["recipient"], {}).values(), 1)],
            waiting=left_out.get(one["recipient"], 0),
            notice=words.notice,
        )
        for one in whom.to_dicts()
    ]


def _line(place: int, alerts: list[dict[str, Any]], words: Words) -> Line:
    first = alerts[0]
    raising = [reason for reason in first["reasons"] if reason["code"] != "rest" and reason["contribution"] > 0]
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
        until=_until(min(alert["due_on"] for alert in alerts), first["as_of"]),
        is_new=any(alert["state"] == "new" for alert in alerts),
    )


def _until(due: dt.date, as_of: dt.date) -> str:
    return day(due) + (", dépassé" if due <= as_of else "")
