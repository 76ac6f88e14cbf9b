"""Make data/oulad: a part of OULAD small enough to commit, in OULAD's own columns.

usage: python benchmarks/make_oulad_extract.py SOURCE OUT

Kept: the presentations and modules below, and of their learners those whose identifier hashes into the share below, with all their
enrolments in these presentations. Changed: clicks are summed by learner, day and activity type, each type under one of its own id_site.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import polars as pl

PRESENTATIONS = ("2013B", "2013J", "2014B")
MODULES = ("BBB", "DDD", "EEE", "FFF", "GGG")
SHARE = 0.5
SESSION = ["code_module", "code_presentation"]


def kept(learner: int) -> bool:
    """True for a fixed pseudo-random share of learners, the same for each of their enrolments."""
    return int(hashlib.sha256(str(learner).encode()).hexdigest()[:8], 16) / 2**32 < SHARE


def main() -> None:
    """Write the seven tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    source: Path = arguments.source
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)

    def read(name: str) -> pl.DataFrame:
        table = pl.read_parquet(source / f"{name}.parquet")
        if "code_module" in table.columns:
            table = table.filter(pl.col("code_module").is_in(MODULES), pl.col("code_presentation").is_in(PRESENTATIONS))
        return table

    tables = {name: read(name) for name in ("courses", "assessments", "studentInfo", "studentRegistration", "studentVle", "vle")}
    ids = tables["studentInfo"]["id_student"].unique()
    learners = pl.DataFrame({"id_student": ids.filter(pl.Series([kept(i) for i in ids.to_list()]))})
    for name in ("studentInfo", "studentRegistration", "studentVle"):
        tables[name] = tables[name].join(learners, on="id_student", how="semi")
    work = read("studentAssessment").join(tables["assessments"], on="id_assessment", how="semi")
    tables["studentAssessment"] = work.join(learners, on="id_student", how="semi")
    site = tables["vle"].group_by(*SESSION, "activity_type").agg(pl.col("id_site").min())
    clicks = tables["studentVle"].join(tables["vle"].select("id_site", "activity_type"), on="id_site")
    clicks = clicks.group_by(*SESSION, "id_student", "activity_type", "date").agg(pl.col("sum_click").sum())
    clicks = clicks.join(site, on=[*SESSION, "activity_type"])
    tables["studentVle"] = clicks.select(
        *SESSION, "id_student", pl.col("id_site").cast(pl.Int32), pl.col("date").cast(pl.Int16), pl.col("sum_click").cast(pl.Int32)
    )
    tables["vle"] = tables["vle"].join(site, on="id_site", how="semi")
    for name, table in tables.items():
        path = out / f"{name}.parquet"
        table.sort(table.columns).write_parquet(path, compression="zstd", compression_level=22)
        print(f"{name:22}{table.height:>10,} rows{path.stat().st_size:>12,} bytes")
    print(f"{sum(path.stat().st_size for path in out.glob('*.parquet')):,} bytes in all")


if __name__ == "__main__":
    main()
