"""APIs of providers on loopback: each speaks its documented protocol and refuses anything else."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Query = list[tuple[str, str]]


class Refusal(Exception):  # noqa: N818 - an answer
    """An answer other than 200."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers or {}


class Packed(Exception):  # noqa: N818 - an answer
    """A page as packed bytes."""

    def __init__(self, coding: str, body: bytes) -> None:
        super().__init__(coding)
        self.coding = coding
        self.body = body


class Provider:
    """A server with one function for each path; it notes what it was asked."""

    def __init__(self, paths: dict[str, Callable[[dict[str, str], Query], Any]]) -> None:
        self.paths = paths
        self.asked: list[tuple[str, Query]] = []
        self.faults: list[Exception | bytes] = []
        """Answered first, one after the other: a refusal, bytes, or a broken connection."""
        self.url = ""

    def answer(self, path: str, headers: dict[str, str], query: Query) -> bytes:
        self.asked.append((path, query))
        if self.faults:
            fault = self.faults.pop(0)
            if isinstance(fault, bytes):
                return fault
            raise fault
        if path not in self.paths:
            raise Refusal(404)
        return json.dumps(self.paths[path](headers, query)).encode()

    @contextmanager
    def running(self) -> Iterator[Provider]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                body = provider.answer(url.path, headers, parse_qsl(url.query))
            except Refusal as refusal:
                self.send_response(refusal.status)
                for name, value in refusal.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()
            except ConnectionError:
                self.close_connection = True
            except Packed as packed:
                self.send_response(200)
                self.send_header("content-encoding", packed.coding)
                self.send_header("content-length", str(len(packed.body)))
                self.end_headers()
                with suppress(OSError):
                    self.wfile.write(packed.body)
            else:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


class OpenAi(Provider):
    """The Usage and Costs APIs: buckets of a day, so many a page, grouped as asked for."""

    def __init__(self, key: str = "sk-admin-1") -> None:
        self.key = key
        self.usage: dict[date, list[dict[str, Any]]] = {}
        self.costs: dict[date, list[dict[str, Any]]] = {}
        self.buckets_per_page = 31
        kinds = (
            "completions embeddings moderations images audio_speeches audio_transcriptions"
            " code_interpreter_sessions file_search_calls web_search_calls"
        )
        super().__init__(
            {f"/organization/usage/{kind}": self._page_of(kind) for kind in kinds.split()}
            | {"/organization/costs": self._page_of("costs")}
        )

    def _page_of(self, kind: str) -> Callable[[dict[str, str], Query], Any]:
        def page(headers: dict[str, str], query: Query) -> Any:
            if headers.get("authorization") != f"Bearer {self.key}":
                raise Refusal(401)
            asked = dict(query)
            if asked["bucket_width"] != "1d" or int(asked["limit"]) > (
                180 if kind == "costs" else 31
            ):
                raise Refusal(400)
            days = {"costs": self.costs, "completions": self.usage}.get(kind, {})
            first = _day(int(asked["start_time"])) + timedelta(days=int(asked.get("page", "0")))
            last = _day(int(asked["end_time"]))
            shown = [first + timedelta(days=n) for n in range(self.buckets_per_page)]
            more = shown[-1] + timedelta(days=1) < last
            skipped = int(asked.get("page", "0")) + self.buckets_per_page
            return {
                "object": "page",
                "data": [_bucket(day, days.get(day, [])) for day in shown if day < last],
                "has_more": more,
                "next_page": str(skipped) if more else None,
            }

        return page


def completions(model: str, tokens: int, calls: int = 1, **who: str) -> dict[str, Any]:
    """Return a result of the Usage API."""
    return {
        "object": "organization.usage.completions.result",
        "input_tokens": tokens,
        "input_cached_tokens": 0,
        "output_tokens": 10,
        "num_model_requests": calls,
        "model": model,
        **who,
    }


def cost(value: float, line_item: str, project: str = "proj_1") -> dict[str, Any]:
    """Return a result of the Costs API."""
    return {
        "object": "organization.costs.result",
        "amount": {"value": value, "currency": "usd"},
        "line_item": line_item,
        "project_id": project,
    }


def _day(seconds: int) -> date:
    return datetime.fromtimestamp(seconds, tz=UTC).date()


def _bucket(day: date, results: list[dict[str, Any]]) -> dict[str, Any]:
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return {"object": "bucket", "start_time": start, "end_time": start + 86_400, "results": results}
