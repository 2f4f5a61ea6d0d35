"""What a call is held for, and what it costs, whatever the endpoint and the client do."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import struct
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from tests.route.serving.gateway import Answered, Gateway, charges, gateway, gateway_for, toml
from tests.tools.upstream import Fault, Upstream

from clearbar.route.journal.reader import calls
from clearbar.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.tools.upstream_bodies import Asked

    from clearbar.route.journal.entry import Ended, Held

WORKFLOWS = ("wordy", "named", "advised", "plain", "free", "unpaid", "slow", "mixed", "evened")
OUTPUT_NUSD = 2_000
"""Of one token that gpt-5-mini writes."""
PRIORITY_NUSD = 3_600
BUDGETS = {
    "wordy": "0.005",
    "advised": "0.0000001",
    "plain": "5",
    "named": "5",
    "slow": "5",
    "evened": "5",
}
MORE = """
[[tool]]
name = "wordy"
kind = "openai"
model = "gpt-5-mini"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "openai"
settings = {{ max_tokens = 5000 }}

[[tool]]
name = "flexible"
kind = "openai"
model = "gpt-5-mini"
url = "{url}"
key_env = "UPSTREAM_KEY"
provider = "openai"
settings = {{ service_tier = "flex" }}

[[tool]]
name = "nowhere"
kind = "openai"
model = "gpt-5-mini"
url = "http://127.0.0.1:{stuck}/v1"
provider = "openai"

[[tool]]
name = "own"
kind = "openai"
model = "llama"
url = "{url}"
free = "it runs on our own machines"

[[tool]]
name = "foreign"
kind = "openai"
model = "gpt-5-mini"
url = "http://b\u00fccher.invalid:{port}/v1"
provider = "openai"

[[route]]
workflow = "wordy"
tool = "wordy"

[[route]]
workflow = "advised"
mode = "advise"
"""
REDIRECT = Fault(
    "status", status=307, headers={"location": "http://127.0.0.1:9/"}, body={"moved": True}
)
IMPOSSIBLE = {"input_tokens": 10, "output_tokens": 10}


def fault_of(asked: Asked) -> Fault | None:
    match asked.prompt:
        case "redirect":
            return REDIRECT
        case "fail inside":
            return Fault("error_body")
        case "say nothing":
            return Fault("reset")
        case "break an error":
            return Fault("hang")
        case _:
            return None


def usage_of(asked: Asked, text: str) -> dict[str, Any]:
    if asked.prompt == "search for ever":
        return {**IMPOSSIBLE, "server_tool_use": {"web_search_requests": 10**13}}
    if asked.protocol == "anthropic":
        return IMPOSSIBLE
    count = len(text.split())
    return {"prompt_tokens": 5, "completion_tokens": count, "total_tokens": 5 + count}


@pytest.fixture(scope="module")
def stuck() -> Iterator[int]:
    """A port on which connections are begun and never come about: its queue is full."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        held = []
        for _ in range(4):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
            held.append(each)
        time.sleep(0.1)
        yield int(port)
        for each in held:
            each.close()


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    def background(_: Any) -> dict[str, Any]:
        return {
            "id": "resp_0123456789abcdef0123",
            "object": "response",
            "status": "queued",
            "background": True,
            "model": "gpt-5-mini",
            "output": [],
            "usage": None,
        }

    others: Any = {("POST", "/v1/responses"): background}
    with Upstream(
        lambda _: " ".join(["word"] * 400), faults=fault_of, usage=usage_of, others=others
    ) as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("money")


@pytest.fixture(scope="module")
def running(
    upstream: Upstream, folder: Path, stuck: int
) -> Iterator[tuple[Gateway, dict[str, str]]]:
    parts = [toml(upstream.url).replace("drain_s = 5", "drain_s = 5\nretries = 0")]
    parts += [
        f'[[workflow]]\nname = "{name}"\nowner = "{name}-lead@example.com"\n' for name in WORKFLOWS
    ]
    parts += [
        f'[[budget]]\nscope = "workflow"\nname = "{name}"\nusd = "{usd}"\n'
        for name, usd in BUDGETS.items()
    ]
    parts.append(MORE.format(url=upstream.url, stuck=stuck, port=upstream.port))
    with gateway_for(folder, "\n".join(parts), *WORKFLOWS) as opened:
        yield opened


