"""Ways to cut bytes into pieces, as networks do."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

cuts: Final = st.lists(st.integers(0, 10_000), max_size=12)


def pieces_of(payload: bytes, cut: list[int]) -> list[bytes]:
    """The bytes, cut at these places modulo their length."""
    at = sorted({place % (len(payload) + 1) for place in cut})
    return [payload[a:b] for a, b in zip([0, *at], [*at, len(payload)], strict=True)]
