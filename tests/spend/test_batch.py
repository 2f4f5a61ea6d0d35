"""Records as the engine sees them: each value as the record said it, null where it said none."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.spend.record_makers import NOON_US, record

from clearbar.spend.columns import TAKEN
from clearbar.spend.engine import connect
from clearbar.spend.storage import batch
from clearbar.spend.storage.batch import NANO_DOLLARS, Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from clearbar.spend.charge import Record

QUANTITIES = st.none() | st.integers(0, 10**13)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(threads=1) as opened:
        yield opened


def seen(connection: duckdb.DuckDBPyConnection, records: list[Record]) -> list[tuple[Any, ...]]:
    taken = Batch()
    for number, each in enumerate(records):
        taken.add(each, number % 3)
    with taken.shown(connection, "seen"):
        sql = f"SELECT * EXCLUDE (row_id, {NANO_DOLLARS}) FROM seen ORDER BY row_id"  # noqa: S608 - our own name
        return connection.execute(sql).fetchall()


def told(records: list[Record]) -> list[tuple[Any, ...]]:
    return [
        (number % 3, *(getattr(each, name) for name in TAKEN))
        for number, each in enumerate(records)
    ]


@settings(max_examples=25)
@given(
    st.lists(
        st.builds(
            record,
            TEXTS,
            input_tokens=QUANTITIES,
            latency_ms=QUANTITIES,
            session_id=TEXTS,
            line=st.none() | st.integers(1, 10**9),
            reported_cost_usd=st.none() | st.decimals(0, 10**9, places=12),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_the_engine_sees_what_the_records_say(
    connection: duckdb.DuckDBPyConnection, records: list[Record]
) -> None:
    assert seen(connection, records) == told(records)


def test_slices_may_tell_of_different_columns(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_SLICE_RECORDS", 2)
    records = [
        record("a"),
        record("b"),
        record("c", images=3, trace_id="t", reported_cost_usd=Decimal("1E-7")),
        record("d", ended_at_us=NOON_US, calls=7, lines=2),
        record("e", input_tokens=None),
    ]
    assert seen(connection, records) == told(records)


def test_text_that_looks_like_a_number_stays_text(connection: duckdb.DuckDBPyConnection) -> None:
    [row] = seen(connection, [record("007", digest="1e5", session_id="nan")])
    assert {"007", "1e5", "nan"} <= set(row)


def test_a_connection_can_be_shown_one_batch_after_another(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert len(seen(connection, [record("a")])) == len(seen(connection, [record("b")])) == 1
    assert connection.execute(
        "SELECT count(*) FROM duckdb_views() WHERE NOT internal"
    ).fetchone() == (0,)
