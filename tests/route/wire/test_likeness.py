"""Events told by their likeness: what is counted and passed on is what reading them would give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.wire.asking import CHAT

from clearbar.route.wire.asked import Asked
from clearbar.route.wire.likeness import Alike
from clearbar.route.wire.metering import Events, events_of, meter_for

if TYPE_CHECKING:
    from clearbar.route.wire.likeness import Likeness

EVENT_STREAM = b"text/event-stream"
WORDS = st.sampled_from(
    ["hello", " ", "", 'a "quoted" word', "back\\slash", "ünïcode", "a\nline", "}],", "data: x"]
)


def chunk(text: str, *, blind: str | None = None, usage: bool = False, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    line: dict[str, Any] = {"id": "chatcmpl-1", "model": "m", "choices": [choice], **more}
    if usage:
        line["usage"] = None
    if blind is not None:
        line["obfuscation"] = blind
    said = json.dumps(line, separators=(",", ":"), ensure_ascii=False)
    return b"data: " + said.encode() + b"\n\n"


END = b'data: {"id":"chatcmpl-1","choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
USAGE = (
    b'data: {"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,'
    b'"total_tokens":7}}\n\n'
)
DONE = b"data: [DONE]\n\n"


def read(pieces: list[bytes], *, likens: bool, wants_usage: bool) -> tuple[bytes, Any]:
    said = Asked(stream=True, wants_usage=wants_usage)
    meter = meter_for(CHAT, said, 200, EVENT_STREAM)
    assert isinstance(meter, Events)
    if not likens:
        meter._tries = 0
    passed = b"".join([meter.feed(piece) for piece in pieces])
    return passed + meter.finish(), meter.metered()


EVENTS = st.one_of(
    st.builds(chunk, WORDS, blind=st.none() | WORDS, usage=st.booleans()),
    st.builds(chunk, WORDS, note=WORDS),
    st.sampled_from([END, USAGE, DONE, b": comment\n\n", b'data: {"error":{"message":"x"}}\n\n']),
)


@given(st.lists(EVENTS, max_size=12), st.booleans())
def test_what_is_told_by_likeness_is_what_is_read(events: list[bytes], wants: bool) -> None:  # noqa: FBT001 - of hypothesis
    alike = read(events, likens=True, wants_usage=wants)
    assert alike == read(events, likens=False, wants_usage=wants)


@given(st.lists(WORDS.map(chunk), min_size=1, max_size=6), st.data())
def test_a_likeness_holds_however_a_stream_is_cut(events: list[bytes], data: st.DataObject) -> None:
    stream = b"".join((*events, END, USAGE, DONE))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    alike = read(pieces, likens=True, wants_usage=True)
    assert alike == read([stream], likens=False, wants_usage=True)


def learned(*events: bytes) -> Likeness | None:
    meter = meter_for(CHAT, Asked(stream=True), 200, EVENT_STREAM)
    assert isinstance(meter, Events)
    for event in events:
        meter.feed(event)
    return meter.like


@pytest.mark.parametrize("blind", [None, "abc"])
def test_events_of_one_stream_are_alike_but_for_their_text(blind: str | None) -> None:
    like = learned(chunk("one", blind=blind))
    assert like is not None
    other = chunk("four", blind=blind and "longer")
    assert like.text_in(other, 0, len(other)) == 4


@pytest.mark.parametrize(
    "event",
    [
        chunk("", blind="x"),
        chunk('a "quote"', blind="x"),
        chunk("two", blind="x", more=1),
        chunk("two", blind="x", usage=True),
        chunk("two", blind='x"y'),
        chunk("two", blind="x") * 2,
        chunk("two", blind="x")[:-1],
        END,
    ],
)
def test_what_says_more_than_a_text_is_not_alike(event: bytes) -> None:
    like = learned(chunk("one", blind="abc"))
    assert like is not None
    assert like.text_in(event, 0, len(event)) == 0


FIRST = (
    b'data: {"id":"%b","model":"m","choices":[{"index":0,"delta":{"role":"a","content":""}}]}\n\n'
)


def stream_of(own: bytes, texts: list[str], **more: Any) -> list[bytes]:
    words = [chunk(text, **more).replace(b"chatcmpl-1", own) for text in texts]
    return [FIRST % own, *words, END, USAGE, DONE]


@given(st.lists(st.tuples(st.lists(WORDS, max_size=6), st.booleans()), max_size=4), st.booleans())
def test_the_likeness_of_one_stream_holds_in_the_next(
    streams: list[tuple[list[str], bool]],
    blinds: bool,  # noqa: FBT001 - of hypothesis
) -> None:
    alike = Alike()
    more: dict[str, Any] = {"blind": "abc", "usage": True} if blinds else {}
    for number, (words, wants) in enumerate(streams):
        meter = events_of(CHAT, Asked(stream=True, wants_usage=wants), alike)
        pieces = stream_of(b"c-%d" % number, words, **more)
        passed = b"".join([meter.feed(piece) for piece in pieces]) + meter.finish()
        assert (passed, meter.metered()) == read(pieces, likens=False, wants_usage=wants)


def test_after_the_first_event_of_a_stream_its_likeness_is_known_from_the_one_before() -> None:
    alike = Alike()
    for own in (b"c-1", b"another"):
        meter = events_of(CHAT, Asked(stream=True), alike)
        first, word, *_ = stream_of(own, ["one"])
        meter.feed(first)
        known = meter.like
        meter.feed(word)
    assert known is not None
    assert known.text_in(word, 0, len(word)) == 3


@pytest.mark.parametrize(
    "first",
    [
        DONE,
        b": comment\n\n",
        b'event: x\ndata: {"id":"c","choices":[]}\n\n',
        b'data: {"id":"c","usage":null,"choices":[]}\n\n',
        b'data: {"id":"c","us\\u0061ge":null,"choices":[]}\n\n',
        b'data: {"id":"c","error":{},"choices":[]}\n\n',
        b'data: {"id":{"choices":[]}}\n\n',
        b'data: {"id":"a text with \\"choices\\":[]"}\n\n',
        b'data: {"id":"c" "choices":[]}\n\n',
    ],
)
def test_an_odd_first_event_tells_nothing_of_those_that_follow(first: bytes) -> None:
    like = learned(chunk("one"))
    assert like is not None
    assert like.in_stream(first) is None


@pytest.mark.parametrize(
    "event",
    [END, USAGE, DONE, chunk(""), chunk("x", usage_note={"content": "x"}), chunk("a\\b")],
)
def test_of_an_event_that_is_no_plain_text_nothing_is_likened(event: bytes) -> None:
    assert learned(event) is None


def test_a_likeness_is_not_used_inside_an_event() -> None:
    event = chunk("one")
    assert learned(event, event[:10]) is None
    assert learned(event, event[:10], event[10:]) is not None
