"""The names under which OpenTelemetry programs say what a call of a model used, with their dates.

Nothing of it is stable: names move with each version of the conventions, and programs keep the old
ones for years. So each name stands here with who writes it and since when. Of several names of one
thing in one span, the first in this table counts.

Never here: names of messages, instructions, tool arguments. What is not in this table is not read,
and not stored by `clearbar spend receive`.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any, Final, NamedTuple

from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import fields, items
from clearbar.spend.shapes.provider_names import provider_named

Known = dict[str, Any]
"""Our name -> the value that a span, an event or a resource gives."""


class Name(NamedTuple):
    """One spelling of one thing."""

    ours: str
    theirs: str
    who: str
    """Whose convention: `semconv` is OpenTelemetry's own."""
    since: str
    """Year and month in which it came, as far as is known."""
    until: str = ""
    """Year and month in which another replaced it; it is met for years after."""


NAMES: Final = (
    Name("operation", "ai.operationId", "Vercel AI SDK", "2024-05"),
    Name("operation", "span.type", "Claude Code", "2026-01"),
    Name("operation", "gen_ai.operation.name", "semconv", "2024-08"),
    Name("operation", "llm.request.type", "OpenLLMetry", "2023-11"),
    Name("kind", "openinference.span.kind", "OpenInference", "2024-01"),
    Name("kind", "traceloop.span.kind", "OpenLLMetry", "2023-11"),
    Name("event", "event.name", "semconv, Claude Code, Copilot", "2024-04"),
    Name("provider", "gen_ai.provider.name", "semconv", "2025-08"),
    Name("provider", "gen_ai.system", "semconv", "2024-04", "2025-08"),
    Name("provider", "llm.provider", "OpenInference", "2024-10"),
    Name("provider", "llm.system", "OpenInference", "2024-10"),
    Name("provider", "ai.model.provider", "Vercel AI SDK", "2024-05"),
    Name("model", "gen_ai.response.model", "semconv", "2024-04"),
    Name("model", "llm.response.model_name", "OpenInference", "2026-03"),
    Name("model", "ai.response.model", "Vercel AI SDK", "2024-08"),
    Name("model", "gen_ai.request.model", "semconv", "2024-04"),
    Name("model", "llm.request.model_name", "OpenInference", "2026-03"),
    Name("model", "llm.model_name", "OpenInference", "2024-01"),
    Name("model", "ai.model.id", "Vercel AI SDK", "2024-05"),
    Name("model", "model", "Claude Code", "2025-05"),
    Name("response_id", "gen_ai.response.id", "semconv", "2024-04"),
    Name("response_id", "ai.response.id", "Vercel AI SDK", "2024-08"),
    Name("request_id", "request_id", "Claude Code", "2025-12"),
    Name("service_tier", "openai.response.service_tier", "semconv", "2025-06"),
    Name("service_tier", "gen_ai.openai.response.service_tier", "semconv", "2024-09", "2025-06"),
    Name("speed", "speed", "Claude Code", "2026-02"),
    Name("error", "error.type", "semconv", "2023-11"),
    Name("cost_usd", "gen_ai.usage.cost", "several", "2024-10"),
    Name("cost_usd", "llm.cost.total", "OpenInference", "2025-05"),
    Name("cost_usd", "cost_usd", "Claude Code", "2025-05"),
    Name("fresh_tokens", "input_tokens", "Claude Code", "2025-05"),
    Name("fresh_tokens", "ai.usage.inputTokenDetails.noCacheTokens", "Vercel AI SDK", "2025-12"),
    Name("input_tokens", "gen_ai.usage.input_tokens", "semconv", "2024-08"),
    Name("input_tokens", "gen_ai.usage.prompt_tokens", "semconv", "2024-04", "2024-08"),
    Name("input_tokens", "llm.usage.prompt_tokens", "OpenLLMetry", "2023-11", "2024-08"),
    Name("input_tokens", "llm.token_count.prompt", "OpenInference", "2024-01"),
    Name("input_tokens", "ai.usage.inputTokens", "Vercel AI SDK", "2025-07"),
    Name("input_tokens", "ai.usage.promptTokens", "Vercel AI SDK", "2024-05", "2025-07"),
    Name("input_tokens", "ai.usage.tokens", "Vercel AI SDK (embeddings)", "2024-05"),
    Name("cache_read_tokens", "gen_ai.usage.cache_read.input_tokens", "semconv", "2025-12"),
    Name("cache_read_tokens", "gen_ai.usage.cache_read_input_tokens", "OpenLLMetry", "2024-09"),
    Name("cache_read_tokens", "gen_ai.usage.cache_read_tokens", "Pydantic AI", "2025-08"),
    Name("cache_read_tokens", "gen_ai.usage.input_tokens.cached", "several", "2025-01"),
    Name("cache_read_tokens", "gen_ai.usage.input_cached_tokens", "several", "2025-01"),
    Name(
        "cache_read_tokens", "llm.token_count.prompt_details.cache_read", "OpenInference", "2025-02"
    ),
    Name(
        "cache_read_tokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "Vercel AI SDK",
        "2025-12",
    ),
    Name("cache_read_tokens", "ai.usage.cachedInputTokens", "Vercel AI SDK", "2025-07"),
    Name("cache_read_tokens", "cache_read_tokens", "Claude Code", "2025-05"),
    Name("cache_write_tokens", "gen_ai.usage.cache_creation.input_tokens", "semconv", "2025-12"),
    Name(
        "cache_write_tokens", "gen_ai.usage.cache_creation_input_tokens", "OpenLLMetry", "2024-09"
    ),
    Name("cache_write_tokens", "gen_ai.usage.cache_write.input_tokens", "Copilot", "2026-02"),
    Name("cache_write_tokens", "gen_ai.usage.cache_write_tokens", "Pydantic AI", "2025-08"),
    Name(
        "cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "OpenInference",
        "2025-02",
    ),
    Name(
        "cache_write_tokens",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
        "Vercel AI SDK",
        "2025-12",
    ),
    Name("cache_write_tokens", "cache_creation_tokens", "Claude Code", "2025-05"),
    Name("input_audio_tokens", "gen_ai.usage.audio.input_tokens", "semconv", "2026-03"),
    Name("input_audio_tokens", "llm.token_count.prompt_details.audio", "OpenInference", "2025-02"),
    Name("input_image_tokens", "gen_ai.usage.image.input_tokens", "semconv", "2026-03"),
    Name("input_video_tokens", "gen_ai.usage.video.input_tokens", "semconv", "2026-03"),
    Name("output_tokens", "gen_ai.usage.output_tokens", "semconv", "2024-08"),
    Name("output_tokens", "gen_ai.usage.completion_tokens", "semconv", "2024-04", "2024-08"),
    Name("output_tokens", "llm.usage.completion_tokens", "OpenLLMetry", "2023-11", "2024-08"),
    Name("output_tokens", "llm.token_count.completion", "OpenInference", "2024-01"),
    Name("output_tokens", "ai.usage.outputTokens", "Vercel AI SDK", "2025-07"),
    Name("output_tokens", "ai.usage.completionTokens", "Vercel AI SDK", "2024-05", "2025-07"),
    Name("output_tokens", "output_tokens", "Claude Code", "2025-05"),
    Name("output_audio_tokens", "gen_ai.usage.audio.output_tokens", "semconv", "2026-03"),
    Name(
        "output_audio_tokens",
        "llm.token_count.completion_details.audio",
        "OpenInference",
        "2025-02",
    ),
    Name("reasoning_tokens", "gen_ai.usage.reasoning.output_tokens", "semconv", "2026-01"),
    Name("reasoning_tokens", "gen_ai.usage.reasoning_tokens", "several", "2025-03"),
    Name(
        "reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "OpenInference",
        "2025-02",
    ),
    Name(
        "reasoning_tokens",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "Vercel AI SDK",
        "2025-12",
    ),
    Name("reasoning_tokens", "ai.usage.reasoningTokens", "Vercel AI SDK", "2025-07"),
    Name("total_tokens", "llm.token_count.total", "OpenInference", "2024-01"),
    Name("total_tokens", "gen_ai.usage.total_tokens", "several", "2024-04"),
    Name("total_tokens", "llm.usage.total_tokens", "OpenLLMetry", "2023-11"),
    Name("total_tokens", "ai.usage.totalTokens", "Vercel AI SDK", "2025-07"),
    Name("workflow", "clearbar.workflow", "Clearbar", "2026-10"),
    Name("workflow", "gen_ai.workflow.name", "semconv", "2026-03"),
    Name("workflow", "traceloop.workflow.name", "OpenLLMetry", "2023-11"),
    Name("agent", "gen_ai.agent.name", "semconv", "2025-03"),
    Name("agent", "agent.name", "OpenInference", "2025-06"),
    Name("agent", "gen_ai.agent.id", "semconv", "2025-03"),
    Name("task", "clearbar.task", "Clearbar", "2026-10"),
    Name("session", "gen_ai.conversation.id", "semconv", "2025-03"),
    Name("session", "session.id", "semconv", "2024-05"),
    Name("session", "copilot_chat.session_id", "Copilot", "2025-11"),
    Name("session", "copilot_chat.chat_session_id", "Copilot", "2025-11"),
    Name("principal", "user.id", "semconv", "2024-07"),
    Name("principal", "enduser.id", "semconv", "2021-01"),
    Name("principal", "user.account_uuid", "Claude Code", "2025-05"),
    Name("account", "organization.id", "Claude Code", "2025-05"),
    Name("service", "service.name", "semconv", "2020-01"),
    Name("environment", "deployment.environment.name", "semconv", "2024-08"),
    Name("environment", "deployment.environment", "semconv", "2020-01", "2024-08"),
    Name("sequence", "event.sequence", "Claude Code", "2025-12"),
    Name("duration_ms", "duration_ms", "Claude Code", "2025-05"),
)
"""Every attribute that is read, the first of a kind before the next."""

