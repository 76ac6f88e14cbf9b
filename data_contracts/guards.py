"""Before a delivery is believed: does it look like what its sender sends? What does not is held back whole, until somebody lets it pass.

A broken export must not look like mass absence. Shares are compared on enough rows only.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from data_contracts.catalogue import TABLES, DeliveredTable
from data_contracts.deliveries import MENDED, stream
from data_contracts.readers.received import LINE
from data_contracts.vocabulary import ATTENDED

if TYPE_CHECKING:
    from data_contracts.ingest import Arrival
    from vigie.rules import DeliveryLimits
    from vigie.store import Warehouse

REMEDY: Final = (
    "Nothing of it was taken; the file is in held/. Ask the sender, and deliver a corrected file; "
    'or let it pass as it is: vigie quarantine release FILE --because "…".'
)
NOBODY_CAME: Final = "everyone of the provider is marked absent that day: a broken export, until somebody says otherwise"
"""Reason for which rows alone are set aside."""
AT_FAULT: Final = "are at fault, more than"
ABSENT: Final = ("absent_unjustified", "absent_justified")
PAST: Final = ("number", "delivery_id", "table", "file", "rows_read")
PAST_DELIVERIES: Final = 20
"""Of the same sender, the last ones."""


@dataclass
class Verdict:
    """What the guards say of a delivery."""

    held: str | None = None
    """Why it is held back, then what to do; None when it is taken."""
    notes: list[str] = field(default_factory=list)
    """What about it deserves a look, though it is taken."""
    set_aside: dict[int, pl.DataFrame] = field(default_factory=dict)
    """By place of the part: rows for the quarantine, as `data_contracts.border` has them, that keep the contract and are not believed."""
    withdrawn: dict[int, pl.DataFrame] = field(default_factory=dict)
    """By place of the part: layers that end what a full export tells no more."""

    @property
    def note(self) -> str | None:
        """All notes in one line."""
        return "; ".join(dict.fromkeys(self.notes)) or None


def judge(arrival: Arrival, warehouse: Warehouse, limits: DeliveryLimits, past: pl.DataFrame) -> Verdict:
    """Look at every part of a delivery beside its limits and its past.

    Args:
        arrival: the delivery, checked by the border.
        warehouse: for the past.
        limits: section deliveries of the national rules.
        past: columns `PAST` of the ledger of deliveries.
    """
    verdict = Verdict(notes=[part.note for part in arrival.parts if part.note])
    if arrival.delivery.source == MENDED:
        return verdict
    for place in range(len(arrival.parts)):
        look = _Look(arrival, place, warehouse, limits, past, verdict)
        doubts = (look.too_many_at_fault(), look.all_absent(), look.unlike_the_past(), look.no_longer_told())
        doubt = next(filter(None, doubts), None)
        if doubt:
            verdict.held = f"{arrival.delivery.name}: {doubt}.\n{REMEDY}"
            return verdict
    return verdict


def _known(warehouse: Warehouse, name: str, instant: dt.datetime, columns: list[str], among: pl.DataFrame | None = None) -> pl.DataFrame:
    from data_contracts.ingest import layout  # ingest asks the guards

    return warehouse.as_known_at(layout(TABLES[name]), instant, columns=columns, among=among)


class _Look:
    """One part of a delivery under the guards' eyes. Each guard gives the reason to hold it back, or None."""

    def __init__(
        self, arrival: Arrival, place: int, warehouse: Warehouse, limits: DeliveryLimits, ledger: pl.DataFrame, verdict: Verdict
    ) -> None:
        self.arrival, self.place, self.warehouse, self.limits, self.verdict = arrival, place, warehouse, limits, verdict
        self.part, self.checked = arrival.parts[place], arrival.checked[place]
        self.table: DeliveredTable = self.part.table
        self.received_at = arrival.delivery.received_at
        kind = stream(arrival.delivery.name)
        same = pl.col("file").str.replace_all(r"\d+", "") == kind
        self.ledger = ledger
        self.past = ledger.filter((pl.col("table") == self.table.name) & same).sort("number").tail(PAST_DELIVERIES)

    def too_many_at_fault(self) -> str | None:
        """More rows at fault than the table's limit; not where a single row would be more."""
        bad, read = self.checked.quarantine[LINE].n_unique(), self.part.received.read
        limit = self.limits.rejected_shares.get(self.table.name, self.limits.rejected_share)
        if bad <= limit * read or limit * read < 1:
            return None
        first = self.checked.quarantine.sort(LINE).row(0, named=True)
        example = f"line {first[LINE]}, column {first['column']}: {first['reason']}"
        return f"{bad} of {read} rows of {self.table.name} {AT_FAULT} {limit:.0%}; such as {example}"

    def all_absent(self) -> str | None:
        """A provider's day, or a small provider's whole delivery, on which many were expected and not one came."""
        if self.table.name != "attendance":
            return None
        marked = self.checked.rows.filter(pl.col("status").is_in([*ATTENDED, *ABSENT]))
        marked = marked.with_columns(absent=pl.col("status").is_in(ABSENT))
        if marked.filter("absent")["enrolment_id"].n_unique() < self.limits.all_absent_learners // 2:
            return None
        marked = self._with_provider(marked)
        suspects = self._nobody_came(marked)
        if suspects.is_empty():
            return None
        # A file of late justifications tells absences that are known: they are no news.
        told = _known(
            self.warehouse, "attendance", self.received_at, ["enrolment_id", "date", "half_day", "status"], suspects.select("enrolment_id")
        )
        known = told.filter(pl.col("status").is_in(ABSENT))
        suspects = self._nobody_came(suspects.join(known, on=["enrolment_id", "date", "half_day"], how="anti"))
        if suspects.is_empty():
            return None
        names = ", ".join(suspects["provider_id"].unique().sort().head(3))
        learners = suspects["enrolment_id"].n_unique()
        first, last = suspects.select(pl.col("date").min().dt.to_string(), last=pl.col("date").max().dt.to_string()).row(0)
        what = f"provider {names or 'unknown'}: all of {learners} learners are marked absent, {first} to {last}"
        if 2 * suspects.height > marked.height:
            return what
        self.verdict.notes.append(f"{what}; these rows were set aside")
        status = pl.col("status").cast(pl.String)
        column = self.part.headers.get("status", "status")
        self.verdict.set_aside[self.place] = suspects.select(LINE, column=pl.lit(column), value=status, reason=pl.lit(NOBODY_CAME))
        return None

    def _with_provider(self, rows: pl.DataFrame) -> pl.DataFrame:
        enrolments = _known(self.warehouse, "enrolments", _ANY_TIME, ["enrolment_id", "session_id"], rows.select("enrolment_id"))
        sessions = _known(self.warehouse, "sessions", _ANY_TIME, ["session_id", "provider_id"], enrolments.select("session_id"))
        runs = enrolments.join(sessions, on="session_id").select("enrolment_id", "provider_id")
        return rows.join(runs, on="enrolment_id", how="left").with_columns(pl.col("provider_id").fill_null(""))

    def _nobody_came(self, marked: pl.DataFrame) -> pl.DataFrame:
        many = self.limits.all_absent_learners
        day, whole = ["provider_id", "date"], ["provider_id"]
        # Groups first: of millions of rows, those of a day on which nobody came are few.
        days, ever = (marked.group_by(key).agg(pl.col("absent").all()).filter("absent").select(key) for key in (day, whole))
        rows = marked.join(days, on=day, how="semi", maintain_order="left")
        never = pl.col("provider_id").is_in(ever["provider_id"].implode())
        learners = pl.col("enrolment_id").n_unique()
        small = never & (learners.over(whole) >= many // 2) & (pl.len().over(whole) >= 2 * many)
        return rows.filter((learners.over(day) >= many) | small)

    def unlike_the_past(self) -> str | None:
        """Far more rows than usual, or codes of attendance in other shares; other codes that moved are told, and taken."""
        from data_contracts.ingest import layout

        rows, limits = self.part.received.read, self.limits
        if self.past.height < limits.compared_deliveries:
            return None
        usual = int(self.past.select(pl.col("rows_read").median()).item())
        if rows > limits.volume_ratio * max(usual, limits.compared_rows / limits.volume_ratio) and rows >= limits.compared_rows:
            return f"{rows} rows of {self.table.name} where {usual} are usual"
        if usual >= limits.compared_rows and rows * limits.volume_ratio < usual:
            self.verdict.notes.append(f"only {rows} rows of {self.table.name} where {usual} are usual")
        closed = [name for name, dtype in self.checked.rows.schema.items() if isinstance(dtype, pl.Enum)]
        if self.checked.rows.height < limits.compared_rows or not self.table.in_warehouse:
            return None
        then = self.warehouse.tally(layout(self.table), closed, self.past["number"].to_list())
        for column in closed:
            now = self.checked.rows.group_by(code=pl.col(column).cast(pl.String)).len("rows")
            before = then.filter(pl.col("column") == column).select("code", "rows")
            if before["rows"].sum() >= limits.compared_rows:
                moved, code, share, was = _moved(now, before)
                if moved > limits.mix_distance:
                    word = self.part.headers.get(column, column)
                    what = f"column {word} is unlike the past of this sender: {code} in {share:.0%} of rows, {was:.0%} before"
                    if self.table.name == "attendance":
                        return what
                    # Courses end together and services begin: such codes move by themselves, and nobody's absence is read from them.
                    self.verdict.notes.append(what)
        return None

    def no_longer_told(self) -> str | None:
        """What a full export told before and tells no more becomes layers of withdrawal; too much of it is half an export."""
        if not self.part.full or not self.table.in_warehouse:
            return None
        key = self.table.key
        known = _known(self.warehouse, self.table.name, self.received_at, [*self.table.public, "delivery"])
        known = known.filter(pl.col("delivery").is_in(self._of_this_source().implode()))
        gone = known.join(self.checked.rows.select(key), on=key, how="anti")
        if gone.is_empty():
            return None
        if self.checked.quarantine.height:
            self.verdict.notes.append(f"nothing of {self.table.name} was taken as withdrawn, since rows are at fault")
            return None
        if gone.height > self.limits.withdrawn_share * known.height >= 1:
            return f"a full export that leaves out {gone.height} of the {known.height} facts of {self.table.name} it told before"
        self.verdict.withdrawn[self.place] = gone.with_columns(
            pl.lit(1, pl.Int64).alias(LINE),
            known_on=pl.lit(self.received_at).cast(pl.Datetime("us", "UTC")),
            known_on_assumed=pl.lit(value=False),
            withdrawn=pl.lit(value=True),
        )
        return None

    def _of_this_source(self) -> pl.Series:
        folder = f"{self.arrival.delivery.source}/{self.arrival.delivery.table}/"
        own = self.ledger.filter((pl.col("table") == self.table.name) & pl.col("file").str.starts_with(folder))
        # What came back out of the quarantine is still told by the source of the file it was set aside from.
        origin = pl.col("file").str.extract(rf"^{MENDED}/{self.table.name}/(\w+)\.")
        return self.ledger.filter(pl.coalesce(origin, "delivery_id").is_in(own["delivery_id"].implode()))["number"]


_ANY_TIME: Final = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)
"""Who runs a session is no matter of when it became known."""


def _moved(now: pl.DataFrame, before: pl.DataFrame) -> tuple[float, str, float, float]:
    """Share of rows that would have to change code, then the code that moved most, with its shares."""
    both = now.join(before, on="code", how="full", coalesce=True, nulls_equal=True, suffix="_before").fill_null(0)
    shares = both.select("code", now=pl.col("rows") / pl.col("rows").sum(), before=pl.col("rows_before") / pl.col("rows_before").sum())
    shares = shares.with_columns(moved=(pl.col("now") - pl.col("before")).abs()).sort("moved", "code", descending=True)
    most = shares.row(0, named=True)
    return float(shares["moved"].sum()) / 2, most["code"] or "nothing", most["now"], most["before"]
