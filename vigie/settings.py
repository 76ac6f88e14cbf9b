"""One typed place for every setting; environment variables start with VIGIE_."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from vigie.errors import ConfigurationError

if TYPE_CHECKING:
    import datetime as dt

ROOT = Path(__file__).resolve().parent.parent
SIGNING_PREFIX: Final = "whsec_"


class Settings(BaseSettings):
    """Where Vigie lives and how it runs. Built once, at the command line, then passed down as values."""

    model_config = SettingsConfigDict(env_prefix="VIGIE_", frozen=True)

    home: Path = Path("home")
    config: Path = ROOT / "config"
    time_zone: str = "Europe/Paris"
    threads: int = Field(default=2, ge=1)
    cases_url: str = Field(default="", repr=False)
    """Address of the case store, such as postgresql+psycopg://vigie@host/cases; SQLite in the home folder when empty."""
    inbox_address: str = "http://127.0.0.1:8000"
    """Where advisors reach the inbox, as links in mails give it."""
    smtp_host: str = ""
    """Mail server; no mail leaves when empty."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_starttls: bool = True
    mail_from: str = "vigie@example.org"
    production: bool = False
    """Only in production does mail go to the people it is for."""
    mail_test_address: str = ""
    """Outside production, all mail goes here."""
    operator_mail: str = ""
    """Who is told of a night that failed or served less than it should; nobody when empty."""
    webhook_url: str = ""
    """Where what advisors wrote down is given back; https. No call is made when empty, the file is always written."""
    webhook_secret: SecretStr = SecretStr("")
    erasure_key: SecretStr = SecretStr("")
    """With which people who were erased are known again: 32 characters or more, kept apart from the home folder, never changed."""
    oidc_issuer: str = ""
    """Identity provider, such as https://auth.agentconnect.gouv.fr/api/v2; links by mail alone when empty."""
    oidc_name: str = "ProConnect"
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_scope: str = "openid given_name usual_name email uid siret"
    oidc_sirets: dict[str, str] = Field(default_factory=dict)
    """Operator of each organisation that may come in, as JSON: {"13002526500013": "france_travail"}."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - any setting
        """Read the settings, but for those given.

        Raises:
            ConfigurationError: one of them cannot stand; its name is told, never its value, which may be a secret.
        """
        try:
            super().__init__(**given)
        except ValidationError as error:
            faults = [": ".join([*(f"VIGIE_{str(name).upper()}" for name in fault["loc"][:1]), fault["msg"]]) for fault in error.errors()]
            told = "; ".join(fault.replace("Value error, ", "") for fault in faults)
            raise ConfigurationError(f"{told}.", "Correct it in the environment.") from None
        except SettingsError as error:
            named = re.search(r'field "(\w+)"', str(error))
            name = f"VIGIE_{named.group(1).upper()}" if named else "A setting"
            raise ConfigurationError(f"{name} is not JSON.", 'Write it as {"13002526500013": "france_travail"}.') from None

    @field_validator("time_zone")
    @classmethod
    def _on_the_map(cls, time_zone: str) -> str:
        try:
            ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{time_zone} is no time zone, such as Europe/Paris or Indian/Reunion") from error
        return time_zone

    @model_validator(mode="after")
    def _calls_are_closed_and_signed(self) -> Self:
        """Said before a night, not at the end of one: records of people leave by https, under a signature that somebody can check."""
        address = urlsplit(self.webhook_url)
        if self.webhook_url and address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError("VIGIE_WEBHOOK_URL must start with https://")
        try:
            key = signing_key(self.webhook_secret.get_secret_value())
        except ValueError as error:
            raise ValueError(f"VIGIE_WEBHOOK_SECRET starts with {SIGNING_PREFIX} and is not base64 after it") from error
        if self.webhook_url and not key:
            raise ValueError("VIGIE_WEBHOOK_URL needs a VIGIE_WEBHOOK_SECRET to sign with")
        return self


def signing_key(secret: str) -> bytes:
    """The key that a webhook's secret stands for.

    A secret that starts with whsec_ is the base64 of the key, as the Standard Webhooks specification has it; any other is the key itself.

    Raises:
        ValueError: it is no base64.
    """
    if secret.startswith(SIGNING_PREFIX):
        return base64.b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
    return secret.encode()


class Home:
    """The folder in which one service lives: what came in, what is known, what went out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.landing = root / "landing"
        self.refused = root / "refused"
        self.archive = root / "archive"
        self.rebuilt = root / "rebuilt.txt"
        self.held = root / "held"
        self.decisions = root / "quarantine"
        self.sources = root / "sources"
        self.warehouse = root / "warehouse.duckdb"
        self.cases = root / "cases.sqlite"
        self.mlflow_db = root / "mlflow.db"
        self.mlruns = root / "mlruns"
        self.models = root / "models"
        self.experiments = root / "experiments"
        self.indicators = root / "indicators"
        self.outbox = root / "outbox"
        self.lock = root / "night.lock"
        self.restoring = root / "restoring.txt"
        self.erased = root / "erased.jsonl"
        self.erasing = root / "erasing.txt"

    @property
    def cases_url(self) -> str:
        """Address of the case store."""
        return f"sqlite:///{self.cases.resolve()}"

    def out(self, as_of: dt.date) -> Path:
        """Where the night of `as_of` leaves its files."""
        return self.root / "out" / as_of.isoformat()

    def evaluation(self, as_of: dt.date, model_version: str) -> Path:
        """Where scores made with a model that came later lie: apart from what was served."""
        return self.root / "evaluation" / model_version / as_of.isoformat()

    def make(self) -> Home:
        """Create the folders that must exist.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        try:
            for folder in (self.landing, self.refused, self.models, self.outbox):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = f"The home folder {self.root} cannot be written: {error.strerror}."
            raise ConfigurationError(
                what, "Choose another with --home or VIGIE_HOME, or give this account the right to write there."
            ) from error
        return self
