"""How much of anything a stranger may send, and for how long."""

from __future__ import annotations

from dataclasses import dataclass, field
from weakref import WeakValueDictionary


@dataclass(slots=True)
class Gathered:
    """How many bytes of bodies are held that did not come in one piece."""

    size: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the server side; what is counted over connections, over all with the same limits."""

    max_head_bytes: int = 64 * 2**10
    """Request line and headers together."""
    max_headers: int = 100
    max_body_bytes: int = 32 * 2**20
    header_timeout_s: float = 10.0
    """From the first byte of a request, or from a new connection, to the end of its head."""
    body_timeout_s: float = 60.0
    """From the end of the head to the end of the body."""
    idle_timeout_s: float = 75.0
    """How long a connection is kept that asks nothing."""
    send_timeout_s: float = 60.0
    """How long a client may leave what it was sent unread."""
    linger_s: float = 2.0
    """How long a refused client is listened to, so that it can read the refusal."""
    max_connections: int = 10_000
    max_gathered_bytes: int = 512 * 2**20
    """Of all bodies together that did not come in one piece, until their replies have ended."""
    gathered: Gathered = field(default_factory=Gathered, compare=False)
    heads: WeakValueDictionary[tuple[bytes, bytes], object] = field(
        default_factory=WeakValueDictionary, compare=False, repr=False
    )
    """Heads that connections remember, by what stands before and behind the body's length."""
    unsent_high_bytes: int = 64 * 2**10
    """Unsent bytes above which a reply is `full`; it is drained at a quarter of them."""
    max_unsent_bytes: int = 8 * 2**20
    """Unsent bytes above which a reply that was written to in spite of that is cut."""


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Of the upstream side; connections are counted for each origin."""

    max_head_bytes: int = 64 * 2**10
    max_headers: int = 200
    max_reply_bytes: int = 2**30
    max_interim: int = 16
    """Replies of the 100 kind before the one that counts."""
    max_connections: int = 4096
    """A stream keeps one for as long as it lasts."""
    max_waiting: int = 1024
    """Requests that wait for a connection; one more is refused."""
    connect_s: float = 30.0
    """When the opening of a connection is given up, however patient the requests are."""
    max_idle: int = 512
    """Connections that are kept without a request."""
    idle_s: float = 55.0
    max_age_s: float = 900.0
    """A connection older than this serves no further request: addresses change."""
    sweep_s: float = 1.0
    """How often timeouts are looked at: how much later than declared they may come."""
