"""Structured logs: one JSON object a line for each call, each refusal and each note.

Made from lines of the journal, so no prompt, answer or key can stand in them. What clients put
into labels is left out too. Levels: `info` for whole answers; `warning` for failures, broken
answers, refusals and most notes; `error` for calls that were lost with their worker.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from queue import Full, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal

import msgspec

from clearbar.core.money import plain
from clearbar.route.operating.metrics import basis_of

if TYPE_CHECKING:
    from clearbar.route.journal.entry import Ended, Held, Noted, Refused

Level = Literal["info", "warning", "error", "off"]
_RANK: Final[dict[str, int]] = {"info": 0, "warning": 1, "error": 2, "off": 3}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OF_HELD: Final = (
    "request_id",
    "call_id",
    "attempt",
    "arm",
    "operation",
    "stream",
    "workflow",
    "tool",
    "provider",
    "model",
    "key",
    "team",
    "user",
    "task",
    "run",
    "environment",
    "trace_id",
    "span_id",
    "worker",
)
_OF_ENDED: Final = (
    "outcome",
    "status",
    "usage",
    "known",
    "upstream_id",
    "service_tier",
    "stop_reason",
    "first_byte_ms",
    "latency_ms",
    "bytes_in",
    "bytes_out",
    "what",
)
_OF_REFUSED: Final = (
    "request_id",
    "code",
    "status",
    "operation",
    "workflow",
    "key",
    "team",
    "user",
)
_OF_NOTED: Final = ("what", "about", "detail", "worker")
_USUAL: Final = frozenset({"started", "ended", "reloaded", "draining", "breaker_closed"})
"""Notes that nobody has to look at."""


class Logs:
    """Writes a line for each thing that happened. Empty values are left out.

    Written in a thread of its own, so that whoever reads the lines too slowly holds up nothing:
    lines that find no place are dropped, and a later line says how many.
    """

    def __init__(self, out: BinaryIO, level: Level = "info", most_waiting: int = 50_000) -> None:
        self._out = out
        self._least = _RANK[level]
        self._waiting: Queue[bytes | None] = Queue(most_waiting)
        self._dropped = 0
        self._thread = Thread(target=self._write_on, name="logs", daemon=True)
        self._thread.start()

    def began(self, held: Held) -> None:
        """Write nothing: the line comes with the end."""

    def ended(self, held: Held, ended: Ended) -> None:
        """Write the line of a call."""
        level: Level = "info" if ended.outcome == "ok" else "warning"
        if ended.outcome == "lost":
            level = "error"
        reported = {"model_reported": ended.model} if ended.model != held.model else {}
        cost = {
            "cost_usd": plain(Decimal(ended.cost_nusd).scaleb(-9)),
            "cost_basis": basis_of(ended),
        }
        told = _told(held, _OF_HELD) | reported | _told(ended, _OF_ENDED) | cost
        self._write(level, "call", ended.at_us, told)

    def refused(self, refused: Refused) -> None:
        """Write the line of a refusal."""
        self._write("warning", "refused", refused.at_us, _told(refused, _OF_REFUSED))

    def noted(self, noted: Noted) -> None:
        """Write the line of a note."""
        level: Level = "info" if noted.what in _USUAL else "warning"
        self._write(level, "noted", noted.at_us, _told(noted, _OF_NOTED))

    def died(self, worker: str) -> None:
        """Write nothing: the lines of its lost calls say it."""

    def flush(self) -> None:
        """Wait until all that was said is written out."""
        self._waiting.join()

    def close(self) -> None:
        """Write out what waits, and stop."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self, level: Level, event: str, at_us: int, told: dict[str, Any]) -> None:
        if _RANK[level] < self._least:
            return
        at = (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds")
        line = {"time": at.replace("+00:00", "Z"), "level": level, "event": event, **told}
        if self._dropped:
            line["dropped_before"] = self._dropped
        try:
            self._waiting.put_nowait(msgspec.json.encode(line) + b"\n")
            self._dropped = 0
        except Full:
            self._dropped += 1

    def _write_on(self) -> None:
        while (line := self._waiting.get()) is not None:
            with suppress(OSError, ValueError):  # whoever read the lines is gone
                self._out.write(line)
                if self._waiting.empty():
                    self._out.flush()
            self._waiting.task_done()
        with suppress(OSError, ValueError):
            self._out.flush()
        self._waiting.task_done()


def _told(line: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    found = ((name, getattr(line, name)) for name in names)
    return {name: value for name, value in found if value not in ("", {}, None)}
