"""A whole answer offered to those who look on: the shadow, and the capture of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.wire.texts import answer_text

if TYPE_CHECKING:
    from clearbar.route.admit import Admitted
    from clearbar.route.serving.answering import Answering
    from clearbar.route.serving.inquiry import Inquiry
    from clearbar.route.serving.means import Means


def offer(
    means: Means,
    inquiry: Inquiry,
    admitted: Admitted,
    tool: str,
    answering: Answering,
    shadowed: bool,  # noqa: FBT001 - by position, as what stands before it
) -> None:
    """Offer what a tool answered; a fault is reported, and the answer goes out whatever it is."""
    copy, kind = answering.copy(), answering.content_type
    if copy is None:
        return
    try:
        text = answer_text(inquiry.operation, copy, kind)
        _offer(means, inquiry, admitted, tool, text, shadowed)
    except Exception as error:  # noqa: BLE001 - as the docstring says
        means.report(error)


def _offer(
    means: Means,
    inquiry: Inquiry,
    admitted: Admitted,
    tool: str,
    text: str,
    shadowed: bool,  # noqa: FBT001 - as above
) -> None:
    operation, body = inquiry.operation, inquiry.request.body
    if shadowed and means.shadow is not None:
        means.shadow.offer(admitted.route, operation, body, text, tool)
    if admitted.route.capture is not None and means.capturing is not None:
        means.capturing.offer(
            admitted.route, inquiry.caller, operation, body, text, tool, inquiry.at_us
        )


def wants_shadow(means: Means, admitted: Admitted, draw: float | None) -> bool:
    """Return whether another tool is asked a copy of a request; None: it is drawn here."""
    if not admitted.shadow or means.shadow is None:
        return False
    return means.shadow.wants(admitted.route, means.draw() if draw is None else draw)
