"""Raw answers in whatever people log them, and what a usage in OpenAI's shape means."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.core.errors import Problem
from clearbar.spend.files.quarantine import QuarantineError
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.shapes.answer_log import Body, bodies, opens_with
from clearbar.spend.shapes.completions_usage import counts_of
from clearbar.spend.sources import anthropic_answers, openai_answers

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.charge import Record
    from clearbar.spend.files.source_file import SourceFile


def is_body(value: dict[str, Any]) -> bool:
    return value.get("kind") == "body"


def body(number: int = 1, **more: Any) -> dict[str, Any]:
    return {"kind": "body", "id": str(number), **more}


@pytest.fixture
def log(tmp_path: Path) -> LogMaker:
    return LogMaker(tmp_path)


class LogMaker:
    """Writes a file and opens it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, text: str | bytes, name: str = "log.jsonl") -> SourceFile:
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return open_source_file(path)


def found(file: SourceFile) -> list[Body]:
    told = list(bodies(file, is_body, "body"))
    assert not [each for each in told if isinstance(each, Problem)]
    return [each for each in told if isinstance(each, Body)]


def reasons(file: SourceFile) -> list[str]:
    return [each.what for each in bodies(file, is_body, "body") if isinstance(each, Problem)]


@pytest.mark.parametrize(
    "wrapped",
    [
        body(),
        {"response": body()},
        {"response": {"status": 200, "body": body()}},
        {"response": {"body": {"string": json.dumps(body())}}},
        {"result": {"message": body()}},
        {"event": "delta", "data": body()},
        {"response": json.dumps({"body": json.dumps(body())})},
        {"response": f" data: {json.dumps(body())}\n\ndata: [DONE]\n\n"},
        {"response": f"event: x\r\ndata: {json.dumps(body())}\r\n\r\n"},
        [[body()]],
        {"message": "[info] done", "data": body()},
        {"request": {"body": '{"model": "m", "messages": [{"cont'}, "response": body()},
    ],
)
def test_a_body_is_found_in_what_people_wrap_it_in(log: LogMaker, wrapped: object) -> None:
    file = log(json.dumps(wrapped))
    assert opens_with(file, is_body)
    assert [each.value for each in found(file)] == [body()]


@pytest.mark.parametrize("inner", [{"output": body()}, {"a": {"response": body()}}, "text", 7])
def test_a_body_in_a_member_that_may_mean_anything_is_not_taken(
    log: LogMaker, inner: object
) -> None:
    file = log(json.dumps(inner))
    assert not opens_with(file, is_body)
    assert reasons(file) == ["no body"]


def test_a_body_is_not_looked_for_without_end(log: LogMaker) -> None:
    wrapped: object = body()
    for _ in range(20):
        wrapped = {"response": wrapped}
    assert not opens_with(log(json.dumps(wrapped)), is_body)


def test_lists_in_lists_without_end_are_refused(log: LogMaker) -> None:
    assert reasons(log("[" * 900 + "]" * 900)) == ["no body"]


def test_many_answers_in_one_wrapper_share_what_stands_around_them(log: LogMaker) -> None:
    wrapped = {"timestamp": "2026-10-01", "events": [body(1), {"chunk": body(2)}]}
    told = found(log(json.dumps(wrapped)))
    assert [each.around.time for each in told] == ["2026-10-01"] * 2
    assert [each.alone for each in told] == [False, False]


def test_events_of_one_answer_in_one_wrapper_are_alone(log: LogMaker) -> None:
    told = found(log(json.dumps({"events": [body(1), body(1), {"kind": "body"}]})))
    assert [each.alone for each in told] == [True] * 3


@pytest.mark.parametrize("name", ["log.jsonl", "log.txt", "stream.sse"])
def test_server_sent_events_are_read_whatever_the_files_name(log: LogMaker, name: str) -> None:
    text = f"\ufeffevent: x\nid: 7\ndata: {json.dumps(body())}\n\n: ping\nretry: 5\ndata: [DONE]\n"
    file = log(text, name)
    assert opens_with(file, is_body)
    assert [each.entry.number for each in found(file)] == [3]


def test_the_headers_before_a_stream_say_when_and_by_which_request(log: LogMaker) -> None:
    head = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Oct 2026 09:30:00 GMT\r\nRequest-Id: req_1\r\n\r\n"
    around = found(log(f"{head}data: {json.dumps(body())}\r\n\r\n", "log.txt"))[0].around
    assert (str(around.time), around.request_id) == ("2026-10-01 09:30:00+00:00", "req_1")


