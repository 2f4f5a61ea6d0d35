"""How many connections a process can have: each takes one of the files that it may open."""

from __future__ import annotations

import resource
from typing import Final

_MOST: Final = 65_536
_OTHERS: Final = 128
"""For journals, stores and pipes."""


def raise_limit() -> int:
    """Let this process open as many files as it is allowed to; return how many.

    What a shell starts with is often 1,024, and a request in flight takes two.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most


def clients_that_fit(files: int) -> int:
    """Return for how many clients there is room, each with a connection to a tool."""
    return max((files - _OTHERS) // 2, 1)
