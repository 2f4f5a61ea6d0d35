"""What the events of a stream tell, each read once and only as far as it matters. Pure.

OpenAI tells the usage of a chat in a last event without choices; Anthropic the input at the start
and the running output at the end, of which the last counts and never the sum; the Responses API
repeats the whole answer, with its usage, in the event that ends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from clearbar.route.wire.events import DONE
from clearbar.route.wire.told import tier_of
from clearbar.tools.wire import decoded, named
from clearbar.tools.wire_errors import is_error
from clearbar.tools.wire_usage import as_object

if TYPE_CHECKING:
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.told import Told

KEEP, DROP, CLEAN = range(3)
"""What is to become of an event whose client did not ask for the usage: it passes; it goes; or it
loses the mention that the usage is not known yet."""


class Reader(Protocol):
    """Reads the events of one kind of stream."""

    def take(self, data: bytes) -> int:
        """Take an event's data; return `KEEP`, `DROP` or `CLEAN`."""
        ...


def reader_of(operation: Operation, told: Told, choices: int) -> Reader:
    """Return what reads a stream of an operation into `told`."""
    if operation.protocol == "anthropic":
        return _Message(told)
    return _Response(told) if operation.name == "responses" else _Chat(told, choices)


class _Chat:
    __slots__ = ("_left", "_told")

    def __init__(self, told: Told, choices: int) -> None:
        self._told = told
        self._left = choices
        """Choices that have not ended."""

    def take(self, data: bytes) -> int:
        told = self._told
        if data == DONE:
            return self._take_other(data)
        try:
            chunk = _chunk.decode(data)
        except (ValueError, RecursionError):
            return self._take_other(data)
        if not told.upstream_id or chunk.usage:
            self._identify(chunk)
        if chunk.error:
            told.failed, told.complete = True, False
        for choice in chunk.choices or ():
            told.output_bytes += _bytes_of(choice)
            if choice.finish_reason is not None:
                self._end(choice.finish_reason)
        if chunk.usage is msgspec.UNSET:
            return KEEP
        if chunk.usage is None:
            return CLEAN
        told.usage = chunk.usage
        return DROP if chunk.choices == [] else KEEP

    def _identify(self, said: _Chunk) -> None:
        told = self._told
        told.upstream_id = told.upstream_id or named(said.id)
        told.model = told.model or named(said.model)
        told.service_tier = tier_of(said.service_tier) or told.service_tier

    def _end(self, reason: object) -> None:
        self._told.stop_reason = self._told.stop_reason or named(reason)
        self._left -= 1
        if self._left <= 0 and not self._told.failed:
            self._told.complete = True

    def _take_other(self, data: bytes) -> int:
        """Take the end, or an event of another shape: an error, or one that is no JSON at all."""
        if data.strip() == DONE:
            self._told.complete = not self._told.failed
        elif data:
            self._take_odd(data)
        return KEEP

    def _take_odd(self, data: bytes) -> None:
        event = as_object(decoded(data))
        self._told.failed = self._told.failed or is_error(event)
        self._told.output_bytes += len(data)
        if event.get("usage"):
            self._told.usage = event["usage"]


class _Message:
    __slots__ = ("_told", "_usage")

    def __init__(self, told: Told) -> None:
        self._told = told
        self._usage: dict[str, object] = {}

    def take(self, data: bytes) -> int:
        told = self._told
        try:
            event = _event.decode(data)
        except (ValueError, RecursionError):
            told.output_bytes += len(data)
            return KEEP
        delta = event.delta
        if delta is not None:
            for said in (delta.text, delta.partial_json, delta.thinking):
                if said:
                    told.output_bytes += _size(said)
        if event.type != "content_block_delta":
            self._take_rare(event)
        return KEEP

    def _take_rare(self, event: _Event) -> None:
        told = self._told
        match event.type:
            case "message_start":
                message = as_object(event.message)
                told.upstream_id = named(message.get("id"))
                told.model = named(message.get("model"))
                self._count(message.get("usage"))
            case "content_block_start" if event.content_block is not None:
                told.output_bytes += _size(event.content_block.text)
            case "message_delta":
                if event.delta is not None and event.delta.stop_reason is not None:
                    told.stop_reason = named(event.delta.stop_reason)
                self._count(event.usage)
            case "message_stop":
                told.complete = not told.failed
            case "error":
                told.failed, told.complete = True, False
            case _:
                pass

    def _count(self, usage: object) -> None:
        said = as_object(usage)
        self._usage |= {name: count for name, count in said.items() if count is not None}
        self._told.usage = self._usage
        self._told.take_served(said)


class _Response:
    __slots__ = ("_told",)

    def __init__(self, told: Told) -> None:
        self._told = told

    def take(self, data: bytes) -> int:
        told = self._told
        try:
            event = _response_event.decode(data)
        except (ValueError, RecursionError):
            told.output_bytes += len(data)
            return KEEP
        if event.delta is not None:
            told.output_bytes += _size(event.delta)
        if event.type in _WHOLE:
            told.take(as_object(decoded(bytes(event.response))))
            told.complete = event.type in _LAST
        if event.error or event.type in _FAILURES:
            told.failed = True
        return KEEP


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    tool_calls: Any = None
    function_call: Any = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    finish_reason: Any = None
    text: Any = None


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    model: Any = None
    service_tier: Any = None
    choices: list[_Choice] | None = None
    usage: Any = msgspec.UNSET
    error: Any = None


class _MessageDelta(msgspec.Struct, gc=False):
    text: Any = None
    partial_json: Any = None
    thinking: Any = None
    stop_reason: Any = None


class _ContentBlock(msgspec.Struct, gc=False):
    text: Any = None


class _Event(msgspec.Struct, gc=False):
    type: Any = None
    delta: _MessageDelta | None = None
    content_block: _ContentBlock | None = None
    message: Any = None
    usage: Any = None


class _ResponseEvent(msgspec.Struct, gc=False):
    type: str | None = None
    delta: Any = None
    response: msgspec.Raw = msgspec.Raw(b"null")
    error: Any = None


def _bytes_of(choice: _Choice) -> int:
    delta = choice.delta
    if delta is None:
        return _size(choice.text)
    size = 0
    if delta.content:
        size = _size(delta.content)
    if delta.refusal or delta.reasoning_content or delta.reasoning:
        size += _size(delta.refusal) + _size(delta.reasoning_content) + _size(delta.reasoning)
    if delta.tool_calls or delta.function_call:
        size += _size(delta.tool_calls) + _size(delta.function_call)
    return size


def _size(said: object) -> int:
    """Return how many bytes are said; of anything but a text, those of its JSON."""
    if said is None:
        return 0
    if isinstance(said, str):
        return len(said) if said.isascii() else len(said.encode("utf-8", "replace"))
    return len(msgspec.json.encode(said))


_chunk: Final = msgspec.json.Decoder(_Chunk)
_event: Final = msgspec.json.Decoder(_Event)
_response_event: Final = msgspec.json.Decoder(_ResponseEvent)
_LAST: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
_WHOLE: Final = _LAST | {"response.created", "response.cancelled"}
_FAILURES: Final = frozenset({"error", "response.failed"})
