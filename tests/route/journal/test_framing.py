"""The line of a journal: whatever happens to its bytes, what is read was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.journal.framing import (
    framed,
    line_at,
    next_line,
    offsets_of,
    sound_lines,
)

PAYLOADS = st.binary(min_size=1, max_size=60).filter(lambda data: b"\n" not in data)


def lines_of(data: bytes, at: int = 0) -> list[bytes]:
    """Return all sound lines from a place on, passing over what is none."""
    found = []
    place: int | None = at
    while place is not None and (place := next_line(data, place)) is not None:
        line = line_at(data, place)
        assert line is not None
        found.append(line.payload)
        place = line.end
    return found


def test_a_line_is_its_length_its_checksum_and_its_json() -> None:
    assert framed(b'["E","c1"]') == b'0000000a 421b5eda ["E","c1"]\n'


@given(st.lists(PAYLOADS))
def test_lines_that_were_written_are_read_in_order(payloads: list[bytes]) -> None:
    data = b"".join(map(framed, payloads))
    found, at = [], 0
    while (line := line_at(data, at)) is not None:
        found.append(line.payload)
        at = line.end
    assert (found, at) == (payloads, len(data))


@given(PAYLOADS, st.data())
def test_a_line_that_is_cut_is_none(payload: bytes, data: st.DataObject) -> None:
    whole = framed(payload)
    kept = data.draw(st.integers(0, len(whole) - 1))
    assert line_at(whole[:kept], 0) is None
    assert line_at(whole[:kept] + bytes(64), 0) is None


@given(PAYLOADS, st.data())
def test_a_line_with_one_other_byte_is_none(payload: bytes, data: st.DataObject) -> None:
    whole = bytearray(framed(payload))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[place]))
    assert line_at(bytes(whole), 0) is None


@given(st.binary(max_size=200))
def test_zeros_and_anything_else_hold_no_line(data: bytes) -> None:
    assert line_at(bytes(len(data)), 0) is None
    line = line_at(data, 0)
    assert line is None or data.startswith(framed(line.payload))


@given(st.lists(PAYLOADS, min_size=3, max_size=6), st.data())
def test_a_damaged_line_costs_only_itself(payloads: list[bytes], data: st.DataObject) -> None:
    lines = [framed(payload) for payload in payloads]
    struck = data.draw(st.integers(0, len(lines) - 1))
    place = data.draw(st.integers(0, len(lines[struck]) - 1))
    broken = bytearray(lines[struck])
    broken[place] ^= 0x55
    whole = b"".join([*lines[:struck], bytes(broken), *lines[struck + 1 :]])
    assert lines_of(whole) == payloads[:struck] + payloads[struck + 1 :]


@given(st.lists(PAYLOADS, min_size=1, max_size=4), st.integers(1, 80))
def test_lines_behind_zeros_are_found(payloads: list[bytes], zeros: int) -> None:
    data = b"".join(map(framed, payloads))
    assert lines_of(bytes(zeros) + data) == payloads


@given(PAYLOADS, PAYLOADS)
def test_a_line_inside_the_text_of_a_line_is_not_read(outer: bytes, inner: bytes) -> None:
    payload = outer + framed(inner).replace(b"\n", b"\\n")
    assert lines_of(framed(payload)) == [payload]


def one_by_one(data: bytes) -> tuple[list[bytes], int]:
    payloads, at = [], 0
    while (line := line_at(data, at)) is not None:
        payloads.append(line.payload)
        at = line.end
    return payloads, at


MANY = st.lists(st.binary(max_size=40), max_size=6)


@given(
    MANY,
    st.binary(max_size=30),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3)), max_size=2),
)
def test_lines_read_at_once_are_the_lines_read_one_by_one(
    payloads: list[bytes], rest: bytes, damages: list[tuple[int, bytes]]
) -> None:
    data = b"".join(map(framed, payloads)) + rest
    for at, damage in damages:
        data = data[:at] + damage + data[at + len(damage) :]
    found, end = sound_lines(data)
    assert (found, end) == one_by_one(data)
    assert [
        data[at : at + len(each)] for at, each in zip(offsets_of(found, 0), found, strict=True)
    ] == found
