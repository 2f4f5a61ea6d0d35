"""The members of an object are found where they stand, or the object is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.route.wire.objects import objects, spelled, values

from clearbar.route.wire.layout import MAX_MEMBERS, NotAnObject, layout_of


@given(spelled())
def test_however_it_is_written_each_value_stands_at_its_place(
    case: tuple[dict[str, Any], bytes],
) -> None:
    value, payload = case
    places = layout_of(payload).places()
    assert list(places) == list(value)
    for name, (start, end) in places.items():
        assert json.loads(payload[start:end]) == value[name]


@given(objects)
def test_the_compact_way_needs_no_walk(value: dict[str, Any]) -> None:
    payload = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    )
    found = layout_of(payload)
    if value and all(name.isascii() and json.dumps(name) == f'"{name}"' for name in value):
        assert found.starts is None
    assert {name: json.loads(payload[a:b]) for name, (a, b) in found.places().items()} == value


@given(spelled(), values, st.randoms())
@example(({"a": {"q": 0, "b": 5}, "b": 1}, b'{"a":{"q":0,"b":5},"b":1}'), "1234", None)
def test_a_name_that_is_there_twice_is_refused_wherever_it_stands(
    case: tuple[dict[str, Any], bytes], again: Any, random: Any
) -> None:
    value, payload = case
    if not value:
        return
    name = random.choice(list(value)) if random else "a"
    more = f",{json.dumps(name)}:{json.dumps(again)}}}".encode("utf-8", "surrogatepass")
    twice = payload[: payload.rindex(b"}")] + more
    with pytest.raises(NotAnObject, match="twice"):
        layout_of(twice)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from([0, 12, 1, "1234", {"b": 5}, []])),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["", " ", "  "]),
)
def test_no_arrangement_hides_a_second_value(members: list[tuple[str, Any]], blank: str) -> None:
    parts = [f"{json.dumps(name)}:{blank}{json.dumps(value)}" for name, value in members]
    payload = ("{" + ",".join(parts) + blank + "}").encode()
    names = [name for name, _ in members]
    if len(set(names)) == len(names):
        assert list(layout_of(payload).places()) == names
    else:
        with pytest.raises(NotAnObject, match="twice"):
            layout_of(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b"{",
        b'{"a":1}}',
        b'{"a":1} x',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":NaN}',
        b'{"a":01}',
        b'{"a":"\x01"}',
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        b'{"\xff":1}',
        b'{"a":1 /* b */}',
    ],
)
def test_what_is_no_json_object_is_refused(payload: bytes) -> None:
    with pytest.raises(NotAnObject) as refused:
        layout_of(payload)
    assert not refused.value.ambiguous


def test_what_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(NotAnObject, match="deeply"):
        layout_of(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize("count", [MAX_MEMBERS + 1, 500_000])
def test_more_members_than_any_request_has_are_refused_without_reading_them_all(
    count: int,
) -> None:
    payload = b"{" + b",".join(b'"%x":1' % number for number in range(count)) + b"}"
    with pytest.raises(NotAnObject, match="members"):
        layout_of(payload)


def test_a_large_body_is_laid_out_like_a_small_one() -> None:
    text = "x" * 100_000
    payload = json.dumps({"a": text, "b": 1}, separators=(",", ":")).encode()
    assert layout_of(payload).places()["b"] == (len(payload) - 2, len(payload) - 1)


def test_half_a_character_changes_no_place() -> None:
    payload = b'{"a":"\\ud83d","b":"x"}'
    places = layout_of(payload).places()
    assert [payload[start:end] for start, end in places.values()] == [b'"\\ud83d"', b'"x"']


def test_half_a_character_in_a_spaced_body_changes_no_place() -> None:
    payload = b'{ "a" : "\\ud83d" , "b" : "x" }'
    places = layout_of(payload).places()
    assert [payload[start:end] for start, end in places.values()] == [b'"\\ud83d"', b'"x"']


def test_a_name_without_an_end_is_refused() -> None:
    with pytest.raises(NotAnObject, match="name"):
        layout_of(b'{"' + b'\\"' * 500 + b'": 1}')


def test_many_blanks_are_passed_over() -> None:
    payload = b"{" + b" " * 10_000 + b'"a"' + b"\n" * 10_000 + b":1" + b"\t" * 4096 + b"}"
    start, end = layout_of(payload).places()["a"]
    assert payload[start:end] == b"1"
