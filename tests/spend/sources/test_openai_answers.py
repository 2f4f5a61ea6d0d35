from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.spend.charge import Record

AT = 1759311000


def name(number: int | str, prefix: str = "chatcmpl-") -> str:
    return f"{prefix}{number:0>24}"


def used(prompt: int = 100, completion: int = 10, **changes: Any) -> dict[str, Any]:
    total = prompt + completion
    told = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return {**told, **changes}


def chat(number: int | str = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": name(number),
        "object": "chat.completion",
        "created": AT,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": {"content": "…"}}],
        "usage": used(),
        **changes,
    }


def chunk(number: int, usage: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    choices = [] if usage else [{"index": 0, "delta": {"content": "…"}}]
    found = {"object": "chat.completion.chunk", "choices": choices, "usage": usage}
    return chat(number, **{**found, **changes})


def response(number: int = 1, **changes: Any) -> dict[str, Any]:
    usage = {"input_tokens": 50, "output_tokens": 20, "total_tokens": 70}
    return {
        "id": name(number, "resp_"),
        "object": "response",
        "created_at": AT,
        "status": "completed",
        "model": "gpt-5.5-2026-04-23",
        "output": [],
        "usage": usage,
        **changes,
    }


def event(kind: str, **inner: Any) -> dict[str, Any]:
    return {"type": kind, "response": response(**inner), "sequence_number": 1}


def wrapped(inner: object, **around: Any) -> dict[str, Any]:
    return {"timestamp": "2026-10-01T09:30:00Z", "response": inner, **around}


def lines(*values: object) -> str:
    return "\n".join(json.dumps(value) for value in values)


def one(read: Callable[..., Any], *values: object) -> Record:
    records, problems = read("answers.jsonl", lines(*values))
    assert problems == []
    (record,) = records
    return record  # type: ignore[no-any-return]


def why(read: Callable[..., Any], *values: object) -> str:
    records, problems = read("answers.jsonl", lines(*values))
    assert records == []
    (problem,) = problems
    return problem.what  # type: ignore[no-any-return]


def test_an_answer_is_known_by_the_id_that_the_provider_gave_it(read: Callable[..., Any]) -> None:
    record = one(read, chat())
    assert record.identity == f"upstream:{name(1)}"
    assert (record.upstream_id, record.evidence) == (name(1), "provider")


def test_an_answer_begins_when_it_says(read: Callable[..., Any]) -> None:
    record = one(read, wrapped(chat()))
    assert record.started_at_us == AT * 1_000_000


def test_the_tier_is_the_one_that_served(read: Callable[..., Any]) -> None:
    asked = {"body": {"model": "gpt-4o", "service_tier": "flex"}}
    record = one(read, wrapped(chat(service_tier="default"), request=asked))
    assert record.service_tier == "standard"


def test_a_line_of_a_batchs_output_is_a_batch(read: Callable[..., Any]) -> None:
    answered = {"status_code": 200, "request_id": "x", "body": chat(service_tier="default")}
    record = one(read, {"id": "batch_req_1", "custom_id": "case-17", "response": answered})
    assert (record.service_tier, record.task_id) == ("batch", "case-17")


def test_a_custom_id_alone_makes_no_batch(read: Callable[..., Any]) -> None:
    assert not one(read, wrapped(chat(), custom_id="case-17")).service_tier


def test_a_batch_repeats_its_items_and_is_refused(read: Callable[..., Any]) -> None:
    batch = {"id": "batch_1", "object": "batch", "created_at": AT, "usage": used()}
    assert why(read, batch) == "a batch repeats what its items tell"


def test_the_usage_of_a_stream_is_in_the_chunk_without_choices(read: Callable[..., Any]) -> None:
    record = one(read, chunk(1), chunk(1), chunk(1, used(54, 20)))
    assert (record.input_tokens, record.output_tokens, record.lines) == (54, 20, 3)
    assert record.line == 3


def test_a_usage_that_grows_from_chunk_to_chunk_is_not_added_up(read: Callable[..., Any]) -> None:
    growing = [chunk(1, used(9, output), choices=[{}]) for output in (1, 2, 3)]
    assert one(read, *growing).output_tokens == 3


def test_a_stream_that_was_cut_has_a_usage_that_is_missing(read: Callable[..., Any]) -> None:
    record = one(read, chunk(1), chunk(1))
    assert (record.usage, record.input_tokens, record.output_tokens) == ("missing", None, None)


@pytest.mark.parametrize("seed", range(5))
def test_mixed_streams_in_any_order_tell_the_same(read: Callable[..., Any], seed: int) -> None:
    chunks = [chunk(number) for number in range(1, 6) for _ in range(4)]
    chunks += [chunk(number, used(number, 10 * number)) for number in range(1, 5)]
    random.Random(seed).shuffle(chunks)
    records, problems = read("chunks.jsonl", lines(*chunks))
    told = {r.upstream_id: (r.input_tokens, r.output_tokens, r.usage, r.lines) for r in records}
    whole = {name(n): (n, 10 * n, "final", 5) for n in range(1, 5)}
    assert (told, problems) == (whole | {name(5): (None, None, "missing", 4)}, [])


@pytest.mark.parametrize("end", ["completed", "incomplete", "failed"])
def test_the_usage_of_a_response_is_in_its_last_event(read: Callable[..., Any], end: str) -> None:
    begun = event("response.created", status="in_progress", usage=None, service_tier="auto")
    piece = {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "…"}
    last = event(f"response.{end}", status=end, service_tier="default")
    record = one(read, begun, piece, last)
    assert (record.input_tokens, record.output_tokens, record.service_tier) == (50, 20, "standard")
    assert record.status == ("error" if end == "failed" else "ok")


def test_a_response_that_was_asked_for_again_and_again_is_one(read: Callable[..., Any]) -> None:
    waiting = [response(status="queued", usage=None), response(status="in_progress", usage=None)]
    record = one(read, *waiting, response(), response(status="in_progress", usage=None))
    assert (record.usage, record.lines) == ("final", 4)


def test_only_the_action_of_searching_costs_a_fee(read: Callable[..., Any]) -> None:
    searched = {"type": "web_search_call", "action": {"type": "search"}}
    opened = {"type": "web_search_call", "action": {"type": "open_page"}}
    assert one(read, response(output=[searched, opened, searched])).web_searches == 2


def test_a_number_of_searches_that_is_told_stands_before_a_count(
    read: Callable[..., Any],
) -> None:
    told = {"web_search": {"num_requests": 5}}
    record = one(read, response(output=[{"type": "web_search_call"}], tool_usage=told))
    assert record.web_searches == 5


def test_a_container_is_one_code_session_however_often_it_ran(read: Callable[..., Any]) -> None:
    calls = [{"type": "code_interpreter_call", "container_id": each} for each in "aab"]
    assert one(read, response(output=calls)).code_sessions == 2


def test_an_answer_without_tools_has_no_fees(read: Callable[..., Any]) -> None:
    record = one(read, response(output=[{"type": "message"}]))
    assert record.web_searches is record.file_searches is record.code_sessions is None


def test_images_that_a_tool_drew_are_a_charge_of_their_own(read: Callable[..., Any]) -> None:
    drawn = {"image_gen": {"input_tokens": 40, "output_tokens": 1056, "total_tokens": 1096}}
    tools = [{"type": "image_generation", "model": "gpt-image-1"}]
    output = [{"type": "image_generation_call"}]
    answer = response(output=output, tools=tools, tool_usage=drawn)
    (text, image), problems = read("answers.jsonl", lines(answer))
    assert problems == []
    assert (text.origin.model, text.output_tokens) == ("gpt-5.5-2026-04-23", 20)
    assert (image.origin.model, image.output_image_tokens) == ("gpt-image-1", 1056)
    assert image.identity == f"{text.identity}#image_generation:0"


def test_images_of_which_nothing_is_told_are_no_zero(read: Callable[..., Any]) -> None:
    answer = response(output=[{"type": "image_generation_call"}])
    (_, image), _ = read("answers.jsonl", lines(answer))
    assert (image.usage, image.output_image_tokens, image.origin.model) == ("missing", None, "")


@pytest.mark.parametrize(
    ("changes", "provider"),
    [
        ({}, "openai"),
        ({"id": name(1, "gen-")}, "openrouter"),
        ({"choices": [{"content_filter_results": {}}]}, "azure"),
        ({"prompt_filter_results": []}, "azure"),
        ({"x_groq": {"id": "req_1"}, "model": "llama-3.3-70b"}, "groq"),
        ({"model": "ft:gpt-4o-mini-2024-07-18:acme::1"}, "openai"),
        ({"model": "o3-2025-04-16"}, "openai"),
        ({"model": "gpt-oss-120b"}, ""),
        ({"model": "mistral-large-2411"}, ""),
    ],
)
def test_who_bills_is_told_where_it_is_certain(
    read: Callable[..., Any], changes: dict[str, Any], provider: str
) -> None:
    assert one(read, chat(**changes)).origin.provider == provider


@pytest.mark.parametrize(
    ("address", "provider"),
    [
        ("https://acme.openai.azure.com/openai/deployments/x/chat/completions", "azure"),
        ("https://api.mistral.ai/v1/chat/completions", "mistral"),
        ("https://api.x.ai:443/v1/chat/completions", "x-ai"),
        ("http://localhost:8000/v1", ""),
        ("not an address", ""),
    ],
)
def test_the_address_tells_who_bills(read: Callable[..., Any], address: str, provider: str) -> None:
    asked = {"url": address, "body": {"model": "m"}}
    assert one(read, wrapped(chat(model="m"), request=asked)).origin.provider == provider


def test_a_wrapper_names_who_bills(read: Callable[..., Any]) -> None:
    record = one(read, wrapped(chat(model="llama3.2"), provider="together_ai"))
    assert record.origin.provider == "together"


def test_one_chunk_of_azure_says_that_the_stream_is_azures(read: Callable[..., Any]) -> None:
    opened = {"id": "", "object": "", "created": 0, "choices": [], "prompt_filter_results": []}
    filtered = chunk(1, choices=[{"content_filter_results": {}}])
    record = one(read, opened, chunk(1, used()), filtered)
    assert (record.origin.provider, record.lines) == ("azure", 2)


def test_what_openrouter_took_is_billed(read: Callable[..., Any]) -> None:
    record = one(read, chat(id=name(1, "gen-"), usage=used(cost=0.00007159)))
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("0.00007159"), "billed")


