"""Folders of agent logs, of any size, whose true totals are known. Deterministic.

The lines are those of real sessions, from which all text was removed; where they are absent, of
sessions that a seeded model makes. Whole copies of them are written, each with ids of its own, so
that the mix stays as it was: one call on several lines, and in the files of resumed sessions again.
By the truth a message counts once, with the line of it that has the highest output.
"""

from __future__ import annotations

import json
import os
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DATA = Path(os.environ.get("CLEARBAR_DATA", Path(__file__).parents[2] / "shared" / "data"))
COUNTS = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)
_ID = re.compile(rb"(msg_\w+|req_\w+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_COPY = b"~copy"
"""Stands at the end of every id, where a copy writes its number."""
_LINE_BYTES_A_CALL = 1_365
"""What 732,800 calls in a gigabyte leave for each."""

Lines = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Logs:
    """What was written, and what is true of it."""

    size: int
    lines: int
    calls: int
    tokens: tuple[int, ...]
    """In the order of `COUNTS`."""


def write_logs(folder: Path, size: int, shape: Callable[[list[Lines]], list[Lines]]) -> Logs:
    """Write about `size` bytes of sessions, shaped by one of the functions below."""
    sessions = [b"".join(_written(lines)) for lines in shape(_sessions())]
    chosen = _first(sessions, size)
    once = sum(map(len, chosen))
    copies = max(1, round(size / once))
    for copy in range(copies):
        project = folder / f"project-{copy:05d}"
        project.mkdir(parents=True)
        for number, session in enumerate(chosen):
            mine = session.replace(_COPY, b"%05d" % copy)
            (project / f"session-{number:05d}.jsonl").write_bytes(mine)
    calls, tokens = _truth(chosen)
    lines = sum(session.count(b"\n") for session in chosen)
    return Logs(once * copies, lines * copies, calls * copies, tuple(n * copies for n in tokens))


def bare(sessions: list[Lines]) -> list[Lines]:
    """Return the lines as they are: all of them tell of usage, and none holds text."""
    return sessions


def one_line_a_call(sessions: list[Lines]) -> list[Lines]:
    """Return one line a call, eight sessions a file; a gigabyte holds about 732,800 calls."""
    told: set[str] = set()
    text = _Text()
    shaped: list[Lines] = []
    for number, lines in enumerate(sessions):
        last = {line["message"]["id"]: line for line in lines}
        kept = [line for key, line in last.items() if key not in told]
        told |= last.keys()
        for line in kept:
            room = _LINE_BYTES_A_CALL - len(json.dumps(line, separators=(",", ":"))) - 12
            line["message"]["content"][-1]["text"] = text.of(max(0, room))
        if number % 8 == 0:
            shaped.append([])
        shaped[-1] += kept
    return [lines for lines in shaped if lines]


def with_text(sessions: list[Lines]) -> list[Lines]:
    """Return the lines with answers, and with what the tools gave back on lines between them.

    Lengths are drawn from long-tailed distributions: answers of 500 bytes, results of 1,500, in
    the median, and twice that in the mean.
    """
    text = _Text()
    return [list(_talk(lines, text)) for lines in sessions]


def _talk(lines: Lines, text: _Text) -> Iterator[dict[str, Any]]:
    for line in lines:
        block = line["message"]["content"][-1]
        block["text"] = text.about(500)
        yield line
        if block.get("type") == "tool_use":
            result = {"type": "tool_result", "content": text.about(1_500)}
            shared = {key: line[key] for key in ("sessionId", "cwd", "version", "timestamp")}
            about = {"parentUuid": line["uuid"], "type": "user", "uuid": text.uuid()}
            yield {**about, **shared, "message": {"role": "user", "content": [result]}}


class _Text:
    """Text as it stands in logs: words, code, quotes and line ends."""

    def __init__(self) -> None:
        self._order = random.Random(20_260_901)
        words = ["the", "ledger", "return", "self.total", '"usage"', "\n    ", "é", "tokens", "{}"]
        self._lump = " ".join(self._order.choices(words, k=200_000))

    def about(self, median: int) -> str:
        return self.of(int(self._order.lognormvariate(0, 1.2) * median))

    def of(self, length: int) -> str:
        start = self._order.randrange(len(self._lump) // 2)
        return self._lump[start : start + length]

    def uuid(self) -> str:
        return _uuid(self._order)


def _sessions() -> list[Lines]:
    folder = DATA / "claude_code" / "sessions"
    files = sorted(folder.glob("*.jsonl"))
    real = ([json.loads(line) for line in path.open("rb")] for path in files)
    return list(real) or list(_modelled())


def _modelled() -> Iterator[Lines]:
    """Yield sessions of 40 calls on 1 to 6 lines each; every second one resumes the one before."""
    order = random.Random(20_260_902)
    before: Lines = []
    for number in range(280):
        calls = (list(_modelled_call(order, number)) for _ in range(40))
        lines = [line for call in calls for line in call]
        yield before + lines if number % 2 else lines
        before = lines


def _modelled_call(order: random.Random, session: int) -> Iterator[dict[str, Any]]:
    """Yield the lines of a call: equal but for an output that grows."""
    call, parts = f"{order.getrandbits(112):028x}", order.randint(1, 6)
    usage = dict(zip(COUNTS, (order.randrange(50), 4_000, 90_000, 1), strict=True))
    start = f"2026-01-{session % 28 + 1:02d}T{order.randrange(24):02d}:{order.randrange(60):02d}"
    for part in range(parts):
        usage |= {"output_tokens": usage["output_tokens"] + order.randrange(100)}
        yield {
            "parentUuid": _uuid(order),
            "isSidechain": False,
            "cwd": "/home/one/work",
            "sessionId": str(UUID(int=session + 1)),
            "version": "2.1.0",
            "requestId": f"req_{call}",
            "type": "assistant",
            "uuid": _uuid(order),
            "timestamp": f"{start}:{part:02d}.000Z",
            "message": {
                "model": "claude-sonnet-4-5-20250929",
                "id": f"msg_{call}",
                "stop_reason": None,
                "usage": usage,
                "content": [{"type": order.choice(["text", "tool_use"])}],
            },
        }


def _uuid(order: random.Random) -> str:
    return str(UUID(int=order.getrandbits(128)))


def _written(lines: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for line in lines:
        text = json.dumps(line, separators=(",", ":"), ensure_ascii=False).encode()
        yield _ID.sub(lambda found: found[0][: -len(_COPY)] + _COPY, text) + b"\n"


def _first(sessions: list[bytes], size: int) -> list[bytes]:
    """Return the first sessions that make up a size, or all."""
    taken = 0
    for count, session in enumerate(sessions, 1):
        taken += len(session)
        if taken >= size:
            return sessions[:count]
    return sessions


def _truth(sessions: list[bytes]) -> tuple[int, tuple[int, ...]]:
    """Return calls and tokens: of each message the line with the highest output."""
    best: dict[str, dict[str, int]] = {}
    for session in sessions:
        for text in session.splitlines():
            message = json.loads(text)["message"]
            if usage := message.get("usage"):
                held = best.setdefault(message["id"], usage)
                if usage["output_tokens"] > held["output_tokens"]:
                    best[message["id"]] = usage
    return len(best), tuple(sum(usage[name] for usage in best.values()) for name in COUNTS)
