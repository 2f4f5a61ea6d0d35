"""A rule or a function answers in the client's own protocol: nobody asks a model, nobody pays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from tests.route.serving.gateway import Gateway, gateway_for, settled, toml
from tests.tools.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HI: Any = [
    {"role": "system", "content": "Name the department."},
    {"role": "user", "content": "where is my invoice? 😀"},
]
HI_ANTHROPIC: Any = HI[1:]
EMBEDDINGS: Any = {
    ("POST", "/v1/embeddings"): lambda _: {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
}
MORE = """
[[workflow]]
name = "counted"
owner = "counted-lead@example.com"

[[workflow]]
name = "broken"
owner = "broken-lead@example.com"

[[tool]]
name = "departments"
kind = "rules"
file = "departments.toml"

[[tool]]
name = "words"
kind = "python"
function = "words:count"

[[tool]]
name = "failing"
kind = "python"
function = "words:fail"

[[route]]
workflow = "letters"
tool = "departments"
holdout = 0

[[route]]
workflow = "counted"
tool = "words"
holdout = 0

[[route]]
workflow = "broken"
tool = "failing"
holdout = 0
fallbacks = ["small"]
"""
RULES = """
[[rule]]
regex = 'invoice'
answer = "billing, ünd 😀"
"""
WORDS = """
def count(text):
    return f"{len(text.split())} words"

def fail(text):
    raise ValueError(text)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("no-model")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(others=EMBEDDINGS) as opened:
        yield opened


@pytest.fixture(scope="module")
def running(upstream: Upstream, folder: Path) -> Iterator[tuple[Gateway, dict[str, str]]]:
    (folder / "departments.toml").write_text(RULES)
    (folder / "words.py").write_text(WORDS)
    names = ("letters", "counted", "broken")
    with gateway_for(folder, toml(upstream.url, MORE), *names) as opened:
        yield opened


@pytest.fixture(params=["letters", "counted"])
def workflow(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def said(workflow: str) -> str:
    return {"letters": "billing, ünd 😀", "counted": "5 words"}[workflow]


@pytest.fixture
def chatgpt(
    running: tuple[Gateway, dict[str, str]], workflow: str, upstream: Upstream
) -> Iterator[openai.OpenAI]:
    gateway, keys = running
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=keys[workflow]) as client:
        yield client
    assert not upstream.asked


@pytest.fixture
def claude(
    running: tuple[Gateway, dict[str, str]], workflow: str, upstream: Upstream
) -> Iterator[anthropic.Anthropic]:
    gateway, keys = running
    with anthropic.Anthropic(base_url=gateway.url, api_key=keys[workflow]) as client:
        yield client
    assert not upstream.asked


def test_chat(chatgpt: openai.OpenAI, said: str) -> None:
    answer = chatgpt.chat.completions.create(model="gpt-5", messages=HI)
    assert answer.choices[0].message.content == said
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None


def test_chat_stream(chatgpt: openai.OpenAI, said: str) -> None:
    events = list(chatgpt.chat.completions.create(model="gpt-5", messages=HI, stream=True))
    assert "".join(each.choices[0].delta.content or "" for each in events) == said
    assert events[-1].choices[0].finish_reason == "stop"


def test_chat_stream_with_usage(chatgpt: openai.OpenAI) -> None:
    events = list(
        chatgpt.chat.completions.create(
            model="gpt-5", messages=HI, stream=True, stream_options={"include_usage": True}
        )
    )
    usage = events[-1].usage
    assert usage is not None
    assert usage.total_tokens == 0


def test_messages(claude: anthropic.Anthropic, said: str) -> None:
    answer = claude.messages.create(model="claude-opus-4-6", max_tokens=50, messages=HI_ANTHROPIC)
    assert [each.text for each in answer.content if each.type == "text"] == [said]
    assert answer.stop_reason == "end_turn"


def test_messages_stream(claude: anthropic.Anthropic, said: str) -> None:
    with claude.messages.stream(
        model="claude-opus-4-6", max_tokens=50, messages=HI_ANTHROPIC
    ) as stream:
        assert "".join(stream.text_stream) == said
        assert stream.get_final_message().stop_reason == "end_turn"


def test_responses(chatgpt: openai.OpenAI, said: str) -> None:
    answer = chatgpt.responses.create(model="gpt-5", input=HI)
    assert (answer.output_text, answer.status) == (said, "completed")


def test_responses_stream(chatgpt: openai.OpenAI, said: str) -> None:
    events = list(chatgpt.responses.create(model="gpt-5", input=HI, stream=True))
    told = "".join(each.delta for each in events if each.type == "response.output_text.delta")
    assert told == said
    assert events[-1].type == "response.completed"


def test_what_only_a_model_can_do_goes_to_one(
    running: tuple[Gateway, dict[str, str]], upstream: Upstream
) -> None:
    gateway, keys = running
    bearer = {"authorization": f"Bearer {keys['letters']}"}
    body = {"model": "text-embedding-3-small", "input": "where is my invoice?"}
    answered = gateway.ask("POST", "/v1/embeddings", body, bearer)
    assert answered.json["data"][0]["embedding"] == [0.5]
    assert len(upstream.asked_otherwise) == 1


def test_its_calls_are_charges_of_nothing_with_a_price(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    gateway, keys = running
    told = {"x-clearbar-task": "free"}
    answered = gateway.chat(keys["letters"], headers=told)
    assert answered.headers["x-clearbar-tool"] == "departments"

    def is_there(found: list[dict[str, Any]]) -> bool:
        return any(each["task_id"] == "free" for each in found)

    (charge,) = [each for each in settled(folder, is_there) if each["task_id"] == "free"]
    assert (charge["cost_usd"], charge["basis"], charge["status"]) == (0, "priced", "ok")
    assert "|tool=departments|" in charge["labels"]


def test_a_function_that_fails_gives_way_to_its_fallback(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    gateway, keys = running
    answered = gateway.chat(
        keys["broken"],
        messages=[{"role": "user", "content": "secret words"}],
        headers={"x-clearbar-task": "fell"},
    )
    assert (answered.status, answered.headers["x-clearbar-tool"]) == (200, "small")

    def both(found: list[dict[str, Any]]) -> bool:
        return len([each for each in found if each["task_id"] == "fell"]) == 2

    charges = [each for each in settled(folder, both) if each["task_id"] == "fell"]
    assert [each["status"] for each in charges] == ["error", "ok"]
    assert "secret words" not in "\n".join(gateway.said)
