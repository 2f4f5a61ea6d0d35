"""Events of Anthropic's streams -> messages: the usage of the start, overlaid by the last delta's.

Only the start of a stream says whose it is. So events are told apart by what the logger wrote
beside them (`Around.stream`, the id of the request); without that, one stream has to follow the
other. Where two were mixed, no delta can be trusted, and all of them are refused. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.files.json_records import fields
from clearbar.spend.files.quarantine import QuarantineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clearbar.spend.shapes.answer_context import Around
    from clearbar.spend.shapes.answer_log import Body

EVENTS: Final = frozenset(
    {
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "ping",
    }
)
_MOST_OPEN: Final = 20_000
_MOST_IN_ROW: Final = 1_000
_NEVER_FALL: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_MIXED: Final = "the events of several streams are mixed"
_MIXED_HINT: Final = 'write the id of the request beside each event: {"request_id": ..., "event":'
_NO_START: Final = "a message_delta without its message_start"
_NO_START_HINT: Final = "the events of a stream have to stand in their order, in one file"


@dataclass(slots=True)
class Streamed:
    """A message while its stream is read."""

    start: Body
    message: dict[str, Any]
    usage: dict[str, Any]
    stop_reason: object = None
    told: bool = False
    """Whether a delta has said how much was written; before that the output is a placeholder."""
    closed: bool = False
    broken: str = ""
    lines: int = 1
    last: Around | None = field(default=None)

    def take(self, body: Body) -> None:
        """Take a delta. Its figures are running totals: the last counts, and never the sum."""
        self.lines += 1
        self.last = body.around
        delta, said = fields(body.value.get("delta")), dict(fields(body.value.get("usage")))
        for name in _NEVER_FALL:
            before, now = self.usage.get(name), said.get(name)
            if isinstance(before, int) and isinstance(now, int) and now < before:
                if now:
                    self.broken = _MIXED
                else:
                    said[name] = before  # some relays write 0 for what the start has told
        if said.get("output_tokens") is not None:
            self.told = True
        self.usage |= {name: value for name, value in said.items() if value is not None}
        self.stop_reason = delta.get("stop_reason") or self.stop_reason
        self.closed = self.closed or bool(self.stop_reason)


class Streams:
    """The streams of a file that have not been handed out yet."""

    def __init__(self) -> None:
        self._keyed: dict[str, Streamed] = {}
        self._row: list[Streamed] = []
        """Those without a key that may have been mixed; all but the last were left open."""

    def hear(self, body: Body) -> Iterator[Streamed]:
        """Take an event; yield the messages that are whole by now, or will never be.

        Raises:
            QuarantineError: when it is a delta of no stream.
        """
        kind = body.value.get("type")
        key = body.around.stream or body.around.request_id
        if kind == "message_start":
            yield from self._open(key, body)
        elif kind == "message_delta":
            self._take(key, body)
        elif kind == "message_stop":
            yield from self._close(key, body)
        if len(self._keyed) > _MOST_OPEN or len(self._row) > _MOST_IN_ROW:
            yield from self.rest()

    def rest(self) -> Iterator[Streamed]:
        """Yield what is left; a message whose stream was cut is not closed."""
        yield from self._keyed.values()
        yield from self._row
        self._keyed, self._row = {}, []

    def _open(self, key: str, body: Body) -> Iterator[Streamed]:
        message = fields(body.value.get("message"))
        opened = Streamed(body, message, dict(fields(message.get("usage"))))
        if key:
            if key in self._keyed:
                yield self._keyed.pop(key)
            self._keyed[key] = opened
            return
        if self._row and self._row[-1].closed:
            yield from self._row
            self._row = []
        self._row.append(opened)

    def _take(self, key: str, body: Body) -> None:
        if key:
            if key not in self._keyed:
                raise QuarantineError(_NO_START, _NO_START_HINT)
            self._keyed[key].take(body)
        elif not self._row:
            raise QuarantineError(_NO_START, _NO_START_HINT)
        elif self._row[-1].closed:
            for each in self._row:
                each.broken = _MIXED
        else:
            self._row[-1].take(body)
            if self._row[-1].broken:
                for each in self._row:
                    each.broken = _MIXED

    def _close(self, key: str, body: Body) -> Iterator[Streamed]:
        if key:
            if key in self._keyed:
                stream = self._keyed.pop(key)
                stream.closed, stream.last = True, body.around
                yield stream
        elif self._row:
            self._row[-1].closed, self._row[-1].last = True, body.around


def refuse_mixed(stream: Streamed) -> None:
    """Refuse a message whose figures may be another's.

    Raises:
        QuarantineError: when the events of several streams are mixed.
    """
    if stream.broken:
        raise QuarantineError(stream.broken, _MIXED_HINT + " ...}")
