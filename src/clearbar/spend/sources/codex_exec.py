"""What `codex exec --json` prints: JSON lines of a headless run.

Where: the standard output of `codex exec --json`, saved as `.jsonl`. A `turn.completed` line with
`usage` is a charge: a turn, of however many calls.

Traps:

- `usage` is the running total of the thread, not of the turn: only what it rose by is used.
- The thread's own log holds the same calls one by one. The last call of the turn has the same total
  after it, and is the same charge, and the log's telling goes before. So with both, all is counted
  once.
- A thread that was resumed tells in each output all that it had used before. Where its log is gone,
  give the last output only.
- No line tells a time or a model. The turn begins when its thread did, which a thread's id tells (a
  UUID of version 7); with any other id it is refused. The model stays unknown, and so the price.

Never here: items, and so the text of prompts and answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.spend import identity
from clearbar.spend.charge import Origin, Record, digest_of
from clearbar.spend.files.quarantine import QuarantineError, rest_of
from clearbar.spend.shapes.codex_lines import check_whole, line_of, may_tell
from clearbar.spend.shapes.cumulative_usage import CumulativeCounter, check_parts
from clearbar.spend.shapes.thread_family import uuid7_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.core.errors import Problem
    from clearbar.spend.files.source_file import Line, SourceFile
    from clearbar.spend.shapes.cumulative_usage import Addition

NAME: Final = "codex_exec"
PARSER_VERSION: Final = 1
TITLE: Final = "Codex headless output"
WHERE: Final = "codex exec --json, saved as JSON lines"
CONVENTION: Final = (
    "Running totals; cached tokens are counted inside the input, reasoning inside the output."
)

_ORIGIN: Final = Origin(source=NAME, provider="openai", service="codex")
_ADD_LOG: Final = "add the thread's own log, ~/.codex/sessions, which tells of each call"


def recognises(file: SourceFile) -> bool:
    """Return whether the first bytes are the first event of a headless run."""
    if not file.name.endswith((".jsonl", ".ndjson")):
        return False
    return b'"thread.started"' in file.head and b'"thread_id"' in file.head


def read(file: SourceFile) -> Iterator[Record | Problem]:
    """Yield one record for each turn that tells its usage.

    Raises:
        UnreadableFile: when the file is damaged.
    """
    thread, counter = "", CumulativeCounter()
    for line in file.lines():
        try:
            if not may_tell(line.payload):
                check_whole(line.payload)
                continue
            told = line_of(line.payload)
            if told.type == "thread.started" and told.thread_id not in {None, thread}:
                thread, counter = told.thread_id or "", CumulativeCounter()
            added = counter.add(told.usage) if told.usage else None
            if added and told.type == "turn.completed":
                yield _record(thread, added, line)
        except QuarantineError as error:
            yield error.problem(line.number)


def _record(thread: str, added: Addition, line: Line) -> Record:
    began_ms = uuid7_ms(thread)
    if began_ms is None:
        raise QuarantineError("a turn of which no time is told", _ADD_LOG)
    used = added.used
    cached, reasoning = used.cached_input_tokens, used.reasoning_output_tokens
    check_parts(used)
    place = ":".join([thread, *map(str, added.total.key)])
    return Record(
        identity=identity.client("codex", f"{place}#{added.resets}" if added.resets else place),
        evidence="client",
        origin=_ORIGIN,
        started_at_us=began_ms * 1000,
        input_tokens=rest_of(used.input_tokens, "input_tokens", cached_input_tokens=cached),
        cache_read_tokens=cached,
        output_tokens=used.output_tokens,
        reasoning_tokens=reasoning,
        session_id=thread,
        line=line.number,
        offset=line.offset,
        length=len(line.payload),
        digest=digest_of(line.payload),
    )
