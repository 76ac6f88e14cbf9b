"""May this model serve? A pure function of the evidence: the same evidence, the same answer, each check with its reason in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from models.fairness import ATTRIBUTES
from models.judging import CHAMPION, RULES

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
    says = f"{evidence.leavers_kept:,} of {evidence.rows:,} rows are of people who had already left; scoring them flatters a model."
    return Check("no leavers", evidence.leavers_kept == 0, says)


def _no_telltale(evidence: Evidence) -> Check:
    first = evidence.columns.head(1)
    if first.is_empty():
        return Check("no leaked column", passed=False, says="No column could be tried: the rows hold no leaver.")
    name, auc, low = first.select("feature", "auc", "low").row(0)
    says = f"The best column alone, {name}, has an AUC of {auc:.3f}, at least {low:.3f}; past {TELLTALE_AUC} it knows what comes."
    return Check("no leaked column", not low > TELLTALE_AUC, says)


def _plausible(evidence: Evidence) -> Check:
    auc, low, _ = evidence.value("auc_within_night")
    says = f"AUC within the night {auc:.3f}, at least {low:.3f}; past {IMPLAUSIBLE_AUC} it is too good to be honest: look for a leak."
    return Check("plausible", not low > IMPLAUSIBLE_AUC, says)


def _better_than_chance(evidence: Evidence) -> Check:
    value, low, high = evidence.value("auc_within_night")
    return Check("better than chance", low > 1 / 2, f"AUC within the night {value:.3f} [{low:.3f}, {high:.3f}]; chance is .5.")


def _beats(evidence: Evidence, rival: str) -> Check:
    enough = evidence.dropouts >= ENOUGH
    said, passed = [], True
    for metric, name in (("average_precision", "average precision"), ("recall_at_top", "recall in the top tenth")):
        difference, low, high = _difference(evidence, rival, metric)
        if metric == "average_precision":
            passed &= low > 0 if enough else difference > 0
        else:
            passed &= difference > 0 if enough else high >= 0
        said.append(f"{name} {difference:+.3f} [{low:+.3f}, {high:+.3f}]")
    few = " Asked: an average precision proven higher." if enough else f" Only {evidence.dropouts} rows of leavers: seen, not proven."
    return Check(f"beats the {rival.replace('_', ' ')}", passed, f"{', '.join(said)}.{few}")


def _no_worse(evidence: Evidence, rival: str) -> Check:
    asked = f"no worse than the {rival}"
    if evidence.apart:
        return Check(asked, passed=True, says=f"Not compared: {evidence.apart}.")
    if evidence.outrun:
        says = f"{evidence.outrun} has learnt from these very rows: an older model takes its place for a written reason alone."
        return Check(asked, passed=False, says=says)
    said, passed = [], True
    # Versions begin with the day they were trained on: leave is for what learnt from later facts.
    leave = NO_WORSE if evidence.version[:10] >= evidence.champion[:10] else 0.0
    for metric, name in (("average_precision", "average precision"), ("recall_at_top", "recall in the top tenth")):
        difference, low, high = _difference(evidence, CHAMPION, metric)
        least = -leave * evidence.value(metric, CHAMPION)[0]
        passed &= difference >= least and high >= 0
        said.append(f"{name} {difference:+.3f} [{low:+.3f}, {high:+.3f}], {abs(least):.3f} less would still do")
    return Check(asked, passed, f"Against {evidence.champion}: {'; '.join(said)}.")


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
    says = (
        f"slope {slope:.2f} [{slope_low:.2f}, {slope_high:.2f}], to reach {SLOPE[0]} to {SLOPE[1]}, expected over observed {level:.2f} "
        f"[{level_low:.2f}, {level_high:.2f}], to reach {LEVEL[0]} to {LEVEL[1]}, ECE {ece:.4f} below {ECE}."
    )
    return Check("calibrated", passed, says)


def _meets(low: float, high: float, band: tuple[float, float]) -> bool:
    return low <= band[1] and high >= band[0]


def _steady(evidence: Evidence) -> Check:
    if math.isnan(evidence.order_kept):
        return Check("steady", passed=True, says="Not measured: no two nights a week apart are among the rows judged.")
    says = (
        f"a week apart the order of the same people correlates at {evidence.order_kept:.2f} (at least {ORDER_KEPT}) and "
        f"{evidence.top_kept:.0%} of the top tenth is the same (at least {TOP_KEPT:.0%})."
    )
    return Check("steady", evidence.order_kept >= ORDER_KEPT and evidence.top_kept >= TOP_KEPT, says)


def _fair(evidence: Evidence, refused: Collection[str]) -> list[Check]:
    groups = {f"{row['attribute']} {row['group']}": row for row in evidence.groups.to_dicts() if not row["too_few"]}
    gone = sorted(name for name in refused if name.split()[0] in GROUPED and name not in groups)
    says = "It was refused for this group before, which has too few leavers here to take that back."
    found = [Check(name, passed=False, says=says) for name in gone]
    for name, row in groups.items():
        if gaps := _gaps(row, proven_before=name in refused):
            how = "the figure itself: it was refused for this group before" if name in refused else "whole interval"
            found.append(Check(name, passed=False, says=f"The score {', '.join(gaps)} ({how})."))
    if not groups and not found:
        return [Check("groups", passed=True, says="No group is large enough to be judged, or none is known: nothing was shown.")]
    return found or [
        Check("groups", passed=True, says=f"{len(groups)} groups with enough leavers, none proven outside the bands; {_furthest(groups)}.")
    ]


def _furthest(groups: Mapping[str, Mapping[str, float]]) -> str:
    name, row = min(groups.items(), key=lambda group: group[1]["recall_ratio"])
    low, high = row["recall_ratio_low"], row["recall_ratio_high"]
    return f"least found, {name}: {row['recall_ratio']:.2f} [{low:.2f}, {high:.2f}] times as many of its leavers as of others"


def _gaps(row: Mapping[str, float], *, proven_before: bool) -> list[str]:
    """How a group stands outside the bands: by its whole interval, or by the figure itself where it was proven to before."""
    low, high = ("", "") if proven_before else ("_low", "_high")
    gaps = []
    if row[f"recall_ratio{high}"] < RECALL_RATIO:
        gaps.append(f"finds {row['recall_ratio']:.2f} times as many of its leavers as of others")
    if not _meets(row[f"expected_ratio{low}"], row[f"expected_ratio{high}"], EXPECTED_RATIO):
        gaps.append(f"its probabilities stand at {row['expected_ratio']:.2f} of those of others")
    return gaps
