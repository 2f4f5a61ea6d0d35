"""Values near to what each format holds: its fields right, wrong or missing."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from clearbar.spend.sources import (
    Source,
    anthropic_answers,
    anthropic_costs,
    anthropic_usage,
    aws_cur,
    azure_apim,
    bedrock,
    claude_code,
    codex,
    codex_exec,
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
