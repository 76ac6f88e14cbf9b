"""What the service tried and what came of it. A contact starts from an advisor or from the learner: only the second is a sign by itself."""

from __future__ import annotations

from typing import Final

import polars as pl

from data_contracts.vocabulary import TWO_WAY, UNANSWERED
from features.declaration import NEVER, Family, Feature, within

_two_way = pl.col("outcome").is_in(TWO_WAY)
_last_two_way = pl.when(_two_way).then(pl.col("occurred_at")).max()
_unanswered = pl.col("outcome").is_in(UNANSWERED) & (pl.col("direction") == "outbound")
_since_two_way = _last_two_way.is_null() | (pl.col("occurred_at") > _last_two_way)
_named = pl.col("barrier").is_not_null() & ~pl.col("barrier").is_in(("health", "family"))


STAYED_AWAY: Final = 3
"""From so many half-days missed without a reason in the last week on, a talk lately is no comfort."""


def _count(condition: pl.Expr) -> pl.Expr:
    return condition.cast(pl.Int32).sum()


CONTACTS: Final = Family(
    name="contacts",
    table="contacts",
    columns=("occurred_at", "direction", "outcome", "barrier"),
    prepare=((pl.col("moment") - pl.col("occurred_at")).dt.total_days().cast(pl.Int32).alias("ago"),),
    keep=pl.col("occurred_at") <= pl.col("moment"),
    facts=[
        Feature(
            "days_since_two_way_contact",
            pl.when(_two_way).then(pl.col("ago")).min(),
            unit="days",
            meaning="Days since the service and the learner last spoke",
            null_means="they never spoke, or no contact is known",
            group="contacts",
            fr="dernier échange il y a {value}",
            en="last spoken with {value} ago",
            worse=1,
            # Four weeks are long, two are recent where nobody has tried in vain since; between, it is neither.
            fair=pl.col("days_since_two_way_contact").gt(28),
            # Nor does a talk protect whom it did not bring back.
            fair_better=pl.col("days_since_two_way_contact").le(14)
            & (pl.col("unanswered_attempts") == 0)
            & (pl.col("unjustified_half_days_7").fill_null(0) < STAYED_AWAY),
        ),
        Feature(
            "unanswered_attempts",
            _count(_unanswered & _since_two_way & within(56)),
            unit="count",
            meaning="Attempts without an answer in the last 56 days since the last two-way contact",
            null_means="no contact is known",
            group="contacts",
            fr="{value} tentative{s} de contact restée{s} sans réponse en huit semaines[, aucun échange depuis]",
            en="{value} attempt{s} left without an answer in eight weeks[, not spoken with since]",
            monotone=1,
            # Fewer of late is no better: nobody was heard of.
            moves=False,
        ),
        Feature(
            "missed_appointments_56",
            _count((pl.col("outcome") == "no_show") & within(56)),
            unit="count",
            meaning="Appointments the learner missed without excuse in the last 56 days",
            null_means="no contact is known",
            group="contacts",
            fr="{value} rendez-vous manqué{s} en huit semaines",
            en="{value} missed appointment{s} in eight weeks",
            monotone=1,
            moves=False,
        ),
        Feature(
            "wrong_details_56",
            _count((pl.col("outcome") == "wrong_details") & within(56)).clip(0, 1),
            unit="flag",
            meaning="1 when the contact details proved wrong in the last 56 days",
            null_means="no contact is known",
            group="contacts",
            fr="coordonnées erronées",
            en="wrong contact details",
            monotone=1,
            # That nobody noted a wrong number is no strength.
            fair_better=NEVER,
        ),
        Feature(
            "learner_calls_28",
            _count((pl.col("direction") == "inbound") & within(28)),
            unit="count",
            meaning="Contacts started by the learner in the last 28 days",
            null_means="no contact is known",
            group="contacts",
        ),
        Feature(
            "barrier_named_56",
            _count(_named & within(56)).clip(0, 1),
            unit="flag",
            meaning="1 when the learner named a difficulty in the last 56 days, health and family left out",
            null_means="no contact is known",
            group="contacts",
        ),
    ],
)
