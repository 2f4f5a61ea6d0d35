"""A certified cascade as it runs: the first tool's answer stands where it is sure enough.

The confidence is that of the trial: the first tool's own, or the share of other cheap tools that
gave the same answer, compared in the form in which the trial's grader compares answers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from clearbar.route.serving.local import ask_here
from clearbar.route.serving.whole import WholeAnswer, ask_whole

if TYPE_CHECKING:
    from clearbar.route.admit import Step
    from clearbar.route.serving.inquiry import Inquiry
    from clearbar.route.serving.means import Means
    from clearbar.route.watching.grading import Grading


async def ask_first(
    means: Means, inquiry: Inquiry, steps: tuple[Step, ...], threshold: float
) -> tuple[WholeAnswer, bool]:
    """Ask the first tool, and those that may agree; return its answer and whether it stands.

    `steps` are the first tool's and those of the tools that may agree, in this order.
    """
    asked = [_ask(means, inquiry, step, at) for at, step in enumerate(steps, 1)]
    first, *others = await asyncio.gather(*asked)
    sure = _confidence(first, others, means.in_force.gradings.get(inquiry.caller.workflow))
    return first, sure is not None and sure >= threshold


async def _ask(means: Means, inquiry: Inquiry, step: Step, attempt: int) -> WholeAnswer:
    tool = inquiry.force.table.tools[step.tool]
    if tool.name in inquiry.force.endpoints:
        if not means.breakers.lets(tool.name, means.loop.time()):
            return WholeAnswer(tool.name, what="it keeps failing, and is left alone for a while")
        found = await ask_whole(means, inquiry, tool, step.arm, attempt)
        if found.failed is not None:
            means.failed(tool.name, found.failed)
        elif found.text is not None:
            means.worked(tool.name)
        return found
    return await ask_here(means, inquiry, tool, step.arm, attempt)


def _confidence(
    first: WholeAnswer, others: list[WholeAnswer], grading: Grading | None
) -> float | None:
    """Return how sure the first answer is; None where that cannot be told."""
    if first.text is None:
        return None
    if not others:
        return first.confidence
    if grading is None:
        return None
    form = grading.form(first.text)
    same = sum(each.text is not None and grading.form(each.text) == form for each in others)
    return same / len(others) if form else None
