"""Streams in OpenAI's shape: many in one file, in any order; of each the event that tells most.

Each event names its answer. The best one is the one with a usage, at the end of the stream, with
the most output: so a usage that grows from event to event is never added up, and the order of
lines changes nothing. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from clearbar.core.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from clearbar.spend.charge import Record

    Told = list[Record | Problem]

_MOST: Final = 20_000
"""Held at once; of more, the rest of a stream becomes another record of the same call."""


class Rank(NamedTuple):
    """By which the events of a stream go before each other."""

    used: bool
    ended: bool
    output: int
    prompt: int
    digest: str


class _Stream(NamedTuple):
    rank: Rank
    told: Told
    host: str
    began_us: int | None
    lines: int = 1


class AnswerStreams:
    """The streams of a file that have not been handed out yet."""

    def __init__(self) -> None:
        self._streams: dict[str, _Stream] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._streams

    @property
    def is_full(self) -> bool:
        """Whether more should not be held at once."""
        return len(self._streams) > _MOST

    def knows_usage(self, key: str) -> bool:
        """Return whether an event of this stream has told its usage."""
        stream = self._streams.get(key)
        return stream is not None and stream.rank.used

    def count(self, key: str, *, host: str) -> None:
        """Take an event that tells nothing but, if at all, who bills."""
        stream = self._streams[key]
        self._streams[key] = stream._replace(host=host or stream.host, lines=stream.lines + 1)

    def hear(
        self, key: str, rank: Rank, host: str, began_us: int | None, tell: Callable[[], Told]
    ) -> None:
        """Take an event; `tell` makes its records, where it is the best so far.

        `began_us` is when it was logged, where the answer carries no time of its own.
        """
        stream = self._streams.get(key)
        if stream is None:
            self._streams[key] = _Stream(rank, tell(), host, began_us)
            return
        times = [each for each in (began_us, stream.began_us) if each is not None]
        self._streams[key] = _Stream(
            max(rank, stream.rank),
            tell() if rank > stream.rank else stream.told,
            stream.host if host in {"", "openai"} and stream.host else host,
            min(times, default=None),
            stream.lines + 1,
        )

    def hand_out(self) -> Iterator[Record | Problem]:
        """Yield what the streams so far have told, and forget them."""
        for stream in self._streams.values():
            for found in stream.told:
                yield found if isinstance(found, Problem) else _finished(found, stream)
        self._streams = {}


def _finished(record: Record, stream: _Stream) -> Record:
    origin = record.origin
    if stream.host and origin.provider != stream.host:
        origin = msgspec.structs.replace(origin, provider=stream.host)
    began = record.started_at_us if stream.began_us is None else stream.began_us
    return msgspec.structs.replace(record, origin=origin, started_at_us=began, lines=stream.lines)
