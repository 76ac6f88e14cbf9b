"""A model's files are held against what was registered before LightGBM reads them: on altered text it ends the whole process."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from models import registry
from models.landmarks import training_rows
from models.plots import drawn_shap, png
from pipelines.made_with import made_with
from tests.conftest import TRAINED
from tests.services import copy_of
from vigie.errors import NoModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipelines.service import Service

DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "cut": ("booster.txt", lambda text: text[: len(text) // 2]),
    "altered": ("booster.txt", lambda text: text.replace(b"leaf_value=", b"leaf_value=9", 1)),
    "not text": ("booster.txt", lambda _: b"\xff\xfe\x00"),
    "another calibration": ("model.json", lambda text: text.replace(b'"slope": ', b'"slope": 1', 1)),
    "a list": ("model.json", lambda _: b"[]"),
    "the twin cut": ("twin/booster.txt", lambda text: text[: len(text) // 2]),
    "the twin altered": ("twin/booster.txt", lambda text: text.replace(b"leaf_value=", b"leaf_value=9", 1)),
    "the twin's last day cut": ("twin/seen.json", lambda text: text[:5]),
    "the twin's last day altered": ("twin/seen.json", lambda _: json.dumps({"until": "2020-01-01"}).encode()),
}


@pytest.fixture(scope="module")
def own(service: Service, tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, str]:
    made = copy_of(service, tmp_path_factory.mktemp("registry"))
    version = registry.champion(made.home)
    assert version
    return made, version


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_or_altered_files_are_refused_and_say_what_to_do(own: tuple[Service, str], what: str) -> None:
    made, version = own
    name, damage = DAMAGES[what]
    path: Path = made.home.models / version / name
    before = path.read_bytes()
    path.write_bytes(damage(before))
    try:
        with pytest.raises(NoModelError, match=r"damaged or altered|cannot be read"):
            registry.twin_of(made.home, version)
    finally:
        path.write_bytes(before)
    registry.twin_of(made.home, version)


def test_contributions_are_drawn_the_same_twice(own: tuple[Service, str]) -> None:
    served, version = own
    model = registry.load(served.home, version)
    with served.warehouse() as warehouse:
        rows = training_rows(warehouse, dt.date.fromisoformat(version[:10]), served.rules.invariants, served.time_zone)

    first, again = (png(drawn_shap(model, rows, str), 60) for _ in range(2))

    assert first == again


def test_a_version_registered_before_twins_were_signed_is_read_as_it_lies(service: Service, tmp_path: Path) -> None:
    made = copy_of(service, tmp_path / "home")
    version = registry.champion(made.home)
    assert version
    registry.client_of(made.home).delete_model_version_tag(registry.NAME, registry.known(made.home, version), registry.TWIN)

    assert registry.twin_of(made.home, version)[1] == registry.twin_of(service.home, version)[1]


def test_a_run_says_what_is_needed_to_make_the_model_again(own: tuple[Service, str]) -> None:
    made, version = own
    client = registry.client_of(made.home)
    run = client.get_run(client.get_model_version(registry.NAME, registry.known(made.home, version)).run_id).data

    assert run.params["as_of"] == TRAINED.isoformat()
    assert {"seed", "rounds", "sharp_rounds", "most_rounds", "patience", "horizon_days"} <= set(run.params)
    assert made_with(made.settings.config).items() <= run.tags.items()
    assert len(run.tags["data_fingerprint"]) == 64