@pytest.fixture
def ask(running: tuple[Gateway, dict[str, str]]) -> Callable[..., Answered]:
    def asked(workflow: str, prompt: str = "hi", **more: Any) -> Answered:
        messages = [{"role": "user", "content": prompt}]
        return running[0].chat(running[1][workflow], messages=messages, **more)

    return asked


def made(folder: Path, workflow: str, most_s: float = 10.0) -> tuple[Held, Ended]:
    """Return the last call of a workflow, once it has ended."""
    give_up = time.monotonic() + most_s
    while time.monotonic() < give_up:
        found = calls(folder / ".clearbar/route/journal")
        mine = sorted(
            ((held, ended) for held, ended in found if held.workflow == workflow),
            key=lambda each: each[0].call_id,
        )
        if mine and mine[-1][1] is not None:
            return mine[-1]  # type: ignore[return-value]
        time.sleep(0.05)
    raise AssertionError("no call of it has ended")


def test_a_limit_that_a_tools_settings_raise_is_held_for(
    ask: Callable[..., Answered], upstream: Upstream, folder: Path
) -> None:
    assert ask("wordy", max_tokens=10).status == 200
    held, _ = made(folder, "wordy")
    sent = upstream.asked[-1].body["max_tokens"]
    assert sent * OUTPUT_NUSD <= held.amount_nusd <= 5_000_000


def test_the_service_tier_that_a_client_asks_for_is_held_for(
    ask: Callable[..., Answered], upstream: Upstream, folder: Path
) -> None:
    assert ask("named", model="flexible", max_tokens=1000, service_tier="priority").status == 200
    held, _ = made(folder, "named")
    assert upstream.asked[-1].body["service_tier"] == "priority"
    assert held.amount_nusd >= 1000 * PRIORITY_NUSD


def test_advise_leaves_the_clients_limit_as_it_is_when_the_budget_is_spent(
    ask: Callable[..., Answered], upstream: Upstream
) -> None:
    for _ in range(2):
        assert ask("advised", max_tokens=50).status == 200
        assert upstream.asked[-1].body["max_tokens"] == 50


def test_advise_sets_no_limit_where_the_client_sets_none(
    ask: Callable[..., Answered], upstream: Upstream
) -> None:
    assert ask("advised").status == 200
    assert not {"max_tokens", "max_completion_tokens"} & upstream.asked[-1].body.keys()


