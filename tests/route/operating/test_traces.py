from __future__ import annotations

import base64
import gzip
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from tests.route.operating.lines import ended, held

from clearbar.core.errors import ClearbarError
from clearbar.route.operating import traces as module
from clearbar.route.operating.feed import Feed
from clearbar.route.operating.traces import Traces, attributes_of, wanted
from clearbar.spend.charge import Record
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import otlp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Receiver(ThreadingHTTPServer):
    """Takes OTLP over HTTP as a collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.path == "/v1/traces"
        self.server.requests.append(ExportTraceServiceRequest.FromString(body))
        said = ExportTraceServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def exported(monkeypatch: pytest.MonkeyPatch, *lines: object) -> Receiver:
    with receiver() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        traces = Traces("9.9.9", {})
        Feed([traces]).take(lines)  # type: ignore[arg-type] # lines of the journal
        assert traces.flush()
        traces.close()
    return server


def test_a_span_has_the_ids_of_the_journal_and_the_clients_span_as_its_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (span,) = exported(monkeypatch, held(), ended()).spans
    assert span.trace_id.hex() == held().trace_id
    assert span.span_id.hex() == held().span_id
    assert span.parent_span_id.hex() == held().parent_span_id


def test_a_span_begins_and_ends_when_the_call_did(monkeypatch: pytest.MonkeyPatch) -> None:
    (span,) = exported(monkeypatch, held(), ended()).spans
    assert span.start_time_unix_nano == held().at_us * 1000
    assert span.end_time_unix_nano == ended().at_us * 1000
    assert span.name == "chat gpt-4o-mini"
    assert span.kind == span.SPAN_KIND_CLIENT


def test_a_span_without_a_parent_is_a_root(monkeypatch: pytest.MonkeyPatch) -> None:
    (span,) = exported(monkeypatch, held(parent_span_id=""), ended()).spans
    assert span.parent_span_id == b""


def test_a_failed_call_is_a_failed_span(monkeypatch: pytest.MonkeyPatch) -> None:
    (span,) = exported(monkeypatch, held(), ended(outcome="cut", what="it broke off")).spans
    assert (span.status.code, span.status.message) == (2, "it broke off")


def test_a_trace_that_is_not_sampled_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exported(monkeypatch, held(sampled=False), ended()).spans == []


def test_a_line_without_ids_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert exported(monkeypatch, held(trace_id="0" * 32), ended()).spans == []


def test_the_environments_name_for_the_service_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "front-door")
        traces = Traces("9.9.9", {"OTEL_SERVICE_NAME": "front-door"})
        Feed([traces]).take([held(), ended()])
        traces.close()
    attributes = server.requests[0].resource_spans[0].resource.attributes
    assert "front-door" in {each.value.string_value for each in attributes}


def test_our_own_source_reads_the_span_as_the_charge_that_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = exported(monkeypatch, held(), ended())
    written = MessageToDict(server.requests[0])
    for span in written["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        for name in ("traceId", "spanId", "parentSpanId"):
            span[name] = base64.b64decode(span[name]).hex()
    path = tmp_path / "spans.json"
    path.write_text(json.dumps(written))
    told = [each for each in otlp.read(open_source_file(path)) if isinstance(each, Record)]
    (record,) = (each for each in told if each.calls)  # the other says what encloses the call
    assert (record.origin.workflow, record.origin.model, record.task_id) == (
        "support-replies",
        "gpt-4o-mini-2024-07-18",
        "ticket-9",
    )
    tokens = record.input_tokens, record.cache_read_tokens, record.output_tokens
    assert tokens == (90, 10, 20)


def test_input_tokens_hold_what_came_from_caches_as_the_conventions_have_it() -> None:
    usage = {"input_tokens": 5, "cache_read_tokens": 7, "cache_write_5m_tokens": 11}
    attributes = attributes_of(held(), ended(usage=usage))
    assert attributes["gen_ai.usage.input_tokens"] == 23
    assert attributes["gen_ai.usage.cache_read.input_tokens"] == 7
    assert attributes["gen_ai.usage.cache_creation.input_tokens"] == 11


def test_the_cost_says_that_it_was_computed_here() -> None:
    attributes = attributes_of(held(), ended())
    cost = {name: attributes[name] for name in attributes if ".cost." in name}
    assert cost == {
        "clearbar.cost.basis": "priced",
        "gen_ai.usage.cost.amount": 0.0021,
        "gen_ai.usage.cost.currency": "USD",
        "gen_ai.usage.cost.source": "local",
    }


def test_an_unknown_price_is_no_cost_of_zero() -> None:
    attributes = attributes_of(held(), ended(priced=False))
    assert attributes["clearbar.cost.basis"] == "unpriced"
    assert "gen_ai.usage.cost.amount" not in attributes


def test_usage_that_was_not_reported_is_not_there() -> None:
    attributes = attributes_of(held(), ended(usage={}, known="none"))
    assert not any(name.startswith("gen_ai.usage.input") for name in attributes)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"outcome": "error", "status": 429}, "429"),
        ({"outcome": "cut"}, "cut"),
        ({"outcome": "lost", "status": 0}, "lost"),
    ],
)
def test_an_error_has_a_type(changes: dict[str, Any], kind: str) -> None:
    assert attributes_of(held(), ended(**changes))["error.type"] == kind


def test_a_stream_says_when_its_first_piece_came() -> None:
    attributes = attributes_of(held(stream=True), ended())
    assert attributes["gen_ai.response.time_to_first_chunk"] == 0.42


def test_spans_are_wanted_where_a_collector_is_named() -> None:
    assert wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert not wanted({"OTEL_EXPORTER_OTLP_ENDPOINT": ""})


def test_without_the_extra_it_is_said_what_to_install() -> None:
    with pytest.raises(ClearbarError, match="not installed") as raised:
        module._loaded("opentelemetry.nothing_of_this_name")
    assert "clearbar[otel]" in raised.value.hint
