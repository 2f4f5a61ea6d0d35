"""Of what is received only what is known to be wanted is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from clearbar.route.receiving.answers import refusal, taken
from clearbar.route.receiving.kept import kept, line_of
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.shapes.otel_names import RANKS

TRACE = "5b8efff798038103d269b633813fc60c"
PROMPT = "the customer is called Wilhelmina"
CHAT: dict[str, Any] = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 9}
KEYS = st.one_of(st.sampled_from(["gen_ai.prompt", "llm.input_messages.0", "x"]), st.text())


def said(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue" if isinstance(each, int) else "stringValue": each}}
        for key, each in values.items()
    ]


def span(here: str = "00f067aa0ba902b7", trace: str = TRACE, **values: Any) -> dict[str, Any]:
    ids = {"traceId": trace, "spanId": here, "kind": 3, "startTimeUnixNano": "1767632430708000123"}
    return {**ids, "endTimeUnixNano": "1767632431708000123", "attributes": said(values or CHAT)}


def traces(*spans: dict[str, Any], **resource: str) -> bytes:
    about = {"attributes": said({key.replace("_", "."): each for key, each in resource.items()})}
    whole = {"resource": about, "scopeSpans": [{"scope": {"name": PROMPT}, "spans": spans}]}
    return json.dumps({"resourceSpans": [whole]}).encode()


@given(key=KEYS.filter(lambda key: key not in RANKS))
def test_an_attribute_that_is_not_known_is_never_kept(key: str) -> None:
    payload = traces(span(**(CHAT | {key: PROMPT})), service_name="api")
    assert PROMPT.encode() not in b"".join(
        kept("traces", payload, is_json=True).lines[0].payload.split()
    )
    assert PROMPT not in repr(kept("traces", payload, is_json=True))


def test_names_events_links_states_and_messages_are_not_kept() -> None:
    one = span() | {
        "name": PROMPT,
        "events": [{"name": PROMPT, "attributes": said({"model": PROMPT})}],
        "links": [{"attributes": said({"model": PROMPT})}],
        "traceState": PROMPT,
        "status": {"code": 2, "message": PROMPT},
    }
    [line] = kept("traces", traces(one), is_json=True).lines
    assert PROMPT not in line.payload.decode()
    assert b'"status":{"code":"2"}' in line.payload


def test_a_known_name_with_a_list_or_a_text_of_a_page_is_not_kept() -> None:
    one = span()
    one["attributes"] += [
        {"key": "model", "value": {"arrayValue": {"values": [{"stringValue": PROMPT}]}}},
        {"key": "user.id", "value": {"stringValue": PROMPT * 100}},
        {"key": "session.id", "value": {"stringValue": {"a": PROMPT}}},
    ]
    [line] = kept("traces", traces(one), is_json=True).lines
    assert PROMPT not in line.payload.decode()


def test_protobuf_and_json_are_kept_alike() -> None:
    request = ExportTraceServiceRequest()
    one = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=bytes.fromhex(TRACE),
            span_id=bytes.fromhex("00f067aa0ba902b7"),
            kind=3,
            name=PROMPT,
        )
    )
    one.start_time_unix_nano, one.end_time_unix_nano = 1767632430708000123, 1767632431708000123
    for key, value in CHAT.items():
        told = one.attributes.add(key=key).value
        if isinstance(value, int):
            told.int_value = value
        else:
            told.string_value = value
    one.attributes.add(key="gen_ai.input.messages").value.string_value = PROMPT
    binary = kept("traces", request.SerializeToString(), is_json=False)
    assert binary == kept("traces", traces(span()), is_json=True)


def test_what_was_kept_is_kept_again_as_it_is() -> None:
    [line] = kept("traces", traces(span(), service_name="api"), is_json=True).lines
    assert kept("traces", line.payload, is_json=True).lines == [line]
    assert line_of(line.payload) == line


def test_each_trace_has_a_line_of_its_own() -> None:
    other = "0" * 31 + "1"
    spans = [span("1" * 16), span("2" * 16, other), span("3" * 16)]
    found = kept("traces", traces(*spans), is_json=True).lines
    assert [(line.trace, line.payload.count(b"spanId")) for line in found] == [
        (TRACE, 2),
        (other, 1),
    ]


def test_a_span_that_is_no_call_is_kept_bare_and_does_not_matter() -> None:
    [line] = kept("traces", traces(span(**{"http.url": PROMPT})), is_json=True).lines
    assert (line.matters, PROMPT in line.payload.decode()) == (False, False)


@pytest.mark.parametrize("trace", ["", "x" * 32, "0" * 32, TRACE[:-1]])
def test_a_span_without_ids_is_refused(trace: str) -> None:
    found = kept("traces", traces(span(trace=trace), span()), is_json=True)
    assert (found.refused, len(found.lines)) == (1, 1)
    assert "hexadecimal" in found.why


def event(name: str, **values: Any) -> bytes:
    record = {"timeUnixNano": "1767632430708000123", "body": {"stringValue": name}}
    record["attributes"] = said(values)  # type: ignore[assignment]
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def test_only_events_of_calls_are_kept() -> None:
    call = event("claude_code.api_request", model="claude-sonnet-4-5", prompt=PROMPT)
    [line] = kept("logs", call, is_json=True).lines
    assert PROMPT not in line.payload.decode()
    assert line_of(line.payload) == line
    prompt = event("claude_code.user_prompt", model="claude-sonnet-4-5", prompt=PROMPT)
    assert kept("logs", prompt, is_json=True).lines == []


def test_points_of_metrics_are_refused_with_a_reason() -> None:
    metric = {"name": "claude_code.token.usage", "sum": {"dataPoints": [{}, {}]}}
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()
    found = kept("metrics", body, is_json=True)
    assert (found.lines, found.refused) == ([], 2)
    assert "repeat" in found.why


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"{", b"\xff", b'{"resourceSpans": ' + b"[" * 9999]
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(QuarantineError):
        kept("traces", body, is_json=True)


@given(
    value=st.recursive(
        st.none() | st.integers() | st.text(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "resourceSpans",
                        "scopeSpans",
                        "spans",
                        "attributes",
                        "resource",
                        "traceId",
                        "status",
                    ]
                ),
                v,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_kept_or_refused(value: object) -> None:
    for signal in ("traces", "logs", "metrics"):
        try:
            kept(signal, json.dumps(value).encode(), is_json=True)
        except QuarantineError:
            continue


def test_answers_in_protobuf_say_what_the_official_library_reads() -> None:
    answer = taken("traces", 300, "why", is_json=False)
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (partial.rejected_spans, partial.error_message) == (300, "why")
    nothing = taken("logs", 0, "", is_json=False)
    assert not ExportLogsServiceResponse.FromString(nothing.body).HasField("partial_success")


def test_answers_in_json_have_the_names_of_the_signal() -> None:
    assert json.loads(taken("traces", 0, "", is_json=True).body) == {}
    told = json.loads(taken("metrics", 2, "why", is_json=True).body)
    assert told == {"partialSuccess": {"rejectedDataPoints": "2", "errorMessage": "why"}}


def test_a_refusal_says_when_to_come_again() -> None:
    answer = refusal(503, "why", is_json=True, retry_after_s=5)
    assert (b"retry-after", b"5") in answer.headers
    assert json.loads(answer.body) == {"code": 14, "message": "why"}


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"resourceSpans": []}'])
def test_what_is_no_line_is_told(payload: bytes) -> None:
    assert line_of(payload) is None


def test_points_of_metrics_in_protobuf_are_counted() -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="x")
    for _ in range(3):
        metric.gauge.data_points.add(as_int=1)
    assert kept("metrics", request.SerializeToString(), is_json=False).refused == 3
