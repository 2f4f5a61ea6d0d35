"""What a pass over the journals notes of calls besides their charges.

Of each tool a few: how long they took, what they wrote. The watch looks at them for signs that it
has changed. They are drawn evenly and without regard to what they show. And of each key when a call
was last made under it.

All is written down in one step with how far the journals were read: so whoever makes the pass, each
call is drawn once or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar, cast

from clearbar.route.journal.charge_rows import LAST_US

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from clearbar.core.store import Store
    from clearbar.route.journal.call_rows import Calls

T = TypeVar("T")

MOST_A_PASS: Final = 5
"""Of one workflow and tool; the gateway makes a pass a minute. So that one slow minute is no sign
yet."""
MOST_KEPT: Final = 5_000
"""Of one workflow and tool: most of a day of those."""
_MOST_QUANTITY: Final = 2**62
_OUTPUT: Final = "output_tokens"
_Said: TypeAlias = "tuple[int, int, int | None]"
"""When a call ended, how many milliseconds it took, and what it wrote."""


class SeenCall(NamedTuple):
    """One call, as it was drawn."""

    seen_id: int
    latency_ms: int
    output_tokens: int | None


class Drawing:
    """What one pass draws, and the keys that it finds used."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str], list[_Said]] = {}
        self._used: dict[str, int] = {}

    def take(self, calls: Calls) -> None:
        """Draw from calls that have ended; only whole answers say what is usual."""
        held, ended = calls.held, calls.ended
        self._used.update(zip(held["key"], held["at_us"], strict=True))
        whole = defaultdict(list)
        told = zip(held["workflow"], held["tool"], ended["outcome"], strict=True)
        for place, (workflow, tool, outcome) in enumerate(told):
            if outcome == "ok":
                whole[workflow, tool].append(place)
        for key, places in whole.items():
            said = [
                (ended["at_us"][at], ended["latency_ms"][at], ended["usage"][at].get(_OUTPUT))
                for at in _evenly(places, MOST_A_PASS)
            ]
            self._drawn.setdefault(key, []).extend(said)

    def drawn(self) -> list[tuple[Any, ...]]:
        """Return what was drawn since the last time, as rows."""
        drawn, self._drawn = self._drawn, {}
        return [
            (*key, *said)
            for key, each in drawn.items()
            for said in _evenly(each, MOST_A_PASS)
            if _is_sound(said)
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


def _is_sound(said: _Said) -> bool:
    """Return whether the store can hold the numbers: a journal's lines may be damaged."""
    return all(0 <= (each or 0) < _MOST_QUANTITY for each in said)
