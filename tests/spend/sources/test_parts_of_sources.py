"""What sources share: lines, JSON, moments and quantities."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clearbar.core.errors import Problem
from clearbar.spend.files.csv_rows import csv_rows
from clearbar.spend.files.entry import text
from clearbar.spend.files.json_records import decode, entries, fields, items
from clearbar.spend.files.quarantine import QuarantineError, quantity, rest_of, usd
from clearbar.spend.files.source_file import UnreadableFile, open_source_file
from clearbar.spend.files.timestamps import microseconds, moment_us
from clearbar.spend.shapes.provider_names import provider_named, service_tier_named

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.files.source_file import SourceFile


def file(tmp_path: Path, content: bytes, name: str = "file.jsonl") -> SourceFile:
    path = tmp_path / name
    path.write_bytes(content)
    return open_source_file(path)


def test_lines_are_numbered_and_placed_though_blank_ones_are_left_out(tmp_path: Path) -> None:
    lines = list(file(tmp_path, b"ab\r\n\n\r\ncd\nef").lines())
    assert lines == [(1, 0, b"ab"), (4, 7, b"cd"), (5, 10, b"ef")]


@given(lines=st.lists(st.binary().map(lambda raw: raw.replace(b"\n", b""))), end=st.booleans())
def test_blocks_hold_every_byte_whatever_their_size(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], *, end: bool
) -> None:
    content = b"\n".join(lines) + (b"\n" if end else b"")
    # That would be gzip, or a byte order mark, which is no part of the first line.
    assume(not content.startswith((b"\x1f\x8b", b"\xef\xbb\xbf")))
    source = file(tmp_path_factory.mktemp("blocks"), content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clearbar.spend.files.source_file._BLOCK_BYTES", 7)
        blocks = list(source.blocks())
    assert b"".join(raw for block in blocks for raw in block.lines) == source.path.read_bytes()
    for number, offset, held in blocks:
        assert content[:offset].count(b"\n") == number - 1
        assert content[offset:].startswith(held[0])


def test_a_line_that_is_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clearbar.spend.files.source_file.MAX_LINE_BYTES", 10)
    with pytest.raises(UnreadableFile, match="line 2 is longer than 10 bytes"):
        list(file(tmp_path, b"short\n" + b"x" * 20 + b"\n").lines())


def test_a_file_cut_short_is_unreadable_past_its_last_line(tmp_path: Path) -> None:
    whole = gzip.compress(b"one\n" * 100_000)
    with pytest.raises(UnreadableFile, match="cannot be read past line"):
        list(file(tmp_path, whole[: len(whole) // 2], "a.gz").lines())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'{"n": 1}'),
        ("a.json", b'{\n "n":\n 1}'),
        ("a.json", b'[{"n": 1}]'),
        ("a.json", b'{"data": [[{"n": 1}]]}'),
        ("a.json", b'{"n": 1}\n{"n": 1}'),
        ("a.jsonl", b'\n{"n": 1}\n'),
    ],
)
def test_json_is_found_in_a_document_in_lists_and_on_lines(
    tmp_path: Path, name: str, content: bytes
) -> None:
    found = [
        entry for entry in entries(file(tmp_path, content, name)) if not isinstance(entry, Problem)
    ]
    assert {str(entry.value) for entry in found} == {"{'n': 1}"}


def test_numbers_with_a_point_are_exact() -> None:
    assert decode(b"0.00022500000000000002") == Decimal("0.00022500000000000002")


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"NaN", b"\xff", b"[" * 100_000, b"1e9" + b"9" * 99]
)
def test_what_is_no_json_is_refused(payload: bytes) -> None:
    with pytest.raises(QuarantineError):
        decode(payload)


def test_half_a_character_does_not_cost_the_record() -> None:
    assert decode(rb'{"a": "x\ud83d", "b": "\ud83d\ude00", "c": "\\ud83d"}') == {
        "a": "x\N{REPLACEMENT CHARACTER}",
        "b": "\N{GRINNING FACE}",
        "c": r"\ud83d",
    }


def test_objects_and_lists_may_be_written_as_text() -> None:
    assert (fields('{"a": 1}'), items("[1]")) == ({"a": 1}, [1])
    assert (fields("a"), fields(None), items({}), items("x")) == ({}, {}, [], [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(" a ", "a"), (7, "7"), (True, "True"), (False, ""), (None, ""), ([1], ""), (1.5, "")],
)
def test_text_is_taken_of_plain_values_only(value: object, expected: str) -> None:
    assert text(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2026-09-14T08:30:00Z",
        "2026-09-14 08:30:00",
        "2026-09-14 08:30:00 UTC",
        "2026-09-14T10:30:00+02:00",
        1789374600,
        1789374600000,
        "1789374600000000",
        1789374600000000000,
        Decimal("1789374600.0"),
        datetime(2026, 9, 14, 8, 30, tzinfo=UTC),
        datetime(2026, 9, 14, 8, 30),  # noqa: DTZ001 - one without a zone is meant
    ],
)
def test_the_forms_of_a_moment_agree(value: object) -> None:
    assert moment_us(value, "at") == 1_789_374_600_000_000


def test_a_day_without_dashes_is_no_number_of_seconds() -> None:
    assert moment_us("20260914", "at") == microseconds(datetime(2026, 9, 14, tzinfo=UTC))


def test_a_day_begins_at_midnight_of_its_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    expected = microseconds(datetime(2026, 9, 14, tzinfo=berlin))
    assert moment_us("2026-09-14", "at", berlin) == expected
    assert moment_us(date(2026, 9, 14), "at", berlin) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        None,
        "soon",
        "2026",
        "45901.5",
        46_266,
        -1,
        True,
        "1969-12-31",
        [],
        float("nan"),
        10**23,
        "0001-01-01",
    ],
)
def test_what_is_no_moment_is_refused(value: object) -> None:
    with pytest.raises(QuarantineError, match=r"^at is "):
        moment_us(value, "at")


@given(st.datetimes(datetime(1970, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis asks so
def test_a_moment_keeps_its_microseconds(moment: datetime) -> None:
    assert moment_us(moment.isoformat(), "at") == microseconds(moment)


@pytest.mark.parametrize(
    ("value", "expected"), [(7, 7), ("7", 7), ("7.0", 7), (None, None), ("", None)]
)
def test_a_quantity_is_whole_or_not_reported(value: object, expected: int | None) -> None:
    assert quantity(value, "n") == expected


@pytest.mark.parametrize("value", [-1, 1.5, "x", True, 10**14, "NaN", []])
def test_what_is_no_quantity_is_refused(value: object) -> None:
    with pytest.raises(QuarantineError, match=r"^n is "):
        quantity(value, "n")


@pytest.mark.parametrize("value", [-1, "x", "Infinity", 10**13])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(QuarantineError, match=r"^n is "):
        usd(value, "n")


@given(whole=st.integers(0, 50), parts=st.lists(st.none() | st.integers(0, 20), max_size=3))
def test_the_parts_and_the_rest_are_the_whole_or_it_is_refused(
    whole: int, parts: list[int | None]
) -> None:
    named = {f"part_{number}": part for number, part in enumerate(parts)}
    taken = sum(part or 0 for part in parts)
    if taken > whole:
        with pytest.raises(QuarantineError):
            rest_of(whole, "whole", **named)
    else:
        rest = rest_of(whole, "whole", **named)
        assert rest is not None
        assert rest + taken == whole


def test_parts_of_a_whole_that_is_not_reported_are_refused() -> None:
    assert rest_of(None, "whole", part=None) is None
    with pytest.raises(QuarantineError, match="whole is missing, but part is told"):
        rest_of(None, "whole", part=3)


def test_providers_and_tiers_have_one_name() -> None:
    names = ("aws.bedrock", "Azure.AI.OpenAI", "vertex_ai", "x_ai", "mistral_ai", "openai", "own")
    assert [provider_named(name) for name in names] == [
        "aws",
        "azure",
        "google",
        "x-ai",
        "mistral",
        "openai",
        "own",
    ]
    assert [service_tier_named(name) for name in ("default", "auto", "Flex")] == [
        "standard",
        "",
        "flex",
    ]


def test_a_csv_row_may_hold_newlines_and_is_numbered_by_its_first_line(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfa;b\n1;"x\ny"\n\n2;z\n3\n'
    rows = list(csv_rows(file(tmp_path, content, "a.csv")))
    assert [(row.number, row.value) for row in rows if not isinstance(row, Problem)] == [
        (2, {"a": "1", "b": "x\ny"}),
        (5, {"a": "2", "b": "z"}),
    ]
    assert [row.line for row in rows if isinstance(row, Problem)] == [6]


def test_a_field_of_a_csv_file_that_never_ends_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearbar.spend.files.csv_rows.MAX_LINE_BYTES", 100)
    rows = list(csv_rows(file(tmp_path, b"a,b\n" + b"x" * 200 + b",1\n1,2\n", "a.csv")))
    assert [isinstance(row, Problem) for row in rows] == [True, False]


def test_a_number_of_thousands_of_digits_is_no_quantity() -> None:
    with pytest.raises(QuarantineError):
        quantity(10**5000, "n")


def test_a_document_that_is_too_large_or_damaged_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = gzip.compress(b"[" + b" " * 100_000 + b"]")[:-20]
    with pytest.raises(UnreadableFile, match="cannot be read"):
        file(tmp_path, damaged, "a.json.gz").document()
    monkeypatch.setattr("clearbar.spend.files.source_file.MAX_DOCUMENT_BYTES", 3)
    with pytest.raises(UnreadableFile, match="one document of more than 3 bytes"):
        file(tmp_path, b"[1, 2]", "a.json").document()


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="No such file"):
        open_source_file(tmp_path / "gone.json")
