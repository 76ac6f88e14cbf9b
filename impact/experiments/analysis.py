"""From rows of people with arms and outcomes to results: what the plan announced first, then what it did not."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from impact.experiments import estimators
from impact.experiments.exposure import by_exposure
from impact.experiments.inference import randomisation_p, redrawn
from impact.experiments.missing import lee, manski
from impact.experiments.outcomes import INSERTION_DAYS, covariates
from impact.experiments.survival import bootstrap_weights, cumulative_incidence
from impact.experiments.words import day, percent
from vigie.disclosure import FEWEST_FOR_RATE
from vigie.errors import NoDataError

if TYPE_CHECKING:
    from impact.experiments.estimators import Estimate
    from impact.experiments.exposure import Exposed
    from impact.experiments.plan import Plan
    from vigie.arrays import Floats, Ints

REDRAWS: Final = 999
BOOTSTRAPS: Final = 400
FEWEST_EVENTS: Final = 10
"""Events, and people without, that the smaller arm of a hold-out would have at the rate of both: with fewer, intervals are too narrow to
hold at every look."""
_INSERTION: Final = "in_work_6_months"


@dataclass(frozen=True)
class Result:
    """One outcome, treated minus control."""

    outcome: str
    planned: bool
    control: float
    treated: float
    n: tuple[int, int]
    missing: tuple[float, float]
    """Share without the outcome, by arm."""
    effect: float
    low: float
    high: float
    p: float
    p_holm: float | None = None
    p_draws: float | None = None
    bounds: tuple[float, float] | None = None
    trimmed: tuple[float, float] | None = None


@dataclass(frozen=True)
class Incidence:
    """Share who dropped out by each day, by arm, and the difference at the horizon."""

    control: Floats
    treated: Floats
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class Analysis:
    """Everything a report says."""

    plan: Plan
    as_of: dt.date
    results: list[Result]
    incidence: Incidence
    exposure: list[Exposed]
    """Stepped wedge: by steps since crossing over, and last the mean over these; else empty."""
    complier: Result | None
    """Encouragement: effect on those whom the invitation brought to a contact."""
    exploratory: list[tuple[str, Result]]
    """By third of risk; no plan announced them."""
    people: int
    not_yet: int
    """Whose horizon, or the wait after it, is not over."""
    units: int
    due: dt.date | None
    """From when on everything planned can be known."""
    departures: list[str] = field(default_factory=list)
    """What happened otherwise than planned, in French sentences."""


def analyse(plan: Plan, rows: pl.DataFrame, as_of: dt.date) -> Analysis:
    """Analyse an experiment.

    Args:
        plan: as frozen.
        rows: from `population.observed` and `outcomes.follow_up`.
        as_of: what was known then.

    Raises:
        NoDataError: fewer than `FEWEST_FOR_RATE` people in an arm have been followed long enough.
    """
    seen = rows.filter("observed")
    counts = dict(seen.group_by("treated").len().iter_rows())
    if min(counts.get(False, 0), counts.get(True, 0)) < FEWEST_FOR_RATE:
        what = f"{plan.experiment_id}: {counts.get(False, 0)} people of the control arm and {counts.get(True, 0)} treated were followed."
        raise NoDataError(
            what, f"Wait until {FEWEST_FOR_RATE} of each were followed for {plan.horizon_days} days, and {plan.wait_days} more."
        )
    due = due_on(plan, rows)
    planned = [_result(plan, seen, name, planned=True) for name in (plan.primary, *plan.secondary)]
    results = _holm([one for one in planned if one])
    return Analysis(
        plan=plan,
        as_of=as_of,
        results=results,
        incidence=_incidence(plan, seen),
        exposure=_by_exposure(plan, seen),
        complier=_complier(plan, seen),
        exploratory=_by_risk(plan, seen),
        people=rows.height,
        not_yet=rows.height - seen.height,
        units=rows["unit_id"].n_unique(),
        due=due,
        departures=_early(as_of, due) + _departures(plan, rows, seen, {one.outcome for one in planned if one}),
    )


def due_on(plan: Plan, rows: pl.DataFrame) -> dt.date | None:
    """First day on which everything the plan announces can be known; None for a permanent hold-out.

    Args:
        plan: as frozen.
        rows: people with planned_exit_date as known when they entered: employment is asked for after the last of these ends.
    """
    due, last = plan.due, rows["planned_exit_date"].max()
    if due and _INSERTION in {plan.primary, *plan.secondary} and isinstance(last, dt.date):
        return max(due, last + dt.timedelta(days=INSERTION_DAYS))
    return due


def _result(plan: Plan, rows: pl.DataFrame, outcome: str, *, planned: bool, draws: bool = True) -> Result | None:
    if outcome == _INSERTION:
        rows = rows.filter("insertion_due")
    answered = rows.filter(pl.col(outcome).is_not_null())
    counts = dict(answered.group_by("treated").len().iter_rows())
    fewest = min(counts.get(False, 0), counts.get(True, 0))
    if fewest < FEWEST_FOR_RATE or (plan.design == "holdout" and fewest * _rarer(answered[outcome]) < FEWEST_EVENTS):
        return None
    estimate = _Effect(plan, answered, outcome)
    treated = _numbers(answered["treated"])
    one = estimate(treated)
    low, high, p = _judged(plan, one)
    y, known, chosen = (
        _numbers(rows[outcome].fill_null(0.0)),
        rows[outcome].is_not_null().to_numpy()[None],
        rows["treated"].to_numpy()[None],
    )
    lost = tuple(float(1 - known[chosen == side].mean()) for side in (False, True))
    incomplete = max(lost) > 0
    shares = dict(answered.group_by("treated").agg(pl.col(outcome).mean()).iter_rows())
    outside = manski(y, chosen, known) if incomplete else None
    inside = lee(y, chosen, known) if incomplete else None
    return Result(
        outcome=outcome,
        planned=planned,
        control=float(shares[False]),
        treated=float(shares[True]),
        n=(counts[False], counts[True]),
        missing=(lost[0], lost[1]),
        effect=float(one.effect[0]),
        low=float(low[0]),
        high=float(high[0]),
        p=float(p[0]),
        p_draws=randomisation_p(estimate, treated, _redrawn(plan, answered)) if draws and plan.design != "holdout" else None,
        bounds=(float(outside[0][0]), float(outside[1][0])) if outside else None,
        trimmed=(float(inside[0][0]), float(inside[1][0])) if inside else None,
    )


def _rarer(outcome: pl.Series) -> float:
    """Share of those for whom it was one, or of those for whom it was not: the smaller."""
    mean = float(outcome.to_numpy().mean())
    return min(mean, 1 - mean)


def _judged(plan: Plan, one: Estimate) -> tuple[Floats, Floats, Floats]:
    """Interval and p-value. A permanent hold-out has no day of its own and is looked at many times: its must hold at every look."""
    if plan.design == "holdout":
        return one.at_any_look(plan.expected_effect, plan.alpha)
    return *one.interval(plan.level), one.p_value()


class _Effect:
    """The plan's estimator of the effect of the assignment on one outcome."""

    def __init__(self, plan: Plan, rows: pl.DataFrame, outcome: str) -> None:
        self._design = plan.design
        self._y = _numbers(rows[outcome])
        found = covariates(rows) if plan.adjust else np.empty((rows.height, 0))
        if plan.strata and plan.unit == "learner":
            found = np.column_stack([found, _dummies(rows["stratum"])])
        self._z = found[None] if found.shape[1] else None
        _, self._cluster = np.unique(rows["unit_id"].to_numpy(), return_inverse=True)
        self._period = rows["period"].to_numpy()

    def __call__(self, treated: Floats) -> Estimate:
        """Estimates for each assignment: replications x learners, above zero where treated."""
        if self._design == "cluster":
            return estimators.clustered(self._y, treated, self._cluster, self._z)
        if self._design == "stepped_wedge":
            return estimators.stepped(self._y, (treated > 0).astype(np.float64), self._cluster, self._period, self._z)
        return estimators.individual(self._y, treated, self._z)


