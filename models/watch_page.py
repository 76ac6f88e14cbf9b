"""The watch as a page that stands alone: the last nights, their alarms, and how each reading went."""

from __future__ import annotations

import base64
import io
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

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


def render(nights: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as text.

    Args:
        nights: by date, the content of watch.json.
    """
    environment = Environment(loader=PackageLoader("models"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    alarms = [
        (date, reading["says"]) for date, night in sorted(nights.items(), reverse=True) for reading in night["readings"] if reading["alarm"]
    ]
    # Outcomes are read on Sundays alone: each subject is told as of the last night that looked at it.
    newest: dict[str, dict[str, Any]] = {}
    for date, night in sorted(nights.items()):
        newest |= {one["subject"]: {**one, "night": date} for one in night["readings"] if not one["subject"].startswith("drift")}
    now = list(newest.values())
    # Columns are compared once a week, on the weekday of the landmarks.
    by_night = {date: [one for one in night["readings"] if one["subject"].startswith("drift")] for date, night in nights.items()}
    compared = max((date for date, found in by_night.items() if found), default="")
    shifts = by_night.get(compared, [])[:SHIFTS]
    # A model may give the service back, or serve past nights that are run again: each stretch of nights stands for itself.
    stretches = groupby(sorted(nights), key=lambda date: nights[date]["model_version"])
    serving = [(version, list(dates)) for version, dates in stretches]
    # Nights of an older version of Vigie did not keep it.
    notice = nights[max(nights)].get("notice", "") if nights else ""
    return environment.get_template("watch.html").render(
        nights=nights, alarms=alarms, compared=compared, shifts=shifts, now=now, image=_drawn(nights), serving=serving, notice=notice
    )


def _drawn(nights: Mapping[str, Mapping[str, Any]]) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.2 * len(DRAWN)), layout="constrained")
    for axes, subject in zip(figure.subplots(len(DRAWN), 1), DRAWN, strict=True):
        found = [(date, one) for date, night in nights.items() for one in night["readings"] if one["subject"] == subject]
        found = [(date, one) for date, one in found if one["value"] is not None]
        axes.plot([date for date, _ in found], [one["value"] for _, one in found], marker="o")
        bounds = [(date, one["low"], one["high"]) for date, one in found if one["low"] is not None and one["high"] is not None]
        axes.vlines([date for date, _, _ in bounds], [low for _, low, _ in bounds], [high for _, _, high in bounds], alpha=0.4)
        axes.set_title(subject)
        axes.tick_params(axis="x", rotation=30, labelsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
