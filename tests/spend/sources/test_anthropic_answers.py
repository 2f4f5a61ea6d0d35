from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.spend.charge import Record

AT_US = 1790847000000000


def name(number: int) -> str:
    return f"msg_01{number:0>22}"


def used(fresh: int = 10, output: int = 5, **changes: Any) -> dict[str, Any]:
    return {"input_tokens": fresh, "output_tokens": output, **changes}


def message(number: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "id": name(number),
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "content": [{"type": "text", "text": "…"}],
        "stop_reason": "end_turn",
        "usage": used(),
        **changes,
    }


def wrapped(inner: object, **around: Any) -> dict[str, Any]:
    return {"timestamp": "2026-10-01T09:30:00Z", "response": inner, **around}


def start(number: int, usage: dict[str, Any]) -> dict[str, Any]:
    inner = message(number, usage=usage, stop_reason=None)
    return {"type": "message_start", "message": inner}


def delta(output: int, stop: str | None = "end_turn", **usage: Any) -> dict[str, Any]:
    told = {"output_tokens": output, **usage}
    return {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": told}


STOP = {"type": "message_stop"}


def at(event: object, **around: Any) -> dict[str, Any]:
    return {"timestamp": "2026-10-01T09:30:00Z", "event": event, **around}


def lines(*values: object) -> str:
    return "\n".join(json.dumps(value) for value in values)


def one(read: Callable[..., Any], *values: object) -> Record:
    records, problems = read("answers.jsonl", lines(*values))
    assert problems == []
    (record,) = records
    return record  # type: ignore[no-any-return]


def reasons(read: Callable[..., Any], *values: object) -> list[str]:
    _, problems = read("answers.jsonl", lines(*values))
    return [problem.what for problem in problems]


def test_a_message_is_known_by_the_id_that_anthropic_gave_it(read: Callable[..., Any]) -> None:
    record = one(read, wrapped(message()))
    assert (record.identity, record.evidence) == (f"upstream:{name(1)}", "provider")


@pytest.mark.parametrize("clock", ["timestamp", "created_at", "time", "ts", "@timestamp"])
@pytest.mark.parametrize(
    "moment", ["2026-10-01T09:30:00Z", "2026-10-01T11:30:00+02:00", 1790847000]
)
def test_the_time_of_a_message_stands_in_its_wrapper(
    read: Callable[..., Any], clock: str, moment: object
) -> None:
    assert one(read, {clock: moment, "response": message()}).started_at_us == AT_US


def test_how_long_a_call_took_is_no_time(read: Callable[..., Any]) -> None:
    record = one(read, {"time": 1.25, "created_at": 1790847000, "response": message()})
    assert record.started_at_us == AT_US


def test_the_header_date_is_a_time(read: Callable[..., Any]) -> None:
    headers = {"Date": "Thu, 01 Oct 2026 09:30:00 GMT"}
    record = one(read, {"response": {"headers": headers, "body": message()}})
    assert record.started_at_us == AT_US


def test_a_message_without_a_time_is_refused_and_told_how(read: Callable[..., Any]) -> None:
    _, (problem,) = read("answers.jsonl", lines(message()))
    assert problem.what == "a message without a time"
    assert '"timestamp"' in problem.hint


def test_input_and_cache_stand_beside_each_other(read: Callable[..., Any]) -> None:
    split = {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 253}
    usage = used(
        5,
        500,
        cache_creation_input_tokens=1253,
        cache_read_input_tokens=128955,
        cache_creation=split,
    )
    record = one(read, wrapped(message(usage=usage)))
    assert (record.input_tokens, record.cache_read_tokens) == (5, 128955)
    assert (record.cache_write_5m_tokens, record.cache_write_1h_tokens) == (1000, 253)
    assert record.cache_write_tokens is None


def test_tier_speed_place_and_searches_are_told(read: Callable[..., Any]) -> None:
    usage = used(
        service_tier="priority",
        speed="fast",
        inference_geo="us",
        server_tool_use={"web_search_requests": 2, "web_fetch_requests": 1},
    )
    record = one(read, wrapped(message(usage=usage)))
    assert (record.service_tier, record.speed, record.geo) == ("priority", "fast", "us")
    assert record.web_searches == 2


@pytest.mark.parametrize(
    ("found", "provider"),
    [
        ({}, "anthropic"),
        ({"id": "msg_bdrk_0123456789abcdef"}, "aws"),
        ({"id": "msg_vrtx_0123456789abcdef"}, "google"),
        ({"model": "glm-4.6"}, ""),
    ],
)
def test_the_id_tells_of_the_cloud_that_bills(
    read: Callable[..., Any], found: dict[str, Any], provider: str
) -> None:
    assert one(read, wrapped(message(**found))).origin.provider == provider


def test_compaction_is_a_call_that_the_messages_own_figures_do_not_hold(
    read: Callable[..., Any],
) -> None:
    inner = [{"type": "compaction", **used(100, 82)}, {"type": "message", **used(180, 8)}]
    usage = used(180, 8, iterations=inner)
    (own, compaction), problems = read("answers.jsonl", lines(wrapped(message(usage=usage))))
    assert problems == []
    assert (own.input_tokens, own.output_tokens) == (180, 8)
    assert (compaction.input_tokens, compaction.output_tokens) == (100, 82)
    assert compaction.identity == f"{own.identity}#compaction:0"


def test_an_advisor_is_a_call_of_another_model(read: Callable[..., Any]) -> None:
    advice = {"type": "advisor_message", "model": "claude-opus-4-6", **used(2529, 38)}
    usage = used(30, 7, iterations=[{"type": "message", **used(30, 7)}, advice])
    (own, other), _ = read("answers.jsonl", lines(wrapped(message(usage=usage))))
    assert (own.origin.model, other.origin.model) == (
        "claude-sonnet-4-5-20250929",
        "claude-opus-4-6",
    )
    assert other.identity == f"{own.identity}#advisor_message:1"


def test_a_fallback_that_the_figures_hold_is_not_counted_twice(read: Callable[..., Any]) -> None:
    inner = [{"type": "message", **used(10, 0)}, {"type": "fallback_message", **used(20, 7)}]
    record = one(read, wrapped(message(usage=used(30, 7, iterations=inner))))
    assert (record.input_tokens, record.output_tokens) == (30, 7)


def test_of_the_deltas_the_last_counts_and_never_the_sum(read: Callable[..., Any]) -> None:
    events = [start(1, used(25, 1)), delta(9, None), delta(12, None), delta(15), STOP]
    record = one(read, *map(at, events))
    assert (record.input_tokens, record.output_tokens, record.usage) == (25, 15, "final")


def test_a_delta_may_raise_the_input(read: Callable[..., Any]) -> None:
    tools = {"web_search_requests": 1}
    last = delta(15, input_tokens=4000, server_tool_use=tools)
    record = one(read, at(start(1, used(25, 1))), at(last), at(STOP))
    assert (record.input_tokens, record.web_searches) == (4000, 1)


def test_a_zero_in_a_delta_does_not_take_back_what_the_start_has_told(
    read: Callable[..., Any],
) -> None:
    record = one(read, at(start(1, used(25, 1))), at(delta(15, input_tokens=0)), at(STOP))
    assert (record.input_tokens, record.output_tokens) == (25, 15)


def test_a_stream_that_was_cut_has_told_its_input_only(read: Callable[..., Any]) -> None:
    record = one(read, at(start(1, used(25, 1))))
    assert (record.usage, record.input_tokens, record.output_tokens) == ("partial", 25, None)


def test_a_stream_that_was_cut_later_has_told_some_output(read: Callable[..., Any]) -> None:
    record = one(read, at(start(1, used(25, 1))), at(delta(7, None)))
    assert (record.usage, record.output_tokens) == ("partial", 7)


def test_a_stream_after_one_that_was_cut_keeps_its_own_figures(read: Callable[..., Any]) -> None:
    events = [start(1, used(1, 1)), start(2, used(2, 1)), delta(22), STOP]
    events += [start(3, used(3, 1)), delta(33), STOP]
    records, problems = read("answers.jsonl", lines(*map(at, events)))
    assert problems == []
    assert [(r.input_tokens, r.output_tokens) for r in records] == [(1, None), (2, 22), (3, 33)]


def test_mixed_streams_are_refused(read: Callable[..., Any]) -> None:
    events = [start(1, used(1, 1)), start(2, used(2, 1)), delta(11), delta(22), STOP, STOP]
    assert reasons(read, *map(at, events)) == ["the events of several streams are mixed"] * 2


def test_a_figure_that_falls_is_another_streams(read: Callable[..., Any]) -> None:
    events = [start(1, used(90, 1)), start(2, used(95, 1)), delta(11, input_tokens=90)]
    assert reasons(read, *map(at, events)) == ["the events of several streams are mixed"] * 2


def test_the_id_of_the_request_keeps_mixed_streams_apart(read: Callable[..., Any]) -> None:
    first, second = {"request_id": "a"}, {"request_id": "b"}
    events = [
        at(start(1, used(1, 1)), **first),
        at(start(2, used(2, 1)), **second),
        at(delta(11), **first),
        at(delta(22), **second),
        at(STOP, **second),
        at(STOP, **first),
    ]
    records, problems = read("answers.jsonl", lines(*events))
    assert problems == []
    assert {(r.input_tokens, r.output_tokens) for r in records} == {(1, 11), (2, 22)}


def test_a_request_that_was_made_again_is_another_stream(read: Callable[..., Any]) -> None:
    around = {"request_id": "a"}
    events = [start(1, used(1, 1)), start(2, used(2, 1)), delta(22), STOP]
    records, _ = read("answers.jsonl", lines(*(at(each, **around) for each in events)))
    assert [(r.input_tokens, r.usage) for r in records] == [(1, "partial"), (2, "final")]


def test_a_delta_without_its_start_is_refused(read: Callable[..., Any]) -> None:
    lost = at(delta(3)), at(delta(3), request_id="a")
    assert reasons(read, *lost) == ["a message_delta without its message_start"] * 2


def test_a_stream_as_text_in_a_wrapper_is_read(read: Callable[..., Any]) -> None:
    events = [start(1, used(25, 1)), {"type": "ping"}, delta(15), STOP]
    text = "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in events)
    inner = {"headers": {"request-id": "req_0123456789"}, "body": text}
    record = one(read, wrapped(inner))
    assert (record.input_tokens, record.output_tokens) == (25, 15)
    assert record.aliases == "upstream:anthropic:req_0123456789"


def test_a_stream_ends_when_its_last_event_was_logged(read: Callable[..., Any]) -> None:
    last = {"timestamp": "2026-10-01T09:30:04Z", "event": STOP}
    record = one(read, at(start(1, used(25, 1))), at(delta(15)), last)
    assert record.ended_at_us == AT_US + 4_000_000


def test_results_of_a_batch_take_their_time_from_the_batch(read: Callable[..., Any]) -> None:
    batch = {
        "id": "msgbatch_1",
        "type": "message_batch",
        "request_counts": {"succeeded": 1},
        "created_at": "2026-10-01T09:30:00Z",
    }
    failed = {"custom_id": "case-18", "result": {"type": "errored", "error": {}}}
    done = {"custom_id": "case-17", "result": {"type": "succeeded", "message": message()}}
    record = one(read, batch, failed, done)
    assert (record.service_tier, record.task_id) == ("batch", "case-17")
    assert record.started_at_us == AT_US


def test_results_of_a_batch_without_the_batch_are_refused(read: Callable[..., Any]) -> None:
    done = {"custom_id": "case-17", "result": {"type": "succeeded", "message": message()}}
    _, (problem,) = read("answers.jsonl", lines(done))
    assert "batch object" in problem.hint


@pytest.mark.parametrize(
    "usage",
    [
        used(-1),
        used(10, "many"),  # type: ignore[arg-type]
        used(output_tokens_details={"thinking_tokens": 6}),
        used(cache_creation_input_tokens=1, cache_creation={"ephemeral_5m_input_tokens": 2}),
        used(iterations=[{"type": "compaction", "input_tokens": -1}]),
    ],
)
def test_a_usage_that_does_not_add_up_is_refused_whole(
    read: Callable[..., Any], usage: dict[str, Any]
) -> None:
    records, problems = read("answers.jsonl", lines(wrapped(message(usage=usage))))
    assert (records, len(problems)) == ([], 1)


def test_short_ids_of_local_servers_are_not_one_call(read: Callable[..., Any]) -> None:
    calls = [wrapped(message(id="msg_1", usage=used(count))) for count in (1, 2)]
    records, _ = read("answers.jsonl", lines(*calls))
    assert len({record.identity for record in records}) == 2


def test_an_error_costs_nothing_and_is_passed_over(read: Callable[..., Any]) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error"}, "request_id": "req_1"}
    assert one(read, error, wrapped(error), wrapped(message())).line == 3


def test_a_log_of_claude_code_is_left_to_its_own_source(read: Callable[..., Any]) -> None:
    line = {
        "type": "assistant",
        "sessionId": "s",
        "uuid": "u",
        "timestamp": "2026-10-01T09:30:00Z",
        "message": message(),
    }
    assert one(read, line).origin.source == "claude_code"


def test_no_text_of_a_prompt_or_answer_is_kept(read: Callable[..., Any]) -> None:
    asked = {"body": {"model": "m", "messages": [{"content": "secret question"}]}}
    answer = message(content=[{"type": "text", "text": "secret answer"}])
    told = read("answers.jsonl", lines(wrapped(answer, request=asked), wrapped("secret")))
    assert "secret" not in repr(told)
