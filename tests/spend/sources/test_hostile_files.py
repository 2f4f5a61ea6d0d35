"""Files made to do harm: each is refused in little time and memory, and the rest goes on."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import duckdb
import pytest
from tests.spend.sources.fuzz.hostile import MB, bomb, zip_bomb

from clearbar.core.errors import ClearbarError, Problem
from clearbar.core.store import Store
from clearbar.spend.charge import MAX_QUANTITY
from clearbar.spend.files.candidates import candidates
from clearbar.spend.files.parquet_rows import parquet_rows
from clearbar.spend.files.source_file import UnreadableFile, open_source_file
from clearbar.spend.files.table_mapping import TableMapping
from clearbar.spend.ingest import ingest
from clearbar.spend.sources import SOURCES, azure_apim, bedrock, opencode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.charge import Record
    from clearbar.spend.prices.book import PriceBook
    from clearbar.spend.storage.ledger import Ledger

    Reading = tuple[list[Record], list[Problem]]

NOW = datetime(2026, 11, 1, tzinfo=UTC)
LINE = (
    b'{"type":"assistant","sessionId":"s","uuid":"u","timestamp":"2026-01-05T17:00:30Z","message":{"id":"msg_1",'
    b'"role":"assistant","usage":{"input_tokens":5,"output_tokens":7}}}\n'
)
CURSOR_HEADER = b"Date,Kind,Model,Max Mode,Input (w/ Cache Write),Input (w/o Cache Write),"
CURSOR_HEADER += b"Cache Read,Output Tokens,Total Tokens,Cost\n"
CURSOR_ROW = b"2026-03-19T10:00:00.000Z,Included,m,No,0,4,0,3,7,0.05\n"
MARK = b"\xef\xbb\xbf"


def reason(path: Path) -> str:
    """Return why a file is refused, whoever reads it."""
    try:
        file = open_source_file(path)
        source = next((source for source in SOURCES if source.recognises(file)), None)
        if source is None:
            return "no source knows this format"
        [problem] = [item for item in source.read(file) if isinstance(item, Problem)]
    except UnreadableFile as error:
        return error.message
    return problem.what


@pytest.mark.parametrize(
    ("name", "content", "calls"),
    [
        ("log.jsonl", LINE, 1),
        ("usage.csv", CURSOR_HEADER + CURSOR_ROW, 1),
        (
            "session.json",
            json.dumps(
                {
                    "sessionId": "s",
                    "projectHash": "p",
                    "messages": [
                        {
                            "type": "gemini",
                            "id": "1",
                            "timestamp": "2026-01-05T17:00:30Z",
                            "model": "m",
                            "tokens": {
                                "input": 5,
                                "output": 7,
                                "cached": 0,
                                "thoughts": 0,
                                "tool": 0,
                                "total": 12,
                            },
                        }
                    ],
                }
            ).encode(),
            1,
        ),
    ],
)
def test_a_byte_order_mark_is_no_part_of_a_file(
    name: str, content: bytes, calls: int, read: Callable[..., Reading]
) -> None:
    plain, marked = read(name, content), read(f"marked-{name}", MARK + content)
    assert len(plain[0]) == len(marked[0]) == calls
    assert plain[1] == marked[1] == []


def test_a_line_behind_a_byte_order_mark_is_where_its_record_says(
    read: Callable[..., Reading],
) -> None:
    [record], _ = read("log.jsonl", MARK + LINE)
    assert (record.offset, record.length) == (3, len(LINE) - 1)


def test_a_file_of_nothing_but_a_byte_order_mark_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(MARK)
    assert list(open_source_file(path).lines()) == []


def test_a_truncated_gzip_file_gives_what_stands_before_the_cut(
    tmp_path: Path, ledger: Ledger, book: PriceBook
) -> None:
    path = tmp_path / "log.jsonl.gz"
    lines = b"".join(LINE.replace(b"msg_1", b"msg_%d" % n) for n in range(3_000))
    path.write_bytes(gzip.compress(lines)[:-2_000])
    store = Store(tmp_path / "facts.db")
    files = candidates([str(path)], tmp_path)
    summary = ingest(files, ledger, book, store, (), tmp_path, NOW)
    store.close()
    assert (summary.new, summary.quarantined) == (summary.records - 1, 1)
    assert summary.new > 1_000


@pytest.mark.parametrize("wrong", ["[[", {"a": 1}, [1]])
def test_a_kind_that_is_no_text_is_no_crash(wrong: object, read: Callable[..., Reading]) -> None:
    lines = [
        {"timestamp": "2026-01-05T17:00:30Z", "type": "session_meta", "payload": {"id": "t"}},
        {
            "timestamp": "2026-01-05T17:00:30Z",
            "type": "event_msg",
            "payload": {"type": wrong, "info": {"total_token_usage": {"input_tokens": 1}}},
        },
    ]
    records, _ = read("rollout.jsonl", "\n".join(map(json.dumps, lines)))
    assert records == []


@pytest.mark.parametrize("wrong", [{}, []])
def test_a_mode_that_is_no_truth_value_is_unknown(
    wrong: object, read: Callable[..., Reading]
) -> None:
    event = {
        "timestamp": "1767632430000",
        "kind": "Included",
        "maxMode": wrong,
        "model": "m",
        "tokenUsage": {"inputTokens": 1, "outputTokens": 2, "totalCents": 0.1},
    }
    records, problems = read("usage.json", json.dumps({"usageEvents": [event]}))
    assert (len(records), problems) == (1, [])


def test_broken_json_inside_a_span_is_a_problem_of_its_request(
    read: Callable[..., Reading],
) -> None:
    request = {"resourceSpans": ['{"scopeSpans": [']}
    _, [problem] = read("traces.jsonl", json.dumps(request))
    assert (problem.what, problem.line) == ("not JSON", 1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("log.json", '{"events": "[{", "schemaType": "ModelInvocationLog", "modelId": ""}'),
        ("rows.json", '{"tables": "[{", "records": [{"CorrelationId": "", "PromptTokens": 1}]}'),
        ("session.json", '{"info": {}, "messages": [{"info": "{"}]}'),
    ],
)
def test_broken_json_inside_a_document_is_a_problem(
    name: str, content: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    file = open_source_file(path)
    source = {"log.json": bedrock, "rows.json": azure_apim, "session.json": opencode}[name]
    assert [item.what for item in source.read(file) if isinstance(item, Problem)] == ["not JSON"]


def test_a_line_of_a_headless_run_that_was_cut_short_is_told_of(
    read: Callable[..., Reading],
) -> None:
    lines = '{"type":"thread.started","thread_id":"t"}\n{"type":"turn.comple'
    _, [problem] = read("run.jsonl", lines)
    assert (problem.what, problem.line) == ("not a JSON object", 2)


@pytest.mark.parametrize(
    "field",
    [
        {"calls": -1},
        {"input_tokens": 5},
        {"started_at_us": 2**64},
        {"identity": ""},
        {"reported_cost_usd": "1"},
    ],
)
def test_a_withdrawal_that_counts_or_cannot_be_stored_is_none(
    field: dict[str, object], read: Callable[..., Reading]
) -> None:
    record = {
        "identity": "bucket:x:1",
        "evidence": "provider",
        "origin": {"source": "x"},
        "started_at_us": 1,
        "grain": "bill",
        "calls": 0,
    }
    line = {"clearbar_withdrawn": 1, "pulled": "x", "record": {**record, **field}}
    written = json.dumps(line, separators=(",", ":"))
    assert read("withdrawn.jsonl", written)[1] == [
        Problem("not a withdrawal", "pull these days again", 1)
    ]


def test_a_withdrawal_that_is_no_text_is_a_problem(read: Callable[..., Reading]) -> None:
    _, [problem] = read("withdrawn.jsonl", b'{"clearbar_withdrawn":1,"pulled":"\xb0"}')
    assert problem.what == "not a withdrawal"


def test_a_table_of_too_many_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(CURSOR_HEADER.rstrip() + b",x" * 20_000 + b"\n" + CURSOR_ROW)
    assert reason(path) == "more than 10,000 columns"


@pytest.mark.slow
def test_a_row_that_never_ends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "usage.csv"
    path.write_bytes(CURSOR_HEADER + b'"a\n",' * (2 * MB))
    assert reason(path) == "a row that is too long"


def test_a_document_of_millions_of_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    head = b'{"sessionId":"s","projectHash":"p","messages":['
    path.write_bytes(bomb(head, b"{},", 13 * MB, b"{}]}"))
    assert "more than 5,000,000 values" in reason(path)


def test_a_row_of_parquet_that_stands_for_endless_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT repeat('x', 9000000) AS text FROM range(3)) TO ? (FORMAT parquet)",
            [str(path)],
        )
    assert path.stat().st_size < 2 * MB
    with pytest.raises(UnreadableFile, match="no Parquet file that can be read"):
        list(parquet_rows(path))


def test_a_sum_of_two_counts_is_no_larger_than_one_may_be(
    read: Callable[..., Reading],
) -> None:
    columns = {"started_at": "at", "output_tokens": "out", "reasoning_tokens": "thought"}
    mapping = TableMapping("t", "*", columns, reasoning_tokens="beside")
    _, [problem] = read("t.csv", f"at,out,thought\n2026-01-05,{MAX_QUANTITY},1\n", mapping)
    assert problem == Problem("output_tokens is impossibly large", "", 2)


def test_an_archive_is_known_to_none(tmp_path: Path) -> None:
    path = tmp_path / "logs.zip"
    path.write_bytes(zip_bomb(16 * MB))
    assert reason(path) == "no source knows this format"


def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(ClearbarError, match="no regular file"):
        candidates(["pipe.jsonl"], tmp_path)
    assert candidates(["."], tmp_path) == []


def test_links_that_lead_in_circles_or_nowhere_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "nowhere.jsonl").symlink_to(tmp_path / "gone")
    (tmp_path / "log.jsonl").write_bytes(LINE)
    (tmp_path / "linked.jsonl").symlink_to(tmp_path / "log.jsonl")
    assert [file.path for file in candidates(["."], tmp_path)] == [
        (tmp_path / "log.jsonl").resolve()
    ]


def test_a_file_that_may_not_be_read_is_refused_and_the_others_go_on(
    tmp_path: Path, ledger: Ledger, book: PriceBook
) -> None:
    (tmp_path / "log.jsonl").write_bytes(LINE)
    (tmp_path / "secret.jsonl").write_bytes(LINE)
    files = candidates(["log.jsonl", "secret.jsonl"], tmp_path)
    (tmp_path / "secret.jsonl").unlink()  # nor is one that is gone; the superuser may read all
    store = Store(tmp_path / "facts.db")
    summary = ingest(files, ledger, book, store, (), tmp_path, NOW)
    store.close()
    assert (summary.records, summary.new, summary.quarantined) == (2, 1, 1)


_READS = """
import sys, time
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from clearbar.core.errors import ClearbarError, Problem
from clearbar.spend.charge import Record
from clearbar.spend.files.source_file import open_source_file
from clearbar.spend.sources import SOURCES, azure_apim, bedrock, opencode
file = open_source_file(Path(sys.argv[1]))
source = next(source for source in SOURCES if source.recognises(file))
lines = problems = 0
try:
    for item in source.read(file):
        if isinstance(item, Problem): problems += 1
        elif isinstance(item, Record): lines += item.lines
