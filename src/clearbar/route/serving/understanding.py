"""From the bytes of a request to what it asks, whose it is, and by which tools it may be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from clearbar.route.route import Refusal
from clearbar.route.serving import refusals
from clearbar.route.serving.inquiry import Inquiry
from clearbar.route.serving.known_head import known_head
from clearbar.route.wire.reading import BadBody, read_body
from clearbar.route.wire.stored import NONE, use_of

if TYPE_CHECKING:
    from clearbar.route.admit import Admitted
    from clearbar.route.http.message import Request
    from clearbar.route.identity import Identified
    from clearbar.route.serving.means import InForce, Means
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked
    from clearbar.route.wire.stored import Use


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
    enforced = admitted.route.mode == "enforce"
    accounts = force.accounts.at_us(caller, now_us) if operation.spends else ()
    use = _use(request, operation, asked, force)
    if use is not NONE and _with_own_credentials(identified, admitted, force):
        use = NONE
    if refusal := _refused(operation, use, held=enforced and bool(accounts)):
        return refusal
    inquiry = Inquiry(
        request,
        operation,
        asked,
        caller,
        force,
        enforced,
        request_id,
        accounts,
        begun,
        identified.passes_credentials,
        now_us,
        means.loop.time(),
        head,
        use,
    )
    return inquiry, admitted


def _refused(operation: Operation, use: Use, *, held: bool) -> Refusal | None:
    """Return why what is to be done at the provider cannot be; `held`: a budget is to hold."""
    if operation.unmetered and held:
        return refusals.unmetered()
    if use.lists:
        return refusals.lists_objects()
    return refusals.too_many_objects() if use.too_many else None


def _use(request: Request, operation: Operation, asked: Asked | None, force: InForce) -> Use:
    """Return what a request does with objects that workflows do not share."""
    if force.table.settings.shared_objects:
        return NONE
    return use_of(request.method, operation, asked, request.body)


def _with_own_credentials(identified: Identified, admitted: Admitted, force: InForce) -> bool:
    """Return whether objects are those of the client's own account, and not of the gateway's."""
    upstreams = force.table.settings.upstreams
    return identified.passes_credentials and all(step.tool in upstreams for step in admitted.steps)


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
