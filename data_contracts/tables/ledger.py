"""What the service remembers of each delivery: nothing lost, nothing silently dropped."""

from __future__ import annotations

import dataframely as dy
import polars as pl

from data_contracts.tables.base import text


class Deliveries(dy.Schema):
    """What one file said of one table. rows_read = loaded + unchanged + quarantined, always."""

    number = dy.Int64(min=1, description="Place in the order of receipt; layers name their delivery by it.")
    delivery_id = dy.String(primary_key=True, description="SHA-256 of the source's and table's names and the file's bytes.")
    table = text("Canonical table.")
    source = dy.String(nullable=True, description="Whose mapping read it; null in canonical names.")
    mapping = dy.String(nullable=True, description="Version of that mapping: the first digits of its SHA-256.")
    file = text("Path below the landing folder.")
    received_at = dy.Datetime(time_zone="UTC", time_unit="us", description="When the file landed (UTC).")
    taken_for = dy.Date(nullable=True, description="As-of date of the night that took it; null when it was taken by hand.")
    rows_read = dy.Int64(min=0, description="Data rows in the file.")
    loaded = dy.Int64(min=0, description="Rows kept as new layers.")
    unchanged = dy.Int64(min=0, description="Rows that say what was known already.")
    quarantined = dy.Int64(min=0, description="Rows set aside.")
    withdrawn = dy.Int64(min=0, description="Facts that a full export told before and tells no more. Not rows of the file.")
    note = dy.String(nullable=True, description="What about it deserves a look.")

    @dy.rule()
    def every_row_is_accounted_for(cls) -> pl.Expr:  # noqa: D102 - the name is the message
        return pl.col("rows_read") == pl.col("loaded") + pl.col("unchanged") + pl.col("quarantined")


class Quarantine(dy.Schema):
    """One refused value of one row. A row with two faults has two rows here and counts once in its delivery."""

    delivery_id = dy.String(description="The delivery.")
    table = text("Canonical table.")
    file = text("Path below the landing folder.")
    line = dy.Int64(min=1, description="Line in the file (csv, xlsx), or row number (parquet); the header is line 1.")
    column = dy.String(description="Column at fault, as the sender names it; 'row' or 'file' for the whole of it.")
    value = dy.String(nullable=True, description="Value as received; withheld where it could name a person.")
    reason = text("Why, and what is expected.")
