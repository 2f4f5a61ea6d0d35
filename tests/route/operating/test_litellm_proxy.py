"""The plug-in in the real LiteLLM proxy, with a real upstream and the admin API on the loopback."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.route.operating.admin_server import AdminServer
from tests.route.operating.gateway import GATEWAY_KEY, SmallGateway
from tests.route.operating.litellm_proxy import ABSENT, PROGRAM, Proxy, proxy
from tests.tools.upstream import Fault, Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tools.upstream_bodies import Asked

    from clearbar.route.operating.facts import HoldEnded, HoldSettled, HoldWanted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PROGRAM.exists(), reason=ABSENT),
]
MESSAGES: Final = [{"role": "user", "content": "hello"}]
CHAT: Final = "/v1/chat/completions"


@dataclass
class Setting:
    proxy: Proxy
    facts: SmallGateway
    upstream: Upstream

    def chat(self, headers: dict[str, str] | None = None, **more: Any) -> tuple[int, Any]:
        body = {"model": "fast", "messages": MESSAGES, **more}
        status, self.headers, said = self.proxy.ask(CHAT, body, headers)
        return status, json.loads(said)

    def ended(self, count: int) -> tuple[HoldWanted, HoldSettled | None, HoldEnded]:
        """Wait until so many holds have ended, and return the last."""
        give_up = time.monotonic() + 20
        while len(self.facts.ends) < count and time.monotonic() < give_up:
            time.sleep(0.05)
        assert len(self.facts.ends) == count
        end = self.facts.ends[-1]
        (wanted,) = [each for each in self.facts.holds if each.hold_id == end.hold_id]
        return wanted, self.facts.settled.get(end.hold_id), end


def fault_of(asked: Asked) -> Fault | None:
    """Fail as the prompt asks."""
    faults = {"fail": Fault("status", status=400), "reset": Fault("reset")}
    return faults.get(asked.prompt)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    with AdminServer() as admin, Upstream(lambda _: "yes indeed", faults=fault_of) as upstream:
        environment = {
            "CLEARBAR_ADMIN_URL": admin.url,
            "CLEARBAR_KEY": GATEWAY_KEY,
            "CLEARBAR_WORKFLOW": "support-replies",
        }
        with proxy(tmp_path_factory.mktemp("litellm"), upstream.url, environment) as found:
            yield Setting(found, admin.facts, upstream)


@pytest.fixture
def setting(running: Setting) -> Setting:
    running.facts.__init__()  # type: ignore[misc] # each test begins with an empty gateway
    return running


def test_a_request_is_held_for_and_settled_to_what_was_used(setting: Setting) -> None:
    assert setting.chat()[0] == 200
    wanted, settled, end = setting.ended(1)
    assert (wanted.workflow, wanted.model, wanted.operation) == (
        "support-replies", "gpt-4o-mini", "chat",
    )  # fmt: skip
    assert settled is not None
    tokens = {name: count for name, count in settled.usage.items() if count}
    assert tokens == {"input_tokens": 1, "output_tokens": 2}
    assert settled.upstream_id.startswith("chatcmpl-")
    assert end.outcome == "ok"


def test_a_stream_is_settled_when_it_has_ended(setting: Setting) -> None:
    status, _, said = setting.proxy.ask(
        CHAT, {"model": "fast", "messages": MESSAGES, "stream": True}
    )
    assert (status, said.rstrip().endswith(b"[DONE]")) == (200, True)
    wanted, settled, _ = setting.ended(1)
    assert wanted.stream
    assert settled is not None
    assert settled.usage["output_tokens"] == 2


def test_the_answer_is_capped_to_what_is_held(setting: Setting) -> None:
    setting.chat()
    assert setting.upstream.asked[-1].body["max_tokens"] == 1000


def test_a_model_of_anthropic_is_held_for_as_one(setting: Setting) -> None:
    setting.chat(model="careful")
    wanted, settled, _ = setting.ended(1)
    assert (wanted.protocol, wanted.operation, wanted.model) == (
        "anthropic", "messages", "claude-sonnet-4-5",
    )  # fmt: skip
    assert settled is not None
    assert settled.usage["output_tokens"] == 2


@pytest.mark.parametrize("stream", [False, True])
def test_the_route_for_anthropics_own_clients_is_no_way_around(
    setting: Setting, *, stream: bool
) -> None:
    body = {"model": "careful", "messages": MESSAGES, "max_tokens": 50, "stream": stream}
    assert setting.proxy.ask("/v1/messages", body)[0] == 200
    wanted, settled, _ = setting.ended(1)
    assert wanted.max_output_tokens == 50
    assert settled is not None
    assert settled.usage["output_tokens"] == 2
    assert "clearbar_hold_id" not in json.dumps(setting.upstream.asked[-1].body)


def test_a_killed_workflow_is_refused_with_who_can_change_that(setting: Setting) -> None:
    before = len(setting.upstream.asked)
    status, said = setting.chat({"x-clearbar-workflow": "old-reports"})
    assert (status, said["error"]["type"]) == (403, "clearbar")
    assert "reports@example.com" in said["error"]["message"]
    assert len(setting.upstream.asked) == before


def test_a_budget_that_is_used_up_is_refused_and_nothing_is_asked(setting: Setting) -> None:
    setting.facts.limit_nusd = 0
    before = len(setting.upstream.asked)
    assert setting.chat()[0] == 429
    assert setting.headers["retry-after"] == "60"
    assert len(setting.upstream.asked) == before


def test_a_request_that_the_provider_refuses_costs_nothing(setting: Setting) -> None:
    assert setting.chat(messages=[{"role": "user", "content": "fail"}])[0] == 400
    _, settled, _ = setting.ended(1)
    assert settled is not None
    assert (settled.outcome, settled.status, settled.usage) == ("error", 400, {})


def test_a_request_that_broke_off_may_have_cost_something(setting: Setting) -> None:
    assert setting.chat(messages=[{"role": "user", "content": "reset"}])[0] >= 500
    _, settled, _ = setting.ended(1)
    assert settled is not None
    assert settled.outcome == "cut"


def test_a_request_that_never_left_is_released(setting: Setting) -> None:
    assert setting.chat(model="nowhere")[0] >= 500
    assert setting.ended(1)[2].outcome == "unsent"


def test_a_client_cannot_say_which_hold_pays(setting: Setting) -> None:
    setting.chat(metadata={"clearbar_hold_id": "litellm:anothers", "clearbar_task": "t-1"})
    wanted, _, end = setting.ended(1)
    assert end.hold_id != "litellm:anothers"
    assert wanted.task == "t-1"


def test_a_gateway_that_is_gone_refuses_requests(
    setting: Setting, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = {"CLEARBAR_ADMIN_URL": "http://127.0.0.1:9", "CLEARBAR_KEY": GATEWAY_KEY}
    folder = tmp_path_factory.mktemp("litellm")
    before = len(setting.upstream.asked)
    with proxy(folder, setting.upstream.url, environment) as alone:
        status, _, said = alone.ask(CHAT, {"model": "fast", "messages": MESSAGES})
    assert (status, b"cannot be reached" in said) == (503, True)
    assert len(setting.upstream.asked) == before
