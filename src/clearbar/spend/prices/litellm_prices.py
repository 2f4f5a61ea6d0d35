"""LiteLLM's table, `model_prices_and_context_window.json`: a second opinion, given as a file.

Its numbers are read from their digits, never as floats. It has no history: it says what holds when
it was written. A price of zero there means free or unknown, and cannot be told apart.

Never here: tool fees by search context, free quotas, off-peak windows, uplifts by place.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError
from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_MOST_BYTES: Final = 100_000_000
_MOST_USD: Final = Decimal(10_000)
_METERS: Final = {
    "input_cost_per_token": "input_tokens",
    "output_cost_per_token": "output_tokens",
    "cache_read_input_token_cost": "cache_read_tokens",
    "cache_creation_input_token_cost": "cache_write_5m_tokens",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_tokens",
    "output_cost_per_reasoning_token": "reasoning_tokens",
    "input_cost_per_audio_token": "input_audio_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "output_cost_per_image_token": "output_image_tokens",
}
_TIERS: Final = {"batches": "batch", "priority": "priority", "flex": "flex"}
_KEY: Final = re.compile(
    r"(?P<name>[a-z_]+?(?:_above_1hr)?)(?:_above_(?P<size>\d{1,5})k_tokens)?"
    r"(?:_(?P<tier>batches|priority|flex))?"
)
_VENDOR: Final = re.compile(r"^(vertex_ai)[-_].*$")


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """Under which a price holds."""

    service_tier: str = ""
    over: int = 0
    """More input than this many tokens; 0 for any."""


@dataclass(frozen=True, slots=True)
class ListedModel:
    """What the table says of one model."""

    name: str
    """Its key in the table."""
    provider: str
    """As the price book calls it."""
    prices: Mapping[tuple[str, Condition], Decimal] = field(default_factory=dict)
    """(Meter, condition) -> US dollars per token."""


class LiteLLMPrices:
    """The table, by names as charges report them."""

    def __init__(self, models: Mapping[str, ListedModel]) -> None:
        self._models = models

    def __len__(self) -> int:
        return len(self._models)

    def find(self, provider: str, model: str) -> ListedModel | None:
        """Return a model of a provider; None where the table has none that is surely it."""
        name = model.lower()
        for key in (name, *_paths(name), f"{provider}/{name}"):
            found = self._models.get(key)
            if found is not None and provider_named(found.provider) == provider:
                return found
        return next(
            (
                found
                for key in (f"{own}/{name.rpartition('/')[2]}" for own in _hosts(provider))
                if (found := self._models.get(key)) and found.provider == provider
            ),
            None,
        )


def read_litellm_prices(path: Path) -> LiteLLMPrices:
    """Return the table in a file. What is no model or no price in it is passed over.

    Raises:
        ClearbarError: when the file is no such table.
    """
    values = _values(path)
    models = {}
    for name, entry in values.items():
        if isinstance(entry, dict) and isinstance(entry.get("litellm_provider"), str):
            provider = provider_named(_VENDOR.sub(r"\1", entry["litellm_provider"]))
            prices = dict(_prices(entry))
            if prices:
                models[name.lower()] = ListedModel(name, provider, prices)
    if not models:
        raise _no_table(path)
    return LiteLLMPrices(models)


def _values(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ClearbarError(f"{path.name} is too large for a table of prices")
        values = json.loads(path.read_bytes(), parse_float=Decimal, parse_int=_whole)
    except OSError as error:
        said = error.strerror or str(error)
        raise ClearbarError(f"{path} cannot be read: {said}", "is this the file?") from error
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _no_table(path) from error
    if not isinstance(values, dict):
        raise _no_table(path)
    return values


def _whole(digits: str) -> Decimal:
    return Decimal(digits)


def _no_table(path: Path) -> ClearbarError:
    return ClearbarError(
        f"{path.name} is no table of prices",
        "give LiteLLM's model_prices_and_context_window.json",
    )


def _prices(entry: Mapping[str, Any]) -> Iterator[tuple[tuple[str, Condition], Decimal]]:
    for key, value in entry.items():
        found = _KEY.fullmatch(key)
        meter = _METERS.get(found["name"]) if found else None
        if found and meter and isinstance(value, Decimal) and 0 <= value <= _MOST_USD:
            size = int(found["size"] or 0) * 1000
            yield (meter, Condition(_TIERS.get(found["tier"] or "", ""), size)), value


def _paths(name: str) -> Iterator[str]:
    """Yield a path without its first parts: `openrouter/openai/gpt-4o` -> `openai/gpt-4o`."""
    while "/" in name:
        name = name.partition("/")[2]
        yield name


_HOSTS: Final = {
    "google": ("gemini", "vertex_ai"),
    "aws": ("bedrock", "bedrock_converse"),
    "azure": ("azure", "azure_ai"),
    "x-ai": ("xai",),
    "fireworks": ("fireworks_ai", "fireworks_ai/accounts/fireworks/models"),
    "together": ("together_ai",),
    "moonshotai": ("moonshot",),
    "voyageai": ("voyage",),
    "github-copilot": ("github_copilot",),
}


def _hosts(provider: str) -> tuple[str, ...]:
    """Return what stands before a provider's models in the table."""
    return (provider, *_HOSTS.get(provider, ()))
