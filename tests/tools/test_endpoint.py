"""A real endpoint on the loopback is asked, in both protocols, with everything that goes wrong."""

from __future__ import annotations

import asyncio
import gzip
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.tools.asking import answer_of, ask, failure_of
from tests.tools.upstream import Fault, Upstream

from clearbar.core.errors import ClearbarError
from clearbar.tools.endpoint import MAX_ANSWER_BYTES, Endpoints
from clearbar.tools.tool import Answer, Failure, Request, TokenUsage, Tool

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KINDS: list[Any] = ["openai", "anthropic"]
SECRETS = ("sk-very-secret", "Where is parcel 4711?", "Answer as a pirate.", "On its way, arr")
KEYED = {"TOOL_KEY": SECRETS[0]}


def tool_at(url: str, kind: Any = "openai", **fields: Any) -> Tool:
    return Tool("small", kind, model="small-1", url=url, **{"timeout_s": 20.0, **fields})


def fault(kind: Any, **fields: Any) -> dict[int, Fault]:
    return {1: Fault(kind, **fields)}


@pytest.mark.parametrize("kind", KINDS)
def test_an_endpoint_answers_with_text_usage_model_and_id(kind: Any) -> None:
    with Upstream(lambda _: "on its way", cached_tokens=5) as upstream:
        answer = answer_of(tool_at(upstream.url, kind), "where is it", prompt="be brief")
    assert (answer.text, answer.model) == ("on its way", "small-1")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.cache_read_tokens) == (5, 5)
    assert answer.usage.output_tokens == 3
    assert answer.upstream_id.startswith(("chatcmpl-", "msg_"))
    assert answer.service_tier == "standard"
    assert answer.latency_ms is not None


@pytest.mark.parametrize("kind", KINDS)
def test_the_key_and_the_prompt_arrive_at_the_endpoint(kind: Any) -> None:
    with Upstream(key="k-1") as upstream:
        tool = tool_at(upstream.url, kind, key_env="TOOL_KEY")
        answer_of(tool, "hello", prompt="be brief", environment={"TOOL_KEY": " k-1\n"})
    (asked,) = upstream.asked
    assert (asked.prompt, asked.system, asked.model) == ("hello", "be brief", "small-1")


def test_a_wrong_key_is_refused_and_not_tried_again() -> None:
    with Upstream(key="k-1") as upstream:
        tool = tool_at(upstream.url, key_env="TOOL_KEY")
        failure = failure_of(tool, environment={"TOOL_KEY": "another"})
    assert (failure.retry, failure.status) == (False, 401)


@pytest.mark.parametrize("environment", [{}, {"TOOL_KEY": " "}])
def test_a_missing_key_is_said_with_its_variable(environment: Mapping[str, str]) -> None:
    with pytest.raises(ClearbarError, match="TOOL_KEY, which is not set"):
        ask(tool_at("http://127.0.0.1:9/v1", key_env="TOOL_KEY"), "hi", environment=environment)


@pytest.mark.parametrize("key", ["schl\u00fcssel", "a\nb"])
def test_a_key_that_no_header_can_hold_is_not_quoted(key: str) -> None:
    with pytest.raises(ClearbarError, match="no key has") as raised:
        ask(
            tool_at("http://127.0.0.1:9/v1", key_env="TOOL_KEY"),
            "hi",
            environment={"TOOL_KEY": key},
        )
    assert key not in str(raised.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("script", "what", "retry", "status"),
    [
        (Fault("reset"), "connection broke", True, None),
        (Fault("truncated"), "connection broke", True, None),
        (Fault("late_reset"), "connection broke", True, None),
        (Fault("garbage"), "no JSON object", True, 200),
        (Fault("wrong_type"), "text/html, not with JSON", False, 200),
        (Fault("error_body", status=529), "overloaded", True, 200),
        (Fault("status", status=500), "failed (HTTP 500)", True, 500),
        (Fault("status", status=503), "not available", True, 503),
        (Fault("status", status=529), "overloaded", True, 529),
        (Fault("status", status=429), "slow down", True, 429),
        (Fault("status", status=400), "did not accept the request", False, 400),
        (Fault("status", status=404), "does not know the model", False, 404),
        (Fault("status", status=413), "too long", False, 413),
        (Fault("status", status=418), "did not accept the request (HTTP 418)", False, 418),
        (Fault("status", status=302, headers={"location": "/v1/x"}), "not followed", False, 302),
        (Fault("body", body={"choices": []}), "holds no", True, 200),
        (Fault("body", headers={"content-encoding": "gzip"}), "compressed", False, 200),
    ],
)
def test_each_fault_is_a_failure_in_plain_words(
    kind: Any,
    script: Fault,
    what: str,
    retry: bool,  # noqa: FBT001
    status: int | None,
) -> None:
    with Upstream(faults={1: script}) as upstream:
        failure = failure_of(tool_at(upstream.url, kind))
    assert what in failure.what
    assert (failure.retry, failure.status) == (retry, status)
    assert failure.latency_ms is not None


