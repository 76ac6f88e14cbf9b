"""The twenty criteria on OULAD: criterion, protocol, figure, pass.

usage: python benchmarks/criteria HOME SOURCE [--only 1,4,7] [--refits 5]

HOME is a service that took the 2013 presentations and was trained on them alone, as of 2014-07-31; it is copied, never written. SOURCE
holds OULAD's seven tables. P-dev is: trained on 2013B and 2013J, judged on the weekly nights of 2014B, day 14 to 7 days before the end.
P-held (2014J and module CCC) is held by others and judged by them: where a criterion asks for it, the figure here is that of P-dev and no
pass is given.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import explanations
import integrity
import ranking
from line import Line
from world import open_world

if TYPE_CHECKING:
    from collections.abc import Callable

ELSEWHERE = (
    Line(19, "Competing exits", "planted job exits", "OULAD has none; not judged here", None),
    Line(20, "Impact recovered", "planted effect, 200 simulations", "needs planted data; not judged here", None),
)
BEFORE_2014 = (10,)
"""Criteria judged within 2013, before 2014B comes in."""


def main() -> None:
    """Run the criteria asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("source", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--refits", type=int, default=5)
    arguments = parser.parse_args()
    asked = {int(number) for number in arguments.only.split(",") if number} or set(range(1, 21))
    with tempfile.TemporaryDirectory() as scratch:
        world = open_world(arguments.home, arguments.source, Path(scratch))
        parts: list[tuple[set[int], Callable[[], list[Line]]]] = [
            ({10}, lambda: ranking.new_centre(world)),
            ({4, 5, 6, 8}, lambda: ranking.discrimination(world)),
            ({7, 12}, lambda: ranking.equal_load(world)),
            ({9}, lambda: ranking.calibration(world)),
            ({11}, lambda: ranking.net_benefit(world)),
            ({13}, lambda: ranking.stability(world)),
            ({1}, lambda: integrity.no_future(world)),
            ({2, 3}, lambda: integrity.no_ghosts(world)),
            ({14}, lambda: integrity.monotone(world)),
            ({15}, lambda: explanations.fairness(world)),
            ({16}, lambda: explanations.faithful(world)),
            ({17}, lambda: explanations.stable(world, arguments.refits)),
            ({18}, lambda: integrity.reason_codes(world)),
        ]
        lines: list[Line] = [line for line in ELSEWHERE if line.number in asked]
        delivered = False
        for numbers, judge in parts:
            if not numbers & asked:
                continue
            if not delivered and not numbers & set(BEFORE_2014):
                world.deliver_2014()
                delivered = True
            start = time.perf_counter()
            lines += [line for line in judge() if line.number in asked]
            print(f"[{', '.join(map(str, sorted(numbers)))}: {time.perf_counter() - start:.0f} s]", flush=True)
    print(f"\nModel {world.model.version}\n| # | criterion | protocol | figure | pass |\n| --- | --- | --- | --- | --- |")
    for line in sorted(lines, key=lambda one: one.number):
        print(
            f"| {line.number} | {line.name} | {line.protocol} | {line.figure} | {'' if line.passed is None else 'yes' if line.passed else '**no**'} |"
        )


if __name__ == "__main__":
    main()
