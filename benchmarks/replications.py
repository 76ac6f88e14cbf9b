"""Experiments on simulated territories, thousands of times: bias, coverage, false positives, power as planned, naive comparisons.

`make replications`; TIMES=4000 by default. Exits with 1 when a figure misses what docs/measures/experiments.md promises.
"""

from __future__ import annotations

import argparse
import sys

from impact.experiments.replications import (
    GROWING,
    SCENARIOS,
    SETTINGS,
    Outcome,
    bounds_hold,
    by_exposure,
    naive,
    power_as_planned,
    replicate,
)

COVERAGE, FALSE, POWER = (0.93, 0.97), 0.06, 0.05
SPREAD, FIRST_WEEK = (0.25, 0.25, 0.25, 0.25), (1.0, 0.0, 0.0, 0.0)


def main() -> int:
    """Print the tables of docs/measures/experiments.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=4_000, help="replications of each design in each scenario")
    times = parser.parse_args().times
    missed = [*judged(times), *over_time(times), *planned(times)]
    naively(times)
    print("\n| outcomes that decide who answers | |\n| --- | --- |")
    for what, figure in bounds_hold(times).items():
        print(f"| {what} | {figure:+.4f} |")
    print("\n" + ("\n".join(missed) or f"Nothing missed: coverage {COVERAGE}, false positives <= {FALSE}, power within {POWER}."))
    return len(missed) > 0


def judged(times: int) -> list[str]:
    """Every design in every scenario."""
    _head()
    return [fault for setting in SETTINGS for scenario in SCENARIOS for fault in _told(replicate(setting, scenario, times))]


def over_time(times: int) -> list[str]:
    """A stepped wedge by steps since crossing over; the single coefficient is shown beside, and not held to anything."""
    missed = []
    for what, builds_up, ratio in (("builds up", GROWING, 0.4), ("there at once", (), 0.55), ("no effect", (), 1.0)):
        print(f"\nStepped wedge, {what}")
        _head()
        *held, single = by_exposure(builds_up, ratio, times)
        missed += [fault for one in held for fault in _told(one)]
        _told(single)
    return missed


def _head() -> None:
    print("| design | scenario | truth | bias | mean error | spread | coverage | rejected |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")


def _told(one: Outcome) -> list[str]:
    print(
        f"| {one.setting} | {one.scenario} | {100 * one.truth:+.2f} | {100 * one.bias:+.2f} | {100 * one.error:.2f} "
        f"| {100 * one.spread:.2f} | {100 * one.coverage:.1f} % | {100 * one.rejected:.1f} % |",
        flush=True,
    )
    return _missed(one)


def _missed(one: Outcome) -> list[str]:
    name = f"MISSED {one.setting}, {one.scenario}:"
    found = []
    if not COVERAGE[0] <= one.coverage <= COVERAGE[1]:
        found.append(f"{name} coverage {one.coverage:.3f}")
    if round(one.truth, 9) == 0 and one.rejected > FALSE:
        found.append(f"{name} false positives {one.rejected:.3f}")
    return found


def planned(times: int) -> list[str]:
    """Power that plans announce from a past territory beside the power found."""
    print("\n| design | scenario | power announced | from one past to another | power found |\n| --- | --- | --- | --- | --- |")
    missed = []
    for setting in SETTINGS:
        for scenario in ("known effect", "effect on half of them", "take-up 40 %", "attrition 20 %"):
            one = power_as_planned(setting, scenario, times)
            low, high = 100 * min(one.powers), 100 * max(one.powers)
            print(
                f"| {setting.name} | {scenario} | {100 * one.mean:.0f} % | {low:.0f} to {high:.0f} % | {100 * one.found:.0f} % |",
                flush=True,
            )
            if abs(one.mean - one.found) > POWER:
                missed.append(f"MISSED {setting.name}, {scenario}: power announced {one.mean:.3f}, found {one.found:.3f}")
    return missed


def naively(times: int) -> None:
    """Comparisons without a draw on the same data."""
    for when, name in ((SPREAD, "calls in any of the four weeks"), (FIRST_WEEK, "all calls in the first week")):
        for ratio in (1.0, 0.55):
            found = naive(ratio, when, times)
            truth = found.pop("truth")[0]
            print(f"\n| {name}; true effect {100 * truth:+.1f} points | mean estimate | p < .05 |\n| --- | --- | --- |")
            for what, (mean, rejected) in found.items():
                print(f"| {what} | {100 * mean:+.1f} | {100 * rejected:.0f} % |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