def _numbers(values: pl.Series) -> Floats:
    return np.asarray(values.cast(pl.Float64).to_numpy()[None], dtype=np.float64)


def _dummies(values: pl.Series) -> Floats:
    """One column for each value but the first, of those that ten people or more share."""
    common = values.value_counts().filter(pl.col("count") >= 10)[values.name].sort()  # noqa: PLR2004 - fewer tell nothing of a stratum
    return np.column_stack([np.empty((len(values), 0)), *((values == name).to_numpy() for name in common[1:])]).astype(np.float64)


def _redrawn(plan: Plan, rows: pl.DataFrame) -> Floats:
    """Treated or not under other draws of the same plan, steps since crossing over in a wedge: draws x learners."""
    units = rows.group_by("unit_id").agg(pl.col("stratum", "arm").first()).sort("unit_id")
    labels = units["arm"].rank("dense").cast(pl.Int64).to_numpy() - 1
    draws = redrawn(units, labels, REDRAWS, seed=plan.seed + 1)
    names = units["arm"].unique().sort().to_list()
    _, place = np.unique(rows["unit_id"].to_numpy(), return_inverse=True)
    if plan.design != "stepped_wedge":
        return np.asarray(draws[:, place] == names.index(plan.arms[1].name), dtype=np.float64)
    step = np.array([int(name.removeprefix("step ")) for name in names])
    return _since(rows["period"].to_numpy(), step[draws][:, place])


def _since(period: Ints, crossed: Ints) -> Floats:
    """Steps since crossing over, the step of crossing counted; 0 before."""
    return np.asarray(np.maximum(period - crossed + 1, 0), dtype=np.float64)


def _by_exposure(plan: Plan, rows: pl.DataFrame) -> list[Exposed]:
    if plan.design != "stepped_wedge":
        return []
    known = rows.filter(pl.col(plan.primary).is_not_null())
    crossed = known["arm"].str.strip_prefix("step ").cast(pl.Int64).to_numpy()
    return by_exposure(plan, known, _since(known["period"].to_numpy(), crossed)[None], _redrawn(plan, known))


