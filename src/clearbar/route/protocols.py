"""Which tools can answer requests of a protocol, and which data each may be given. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.tools.address import PROTOCOLS
from clearbar.trial.plan import may_be_given

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.tools.address import Protocol
    from clearbar.tools.tool import DataClass, Tool


def asked_by(tool: Tool) -> tuple[str, ...]:
    """Return the tools that a tool asks: of a cascade its parts, else itself."""
    if tool.kind != "cascade":
        return (tool.name,)
    return tuple(each for each in (tool.first, *tool.agree_with, tool.then) if each)


def serves(tool: Tool, protocol: Protocol, tools: Mapping[str, Tool]) -> bool:
    """Return whether a tool answers requests of a protocol, which are never translated.

    What is no endpoint answers in any; a cascade, where all of its parts do.
    """
    if tool.kind == "cascade":
        parts = asked_by(tool)
        return all(each in tools and serves(tools[each], protocol, tools) for each in parts)
    return tool.kind == protocol or tool.kind not in PROTOCOLS


def permits(name: str, data: DataClass, tools: Mapping[str, Tool]) -> bool:
    """Return whether a tool, with all the tools that it asks, may be given data of a class."""
    return outside(name, data, tools) is None


def outside(name: str, data: DataClass, tools: Mapping[str, Tool]) -> str | None:
    """Return the first of a tool and the tools that it asks that may not be given such data."""
    for part in asked_by(tools[name]):
        if part not in tools or not may_be_given(tools[part], data):
            return part
    return None
