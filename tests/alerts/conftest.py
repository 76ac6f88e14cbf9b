"""A case store on each database it can live on; PostgreSQL is started by the test run where its programs are installed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller
from sqlalchemy import create_engine

from alerts.cases import CaseStore
from tests.alerts.served import World, fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), reverse=True)
    there = shutil.which("pg_ctl")
    return found[0].parent if found else Path(there).parent if there else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a server of our own, without a database name."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs are not installed (Debian: apt-get install postgresql)")
    # A short path: a socket's may not exceed 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="vigie-pg-", dir="/tmp"))
    # PostgreSQL refuses to run as root.
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run([*user, *map(str, command)], check=True, capture_output=True, cwd=folder)

    run(programs / "initdb", "-D", data, "-U", "vigie", "--auth=trust", "--encoding=UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    run(programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start")
    yield f"postgresql+psycopg://vigie@/{{database}}?host={folder}"
    run(programs / "pg_ctl", "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case store with its tables, made once: each test takes a copy, since making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "cases.sqlite"
    with CaseStore(f"sqlite:///{path}"):
        pass
    return path


@pytest.fixture(scope="session")
def databases(postgresql: str) -> Iterator[Callable[[], str]]:
    """Addresses of databases of one's own, each a copy of one whose tables were made once."""
    engine = create_engine(postgresql.format(database="postgres"), isolation_level="AUTOCOMMIT")

    def made(name: str, template: str) -> str:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return postgresql.format(database=name)

    with CaseStore(made("empty", "template1")):
        pass
    yield lambda: made(f"t{uuid.uuid4().hex}", "empty")
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def cases_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a case store of one's own, with its tables and nothing in them."""
    if request.param == "sqlite":
        return f"sqlite:///{shutil.copy(request.getfixturevalue('empty_file'), tmp_path / 'cases.sqlite')}"
    return str(request.getfixturevalue("databases")())


@pytest.fixture
def cases(cases_url: str) -> Iterator[CaseStore]:
    with CaseStore(cases_url) as store:
        yield store


@pytest.fixture
def world(cases: CaseStore, tmp_path: Path) -> World:
    fill(cases)
    return World(cases, published=tmp_path / "published")


class Mailbox:
    """What a real SMTP server took."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.refused: dict[str, str] = {}
        """Answer to some addresses."""
        self.farewell = "221 bye"
        self.at_farewell: Callable[[], object] = lambda: None

    async def handle_QUIT(self, server: object, session: object, envelope: object) -> str:  # noqa: N802, ARG002 - aiosmtpd's own
        self.at_farewell()
        return self.farewell

    async def handle_RCPT(self, server: object, session: object, envelope: Any, address: str, options: object) -> str:  # noqa: ANN401, N802, ARG002 - aiosmtpd's own
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: ANN401, N802, ARG002 - aiosmtpd's own
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=default)))
        return "250 taken"


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    box = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    yield box, port
    controller.stop()
