"""What makes two records the same charge: the first of these that a source knows.

upstream   the provider's id of the answer (msg_, chatcmpl-, resp_, gen-, ...)
gateway    the gateway's id of the request
span       trace and span id
client     the client log's own key
bucket     an aggregate's natural key: a later reading replaces, never adds
content    a hash of what the record says; weak: two equal calls would count once
"""

from __future__ import annotations

import hashlib
from typing import Final

PROVIDER_PREFIXES: Final = ("msg_", "chatcmpl-", "resp_", "gen-", "cmpl-")
"""Of ids that are unique over all providers."""


def is_provider_id(text: str) -> bool:
    """Return whether an id has a form that only a provider gives, whoever relays it."""
    return text.startswith(PROVIDER_PREFIXES)


def upstream(provider: str, upstream_id: str) -> str:
    """Return the identity by the provider's own id.

    An id with a well-known random prefix is the same call whoever relays it, so that a gateway
    that says `azure` and a trace that says `openai` agree; any other is scoped by its provider.
    """
    if is_provider_id(upstream_id):
        return f"upstream:{upstream_id}"
    return f"upstream:{provider}:{upstream_id}"


def gateway(name: str, request_id: str) -> str:
    """Return the identity by a gateway's id of the request."""
    return f"gateway:{name}:{request_id}"


def span(trace_id: str, span_id: str) -> str:
    """Return the identity by trace and span."""
    return f"span:{trace_id.lower()}:{span_id.lower()}"


def client(program: str, key: str) -> str:
    """Return the identity by a client log's own key."""
    return f"client:{program}:{key}"


def bucket(source: str, account: str, start_us: int, width_us: int, *dimensions: str) -> str:
    """Return the identity of an aggregate: its natural key."""
    key = "\x1f".join((account, str(start_us), str(width_us), *dimensions))
    return f"bucket:{source}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def content(source: str, *parts: str) -> str:
    """Return the weak identity of a record that names no id: a hash of what it says."""
    return f"content:{source}:{hashlib.sha256(chr(31).join(parts).encode()).hexdigest()[:32]}"


def alias_text(*identities: str) -> str:
    """Return other identities of one call as the one text that `Record.aliases` holds."""
    return "\n".join(sorted({each for each in identities if each}))


def aliases_of(text: str) -> list[str]:
    """Return the identities that `alias_text` wrote."""
    return text.split("\n") if text else []
