"""The APIs that can be pulled from."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import UnknownName, nearest
from clearbar.spend.pull import anthropic, langfuse, litellm, openai, openrouter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.spend.pull.api import Api

APIS: Final[Mapping[str, Api]] = MappingProxyType(
    {each.API.name: each.API for each in (openai, anthropic, litellm, langfuse, openrouter)}
)


def api_named(name: str) -> Api:
    """Return an API.

    Raises:
        UnknownName: when there is none of that name.
    """
    if name not in APIS:
        raise UnknownName(
            f'there is no API "{name}" to pull from.{nearest(name, APIS)}',
            f"one of {', '.join(APIS)}",
        )
    return APIS[name]
