"""Appending to and summing a ledger, in one line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.core.period import ALL
from clearbar.spend.append import FileRead
from clearbar.spend.reading import LedgerReading
from clearbar.spend.report import total_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from clearbar.spend.charge import Record
    from clearbar.spend.ledger import Ledger
    from clearbar.spend.prices import PriceBook
    from clearbar.spend.usage import Usage


def append(
    ledger: Ledger, book: PriceBook, records: Iterable[Record], *, at: int = 1, uri: str = "log"
) -> int:
    """Append the records as one file's; return how many the ledger already held."""
    with ledger.appender(book, at) as appender:
        appender.begin(FileRead(uri, "litellm", 1))
        for record in records:
            assert appender.add(record)
        appender.seal()
        return appender.known


def total(ledger: Ledger) -> Usage:
    return total_of(LedgerReading(ledger).by_origin(ALL).values())
