"""What the appender promises beside what `test_ledger` says of whole ledgers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import ORIGIN, record

from clearbar.core.period import ALL
from clearbar.spend.reading import LedgerReading
from clearbar.spend.storage.append import FileRead

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
