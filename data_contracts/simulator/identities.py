"""Tables about learners: what a model may read, what only the audit may, and names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from data_contracts.simulator import names, world
from data_contracts.simulator.made import ids, named, only

if TYPE_CHECKING:
    from data_contracts.simulator.made import Made


def learners(w: Made) -> pl.DataFrame:
    """One row a learner, known on the day of enrolment; a few answers are missing."""
    n, rng, people = len(w.people.age), w.rng, w.people
    young = people.age < 26
    prescriber = np.where(
        young,
        rng.choice(len(world.PRESCRIBERS), n, p=world.PRESCRIBER_SHARES_YOUNG),
        rng.choice(len(world.PRESCRIBERS), n, p=world.PRESCRIBER_SHARES),
    )
    told = rng.random((4, n)) >= world.UNKNOWN_SHARE
    elsewhere = rng.random(n) < 0.06
    home = np.where(elsewhere, rng.integers(0, len(world.TERRITORIES), n), w.places.provider_territory[w.places.provider[people.session]])
    return pl.DataFrame(
        {
            "learner_id": ids("L", np.arange(n)),
            "birth_year": w.calendar.first.year - people.age,
            "education_level": only(told[0], pl.Series(people.level)),
            "jobseeker_since": only(told[1], w.date(people.enrolled - rng.exponential(240, n).astype(np.int64))),
            "prescriber": named(world.PRESCRIBERS, prescriber),
            "own_initiative": only(told[2], pl.Series(people.own_initiative)),
            "commute_minutes": only(told[3], pl.Series(people.commute)),
            "home_territory": named(world.TERRITORIES, home),
            "known_on": w.evening(people.enrolled),
        }
    )


def learner_audit(w: Made) -> pl.DataFrame:
    """Sensitive attributes: sex is tied to leaving as in Dares Focus, November 2021; the others are drawn apart (ours)."""
    n, rng = len(w.people.age), w.rng
    return pl.DataFrame(
        {
            "learner_id": ids("L", np.arange(n)),
            "sex": named(("male", "female"), w.people.woman.astype(np.int64)),
            "age_band": named(("under 26", "26-50", "over 50"), np.digitize(w.people.age, (26, 51))),
            "disability": rng.random(n) < 0.09,
            "priority_area": rng.random(n) < 0.16,
            "income_support": rng.random(n) < 0.2,
            "known_on": w.evening(w.people.enrolled),
        }
    )


def learner_identities(w: Made) -> pl.DataFrame:
    """Names, numbers kept for fiction (06 39 98, 01 99 00) and addresses at example.org; some cannot be reached one way or the other."""
    n, rng = len(w.people.age), w.rng
    prefix = pl.Series(np.where(rng.random(n) < 0.93, "06 39 98", "01 99 00"))
    number = pl.Series(np.arange(n) % 10_000).cast(pl.String).str.zfill(4)
    phone = prefix + " " + number.str.slice(0, 2) + " " + number.str.slice(2)
    learner, reach = ids("L", np.arange(n)), rng.random(n)
    return pl.DataFrame(
        {
            "learner_id": learner,
            "given_name": named(names.GIVEN_NAMES, rng.integers(0, len(names.GIVEN_NAMES), n)),
            "family_name": named(names.FAMILY_NAMES, rng.integers(0, len(names.FAMILY_NAMES), n)),
            "phone": only(reach < 0.95, phone),
            "email": only(reach > 0.2, learner.str.to_lowercase() + "@example.org"),
            "language": named(names.LANGUAGES, rng.choice(len(names.LANGUAGES), n, p=names.LANGUAGE_SHARES)),
            "known_on": w.evening(w.people.enrolled),
        }
    )
