"""What commands print: progress, summaries, errors a person can act upon."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vigie.errors import NoDataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import polars as pl

    from data_contracts.ingest import Intake, Receipt
    from models.gate import Verdict
    from models.hindsight import Hindsight
    from models.judging import Evidence
    from models.unseen import Unseen
    from pipelines.serving import Outcome
    from vigie.errors import VigieError

FIGURES: Final = {
    "auc": "AUC",
    "auc_within_night": "AUC within night",
    "average_precision": "average precision",
    "precision_at_top": "precision, top 10 %",
    "recall_at_top": "recall, top 10 %",
    "ece": "ECE",
}
WIDTH = 130
"""Columns when nobody says how wide the output is: a list needs room."""
COUNT: Final = re.compile(r"([\d,]+) of ([\d,]+)$")
COUNTED_EVERY: Final = 10.0
"""Seconds between two lines of a count in a log, where a terminal would show one line that changes."""
# No markup: what is printed holds names of files and people's words, and a name in square brackets is a name.
out = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else WIDTH)
err = Console(stderr=True, highlight=False, markup=False)


def many(number: int, what: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def tell(word: str, style: str, text: str) -> None:
    """A line that begins with a word in colour."""
    out.print(Text.assemble((word, style), f" {text}"), soft_wrap=True)


@contextmanager
def working(what: str, again: str = "run the same command again for the rest") -> Iterator[Callable[[str], None]]:
    """Show that work goes on; the block is given a function that says which step it is at. `again`: what to do after Ctrl-C."""
    with out.status(Text(what)) as status:
        said, when = "", 0.0

        def at(step: str) -> None:
            nonlocal said, when
            status.update(Text(f"{what}: {step}"))
            counting = COUNT.search(step)
            waits = counting and counting[1] != counting[2] and time.monotonic() - when < COUNTED_EVERY
            if step != said and not waits and not out.is_terminal:
                out.print(f"  {what}: {step}", soft_wrap=True)
                when = time.monotonic()
            said = step

        try:
            yield at
        except KeyboardInterrupt:
            err.print(f"Stopped. What was finished is kept; {again}.")
            raise


def step_of(receipt: Receipt) -> str:
    """A file's line while deliveries are taken."""
    if receipt.held:
        return f"held back: {receipt.held.splitlines()[0]}"
    if receipt.refused:
        return f"refused: {receipt.refused.splitlines()[0]}"
    return f"{receipt.file}: {receipt.loaded:,} rows"


def show_error(error: VigieError) -> None:
    """What happened, then what to do."""
    err.print(error.what, style="red", soft_wrap=True)
    err.print(error.remedy, soft_wrap=True)


def show_intake(intake: Intake) -> None:
    """Rows by table, refused files with their reason, files that were known."""
    table = Table("table", "read", "loaded", "unchanged", "quarantined", title="Deliveries")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, *counts in intake.by_table().rows():
        table.add_row(name, *(f"{count:,}" for count in counts))
    if table.row_count:
        out.print(table)
    for receipt in intake.refused:
        tell("Refused", "red", receipt.refused or "")
    for why in dict.fromkeys(receipt.held for receipt in intake.held):
        tell("Held back", "yellow", why or "")
    for receipt in intake.receipts:
        if receipt.note or receipt.withdrawn:
            gone = f"{receipt.withdrawn} facts withdrawn" if receipt.withdrawn else ""
            out.print(f"{receipt.file}, {receipt.table}: {'; '.join(filter(None, (gone, receipt.note)))}", soft_wrap=True)
    if intake.known_before:
        out.print(f"{intake.known_before} files were taken before and changed nothing.")
    if not intake.receipts and not intake.known_before:
        out.print("Nothing has landed.")


def show_verdict(verdict: Verdict) -> None:
    """Each check of the gate, with its reason."""
    for check in verdict.checks:
        tell("passed " if check.passed else "refused", "green" if check.passed else "red", f"{check.name}: {check.says}")
    out.print("The gate is green." if verdict.green else "The gate refuses.")


