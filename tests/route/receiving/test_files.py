"""Files of what was received: whole traces, nothing lost, nothing changed once it is closed."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest

from clearbar.route.receiving.files import CURRENT, LONGEST_S, QUIET_S, Files
from clearbar.route.receiving.kept import Line, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def line(trace: int, number: int = 1, *, matters: bool = True) -> Line:
    operation = '{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}}' if matters else ""
    payload = (
        f'{{"resourceSpans":[{{"resource":{{"attributes":[]}},"scopeSpans":[{{"spans":'
        f'[{{"attributes":[{operation}],"spanId":"{number:016x}","traceId":"{trace:032x}"}}]}}]}}]}}'
    )
    return Line(f"{trace:032x}", payload.encode(), matters)


def lines_in(path: Path) -> list[Line | None]:
    return [line_of(each) for each in path.read_bytes().splitlines()]


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    opened = Files(tmp_path, 0.0)
    yield opened
    opened.close()


def test_a_trace_is_closed_when_it_has_come_to_rest(files: Files, tmp_path: Path) -> None:
    files.append([line(1)], 0.0)
    files.append([line(2)], QUIET_S)
    assert files.close_settled(QUIET_S, "a.jsonl") == tmp_path / "a.jsonl"
    assert lines_in(tmp_path / "a.jsonl") == [line(1)]
    assert lines_in(tmp_path / CURRENT) == [line(2)]


def test_a_trace_that_goes_on_stays_whole(files: Files, tmp_path: Path) -> None:
    files.append([line(1, 1)], 0.0)
    assert files.close_settled(QUIET_S - 1, "a.jsonl") is None
    files.append([line(1, 2)], QUIET_S - 1)
    files.close_settled(2 * QUIET_S, "b.jsonl")
    assert lines_in(tmp_path / "b.jsonl") == [line(1, 1), line(1, 2)]


def test_a_trace_is_not_waited_for_without_end(files: Files, tmp_path: Path) -> None:
    for second in range(int(LONGEST_S) + 1):
        files.append([line(1, second + 1)], float(second))
    assert files.close_settled(LONGEST_S, "a.jsonl") == tmp_path / "a.jsonl"


def test_traces_without_a_call_are_not_kept(files: Files, tmp_path: Path) -> None:
    files.append([line(1, matters=False)], 0.0)
    assert files.close_settled(QUIET_S, "a.jsonl") is None
    assert files.size == 0
    assert not (tmp_path / "a.jsonl").exists()


def test_spans_around_a_call_are_kept_with_it(files: Files, tmp_path: Path) -> None:
    files.append([line(1, 1), line(1, 2, matters=False)], 0.0)
    files.close_settled(QUIET_S, "a.jsonl")
    assert len(lines_in(tmp_path / "a.jsonl")) == 2


def test_what_a_crash_left_is_taken_over_without_the_line_that_was_cut(tmp_path: Path) -> None:
    before = Files(tmp_path, 0.0)
    before.append([line(1), line(2)], 0.0)
    with (tmp_path / CURRENT).open("ab") as current:
        current.write(line(3).payload[:40])
    before.close()
    after = Files(tmp_path, 0.0)
    after.append([line(4)], 0.0)
    after.close_settled(0.0, "a.jsonl", everything=True)
    after.close()
    assert lines_in(tmp_path / "a.jsonl") == [line(1), line(2), line(4)]


def test_a_crash_between_closing_and_going_on_leaves_lines_in_both(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.append([line(1)], 0.0)
    monkeypatch.setattr(Files, "_go_on_with", lambda *_: None)  # it never came to this
    files.close_settled(QUIET_S, "a.jsonl")
    assert lines_in(tmp_path / "a.jsonl") == lines_in(tmp_path / CURRENT) == [line(1)]


def test_what_could_not_be_written_is_not_in_the_file(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.append([line(1)], 0.0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", full)
        with pytest.raises(OSError, match="No space"):
            files.append([line(2)], 0.0)
    files.append([line(3)], 0.0)
    assert lines_in(tmp_path / CURRENT) == [line(1), line(3)]


def test_files_are_for_their_owner_alone(files: Files, tmp_path: Path) -> None:
    files.append([line(1)], 0.0)
    files.close_settled(QUIET_S, "a.jsonl")
    modes = {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()}
    assert modes == {CURRENT: "0o600", "a.jsonl": "0o600"}
