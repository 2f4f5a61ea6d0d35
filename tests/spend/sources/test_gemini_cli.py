from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.spend.agent_logs import text_of, together

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import gemini_cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[..., Any]

SESSION = {"sessionId": "5b1f0000-0000-4000-8000-000000000001", "projectHash": "c0ffee"}
ID = "5b1f0000-0000-4000-8000-000000000{:03d}"
TOKENS = {"input": 1200, "output": 60, "cached": 1000, "thoughts": 40, "tool": 0, "total": 1300}


def message(number: int = 1, **more: Any) -> dict[str, Any]:
    plain = {"type": "gemini", "timestamp": "2026-09-14T08:00:09Z", "model": "gemini-2.5-pro"}
    return {"id": ID.format(number), **plain, "tokens": TOKENS, **more}


def session(*messages: Any) -> str:
    return json.dumps({**SESSION, "messages": messages})


def one(read: Read, **tokens: int | None) -> Any:
    records, problems = read("session.json", session(message(tokens={**TOKENS, **tokens})))
    assert problems == []
    return records[0]


def test_cached_tokens_are_taken_out_of_the_input(read: Read) -> None:
    record = one(read)
    assert (record.input_tokens, record.cache_read_tokens) == (200, 1000)


def test_thoughts_are_output_beside_the_answer(read: Read) -> None:
    record = one(read)
    assert (record.output_tokens, record.reasoning_tokens) == (100, 40)


def test_what_tools_put_into_the_prompt_is_input_beside_the_prompt(read: Read) -> None:
    assert one(read, tool=300, total=1600).input_tokens == 500


def test_kinds_that_do_not_sum_to_the_total_are_refused(read: Read) -> None:
    wrong = message(tokens={**TOKENS, "total": 2300})
    records, [problem] = read("session.json", session(message(2), wrong))
    assert len(records) == 1
    assert (problem.what, problem.line) == ("the kinds of tokens do not sum to the total", 2)


def test_more_cached_than_input_is_refused_not_clamped(read: Read) -> None:
    wrong = message(tokens={**TOKENS, "cached": 1201})
    records, [problem] = read("session.json", session(wrong))
    assert (records, problem.what) == ([], "cached exceed input")


def test_zeros_alone_are_an_unknown_usage_not_a_free_call(read: Read) -> None:
    record = one(read, **dict.fromkeys(TOKENS, 0))
    assert (record.usage, record.input_tokens, record.output_tokens) == ("missing", None, None)


def test_a_kind_that_is_not_told_stays_unknown(read: Read) -> None:
    record = one(read, cached=None, thoughts=None, output=None, total=None)
    assert (record.cache_read_tokens, record.reasoning_tokens) == (None, None)
    assert record.output_tokens is None


def test_of_tellings_of_a_message_the_last_with_tokens_counts(read: Read) -> None:
    late = {**TOKENS, "output": 70, "total": 1310}
    tellings = [message(tokens=None), message(), message(tokens=late), message(tokens=None)]
    [record], problems = read("session.jsonl", text_of([SESSION, *tellings]))
    assert (record.output_tokens, record.lines, problems) == (110, 2, [])


def test_messages_that_were_rewound_were_billed(read: Read) -> None:
    lines = [SESSION, message(1), message(2), {"$rewindTo": ID.format(1)}]
    assert len(read("session.jsonl", text_of(lines))[0]) == 2


def test_a_list_that_is_set_tells_its_messages_again(read: Read) -> None:
    lines = [SESSION, message(1), {"$set": {"messages": [message(1), message(2)]}}]
    first, second = read("session.jsonl", text_of(lines))[0]
    assert (first.lines, second.lines) == (2, 1)


def test_a_session_that_moved_from_json_to_lines_is_one(tmp_path: Path) -> None:
    lines = text_of([SESSION, message(1), message(2)])
    assert len(together(tmp_path, {"s.json": session(message(1)), "s.jsonl": lines})) == 2


def test_an_id_that_is_no_uuid_belongs_to_its_session(read: Read) -> None:
    [record], _ = read("session.json", session(message(id="m-1")))
    assert record.identity == f"client:gemini_cli:{SESSION['sessionId']}:m-1"


def test_a_subagent_is_labelled(read: Read) -> None:
    [record], _ = read("session.jsonl", text_of([{**SESSION, "kind": "subagent"}, message()]))
    assert record.origin.labels == "|agent=subagent|project_hash=c0ffee|"


def test_one_broken_message_does_not_take_the_others(read: Read) -> None:
    broken = [message(2, tokens={"input": -1}), message(3, id=None), message(4, timestamp="x")]
    records, problems = read("session.json", session(message(1), *broken))
    assert len(records) == 1
    assert [problem.line for problem in problems] == [2, 3, 4]


STATS = {"models": {"gemini-2.5-pro": {"api": {"totalRequests": 2, "totalLatencyMs": 5}}}}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("out.json", json.dumps({"response": "", "stats": STATS}, indent=1)),
        (
            "out.jsonl",
            text_of(
                [
                    {"type": "init", "session_id": "s", "model": "gemini-2.5-pro"},
                    {"type": "message", "role": "assistant", "content": ""},
                    {"type": "result", "stats": STATS},
                ]
            ),
        ),
    ],
    ids=["document", "lines"],
)
def test_the_total_of_a_headless_run_is_refused_for_its_session_tells_it_too(
    name: str, content: str, read: Read
) -> None:
    records, [problem] = read(name, content)
    assert records == []
    assert problem.hint == "add the session's file, in ~/.gemini/tmp/*/chats"


@pytest.mark.parametrize("content", ["{", '{"sessionId": 7}'])
def test_a_document_that_is_broken_is_one_problem(content: str, tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text(content)
    [problem] = gemini_cli.read(open_source_file(tmp_path / "session.json"))
    assert isinstance(problem, Problem)


def test_many_messages_are_handed_on_before_the_file_ends(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini_cli, "_MAX_PENDING", 2)
    lines = [SESSION, *(message(number) for number in range(7))]
    assert len(read("session.jsonl", text_of(lines))[0]) == 7


def test_the_real_sessions_have_their_totals(shared_data: Path) -> None:
    total = told = 0
    for path in sorted((shared_data / "formats/gemini_cli").glob("*.json")):
        told += sum(
            each.get("tokens", {}).get("total", 0)
            for each in json.loads(path.read_bytes())["messages"]
        )
        for record in gemini_cli.read(open_source_file(path)):
            assert not isinstance(record, Problem)
            meters = (record.input_tokens, record.cache_read_tokens, record.output_tokens)
            total += sum(meter or 0 for meter in meters)
    assert total == told > 0


def test_growing_readings_of_a_real_session_are_one_session(
    shared_data: Path, tmp_path: Path
) -> None:
    names = ("c9_45f262e88d_0_full", "9c_53780d06b7_0_full", "ab_2b9748b105_0_full")
    folder = shared_data / "formats/gemini_cli"
    files = {f"{name}.json": (folder / f"{name}.json").read_text("utf-8") for name in names}
    last = {name: text for name, text in files.items() if name.startswith("ab_")}
    assert len(together(tmp_path, files)) == len(together(tmp_path, last)) == 11
