"""What calls of one tool cost, in whole nano-dollars, by whole numbers alone: for the hot path.

The same rule as the ledger's (`spend.pricing`) and that of trials (`tools.cost`), rounded up once,
to the next nano-dollar. Tests hold them equal. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from clearbar.spend.charge import (
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    INPUT_METERS,
    OUTPUT_METERS,
)
from clearbar.spend.prices.price_rate import (
    ALL_WEEKDAYS,
    AUDIO,
    WEEKDAYS,
    context_of,
    is_default_geo,
    tier_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

MOST_TOKENS: Final = 2**31 - 1
"""What a tool may answer that costs nothing per token."""
REST: Final = "*"
"""Any tier, speed or place that is not listed by name."""
WORST_WITHIN_US: Final = 31 * 86_400 * 1_000_000
"""Prices that begin so soon after the list was made count among the worst."""

SIZE_METERS: Final = frozenset((*INPUT_METERS, *CACHE_READ_METERS, *CACHE_WRITE_METERS))
_TEXT_METERS: Final = ("input_tokens", "cache_read_tokens", *CACHE_WRITE_METERS)
_DAY_US: Final = 86_400 * 1_000_000
_FIRST_WEEKDAY: Final = 3
"""Of 1970-01-01, a Thursday."""
_MOST_KINDS: Final = 256
_PER_NUSD: Final = 10**15
"""The smallest unit of money, 1e-24 dollars, in a nano-dollar."""
_AUDIO_SECONDS: Final = 9
"""Of which a row states the price of audio: a second's is no finite decimal."""


class Row(NamedTuple):
    """Prices within an interval, hours and a range of sizes, in whole units of money."""

    start_us: int
    end_us: int
    from_us: int
    """Of the UTC day, as `to_us`."""
    to_us: int
    over: int
    up_to: int
    prices: Mapping[str, int]
    """Meter -> price of one, of audio for nine seconds; reasoning where it differs from output."""
    fee: int
    """Of each call."""
    per_nusd: int
    """How many units a nano-dollar has."""
    least_seconds: int = 0
    weekdays: int = ALL_WEEKDAYS
    """Of the UTC day, a bit for each, the lowest for Monday."""


class Kinds(NamedTuple):
    """The rows of a model by tier, speed and place."""

    tiers: frozenset[str]
    speeds: frozenset[str]
    places: frozenset[str]
    rows: Mapping[tuple[str, str, str], Sequence[Row]]

    def find(self, service_tier: str, speed: str, geo: str) -> Sequence[Row]:
        """Return the rows of a call as it was served, or asked for."""
        tier, pace = tier_of(service_tier), context_of("", speed)
        place = "" if is_default_geo(geo) else geo.strip().lower()
        return self.rows.get(
            (
                tier if tier in self.tiers else REST,
                pace if pace in self.speeds else REST,
                place if place in self.places else REST,
            ),
            (),
        )


NO_KINDS: Final = Kinds(frozenset(), frozenset(), frozenset(), {})


