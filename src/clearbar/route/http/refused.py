"""Why the server side turns a request away before anybody sees it."""

from __future__ import annotations

from functools import cached_property

import msgspec


class Refused(Exception):  # noqa: N818 - the fault is the client's
    """A request that is not taken. Its words quote nothing that was received."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @cached_property
    def body(self) -> bytes:
        """An error that clients of both protocols can read: which was meant is not known here."""
        error = {
            "type": "invalid_request_error",
            "code": self.code,
            "message": self.message,
            "param": None,
        }
        return msgspec.json.encode({"type": "error", "error": error})


def malformed(what: str) -> Refused:
    """Return the refusal of what is no clean HTTP/1.1: the connection cannot be trusted on."""
    return Refused(400, "bad_request", f"{what}; send a well-formed request of HTTP/1.1")
