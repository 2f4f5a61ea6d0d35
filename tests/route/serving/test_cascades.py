"""A certified cascade: the cheap answer stands where it is sure enough, and each call is paid."""

from __future__ import annotations

import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.certified import CASES, certify, workflow
from tests.route.serving.gateway import Answered, Gateway, gateway_for, settled, toml
from tests.tools.upstream import Fault, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

NAMES = ("rules-first", "agreed")
RULES = """
[[rule]]
regex = 'invoice'
answer = "billing"
confidence = 0.9

[[rule]]
regex = 'perhaps'
answer = "sales"
confidence = 0.5
"""
MODEL = """
[[tool]]
name = "{name}"
kind = "openai"
model = "{model}"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "openai"
"""
MORE = """
[[tool]]
name = "departments"
kind = "rules"
file = "departments.toml"

[[tool]]
name = "rules-first-cascade"
kind = "cascade"
first = "departments"
then = "big"

[[tool]]
name = "agreed-cascade"
kind = "cascade"
first = "nano"
then = "big"
agree_with = ["small"]

[[route]]
workflow = "rules-first"
holdout = 0

[[route]]
workflow = "agreed"
holdout = 0

[[budget]]
scope = "workflow"
name = "agreed"
usd = "5"
"""
ANSWERS = {
    ("gpt-5-nano", "same"): "Billing ",
    ("gpt-5-mini", "same"): "billing",
    ("gpt-5-nano", "differ"): "billing",
    ("gpt-5-mini", "differ"): "sales",
}


def answer(body: Mapping[str, Any]) -> str:
    prompt = str(body["messages"][-1]["content"]).split(" ", maxsplit=1)[0]
    return ANSWERS.get((body["model"], prompt), f"the word of {body['model']}")


def fault_of(asked: Asked) -> Fault | None:
    if asked.prompt.startswith("down") and asked.model == "gpt-5-nano":
        return Fault("status", status=500)
    return Fault("hang") if asked.prompt.startswith("leave") else None


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(answer, faults=fault_of) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cascades")


