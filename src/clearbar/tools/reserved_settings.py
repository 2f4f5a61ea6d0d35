"""What a request says of itself, so that settings may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

RESERVED_SETTINGS: Final = frozenset(
    {"model", "messages", "system", "stream", "stream_options", "n"}
)
"""What a request says of itself; settings may not stand in for it."""


def reserved(settings: Collection[str]) -> list[str]:
    """Return the names among settings that are none."""
    return sorted(RESERVED_SETTINGS.intersection(settings))