def test_with_a_key_of_ones_own_openrouter_bills_its_fee(read: Callable[..., Any]) -> None:
    record = one(read, chat(id=name(1, "gen-"), usage=used(cost=0.0001, is_byok=True)))
    assert (record.reported_cost_usd, record.origin.labels) == (Decimal("0.0001"), "|byok=true|")


def test_a_cost_that_somebody_else_reports_is_no_bill(read: Callable[..., Any]) -> None:
    assert one(read, chat(usage=used(cost=0.5))).reported_cost_usd is None


def test_an_embedding_takes_its_time_from_the_wrapper(read: Callable[..., Any]) -> None:
    usage = {"prompt_tokens": 8, "total_tokens": 8}
    body = {"object": "list", "data": [{"object": "embedding"}], "model": "m", "usage": usage}
    record = one(read, wrapped(body))
    assert record.started_at_us == 1790847000000000
    assert (record.input_tokens, record.output_tokens) == (8, None)
    assert why(read, body) == "an answer without a time"


@pytest.mark.parametrize("seconds", [12, 12.2, 11.5])
def test_sound_is_counted_in_seconds_to_the_nearest(
    read: Callable[..., Any], seconds: float
) -> None:
    body = {"text": "…", "usage": {"type": "duration", "seconds": seconds}}
    record = one(read, wrapped(body, request={"model": "whisper-1"}))
    assert (record.audio_seconds, record.origin.model) == (12, "whisper-1")


