"""The connections to one origin: kept while clean, few enough, and fairly given out."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import TYPE_CHECKING, Literal

from clearbar.core.errors import ClearbarError
from clearbar.route.http.asking import NOBODY, OVER, Broken
from clearbar.route.http.repeated_reply import Repeated
from clearbar.route.http.repeated_stream import RepeatedStreams
from clearbar.route.http.upstream_connection import UpstreamConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from clearbar.route.http.asking import Asking, Origin
    from clearbar.route.http.limits import UpstreamLimits


class Pool:
    """One for each origin. The connection used last is used next: the others may grow old."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        origin: Origin,
        limits: UpstreamLimits,
        context: Callable[[], ssl.SSLContext],
    ) -> None:
        self.limits = limits
        self.origin = origin
        self.asked: set[Asking] = set()
        """Those in flight and those that wait."""
        self.repeated = Repeated()
        self.streams = RepeatedStreams()
        self._loop = loop
        self._context = context
        self._idle: list[UpstreamConnection] = []
        self._waiting: deque[Asking] = deque()
        self._opening: set[asyncio.Task[None]] = set()
        self._open: set[UpstreamConnection] = set()

    def place(self, asking: Asking) -> None:
        """Give a request a connection: a kept one, a new one, or the first that is free."""
        self.asked.add(asking)
        while self._idle:
            connection = self._idle.pop()
            if connection.is_alive(ask_system=connection.idle_since >= 0):
                connection.ask(asking)
                return
            connection.drop()
        if len(self._waiting) >= self.limits.max_waiting:
            crowded = Broken("connect", sent=False, what="too many requests wait for the upstream")
            self._loop.call_soon(self.broke, asking, crowded)
            return
        self._waiting.append(asking)
        self._grow()

    def free(self, connection: UpstreamConnection) -> None:
        """Take a clean connection back."""
        if self._waiting and not connection.is_alive(ask_system=True):
            connection.drop()
            return
        while self._waiting:
            asking = self._waiting.popleft()
            if asking.stage != OVER:
                connection.ask(asking)
                return
        if len(self._idle) < self.limits.max_idle:
            connection.idle_since = -1.0
            self._idle.append(connection)
        else:
            connection.drop()

    def lost(self, connection: UpstreamConnection) -> None:
        """Take note that a connection is closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._grow()

    def broke(self, asking: Asking, broken: Broken) -> None:
        """Tell whoever asked that no whole reply will come, if that is news."""
        self.asked.discard(asking)
        if asking.stage != OVER:
            listener = asking.listener
            self.give_up(asking)
            listener.on_broken(broken)

    def give_up(self, asking: Asking) -> None:
        """Forget a request; what it waits for or uses is let go."""
        asking.stage, asking.listener, asking.flow = OVER, NOBODY, None
        asking.on_whole = None
        self.asked.discard(asking)
        connection, asking.connection = asking.connection, None
        if connection is not None:
            connection.drop()
        elif asking in self._waiting:
            self._waiting.remove(asking)

    def look(self, now: float) -> None:
        """End what takes too long; close what nobody used for long."""
        for asking in list(self.asked):
            what = asking.late(now)
            if what is not None:
                sent = asking.connection is not None
                self.broke(asking, Broken("timeout", sent=sent, what=what))
        for connection in list(self._idle):
            if connection.idle_since < 0:
                connection.idle_since = now
            elif now - connection.idle_since > self.limits.idle_s:
                self._idle.remove(connection)
                connection.drop()

    async def close(self) -> None:
        """Break what is in flight, and close every connection."""
        for asking in list(self.asked):
            sent = asking.connection is not None
            self.broke(asking, Broken("reset", sent=sent, what="the gateway closes"))
        opening = list(self._opening)
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        gone = [connection.gone for connection in self._open]
        for connection in list(self._open):
            connection.drop()
        if gone:
            await asyncio.wait(gone, timeout=1.0)

    def _grow(self) -> None:
        """Open as many connections as requests wait, within the limit."""
        room = self.limits.max_connections - len(self._open) - len(self._opening)
        for _ in range(min(len(self._waiting) - len(self._opening), room)):
            task = self._loop.create_task(self._connect())
            self._opening.add(task)
            task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._grow()

    async def _connect(self) -> None:
        secure, host, port = self.origin
        try:
            async with asyncio.timeout(self.limits.connect_s):
                _, connection = await self._loop.create_connection(
                    lambda: UpstreamConnection(self, self._loop),
                    host,
                    port,
                    ssl=self._context() if secure else None,
                    server_hostname=host if secure else None,
                )
        except ClearbarError as error:
            self._fail("tls", error.message)
        except ssl.SSLCertVerificationError:
            self._fail("tls", "the upstream's certificate is not trusted")
        except ssl.SSLError:
            self._fail("tls", "no encrypted connection to the upstream came about")
        except (OSError, ValueError):
            self._fail("connect", "the upstream cannot be reached")
        else:
            self._open.add(connection)
            self.free(connection)

    def _fail(self, kind: Literal["connect", "tls"], what: str) -> None:
        """Break the request that has waited longest: one connection was opened for each."""
        if self._waiting:
            self.broke(self._waiting.popleft(), Broken(kind, sent=False, what=what))
