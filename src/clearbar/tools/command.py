"""Asks a command once: the input on stdin, the answer on stdout.

It runs in the workspace folder, without a shell, in a process group of its own, with little of the
environment: what `PASSED_ON` names, and the key that its `[[tool]]` names. The workflow's prompt,
which is written for models, is not given to it. What it writes to stderr is dropped.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from clearbar.core.errors import ClearbarError
from clearbar.tools.tool import Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from clearbar.tools.tool import Request, Tool

PASSED_ON: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TMPDIR",
    "TZ",
    "VIRTUAL_ENV",
    "SYSTEMROOT",
)
MAX_OUTPUT_BYTES: Final = 2**20


class _Conversation(asyncio.SubprocessProtocol):
    """What a process writes, and its end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.output = bytearray()
        self.too_large = False
        self.ended: asyncio.Future[None] = loop.create_future()
        """The process has exited and its pipes are closed, or it has said too much."""
        self.exited: asyncio.Future[None] = loop.create_future()

    def pipe_data_received(self, _: int, data: bytes) -> None:
        self.output += data
        if len(self.output) > MAX_OUTPUT_BYTES:
            self.too_large = True
            _settle(self.ended)

    def process_exited(self) -> None:
        _settle(self.exited)

    def connection_lost(self, _: Exception | None) -> None:
        _settle(self.ended)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def ask_command(
    tool: Tool, request: Request, folder: Path, environment: Mapping[str, str]
) -> Answer | Failure:
    """Run the command once and return what it says; at the end kill all that it has left running.

    Raises:
        ClearbarError: when it cannot be started at all.
    """
    process, said = await _start(tool, folder, environment)
    try:
        stdin = cast("asyncio.WriteTransport", process.get_pipe_transport(0))
        stdin.write(request.input.encode("utf-8", "replace"))
        stdin.write_eof()
        async with asyncio.timeout(tool.timeout_s):
            await said.ended
    except TimeoutError:
        return Failure(f"no answer within {tool.timeout_s:g} s", retry=True)
    finally:
        await _end(process, said)
    return _read(said, process.get_returncode() or 0)


def _read(said: _Conversation, code: int) -> Answer | Failure:
    if said.too_large:
        what = f"the command wrote more than {MAX_OUTPUT_BYTES // 2**20} MiB"
    elif code:
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        what = f"the command {ended}"
    else:
        try:
            text = said.output.decode()
        except UnicodeDecodeError:
            what = "the command wrote what is not UTF-8"
        else:
            line_end = "\r\n" if text.endswith("\r\n") else "\n"
            return Answer(text.removesuffix(line_end))
    return Failure(what, retry=False)


async def _start(
    tool: Tool, folder: Path, environment: Mapping[str, str]
) -> tuple[asyncio.SubprocessTransport, _Conversation]:
    loop = asyncio.get_running_loop()
    names = (*PASSED_ON, *([tool.key_env] if tool.key_env else ()))
    given = {name: environment[name] for name in names if name in environment}
    try:
        return await loop.subprocess_exec(
            lambda: _Conversation(loop),
            *tool.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,
            cwd=folder,
            env=given,
            start_new_session=True,
        )
    except (OSError, ValueError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no program is named"
        raise ClearbarError(
            f'the command of the tool "{tool.name}" cannot be started: {reason}',
            "it is started in the folder of clearbar.toml, without a shell",
        ) from error


async def _end(process: asyncio.SubprocessTransport, said: _Conversation) -> None:
    """Kill what is left of the process group; return when the process is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.get_pid(), signal.SIGKILL)
    process.close()
    await said.exited