def test_the_output_of_the_images_api_is_images(read: Callable[..., Any]) -> None:
    usage = {"input_tokens": 50, "output_tokens": 1056, "total_tokens": 1106}
    body = {"created": AT, "data": [{"b64_json": "…"}], "usage": usage}
    record = one(read, wrapped(body, request={"model": "gpt-image-1"}))
    assert (record.output_image_tokens, record.output_tokens) == (1056, 0)


def test_images_without_a_usage_are_counted(read: Callable[..., Any]) -> None:
    body = {"created": AT, "data": [{"url": "…"}, {"url": "…"}]}
    assert one(read, wrapped(body, request={"model": "dall-e-3"})).images == 2


def test_cached_sound_of_a_realtime_response_is_known_by_kind(read: Callable[..., Any]) -> None:
    kinds = {"text_tokens": 30, "audio_tokens": 60}
    inputs = {"audio_tokens": 120, "cached_tokens": 90, "cached_tokens_details": kinds}
    usage = {
        "total_tokens": 300,
        "input_tokens": 200,
        "output_tokens": 100,
        "input_token_details": inputs,
        "output_token_details": {"audio_tokens": 80},
    }
    answer = {"object": "realtime.response", "id": name(1, "resp_"), "usage": usage}
    done = {"type": "response.done", "event_id": "event_1", "response": answer}
    record = one(read, {"time": "2026-10-01T09:30:00Z", "event": done})
    assert (record.input_tokens, record.input_audio_tokens) == (50, 60)
    assert (record.cache_read_tokens, record.cache_read_audio_tokens) == (30, 60)
    assert (record.output_tokens, record.output_audio_tokens) == (20, 80)


