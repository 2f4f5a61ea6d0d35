"""Operations and bodies as clients send them, for these tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clearbar.route.wire.operation import operation_of

if TYPE_CHECKING:
    from clearbar.route.wire.operation import Operation

CHAT = operation_of("POST", "/v1/chat/completions", [])
COMPLETIONS = operation_of("POST", "/v1/completions", [])
RESPONSES = operation_of("POST", "/v1/responses", [])
EMBEDDINGS = operation_of("POST", "/v1/embeddings", [])
MESSAGES = operation_of("POST", "/v1/messages", [])
COUNT_TOKENS = operation_of("POST", "/v1/messages/count_tokens", [])
MODELS = operation_of("GET", "/v1/models", [])
OTHER = operation_of("POST", "/v1/images/generations", [])
SPENDING: list[Operation] = [CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, MESSAGES]


def compact(value: object) -> bytes:
    """JSON as the SDKs write it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def chat(**fields: Any) -> bytes:
    messages = [{"role": "user", "content": "Where is my parcel?"}]
    return compact({"model": "gpt-5-mini", "messages": messages, **fields})


def message(**fields: Any) -> bytes:
    messages = [{"role": "user", "content": "Where is my parcel?"}]
    asked = {"model": "claude-sonnet-4-5", "max_tokens": 500, "messages": messages, **fields}
    return compact(asked)


def response(**fields: Any) -> bytes:
    return compact({"model": "gpt-5-mini", "input": "Where is my parcel?", **fields})
