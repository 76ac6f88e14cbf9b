"""Deliveries broken at random: a short run; `make fuzz` is the long one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data_contracts.fuzz import NASTY, mutated, originals, receive, run

KNOWN = originals()


def test_whatever_is_broken_no_file_and_no_row_is_lost() -> None:
    became = run(100, 3)

    assert became["deliveries"] == 100
    assert became["refused"] < 75, "enough of them must get past the header"
    assert became["rows loaded"] > 100
    assert became["rows quarantined"] > 50
    assert became["rows read"] == became["rows loaded"] + became["rows unchanged"] + became["rows quarantined"]


texts = st.one_of(st.sampled_from(NASTY), st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=20))
CSV = [(name, data) for name, data in KNOWN if name.endswith(".csv")]


@st.composite
def written_over(draw: st.DrawFn) -> tuple[str, bytes]:
    """A fixture with a few fields written over, and perhaps a line or a mark too many: hypothesis looks for the smallest that hurts."""
    name, data = draw(st.sampled_from(CSV))
    end = b"\r\n" if b"\r\n" in data else b"\n" if b"\n" in data else b"\r"
    lines = data.split(end)
    separator = max((b";", b"|", b","), key=lines[0].count)
    for place, column, text in draw(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 40), texts), max_size=4)):
        fields = lines[place % len(lines)].split(separator)
        fields[column % len(fields)] = text.encode()
        lines[place % len(lines)] = separator.join(fields)
    lines.insert(draw(st.integers(1, len(lines))), draw(texts).encode())
    return name, end.join(lines)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(files=st.lists(written_over(), min_size=1, max_size=3, unique_by=lambda file: file[0]))
def test_whatever_is_written_over_a_delivery_every_row_is_accounted_for(files: list[tuple[str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        receive(Path(folder), files)


def test_a_line_of_returns_alone_is_no_row_where_fields_are_quoted(tmp_path: Path) -> None:
    name, data = next((name, data) for name, data in CSV if name.startswith("gestion_notes/assessments/") and b'"' in data)

    plain, broken, ended = (
        receive(tmp_path / place, [(name, told)])[0]
        for place, told in (("plain", data), ("broken", data.replace(b"\r\n", b"\r\n\r\r\n", 1)), ("ended", data + b"\r\n\r"))
    )

    assert broken.read == ended.read == plain.read > 0


def test_the_same_seed_breaks_the_same_way() -> None:
    name, data = KNOWN[0]

    once, again = (mutated(Random(1), name, data) for _ in range(2))  # noqa: S311 - the same seed, the same file
    assert once == again != data