def _holm(results: list[Result]) -> list[Result]:
    from statsmodels.stats.multitest import multipletests

    if not results:
        return []
    corrected = multipletests([one.p for one in results], method="holm")[1]
    return [Result(**{**one.__dict__, "p_holm": float(p)}) for one, p in zip(results, corrected, strict=True)]


def _incidence(plan: Plan, rows: pl.DataFrame) -> Incidence:
    horizon = plan.horizon_days
    drawn = rows["unit_id"] if plan.unit != "learner" else rows["learner_id"]
    weights = np.concatenate([np.ones((1, rows.height)), bootstrap_weights(drawn.to_numpy(), BOOTSTRAPS, plan.seed)])
    day, cause, treated = rows["day"].to_numpy(), rows["cause"].cast(pl.Int64).to_numpy(), rows["treated"].to_numpy()
    curves = [cumulative_incidence(day, cause, horizon, weights * (treated == side)) for side in (False, True)]
    gaps = curves[1][1:, -1] - curves[0][1:, -1]
    low, high = np.quantile(gaps, [plan.alpha / 2, 1 - plan.alpha / 2])
    return Incidence(curves[0][0], curves[1][0], float(curves[1][0, -1] - curves[0][0, -1]), float(low), float(high))


def _complier(plan: Plan, rows: pl.DataFrame) -> Result | None:
    """By linearmodels, which reports what the vectorised estimator of power and replications is held to."""
    if plan.design != "encouragement":
        return None
    from linearmodels.iv import IV2SLS

    known = rows.filter(pl.col(plan.primary).is_not_null())
    z = covariates(known) if plan.adjust else np.empty((known.height, 0))
    x = np.column_stack([np.ones(known.height), z])
    invited, taken = known["treated"].cast(pl.Float64).to_numpy(), known["spoken_with"].to_numpy()
    rates = [float(taken[invited == side].mean()) for side in (0, 1)]
    if abs(rates[1] - rates[0]) < 0.01:  # noqa: PLR2004 - an invitation that moves nobody tells nothing
        return None
    fit = IV2SLS(known[plan.primary].to_numpy(), x, taken, invited).fit(cov_type="robust", debiased=True)
    low, high = fit.conf_int(plan.level).loc["endog"]
    effect, p = float(fit.params["endog"]), float(fit.pvalues["endog"])
    n = int((invited == 0).sum()), int((invited == 1).sum())
    return Result(plan.primary, True, rates[0], rates[1], n, (0.0, 0.0), effect, float(low), float(high), p)  # noqa: FBT003


def _by_risk(plan: Plan, rows: pl.DataFrame) -> list[tuple[str, Result]]:
    known = rows.filter(pl.col("risk").is_not_null())
    if known.height < 6 * FEWEST_FOR_RATE or plan.design == "stepped_wedge":
        return []
    third = (known["risk"].rank("ordinal") - 1) * 3 // known.height
    found = []
    for number, name in enumerate(("risque bas", "risque moyen", "risque haut")):
        one = _result(plan, known.filter(third == number), plan.primary, planned=False, draws=False)
        if one:
            found.append((name, one))
    return found


def _early(as_of: dt.date, due: dt.date | None) -> list[str]:
    if due and as_of < due:
        return [f"Analyse intermédiaire : le plan prévoit l'analyse à partir du {day(due)}. Regarder plus tôt augmente les faux positifs."]
    return []


def _departures(plan: Plan, rows: pl.DataFrame, seen: pl.DataFrame, done: set[str]) -> list[str]:
    said = []
    if rows.height > seen.height:
        said.append(f"{rows.height - seen.height} personnes n'ont pas encore d'issue connue : elles ne comptent pas ici.")
    early = int((~seen["settled"]).sum())
    if early:
        said.append(
            f"Ici, plus d'un abandon sur cinq n'est connu que par le silence, et le plan n'attend que {plan.wait_days} jours : "
            f"{early} personnes ont pu cesser de venir sans compter comme abandon, dans les deux bras. L'effet peut en paraître plus petit."
        )
    waiting = int((~seen["insertion_due"]).sum())
    if _INSERTION in {plan.primary, *plan.secondary} and waiting:
        said.append(
            f"Emploi à six mois : {waiting} personnes n'y comptent pas encore, dans aucun bras ; la fin prévue de leur formation, "
            "telle que connue au jour du tirage, est trop récente."
        )
    for name in (plan.primary, *plan.secondary):
        if name not in done:
            said.append(f"Le critère « {name} » est prévu mais trop peu de personnes ont une réponse : rien n'en est dit.")  # noqa: PERF401 - a sentence
    share = float(seen["treated"].to_numpy().mean())
    if plan.unit == "learner" and abs(share - plan.arms[1].share) > 4 * np.sqrt(plan.arms[0].share * plan.arms[1].share / seen.height):
        said.append(
            f"Déséquilibre des bras : {percent(share, 0)} de traités pour {percent(plan.arms[1].share, 0)} prévus. Tirage à vérifier."
        )
    return said
