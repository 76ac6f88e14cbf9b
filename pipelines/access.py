"""All that a service holds about one learner, for that learner: the right of access (GDPR, art. 15)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import or_, select

from alerts.cases.erasure import OF_NOBODY
from alerts.cases.schema import ACTIONS, ALERTS, AUDIT, LEARNERS, MOVES
from data_contracts.catalogue import TABLES
from data_contracts.erased import IDS
from data_contracts.experiments import ARMS
from data_contracts.ingest import DELIVERIES, layout
from pipelines.erasure import enrolments_of
from vigie import clock
from vigie.errors import ConfigurationError, NoDataError
from vigie.files import read_whole, write_whole

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection, Engine, Table

    from pipelines.service import Service
    from vigie.store import Warehouse

    Row = dict[str, Any]


AGAINST_OTHERS: Final = ("rank", "priority")
"""Columns of a task that say where somebody stands among others: never told to a learner."""


@dataclass(frozen=True)
class Held:
    """What is held about one learner; each list is a table, oldest first."""

    learner_id: str
    made_at: dt.datetime
    notice: str
    """What must be said of made-up data; empty for real data."""
    names: list[Row]
    facts: dict[str, list[Row]]
    """By table of the contracts: every layer, with the file and the line it came from."""
    courses: list[Row]
    """Sessions and providers of their enrolments."""
    estimates: list[Row]
    """Of each night: the risk, and the sentences that an advisor read."""
    alerts: list[Row]
    answers: list[Row]
    moves: list[Row]
    readings: list[Row]
    """Who opened their case, by role."""
    experiments: list[Row]


def held_about(service: Service, learner_id: str) -> Held:
    """Gather it.

    Raises:
        NoDataError: nothing is known of anybody with this identifier.
    """
    from alerts.cases import CaseStore
    from alerts.night import notice

    with service.warehouse() as warehouse:
        said = notice(warehouse, clock.now().date(), service.time_zone)
        # Not those told of them first and of somebody else since: what is told of these is the other's.
        enrolments = enrolments_of(warehouse, [learner_id])["enrolment_id"].sort().to_list()
        facts = _facts(warehouse, learner_id, enrolments)
        sessions = sorted({row["session_id"] for row in facts.get("enrolments", [])})
        courses = _courses(warehouse, sessions)
        arms = warehouse.read(ARMS).filter(unit_id=learner_id, unit="learner").select("experiment_id", "arm", "allocated_on")
    with CaseStore(service.cases_url) as cases:
        told = _of_cases(cases.engine, learner_id, enrolments)
    if not facts and not told["names"]:
        what = f"Nobody here has the identifier {learner_id}."
        raise NoDataError(what, "Give learner_id as deliveries have it; a case page shows it.")
    made_at = clock.now().replace(microsecond=0)
    entered = {row["enrolment_id"]: row["entry_date"] for row in facts.get("enrolments", [])}
    estimates = _estimates(service.home.root / "out", enrolments, entered)
    return Held(learner_id, made_at, said, facts=facts, courses=courses, estimates=estimates, experiments=arms.to_dicts(), **told)


def _facts(warehouse: Warehouse, learner_id: str, enrolments: list[str]) -> dict[str, list[Row]]:
    files = warehouse.read(DELIVERIES).select(delivery="number", file="file", received_at="received_at")
    found = {}
    for name, table in TABLES.items():
        column = next((one for one in IDS if one in table.public), None)
        if column is None or not table.in_warehouse:
            continue
        rows = warehouse.about(layout(table), column, [learner_id] if column == "learner_id" else enrolments)
        if rows.height:
            found[name] = rows.join(files, on="delivery", how="left", maintain_order="left").drop("delivery").to_dicts()
    return found


def _courses(warehouse: Warehouse, sessions: list[str]) -> list[Row]:
    kept = ["session_id", "provider_id", "title", "start_date", "end_date", "mode", "objective"]
    theirs = warehouse.about(layout(TABLES["sessions"]), "session_id", sessions).unique("session_id", keep="last", maintain_order=True)
    known = warehouse.about(layout(TABLES["providers"]), "provider_id", theirs["provider_id"].unique().to_list())
    names = known.unique("provider_id", keep="last", maintain_order=True).select("provider_id", provider="name")
    return theirs.select(kept).join(names, on="provider_id", how="left", maintain_order="left").drop("provider_id").to_dicts()


_TECHNICAL: Final = frozenset({"base_value", "margin", "feature_hash"})
"""Columns of the scores that say nothing of a person beside the others."""


def _estimates(nights: Path, enrolments: list[str], entered: Mapping[str, dt.date]) -> list[Row]:
    """From the files of the nights, as they were served."""
    from alerts.wording import better, caution, grounds, lowering, why
    from pipelines.wording import phrases

    spoken, found = phrases(), []
    for path in sorted(nights.glob("*/scores.parquet")):
        rows = read_whole(path).filter(pl.col("enrolment_id").is_in(enrolments))
        for row in rows.to_dicts():
            said = [why(reason, spoken) for reason in grounds(row["reasons"], spoken)]
            dated = {**row, "entry_date": entered.get(row["enrolment_id"])}
            told = {"said": said, "caution": caution(dated) if row["low_confidence"] else ""}
            protects = [better(reason, spoken) for reason in lowering(row.get("protective") or [])]
            found.append({name: held for name, held in row.items() if name not in _TECHNICAL} | told | {"better": protects})
    return found


def _of_cases(engine: Engine, learner_id: str, enrolments: list[str]) -> dict[str, list[Row]]:
    with engine.connect() as connection:
        alerts = [row | {"reasons": json.loads(row["reasons"])} for row in _rows(connection, ALERTS, learner_id)]
        refused = [
            AUDIT.c.object_id.startswith(f"/{page}/{one}/", autoescape=True) | (AUDIT.c.object_id == f"/{page}/{one}")
            for page in ("cas", "file")
            for one in enrolments
        ]
        seen = or_(AUDIT.c.object_id.in_([learner_id, *enrolments]), *refused) & AUDIT.c.verb.not_in(OF_NOBODY)
        # Whoever looked is told by role: to name the person is the employer's to decide (CJEU, C-579/21).
        lines = connection.execute(select(AUDIT.c.at, AUDIT.c.role, AUDIT.c.verb, AUDIT.c.outcome).where(seen).order_by(AUDIT.c.entry))
        return {
            "names": _rows(connection, LEARNERS, learner_id),
            "alerts": [{name: value for name, value in row.items() if name not in AGAINST_OTHERS} for row in alerts],
            "answers": _rows(connection, ACTIONS, learner_id),
            "moves": _rows(connection, MOVES, learner_id),
            "readings": [dict(line) for line in lines.mappings()],
        }


def _rows(connection: Connection, table: Table, learner_id: str) -> list[Row]:
    found = connection.execute(select(table).where(table.c.learner_id == learner_id).order_by(*table.primary_key.columns))
    return [dict(row) for row in found.mappings()]


def write_access(service: Service, held: Held, to: Path) -> list[Path]:
    """Write what is held as a page in French for the person and as JSON for a machine, both in `to`, and note it in the log.

    Files are closed to other accounts of the machine.

    Raises:
        ConfigurationError: `to` lies inside the home folder, where no erasure would look for them.
    """
    from alerts.cases import CaseStore, audit
    from alerts.lists.files import file_name
    from pipelines import access_words

    if to.resolve().is_relative_to(service.home.root.resolve()):
        raise ConfigurationError(f"{to} lies inside the home folder.", "Name a folder elsewhere, closed to others.")
    environment = Environment(loader=PackageLoader("pipelines"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.get_template("access.html").render(held=held, words=access_words, retention=service.rules.retention)
    content = json.dumps(asdict(held) | {"about": access_words.ABOUT}, ensure_ascii=False, indent=2, default=_told)
    with CaseStore(service.cases_url) as cases:
        audit.note(cases.engine, clock.now(), None, "access", held.learner_id)
    name = file_name(held.learner_id)
    return [_closed(to / f"{name}.html", page), _closed(to / f"{name}.json", f"{content}\n")]


def _told(value: dt.date) -> str:
    return value.isoformat()


def _closed(path: Path, text: str) -> Path:
    def write(part: Path) -> None:
        part.touch(mode=0o600)
        part.write_text(text, encoding="utf-8")

    return write_whole(path, write)
