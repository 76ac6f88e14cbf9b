"""Reference pages written from the code: `make docs`. A test fails when they are stale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from data_contracts.catalogue import TABLES
from data_contracts.tables.experiments import ArmOverrides, Arms, Plans, TrainingWeights
from data_contracts.tables.ledger import Deliveries, Quarantine
from data_contracts.tables.outputs import REASON, Alerts, Scores, SessionAlerts
from features.catalogue import FAMILIES
from vigie.settings import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import dataframely as dy

GENERATED = ROOT / "docs" / "generated"
_NOTE = "<!-- Written by `make docs` from the code. Do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """File name and content of every generated page."""
    return {"data-dictionary.md": data_dictionary(), "features.md": features(), "commands.md": commands(), "access.md": access()}


def data_dictionary() -> str:
    """Every table that comes in, is kept, or goes out."""
    delivered = [_table(table.name, table.schema, table.private) for table in TABLES.values()]
    ours = [
        _table(name, schema) for name, schema in (("deliveries", Deliveries), ("quarantine", Quarantine), ("plans", Plans), ("arms", Arms))
    ]
    out = [
        _table(name, schema)
        for name, schema in (
            ("scores.parquet", Scores),
            ("alerts.parquet", Alerts),
            ("session_alerts.parquet", SessionAlerts),
            ("overrides.parquet", ArmOverrides),
            ("weights.parquet", TrainingWeights),
        )
    ]
    reason = "### A reason\n\n" + _columns(REASON.inner.items())
    incoming, kept, outgoing = ["## What comes in\n", *delivered], ["## What the service remembers\n", *ours], ["## What goes out\n", *out]
    return _NOTE + "\n".join(["# Data dictionary\n", *incoming, *kept, *outgoing, reason])


def _table(name: str, schema: type[dy.Schema], private: tuple[str, ...] = ()) -> str:
    rules = [rule.replace("_", " ") for rule in schema._schema_validation_rules() if rule != "primary_key"]  # noqa: SLF001 - no public list
    held = f"\nAlways true: {'; '.join(rules)}.\n" if rules else ""
    apart = f"\nKept in the case store alone: {', '.join(private)}.\n" if private else ""
    return f"### {name}\n\n{schema.__doc__}\n\n{_columns(schema.columns().items())}{held}{apart}"


def _columns(columns: Iterable[tuple[str, dy.Column]]) -> str:
    lines = ["| column | type | null | meaning |", "| --- | --- | --- | --- |"]
    for name, column in columns:
        key = "**" if column.primary_key else ""
        lines.append(f"| {key}{name}{key} | {_type(column)} | {'yes' if column.nullable else ''} | {column.description or ''} |")
    return "\n".join(lines) + "\n"


def _type(column: dy.Column) -> str:
    if isinstance(column.dtype, pl.Enum):
        return ", ".join(column.dtype.categories)
    names = {
        pl.String: "text",
        pl.Boolean: "true or false",
        pl.Date: "date",
        pl.Datetime: "instant, UTC",
        pl.Float64: "number",
        pl.List: "list of reasons",
    }
    return names.get(type(column.dtype), "whole number")


def features() -> str:
    """The feature catalogue, family by family."""
    parts = [
        "# Features\n",
        "Words in brackets are left out where the same fact is told as protective; some have one of their own, after the arrow.\n",
    ]
    for family in FAMILIES:
        lines = [
            f"## {family.name}\n",
            f"Source: `{family.table}`.\n",
            "| name | group | unit | meaning | null means | direction | said as |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for feature in family.features:
            direction = {1: "never lowers the risk", -1: "never raises the risk", 0: ""}[feature.monotone]
            said = f"{feature.fr} / {feature.en}" if feature.fr else "context, never told as a reason"
            if feature.fr_better:
                said += f" → {feature.fr_better} / {feature.en_better}"
            cells = (feature.name, feature.group, feature.unit, feature.meaning, feature.null_means, direction, said)
            lines.append("| " + " | ".join(cells) + " |")
        parts.append("\n".join(lines) + "\n")
    return _NOTE + "\n".join(parts)


def commands() -> str:
    """Every command with its options."""
    import typer

    from pipelines.cli import app

    parts = ["# Commands\n"]
    root = typer.main.get_command(app)
    for name, command in sorted(_leaves(root, "vigie")):
        text = (command.help or "").replace("[dim]", "    ").replace("[/dim]", "").strip()
        options = [
            f"- `{' '.join([*parameter.opts, *getattr(parameter, 'secondary_opts', [])])}` {getattr(parameter, 'help', None) or ''}"
            for parameter in command.params
        ]
        parts.append(f"## {name}\n\n{text}\n\n" + "\n".join(options) + "\n")
    return _NOTE + "\n".join(parts)


def access() -> str:
    """Every route of the inbox and who may open it; a test opens each in the name of each role."""
    from fastapi.routing import APIRoute

    from alerts.cases.access import ROLES
    from alerts.inbox.app import ROUTERS
    from alerts.inbox.context import roles_of

    lines = [f"| route | stranger | {' | '.join(ROLES)} |", "| --- |" + " --- |" * (len(ROLES) + 1)]
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    for name, roles in sorted((f"{route.path} {' '.join(sorted(route.methods or ()))}", roles_of(route)) for route in routes):
        cells = ["yes" if roles is None else "", *("yes" if roles is None or role in roles else "" for role in ROLES)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    scope = (
        "An advisor opens their own cases, those of their territory's queue, and for a while those they handed over. A team lead opens "
        "those of the advisors of the same operator and territory, and the queue. Anything else answers 404, as if it did not exist, and "
        "leaves a line in the audit log. Evaluators and operators open no page of cases.\n"
    )
    return _NOTE + "# Who opens what\n\n" + scope + "\n" + "\n".join(lines) + "\n"


def _leaves(command: Any, name: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - typer keeps its own copy of click
    children = getattr(command, "commands", None)
    if not children:
        yield name, command
        return
    for child, inner in children.items():
        yield from _leaves(inner, f"{name} {child}")


if __name__ == "__main__":
    GENERATED.mkdir(parents=True, exist_ok=True)
    for page, content in pages().items():
        (GENERATED / page).write_text(content, encoding="utf-8")
