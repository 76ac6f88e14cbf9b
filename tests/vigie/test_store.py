from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigie.errors import DamagedWarehouseError
from vigie.store import VISIBLE_UNTIL, Layout, Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYOUT = Layout(
    "facts",
    {
        "known_on": pl.Datetime("us", "UTC"),
        "known_on_assumed": pl.Boolean(),
        "id": pl.String(),
        "value": pl.Enum(["red", "green", "blue"]),
    },
    ["id"],
)


def instant(day: int) -> dt.datetime:
    return dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)


def rows(*facts: tuple[int, str, str | None]) -> pl.DataFrame:
    data = [(instant(day), False, name, value, line) for line, (day, name, value) in enumerate(facts, 2)]
    return pl.DataFrame(data, schema={**LAYOUT.columns, "line": pl.Int64()}, orient="row")


def known(warehouse: Warehouse, day: int) -> dict[str, str]:
    return dict(warehouse.as_known_at(LAYOUT, instant(day), columns=["id", "value"]).rows())


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse(tmp_path / "warehouse.duckdb") as opened:
        yield opened


def test_a_correction_is_seen_from_its_day_on_and_the_earlier_layer_stays(warehouse: Warehouse) -> None:
    warehouse.append_layers(LAYOUT, rows((1, "a", "red"), (1, "b", "red")), 1)
    warehouse.append_layers(LAYOUT, rows((5, "a", "blue")), 2)

    assert known(warehouse, 0) == {}
    assert known(warehouse, 4) == {"a": "red", "b": "red"}
    assert known(warehouse, 5) == {"a": "blue", "b": "red"}


def test_a_correction_that_arrives_first_does_not_hide_the_older_layer(warehouse: Warehouse) -> None:
    warehouse.append_layers(LAYOUT, rows((5, "a", "blue")), 1)
    warehouse.append_layers(LAYOUT, rows((1, "a", "red")), 2)

    assert known(warehouse, 4) == {"a": "red"}
    assert known(warehouse, 6) == {"a": "blue"}


def test_a_repeated_fact_is_not_overruled_by_a_row_that_comes_late_and_was_known_before_it(warehouse: Warehouse) -> None:
    warehouse.append_layers(LAYOUT, rows((0, "a", "green"), (1, "a", "green")), 1)
    warehouse.append_layers(LAYOUT, rows((0, "a", "red")), 2)

    assert known(warehouse, 0) == {"a": "red"}
    assert known(warehouse, 1) == {"a": "green"}


def test_a_row_that_says_nothing_new_does_not_count_as_loaded(warehouse: Warehouse) -> None:
    first = warehouse.append_layers(LAYOUT, rows((1, "a", "red"), (1, "b", None)), 1)
    again = warehouse.append_layers(LAYOUT, rows((3, "a", "red"), (3, "b", None), (3, "c", "red")), 2)

    assert (first, again) == (2, 1)


def test_layers_of_one_file_follow_each_other(warehouse: Warehouse) -> None:
    kept = warehouse.append_layers(LAYOUT, rows((1, "a", "red"), (2, "a", "red"), (3, "a", "green"), (4, "a", "red")), 1)

    assert kept == 3
    assert [known(warehouse, day)["a"] for day in (1, 2, 3, 4)] == ["red", "red", "green", "red"]


def test_many_nights_are_read_at_once_with_the_time_each_layer_was_newest(warehouse: Warehouse) -> None:
    warehouse.append_layers(LAYOUT, rows((1, "a", "red"), (3, "a", "green"), (5, "a", "blue")), 1)

    layers = warehouse.as_known_at(LAYOUT, instant(4), since=instant(2)).sort("known_on")

    assert layers["value"].to_list() == ["red", "green"]
    assert layers[VISIBLE_UNTIL].to_list() == [instant(3), None]


def test_later_rows_are_seen_after_a_load_large_enough_for_many_row_groups(warehouse: Warehouse) -> None:
    """DuckDB 2.0.0 stops scanning behind an empty row group, which an INSERT of no rows leaves after a large one."""
    n = 300_000
    many = pl.DataFrame({"id": pl.Series(range(n)).cast(pl.String), "line": pl.Series(range(n), dtype=pl.Int64)}).with_columns(
        known_on=pl.lit(instant(1)), known_on_assumed=pl.lit(value=False), value=pl.lit("red").cast(LAYOUT.columns["value"])
    )
    warehouse.append_layers(LAYOUT, many, 1)

    kept = warehouse.append_layers(LAYOUT, rows((2, "7", "blue"), (2, "8", "red")), 2)
    again = warehouse.append_layers(LAYOUT, rows((2, "7", "blue")), 3)

    assert (kept, again) == (1, 0)
    assert warehouse.as_known_at(LAYOUT, instant(3)).height == n
    assert known(warehouse, 3)["7"] == "blue"


def test_a_failed_transaction_leaves_nothing(warehouse: Warehouse) -> None:
    warehouse.append_layers(LAYOUT, rows((1, "a", "red")), 1)

    def fail() -> None:
        with warehouse.transaction():
            warehouse.append_layers(LAYOUT, rows((1, "b", "red")), 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert known(warehouse, 2) == {"a": "red"}


def test_a_file_that_is_no_warehouse_is_explained(tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb").write_text("not a database" * 1_000)

    with pytest.raises(DamagedWarehouseError, match="cannot be opened"):
        Warehouse(tmp_path / "warehouse.duckdb")


facts = st.lists(st.tuples(st.integers(0, 6), st.sampled_from("abc"), st.sampled_from(["red", "green", "blue", None])), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deliveries=st.lists(facts, max_size=4), day=st.integers(0, 7))
def test_known_at_is_the_last_word_said_by_then(tmp_path_factory: pytest.TempPathFactory, deliveries: list, day: int) -> None:
    """Against a plain dictionary: sort all rows by known_on, then by delivery, then by line; the last one by `day` wins."""
    distinct = [list({(when, name): value for when, name, value in delivery}.items()) for delivery in deliveries]
    with Warehouse(tmp_path_factory.mktemp("store") / "w.duckdb") as warehouse:
        for number, delivery in enumerate(distinct, 1):
            warehouse.append_layers(LAYOUT, rows(*((when, name, value) for (when, name), value in delivery)), number)
        said = [(when, number, name, value) for number, delivery in enumerate(distinct) for (when, name), value in delivery]
        expected = {name: value for _, _, name, value in sorted((row for row in said if row[0] <= day), key=lambda row: row[:2])}

        assert known(warehouse, day) == expected


def test_a_plain_table_reads_the_same_whatever_the_order_it_was_filled_in(tmp_path: Path) -> None:
    ledger = Layout("ledger", {"file": pl.String(), "line": pl.Int64()})
    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.create_ledger(ledger)
        for file, line in (("b", 1), ("a", 5), ("a", 4)):
            warehouse.append("ledger", pl.DataFrame({"file": [file], "line": [line]}, schema=dict(ledger.columns)))

        assert warehouse.read(ledger).rows() == [("a", 4), ("a", 5), ("b", 1)]
