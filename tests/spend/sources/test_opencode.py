from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from clearbar.core.errors import Problem
from clearbar.spend.files.source_file import UnreadableFile, open_source_file
from clearbar.spend.sources import opencode

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clearbar.spend.charge import Record

    Read = Callable[..., Any]

TOKENS = {"input": 1000, "output": 200, "reasoning": 50, "cache": {"read": 4000, "write": 300}}
MESSAGE = {
    "role": "assistant",
    "sessionID": "ses_1",
    "providerID": "anthropic",
    "modelID": "claude-sonnet-4-5",
    "time": {"created": 1_789_372_800_000, "completed": 1_789_372_809_500},
    "path": {"cwd": "/src/ledger/api", "root": "/src/ledger"},
    "cost": 0.0123,
    "tokens": TOKENS,
}
ZEROS = {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}
TABLES = """
CREATE TABLE `session` (`id` text PRIMARY KEY, `directory` text NOT NULL);
CREATE TABLE `message` (`id` text PRIMARY KEY, `session_id` text, `data` text NOT NULL);
CREATE TABLE `part` (`id` text PRIMARY KEY, `message_id` text, `data` text NOT NULL);
"""


def one(read: Read, **changes: Any) -> Any:
    [record], problems = read("msg_1.json", json.dumps({"id": "msg_1", **MESSAGE, **changes}))
    assert problems == []
    return record


def database(folder: Path, *messages: dict[str, Any], script: str = TABLES) -> Path:
    path = folder / "opencode.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(script)
        connection.executemany(
            "INSERT INTO message VALUES (?, 'ses_1', ?)",
            [(f"msg_{number}", json.dumps(told)) for number, told in enumerate(messages)],
        )
    return path


def read_database(path: Path) -> tuple[list[Record], list[Problem]]:
    file = open_source_file(path)
    assert opencode.recognises(file)
    items = list(opencode.read(file))
    records = [item for item in items if not isinstance(item, Problem)]
    return records, [item for item in items if isinstance(item, Problem)]


def test_reasoning_is_output_beside_the_answer(read: Read) -> None:
    record = one(read)
    assert (record.output_tokens, record.reasoning_tokens) == (250, 50)


def test_cache_reads_and_writes_stand_beside_the_input(read: Read) -> None:
    record = one(read)
    assert (record.input_tokens, record.cache_read_tokens) == (1000, 4000)
    assert record.cache_write_tokens == 300


def test_the_cost_is_an_estimate_and_zero_is_none(read: Read) -> None:
    record = one(read)
    assert (record.reported_cost_usd, record.reported_basis) == (Decimal("0.0123"), "estimated")
    assert one(read, cost=0).reported_cost_usd is None


def test_an_id_like_anthropics_is_opencodes_own(read: Read) -> None:
    record = one(read)
    assert record.identity.startswith("client:opencode:")
    assert (record.aliases, record.upstream_id) == ("client:opencode:msg_1", "")


def test_the_copy_of_a_message_in_a_forked_session_is_the_same_call(tmp_path: Path) -> None:
    records, _ = read_database(database(tmp_path, MESSAGE, MESSAGE))
    assert len({record.identity for record in records}) == 1


def test_a_message_that_moved_to_the_database_is_the_same_call(tmp_path: Path, read: Read) -> None:
    [record], _ = read_database(database(tmp_path, MESSAGE))
    assert record.identity == one(read).identity


def test_messages_with_other_tokens_or_times_are_others(tmp_path: Path) -> None:
    later = MESSAGE | {"time": {"created": 1_789_372_800_001, "completed": 1_789_372_809_500}}
    records, _ = read_database(database(tmp_path, MESSAGE, later, MESSAGE | {"tokens": ZEROS}))
    assert len({record.identity for record in records}) == 3


def test_parts_tell_of_the_same_call_and_are_not_read(tmp_path: Path) -> None:
    path = database(tmp_path, MESSAGE)
    part = {"type": "step-finish", "role": "assistant", "tokens": TOKENS, "cost": 0.0123}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO part VALUES ('prt_1', 'msg_0', ?)", [json.dumps(part)])
    assert len(read_database(path)[0]) == 1


