"""The life of what was set aside: seen, written out, mended, taken by the ordinary road, or given up. Nothing leaves without a trace.

Each decision is a file of its own in `<home>/quarantine/`, written once. A mended row comes back as a delivery of its own,
`landing/quarantine/<table>/<delivery>.<n>.parquet`, and is known from then on: nights before did not know it; where its fact was told
otherwise or withdrawn since, it stays. It has left the quarantine once that delivery is taken and did not set it aside again.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from data_contracts.border import WITHHELD, check
from data_contracts.catalogue import OWN_COLUMNS, TABLES, DeliveredTable
from data_contracts.deliveries import MENDED, ORIGIN_LINE, Delivery, delivery_at, read_parts, read_rows
from data_contracts.guards import AT_FAULT
from data_contracts.ingest import DELIVERIES, HELD, QUARANTINE, free_place, identity, layout, set_aside
from data_contracts.readers.received import FAULTS as COLUMNS
from data_contracts.readers.received import LINE, ROW, Received, Shape, no_faults
from vigie.errors import NoDataError, RefusedFileError
from vigie.files import write_whole_text
from vigie.store import WITHDRAWN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from data_contracts.ingest import Reception
    from data_contracts.sources.mapping import Source
    from vigie.store import Warehouse

ORIGIN: Final = "origin_delivery"
FAULTS: Final = "faults"
"""Columns of an export, beside those of the table: where the row came from, and what is wrong with it."""
DATED: Final = ("known_on", "known_on_assumed")
"""Columns that a mended row leaves behind: it is known from its own delivery on, a name from the file it was set aside from."""
_SHOWN: Final = 16


@dataclass(frozen=True)
class Decision:
    """What somebody decided on rows that were set aside, or on a file that was held back."""

    delivery: str
    file: str
    how: str
    """mended, closed or released."""
    at: str
    lines: list[int] | None = None
    """None for the whole file."""
    by: str = ""
    """Delivery in which the rows come back."""
    comes_as: str = ""
    """Path below landing of that delivery."""
    because: str = ""
    table: str = ""


def decisions(folder: Path) -> list[Decision]:
    """All of them, oldest first."""
    return [Decision(**json.loads(path.read_text(encoding="utf-8"))) for path in sorted(folder.glob("*.json"))]


def released(folder: Path) -> set[str]:
    """Fingerprints of held files that may pass."""
    return {decision.delivery for decision in decisions(folder) if decision.how == "released"}


def _decide(folder: Path, decision: Decision) -> None:
    number = len(list(folder.glob("*.json"))) + 1
    text = json.dumps(asdict(decision), ensure_ascii=False, indent=2) + "\n"
    write_whole_text(folder / f"{number:06}-{decision.how}.json", text)


def rows_set_aside(warehouse: Warehouse, folder: Path) -> pl.DataFrame:
    """Every row that was ever set aside, once.

    Returns:
        number, delivery_id, table, file, received_at, line, reasons, state {open, waiting, mended, closed}; waiting = mended, and about to
        be taken.
    """
    entries = warehouse.read(DELIVERIES)
    faults = warehouse.read(QUARANTINE)
    told = pl.format("{}: {}", "column", "reason").unique(maintain_order=True).str.join("; ").alias("reasons")
    rows = faults.group_by("delivery_id", "table", "file", LINE).agg(told)
    # What comes back and is at fault once more is still the row it was.
    rows = rows.filter(~pl.col("file").str.starts_with(f"{MENDED}/"))
    rows = rows.join(entries.select("delivery_id", "number", "received_at"), on="delivery_id")
    again = faults.select("delivery_id", LINE).unique()
    return (
        rows.join(_settled(folder, set(entries["delivery_id"]), again), on=["delivery_id", LINE], how="left")
        .with_columns(pl.col("state").fill_null("open"))
        .select("number", "delivery_id", "table", "file", "received_at", LINE, "reasons", "state")
        .sort("number", LINE)
    )


def _settled(folder: Path, taken: set[str], again: pl.DataFrame) -> pl.DataFrame:
    schema = {"delivery_id": pl.String(), "by": pl.String(), "how": pl.String(), LINE: pl.List(pl.Int64)}
    landing = folder.with_name("landing")
    made = [
        (decision.delivery, decision.by, decision.how, decision.lines)
        for decision in decisions(folder)
        if decision.lines and (decision.how == "closed" or decision.by in taken or (landing / decision.comes_as).exists())
    ]
    rows = pl.DataFrame(made, schema=schema, orient="row").explode(LINE)
    failed = again.rename({"delivery_id": "by"}).with_columns(failed=pl.lit(value=True))
    state = pl.when(pl.col("how") == "closed").then(pl.lit("closed")).when(~pl.col("by").is_in(list(taken))).then(pl.lit("waiting"))
    rows = rows.join(failed, on=["by", LINE], how="left").filter(pl.col("failed").is_null() | (pl.col("how") == "closed"))
    return rows.select("delivery_id", LINE, state=state.otherwise(pl.lit("mended"))).unique(["delivery_id", LINE], keep="last")


def counts(rows: pl.DataFrame) -> pl.DataFrame:
    """By file and table: quarantined = open + waiting + mended + closed.

    Args:
        rows: as `rows_set_aside` gives them.
    """
    states = [(pl.col("state") == state).sum().alias(state) for state in ("open", "waiting", "mended", "closed")]
    return rows.group_by("file", "table", maintain_order=True).agg(pl.len().alias("quarantined"), *states)


def export(warehouse: Warehouse, landing: Path, folder: Path, file: str, reception: Reception, now: dt.datetime) -> dict[str, pl.DataFrame]:
    """Open rows of one file, as they can be mended: by table, the columns of the contract, as received where they could not be turned.

    Args:
        warehouse: for the quarantine.
        landing: where the file still lies.
        folder: decisions.
        file: path below landing, as the quarantine shows it.
        reception: mappings.
        now: for the file's time.

    Raises:
        NoDataError: the file has no open row, or is no longer as it was delivered.
    """
    wanted, parts = _open_rows(warehouse, landing, folder, file, reception.sources, now)
    told = warehouse.read(QUARANTINE)
    return {part.table.name: _editable(part.table, wanted[key], part.received, told, part.headers) for key, part in parts.items()}


def _editable(
    table: DeliveredTable, rows: pl.DataFrame, received: Received, faults: pl.DataFrame, headers: Mapping[str, str]
) -> pl.DataFrame:
    own = [name for name in table.schema.column_names() if name not in DATED and name in {*received.rows.columns, *_needed(table)}]
    absent = [pl.lit(None, pl.String).alias(name) for name in own if name not in received.rows.columns]
    values = received.rows.with_columns(absent).select(LINE, pl.col(own).cast(pl.String))
    wide = rows.select(LINE, "delivery_id", "reasons").join(values, on=LINE, how="left", maintain_order="left")
    back = {header: name for name, header in headers.items()}
    said = faults.join(rows.select("delivery_id", LINE), on=["delivery_id", LINE]).with_columns(pl.col("column").replace(back))
    said = said.filter(pl.col("column").is_in(own) & (pl.col("value") != WITHHELD)).unique(["column", LINE])
    for name in said["column"].unique():
        as_received = said.filter(column=name).select(LINE, received=pl.col("value"))
        wide = wide.join(as_received, on=LINE, how="left", maintain_order="left")
        wide = wide.with_columns(pl.coalesce(name, "received").alias(name)).drop("received")
    return wide.select(pl.col("delivery_id").alias(ORIGIN), pl.col(LINE).alias(ORIGIN_LINE), *own, pl.col("reasons").alias(FAULTS))


def _open_rows(
    warehouse: Warehouse, landing: Path, folder: Path, file: str, sources: Mapping[str, Source], now: dt.datetime
) -> tuple[dict[str, pl.DataFrame], dict[str, Any]]:
    """Open rows of a file by the identity of its parts, and the parts, read again with the mapping of today."""
    rows = rows_set_aside(warehouse, folder).filter((pl.col("file") == file) & (pl.col("state") == "open"))
    if rows.is_empty():
        raise NoDataError(f"{file} has no open row in the quarantine.", "See those there are with: vigie quarantine list.")
    path = landing / file
    gone = f"{file} no longer lies in landing/ as it was delivered."
    remedy = "Put it back, or ask the sender for the rows: vigie quarantine report."
    if not path.is_file():
        raise NoDataError(gone, remedy)
    delivery = delivery_at(path, landing, now, sources)
    fingerprint = delivery.fingerprint()
    wanted = {str(key[0]): part for key, part in rows.partition_by("delivery_id", as_dict=True).items()}
    parts = {identity(fingerprint, place): part for place, part in enumerate(read_parts(delivery, sources))}
    found = {key: part for key, part in parts.items() if key in wanted}
    if not found:
        raise NoDataError(gone, remedy)
    return wanted, found


@dataclass(frozen=True)
class Mended:
    """What became of rows that were mended."""

    rows: int
    """Put where deliveries land."""
    faults: pl.DataFrame
    """What is still wrong: line, column, value, reason."""


def fix(warehouse: Warehouse, landing: Path, folder: Path, table: str, mended: Path, now: dt.datetime, *, anyway: bool = False) -> Mended:
    """Take the corrected copy of an export: rows that keep the contract go where deliveries land, the others stay and are named.

    So do rows whose fact was told otherwise since, which they would win over, unless `anyway`.

    Raises:
        RefusedFileError: the file cannot be read, or is no export of this table.
        NoDataError: a row in it is not open.
    """
    if table not in TABLES:
        raise RefusedFileError(f"{table} is not a table of the contract.", f"One of {', '.join(TABLES)}.")
    contract = TABLES[table]
    received = read_rows(mended, mended.name, Shape())
    needed = {ORIGIN, ORIGIN_LINE, *_needed(contract)}
    if missing := sorted(needed - {*received.rows.columns}):
        raise RefusedFileError(
            f"{mended.name}: missing column {', '.join(missing)}.", "Keep every column of the export; change its values."
        )
    rows = received.rows.with_columns(pl.col(ORIGIN_LINE).cast(pl.Int64, strict=False))
    known = rows_set_aside(warehouse, folder).filter((pl.col("table") == table) & (pl.col("state") == "open"))
    strange = rows.join(known, left_on=[ORIGIN, ORIGIN_LINE], right_on=["delivery_id", LINE], how="anti")
    if strange.height or rows.select(ORIGIN, ORIGIN_LINE).is_duplicated().any():
        line = strange[LINE][0] if strange.height else rows.filter(rows.select(ORIGIN, ORIGIN_LINE).is_duplicated())[LINE][0]
        raise NoDataError(f"{mended.name}, line {line}: not an open row of the quarantine.", "Export again: vigie quarantine export FILE.")
    faults, done = [received.faults], 0
    for (origin,), part in rows.partition_by(ORIGIN, as_dict=True).items():
        own = part.drop(LINE).rename({ORIGIN_LINE: LINE}).drop(FAULTS, ORIGIN, strict=False)
        stale = None if anyway else _told_since(warehouse, contract, own, known.filter(delivery_id=origin), now)
        outcome = _bring_back(contract, own, stale, known.filter(delivery_id=origin), landing, folder, now)
        done += outcome.rows
        faults.append(outcome.faults)
    return Mended(done, pl.concat(faults))


def replay(
    warehouse: Warehouse, landing: Path, folder: Path, file: str, reception: Reception, now: dt.datetime, *, anyway: bool = False
) -> Mended:
    """Read the open rows of a file once more, with the mapping and the contract of today; those that pass go where deliveries land.

    Rows whose fact was told otherwise since stay, unless `anyway`.

    Raises:
        NoDataError: the file has no open row, or is no longer as it was delivered.
    """
    wanted, parts = _open_rows(warehouse, landing, folder, file, reception.sources, now)
    faults, done = [no_faults()], 0
    for key, part in parts.items():
        lines = wanted[key].select(LINE)
        rows = part.received.rows.join(part.received.faults, on=LINE, how="anti").join(lines, on=LINE, how="semi")
        stale = None if anyway else _told_since(warehouse, part.table, rows, wanted[key], now)
        outcome = _bring_back(part.table, rows, stale, wanted[key], landing, folder, now)
        done += outcome.rows
        faults += [part.received.faults.join(lines, on=LINE, how="semi"), outcome.faults]
    return Mended(done, pl.concat(faults))


def _needed(table: DeliveredTable) -> list[str]:
    return [name for name in table.schema.column_names() if name not in OWN_COLUMNS]


def _told_since(warehouse: Warehouse, table: DeliveredTable, rows: pl.DataFrame, origin: pl.DataFrame, now: dt.datetime) -> pl.DataFrame:
    """Faults of rows that say otherwise than what became known after the delivery they were set aside from."""
    if not table.in_warehouse:
        return no_faults()
    content = [name for name in table.public if name not in DATED]
    good = check(table, Received(rows.drop(DATED, strict=False), no_faults()), now).rows.select(LINE, *content)
    among = good.select(table.key[0])
    known = warehouse.as_known_at(layout(table), now, columns=table.public, among=among, withdrawn=True)
    later = known.filter(pl.col("known_on") > origin["received_at"][0]).drop("known_on_assumed")
    # Private columns are not in the warehouse: they may have been told otherwise where the others say the same.
    same = good.clear() if table.private else good.join(later, on=content, how="semi", nulls_equal=True)
    found = good.join(same, on=LINE, how="anti").join(later.select(*table.key, "known_on", gone=WITHDRAWN), on=table.key)
    found = found.filter(~(pl.col(WITHDRAWN) & pl.col("gone")))
    reason = pl.format("told otherwise since, on {}: close it, or give --anyway for this row to win", pl.col("known_on").dt.date())
    return found.select(LINE, column=pl.lit(ROW), value=pl.lit(None, pl.String), reason=reason)


def _bring_back(
    table: DeliveredTable,
    rows: pl.DataFrame,
    stale: pl.DataFrame | None,
    origin: pl.DataFrame,
    landing: Path,
    folder: Path,
    now: dt.datetime,
) -> Mended:
    """Put rows where deliveries land, but for those at fault and the stale ones; with None as these, they win over all that was told."""
    own = rows.drop(DATED, strict=False)
    faults = pl.concat([check(table, Received(own, no_faults()), now).quarantine, no_faults() if stale is None else stale])
    good = own.join(faults, on=LINE, how="anti")
    if stale is not None and not table.in_warehouse:
        # The case store alone knows what was told since; no night reads it as of a date.
        good = good.with_columns(known_on=pl.lit(origin["received_at"][0]))
    if good.height:
        came, file = origin.select("delivery_id", "file").row(0)
        number = sum(decision.delivery == came for decision in decisions(folder)) + 1
        target = landing / MENDED / table.name / f"{came}.{number}.parquet"
        part = target.with_name(f".{target.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        good.rename({LINE: ORIGIN_LINE}).write_parquet(part)
        by = Delivery(part, "", table.name, now, MENDED).fingerprint()
        # The decision first: killed in between, the rows are open once more.
        comes_as = target.relative_to(landing).as_posix()
        _decide(folder, Decision(came, file, "mended", now.isoformat(), good[LINE].to_list(), by, comes_as, table=table.name))
        part.replace(target)
    return Mended(good.height, faults)


def close(warehouse: Warehouse, folder: Path, refused: Path, file: str, because: str, now: dt.datetime) -> int:
    """Give up the open rows of a file, or a file that is held back, which moves to `refused`; how many rows, 0 for a whole file.

    Raises:
        NoDataError: neither is there.
    """
    held = refused.with_name(HELD) / file
    if held.is_file():
        _decide(folder, Decision("", file, "closed", now.isoformat(), because=because))
        set_aside(held, file, refused, because)
        held.with_name(f"{held.name}.reason.txt").unlink(missing_ok=True)
        return 0
    rows = rows_set_aside(warehouse, folder).filter((pl.col("file") == file) & (pl.col("state") == "open"))
    if rows.is_empty():
        raise NoDataError(f"{file} has nothing open.", "See what is with: vigie quarantine list.")
    for (delivery, table), part in rows.partition_by("delivery_id", "table", as_dict=True).items():
        decision = Decision(str(delivery), file, "closed", now.isoformat(), part[LINE].to_list(), because=because, table=str(table))
        _decide(folder, decision)
    return rows.height


def release(landing: Path, folder: Path, refused: Path, file: str, because: str, now: dt.datetime, sources: Mapping[str, Source]) -> str:
    """Let a file that was held back pass as it is: it goes back to `landing`, and the guards leave it alone; under which name.

    Raises:
        NoDataError: no such file is held.
    """
    held = refused.with_name(HELD) / file
    if not held.is_file():
        raise NoDataError(f"{file} is not held back.", "See what is with: vigie quarantine list.")
    target = free_place(held, landing / file)
    target.parent.mkdir(parents=True, exist_ok=True)
    fingerprint = delivery_at(held, refused.with_name(HELD), now, sources).fingerprint()
    _decide(folder, Decision(fingerprint, file, "released", now.isoformat(), because=because))
    shutil.move(held, target)
    held.with_name(f"{held.name}.reason.txt").unlink(missing_ok=True)
    return target.relative_to(landing).as_posix()


def faults(warehouse: Warehouse, folder: Path, refused: Path, file: str, sources: Mapping[str, Source], now: dt.datetime) -> pl.DataFrame:
    """What is wrong with the open rows of a file, or with a file that is held back and why it is: line, column, value, reason.

    Raises:
        NoDataError: nothing is.
    """
    held = refused.with_name(HELD) / file
    if held.is_file():
        delivery = delivery_at(held, refused.with_name(HELD), now, sources)
        parts = read_parts(delivery, sources)
        found = pl.concat([check(part.table, part.received, now, headers=part.headers).quarantine for part in parts])
        why = dict(held_files(refused)).get(file, "").partition("\n")[0].partition(": ")[2].removesuffix(".")
        if why and AT_FAULT not in why:  # Else the rows themselves say it.
            whole = pl.DataFrame({LINE: 1, "column": "file", "value": "", "reason": why}, schema=found.schema)
            found = pl.concat([whole, found])
    else:
        rows = rows_set_aside(warehouse, folder).filter((pl.col("file") == file) & (pl.col("state") == "open"))
        found = warehouse.read(QUARANTINE).join(rows, on=["delivery_id", LINE], how="semi").select(list(COLUMNS))
    if found.is_empty():
        raise NoDataError(f"No row of {file} is at fault and open.", "See those there are with: vigie quarantine list.")
    return found


def held_files(refused: Path) -> list[tuple[str, str]]:
    """Files held back, and why."""
    folder = refused.with_name(HELD)
    reasons = sorted(folder.rglob("*.reason.txt"))
    return [(path.relative_to(folder).as_posix().removesuffix(".reason.txt"), path.read_text(encoding="utf-8").strip()) for path in reasons]
