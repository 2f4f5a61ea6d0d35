"""Laws that hold for every source, whatever a file holds."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.core.errors import Problem
from clearbar.spend.charge import METERS, Record
from clearbar.spend.files.source_file import SourceFile, UnreadableFile, open_source_file
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.sources import (
    SOURCES,
    Source,
    anthropic_answers,
    anthropic_console,
    anthropic_costs,
    anthropic_usage,
    aws_cur,
    azure_apim,
    bedrock,
    claude_code,
    codex,
    codex_exec,
    copilot_billing,
    cursor,
    focus,
    gcp_billing,
    gemini_cli,
    helicone,
    langfuse,
    litellm,
    openai_answers,
    openai_costs,
    openai_usage,
    opencode,
    openrouter,
    openrouter_activity,
    otlp,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

MAPPING = TableMapping(
    "t", "*", {"started_at": "at", "input_tokens": "in", "cost_usd": "usd"}, timezone="Asia/Tokyo"
)
NUMBERS = st.one_of(st.integers(-5, 10**14), st.floats(), st.none(), st.text(max_size=4))
TIMES = st.sampled_from(["2026-01-05T17:00:30Z", "2026-01-05 17:00:30", 1767632430, "x", None])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TIMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


def near(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects with the fields that a format has, right, wrong or missing."""
    return st.fixed_dictionaries({}, optional={k: st.one_of(v, JSON) for k, v in known.items()})


