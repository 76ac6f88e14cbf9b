"""What a plot tells in each language."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from models.plots import png


@pytest.mark.parametrize(("language", "ticks"), [("en", {"0.5", "1,500"}), ("fr", {"0,5", "1\N{NARROW NO-BREAK SPACE}500"})])
def test_axes_are_marked_with_numbers_as_the_language_writes_them(language: str, ticks: set[str]) -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], [1_000, 2_000])
    axes.set_xticks([0, 0.5, 1])
    axes.set_yticks([1_000, 1_500, 2_000])
    other = figure.add_axes((0.8, 0.8, 0.1, 0.1))
    other.set_xticks([0.5], ["0.5, a name"])

    assert png(figure, 30, language).startswith(b"\x89PNG")

    told = {text.get_text() for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels()}
    assert ticks < told
    assert [text.get_text() for text in other.xaxis.get_ticklabels()] == ["0.5, a name"]
