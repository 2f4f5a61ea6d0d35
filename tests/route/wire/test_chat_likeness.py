"""A chat that is told by its bytes asks for what it asks for when it is read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.route.wire.asking import CHAT, compact

from clearbar.route.wire.asked import Asked, BadBody
from clearbar.route.wire.chat_likeness import ChatLikeness, ChatsAlike
from clearbar.route.wire.reading import read_body

FIELDS: list[dict[str, Any]] = [
    {"max_tokens": 5},
    {"max_tokens": 5, "stream": True, "temperature": 0.5},
    {"tools": [{"type": "function", "function": {"name": "content", "description": "content"}}]},
    {"response_format": {"type": "json_schema", "content": "not a message's"}},
]


def chat(text: str, before: str = "be brief", model: str = "m", **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": before}, {"role": "user", "content": text}]
    return {"model": model, "messages": messages, **more}


def last(text: str, **more: Any) -> dict[str, Any]:
    return {**more, "messages": [{"role": "user", "content": text}], "model": "m"}


def read(body: bytes) -> dict[str, Any]:
    asked = read_body(CHAT, body)
    return said(asked)


def said(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__struct_fields__ if name != "layout"}


def likeness(body: bytes) -> ChatLikeness | None:
    return ChatLikeness.of(body, read_body(CHAT, body))


@given(
    st.text(max_size=40),
    st.text(max_size=40),
    st.sampled_from(FIELDS[:3]),
    st.sampled_from([chat, last]),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
@example('"', '"}],"model":"other', FIELDS[0], chat, (",", ":"))
def test_another_text_in_the_place_of_the_last_is_told_as_it_is_read(
    first: str, second: str, more: dict[str, Any], made: Any, separators: tuple[str, str]
) -> None:
    bodies = [
        json.dumps(made(text, **more), separators=separators, ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )
        for text in (first, second)
    ]
    like = likeness(bodies[0])
    assert like is not None
    again = like.again(bodies[1])
    assert again is not None
    assert said(again) == read(bodies[1])


BODY = compact(chat("hi", max_tokens=5))


@pytest.mark.parametrize(
    "other",
    [
        compact(chat("hi", max_tokens=6)),
        compact(chat("hi", model="n", max_tokens=5)),
        compact(chat("hi", before="be long", max_tokens=5)),
        compact(chat("@", max_tokens=5)).replace(b"@", b'hi"},{"role":"user","content":"ho'),
        compact(chat("@", max_tokens=5)).replace(b"@", b'hi","audio":"x'),
        compact(chat("@", max_tokens=5)).replace(b"@", b'"'),
        compact(chat("@", max_tokens=5)).replace(b"@", b"\\"),
        compact(chat("@", max_tokens=5)).replace(b"@", b"\n"),
        compact(chat("@", max_tokens=5)).replace(b"@", b"\xff"),
        compact(chat("@", max_tokens=5)).replace(b'"@"', b'["hi"]'),
        compact(chat("@", max_tokens=5)).replace(b'@"', b""),
        compact(chat("x" * 2**20, max_tokens=5)),
        BODY[:-1],
        BODY + b" ",
        b"",
    ],
)
def test_what_is_not_one_text_in_that_place_is_read(other: bytes) -> None:
    like = likeness(BODY)
    assert like is not None
    assert like.again(other) is None
    assert like.again(BODY) is not None


@pytest.mark.parametrize(
    "body",
    [
        compact(chat("hi", **FIELDS[3])),
        compact({"model": "m", "messages": []}),
        compact({"model": "m", "messages": [{"role": "user", "content": None}]}),
        compact(chat("hi", user="somebody")),
        compact(chat("hi", before="x" * 2**15)),
        compact({"model": "m", "messages": [{"role": "user", "content": [{"type": "image"}]}]}),
    ],
)
def test_what_has_no_last_text_of_its_own_or_too_much_around_it_is_not_remembered(
    body: bytes,
) -> None:
    assert likeness(body) is None


@given(st.lists(st.sampled_from([*FIELDS, {"max_tokens": -1}, {"n": 2}]), max_size=8), st.text())
def test_a_memory_says_what_reading_says(fields: list[dict[str, Any]], text: str) -> None:
    alike = ChatsAlike()
    for more in fields:
        body = compact(chat(text, **more))
        try:
            expected = read_body(CHAT, body)
        except BadBody:
            assert alike.again(body) is None
            continue
        again = alike.again(body)
        assert again is None or said(again) == said(expected)
        alike.remember(body, expected)


def test_where_each_chat_is_another_one_few_are_looked_at() -> None:
    alike, seen = ChatsAlike(), 0
    for number in range(200):
        body = compact(chat("hi", before=str(number)))
        assert alike.again(body) is None
        known = alike._like
        alike.remember(body, read_body(CHAT, body))
        seen += alike._like is not known
    assert seen < 10