def test_a_realtime_response_begins_with_its_first_event(read: Callable[..., Any]) -> None:
    answer = {"object": "realtime.response", "id": name(1, "resp_")}
    begun = {"type": "response.created", "event_id": "e1", "response": answer}
    done = {"type": "response.done", "event_id": "e2", "response": {**answer, "usage": used()}}
    late = {"time": "2026-10-01T09:30:07Z", "event": done}
    record = one(read, late, {"time": "2026-10-01T09:30:00Z", "event": begun})
    assert record.started_at_us == 1790847000000000


def test_what_was_said_to_a_realtime_session_is_a_charge(read: Callable[..., Any]) -> None:
    heard = {
        "type": "conversation.item.input_audio_transcription.completed",
        "event_id": "event_1",
        "item_id": "item_0123456789abcdef",
        "usage": {"type": "duration", "seconds": 4},
    }
    assert one(read, wrapped(heard)).audio_seconds == 4


def test_the_request_id_is_another_identity(read: Callable[..., Any]) -> None:
    inner = {"headers": {"X-Request-Id": ["req_0123456789"]}, "body": chat()}
    assert one(read, wrapped(inner)).aliases == "upstream:openai:req_0123456789"


def test_a_request_that_brought_several_answers_is_the_identity_of_none(
    read: Callable[..., Any],
) -> None:
    listed = {"object": "list", "data": [chat(1), chat(2)]}
    inner = {"headers": {"x-request-id": "req_0123456789"}, "body": listed}
    records, _ = read("answers.jsonl", lines(wrapped(inner)))
    assert [record.aliases for record in records] == ["", ""]


def test_an_answer_without_an_id_is_known_by_its_request(read: Callable[..., Any]) -> None:
    body = {"text": "…", "usage": {"type": "duration", "seconds": 4}}
    inner = {"headers": {"x-request-id": "req_0123456789"}, "body": body}
    record = one(read, wrapped(inner, request={"model": "whisper-1"}))
    assert record.identity == "upstream:openai:req_0123456789"


def test_short_ids_of_local_servers_are_not_one_call(read: Callable[..., Any]) -> None:
    calls = [chat(id="chatcmpl-42", usage=used(count)) for count in (1, 2)]
    streams = [chunk(1, used(3), id="chatcmpl-7", created=AT + n) for n in (1, 2)]
    records, _ = read("answers.jsonl", lines(*calls, *streams))
    assert len({record.identity for record in records}) == 4
    assert {record.upstream_id for record in records} == {""}


def test_the_callers_own_dimensions_are_kept_and_no_other_metadata(
    read: Callable[..., Any],
) -> None:
    record = one(read, response(metadata={"workflow": "claims", "team": "a", "ticket": "4711"}))
    assert (record.origin.workflow, record.origin.team) == ("claims", "a")
    assert "4711" not in repr(record)


def test_an_organisations_name_is_not_its_id(read: Callable[..., Any]) -> None:
    named = {"openai-organization": "acme", "openai-project": "proj_1"}
    by_id = {"openai-organization": "org-acme"}
    record = one(read, wrapped({"headers": named, "body": chat()}))
    assert (record.origin.account, record.origin.project) == ("", "proj_1")
    assert one(read, wrapped({"headers": by_id, "body": chat()})).origin.account == "org-acme"


def test_an_error_costs_nothing_and_is_passed_over(read: Callable[..., Any]) -> None:
    errors = [{"error": {"message": "…"}}, wrapped({"body": '{"error": {"code": "x"}}'})]
    assert one(read, chat(), *errors).line == 1


def test_what_is_no_answer_is_refused(read: Callable[..., Any]) -> None:
    _, problems = read("answers.jsonl", lines(chat(), {"hello": "world"}, "text", [1], 7))
    assert [each.line for each in problems] == [2, 3, 4, 5]


def test_no_text_of_a_prompt_or_answer_is_kept(read: Callable[..., Any]) -> None:
    asked = {"body": {"model": "m", "messages": [{"content": "secret question"}]}}
    answer = chat(choices=[{"message": {"content": "secret answer"}}])
    records, problems = read("answers.jsonl", lines(wrapped(answer, request=asked)))
    assert "secret" not in repr((records, problems))


def test_a_cassette_in_yaml_is_refused_with_a_way_out(read: Callable[..., Any]) -> None:
    text = "interactions:\n- request:\n    uri: https://api.openai.com/v1/responses\n"
    records, (problem,) = read("cassette.yaml", text)
    assert (records, problem.what) == ([], "a cassette in YAML")
    assert "JSON" in problem.hint
