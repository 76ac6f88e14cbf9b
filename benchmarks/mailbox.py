"""What a mailbox shows of mails whose sender was killed after the server took them and before it noted so: each leaves a second time.

    python benchmarks/mailbox.py --lmtp 24 --spool /var/spool/cyrus/mail --mails 100

Mail goes to an SMTP server that hands it to the LMTP port of a Cyrus on this machine (`lmtpd -a`, autocreate_post, one file a message below
--spool) and, as Postfix does for its own clients, dates what has no date. --undated takes the date out, as a sender would that leaves it to
the relay. The sender is killed (SIGKILL) once at each mail.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alerts.cases import CaseStore
from alerts.mail import Post
from alerts.outbox import WAITS, Item, mailer, put, send_due

if TYPE_CHECKING:
    from collections.abc import Callable

PORT = 31_025
RELAY = """
import datetime as dt, smtplib, sys, time
from email import message_from_bytes
from email.utils import format_datetime
from aiosmtpd.controller import Controller

class Relay:
    taken = 0

    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content)
        self.taken += 1
        if sys.argv[3] == "undated":
            del mail["Date"]
            mail["Date"] = format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=self.taken))
        with smtplib.LMTP("127.0.0.1", int(sys.argv[2])) as lmtp:
            lmtp.sendmail("vigie@example.org", envelope.rcpt_tos, mail.as_bytes())
        return "250 taken"

controller = Controller(Relay(), hostname="127.0.0.1", port=int(sys.argv[1]))
controller.start()
print("ready", flush=True)
while True:
    time.sleep(60)
"""


@dataclass(frozen=True)
class Desk:
    """An outbox and where its mail goes."""

    url: str
    post: Post
    receipts: Path

    def send(self, now: dt.datetime, *, killed: bool) -> Any:  # noqa: ANN401 - what became of the round
        """Send what is due; with `killed`, die as soon as the server has taken a mail, before its receipt."""
        send = mailer(self.post)

        def dies(item: Any, taken: Callable[[], None]) -> None:  # noqa: ANN401 - a row of the outbox
            send(item, (lambda: os.kill(os.getpid(), signal.SIGKILL)) if killed else taken)

        with CaseStore(self.url) as cases:
            return send_due(cases.engine, {"mail": dies}, lambda: now, self.receipts)


def messages(spool: Path) -> Counter[Path]:
    """Messages by mailbox."""
    return Counter(path.parent for path in spool.rglob("*.") if path.name[:-1].isdigit())


def main() -> None:
    """Send, die, send again, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lmtp", type=int, required=True)
    parser.add_argument("--spool", type=Path, required=True)
    parser.add_argument("--mails", type=int, default=100)
    parser.add_argument("--undated", action="store_true")
    asked = parser.parse_args()
    now, run = dt.datetime.now(dt.UTC).replace(microsecond=0), uuid.uuid4().hex[:8]
    before = messages(asked.spool)
    with tempfile.TemporaryDirectory() as folder:
        post = Post("127.0.0.1", PORT, "vigie@example.org", starttls=False, production=True)
        desk = Desk(f"sqlite:///{folder}/cases.sqlite", post, Path(folder) / "receipts")
        desk.receipts.mkdir()
        with CaseStore(desk.url) as cases:
            mails = [Item(f"{run}/{n}", "mail", f"{run}x{n}@localhost", "s", "bonjour", "<p>bonjour</p>") for n in range(asked.mails)]
            put(cases.engine, mails, now)
        relay = [sys.executable, "-c", RELAY, str(PORT), str(asked.lmtp), "undated" if asked.undated else "dated"]
        with subprocess.Popen(relay, stdout=subprocess.PIPE) as server:
            if not server.stdout or not server.stdout.readline():
                sys.exit(1)
            killed = 0
            while not (child := os.fork()) or os.WIFSIGNALED(os.waitpid(child, 0)[1]):
                if not child:
                    desk.send(now, killed=True)
                    os._exit(0)
                killed += 1
            done = desk.send(now + WAITS[0], killed=False)
            server.terminate()
    new = [number for box, number in messages(asked.spool).items() if box not in before]
    print(f"killed {killed} times; {done.sent} sent again, {done.in_doubt} of them in doubt")
    print(f"{sum(new)} messages in {len(new)} mailboxes, at most {max(new)} in one")


if __name__ == "__main__":
    main()
