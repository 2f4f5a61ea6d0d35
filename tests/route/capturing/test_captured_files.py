"""Captured requests on disk: redacted, protected, ours alone, and gone when their days are over."""

from __future__ import annotations

import io
import re
import signal
import stat
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.route.capturing.made import AT_US

from clearbar.core.errors import ClearbarError, Problem, UnknownName
from clearbar.route.capturing.files import (
    append,
    checked,
    expire,
    folder_of,
    forget,
    kept,
    rows,
)
from clearbar.route.capturing.job import Job, framed, read_job
from clearbar.route.capturing.protect import KEY_VARIABLE, Row, new_key
from clearbar.route.capturing.redaction import compiled, redacted
from clearbar.route.capturing.writer import Writer, too_long
from clearbar.trial.cases import read_cases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW: Final = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
JOB: Final = Job(
    "support-replies",
    AT_US,
    "gpt-mini",
    "My card 4111111111111111 was lost.",
    "Be brief.",
    "We have blocked 4111111111111111.",
    "ticket-9",
    (r"\d{13,16}",),
    "plain",
)


def job(**changes: Any) -> Job:
    return msgspec.structs.replace(JOB, **changes)


@pytest.fixture
def alarms() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, too_long)
    yield
    signal.signal(signal.SIGALRM, before)


def only_line(folder: Path) -> bytes:
    return next(folder.rglob("*.jsonl")).read_bytes()


def test_what_patterns_match_is_replaced() -> None:
    patterns = compiled([r"\d{13,16}", r"[\w.]+@[\w.]+"])
    assert redacted("4111111111111111 of ana@example.com", patterns) == "[redacted] of [redacted]"


@given(st.text(), st.lists(st.sampled_from([r"\d+", r"[a-c]", r"e."]), max_size=3))
def test_nothing_that_a_single_pattern_matches_is_left(text: str, patterns: list[str]) -> None:
    found = redacted(text, compiled(patterns[:1]))
    for pattern in patterns[:1]:
        assert not re.search(pattern, found.replace("[redacted]", ""))


@pytest.mark.parametrize("pattern", ["(a+)+", "(", "x*"])
def test_patterns_that_cannot_or_must_not_redact_are_refused(pattern: str) -> None:
    with pytest.raises(ClearbarError):
        compiled([pattern])


def test_a_plain_row_is_a_case_of_a_trial(tmp_path: Path) -> None:
    assert Writer(tmp_path, {}).write(JOB)
    path = next(tmp_path.rglob("*.jsonl"))
    case = read_cases(path).cases[0]
    assert case.input == "My card [redacted] was lost."
    assert case.answers == {"gpt-mini": "We have blocked [redacted]."}
    assert (case.cluster, case.at, case.reference) == ("ticket-9", NOW, None)
    assert path.name == "2026-11-01.jsonl"


def test_the_same_request_twice_is_two_cases(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {})
    writer.write(JOB)
    writer.write(JOB)
    assert len(read_cases(next(tmp_path.rglob("*.jsonl"))).cases) == 2


