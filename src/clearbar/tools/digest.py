"""What a tool is, in one line: a certificate is stale when it changes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.core.money import plain

if TYPE_CHECKING:
    from clearbar.tools.tool import Tool

_NOT_OF_THE_TOOL: Final = frozenset({"line", "key_env", "concurrency", "requests_per_minute"})
"""Where it is declared, with whose key and at what pace it is asked: its answers stay the same."""


def tool_digest(tool: Tool, contents: str = "", parts: Sequence[str] = ()) -> str:
    """Return the SHA-256, in hexadecimal digits, of all that is declared of a tool.

    `contents` is the digest of what its file or program holds; `parts` are the digests of the tools
    that a cascade names, in their order.
    """
    declared = {
        field.name: _plain(getattr(tool, field.name))
        for field in fields(tool)
        if field.name not in _NOT_OF_THE_TOOL
    }
    whole = {"tool": declared, "contents": contents, "parts": list(parts)}
    return hashlib.sha256(_encoder.encode(whole)).hexdigest()


def _plain(value: object) -> object:
    """Return a value of which equal ones are written the same: 1.20 as 1.2, tuples as lists."""
    if isinstance(value, Decimal):
        return plain(value)
    if is_dataclass(value) and not isinstance(value, type):
        declared = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"kind": type(value).__name__, **declared}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    return value


_encoder: Final = msgspec.json.Encoder(order="deterministic")