@pytest.fixture(scope="module")
def running(upstream: Upstream, folder: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    text = "".join(
        (
            toml(upstream.url),
            MODEL.format(name="big", model="gpt-5", url=upstream.url),
            MODEL.format(name="nano", model="gpt-5-nano", url=upstream.url),
            MORE,
            *(workflow(each, f"{each}-cascade") for each in NAMES),
        )
    )
    (folder / "departments.toml").write_text(RULES)
    (folder / "cases.jsonl").write_text(CASES)
    (folder / "clearbar.toml").write_text(text)
    for each, threshold in zip(NAMES, (0.8, 1.0), strict=True):
        certify(folder, each, f"{each}-cascade", threshold=threshold)
    with gateway_for(folder, text, *NAMES) as opened:
        yield opened


@pytest.fixture(scope="module")
def ask(running: tuple[Gateway, dict[str, str]]) -> Any:
    def asked(name: str, prompt: str, **more: Any) -> Answered:
        messages = [{"role": "user", "content": prompt}]
        told = {"x-clearbar-task": prompt}
        return running[0].chat(
            running[1][name], messages=messages, headers=told, max_tokens=50, **more
        )

    return asked


def text_of(answered: Answered) -> str:
    return str(answered.json["choices"][0]["message"]["content"])


def charges_of(folder: Path, task: str, count: int) -> dict[str, Any]:
    """The charges of a task, by the arm that each was."""

    def whole(found: list[dict[str, Any]]) -> bool:
        return len([each for each in found if each["task_id"] == task]) >= count

    found = [each for each in settled(folder, whole) if each["task_id"] == task]
    assert len(found) == count
    return {each["labels"].split("|arm=")[1].split("|")[0]: each for each in found}


def test_a_rule_that_is_sure_answers(ask: Any, upstream: Upstream) -> None:
    asked = len(upstream.asked)
    answered = ask("rules-first", "my invoice")
    assert text_of(answered) == "billing"
    assert answered.headers["x-clearbar-tool"] == "departments"
    assert len(upstream.asked) == asked


def test_a_rule_below_the_threshold_does_not(ask: Any) -> None:
    answered = ask("rules-first", "perhaps")
    assert text_of(answered) == "the word of gpt-5"
    assert answered.headers["x-clearbar-tool"] == "big"


def test_what_no_rule_holds_for_goes_to_the_next_tool(ask: Any) -> None:
    assert text_of(ask("rules-first", "something else")) == "the word of gpt-5"


def test_two_cheap_tools_that_agree_answer(ask: Any, upstream: Upstream) -> None:
    answered = ask("agreed", "same one")
    assert text_of(answered) == "Billing "
    assert answered.headers["x-clearbar-tool"] == "nano"
    assert not upstream.prompts["gpt-5", "same one"]


def test_where_they_differ_the_dear_one_does(ask: Any) -> None:
    assert text_of(ask("agreed", "differ one")) == "the word of gpt-5"


def test_a_stream_is_answered_as_one(ask: Any) -> None:
    answered = ask("agreed", "same stream", stream=True)
    assert answered.headers["content-type"].startswith("text/event-stream")
    assert answered.body.count(b"Billing") == 1
    assert b'"usage"' not in answered.body
    assert answered.body.endswith(b"data: [DONE]\n\n")


def test_usage_that_a_client_of_a_stream_asks_for_is_in_it(ask: Any) -> None:
    answered = ask("agreed", "same usage", stream=True, stream_options={"include_usage": True})
    assert answered.body.count(b'"completion_tokens"') == 1


def test_each_call_of_a_cascade_is_a_charge(ask: Any, folder: Path) -> None:
    ask("agreed", "differ two")
    found = charges_of(folder, "differ two", 3)
    assert set(found) == {"first", "agree", "then"}
    assert all(each["cost_usd"] > 0 and each["basis"] == "priced" for each in found.values())


def test_no_call_is_made_that_is_not_needed(ask: Any, folder: Path) -> None:
    ask("agreed", "same two")
    assert set(charges_of(folder, "same two", 2)) == {"first", "agree"}


def test_the_parts_are_paid_from_the_budget_of_the_workflow(
    ask: Any, running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    ask("agreed", "differ three")
    time.sleep(1.2)  # a worker tells the store of budgets once a second
    mine = [each for each in settled(folder, lambda _: True) if each["workflow"] == "agreed"]
    counted = float(running[0].account("workflow:agreed")["spent_usd"])
    assert counted == pytest.approx(float(sum(each["cost_usd"] for each in mine)), abs=1e-6)


def test_a_client_that_leaves_ends_the_calls_that_it_waits_for(
    running: tuple[Gateway, dict[str, str]], folder: Path, upstream: Upstream
) -> None:
    body = json.dumps(
        {
            "model": "any",
            "max_tokens": 50,
            "messages": [{"role": "user", "content": "leave"}],
        }
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-clearbar-task: leave\r\n"
        f"authorization: Bearer {running[1]['agreed']}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", running[0].port)) as leaving:
        leaving.sendall(head + body)
        give_up = time.monotonic() + 5
        while not upstream.prompts["gpt-5-mini", "leave"] and time.monotonic() < give_up:
            time.sleep(0.02)
    found = charges_of(folder, "leave", 2)
    assert {each["status"] for each in found.values()} == {"cancelled"}
    assert not upstream.prompts["gpt-5", "leave"]


def test_a_first_tool_that_fails_gives_way_and_is_left_alone_after_a_while(
    ask: Any, upstream: Upstream
) -> None:
    for number in range(7):
        assert text_of(ask("agreed", f"down {number}")) == "the word of gpt-5"
    asked = [each for each in upstream.asked if each.model == "gpt-5-nano"]
    assert len([each for each in asked if each.prompt.startswith("down")]) == 5
