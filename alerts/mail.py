"""One mail out, by SMTP. Outside production it goes to a test address, whomever it is for."""

from __future__ import annotations

import hashlib
import smtplib
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final

from vigie.errors import ConfigurationError, VigieError

TIMEOUT_SECONDS: Final = 10
PERMANENT: Final = 500
"""Reply codes from here on are for good (RFC 5321, 4.2.1)."""


class MailError(VigieError):
    """The mail server refused, or could not be reached."""

    def __init__(self, what: str, remedy: str, *, bounced: bool = False) -> None:
        super().__init__(what, remedy)
        self.bounced = bounced
        """True when the server will never take it: trying again is of no use."""


@dataclass(frozen=True)
class Post:
    """How mail leaves."""

    host: str
    port: int
    sender: str
    user: str = ""
    password: str = field(default="", repr=False)
    starttls: bool = True
    production: bool = False
    test_address: str = ""

    def __post_init__(self) -> None:
        """Refuse settings with which mail could reach people by mistake, or nobody.

        Raises:
            ConfigurationError: no server, or no test address outside production.
        """
        if not self.host:
            raise ConfigurationError("No mail server is set.", "Set VIGIE_SMTP_HOST, or try with --print-links.")
        if not self.production and not self.test_address:
            what = "Outside production, mail goes to a test address only, and none is set."
            raise ConfigurationError(what, "Set VIGIE_MAIL_TEST_ADDRESS, or VIGIE_PRODUCTION=true where real people must get it.")

    def send(self, to: str, subject: str, text: str, html: str | None = None, key: str | None = None) -> None:
        """Send one mail; with `key`, the same message bears the same identifier each time it is tried.

        Raises:
            MailError: it was not taken; nothing of its content is told.
        """
        try:
            message = EmailMessage()
            message["From"] = self.sender
            message["To"] = to if self.production else self.test_address
            message["Subject"] = subject
            message.set_content(text)
            if html:
                message.add_alternative(html, subtype="html")
            if key:
                domain = self.sender.rpartition("@")[2] or "vigie.invalid"
                message["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"
            # No out-of-office answer comes back to a machine (RFC 3834).
            message["Auto-Submitted"] = "auto-generated"
            with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS) as server:
                if self.starttls:
                    server.starttls()
                if self.user:
                    server.login(self.user, self.password)
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = next(iter(error.recipients.values()))
            what = f"The mail server refused the address: {code}."
            raise MailError(what, "Correct the address where it is delivered from.", bounced=code >= PERMANENT) from error
        except (OSError, ValueError, smtplib.SMTPException) as error:
            what = f"A mail was not sent: {type(error).__name__}."
            raise MailError(what, "Check the mail server and its settings (VIGIE_SMTP_*), then send again.") from error
