"""A plug-in for those who keep the LiteLLM proxy in front, so that its requests are paid for too.

They are admitted, held for and charged as those of Clearbar's own gateway are. In config.yaml:
`litellm_settings: { callbacks: clearbar.litellm_plugin.handler }`. Before a call the plug-in asks
the gateway's admin API to hold the most that the call can cost; after it, it settles the hold to
what was used. The gateway keeps the money, so budgets hold over any number of workers and replicas
of LiteLLM. What is never settled becomes an estimated charge there.

Settings stand in the environment: `CLEARBAR_ADMIN_URL`; `CLEARBAR_KEY`, a gateway key, or
`CLEARBAR_ADMIN_TOKEN`; `CLEARBAR_WORKFLOW` for requests that name none;
`CLEARBAR_WHEN_UNREACHABLE`, `refuse` (the default) or `pass`.

It needs nothing but the standard library and LiteLLM itself, and loads nothing until it is used.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from clearbar.litellm_plugin.hooks import new_handler  # noqa: PLC0415 - loads LiteLLM

    handler = globals()["handler"] = new_handler()
    return handler
