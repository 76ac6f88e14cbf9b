"""Nights killed at any instant (SIGKILL) and run again must end as one never interrupted: warehouse, archive, files, case store, mail.

Each trial is a copy of one prepared service on its evening: deliveries of every kind have landed, advisors have answered by day.
A forked process runs the night and sends the mail; it is killed at a random instant, or as soon as a file appears that marks a step; a
second one runs it to its end. Mail goes to a real SMTP server in a process of its own. With --mails, the sending of mail alone is then
killed so often at random instants, which tells what share of kills falls between the server's answer and the receipt of a mail.

    python benchmarks/chaos.py --nights 200 --mails 200
    python benchmarks/chaos.py --nights 3 --base <home of a trained service>
    python benchmarks/chaos.py --nights 20 --postgresql 'postgresql+psycopg://vigie@/{database}?host=/run/postgresql'
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from sqlalchemy import create_engine

import alerts.lists.files
import alerts.publication
import data_contracts.rebuild
import models.unheard
import pipelines.account
import pipelines.rebuild
from alerts.cases import CaseStore, acts
from alerts.cases.access import User
from alerts.cases.schema import METADATA
from data_contracts.archive import Archive
from data_contracts.simulator import simulate, write_deliveries
from models.learner import Model
from pipelines.service import Service, open_service
from pipelines.serving import train_model
from pipelines.steps import Directly, run_night, send_outbox, take_deliveries
from vigie import clock
from vigie.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

NIGHT = dt.date(2025, 11, 20)
AT_NIGHT = dt.datetime(2025, 11, 21, 1, tzinfo=dt.UTC)
MORNING = dt.datetime(2025, 11, 21, 7, tzinfo=dt.UTC)
LANDED = dt.datetime(2025, 11, 20, 16, tzinfo=dt.UTC).timestamp()
LEARNERS_APART = 6
"""One learner in so many is kept."""
TOLD = 10
"""Nights between two lines of progress."""
MARKS = (
    "landing/contacts/vigie-2025-11-20.parquet",
    "refused/**/*.reason.txt",
    "archive/.*.part",
    "archive/*/receipt.json",
    "warehouse.duckdb.wal",
    "out/2025-11-20/.*.part",
    "out/2025-11-20/features.parquet",
    "out/2025-11-20/scores.parquet",
    "out/2025-11-20/alerts.parquet",
    "out/2025-11-20/.lists.part",
    "out/2025-11-20/lists",
    "out/2025-11-20/actions.csv",
    "out/2025-11-20/night.json",
    "../mail.txt",
)
"""Files whose appearance marks a step: a kill follows at once."""
VOLATILE = {"outbox": {"attempts", "sent_at", "next_at", "fault"}}
"""What tells how often something was tried, and nothing else."""
SEQUENCES = {"outbox": {"item"}, "audit": {"entry"}, "attempts": {"attempt_id"}}
"""Numbers that PostgreSQL gives once and never again, whether their transaction came to its end or not."""
POSTGRESQL: list[str] = []
"""Address of its server, {database} in the place of the name, where the case stores live there."""
SMTP = """
import sys, time
from email import message_from_bytes
from aiosmtpd.controller import Controller

class Taken:
    async def handle_DATA(self, server, session, envelope):
        mail = message_from_bytes(envelope.content)
        with open(sys.argv[1], "a") as file:
            file.write(f"{envelope.rcpt_tos[0]} {mail['Message-ID']}\\n")
        return "250 taken"

controller = Controller(Taken(), hostname="127.0.0.1", port=int(sys.argv[2]))
controller.start()
print("ready", flush=True)
while True:
    time.sleep(60)
