"""The hooks, quickly: LiteLLM's parts are stood in for; `test_litellm_proxy` has the real ones."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from tests.route.operating.admin_server import AdminServer
from tests.route.operating.gateway import GATEWAY_KEY
from tests.route.operating.test_litellm_plugin import NOBODY, ProviderError

from clearbar.litellm_plugin import hooks
from clearbar.litellm_plugin.admin_client import AdminClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

NOWHERE = "http://127.0.0.1:9"
USAGE = {"metadata": {"usage_object": {"prompt_tokens": 4, "completion_tokens": 2}}}


class ProxyError(Exception):
    def __init__(self, **said: Any) -> None:
        super().__init__(said["message"])
        self.said = said


def module(name: str, **contents: object) -> ModuleType:
    made = ModuleType(name)
    vars(made).update(contents)
    return made


def provider_of(*, model: str) -> tuple[str, str, None, None]:
    provider, slash, name = model.partition("/")
    if not slash:
        raise ValueError(model)
    return name, provider, None, None


class Client(AdminClient):
    """Remembers itself, so that its connections can be closed with the loop."""

    made: ClassVar[list[Client]] = []

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url, token)
        self.made.append(self)


def run(work: Awaitable[None]) -> None:
    async def main() -> None:
        try:
            await work
        finally:
            while Client.made:
                await Client.made.pop().close()

    asyncio.run(main())


class Router:
    def get_model_list(self, model_name: str) -> list[dict[str, Any]]:
        known = {"fast": "openai/gpt-4o-mini"}
        return [{"litellm_params": {"model": known[each]}} for each in known if each == model_name]


@pytest.fixture(autouse=True)
def _litellm(monkeypatch: pytest.MonkeyPatch) -> None:
    for made in (
        module("litellm", get_llm_provider=provider_of),
        module("litellm.proxy"),
        module("litellm.proxy._types", ProxyException=ProxyError),
        module("litellm.proxy.proxy_server", llm_router=Router()),
        module("litellm.integrations"),
        module("litellm.integrations.custom_logger", CustomLogger=object),
    ):
        monkeypatch.setitem(sys.modules, made.__name__, made)
    monkeypatch.setattr(hooks, "AdminClient", Client)


@pytest.fixture
def server() -> Iterator[AdminServer]:
    with AdminServer() as server:
        yield server


@pytest.fixture
def handler(server: AdminServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    def made(url: str = server.url, **settings: str) -> Any:
        said = {"CLEARBAR_ADMIN_URL": url, "CLEARBAR_KEY": GATEWAY_KEY, **settings}
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        return hooks.new_handler()

    return made


def request(**more: Any) -> dict[str, Any]:
    return {"model": "fast", "messages": [{"role": "user", "content": "hello"}], **more}


def kwargs_of(data: dict[str, Any]) -> dict[str, Any]:
    return {"litellm_params": {"metadata": data["metadata"]}, "standard_logging_object": USAGE}


async def before(handler: Any, data: dict[str, Any], call_type: str = "acompletion") -> None:
    await handler.async_pre_call_hook(NOBODY, None, data, call_type)


def test_a_model_group_is_held_for_as_the_model_that_it_asks(
    server: AdminServer, handler: Any
) -> None:
    run(before(handler(), request()))
    assert [each.model for each in server.facts.holds] == ["gpt-4o-mini"]


def test_a_model_that_litellm_does_not_know_is_held_for_by_its_name(
    server: AdminServer, handler: Any
) -> None:
    run(before(handler(), request(model="odd")))
    assert [each.model for each in server.facts.holds] == ["odd"]


def test_a_call_that_went_well_is_settled(server: AdminServer, handler: Any) -> None:
    async def main() -> None:
        hook, data = handler(), request()
        await before(hook, data)
        await hook.async_pre_call_deployment_hook({"metadata": data["metadata"]}, None)
        await hook.async_log_success_event(kwargs_of(data), None, None, None)

    run(main())
    (settled,) = server.facts.settled.values()
    assert settled.usage == {"input_tokens": 4, "output_tokens": 2}


def test_a_call_that_the_provider_refused_is_settled_as_an_error(
    server: AdminServer, handler: Any
) -> None:
    async def main() -> None:
        hook, data = handler(), request()
        await before(hook, data)
        await hook.async_pre_call_deployment_hook({"metadata": data["metadata"]}, None)
        await hook.async_post_call_failure_hook(data, ProviderError(), NOBODY)

    run(main())
    assert [each.outcome for each in server.facts.ends] == ["error"]


def test_a_request_that_litellm_itself_turned_down_is_released(
    server: AdminServer, handler: Any
) -> None:
    async def main() -> None:
        hook, data = handler(), request()
        await before(hook, data)
        await hook.async_post_call_failure_hook(data, ValueError(), NOBODY)

    run(main())
    assert [each.outcome for each in server.facts.ends] == ["unsent"]


def test_an_answer_that_litellm_turned_down_is_left_to_its_success(
    server: AdminServer, handler: Any
) -> None:
    async def main() -> None:
        hook, data = handler(), request()
        await before(hook, data)
        await hook.async_pre_call_deployment_hook({"metadata": data["metadata"]}, None)
        await hook.async_post_call_failure_hook(data, ValueError(), NOBODY)
        await hook.async_log_success_event(kwargs_of(data), None, None, None)

    run(main())
    assert [each.outcome for each in server.facts.ends] == ["ok"]


def test_a_refusal_is_an_error_that_litellm_passes_on(server: AdminServer, handler: Any) -> None:
    server.facts.limit_nusd = 0
    with pytest.raises(ProxyError, match="used up") as raised:
        run(before(handler(), request()))
    said = raised.value.said
    assert (said["code"], said["openai_code"], said["headers"]) == (
        429, "over_budget", {"retry-after": "60"},
    )  # fmt: skip


def test_a_hold_that_the_client_names_is_never_ended(handler: Any) -> None:
    for name in ("metadata", "litellm_metadata"):
        others = {hooks.HOLD: "litellm:anothers"}
        data = request(**{"litellm_metadata": {}, name: others})
        run(before(handler(NOWHERE, CLEARBAR_WHEN_UNREACHABLE="pass"), data))
        assert hooks.HOLD not in data[name]


def test_without_the_gateway_requests_are_refused(handler: Any) -> None:
    with pytest.raises(ProxyError, match="cannot be reached"):
        run(before(handler(NOWHERE), request()))


def test_without_the_gateway_requests_pass_where_that_is_set(handler: Any) -> None:
    data = request()
    run(before(handler(NOWHERE, CLEARBAR_WHEN_UNREACHABLE="pass"), data))
    assert hooks.HOLD not in data["metadata"]


@pytest.mark.parametrize("call_type", ["amoderation", "alist_batches"])
def test_what_costs_nothing_or_names_no_model_is_not_held_for(
    server: AdminServer, handler: Any, call_type: str
) -> None:
    data = request() if call_type == "amoderation" else {}
    run(before(handler(), data, call_type))
    assert server.facts.holds == []


def test_what_passes_through_is_held_for_even_if_it_names_no_model(
    server: AdminServer, handler: Any
) -> None:
    run(before(handler(), {}, "pass_through_endpoint"))
    assert [each.model for each in server.facts.holds] == ["unknown"]


def test_the_hold_travels_in_the_metadata_that_stays_inside_litellm(handler: Any) -> None:
    data = request(litellm_metadata={}, metadata={"user_id": "of-the-client"})
    run(before(handler(), data))
    assert hooks.HOLD in data["litellm_metadata"]
    assert data["metadata"] == {"user_id": "of-the-client"}


def test_holds_that_are_never_sent_do_not_pile_up(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "_MOST_UNSENT", 2)
    holding = hooks.Holding(Client(server.url, GATEWAY_KEY), "", passes=False)

    async def main() -> None:
        for _ in range(5):
            await holding.hold(NOBODY, request(), "acompletion")

    run(main())
    assert len(holding._unsent) == 2


def test_litellm_finds_the_handler_by_its_name(
    handler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import clearbar.litellm_plugin as package

    handler()
    monkeypatch.delitem(vars(package), "handler", raising=False)
    assert package.handler is package.handler
    monkeypatch.delitem(vars(package), "handler")


def test_the_hooks_stand_in_the_class_itself_where_litellm_looks(handler: Any) -> None:
    assert {"async_pre_call_hook", "async_log_success_event"} <= set(vars(type(handler())))
