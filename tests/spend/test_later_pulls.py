"""Of a bucket or a line of a bill the later pull is right, whichever version has read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.ledger_cases import append, total
from tests.spend.record_makers import record

if TYPE_CHECKING:
    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger


def told(tokens: int, final: int, **fields: Any) -> Record:
    """Return one reading of a bucket."""
    return record(identity="bucket:1", grain="bucket", input_tokens=tokens, final=final, **fields)


@pytest.mark.parametrize("order", [1, -1])
def test_an_older_page_that_a_newer_parser_reads_again_stays_older(
    ledger: Ledger, book: PriceBook, order: int
) -> None:
    readings = [(told(100, 1), "older", 2), (told(70, 2), "newer", 1)]
    for reading, uri, version in readings[::order]:
        append(ledger, book, [reading], uri=uri, version=version)
    assert total(ledger).input_tokens == 70


def test_of_one_page_the_newer_parser_is_right(ledger: Ledger, book: PriceBook) -> None:
    append(ledger, book, [told(100, 1)], version=1)
    append(ledger, book, [told(90, 1)], version=2)
    assert total(ledger).input_tokens == 90


def test_of_a_call_the_newer_parser_is_right_whatever_is_final(
    ledger: Ledger, book: PriceBook
) -> None:
    append(ledger, book, [record(identity="call:1", input_tokens=100, final=9)], version=1)
    append(ledger, book, [record(identity="call:1", input_tokens=90, final=1)], version=2)
    assert total(ledger).input_tokens == 90
