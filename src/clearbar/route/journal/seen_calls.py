"""What a pass over the journals notes of calls besides their charges.

Of each tool a few: how long they took, what they wrote. The watch looks at them for signs that it
has changed. They are drawn evenly and without regard to what they show. And of each key when a call
was last made under it.

All is written down in one step with how far the journals were read: so whoever makes the pass, each
call is drawn once or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from clearbar.route.journal.charge_rows import LAST_US

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from clearbar.core.store import Store
    from clearbar.route.journal.charge_rows import EndedCall
    from clearbar.route.journal.entry import Ended

T = TypeVar("T")

MOST_A_PASS: Final = 5
"""Of one workflow and tool; the gateway makes a pass a minute. So that one slow minute is no sign
yet."""
MOST_KEPT: Final = 5_000
"""Of one workflow and tool: most of a day of those."""
_MOST_QUANTITY: Final = 2**62


class SeenCall(NamedTuple):
    """One call, as it was drawn."""

    seen_id: int
    latency_ms: int
    output_tokens: int | None


class Drawing:
    """What one pass draws, and the keys that it finds used."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str], list[Ended]] = {}
        self._used: dict[str, int] = {}

    def take(self, calls: Sequence[EndedCall]) -> None:
        """Draw from calls that have ended; only whole answers say what is usual."""
        found, used = defaultdict(list), self._used
        for held, _, ended, _, _ in calls:
            used[held.key] = held.at_us
            if ended.outcome == "ok":
                found[held.workflow, held.tool].append(ended)
        for key, each in found.items():
            self._drawn.setdefault(key, []).extend(_evenly(each, MOST_A_PASS))

    def drawn(self) -> list[tuple[Any, ...]]:
        """Return what was drawn since the last time, as rows."""
        drawn, self._drawn = self._drawn, {}
        return [
            (*key, ended.at_us, ended.latency_ms, ended.usage.get("output_tokens"))
            for key, each in drawn.items()
            for ended in _evenly(each, MOST_A_PASS)
            if _is_sound(ended)
        ]

    def used(self) -> list[tuple[str, int]]:
        """Return the keys that were used since the last time, as rows."""
        used, self._used = self._used, {}
        return [(key, at_us) for key, at_us in used.items() if key and 0 <= at_us < LAST_US]


def note_used_within(connection: sqlite3.Connection, rows: Sequence[tuple[str, int]]) -> None:
    """Note when keys were used, inside a transaction."""
    connection.executemany(
        "INSERT INTO gateway_key_used VALUES (?, ?)"
        " ON CONFLICT (key_id) DO UPDATE SET at_us = max(at_us, excluded.at_us)",
        rows,
    )


def keep_within(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Keep what was drawn inside a transaction, and remove the oldest of what is there."""
    connection.executemany(
        "INSERT INTO call_seen (workflow, tool, at_us, latency_ms, output_tokens)"
        " VALUES (?, ?, ?, ?, ?)",
        rows,
    )
    for workflow, tool in dict.fromkeys((row[0], row[1]) for row in rows):
        connection.execute(
            "DELETE FROM call_seen WHERE workflow = ?1 AND tool = ?2 AND seen_id <="
            " (SELECT seen_id FROM call_seen WHERE workflow = ?1 AND tool = ?2"
            " ORDER BY seen_id DESC LIMIT 1 OFFSET ?3)",
            (workflow, tool, MOST_KEPT),
        )


def seen_calls(
    store: Store, workflow: str, tool: str, since_us: int, after: int = 0
) -> Iterable[SeenCall]:
    """Return the calls of a tool that were drawn, in their order.

    `since_us`: none that ended before; `after`: none with that id or a lower one.
    """
    rows = store.rows(
        "SELECT seen_id, latency_ms, output_tokens FROM call_seen"
        " WHERE workflow = ? AND tool = ? AND seen_id > ? AND at_us >= ? ORDER BY seen_id",
        workflow,
        tool,
        after,
        since_us,
    )
    return [SeenCall(*row) for row in cast("list[tuple[int, int, int | None]]", rows)]


def _evenly(found: Sequence[T], most: int) -> Sequence[T]:
    """Return so many at most, at equal distances."""
    if len(found) <= most:
        return found
    return [found[place * len(found) // most] for place in range(most)]


def _is_sound(ended: Ended) -> bool:
    """Return whether the store can hold its numbers: a journal's lines may be damaged."""
    numbers = (ended.at_us, ended.latency_ms, ended.usage.get("output_tokens", 0))
    return all(0 <= each < _MOST_QUANTITY for each in numbers)
