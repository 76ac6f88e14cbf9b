"""A page served on a small case store: three advisors, two operators, four people, one of them in the queue."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING

import polars as pl
from fastapi.testclient import TestClient
from sqlalchemy import select

from alerts.cases.access import add_user
from alerts.cases.schema import AUDIT
from alerts.cases.store import Published
from alerts.inbox.app import create_app
from alerts.inbox.context import Inbox
from alerts.wording import Phrase
from tests.alerts.made import risk_alerts
from vigie.rules import read_rules
from vigie.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from alerts.cases.store import CaseStore
    from alerts.inbox.oidc import Provider

NIGHT = dt.date(2026, 3, 4)
MORNING = dt.datetime(2026, 3, 5, 8, tzinfo=dt.UTC)
SCRIPT = "<script>alert(1)</script>"
ADDRESS = "http://testserver"


class Clock:
    """Time that a test moves by hand."""

    def __init__(self) -> None:
        self.at = MORNING

    def __call__(self) -> dt.datetime:
        return self.at


class World:
    """A served page, its case store, its clock, and the mail that left."""

    def __init__(self, cases: CaseStore, provider: Provider | None = None, published: Path | None = None) -> None:
        self.cases, self.clock = cases, Clock()
        self.mail: list[tuple[str, str]] = []
        phrases = {
            "x": Phrase("{value} d'absence", "half_days"),
            "window": Phrase("{value} d'absence sur les 14 derniers jours", "half_days", "{value} of absence in the last 14 days"),
            "y": Phrase("{value} de présence d'affilée", "days", "{value} present in a row"),
        }
        rules = read_rules(ROOT / "config")
        send = self.mail.append
        self.published = published
        if published:
            self.publish_indicators(dt.date(2026, 2, 28), "<h2>Couverture</h2>")
        inbox = Inbox(
            cases.engine, rules, phrases, "Europe/Paris", ADDRESS, lambda to, link: send((to, link)), self.clock, provider, self.published
        )
        self.app = create_app(inbox)

    def publish_indicators(self, cut_off: dt.date, content: str) -> None:
        assert self.published
        folder = self.published / cut_off.isoformat()
        folder.mkdir(parents=True)
        (folder / "body.html").write_text(content, encoding="utf-8")
        (folder / "tables.xlsx").write_bytes(b"PK")

    def browser(self) -> TestClient:
        return TestClient(self.app, base_url=ADDRESS, follow_redirects=True)

    def logged_in(self, email: str) -> TestClient:
        browser = self.browser()
        browser.post("/connexion", data={"email": email})
        token = self.mail[-1][1].split("jeton=")[1]
        assert browser.post("/entrer", data={"jeton": token}).status_code == 200
        return browser

    def log(self, verb: str) -> list[tuple[str | None, str]]:
        with self.cases.engine.connect() as connection:
            rows = connection.execute(select(AUDIT.c.object_id, AUDIT.c.outcome).where(AUDIT.c.verb == verb).order_by(AUDIT.c.entry))
            return [(row[0], row[1]) for row in rows]


def people(*rows: tuple[str, str | None]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema={"enrolment_id": pl.String, "advisor_id": pl.String}, orient="row")
    return frame.select(
        "enrolment_id",
        pl.col("enrolment_id").alias("learner_id"),
        "advisor_id",
        queue=pl.when(pl.col("advisor_id").is_null()).then(pl.lit("territory")).otherwise(pl.lit("owner")),
        territory_id=pl.lit("T"),
        course=pl.lit(f"Soudeur {SCRIPT}"),
        entry_date=pl.lit(dt.date(2026, 1, 5)),
        waiting_since=pl.when(pl.col("advisor_id").is_null()).then(pl.lit(dt.date(2026, 1, 5))),
        planned_exit_date=pl.lit(dt.date(2026, 6, 30)),
    )


def fill(cases: CaseStore) -> None:
    known = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    names = (
        ("e1", "Amélie", "D'Ange", "06 39 98 00 01"),
        ("e2", "محمد", "الأمين", None),
        ("e3", SCRIPT, "=1+1", None),
        ("e4", "Zoé", "Seule", None),
    )
    identities = [
        {"learner_id": key, "known_on": known, "given_name": given, "family_name": family, "phone": phone, "email": None, "language": None}
        for key, given, family, phone in names
    ]
    cases.save_private(
        "learner_identities", pl.DataFrame(identities, schema_overrides={"phone": pl.String, "email": pl.String, "language": pl.String})
    )
    staff = [{"advisor_id": key, "known_on": known, "name": f"Conseiller {key}", "email": f"{key}@example.org"} for key in ("A", "B", "C")]
    cases.save_private("advisors", pl.DataFrame(staff))
    posts = pl.DataFrame(
        {"advisor_id": ["A", "B", "C"], "operator": ["cep", "cep", "other"], "territory_id": ["T", "T", "T"]}
    ).with_columns(active_to=pl.lit(None, pl.Date))
    reasons = [[{"code": "attendance", "feature": "x", "value": 3.0, "contribution": 0.5, "previous_value": 1.0}]] * 4
    made = risk_alerts(NIGHT, "e1", "e2", "e3", "e4").with_columns(
        advisor_id=pl.Series(["A", "A", "B", None]),
        queue=pl.Series(["owner", "owner", "owner", "territory"]),
        reasons=pl.Series(reasons),
        territory_id=pl.lit("T"),
        low_confidence=pl.lit(value=False),
    )
    sheet = {"date": "2026-03-02", "half_day": "am", "status": "absent_unjustified", "known": "2026-03-02", "delivery": 3, "line": 7}
    call = {"occurred_at": "2026-02-20T10:30", "channel": "phone", "direction": "outbound", "outcome": "no_answer", "purpose": None}
    call |= {"barrier": None, "known": "2026-02-20", "delivery": 4, "line": 2}
    lowers = {"code": "attendance", "feature": "y", "value": 12.0, "contribution": -0.4, "previous_value": 7.0}
    alike = {"situations": 1240, "dropouts": 94, "expected": 101.4, "low": 0.048, "high": 0.117}
    content = json.dumps(
        {
            "attendance": [sheet],
            "contacts": [call],
            "protective": [lowers],
            "positive_exit": 0.22,
            "alike": alike,
            "risk_14": 0.03,
            "risk_56": 0.14,
        }
    )
    files = pl.DataFrame({"enrolment_id": ["e1"], "content": [content]})
    followed = people(("e1", "A"), ("e2", "A"), ("e3", "B"), ("e4", None))
    cases.publish(Published(NIGHT, MORNING, made, notice="Données simulées", people=followed, posts=posts, files=files))
    add_user(cases.engine, "lead@example.org", "Responsable", "lead", operator="cep", territory_id="T")
    for role in ("evaluator", "dpo", "operator"):
        add_user(cases.engine, f"{role}@example.org", role, role)


def form_token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def email_of(role: str) -> str:
    return "A@example.org" if role == "advisor" else f"{role}@example.org"
