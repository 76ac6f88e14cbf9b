"""The inbox under load, while nights publish: seconds at the median and the 99th percentile, and errors.

Made-up cases: 2,000 advisors, 200,000 open alerts. Requests arrive at random instants, 50 a second, whatever the page does with the former
ones (open loop: a late answer counts from the instant it was due). Everything runs on this machine: page, database, night and load.

    python benchmarks/load.py                                                   # SQLite
    python benchmarks/load.py --url postgresql+psycopg://vigie@/cases?host=...   # an empty database
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import hashlib
import json
import random
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx2
import numpy as np
import polars as pl
from sqlalchemy import insert

from alerts.cases.bulk import fill
from alerts.cases.schema import SESSIONS, USERS
from alerts.cases.store import CaseStore, Published
from data_contracts.tables.outputs import Alerts
from vigie import clock

FIRST = dt.date(2026, 3, 4)
ROOT = Path(__file__).resolve().parent.parent
MIX = {"list": 0.45, "case": 0.30, "answer": 0.15, "search": 0.05, "queue": 0.05}
REASONS = [
    {"code": "attendance", "feature": "absent_unjustified_28", "value": 5.0, "contribution": 0.9, "previous_value": 3.0},
    {"code": "contacts", "feature": "days_since_two_way_contact", "value": 31.0, "contribution": 0.3, "previous_value": 24.0},
    {"code": "rest", "feature": None, "value": None, "contribution": 0.1, "previous_value": None},
]


def night(as_of: dt.date, advisors: int, alerts: int) -> Published:
    """A night of so many open alerts."""
    n = np.arange(alerts)
    ids = pl.Series("enrolment_id", n).cast(pl.String).str.zfill(7)
    advisor = pl.Series("advisor_id", n % advisors).cast(pl.String).str.zfill(5)
    made = pl.DataFrame([ids, advisor]).with_columns(
        alert_id=pl.format("dropout_risk/{}/{}", "enrolment_id", pl.lit(as_of.isoformat())),
        as_of=pl.lit(as_of),
        kind=pl.lit("dropout_risk"),
        learner_id=pl.col("enrolment_id"),
        queue=pl.lit("owner"),
        rank=pl.Series(n // advisors + 1, dtype=pl.Int32),
        priority=pl.lit(0.1),
        risk=pl.lit(0.1),
        reasons=pl.lit(pl.Series([REASONS], dtype=Alerts.columns()["reasons"].dtype)).first(),
        suggested_action=pl.lit("call_about_absences"),
        due_on=pl.lit(as_of + dt.timedelta(days=3)),
        opened_on=pl.lit(as_of),
        state=pl.lit("new"),
        territory_id=pl.format("t{}", pl.Series(n % advisors % 20)),
        low_confidence=pl.lit(value=False),
    )
    people = made.select(
        "enrolment_id",
        "learner_id",
        "advisor_id",
        "queue",
        "territory_id",
        course=pl.lit("Soudeur, organisme de formation"),
        entry_date=pl.lit(FIRST - dt.timedelta(days=60)),
        planned_exit_date=pl.lit(FIRST + dt.timedelta(days=60)),
        waiting_since=pl.lit(None, pl.Date),
    )
    posts = made.unique("advisor_id", keep="first", maintain_order=True).select(
        "advisor_id", operator=pl.lit("cep"), territory_id="territory_id", active_to=pl.lit(None, pl.Date), weekly_capacity=pl.lit(100)
    )
    sheet = {
        "date": as_of.isoformat(),
        "half_day": "am",
        "status": "absent_unjustified",
        "known": as_of.isoformat(),
        "delivery": 1,
        "line": 2,
    }
    content = json.dumps({"attendance": [sheet | {"half_day": half} for half in ("am", "pm")] * 20, "contacts": []})
    files = made.select("enrolment_id", content=pl.lit(content))
    return Published(as_of, clock.now(), made, "load", "Données simulées : ces personnes n'existent pas.", people, posts, files)


def prepare(url: str, advisors: int, alerts: int) -> list[tuple[str, str]]:
    """Fill the store; session and form token of each advisor."""
    known = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    first = night(FIRST, advisors, alerts)
    given, family = ["Zoé", "Ali", "Maël", "Inès"], ["Martin", "Benali", "D'Ange", "Ferrière"]
    names = first.people.select("learner_id").with_columns(
        known_on=pl.lit(known),
        given_name=pl.Series([given[n % 4] for n in range(alerts)]),
        family_name=pl.Series([f"{family[n % 7 % 4]} {n}" for n in range(alerts)]),
        phone=pl.lit("06 39 98 00 00"),
        email=pl.lit(None, pl.String),
        language=pl.lit("fr"),
    )
    staff = first.posts.select(
        "advisor_id", known_on=pl.lit(known), name=pl.format("Conseiller {}", "advisor_id"), email=pl.format("{}@example.org", "advisor_id")
    )
    logged = []
    with CaseStore(url) as cases:
        cases.save_private("learner_identities", names)
        cases.save_private("advisors", staff)
        started = time.perf_counter()
        cases.publish(first)
        print(f"first night published in {time.perf_counter() - started:.1f} s")
        now = clock.now()
        rows = []
        for advisor, territory in first.posts.select("advisor_id", "territory_id").rows():
            secret, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
            user = {"user_id": advisor, "email": f"{advisor}@example.org", "name": advisor, "role": "advisor", "advisor_id": advisor}
            rows.append((user | {"operator": "cep", "territory_id": territory, "active": True}, secret, csrf))
            logged.append((secret, csrf))
        with cases.engine.begin() as connection:
            connection.execute(insert(USERS), [user for user, _, _ in rows])
            sessions = [(hashlib.sha256(secret.encode()).hexdigest(), user["user_id"], csrf, now, now) for user, secret, csrf in rows]
            names_ = ["session_hash", "user_id", "csrf", "created_at", "seen_at"]
            fill(
                connection,
                SESSIONS,
                pl.DataFrame(sessions, schema=names_, orient="row").with_columns(
                    pl.col("created_at", "seen_at").cast(pl.Datetime("us", "UTC"))
                ),
            )
    return logged


async def load(
    address: str, logged: list[tuple[str, str]], rate: float, seconds: float, alerts: int
) -> tuple[dict[str, list[float]], Counter[str]]:
    """Requests at random instants; seconds of each by kind, from the instant it was due, and errors."""
    chance = random.Random(1)  # noqa: S311 - no secret
    taken: dict[str, list[float]] = {kind: [] for kind in MIX}
    errors: Counter[str] = Counter()
    pending: set[asyncio.Task[None]] = set()
    limits = httpx2.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx2.AsyncClient(base_url=address, timeout=30, limits=limits) as client:

        async def one(kind: str, due: float) -> None:
            which = chance.randrange(len(logged))
            secret, csrf = logged[which]
            case = f"{which + len(logged) * chance.randrange(alerts // len(logged)):07d}"
            headers = {"cookie": f"vigie={secret}"}
            try:
                if kind == "answer":
                    answer = await client.post(f"/cas/{case}/reponse", data={"csrf": csrf, "code": "no_answer"}, headers=headers)
                else:
                    path = {"list": "/liste", "case": f"/cas/{case}", "search": "/recherche?nom=mar", "queue": "/file"}[kind]
                    answer = await client.get(path, headers=headers)
                if answer.status_code not in {200, 303}:
                    errors[f"{kind} {answer.status_code}"] += 1
            except httpx2.HTTPError as error:
                errors[f"{kind} {type(error).__name__}"] += 1
            taken[kind].append(time.perf_counter() - due)

        start = time.perf_counter()
        due = start
        while due < start + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(one(chance.choices(list(MIX), list(MIX.values()))[0], due))
            pending.add(task)
            task.add_done_callback(pending.discard)
            due += chance.expovariate(rate)
        await asyncio.gather(*pending)
    return taken, errors


def main() -> None:
    """Prepare, serve, load, publish meanwhile, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="", help="address of an empty case store; SQLite in a temporary folder by default")
    parser.add_argument("--advisors", type=int, default=2_000)
    parser.add_argument("--alerts", type=int, default=200_000)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--publish", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        started = time.perf_counter()
        made = night(dt.date.fromisoformat(options.publish), options.advisors, options.alerts)
        with CaseStore(options.url) as cases:
            ready = time.perf_counter()
            cases.publish(made)
        print(
            f"night of {options.publish} published in {time.perf_counter() - ready:.1f} s ({ready - started:.1f} s to make it)", flush=True
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        url = options.url or f"sqlite:///{folder}/cases.sqlite"
        logged = prepare(url, options.advisors, options.alerts)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        address = f"http://127.0.0.1:{port}"
        environment = {"VIGIE_CASES_URL": url, "VIGIE_HOME": folder, "VIGIE_INBOX_ADDRESS": address}
        serve = [str(ROOT / ".venv/bin/vigie"), "inbox", "serve", "--port", str(port), "--print-links", "--workers", str(options.workers)]
        import os

        def start(night: list[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(night, cwd=ROOT)

        page = subprocess.Popen(serve, env=os.environ | environment, cwd=ROOT, stdout=subprocess.DEVNULL)
        nights = []
        try:
            for _ in range(300):
                try:
                    httpx2.get(f"{address}/connexion").raise_for_status()
                    break
                except httpx2.HTTPError:
                    time.sleep(0.1)
            seconds = options.minutes * 60
            command = [sys.executable, __file__, "--url", url, "--advisors", str(options.advisors), "--alerts", str(options.alerts)]

            async def story() -> tuple[dict[str, list[float]], Counter[str]]:
                running = asyncio.create_task(load(address, logged, options.rate, seconds, options.alerts))
                for part in (1, 2):
                    await asyncio.sleep(seconds / 3)
                    nights.append(start([*command, "--publish", str(FIRST + dt.timedelta(days=part))]))
                return await running

            taken, errors = asyncio.run(story())
            for one in nights:
                one.wait()
        finally:
            page.terminate()
            page.wait()
    tell(taken, errors, url.split(":", 1)[0], options)


def tell(taken: dict[str, list[float]], errors: Counter[str], database: str, options: argparse.Namespace) -> None:
    """The figures."""
    everything = np.concatenate([np.array(times) for times in taken.values()])
    title = f"{database}: {options.advisors:,} advisors, {options.alerts:,} open alerts, {options.rate:.0f} requests a second"
    print(f"{title} for {options.minutes:g} minutes, {options.workers} workers, two nights published meanwhile")
    for name, times in [*((kind, np.array(times)) for kind, times in taken.items()), ("all", everything)]:
        median, high, most = np.quantile(times, 0.5), np.quantile(times, 0.99), times.max()
        figures = f"median {median * 1000:7.1f} ms, 99th percentile {high * 1000:8.1f} ms, longest {most:5.2f} s"
        print(f"{name:>7}: {len(times):6,} requests, {figures}")
    print(f"errors: {sum(errors.values())} {dict(errors) or ''}")


if __name__ == "__main__":
    main()
