"""A whole answer offered to those who look on: the shadow, and the capture of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.wire.texts import answer_text

if TYPE_CHECKING:
    from clearbar.route.admit import Admitted
    from clearbar.route.serving.inquiry import Inquiry
    from clearbar.route.serving.means import Means


def offer(
    means: Means,
    inquiry: Inquiry,
    admitted: Admitted,
    tool: str,
    copy: bytes,
    content_type: bytes,
    shadowed: bool,  # noqa: FBT001 - by position, as what stands before it
) -> None:
    """Offer what a tool answered; a fault is reported, and the answer goes out whatever it is."""
    try:
        _offer(means, inquiry, admitted, tool, answer_text(inquiry.operation, copy, content_type),
               shadowed)  # fmt: skip
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
