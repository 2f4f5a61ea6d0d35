"""A table of routes that serves everything, and the parts to make others of it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from clearbar.route.keys import KeyRing
from clearbar.route.route import Caller, GatewayKey, GatewaySettings, Route, RouteTable
from clearbar.route.wire.asked import Asked
from clearbar.route.wire.operation import operation_of
from clearbar.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.wire.operation import Operation

NOW: Final = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TODAY: Final = date(2026, 11, 2)
SECRET: Final = "q" * 52
CHAT: Final = operation_of("POST", "/v1/chat/completions", ())
MESSAGES: Final = operation_of("POST", "/v1/messages", ())
EMBEDDINGS: Final = operation_of("POST", "/v1/embeddings", ())
MODELS: Final = operation_of("GET", "/v1/models", ())
UNKNOWN: Final = operation_of("POST", "/v1/batches", ())

HAIKU: Final = Tool("haiku", "openai", "small", model="haiku-4-5")
OPUS: Final = Tool("opus", "openai", "frontier", model="opus-4-6")
CLAUDE: Final = Tool("claude", "anthropic", "frontier", model="claude-opus")
RULES: Final = Tool("rules", "rules", "none", data_class="restricted", file="rules.toml")
CASCADE: Final = Tool("thrifty", "cascade", first="haiku", then="opus")
UPSTREAM: Final = Tool("openai", "openai")
TOOLS: Final = (HAIKU, OPUS, CLAUDE, RULES, CASCADE, UPSTREAM)
ROUTE: Final = Route(
    "replies",
    "enforce",
    owner="lead@example.com",
    tool="haiku",
    fallbacks=("opus",),
    old_tool="opus",
    team="support",
)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def key(key_id: str = "aaaabbbb", secret: str = SECRET, **said: Any) -> GatewayKey:
    of: dict[str, Any] = said if "team" in said else {"workflow": "replies", **said}
    return GatewayKey(key_id, hash_of(secret), **of)


def token(key_id: str = "aaaabbbb", secret: str = SECRET) -> bytes:
    return f"cb_{key_id}_{secret}".encode()


def table(*routes: Route, tools: tuple[Tool, ...] = TOOLS, **changed: Any) -> RouteTable:
    """Return a table with one key; `settings` changes those of the gateway."""
    settings: Mapping[str, Any] = changed.pop("settings", {})
    named = {each.name: each for each in tools}
    upstreams = tuple(name for name in ("openai", "anthropic") if name in named)
    made = RouteTable(
        generation=1,
        made_at=NOW,
        routes={each.workflow: each for each in routes or (ROUTE,)},
        tools=named,
        keys={"aaaabbbb": key()},
        settings=replace(GatewaySettings(upstreams=upstreams), **settings),
    )
    return replace(made, **changed)


def ring(made: RouteTable) -> KeyRing:
    return KeyRing(made.keys)


def route(**changed: Any) -> Route:
    return replace(ROUTE, **changed)


def caller(**changed: Any) -> Caller:
    return Caller("replies", "aaaabbbb")._replace(**changed)


def asked(model: str = "opus-4-6") -> Asked:
    return Asked(model=model)


def other(method: str, path: str) -> Operation:
    return operation_of(method, path, ())
