"""Asks the admin API of a gateway to hold money, and to settle what was held."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import httpx2

_log: Final = logging.getLogger("clearbar.litellm")
_TIMEOUT_S: Final = 5.0
_TRIES: Final = 4
_FIRST_WAIT_S: Final = 0.2
_SERVER_ERROR: Final = 500
_OK: Final = 200
Json = dict[str, Any]


class Unreachable(Exception):  # noqa: N818 - it names the gateway's state
    """The admin API did not answer, or not as it should."""


class RefusedError(Exception):
    """The gateway refused a hold."""

    def __init__(self, status: int, problem: Json) -> None:
        super().__init__(str(problem.get("detail", "refused")))
        self.status = status
        self.code = str(problem.get("code", "refused"))
        self.retry_after_s = problem.get("retry_after_s")


class AdminClient:
    """Asks the admin API for holds; one connection pool for each event loop."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}"}
        self._pool: tuple[asyncio.AbstractEventLoop, httpx2.AsyncClient] | None = None

    async def hold(self, wanted: Json) -> Json:
        """Hold money.

        Raises:
            RefusedError: when the gateway says no.
            Unreachable: when it does not say anything that can be understood.
        """
        status, said = await self._post("/v1/holds", wanted)
        if status >= _SERVER_ERROR or status in {400, 401, 404, 405, 415}:
            raise Unreachable(f"the gateway answered {status}: {said.get('detail', '')}")
        if status not in {_OK, 201}:
            raise RefusedError(status, said)
        return said

    async def end(self, hold_id: str, settled: Json | None) -> bool:
        """Settle a hold, or release it; tried again until it is known to have arrived, or given up.

        The gateway takes the first of several, so trying again can never charge twice.
        """
        path = f"/v1/holds/{hold_id}/{'release' if settled is None else 'settle'}"
        wait = _FIRST_WAIT_S
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(wait)
                wait *= 4
            try:
                status, said = await self._post(path, settled)
            except Unreachable as error:
                _log.debug("hold %s: %s", hold_id, error)
                continue
            if status < _SERVER_ERROR:
                if status not in {_OK, 404}:
                    _log.warning("hold %s was not settled: %s", hold_id, said.get("detail", ""))
                return status == _OK
        _log.warning("hold %s was not settled: it becomes an estimated charge", hold_id)
        return False

    async def _post(self, path: str, body: Json | None) -> tuple[int, Json]:
        import httpx2  # noqa: PLC0415 - not before it is used

        try:
            reply = await self._client().post(self._url + path, json=body)
            said = reply.json()
        except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            raise Unreachable(type(error).__name__) from error
        return reply.status_code, said if isinstance(said, dict) else {}

    def _client(self) -> httpx2.AsyncClient:
        import httpx2  # noqa: PLC0415 - as above

        loop = asyncio.get_running_loop()
        if self._pool is None or self._pool[0] is not loop:
            client = httpx2.AsyncClient(headers=self._headers, timeout=_TIMEOUT_S, trust_env=False)
            self._pool = loop, client
        return self._pool[1]

    async def close(self) -> None:
        """Close the connections of this loop."""
        if self._pool is not None:
            await self._pool[1].aclose()
            self._pool = None
