"""A client's request as it was understood, and the money that a call for it may cost."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from clearbar.route.wire.asked import BadBody
from clearbar.route.wire.fields import FIELDS
from clearbar.route.wire.stored import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.route.budgets.account import Account
    from clearbar.route.http.message import Request
    from clearbar.route.prices import ToolPrices
    from clearbar.route.route import Caller, GatewaySettings
    from clearbar.route.serving.known_head import KnownHead
    from clearbar.route.serving.means import InForce
    from clearbar.route.wire.operation import Operation
    from clearbar.route.wire.reading import Asked
    from clearbar.route.wire.stored import Use

NANO: Final = 10**9
LEAST_OUTPUT_TOKENS: Final = 256
"""No answer is capped to fewer tokens, or than the client's own limit: it is refused instead."""
MEDIA_TOKENS: Final = 20_000
"""Assumed of pictures, sound and files, whose tokens cannot be told from the bytes."""
STORED_TOKENS: Final = 100_000
"""Assumed of earlier turns that lie at the provider."""
_WITH_OUTPUT: Final = frozenset({"chat", "completions", "responses", "messages"})


class Inquiry(NamedTuple):
    """One request of a client, identified and read."""

    request: Request
    operation: Operation
    asked: Asked | None
    """None for what has no body to read."""
    caller: Caller
    force: InForce
    """The table by which it was admitted: it also ends by that one."""
    enforced: bool
    """Whether its budgets may refuse and shorten it, and not only count."""
    request_id: str
    accounts: tuple[Account, ...]
    begun: bool
    """Whether its task or run has been charged before."""
    passes_credentials: bool
    at_us: int
    started_s: float
    """On the loop's clock."""
    known: KnownHead | None = None
    """What is known of its head; None for one that no client sent."""
    use: Use = NONE
    """What it does with objects that lie at the provider."""


class Claim(msgspec.Struct, frozen=True, gc=False):
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
    is_limited: bool = False
    """Whether the request itself limits its answer."""

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

    def limit_within(self, amount_nusd: int) -> int | None:
        """Return the limit to set so that the call stays within a hold; None for none to set."""
        if not amount_nusd or (cap := self.cap(amount_nusd)) is None:
            return None
        if self.is_limited and cap * self.choices >= self.output_tokens:
            return None
        return cap


FREE: Final = Claim(0, 0, 0, 0, 1, None)


def as_sent(operation: Operation, asked: Asked, settings: Mapping[str, object]) -> Asked:
    """Return what is asked for once a tool's settings stand in the body.

    Of two limits the higher one counts. A setting that cannot be read is left to the endpoint,
    which refuses it.
    """
    sent, fields = copy(asked), FIELDS.get(operation.name, {})
    for name, value in settings.items():
        said = _encoded(value)
        sent.input_tokens += len(name) + len(said)
        if name in fields:
            with suppress(BadBody):
                fields[name](sent, msgspec.Raw(said))
    return sent


def claim_of(
    operation: Operation,
    asked: Asked | None,
    prices: ToolPrices | None,
    settings: GatewaySettings,
) -> Claim:
    """Return what a call may cost at most, and with the shortest answer that is worth having."""
    if not operation.spends:
        return FREE
    if asked is None or prices is None:
        unpriced = _unpriced(settings)
        return Claim(unpriced, unpriced, 0, 0, 1, None)
    read = asked.input_tokens
    media, choices = asked.has_media, max(asked.choices, 1)
    read += (MEDIA_TOKENS if media else 0) + (STORED_TOKENS if asked.has_stored else 0)
    each = least_each = 0
    if operation.name in _WITH_OUTPUT:
        each = settings.max_output_tokens if asked.max_tokens is None else asked.max_tokens
        least_each = min(each, max(LEAST_OUTPUT_TOKENS, asked.least_tokens))
    served = (asked.service_tier, asked.speed)
    wanted = least = prices.worst_nusd(read, each * choices, *served, media=media)
    if least_each != each:
        least = prices.worst_nusd(read, least_each * choices, *served, media=media)
    if wanted is None or least is None:
        unpriced = _unpriced(settings)
        return Claim(unpriced, unpriced, read, each * choices, choices, None)
    fees = _unpriced(settings) if asked.has_fees else 0
    return Claim(
        wanted + fees,
        least + fees,
        read,
        each * choices,
        choices,
        prices,
        fees,
        served,
        media,
        asked.max_tokens is not None,
    )


def _unpriced(settings: GatewaySettings) -> int:
    return int(settings.unpriced_usd * NANO)


_encoded: Final = msgspec.json.Encoder(decimal_format="number").encode
