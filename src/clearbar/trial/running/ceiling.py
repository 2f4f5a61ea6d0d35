"""What a call of a trial costs, and the most that it can cost, which is reserved before it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from clearbar.spend.shapes.provider_names import service_tier_named
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
_SERVED: Final = ("service_tier", "speed", "inference_geo")
"""Settings that say how a call is to be served, on which its price may depend."""
_AS_USUAL: Final = "standard_only"
_CACHING: Final = "cache_control"
_CACHE_WRITES: Final = ("cache_write_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens")
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

        A token is at least one byte of what is sent: prompt, input and settings, which may hold
        schemas and examples. A setting that asks to be served at another price is priced so, and
        one that asks to cache is priced as if all were written to the cache. The output is limited
        by the settings; where they name no limit, by an assumed one, which a longer answer exceeds.
        """
        if isinstance(tool.cost, TokenPrice) and tool.kind not in PROTOCOLS:
            return None  # it reports no tokens
        asked = _bytes_of(request.prompt) + _bytes_of(request.input) + _TEMPLATE_TOKENS
        told = [each for each in tool.settings.values() if not isinstance(each, int | float)]
        asked += len(msgspec.json.encode(told)) if told else 0
        usages = [TokenUsage(input_tokens=asked, output_tokens=output_limit(tool))]
        if _CACHING in tool.settings:
            usages += _cached(usages[0])
        return self._dearest(tool, usages, at)

    def _dearest(self, tool: Tool, usages: list[TokenUsage], at: datetime) -> Decimal | None:
        """Return the most that any of some usages costs, served as asked for or as usual."""
        ways = [_served(tool), Answer("")]
        costs = [
            [cost_usd(tool, replace(way, usage=usage), self._rates, at) for usage in usages]
            for way in ways
        ]
        known = [each for row in costs for each in row if each is not None]
        return None if any(row[0] is None for row in costs) else max(known)


def output_limit(tool: Tool) -> int:
    """Return the most tokens that a tool answers with, by its settings."""
    assumed = DEFAULT_MAX_TOKENS if tool.kind == "anthropic" else ASSUMED_OUTPUT_TOKENS
    return max(_limits(tool), default=assumed)


def has_output_limit(tool: Tool) -> bool:
    """Return whether the output of a tool is limited, or its tokens do not matter.

    The Anthropic protocol has no request without a limit.
    """
    return bool(_limits(tool)) or tool.kind == "anthropic" or tool.kind not in PROTOCOLS


def _limits(tool: Tool) -> list[int]:
    """Return the limits that the settings name; to some servers -1 means none."""
    told = (tool.settings.get(name) for name in _LIMITS)
    return [each for each in told if type(each) is int and each > 0]


def _bytes_of(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _cached(usage: TokenUsage) -> list[TokenUsage]:
    """Return the same with all input written to a cache, which may cost more than fresh input."""
    return [
        replace(usage, input_tokens=0, **{meter: usage.input_tokens}) for meter in _CACHE_WRITES
    ]


def _served(tool: Tool) -> Answer:
    """Return an answer that was served as the settings ask."""
    tier, speed, geo = (str(tool.settings.get(name, "")) for name in _SERVED)
    tier = "" if tier == _AS_USUAL else service_tier_named(tier)
    return Answer("", service_tier=tier, speed=speed, geo=geo)
