"""One mail out, by SMTP. Outside production it goes to a test address, whomever it is for."""

from __future__ import annotations

import hashlib
import smtplib
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import make_msgid
from typing import TYPE_CHECKING, Final

from vigie import clock
from vigie.errors import ConfigurationError, VigieError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

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
class Postmark:
    """What makes every try of one mail the same mail, byte for byte, so that mailboxes know a copy and drop it.

    Cyrus and Exchange go by Message-ID and Date together, so the date is that of the writing, not of the try.
    """

    key: str
    written_at: dt.datetime


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

    def send(
        self,
        to: str,
        subject: str,
        text: str,
        html: str | None = None,
        mark: Postmark | None = None,
        taken: Callable[[], None] = lambda: None,
    ) -> None:
        """Send one mail.

        Args:
            to: the address; the test address outside production.
            subject: on one line.
            text: of the mail.
            html: the same, for those who read it so.
            mark: makes every try of it the same mail.
            taken: called as soon as the server has it, before anything else: a process that dies later knows that it left.

        Raises:
            MailError: it was not taken; nothing of its content is told.
        """
        try:
            message = self._message(to, subject, text, html, mark)
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_SECONDS)
        except (OSError, ValueError, smtplib.SMTPException) as error:
            raise _not_sent(error) from error
        try:
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
            raise _not_sent(error) from error
        else:
            taken()
        finally:
            # However the farewell goes: what was taken is taken.
            with suppress(OSError, smtplib.SMTPException):
                server.quit()
            server.close()

    def _message(self, to: str, subject: str, text: str, html: str | None, mark: Postmark | None) -> EmailMessage:
        domain = self.sender.rpartition("@")[2] or "vigie.invalid"
        print_of = hashlib.sha256(mark.key.encode()).hexdigest()[:32] if mark else ""
        message = EmailMessage()
        message["From"] = self.sender
        message["To"] = to if self.production else self.test_address
        message["Subject"] = subject
        message["Date"] = mark.written_at if mark else clock.now()
        message["Message-ID"] = f"<{print_of}@{domain}>" if mark else make_msgid(domain=domain)
        # No out-of-office answer comes back to a machine (RFC 3834).
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        if html:
            message.add_alternative(html, subtype="html")
            if mark:
                message.set_boundary(f"={print_of}")
        return message


def _not_sent(error: Exception) -> MailError:
    what = f"A mail was not sent: {type(error).__name__}."
    return MailError(what, "Check the mail server and its settings (VIGIE_SMTP_*), then send again.")
