"""Spend logs of a LiteLLM proxy: one JSON line a request, one file a month.

The input is inclusive of what a cache held, for every provider; the split stands in
`metadata.usage_object` only, and `metadata` is JSON inside a text. Each month's export begins with
the last day of the month before, so that neighbours overlap.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from clearbar.sample.exports import COMPRESSED_MONTHS, MONTHS, exported
from clearbar.sample.text_files import json_line, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clearbar.sample.calls import Call

_ANSWERED_BEFORE: Final = (2600, 310)
"""Tokens in and out that a row shows for a call which the gateway answered from its cache."""


def write_litellm(folder: Path, calls: Iterable[Call]) -> int:
    """Write the monthly exports below `folder`; return how many rows in them are broken."""
    in_order = sorted(calls, key=lambda call: call.started_at)
    broken = _broken_rows(next(call for call in reversed(in_order) if call.status == "ok"))
    for month in MONTHS:
        rows = [_row(call, _true_usage(call)) for call in exported(in_order, month)]
        rows += broken if month == MONTHS[-1] else []
        suffix = ".jsonl.gz" if month in COMPRESSED_MONTHS else ".jsonl"
        write_lines(folder / f"spend-logs-{month:%Y-%m}{suffix}", map(json_line, rows))
    return len(broken)


def request_id(call: Call) -> str:
    """Return the id that the gateway gives a request, and the answer carries on."""
    return f"chatcmpl-{call.call_id}"


def _broken_rows(call: Call) -> list[dict[str, Any]]:
    """Return a row with more cached input than input, and one with negative output."""
    usages = (_usage(call, 100, 10, cached=900), _usage(call, 900, -40, cached=0))
    return [
        _row(call, usage) | {"request_id": f"chatcmpl-broken-{index}"}
        for index, usage in enumerate(usages)
    ]


def _row(call: Call, usage: dict[str, Any]) -> dict[str, Any]:
    origin, ended_at = call.story.origin, call.started_at + timedelta(milliseconds=call.duration_ms)
    suffix = f"_cache_hit{call.started_at.timestamp():.3f}" if call.status == "cache_hit" else ""
    return {
        "request_id": request_id(call) + suffix,
        "session_id": call.task_id,
        "call_type": "acompletion",
        "api_key": sha256(origin["credential"].encode()).hexdigest(),
        "cache_hit": "True" if call.status == "cache_hit" else "False",
        "startTime": _time(call.started_at),
        "endTime": _time(ended_at),
        "completionStartTime": _time(ended_at),
        "model": call.step.model.name,
        "model_group": call.step.model.name,
        "custom_llm_provider": call.step.model.provider,
        "user": "default_user_id",
        "team_id": origin.get("team", ""),
        "organization_id": "",
        "metadata": _metadata(call, usage),
        "cache_key": "Cache OFF",
        "spend": float(call.cost_usd or 0),
        "total_tokens": usage["total_tokens"],
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "request_tags": msgspec.json.encode(_tags(call)).decode(),
        "end_user": "",
        "requester_ip_address": None,
        "messages": "{}",
        "response": "{}",
        "status": "failure" if call.status == "error" else "success",
        "agent_id": None,
    }


def _tags(call: Call) -> list[str]:
    return [tag for tag in call.story.origin.get("tag", "").split(",") if tag]


def _true_usage(call: Call) -> dict[str, Any]:
    if call.status == "cache_hit":
        return _usage(call, *_ANSWERED_BEFORE, cached=0)
    return _usage(call, call.tokens.input, call.tokens.output, cached=call.tokens.cache_read)


def _usage(call: Call, prompt: int, completion: int, *, cached: int) -> dict[str, Any]:
    usage: dict[str, Any] = {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens_details": None,
        "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": cached},
    }
    if call.step.model.provider == "anthropic":
        usage["cache_creation_input_tokens"] = call.tokens.cache_write
        usage["cache_read_input_tokens"] = cached
    return usage


def _metadata(call: Call, usage: dict[str, Any]) -> str:
    origin = call.story.origin
    metadata: dict[str, Any] = {
        "applied_guardrails": [],
        "usage_object": usage,
        "user_api_key_alias": origin["credential"],
        "user_api_key_team_id": origin.get("team"),
        "user_api_key_team_alias": origin.get("team"),
        "spend_logs_metadata": None,
        "attempted_retries": call.retries,
        "status": "failure" if call.status == "error" else "success",
    }
    return json_line(metadata).decode()


def _time(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"
