"""What no delivery tells: hazards, what would have happened without contacts, the true quality of providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_contracts.simulator.made import ids, joined, named
from data_contracts.vocabulary import EXIT_REASON

if TYPE_CHECKING:
    from data_contracts.simulator.made import Made


def hazard(w: Made) -> pl.DataFrame:
    """One row a day in training: probability of dropping out, and of leaving for a job, on that day (float32)."""
    who, day, dropout, job = joined(w.lives.log.hazards, 4)
    return pl.DataFrame({"enrolment_id": ids("E", who), "date": w.date(day), "hazard_dropout": dropout, "hazard_job": job})


def risk(w: Made) -> pl.DataFrame:
    """One row a learner in training on a night looked at: see `Ahead`."""
    who, day, dropout, job, away, found = joined(w.ahead, 6)
    return pl.DataFrame(
        {
            "as_of": w.date(day),
            "enrolment_id": ids("E", who),
            "risk": dropout,
            "risk_job": job,
            "disengaging": away,
            "has_found_job": found,
        }
    )


def counterfactual(w: Made) -> pl.DataFrame:
    """One row an enrolment: how it ended, and how it would have without any contact, by the same random numbers."""
    lives = w.lives
    return pl.DataFrame(
        {
            "enrolment_id": ids("E", np.arange(len(lives.exit_day))),
            "exit_date": w.date_or_null(lives.exit_day),
            "reason": named(EXIT_REASON, lives.exit_reason),
            "exit_date_without_contact": w.date_or_null(lives.alone_day),
            "reason_without_contact": named(EXIT_REASON, lives.alone_reason),
        }
    )


def providers(w: Made) -> pl.DataFrame:
    """One row a provider: log-hazard of disengaging, positive is worse."""
    quality = w.places.provider_quality
    return pl.DataFrame({"provider_id": ids("P", np.arange(len(quality)), 4), "quality": quality})
