"""One service: its settings, its home folder and its rules, put together once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vigie import clock
from vigie.errors import ConfigurationError
from vigie.rules import Rules, read_rules
from vigie.settings import Home, Settings

if TYPE_CHECKING:
    import datetime as dt

    from alerts.mail import Post
    from vigie.erasures import Erasures
    from vigie.store import Warehouse


@dataclass(frozen=True)
class Service:
    """What every step is given."""

    settings: Settings
    home: Home
    rules: Rules

    @property
    def time_zone(self) -> str:
        """The service's time zone, in which as-of dates end."""
        return self.settings.time_zone

    @property
    def cases_url(self) -> str:
        """Address of the case store: the setting, else SQLite in the home folder."""
        return self.settings.cases_url or self.home.cases_url

    def finished_day(self, asked: dt.date | None = None) -> dt.date:
        """The as-of date asked for, else yesterday in the service's time zone. Outside production a trial may run ahead of the calendar.

        Raises:
            ConfigurationError: in production, that day is not over: the clock is wrong, or the date.
        """
        last = clock.last_finished_day(clock.now(), self.time_zone)
        if asked and asked > last and self.settings.production:
            raise ConfigurationError(
                f"{asked} is not over: by this machine's clock, the last finished day is {last}.",
                "Give that day or an earlier one. Where the clock is wrong, set it (timedatectl).",
            )
        return asked or last

    def warehouse(self, upto: int | None = None) -> Warehouse:
        """The warehouse, open for writing; close it soon, only one process may hold it. With `upto`, later deliveries are not seen."""
        from vigie.store import Warehouse

        return Warehouse(self.home.warehouse, self.settings.threads, upto)

    def erasures(self) -> Erasures:
        """Who was erased.

        Raises:
            ConfigurationError: somebody was, and the key is missing or another.
        """
        from vigie.erasures import Erasures

        return Erasures(self.home.erased, self.settings.erasure_key.get_secret_value())


def post_of(settings: Settings) -> Post:
    """How mail leaves, as the settings say.

    Raises:
        ConfigurationError: no server, or no test address outside production.
    """
    from alerts.mail import Post

    return Post(
        host=settings.smtp_host,
        port=settings.smtp_port,
        sender=settings.mail_from,
        user=settings.smtp_user,
        password=settings.smtp_password.get_secret_value(),
        starttls=settings.smtp_starttls,
        production=settings.production,
        test_address=settings.mail_test_address,
    )


def open_service(settings: Settings | None = None, *, restoring: bool = False) -> Service:
    """Read settings and rules, and make the home folder.

    Raises:
        ConfigurationError: a rule file cannot stand, the home folder cannot be written, or a restore into it was stopped half-way.
    """
    settings = settings or Settings()
    home = Home(settings.home)
    if home.restoring.exists() and not restoring:
        raise ConfigurationError(f"{home.root} is half restored.", "Run the same vigie restore again; it goes on.")
    return Service(settings, home.make(), read_rules(settings.config))