"""


def service(home: Path, port: int) -> Service:
    """The service in `home`, with its mail server."""
    return open_service(
        Settings(
            home=home,
            cases_url=POSTGRESQL[0].format(database=_database(home)) if POSTGRESQL else "",
            smtp_host="127.0.0.1",
            smtp_port=port,
            smtp_starttls=False,
            production=True,
            operator_mail="exploitation@example.org",
        )
    )


def _database(home: Path) -> str:
    return f"chaos_{home.name}"


def new_cases(home: Path, like: Path | None = None) -> None:
    """On PostgreSQL: an empty database for the service in `home`, or a copy of that of another."""
    if not POSTGRESQL:
        return
    engine = create_engine(POSTGRESQL[0].format(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {_database(home)} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {_database(home)} TEMPLATE {_database(like) if like else 'template0'}")
    engine.dispose()


def copied(source: Path, target: Path) -> None:
    """A service, its case store included."""
    shutil.copytree(source, target)
    new_cases(target, source)


def _own_contributions(self: Model, rows: pl.DataFrame, _: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """LightGBM's own: of so few people they take a twentieth of the time, and most of a night's work here would be theirs."""
    return np.asarray(
        self.booster.predict(rows.select(self.columns).to_numpy(order="c"), pred_contrib=True, num_threads=1), dtype=np.float64
    )


Model.contributions = _own_contributions  # type: ignore[method-assign]


def forked(work: Callable[[], object]) -> int:
    """Start `work` in a process that has everything imported; the parent never computes, so that no thread is lost in the fork."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException:  # noqa: BLE001 - the parent must see that it failed
        import traceback

        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def finished(work: Callable[[], object]) -> None:
    """Run `work` in a forked process, and insist that it ends well."""
    _, status = os.waitpid(forked(work), 0)
    if status:
        sys.exit(f"a run that nobody killed ended with {status}")


def at(instant: dt.datetime) -> None:
    """Stop this process's clock at an instant, so that two runs write the same."""
    clock.now = lambda: instant


def few(base: Path, home: Path, port: int) -> None:
    """A service with the model of another and some of its learners: what a night does, in little time."""
    at(AT_NIGHT - dt.timedelta(days=2))
    made = service(home, port)
    read = {".parquet": pl.read_parquet, ".csv": partial(pl.read_csv, infer_schema=False)}
    tables = {
        folder.name: pl.concat([read[path.suffix](path) for path in sorted(folder.iterdir())], how="vertical_relaxed")
        for folder in sorted((base / "landing").iterdir())
    }
    everybody = tables["enrolments"]["learner_id"].unique().sort()
    theirs = tables["enrolments"].filter(pl.col("learner_id").is_in(everybody.gather_every(LEARNERS_APART).implode()))
    for name, table in tables.items():
        key = next((column for column in ("enrolment_id", "learner_id") if column in table.columns), None)
        kept = table.join(theirs.select(key).unique(), on=key, how="semi") if key else table
        (home / "landing" / name).mkdir(parents=True)
        if table.schema.dtypes() == [pl.String] * table.width:
            kept.write_csv(home / "landing" / name / "past.csv")
        else:
            kept.write_parquet(home / "landing" / name / "past.parquet")
    take_deliveries(made)
    shutil.copy(base / "mlflow.db", home)
    shutil.copytree(base / "models", home / "models", dirs_exist_ok=True)


def evening(home: Path, port: int) -> None:
    """The service as its last night of the year finds it: served the night before, answered by day, deliveries waiting."""
    at(AT_NIGHT - dt.timedelta(days=1))
    made = service(home, port)
    run_night(made, NIGHT - dt.timedelta(days=1), Directly())
    alerts_of = pl.read_parquet(made.home.out(NIGHT - dt.timedelta(days=1)) / "alerts.parquet")
    listed = alerts_of.filter(pl.col("state").cast(pl.String) == "new", pl.col("advisor_id").is_not_null()).head(6)
    with CaseStore(made.cases_url) as cases:
        for row, code in zip(listed.to_dicts(), ("reached", "no_answer", "found_job", "reached", "opposed", "no_answer"), strict=False):
            user = User("u1", "a@example.org", "A", "advisor", row["advisor_id"], "cep", "exemple-est")
            acts.act(cases.engine, user, row["enrolment_id"], acts.Answer(code), AT_NIGHT - dt.timedelta(hours=14))
    attendance = pl.read_parquet(home / "landing" / "attendance" / "past.parquet")
    known = pl.lit(dt.datetime(2025, 11, 20, 15, tzinfo=dt.UTC)).cast(attendance.schema["known_on"])
    corrected = attendance.filter(pl.col("date").cast(pl.String) >= "2025-11-10").head(2_000).with_columns(known_on=known)
    enrolment = corrected["enrolment_id"][0]
    files = {
        "attendance/day.parquet": corrected.with_columns(status=pl.lit("absent_justified").cast(attendance.schema["status"])),
        "exits/day.csv": f"enrolment_id,exit_date,reason\n{enrolment},2025-11-20,job\nE-nobody,soon,job\n",
        "learner_identities/day.csv": "learner_id,given_name,family_name\nL-new,Zoé,Neuve\n",
        "contacts/broken.csv": "contact_id,nothing\n1,2\n",
    }
    for name, content in files.items():
        path = home / "landing" / name
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            content.write_parquet(path)
        os.utime(path, (LANDED, LANDED))


