from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.charge import CACHE_WRITE_METERS, digest_of
from clearbar.spend.files.source_file import SourceFile, open_source_file
from clearbar.spend.sources import claude_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from clearbar.spend.charge import Record


def line(message_id: str = "msg_1", output: int = 9, **changes: Any) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": output, **changes.pop("usage", {})}
    stop = changes.pop("stop_reason", None)
    message = {"id": message_id, "model": "claude-opus-4-5", "stop_reason": stop, "usage": usage}
    told = {"sessionId": "s", "uuid": "u", "timestamp": "2026-01-05T17:00:30.000Z"}
    return {**told, "type": "assistant", "message": message, **changes}


def log(lines: Iterable[object]) -> str:
    return "".join(json.dumps(each) + "\n" for each in lines)


def tokens(record: Record, meters: Iterable[str]) -> int:
    return sum(getattr(record, meter) or 0 for meter in meters)


def test_the_early_figures_of_a_stream_are_not_counted(read: Callable[..., Any]) -> None:
    records, _ = read("s.jsonl", log([line(output=9), line(output=9), line(output=159)]))
    assert [record.output_tokens for record in records] == [159]


def test_a_duplicate_line_is_counted_once(read: Callable[..., Any]) -> None:
    records, _ = read("s.jsonl", log([line(), line()]))
    assert [(record.output_tokens, record.lines) for record in records] == [(9, 2)]


def test_of_two_lines_that_are_equally_good_the_same_wins_in_any_order(
    read: Callable[..., Any],
) -> None:
    lines = [line(uuid="a"), line(uuid="b")]
    first, _ = read("s.jsonl", log(lines).rstrip())
    second, _ = read("s.jsonl", log(reversed(lines)).rstrip())
    assert first[0].digest == second[0].digest


def test_a_line_with_a_stop_reason_goes_before_more_output(read: Callable[..., Any]) -> None:
    lines = [line(output=20, stop_reason="end_turn"), line(output=30)]
    records, _ = read("s.jsonl", log(lines))
    assert records[0].output_tokens == 20


def test_a_line_of_the_main_chain_goes_before_its_replay(read: Callable[..., Any]) -> None:
    replay = line(output=99, stop_reason="end_turn", isSidechain=True)
    records, _ = read("s.jsonl", log([replay, line(output=20)]))
    assert records[0].output_tokens == 20


def test_a_call_of_a_side_chain_alone_is_a_charge(read: Callable[..., Any]) -> None:
    records, _ = read("s.jsonl", log([line(isSidechain=True)]))
    assert [record.origin.labels for record in records] == ["|agent=sidechain|"]


def test_the_call_began_at_the_earliest_of_its_lines(read: Callable[..., Any]) -> None:
    late = line(output=50, timestamp="2026-01-05T17:00:31.000Z")
    records, _ = read("s.jsonl", log([late, line()]))
    assert records[0].started_at_us == 1_767_632_430_000_000
    assert records[0].seen_at_us == 1_767_632_431_000_000


def test_meters_come_whole_from_one_line_never_as_the_maximum_of_each(
    read: Callable[..., Any],
) -> None:
    other = line(output=5, usage={"input_tokens": 800})
    records, _ = read("s.jsonl", log([other, line(output=9)]))
    assert (records[0].input_tokens, records[0].output_tokens) == (3, 9)


def test_a_record_points_at_the_bytes_of_its_line(read: Callable[..., Any]) -> None:
    first, second = log([line()]).strip(), log([line(output=70)]).strip()
    content = f"{first}\r\n\r\n{second}\r\n".encode()
    records, _ = read("s.jsonl", content)
    record = records[0]
    found = content[record.offset : record.offset + record.length]
    assert (record.line, found) == (3, second.encode())
    assert record.digest == digest_of(found)


def test_a_missing_quantity_is_not_zero(read: Callable[..., Any]) -> None:
    records, _ = read("s.jsonl", log([line()]))
    assert records[0].cache_read_tokens is None
    assert records[0].cache_write_tokens is None


def test_cache_writes_of_an_untold_lifetime_have_a_meter_of_their_own(
    read: Callable[..., Any],
) -> None:
    usage = {"cache_creation_input_tokens": 70, "cache_creation": {}}
    records, _ = read("s.jsonl", log([line(usage=usage)]))
    assert [getattr(records[0], meter) for meter in CACHE_WRITE_METERS] == [None, None, 70]


def test_a_session_is_recognised_by_its_first_lines(tmp_path: Path) -> None:
    heads = {
        b'{"type":"summary","leafUuid":"u"}': True,
        b'{"type":"file-history-snapshot","messageId":"m","snapshot":{}}': True,
        log([line()]).encode(): True,
        b'{"sessionId":"s"}': False,
        b'{"request_id":"r"}': False,
    }
    files = {SourceFile(tmp_path / "s.jsonl", head): known for head, known in heads.items()}
    assert [claude_code.recognises(file) for file in files] == list(files.values())


def test_a_file_of_another_name_is_no_session(tmp_path: Path) -> None:
    assert not claude_code.recognises(SourceFile(tmp_path / "s.json", log([line()]).encode()))


def test_lines_about_other_things_are_neither_records_nor_problems(
    read: Callable[..., Any],
) -> None:
    prompt = {"type": "user", "uuid": "u", "isSidechain": False, "message": "usage"}
    others = [prompt, {"data": 7}]
    odd = [{"type": "system", "usage": 3, "timestamp": 5}, {"message": {"usage": None}}]
    assert read("s.jsonl", log([*others, *odd])) == ([], [])


