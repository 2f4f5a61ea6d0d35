"""Laws that hold for every source, whatever a file holds."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearbar.core.errors import Problem
from clearbar.spend.charge import METERS, Record
from clearbar.spend.source_file import SourceFile, UnreadableFile, open_source_file
from clearbar.spend.sources import SOURCES, Source, claude_code, litellm, openai_usage, otlp, table
from clearbar.spend.table_mapping import TableMapping

if TYPE_CHECKING:
    from collections.abc import Sequence

MAPPING = TableMapping(
    "t", "*", {"started_at": "at", "input_tokens": "in", "cost_usd": "usd"}, timezone="Asia/Tokyo"
)
NUMBERS = st.one_of(st.integers(-5, 10**14), st.floats(), st.none(), st.text(max_size=4))
TIMES = st.sampled_from(["2026-01-05T17:00:30Z", "2026-01-05 17:00:30", 1767632430, "x", None])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TIMES),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)


def near(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects with the fields that a format has, right, wrong or missing."""
    return st.fixed_dictionaries({}, optional={k: st.one_of(v, JSON) for k, v in known.items()})


USAGE = near(input_tokens=NUMBERS, output_tokens=NUMBERS, cache_creation=near(), iterations=JSON)
MESSAGE = near(id=st.sampled_from(["msg_1", "msg_2", "x"]), usage=USAGE, model=st.text())
ATTRIBUTE = near(
    key=st.sampled_from(["gen_ai.operation.name", "gen_ai.usage.input_tokens", "user.id"]),
    value=near(stringValue=st.just("chat"), intValue=st.just("7")),
)
SPAN = near(traceId=st.text(), spanId=st.text(), attributes=st.lists(ATTRIBUTE))
RESULT = near(
    object=st.just("organization.usage.completions.result"),
    input_tokens=NUMBERS,
    num_model_requests=NUMBERS,
)
CASES: list[tuple[Source, str, st.SearchStrategy[Any]]] = [
    (claude_code, ".jsonl", near(message=MESSAGE, timestamp=TIMES, uuid=st.text(), data=JSON)),
    (litellm, ".jsonl", near(startTime=TIMES, prompt_tokens=NUMBERS, metadata=JSON, spend=NUMBERS)),
    (openai_usage, ".jsonl", near(start_time=TIMES, end_time=TIMES, results=st.lists(RESULT))),
    (
        otlp,
        ".jsonl",
        near(resourceSpans=st.lists(near(scopeSpans=st.lists(near(spans=st.lists(SPAN)))))),
    ),
    (table, ".jsonl", st.fixed_dictionaries({"at": TIMES, "in": NUMBERS, "usd": NUMBERS})),
]


def read_lines(source: Source, lines: Sequence[bytes], ending: str = ".jsonl") -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{ending}"
        path.write_bytes(b"\n".join(lines))
        mapping = MAPPING if source is table else None
        return list(source.read(open_source_file(path, mapping)))


@pytest.mark.parametrize(
    ("source", "ending", "values"), CASES, ids=[case[0].NAME for case in CASES]
)
@settings(max_examples=40)
@given(data=st.data())
def test_whatever_a_file_holds_becomes_records_that_can_be_stored_or_problems(
    source: Source, ending: str, values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    lines = [json.dumps(value).encode() for value in data.draw(st.lists(values, max_size=4))]
    for item in read_lines(source, lines, ending):
        assert isinstance(item, Record | Problem)
        msgspec.json.encode(item)
        if isinstance(item, Record):
            counts = [getattr(item, meter) for meter in METERS]
            assert all(count is None or count >= 0 for count in counts)
            assert item.identity
            assert item.origin.source == source.NAME


@pytest.mark.parametrize(
    "source", [claude_code, litellm, openai_usage, otlp], ids=lambda source: source.NAME
)
@given(content=st.binary())
def test_garbage_is_never_more_than_problems(source: Source, content: bytes) -> None:
    for ending in (".json", ".jsonl", ".csv"):
        with suppress(UnreadableFile):
            assert all(isinstance(item, Problem) for item in read_lines(source, [content], ending))


@given(head=st.binary(), name=st.text(st.characters(codec="ascii", exclude_characters="/\0")))
def test_recognising_never_raises(head: bytes, name: str) -> None:
    for source in SOURCES:
        source.recognises(SourceFile(Path("folder") / f"{name}.jsonl", head))


def lines_of_messages() -> st.SearchStrategy[list[bytes]]:
    message = st.fixed_dictionaries(
        {
            "id": st.sampled_from(["msg_1", "msg_2", "msg_3"]),
            "stop_reason": st.sampled_from([None, "end_turn"]),
            "usage": st.fixed_dictionaries(
                {"input_tokens": st.integers(0, 9), "output_tokens": st.integers(0, 3)}
            ),
        }
    )
    line = st.fixed_dictionaries(
        {
            "message": message,
            "isSidechain": st.booleans(),
            "timestamp": st.sampled_from(["2026-01-05T17:00:30Z", "2026-01-05T18:00:31+01:00"]),
        }
    )
    return st.lists(line.map(lambda value: json.dumps(value).encode()), min_size=1, max_size=6)


def meters(items: Sequence[object]) -> set[tuple[object, ...]]:
    return {
        (item.identity, item.started_at_us, item.digest, *(getattr(item, each) for each in METERS))
        for item in items
        if isinstance(item, Record)
    }


@given(lines=lines_of_messages(), data=st.data())
def test_the_order_and_number_of_equal_lines_change_nothing(
    lines: list[bytes], data: st.DataObject
) -> None:
    again = data.draw(st.permutations([*lines, *data.draw(st.lists(st.sampled_from(lines)))]))
    assert meters(read_lines(claude_code, again)) == meters(read_lines(claude_code, lines))


@given(lines=lines_of_messages())
def test_every_line_that_tells_of_a_call_is_accounted_for(lines: list[bytes]) -> None:
    records = [item for item in read_lines(claude_code, lines) if isinstance(item, Record)]
    assert sum(record.lines for record in records) == len(lines)


def test_declared_tables_go_before_formats_that_are_recognised() -> None:
    assert SOURCES[0] is table
    assert len({source.NAME for source in SOURCES}) == len(SOURCES)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.NAME)
def test_a_source_says_what_it_reads_in_one_line_each(source: Source) -> None:
    for said in (source.TITLE, source.WHERE, source.CONVENTION):
        assert said
        assert "\n" not in said
    assert source.PARSER_VERSION >= 1
    assert "Where: " in (source.__doc__ or "")
