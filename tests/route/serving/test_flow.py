"""Chunks that flow: what the client gets and what is counted is what reading them would give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.serving.test_streaming import DONE, FIRST, NULLED, STOP, TOLD, chunk, word
from tests.route.wire.asking import CHAT

from clearbar.route.serving.flow import Flow, flow_from
from clearbar.route.wire.asked import Asked
from clearbar.route.wire.likeness import Alike
from clearbar.route.wire.metering import Events, Metered, events_of

if TYPE_CHECKING:
    from collections.abc import Callable

TEXTS = [b"one", b"a longer one", b'with \\"quotes\\"', b"", "ünïcode".encode(), b"x" * 5000]
WORDS = [word(text) for text in TEXTS]
EVENTS = st.sampled_from([*WORDS, *NULLED, STOP, TOLD, DONE, b": comment\n\n"])


class Sent:
    """The client's side."""

    def __init__(self) -> None:
        self.said = b""
        self.full = False

    def passage(self) -> Callable[[bytes], None] | None:
        return None if self.full else self.write

    def write(self, piece: bytes) -> None:
        self.said += piece


def unpacked(data: bytes) -> bytes:
    said = b""
    while data:
        line, _, data = data.partition(b"\r\n")
        size = int(line, 16)
        assert data[size : size + 2] == b"\r\n"
        said, data = said + data[:size], data[size + 2 :]
    return said


def passed(
    events: list[bytes], alike: Alike, *, wants: bool, flows: bool
) -> tuple[bytes, Metered, int, int]:
    """Return what the client gets, what is counted, and how many chunks flowed."""
    meter, sent = events_of(CHAT, Asked(stream=True, wants_usage=wants), alike), Sent()
    flow: Flow | None = None
    flowed = fed = 0
    for event in events:
        if flow is not None and flow.take(chunk(event)):
            flowed += 1
            continue
        if flow is not None:
            flow.pour()
        fed += len(event)
        if read := meter.feed(event):
            sent.write(chunk(read))
        flow = flow_from(flow, meter, sent) if flows else None  # type: ignore[arg-type]
    if flow is not None:
        flow.pour()
    return unpacked(sent.said), meter.metered(), fed + meter.flowed_bytes, flowed


@given(st.lists(EVENTS, max_size=12), st.booleans())
def test_what_flows_is_passed_on_and_counted_as_what_is_read(
    events: list[bytes],
    wants: bool,  # noqa: FBT001 - of hypothesis
) -> None:
    alike = Alike()
    read = passed(events, Alike(), wants=wants, flows=False)
    for _ in range(2):
        assert passed(events, alike, wants=wants, flows=True)[:3] == read[:3]
    assert read[2] == sum(map(len, events))


@pytest.mark.parametrize("words", [WORDS[:2], NULLED])
def test_words_flow_from_the_second_event_on_once_a_stream_has_come(words: list[bytes]) -> None:
    alike = Alike()
    for flowed in (len(words) - 1, len(words)):
        events = [FIRST, *words, STOP, TOLD, DONE]
        assert passed(events, alike, wants=False, flows=True)[3] == flowed


def flow() -> tuple[Flow, Events, Sent]:
    meter, sent = events_of(CHAT, Asked(stream=True), Alike()), Sent()
    meter.feed(WORDS[0])
    found = flow_from(None, meter, sent)  # type: ignore[arg-type]
    assert found is not None
    return found, meter, sent


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a text",
        chunk(WORDS[1])[:-1],
        chunk(WORDS[1])[:-40],
        chunk(WORDS[1])[3:],
        chunk(WORDS[1]) + b"0\r\n\r\n",
        chunk(WORDS[1]) * 2,
        b"0" + chunk(WORDS[1]),
        re.sub(rb"^..", b"FF", chunk(WORDS[1])),
        chunk(WORDS[1], WORDS[0]),
        chunk(WORDS[5]),
        chunk(STOP),
    ],
)
def test_what_is_not_one_known_chunk_does_not_flow(data: bytes) -> None:
    found, _, sent = flow()
    assert not found.take(data)
    assert sent.said == b""
    assert found.pour() == 0


def test_a_flow_hands_its_counts_over_now_and_then() -> None:
    found, meter, _ = flow()
    event = word(b"x" * 3000)
    while found.take(chunk(event)):
        assert found.has_moved()
    assert not found.has_moved()
    assert 2**20 < found.pour() < 2**20 + 8192
    assert meter.metered().output_bytes == 3 + meter.flowed_bytes // len(event) * 3000
    assert found.take(chunk(event))


def test_into_a_reply_that_is_full_nothing_flows() -> None:
    meter, sent = events_of(CHAT, Asked(stream=True), Alike()), Sent()
    meter.feed(WORDS[0])
    sent.full = True
    assert flow_from(None, meter, sent) is None  # type: ignore[arg-type]
