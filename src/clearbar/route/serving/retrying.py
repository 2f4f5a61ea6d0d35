"""Whether a failed call is worth another try, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from clearbar.core.retry_after import retry_after_s

if TYPE_CHECKING:
    from clearbar.route.http.upstream import Broken
    from clearbar.route.serving.headers import Headers

_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 529})
_FIRST_SERVER_ERROR: Final = 500
_LONGEST_WAIT_S: Final = 5.0
"""A client is not kept waiting for longer before another try."""
_FIRST_WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Failed:
    """What a call that brought no answer tells about the tool."""

    retry: bool
    """Whether the same tool may answer another try."""
    elsewhere: bool
    """Whether another tool may answer."""
    ill: bool
    """Whether it counts against the tool's breaker."""
    wait_s: float | None = None
    """What the endpoint asked for."""


def failed_with(status: int, headers: Headers, now_us: int) -> Failed:
    """Return what a status without an answer means."""
    if status not in _WORTH_ANOTHER_TRY:
        return Failed(retry=False, elsewhere=status >= _FIRST_SERVER_ERROR, ill=False)
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    wait = retry_after_s(named, datetime.fromtimestamp(now_us / 1e6, UTC))
    return Failed(
        retry=wait is None or wait <= _LONGEST_WAIT_S,
        elsewhere=True,
        ill=status >= _FIRST_SERVER_ERROR,
        wait_s=wait,
    )


def failed_by(broken: Broken) -> Failed:
    """Return what a broken connection means."""
    certain = broken.kind in ("tls", "too_large")
    return Failed(retry=not certain, elsewhere=broken.kind != "too_large", ill=True)


def wait_s(failed: Failed, attempt: int, draw: float) -> float:
    """Return how long to wait before another try: as asked, else doubling, with jitter."""
    usual = _FIRST_WAIT_S * 2.0 ** (attempt - 1) * (0.5 + draw)
    return min(max(failed.wait_s or 0.0, usual), _LONGEST_WAIT_S)