def test_only_we_may_read_what_was_captured(tmp_path: Path) -> None:
    Writer(tmp_path, {}).write(JOB)
    path = next(tmp_path.rglob("*.jsonl"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "support-replies"
    folder.mkdir()
    (folder / "2026-11-01.jsonl").symlink_to(tmp_path / "elsewhere")
    assert not Writer(tmp_path, {}).write(JOB)
    assert not (tmp_path / "elsewhere").exists()


def test_hashed_rows_hold_digests_and_no_text(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {})
    writer.write(job(protect="hashed"))
    writer.write(job(protect="hashed", prompt="", cluster=""))
    first, second = only_line(tmp_path).splitlines()
    assert b"card" not in first
    assert b"ticket" not in first
    assert msgspec.json.decode(first)["input_digest"] == msgspec.json.decode(second)["input_digest"]
    found = list(rows(tmp_path, "support-replies", {}))
    assert all(isinstance(each, Problem) and "digests" in each.what for each in found)


def test_encrypted_rows_open_with_their_key(tmp_path: Path) -> None:
    environment = {KEY_VARIABLE: new_key()}
    assert Writer(tmp_path, environment).write(job(protect="encrypted"))
    assert b"card" not in only_line(tmp_path)
    found = next(rows(tmp_path, "support-replies", environment))
    assert isinstance(found, Row)
    assert found.input == "My card [redacted] was lost."


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    Writer(tmp_path, {KEY_VARIABLE: new_key()}).write(job(protect="encrypted"))
    found = next(rows(tmp_path, "support-replies", {KEY_VARIABLE: new_key()}))
    assert isinstance(found, Problem)
    assert KEY_VARIABLE in found.hint


@pytest.mark.parametrize("field", ["at", "id", "sealed"])
def test_a_sealed_row_that_was_changed_does_not_open(tmp_path: Path, field: str) -> None:
    environment = {KEY_VARIABLE: new_key()}
    Writer(tmp_path, environment).write(job(protect="encrypted"))
    path = next(tmp_path.rglob("*.jsonl"))
    told = msgspec.json.decode(path.read_bytes())
    path.write_bytes(msgspec.json.encode(told | {field: told[field][:-4] + "AAAA"}))
    assert isinstance(next(rows(tmp_path, "support-replies", environment)), Problem)


def test_a_sealed_row_does_not_open_under_another_workflow(tmp_path: Path) -> None:
    environment = {KEY_VARIABLE: new_key()}
    Writer(tmp_path, environment).write(job(protect="encrypted"))
    append(tmp_path, "other", NOW, only_line(tmp_path))
    assert isinstance(next(rows(tmp_path, "other", environment)), Problem)


@pytest.mark.parametrize("key", ["", "short", "c2hvcnQ=", "!" * 44])
def test_without_a_key_nothing_is_captured_encrypted(tmp_path: Path, key: str) -> None:
    environment = {KEY_VARIABLE: key}
    assert not Writer(tmp_path, environment).write(job(protect="encrypted"))
    assert not list(tmp_path.rglob("*.jsonl"))
    with pytest.raises(ClearbarError, match=KEY_VARIABLE):
        checked(environment, "encrypted")
    checked(environment, "plain")


@pytest.mark.usefixtures("alarms")
def test_a_redaction_without_end_is_ended_and_its_request_not_kept(tmp_path: Path) -> None:
    endless = job(redact=(r"(a|a)*b",), input="a" * 40)
    began = time.monotonic()
    assert not Writer(tmp_path, {}, limit_s=0.1).write(endless)
    assert time.monotonic() - began < 5
    assert not list(tmp_path.rglob("*.jsonl"))


@pytest.mark.parametrize("redact", [("(",), ("(a+)+",)])
def test_a_pattern_that_is_no_good_lets_nothing_through(
    tmp_path: Path, redact: tuple[str, ...]
) -> None:
    assert not Writer(tmp_path, {}).write(job(redact=redact))
    assert not list(tmp_path.rglob("*.jsonl"))


def test_a_text_that_is_too_long_is_not_kept(tmp_path: Path) -> None:
    assert not Writer(tmp_path, {}).write(job(answer="x" * 1_000_001))


@pytest.mark.parametrize("name", ["../../etc", "..", "a/b", ".hidden", "größe", "with space"])
def test_no_name_of_a_workflow_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    captured = tmp_path / "captured"
    append(captured, name, NOW, b"{}\n")
    assert folder_of(captured, name).parent == captured
    assert [each.workflow for each in kept(captured)] == [name]
    assert [path.name for path in tmp_path.iterdir()] == ["captured"]


def test_what_is_kept_is_told_by_workflow_and_day(tmp_path: Path) -> None:
    for day in range(3):
        append(tmp_path, "a", NOW - timedelta(days=day), b"12345\n")
    (tmp_path / "a" / "notes.txt").write_text("ours?")
    (tmp_path / "a" / "2026-13-41.jsonl").write_text("no day")
    (tmp_path / "empty").mkdir()
    assert kept(tmp_path) == [("a", date(2026, 10, 30), date(2026, 11, 1), 3, 18)]
    assert kept(tmp_path / "nowhere") == []


def test_files_go_when_their_days_are_over(tmp_path: Path) -> None:
    for days in (0, 7, 8, 30, 31):
        append(tmp_path, "a", NOW - timedelta(days=days), b"1\n")
        append(tmp_path, "undeclared", NOW - timedelta(days=days), b"1\n")
    assert expire(tmp_path, {"a": 7}, NOW.date()) == 4
    assert [each.files for each in kept(tmp_path)] == [2, 4]


def test_a_workflow_can_be_forgotten(tmp_path: Path) -> None:
    append(tmp_path, "a", NOW, b"1\n")
    assert forget(tmp_path, "a") == 1
    assert forget(tmp_path, "a") == 0


def test_rows_can_be_taken_from_a_day_on(tmp_path: Path) -> None:
    writer = Writer(tmp_path, {})
    writer.write(JOB)
    writer.write(job(at_us=AT_US - 86_400_000_000))
    assert len(list(rows(tmp_path, "support-replies", {}))) == 2
    assert len(list(rows(tmp_path, "support-replies", {}, date(2026, 11, 1)))) == 1


def test_of_what_was_never_captured_there_are_no_rows(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="nothing is captured"):
        list(rows(tmp_path, "support-replies", {}))


@pytest.mark.parametrize("line", [b'{"id": "1", "at', b"[]\n", b'{"id": 1}\n', b"\xff\n"])
def test_a_line_that_was_cut_off_is_a_problem_and_the_rest_is_read(
    tmp_path: Path, line: bytes
) -> None:
    Writer(tmp_path, {}).write(JOB)
    append(tmp_path, "support-replies", NOW, line)
    good, bad = rows(tmp_path, "support-replies", {})
    assert isinstance(good, Row)
    assert isinstance(bad, Problem)
    assert bad.line == 2


def test_jobs_pass_through_a_pipe_whole() -> None:
    stream = io.BytesIO(framed(JOB) + framed(job(input="ü" * 9)) + framed(JOB)[:-1])
    assert read_job(stream) == JOB
    assert read_job(stream) == job(input="ü" * 9)
    assert read_job(stream) is None
    assert read_job(stream) is None


def test_a_job_of_an_absurd_length_is_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        read_job(io.BytesIO(b"\xff\xff\xff\xff"))


APPENDING: Final = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from clearbar.route.capturing.files import append
for _ in range(50):
    append(Path(sys.argv[1]), "a", datetime.now(UTC), sys.argv[2].encode() * 70_000 + b"\\n")
"""


def test_lines_of_many_processes_do_not_mix(tmp_path: Path) -> None:
    programs = [[sys.executable, "-c", APPENDING, str(tmp_path), letter] for letter in "abc"]
    children = [subprocess.Popen(program) for program in programs]
    assert [child.wait() for child in children] == [0, 0, 0]
    lines = [line for path in tmp_path.rglob("*.jsonl") for line in path.read_bytes().splitlines()]
    assert len(lines) == 150
    assert {(len(line), len(set(line))) for line in lines} == {(70_000, 1)}