class ToolPrices:
    """What calls of a tool with one model cost, by their tokens."""

    def __init__(self, kinds: Kinds, made_at_us: int, *, strict: bool = False) -> None:
        self.known = any(kinds.rows.values())
        """Whether there is any price."""
        self._kinds = kinds
        self._made_at_us = made_at_us
        self._strict = strict
        """Whether input and output must both be reported."""
        self._found: dict[tuple[str, str, str], Sequence[Row]] = {}
        self._worst: dict[tuple[str, str, bool], list[Worst]] = {}

    def cost_nusd(
        self,
        usage: Mapping[str, int],
        at_us: int,
        service_tier: str = "",
        speed: str = "",
        geo: str = "",
    ) -> int | None:
        """Return what a call cost that began at a time; None where that is not known.

        `usage` has the meters of `spend.charge`, disjoint; one that is not there is zero.
        """
        if not usage or (self._strict and not _tells_both(usage)):
            return None
        row = self._row(usage, at_us, (service_tier, speed, geo))
        if row is None:
            return None if any(usage.values()) else 0
        total = _total(row, usage)
        return None if total is None else -(-total // row.per_nusd)

    def worst_nusd(
        self,
        input_tokens: int,
        output_tokens: int,
        service_tier: str = "",
        speed: str = "",
        *,
        media: bool = False,
    ) -> int | None:
        """Return the most that a call can cost with so many tokens; None where nobody knows.

        All input may be written to a cache and all output may be reasoning; the place, the hour,
        and the size of the prompt up to `input_tokens`, are the dearest. `media` allows for images
        and sound. Searches and other fees that a call may run up are not in it.
        """
        most = None
        for each in self._worst_of(service_tier, speed, media=media):
            if each.takes(input_tokens, output_tokens):
                cost = each.nusd(input_tokens, output_tokens)
                if most is None or cost > most:
                    most = cost
        return most

    @property
    def worst(self) -> Worst | None:
        """The rule of the most that a call can cost for text, where there is one for all sizes."""
        found = self._worst_of("", "", media=False)
        alone = len(found) == 1 and found[0].takes(0, 0) and found[0].takes(1, 1)
        return found[0] if alone else None

    def output_tokens_for(
        self,
        input_tokens: int,
        amount_nusd: int,
        service_tier: str = "",
        speed: str = "",
        *,
        media: bool = False,
    ) -> int:
        """Return how many tokens an answer may have so that `worst_nusd` is within an amount.

        0 also where the input alone is too dear, or no price is known.
        """
        counts = [
            each.output_for(amount_nusd * each.per_nusd - each.input * input_tokens - each.fee)
            for each in self._worst_of(service_tier, speed, media=media)
            if each.takes(input_tokens, 1)
        ]
        return min(counts, default=0)

    def _row(self, usage: Mapping[str, int], at_us: int, kind: tuple[str, str, str]) -> Row | None:
        rows = self._found.get(kind)
        if rows is None:
            rows = self._kinds.find(*kind)
            if len(self._found) < _MOST_KINDS:
                self._found[kind] = rows
        size = 0
        for meter, count in usage.items():
            if meter in SIZE_METERS:
                size += count
        day, of_day = divmod(at_us, _DAY_US)
        weekday = (day + _FIRST_WEEKDAY) % len(WEEKDAYS)
        for row in rows:
            if (
                row.over < size <= row.up_to
                and row.start_us <= at_us < row.end_us
                and row.from_us <= of_day < row.to_us
                and row.weekdays >> weekday & 1
            ):
                return row
        return None

    def _worst_of(self, service_tier: str, speed: str, *, media: bool) -> list[Worst]:
        key = (service_tier, speed, media)
        found = self._worst.get(key)
        if found is None:
            latest = self._made_at_us + WORST_WITHIN_US
            found = _dearest(
                _worst(row, media=media)
                for place in (*self._kinds.places, REST)
                for row in self._kinds.find(service_tier, speed, place)
                if row.end_us > self._made_at_us and row.start_us < latest
            )
            if len(self._worst) < _MOST_KINDS:
                self._worst[key] = found
        return found


class FreePrices(ToolPrices):
    """Of a tool whose calls cost nothing more."""

    def __init__(self) -> None:
        super().__init__(NO_KINDS, 0)
        self.known = True

    def cost_nusd(self, *_: object, **__: object) -> int:
        """Return nothing, whatever was used."""
        return 0

    def worst_nusd(self, *_: object, **__: object) -> int:
        """Return nothing, whatever may be used."""
        return 0

    def output_tokens_for(self, *_: object, **__: object) -> int:
        """Return no limit."""
        return MOST_TOKENS


class GpuPrices(ToolPrices):
    """Of a tool that is paid by the hour of a GPU: by the share of it that the output took."""

    def __init__(self, usd_per_token: Fraction) -> None:
        super().__init__(NO_KINDS, 0)
        self.known = True
        self._up, self._down = (usd_per_token * _PER_NUSD * 10**9).as_integer_ratio()

    def cost_nusd(self, usage: Mapping[str, int], *_: object, **__: object) -> int | None:
        """Return what the output cost; None where it is not reported.

        As in trials, the quotient is rounded to 24 places, half to even, before it is rounded up.
        """
        if "output_tokens" not in usage:
            return None
        whole, rest = divmod(usage["output_tokens"] * self._up, self._down)
        if 2 * rest > self._down or (2 * rest == self._down and whole % 2):
            whole += 1
        return -(-whole // _PER_NUSD)

    def worst_nusd(self, input_tokens: int, output_tokens: int, *_: object, **__: object) -> int:
        """Return what the output costs."""
        del input_tokens
        return self.cost_nusd({"output_tokens": output_tokens}) or 0

    def output_tokens_for(
        self, input_tokens: int, amount_nusd: int, *_: object, **__: object
    ) -> int:
        """Return how many tokens an amount pays for."""
        del input_tokens
        return max(0, min(MOST_TOKENS, amount_nusd * _PER_NUSD * self._down // self._up))


class Worst(NamedTuple):
    """The dearest prices of a row."""

    over: int
    input: int
    output: int
    fee: int
    per_nusd: int
    has_input: bool
    has_output: bool

    def nusd(self, input_tokens: int, output_tokens: int) -> int:
        """Return what a call costs at most that it takes."""
        units = self.fee + self.input * input_tokens + self.output * output_tokens
        return -(-units // self.per_nusd)

    def takes(self, input_tokens: int, output_tokens: int) -> bool:
        """Return whether a call of at most so many tokens can be priced by it."""
        within = self.over < max(input_tokens, 0)
        priced = (self.has_input or not input_tokens) and (self.has_output or not output_tokens)
        return within and priced

    def output_for(self, units: int) -> int:
        """Return how many output tokens some units of money pay for."""
        if units < 0:
            return 0
        return min(MOST_TOKENS, units // self.output) if self.output else MOST_TOKENS

    def covers(self, other: Worst) -> bool:
        """Return whether it takes every call that another takes, at the same cost or more."""
        mine, theirs = other.per_nusd, self.per_nusd
        return (
            self.over <= other.over
            and self.has_input >= other.has_input
            and self.has_output >= other.has_output
            and self.fee * mine >= other.fee * theirs
            and self.input * mine >= other.input * theirs
            and self.output * mine >= other.output * theirs
        )


def _dearest(rows: Iterable[Worst]) -> list[Worst]:
    """Return the few rows that matter: no other one covers them."""
    kept: list[Worst] = []
    for row in rows:
        if not any(each.covers(row) for each in kept):
            kept = [each for each in kept if not row.covers(each)]
            kept.append(row)
    return kept


def _worst(row: Row, *, media: bool) -> Worst:
    prices = row.prices
    inputs = SIZE_METERS if media else _TEXT_METERS
    outputs = OUTPUT_METERS if media else ("output_tokens",)
    return Worst(
        row.over,
        max((prices.get(meter, 0) for meter in inputs), default=0),
        max(prices.get(meter, 0) for meter in (*outputs, "reasoning_tokens")),
        row.fee,
        row.per_nusd,
        "input_tokens" in prices,
        "output_tokens" in prices,
    )


def _total(row: Row, usage: Mapping[str, int]) -> int | None:
    """Return the cost in the row's units; None where something used has no price."""
    prices = row.prices
    total = row.fee
    for meter, count in usage.items():
        if count and meter != "reasoning_tokens":
            price = prices.get(meter)
            if price is None:
                return None
            total += price * count if meter != AUDIO else _audio(row, count)
    reasoning = usage.get("reasoning_tokens")
    if reasoning and "reasoning_tokens" in prices:
        if reasoning > usage.get("output_tokens", 0):
            return None
        total += reasoning * (prices["reasoning_tokens"] - prices.get("output_tokens", 0))
    return total


def _audio(row: Row, seconds: int) -> int:
    """Return the cost of audio, to the nearest unit, as the ledger has it."""
    price = row.prices[AUDIO] * max(seconds, row.least_seconds)
    return (price + _AUDIO_SECONDS // 2) // _AUDIO_SECONDS


def _tells_both(usage: Mapping[str, int]) -> bool:
    return "input_tokens" in usage and "output_tokens" in usage
