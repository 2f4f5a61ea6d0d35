"""Asks a Python callable once: text in, text (or text and confidence) out.

The module is looked for in the workspace folder first, then among what is installed. A callable
runs in a thread: one that is not done in time is left behind there, since no thread can be stopped.
The workflow's prompt, which is written for models, is not given to it.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from clearbar.core.errors import ClearbarError
from clearbar.tools.tool import Answer, Failure

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from clearbar.tools.tool import Request, Tool

_PAIR: Final = 2
_importing: Final = Lock()


def load_function(tool: Tool, folder: Path) -> Callable[[str], object]:
    """Import the module of `module:callable` and return the callable.

    Raises:
        ClearbarError: when there is no such module or callable, or its import fails.
    """
    module_name, _, name = (tool.function or "").partition(":")
    try:
        with _importing:
            found: object = _imported(module_name, folder)
        for part in name.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:
        raise ClearbarError(
            f'the function of the tool "{tool.name}" cannot be imported: {type(error).__name__}',
            'it is named "module:callable", of a module beside clearbar.toml or an installed one',
        ) from error
    if not callable(found) or inspect.iscoroutinefunction(found):
        raise ClearbarError(
            f'the function of the tool "{tool.name}" is no plain callable',
            "it takes a text and returns a text, and is no coroutine",
        )
    return found


async def ask_function(
    function: Callable[[str], object], request: Request, timeout_s: float
) -> Answer | Failure:
    """Call the function once and return what it says."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Answer | Failure] = loop.create_future()

    def give(found: Answer | Failure) -> None:
        if not done.done():
            done.set_result(found)

    def call() -> None:
        found = _called(function, request.input)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(give, found)

    Thread(target=call, daemon=True).start()
    try:
        return await asyncio.wait_for(done, timeout_s)
    except TimeoutError:
        return Failure(f"no answer within {timeout_s:g} s", retry=True)


def _called(function: Callable[[str], object], given: str) -> Answer | Failure:
    try:
        found = function(given)
    except BaseException as error:  # noqa: BLE001 - whatever it raises is its failure
        return Failure(f"the function raised {type(error).__name__}", retry=False)
    if isinstance(found, str):
        return Answer(found)
    if isinstance(found, tuple) and len(found) == _PAIR:
        text, confidence = found
        if isinstance(text, str) and _is_share(confidence):
            return Answer(text, confidence=float(confidence))
    return Failure("the function returned neither text nor text and a confidence", retry=False)


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _imported(name: str, folder: Path) -> ModuleType:
    """Import a module, from the folder before any other place."""
    home = str(folder.resolve())
    if not _stands_in(folder, name):
        return importlib.import_module(name)
    known = sys.modules.get(name)
    if known is not None and not _is_from(known, folder):
        _forget(name)
    sys.path.insert(0, home)
    try:
        importlib.invalidate_caches()
        return importlib.import_module(name)
    finally:
        sys.path.remove(home)
        if home not in sys.path:
            sys.path.append(home)  # for what it imports only when it is called


def _stands_in(folder: Path, name: str) -> bool:
    path = folder.joinpath(*name.split("."))
    return path.with_name(f"{path.name}.py").is_file() or path.joinpath("__init__.py").is_file()


def _is_from(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(folder.resolve())


def _forget(name: str) -> None:
    """Drop a module of the same name that another folder had, with what stands below it."""
    top = name.partition(".")[0]
    for each in [each for each in sys.modules if each == top or each.startswith(f"{top}.")]:
        del sys.modules[each]
