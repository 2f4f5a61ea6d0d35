"""OpenTelemetry spans of calls, after the conventions for generative AI, sent on by OTLP over HTTP.

A span has the ids that stand in the journal and that the tool was sent, and the client's span as
its parent, so that it takes its place in the client's trace. No prompt, answer or key is in it.
Needs the extra `otel`. The usual variables hold: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_BSP_*`, ...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from clearbar.core.errors import ClearbarError
from clearbar.route.operating.metrics import basis_of
from clearbar.spend.charge import (
    CACHE_READ_METERS,
    CACHE_WRITE_METERS,
    INPUT_METERS,
    OUTPUT_METERS,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import ReadableSpan

    from clearbar.route.journal.entry import Ended, Held, Noted, Refused

Attributes = dict[str, str | int | float | bool | list[str]]
SERVICE: Final = "clearbar-gateway"
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OPERATIONS: Final = {
    "chat": "chat",
    "completions": "text_completion",
    "responses": "chat",
    "messages": "chat",
    "embeddings": "embeddings",
}
"""Our name -> the conventions' name; any other stays as it is."""
_TRACE_DIGITS: Final = 32
_SPAN_DIGITS: Final = 16
_NANO: Final = 10**9


def wanted(environment: Mapping[str, str]) -> bool:
    """Return whether the environment names a collector."""
    return any(environment.get(name) for name in ENDPOINTS)


class Traces:
    """Sends a span for each call that has ended; from a bounded queue, in a thread of its own."""

    def __init__(self, version: str, environment: Mapping[str, str]) -> None:
        """Export to where the environment says.

        Raises:
            ClearbarError: when the extra is not installed.
        """
        self._sdk = _loaded("opentelemetry.sdk.trace")
        self._api = _loaded("opentelemetry.trace")
        resource = _loaded("opentelemetry.sdk.resources").Resource
        scope = _loaded("opentelemetry.sdk.util.instrumentation").InstrumentationScope
        self._resource = resource.create(_resource(version, environment))
        self._scope = scope("clearbar.route", version)
        http = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
        batching = _loaded("opentelemetry.sdk.trace.export").BatchSpanProcessor
        self._processor = batching(_loaded(http).OTLPSpanExporter())

    def began(self, held: Held) -> None:
        """Send nothing: a span is sent when it has ended."""

    def ended(self, held: Held, ended: Ended) -> None:
        """Queue the span of a call, where its trace is to be recorded."""
        if (
            held.sampled
            and _is_id(held.trace_id, _TRACE_DIGITS)
            and _is_id(held.span_id, _SPAN_DIGITS)
        ):
            self._processor.on_end(self._span(held, ended))

    def refused(self, refused: Refused) -> None:
        """Send nothing: a refusal is no call; the metrics and the logs have it."""

    def noted(self, noted: Noted) -> None:
        """Send nothing."""

    def died(self, worker: str) -> None:
        """Send nothing."""

    def flush(self) -> bool:
        """Send what is queued; return whether all of it was taken."""
        return bool(self._processor.force_flush())

    def close(self) -> None:
        """Send what is queued and stop."""
        self._processor.shutdown()

    def _span(self, held: Held, ended: Ended) -> ReadableSpan:
        api = self._api
        trace, flags = int(held.trace_id, 16), api.TraceFlags(api.TraceFlags.SAMPLED)
        parent = None
        if _is_id(held.parent_span_id, _SPAN_DIGITS):
            parent = api.SpanContext(trace, int(held.parent_span_id, 16), True, flags)
        attributes = attributes_of(held, ended)
        fine = ended.outcome == "ok"
        code = api.StatusCode.UNSET if fine else api.StatusCode.ERROR
        span: ReadableSpan = self._sdk.ReadableSpan(
            name=f"{attributes['gen_ai.operation.name']} {held.model or held.tool}",
            context=api.SpanContext(trace, int(held.span_id, 16), False, flags),
            parent=parent,
            resource=self._resource,
            attributes=attributes,
            kind=api.SpanKind.CLIENT,
            status=api.Status(code, None if fine else ended.what or None),
            start_time=held.at_us * 1000,
            end_time=max(ended.at_us, held.at_us) * 1000,
            instrumentation_scope=self._scope,
        )
        return span