def test_what_is_no_event_in_a_stream_is_told(log: LogMaker) -> None:
    text = f'data: {json.dumps(body())}\n\nhello\ndata: {{"cut'
    assert reasons(log(text, "log.txt")) == ["no server-sent event", "not JSON"]


@pytest.mark.parametrize(
    "inner",
    [
        {"error": {"message": "…"}},
        {"response": {"body": {"error": "x"}}},
        {"response": {"body": '{"error": "x"}'}},
        {"result": {"type": "expired"}},
        {"type": "error"},
    ],
)
def test_an_error_is_passed_over(log: LogMaker, inner: object) -> None:
    assert found(log(json.dumps(body()) + "\n" + json.dumps(inner))) == found(
        log(json.dumps(body()))
    )


@pytest.mark.parametrize("inner", ['{"cut', "[1,", 'data: {"cut'])
def test_json_as_text_that_was_cut_is_told(log: LogMaker, inner: str) -> None:
    file = log(json.dumps({"response": inner}))
    assert reasons(file) == ["not JSON"]
    assert not opens_with(file, is_body)


@pytest.mark.parametrize("headers", ["x", {"date": "yesterday GMT"}, {"date": 7}, {"x": [[]]}])
def test_headers_that_cannot_be_read_say_nothing(log: LogMaker, headers: object) -> None:
    (told,) = found(log(json.dumps({"headers": headers, "response": body()})))
    assert (told.around.time, told.around.request_id) == (None, "")


def test_a_long_document_is_known_by_its_beginning(log: LogMaker) -> None:
    vectors = [[0.5] * 3000] * 20
    pretty = json.dumps({"response": body(more="x", vectors=vectors)}, indent=1)
    assert len(pretty) > 64 * 1024
    assert opens_with(log(pretty, "log.json"), is_body)
    assert opens_with(log(json.dumps([body(vectors=vectors)]), "log.json"), is_body)


def test_a_long_document_of_another_kind_is_not(log: LogMaker) -> None:
    deep = {"samples": [{"output": body()}] * 5000}
    assert not opens_with(log(json.dumps(deep, indent=1), "log.json"), is_body)


@pytest.mark.parametrize("head", ["]" * 9, '{"a', '{"a": "', "{" * 70_000, "[" * 70_000, '"' * 999])
def test_a_beginning_that_is_broken_is_no_answer(log: LogMaker, head: str) -> None:
    assert not opens_with(log(head, "log.json"), is_body)


def test_a_compressed_log_is_read(log: LogMaker) -> None:
    assert found(log(gzip.compress(json.dumps(body()).encode()), "log.jsonl.gz"))


LINES = st.sampled_from(
    [
        {"object": "chat.completion", "id": "chatcmpl-{:024}", "created": 1792000000},
        {"object": "response", "id": "resp_{:024}", "usage": {"input_tokens": 1}},
        {"object": "response", "id": "resp_{:024}", "created_at": 1792000000},
        {"object": "text_completion", "id": "x", "created": 1792000000},
        {"object": "chat.completion.chunk", "id": "chatcmpl-{:024}", "created": "x"},
        {"object": "batch", "id": "batch_{:024}"},
        {"hello": "world"},
        "text",
        7,
        None,
    ]
)


