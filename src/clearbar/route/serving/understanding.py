"""From the bytes of a request to what it asks, whose it is, and by which tools it may be served."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clearbar.route.identity import identify
from clearbar.route.route import Refusal
from clearbar.route.serving import refusals
from clearbar.route.serving.inquiry import Inquiry
from clearbar.route.wire.reading import BadBody, read_body

if TYPE_CHECKING:
    from clearbar.route.admit import Admitted
    from clearbar.route.budgets.account import Account
    from clearbar.route.http.message import Request
    from clearbar.route.route import Caller
    from clearbar.route.serving.means import InForce, Means
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked


def understand(
    means: Means, request: Request, operation: Operation, request_id: str, now_us: int
) -> tuple[Inquiry, Admitted] | Refusal:
    """Return the request understood and the steps of its route, or why it is not served."""
    force = means.in_force
    asked = _asked(operation, request)
    if isinstance(asked, Refusal):
        return asked
    identified = identify(
        request.headers,
        {} if asked is None else asked.metadata,
        "" if asked is None else asked.user,
        force.table,
        force.keys,
        means.ids,
    )
    if isinstance(identified, Refusal):
        return identified
    caller = identified.caller
    begun = means.allowance.has_begun(caller)
    admitted = force.admission.admit(caller, operation, asked, means.draw(), begun=begun)
    if isinstance(admitted, Refusal):
        return admitted
    inquiry = Inquiry(
        request,
        operation,
        asked,
        caller,
        request_id,
        _accounts(force, caller, now_us) if operation.spends else (),
        begun,
        identified.passes_credentials,
        now_us,
        means.loop.time(),
    )
    return inquiry, admitted


def _accounts(force: InForce, caller: Caller, now_us: int) -> tuple[Account, ...]:
    return force.accounts.of(caller, datetime.fromtimestamp(now_us / 1_000_000, UTC))


def _asked(operation: Operation, request: Request) -> Asked | Refusal | None:
    if operation.odd:
        return refusals.odd_path()
    if not request.body:
        return None
    if request.header(b"content-encoding") not in (None, b"identity"):
        return refusals.compressed()
    try:
        return read_body(operation, request.body)
    except BadBody as error:
        return refusals.bad_body(str(error))