def test_quota_that_is_used_up_does_not_come_back_by_asking() -> None:
    body = {"error": {"code": "insufficient_quota", "message": "pay"}}
    with Upstream(faults=fault("status", status=429, body=body)) as upstream:
        failure = failure_of(tool_at(upstream.url))
    assert not failure.retry
    assert "quota" in failure.what


@pytest.mark.parametrize("kind", ["delay", "hang", "drip"])
def test_no_answer_in_time_is_a_failure_worth_another_try(kind: Any) -> None:
    with Upstream(faults={2: Fault(kind, seconds=1.0)}) as upstream:
        tool = tool_at(upstream.url)

        async def twice() -> Answer | Failure:
            endpoints = Endpoints({})
            await endpoints.ask(tool, Request("warm up"))
            found = await endpoints.ask(replace(tool, timeout_s=0.1), Request("hello"))
            await endpoints.close()
            return found

        found = asyncio.run(twice())
    assert isinstance(found, Failure)
    assert (found.what, found.retry) == ("no answer within 0.1 s", True)
    assert found.latency_ms is not None
    assert found.latency_ms >= 90


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_told_as_the_endpoint_asked(
    headers: dict[str, str], seconds: float | None
) -> None:
    with Upstream(faults=fault("status", status=429, headers=headers)) as upstream:
        assert failure_of(tool_at(upstream.url)).retry_after_s == seconds


def test_an_answer_beyond_all_bounds_is_not_read_to_its_end() -> None:
    with Upstream(faults=fault("huge", size=MAX_ANSWER_BYTES + 1)) as upstream:
        failure = failure_of(tool_at(upstream.url))
    assert (failure.what, failure.retry) == ("the answer is larger than 16 MiB", False)


def test_an_error_page_beyond_all_bounds_is_still_its_status() -> None:
    body = {"error": {"message": "x" * 200_000}}
    with Upstream(faults=fault("status", status=500, body=body)) as upstream:
        failure = failure_of(tool_at(upstream.url))
    assert (failure.retry, failure.status) == (True, 500)


def test_an_answer_without_usage_is_an_answer_of_unknown_use() -> None:
    with Upstream(faults=fault("no_usage")) as upstream:
        assert answer_of(tool_at(upstream.url)).usage is None


def test_tokens_of_a_body_without_an_answer_are_counted() -> None:
    body = {"id": "x-9", "choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 2}}
    with Upstream(faults=fault("body", body=body)) as upstream:
        failure = failure_of(tool_at(upstream.url))
    assert failure.usage == TokenUsage(input_tokens=4, output_tokens=2)
    assert failure.upstream_id == "x-9"


def test_json_by_another_name_is_read() -> None:
    body = {"choices": [{"message": {"content": "yes"}}]}
    script = fault("body", body=body, headers={"content-type": "text/plain"})
    with Upstream(faults=script) as upstream:
        assert answer_of(tool_at(upstream.url)).text == "yes"


def test_a_body_of_no_stated_type_that_is_no_json_is_named_so() -> None:
    script = fault("wrong_type")
    with Upstream(faults=script) as upstream:
        assert "text/html" in failure_of(tool_at(upstream.url)).what


def test_nobody_listening_is_a_failure_worth_another_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    failure = failure_of(tool_at(f"http://127.0.0.1:{port}/v1"))
    assert (failure.what, failure.retry) == ("the endpoint cannot be reached", True)
    assert not failure.sent


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/v1", "http://[broken/v1", "http://x:99999/v1", "http://x/\x01/v1", "v1"],
)
def test_an_address_that_cannot_be_asked_is_the_declarations_fault(url: str) -> None:
    with pytest.raises(ClearbarError, match='the url of the tool "small"'):
        ask(tool_at(url), "hello")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "script",
    [
        *(Fault(name) for name in ("reset", "truncated", "garbage", "wrong_type", "error_body")),
        *(Fault("status", status=status) for status in (302, 400, 401, 404, 429, 500)),
        Fault("status", status=400, body={"error": {"message": " ".join(SECRETS)}}),
        Fault("body", body={"error": {"type": SECRETS[0], "message": " ".join(SECRETS)}}),
        Fault("body", body={"choices": SECRETS}, headers={"content-type": SECRETS[0]}),
    ],
)
def test_no_failure_holds_the_key_the_prompt_the_input_or_the_answer(
    kind: Any, script: Fault
) -> None:
    with Upstream(lambda _: SECRETS[3], faults={1: script}) as upstream:
        tool = tool_at(upstream.url, kind, key_env="TOOL_KEY")
        failure = failure_of(tool, SECRETS[1], prompt=SECRETS[2], environment=KEYED)
    assert not [secret for secret in SECRETS if secret in repr(failure)]


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with Upstream() as upstream, Upstream() as other:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, other.url.removesuffix("/v1"))
        answer_of(tool_at(upstream.url))
    assert (len(upstream.asked), len(other.asked)) == (1, 0)


