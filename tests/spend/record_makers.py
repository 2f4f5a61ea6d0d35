"""Records for tests: small, valid, easily varied."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from clearbar.spend.charge import Origin, Record

NOON_US = 1_790_000_000_000_000
"""A moment in September 2026, in microseconds."""

ORIGIN = Origin(source="litellm", provider="anthropic", model="claude-sonnet-4-5")


def record(identity: str = "upstream:msg_1", origin: Origin = ORIGIN, **values: Any) -> Record:
    given: dict[str, Any] = {
        "evidence": "gateway",
        "started_at_us": NOON_US,
        "input_tokens": 100,
        "output_tokens": 10,
    }
    told = repr((identity, origin, sorted(values.items())))
    digest = blake2b(told.encode(), digest_size=8).hexdigest()
    return Record(identity=identity, origin=origin, **({"digest": digest} | given | values))
