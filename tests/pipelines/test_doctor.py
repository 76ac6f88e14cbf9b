"""What the doctor says of a service in trouble, and what to do."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
from typing import TYPE_CHECKING

import pytest

from pipelines.doctor import Finding, examine
from vigie import clock
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.service import Service


@pytest.fixture
def troubled(service: Service, tmp_path: Path) -> Path:
    shutil.copytree(service.home.root, tmp_path / "home")
    return tmp_path / "home"


def wrong(home: Path) -> list[Finding]:
    return [finding for finding in examine(Settings(home=home)) if finding.level == "wrong"]


def test_a_night_of_a_day_that_has_not_come_is_a_clock_that_was_wrong(troubled: Path) -> None:
    night = troubled / "out" / (dt.date.max - dt.timedelta(days=1)).isoformat()
    night.mkdir(parents=True)
    (night / "night.json").write_text("{}")

    assert any("9999-12-30" in finding.what and "clock" in finding.remedy for finding in wrong(troubled))


def test_a_damaged_account_hides_no_other_finding(troubled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night = troubled / "out" / "2025-12-31" / "night.json"
    night.parent.mkdir(parents=True, exist_ok=True)
    night.write_text('{"warnings": [')
    assert [finding.remedy for finding in wrong(troubled) if str(night) in finding.what] == [
        "Run the night again: vigie night --as-of 2025-12-31"
    ]

    def stumbles(_: object) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("pipelines.doctor._disk", stumbles)
    told = examine(Settings(home=troubled))
    assert len(told) > 5
    assert any("ended in an error: list index out of range." in finding.what for finding in told)


def test_the_training_it_advises_may_serve_the_next_night(tmp_path: Path) -> None:
    advised = [finding.remedy for finding in wrong(tmp_path) if "No model was trained" in finding.what]

    assert [f"vigie train --as-of {clock.last_finished_day(clock.now(), 'Europe/Paris')}." in remedy for remedy in advised] == [True]


def test_deliveries_that_stopped_are_told_with_their_last_day(troubled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(days: int) -> Finding:
        monkeypatch.setattr("vigie.clock.now", lambda: dt.datetime(2026, 1, 1, 9, tzinfo=dt.UTC) + dt.timedelta(days=days))
        return next(found for found in examine(Settings(home=troubled)) if "2025-12-31" in found.what)

    assert said(0) == Finding("ok", "Deliveries tell of people until 2025-12-31")
    assert said(3).level == "ok"
    assert said(4).what == "No presence, activity or exit is told after 2025-12-31, 4 days ago."
    assert "--as-of 2025-12-31" in said(4).remedy


def test_a_prefect_server_that_does_not_answer_is_told(troubled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("PREFECT_API_URL", f"http://127.0.0.1:{port}/api")

    assert [finding for finding in wrong(troubled) if "Prefect" in finding.what and "make server" in finding.remedy]


def test_harm_to_each_store_is_told_with_its_remedy(troubled: Path) -> None:
    entry = min((troubled / "archive").iterdir()) / "rows.parquet"
    entry.write_bytes(entry.read_bytes()[:-40])
    for name in ("warehouse.duckdb", "cases.sqlite", "mlflow.db"):
        data = bytearray((troubled / name).read_bytes())
        for place in range(4_096, len(data), 8_192):
            data[place : place + 64] = bytes(64)
        (troubled / name).write_bytes(data)

    told = wrong(troubled)

    assert any(entry.parent.name in finding.what and "vigie rebuild" in finding.remedy for finding in told)
    assert any("case store" in finding.what for finding in told)
    assert any("MLflow's database" in finding.what and "restore" in finding.remedy for finding in told)


def test_an_action_without_a_sentence_is_told_before_a_list_shows_its_code(tmp_path: Path) -> None:
    ours = Settings(home=tmp_path / "home")
    shutil.copytree(ours.config, tmp_path / "config")
    assert not [finding for finding in wrong(ours.home) if "sentence" in finding.what]

    national = tmp_path / "config" / "national.toml"
    lines = national.read_text(encoding="utf-8").splitlines(keepends=True)
    national.write_text("".join(line for line in lines if not line.startswith("take_up_housing = ")), encoding="utf-8")

    found = examine(Settings(home=ours.home, config=tmp_path / "config"))
    assert [(finding.level, "take_up_housing" in finding.what) for finding in found if "sentence" in finding.what] == [("wrong", True)]
