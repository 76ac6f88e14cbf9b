"""May this model serve? A pure function of the evidence: the same evidence, the same answer, each check with its reason in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.evaluation.measures import CHANCE, NAMES
from models.fairness import ATTRIBUTES
from models.judging import CHAMPION, RULES
from models.language import Said

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from models.judging import Evidence

ENOUGH: Final = 100
"""Rows of leavers from which an advantage must be proven; below, it must at least be seen, and is said not to be proven."""
IMPLAUSIBLE_AUC: Final = 0.90
"""An honest nightly score reaches .65 to .84; leavers left in the rows give .90 (modelling notes, sections 0 and 1b)."""
TELLTALE_AUC: Final = 0.80
"""A whole honest score reaches .65 to .84 and its best column some .73: one that alone passes this knows what comes (a planted column, days
to the last trace ever, has .84 on OULAD)."""
SLOPE: Final = (0.80, 1.25)
LEVEL: Final = (0.67, 1.50)
"""Expected over observed. Wider than the slope: the level moves with the seasons, and the version that serves takes the long-run one."""
ECE: Final = 0.02
ORDER_KEPT: Final = 0.60
TOP_KEPT: Final = 0.25
RECALL_RATIO: Final = 0.80
"""Equal opportunity, the four-fifths rule; the bounds below are the same band. How many leave of those not called is told on the card and
refuses nothing: where one group leaves more often than another, it differs for the true risk as well."""
EXPECTED_RATIO: Final = (0.80, 1.25)
GROUPED: Final = (*ATTRIBUTES, "operator")
NO_WORSE: Final = 0.02
"""A newer model may lie this share below the champion by chance and still replace it: it has learnt from later facts."""


@dataclass(frozen=True)
class Check:
    """One question asked of the evidence."""

    name: str
    passed: bool
    says: str


@dataclass(frozen=True)
class Verdict:
    """All checks; green when every one passed."""

    checks: tuple[Check, ...]

    @property
    def green(self) -> bool:
        """True when nothing speaks against the model."""
        return all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Why it is refused; empty when green."""
        return [f"{check.name}: {check.says}" for check in self.checks if not check.passed]


def decide(evidence: Evidence, *, refused: Collection[str] = (), rival: str = "champion") -> Verdict:
    """Whether a model may be promoted.

    An interval decides only where it can: a calibration or a gap between groups is held against a model when its whole interval lies
    outside the band, so that small numbers accuse nobody. An advantage over rules and rates must exclude zero from `ENOUGH` leavers on.

    Args:
        evidence: on the model.
        refused: names of checks that refused this model before. A gap between groups that was proven once is not undone by asking again
            until luck widens the interval: the figure itself must then lie inside the band.
        rival: what the other version is called, where it is not the champion.
    """
    return Verdict(
        (
            _no_leavers(evidence),
            _no_telltale(evidence),
            _plausible(evidence),
            _better_than_chance(evidence),
            *(_beats(evidence, rival) for rival in (*RULES, "session_rate", "logistic")),
            *([_no_worse(evidence, rival)] if evidence.champion or evidence.apart or evidence.outrun else []),
            _calibrated(evidence),
            _steady(evidence),
            *_fair(evidence, refused),
        )
    )


def _no_leavers(evidence: Evidence) -> Check:
    template = "{leavers:,} of {rows:,} rows are of people who had already left; scoring them flatters a model."
    return Check("no leavers", evidence.leavers_kept == 0, Said(template, leavers=evidence.leavers_kept, rows=evidence.rows))


def _no_telltale(evidence: Evidence) -> Check:
    first = evidence.columns.head(1)
    if first.is_empty():
        return Check("no leaked column", passed=False, says=Said("No column could be tried: the rows hold no leaver."))
    name, auc, low = first.select("feature", "auc", "low").row(0)
    template = "The best column alone, {column}, has an AUC of {auc:.3f}, at least {low:.3f}; past {most} it knows what comes."
    return Check("no leaked column", not low > TELLTALE_AUC, Said(template, column=name, auc=auc, low=low, most=TELLTALE_AUC))


def _plausible(evidence: Evidence) -> Check:
    auc, low, _ = evidence.value("auc_within_night")
    template = "AUC within the night {auc:.3f}, at least {low:.3f}; past {most} it is too good to be honest: look for a leak."
    return Check("plausible", not low > IMPLAUSIBLE_AUC, Said(template, auc=auc, low=low, most=IMPLAUSIBLE_AUC))


def _better_than_chance(evidence: Evidence) -> Check:
    value, low, high = evidence.value("auc_within_night")
    template = "AUC within the night {value:.3f} [{low:.3f}, {high:.3f}]; chance is {chance}."
    return Check("better than chance", low > CHANCE, Said(template, value=value, low=low, high=high, chance=CHANCE))


def _beats(evidence: Evidence, rival: str) -> Check:
    enough = evidence.dropouts >= ENOUGH
    (precision, precision_low, _), (recall, _, recall_high) = (_difference(evidence, rival, metric) for metric in _RANKING)
    passed = precision_low > 0 and recall > 0 if enough else precision > 0 and recall_high >= 0
    proof = "Asked: an average precision proven higher." if enough else "Only {few} rows of leavers: seen, not proven."
    found = [_in_words(evidence, rival, metric) for metric in _RANKING]
    return Check(
        f"beats the {rival.replace('_', ' ')}", passed, Said("{found}. {proof}", found=found, proof=Said(proof, few=evidence.dropouts))
    )


