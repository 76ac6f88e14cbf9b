"""The best reader of a simulated territory's deliveries: it knows every rate of the simulated world, and reads what was delivered alone.

An exact forward filter (Rabiner 1989) over the states that no delivery tells: mood, lasting tendency to be absent, disengaging or not, a
job found or not, a spell of absence that means nothing. Day after day these move by the world's own rates and are weighed by the sheets,
traces, contacts and work known on the night; then they run on for the horizon. What it misses cannot be had from deliveries. It is not
quite the best: providers, sex and lasting difficulties enter through their averages, sessions are read apart, contacts to come through
their usual pace. So the true limit of what can be read lies between its figures and those of the true risk, nearer to its own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
from numpy.polynomial.hermite_e import hermegauss

from data_contracts.catalogue import TABLES
from data_contracts.ingest import layout
from data_contracts.simulator import world
from vigie.clock import end_of_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipelines.service import Service

    Floats = NDArray[np.float64]

MOODS, TENDENCIES = 11, 5
CALM, AWAY, FOUND = 0, 1, 2
SETTLED_DAYS: Final = 14
"""Facts this old are corrected no more."""
STATUSES: Final = ("present", "late", "left_early", "absent_unjustified", "absent_justified")
CORRECTED_WITHIN: Final = 12
SEARCHING: Final = 0.15
"""Usual share of learners who look for a job."""
CONVERSATIONS: Final = 0.012
"""Usual daily chance of a conversation."""
_SPELL_GOES_ON: Final = float(np.exp(-1 / world.SPELL_DAYS))


def _moods() -> tuple[Floats, Floats, Floats]:
    """Values, first shares and daily moves of the mood: Rouwenhorst's chain, exact in mean, variance and memory."""
    stay = (1 + world.MOOD_MEMORY) / 2
    moves = np.array([[stay, 1 - stay], [1 - stay, stay]])
    for n in range(3, MOODS + 1):
        wide = np.zeros((n, n))
        wide[:-1, :-1] += stay * moves
        wide[:-1, 1:] += (1 - stay) * moves
        wide[1:, :-1] += (1 - stay) * moves
        wide[1:, 1:] += stay * moves
        wide[1:-1] /= 2
        moves = wide
    spread = world.MOOD_SPREAD * np.sqrt(MOODS - 1)
    shares = np.linalg.matrix_power(moves, 4_000)[0]
    return np.linspace(-spread, spread, MOODS), shares, moves


MOOD, MOOD_SHARES, MOOD_MOVES = _moods()
_NODES, _WEIGHTS = hermegauss(TENDENCIES)
TENDENCY, TENDENCY_SHARES = 0.45 * _NODES, _WEIGHTS / _WEIGHTS.sum()
SHAPE: Final = (MOODS, TENDENCIES, 3, 2)
"""Mood, tendency, mode (calm, disengaging, job found), spell."""


@dataclass
class Belief:
    """What is thought of each enrolment on an evening."""

    shares: Floats
    """enrolments x `SHAPE`."""
    spoken: NDArray[np.int64]
    """Day of the last conversation."""

    def copy(self) -> Belief:
        """To be gone on with apart."""
        return Belief(self.shares.copy(), self.spoken.copy())


@dataclass(frozen=True)
class People:
    """What is told at entry, by position; days are counted from `first`."""

    first: dt.date
    names: pl.DataFrame
    """enrolment_id, learner_id, session_id, place."""
    entry: NDArray[np.int64]
    end: NDArray[np.int64]
    pull: Floats
    finds: Floats
    """Daily chance to find a job, whether looked for or not."""
    traced: Floats
    """Share of days with traces of distance learning, for an engaged learner."""


def best_reading(service: Service, nights: Sequence[dt.date], horizon_days: int) -> pl.DataFrame:
    """Probability of dropout within the horizon for everybody in training on each night: as_of, enrolment_id, reading."""
    people = _people(_tables(service, nights[-1], ("enrolments", "learners", "sessions")))
    belief, done, parts = Belief(_at_first(len(people.entry)), np.full(len(people.entry), -10_000)), 0, []
    for night in nights:
        facts = _facts(_tables(service, night, ("attendance", "activity", "contacts", "assessments")), people)
        today = (night - people.first).days
        _advance(belief, people, facts, range(done, today - SETTLED_DAYS + 1), today)
        done = today - SETTLED_DAYS + 1
        # What is not settled yet is read again on the next night.
        tonight = belief.copy()
        _advance(tonight, people, facts, range(done, today + 1), today)
        here = np.flatnonzero((people.entry <= today) & (people.end > today))
        risk = _ahead(tonight, people, here, today, horizon_days)
        parts.append(pl.DataFrame({"enrolment_id": people.names["enrolment_id"].gather(here), "reading": risk, "as_of": night}))
    return pl.concat(parts)


