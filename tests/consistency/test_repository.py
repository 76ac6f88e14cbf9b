"""What holds for the whole repository."""

from __future__ import annotations

import re
import subprocess
import zipfile
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
import typer

from pipelines.cli import app
from pipelines.reference import GENERATED, pages
from vigie.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = ("vigie", "data_contracts", "features", "models", "alerts", "impact", "pipelines")


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - git from the path
    return listed.stdout.split()


@pytest.mark.parametrize("page", sorted(pages()))
def test_generated_pages_are_current(page: str) -> None:
    assert (GENERATED / page).read_text(encoding="utf-8") == pages()[page], "run: make docs"


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_distribution_ships_one_of_our_names(name: str) -> None:
    spec = find_spec(name)

    assert set(packages_distributions().get(name, [])) <= {"vigie"}
    assert spec is not None
    assert spec.origin is not None
    assert spec.origin.startswith(str(ROOT))
    assert (ROOT / name / "py.typed").exists()


def test_the_wheel_holds_every_package_and_its_templates(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    assert {f"{name}/py.typed" for name in PACKAGES} <= names
    assert {"alerts/lists/templates/list.html", "impact/templates/report.html", "impact/catalogue.toml"} <= names


def test_every_command_and_option_has_help() -> None:
    def leaves(command: object, name: str) -> list[tuple[str, object]]:
        children = getattr(command, "commands", None)
        return [leaf for child, inner in children.items() for leaf in leaves(inner, f"{name} {child}")] if children else [(name, command)]

    for name, command in leaves(typer.main.get_command(app), "vigie"):
        assert command.help, name  # type: ignore[attr-defined]
        for parameter in command.params:  # type: ignore[attr-defined]
            assert parameter.help, f"{name} {parameter.name}"


def test_no_leftover_no_address_and_no_path_of_one_machine() -> None:
    banned = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|index-" + r"url\b(?! --no)|https?://[^\s)\"'>]*(pypi|simple)|/wo" + r"rk/")
    for name in tracked("*.py", "*.toml", "*.md", "*.html", "Makefile", ".ci/*"):
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1):
            found = banned.search(line)
            assert not found or "--no-emit-index-" in line, f"{name}:{number}: {line.strip()}"


def test_everything_installed_is_locked_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")

    pinned = re.findall(r"^([a-z0-9][a-z0-9._-]*)==", lock, flags=re.MULTILINE)
    assert len(pinned) > 100
    assert lock.count("--hash=sha256:") >= len(pinned)
    assert "://" not in lock


def test_the_extract_of_oulad_is_small_and_carries_its_notice() -> None:
    folder = ROOT / "data" / "oulad"

    assert sum(path.stat().st_size for path in folder.iterdir()) < 6 * 2**20
    notice = (folder / "SOURCE.md").read_text(encoding="utf-8")
    assert "CC-BY 4.0" in notice
    assert "10.1038/sdata.2017.171" in notice
