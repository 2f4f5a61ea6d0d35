"""Times as the store writes them: UTC, to the microsecond, so that texts sort as times do."""

from __future__ import annotations

from datetime import UTC, datetime


def time_text(at: datetime) -> str:
    """Return a time with a zone as the store writes it.

    Raises:
        ValueError: when it has no zone.
    """
    if at.tzinfo is None:
        raise ValueError("a time needs a zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def time(text: str) -> datetime:
    """Return the time that `time_text` wrote."""
    return datetime.fromisoformat(text)
