"""Answers in events, cut anywhere, fold to the whole answer or say that they are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.upstream_bodies import Asked, Said, body_of, error_event, events_of

from clearbar.tools.tool import TokenUsage
from clearbar.tools.wire import read_answer
from clearbar.tools.wire_errors import NotAnAnswer
from clearbar.tools.wire_stream import Events, Folded, open_stream, whole

TEXT = "Your parcel is on its way \u2014 it will be there on M\u00f6nday \U0001f4e6"
PROTOCOLS: list[Any] = ["openai", "anthropic"]


def answer_in(protocol: Any, text: str = TEXT) -> Said:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    asked = {"model": "m-1", "messages": [{"role": "user", "content": "where is it"}], **options}
    return Said(Asked(1, protocol, asked, {}, 0.0), text, "id-1", cached_tokens=3)


def folded(protocol: Any, payload: bytes, size: int = 10**6) -> Folded:
    stream = open_stream(protocol)
    for start in range(0, len(payload), size):
        stream.feed(payload[start : start + size])
    return stream.folded()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10**6])
def test_a_stream_folds_to_the_whole_answer_wherever_it_is_cut(protocol: Any, size: int) -> None:
    said = answer_in(protocol)
    found = folded(protocol, b"".join(events_of(said)), size)
    assert found.complete
    assert found.answer == read_answer(protocol, json.dumps(body_of(said)).encode())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_that_ends_too_soon_is_not_complete_and_its_usage_unknown(protocol: Any) -> None:
    events = events_of(answer_in(protocol))
    last = -1 if protocol == "anthropic" else -3
    for number in range(len(events) + last):
        found = folded(protocol, b"".join(events[:number]))
        assert not found.complete
        assert found.answer.usage is None
        with pytest.raises(NotAnAnswer, match="ended before the answer"):
            whole(found)


def test_a_stream_of_openai_without_the_count_of_tokens_is_whole_and_its_usage_unknown() -> None:
    events = events_of(answer_in("openai"))
    found = folded("openai", b"".join([*events[:-2], events[-1]]))
    assert found.complete
    assert found.answer.text == TEXT
    assert found.answer.usage is None


def test_the_last_count_of_anthropic_stands_and_no_sum() -> None:
    found = folded("anthropic", b"".join(events_of(answer_in("anthropic"))))
    assert found.answer.usage is not None
    assert found.answer.usage.output_tokens == len(TEXT.split())
    assert found.answer.usage.cache_read_tokens == 3


def test_a_message_without_its_start_has_unknown_input() -> None:
    """llama.cpp's server leaves it out where the first token is half a character."""
    found = folded("anthropic", b"".join(events_of(answer_in("anthropic"))[1:]))
    assert found.complete
    assert found.answer.usage == TokenUsage(output_tokens=len(TEXT.split()))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_error_in_the_middle_is_no_answer(protocol: Any) -> None:
    events = events_of(answer_in(protocol))
    found = folded(protocol, b"".join([*events[:3], error_event(protocol)]))
    assert not found.complete
    with pytest.raises(NotAnAnswer, match="overloaded") as raised:
        whole(found)
    assert raised.value.upstream_id == "id-1"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_event_that_is_no_json_spoils_the_stream(protocol: Any) -> None:
    events = events_of(answer_in(protocol))
    found = folded(protocol, b"".join([events[0], b"data: {oops\n\n", *events[1:]]))
    assert not found.complete
    assert found.error is not None
    assert found.answer.text == TEXT


def test_done_alone_does_not_end_a_message_of_anthropic() -> None:
    assert not folded("anthropic", b"data: [DONE]\n\n").complete
    assert folded("openai", b"data: [DONE]\n\n").complete


def test_what_is_thought_is_not_said() -> None:
    block = {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hm"}}
    thought = f"data: {json.dumps(block)}\n\n".encode()
    events = events_of(answer_in("anthropic"))
    assert folded("anthropic", b"".join([*events[:2], thought, *events[2:]])).answer.text == TEXT


def test_a_refusal_in_a_stream_is_what_the_model_said() -> None:
    chunks = [{"refusal": "Rather "}, {"refusal": "not."}]
    events = [json.dumps({"choices": [{"delta": each}]}) for each in chunks]
    payload = "".join(f"data: {each}\n\n" for each in events).encode()
    assert folded("openai", payload + b"data: [DONE]\n\n").answer.text == "Rather not."


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_text_in_place_of_a_name_is_not_kept_of_a_stream(protocol: Any) -> None:
    payload = b"".join(events_of(answer_in(protocol)))
    payload = payload.replace(b'"id-1"', b'"the prompt"').replace(
        b'"m-1"', b'"' + b"m" * 999 + b'"'
    )
    answer = whole(folded(protocol, payload))
    assert (answer.upstream_id, answer.model, answer.text) == ("", "", TEXT)


def test_lines_may_end_in_any_way_and_comments_are_passed_over() -> None:
    events = Events()
    pieces = [
        b"\xef\xbb\xbf: hello\r\nevent: x\r\ndata: a\r",
        b"\ndata:b\r\r",
        b"",
        b"\n\ndata: c\n",
    ]
    assert [data for piece in pieces for data in events.feed(piece)] == ["a\nb"]
    assert list(events.feed(b"\n\n")) == ["c"]


def test_a_line_separator_in_a_text_ends_no_event() -> None:
    assert list(Events().feed("data: a\u2028b\x85c\n\n".encode())) == ["a\u2028b\x85c"]


lines = st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1))


@given(texts=lines, end=st.sampled_from(["\n", "\r", "\r\n"]), size=st.integers(1, 9))
def test_any_data_comes_out_as_it_went_in(texts: list[str], end: str, size: int) -> None:
    payload = "".join(f"data: {each}{end}{end}" for each in texts).encode()
    events = Events()
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    assert [data for piece in pieces for data in events.feed(piece)] == texts
