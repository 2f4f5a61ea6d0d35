"""Asks any tool once, whatever its kind.

Never here: retries, limits of pace and of money, grading. A cascade is not asked: whoever runs it
asks its parts.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from clearbar.core.errors import ClearbarError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Self

    from clearbar.tools.endpoint import Endpoints
    from clearbar.tools.tool import Answer, Failure, Request, Tool


class Caller:
    """Asks tools; an async context manager, which closes its connections at the end.

    `folder` is that of clearbar.toml, where files, commands and functions of tools are looked for.
    `environment` is where keys are taken from.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._endpoints: Endpoints | None = None
        self._local: dict[tuple[str, str], Callable[[str], Answer]] = {}
        self._functions: dict[str, Callable[[str], object]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._endpoints is not None:
            await self._endpoints.close()

    async def ask(self, tool: Tool, request: Request) -> Answer | Failure:
        """Ask a tool once, without another try.

        Raises:
            ClearbarError: when asking it again could never help: its key is not set, its program
                or file is not there, or it is a cascade.
        """
        started = monotonic()
        found = await self._asked(tool, request)
        if found.latency_ms is None:
            return replace(found, latency_ms=round((monotonic() - started) * 1000))
        return found

    async def _asked(self, tool: Tool, request: Request) -> Answer | Failure:
        match tool.kind:
            case "openai" | "anthropic":
                return await self._endpoint().ask(tool, request)
            case "command":
                from clearbar.tools.command import ask_command  # noqa: PLC0415 - only where used

                return await ask_command(tool, request, self._folder, self._environment)
            case "python":
                return await self._call(tool, request)
            case "rules" | "classifier":
                return self._look_up(tool, request)
            case "cascade":
                raise ClearbarError(
                    f'the tool "{tool.name}" is a cascade, which is not asked itself',
                    "ask the tools that it names",
                )

    def _endpoint(self) -> Endpoints:
        if self._endpoints is None:
            from clearbar.tools.endpoint import Endpoints  # noqa: PLC0415 - loads the HTTP client

            self._endpoints = Endpoints(self._environment)
        return self._endpoints

    async def _call(self, tool: Tool, request: Request) -> Answer | Failure:
        from clearbar.tools.function import ask_function, load_function  # noqa: PLC0415 - as above

        named = tool.function or ""
        if named not in self._functions:
            self._functions[named] = load_function(tool, self._folder)
        return await ask_function(self._functions[named], request, tool.timeout_s)

    def _look_up(self, tool: Tool, request: Request) -> Answer:
        key = (tool.kind, tool.file or "")
        if key not in self._local:
            self._local[key] = self._load(tool)
        return self._local[key](request.input)

    def _load(self, tool: Tool) -> Callable[[str], Answer]:
        path = self._folder / (tool.file or "")
        if tool.kind == "rules":
            from clearbar.tools.rules import load_rules  # noqa: PLC0415 - only where used

            return load_rules(path).answer
        from clearbar.tools.classifier import load_classifier  # noqa: PLC0415 - loads numpy

        return load_classifier(path).answer
