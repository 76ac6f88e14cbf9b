"""The evaluation put together: read the warehouse and what the nights left, compute, write page, PDF and tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from markupsafe import Markup

from vigie.files import write_whole, write_whole_text

if TYPE_CHECKING:
    from pathlib import Path

    from impact.evaluation import Evaluation
    from impact.facts import Nights
    from pipelines.service import Service

NIGHTS_DAYS = 400
"""Nights older than this tell nothing of the last twelve months."""
BODY = "body.html"
"""The page without its frame, as the inbox shows it."""


def nights_until(service: Service, as_of: dt.date) -> Nights:
    """Scores, alerts and answers of the nights up to `as_of`."""
    from alerts.cases import CaseStore
    from impact.facts import Nights

    first = as_of - dt.timedelta(days=NIGHTS_DAYS)
    nights = [service.home.out(first + dt.timedelta(days=n)) for n in range(NIGHTS_DAYS + 1)]

    def together(name: str, empty: pl.DataFrame) -> pl.DataFrame:
        files = [night / name for night in nights if (night / name).exists()]
        columns = [pl.col(column).cast(kind) for column, kind in empty.schema.items()]
        return pl.scan_parquet(files).select(columns).collect() if files else empty

    none = Nights.none()
    with CaseStore(service.cases_url) as cases:
        answers = cases.answered(as_of, service.time_zone).select(none.answers.columns)
    return Nights(together("scores.parquet", none.scores), together("alerts.parquet", none.alerts), answers)


def evaluate_service(service: Service, as_of: dt.date, *, health: bool) -> Evaluation:
    """Every table of the evaluation at the cut-off `as_of`.

    Args:
        service: whose home folder is read.
        as_of: nothing known later is looked at.
        health: use recognised disability, which needs a legal basis of its own.
    """
    from impact.audit import attributes
    from impact.evaluation import evaluate
    from impact.facts import read_facts
    from pipelines.experiments import newest_analyses

    nights, rules = nights_until(service, as_of), service.rules.invariants
    with service.warehouse() as warehouse:
        facts = read_facts(warehouse, as_of, rules.silence_days, service.time_zone, nights)
        protected = attributes(warehouse, as_of, service.time_zone, health=health)
    told = [one | {"as_of": f"{dt.date.fromisoformat(one['as_of']):%d/%m/%Y}"} for one in newest_analyses(service, as_of)]
    return replace(evaluate(facts, protected, rules), experiments=told)


def write_evaluation(found: Evaluation, folder: Path) -> list[Path]:
    """The page (HTML and PDF), the page without its frame, and the tables (parquet, csv, xlsx) under `folder`.

    Raises:
        NoPdfError: the machine lacks what lays out a PDF; everything else is written by then.
    """
    from impact.page import TITLE, body
    from impact.report import page, pdf, typeset

    content = Markup(typeset(body(found)))  # noqa: S704 - the page's own, escaped where it was made
    subtitle = f"Ce que le service savait le {found.facts.as_of:%d/%m/%Y} au soir, sur les douze mois d'avant."
    html = page(TITLE, content, subtitle=subtitle, notice=found.facts.notice)
    written = write_tables(found.tables, folder)
    written.append(write_whole_text(folder / "indicators.html", html))
    # Last of all: what the inbox looks for is there only when the rest is.
    written.append(write_whole_text(folder / BODY, content))
    written.append(write_whole(folder / "indicators.pdf", lambda path: pdf(html, path)))
    return written


def write_tables(tables: dict[str, pl.DataFrame], folder: Path) -> list[Path]:
    """Each table as parquet and csv, and all of them as one workbook whose cells are never formulas."""
    written = [write_whole(folder / "tables" / f"{name}.parquet", table.write_parquet) for name, table in tables.items()]
    written += [write_whole(folder / "tables" / f"{name}.csv", table.write_csv) for name, table in tables.items()]

    def workbook(path: Path) -> None:
        from xlsxwriter import Workbook

        with Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}) as book:
            for name, table in tables.items():
                table.write_excel(book, worksheet=name, table_style="Table Style Light 1")

    return [*written, write_whole(folder / "tables.xlsx", workbook)]