def test_answers_are_not_asked_for_in_compressed_form() -> None:
    with Upstream() as upstream:
        answer_of(tool_at(upstream.url))
    assert upstream.asked[0].headers["accept-encoding"] == "identity"
    assert len(gzip.compress(b"x" * MAX_ANSWER_BYTES)) < MAX_ANSWER_BYTES / 500


def test_connections_are_used_again() -> None:
    with Upstream() as upstream:
        ask(tool_at(upstream.url), *"abcdef")
    assert len(upstream.asked) == 6
    assert len({asked.headers["host"] for asked in upstream.asked}) == 1


def test_calls_run_beside_each_other() -> None:
    with Upstream(seconds=0.05) as upstream:
        tool = tool_at(upstream.url)

        async def many() -> None:
            endpoints = Endpoints({})
            await asyncio.gather(*(endpoints.ask(tool, Request(str(n))) for n in range(20)))
            await endpoints.close()

        asyncio.run(many())
    assert upstream.most_at_once > 10


def streamed(tool: Tool) -> Answer | Failure:
    async def once() -> Answer | Failure:
        endpoints = Endpoints({})
        try:
            return await endpoints.ask(tool, Request("where is it"), stream=True)
        finally:
            await endpoints.close()

    return asyncio.run(once())


@pytest.mark.parametrize("kind", KINDS)
def test_a_streamed_answer_is_the_whole_answer(kind: Any) -> None:
    with Upstream(lambda _: "on its way") as upstream:
        tool = tool_at(upstream.url, kind)
        found, plain = streamed(tool), answer_of(tool, "where is it")
    assert isinstance(found, Answer)
    assert (found.text, found.usage) == (plain.text, plain.usage)
    assert (found.stop_reason, found.model) == (plain.stop_reason, plain.model)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("truncated", "stream ended before the answer"),
        ("reset", "connection broke"),
        ("error_body", "reported an error"),
    ],
)
def test_a_stream_that_breaks_off_is_a_failure(kind: Any, name: Any, what: str) -> None:
    with Upstream(lambda _: "on its way " * 50, faults=fault(name)) as upstream:
        found = streamed(tool_at(upstream.url, kind))
    assert isinstance(found, Failure)
    assert found.retry
    assert what in found.what or "overloaded" in found.what


def test_an_endpoint_that_does_not_stream_may_answer_in_one_piece() -> None:
    body = {"choices": [{"message": {"content": "yes"}}]}
    with Upstream(faults=fault("body", body=body)) as upstream:
        found = streamed(tool_at(upstream.url))
    assert isinstance(found, Answer)
    assert found.text == "yes"


def test_authorities_that_cannot_be_read_are_named_by_their_variable(tmp_path: Path) -> None:
    environment = {"SSL_CERT_FILE": str(tmp_path / "none.pem")}
    with pytest.raises(ClearbarError, match="SSL_CERT_FILE"):
        ask(tool_at("https://127.0.0.1:9/v1"), "hello", environment=environment)


def test_closing_twice_does_no_harm() -> None:
    async def twice() -> None:
        endpoints = Endpoints({})
        await endpoints.close()
        await endpoints.close()

    asyncio.run(twice())
