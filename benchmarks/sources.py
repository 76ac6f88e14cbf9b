"""What a mapping costs: a million half-days in a supplier's own words (cp1252, decimal commas, codes) beside the same in canonical csv.

Read, converted and checked; what comes after is the same for both. Seconds of processor, and ratios: the machine may be busy.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from pathlib import Path

import polars as pl

from data_contracts.border import check
from data_contracts.deliveries import delivery_at, read_parts
from data_contracts.sources.mapping import read_sources
from vigie.settings import ROOT

NOW = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
STATUS = {"P": "present", "R": "late", "ANJ": "absent_unjustified", "AJ": "absent_justified"}


def half_days(rows: int) -> pl.DataFrame:
    """So many, over 250 days."""
    number = pl.int_range(rows)
    learner, half = number // 500, number % 2
    day = pl.lit(dt.date(2025, 9, 1)) + pl.duration(days=number % 500 // 2)
    return pl.select(
        person=(100_000 + learner).cast(pl.String),
        session=pl.lit("S17AVJE93001NR"),
        date=day.cast(pl.Date),
        half=pl.when(half == 0).then(pl.lit("matin")).otherwise(pl.lit("après-midi")),
        status=pl.when(number % 13 == 0).then(pl.lit("ANJ")).when(number % 17 == 0).then(pl.lit("R")).otherwise(pl.lit("P")),
    )


def supplier(made: pl.DataFrame, *, quoted: bool) -> bytes:
    """In the words of an attendance tool."""
    text = made.select(
        pl.col("person").alias("Identifiant Stagiaire"),
        pl.col("session").alias("Numéro Action"),
        pl.col("date").dt.strftime("%d/%m/%Y").alias("Date"),
        pl.col("half").alias("Demi-journée"),
        pl.col("status").alias("Statut"),
        pl.lit("3,5").alias("Heures prévues"),
        pl.lit("3,5").alias("Heures réalisées"),
        pl.col("date").dt.strftime("%d/%m/%Y").alias("Date saisie"),
    )
    return text.write_csv(separator=";", quote_style="always" if quoted else "never").encode("cp1252")


def canonical(made: pl.DataFrame) -> bytes:
    """In canonical names."""
    return (
        made.select(
            enrolment_id=pl.col("person") + "/" + pl.col("session"),
            date="date",
            half_day=pl.when(pl.col("half") == "matin").then(pl.lit("am")).otherwise(pl.lit("pm")),
            status=pl.col("status").replace(STATUS),
            planned_minutes=210,
            attended_minutes=210,
        )
        .write_csv()
        .encode()
    )


def seconds(path: Path, landing: Path) -> float:
    """Of processor, for reading and checking one file."""
    sources, _ = read_sources(ROOT / "config" / "sources")
    start = time.process_time()
    (part,) = read_parts(delivery_at(path, landing, NOW, sources), sources)
    rows = check(part.table, part.received, NOW, headers=part.headers).rows.height
    took = time.process_time() - start
    if rows != path.read_bytes().count(b"\n") - 1:
        raise SystemExit(f"{path.name}: {rows} rows")
    return took


def main() -> None:
    """Print the best of some rounds, in which each takes its turn, and ratios."""
    options = argparse.ArgumentParser()
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=3)
    asked = options.parse_args()
    made = half_days(asked.rows)
    files = {
        "canonical csv": ("attendance/made.csv", canonical(made)),
        "mapped cp1252": ("emargement/attendance/made.csv", supplier(made, quoted=False)),
        "mapped cp1252, quoted": ("emargement/attendance/quoted.csv", supplier(made, quoted=True)),
    }
    with tempfile.TemporaryDirectory() as folder:
        landing = Path(folder)
        for name, content in files.values():
            (landing / name).parent.mkdir(parents=True, exist_ok=True)
            (landing / name).write_bytes(content)
        rounds = [{what: seconds(landing / name, landing) for what, (name, _) in files.items()} for _ in range(asked.rounds)]
    best = {what: min(one[what] for one in rounds) for what in files}
    for what, took in best.items():
        print(f"{what:22} {took:6.2f} s   {took / best['canonical csv']:.2f} times")


if __name__ == "__main__":
    main()
