"""From the bytes of a request to what it asks, whose it is, and by which tools it may be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clearbar.route.route import Refusal
from clearbar.route.serving import refusals
from clearbar.route.serving.inquiry import Inquiry
from clearbar.route.serving.known_head import known_head
from clearbar.route.wire.reading import BadBody, read_body

if TYPE_CHECKING:
    from clearbar.route.admit import Admitted
    from clearbar.route.http.message import Request
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked


class Known(NamedTuple):
    """What is known of a request before it is understood."""

    asked: Asked | None
    """What its body says, where that has been read."""
    arm_draw: float
    """By which it stays on the old tool, where chance decides."""
    shadow_draw: float | None
    """By which another tool is asked a copy; None: not drawn yet."""


def understand(
    means: Means,
    request: Request,
    operation: Operation,
    request_id: str,
    now_us: int,
    known: Known,
) -> tuple[Inquiry, Admitted] | Refusal:
    """Return the request understood and the steps of its route, or why it is not served."""
    force = means.in_force
    asked = _asked(operation, request) if known.asked is None else known.asked
    if isinstance(asked, Refusal):
        return asked
    head = known_head(request, force)
    identified = head.identify(request, asked, force, means.ids)
    if isinstance(identified, Refusal):
        return identified
    caller = identified.caller
    begun = means.allowance.has_begun(caller)
    admitted = force.admission.admit(caller, operation, asked, known.arm_draw, begun=begun)
    if isinstance(admitted, Refusal):
        return admitted
    accounts = force.accounts.at_us(caller, now_us) if operation.spends else ()
    if operation.unmetered and accounts and admitted.route.mode == "enforce":
        return refusals.unmetered()
    inquiry = Inquiry(
        request,
        operation,
        asked,
        caller,
        force,
        admitted.route.mode == "enforce",
        request_id,
        accounts,
        begun,
        identified.passes_credentials,
        now_us,
        means.loop.time(),
        head,
    )
    return inquiry, admitted


def _asked(operation: Operation, request: Request) -> Asked | Refusal | None:
    if operation.odd:
        return refusals.odd_path()
    if operation.closed:
        return refusals.closed_path()
    if not request.body:
        return None
    if request.header(b"content-encoding") not in (None, b"identity"):
        return refusals.compressed()
    try:
        return read_body(operation, request.body)
    except BadBody as error:
        return refusals.bad_body(str(error))