def _no_worse(evidence: Evidence, rival: str) -> Check:
    asked = f"no worse than the {rival}"
    if evidence.apart:
        return Check(asked, passed=True, says=Said("Not compared: {why}.", why=evidence.apart))
    if evidence.outrun:
        template = "{champion} has learnt from these very rows: an older model takes its place for a written reason alone."
        return Check(asked, passed=False, says=Said(template, champion=evidence.outrun))
    said, passed = [], True
    # Versions begin with the day they were trained on: leave is for what learnt from later facts.
    leave = NO_WORSE if evidence.version[:10] >= evidence.champion[:10] else 0.0
    for metric in _RANKING:
        difference, _, high = _difference(evidence, CHAMPION, metric)
        least = leave * evidence.value(metric, CHAMPION)[0]
        passed &= difference >= -least and high >= 0
        said.append(Said("{found}, {least:.3f} less would still do", found=_in_words(evidence, CHAMPION, metric), least=least))
    return Check(asked, passed, Said("Against {champion}: {said}.", champion=evidence.champion, said=said))


_RANKING: Final = ("average_precision", "recall_at_top")
"""What a ranking is compared by, the first first."""


def _in_words(evidence: Evidence, rival: str, metric: str) -> Said:
    difference, low, high = _difference(evidence, rival, metric)
    template = "{metric} {difference:+.3f} [{low:+.3f}, {high:+.3f}]"
    return Said(template, metric=NAMES[metric], difference=difference, low=low, high=high)


def _difference(evidence: Evidence, rival: str, metric: str) -> tuple[float, float, float]:
    row = evidence.differences.filter(rival=rival, metric=metric).select("difference", "low", "high")
    difference, low, high = row.row(0)
    return difference, low, high


def _calibrated(evidence: Evidence) -> Check:
    slope, slope_low, slope_high = evidence.value("calibration_slope")
    level, level_low, level_high = evidence.value("expected_over_observed")
    ece, _, ece_high = evidence.value("ece")
    # Rows drawn again add their own noise to an error that is never negative: of a perfect score, every draw would lie past the limit. The
    # basic bound takes that off (Davison and Hinkley 1997, section 5.2).
    passed = _meets(slope_low, slope_high, SLOPE) and _meets(level_low, level_high, LEVEL) and 2 * ece - ece_high < ECE
    asked = "{what} {value:.2f} [{low:.2f}, {high:.2f}], to reach {least} to {most}"
    bounds = (("slope", slope, slope_low, slope_high, *SLOPE), ("expected over observed", level, level_low, level_high, *LEVEL))
    said = [
        Said(asked, what=what, value=value, low=low, high=high, least=least, most=most) for what, value, low, high, least, most in bounds
    ]
    return Check("calibrated", passed, Said("{said}; ECE {ece:.4f} below {most}.", said=said, ece=ece, most=ECE))


def _meets(low: float, high: float, band: tuple[float, float]) -> bool:
    return low <= band[1] and high >= band[0]


def _steady(evidence: Evidence) -> Check:
    if math.isnan(evidence.order_kept):
        return Check("steady", passed=True, says=Said("Not measured: no two nights a week apart are among the rows judged."))
    says = Said(
        "a week apart the order of the same people correlates at {order:.2f} (at least {least}) and {top:.0%} of the top tenth is the same "
        "(at least {least_top:.0%}).",
        order=evidence.order_kept,
        least=ORDER_KEPT,
        top=evidence.top_kept,
        least_top=TOP_KEPT,
    )
    return Check("steady", evidence.order_kept >= ORDER_KEPT and evidence.top_kept >= TOP_KEPT, says)


def _fair(evidence: Evidence, refused: Collection[str]) -> list[Check]:
    told = [row for row in evidence.groups.to_dicts() if not row["too_few"]]
    groups = {Said("{attribute} {group}", attribute=row["attribute"], group=row["group"]): row for row in told}
    before = [Said("{attribute} {group}", attribute=name.split()[0], group=name.partition(" ")[2]) for name in sorted(refused)]
    gone = [name for name in before if name.split()[0] in GROUPED and name not in groups]
    says = Said("It was refused for this group before, which has too few leavers here to take that back.")
    found = [Check(name, passed=False, says=says) for name in gone]
    for name, row in groups.items():
        if gaps := _gaps(row, proven_before=name in refused):
            how = "the figure itself: it was refused for this group before" if name in refused else "whole interval"
            found.append(Check(name, passed=False, says=Said("The score {gaps} ({how}).", gaps=gaps, how=how)))
    if not groups and not found:
        return [Check("groups", passed=True, says=Said("No group is large enough to be judged, or none is known: nothing was shown."))]
    return found or [Check("groups", passed=True, says=_furthest(groups))]


def _furthest(groups: Mapping[Said, Mapping[str, float]]) -> Said:
    name, row = min(groups.items(), key=lambda group: group[1]["recall_ratio"])
    return Said(
        "{groups} groups with enough leavers, none proven outside the bounds; least found, {name}: the share of its dropouts found is "
        "{ratio:.2f} [{low:.2f}, {high:.2f}] times that of others.",
        groups=len(groups),
        name=name,
        ratio=row["recall_ratio"],
        low=row["recall_ratio_low"],
        high=row["recall_ratio_high"],
    )


def _gaps(row: Mapping[str, float], *, proven_before: bool) -> list[Said]:
    """How a group stands outside the bands: by its whole interval, or by the figure itself where it was proven to before."""
    low, high = ("", "") if proven_before else ("_low", "_high")
    gaps = []
    if row[f"recall_ratio{high}"] < RECALL_RATIO:
        gaps.append(Said("finds a share of its dropouts {ratio:.2f} times that of others", ratio=row["recall_ratio"]))
    if not _meets(row[f"expected_ratio{low}"], row[f"expected_ratio{high}"], EXPECTED_RATIO):
        gaps.append(Said("has an expected over observed {ratio:.2f} times that of others", ratio=row["expected_ratio"]))
    return gaps
