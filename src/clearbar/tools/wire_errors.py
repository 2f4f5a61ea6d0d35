"""What the error object of either protocol means, in words of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.tools.wire_usage import as_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.tools.tool import TokenUsage


class NotAnAnswer(Exception):  # noqa: N818 - it is not always an error of ours
    """A body that holds no answer, in plain words that quote nothing of it."""

    def __init__(
        self,
        what: str,
        *,
        retry: bool = True,
        usage: TokenUsage | None = None,
        upstream_id: str = "",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.retry = retry
        self.usage = usage
        """What was used all the same, where the body says so."""
        self.upstream_id = upstream_id


def is_error(body: Mapping[str, object]) -> bool:
    """Return whether a body, or an event, is the error object of either protocol."""
    return body.get("type") == "error" or bool(body.get("error"))


def error_of(body: Mapping[str, object]) -> NotAnAnswer | None:
    """Return what an error object means, None where its type and code are not known.

    The words are ours: its own may quote the request.
    """
    error = as_object(body.get("error"))
    for name in (error.get("code"), error.get("type")):
        if isinstance(name, str) and name in _ERRORS:
            what, retry = _ERRORS[name]
            return NotAnAnswer(what, retry=retry)
    return None


UNKNOWN_ERROR: Final = "the endpoint reported an error"
_TOO_LONG: Final = ("the input is too long for the model", False)
_FILTERED: Final = ("the endpoint refused the input by its content rules", False)
_NO_MODEL: Final = ("the endpoint does not know the model", False)
_BAD_KEY: Final = ("the endpoint did not accept the key", False)
_NO_MONEY: Final = ("the account has no quota or credit left", False)
_TOO_MANY: Final = ("the endpoint asked to slow down", True)
_ERRORS: Final[Mapping[str, tuple[str, bool]]] = {
    "context_length_exceeded": _TOO_LONG,
    "exceed_context_size_error": _TOO_LONG,
    "request_too_large": _TOO_LONG,
    "content_filter": _FILTERED,
    "content_policy_violation": _FILTERED,
    "model_not_found": _NO_MODEL,
    "not_found_error": _NO_MODEL,
    "invalid_api_key": _BAD_KEY,
    "authentication_error": _BAD_KEY,
    "permission_error": ("the key may not use this model", False),
    "insufficient_quota": _NO_MONEY,
    "billing_error": _NO_MONEY,
    "billing_hard_limit_reached": _NO_MONEY,
    "rate_limit_error": _TOO_MANY,
    "rate_limit_exceeded": _TOO_MANY,
    "overloaded_error": ("the endpoint is overloaded", True),
    "invalid_request_error": ("the endpoint did not accept the request", False),
}
"""Type or code of an error -> what it means, and whether asking again may help."""
