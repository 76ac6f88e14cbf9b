"""Options that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.service import Service, open_service
from vigie.settings import Settings

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Home folder of the service; default VIGIE_HOME, else ./home.", show_default=False)
]


def settings_at(home: Path | None) -> Settings:
    """The settings, with this home folder if one is given."""
    return Settings() if home is None else Settings(home=home)


def service_at(home: Path | None) -> Service:
    """The service in `home`, or where the settings say."""
    return open_service(settings_at(home))
