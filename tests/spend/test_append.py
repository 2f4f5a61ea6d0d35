"""What the appender promises beside what `test_ledger` says of whole ledgers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import ORIGIN, record

from clearbar.core.period import ALL
from clearbar.spend.columns import STORED
from clearbar.spend.engine import connect
from clearbar.spend.reading import LedgerReading
from clearbar.spend.storage.append import FileRead
from clearbar.spend.storage.batch import NANO_DOLLARS, kind_of
from clearbar.spend.storage.record_files import parquet_sql

if TYPE_CHECKING:
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger


@pytest.mark.slow
def test_long_ids_are_published_before_they_outgrow_the_memory(
    ledger: Ledger, book: PriceBook
) -> None:
    with ledger.appender(book, 1) as appender:
        appender.begin(FileRead("log", "litellm", 1))
        for number in range(60):
            assert appender.add(record(f"upstream:msg_{number}{'x' * 900_000}"))
        assert len(appender.published) == 1
        appender.seal()
    assert total(ledger).calls == 60


def test_a_record_that_no_batch_can_hold_is_refused(ledger: Ledger, book: PriceBook) -> None:
    with ledger.appender(book, 1) as appender:
        appender.begin(FileRead("log", "litellm", 1))
        assert not appender.add(record("x" * 1_000_000))
        assert appender.pending == 0


def test_a_file_that_says_nothing_new_leaves_no_record_file(
    ledger: Ledger, book: PriceBook
) -> None:
    records = [record(f"upstream:msg_{number}", digest="same") for number in range(3)]
    append(ledger, book, records, at=1)
    before = ledger.folder.record_files()
    assert append(ledger, book, records, at=2) == 3
    assert ledger.folder.record_files() == before


def test_each_record_keeps_the_origin_and_the_file_it_came_with(
    ledger: Ledger, book: PriceBook
) -> None:
    teams = [msgspec.structs.replace(ORIGIN, team=name) for name in ("one", "two", "one")]
    with ledger.appender(book, 1) as appender:
        for number, team in enumerate(teams):
            appender.begin(FileRead(f"log-{number % 2}", "litellm", 1))
            appender.add(record(f"upstream:msg_{number}", origin=team))
        appender.seal()
    reading = LedgerReading(ledger)
    usages = reading.by_origin(ALL).items()
    assert {reading.origins[key].team: usage.calls for key, usage in usages} == {"one": 2, "two": 1}
    uris = [ledger.records_of(charge)[0]["uri"] for charge, *_ in reading.dearest(ALL, 3)]
    assert sorted(uris) == ["log-0", "log-0", "log-1"]


def test_costs_in_nano_dollars_and_in_dollars_stand_in_one_column(
    ledger: Ledger, book: PriceBook
) -> None:
    told = record("a", reported_cost_usd=Decimal("0.25"))
    nusd = [1, None, 9 * 10**18]
    with ledger.appender(book, 1) as appender:
        appender.begin(FileRead("log", "litellm", 1))
        appender.add(told)
        columns: dict[str, Any] = {"identity": ["b", "c", "d"], "digest": ["b", "c", "d"]}
        columns[NANO_DOLLARS] = nusd
        columns["started_at_us"] = [told.started_at_us] * 3
        appender.add_all(columns, [kind_of(told)], [0, 0, 0])
        appender.seal()
    relation = parquet_sql(ledger.folder.record_files().values())
    with connect() as connection:
        sql = f"SELECT reported_cost_usd FROM {relation} ORDER BY identity"  # noqa: S608 - our own paths
        found = [cost for (cost,) in connection.execute(sql).fetchall()]
    assert found == [Decimal("0.25"), Decimal("1e-9"), None, Decimal(9 * 10**9)]


@pytest.mark.parametrize("files", [1, 3, 1_001])
def test_a_file_of_the_ledger_has_plain_types_and_all_that_records_left_out(
    ledger: Ledger, book: PriceBook, files: int
) -> None:
    with ledger.appender(book, 1) as appender:
        for number in range(files):
            appender.begin(FileRead(f"log-{number}", "litellm", 1))
            usage = "partial" if number % 2 else "final"
            appender.add(record(f"upstream:msg_{number}", usage=usage, geo="it's"))
        appender.seal()
    relation = parquet_sql(ledger.folder.record_files().values())
    with connect() as connection:
        told = connection.execute(f"DESCRIBE FROM {relation}").fetchall()
        assert {name: kind for name, kind, *_ in told} == STORED
        columns = (
            "count(DISTINCT uri), min(geo), min(usage), count(ended_at), sum(calls), max(line)"
        )
        found = connection.execute(f"SELECT {columns} FROM {relation}").fetchone()  # noqa: S608 - our own paths
    assert found == (files, "it's", "final", 0, files, None)
