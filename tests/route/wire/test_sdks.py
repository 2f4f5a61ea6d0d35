"""The SDKs of OpenAI and Anthropic read our answers and raise what fits our refusals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from tests.route.wire.asking import CHAT, MESSAGES, RESPONSES
from tests.route.wire.loopback import Sent, serving

from clearbar.route.route import Refusal
from clearbar.route.wire.answering import answer
from clearbar.route.wire.layout import layout_of
from clearbar.route.wire.operation import operation_of
from clearbar.route.wire.reading import Asked, read_body
from clearbar.route.wire.refusing import error_body, error_event
from clearbar.tools.wire_stream import Events

if TYPE_CHECKING:
    from tests.route.wire.loopback import Got

TEXT = 'refund \u2014 "urgent" \U0001f4e6'
AT = 1_790_000_000
ASKED: list[Any] = [{"role": "user", "content": "Where is my parcel?"}]


def ours(got: Got) -> Sent:
    operation = operation_of(got.method, got.path, [])
    asked = read_body(operation, got.body)
    kind, body = answer(operation, asked, TEXT, "rules-1", "c-1", AT)
    return Sent(kind, body)


def openai_at(url: str, retries: int = 0) -> openai.OpenAI:
    return openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=retries)


def anthropic_at(url: str, retries: int = 0) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="k", base_url=url, max_retries=retries)


def test_the_sdk_reads_a_chat() -> None:
    with serving(ours) as server, openai_at(server.url) as client:
        found = client.chat.completions.create(model="m", messages=ASKED)
    assert (found.choices[0].message.content, found.choices[0].finish_reason) == (TEXT, "stop")
    assert (found.model, found.created, found.id) == ("rules-1", AT, "chatcmpl-c-1")
    assert found.usage is not None
    assert found.usage.total_tokens == 0


@pytest.mark.parametrize("tells", [False, True])
def test_the_sdk_reads_a_stream_of_chat(*, tells: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if tells else {}
    with serving(ours) as server, openai_at(server.url) as client:
        stream = client.chat.completions.create(model="m", messages=ASKED, stream=True, **options)
        chunks = list(stream)
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == TEXT
    assert [chunk.usage.total_tokens for chunk in chunks if chunk.usage] == ([0] if tells else [])


def test_the_sdk_gathers_a_stream_of_chat() -> None:
    with (
        serving(ours) as server,
        openai_at(server.url) as client,
        client.chat.completions.stream(model="m", messages=ASKED) as stream,
    ):
        found = stream.get_final_completion()
    assert found.choices[0].message.content == TEXT


def test_the_sdk_reads_a_response() -> None:
    with serving(ours) as server, openai_at(server.url) as client:
        found = client.responses.create(model="m", input="Where is my parcel?")
    assert (found.output_text, found.status, found.id) == (TEXT, "completed", "resp_c-1")
    assert found.usage is not None
    assert found.usage.total_tokens == 0


def test_the_sdk_gathers_a_stream_of_a_response() -> None:
    with (
        serving(ours) as server,
        openai_at(server.url) as client,
        client.responses.stream(model="m", input="Where is my parcel?") as stream,
    ):
        kinds = [event.type for event in stream]
        found = stream.get_final_response()
    assert found.output_text == TEXT
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_the_sdk_reads_a_message() -> None:
    with serving(ours) as server, anthropic_at(server.url) as client:
        found = client.messages.create(model="m", max_tokens=9, messages=ASKED)
    assert isinstance(found.content[0], anthropic.types.TextBlock)
    assert (found.content[0].text, found.stop_reason) == (TEXT, "end_turn")
    assert (found.usage.input_tokens, found.usage.output_tokens) == (0, 0)


def test_the_sdk_gathers_a_stream_of_a_message() -> None:
    with (
        serving(ours) as server,
        anthropic_at(server.url) as client,
        client.messages.stream(model="m", max_tokens=9, messages=ASKED) as stream,
    ):
        said = "".join(stream.text_stream)
        found = stream.get_final_message()
    assert said == TEXT
    assert (found.model, found.stop_reason, found.usage.output_tokens) == ("rules-1", "end_turn", 0)


def test_the_sdks_write_bodies_whose_members_need_no_walk() -> None:
    with serving(ours) as server, openai_at(server.url) as one, anthropic_at(server.url) as other:
        one.chat.completions.create(model="m", messages=ASKED, metadata={"task": "t-1"})
        one.responses.create(model="m", input="x")
        other.messages.create(model="m", max_tokens=9, messages=ASKED)
    assert [layout_of(got.body).starts for got in server.got] == [None, None, None]


@pytest.mark.parametrize("operation", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("text", ["", "\x00\n\u2028", "data: [DONE]\n\n"])
def test_any_text_stays_inside_its_event(operation: Any, text: str) -> None:
    _, body = answer(operation, Asked(model="m", stream=True), text, "rules-1", "c-1", AT)
    datas = [data for data in Events().feed(body) if data != "[DONE]"]
    assert all(json.loads(data) for data in datas)
    assert any(json.dumps(text)[1:-1] in json.dumps(json.loads(data)) for data in datas)


def test_only_what_asks_for_text_is_answered() -> None:
    embeddings = operation_of("POST", "/v1/embeddings", [])
    with pytest.raises(ValueError, match="embeddings"):
        answer(embeddings, Asked(model="m"), TEXT, "rules-1", "c-1", AT)


REFUSALS = [
    (Refusal("bad_body", 400, "Not JSON."), "BadRequestError", "invalid_request_error"),
    (Refusal("no_key", 401, "No such key."), "AuthenticationError", "authentication_error"),
    (Refusal("killed", 403, "Ask ann@example.com."), "PermissionDeniedError", "permission_error"),
    (Refusal("no_model", 404, "No such model."), "NotFoundError", "not_found_error"),
    (Refusal("slow_down", 429, "Wait.", 1), "RateLimitError", "rate_limit_error"),
    (Refusal("no_answer", 502, "No answer."), "InternalServerError", None),
]
STAY: tuple[tuple[str, str], ...] = (("x-should-retry", "false"),)


@pytest.mark.parametrize(("refusal", "name", "kind"), REFUSALS)
def test_openai_raises_what_fits(refusal: Refusal, name: str, kind: str | None) -> None:
    body = error_body("openai", refusal, "req_1")
    reply = Sent(b"application/json", body, refusal.status, STAY)
    with (
        serving(lambda _: reply) as server,
        openai_at(server.url, retries=2) as client,
        pytest.raises(getattr(openai, name)) as raised,
    ):
        client.chat.completions.create(model="m", messages=ASKED)
    assert raised.value.code == refusal.code
    assert raised.value.type == (kind or "server_error")
    assert refusal.message in str(raised.value)
    assert len(server.got) == 1


@pytest.mark.parametrize(("refusal", "name", "kind"), REFUSALS)
def test_anthropic_raises_what_fits(refusal: Refusal, name: str, kind: str | None) -> None:
    body = error_body("anthropic", refusal, "req_1")
    reply = Sent(b"application/json", body, refusal.status, STAY)
    with (
        serving(lambda _: reply) as server,
        anthropic_at(server.url, retries=2) as client,
        pytest.raises(getattr(anthropic, name)) as raised,
    ):
        client.messages.create(model="m", max_tokens=9, messages=ASKED)
    assert raised.value.body["error"]["type"] == (kind or "api_error")
    assert raised.value.body["request_id"] == "req_1"
    assert refusal.message in str(raised.value)
    assert len(server.got) == 1


def test_a_refusal_for_money_does_not_read_like_one_for_speed() -> None:
    refusal = Refusal("over_budget", 429, "The budget is spent.")
    assert json.loads(error_body("openai", refusal, "r"))["error"]["type"] == "insufficient_quota"
    assert json.loads(error_body("anthropic", refusal, "r"))["error"]["type"] == "billing_error"


@pytest.mark.parametrize("status", [418, 504, 529, 599])
def test_every_status_has_a_type_of_the_protocol(status: int) -> None:
    refusal = Refusal("odd", status, "Odd.")
    kinds = {"invalid_request_error", "server_error", "api_error", "timeout_error"}
    for protocol in ("openai", "anthropic"):
        error = json.loads(error_body(protocol, refusal, "r"))["error"]
        assert error["type"] in kinds | {"overloaded_error"}


BROKEN = Refusal("broken_off", 502, "The tool broke off.")


def test_openai_raises_an_error_in_the_middle_of_a_stream() -> None:
    _, body = answer(CHAT, Asked(model="m", stream=True), TEXT, "rules-1", "c-1", AT)
    cut = body[: body.index(b"\n\n") + 2] + error_event("openai", BROKEN, "req_1")
    with (
        serving(lambda _: Sent(b"text/event-stream", cut)) as server,
        openai_at(server.url) as client,
        pytest.raises(openai.APIError, match="broke off") as raised,
    ):
        list(client.chat.completions.create(model="m", messages=ASKED, stream=True))
    assert raised.value.code == "broken_off"


def test_openai_raises_an_error_in_the_middle_of_a_response() -> None:
    _, body = answer(RESPONSES, Asked(model="m", stream=True), TEXT, "rules-1", "c-1", AT)
    cut = body[: body.index(b"\n\n") + 2] + error_event("openai", BROKEN, "req_1")
    with (
        serving(lambda _: Sent(b"text/event-stream", cut)) as server,
        openai_at(server.url) as client,
        pytest.raises(openai.APIError, match="broke off"),
    ):
        list(client.responses.create(model="m", input="x", stream=True))


def test_anthropic_raises_an_error_in_the_middle_of_a_stream() -> None:
    _, body = answer(MESSAGES, Asked(model="m", stream=True), TEXT, "rules-1", "c-1", AT)
    cut = body[: body.index(b"\n\n") + 2] + error_event("anthropic", BROKEN, "req_1")
    with (
        serving(lambda _: Sent(b"text/event-stream", cut)) as server,
        anthropic_at(server.url) as client,
        pytest.raises(anthropic.APIStatusError, match="broke off"),
    ):
        list(client.messages.create(model="m", max_tokens=9, messages=ASKED, stream=True))
