"""The endpoint that other tests rely on keeps its own promises."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.tools.asking import answer_of, ask, failure_of
from tests.tools.upstream import Fault, Upstream, read_fault

from clearbar.tools.tool import Answer, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tools.upstream_bodies import Asked

ROOT = Path(__file__).parents[2]


def chat(url: str, model: str = "m-1") -> Tool:
    return Tool("chat", "openai", model=model, url=url)


def test_what_was_asked_is_counted_by_model_and_input() -> None:
    with Upstream() as upstream:
        ask(chat(upstream.url), "a", "b", "a")
        ask(chat(upstream.url, "m-2"), "a")
    assert upstream.prompts == {("m-1", "a"): 2, ("m-1", "b"): 1, ("m-2", "a"): 1}
    assert upstream.models == {"m-1": 3, "m-2": 1}
    assert [asked.number for asked in upstream.asked] == [1, 2, 3, 4]


def test_every_answer_has_an_id_of_its_own() -> None:
    with Upstream() as first, Upstream() as second:
        found = ask(chat(first.url), "a", "b") + ask(chat(second.url), "a")
    ids = {each.upstream_id for each in found if isinstance(each, Answer)}
    assert len(ids) == 3


def test_a_fault_may_be_chosen_by_the_request() -> None:
    def script(asked: Asked) -> Fault | None:
        return Fault("status", status=503) if asked.prompt == "b" else None

    with Upstream(faults=script) as upstream:
        found = ask(chat(upstream.url), "a", "b", "c")
    assert [isinstance(each, Answer) for each in found] == [True, False, True]
    assert upstream.answered == 2


def test_usage_may_be_told_in_the_words_of_the_protocol() -> None:
    told = {"prompt_tokens": 9, "completion_tokens": 4}
    with Upstream(usage=lambda _, __: told) as upstream:
        answer = answer_of(chat(upstream.url))
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (9, 4)


def test_another_path_is_not_found() -> None:
    with Upstream() as upstream:
        assert failure_of(chat(f"{upstream.url}/elsewhere")).status == 404
    assert not upstream.asked


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("3=status:503", (3, Fault("status", status=503))),
        ("4=delay:0.5", (4, Fault("delay", seconds=0.5))),
        ("5=reset", (5, Fault("reset"))),
    ],
)
def test_faults_are_read_from_the_command_line(text: str, fault: tuple[int, Fault]) -> None:
    assert read_fault(text) == fault


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[str, Path, subprocess.Popen[str]]]:
    answers, log = tmp_path / "answers.json", tmp_path / "log.jsonl"
    answers.write_text(json.dumps({"a": "one", "m-2": {"a": "two"}}))
    options = ["--answers", str(answers), "--log", str(log), "--fault", "2=status:500"]
    command = [sys.executable, "-m", "tests.tools.upstream", "--port", "0", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        yield f"http://127.0.0.1:{int(started.stdout.readline())}/v1", log, started
        started.kill()


def test_as_a_process_it_answers_by_file_and_keeps_a_log_over_a_kill(
    process: tuple[str, Path, subprocess.Popen[str]],
) -> None:
    url, log, started = process
    found: list[Any] = ask(chat(url), "a", "a", "b") + ask(chat(url, "m-2"), "a")
    assert [getattr(each, "text", "failed") for each in found] == ["one", "failed", "ok", "two"]
    os.kill(started.pid, signal.SIGKILL)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    events = [(line["event"], line["number"]) for line in lines]
    assert events[:3] == [("asked", 1), ("answered", 1), ("asked", 2)]
    assert len(events) == 7
