"""Options that many commands share."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from pipelines.service import Service, open_service
from vigie.errors import ConfigurationError
from vigie.settings import Settings

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Home folder of the service; default VIGIE_HOME, else ./home.", show_default=False)
]


def settings_at(home: Path | None, *, new: bool = False) -> Settings:
    """The settings, with this home folder if one is given.

    Raises:
        ConfigurationError: there is no such folder, and this is no command that begins a service (`new`).
    """
    settings = Settings() if home is None else Settings(home=home)
    if not new and not settings.home.is_dir():
        what = f"There is no service at {settings.home}: no such folder."
        raise ConfigurationError(what, "Check --home or VIGIE_HOME. A service begins with: vigie ingest, or vigie restore.")
    return settings


def service_at(home: Path | None, *, new: bool = False) -> Service:
    """The service in `home`, or where the settings say; with `new`, made where there is none."""
    return open_service(settings_at(home, new=new))


def day_of(text: str, option: str) -> dt.date:
    """A date given on the command line.

    Raises:
        ConfigurationError: it is none.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{option} {text} is not a date.", "Write it as 2026-03-04.") from error


def as_of_day(text: str | None, service: Service) -> dt.date:
    """The as-of date asked for, else yesterday in the service's time zone.

    Raises:
        ConfigurationError: it is no date, or in production a day that is not over.
    """
    return service.finished_day(day_of(text, "--as-of") if text else None)