def night(home: Path, port: int) -> None:
    """A night as it runs in service."""
    at(AT_NIGHT)
    run_night(service(home, port), NIGHT, Directly())


def morning(home: Path, port: int, later: dt.timedelta = dt.timedelta(0)) -> None:
    """The morning's mails."""
    at(MORNING + later)
    send_outbox(service(home, port), clock.now)


def night_and_mail(home: Path, port: int, later: dt.timedelta = dt.timedelta(0)) -> None:
    """What is killed: the night, then the morning's mails."""
    night(home, port)
    morning(home, port, later)


def state(home: Path, port: int) -> dict[str, str]:
    """Fingerprint of everything a night leaves, part by part."""
    found: dict[str, str] = {}
    made = service(home, port)
    with made.warehouse() as warehouse:
        found["warehouse is whole"] = str(warehouse.faults())
        for name in warehouse.tables():
            found[f"warehouse {name}"] = _print(warehouse.whole(name).write_json())
    archive = Archive(home / "archive")
    for name in archive.names():
        kept = archive.read(name)
        found[f"archive {name}"] = _print(kept.receipt.write_json() + kept.rows.sort("line").write_json() + kept.quarantine.write_json())
    for path in sorted(home.rglob("*")):
        below = path.relative_to(home).as_posix()
        if not path.is_file() or below.split("/")[0] in {"archive", "models", "mlruns"}:
            continue
        if below.endswith("night.json"):
            account = json.loads(path.read_text(encoding="utf-8"))
            found[below] = _print(json.dumps(account | {"seconds": 0}))
        elif below.split("/")[0] in {"out", "landing", "refused", "held", "outbox"} or below.endswith(".part"):
            found[below] = hashlib.sha256(path.read_bytes()).hexdigest()
    with CaseStore(made.cases_url) as cases, cases.engine.connect() as connection:
        for table in METADATA.sorted_tables:
            left_out = VOLATILE.get(table.name, set()) | (SEQUENCES.get(table.name, set()) if POSTGRESQL else set())
            columns = [column for column in table.columns if column.name not in left_out]
            rows = sorted(map(str, connection.execute(table.select().with_only_columns(*columns)).all()))
            found[f"cases {table.name}"] = _print("\n".join(rows))
        unsent = connection.exec_driver_sql("SELECT count(*) FROM outbox WHERE sent_at IS NULL").scalar_one()
        found["mails that did not leave"] = str(unsent)
    return found


