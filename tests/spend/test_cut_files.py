"""Files that were cut while they were written: what was read before the cut counts."""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.charge import Record
from clearbar.spend.files.source_file import UnreadableFile, open_source_file
from clearbar.spend.sources import SOURCES

if TYPE_CHECKING:
    from pathlib import Path

    from clearbar.spend.files.source_file import SourceFile

AT = "2026-10-14T08:30:00Z"
NOISE = random.Random(7).randbytes(300_000).hex()
"""So that the compressed file has something left to cut."""


def cut(folder: Path, *values: object) -> SourceFile:
    """Return a compressed log whose end is missing, behind these lines."""
    content = "".join(f"{json.dumps(value)}\n" for value in (*values, NOISE))
    path = folder / "log.jsonl.gz"
    path.write_bytes(gzip.compress(content.encode())[:-100_000])
    return open_source_file(path)


def read(file: SourceFile) -> tuple[list[Record], list[str]]:
    """Return the records before the damage, and what is said of it."""
    source = next(source for source in SOURCES if source.recognises(file))
    items: list[Any] = []
    with pytest.raises(UnreadableFile) as damage:
        items.extend(source.read(file))
    assert not [item for item in items if isinstance(item, Problem)]
    return [item for item in items if isinstance(item, Record)], [damage.value.message]


def message_start(number: int) -> dict[str, Any]:
    usage = {"input_tokens": 7, "output_tokens": 1}
    message = {"id": f"msg_{number:020}", "model": "claude-sonnet-4-5", "usage": usage}
    event = {"type": "message_start", "message": message}
    return {"timestamp": AT, "request_id": f"r-{number}", "event": event}


def chunk(number: int, **more: Any) -> dict[str, Any]:
    names = {"object": "chat.completion.chunk", "created": 1792000000, "model": "gpt-4o"}
    return {"id": f"chatcmpl-{number:024}", **names, "choices": [{}], **more}


def test_a_message_whose_stream_was_cut_is_kept_as_a_part(tmp_path: Path) -> None:
    records, said = read(cut(tmp_path, message_start(1), message_start(2)))
    assert [(each.input_tokens, each.output_tokens) for each in records] == [(7, None)] * 2
    assert {each.usage for each in records} == {"partial"}
    assert said[0].startswith("cannot be read past line 2")


def test_an_answer_whose_stream_was_cut_is_kept(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    records, _ = read(cut(tmp_path, chunk(1), chunk(1, usage=usage), chunk(2)))
    assert [(each.usage, each.input_tokens) for each in records] == [
        ("final", 9),
        ("missing", None),
    ]
    assert [each.lines for each in records] == [2, 1]


def test_whole_lines_before_the_cut_are_read_however_short_the_file_is(tmp_path: Path) -> None:
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1792000000}
    path = tmp_path / "log.jsonl.gz"
    lines = f"{json.dumps(answer)}\n{json.dumps(NOISE[:4000])}\n"
    path.write_bytes(gzip.compress(lines.encode())[:-500])
    records, said = read(open_source_file(path))
    assert len(records) == 1
    assert said[0].startswith("cannot be read past line 1")


def test_a_file_of_which_nothing_can_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(b"{}")[:5])
    with pytest.raises(UnreadableFile):
        open_source_file(path)