def attributes_of(held: Held, ended: Ended) -> Attributes:
    """Return the attributes of the span of a call; what is not known is not there."""
    ours: Attributes = {
        "gen_ai.operation.name": _OPERATIONS.get(held.operation, held.operation),
        "gen_ai.provider.name": held.provider,
        "gen_ai.request.model": held.model,
        "gen_ai.request.max_tokens": held.output_tokens,
        "gen_ai.request.stream": held.stream,
        "gen_ai.response.model": ended.model,
        "gen_ai.response.id": ended.upstream_id,
        "gen_ai.response.finish_reasons": [ended.stop_reason] if ended.stop_reason else [],
        "gen_ai.workflow.name": held.workflow,
        "openai.response.service_tier": ended.service_tier if held.provider == "openai" else "",
        "http.response.status_code": ended.status,
        "error.type": _error_type(ended),
        "user.id": held.user,
        "deployment.environment.name": held.environment,
        "clearbar.call_id": held.call_id,
        "clearbar.request_id": held.request_id,
        "clearbar.attempt": held.attempt,
        "clearbar.arm": held.arm,
        "clearbar.tool": held.tool,
        "clearbar.key": held.key,
        "clearbar.team": held.team,
        "clearbar.task": held.task,
        "clearbar.run": held.run,
    }
    known = {name: value for name, value in ours.items() if value not in ("", 0, [])}
    if held.stream and ended.first_byte_ms:
        known["gen_ai.response.time_to_first_chunk"] = ended.first_byte_ms / 1000
    return known | _usage(ended) | _cost(ended)


def _usage(ended: Ended) -> Attributes:
    """Return tokens as the conventions count them: input with what came from and went to caches."""
    usage = ended.usage
    if not usage:
        return {}
    read = sum(usage.get(meter, 0) for meter in CACHE_READ_METERS)
    written = sum(usage.get(meter, 0) for meter in CACHE_WRITE_METERS)
    fresh = sum(usage.get(meter, 0) for meter in INPUT_METERS)
    told: Attributes = {
        "gen_ai.usage.input_tokens": fresh + read + written,
        "gen_ai.usage.output_tokens": sum(usage.get(meter, 0) for meter in OUTPUT_METERS),
        "clearbar.usage.known": ended.known,
    }
    for name, meters in (
        ("gen_ai.usage.cache_read.input_tokens", CACHE_READ_METERS),
        ("gen_ai.usage.cache_creation.input_tokens", CACHE_WRITE_METERS),
        ("gen_ai.usage.reasoning.output_tokens", ("reasoning_tokens",)),
    ):
        if any(meter in usage for meter in meters):
            told[name] = sum(usage.get(meter, 0) for meter in meters)
    return told


def _cost(ended: Ended) -> Attributes:
    """Return the cost and where it comes from; of an unpriced call only that it is unpriced."""
    basis = basis_of(ended)
    told: Attributes = {"clearbar.cost.basis": basis}
    if basis != "unpriced":
        told["gen_ai.usage.cost.amount"] = ended.cost_nusd / _NANO
        told["gen_ai.usage.cost.currency"] = "USD"
        told["gen_ai.usage.cost.source"] = "local"
    return told


def _error_type(ended: Ended) -> str:
    if ended.outcome == "ok":
        return ""
    return str(ended.status) if ended.outcome == "error" and ended.status else ended.outcome


def _is_id(text: str, digits: int) -> bool:
    """Return whether a text is an id of W3C trace context: hexadecimal, not all zero."""
    return len(text) == digits and set(text) <= set("0123456789abcdef") and set(text) != {"0"}


def _resource(version: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Say what sends the spans; the environment's name for it goes before ours."""
    named = "OTEL_SERVICE_NAME" in environment or "service.name=" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return {"service.version": version} | ({} if named else {"service.name": SERVICE})


def _loaded(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ClearbarError(
            "traces cannot be sent: OpenTelemetry is not installed",
            'pip install "clearbar[otel]", or unset OTEL_EXPORTER_OTLP_ENDPOINT',
        ) from error
