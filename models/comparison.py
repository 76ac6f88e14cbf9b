"""A version beside the champion, on rows that the twins of both came before."""

from __future__ import annotations

import datetime as dt
import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import polars as pl

from models.blocks import MIN_DROPOUTS
from models.fairness import read_audit
from models.gate import Verdict, decide
from models.judging import CHAMPION, Evidence, judge, not_proven
from models.labels import known_endings
from models.landmarks import training_rows
from models.language import Said
from models.promotion import refused_before
from models.registry import attach, champion, has_twin, log_run, named, not_computed, twin_of
from vigie.errors import NoDataError, NoModelError
from vigie.files import write_whole, write_whole_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vigie.rules import Invariants
    from vigie.settings import Home
    from vigie.store import Warehouse

EVIDENCE_FILE: Final = "evidence.json"
TOLD_FILE: Final = "told.parquet"
_PLACES: Final = {"level": pl.String, "place": pl.String, "low": pl.Float64}


def weigh(
    home: Home,
    warehouse: Warehouse,
    version: str,
    rival: str | None,
    as_of: dt.date,
    rules: Invariants,
    time_zone: str,
    *,
    rows: pl.DataFrame | None = None,
) -> Evidence:
    """Measure a version beside a rival on what was known at the end of `as_of`.

    Args:
        home: where the models are.
        warehouse: open.
        version: the one judged.
        rival: another version, usually the champion; None for none.
        as_of: until when labels are known.
        rules: of the service.
        time_zone: in which as-of dates end.
        rows: landmark rows of `as_of`, when they are at hand.

    Raises:
        NoDataError: too few leavers since the twins learnt.
        NoModelError: a version is unknown or has no twin.
    """
    twin, seen = twin_of(home, version)
    other = (rival, *twin_of(home, rival)) if rival and rival != version else None
    last = max(seen, other[2]) if other else seen
    landmarks = training_rows(warehouse, as_of, rules, time_zone) if rows is None else rows
    later = landmarks.filter(pl.col("as_of") > last + dt.timedelta(days=rules.horizon_days))
    if later["label"].sum() < MIN_DROPOUTS:
        what = (
            f"Only {int(later['label'].sum())} rows of leavers are known after {last}, the last day learnt from; {MIN_DROPOUTS} are needed."
        )
        raise NoDataError(what, "Compare at a later date with --as-of, once more outcomes are known.")
    return judge(
        twin,
        landmarks.filter(pl.col("as_of") <= last),
        later,
        version=version,
        endings=known_endings(warehouse, as_of, rules.silence_days, time_zone),
        audit=read_audit(warehouse, as_of, time_zone, later),
        horizon_days=rules.horizon_days,
        champion=(other[0], other[1]) if other else None,
    )


def weigh_beside_champion(
    home: Home,
    warehouse: Warehouse,
    version: str,
    as_of: dt.date,
    rules: Invariants,
    time_zone: str,
    *,
    rows: pl.DataFrame | None = None,
) -> Evidence:
    """`weigh` beside the champion, or beside the baselines alone where there is none or it cannot be: the evidence then says why."""
    serving = champion(home)
    apart = _why_not(home, serving) if serving else ""
    landmarks = training_rows(warehouse, as_of, rules, time_zone) if rows is None else rows
    try:
        evidence = weigh(home, warehouse, version, None if apart else serving, as_of, rules, time_zone, rows=landmarks)
    except NoDataError:
        # A version of an earlier day, whose rows the champion has learnt from: it is still to be judged.
        if not serving or apart or twin_of(home, serving)[1] <= twin_of(home, version)[1]:
            raise
        return replace(weigh(home, warehouse, version, None, as_of, rules, time_zone, rows=landmarks), outrun=serving)
    return replace(evidence, apart=apart)


def _why_not(home: Home, version: str) -> str:
    """Why a version cannot be compared; empty where it can.

    Raises:
        NoModelError: its twin is damaged or gone, though one was registered: a champion is not replaced because a file was lost.
    """
    try:
        twin, _ = twin_of(home, version)
    except NoModelError:
        if has_twin(home, version):
            raise
        return Said("{version} has no twin to be compared by", version=version)
    gone = not_computed(twin)
    template = "{version} reads {columns}, which this version of Vigie does not compute"
    return Said(template, version=version, columns=", ".join(gone)) if gone else ""