@given(values=st.lists(LINES, max_size=12))
def test_each_line_becomes_a_record_or_a_problem(
    values: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [
        json.dumps(value).replace("{:024}", f"{number:024}") for number, value in enumerate(values)
    ]
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_text("\n".join(lines))
    assert sum(lines_of(each) for each in openai_answers.read(open_source_file(path))) == len(lines)


def lines_of(told: Record | Problem) -> int:
    return 1 if isinstance(told, Problem) else told.lines


def test_more_streams_than_are_held_at_once_are_all_told(log: LogMaker) -> None:
    chunks = [
        {"id": f"chatcmpl-{n:024}", "object": "chat.completion.chunk", "created": 1792000000}
        for n in range(20_002)
    ]
    file = log("\n".join(json.dumps(each) for each in [*chunks, chunks[0]]))
    records = [each for each in openai_answers.read(file) if not isinstance(each, Problem)]
    assert len(records) == 20_003  # the first stream twice: the ledger makes them one
    assert records[0].identity == records[-1].identity


@pytest.mark.parametrize("around", [{}, {"request_id": "{}"}])
def test_more_messages_than_are_held_at_once_are_all_told(
    log: LogMaker, around: dict[str, str]
) -> None:
    count = 20_002 if around else 1_002
    lines = [
        json.dumps(
            {
                "time": 1792000000,
                "event": {
                    "type": "message_start",
                    "message": {"id": f"msg_{n:020}", "usage": {"input_tokens": n}},
                },
                **{name: value.format(n) for name, value in around.items()},
            }
        )
        for n in range(count)
    ]
    told = list(anthropic_answers.read(log("\n".join(lines))))
    assert len({each.identity for each in told if not isinstance(each, Problem)}) == count


COUNTS = st.one_of(st.integers(0, 40), st.sampled_from([None, -1, 2.5, Decimal(3), False, "7"]))


@given(
    told=st.lists(COUNTS, min_size=9, max_size=9),
    chat=st.booleans(),
    left_out=st.sets(st.integers(0, 3)),
)
def test_the_common_case_is_counted_as_any_other(
    told: list[Any], *, chat: bool, left_out: set[int]
) -> None:
    names = ("prompt", "completion") if chat else ("input", "output")
    inputs = {"cached_tokens": told[3], "audio_tokens": told[4]}
    outputs = {
        "reasoning_tokens": told[5],
        "audio_tokens": told[6],
        "rejected_prediction_tokens": told[7],
        "accepted_prediction_tokens": told[8],
    }
    optional = ["audio_tokens", "rejected_prediction_tokens", "accepted_prediction_tokens"]
    for place in left_out:
        (outputs if place else inputs).pop(optional[max(place - 1, 0)], None)
    total = told[0] + told[1] if all(type(each) is int for each in told[:2]) else told[2]
    usage = {
        f"{names[0]}_tokens": told[0],
        f"{names[1]}_tokens": told[1],
        "total_tokens": total,
        f"{names[0]}_tokens_details": inputs,
        f"{names[1]}_tokens_details": outputs,
    }
    assert counted(usage) == counted({**usage, "another member": 1})


def counted(usage: dict[str, Any]) -> object:
    try:
        return {name: count for name, count in counts_of(usage).items() if count is not None}
    except QuarantineError as error:
        return error.what


@pytest.mark.parametrize("host", ["prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"])
def test_what_was_cached_may_stand_outside_the_details(host: str) -> None:
    counts = counts_of({"prompt_tokens": 10, "completion_tokens": 1, host: 4})
    assert (counts["input_tokens"], counts["cache_read_tokens"]) == (6, 4)


@pytest.mark.parametrize("total", [30, 130, 137])
def test_perplexity_counts_reasoning_and_what_it_read_beside_the_completion(total: int) -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": total,
        "reasoning_tokens": 100,
        "citation_tokens": 7,
        "num_search_queries": 3,
    }
    counts = counts_of(usage)
    assert (counts["input_tokens"], counts["output_tokens"]) == (17, 120)
    assert (counts["reasoning_tokens"], counts["web_searches"]) == (100, 3)


def test_without_sources_the_price_of_a_call_of_perplexity_holds_its_searches() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}
    counts = counts_of(usage | {"search_context_size": "low", "num_search_queries": 3})
    assert counts == counts_of(usage)


def test_a_total_that_holds_the_reasoning_too_says_that_it_stands_beside() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 100}}
    usage = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 130, **details}
    assert counts_of(usage)["output_tokens"] == 120


def test_how_much_sound_was_cached_is_not_guessed() -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 50}}
    counts = counts_of({"prompt_tokens": 100, "completion_tokens": 1, **details})
    assert (counts["input_tokens"], counts["input_audio_tokens"]) == (60, None)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 13},
        {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}},
        {"prompt_tokens_details": {"cached_tokens": 11}},
        {"completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 3}},
        {"completion_tokens": 2, "completion_tokens_details": {"rejected_prediction_tokens": 3}},
        {"input_tokens": 9, "input_tokens_details": {"audio_tokens": 8, "image_tokens": 2}},
        {"input_tokens": True},
        {"type": "duration", "seconds": -1},
        {"type": "duration", "seconds": "1e999999999"},
    ],
)
def test_counts_that_contradict_each_other_are_refused(usage: dict[str, Any]) -> None:
    with pytest.raises(QuarantineError):
        counts_of(usage)
