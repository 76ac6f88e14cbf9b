"""A service of one's own, for tests that write."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pipelines.service import Service, open_service
from vigie.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def copy_of(service: Service, folder: Path) -> Service:
    """The same service in another folder."""
    shutil.copytree(service.home.root, folder, dirs_exist_ok=True)
    return open_service(Settings(home=folder))
