"""What a call of a trial costs, and the most that it can cost, which is reserved before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from clearbar.tools.address import PROTOCOLS
from clearbar.tools.cost import cost_usd
from clearbar.tools.tool import Answer, TokenPrice, TokenUsage
from clearbar.tools.wire import DEFAULT_MAX_TOKENS

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from clearbar.tools.rates import Rates
    from clearbar.tools.tool import Failure, Request, Tool
    from clearbar.trial.attempts import CostSource

ASSUMED_OUTPUT_TOKENS: Final = 4096
"""The longest answer that is reserved for where a tool's settings name no limit."""
_LIMITS: Final = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_TEMPLATE_TOKENS: Final = 64
"""What a chat template may add around the prompt and the input."""


class Pricing:
    """The prices of a trial's calls. `rates` are those of the price book that the ledger uses."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates

    def cost(
        self, tool: Tool, found: Answer | Failure, at: datetime
    ) -> tuple[Decimal | None, CostSource]:
        """Return what a call cost and who says so; None where it is not known."""
        cost = cost_usd(tool, found, self._rates, at)
        if cost is None:
            return None, "none"
        price = tool.cost
        own = not isinstance(price, TokenPrice) or price != TokenPrice()
        return cost, "declared" if own else "book"

    def ceiling(self, tool: Tool, request: Request, at: datetime) -> Decimal | None:
        """Return the most that a call can cost; None where no price is known.

        A token is at least one byte of the input. The output is limited by the tool's settings;
        where they name no limit, by an assumed one, which a longer answer exceeds.
        """
        if isinstance(tool.cost, TokenPrice) and tool.kind not in PROTOCOLS:
            return None  # it reports no tokens
        asked = len(request.prompt.encode()) + len(request.input.encode()) + _TEMPLATE_TOKENS
        usage = TokenUsage(input_tokens=asked, output_tokens=output_limit(tool))
        return cost_usd(tool, Answer("", usage=usage), self._rates, at)


def output_limit(tool: Tool) -> int:
    """Return the most tokens that a tool answers with, by its settings."""
    told = [value for name in _LIMITS if isinstance(value := tool.settings.get(name), int)]
    return max(
        told, default=DEFAULT_MAX_TOKENS if tool.kind == "anthropic" else ASSUMED_OUTPUT_TOKENS
    )


def has_output_limit(tool: Tool) -> bool:
    """Return whether the output of a tool is limited, or its tokens do not matter.

    The Anthropic protocol has no request without a limit.
    """
    limited = any(name in tool.settings for name in _LIMITS)
    return limited or tool.kind == "anthropic" or tool.kind not in PROTOCOLS
