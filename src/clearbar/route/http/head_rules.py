"""What of a request's head is refused though httptools lets it pass. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.http.refused import malformed

if TYPE_CHECKING:
    from clearbar.route.http.message import Headers

_METHODS: Final = {
    each.encode(): each for each in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
}
_OLD_METHODS: Final = frozenset({"GET", "POST", "HEAD"})
_ONCE: Final = frozenset(
    {
        b"api-key",
        b"authorization",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"proxy-authorization",
        b"traceparent",
        b"transfer-encoding",
        b"x-api-key",
        b"x-goog-api-key",
    }
)
"""Headers by which somebody decides: two of them could be two decisions."""
_OURS: Final = b"x-clearbar-"


def checked_method(method: bytes, version: str, target: bytes, host: bytes | None) -> str:
    """Return the method of a request whose first line, and host, may be taken.

    Raises:
        Refused: of one that may not.
    """
    found = _METHODS.get(method)
    if found is None:
        raise malformed("the method is not served")
    if version == "1.1":
        if not host:
            raise malformed("the request has no host")
    elif version != "1.0":
        raise malformed("the version of HTTP is not served")
    elif found not in _OLD_METHODS:
        raise malformed("HTTP/1.0 does not have this method")
    if target[:1] != b"/" and not (target == b"*" and found == "OPTIONS"):
        raise malformed("the target is not a path")
    if b"#" in target or not target.isascii():
        raise malformed("the target holds what no target may hold")
    return found


def check_repeated(headers: Headers) -> None:
    """Let a header stand twice only where nobody decides by it.

    Raises:
        Refused: where one does that may not.
    """
    seen: set[bytes] = set()
    for name, _ in headers:
        if name in seen and (name in _ONCE or name.startswith(_OURS)):
            raise malformed("a header that may stand once stands twice")
        seen.add(name)
