"""What a request asks for, told by its method and path: which API, and whether it may cost money.

What is not known here is "other": it passes untouched, and may cost money. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.tools.address import Protocol

Name = Literal[
    "chat",
    "completions",
    "responses",
    "embeddings",
    "messages",
    "count_tokens",
    "models",
    "other",
]


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of request of the two protocols."""

    name: Name
    protocol: Protocol
    spends: bool
    """Whether it may cost money."""
    answers: bool
    """Whether it asks for text that a tool without a model could give."""
    upstream_path: str
    """Below the declared URL of a tool, with a slash at its start: `/chat/completions`."""
    odd: bool = False
    """Whether two servers may read the path differently: such a request is to be refused."""
    closed: bool = False
    """Whether it hands out credentials, or governs the account: with these, or with what else lies
    there, the gateway could be passed by. Such a request is to be refused."""
    unmetered: bool = False
    """Whether it starts work that goes on after the reply, which cannot tell what it costs."""


def operation_of(method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> Operation:
    """Return what a request asks for.

    `path` is as received, without its query. The names of headers are in lower case.
    """
    known = _KNOWN.get((method, path))
    return known if known is not None else _operation(method, path, headers)


def _operation(method: str, path: str, headers: Sequence[tuple[bytes, bytes]]) -> Operation:
    names = {name for name, _ in headers}
    protocol, below = _below(path, "anthropic" if b"anthropic-version" in names else "openai")
    known = _KNOWN.get((method, f"/{protocol}/v1{below.rstrip('/')}"))
    if known is not None:
        return known
    if method == "GET" and below.startswith("/models"):
        return Operation("models", protocol, False, False, below, _is_odd(path))
    odd, closed = _is_odd(path), _is_closed(below)
    meant = None if odd or closed else _meant(method, protocol, below)
    if meant is not None:
        return meant
    free = method in _FREE_METHODS and b"upgrade" not in names and below not in _TALKS
    unmetered = not free and below.lower().rstrip("/").rpartition("/")[2] in _STARTS
    return Operation("other", protocol, not free, False, below, odd, closed, unmetered)


def _meant(method: str, protocol: Protocol, below: str) -> Operation | None:
    """Return the operation that a path with another beginning or in other letters asks for.

    Some servers have a second path for it, such as `/engines/NAME/chat/completions`: it is held,
    routed and metered as by the first.
    """
    path = below.lower().rstrip("/")
    for ending in _ENDINGS:
        known = _KNOWN.get((method, f"/{protocol}/v1{ending}"))
        if known is not None and known.spends and path.endswith(ending):
            return replace(known, upstream_path=below)
    return None


def _below(path: str, protocol: Protocol) -> tuple[Protocol, str]:
    """Return the protocol of a path and what stands below its version."""
    for named in ("openai", "anthropic"):
        if path == f"/{named}" or path.startswith(f"/{named}/"):
            protocol, path = named, path[len(named) + 1 :]
            break
    if path == "/v1" or path.startswith("/v1/"):
        path = path[3:]
    return protocol, path or "/"


def _is_closed(below: str) -> bool:
    return not _CLOSED.isdisjoint(below.lower().split("/"))


def _is_odd(path: str) -> bool:
    """Return whether a path has parts that servers resolve, decode or drop, each in its own way."""
    if not path.isascii() or not path.isprintable() or not path.startswith("/"):
        return True
    if any(sign in path for sign in ("//", "\\", ";", "#", "?", "%", " ")):
        return True
    return any(part in (".", "..") for part in path.split("/"))


_FREE_METHODS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_TALKS: Final = frozenset({"/realtime", "/responses"})
"""Where even a GET may open a conversation (over WebSocket) that costs money."""

_CLOSED: Final = frozenset(
    {
        "admin",
        "api_keys",
        "auth_tokens",
        "chatkit",
        "key",
        "organization",
        "organizations",
        "realtime",
        "service_accounts",
    }
)
"""Parts of paths. Of `realtime` and `chatkit`, sessions are opened with keys of their own, which
would then be the client's."""

_STARTS: Final = frozenset({"batches", "fine-tunes", "jobs", "remix", "runs", "videos"})
"""Last parts of paths that start work of many calls, or of minutes."""

_ENDINGS: Final = ("/chat/completions", "/completions", "/responses", "/embeddings", "/messages")
"""Of paths below the version; what ends in two of them is the first."""

_SHAPES: Final[tuple[tuple[str, str, Name, Protocol, bool, bool], ...]] = (
    ("POST", "/chat/completions", "chat", "openai", True, True),
    ("POST", "/completions", "completions", "openai", True, False),
    ("POST", "/responses", "responses", "openai", True, True),
    ("POST", "/responses/input_tokens", "count_tokens", "openai", False, False),
    ("POST", "/embeddings", "embeddings", "openai", True, False),
    ("GET", "/models", "models", "openai", False, False),
    ("POST", "/messages", "messages", "anthropic", True, True),
    ("POST", "/messages/count_tokens", "count_tokens", "anthropic", False, False),
    ("GET", "/models", "models", "anthropic", False, False),
)


def _known() -> dict[tuple[str, str], Operation]:
    """Return the operations by method and path, so that a common one is one look-up.

    A path that both protocols have stands only below the name of its protocol: elsewhere the
    headers tell.
    """
    table: dict[tuple[str, str], Operation] = {}
    for method, path, name, protocol, spends, answers in _SHAPES:
        operation = Operation(name, protocol, spends, answers, path)
        table[method, f"/{protocol}/v1{path}"] = operation
        if name != "models":
            table[method, f"/v1{path}"] = table[method, path] = operation
    return table


_KNOWN: Final = _known()