def show_serving(outcome: Outcome) -> None:
    """Who serves after a training."""
    if outcome.champion == outcome.version:
        how = "the gate is green" if outcome.verdict.green else "against the gate, for the written reason kept with it (vigie models list)"
        out.print(f"Model {outcome.version} is champion: {how}.", soft_wrap=True)
        return
    serving = f"{outcome.champion} goes on serving" if outcome.champion else "no model serves yet"
    out.print(f"Model {outcome.version} is registered and does not serve: {serving}.")
    if outcome.verdict.green:
        out.print(f"After a rollback no training promotes by itself. To do it: vigie models promote {outcome.version}", soft_wrap=True)
    else:
        out.print(f'To overrule the gate: vigie models promote {outcome.version} --reason "…"', soft_wrap=True)


def show_evidence(evidence: Evidence) -> None:
    """Contenders side by side, with intervals, then what each is below the first."""
    shown = {name: FIGURES[name] for name in ("auc_within_night", "average_precision", "recall_at_top", "ece")}
    title = f"{evidence.version}: {evidence.rows:,} rows from {evidence.first} to {evidence.last}, {evidence.dropouts} of leavers"
    named = {"champion": evidence.champion}
    out.print(_side_by_side(title, shown, evidence.figures, evidence.differences, named))
    apart = evidence.differences.filter(rival="champion").select("difference", "low", "high").rows()
    if apart and not any(map(any, apart)):
        out.print(
            f"The twins of {evidence.version} and {evidence.champion} give the same risks: nothing here tells them apart.", soft_wrap=True
        )
    behind = evidence.behind()
    for row in behind.to_dicts():
        out.print(
            f"{row['level']} {row['place']}: the score finds {row['recall']:.0%} of leavers, the session rate {row['session_recall']:.0%}, "
            f"{row['difference']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}] on {row['dropouts']} rows of leavers: not proven better, "
            "so look at the session as well.",
            soft_wrap=True,
        )


def show_hindsight(what: str, found: Hindsight | NoDataError) -> None:
    """Figures of past scores by the outcomes known since, with intervals, or why there are none."""
    if isinstance(found, NoDataError):
        out.print(f"Nights {what}: no figures. {found.what} {found.remedy}", soft_wrap=True)
        return
    shown = {name: FIGURES[name] for name in ("auc_within_night", "average_precision", "recall_at_top")}
    shown |= {"expected_over_observed": "expected / observed"}
    counted = f"{found.nights} whose outcomes are known on {found.known_at}, {found.first} to {found.last}, {found.rows:,} rows"
    title = f"Nights {what}: {counted}, {found.dropouts:,} of them of {found.leavers:,} people who left"
    out.print(_side_by_side(title, shown, found.figures, found.differences, {}))


def show_unseen(found: Unseen) -> None:
    """By level: who ranks unseen places how well, and where the level of risk is off."""
    shown = {name: FIGURES[name] for name in ("auc_within_night", "average_precision", "recall_at_top")}
    shown |= {"expected_over_observed": "expected / observed"}
    for level in found.levels.to_dicts():
        if level["why_not"]:
            out.print(f"By {level['level']}, not judged: {level['why_not']}", soft_wrap=True)
        if not level["dropouts"]:
            continue
        figures, differences, places = (told.filter(level=level["level"]) for told in (found.figures, found.differences, found.places))
        counted = f"{level['places']} left out, {level['rows']:,} rows from {found.first} to {found.last}, {level['dropouts']} of leavers"
        out.print(_side_by_side(f"By {level['level']}: {counted}", shown, figures, differences, {}))
        out.print(found.verdict(level["level"]), soft_wrap=True)
        for place in places.to_dicts():
            if place["low"] is not None and not place["low"] <= 1 <= place["high"]:
                times, bounds = place["observed_over_expected"], [round(place[name], 2) for name in ("low", "high")]
                out.print(f"{place['place']}: {times:.2f} {bounds} times as many dropouts as expected.", soft_wrap=True)


