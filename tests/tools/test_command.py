"""Real processes answer, or end in every other way."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.tools.asking import answer_of, ask, failure_of

from clearbar.core.errors import ClearbarError
from clearbar.tools.command import MAX_OUTPUT_BYTES
from clearbar.tools.tool import Answer, Tool

ENVIRONMENT = {"PATH": os.environ["PATH"], "SECRET": "s-1", "TOOL_KEY": "k-1"}


def command(*words: str, **fields: Any) -> Tool:
    return Tool("cmd", "command", command=words, **{"timeout_s": 20.0, **fields})


def shell(text: str, **fields: Any) -> Tool:
    return command("sh", "-c", text, **fields)


def python(text: str, **fields: Any) -> Tool:
    return command(sys.executable, "-S", "-c", text, **fields)


def said(tool: Tool, given: str = "hello", **where: Any) -> str:
    return answer_of(tool, given, **{"environment": ENVIRONMENT, **where}).text


def failed(tool: Tool, given: str = "hello") -> tuple[str, bool]:
    failure = failure_of(tool, given, environment=ENVIRONMENT)
    return failure.what, failure.retry


def test_the_input_goes_in_and_the_answer_comes_out() -> None:
    assert said(shell("tr a-z A-Z"), "wo ist M\u00fcllers Paket?\n") == "WO IST M\u00fcLLERS PAKET?"


@pytest.mark.parametrize(
    ("written", "text"), [("a\\n", "a"), ("a\\n\\n", "a\n"), ("a\\r\\n", "a"), ("a\\r", "a\r")]
)
def test_one_line_end_is_taken_off(written: str, text: str) -> None:
    assert said(command("printf", written)) == text


def test_an_answer_has_no_model_and_no_usage() -> None:
    answer = answer_of(command("cat"), environment=ENVIRONMENT)
    assert (answer.model, answer.usage, answer.confidence) == ("", None, None)
    assert answer.latency_ms is not None


def test_a_command_need_not_read_its_input() -> None:
    assert said(command("echo", "yes"), "x" * 1_000_000) == "yes"


def test_a_large_input_and_a_large_answer_do_not_block_each_other() -> None:
    assert len(said(command("cat"), "x" * (MAX_OUTPUT_BYTES - 1))) == MAX_OUTPUT_BYTES - 1


def test_an_answer_beyond_all_bounds_is_a_failure() -> None:
    assert failed(command("yes")) == ("the command wrote more than 1 MiB", False)


def test_an_exit_code_is_a_failure_that_does_not_quote_what_was_written() -> None:
    tool = shell("echo out; echo secret >&2; exit 3")
    assert failed(tool) == ("the command ended with exit code 3", False)


def test_a_signal_is_a_failure() -> None:
    assert failed(shell("kill -9 $$")) == ("the command was ended by signal 9", False)


def test_what_is_not_utf_8_is_a_failure() -> None:
    assert failed(command("printf", "\\377")) == ("the command wrote what is not UTF-8", False)


def test_it_runs_in_the_workspace_folder(tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text("from here")
    assert said(command("cat", "answer.txt"), folder=tmp_path) == "from here"


def test_a_program_of_the_workspace_is_found_there(tmp_path: Path) -> None:
    program = tmp_path / "say"
    program.write_text("#!/bin/sh\nsed s/^/heard:/\n")
    program.chmod(0o700)
    assert said(command("./say"), folder=tmp_path) == "heard:hello"


def test_it_sees_little_of_the_environment() -> None:
    assert said(shell("echo $SECRET$TOOL_KEY")) == ""
    assert said(shell("echo $SECRET$TOOL_KEY", key_env="TOOL_KEY")) == "k-1"


@pytest.mark.parametrize("words", [("no-such-program-anywhere",), (), ("a\0b",), ("/",)])
def test_a_program_that_is_not_there_is_the_declarations_fault(words: tuple[str, ...]) -> None:
    with pytest.raises(ClearbarError, match='the tool "cmd" cannot be started'):
        ask(command(*words), "hello", environment=ENVIRONMENT)


def is_running(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def gone(pid_file: Path) -> bool:
    pid = int(pid_file.read_text())
    until = time.monotonic() + 5
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not is_running(pid)


def test_when_time_is_up_all_that_it_started_is_killed(tmp_path: Path) -> None:
    tool = shell("sleep 60 & echo $! > pid; wait", timeout_s=0.2)
    failure = failure_of(tool, environment=ENVIRONMENT, folder=tmp_path)
    assert (failure.what, failure.retry) == ("no answer within 0.2 s", True)
    assert gone(tmp_path / "pid")


def test_what_it_leaves_running_is_killed_too(tmp_path: Path) -> None:
    tool = shell("sleep 60 > /dev/null & echo $! > pid; echo done")
    assert said(tool, folder=tmp_path) == "done"
    assert gone(tmp_path / "pid")


def test_a_process_that_left_the_group_and_holds_the_output_does_not_hold_us() -> None:
    started = time.monotonic()
    what, _ = failed(shell("setsid sleep 8 & exit 0", timeout_s=0.2))
    assert what == "no answer within 0.2 s"
    assert time.monotonic() - started < 5


def test_many_calls_run_one_after_the_other_without_a_leak() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    found = ask(command("cat"), *map(str, range(20)), environment=ENVIRONMENT)
    assert [each.text for each in found if isinstance(each, Answer)] == [str(n) for n in range(20)]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_a_command_may_be_a_python_program() -> None:
    assert said(python("import sys; print(sys.stdin.read()[::-1])"), "abc") == "cba"
