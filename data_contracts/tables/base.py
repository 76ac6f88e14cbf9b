"""What every delivered table shares."""

from __future__ import annotations

from typing import Any

import dataframely as dy


class Delivered(dy.Schema):
    """A delivered row is one layer of what is known of a fact: same key, later `known_on`, newer layer."""

    known_on = dy.Datetime(
        time_zone="UTC",
        time_unit="us",
        primary_key=True,
        description="When this row became known to the service (UTC). Missing in a delivery: the delivery's own time.",
    )
    known_on_assumed = dy.Bool(
        description="True when known_on was not delivered but set to the fact's own date plus a declared lag.",
    )
    withdrawn = dy.Bool(
        description="True when the source no longer tells this fact: a full export without it, or a row that says so. Missing: false.",
    )


def identifier(description: str, *, key: bool = False, nullable: bool = False) -> dy.String:
    """An opaque identifier of 1 to 64 characters."""
    return dy.String(primary_key=key, nullable=nullable, min_length=1, max_length=64, description=description)


def text(description: str, *, nullable: bool = False, **options: Any) -> dy.String:  # noqa: ANN401 - dataframely's own options
    """A text that is not blank."""
    return dy.String(nullable=nullable, min_length=1, description=description, **options)
