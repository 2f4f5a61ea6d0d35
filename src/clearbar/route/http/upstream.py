"""The upstream side: asks any origin, over connections that are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearbar.route.http.asking import Asking, Broken, BrokenKind, Listener, Origin, Patience
from clearbar.route.http.authorities import context_for
from clearbar.route.http.limits import UpstreamLimits
from clearbar.route.http.pool import Pool
from clearbar.route.http.sweep import Sweep

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Mapping

__all__ = ["Asking", "Broken", "BrokenKind", "Listener", "Origin", "Patience", "Upstreams"]


class Upstreams:
    """All upstreams of a worker. Use it on its loop only; close it when done.

    It connects to the origin that it is given and to nothing else: no redirect is followed, no
    proxy of the environment used, and nothing is asked a second time.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        environment: Mapping[str, str],
        limits: UpstreamLimits | None = None,
    ) -> None:
        self._loop = loop
        self._environment = environment
        self._limits = limits or UpstreamLimits()
        self._pools: dict[Origin, Pool] = {}
        self._context: ssl.SSLContext | None = None
        self._sweep = Sweep(loop, self._limits.sweep_s, self._look)
        self._closed = False

    def ask(
        self, origin: Origin, head: bytes, body: bytes, listener: Listener, patience: Patience
    ) -> Asking:
        """Send a request once. The listener is never called before this returns.

        Args:
            origin: Where to.
            head: With its blank line, sound as it stands.
            body: As long as the head says.
            listener: Hears of the reply.
            patience: How long each part may take.

        Raises:
            RuntimeError: when this was closed.
        """
        if self._closed:
            raise RuntimeError("the upstreams are closed")
        pool = self._pools.get(origin)
        if pool is None:
            pool = Pool(self._loop, origin, self._limits, self._tls)
            self._pools[origin] = pool
        asking = Asking(pool, head, body, listener, patience)
        pool.place(asking)
        return asking

    async def close(self) -> None:
        """Break what is in flight and close every connection."""
        self._closed = True
        self._sweep.close()
        for pool in self._pools.values():
            await pool.close()

    def _look(self, now: float) -> None:
        for pool in self._pools.values():
            pool.look(now)

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = context_for(self._environment)
        return self._context
