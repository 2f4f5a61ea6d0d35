"""Only what is named changes; every other byte stays."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.wire.asking import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MESSAGES,
    OTHER,
    RESPONSES,
    chat,
    compact,
    message,
    response,
)
from tests.route.wire.objects import spelled

from clearbar.route.wire.layout import layout_of
from clearbar.route.wire.reading import Asked, read_body
from clearbar.route.wire.rewriting import asking_usage, rewrite

if TYPE_CHECKING:
    from clearbar.route.wire.operation import Operation


def changed(operation: Operation, body: bytes, **changes: Any) -> bytes:
    asked = read_body(operation, body)
    named: dict[str, Any] = {"model": None, "max_tokens": None, "ask_usage": False, "settings": {}}
    return rewrite(operation, body, asked, **{**named, **changes})


def test_nothing_to_change_leaves_the_very_same_bytes() -> None:
    body = chat(max_tokens=5)
    assert changed(CHAT, body) is body
    assert changed(CHAT, body, model="gpt-5-mini", max_tokens=5) is body
    assert changed(CHAT, body, ask_usage=True) is body


def test_the_model_changes_in_its_place() -> None:
    body = b'{ "messages" : [ {"model":"gpt-5-mini"} ] , "model" : "gpt-5-mini" , "x" : 1.0 }'
    expected = b'{ "messages" : [ {"model":"gpt-5-mini"} ] , "model" : "m-2" , "x" : 1.0 }'
    assert changed(CHAT, body, model="m-2") == expected


def test_a_plain_stream_asks_for_its_usage_as_any_other() -> None:
    for body in (chat(stream=True), b' { "stream" : true , "model" : "gpt-5-mini", "messages":[]}'):
        assert read_body(CHAT, body).stream
        assert asking_usage(body) == changed(CHAT, body, ask_usage=True)


def test_a_limit_is_lowered_and_never_raised() -> None:
    assert json.loads(changed(CHAT, chat(max_tokens=100), max_tokens=50))["max_tokens"] == 50
    assert json.loads(changed(CHAT, chat(max_tokens=40), max_tokens=50))["max_tokens"] == 40


def test_both_limits_are_lowered_where_both_are_named() -> None:
    body = chat(max_tokens=100, max_completion_tokens=200)
    found = json.loads(changed(CHAT, body, max_tokens=50))
    assert (found["max_tokens"], found["max_completion_tokens"]) == (50, 50)


@pytest.mark.parametrize(
    ("operation", "body", "name"),
    [
        (CHAT, chat(), "max_completion_tokens"),
        (CHAT, chat(model="openai/o3"), "max_completion_tokens"),
        (CHAT, chat(model="mistral-small"), "max_tokens"),
        (COMPLETIONS, compact({"model": "m", "prompt": "a"}), "max_tokens"),
        (RESPONSES, response(), "max_output_tokens"),
        (MESSAGES, message(max_tokens=None), "max_tokens"),
    ],
)
def test_a_limit_that_is_not_there_is_added(operation: Operation, body: bytes, name: str) -> None:
    before = json.loads(body)
    assert json.loads(changed(operation, body, max_tokens=50)) == {**before, name: 50}


def test_the_limit_is_named_as_the_model_that_is_asked_wants_it() -> None:
    assert b'"max_tokens":9' in changed(CHAT, chat(), model="mistral-small", max_tokens=9)


def test_what_has_no_output_gets_no_limit() -> None:
    body = compact({"model": "m", "input": "a"})
    assert changed(EMBEDDINGS, body, max_tokens=50) is body


def test_settings_replace_what_the_client_says_or_are_added() -> None:
    settings = {"temperature": Decimal("0.2"), "top_p": 1, "reasoning": {"effort": "low"}}
    found = changed(CHAT, chat(temperature=1), settings=settings)
    before = json.loads(chat())
    more = {"temperature": 0.2, "top_p": 1, "reasoning": {"effort": "low"}}
    assert json.loads(found) == {**before, **more}


def test_a_limit_among_the_settings_is_lowered_too() -> None:
    found = changed(CHAT, chat(max_tokens=500), settings={"max_tokens": 300}, max_tokens=50)
    assert json.loads(found)["max_tokens"] == 50
    found = changed(CHAT, chat(max_tokens=500), settings={"max_tokens": 30}, max_tokens=50)
    assert json.loads(found)["max_tokens"] == 30


def test_the_usage_of_a_stream_is_asked_for() -> None:
    found = json.loads(changed(CHAT, chat(stream=True), ask_usage=True))
    assert found["stream_options"] == {"include_usage": True}


def test_the_other_options_of_a_stream_stay() -> None:
    body = chat(stream=True, stream_options={"include_obfuscation": False, "include_usage": False})
    found = json.loads(changed(CHAT, body, ask_usage=True))
    assert found["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@pytest.mark.parametrize(
    ("operation", "body"),
    [(MESSAGES, message(stream=True)), (RESPONSES, response(stream=True)), (CHAT, chat())],
)
def test_the_usage_is_asked_for_only_where_it_would_not_be_told(
    operation: Operation, body: bytes
) -> None:
    assert changed(operation, body, ask_usage=True) is body


def test_a_body_that_was_not_the_one_read_is_laid_out_anew() -> None:
    asked = read_body(CHAT, chat())
    other = chat(user="x", model="a")
    found = rewrite(CHAT, other, asked, model="m", max_tokens=None, ask_usage=False, settings={})
    assert json.loads(found) == {**json.loads(other), "model": "m"}


def test_a_body_that_is_no_json_passes_where_nothing_changes() -> None:
    asked = read_body(OTHER, b"--boundary")
    nothing: dict[str, Any] = {"model": None, "max_tokens": None, "ask_usage": False}
    assert rewrite(OTHER, b"--boundary", asked, **nothing, settings={}) == b"--boundary"


def test_half_a_character_elsewhere_passes_as_it_came() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"\\ud83d"}]}'
    assert changed(CHAT, body, model="n") == body.replace(b'"m"', b'"n"')


replacements = st.dictionaries(
    st.sampled_from(["a", "model", "temperature", "\u00e9", ""]) | st.text(max_size=3),
    st.integers() | st.text(max_size=5) | st.none(),
    max_size=4,
)


@given(spelled(), replacements)
def test_of_any_object_only_what_is_named_changes(
    case: tuple[dict[str, Any], bytes], settings: dict[str, Any]
) -> None:
    value, body = case
    asked, nothing = Asked(), {"model": None, "max_tokens": None, "ask_usage": False}
    found = rewrite(OTHER, body, asked, **nothing, settings=settings)  # type: ignore[arg-type]
    assert json.loads(found) == {**value, **settings}
    names = json.loads(found, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    assert len(names) == len(set(names))


@given(spelled(), st.text(max_size=8))
def test_the_bytes_around_a_changed_value_are_untouched(
    case: tuple[dict[str, Any], bytes], model: str
) -> None:
    value, body = case
    for name in value:
        start, end = layout_of(body).places()[name]
        settings = {name: model}
        nothing: dict[str, Any] = {"model": None, "max_tokens": None, "ask_usage": False}
        found = rewrite(OTHER, body, Asked(), **nothing, settings=settings)
        assert found.startswith(body[:start])
        assert found.endswith(body[end:])
        assert json.loads(found[start : len(found) - (len(body) - end)]) == model
