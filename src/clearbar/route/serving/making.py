"""Objects at the provider: whose those are that a request names, and which its answer has made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.budgets.holding import BudgetStoreError
from clearbar.route.serving.refusals import other_object
from clearbar.route.wire.stored import keeps_answer, told_by

if TYPE_CHECKING:
    from collections.abc import Collection

    from clearbar.route.route import Refusal
    from clearbar.route.serving.answering import Answering
    from clearbar.route.serving.call import Call
    from clearbar.route.serving.inquiry import Inquiry
    from clearbar.route.serving.means import Means
    from clearbar.route.wire.asked import Asked
    from clearbar.route.wire.operation import Operation


def made_by(inquiry: Inquiry, call: Call, answering: Answering, rest: bytes) -> Collection[str]:
    """Return the ids of what an answer tells of; empty where the request makes nothing.

    `rest` is its last piece. Of an answer that has begun to go out, only its own id is known.
    """
    if not inquiry.use.makes:
        return ()
    own = (call.upstream_id,) if call.upstream_id else ()
    if answering.started or b"json" not in answering.content_type:
        return own
    return {*own, *told_by(answering.gathered() + rest)}


async def refused_use(means: Means, inquiry: Inquiry) -> Refusal | None:
    """Return why a workflow may not use what it names; None where it has made all of it.

    Raises:
        BudgetStoreError: when the store cannot be read.
    """
    workflow, protocol = inquiry.caller.workflow, inquiry.operation.protocol
    owners, named = means.owners, inquiry.use.named
    if owners is not None and await owners.may_use(workflow, protocol, named):
        return None
    return other_object(workflow)


async def remember(means: Means, inquiry: Inquiry, made: Collection[str]) -> None:
    """Have the store know who made objects; where it fails, nobody will be let to them."""
    if means.owners is not None:
        protocol = inquiry.operation.protocol
        try:
            await means.owners.remember(inquiry.caller.workflow, protocol, made)
        except BudgetStoreError as error:
            means.note("owners", means.worker, error.message)


def note_kept(
    means: Means,
    operation: Operation,
    asked: Asked | None,
    workflow: str,
    answer_id: str,
    at_us: int,
) -> None:
    """Note whose an answer is that the provider keeps."""
    if answer_id and means.owners is not None and keeps_answer(operation.name, asked):
        means.owners.note_answer(workflow, operation.protocol, answer_id, at_us)
