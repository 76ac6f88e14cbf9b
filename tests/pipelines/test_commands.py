"""The command line as its users type it."""

from __future__ import annotations

import datetime as dt
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.steps import past_nights
from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    from pipelines.service import Service

VIGIE = str(Path(sys.executable).parent / "vigie")


def vigie(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VIGIE, *words], capture_output=True, text=True, check=False, timeout=300)


def test_a_mistake_gets_a_sentence_and_a_remedy_and_no_traceback(tmp_path: Path) -> None:
    for words, said in (
        (("night", "--home", str(tmp_path), "--as-of", "yesterday"), "Write it as 2026-03-04"),
        (("night", "--home", str(tmp_path), "--as-of", "2026-03-04"), "vigie train --as-of 2026-03-04"),
        (("train", "--home", str(tmp_path), "--as-of", "2026-03-04"), "Ingest older deliveries"),
        (("schedule", "--home", str(tmp_path)), "make server"),
        (("import", "oulad", "--source", str(tmp_path), "--out", str(tmp_path)), "OULAD's seven tables"),
        (("demo", "--home", str(Path(__file__).parent)), "folder of its own"),
    ):
        result = vigie(*words)
        assert result.returncode == 1, words
        assert said in result.stderr, result.stderr
        assert "Traceback" not in result.stderr


def test_deliveries_are_simulated_ingested_and_looked_at(tmp_path: Path) -> None:
    home = str(tmp_path)
    made = vigie("simulate", "--out", f"{home}/landing", "--learners", "200", "--from", "2025-01-06", "--to", "2025-06-30")
    taken = vigie("ingest", "--home", home)
    again = vigie("ingest", "--home", home)
    seen = vigie("doctor", "--home", home)

    assert "simulated rows" in made.stdout
    assert (tmp_path / "truth" / "hazard.parquet").exists()
    assert "attendance" in taken.stdout
    assert "changed nothing" in again.stdout
    assert "No model was trained" in seen.stdout
    assert seen.returncode == 1


def test_a_night_killed_in_the_middle_ends_as_if_never_interrupted(service: Service, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for home in (whole, killed):
        shutil.copytree(service.home.root, home)
    command = ("night", "--as-of", "2025-11-12", "--home")
    start = time.perf_counter()
    assert vigie(*command, str(whole)).returncode == 0
    length = time.perf_counter() - start

    for share in (0.4, 0.7, 0.9):
        process = subprocess.Popen([VIGIE, *command, str(killed)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(share * length)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert vigie(*command, str(killed)).returncode == 0

    out = Path("out", "2025-11-12")
    for path in sorted((whole / out).rglob("*")):
        if path.is_file() and path.name != "night.json":
            other = killed / path.relative_to(whole)
            assert path.read_bytes() == other.read_bytes(), path.name


def test_past_nights_step_by_days() -> None:
    first = dt.date(2026, 1, 1)

    assert past_nights(first, dt.date(2026, 1, 15), "7d") == [first, dt.date(2026, 1, 8), dt.date(2026, 1, 15)]
    for every in ("0d", "week", "-1d"):
        with pytest.raises(ConfigurationError):
            past_nights(first, first, every)
    with pytest.raises(ConfigurationError, match="before --from"):
        past_nights(first, dt.date(2025, 12, 31), "1d")
