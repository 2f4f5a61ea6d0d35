"""A client's request as it was understood, and the money that a call for it may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from clearbar.route.budgets.account import Account
    from clearbar.route.http.message import Request
    from clearbar.route.prices import ToolPrices
    from clearbar.route.route import Caller, GatewaySettings
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked

NANO: Final = 10**9
LEAST_OUTPUT_TOKENS: Final = 256
"""No answer is capped to fewer tokens, or than the client's own limit: it is refused instead."""
MEDIA_TOKENS: Final = 20_000
"""Assumed of pictures, sound and files, whose tokens cannot be told from the bytes."""
STORED_TOKENS: Final = 100_000
"""Assumed of earlier turns that lie at the provider."""
_WITH_OUTPUT: Final = frozenset({"chat", "completions", "responses", "messages"})


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One request of a client, identified and read."""

    request: Request
    operation: Operation
    asked: Asked | None
    """None for what has no body to read."""
    caller: Caller
    request_id: str
    accounts: tuple[Account, ...]
    begun: bool
    """Whether its task or run has been charged before."""
    passes_credentials: bool
    at_us: int
    started_s: float
    """On the loop's clock."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What has to be held for a call: between `least_nusd` and `wanted_nusd`."""

    wanted_nusd: int
    least_nusd: int
    input_tokens: int
    """At most."""
    output_tokens: int
    """At most, over all choices; 0 where it answers with none."""
    choices: int
    prices: ToolPrices | None
    """None where no price is known, or none is needed."""
    fees_nusd: int = 0
    """Held for tools that the provider runs and charges for."""
    served: tuple[str, str] = ("", "")
    """Tier and speed that are asked for."""
    has_media: bool = False

    def cap(self, amount_nusd: int) -> int | None:
        """Return the limit for each choice that keeps the call within an amount; None: no limit."""
        if self.prices is None or not self.output_tokens:
            return None
        if amount_nusd >= self.wanted_nusd:
            return self.output_tokens // self.choices
        left = amount_nusd - self.fees_nusd
        fits = self.prices.output_tokens_for(
            self.input_tokens, left, *self.served, media=self.has_media
        )
        return fits // self.choices


FREE: Final = Claim(0, 0, 0, 0, 1, None)


def claim_of(
    operation: Operation,
    asked: Asked | None,
    prices: ToolPrices | None,
    settings: GatewaySettings,
    service_tier: str = "",
) -> Claim:
    """Return what a call may cost at most, and with the shortest answer that is worth having.

    `service_tier` is the one that the tool's own settings ask for, instead of the client's.
    """
    if not operation.spends:
        return FREE
    unpriced = int(settings.unpriced_usd * NANO)
    if asked is None or prices is None:
        return Claim(unpriced, unpriced, 0, 0, 1, None)
    read = asked.input_tokens
    read += (MEDIA_TOKENS if asked.has_media else 0) + (STORED_TOKENS if asked.has_stored else 0)
    choices = max(asked.choices, 1)
    each = least_each = 0
    if operation.name in _WITH_OUTPUT:
        each = settings.max_output_tokens if asked.max_tokens is None else asked.max_tokens
        least_each = min(each, max(LEAST_OUTPUT_TOKENS, asked.least_tokens))
    served = (service_tier or asked.service_tier, asked.speed)
    media = asked.has_media
    wanted = prices.worst_nusd(read, each * choices, *served, media=media)
    least = prices.worst_nusd(read, least_each * choices, *served, media=media)
    if wanted is None or least is None:
        return Claim(unpriced, unpriced, read, each * choices, choices, None)
    fees = unpriced if asked.has_fees else 0
    return Claim(
        wanted + fees, least + fees, read, each * choices, choices, prices, fees, served, media
    )