def _tables(service: Service, night: dt.date, names: Sequence[str]) -> dict[str, pl.DataFrame]:
    with service.warehouse() as warehouse:
        return {name: warehouse.as_known_at(layout(TABLES[name]), end_of_day(night, service.time_zone)) for name in names}


def _people(tables: dict[str, pl.DataFrame]) -> People:
    entered = tables["enrolments"].filter(pl.col("entry_date").is_not_null()).sort("enrolment_id")
    told = entered.join(tables["learners"], on="learner_id", how="left", maintain_order="left").join(
        tables["sessions"].select("session_id", "mode"), on="session_id", how="left", maintain_order="left"
    )
    first = told["entry_date"].min()
    if not isinstance(first, dt.date):
        raise SystemExit("Nobody entered.")
    age = first.year - pl.col("birth_year")
    below = (pl.col("education_level") <= 3).cast(pl.Float64).fill_null(sum(world.LEVEL_SHARES[:4]))  # noqa: PLR2004 - below the baccalauréat
    mode = pl.col("mode").cast(pl.String)
    unknown = world.PROVIDER_SPREAD**2 / 2 + world.SESSION_SPREAD**2 / 2 + world.PULL_WOMAN * world.WOMEN_SHARE
    pull = (
        world.PULL_YOUNG * (age < 26)  # noqa: PLR2004 - as the simulated world has it
        + world.PULL_OVER_50 * (age > 50)  # noqa: PLR2004 - likewise
        + world.PULL_BELOW_BAC * below
        + world.PULL_OWN_INITIATIVE * pl.col("own_initiative").cast(pl.Float64).fill_null(0.62)
        + world.PULL_REMOTE * (mode == "remote")
        + world.PULL_LONG_COMMUTE * (pl.col("commute_minutes") > world.LONG_COMMUTE).fill_null(value=False)
        + world.PULL_BARRIER * world.BARRIER_SHARE
        + unknown
    )
    found = (world.FINDS * SEARCHING + world.FINDS_UNSOUGHT) * (0.12 * (pl.col("education_level").fill_null(3) - 3)).exp()
    traced = pl.when(mode == "remote").then(0.6).when(mode == "mixed").then(0.3).otherwise(0.0)
    days = told.select(
        entry=(pl.col("entry_date") - first).dt.total_days(),
        end=(pl.col("planned_exit_date") - first).dt.total_days(),
        pull=pull,
        finds=found,
        traced=traced,
    )
    names = told.select("enrolment_id", "learner_id").with_row_index("place")
    return People(first, names, *(days[name].to_numpy() for name in days.columns))


def _at_first(people: int) -> Floats:
    spells = world.SPELL / (world.SPELL + 1 - _SPELL_GOES_ON)
    one = np.zeros(SHAPE)
    one[:, :, CALM] = MOOD_SHARES[:, None, None] * TENDENCY_SHARES[:, None] * np.array([1 - spells, spells])
    return np.broadcast_to(one, (people, *SHAPE)).copy()


def _facts(tables: dict[str, pl.DataFrame], people: People) -> dict[str, dict[int, pl.DataFrame]]:
    """Rows of each table by day, with the place of the enrolment."""

    def by_day(table: pl.DataFrame, day: pl.Expr, key: str) -> dict[int, pl.DataFrame]:
        dated = table.join(people.names, on=key).with_columns(day=(day - people.first).dt.total_days())
        return {int(str(name)): rows for (name,), rows in dated.partition_by("day", as_dict=True).items()}

    sheets = tables["attendance"].select("enrolment_id", "date", pl.col("status").cast(pl.String)).filter(pl.col("status").is_in(STATUSES))
    counts = sheets.group_by("enrolment_id", "date").agg((pl.col("status") == name).sum().alias(name) for name in STATUSES)
    traces = tables["activity"].filter(pl.col("kind") == "lms").select("enrolment_id", "date", "count")
    contacts = tables["contacts"].select(
        "learner_id", "occurred_at", *(pl.col(name).cast(pl.String) for name in ("channel", "direction", "outcome"))
    )
    work = tables["assessments"].select("enrolment_id", "due_date", "submitted_on", "score")
    return {
        "attendance": by_day(counts, pl.col("date"), "enrolment_id"),
        "activity": by_day(traces, pl.col("date"), "enrolment_id"),
        "contacts": by_day(contacts, pl.col("occurred_at").dt.date(), "learner_id"),
        "assessments": by_day(work, pl.col("due_date"), "enrolment_id"),
    }


