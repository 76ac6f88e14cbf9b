"""The page every report is: accessible, without script, inline style or request, and the same as PDF."""

from __future__ import annotations

import builtins
import re
import zlib
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from markupsafe import Markup

from impact.report import NoPdfError, drawing, figure, page, pdf, table
from tests.printing import needs_pdf

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def html() -> str:
    rows = pl.DataFrame({"unit": ["<b>Est</b>", "Nord"], "n": [120, None], "rate": ["12,5 %", None], "hidden": ["secret", "secret"]})
    drawn, axes = drawing()
    axes.plot([1, 2], [3, 4])
    axes.set_title("Taux <script>")
    body = table(rows, "Abandons", {"unit": "Territoire", "n": "Entrées", "rate": "Part"})
    return page("Indicateurs", body + figure(drawn, "rates", 'De 3 à "4"', "Source : essai"), subtitle="2026", notice="Données simulées")


def test_a_table_names_its_rows_and_columns(html: str) -> None:
    assert "<caption>Abandons</caption>" in html
    assert '<th scope="col">Territoire</th>' in html
    assert '<th scope="col" class="number">Part</th>' in html
    assert '<td class="number">\u2013</td>' in html
    assert '<html lang="fr">' in html
    assert "secret" not in html


def test_french_marks_stay_with_their_word_and_the_published_plan_as_it_was_hashed() -> None:
    body = Markup("<p class='a : b'>Oui : « 5 % » ; non ?</p><pre>Oui : « 5 % »</pre>")

    told = page("Essai", body)

    assert "<p class='a : b'>Oui\u00a0: «\u00a05\u00a0%\u00a0»\u00a0; non\u00a0?</p>" in told
    assert "<pre>Oui : « 5 % »</pre>" in told


def test_numbers_stand_to_the_right_also_below_a_limit_and_the_first_column_names() -> None:
    rows = pl.DataFrame({"step": ["1", "2"], "p": ["<\u00a00,001", "\u2013"], "said": ["oui", "2 fois"]})

    told = table(rows, "Essai", {"step": "marche", "p": "p", "said": "lecture"})

    assert '<th scope="col">marche</th><th scope="col" class="number">p</th><th scope="col">lecture</th>' in told


def test_texts_are_escaped(html: str) -> None:
    assert '<th scope="row">&lt;b&gt;Est&lt;/b&gt;</th>' in html
    assert "<script" not in html


def test_a_figure_says_what_it_shows_and_needs_no_inline_style(html: str) -> None:
    assert 'role="img" aria-label="De 3 à &#34;4&#34;"' in html
    assert not re.search(r'\sstyle="', html)
    assert html.count("<style") == 1
    assert 'stroke="#' in html


def test_marks_of_two_figures_stay_apart() -> None:
    def drawn(key: str) -> set[str]:
        made, axes = drawing()
        axes.plot([1, 2], [3, 4])
        return set(re.findall(r'\sid="([^"]*)"', figure(made, key, "")))

    assert drawn("a")
    assert not drawn("a") & drawn("b")
    assert drawn("a") == drawn("a")


def test_the_page_asks_for_nothing_from_outside(html: str) -> None:
    assert not re.findall(r'(?:src|href)="(?!#)', html)


def inside(path: Path) -> bytes:
    """The parts of a PDF that are packed, unpacked."""
    packed = re.findall(rb"stream\n(.*?)\nendstream", path.read_bytes(), flags=re.DOTALL)
    return b"".join(zlib.decompress(part) for part in packed if part.startswith(b"\x78"))


@needs_pdf
def test_the_pdf_is_tagged_and_in_french(html: str, tmp_path: Path) -> None:
    pdf(html, tmp_path / "report.pdf")

    written = inside(tmp_path / "report.pdf")
    assert b"/StructTreeRoot" in written
    assert b"/Lang (fr)" in written


@needs_pdf
def test_a_pdf_fetches_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("@page { size: 1mm 1mm }", encoding="utf-8")

    link = Markup('<link rel="stylesheet" href="{}"><p>a</p>').format(secret.as_uri())
    pdf(page("Essai", link), tmp_path / "report.pdf")

    assert b"/MediaBox [0 0 595" in inside(tmp_path / "report.pdf")


def test_a_machine_without_pango_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:  # noqa: ANN401 - as the builtin
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NoPdfError, match="apt-get install libpango"):
        pdf("<p>a</p>", tmp_path / "report.pdf")
