"""Who bills for an answer in OpenAI's shape: OpenAI, Azure, or one of the many that speak like it.

Told where it is certain, from the strongest sign to the weakest; otherwise empty. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from clearbar.spend.shapes.provider_names import provider_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.spend.shapes.answer_context import Around

_ADDRESSES: Final = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    (".cognitiveservices.azure.com", "azure"),
    (".services.ai.azure.com", "azure"),
    ("openrouter.ai", "openrouter"),
    ("api.groq.com", "groq"),
    ("api.mistral.ai", "mistral"),
    ("api.deepseek.com", "deepseek"),
    ("api.x.ai", "x-ai"),
    ("api.together.xyz", "together"),
    ("api.fireworks.ai", "fireworks"),
    ("api.perplexity.ai", "perplexity"),
    ("api.cerebras.ai", "cerebras"),
    ("api.moonshot.ai", "moonshotai"),
    ("generativelanguage.googleapis.com", "google"),
)
_OWN_MODELS: Final = re.compile(
    r"(?:ft:)?(?:gpt-(?!oss)|chatgpt-|o[134](?:-|$)|text-embedding-(?:3|ada)|whisper-1$|tts-1"
    r"|dall-e-|omni-moderation|text-moderation|codex-mini|computer-use-preview"
    r"|davinci-002|babbage-002)"
)
"""Models that only OpenAI serves, and Azure, which gives itself away by its filters."""
_HOST: Final = re.compile(r"https?://([^/:?#\s]+)")


def host_of(answer: Mapping[str, Any], around: Around) -> str:
    """Return who bills for an answer, as the price book names it; empty where that is not told."""
    answer_id = answer.get("id")
    if isinstance(answer_id, str) and answer_id.startswith("gen-"):
        return "openrouter"
    if filters_of_azure(answer):
        return "azure"
    if "x_groq" in answer:
        return "groq"
    if around.provider:
        return provider_named(around.provider)
    return _at(around.address) or _by_model(answer.get("model") or around.model)


def filters_of_azure(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer holds what only Azure's content filters write."""
    if "prompt_filter_results" in answer or "content_filters" in answer:
        return True
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(first, dict) and "content_filter_results" in first


def _at(address: str) -> str:
    found = _HOST.match(address) if address else None
    if not found:
        return ""
    host = found[1].lower()
    return next((name for end, name in _ADDRESSES if host.endswith(end)), "")


def _by_model(model: object) -> str:
    return "openai" if isinstance(model, str) and _OWN_MODELS.match(model) else ""
