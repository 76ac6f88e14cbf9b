"""From alerts to lines a person reads: one line a learner, ready to print anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from alerts import sessions
from alerts.lists.page import AdvisorList, Line
from alerts.routing import recipient
from alerts.wording import told, who
from data_contracts.tables.outputs import SessionAlerts
from data_contracts.vocabulary import LISTED

if TYPE_CHECKING:
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
    sessions: pl.DataFrame = field(default_factory=SessionAlerts.create_empty)
    """To look at as a whole: contract `SessionAlerts`, with course (session and provider in words)."""


def lists(alerts: pl.DataFrame, people: pl.DataFrame, advisors: pl.DataFrame, words: Words) -> list[AdvisorList]:
    """Lists of a night, in the order of their keys: one for each recipient who has somebody to call, or waiting for a free week.

    Args:
        alerts: contract `Alerts`, with territory_id, course (session and provider in words) and low_confidence of the enrolment.
        people: learner_id, given_name, family_name, phone, email; a learner may be missing.
        advisors: advisor_id, name.
        words: sentences.
    """
    keyed = alerts.with_columns(recipient=recipient())
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
    groups: dict[str, list[str]] = {}
    for row in words.sessions.to_dicts():
        whose = sessions.ADVISOR if row["advisor_id"] else sessions.QUEUE
        said = sessions.line(whose, row["course"], row["people"], row["theirs"], row["session_risk"])
        groups.setdefault(row["recipient"], []).append(said)
    return [
        AdvisorList(
            key=one["recipient"],
            recipient=one["name"] or one["advisor_id"] or f"File sans référent, {one['territory_id']}",
            title=words.titles[one["territory_id"]],
            as_of=one["as_of"],
            lines=[_line(place, group, words) for place, group in enumerate(calls.get(one["recipient"], {}).values(), 1)],
            waiting=left_out.get(one["recipient"], 0),
            notice=words.notice,
            sessions=sessions.shown(groups.get(one["recipient"], [])),
        )
        for one in whom.to_dicts()
    ]


def _line(place: int, alerts: list[dict[str, Any]], words: Words) -> Line:
    first = alerts[0]
    said = told(alerts, words.phrases, words.actions[first["territory_id"]])
    return Line(
        rank=place,
        who=who(first),
        phone=first["phone"] or "",
        email=first["email"] or "",
        course=first["course"],
        **vars(said),
    )
