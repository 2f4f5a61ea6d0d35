"""Which files are session logs of Claude Code: other agents use the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.spend.files.source_file import SourceFile
from clearbar.spend.sources import SOURCES, claude_code

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = Callable[..., Any]

IDS = {"uuid": "u-2", "parentUuid": "u-1", "sessionId": "s-1"}
AT = "2026-09-14T08:30:00Z"
USAGE = {"input_tokens": 3, "output_tokens": 5}
MESSAGE = {"id": "msg_01", "role": "assistant", "usage": USAGE}
OF_SESSIONS: dict[str, dict[str, Any]] = {
    "a message": {**IDS, "isSidechain": False, "type": "assistant", "message": MESSAGE},
    "a prompt": {**IDS, "isSidechain": False, "type": "user", "message": {"content": "..."}},
    "a line that another reader kept short": {"sessionId": "s-1", "message": MESSAGE},
    "a summary": {"type": "summary", "summary": "...", "leafUuid": "u-9"},
    "a snapshot": {"type": "file-history-snapshot", "messageId": "m-1", "snapshot": {}},
    "a prompt that waits": {"type": "queue-operation", "sessionId": "s-1", "timestamp": AT},
}
OF_OTHERS: dict[str, dict[str, Any]] = {
    "Qwen Code": {
        **IDS,
        "type": "assistant",
        "message": {"role": "model", "parts": []},
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 5},
    },
    "CodeBuddy": {
        "id": "u-2",
        "sessionId": "s-1",
        "type": "message",
        "role": "assistant",
        "providerData": {"requestId": "r-1", "usage": {"inputTokens": 3}},
    },
    "Pi": {"type": "message", "id": "u-2", "parentId": "u-1", "message": {"usage": {"input": 3}}},
    "a web server": {"sessionId": "s-1", "requestId": "r-1", "path": "/", "status": 200},
    "an editor": {"messageId": "m-1", "snapshot": {"cursor": 3}},
    "a tree": {"leafUuid": "u-1", "left": None},
}


def taken(*lines: object) -> bool:
    head = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
    return claude_code.recognises(SourceFile(Path("log.jsonl"), head))


@pytest.mark.parametrize("line", OF_SESSIONS.values(), ids=OF_SESSIONS)
def test_a_line_of_a_session_tells_that_the_file_is_one(line: dict[str, Any]) -> None:
    assert taken(line)
    assert taken(*OF_OTHERS.values(), line)


@pytest.mark.parametrize("line", OF_OTHERS.values(), ids=OF_OTHERS)
def test_lines_of_other_programs_are_not_taken(line: dict[str, Any]) -> None:
    assert not taken(line)


@pytest.mark.parametrize("line", ["[1]", '"isSidechain"', "null", "{broken", ""])
def test_what_is_no_object_is_not_taken(line: str) -> None:
    assert not claude_code.recognises(SourceFile(Path("log.jsonl"), line.encode()))


def test_a_first_line_longer_than_the_first_bytes_is_known_by_its_text() -> None:
    line = {**OF_SESSIONS["a prompt"], "message": {"content": "x" * 99_000}}
    head = json.dumps(line).encode()[: 64 * 1024]
    assert claude_code.recognises(SourceFile(Path("log.jsonl"), head))


@pytest.mark.parametrize("line", OF_OTHERS.values(), ids=OF_OTHERS)
def test_no_source_makes_charges_of_lines_of_other_programs(
    line: dict[str, Any], tmp_path: Path
) -> None:
    content = json.dumps(line).encode()
    file = SourceFile(tmp_path / "log.jsonl", content)
    assert [source.NAME for source in SOURCES if source.recognises(file)] == []


def test_counts_beside_a_message_without_an_id_are_refused_with_a_way_out(read: Read) -> None:
    counts = {"costUSD": 0.05, "inputTokens": 200, "outputTokens": 100}
    line = {"type": "assistant", "uuid": "u-1", "timestamp": AT, "message": {"model": "m"}}
    records, [problem] = read("conversation.jsonl", json.dumps(line | counts))
    assert records == []
    assert problem.what == "counts beside a message without its id: lines may repeat a call"
    assert problem.hint


def test_what_the_status_line_is_told_is_refused_with_a_way_out(read: Read) -> None:
    told = {"session_id": "s-1", "transcript_path": "s-1.jsonl", "cost": {"total_cost_usd": 0.05}}
    records, [problem] = read("status.json", json.dumps(told))
    assert records == []
    assert problem.what == "what Claude Code tells its status line: the sum of a session"
    assert problem.hint.startswith("add the session's own log")
