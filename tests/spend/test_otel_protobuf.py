"""OTLP in protobuf means what the official library says, and hostile bytes cost nothing more."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clearbar.core.errors import Problem
from clearbar.spend.charge import Record
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.shapes.otel_files import is_protobuf
from clearbar.spend.shapes.otel_protobuf import decoded, signal_of
from clearbar.spend.sources import otlp

if TYPE_CHECKING:
    from pathlib import Path

PROMPT = "the customer is called Wilhelmina"
VALUES = st.one_of(
    st.text(max_size=20),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    st.floats(allow_nan=False),
)
KEYS = st.sampled_from(
    ["gen_ai.operation.name", "gen_ai.usage.input_tokens", "llm.cost.total", "gen_ai.prompt", "x"]
)
U64 = st.integers(0, 2**64 - 1)
SPANS = st.lists(
    st.tuples(
        st.binary(min_size=16, max_size=16),
        st.binary(min_size=8, max_size=8),
        st.binary(max_size=8),
        U64,
        U64,
        st.integers(0, 5),
        st.dictionaries(KEYS, VALUES, max_size=4),
    ),
    max_size=3,
)


def put(attributes: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        one = attributes.add(key=key)
        kind = {bool: "bool_value", int: "int_value", float: "double_value", str: "string_value"}
        setattr(one.value, kind[type(value)], value)


def traces(spans: list[Any], **resource: str) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    whole = request.resource_spans.add()
    put(whole.resource.attributes, {key.replace("_", "."): v for key, v in resource.items()})
    scope = whole.scope_spans.add()
    for trace, here, parent, start, end, kind, values in spans:
        span = scope.spans.add(trace_id=trace, span_id=here, parent_span_id=parent, name=PROMPT)
        span.start_time_unix_nano, span.end_time_unix_nano = start, end
        span.kind = kind
        span.status.code = 2
        span.status.message = PROMPT
        event = span.events.add(name=PROMPT)
        put(event.attributes, {"gen_ai.usage.input_tokens": 7})
        put(span.attributes, values)
    return request


@given(spans=SPANS)
def test_a_request_says_what_the_official_library_wrote(spans: list[Any]) -> None:
    payload = traces(spans, service_name="api").SerializeToString()
    [whole] = decoded("traces", payload)["resourceSpans"]
    [scope] = whole["scopeSpans"]
    assert [each["traceId"] for each in scope["spans"]] == [each[0].hex() for each in spans]
    for found, (_, here, parent, start, end, kind, values) in zip(
        scope["spans"], spans, strict=True
    ):
        assert (found["spanId"], found.get("parentSpanId", "")) == (here.hex(), parent.hex())
        assert found.get("startTimeUnixNano", 0) == start
        assert found.get("endTimeUnixNano", 0) == end
        assert (found.get("kind", 0), found["status"]) == (kind, {"code": 2})
        told = {each["key"]: next(iter(each["value"].values())) for each in found["attributes"]}
        assert told == {
            key: each for key, each in values.items() if key not in ("x", "gen_ai.prompt")
        }
        assert [type(each) for each in told.values()] == [type(values[key]) for key in told]


@given(spans=SPANS)
def test_neither_names_nor_events_nor_unknown_attributes_are_decoded(spans: list[Any]) -> None:
    assert PROMPT not in repr(decoded("traces", traces(spans).SerializeToString()))


@given(payload=st.binary(max_size=300))
def test_any_bytes_are_a_request_or_refused(payload: bytes) -> None:
    with suppress(QuarantineError):
        decoded(signal_of(payload), payload)


@given(
    spans=SPANS, place=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 10_000)
)
def test_a_request_that_was_changed_or_cut_is_read_or_refused(
    spans: list[Any], place: int, byte: int, cut: int
) -> None:
    payload = bytearray(traces(spans, service_name="api").SerializeToString())
    payload[place % len(payload)] = byte
    with suppress(QuarantineError):
        decoded("traces", bytes(payload[: 1 + cut % len(payload)]))


def test_nothing_nests_deeper_than_the_messages_do() -> None:
    payload = b""
    for _ in range(20_000):
        size = len(payload)
        length = bytearray()
        while size > 0x7F:
            length.append(size & 0x7F | 0x80)
            size >>= 7
        payload = b"\x0a" + bytes([*length, size]) + payload
    started = time.process_time()
    decoded("traces", payload)
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    "payload", [b"\x0a\xff\xff\xff\xff\x7f", b"\x0b", b"\x02\x01", b"\x80" * 11]
)
def test_lengths_beyond_the_end_and_unknown_kinds_are_refused(payload: bytes) -> None:
    with pytest.raises(QuarantineError):
        decoded("traces", payload)


def span(number: int = 1) -> tuple[Any, ...]:
    values = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cost": 0.000027,
    }
    start = 1767632430708000123
    return (b"t" * 16, bytes([number]) * 8, b"", start, start + 10**9, 3, values)


def logs() -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.time_unix_nano = 1767632430708000123
    record.event_name = "claude_code.api_request"
    record.body.string_value = PROMPT
    put(record.attributes, {"model": "claude-sonnet-4-5", "request_id": "req_011CTabcdefghi"})
    put(record.attributes, {"input_tokens": 3, "cache_read_tokens": 900, "output_tokens": "41"})
    put(record.attributes, {"duration_ms": 1500, "session.id": "s-1", "prompt": PROMPT})
    return bytes(request.SerializeToString())


def metrics() -> bytes:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="token.usage")
    metric.sum.data_points.add(as_int=9)
    metric.sum.data_points.add(as_int=8)
    return bytes(request.SerializeToString())


def behind_lengths(*payloads: bytes) -> bytes:
    return b"".join(len(each).to_bytes(4, "big") + each for each in payloads)


def test_the_first_item_tells_traces_logs_and_metrics_apart() -> None:
    assert signal_of(traces([span()]).SerializeToString()) == "traces"
    assert signal_of(logs()) == "logs"
    assert signal_of(metrics()) == "metrics"
    assert decoded("metrics", metrics())["resourceMetrics"][0]["scopeMetrics"] == [
        {"metrics": [{"points": 2}]}
    ]


def read(path: Path, content: bytes) -> list[Record | Problem]:
    path.write_bytes(content)
    file = open_source_file(path)
    assert otlp.recognises(file)
    return list(otlp.read(file))


def test_requests_behind_their_lengths_are_read_each_with_its_place(tmp_path: Path) -> None:
    first, second = (traces([span(n)], service_name="api").SerializeToString() for n in (1, 2))
    records = read(tmp_path / "traces.binpb", behind_lengths(first, second))
    assert [(each.line, getattr(each, "offset", 0)) for each in records] == [
        (1, 4),
        (2, 8 + len(first)),
    ]


def test_one_request_by_itself_is_read(tmp_path: Path) -> None:
    payload = traces([span()], service_name="api").SerializeToString()
    (record,) = read(tmp_path / "request.bin", payload)
    assert isinstance(record, Record)
    assert (record.input_tokens, record.output_tokens) == (100, 20)
    assert str(record.reported_cost_usd) == "0.000027"


def test_an_event_of_claude_code_counts_its_cache_beside_the_input(tmp_path: Path) -> None:
    (record,) = read(tmp_path / "logs.binpb", behind_lengths(logs()))
    assert isinstance(record, Record)
    assert (record.input_tokens, record.cache_read_tokens, record.output_tokens) == (3, 900, 41)
    assert record.identity == "upstream:anthropic:req_011CTabcdefghi"
    assert record.ended_at_us is not None
    assert record.ended_at_us - record.started_at_us == 1_500_000


def test_a_file_that_is_cut_short_says_so_after_what_is_whole(tmp_path: Path) -> None:
    payload = behind_lengths(*[traces([span()], service_name="api").SerializeToString()] * 2)
    path = tmp_path / "cut.binpb"
    path.write_bytes(payload[:-3])
    with pytest.raises(Exception, match="request 2 is cut short"):
        list(otlp.read(open_source_file(path)))


def test_a_request_that_is_none_is_a_problem_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = traces([span()], service_name="api").SerializeToString()
    found = read(tmp_path / "mixed.binpb", behind_lengths(good, b"\xff" * 9, good))
    assert [each.what for each in found if isinstance(each, Problem)] == ["no OTLP in protobuf"]


@given(head=st.binary(max_size=80))
def test_bytes_that_name_nothing_known_are_not_taken_for_it(head: bytes) -> None:
    assert not is_protobuf(head)


def test_a_little_that_is_very_many_spans_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.spend.shapes.otel_protobuf.MAX_ITEMS", 10)
    spans = b"\x12\x00" * 9
    scopes = b"\x12" + bytes((len(spans),)) + spans
    with pytest.raises(QuarantineError, match="more than 10 items"):
        decoded("traces", b"\x0a" + bytes((len(scopes),)) + scopes)
