"""Answers that come as server-sent events, folded into one as they arrive.

Pure: pieces of bytes in, wherever they were cut; one `Folded` out. OpenAI tells the usage in a last
event without choices; Anthropic the input at the start and the running output at the end, of which
the last counts and never the sum.
"""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from clearbar.spend.shapes.provider_names import service_tier_named
from clearbar.tools.tool import Answer
from clearbar.tools.wire import decoded, joined, named, served, text
from clearbar.tools.wire_errors import UNKNOWN_ERROR, NotAnAnswer, error_of, is_error
from clearbar.tools.wire_usage import anthropic_usage, as_object, openai_usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clearbar.tools.address import Protocol as Spoken
    from clearbar.tools.tool import TokenUsage

_DONE: Final = "[DONE]"


@dataclass(frozen=True, slots=True)
class Folded:
    """What a stream has told so far."""

    answer: Answer
    """Its usage is None until the stream has told all of it."""
    complete: bool
    """Whether the stream said that it had come to its end."""
    error: NotAnAnswer | None = None
    """What went wrong in the middle."""


def whole(folded: Folded) -> Answer:
    """Return the answer of a stream that has ended.

    Raises:
        NotAnAnswer: when it told of an error, or ended before the answer did.
    """
    if folded.complete:
        return folded.answer
    what, retry = "the stream ended before the answer did", True
    if folded.error is not None:
        what, retry = folded.error.what, folded.error.retry
    raise NotAnAnswer(what, retry=retry, upstream_id=folded.answer.upstream_id)


class Stream(Protocol):
    """A stream of one protocol while it is read."""

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        ...

    def folded(self) -> Folded:
        """Return what the bytes so far say."""
        ...


def open_stream(protocol: Spoken) -> Stream:
    """Return an empty stream of a protocol."""
    return _OpenAIStream() if protocol == "openai" else _AnthropicStream()


class Events:
    """The `data` of server-sent events: lines end in LF, CR or CRLF, an event with an empty line.

    What is not UTF-8 becomes U+FFFD; an event that the end of the stream cuts off is dropped.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest: list[str] = []
        self._data: list[str] = []
        self._after_cr = False
        self._first = True

    def feed(self, piece: bytes) -> Iterator[str]:
        """Yield the data of each event that these bytes end."""
        arrived = self._decoder.decode(piece)
        if self._first and arrived:
            arrived, self._first = arrived.removeprefix("\ufeff"), False
        if self._after_cr and arrived:
            arrived, self._after_cr = arrived.removeprefix("\n"), False
        if not arrived:
            return
        self._after_cr = arrived.endswith("\r")
        # Not splitlines: a line separator in an answer's text ends no line here.
        first, *others = arrived.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._rest.append(first)
        for following in others:
            line, self._rest = "".join(self._rest), [following]
            if line:
                self._take(line)
            elif self._data:
                yield "\n".join(self._data)
                self._data.clear()

    def _take(self, line: str) -> None:
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))


class _Folding(ABC):
    """What both protocols share: the parts of an answer, and the first error."""

    def __init__(self) -> None:
        self._events = Events()
        self._said: list[str] = []
        self._model = self._id = self._stop_reason = ""
        self._complete = False
        self._error: NotAnAnswer | None = None

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        for data in self._events.feed(piece):
            if data.strip() == _DONE:
                self._done()
                continue
            event = as_object(decoded(data.encode()))
            if not event:
                self._error = self._error or NotAnAnswer("an event of the stream is no JSON object")
            elif is_error(event):
                self._error = self._error or error_of(event) or NotAnAnswer(UNKNOWN_ERROR)
            else:
                self._take(event)

    def folded(self) -> Folded:
        """Return what the bytes so far say."""
        return Folded(self._answer(), self._complete and self._error is None, self._error)

    def _done(self) -> None:
        self._complete = True

    @abstractmethod
    def _take(self, event: Mapping[str, object]) -> None: ...

    @abstractmethod
    def _answer(self) -> Answer: ...


class _OpenAIStream(_Folding):
    def __init__(self) -> None:
        super().__init__()
        self._tier = ""
        self._refused: list[str] = []
        self._usage: TokenUsage | None = None

    def _take(self, event: Mapping[str, object]) -> None:
        self._id = self._id or named(event.get("id"))
        self._model = self._model or named(event.get("model"))
        self._tier = named(event.get("service_tier")) or self._tier
        if event.get("usage"):
            self._usage = openai_usage(event["usage"])
        choices = event.get("choices")
        first = as_object(choices[0]) if isinstance(choices, list) and choices else {}
        delta = as_object(first.get("delta"))
        self._said.append(joined(delta.get("content")))
        self._refused.append(text(delta.get("refusal")))
        if stop := named(first.get("finish_reason")):
            self._stop_reason, self._complete = stop, True

    def _answer(self) -> Answer:
        return Answer(
            text="".join(self._said) or "".join(self._refused),
            model=self._model,
            usage=self._usage if self._complete else None,
            upstream_id=self._id,
            service_tier=service_tier_named(self._tier),
            stop_reason=self._stop_reason,
        )


class _AnthropicStream(_Folding):
    def __init__(self) -> None:
        super().__init__()
        self._usage: dict[str, object] = {}

    def _take(self, event: Mapping[str, object]) -> None:
        match event.get("type"):
            case "message_start":
                message = as_object(event.get("message"))
                self._id, self._model = named(message.get("id")), named(message.get("model"))
                self._count(message)
            case "content_block_start":
                self._said.append(joined([event.get("content_block")]))
            case "content_block_delta":
                delta = as_object(event.get("delta"))
                if delta.get("type") == "text_delta":
                    self._said.append(text(delta.get("text")))
            case "message_delta":
                stop = named(as_object(event.get("delta")).get("stop_reason"))
                self._stop_reason = stop or self._stop_reason
                self._count(event)
            case "message_stop":
                self._complete = True
            case _:
                pass

    def _done(self) -> None:
        """Only `message_stop` ends a message."""

    def _count(self, event: Mapping[str, object]) -> None:
        told = as_object(event.get("usage"))
        self._usage |= {name: value for name, value in told.items() if value is not None}

    def _answer(self) -> Answer:
        return Answer(
            text="".join(self._said),
            model=self._model,
            usage=anthropic_usage(self._usage) if self._complete else None,
            upstream_id=self._id,
            stop_reason=self._stop_reason,
            **served(self._usage),
        )
