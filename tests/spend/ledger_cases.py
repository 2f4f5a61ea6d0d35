"""Appending to and summing a ledger, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.core.period import ALL
from clearbar.spend.reading import LedgerReading
from clearbar.spend.report import total_of
from clearbar.spend.storage.append import FileRead

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger
    from clearbar.spend.usage import Usage


def append(
    ledger: Ledger,
    book: PriceBook,
    records: Iterable[Record],
    *,
    at: int = 1,
    uri: str = "log",
    version: int = 1,
) -> int:
    """Append the records as one file's; return how many the ledger already held."""
    with ledger.appender(book, at) as appender:
        appender.begin(FileRead(uri, "litellm", version))
        for record in records:
            assert appender.add(record)
        appender.seal()
        return appender.known


def total(ledger: Ledger) -> Usage:
    return total_of(LedgerReading(ledger).by_origin(ALL).values())