except ClearbarError:
    problems += 1
used = getrusage(RUSAGE_SELF)
peak_kb = used.ru_maxrss
if Path("/proc/self/status").exists():  # there ru_maxrss is at least that of whoever started us
    [peak] = [each for each in open("/proc/self/status") if each.startswith("VmHWM")]
    peak_kb = int(peak.split()[1])
print(source.NAME, lines, problems, used.ru_utime + used.ru_stime, peak_kb / 1024)
"""


def cost(path: Path) -> tuple[str, int, int, float, float]:
    """Return source, lines, problems, CPU seconds and peak MB of a process that reads a file."""
    done = subprocess.run(
        [sys.executable, "-c", _READS, str(path)], capture_output=True, text=True, check=True
    )
    source, lines, problems, cpu_s, peak_mb = done.stdout.split()
    return source, int(lines), int(problems), float(cpu_s), float(peak_mb)


@pytest.mark.slow
def test_a_gigabyte_on_one_line_takes_little_time_and_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(LINE)
    os.truncate(path, 1_000_000_000)  # holes: it takes no room on the disk
    source, lines, problems, cpu_s, peak_mb = cost(path)
    assert (source, lines, problems) == ("claude_code", 1, 1)
    assert cpu_s < 20
    assert peak_mb < 400


@pytest.mark.slow
@pytest.mark.parametrize("filling", [b"\x00", b"{}\n", b"[", b'{"a":', b"1.5,", b"[],"])
def test_a_bomb_of_a_gigabyte_is_refused_within_bounds(tmp_path: Path, filling: bytes) -> None:
    path = tmp_path / "session.json"
    head = b'{"sessionId":"s","projectHash":"p","messages":['
    path.write_bytes(bomb(head, filling, 1_024 * MB))
    source, lines, problems, cpu_s, peak_mb = cost(path)
    assert (source, lines, problems) == ("gemini_cli", 0, 1)
    assert cpu_s < 30
    assert peak_mb < 1_500
