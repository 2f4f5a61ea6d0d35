"""What the real SDK of OpenTelemetry sends is counted, kept without content, and never lost."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind
from tests.route.receiving.receiving import (
    CHAT,
    GZIP,
    PROMPT,
    SENDERS,
    one_call,
    receiver,
    tracing,
    usage,
)

from clearbar.core.period import parse_period
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
TRACE = "5b8efff798038103d269b633813fc60c"


def request(trace: str = TRACE, span: str = "00f067aa0ba902b7", **more: object) -> bytes:
    """Return an export request of one call in JSON."""
    told = {**CHAT, **more}
    values = [
        {"key": key, "value": {"intValue" if isinstance(each, int) else "stringValue": each}}
        for key, each in told.items()
    ]
    one = {"traceId": trace, "spanId": span, "kind": 3, "attributes": values}
    times = {"startTimeUnixNano": "1767632430708000123", "endTimeUnixNano": "1767632431708000123"}
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [one | times]}]}]}).encode()


def test_calls_that_the_sdk_exports_become_charges_when_the_receiver_ends(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        with tracing(running.url) as tracer:
            for _ in range(25):
                one_call(tracer)
        assert running.end() == 0
    found = usage(tmp_path)
    assert (found.calls, found.input_tokens, found.output_tokens) == (25, 2500, 500)


def test_a_packed_request_is_the_same_as_one_that_is_not(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        with tracing(running.url, compression=GZIP) as tracer:
            one_call(tracer)
        running.end()
    assert usage(tmp_path).calls == 1


def test_neither_prompts_nor_events_reach_the_disk(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        with tracing(running.url) as tracer:
            one_call(tracer, **{"llm.input_messages.0.message.content": PROMPT})
        body = request(**{"gen_ai.output.messages": PROMPT, "a.new.name": PROMPT})
        assert running.post("/v1/traces", body).status_code == 200
        assert PROMPT.encode() not in running.kept()
        running.end()
        assert PROMPT.encode() not in running.kept()
    assert usage(tmp_path).calls == 2


def test_a_kill_after_the_answer_loses_nothing(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        for number in range(20):
            body = request(span=f"{number + 1:016x}")
            assert running.post("/v1/traces", body).status_code == 200
        running.end(signal.SIGKILL)
    with receiver(tmp_path) as again:
        again.end()
    assert usage(tmp_path).calls == 20


def test_what_is_delivered_twice_counts_once(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        for _ in range(2):
            assert running.post("/v1/traces", request()).status_code == 200
        running.end()
    with receiver(tmp_path) as again:
        assert again.post("/v1/traces", request()).status_code == 200
        again.end()
    assert usage(tmp_path).calls == 1


def test_what_came_is_read_while_it_runs(tmp_path: Path) -> None:
    with receiver(tmp_path, "--every", "0.5") as running:
        log = {
            "eventName": "claude_code.api_request",
            "timeUnixNano": "1767632430708000123",
            "attributes": [
                {"key": "request_id", "value": {"stringValue": "req_1"}},
                {"key": "model", "value": {"stringValue": "claude-sonnet-4-5"}},
                {"key": "input_tokens", "value": {"intValue": 5}},
                {"key": "cache_read_tokens", "value": {"intValue": 70}},
                {"key": "output_tokens", "value": {"intValue": 9}},
                {"key": "prompt", "value": {"stringValue": PROMPT}},
            ],
        }
        body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}).encode()
        assert running.post("/v1/logs", body).status_code == 200
        give_up = time.monotonic() + 20
        while not (found := usage(tmp_path)).calls and time.monotonic() < give_up:
            time.sleep(0.2)
        assert (found.calls, found.input_tokens, found.cache_read_tokens) == (1, 5, 70)
        assert PROMPT.encode() not in running.kept()


def test_a_call_that_encloses_a_call_is_counted_once_over_two_requests(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        with (
            tracing(running.url, batch=False) as tracer,
            tracer.start_as_current_span("chat", kind=SpanKind.CLIENT, attributes=CHAT),
        ):
            one_call(tracer)
        running.end()
    assert usage(tmp_path).calls == 1


def test_a_span_above_that_comes_later_says_whose_the_call_is(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        with (
            tracing(running.url, batch=False) as tracer,
            tracer.start_as_current_span("run", attributes={"clearbar.task": "ticket-7"}),
        ):
            one_call(tracer)
        running.end()
        (closed,) = (tmp_path / ".clearbar/received").glob("received-*.jsonl")
    assert b"ticket-7" in closed.read_bytes()


def test_a_charge_traces_to_the_bytes_that_were_received(tmp_path: Path) -> None:
    with receiver(tmp_path) as running:
        running.post("/v1/traces", request())
        running.end()
    with Workspace.find(str(tmp_path)) as workspace:
        (dearest,) = workspace.dearest(parse_period("all", workspace.as_of))
        (witness,) = workspace.trace(dearest["charge_id"]).witnesses
    assert witness.bytes == "unchanged"


def test_without_the_token_nothing_is_taken(tmp_path: Path) -> None:
    with receiver(tmp_path, token=SENDERS) as running:
        assert running.post("/v1/traces", request()).status_code == 401
        wrong = running.post("/v1/traces", request(), authorization="Bearer another")
        assert wrong.status_code == 401
        right = running.post("/v1/traces", request(), authorization=f"Bearer {SENDERS}")
        assert right.status_code == 200
        with tracing(running.url, headers={"authorization": f"Bearer {SENDERS}"}) as tracer:
            one_call(tracer)
        running.end()
    assert usage(tmp_path).calls == 2


def test_the_sdk_is_told_how_many_spans_were_refused(tmp_path: Path) -> None:
    bad = request(trace="not-hexadecimal")
    with receiver(tmp_path) as running:
        said = running.post("/v1/traces", bad).json()
        assert said["partialSuccess"]["rejectedSpans"] == "1"
        empty = ExportTraceServiceRequest().SerializeToString()
        answer = running.post("/v1/traces", empty, content_type="application/x-protobuf")
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_second_receiver_in_a_workspace_is_refused(tmp_path: Path) -> None:
    with receiver(tmp_path), pytest.raises(AssertionError, match="runs in this workspace already"):
        receiver(tmp_path).__enter__()
