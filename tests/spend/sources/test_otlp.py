from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.agent_logs import summed

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import otlp

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.prices.book import PriceBook

TRACE = "5B8EFFF798038103D269B633813FC60C"
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 9}


def span(span_id: str, parent: str = "", **changes: Any) -> dict[str, Any]:
    attributes = changes.pop("attributes", CHAT)
    told = {"traceId": TRACE, "spanId": span_id, "parentSpanId": parent, "kind": 3}
    times = {"startTimeUnixNano": "1767632430708000123", "endTimeUnixNano": "1767632431708000123"}
    return {**told, **times, "attributes": said(attributes), **changes}


def said(attributes: dict[str, object]) -> list[dict[str, object]]:
    return [
        {"key": key, "value": {"intValue" if isinstance(value, int) else "stringValue": value}}
        for key, value in attributes.items()
    ]


def export(*spans: dict[str, Any], **resource: object) -> dict[str, Any]:
    about = {"attributes": said({key.replace("_", "."): v for key, v in resource.items()})}
    return {"resourceSpans": [{"resource": about, "scopeSpans": [{"spans": spans}]}]}


def records_of(read: Callable[..., Any], *requests: object) -> list[Any]:
    records, problems = read("t.jsonl", "\n".join(map(json.dumps, requests)))
    assert problems == []
    return list(records)


def test_spans_of_agents_repeat_their_children_and_are_no_charges(
    read: Callable[..., Any],
) -> None:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 9}
    records = records_of(read, export(span("a", attributes=agent), span("b", "a")))
    assert [record.input_tokens for record in records] == [9]


def test_a_call_is_attributed_by_the_nearest_span_around_it(read: Callable[..., Any]) -> None:
    outer = span("a", attributes={"clearbar.workflow": "refunds", "gen_ai.agent.name": "outer"})
    inner = span("b", "a", attributes={"gen_ai.agent.name": "inner"})
    (record,) = records_of(read, export(outer, inner, span("c", "b")))
    assert (record.origin.workflow, record.origin.agent) == ("refunds", "inner")


def test_the_spans_around_a_call_may_come_later_in_the_file(read: Callable[..., Any]) -> None:
    outer = span("a", attributes={"clearbar.task": "ticket-1"})
    (record,) = records_of(read, export(span("b", "a")), export(outer))
    assert record.task_id == "ticket-1"


def test_our_own_attribute_goes_before_the_standard_one(read: Callable[..., Any]) -> None:
    both = {**CHAT, "gen_ai.workflow.name": "chain", "clearbar.workflow": "refunds"}
    (record,) = records_of(read, export(span("a", attributes=both)))
    assert record.origin.workflow == "refunds"


def test_a_resource_says_service_and_environment(read: Callable[..., Any]) -> None:
    request = export(span("a"), service_name="api", deployment_environment="prod")
    (record,) = records_of(read, request)
    assert (record.origin.service, record.origin.environment) == ("api", "prod")


def test_ids_stay_hexadecimal(read: Callable[..., Any]) -> None:
    (record,) = records_of(read, export(span("00F067AA0BA902B7")))
    assert record.identity == f"span:{TRACE.lower()}:00f067aa0ba902b7"


def test_the_providers_id_goes_before_the_span(read: Callable[..., Any]) -> None:
    attributes = {**CHAT, "gen_ai.response.id": "resp_1"}
    (record,) = records_of(read, export(span("a", attributes=attributes)))
    assert record.identity == "upstream:resp_1"


def test_of_nested_calls_with_usage_only_the_inner_is_a_charge(read: Callable[..., Any]) -> None:
    records = records_of(read, export(span("a"), span("b", "a"), span("c", "b")))
    assert [record.identity[-1] for record in records] == ["c"]


def test_an_embedding_inside_a_chat_leaves_both(read: Callable[..., Any]) -> None:
    embedding = {**CHAT, "gen_ai.operation.name": "embeddings"}
    records = records_of(read, export(span("a"), span("b", "a", attributes=embedding)))
    assert len(records) == 2


def test_a_failed_call_without_usage_is_kept_as_missing(read: Callable[..., Any]) -> None:
    failed = span("a", attributes={"gen_ai.operation.name": "chat"}, status={"code": 2})
    (record,) = records_of(read, export(failed))
    assert (record.status, record.usage, record.input_tokens) == ("error", "missing", None)


def test_input_counted_beside_its_cache_is_refused(read: Callable[..., Any]) -> None:
    beside = {**CHAT, "gen_ai.usage.cache_read.input_tokens": 10}
    _, problems = read("t.json", json.dumps(export(span("a", attributes=beside))))
    assert problems[0].what == "cache_read_tokens exceed input_tokens"


def test_newer_spellings_go_before_older_ones(read: Callable[..., Any]) -> None:
    both = {"gen_ai.usage.prompt_tokens": 5, **CHAT}
    (record,) = records_of(read, export(span("a", attributes=both)))
    assert record.input_tokens == 9


def test_text_of_prompts_is_never_kept(read: Callable[..., Any]) -> None:
    attributes = {**CHAT, "gen_ai.input.messages": "secret", "gen_ai.prompt": "secret"}
    records = records_of(read, export(span("a", attributes=attributes), service_name="api"))
    assert "secret" not in repr(records)


def test_metrics_are_one_problem_however_many(read: Callable[..., Any]) -> None:
    lines = "\n".join(map(json.dumps, [{"resourceMetrics": []}, {"resourceMetrics": []}]))
    _, problems = read("t.jsonl", lines)
    assert [problem.what for problem in problems] == ["metrics repeat what spans and events say"]


