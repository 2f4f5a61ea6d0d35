"""Refuses a request: a line in the journal, and an answer in the protocol's own error shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.journal.entry import Refused
from clearbar.route.serving import refusals
from clearbar.route.wire.refusing import error_body

if TYPE_CHECKING:
    from clearbar.route.http.message import Reply
    from clearbar.route.route import Caller, Refusal
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.operation import Operation

JSON: Final = (b"content-type", b"application/json")
_DO_NOT_RETRY: Final = (b"x-should-retry", b"false")
MOST_STRANGERS: Final = 100
"""Refusals in a second that are written down of those who gave no key: they could fill the disk."""
_SECOND_US: Final = 1_000_000


class Strangers:
    """Counts the refusals of a worker to those of whom nothing is known."""

    __slots__ = ("_left", "_second", "_unwritten")

    def __init__(self) -> None:
        self._second = 0
        self._left = MOST_STRANGERS
        self._unwritten = 0

    def may_write(self, means: Means, now_us: int) -> bool:
        """Return whether one more may be written; those that were not are noted as a number."""
        if self._second != now_us // _SECOND_US:
            self._second, self._left = now_us // _SECOND_US, MOST_STRANGERS
            if self._unwritten:
                means.note("refused_unwritten", means.worker, str(self._unwritten))
                self._unwritten = 0
        if not self._left:
            self._unwritten += 1
            return False
        self._left -= 1
        return True


def refuse(
    means: Means,
    reply: Reply,
    operation: Operation,
    caller: Caller | None,
    request_id: str,
    refusal: Refusal,
) -> None:
    """Refuse; `caller` is None where it is not known who asks.

    What can be tried again says when; of all else the client libraries are told not to. Where the
    disk is full, what room is left in the journal is for the ends of calls.
    """
    who = () if caller is None else (caller.workflow, caller.key, caller.team, caller.user)
    now_us = means.now_us()
    if means.journal.has_room and (who or means.strangers.may_write(means, now_us)):
        means.journal.append(
            Refused(now_us, request_id, refusal.code, refusal.status, operation.name, *who)
        )
    headers = [JSON, (b"x-clearbar-request-id", request_id.encode())]
    if refusal.retry_after_s is None:
        headers.append(_DO_NOT_RETRY)
    else:
        headers.append((b"retry-after", b"%d" % refusal.retry_after_s))
    reply.send(refusal.status, headers, error_body(operation.protocol, refusal, request_id))


def refusal_for(means: Means, error: BaseException) -> Refusal:
    """Return why a request is not served whose work has failed here."""
    if not isinstance(error, BudgetStoreError):
        return refusals.gateway_failed()
    means.note("budget_store", means.worker, error.message)
    return refusals.no_budget_store()
