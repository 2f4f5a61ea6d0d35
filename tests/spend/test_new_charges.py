"""The count of new charges is the count of charges that come in, also where an id is worn."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from clearbar.core.store import Store
from clearbar.spend.files.candidates import candidates
from clearbar.spend.ingest import ingest

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.ingest import Summary
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Adding:
    """Adds files of calls that all have the id that one relay gives."""

    def __init__(self, folder: Path, ledger: Ledger, book: PriceBook) -> None:
        self.folder, self.ledger, self.book = folder, ledger, book
        self.store = Store(folder / "facts.db")

    def __call__(self, name: str, *inputs: int, upstream_id: str = "chatcmpl-relay-000000") -> None:
        lines = [
            json.dumps(
                {
                    "request_id": upstream_id,
                    "startTime": f"2026-09-01T08:00:{number:02}Z",
                    "custom_llm_provider": "openai",
                    "model": "gpt-4o",
                    "spend": 0.01,
                    "prompt_tokens": tokens,
                    "completion_tokens": 3,
                }
            )
            for number, tokens in enumerate(inputs)
        ]
        (self.folder / f"{name}.jsonl").write_text("\n".join(lines))

    def counted(self, *names: str) -> tuple[Summary, int]:
        """Return what adding the files says, and how many charges there are."""
        paths = candidates([f"{name}.jsonl" for name in names], self.folder)
        summary = ingest(paths, self.ledger, self.book, self.store, (), self.folder, NOW)
        frame = self.ledger.charges(["charge_id"])
        return summary, len(self.ledger.engine.rows(frame)) if frame is not None else 0


@pytest.fixture
def adding(tmp_path: Path, ledger: Ledger, book: PriceBook) -> Adding:
    return Adding(tmp_path, ledger, book)


def test_each_input_behind_a_worn_id_is_a_new_charge(adding: Adding) -> None:
    adding("calls", 100, 200, 300, 300)
    summary, charges = adding.counted("calls")
    assert (summary.new, summary.merged, charges) == (3, 1, 3)


def test_of_a_worn_id_only_what_is_not_held_is_new(adding: Adding) -> None:
    adding("calls", 100, 200, 300)
    adding.counted("calls")
    adding("more", 300, 400)
    summary, charges = adding.counted("more")
    assert (summary.new, summary.merged, charges) == (1, 1, 4)


def test_files_of_a_worn_id_and_of_others_add_up(adding: Adding) -> None:
    adding("calls", 100, 200, 300)
    adding("others", 100, upstream_id="chatcmpl-other-000000")
    adding("again", 100, upstream_id="chatcmpl-other-000000")
    summary, charges = adding.counted("calls", "others", "again")
    assert summary.new == charges == 4
    assert summary.records == summary.new + summary.known + summary.merged + summary.quarantined


def test_where_others_settle_first_the_count_is_the_same(adding: Adding) -> None:
    adding("calls", 100, 200, 300)
    adding("more", 300, 400)
    adding.counted("calls")
    before = set(adding.ledger.folder.record_files())
    adding.counted("more")
    mine = adding.ledger.folder.record_files().keys() - before
    assert adding.ledger.settle(mine) == 1