RANKS: Final = {
    name.theirs: (ours, rank)
    for ours, group in groupby(NAMES, key=lambda name: name.ours)
    for rank, name in enumerate(group)
}
"""Attribute -> what we call it, and how many other names go before this one."""
TOKENS: Final = tuple(dict.fromkeys(each.ours for each in NAMES if each.ours.endswith("_tokens")))
"""What is a quantity, under our names."""
MAX_VALUE_CHARS: Final = 1024
"""A longer value is no name, id or number, and is not taken."""

_INFERENCE: Final = frozenset(
    {"chat", "completion", "generate_content", "llm_request", "text_completion"}
)
_EMBEDDINGS: Final = frozenset({"embedding", "embeddings"})
_INNER: Final = {".doGenerate": "inference", ".doStream": "inference", ".doEmbed": "embeddings"}
"""Ends of the names of the Vercel AI SDK's own calls; without them, it is what encloses such."""
_KINDS: Final = {"LLM": "inference", "EMBEDDING": "embeddings"}
CLAUDE_CODE_SPAN: Final = "llm_request"
INFERENCE_EVENT: Final = "gen_ai.client.inference.operation.details"
CLAUDE_CODE_EVENTS: Final = frozenset({"api_request", "claude_code.api_request"})
EVENTS: Final = CLAUDE_CODE_EVENTS | {INFERENCE_EVENT}
"""The only events that tell of one call; those of turns and agents repeat the sums of many."""


