"""What a call cost that has ended, and what it used: reported, estimated, or unknown. Pure.

What is not known is never nothing: it costs what was held for the call, or would have been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from clearbar.route.journal.entry import Held, Known, Outcome
    from clearbar.route.serving.inquiry import Claim, Inquiry
    from clearbar.route.wire.asked import Asked
    from clearbar.route.wire.metering import Metered
    from clearbar.tools.tool import Tool

FIRST_WITHOUT_ANSWER: Final = 300
"""A redirect, which is not followed, answers as little as an error."""
MOST_COST_NUSD: Final = 10**14
"""No call costs a hundred thousand dollars: a reply that says so is not believed."""
BYTES_A_TOKEN: Final = 4
"""By which usage is estimated where none was reported: about right for English text."""
_Usage = tuple[dict[str, int], "Known"]


class Spent(NamedTuple):
    """As it stands in the journal."""

    usage: dict[str, int]
    known: Known
    cost_nusd: int
    priced: bool


def outcome_of(outcome: Outcome, status: int, metered: Metered | None) -> Outcome:
    """Return how a call ended: an answer may come whole and be an error all the same."""
    failed = status >= FIRST_WITHOUT_ANSWER or (metered is not None and metered.failed)
    return "error" if outcome == "ok" and failed else outcome


def spent_by(
    held: Held,
    claim: Claim,
    inquiry: Inquiry,
    tool: Tool,
    outcome: Outcome,
    status: int,
    metered: Metered | None,
    scale: float = 1.0,
) -> Spent:
    """Return what a call used and cost.

    `outcome` is that of `outcome_of`; `metered` is None where no answer began; `scale` is how many
    tokens a model writes for each one that it shows.
    """
    usage, known = _usage(inquiry, outcome, status, metered)
    if known == "estimated" and (shown := usage.get("output_tokens")):
        usage["output_tokens"] = _written(shown, scale, held.output_tokens)
    nothing = outcome == "unsent" or not inquiry.operation.spends
    refused = known == "none" and (outcome == "error" or status >= FIRST_WITHOUT_ANSWER)
    if nothing or refused:
        return Spent(usage, known, 0, priced=True)
    unknown = held.amount_nusd or min(claim.wanted_nusd, MOST_COST_NUSD)
    if known == "none" or claim.prices is None:
        return Spent(usage, known, unknown, claim.prices is not None)
    prices, served = claim.prices, ("", "", "")
    if metered is not None:
        served = metered.service_tier, metered.speed, metered.geo
        if metered.model and metered.model != held.model:
            prices = inquiry.force.prices.for_tool(tool, metered.model, held.model)
    cost = prices.cost_nusd(usage, held.at_us, *served)
    if cost is None:
        return Spent(usage, known, unknown, priced=False)
    if cost > MOST_COST_NUSD:
        return Spent({}, "none", unknown, priced=False)
    return Spent(usage, known, cost, priced=True)


def _written(shown: int, scale: float, limit: int) -> int:
    """Return how many tokens were written, at least one and within the limit of the answer."""
    written = max(round(shown * scale), 1)
    return max(min(written, limit), shown) if limit else written


def _usage(inquiry: Inquiry, outcome: Outcome, status: int, metered: Metered | None) -> _Usage:
    """Return the meters, and whether they were reported; estimated where tokens were spent."""
    asked = inquiry.asked
    if metered is not None and metered.usage is not None:
        return dict(metered.usage), "reported"
    if asked is None or metered is None or status >= FIRST_WITHOUT_ANSWER:
        return {}, "none"
    if not _tells(outcome, asked, metered, spends=inquiry.operation.spends):
        return {}, "none"
    estimate = {
        "input_tokens": asked.input_tokens // BYTES_A_TOKEN + 1,
        "output_tokens": metered.output_bytes // BYTES_A_TOKEN + 1,
    }
    return estimate | dict(metered.partial), "estimated"


def _tells(outcome: Outcome, asked: Asked, metered: Metered, *, spends: bool) -> bool:
    """Return whether what has come tells about how much was used.

    It does not where the answer comes later. A stream that ends in an error has used what it has
    said before; a whole answer that is an error has not.
    """
    if asked.in_background or not metered.output_bytes:
        return False
    if outcome == "error":
        return not metered.complete
    return outcome == "cut" or (outcome == "ok" and spends)
