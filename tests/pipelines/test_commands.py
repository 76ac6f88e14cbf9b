"""The command line as its users type it."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from typer.testing import CliRunner

from pipelines.cli import app
from pipelines.demo import MARK, _clear
from pipelines.past import past_nights
from pipelines.service import open_service
from vigie import clock
from vigie.errors import ConfigurationError, NoDataError
from vigie.settings import Settings

if TYPE_CHECKING:
    from pipelines.service import Service

VIGIE = str(Path(sys.executable).parent / "vigie")


def vigie(*words: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run([VIGIE, *words], capture_output=True, text=True, check=False, timeout=timeout)


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


@pytest.mark.parametrize(
    "words", [("indicators",), ("night",), ("doctor",), ("models", "list"), ("quarantine", "list"), ("source", "list")]
)
def test_a_mistyped_home_is_told_and_not_made(tmp_path: Path, words: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(app, [*words, "--home", str(tmp_path / "hoem")])

    assert isinstance(refused.exception, ConfigurationError)
    assert "There is no service at" in refused.exception.what
    assert not (tmp_path / "hoem").exists()


def test_a_page_without_one_figure_is_not_published(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["indicators", "--home", str(tmp_path), "--as-of", "2026-03-31"])

    assert isinstance(refused.exception, NoDataError)
    assert not (tmp_path / "indicators").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("night", "--as-of"),
        ("train", "--as-of"),
        ("indicators", "--as-of"),
        ("value-added", "--as-of"),
        ("models", "promote", "some-version", "--as-of"),
        ("experiment", "power", "some-plan", "--as-of"),
        ("backfill", "--from", "2026-01-05", "--every", "7d", "--to"),
    ],
)
def test_a_day_that_is_not_over_is_refused_in_production_before_anything_is_taken(
    tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_PRODUCTION", "true")
    today = clock.last_finished_day(clock.now(), "Europe/Paris") + dt.timedelta(days=1)

    refused = CliRunner().invoke(app, [*words, today.isoformat(), "--home", str(tmp_path)])

    assert isinstance(refused.exception, ConfigurationError)
    assert f"the last finished day is {today - dt.timedelta(days=1)}" in refused.exception.what
    assert not (tmp_path / "warehouse.duckdb").exists()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("VIGIE_SMTP_PORT", "abc", "VIGIE_SMTP_PORT: Input should be a valid integer"),
        ("VIGIE_TIME_ZONE", "Europe/Pari", "VIGIE_TIME_ZONE: Europe/Pari is no time zone"),
        ("VIGIE_OIDC_SIRETS", "abc", "VIGIE_OIDC_SIRETS is not JSON."),
        ("VIGIE_WEBHOOK_URL", "http://elsewhere.example/in", "VIGIE_WEBHOOK_URL must start with https://"),
        ("VIGIE_WEBHOOK_URL", "https://elsewhere.example/in", "needs a VIGIE_WEBHOOK_SECRET"),
        ("VIGIE_WEBHOOK_SECRET", "whsec_abc", "VIGIE_WEBHOOK_SECRET starts with whsec_ and is not base64"),
        ("VIGIE_WEBHOOK_SECRET", "whsec_TWFu!IQ==", "VIGIE_WEBHOOK_SECRET starts with whsec_ and is not base64"),
    ],
)
def test_a_setting_that_cannot_stand_is_named_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    result = vigie("doctor", "--home", str(tmp_path))

    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_the_page_is_not_served_in_production_but_by_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_PRODUCTION", "true")

    # Served after all, it would never end.
    result = vigie("inbox", "serve", "--home", str(tmp_path), "--print-links", timeout=60)

    assert result.returncode == 1
    assert "VIGIE_INBOX_ADDRESS is http://127.0.0.1:8000" in result.stderr


def test_a_page_served_for_a_trial_takes_its_own_forms_on_any_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIGIE_INBOX_ADDRESS", raising=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    command = [VIGIE, "inbox", "serve", "--home", str(tmp_path), "--print-links", "--port", address.rpartition(":")[2]]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            for _ in range(120):
                try:
                    page = httpx.post(f"{address}/connexion", data={"email": "a@example.org"}, headers={"Origin": address})
                    break
                except httpx.ConnectError:
                    time.sleep(0.5)
        finally:
            server.terminate()

    assert (page.status_code, "Courriel envoyé" in page.text) == (200, True)


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


def test_a_name_in_square_brackets_is_a_name(tmp_path: Path) -> None:
    """Such as those that browsers and spreadsheets give to a second copy; to rich they would be colours, and `[/red]` an error."""
    (tmp_path / "landing" / "exits").mkdir(parents=True)
    (tmp_path / "landing" / "exits" / "sorties [red] [v2].csv").write_text("nothing;of;this\n")

    taken = vigie("ingest", "--home", str(tmp_path))
    lost = vigie("inbox", "link", "[/nobody]", "--home", str(tmp_path))

    assert "exits/sorties [red] [v2].csv" in taken.stdout
    assert "Nobody may come in with [/nobody]." in lost.stderr


def test_nights_killed_at_random_instants_end_as_one_never_interrupted(service: Service) -> None:
    """A few of those of `make chaos`: warehouse, archive, files, case store and mail are compared."""
    root = Path(__file__).parents[2]
    command = [sys.executable, "benchmarks/chaos.py", "--nights", "2", "--seed", "11", "--base", str(service.home.root)]

    done = subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": "."}, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout[done.stdout.index("{") :])
    assert (told["killed"], told["different"], told["mails lost"]) == (2, 0, 0)
    assert told["mails"] > 30


def test_the_demo_takes_a_new_folder_and_its_own_and_no_other(tmp_path: Path) -> None:
    home = open_service(Settings(home=tmp_path / "home")).home

    _clear(home.root)
    home.make()
    (home.landing / "from-the-demo").touch()
    _clear(home.root)
    assert [path.name for path in home.root.iterdir()] == [MARK]

    (home.root / MARK).unlink()
    (home.make().landing / "exits.csv").touch()
    with pytest.raises(ConfigurationError, match="did not make"):
        _clear(home.root)


def test_settings_are_sought_in_earlier_folds_and_judged_on_the_last(service: Service) -> None:
    root = Path(__file__).parents[2]
    asked = ["--home", str(service.home.root), "--as-of", "2025-10-31", "--trials", "2", "--rounds", "20", "--threads", "1"]
    command = [sys.executable, "benchmarks/tuning.py", *asked]

    done = subprocess.run(command, cwd=root, env=os.environ | {"PYTHONPATH": "."}, capture_output=True, text=True, check=False, timeout=300)

    assert done.returncode == 0, done.stderr
    # The settings in use come first, so that a short search never ends below them.
    first = done.stdout[done.stdout.index("\n   0  ") :].splitlines()[1]
    assert "'learning_rate': 0.02" in first
    assert "'rounds': 20" in first
    *_, in_use, best = done.stdout.splitlines()
    assert re.match(r"in use +auc 0\.\d{4} \(0\.\d{4}\)  inside", in_use)
    assert best.startswith("best found")


def test_the_layers_of_one_fact_are_told(service: Service) -> None:
    with service.warehouse() as warehouse:
        (row,) = warehouse._connection.sql("SELECT enrolment_id FROM exits ORDER BY 1 LIMIT 1").fetchall()

    told = vigie("history", "exits", row[0], "--home", str(service.home.root))
    unknown = vigie("history", "exits", "E-nobody", "--home", str(service.home.root))
    short = vigie("history", "attendance", row[0], "--home", str(service.home.root))

    assert f"exits {row[0]}: 1 layers" in told.stdout
    assert "to now UTC: exit_date 2025-" in told.stdout
    assert ".csv, line " in told.stdout
    assert "Nothing is known" in unknown.stderr
    assert "enrolment_id, date, half_day" in short.stderr


def test_past_nights_step_by_days() -> None:
    first = dt.date(2026, 1, 1)

    assert past_nights(first, dt.date(2026, 1, 15), "7d") == [first, dt.date(2026, 1, 8), dt.date(2026, 1, 15)]
    for every in ("0d", "week", "-1d"):
        with pytest.raises(ConfigurationError):
            past_nights(first, first, every)
    with pytest.raises(ConfigurationError, match="before --from"):
        past_nights(first, dt.date(2025, 12, 31), "1d")
