"""Sessions to look at as a whole: where the score is not proven to tell more of each learner than their session's own rate does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from alerts.language import number, say, say_many
from alerts.routing import in_training, recipient, routes
from data_contracts.tables.outputs import SessionAlerts
from data_contracts.vocabulary import PLACE_LEVEL

if TYPE_CHECKING:
    import dataframely as dy

    from alerts.facts import Facts
    from vigie.rules import Rules

LEAST_PEOPLE: Final = 3
"""Fewer are no group: they are called one by one."""
MOST: Final = 10
"""Sessions told at once; the others are counted."""
ADVISOR: Final = "{course} : {people} personnes en formation, dont {theirs} que vous suivez."
QUEUE: Final = "{course} : {people} personnes en formation, dont {theirs} dans la file sans référent."
TEAM: Final = "{course} : {people} personnes en formation, dont {theirs} dans votre équipe ou dans la file sans référent."
RATE: Final = (
    "Dans de telles sessions, environ {n} personne sur 100 abandonne dans les 4 semaines.",
    "Dans de telles sessions, environ {n} personnes sur 100 abandonnent dans les 4 semaines.",
)
OTHERS: Final = ("Et {n} autre, au taux moins élevé.", "Et {n} autres, au taux moins élevé.")
HARDLY: Final = "Dans de telles sessions, moins d'une personne sur 100 abandonne dans les 4 semaines."


def sessions_first(facts: Facts, behind: pl.DataFrame, rules: Rules) -> dy.DataFrame[SessionAlerts]:
    """The sessions of these places whose own rate would put a learner on a list, told to everybody who follows people there.

    Args:
        facts: of the night; one without scores tells none.
        behind: level, place, as from `models.comparison.behind`.
        rules: of the service; a territory's `minimum_risk` is the limit.

    Returns:
        Rows of the contract, by recipient, the highest rate first.
    """
    found = _sessions(facts, behind, rules)
    there = in_training(facts).join(routes(facts, rules), on="learner_id", how="left").select("session_id", "learner_id", "advisor_id")
    theirs = there.group_by("session_id", "advisor_id").agg(theirs=pl.col("learner_id").n_unique())
    people = there.group_by("session_id").agg(people=pl.col("learner_id").n_unique()).filter(pl.col("people") >= LEAST_PEOPLE)
    told = theirs.join(people, on="session_id").join(found, on="session_id").with_columns(recipient=recipient(), as_of=pl.lit(facts.as_of))
    told = told.sort("recipient", "session_risk", "session_id", descending=[False, True, False])
    return SessionAlerts.validate(told.select(SessionAlerts.column_names()), cast=True)


def _sessions(facts: Facts, behind: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """session_id, territory_id, level, place, session_risk; a session that is behind by its provider and its programme is told once."""
    by_level = [
        facts.sessions.select("session_id", "territory_id", place=f"{level}_id").join(behind.filter(level=level), on="place")
        for level in PLACE_LEVEL
    ]
    # Of whoever a silent source tells nothing, the score is that of an earlier night, and so is the rate that stands in it.
    rates = facts.scores.group_by("session_id").agg(pl.col("session_risk").median())
    found = pl.concat(by_level).unique("session_id", keep="first", maintain_order=True).join(rates, on="session_id")
    limits = [(territory, rules.of(territory).minimum_risk) for territory in found["territory_id"].unique()]
    limit = pl.DataFrame(limits, schema={"territory_id": pl.String, "limit": pl.Float64}, orient="row")
    return found.join(limit, on="territory_id").filter(pl.col("session_risk") >= pl.col("limit")).drop("limit")


def line(whose: str, course: str, people: int, theirs: int, session_risk: float) -> str:
    """One session in words.

    Args:
        whose: who is told: `ADVISOR`, `QUEUE` or `TEAM`.
        course: title and provider.
        people: in training there.
        theirs: of these, the reader's.
        session_risk: as in the contract `SessionAlerts`.
    """
    n = round(session_risk * 100)
    told = say(whose).format(course=course, people=number(people), theirs=number(theirs))
    return f"{told} {say_many(*RATE, n).format(n=number(n)) if n else say(HARDLY)}"


def shown(lines: list[str]) -> list[str]:
    """The first `MOST` lines, and how many more there are."""
    more = len(lines) - MOST
    return lines if more <= 0 else [*lines[:MOST], say_many(*OTHERS, more).format(n=number(more))]


def title() -> str:
    """What stands above the lines."""
    return say("Sessions à regarder avec l'organisme de formation")


def why() -> str:
    """Why these are told, and what is asked for."""
    return say(
        "Ici, rien ne prouve que l'estimation de chaque personne en dise plus que le taux d'abandon de sa session : "
        "voir d'abord, en équipe et avec l'organisme de formation, ce qui se passe dans le groupe."
    )
