"""Asks a tool once, as tests do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from clearbar.tools.call import Caller
from clearbar.tools.tool import Answer, Failure, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clearbar.tools.tool import Tool


def ask(
    tool: Tool,
    *inputs: str,
    prompt: str = "",
    folder: Path = Path(),
    environment: Mapping[str, str] | None = None,
) -> list[Answer | Failure]:
    """Return what the tool says of each input, asked one after the other by one caller."""

    async def all_of_them() -> list[Answer | Failure]:
        async with Caller(folder, environment or {}) as caller:
            return [await caller.ask(tool, Request(each, prompt)) for each in inputs]

    return asyncio.run(all_of_them())


def answer_of(tool: Tool, given: str = "hello", **where: object) -> Answer:
    (found,) = ask(tool, given, **where)  # type: ignore[arg-type]
    assert isinstance(found, Answer), found
    return found


def failure_of(tool: Tool, given: str = "hello", **where: object) -> Failure:
    (found,) = ask(tool, given, **where)  # type: ignore[arg-type]
    assert isinstance(found, Failure), found
    return found
