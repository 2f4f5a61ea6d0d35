"""Lines of agents' logs for tests, and what files of them tell together."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.spend.ledger_cases import total

from clearbar.core.store import Store
from clearbar.spend.charge import Record
from clearbar.spend.files.candidates import candidates
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.ingest import ingest
from clearbar.spend.sources import SOURCES
from clearbar.spend.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.usage import Usage

NOW = datetime(2026, 11, 1, tzinfo=UTC)
PARENT, CHILD, GRANDCHILD = (f"0199{n}000-0000-7000-8000-000000000001" for n in "147")
"""Threads whose ids tell when they were made; each is older than the next."""


def line(kind: str, at: str, **payload: Any) -> dict[str, Any]:
    return {"timestamp": at, "type": kind, "payload": payload}


def meta(at: str, thread: str, **more: Any) -> dict[str, Any]:
    return line("session_meta", at, id=thread, timestamp=at, cwd="/src/ledger", **more)


def turn(at: str, model: str = "gpt-5.2-codex", **more: Any) -> dict[str, Any]:
    return line("turn_context", at, model=model, **more)


def usage(tokens: int, cached: int = 0, output: int = 0, reasoning: int = 0) -> dict[str, int]:
    return {
        "input_tokens": tokens,
        "cached_input_tokens": cached,
        "output_tokens": output,
        "reasoning_output_tokens": reasoning,
    }


def count(at: str, total: Mapping[str, int], last: Mapping[str, int] | None = None) -> Any:
    info = {"total_token_usage": total} | ({"last_token_usage": last} if last else {})
    return line("event_msg", at, type="token_count", info=info)


def text_of(lines: Sequence[object]) -> str:
    return "".join(json.dumps(each) + "\n" for each in lines)


def together(folder: Path, files: Mapping[str, str]) -> list[Record]:
    """Return the charges that files tell of: of equal identities, the one of the highest rank."""
    found: dict[str, Record] = {}
    for path in written(folder, files):
        file = open_source_file(path)
        source = next(source for source in SOURCES if source.recognises(file))
        for item in source.read(file):
            assert isinstance(item, Record)
            held = found.setdefault(item.identity, item)
            found[item.identity] = max(held, item, key=lambda record: record.final)
    return list(found.values())


def written(folder: Path, files: Mapping[str, str]) -> list[Path]:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in files]


def summed(
    folder: Path, book: PriceBook, files: Mapping[str, str], order: Sequence[str] = ()
) -> Usage:
    """Return the total of some files, added one by one in an order: all, as they are given."""
    written(folder, files)
    ledger, store = Ledger(folder / "ledger"), Store(folder / "facts.db")
    for name in order or files:
        ingest(candidates([name], folder), ledger, book, store, (), folder, NOW)
    found = total(ledger)
    ledger.close()
    store.close()
    return found
