"""OULAD on the project's ruler: learn on the 2013 presentations alone, then score and judge the weekly nights of 2014B.

usage: python benchmarks/oulad.py SOURCE RULER [--home DIR]

SOURCE holds OULAD's seven tables, RULER is oulad_metrics.py. Every step is a command of `vigie`, as an operator would type it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VIGIE = str(Path(sys.executable).parent / "vigie")
TRAINED = "2014-07-31"
FIRST, LAST = "2014-02-15", "2014-10-04"


def run(*words: str) -> None:
    """Run one command of `vigie`, and say how long it took."""
    start = time.perf_counter()
    print(f"$ vigie {' '.join(words)}", flush=True)
    subprocess.run([VIGIE, *words], check=True)
    print(f"  {time.perf_counter() - start:.0f} s\n", flush=True)


def main() -> None:
    """Run the protocol and print the ruler's verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("ruler")
    parser.add_argument("--home", type=Path, default=Path(tempfile.gettempdir()) / "vigie-oulad")
    arguments = parser.parse_args()
    home: Path = arguments.home
    shutil.rmtree(home, ignore_errors=True)
    landing = str(home / "landing")
    run("import", "oulad", "--source", arguments.source, "--out", landing, "--presentations", "2013B,2013J")
    run("ingest", "--home", str(home))
    run("train", "--home", str(home), "--as-of", TRAINED)
    version = next(path.name for path in (home / "models").iterdir() if path.is_dir())
    run("import", "oulad", "--source", arguments.source, "--out", landing, "--presentations", "2014B")
    run("ingest", "--home", str(home))
    run("backfill", "--home", str(home), "--from", FIRST, "--to", LAST, "--every", "7d", "--scores-only", "--model", version)
    scores = str(home / "evaluation" / version / "*" / "scores.parquet")
    subprocess.run([sys.executable, arguments.ruler, scores, arguments.source, "--presentations", "2014B"], check=True)
    against = str(Path(__file__).with_name("oulad_against.py"))
    subprocess.run([sys.executable, against, scores, arguments.source, arguments.ruler], check=True)


if __name__ == "__main__":
    main()
