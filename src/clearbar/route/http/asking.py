"""What passes between the upstream side and whoever asks: where, how patiently, what came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.http.pool import Pool
    from clearbar.route.http.repeated_reply import RepeatedReply
    from clearbar.route.http.upstream_connection import UpstreamConnection

BrokenKind = Literal["connect", "tls", "timeout", "reset", "protocol", "too_large"]


class Origin(NamedTuple):
    """Where an upstream listens."""

    secure: bool
    host: str
    port: int


class Patience(NamedTuple):
    """How long each part may take, in seconds."""

    connect_s: float
    """Until there is a connection, with the wait for a free one."""
    first_byte_s: float
    """From the request to the whole head of the reply."""
    stall_s: float
    """The longest silence in the body."""
    total_s: float
    """From the beginning to the end of the reply."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Why there is no whole reply."""

    kind: BrokenKind
    sent: bool
    """Whether the request may have reached the upstream; False only where it is certain not."""
    what: str
    """In words of ours, which quote nothing."""


class Passage(Protocol):
    """Takes the chunks of a body past the listener, as they are on the wire."""

    def take(self, chunk: bytes) -> bool:
        """Take bytes where a chunk begins, if they are one chunk that it knows; else do nothing."""

    def has_moved(self) -> bool:
        """Return whether it has taken anything since this was last asked."""

    def pour(self) -> int:
        """Hand over what was counted; return how much content it has taken since the last time."""


class Listener(Protocol):
    """Who asked. After `on_end` or `on_broken` it hears nothing more."""

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Take the head: names in lower case, hop-by-hop headers included."""

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body, compressed if it came so."""

    def on_end(self) -> None:
        """Take note that the reply is whole."""

    def on_broken(self, broken: Broken) -> None:
        """Take note that no whole reply will come."""


class _Nobody:
    """Stands for the listener once it is over: so that the two do not keep each other alive."""

    __slots__ = ()

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None: ...
    def on_body(self, piece: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_broken(self, broken: Broken) -> None: ...


NOBODY: Final[Listener] = _Nobody()
_NOT_YET = -1.0
CONNECTING, WAITING, READING, OVER = range(4)


class Asking:
    """One request to an upstream, until its reply is whole."""

    __slots__ = (
        "bare",
        "begun_at",
        "body",
        "connection",
        "flow",
        "head",
        "listener",
        "on_whole",
        "patience",
        "paused",
        "pool",
        "since",
        "stage",
        "whole",
    )

    def __init__(
        self, pool: Pool, head: bytes, body: bytes, listener: Listener, patience: Patience
    ) -> None:
        self.pool = pool
        self.head = head
        self.body = body
        self.listener = listener
        self.patience = patience
        self.whole = False
        """Whether the last byte of the reply has come. True inside `on_body` tells that this piece
        is the last, and that `on_end` follows at once."""
        self.bare = True
        """Inside `on_head`: whether nothing of the body came with the head."""
        self.flow: Passage | None = None
        """Set by the listener inside `on_body`: takes what comes next past it, as long as it can.
        What it does not take the listener hears of, and sets it again."""
        self.on_whole: Callable[[RepeatedReply, bytes], None] | None = None
        """Takes the place of the listener for a reply that comes whole, in one piece, under a head
        that came before; `on_end` has then happened."""
        self.paused = False
        self.connection: UpstreamConnection | None = None
        self.stage = CONNECTING
        self.since = _NOT_YET
        """When the stage began, or the last byte came; the next sweep notes the time."""
        self.begun_at = _NOT_YET

    def pause(self) -> None:
        """Read no more for now. What was read already may still come; silence is not counted."""
        if not self.paused and self.stage != OVER:
            self.paused = True
            if self.connection is not None:
                self.connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self.paused and self.stage != OVER:
            self.paused = False
            self.since = _NOT_YET
            if self.connection is not None:
                self.connection.resume()

    def cancel(self) -> None:
        """Ask no more: the connection is closed, and the listener hears nothing more."""
        if self.stage != OVER:
            self.stage = OVER
            self.pool.give_up(self)

    def late(self, now: float) -> str | None:
        """Return what took too long, None where nothing did."""
        if self.since == _NOT_YET or (self.flow is not None and self.flow.has_moved()):
            self.since = now
        if self.begun_at == _NOT_YET:
            self.begun_at = now
        patience, took = self.patience, now - self.since
        if now - self.begun_at > patience.total_s:
            return "the upstream took too long to finish its reply"
        if self.stage == CONNECTING:
            late, what = took > patience.connect_s, "no connection to the upstream came about"
        elif self.stage == WAITING:
            late, what = took > patience.first_byte_s, "the upstream did not begin to answer"
        else:
            late = took > patience.stall_s and not self.paused
            what = "the upstream stopped in the middle of its reply"
        return f"{what} in time" if late else None
