"""The price library asked one request at a time: the second opinion of our pricing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from genai_prices.data import providers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genai_prices.types import ModelInfo, Provider

CONTEXTS: dict[tuple[str, str], dict[str, str]] = {
    ("", ""): {},
    ("batch", ""): {"processing": "batch"},
    ("flex", ""): {"service_tier": "flex"},
    ("priority", ""): {"service_tier": "priority"},
    ("fast", ""): {"service_tier": "fast"},
    ("", "fast"): {"speed": "fast"},
}
"""(service tier, speed) of a charge -> the library's request context."""

_PARTS: dict[str, tuple[str, ...]] = {
    "input_tokens": ("input_tokens",),
    "input_audio_tokens": ("input_tokens", "input_audio_tokens"),
    "input_image_tokens": ("input_tokens", "input_image_tokens"),
    "input_video_tokens": ("input_tokens", "input_video_tokens"),
    "cache_read_tokens": ("input_tokens", "cache_read_tokens"),
    "cache_read_audio_tokens": (
        "input_tokens",
        "cache_read_tokens",
        "input_audio_tokens",
        "cache_audio_read_tokens",
    ),
    "cache_read_image_tokens": (
        "input_tokens",
        "cache_read_tokens",
        "input_image_tokens",
        "cache_image_read_tokens",
    ),
    "cache_write_5m_tokens": ("input_tokens", "cache_write_tokens", "cache_write_5m_tokens"),
    "cache_write_1h_tokens": ("input_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    "cache_write_tokens": ("input_tokens", "cache_write_tokens"),
    "output_tokens": ("output_tokens",),
    "output_audio_tokens": ("output_tokens", "output_audio_tokens"),
    "output_image_tokens": ("output_tokens", "output_image_tokens"),
    "reasoning_tokens": ("output_reasoning_tokens",),
    "web_searches": ("web_searches",),
    "file_searches": ("storage_searches",),
    "input_characters": ("input_characters",),
    "audio_seconds": ("audio_seconds", "input_audio_seconds"),
}
"""Our disjoint meter -> the library's inclusive counts in which it stands."""


@cache
def models() -> dict[str, tuple[Provider, ModelInfo]]:
    """Return price model -> the library's objects."""
    by_id = {provider.id: provider for provider in providers}
    own = {f"{p.id}/{model.id}": (p, model) for p in providers for model in p.models}
    lent = {
        f"{p.id}/{lender}/{model.id}": (p, model)
        for p in providers
        for lender in p.fallback_model_providers or ()
        for model in by_id[lender].models
    }
    assert not own.keys() & lent.keys()
    return own | lent


def inclusive(meters: Mapping[str, int | None]) -> dict[str, int]:
    usage: dict[str, int] = {}
    for meter, counts in _PARTS.items():
        for name in counts:
            usage[name] = usage.get(name, 0) + (meters.get(meter) or 0)
    return usage


def disjoint(usage: Mapping[str, int]) -> dict[str, int]:
    """Return our meters for the library's counts; what contradicts itself is a ValueError."""
    rest: dict[str, Any] = dict(usage)
    meters: dict[str, int] = {}
    nested_first = sorted(_PARTS.items(), key=lambda part: -len(part[1]))
    for meter, counts in nested_first:
        meters[meter] = rest.get(counts[-1], 0)
        for name in counts[:-1]:
            if meters[meter]:
                rest[name] = rest.get(name, 0) - meters[meter]
    if min(meters.values()) < 0:
        raise ValueError(usage)
    return meters


def cost(
    price_model: str,
    usage: Mapping[str, int],
    moment: datetime,
    context: Mapping[str, str] | None = None,
) -> Decimal:
    provider, model = models()[price_model]
    found = model.calc_price(
        usage,
        provider,
        genai_request_timestamp=moment.replace(tzinfo=UTC),
        price_context=context or {},
    )
    return found.total_price.quantize(Decimal("1e-24"))


def silently_free(price_model: str, meters: Mapping[str, int | None], moment: datetime) -> bool:
    """Whether the library takes nothing for a meter that was used."""
    return any(
        cost(price_model, inclusive({meter: count}), moment) == cost(price_model, {}, moment)
        for meter, count in meters.items()
        if count and meter != "reasoning_tokens"
    )


def honours(price_model: str, context: Mapping[str, str], moment: datetime) -> bool:
    """Whether the library has prices of its own for the context at that time."""
    provider, model = models()[price_model]
    own = any(model is each for each in provider.models)
    return not context or any(
        own
        and variant.when == context
        and (variant.constraint is None or variant.constraint.active(moment.replace(tzinfo=UTC)))
        for variant in model.price_variants or ()
    )
