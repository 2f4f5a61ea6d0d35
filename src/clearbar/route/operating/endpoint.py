"""What an endpoint of the admin API is, and how it says that something is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from clearbar.route.operating.facts import AdminFacts
    from clearbar.route.operating.metrics import Metrics

Access = Literal["open", "metrics", "admin", "holder"]
"""open: anybody; metrics: anybody where the settings say so, else administrators; admin: who has
the admin token; holder: who has that or a gateway key."""
JSON: Final = "application/json"
TEXT: Final = "text/plain"
PROBLEM: Final = "application/problem+json"
TITLES: Final = {
    400: "Bad request",
    401: "Not authorised",
    403: "Refused",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    415: "Not JSON",
    422: "Declarations are wrong",
    429: "Over budget",
    500: "Internal error",
    503: "Not ready",
}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as RFC 9457 writes it."""

    title: str
    status: int
    detail: str
    code: str
    """One word of ours, which programs may compare."""
    hint: str = ""
    retry_after_s: int | None = None


class ProblemError(Exception):
    """A problem to be sent to the client."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        hint: str = "",
        retry_after_s: int | None = None,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(detail)
        self.headers = headers
        self.problem = Problem(
            title=TITLES.get(status, "Refused"),
            status=status,
            detail=detail,
            code=code,
            hint=hint,
            retry_after_s=retry_after_s,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to an endpoint, checked and read."""

    facts: AdminFacts
    metrics: Metrics
    document: bytes
    """The OpenAPI document."""
    names: Mapping[str, str]
    """The parts of the path that stand for something."""
    body: Any
    """Of the type that the endpoint declares."""
    key: str = field(repr=False)
    """The gateway key that asks; empty for an administrator."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method of one path. The OpenAPI document is made from the same values."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str
    summary: str
    call: Callable[[Asked], Awaitable[object]]
    """Returns a value of the type `reply`, or bytes for what is no JSON."""
    reply: Any
    access: Access = "admin"
    body: Any = None
    status: int = 200
    content_type: str = JSON
    errors: tuple[int, ...] = ()
    """Besides those that all have."""
    parts: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.path.split("/")))

    def names_in(self, parts: tuple[str, ...]) -> dict[str, str] | None:
        """Return what stands for the names of the path; None where the path is another."""
        if len(parts) != len(self.parts):
            return None
        found = {}
        for ours, theirs in zip(self.parts, parts, strict=True):
            if ours.startswith("{") and theirs:
                found[ours[1:-1]] = theirs
            elif ours != theirs:
                return None
        return found