USAGE = near(input_tokens=NUMBERS, output_tokens=NUMBERS, cache_creation=near(), iterations=JSON)
MESSAGE = near(id=st.sampled_from(["msg_1", "msg_2", "x"]), usage=USAGE, model=st.text())
ATTRIBUTE = near(
    key=st.sampled_from(["gen_ai.operation.name", "gen_ai.usage.input_tokens", "user.id"]),
    value=near(stringValue=st.just("chat"), intValue=st.just("7")),
)
SPAN = near(traceId=st.text(), spanId=st.text(), attributes=st.lists(ATTRIBUTE))
RESULT = near(
    object=st.just("organization.usage.completions.result"),
    input_tokens=NUMBERS,
    num_model_requests=NUMBERS,
)
IDS = st.sampled_from(["chatcmpl-000000000000001", "resp_00000000000000002", "x", None])
TOLD = near(
    prompt_tokens=NUMBERS,
    completion_tokens=NUMBERS,
    input_tokens=NUMBERS,
    output_tokens=NUMBERS,
    total_tokens=NUMBERS,
    prompt_tokens_details=near(cached_tokens=NUMBERS, audio_tokens=NUMBERS),
    output_tokens_details=near(reasoning_tokens=NUMBERS, image_tokens=NUMBERS),
    seconds=NUMBERS,
    type=st.just("duration"),
)
KINDS = st.sampled_from(["chat.completion", "chat.completion.chunk", "response", "list", "batch"])
ANSWER = near(
    object=KINDS,
    id=IDS,
    created=TIMES,
    model=st.text(),
    usage=TOLD,
    choices=st.lists(JSON, max_size=1),
    status=st.sampled_from(["completed", "in_progress", "failed"]),
    output=st.lists(near(type=st.sampled_from(["web_search_call", "image_generation_call"]))),
    tool_usage=near(image_gen=TOLD, web_search=near(num_requests=NUMBERS)),
)
WRITTEN = near(id=IDS, model=st.text(), role=st.just("assistant"), usage=USAGE)
EVENT = near(
    type=st.sampled_from(["message", "message_start", "message_delta", "message_stop"]),
    role=st.just("assistant"),
    message=WRITTEN,
    usage=USAGE,
    id=IDS,
    delta=near(stop_reason=st.just("end_turn")),
)
AMOUNT = st.one_of(NUMBERS, near(value=NUMBERS, currency=st.sampled_from(["usd", "eur"])))
REPORTED = near(
    object=st.just("organization.costs.result"),
    amount=AMOUNT,
    currency=st.sampled_from(["USD", "JPY"]),
    uncached_input_tokens=NUMBERS,
    output_tokens=NUMBERS,
    cache_creation=near(ephemeral_5m_input_tokens=NUMBERS),
)
REPORT = near(
    start_time=TIMES,
    end_time=TIMES,
    starting_at=TIMES,
    ending_at=TIMES,
    results=st.lists(REPORTED),
    data=JSON,
    pulled_at=TIMES,
)
OBSERVATION = near(
    id=IDS,
    traceId=IDS,
    type=st.sampled_from(["GENERATION", "EMBEDDING", "SPAN"]),
    startTime=TIMES,
    parentObservationId=IDS,
    usageDetails=near(input=NUMBERS, output=NUMBERS, input_cached_tokens=NUMBERS, total=NUMBERS),
    metadata=near(attributes=near()),
    totalCost=NUMBERS,
)
HELICONE = near(
    request_id=IDS,
    request_created_at=TIMES,
    prompt_tokens=NUMBERS,
    completion_tokens=NUMBERS,
    total_tokens=NUMBERS,
    prompt_cache_read_tokens=NUMBERS,
    response_status=NUMBERS,
    properties=JSON,
    cost=NUMBERS,
)
GENERATION = near(
    id=IDS,
    created_at=TIMES,
    total_cost=NUMBERS,
    native_tokens_prompt=NUMBERS,
    native_tokens_cached=NUMBERS,
    is_byok=st.booleans(),
)
ACTIVITY = near(date=TIMES, usage=NUMBERS, requests=NUMBERS, prompt_tokens=NUMBERS, endpoint_id=IDS)
FLAT = near(traceId=IDS, spanId=IDS, type=st.just("span"), attributes=near(), startTime=TIMES)
TOTALS = near(
    input_tokens=NUMBERS, cached_input_tokens=NUMBERS, output_tokens=NUMBERS, total_tokens=NUMBERS
)
INFO = near(total_token_usage=TOTALS, last_token_usage=TOTALS)
THREAD = st.sampled_from(["a", "b", "01991000-0000-7000-8000-000000000001"])
ROLLOUT = near(
    type=st.sampled_from(
        ["session_meta", "turn_context", "event_msg", "token_usage_record", "turn.completed"]
    ),
    timestamp=TIMES,
    payload=near(
        type=st.sampled_from(["token_count", "task_started"]),
        info=INFO,
        usage=TOTALS,
        id=THREAD,
        forked_from_id=THREAD,
        response_id=THREAD,
        turn_id=THREAD,
    ),
    usage=TOTALS,
    thread_id=THREAD,
)
CHAT = near(
    type=st.just("gemini"),
    id=THREAD,
    timestamp=TIMES,
    tokens=near(input=NUMBERS, output=NUMBERS, cached=NUMBERS, total=NUMBERS),
)
CURSOR_EVENT = near(
    timestamp=TIMES,
    kind=st.sampled_from(["Included", "Usage-based"]),
    tokenUsage=near(inputTokens=NUMBERS, outputTokens=NUMBERS, totalCents=NUMBERS),
    chargedCents=NUMBERS,
)
INVOCATION = near(
    requestId=IDS,
    modelId=st.sampled_from(["m", "arn:aws:bedrock:x:1:inference-profile/m", "arn:"]),
    timestamp=TIMES,
    identity=near(arn=st.text()),
    input=near(inputTokenCount=NUMBERS, cacheWriteInputTokenCount=NUMBERS),
    output=near(
        outputTokenCount=NUMBERS,
        outputBodyJson=st.one_of(near(usage=USAGE), st.lists(near(usage=USAGE, message=MESSAGE))),
    ),
    requestMetadata=st.dictionaries(st.text(), st.text()),
    message=st.text(),
)
CODES = st.sampled_from(["USD", "EUR", "dollars", None])
CUR_LINE = near(
    line_item_product_code=st.just("AmazonBedrock"),
    line_item_line_item_type=st.sampled_from(["Usage", "Tax", "Credit"]),
    line_item_usage_type=st.sampled_from(["USE1-Claude4.6Sonnet-input-tokens", "MP:X_a-Units"]),
    line_item_usage_start_date=TIMES,
    line_item_usage_end_date=TIMES,
    line_item_usage_amount=NUMBERS,
    line_item_unblended_cost=NUMBERS,
    line_item_currency_code=CODES,
    pricing_unit=st.just("1K tokens"),
    tags=JSON,
)
GATEWAY_ROW = near(
    CorrelationId=IDS,
    RequestId=IDS,
    TimeGenerated=TIMES,
    PromptTokens=NUMBERS,
    CompletionTokens=NUMBERS,
    TotalTokens=NUMBERS,
    properties=JSON,
    tables=JSON,
)
BILLING_ROW = near(
    service=near(description=st.just("Vertex AI")),
    sku=near(description=st.just("input token count gemini 2.5 flash")),
    usage_start_time=TIMES,
    usage_end_time=TIMES,
    usage=near(amount=NUMBERS, unit=st.just("count")),
    cost=NUMBERS,
    currency=CODES,
    credits=st.lists(near(amount=NUMBERS, type=st.just("DISCOUNT"))),
    labels=JSON,
)
FOCUS_ROW = near(
    ServiceCategory=st.just("AI and Machine Learning"),
    BilledCost=NUMBERS,
    BillingCurrency=CODES,
    BillingPeriodStart=TIMES,
    ChargePeriodStart=TIMES,
    ChargePeriodEnd=TIMES,
    ChargeCategory=st.sampled_from(["Usage", "Tax", "Gift"]),
    ConsumedQuantity=NUMBERS,
    ConsumedUnit=st.just("1M tokens"),
    SkuMeter=st.just("input tokens"),
    Tags=JSON,
)
CASES: list[tuple[Source, str, st.SearchStrategy[Any]]] = [
    (claude_code, ".jsonl", near(message=MESSAGE, timestamp=TIMES, uuid=st.text(), data=JSON)),
    (litellm, ".jsonl", near(startTime=TIMES, prompt_tokens=NUMBERS, metadata=JSON, spend=NUMBERS)),
    (openai_usage, ".jsonl", near(start_time=TIMES, end_time=TIMES, results=st.lists(RESULT))),
    (
        otlp,
        ".jsonl",
        near(resourceSpans=st.lists(near(scopeSpans=st.lists(near(spans=st.lists(SPAN)))))),
    ),
    (openai_answers, ".jsonl", st.one_of(ANSWER, near(timestamp=TIMES, response=ANSWER))),
    (anthropic_answers, ".jsonl", near(timestamp=TIMES, event=EVENT, request_id=st.just("r"))),
    (anthropic_answers, ".jsonl", st.one_of(EVENT, near(timestamp=TIMES, response=EVENT))),
    (openai_costs, ".jsonl", REPORT),
    (anthropic_usage, ".jsonl", REPORT),
    (anthropic_costs, ".jsonl", REPORT),
    (otlp, ".jsonl", FLAT),
    (langfuse, ".jsonl", OBSERVATION),
    (langfuse, ".json", near(trace=near(id=IDS, tags=JSON), observations=st.lists(OBSERVATION))),
    (helicone, ".jsonl", HELICONE),
    (openrouter, ".jsonl", GENERATION),
    (openrouter_activity, ".jsonl", ACTIVITY),
    (codex, ".jsonl", ROLLOUT),
    (codex_exec, ".jsonl", ROLLOUT),
    (gemini_cli, ".jsonl", near(messages=st.lists(CHAT), sessionId=st.text(), stats=JSON)),
    (gemini_cli, ".jsonl", CHAT),
    (cursor, ".jsonl", st.one_of(CURSOR_EVENT, near(usageEvents=st.lists(CURSOR_EVENT)))),
    (
        opencode,
        ".json",
        near(
            role=st.just("assistant"),
            time=near(created=TIMES, completed=TIMES),
            tokens=near(input=NUMBERS, output=NUMBERS, reasoning=NUMBERS, cache=near()),
            cost=NUMBERS,
        ),
    ),
    (bedrock, ".jsonl", INVOCATION),
    (aws_cur, ".jsonl", CUR_LINE),
    (azure_apim, ".jsonl", GATEWAY_ROW),
    (gcp_billing, ".jsonl", BILLING_ROW),
    (focus, ".jsonl", FOCUS_ROW),
    (table, ".jsonl", st.fixed_dictionaries({"at": TIMES, "in": NUMBERS, "usd": NUMBERS})),
]


