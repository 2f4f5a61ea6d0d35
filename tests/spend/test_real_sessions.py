"""Real Claude Code logs: independently verified totals, and the same totals in any order."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from tests.spend.ledger_cases import total

from clearbar.core.store import Store
from clearbar.spend.files.candidates import Candidate, candidates
from clearbar.spend.ingest import ingest
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from clearbar.spend.ingest import Summary
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.usage import Usage

pytestmark = pytest.mark.slow
NOW = datetime(2026, 11, 1, tzinfo=UTC)


class World:
    """A ledger and its store in a folder of their own."""

    def __init__(self, folder: Path, book: PriceBook) -> None:
        self.folder, self.book = folder, book
        self.ledger, self.store = Ledger(folder / "ledger"), Store(folder / "facts.db")

    def add(self, files: Sequence[Candidate]) -> Summary:
        return ingest(files, self.ledger, self.book, self.store, (), self.folder, NOW)

    def total(self) -> Usage:
        return total(self.ledger)

    def close(self) -> None:
        self.ledger.close()
        self.store.close()


def test_all_verified_slices_match_on_all_five_figures(
    shared_data: Path, book: PriceBook, tmp_path: Path
) -> None:
    text = (shared_data / "claude_code/verified_slices_expected.csv").read_text(encoding="utf-8")
    expected = csv.DictReader(text.splitlines())
    wrong = {}
    for number, row in enumerate(expected):
        world = World(tmp_path / str(number), book)
        name = f"claude_code/verified_slices/{row['slice']}.jsonl"
        world.add(candidates([name], shared_data))
        found = world.total()
        world.close()
        told = {
            "input_tokens": found.input_tokens,
            "cache_creation_tokens": found.cache_write_tokens,
            "cache_read_tokens": found.cache_read_tokens,
            "output_tokens": found.output_tokens,
            "api_call_count": found.calls,
        }
        if told != {name: int(row[name]) for name in told}:
            wrong[row["slice"]] = told
    assert (number + 1, wrong) == (97, {})


@pytest.fixture(scope="module")
def sessions(shared_data: Path) -> list[Candidate]:
    return candidates(["claude_code/sessions"], shared_data)


@pytest.fixture(scope="module")
def straight(
    sessions: list[Candidate], book: PriceBook, tmp_path_factory: pytest.TempPathFactory
) -> Usage:
    world = World(tmp_path_factory.mktemp("straight"), book)
    world.add(sessions)
    found = world.total()
    world.close()
    return found


def test_the_sessions_hold_each_call_once(straight: Usage) -> None:
    assert (straight.calls, straight.cost_usd) == (9685, Decimal("763.3367343"))


@pytest.mark.parametrize("seed", range(3))
def test_the_sessions_in_any_order_in_parts_and_repeated_have_the_same_totals(
    seed: int, sessions: list[Candidate], straight: Usage, book: PriceBook, tmp_path: Path
) -> None:
    order = random.Random(seed)
    shuffled = order.sample(sessions, len(sessions))
    cut = order.randrange(len(shuffled))
    world = World(tmp_path, book)
    for part in (shuffled[:cut], shuffled[cut // 2 :], order.sample(sessions, 40)):
        world.add(part)
    assert world.total() == straight
    world.close()