def test_many_messages_are_told_before_the_end_of_the_file(
    read: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude_code, "_MAX_PENDING", 2)
    monkeypatch.setattr("clearbar.spend.files.source_file._BLOCK_BYTES", 300)
    records, _ = read("s.jsonl", log(line(f"msg_{number}") for number in range(9)))
    assert sorted(record.upstream_id for record in records) == [f"msg_{n}" for n in range(9)]


def test_equal_origins_are_the_same_object(read: Callable[..., Any]) -> None:
    records, _ = read("s.jsonl", log([line("msg_1"), line("msg_2")]))
    assert records[0].origin is records[1].origin


def test_deep_nesting_is_a_problem_not_a_crash(read: Callable[..., Any]) -> None:
    deep = '{"isSidechain":false,"sessionId":"s","usage":' + "[" * 100_000 + "}"
    _, problems = read("s.jsonl", deep)
    assert [problem.line for problem in problems] == [1]


def test_every_verified_slice_has_the_figures_that_another_program_found(
    shared_data: Path,
) -> None:
    folder = shared_data / "claude_code"
    with (folder / "verified_slices_expected.csv").open() as stream:
        expected = list(csv.DictReader(stream))
    wrong = [row["slice"] for row in expected if figures(folder, row["slice"]) != stated(row)]
    assert (len(expected), wrong) == (97, [])


def figures(folder: Path, name: str) -> tuple[int, ...]:
    file = open_source_file(folder / "verified_slices" / f"{name}.jsonl")
    records = [item for item in claude_code.read(file) if not isinstance(item, Problem)]
    meters = (["input_tokens"], CACHE_WRITE_METERS, ["cache_read_tokens"], ["output_tokens"])
    return *(sum(tokens(record, each) for record in records) for each in meters), len(records)


def stated(row: dict[str, str]) -> tuple[int, ...]:
    names = ("input_tokens", "cache_creation_tokens", "cache_read_tokens", "output_tokens")
    return tuple(int(row[name]) for name in (*names, "api_call_count"))


@pytest.mark.parametrize(
    ("pattern", "records", "problems"),
    [("ccusage_fixtures/*claude*alpha*", 3, 0), ("claude-code-log_fixtures/*", 16, 3)],
)
def test_fixtures_of_other_programs_are_read(
    shared_data: Path, pattern: str, records: int, problems: int
) -> None:
    files = sorted((shared_data / "formats").glob(pattern))
    items = [item for path in files for item in claude_code.read(open_source_file(path))]
    broken = [item for item in items if isinstance(item, Problem)]
    assert (len(items) - len(broken), len(broken)) == (records, problems)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00"])
def test_a_moment_outside_the_calendar_is_quarantined(
    read: Callable[..., Any], moment: str
) -> None:
    records, problems = read("s.jsonl", log([line(timestamp=moment)]))
    assert (len(records), len(problems)) == (0, 1)


def relayed(number: int, **changes: Any) -> dict[str, Any]:
    """Return a line of one of several calls to which a relay gave one id."""
    usage = {"input_tokens": 100 + number}
    return line(uuid=f"u{number}", usage=usage, **changes)


def test_calls_of_a_relay_with_one_id_for_all_are_counted_one_by_one(
    read: Callable[..., Any],
) -> None:
    lines = [relayed(number) for number in range(5) for _ in range(2)]
    records, _ = read("s.jsonl", log(lines))
    assert [(record.input_tokens, record.lines) for record in records] == [
        (100 + number, 2) for number in range(5)
    ]
    assert {record.identity for record in records} == {"upstream:msg_1"}


def test_two_inputs_ten_minutes_apart_are_two_calls(read: Callable[..., Any]) -> None:
    late = relayed(1, timestamp="2026-01-05T17:10:31.000Z")
    records, _ = read("s.jsonl", log([relayed(0), late]))
    assert [record.input_tokens for record in records] == [100, 101]


def test_searches_that_add_to_the_input_of_a_stream_are_one_call(
    read: Callable[..., Any],
) -> None:
    lines = [relayed(0, output=1), relayed(7, output=50, stop_reason="end_turn")]
    for order in (lines, lines[::-1]):
        [record], _ = read("s.jsonl", log(order))
        assert (record.input_tokens, record.output_tokens, record.lines) == (107, 50, 2)


def test_the_id_of_the_request_is_an_alias(read: Callable[..., Any]) -> None:
    [record], _ = read("s.jsonl", log([line(requestId="req_011CU")]))
    assert record.aliases == "upstream:anthropic:req_011CU"


def test_an_id_that_a_relay_passed_on_is_an_alias(read: Callable[..., Any]) -> None:
    [record], _ = read("s.jsonl", log([line("gen-1726-abc")]))
    assert (record.identity, record.aliases) == (
        "client:claude_code:gen-1726-abc",
        "upstream:gen-1726-abc",
    )


def test_calls_inside_a_message_have_no_alias_of_it(read: Callable[..., Any]) -> None:
    usage = {"iterations": [{"type": "compaction", "input_tokens": 7, "output_tokens": 2}]}
    records, _ = read("s.jsonl", log([line(requestId="req_011CU", usage=usage)]))
    assert [record.aliases for record in records] == ["upstream:anthropic:req_011CU", ""]
