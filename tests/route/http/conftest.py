"""Each test of the transports runs on uvloop and on asyncio's own loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

import pytest
import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    T = TypeVar("T")


@pytest.fixture(params=["uvloop", "asyncio"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, T]], T]:
    make = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(main: Coroutine[Any, Any, T]) -> T:
        async def within_ten_seconds() -> T:
            async with asyncio.timeout(10):
                return await main

        with asyncio.Runner(loop_factory=make) as runner:
            return runner.run(within_ten_seconds())

    return run