def read_lines(source: Source, lines: Sequence[bytes], ending: str = ".jsonl") -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{ending}"
        path.write_bytes(b"\n".join(lines))
        mapping = MAPPING if source is table else None
        return list(source.read(open_source_file(path, mapping)))


@pytest.mark.parametrize(
    ("source", "ending", "values"), CASES, ids=[case[0].NAME for case in CASES]
)
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_a_file_holds_becomes_records_that_can_be_stored_or_problems(
    source: Source, ending: str, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    lines = [json.dumps(value).encode() for value in data.draw(st.lists(values, max_size=4))]
    for item in read_lines(source, lines, ending):
        assert isinstance(item, Record | Problem)
        msgspec.json.encode(item)
        if isinstance(item, Record):
            counts = [getattr(item, meter) for meter in METERS]
            assert all(count is None or count >= 0 for count in counts)
            assert item.identity
            assert item.origin.source == source.NAME


@pytest.mark.parametrize(
    "source",
    [
        claude_code,
        litellm,
        openai_usage,
        otlp,
        anthropic_answers,
        anthropic_console,
        anthropic_costs,
        anthropic_usage,
        openai_answers,
        openai_costs,
        helicone,
        langfuse,
        openrouter,
        openrouter_activity,
        codex,
        codex_exec,
        copilot_billing,
        cursor,
        gemini_cli,
        opencode,
        aws_cur,
        azure_apim,
        bedrock,
        focus,
        gcp_billing,
    ],
    ids=lambda source: source.NAME,
)
@given(content=st.binary())
def test_garbage_is_never_more_than_problems(source: Source, content: bytes) -> None:
    for ending in (".json", ".jsonl", ".csv"):
        with suppress(UnreadableFile):
            assert all(isinstance(item, Problem) for item in read_lines(source, [content], ending))


@given(head=st.binary(), name=st.text(st.characters(codec="ascii", exclude_characters="/\0")))
def test_recognising_never_raises(head: bytes, name: str) -> None:
    for source in SOURCES:
        source.recognises(SourceFile(Path("folder") / f"{name}.jsonl", head))


def lines_of_messages() -> st.SearchStrategy[list[bytes]]:
    message = st.fixed_dictionaries(
        {
            "id": st.sampled_from(["msg_1", "msg_2", "msg_3"]),
            "stop_reason": st.sampled_from([None, "end_turn"]),
            "usage": st.fixed_dictionaries(
                {"input_tokens": st.integers(0, 9), "output_tokens": st.integers(0, 3)}
            ),
        }
    )
    line = st.fixed_dictionaries(
        {
            "message": message,
            "isSidechain": st.booleans(),
            "timestamp": st.sampled_from(["2026-01-05T17:00:30Z", "2026-01-05T18:00:31+01:00"]),
        }
    )
    return st.lists(line.map(lambda value: json.dumps(value).encode()), min_size=1, max_size=6)


def meters(items: Sequence[object]) -> set[tuple[object, ...]]:
    return {
        (item.identity, item.started_at_us, item.digest, *(getattr(item, each) for each in METERS))
        for item in items
        if isinstance(item, Record)
    }


@given(lines=lines_of_messages(), data=st.data())
def test_the_order_and_number_of_equal_lines_change_nothing(
    lines: list[bytes], data: st.DataObject
) -> None:
    again = data.draw(st.permutations([*lines, *data.draw(st.lists(st.sampled_from(lines)))]))
    assert meters(read_lines(claude_code, again)) == meters(read_lines(claude_code, lines))


@given(lines=lines_of_messages())
def test_every_line_that_tells_of_a_call_is_accounted_for(lines: list[bytes]) -> None:
    records = [item for item in read_lines(claude_code, lines) if isinstance(item, Record)]
    assert sum(record.lines for record in records) == len(lines)


def test_declared_tables_go_before_formats_that_are_recognised() -> None:
    assert SOURCES[0] is table
    assert len({source.NAME for source in SOURCES}) == len(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.NAME)
def test_a_source_says_what_it_reads_in_one_line_each(source: Source) -> None:
    for said in (source.TITLE, source.WHERE, source.CONVENTION):
        assert said
        assert "\n" not in said
    assert source.PARSER_VERSION >= 1
    assert "Where: " in (source.__doc__ or "")