def test_a_call_that_was_aborted_before_it_told_its_tokens_is_unknown_usage(read: Read) -> None:
    record = one(read, tokens=ZEROS, cost=0, error={"name": "MessageAbortedError"})
    assert (record.status, record.usage, record.input_tokens) == ("cancelled", "missing", None)


def test_a_call_that_failed_keeps_what_it_used(read: Read) -> None:
    record = one(read, error={"name": "APIError"})
    assert (record.status, record.input_tokens) == ("error", 1000)


def test_a_message_that_is_only_begun_tells_nothing_yet(read: Read) -> None:
    begun = {**MESSAGE, "tokens": ZEROS, "time": {"created": 1_789_372_800_000}}
    assert read("msg_1.json", json.dumps(begun)) == ([], [])
    assert one(read, time=begun["time"]).usage == "partial"


def test_a_message_completed_before_it_was_created_is_refused(read: Read) -> None:
    wrong = {**MESSAGE, "time": {"created": 1_789_372_809_500, "completed": 1_789_372_800_000}}
    _, [problem] = read("msg_1.json", json.dumps(wrong))
    assert problem.what == "a message is completed before it is created"


def test_the_second_form_of_the_database_names_the_model_apart(tmp_path: Path) -> None:
    script = (
        TABLES + "CREATE TABLE session_message (id text, session_id text, type text, data text);"
    )
    path = database(tmp_path, script=script)
    told = {key: MESSAGE[key] for key in ("time", "tokens", "cost")}
    told["model"] = {"id": "claude-haiku-4-5", "providerID": "anthropic"}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO session VALUES ('ses_1', '/src/other')")
        connection.executemany(
            "INSERT INTO session_message VALUES (?, 'ses_1', ?, ?)",
            [("msg_1", "assistant", json.dumps(told)), ("msg_2", "user", json.dumps(told))],
        )
    [record], _ = read_database(path)
    assert (record.origin.model, record.origin.project) == ("claude-haiku-4-5", "other")


def test_a_broken_row_does_not_take_the_others(tmp_path: Path) -> None:
    path = database(tmp_path, MESSAGE, MESSAGE | {"tokens": TOKENS | {"input": -1}})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO message VALUES ('msg_8', 'ses_1', '{')")
        connection.execute("INSERT INTO message VALUES ('msg_9', 'ses_1', x'00')")
    records, problems = read_database(path)
    assert len(records) == 1
    assert [problem.line for problem in problems] == [2, 3, 4]


def test_what_is_only_in_the_write_ahead_log_is_named(tmp_path: Path) -> None:
    path = database(tmp_path, MESSAGE)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO message VALUES ('msg_9', 'ses_1', '{}')")
        connection.commit()
        records, [problem] = read_database(path)
    assert len(records) == 1
    assert problem.hint.startswith("quit opencode")


def test_reading_leaves_the_database_and_its_folder_as_they_were(tmp_path: Path) -> None:
    path = database(tmp_path, MESSAGE)
    before = path.read_bytes()
    read_database(path)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_a_compressed_database_is_refused_with_a_way_out(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "opencode.db.gz"
    path.write_bytes(gzip.compress(database(tmp_path, MESSAGE).read_bytes()))
    with pytest.raises(UnreadableFile) as caught:
        read_database(path)
    assert caught.value.hint == "decompress it first"


def test_an_export_holds_the_messages_beside_their_parts(read: Read) -> None:
    info = {"id": "ses_1", "directory": "/src/other"}
    messages = [{"info": {**MESSAGE, "id": "msg_1", "path": None}}, {"info": {"role": "user"}}, 7]
    content = json.dumps({"info": info, "messages": messages, "sessionID": ""})
    [record], problems = read("export.json", content)
    assert (record.origin.project, record.line, problems) == ("other", 1, [])


def test_a_document_cut_short_is_one_problem(read: Read) -> None:
    _, [problem] = read("msg_1.json", json.dumps({"id": "msg_1", **MESSAGE})[:-1])
    assert problem.what == "not JSON"


def test_the_message_of_another_readers_fixture_has_its_tokens(shared_data: Path) -> None:
    [path] = (shared_data / "formats/tokscale_fixtures").glob("*opencode*")
    [record] = opencode.read(open_source_file(path))
    assert not isinstance(record, Problem)
    assert (record.input_tokens, record.output_tokens) == (1000, 500)
    assert (record.cache_read_tokens, record.cache_write_tokens) == (200, 100)
