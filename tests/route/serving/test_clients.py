"""The real client libraries change their address and their key, and nothing else."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from tests.route.serving.gateway import Gateway, charges, gateway, toml
from tests.tools.upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HI: Any = [{"role": "user", "content": "hi there"}]
RESPONSE = {
    "id": "resp_0123456789abcdef",
    "object": "response",
    "created_at": 1_790_000_000,
    "status": "completed",
    "model": "gpt-5-mini",
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "hello", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 12,
    },
}


def _responses(body: Any) -> object:
    if not body.get("stream"):
        return RESPONSE
    kinds = (
        {"type": "response.created", "sequence_number": 0, "response": {**RESPONSE, "usage": None}},
        {
            "type": "response.output_text.delta",
            "sequence_number": 1,
            "item_id": "msg_1",
            "output_index": 0,
            "content_index": 0,
            "delta": "hello",
            "logprobs": [],
        },
        {"type": "response.completed", "sequence_number": 2, "response": RESPONSE},
    )
    return [f"event: {each['type']}\ndata: {json.dumps(each)}\n\n".encode() for each in kinds]


OTHERS: Any = {
    ("POST", "/v1/responses"): _responses,
    ("POST", "/v1/embeddings"): lambda _: {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.5]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    },
    ("GET", "/v1/models"): lambda _: {
        "object": "list",
        "data": [{"id": "gpt-5-mini", "object": "model", "created": 1, "owned_by": "openai"}],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    },
    ("POST", "/v1/messages/count_tokens"): lambda _: {"input_tokens": 9},
    ("POST", "/v1/images/generations"): lambda _: {"created": 1, "data": [{"url": "http://x"}]},
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream(lambda _: "hello from the model", key="sk-upstream", others=OTHERS) as opened:
        yield opened


@pytest.fixture(scope="module")
def running(
    upstream: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Gateway, str]]:
    with gateway(tmp_path_factory.mktemp("clients"), toml(upstream.url)) as opened:
        yield opened


@pytest.fixture
def chatgpt(running: tuple[Gateway, str]) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{running[0].url}/v1", api_key=running[1]) as client:
        yield client


@pytest.fixture
def claude(running: tuple[Gateway, str]) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=running[0].url, api_key=running[1]) as client:
        yield client


def test_openai_chat(chatgpt: openai.OpenAI) -> None:
    said = chatgpt.chat.completions.create(model="gpt-5-mini", messages=HI)
    assert said.choices[0].message.content == "hello from the model"


def test_openai_chat_stream(chatgpt: openai.OpenAI) -> None:
    events = list(chatgpt.chat.completions.create(model="gpt-5-mini", messages=HI, stream=True))
    text = "".join(each.choices[0].delta.content or "" for each in events)
    assert text == "hello from the model"


def test_usage_that_the_client_did_not_ask_for_is_not_in_its_stream(
    chatgpt: openai.OpenAI,
) -> None:
    events = list(chatgpt.chat.completions.create(model="gpt-5-mini", messages=HI, stream=True))
    assert all(each.choices for each in events)
    assert all(each.usage is None for each in events)


def test_usage_that_it_asked_for_is(chatgpt: openai.OpenAI) -> None:
    events = list(
        chatgpt.chat.completions.create(
            model="gpt-5-mini", messages=HI, stream=True, stream_options={"include_usage": True}
        )
    )
    usage = events[-1].usage
    assert usage is not None
    assert usage.completion_tokens == 4


def test_openai_responses(chatgpt: openai.OpenAI) -> None:
    assert chatgpt.responses.create(model="gpt-5-mini", input="hi").output_text == "hello"


def test_openai_responses_stream(chatgpt: openai.OpenAI) -> None:
    events = list(chatgpt.responses.create(model="gpt-5-mini", input="hi", stream=True))
    assert [each.type for each in events][-1] == "response.completed"


def test_openai_embeddings(chatgpt: openai.OpenAI) -> None:
    said = chatgpt.embeddings.create(
        model="text-embedding-3-small", input="hi", encoding_format="float"
    )
    assert said.data[0].embedding == [0.5, -0.5]


def test_openai_models(chatgpt: openai.OpenAI) -> None:
    assert [each.id for each in chatgpt.models.list()] == ["gpt-5-mini"]


def test_a_route_that_the_gateway_does_not_know_passes(chatgpt: openai.OpenAI) -> None:
    said = chatgpt.images.generate(model="gpt-image-1", prompt="a bar")
    assert said.data is not None
    assert said.data[0].url == "http://x"


def test_anthropic_messages(claude: anthropic.Anthropic) -> None:
    said = claude.messages.create(model="claude-haiku-4-5", max_tokens=50, messages=HI)
    assert said.content[0].type == "text"
    assert said.content[0].text == "hello from the model"


def test_anthropic_messages_stream(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(model="claude-haiku-4-5", max_tokens=50, messages=HI) as stream:
        assert "".join(stream.text_stream) == "hello from the model"


def test_anthropic_count_tokens(claude: anthropic.Anthropic) -> None:
    said = claude.messages.count_tokens(model="claude-haiku-4-5", messages=HI)
    assert said.input_tokens == 9


def test_the_upstream_never_sees_the_clients_key(
    chatgpt: openai.OpenAI, running: tuple[Gateway, str], upstream: Upstream
) -> None:
    chatgpt.chat.completions.create(model="gpt-5-mini", messages=HI)
    assert running[1] not in json.dumps([dict(each.headers) for each in upstream.asked])


def test_fields_that_nobody_knows_reach_the_upstream(
    chatgpt: openai.OpenAI, upstream: Upstream
) -> None:
    chatgpt.chat.completions.create(
        model="gpt-5-mini", messages=HI, extra_body={"brand_new": {"a": [1, 2.50]}}
    )
    assert upstream.asked[-1].body["brand_new"] == {"a": [1, 2.5]}


def test_a_trace_goes_on_with_the_span_of_this_call(
    chatgpt: openai.OpenAI, upstream: Upstream
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    chatgpt.chat.completions.create(
        model="gpt-5-mini",
        messages=HI,
        extra_headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
    )
    version, sent, span, flags = upstream.asked[-1].headers["traceparent"].split("-")
    assert (version, sent, flags) == ("00", trace, "01")
    assert span != "00f067aa0ba902b7"


def test_a_wrong_key_is_an_authentication_error(running: tuple[Gateway, str]) -> None:
    with (
        openai.OpenAI(base_url=f"{running[0].url}/v1", api_key="cb_wrong") as client,
        pytest.raises(openai.AuthenticationError, match="clearbar route key create"),
    ):
        client.models.list()


def test_and_so_for_anthropic(running: tuple[Gateway, str]) -> None:
    with (
        anthropic.Anthropic(base_url=running[0].url, api_key="cb_wrong") as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=HI)


def test_an_unknown_workflow_named_under_its_key_is_refused(chatgpt: openai.OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError, match="another workflow than letters"):
        chatgpt.chat.completions.create(
            model="gpt-5-mini", messages=HI, extra_headers={"x-clearbar-workflow": "memos"}
        )


def test_a_refusal_is_not_tried_again(chatgpt: openai.OpenAI) -> None:
    started = time.monotonic()
    with pytest.raises(openai.PermissionDeniedError):
        chatgpt.chat.completions.create(
            model="gpt-5-mini", messages=HI, extra_headers={"x-clearbar-workflow": "memos"}
        )
    assert time.monotonic() - started < 2


@pytest.mark.slow
def test_each_call_is_one_charge_with_its_usage_and_labels(tmp_path: Path) -> None:
    with Upstream(lambda _: "a b c", others=OTHERS) as upstream:
        with gateway(tmp_path, toml(upstream.url)) as (running, key):
            told = {
                "x-clearbar-user": "user-7",
                "x-clearbar-task": "ticket-1",
                "x-clearbar-label-channel": "email",
            }
            running.chat(key, headers=told)
            running.chat(key, headers=told, stream=True)
            body = {"model": "gpt-5-mini", "input": "hi"}
            bearer = {"authorization": f"Bearer {key}"}
            running.ask("POST", "/v1/responses", body, bearer)
            running.ask("GET", "/v1/models", None, bearer)
        found = charges(tmp_path)
    assert [each["output_tokens"] for each in found] == [3, 3, 5]
    assert {each["basis"] for each in found} == {"priced"}
    assert [each["task_id"] for each in found] == ["ticket-1", "ticket-1", ""]
    assert found[2]["cache_read_tokens"] == 2
    assert found[2]["reasoning_tokens"] == 3