def test_a_span_that_ends_before_it_begins_has_no_latency(read: Callable[..., Any]) -> None:
    (record,) = records_of(read, export(span("a", endTimeUnixNano="1767632430000000000")))
    assert record.latency_ms is None


def test_a_real_trace_of_an_editor_is_read(shared_data: Path) -> None:
    path = shared_data / "formats" / "otlp_genai" / "copilot_chat_trace_test_payload.json"
    (record,) = otlp.read(open_source_file(path))
    assert not isinstance(record, Problem)
    assert (record.input_tokens, record.cache_read_tokens, record.cache_write_tokens) == (
        185,
        75,
        40,
    )
    assert record.origin.agent == "copilot"


def test_an_id_in_a_form_that_others_may_use_too_is_scoped_by_its_provider(
    read: Callable[..., Any],
) -> None:
    attributes = {**CHAT, "gen_ai.response.id": "7", "gen_ai.provider.name": "aws.bedrock"}
    (record,) = records_of(read, export(span("a", attributes=attributes)))
    assert record.identity == "upstream:aws:7"


VERCEL: dict[str, Any] = {
    "ai.operationId": "ai.generateText.doGenerate",
    "ai.usage.outputTokens": 20,
}


def test_before_version_6_the_vercel_sdk_counts_anthropics_cache_beside_the_input(
    read: Callable[..., Any],
) -> None:
    told: dict[str, Any] = {"ai.usage.inputTokens": 500, "ai.usage.cachedInputTokens": 300}
    told |= {**VERCEL, "ai.model.provider": "anthropic.messages", "ai.usage.totalTokens": 520}
    (record,) = records_of(read, export(span("a", attributes=told)))
    assert (record.input_tokens, record.cache_read_tokens) == (500, 300)


def test_and_openais_inside_it(read: Callable[..., Any]) -> None:
    told: dict[str, Any] = {"ai.usage.inputTokens": 500, "ai.usage.cachedInputTokens": 300}
    told |= {**VERCEL, "ai.model.provider": "openai.responses", "ai.usage.totalTokens": 520}
    (record,) = records_of(read, export(span("a", attributes=told)))
    assert (record.input_tokens, record.cache_read_tokens) == (200, 300)


def test_since_version_6_it_says_what_was_fresh(read: Callable[..., Any]) -> None:
    details = "ai.usage.inputTokenDetails"
    told: dict[str, Any] = {f"{details}.noCacheTokens": 500, f"{details}.cacheReadTokens": 250}
    told |= {f"{details}.cacheWriteTokens": 50, "ai.usage.inputTokens": 800}
    told |= {**VERCEL, "ai.model.provider": "anthropic.messages", "ai.usage.totalTokens": 820}
    (record,) = records_of(read, export(span("a", attributes=told)))
    told_now = (record.input_tokens, record.cache_read_tokens, record.cache_write_tokens)
    assert told_now == (500, 250, 50)


def test_reasoning_that_only_the_total_holds_is_output(read: Callable[..., Any]) -> None:
    told: dict[str, Any] = {"ai.usage.inputTokens": 555, "ai.usage.reasoningTokens": 1057}
    told |= {**VERCEL, "ai.usage.outputTokens": 190, "ai.usage.totalTokens": 1802}
    (record,) = records_of(read, export(span("a", attributes=told)))
    assert (record.output_tokens, record.reasoning_tokens) == (1247, 1057)


def test_a_name_without_a_convention_is_read_as_the_standard_counts(
    read: Callable[..., Any],
) -> None:
    told = {"gen_ai.operation.name": "chat", "input_tokens": 500, "cache_read_tokens": 300}
    (record,) = records_of(read, export(span("a", attributes=told)))
    assert (record.input_tokens, record.cache_read_tokens) == (200, 300)


def test_a_span_of_claude_code_without_the_requests_id_leaves_it_to_the_event(
    read: Callable[..., Any],
) -> None:
    told = {"span.type": "llm_request", "model": "claude-sonnet-4-5", "input_tokens": 5}
    assert records_of(read, export(span("a", attributes=told))) == []
    (record,) = records_of(read, export(span("a", attributes=told | {"request_id": "req_1"})))
    assert record.identity == "upstream:anthropic:req_1"


@pytest.mark.parametrize("first", ["event", "span"])
@pytest.mark.parametrize("more", [{}, {"gen_ai.response.id": "msg_01ABCDEFGHIJKLMNOP"}])
def test_an_event_and_a_span_of_one_call_of_claude_code_are_one_charge_across_files(
    first: str, more: dict[str, str], tmp_path: Path, book: PriceBook
) -> None:
    counts = {"input_tokens": 5, "output_tokens": 2, "model": "claude-sonnet-4-5"}
    told = {**counts, "request_id": "req_011CSyTtwEXAMPLE0001", "session.id": "s-1"}
    event = {
        "timeUnixNano": "1767632431708000123",
        "body": {"stringValue": "claude_code.api_request"},
        "attributes": said(told | {"event.name": "api_request", "event.sequence": 7}),
    }
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [event]}]}]}
    spans = export(span("a", attributes={"span.type": "llm_request", **told, **more}))
    files = {"event.jsonl": json.dumps(logs), "span.jsonl": json.dumps(spans)}
    order = sorted(files, reverse=first == "span")
    found = summed(tmp_path, book, files, order)
    assert (found.calls, found.input_tokens, found.output_tokens) == (1, 5, 2)


def test_an_answer_that_is_fetched_again_uses_nothing(read: Callable[..., Any]) -> None:
    fetched = CHAT | {"gen_ai.operation.name": "fetch_response"}
    assert records_of(read, export(span("a", attributes=fetched))) == []