def _side_by_side(
    title: str, shown: Mapping[str, str], figures: pl.DataFrame, differences: pl.DataFrame, named: Mapping[str, str]
) -> Table:
    """Contenders with intervals, then by how much the first is above each; `named`: what some are called."""
    table = Table("", *shown.values(), title=title)
    for name in figures["contender"].unique(maintain_order=True):
        cells = [_cell(figures.filter(contender=name, metric=metric), "value") for metric in shown]
        table.add_row(named.get(name, name.replace("_", " ")), *cells)
    for name in differences["rival"].unique(maintain_order=True):
        cells = [_cell(differences.filter(rival=name, metric=metric), "difference") for metric in shown]
        table.add_row(f"less {named.get(name, name.replace('_', ' '))}", *cells)
    return table


def _cell(row: pl.DataFrame, value: str) -> str:
    if row.is_empty():
        return ""
    found, low, high = row.select(value, "low", "high").row(0)
    return f"{found:.3f} [{low:.3f}, {high:.3f}]"


def show_models(versions: Sequence[str], champion: str | None, decisions: Sequence[Mapping[str, Any]]) -> None:
    """Versions with what the gate said last, the one that serves, then every decision in its order."""
    asked = {entry["version"]: entry["checks"] for entry in decisions if "checks" in entry}
    table = Table("version", "serves", "the gate", title="Models")
    for version in versions:
        failed = "; ".join(f"{name}: {check['says']}" for name, check in asked.get(version, {}).items() if not check["passed"])
        said = f"refuses. {failed}" if failed else "is green" if version in asked else "was not asked"
        table.add_row(version, "champion" if version == champion else "", said)
    out.print(table)
    for entry in decisions:
        why = f": {entry['reason']}" if entry["reason"] else ""
        against = ", against the gate" if entry["action"] == "promoted" and entry["gate"] == "refused" else ""
        replaced = entry["replaces"] and entry["replaces"] != entry["version"] and entry["action"] != "refused"
        before = f", in place of {entry['replaces']}" if replaced else ""
        again = entry["action"] == "promoted" and entry["replaces"] == entry["version"]
        done = "confirmed" if again else "given back to" if entry["action"] == "rolled back" else entry["action"]
        # Decisions of older versions of Vigie do not say who took them.
        by = f" by {entry['by']}" if entry.get("by") else ""
        out.print(
            f"{entry['at'][:16].replace('T', ' ')} UTC  {done} {entry['version']}{before}{by}{against}{why}",
            soft_wrap=True,
        )
    if not versions:
        out.print("No model was trained yet. Run: vigie train.")


def show_night(account: dict[str, Any]) -> None:
    """A night's account in a few lines."""
    states = account["alerts"]["state"]
    listed = states.get("new", 0) + states.get("sent", 0)
    out.print(
        f"Night of {account['as_of']}: {account['enrolments_scored']:,} people scored, {listed:,} alerts on lists "
        f"({states.get('new', 0):,} new), {states.get('over_capacity', 0):,} over capacity, {_served(account)}, "
        f"{sum(account['seconds'].values()):.1f} s.",
        soft_wrap=True,
    )
    for warning in account["warnings"]:
        tell("!", "yellow", warning)


def _served(account: dict[str, Any]) -> str:
    return f"model {account['model_version']}" if account["model_version"] else "no model"


def show_frame(frame: pl.DataFrame, title: str) -> None:
    """A small frame as a table."""
    table = Table(*frame.columns, title=title)
    for row in frame.rows():
        table.add_row(*("" if value is None else f"{value:,}" if isinstance(value, int) else str(value) for value in row))
    out.print(table)


def say_faults(faults: pl.DataFrame, most: int = 10) -> None:
    """The first values at fault: line, column, value, reason."""
    for fault in faults.sort("line").head(most).to_dicts():
        value = "" if fault["value"] is None else f" '{fault['value']}'"
        out.print(f"  line {fault['line']}, {fault['column']}{value}: {fault['reason']}", soft_wrap=True)
    if faults.height > most:
        out.print(f"  … and {faults.height - most} more.")