def _advance(belief: Belief, people: People, facts: dict[str, dict[int, pl.DataFrame]], days: range, today: int) -> None:
    """Move the belief through `days`, weighing what is known on the evening of `today`."""
    slot = np.full(len(people.entry), -1)
    for day in days:
        here = np.flatnonzero((people.entry <= day) & (people.end >= day))
        if not len(here):
            continue
        slot[:] = -1
        slot[here] = np.arange(len(here))
        shares = _moved(belief.shares[here], people, here, day)
        shares *= _staying(people.pull[here], day - belief.spoken[here])
        told = _weight(facts, slot, len(here), people, here, day, today)
        shares *= np.exp(told - told.max(axis=(1, 2, 3, 4), keepdims=True))
        belief.shares[here] = shares / shares.sum(axis=(1, 2, 3, 4), keepdims=True)
        spoke = facts["contacts"].get(day)
        if spoke is not None:
            belief.spoken[spoke.filter(pl.col("outcome").is_in(("reached", "kept")))["place"].to_numpy()] = day


def _begins(pull: Floats, since: NDArray[np.int64]) -> Floats:
    rate = np.where(since == 0, world.STARTS_AWAY, world.DISENGAGES * (1 + world.FRONT_LOADED * np.exp(-since / 30)))
    return np.minimum(1.0, rate[:, None] * np.exp(pull[:, None] + MOOD))


def _moved(shares: Floats, people: People, here: NDArray[np.int64], day: int) -> Floats:
    """One day of the hidden states."""
    moved = np.einsum("nmtas,mk->nktas", shares, MOOD_MOVES, optimize=True)
    begins = _begins(people.pull[here], day - people.entry[here])[:, :, None, None]
    recovers = (world.RECOVERS * np.exp(-0.5 * MOOD))[:, None, None]
    calm, away, found = moved[:, :, :, CALM], moved[:, :, :, AWAY], moved[:, :, :, FOUND]
    turned, back = calm * begins, away * recovers
    calm, away = calm - turned + back, away + turned - back
    finds = people.finds[here][:, None, None, None]
    moved = np.stack([calm * (1 - finds), away * (1 - finds), (found + (calm + away) * finds) * (1 - world.LEAVES_FOR_JOB)], axis=3)
    well, spell = moved[..., 0], moved[..., 1]
    return np.stack([well * (1 - world.SPELL) + spell * (1 - _SPELL_GOES_ON), well * world.SPELL + spell * _SPELL_GOES_ON], axis=4)


def _hazard(pull: Floats, faded: Floats) -> Floats:
    """Daily hazard of dropout: people x moods x modes; `faded` is how much of the last conversation still works."""
    calm = world.DROPOUT_CALM * np.exp(pull[:, None] + MOOD)
    away = np.broadcast_to(world.DROPOUT_DISENGAGING * np.exp(0.4 * MOOD), calm.shape)
    return np.stack([calm, away, 0.2 * calm], axis=2) * (1 - (1 - world.EFFECT) * faded)[:, None, None]


def _staying(pull: Floats, since_spoken: NDArray[np.int64]) -> Floats:
    """Probability of not having dropped out that day: it is known that they are still there."""
    return 1 - _hazard(pull, np.exp(-since_spoken / world.EFFECT_DAYS))[:, :, None, :, None]


def _weight(
    facts: dict[str, dict[int, pl.DataFrame]],
    slot: NDArray[np.int64],
    n: int,
    people: People,
    here: NDArray[np.int64],
    day: int,
    today: int,
) -> Floats:
    """Log-likelihood of what is known of a day, by hidden state: people x `SHAPE`."""
    told = np.zeros((n, *SHAPE))

    def of(table: str) -> tuple[pl.DataFrame, NDArray[np.int64]]:
        rows = facts[table].get(day)
        if rows is None:
            return pl.DataFrame(), np.empty(0, np.int64)
        at = slot[rows["place"].to_numpy()]
        return rows.filter(at >= 0), at[at >= 0]

    rows, at = of("attendance")
    if len(at):
        counts = rows.select(STATUSES).to_numpy().astype(np.float64)
        told[at] += (counts @ _sheets(today - day).reshape(len(STATUSES), -1)).reshape(-1, *SHAPE)
    traced = np.flatnonzero(people.traced[here] > 0)
    if len(traced):
        rows, at = of("activity")
        count = np.zeros(n)
        count[at] = rows["count"].to_numpy() if len(at) else 0
        told[traced] += _traces(people.traced[here][traced], count[traced])[..., None]
    rows, at = of("contacts")
    for place, channel, direction, outcome in zip(at, rows["channel"], rows["direction"], rows["outcome"], strict=True) if len(at) else ():
        chances = _ANSWERS.get(("visit" if channel in {"in_person", "video"} else channel, outcome))
        if chances and direction == "outbound":
            told[place, :, :, AWAY] += np.log(chances[1] / chances[0])
    rows, at = of("assessments")
    if len(at) and day <= today - 3:
        handed = rows["submitted_on"].is_not_null().to_numpy()
        told[at, :, :, AWAY] += np.log(np.where(handed, 0.35 / 0.9, 0.65 / 0.1))[:, None, None, None]
        mark = rows["score"].to_numpy()
        known = np.isfinite(mark)
        worse = ((mark - 0.62) ** 2 - (mark - 0.5) ** 2) / (2 * 0.16**2)
        told[at[known], :, :, AWAY] += worse[known][:, None, None, None]
    return told