def test_an_answer_that_comes_later_costs_what_was_held_for_it(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    answered = running[0].ask(
        "POST",
        "/v1/responses",
        {"model": "gpt-5-mini", "input": "hi", "background": True, "max_output_tokens": 9000},
        {"authorization": f"Bearer {running[1]['plain']}"},
    )
    assert answered.status == 200
    held, ended = made(folder, "plain")
    assert ended.cost_nusd == held.amount_nusd > 9000 * OUTPUT_NUSD


def test_a_redirect_is_passed_on_not_followed_and_costs_nothing(
    ask: Callable[..., Answered], folder: Path
) -> None:
    answered = ask("plain", "redirect", max_tokens=100)
    assert answered.status == 307
    _, ended = made(folder, "plain")
    assert (ended.outcome, ended.cost_nusd) == ("error", 0)


def test_a_stream_that_fails_after_a_part_costs_an_estimate(
    ask: Callable[..., Answered], folder: Path
) -> None:
    answered = ask("plain", "fail inside", stream=True, max_tokens=1000)
    assert b"word" in answered.body
    _, ended = made(folder, "plain")
    assert (ended.outcome, ended.known) == ("error", "estimated")
    assert ended.usage["output_tokens"] > 50
    assert ended.cost_nusd > 50 * OUTPUT_NUSD


def test_an_error_in_a_whole_answer_costs_nothing(
    ask: Callable[..., Answered], folder: Path
) -> None:
    ask("plain", "fail inside", max_tokens=1000)
    _, ended = made(folder, "plain")
    assert (ended.outcome, ended.cost_nusd) == ("error", 0)


def test_what_broke_off_is_never_free_where_there_is_no_budget(
    ask: Callable[..., Answered], folder: Path
) -> None:
    assert ask("unpaid", "say nothing", max_tokens=1000).status == 502
    made(folder, "unpaid")
    found = [each for each in charges(folder) if each["workflow"] == "unpaid"]
    assert float(found[-1]["cost_usd"]) > 1000 * OUTPUT_NUSD / 1e9
    assert found[-1]["basis"] == "estimated"


def test_a_free_tool_has_no_limit_set(
    ask: Callable[..., Answered], upstream: Upstream, folder: Path
) -> None:
    assert ask("named", model="own").status == 200
    assert not {"max_tokens", "max_completion_tokens"} & upstream.asked[-1].body.keys()
    assert made(folder, "named")[1].cost_nusd == 0


def test_a_client_that_leaves_before_anything_was_sent_pays_nothing(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    body = json.dumps(
        {
            "model": "nowhere",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "hi"}],
        }
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer"
        f" {running[1]['slow']}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", running[0].port)) as connection:
        connection.sendall(head + body)
        time.sleep(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _, ended = made(folder, "slow", 5)
    assert (ended.outcome, ended.cost_nusd) == ("unsent", 0)


def test_usage_that_nobody_can_have_costs_what_was_held(
    running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    answered = running[0].ask(
        "POST",
        "/v1/messages",
        {
            "model": "claude-haiku-4-5",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "search for ever"}],
        },
        {"x-api-key": running[1]["plain"], "anthropic-version": "2023-06-01"},
    )
    assert answered.status == 200
    held, ended = made(folder, "plain", 5)
    assert ended.cost_nusd == held.amount_nusd > 0


def test_a_tool_whose_address_is_none_is_not_asked_for_nothing(
    ask: Callable[..., Answered], folder: Path
) -> None:
    answered = ask("mixed", model="foreign", max_tokens=100)
    assert answered.status == 502
    found = calls(folder / ".clearbar/route/journal")
    assert not [held for held, _ in found if held.workflow == "mixed"]


def test_what_the_budget_counts_is_what_the_ledger_holds_however_calls_end(
    ask: Callable[..., Answered], running: tuple[Gateway, dict[str, str]], folder: Path
) -> None:
    for prompt in ("hi", "redirect", "fail inside", "say nothing"):
        for stream in (False, True):
            with contextlib.suppress(http.client.IncompleteRead):
                ask("evened", prompt, stream=stream, max_tokens=1000)
    running[0].ask(
        "POST",
        "/v1/responses",
        {"model": "gpt-5-mini", "input": "hi", "background": True, "max_output_tokens": 9000},
        {"authorization": f"Bearer {running[1]['evened']}"},
    )
    time.sleep(1.5)  # a worker tells the store of budgets once a second
    found = [each for each in charges(folder) if each["workflow"] == "evened"]
    counted = float(running[0].account("workflow:evened")["spent_usd"])
    assert len(found) == 9
    assert counted == pytest.approx(sum(float(each["cost_usd"]) for each in found), abs=1e-8)
    assert counted > 0


def test_a_price_that_a_tool_declares_counts_in_the_ledger_as_in_the_budget(tmp_path: Path) -> None:
    own = 'provider = "openai"\ninput_usd_per_million = "2.5"\noutput_usd_per_million = "20"\n'
    budget = '\n[[budget]]\nscope = "workflow"\nname = "letters"\nusd = "5"\n'
    with Upstream(lambda _: "one two") as upstream:
        text = toml(upstream.url, budget).replace('provider = "openai"\n', own, 1)
        with gateway(tmp_path, text) as (running, key):
            assert running.chat(key, max_tokens=100).status == 200
    [charge] = charges(tmp_path)
    assert charge["basis"] == "priced"
    assert charge["cost_usd"] == Decimal("0.0000425")
    with Workspace(tmp_path) as workspace:
        [balance] = workspace.budget_balances()
    assert balance.spent_nusd == 42_500
