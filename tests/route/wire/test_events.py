"""Events are cut out of a stream as bytes, wherever its pieces were cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.wire.cutting import cuts, pieces_of

from clearbar.route.wire.events import Splitter, data_of
from clearbar.tools.wire_stream import Events

ends = st.sampled_from(["\n", "\r", "\r\n"])
lines = st.sampled_from(["data: a", "data:b", "event: x", ": note", "data: {}", "id: 7", "data"])


def events_of(pieces: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    events = [event for piece in pieces for event in splitter.feed(piece)]
    return events, splitter.rest()


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    parts = draw(st.lists(st.tuples(lines | st.just(""), ends), max_size=12))
    return "".join(line + end for line, end in parts).encode()


@given(streams(), cuts)
def test_wherever_a_stream_is_cut_the_events_are_the_same(payload: bytes, cut: list[int]) -> None:
    assert events_of(pieces_of(payload, cut)) == events_of([payload])


@given(streams(), cuts)
def test_events_and_rest_are_the_stream(payload: bytes, cut: list[int]) -> None:
    events, rest = events_of(pieces_of(payload, cut))
    assert b"".join(events) + rest == payload


@given(streams())
def test_the_data_is_what_the_other_reader_of_events_says(payload: bytes) -> None:
    events, rest = events_of([payload])
    said = [data for data in map(data_of, [*events, rest]) if data]
    other = [data.encode() for data in Events().feed(payload + b"\n\n") if data]
    assert said == other


def test_a_long_event_in_small_pieces_is_joined_once() -> None:
    splitter, piece = Splitter(), b"x" * 1000
    for _ in range(20_000):
        assert list(splitter.feed(piece)) == []
    assert splitter.held_bytes == 20_000_000
    assert [len(event) for event in splitter.feed(b"\n\n")] == [20_000_002]
    assert splitter.held_bytes == 0


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: {}\n\n", b"{}"),
        (b"event: x\ndata: {}\n\n", b"{}"),
        (b"event: x\r\ndata: {}\r\n\r\n", b"{}"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"event: x\ndata: a\ndata: b\n\n", b"a\nb"),
        (b"\xef\xbb\xbfdata: a\n\n", b"a"),
        (b": note\n\n", b""),
        (b"data:a\n\n", b"a"),
    ],
)
def test_the_data_of_an_event_stands_on_its_data_lines(event: bytes, data: bytes) -> None:
    assert data_of(event) == data
