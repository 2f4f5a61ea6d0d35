"""Journals for tests: entries, a loop that is run, a folder of another process."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from tests.route import lines

from clearbar.route.journal.writer import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from clearbar.route.journal.entry import Ended, Entry, Held

NOON_US: Final = 1_789_387_200_000_000
"""2026-09-14 12:00 UTC."""


def held(name: str = "c1", **values: Any) -> Held:
    """Return the line of a call of which all is known."""
    usual: dict[str, Any] = {
        "call_id": name,
        "at_us": NOON_US,
        "request_id": f"req-{name}",
        "team": "support",
        "user": "ada",
        "task": "task-1",
        "run": "run-1",
        "environment": "prod",
        "labels": "|feature=answers|",
        "accounts": ("workflow:letters/2026-09",),
        "amount_nusd": 1_000_000,
        "input_tokens": 1200,
        "output_tokens": 800,
        "worker": "w1",
    }
    return lines.held(**(usual | lines.TRACE | values))


def ended(name: str = "c1", **values: Any) -> Ended:
    """Return the line of how it ended."""
    usual: dict[str, Any] = {
        "call_id": name,
        "at_us": NOON_US + 500_000,
        "usage": {"input_tokens": 1000, "output_tokens": 100},
        "known": "reported",
        "cost_nusd": 210_000,
        "model": "gpt-4o-mini",
        "upstream_id": f"chatcmpl-0123456789abcdef-{name}",
        "latency_ms": 500,
    }
    return lines.ended(**(usual | values))


@contextmanager
def journal(folder: Path, worker: str = "w1", **settings: Any) -> Iterator[Journal]:
    """Open a journal with a loop that nobody runs: for what needs no durability."""
    loop = asyncio.new_event_loop()
    try:
        opened = Journal(folder, worker, loop, **settings)
        try:
            yield opened
        finally:
            opened.close()
    finally:
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def write(folder: Path, *entries: Entry, worker: str = "w1", **settings: Any) -> None:
    """Write the whole journal of a worker, which then ends."""
    with journal(folder, worker, **settings) as opened:
        append(opened, entries)


def append(opened: Journal, entries: Iterable[Entry]) -> None:
    for entry in entries:
        opened.append(entry)
