"""Where a tool's requests go, worked out once when the table of routes is taken over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from clearbar.core.errors import ClearbarError
from clearbar.route.http.upstream import Origin
from clearbar.tools.address import DEFAULT_URLS, no_url, protocol_of, provider_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.tools.address import Protocol
    from clearbar.tools.tool import Tool

_PORTS: Final = {"http": 80, "https": 443}
_ANTHROPIC_VERSION: Final = (b"anthropic-version", b"2023-06-01")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A tool's endpoint, in bytes."""

    origin: Origin
    path: bytes
    """Up to and with the version: `/v1`."""
    query: bytes
    """Of the declared address, such as an API version; empty for none."""
    host: bytes
    protocol: Protocol
    provider: str
    credentials: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    """The headers that carry the tool's own key; empty where it has none."""
    missing_key: str = ""
    """The environment variable that should hold the key and does not."""
    key: bytes = field(default=b"", repr=False)


def endpoint_of(tool: Tool, environment: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of a tool of kind `openai` or `anthropic`.

    Raises:
        ClearbarError: when its URL is none.
    """
    protocol = protocol_of(tool)
    try:
        parts = urlsplit(tool.url or DEFAULT_URLS[protocol])
        host, port = parts.hostname, parts.port
    except ValueError:
        raise no_url(tool) from None
    if parts.scheme not in _PORTS or not host or not parts.netloc.isascii():
        raise no_url(tool)
    key = environment.get(tool.key_env, "").strip() if tool.key_env else ""
    if not (key.isascii() and key.isprintable()):
        raise ClearbarError(
            f"the environment variable {tool.key_env} holds characters that no key has",
            "copy the key again",
        )
    return Endpoint(
        Origin(parts.scheme == "https", host, port or _PORTS[parts.scheme]),
        parts.path.rstrip("/").encode(),
        parts.query.encode(),
        parts.netloc.rpartition("@")[2].encode(),
        protocol,
        provider_of(tool),
        _credentials(protocol, key),
        tool.key_env if tool.key_env and not key else "",
        key.encode(),
    )


def _credentials(protocol: Protocol, key: str) -> tuple[tuple[bytes, bytes], ...]:
    if not key:
        return ()
    if protocol == "openai":
        return ((b"authorization", b"Bearer " + key.encode()),)
    return ((b"x-api-key", key.encode()),)
