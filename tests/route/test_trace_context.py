"""W3C trace context: what is sound is read and passed on, what is not is as good as not there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearbar.route.trace_context import read_traceparent, read_tracestate, traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SOUND = f"00-{TRACE}-{SPAN}-01".encode()
HEX = "0123456789abcdef"


def test_a_sound_header_tells_trace_span_and_whether_it_is_recorded() -> None:
    assert read_traceparent(SOUND) == (TRACE, SPAN, True)
    assert read_traceparent(SOUND[:-1] + b"0") == (TRACE, SPAN, False)


@pytest.mark.parametrize("flags", [b"03", b"ff"])
def test_flags_that_are_not_known_do_not_matter(flags: bytes) -> None:
    found = read_traceparent(SOUND[:-2] + flags)
    assert found is not None
    assert found.sampled


def test_of_a_later_version_the_known_fields_are_read() -> None:
    assert read_traceparent(b"cc" + SOUND[2:]) == (TRACE, SPAN, True)
    assert read_traceparent(b"cc" + SOUND[2:] + b"-what-comes") == (TRACE, SPAN, True)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"00",
        SOUND[:-1],
        SOUND + b"-more",
        SOUND + b"x",
        b"cc" + SOUND[2:] + b"x",
        b"ff" + SOUND[2:],
        SOUND.upper(),
        SOUND.replace(b"-", b"_"),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE[:-1]}g-{SPAN}-01".encode(),
        b"cc" + SOUND[2:] + b"-" + b"x" * 600,
        SOUND + b"\x00",
    ],
)
def test_a_malformed_header_is_as_good_as_none(value: bytes) -> None:
    assert read_traceparent(value) is None


@given(st.binary(max_size=70))
def test_no_bytes_break_the_reader(value: bytes) -> None:
    assert read_traceparent(value) is None or value.strip(b" \t")[2:3] == b"-"


@given(
    st.text(HEX, min_size=32, max_size=32).filter(lambda text: text != "0" * 32),
    st.text(HEX, min_size=16, max_size=16).filter(lambda text: text != "0" * 16),
    st.booleans(),
)
def test_what_is_passed_on_is_read_as_it_was_meant(trace: str, span: str, sampled: bool) -> None:  # noqa: FBT001
    assert read_traceparent(traceparent(trace, span, sampled=sampled)) == (trace, span, sampled)


def test_the_members_of_all_state_headers_are_one_list() -> None:
    assert read_tracestate([b"rojo=00f067aa, ,", b"congo=t61rcWkgMzE"]) == (
        b"rojo=00f067aa,congo=t61rcWkgMzE"
    )


@pytest.mark.parametrize(
    "value",
    [
        b"rojo",
        b"ROJO=1",
        b"rojo=1,rojo=2",
        b"rojo=a=b",
        b"rojo=\xe9",
        b"rojo=" + b"x" * 257,
        b"a" * 257 + b"=1",
        b",".join(b"k%d=1" % number for number in range(33)),
        b"tenant@1system=x",
    ],
)
def test_of_a_malformed_state_nothing_is_passed_on(value: bytes) -> None:
    assert read_tracestate([value]) == b""


def test_a_tenant_of_a_vendor_is_a_sound_member() -> None:
    assert read_tracestate([b"0tenant@vendor=x y"]) == b"0tenant@vendor=x y"


def test_without_a_header_there_is_no_state() -> None:
    assert read_tracestate([]) == b""
