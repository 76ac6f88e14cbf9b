"""What every report of the evaluation is made of: a page, tables, figures, and the same page as PDF."""

from __future__ import annotations

import io
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vigie.errors import VigieError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import polars as pl
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ABSENT: Final = "\u2013"
"""What stands where there is nothing to say."""
_STYLED: Final = re.compile(r' style="([^"]*)"')
_LEFT_ALONE: Final = re.compile(r"(<pre>.*?</pre>|<style>.*?</style>|<[^>]*>)", re.DOTALL)
_BEFORE: Final = re.compile(r" ([;:?!%\u00bb])")
_AFTER: Final = re.compile("\u00ab ")
_NAMED: Final = re.compile(r'(id="|xlink:href="#|url\(#)')


class NoPdfError(VigieError):
    """The libraries that lay out a PDF are not on this machine."""


@cache
def _templates() -> Environment:
    return Environment(loader=PackageLoader("impact"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def page(title: str, body: Markup, *, subtitle: str = "", notice: str = "") -> str:
    """A page in French that stands alone: no script, no request to anywhere, fit for print.

    Args:
        title: plain text, escaped here as the other texts are.
        body: what stands under the title, as `table`, `figure` and templates make it.
        subtitle: period, population, cut-off.
        notice: what must be said of made-up data; empty for real data.
    """
    style = Markup(files("impact").joinpath("templates", "report.css").read_text("utf-8"))  # noqa: S704 - our own stylesheet
    whole = _templates().get_template("report.html").render(title=title, body=body, subtitle=subtitle, notice=notice, style=style)
    return typeset(whole)


def typeset(html: str) -> str:
    """French marks kept with their word, by spaces that do not break; what stands in `pre` and in tags is left as it is."""
    parts = _LEFT_ALONE.split(html)
    parts[::2] = [_AFTER.sub("\u00ab\u00a0", _BEFORE.sub("\u00a0\\1", part)) for part in parts[::2]]
    return "".join(parts)


def rendered(name: str, **values: object) -> Markup:
    """A template of `impact/templates`, filled in; plain texts are escaped."""
    return Markup(_templates().get_template(name).render(values))  # noqa: S704 - the template escapes


def table(frame: pl.DataFrame, caption: str, columns: Mapping[str, str]) -> Markup:
    """A table of texts and numbers; the first column names the row.

    Args:
        frame: one row a line; numbers already written as they must be read may be texts.
        caption: what the table shows, its unit and its period.
        columns: column of the frame to heading, in order; columns not named are left out.
    """
    shown = frame.select(*columns)
    heads = [(columns[name], place > 0 and _is_number(shown[name])) for place, name in enumerate(shown.columns)]
    rows = [[ABSENT if cell is None else cell for cell in row] for row in shown.iter_rows()]
    return rendered("table.html", caption=caption, heads=heads, rows=rows)


def _is_number(column: pl.Series) -> bool:
    """Numbers stand to the right, also when they are written out: most of them start with a digit or a sign."""
    said = column.cast(str).drop_nulls()
    said = said.filter(said != ABSENT)
    return 2 * said.str.contains(r"^(<\s)?[+\u2212-]?\d").sum() > said.len()


def drawing(width: float = 6.5, height: float = 3.0) -> tuple[Figure, Axes]:
    """A figure of this size in inches, with one pair of axes and no needless frame."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout="constrained")
    axes = drawn.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return drawn, axes


def figure(drawn: Figure, key: str, alt: str, caption: str = "") -> Markup:
    """A matplotlib figure as inline SVG, without inline styles: a strict content policy forbids them.

    Args:
        drawn: the figure.
        key: short name, unique on the page: it keeps the marks of two figures apart.
        alt: what the figure says, for those who do not see it.
        caption: what stands below it.
    """
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        drawn.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = _STYLED.sub(_attributes, text)
    text = _NAMED.sub(rf"\g<1>{key}-", text)
    said = Markup('<svg role="img" aria-label="{}" ').format(alt)
    text = text.replace("<svg ", said, 1)
    return rendered("figure.html", drawing=Markup(text), caption=caption)  # noqa: S704 - matplotlib escapes


def _attributes(style: re.Match[str]) -> str:
    """`style="fill: none; stroke: #000"` as `fill="none" stroke="#000"`, which means the same in SVG."""
    pairs = [part.split(":", 1) for part in style[1].split(";") if ":" in part]
    return "".join(f' {name.strip()}="{value.strip()}"' for name, value in pairs)


def pdf(html: str, path: Path) -> None:
    """Lay the page out as a tagged PDF (PDF/UA), without any request to anywhere.

    Raises:
        NoPdfError: Pango or HarfBuzz is missing on this machine.
    """
    try:
        from weasyprint import HTML
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise NoPdfError(
            "PDF needs the libraries Pango and HarfBuzz, which this machine lacks.",
            "Debian, Ubuntu: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0. The HTML page is complete without it.",
        ) from error
    HTML(string=html, url_fetcher=URLFetcher(allowed_protocols=())).write_pdf(path, pdf_variant="pdf/ua-1")
