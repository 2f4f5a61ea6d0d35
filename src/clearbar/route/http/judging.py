"""What is said of the head of an upstream's reply: whether it can be taken, where its body ends.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clearbar.route.http.asking import BrokenKind
    from clearbar.route.http.limits import UpstreamLimits

LARGE_HEAD: Final = "the head of the upstream's reply is too large"
LARGE_BODY: Final = "the upstream's reply is too large"
_SWITCHING: Final = 101
_NO_BODY: Final = frozenset({204, 304})
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_CHUNKS: Final = [b"chunked"]


def fault_of_head(
    status: int,
    version: str,
    headers: Sequence[tuple[bytes, bytes]],
    head_bytes: int,
    limits: UpstreamLimits,
    *,
    silent: bool,
) -> tuple[BrokenKind, str] | None:
    """Return why a reply cannot be taken; None where it can.

    `head_bytes` is the size of the head, or a little more; a `silent` reply has no body, whatever
    its head says.
    """
    if len(headers) > limits.max_headers or (
        head_bytes > limits.max_head_bytes
        and sum([len(name) + len(value) + 4 for name, value in headers]) > limits.max_head_bytes
    ):
        return "too_large", LARGE_HEAD
    if status == _SWITCHING or version not in _VERSIONS:
        return "protocol", "the upstream speaks another protocol than HTTP/1.1"
    known = dict(headers)
    length = known.get(b"content-length")
    if length is not None:
        if int(length) > limits.max_reply_bytes and not silent:
            return "too_large", LARGE_BODY
    elif b"transfer-encoding" in known:
        codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
        if codings != _CHUNKS:
            return "protocol", "the upstream codes its reply otherwise than in chunks"
    return None


def ends_with_connection(status: int, headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Return whether nothing but the end of the connection tells where the body ends."""
    framed = {b"content-length", b"transfer-encoding"}
    return status not in _NO_BODY and framed.isdisjoint([name for name, _ in headers])