def _print(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def state_of(home: Path, port: int, to: Path) -> dict[str, str]:
    """The same, computed in a forked process."""
    finished(lambda: to.write_text(json.dumps(state(home, port)), encoding="utf-8"))
    return json.loads(to.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def taken(mails: Path) -> Counter[str]:
    """Recipient and Message-ID of every mail the server took, and how often."""
    return Counter(mails.read_text(encoding="utf-8").splitlines()) if mails.exists() else Counter()


def wait_for(home: Path, mark: str, child: int) -> bool:
    """Until the file that marks a step is there; False when the child ended before."""
    before = set(_found(home, mark))
    while not set(_found(home, mark)) - before:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.0005)
    return True


def _found(home: Path, mark: str) -> list[Path]:
    with contextlib.suppress(OSError):
        return [home.parent / mark[3:]] if mark.startswith("../") and (home.parent / mark[3:]).exists() else list(home.glob(mark))
    return []


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=200, help="how many are killed; one that ends before its kill is not counted")
    parser.add_argument("--mails", type=int, default=0, help="how often the sending of mail alone is killed, besides")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no further night after so long")
    parser.add_argument("--base", type=Path, help="home of a service that took its deliveries and was trained; simulated when absent")
    parser.add_argument("--postgresql", help="address of a server for the case stores, {database} in the place of the name")
    asked = parser.parse_args()
    POSTGRESQL.extend(filter(None, [asked.postgresql]))
    chosen = random.Random(asked.seed)  # noqa: S311 - instants, not secrets
    with tempfile.TemporaryDirectory(prefix="vigie-chaos-") as folder:
        sys.exit(run(Path(folder), asked.base, asked.nights, asked.mails, asked.seconds, chosen))


@dataclass(frozen=True)
class Bench:
    """Where trials run, and what each must end as."""

    root: Path
    port: int
    length: float
    expected: dict[str, str]
    mail: Counter[str]

    @property
    def home(self) -> Path:
        """Of the trial at hand."""
        return self.root / "trial" / "home"


