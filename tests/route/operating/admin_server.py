"""The admin API on the loopback, over the real front, in a thread of its own."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.route.operating.gateway import TOKEN, SmallGateway

from clearbar.route.http.front import Front
from clearbar.route.http.limits import Limits
from clearbar.route.operating.admin import Admin
from clearbar.route.operating.admin_token import AdminToken
from clearbar.route.operating.metrics import Metrics

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class Said:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class AdminServer:
    facts: SmallGateway = field(default_factory=SmallGateway)
    open_metrics: bool = True

    def __post_init__(self) -> None:
        self.metrics = Metrics(self.facts)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._stopped = asyncio.Event()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        raw: bytes | None = None,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
    ) -> Said:
        sent = dict(headers or {})
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        content = raw if raw is not None else (None if body is None else json.dumps(body).encode())
        if content is not None:
            sent.setdefault("content-type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, content, sent)
            reply = connection.getresponse()
            return Said(reply.status, dict(reply.getheaders()), reply.read())
        finally:
            connection.close()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        admin = Admin(
            self.facts,
            self.metrics,
            AdminToken(TOKEN, "a test"),
            open_metrics=self.open_metrics,
        )
        fronts: set[Front] = set()
        server = await asyncio.get_running_loop().create_server(
            lambda: Front(admin.handle, Limits(), fronts), sock=self._listening
        )
        self._started.set()
        await self._stopped.wait()
        server.close()
        for front in list(fronts):
            front.drain()
        await asyncio.sleep(0)