def known(attributes: object) -> Known:
    """Return the attributes that we understand under our names, and no others.

    They are a list of keys and values as OTLP has it, or a plain object.
    """
    ranked: dict[str, tuple[int, Any]] = {}
    for key, value in _pairs(attributes):
        name, rank = RANKS.get(key, ("", 0))
        if name and _is_told(value) and rank <= ranked.get(name, (rank,))[0]:
            ranked[name] = (rank, value)
    return {name: value for name, (_, value) in ranked.items()}


def _pairs(attributes: object) -> list[tuple[str, Any]]:
    if isinstance(attributes, dict):
        return list(attributes.items())
    return [
        (text(each.get("key")), next(iter(fields(each.get("value")).values()), None))
        for each in map(fields, items(attributes))
    ]


def _is_told(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= MAX_VALUE_CHARS
    return value is not None and not isinstance(value, list | dict)


def provider_of(told: Known) -> str:
    """Return the provider as the price book names it; the Vercel AI SDK adds the kind of API."""
    plain = text(told.get("provider")).lower()
    vendor = plain.partition(".")[0]
    for name in (plain, plain.replace("-", "_"), vendor, vendor.replace("-", "_")):
        if (found := provider_named(name)) != name:
            return found
    return "google" if vendor.startswith("google_vertex") else vendor


def counts_beside(told: Known) -> bool:
    """Return whether the program reports input without what was cached, unlike the conventions.

    The Vercel AI SDK does, before its version 6, for providers that do; version 6 tells details.
    """
    provider = text(told.get("provider")).lower()
    is_one = "anthropic" in provider or "bedrock" in provider
    is_vercel = text(told.get("operation")).startswith("ai.")
    return is_vercel and is_one and "fresh_tokens" not in told


def has_usage(told: Known) -> bool:
    """Return whether any quantity is told."""
    return "input_tokens" in told or "output_tokens" in told or "fresh_tokens" in told


def bills(is_client: bool, told: Known) -> str:  # noqa: FBT001 - a fact of the span
    """Return `inference` or `embeddings` for a call of a model; empty for any other span."""
    operation, kind = text(told.get("operation")), text(told.get("kind"))
    if operation:
        return _of_operation(operation, told)
    if kind:
        return _KINDS.get(kind.upper(), "")
    return "inference" if is_client and "model" in told and has_usage(told) else ""


def _of_operation(operation: str, told: Known) -> str:
    if operation == CLAUDE_CODE_SPAN and "request_id" not in told and "response_id" not in told:
        return ""  # of Claude Code: the event of the same call could not be known for the same
    if operation in _INFERENCE:
        return "inference"
    if operation in _EMBEDDINGS:
        return "embeddings"
    return next((kind for end, kind in _INNER.items() if operation.endswith(end)), "")