def run(root: Path, base: Path | None, nights: int, sendings: int, seconds: float, chosen: random.Random) -> int:
    """Prepare, run once uninterrupted, then the trials; 1 when one ended otherwise."""
    end = time.monotonic() + seconds
    mails, port = root / "trial" / "mail.txt", chosen.randrange(20_000, 60_000)
    (root / "trial").mkdir()
    with subprocess.Popen([sys.executable, "-c", SMTP, str(mails), str(port)], stdout=subprocess.PIPE) as server:
        try:
            if not server.stdout or not server.stdout.readline():
                return 1
            prepared, reference = root / "prepared", root / "trial" / "reference"
            if base is None:
                base = root / "simulated"
                new_cases(base)
                finished(lambda: _simulated(base, port))
            new_cases(prepared)
            finished(lambda: few(base, prepared, port))
            finished(lambda: evening(prepared, port))
            copied(prepared, reference)
            start = time.perf_counter()
            finished(lambda: night_and_mail(reference, port))
            length = time.perf_counter() - start
            bench = Bench(root, port, length, state_of(reference, port, root / "state.json"), taken(mails))
            print(f"uninterrupted: {length:.1f} s, {len(bench.expected)} parts compared, {sum(bench.mail.values())} mails", flush=True)
            tally: Counter[str] = Counter()
            try:
                while tally["killed"] < nights and time.monotonic() < end:
                    number = tally["nights"]
                    tally.update(_trial(bench, mails, MARKS[number // 4 % len(MARKS)] if number % 4 == 0 else None, chosen))
                    if tally["nights"] % TOLD == 0:
                        print(f"{tally['killed']} of {nights} nights killed, {tally['different']} ended otherwise", flush=True)
                if sendings:
                    tally.update(_sendings(bench, mails, sendings, chosen))
            finally:
                # An hour of nights is not lost to Ctrl-C.
                print(json.dumps(dict(sorted(tally.items())), indent=2), flush=True)
            wrong = ("different", "mails lost", "mails that nobody should get")
            return int(any(tally[what] or tally[f"sending alone, {what}"] for what in wrong))
        finally:
            server.terminate()


def _trial(bench: Bench, mails: Path, mark: str | None, chosen: random.Random) -> dict[str, int]:
    home, port = bench.home, bench.port
    shutil.rmtree(home, ignore_errors=True)
    copied(bench.root / "prepared", home)
    mails.unlink(missing_ok=True)
    child = forked(lambda: night_and_mail(home, port))
    if mark:
        there = wait_for(home, mark, child)
    else:
        time.sleep(chosen.uniform(0, bench.length))
        there = os.waitpid(child, os.WNOHANG)[0] == 0
    reached = _reached(home)
    if there:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    # What a claim put off by five minutes falls due in the second round.
    finished(lambda: night_and_mail(home, port, dt.timedelta(minutes=10)))
    found, sent = state_of(home, port, bench.root / "state.json"), taken(mails)
    apart = sorted(name for name in found.keys() | bench.expected.keys() if found.get(name) != bench.expected.get(name))
    if apart:
        print(f"DIFFERENT after a kill at {mark or 'random'} ({reached}): {apart}", flush=True)
    return {
        "nights": 1,
        "killed": int(there),
        f"killed during {reached}": int(there),
        "different": int(bool(apart)),
        **_of_mail(bench, sent),
    }


def _of_mail(bench: Bench, sent: Counter[str]) -> dict[str, int]:
    return {
        "mails": len(sent),
        "mails lost": len(bench.mail.keys() - sent.keys()),
        "mails that nobody should get": len(sent.keys() - bench.mail.keys()),
        "second copies under the same Message-ID": sum(sent.values()) - len(sent),
    }


def _sendings(bench: Bench, mails: Path, times: int, chosen: random.Random) -> Counter[str]:
    """Kill the morning's sending alone, at instants uniform over its length."""
    served, home, port = bench.root / "served", bench.home, bench.port
    copied(bench.root / "prepared", served)
    finished(lambda: night(served, port))
    tally: Counter[str] = Counter()
    length = 0.0
    for number in range(times + 1):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        for file in served.glob("cases.sqlite*"):
            shutil.copy(file, home)
        new_cases(home, served)
        mails.unlink(missing_ok=True)
        start = time.perf_counter()
        child = forked(lambda: morning(home, port))
        if not number:  # The first tells how long one takes.
            os.waitpid(child, 0)
            length = time.perf_counter() - start
            continue
        time.sleep(chosen.uniform(0, length))
        there = os.waitpid(child, os.WNOHANG)[0] == 0
        if there:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        in_doubt = _in_doubt(bench)
        finished(lambda: morning(home, port, dt.timedelta(minutes=10)))
        sent = taken(mails)
        tally.update(
            {
                "sendings killed": int(there),
                "sendings killed with a mail in doubt": int(there and in_doubt > 0),
                "sendings killed with more than one in doubt": int(in_doubt > 1),
                "sendings killed between the server's answer and the receipt": int(any(copies > 1 for copies in sent.values())),
                **{f"sending alone, {what}": number for what, number in _of_mail(bench, sent).items()},
            }
        )
    print(f"sending the mails takes {length:.2f} s", flush=True)
    return tally


def _in_doubt(bench: Bench) -> int:
    engine = create_engine(service(bench.home, bench.port).cases_url)
    tried = "SELECT count(*) FROM outbox WHERE sent_at IS NULL AND attempts > 0 AND (fault IS NULL OR fault <> 'too late')"
    with engine.connect() as connection:
        number = int(connection.exec_driver_sql(tried).scalar_one())
    engine.dispose()
    return number


def _reached(home: Path) -> str:
    out = home / "out" / NIGHT.isoformat()
    for name, step in (
        ("night.json", "mail"),
        ("alerts.parquet", "publication"),
        ("scores.parquet", "alerts"),
        ("features.parquet", "scores"),
    ):
        if (out / name).exists():
            return step
    return "features" if (home / "refused" / "contacts" / "broken.csv").exists() else "ingest"


def _simulated(home: Path, port: int) -> None:
    made = service(home, port)
    write_deliveries(simulate(2_500, 7, dt.date(2025, 1, 6), dt.date(2025, 12, 31)), made.home.landing)
    take_deliveries(made)
    train_model(made, dt.date(2025, 10, 31), reason="A small service made to be killed.")


IMPORTED: tuple[Any, ...] = (
    alerts.lists.files,
    alerts.publication,
    data_contracts.rebuild,
    models.unheard,
    pipelines.account,
    pipelines.rebuild,
)
"""Before the forks, so that each night starts at once."""

if __name__ == "__main__":
    main()