_ANSWERS: Final = {
    ("phone", "reached"): (0.55, 0.30),
    ("phone", "no_answer"): (0.25, 0.50),
    ("visit", "kept"): (0.75, 0.45),
    ("visit", "no_show"): (0.08, 0.38),
}
"""Chance of each outcome with the engaged and with the disengaging; the others tell nothing."""


def _sheets(age: int) -> Floats:
    """Log-chance of each status on a sheet of `age` days, corrections to come included: statuses x `SHAPE`."""
    mood, tendency = MOOD[:, None, None, None], TENDENCY[:, None, None]
    odds = np.log(world.ABSENT_CALM / (1 - world.ABSENT_CALM)) + tendency + world.MOOD_SHOWS * mood
    away, spell = np.arange(3)[:, None] == AWAY, np.arange(2) == 1
    usual = np.where(
        away, world.ABSENT_DISENGAGING, np.where(np.arange(3)[:, None] == FOUND, world.ABSENT_FOR_JOB, 1 / (1 + np.exp(-odds)))
    )
    absent = np.where(spell, 0.85, usual)
    excused = np.where(away, world.JUSTIFIED_DISENGAGING, np.where(spell, world.JUSTIFIED_SPELL, world.JUSTIFIED))
    not_yet = world.JUSTIFIED_LATER * max(0, CORRECTED_WITHIN - age) / CORRECTED_WITHIN
    pace = np.where(away, world.DISENGAGING_LATE, np.exp(0.4 * mood))
    late, early = world.LATE * pace, world.LEFT_EARLY * pace
    chances = (
        (1 - absent) * (1 - late - early),
        (1 - absent) * late,
        (1 - absent) * early,
        absent * (1 - excused * (1 - not_yet)),
        absent * excused * (1 - not_yet),
    )
    return np.log(np.stack([np.broadcast_to(chance, SHAPE) for chance in chances]))


def _traces(share: Floats, count: Floats) -> Floats:
    """Log-chance of a day's traces of distance learning: people x moods x tendencies x modes."""
    slack = np.exp(-0.3 * np.maximum(0, TENDENCY + world.MOOD_SHOWS * MOOD[:, None]))[..., None] * np.where(np.arange(3) == AWAY, 0.25, 1.0)
    active = share[:, None, None, None] * slack
    # Of a Poisson number above one, up to what is the same for all: 4 a day for the disengaging, 12 for others.
    rate = np.where(np.arange(3) == AWAY, 4.0, 12.0)
    size = (count[:, None, None, None] - 1) * np.log(rate) - rate
    return np.where(count[:, None, None, None] > 0, np.log(active) + size, np.log1p(-active))


def _ahead(belief: Belief, people: People, here: NDArray[np.int64], today: int, horizon_days: int) -> Floats:
    """Probability of dropout in the days after: the states run on, conversations to come at their usual pace."""
    shares = belief.shares[here].sum(axis=(2, 4))
    pull, entry, end = people.pull[here], people.entry[here], people.end[here]
    faded = np.exp(-(today - belief.spoken[here]) / world.EFFECT_DAYS)
    recovers, finds = world.RECOVERS * np.exp(-0.5 * MOOD), people.finds[here][:, None]
    risk = np.zeros(len(here))
    for day in range(today + 1, today + horizon_days + 1):
        shares = np.einsum("nma,mk->nka", shares, MOOD_MOVES, optimize=True)
        begins = _begins(pull, day - entry)
        calm, away, found = shares[..., CALM], shares[..., AWAY], shares[..., FOUND]
        turned, back = calm * begins, away * recovers
        calm, away = calm - turned + back, away + turned - back
        shares = np.stack([calm * (1 - finds), away * (1 - finds), (found + (calm + away) * finds) * (1 - world.LEAVES_FOR_JOB)], axis=2)
        faded = faded * np.exp(-1 / world.EFFECT_DAYS)
        leaving = shares * _hazard(pull, faded)
        faded = faded + (1 - faded) * CONVERSATIONS
        risk += np.where(day <= end, leaving.sum(axis=(1, 2)), 0.0)
        shares = (shares - leaving) * (1 - world.OTHER_TRAINING - world.NEUTRAL)
    return risk