def behind(folder: Path, as_of: dt.date, horizon_days: int) -> pl.DataFrame:
    """Places where the evidence kept with a version did not prove its score above the session rate: level, place.

    None where it was written by an older version of Vigie, lost or damaged, since the lists of a night do not wait for it; nor where it
    rests on outcomes that were not known at the end of `as_of`.
    """
    places = pl.DataFrame(schema=_PLACES)
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, pl.exceptions.PolarsError):
        evidence = json.loads((folder / EVIDENCE_FILE).read_text(encoding="utf-8"))
        if dt.date.fromisoformat(evidence["last"]) + dt.timedelta(days=horizon_days) <= as_of:
            rows = [(row["level"], row["place"], row["low"]) for row in evidence["places"]]
            places = pl.DataFrame(rows, schema=_PLACES, orient="row")
    return not_proven(places).drop("low")


def keep(home: Home, evidence: Evidence, now: dt.datetime) -> tuple[Verdict, dict[str, str | int]]:
    """Ask the gate, and keep the evidence and its answer with the version: files beside the model, figures and tags in MLflow.

    What the first decision rested on stays as it is: a later judgement lies in a folder of its own, named after its instant.

    Returns:
        what the gate said, and what it rests on, for the log of decisions: file below the version's folder, rows, dropouts, first, last.
    """
    verdict = decide(evidence, refused=refused_before(home, evidence.version))
    folder = home.models / evidence.version
    below = f"judged/{now:%Y%m%dT%H%M%SZ}" if (folder / EVIDENCE_FILE).exists() else ""
    path = write_whole_text(folder / below / EVIDENCE_FILE, evidence.to_json())
    write_whole(folder / below / TOLD_FILE, evidence.told.write_parquet)
    place = below or "judged"
    metrics = named(evidence.figures, evidence.differences, place=f"{place}/")
    for row in evidence.groups.filter(~pl.col("too_few")).to_dicts():
        group = _NOT_A_NAME.sub("_", f"{row['attribute']} {row['group']}")
        metrics |= {f"{place}/groups/{group}/{name}": row[name] for name in _OF_GROUPS}
    rows = f"{evidence.rows}, {evidence.dropouts} of leavers, {evidence.first} to {evidence.last}"
    tags = {
        "judged_on": rows,
        "judged_beside": evidence.champion or evidence.apart or evidence.outrun or "no champion",
        "gate": "green" if verdict.green else "refused",
        "gate_reasons": "\n".join(verdict.reasons)[:5_000],
    }
    attach(home, evidence.version, metrics, tags, [] if below else [path])
    rests_on: dict[str, str | int] = {"file": path.relative_to(folder).as_posix(), "rows": evidence.rows, "dropouts": evidence.dropouts}
    return verdict, rests_on | {"first": evidence.first, "last": evidence.last}


_NOT_A_NAME = re.compile(r"[^\w.\- ]")
"""What MLflow takes in no name of a metric, and the slash that parts its folders."""
_OF_GROUPS = [f"{name}{end}" for name in ("recall", "recall_ratio", "expected_ratio") for end in ("", "_low", "_high")]


def log_comparison(home: Home, evidence: Evidence, verdict: Verdict, as_of: dt.date, made_with: Mapping[str, str]) -> None:
    """A run in MLflow that holds both versions' figures side by side, and their paired differences.

    Args:
        home: where the models are.
        evidence: on one version beside the other.
        verdict: what the gate would say.
        as_of: until when outcomes were known.
        made_with: tags that name the code, the rules and the machine.
    """
    # Two versions that somebody named: the second need not be champion.
    metrics = named(evidence.figures, evidence.differences, names={CHAMPION: "rival"})
    gate = {"gate": "green" if verdict.green else "refused", "gate_reasons": "\n".join(verdict.reasons)[:5_000]}
    tags = {**made_with, **gate, "compared": evidence.version, "beside": evidence.champion}
    told = {"as_of": as_of, "rows": evidence.rows, "dropouts": evidence.dropouts, "landmarks": f"{evidence.first} to {evidence.last}"}
    log_run(home, f"{evidence.version} beside {evidence.champion}", metrics, told, tags, {"evidence.json": evidence.to_json()})
