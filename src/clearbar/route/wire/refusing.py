"""A refusal in the error shape of the client's own protocol, so that its SDK raises what fits.

The SDKs choose the class by the HTTP status; programs look at type and code. OpenAI's code is
ours (`over_budget`), its type one of OpenAI's; Anthropic has a type alone. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.route import Refusal
    from clearbar.tools.address import Protocol

_TOO_MANY: Final = 429
_SERVER: Final = 500


def error_body(protocol: Protocol, refusal: Refusal, request_id: str) -> bytes:
    """Return the body of a reply that refuses."""
    return _encode(_error(protocol, refusal, request_id))


def error_event(protocol: Protocol, refusal: Refusal, request_id: str) -> bytes:
    """Return the event that ends a stream which cannot go on."""
    body = error_body(protocol, refusal, request_id)
    if protocol == "anthropic":
        return b"event: error\ndata: " + body + b"\n\n"
    return b"data: " + body + b"\n\n"


def _error(protocol: Protocol, refusal: Refusal, request_id: str) -> dict[str, object]:
    if protocol == "anthropic":
        error = {"type": _type(refusal, _ANTHROPIC, "billing_error"), "message": refusal.message}
        return {"type": "error", "error": error, "request_id": request_id}
    kind = _type(refusal, _OPENAI, "insufficient_quota")
    return {
        "error": {
            "message": refusal.message,
            "type": kind,
            "param": None,
            "code": refusal.code,
        }
    }


def _type(refusal: Refusal, types: Mapping[int, str], spent: str) -> str:
    """Return the protocol's type; a 429 that time alone does not mend is a matter of money."""
    if refusal.status == _TOO_MANY and refusal.retry_after_s is None:
        return spent
    other = types[_SERVER] if refusal.status >= _SERVER else types[400]
    return types.get(refusal.status, other)


_OPENAI: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "server_error",
}
_ANTHROPIC: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_encode: Final = msgspec.json.encode
