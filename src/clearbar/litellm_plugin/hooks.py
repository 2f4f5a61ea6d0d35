"""What LiteLLM calls before and after a request."""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections import OrderedDict
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from clearbar.litellm_plugin.admin_client import AdminClient, RefusedError, Unreachable
from clearbar.litellm_plugin.answers import failed_of, is_of_provider, settled_of
from clearbar.litellm_plugin.requests import cap, fields, plain, wanted_of

if TYPE_CHECKING:
    from collections.abc import Mapping

ADMIN_URL: Final = "http://127.0.0.1:8788"
HOLD: Final = "clearbar_hold_id"
"""Under which the id of a hold travels in LiteLLM's metadata."""
_NEVER_HELD: Final = frozenset({"moderation", "list_mcp_tools", "call_mcp_tool"})
_MOST_UNSENT: Final = 100_000
_log: Final = logging.getLogger("clearbar.litellm")
Json = dict[str, Any]


class Holding:
    """The holds of one process of LiteLLM."""

    def __init__(self, client: AdminClient, workflow: str, *, passes: bool) -> None:
        self._client = client
        self._workflow = workflow
        self._passes = passes
        self._unsent: OrderedDict[str, None] = OrderedDict()
        """Holds whose requests have not been given to a provider yet."""

    async def hold(self, key: Any, data: Json, call_type: str) -> None:
        """Hold money for a request, and set the limit of its answer.

        Raises:
            Exception: LiteLLM's own, which it passes on to the client.
        """
        model, provider = model_of(data)
        passing = call_type == "pass_through_endpoint"
        _travelling(data)
        for name in ("litellm_metadata", "metadata"):
            fields(data.get(name)).pop(HOLD, None)  # never the client's: it would end another's
        if call_type.removeprefix("a") in _NEVER_HELD or (not model and not passing):
            return
        hold_id = f"litellm:{uuid.uuid4()}"
        wanted = wanted_of(
            data,
            call_type,
            key,
            hold_id=hold_id,
            model=(model or "unknown", provider),
            workflow=self._workflow,
        )
        try:
            given = await self._client.hold(wanted)
        except RefusedError as error:
            raise _proxy_error(str(error), error.code, error.status, error.retry_after_s) from None
        except Unreachable as error:
            _log.warning("no hold could be made: %s", error)
            if self._passes:
                return
            what = "The gateway that keeps the budgets cannot be reached: try again later."
            raise _proxy_error(what, "gateway_unreachable", 503, 5) from None
        _travelling(data)[HOLD] = hold_id
        if not passing:
            self._unsent[hold_id] = None
            while len(self._unsent) > _MOST_UNSENT:
                self._unsent.popitem(last=False)
        cap(data, wanted["operation"], given.get("max_output_tokens"))

    def sent(self, hold_id: str) -> None:
        """Note that a request was given to a provider."""
        self._unsent.pop(hold_id, None)

    async def succeeded(self, hold_id: str, kwargs: Mapping[str, Any]) -> None:
        """Settle a hold to what was used."""
        if hold_id:
            self.sent(hold_id)
            await self._client.end(hold_id, settled_of(kwargs))

    async def failed(self, hold_id: str, error: Exception) -> None:
        """Settle the hold of a request that failed.

        Where an answer was turned down after it had come, `succeeded` settles it.
        """
        if hold_id in self._unsent:
            self.sent(hold_id)
            await self._client.end(hold_id, None)
        elif hold_id and is_of_provider(error):
            await self._client.end(hold_id, failed_of(error))


def new_handler() -> Any:
    """Return the handler that LiteLLM calls, with the settings of the environment."""
    logger: Any = import_module("litellm.integrations.custom_logger").CustomLogger
    client = AdminClient(
        os.environ.get("CLEARBAR_ADMIN_URL", ADMIN_URL),
        os.environ.get("CLEARBAR_KEY") or os.environ.get("CLEARBAR_ADMIN_TOKEN", ""),
    )
    workflow = os.environ.get("CLEARBAR_WORKFLOW", "")
    passes = os.environ.get("CLEARBAR_WHEN_UNREACHABLE", "refuse") == "pass"

    holding = Holding(client, workflow, passes=passes)

    class Clearbar(logger):  # type: ignore[misc] # known when LiteLLM is there
        """LiteLLM looks for the hooks in the class itself, not in what it inherits."""

        async def async_pre_call_hook(
            self,
            user_api_key_dict: Any,
            cache: Any,  # noqa: ARG002 - LiteLLM's signature
            data: Json,
            call_type: str,
        ) -> Json:
            """Hold money for the request, or refuse it."""
            await holding.hold(user_api_key_dict, data, call_type)
            return data

        async def async_pre_call_deployment_hook(
            self,
            kwargs: Json,
            call_type: Any,  # noqa: ARG002 - as above
        ) -> None:
            """Note that the request is being sent."""
            holding.sent(_hold_of({"litellm_params": kwargs}))

        async def async_log_success_event(
            self,
            kwargs: Json,
            response_obj: Any,  # noqa: ARG002 - as above
            start_time: Any,  # noqa: ARG002 - as above
            end_time: Any,  # noqa: ARG002 - as above
        ) -> None:
            """Settle the hold to what was used."""
            await holding.succeeded(_hold_of(kwargs), kwargs)

        async def async_post_call_failure_hook(
            self,
            request_data: Json,
            original_exception: Exception,
            user_api_key_dict: Any,  # noqa: ARG002 - as above
            traceback_str: str | None = None,  # noqa: ARG002 - as above
        ) -> None:
            """Settle the hold of a request that failed for good, after LiteLLM's own retries."""
            await holding.failed(str(_travelling(request_data).get(HOLD, "")), original_exception)

    return Clearbar()


def model_of(data: Mapping[str, Any]) -> tuple[str, str]:
    """Return the model that LiteLLM will ask for, and its provider; empty where it names none.

    Of a group with several models it is the first: a hold is of one model's price.
    """
    name = plain(data.get("model"))
    if not name:
        return "", ""
    router = getattr(sys.modules.get("litellm.proxy.proxy_server"), "llm_router", None)
    if router is not None and (rows := router.get_model_list(model_name=name)):
        name = plain(fields(rows[0].get("litellm_params")).get("model")) or name
    try:
        model, provider, *_ = import_module("litellm").get_llm_provider(model=name)
    except Exception:  # noqa: BLE001 - LiteLLM raises errors of its own for names it does not know
        return name, ""
    return plain(model), plain(provider)


def _travelling(data: Json) -> Json:
    """Return the metadata that travels with a request inside LiteLLM and never leaves it."""
    name = "litellm_metadata" if isinstance(data.get("litellm_metadata"), dict) else "metadata"
    if not isinstance(data.get(name), dict):
        data[name] = {}
    found: Json = data[name]
    return found


def _hold_of(kwargs: Mapping[str, Any]) -> str:
    params = fields(kwargs.get("litellm_params"))
    found = (fields(params.get(name)).get(HOLD) for name in ("litellm_metadata", "metadata"))
    return next((plain(each) for each in found if each), "")


def _proxy_error(message: str, code: str, status: int, retry_after_s: object) -> Exception:
    """Return the error that LiteLLM passes on to the client in the shape of OpenAI's errors."""
    made: Exception = import_module("litellm.proxy._types").ProxyException(
        message=message,
        type="clearbar",
        param=None,
        code=status,
        openai_code=code,
        headers={"retry-after": str(retry_after_s)} if retry_after_s is not None else {},
    )
    return made
