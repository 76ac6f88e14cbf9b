"""The watch as a page that stands alone: the last nights, their alarms, and how each reading went."""

from __future__ import annotations

import base64
import datetime as dt
from calendar import day_name
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from models.plots import png
from models.watch import LEAST_ANSWERS, LEAST_WEEKS

if TYPE_CHECKING:
    from collections.abc import Mapping

DRAWN: Final = (
    "expected over observed",
    "precision of the lists",
    "new risk alerts",
    "alerts without object",
    "alerts called useful",
    "drift of risk",
)
SHIFTS: Final = 10
SUNDAY: Final = 7


def last_read(nights: Mapping[str, Mapping[str, Any]], comparable: str) -> dict[str, dict[str, Any]]:
    """By subject, its last reading that had an interval, else its last, and the `night` it is of.

    Outcomes are read on Sundays alone, columns on the landmarks' weekday, and a night without earlier weeks or answers says nothing.

    Args:
        nights: by date, the content of watch.json.
        comparable: the version whose drifts count: a drift from what another one learnt is none of the one that serves; empty for none.
    """
    last: dict[str, dict[str, Any]] = {}
    for date, night in sorted(nights.items()):
        told = [one for one in night["readings"] if night["model_version"] == comparable or not one["subject"].startswith("drift")]
        last |= {one["subject"]: {**one, "night": date} for one in told if _ranged(one) or not _ranged(last.get(one["subject"]))}
    return last


def _ranged(reading: Mapping[str, Any] | None) -> bool:
    return reading is not None and reading["low"] is not None and reading["high"] is not None


def never_read(nights: Mapping[str, Mapping[str, Any]], version: str, weekday: int | None) -> dict[str, str]:
    """Subjects that none of these nights could raise an alarm about, and why: that they have none says nothing.

    Args:
        nights: by date, the content of watch.json.
        version: the one that serves, on none of these nights if it was promoted since.
        weekday: of its landmarks, Monday is 1; none where it left nothing to compare with.
    """
    if not nights:
        return {}
    most: dict[str, int] = {}
    for one in (one for night in nights.values() for one in night["readings"]):
        most[one["subject"]] = max(one["people"], most.get(one["subject"], 0))
    told = {}
    # What another version learnt from tells nothing of this one.
    its = [one["subject"] for night in nights.values() if night["model_version"] == version for one in night["readings"]]
    if weekday is None:
        told["drift"] = f"not read, {version} left nothing that this version of Vigie compares with: train again"
    elif not any(subject.startswith("drift") for subject in its):
        told["drift"] = f"never read, no night of a {day_name[weekday - 1]} was watched while {version} served"
    if "expected over observed" not in most:
        sunday = any(dt.date.fromisoformat(date).isoweekday() == SUNDAY for date in nights)
        told["outcomes"] = f"never read, {'none was known yet' if sunday else 'no night of a Sunday was watched'}"
    if most.get("new risk alerts", 0) < LEAST_WEEKS:
        told["new risk alerts"] = f"never judged, no night had {LEAST_WEEKS} of its weekday before it"
    for subject in ("alerts without object", "alerts called useful"):
        if most.get(subject, 0) < LEAST_ANSWERS:
            told[subject] = f"never judged, no four weeks had {LEAST_ANSWERS} answers"
    return told


def render(nights: Mapping[str, Mapping[str, Any]], version: str, last: Mapping[str, Mapping[str, Any]], unread: Mapping[str, str]) -> str:
    """The page as text.

    Args:
        nights: by date, the content of watch.json.
        version: the one that serves; empty where none does.
        last: as from `last_read`.
        unread: as from `never_read`.
    """
    environment = Environment(loader=PackageLoader("models"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["figure"] = _figure
    alarms = [
        (date, reading["says"]) for date, night in sorted(nights.items(), reverse=True) for reading in night["readings"] if reading["alarm"]
    ]
    now = {subject: one for subject, one in last.items() if not subject.startswith("drift")}
    nothing = {"night": "-", "value": None, "low": None, "high": None, "alarm": False, "says": ""}
    for subject, why in unread.items():
        read = last.get(subject, nothing)
        now[subject] = {**read, "subject": subject, "says": f"{read['says']} {why[0].upper()}{why[1:]}.".strip()}
    # Columns are compared once a week, on the weekday of the landmarks.
    compared = max((one["night"] for subject, one in last.items() if subject.startswith("drift")), default="")
    shifts = [one for one in nights[compared]["readings"] if one["subject"].startswith("drift")][:SHIFTS] if compared else []
    # A model may give the service back, or serve past nights that are run again: each stretch of nights stands for itself.
    stretches = groupby(sorted(nights), key=lambda date: nights[date]["model_version"])
    serving = [(version, list(dates)) for version, dates in stretches]
    # Nights of an older version of Vigie did not keep it.
    notice = nights[max(nights)].get("notice", "") if nights else ""
    return environment.get_template("watch.html").render(
        nights=nights,
        version=version,
        alarms=alarms,
        compared=compared,
        shifts=shifts,
        now=now.values(),
        image=_drawn(nights),
        serving=serving,
        notice=notice,
    )


def _figure(value: float | None) -> str:
    """Thousandths at most, and none that say nothing: some subjects are counts."""
    return "-" if value is None else f"{value:,.3f}".rstrip("0").rstrip(".")


def _drawn(nights: Mapping[str, Mapping[str, Any]]) -> str:
    """A plot for each subject of which anything was read; empty where nothing was."""
    from matplotlib.figure import Figure

    read: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for date, night in sorted(nights.items()):
        for one in night["readings"]:
            if one["value"] is not None:
                read.setdefault(one["subject"], []).append((date, one))
    drawn = [subject for subject in DRAWN if subject in read]
    if not drawn:
        return ""
    figure = Figure(figsize=(9, 2.2 * len(drawn)), layout="constrained")
    for axes, subject in zip(figure.subplots(len(drawn), 1, squeeze=False)[:, 0], drawn, strict=True):
        found = read[subject]
        axes.plot([date for date, _ in found], [one["value"] for _, one in found], marker="o")
        bounds = [(date, one["low"], one["high"]) for date, one in found if one["low"] is not None and one["high"] is not None]
        axes.vlines([date for date, _, _ in bounds], [low for _, low, _ in bounds], [high for _, _, high in bounds], alpha=0.4)
        axes.set_title(subject)
        axes.tick_params(axis="x", rotation=30, labelsize=7)
    return base64.b64encode(png(figure, 80)).decode("ascii")
