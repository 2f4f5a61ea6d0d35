"""A price book, made once, and an empty ledger for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clearbar.spend.prices.book import PriceBook
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> PriceBook:
    return PriceBook.open(tmp_path_factory.mktemp("prices"))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path / "ledger")
    yield opened
    opened.close()
