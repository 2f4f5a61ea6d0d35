"""Traces in OTLP JSON: one line a service and day, one span a call, one file a month.

The input is inclusive of what a cache held. Where an application names its workflow, it does so
on a span above the call, and that span repeats the sums of the calls below it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from clearbar.sample.exports import COMPRESSED_MONTHS, MONTHS
from clearbar.sample.text_files import json_line, write_lines
from clearbar.sample.write_litellm import request_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from clearbar.sample.calls import Call

_PROVIDERS: Final = {"google": "gcp.gemini"}
_CLIENT: Final = 3
_INTERNAL: Final = 1

_Value = str | int


def write_otlp(folder: Path, calls: Iterable[Call]) -> int:
    """Write the monthly exports below `folder`; return how many spans in them are broken."""
    groups: defaultdict[tuple[date, str], list[Call]] = defaultdict(list)
    for call in calls:
        groups[call.day, call.story.origin["service"]].append(call)
    days = sorted(groups)
    for month in MONTHS:
        of_month = [key for key in days if key[0].month == month.month]
        lines = [json_line(_export(groups[key], _spans(groups[key]))) for key in of_month]
        if month == MONTHS[-1]:
            last = groups[days[-1]]
            lines.append(json_line(_export(last, [_broken_span(last[-1])])))
        suffix = ".jsonl.gz" if month in COMPRESSED_MONTHS else ".jsonl"
        write_lines(folder / f"traces-{month:%Y-%m}{suffix}", lines)
    return 1


def _export(calls: list[Call], spans: list[dict[str, Any]]) -> dict[str, Any]:
    origin = calls[0].story.origin
    resource = {
        "service.name": origin["service"],
        "deployment.environment.name": origin.get("environment", "production"),
    }
    scope = {"scope": {"name": "genai-instrumentation", "version": "0.9.2"}, "spans": spans}
    resource_spans = {"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}
    return {"resourceSpans": [resource_spans]}


def _spans(calls: Iterable[Call]) -> list[dict[str, Any]]:
    spans = []
    for call in calls:
        workflow = call.story.origin.get("named_workflow")
        if workflow:
            spans.append(_workflow_span(call, workflow))
        spans.append(_call_span(call))
    return spans


def _workflow_span(call: Call, workflow: str) -> dict[str, Any]:
    return _span(call, f"invoke_workflow {workflow}", _parent_id(call), _INTERNAL) | {
        "attributes": _attributes(
            {
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.workflow.name": workflow,
                "gen_ai.usage.input_tokens": call.tokens.input,
                "gen_ai.usage.output_tokens": call.tokens.output,
            }
        )
    }


def _call_span(call: Call) -> dict[str, Any]:
    operation = "chat" if call.tokens.output or call.status == "error" else "embeddings"
    span = _span(call, f"{operation} {call.step.model.name}", _span_id(call), _CLIENT)
    if "named_workflow" in call.story.origin:
        span["parentSpanId"] = _parent_id(call)
    if call.status == "error":
        span["status"] = {"code": 2, "message": "upstream error"}
    attributes: dict[str, _Value] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(call.step.model.provider, call.step.model.provider),
        "gen_ai.request.model": call.step.model.name,
        "clearbar.task": call.task_id,
        **_answer(call),
    }
    return span | {"attributes": _attributes(attributes)}


def _answer(call: Call) -> dict[str, _Value]:
    """Return what the answer said; behind a gateway, its id is the gateway's."""
    if call.status == "error":
        return {"error.type": "503", "gen_ai.response.id": request_id(call)}
    told: dict[str, _Value] = {
        "gen_ai.response.model": call.step.model.name,
        "gen_ai.usage.input_tokens": call.tokens.input,
    }
    if call.step.log == "litellm":
        # This program forgets the cache and the last tokens: the gateway's quantities must win.
        less = max(call.tokens.output - 11, 1)
        return told | {"gen_ai.response.id": request_id(call), "gen_ai.usage.output_tokens": less}
    if call.tokens.output:
        told["gen_ai.usage.output_tokens"] = call.tokens.output
    if call.tokens.cache_read:
        told["gen_ai.usage.cache_read.input_tokens"] = call.tokens.cache_read
    return told


def _broken_span(call: Call) -> dict[str, Any]:
    """Return a span that read more from a cache than came in."""
    told: dict[str, _Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.step.model.provider,
        "gen_ai.response.model": call.step.model.name,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.cache_read.input_tokens": 900,
        "gen_ai.usage.output_tokens": 5,
    }
    span = _span(call, f"chat {call.step.model.name}", "00000000000000bd", _CLIENT)
    return span | {"attributes": _attributes(told)}


def _span(call: Call, name: str, span_id: str, kind: int) -> dict[str, Any]:
    start_ns = round(call.started_at.timestamp() * 1000) * 1_000_000
    return {
        "traceId": call.call_id,
        "spanId": span_id,
        "name": name,
        "kind": kind,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + call.duration_ms * 1_000_000),
        "status": {},
    }


def _span_id(call: Call) -> str:
    return call.call_id[:16]


def _parent_id(call: Call) -> str:
    return call.call_id[16:]


def _attributes(values: Mapping[str, _Value]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else _int(value)}
        for key, value in values.items()
    ]


def _int(value: int) -> dict[str, str]:
    """Return a 64-bit integer as JSON writes it: as a text."""
    return {"intValue": str(value)}
